//! Pages, WebSockets and files over TLS, and what comes to the same port without.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::certificate::{HOST, authority, folder};
use super::client::{TlsClient, VERSIONS};
use super::{room_of_ana, start};
use crate::support::program::run_to_end;
use crate::support::{HttpClient, Server, find_program};

/// `curl` that knows who vouches for the server.
fn curl(server: &Server, arguments: &[&str], path: &str) -> String {
    let mut curl = Command::new(find_program(&["curl"], "curl"));
    let port = server.web.port();
    curl.args(["-q", "-sS", "--noproxy", "*", "--cacert"]).arg(authority());
    curl.args(["--resolve", &format!("{HOST}:{port}:127.0.0.1")]).args(arguments);
    run_to_end(curl.arg(format!("https://{HOST}:{port}{path}")), "")
}

#[test]
fn pages_come_over_both_versions() {
    let server = start(&[]);
    let own = format!("https://{HOST}:{}", server.web.port());
    for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let jar = folder("web").join(format!("{}.jar", version.len()));
        let jar = jar.display().to_string();
        let with =
            |more: &[&str], path| curl(&server, &[version, &["-i", "-b", &jar, "-c", &jar], more].concat(), path);
        let home = with(&[], "/");
        assert!(
            home.starts_with("HTTP/1.1 200 ") && home.contains("\r\nStrict-Transport-Security: max-age="),
            "{home}"
        );
        let origin = format!("Origin: {own}");
        let created = with(&["-H", &origin, "-d", "name=ana&create=1"], "/");
        assert!(created.starts_with("HTTP/1.1 303 "), "{created}");
        let cookie = created.lines().find(|line| line.starts_with("Set-Cookie: snug=")).expect("a session");
        assert!(cookie.contains("; Secure"), "{cookie}");
        assert!(!created.contains("snug-plain"), "{created}");
        let location = created.lines().find_map(|line| line.strip_prefix("Location: ")).expect("a room");
        let page = with(&[], location);
        assert!(page.contains(&format!("{own}{location}")), "the invitation is that of this address: {page}");
        assert!(page.contains(&format!("wss://{HOST}:{}", server.web.port())), "the page may connect: {page}");
        let foreign = with(&["-H", "Origin: https://elsewhere.example", "-d", "name=ben&create=1"], "/");
        assert!(foreign.starts_with("HTTP/1.1 403 "), "{foreign}");
    }
}

#[test]
fn old_versions_and_other_protocols_are_refused() {
    let server = start(&[]);
    for (arguments, words) in
        [("-tls1_1 -cipher DEFAULT@SECLEVEL=0", "SSL alert number"), ("-alpn h2", "alert no application protocol")]
    {
        let mut openssl = Command::new(find_program(&["openssl"], "openssl"));
        openssl.arg("s_client").args(arguments.split(' ')).args(["-connect", &server.web.to_string()]);
        let output = openssl.stdin(Stdio::null()).output().expect("it can be started");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(words), "{arguments}: {told}");
    }
}

#[test]
fn sessions_are_resumed_by_tickets() {
    let server = start(&[]);
    for version in ["-tls1_2", "-tls1_3"] {
        let session = folder("tickets").join(version);
        let connect = |how: &str| {
            let mut openssl = Command::new(find_program(&["openssl"], "openssl"));
            openssl.args(["s_client", version, "-ign_eof", how]).arg(&session);
            openssl.args(["-connect", &server.web.to_string()]).stderr(Stdio::null());
            run_to_end(&mut openssl, "GET /healthz HTTP/1.0\r\n\r\n")
        };
        assert!(connect("-sess_out").contains("\nNew, TLSv1."));
        assert!(connect("-sess_in").contains("\nReused, TLSv1."), "{version}");
    }
}

