//! `snugd healthcheck`.

use std::net::TcpListener;

use super::support::server::command;
use super::support::{Server, eventually};
use super::{Folder, run, stderr, stdout};

#[test]
fn a_server_that_is_well_is_found_by_its_own_options() {
    let server = Server::with(&["--base-path", "/chat"]);
    let web = server.web.to_string();
    for words in [&["healthcheck"][..], &["healthcheck", "--ready"]] {
        let output = run(words, &[("SNUGD_LISTEN", &web), ("SNUGD_BASE_PATH", "chat")]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(0), format!("{web} is well.\n")), "{words:?}");
    }
    let folder = Folder::new();
    let file = folder.write("snugd.toml", &format!("listen = {web:?}\nbase-path = \"/chat/\"\n"));
    assert_eq!(run(&["healthcheck", "--config", &file], &[]).status.code(), Some(0));
    let url = format!("http://{web}/chat");
    assert_eq!(run(&["healthcheck", "--url", &url], &[]).status.code(), Some(0));
    let output = run(&["healthcheck", "--listen", &web], &[]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), format!("snugd: {web} answers 404 to /healthz.\n")));
}

#[test]
fn a_server_at_every_address_is_asked_at_this_machines_own() {
    let mut started = command();
    started.args(["--listen", "0.0.0.0:0", "--line-listen", "off"]);
    let server = Server::run_without_line(started);
    for host in ["0.0.0.0", "[::]"] {
        let address = format!("{host}:{}", server.web.port());
        assert_eq!(run(&["healthcheck"], &[("SNUGD_LISTEN", &address)]).status.code(), Some(0), "{host}");
    }
    let port = server.web.port().to_string();
    assert_eq!(run(&["healthcheck"], &[("PORT", &port)]).status.code(), Some(0));
}

#[test]
fn whoever_watches_has_a_listener_of_its_own_and_proxies_say_who_comes() {
    let options = ["--base-path", "/chat", "--proxy-protocol", "127.0.0.1"];
    let mut started = command();
    started.args(["--listen", "127.0.0.1:0", "--line-listen", "off", "--metrics-listen", "127.0.0.1:0"]);
    started.args(options);
    let server = Server::run_listening(started, &["web", "metrics"]);
    let (web, metrics) = (server.web.to_string(), server.listener(1));
    let output = run(&[&["healthcheck", "--listen", &web], &options[..]].concat(), &[]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), format!("{web} is well.\n")), "{}", stderr(&output));
    let listeners = ["healthcheck", "--listen", "192.0.2.1:1", "--metrics-listen", metrics];
    let output = run(&[&listeners, &options[..]].concat(), &[]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(0), format!("{metrics} is well.\n")),
        "{}",
        stderr(&output)
    );
}

#[cfg(feature = "tls")]
#[test]
fn an_encrypted_server_is_asked_by_the_same_options() {
    let folder = Folder::new();
    let (certificate, key) = folder.make_certificate("localhost");
    let options = ["--tls-cert", &certificate, "--tls-key", &key];
    let server = Server::with(&options);
    let web = server.web.to_string();
    for ready in [&["--ready"][..], &[]] {
        let output = run(&[&["healthcheck", "--listen", &web], &options[..], ready].concat(), &[]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(0), format!("{web} is well.\n")));
    }
}

#[cfg(unix)]
#[test]
fn a_server_behind_a_unix_socket_is_found() {
    let folder = Folder::new();
    let socket = format!("unix:{}", folder.path("socket").display());
    let mut started = command();
    started.args(["--listen", "127.0.0.1:0", "--listen", &socket, "--line-listen", "off"]);
    let server = Server::run_without_line(started);
    eventually("it listens there as well", || folder.path("socket").exists().then_some(()));
    let output = run(&["healthcheck", "--listen", &socket, "--ready"], &[]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), format!("{socket} is well.\n")));
    drop(server);
    let output = run(&["healthcheck", "--listen", &socket], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
fn where_nobody_is_or_nobody_answers_it_fails_with_a_sentence() {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = deaf.local_addr().expect("an address").to_string();
    let output = run(&["healthcheck", "--listen", &address], &[]);
    let sentence = format!("snugd: {address} does not answer within 5 s.\n");
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), sentence));
    drop(deaf);
    let output = run(&["healthcheck", "--listen", &address], &[]);
    assert_eq!(output.status.code(), Some(1));
    let sentence = stderr(&output);
    assert!(sentence.starts_with(&format!("snugd: {address} cannot be asked (")), "{sentence}");
    let sentence = super::refusal(&run(&["healthcheck", "--listen", ":0"], &[]));
    assert!(sentence.contains("--url"), "{sentence}");
}

#[test]
fn a_full_server_is_alive_and_not_ready() {
    let server = Server::with(&["--max-connections", "1"]);
    let web = server.web.to_string();
    let mut member = server.http();
    member.get("/healthz");
    assert_eq!(run(&["healthcheck", "--listen", &web], &[]).status.code(), Some(0));
    assert_eq!(run(&["healthcheck", "--listen", &web, "--ready"], &[]).status.code(), Some(1));
    drop(member);
}
