//! SIGHUP to a service: the options are read again, and nobody is dropped.

use std::os::unix::net::UnixDatagram;

use serde_json::json;

use super::support::{DEADLINE, Server, Terminal, WebSocketClient, eventually};
use super::{Folder, configured};

/// Sends it, and waits until the log has one line more with these words.
fn reload(server: &Server, words: &str) {
    let count = || server.log().matches(words).count();
    let before = count();
    server.signal("HUP");
    eventually(words, || (count() > before).then_some(()));
}

#[test]
fn limits_change_while_everybody_stays() {
    let folder = Folder::new();
    let before = "rate = 5\nmax-message = 100\nmax-members = 2\nmax-per-ip = 20\ncreate-rate = 0\n";
    let file = folder.write("snugd.toml", before);
    let server = Server::run(configured(&file));
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    ana.expect("enter");
    ana.say(&"x".repeat(200));
    ana.expect_error("text_too_long");

    let after = "rate = 50\nmax-message = 1000\nmax-members = 3\nmax-per-ip = 3\ncreate-rate = 1\ncode-length = 7\n\
                 max-file = \"2K\"\nallowed-host = \"chat.example\"\nverbose = 1\n";
    folder.write("snugd.toml", after);
    reload(
        &server,
        "in force from now on: code-length, max-members, max-message, rate, create-rate, max-per-ip, max-file",
    );
    ana.say(&"x".repeat(200));
    assert_eq!(ana.expect("message")["text"].as_str().map(str::len), Some(200), "it was connected all the time");
    ben.expect_line_where("it all", |line| line.contains("<ana> xxx"));
    ben.send_line(&"y".repeat(200));
    ana.expect_where("what a terminal says", |message| message["text"].as_str().map(str::len) == Some(200));

    let mut cleo = WebSocketClient::connect(&server);
    cleo.send(json!({"type": "join", "room": room, "name": "cleo"}));
    assert_eq!(cleo.expect("joined")["limits"], json!({"message": 1000, "rate": 50, "file": 2048}));
    let refused = server.get("/healthz");
    assert_eq!(refused.status, 429, "that is one more than three from an address");
    drop(cleo);
    eventually("there is a place again", || (server.get("/healthz").status == 200).then_some(()));
    // Whoever is refused for want of a place tries again.
    let create = || {
        eventually("there is a place", || {
            let response = server.http().request("POST", "/api/v1/rooms", &[], b"");
            (!response.text().contains("Too many connections")).then_some(response)
        })
    };
    assert_eq!(create().json()["room"].as_str().map(str::len), Some(7), "new rooms have longer codes");
    assert_eq!(create().json()["error"]["code"], "rate_limited", "one a minute");
    let foreign = eventually("there is a place", || {
        let response = server.get_with("/", &[("Host", "evil.example")]);
        (response.status != 429).then_some(response)
    });
    assert_eq!(foreign.status, 421);
    assert!(server.log().contains("DEBUG"), "it logs more");

    folder.write("snugd.toml", before);
    reload(&server, "in force from now on: ");
    ana.say(&"x".repeat(200));
    ana.expect_where("a refusal", |message| message["code"] == "text_too_long");
}

#[test]
fn a_file_that_has_become_wrong_changes_nothing() {
    let folder = Folder::new();
    let file = folder.write("snugd.toml", "rate = 5\nmax-message = 100\n");
    let server = Server::run(configured(&file));
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    folder.write("snugd.toml", "max-message = 1000\nrate = \"fast\"\n");
    reload(&server, "snugd.toml, line 2: rate wants a whole number from 0 to 1000000, not \"fast\".");
    ana.say(&"x".repeat(200));
    ana.expect_error("text_too_long");
    std::fs::remove_file(&file).expect("it is there");
    reload(&server, "cannot be read");
    let lines: Vec<_> =
        server.log().lines().filter(|line| line.contains("stay as they were")).map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "one line each: {lines:?}");
    folder.write("snugd.toml", "max-message = 1000\n");
    reload(&server, "in force from now on: max-message");
    ana.say(&"x".repeat(200));
    ana.expect("message");
}