#[test]
fn who_comes_without_tls_is_led_to_it() {
    let server = start(&["--allowed-host", HOST]);
    let own = format!("https://{HOST}:{}", server.web.port());
    let host = format!("{HOST}:{}", server.web.port());
    let ask = |method, path| {
        let mut client = HttpClient::connect(server.web);
        let response = client.request(method, path, &[("Host", &host)], b"");
        client.expect_end();
        assert_eq!(response.header("Strict-Transport-Security"), None, "not to be said without TLS (RFC 6797)");
        response
    };
    for method in ["GET", "HEAD"] {
        let response = ask(method, "/KXQT?since=7");
        assert_eq!((response.status, response.expect_header("Location")), (308, &*format!("{own}/KXQT?since=7")));
    }
    assert_eq!(ask("GET", "/healthz").text(), "ok\n");
    assert_eq!(ask("GET", "/readyz").text(), "ok\n");
    assert_eq!(ask("GET", "/metrics").status, 308);
    for (method, path) in [("POST", "/"), ("PUT", "/KXQT/plan.pdf"), ("POST", "/api/v1/rooms")] {
        let response = ask(method, path);
        assert!(response.status == 403 && response.text().contains(&own), "{response:?}");
        assert!(response.header("Set-Cookie").is_none() && response.header("Location").is_none());
    }
    let mut elsewhere = HttpClient::connect(server.web);
    assert_eq!(elsewhere.request("GET", "/", &[("Host", "evil.example")], b"").status, 421);
    let mut upgrade = HttpClient::connect(server.web);
    let headers = [("Host", &*host), ("Connection", "Upgrade"), ("Upgrade", "websocket")];
    assert_eq!(upgrade.request("GET", "/ws", &headers, b"").status, 308);
    for garbage in ["\0\0\0\0", "\u{1}hello\r\n", "ana\n"] {
        let mut client = HttpClient::connect(server.web);
        client.send(garbage);
        let answer = String::from_utf8(client.read_to_end()).expect("UTF-8");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[test]
fn files_come_and_go_over_tls() {
    let server = start(&[]);
    let (mut ana, room) = room_of_ana(&server);
    let folder = folder("files");
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let sent = folder.join("sent.bin");
    fs::write(&sent, &bytes).expect("a file can be written");
    for version in ["1.2", "1.3"] {
        let upload = ["--tls-max", version, "-T", sent.to_str().expect("UTF-8")];
        let address =
            curl(&server, &[&upload[..], &["-H", "Expect:"]].concat(), &format!("/{room}/big{version}?as=ben"));
        ana.expect_text("5.0 MB");
        let path =
            address.trim().strip_prefix(&format!("https://{HOST}:{}", server.web.port())).expect("an address here");
        let got = folder.join(version).display().to_string();
        curl(&server, &["--tls-max", version, "-o", &got], path);
        assert!(fs::read(&got).expect("it has come") == bytes, "{version}: it has changed on its way");
        let part = curl(&server, &["--tls-max", version, "-r", "4999990-", "-o", &got, "-w", "%{http_code}"], path);
        assert!(part == "206" && fs::read(&got).expect("it has come") == bytes[4_999_990..], "{version}: {part}");
    }
}

/// A script's member talks with Ana; `trust` is the variable by which it is told who vouches for the server.
fn talk(server: &Server, mut script: Command, trust: &str) {
    let (mut ana, room) = room_of_ana(server);
    script.arg(format!("wss://localhost:{}/ws", server.web.port())).arg(&room).env(trust, authority());
    let script = std::thread::spawn(move || run_to_end(&mut script, ""));
    ana.expect_line("* robin came in (web)");
    ana.expect_text("<robin> grüße, ana\r\n");
    ana.send_line("bye");
    ana.expect_line("* robin left");
    let told = script.join().expect("the script does what it should");
    assert_eq!(told.lines().collect::<Vec<_>>(), ["subprotocol snugd.v1", "ponged", "heard bye", "closed 1000"]);
}

#[test]
fn pythons_websockets() {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", include_str!("../clients/talk.py")]);
    talk(&start(&[]), python, "SSL_CERT_FILE");
}

#[test]
fn nodes_ws() {
    let mut node = Command::new(find_program(&["node"], "nodejs"));
    node.env("NODE_PATH", "/usr/share/nodejs").args(["-e", include_str!("../clients/talk.js"), "--"]);
    talk(&start(&[]), node, "NODE_EXTRA_CA_CERTS");
}

#[test]
fn requests_may_follow_each_other() {
    let server = start(&[]);
    for version in VERSIONS {
        let mut client = TlsClient::connect(server.web, version);
        client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20).as_str());
        for _ in 0..20 {
            client.expect_text("\r\n\r\nok\n");
        }
        client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let metrics = client.read_to_end();
        assert!(metrics.contains("snugd_protocol_faults_total{protocol=\"tls\"} 0"), "{metrics}");
        assert!(metrics.contains("snugd_tls_handshakes_total "), "{metrics}");
    }
}

#[test]
fn a_unix_socket_stays_as_it_is() {
    let path = Path::new(&std::env::temp_dir()).join(format!("snugd-{}.sock", std::process::id()));
    let socket = format!("unix:{}", path.display());
    let (certificate, key) = super::certificate::certificate();
    let mut command = crate::support::server::command();
    command.args(["--listen", "127.0.0.1:0", "--listen", &socket, "--line-listen", "off"]);
    command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
    let server = Server::run_listening(command, &["web"; 2]);
    let mut curl = Command::new(find_program(&["curl"], "curl"));
    curl.args(["-q", "-sS", "--unix-socket"]).arg(&path).arg("http://localhost/readyz");
    assert_eq!(run_to_end(&mut curl, ""), "ok\n");
    drop(server);
}