#[test]
fn what_needs_a_restart_is_named() {
    let folder = Folder::new();
    let file = folder.write("snugd.toml", "rate = 5\npublic-url = \"http://chat.example\"\n");
    let server = Server::run(configured(&file));
    folder.write("snugd.toml", "rate = 5\npublic-url = \"http://other.example\"\nhistory = 7\n");
    reload(&server, "changed, but in force only after a restart: history, public-url");
    let status = |host| server.get_with("/", &[("Host", host)]).status;
    assert_eq!((status("chat.example"), status("other.example")), (200, 421), "the pages are where they were");
    folder.write("snugd.toml", "rate = 5\npublic-url = \"http://chat.example\"\n");
    reload(&server, "none has changed");
    assert_eq!(server.log().matches("after a restart").count(), 1);
}

/// The name for which the server shows a certificate to whoever comes now.
#[cfg(feature = "tls")]
fn certified_name(server: &Server) -> String {
    use super::support::find_program;
    use super::support::program::run_to_end;
    use std::process::Command;

    let openssl = find_program(&["openssl"], "openssl");
    let mut client = Command::new(&openssl);
    client.args(["s_client", "-connect", &server.web.to_string()]);
    let shown = run_to_end(&mut client, "");
    let subject =
        run_to_end(Command::new(&openssl).args(["x509", "-noout", "-subject", "-nameopt", "multiline"]), &shown);
    subject.rsplit("= ").next().expect("a name").trim().to_owned()
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_is_renewed_while_terminals_stay() {
    let folder = Folder::new();
    let (first, second) = (folder.make_certificate("first.example"), folder.make_certificate("second.example"));
    let copy = |(certificate, key): &(String, String)| {
        std::fs::copy(certificate, folder.path("now.pem")).expect("a copy");
        std::fs::copy(key, folder.path("now.key")).expect("a copy");
    };
    copy(&first);
    let names = ["now.pem", "now.key"].map(|name| folder.path(name).to_str().expect("UTF-8").to_owned());
    let file = folder.write("snugd.toml", &format!("tls-cert = {:?}\ntls-key = {:?}\n", names[0], names[1]));
    let server = Server::run(configured(&file));
    assert_eq!(certified_name(&server), "first.example");
    let mut ana = Terminal::connect(&server);
    copy(&second);
    reload(&server, "the certificate was read again");
    assert_eq!(certified_name(&server), "second.example");
    ana.send_line("/quit");
    ana.expect_line_where("a goodbye", |line| line.contains("* Bye."));

    // One that does not fit its key changes nothing, whatever else is new.
    std::fs::copy(&first.0, folder.path("now.pem")).expect("a copy");
    folder.write("snugd.toml", &format!("tls-cert = {:?}\ntls-key = {:?}\nrate = 7\n", names[0], names[1]));
    reload(&server, "the options stay as they were: The key in ");
    assert_eq!(certified_name(&server), "second.example");
    // Other files are read where they are; to be without is another matter.
    folder.write("snugd.toml", &format!("tls-cert = {:?}\ntls-key = {:?}\n", first.0, first.1));
    reload(&server, "in force from now on: tls-cert, tls-key");
    assert_eq!(certified_name(&server), "first.example");
    folder.write("snugd.toml", "rate = 5\n");
    reload(&server, "in force only after a restart: tls-cert, tls-key");
    assert_eq!(certified_name(&server), "first.example");
}

/// As with systemd's `Type=notify-reload`.
#[test]
fn the_service_manager_is_told_when_it_begins_and_when_it_is_done() {
    let folder = Folder::new();
    let path = folder.path("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
    let next = |wanted: &str| {
        let mut buffer = [0; 4096];
        loop {
            let count = manager.recv(&mut buffer).unwrap_or_else(|error| panic!("no {wanted}: {error}"));
            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
            if text.lines().any(|line| line == wanted) {
                return text;
            }
        }
    };
    let file = folder.write("snugd.toml", "rate = 5\n");
    let mut started = configured(&file);
    started.env("NOTIFY_SOCKET", &path);
    let server = Server::run(started);
    next("READY=1");
    // Also if the file is wrong: the manager would wait for ever.
    for text in ["rate = 6\n", "rate = \n"] {
        folder.write("snugd.toml", text);
        server.signal("HUP");
        let begun = next("RELOADING=1");
        let time = begun.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(time.is_some_and(|time| time.parse::<u64>().is_ok_and(|time| time > 0)), "{begun}");
        next("READY=1");
    }
}
