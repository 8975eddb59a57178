//! Proxies that pass bytes on, and say before them whose they are, with a header of the PROXY protocol: as
//! `docs/proxy-protocol.md` configures them.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::configured::{command, write};
use crate::pages::{Replaced, passing_block};
use crate::proxy::{Proxy, connect_from, free_address};
use crate::support::{HttpClient, Response, Server, Terminal, WebSocketClient, find_program};
use crate::{ANA, BEN};

/// Where the page says that the program is for terminals.
const LINE_UPSTREAM: &str = "127.0.0.1:5001";

/// Somebody who comes directly.
const DORA: [u8; 4] = [127, 0, 0, 5];

/// Where the program is, and where it is reached by way of the proxy at another port for terminals.
#[derive(Clone, Copy)]
struct Doors {
    scheme: &'static str,
    web: SocketAddr,
    line: SocketAddr,
    proxied_line: SocketAddr,
}

/// Starts a proxy before it.
type StartPassing = fn(Doors) -> Proxy;

fn haproxy(doors: Doors, header: &'static str) -> Proxy {
    let program = find_program(&["haproxy"], "haproxy");
    let text = passing_block("haproxy")
        .replaced(crate::UPSTREAM, &doors.web.to_string())
        .replaced(LINE_UPSTREAM, &doors.line.to_string())
        .replaced("send-proxy-v2", header)
        .replaced("bind :23", &format!("bind {}", doors.proxied_line));
    Proxy::start(doors.scheme, move |folder, address| {
        let text = text.clone().replaced("bind :80", &format!("bind {address}"));
        let timeouts = "timeout connect 5000\n    timeout client 50000\n    timeout server 50000";
        let file = write(folder, "haproxy.cfg", &format!("defaults\n    {timeouts}\n{text}\n"));
        let program = program.clone();
        move |_: &Path| command(&program, &[&"-db", &"-f", &file])
    })
}

fn haproxy_v1(doors: Doors) -> Proxy {
    haproxy(doors, "send-proxy")
}

fn haproxy_v2(doors: Doors) -> Proxy {
    haproxy(doors, "send-proxy-v2")
}

/// With all that it can say behind the addresses, and with checks of its own.
fn haproxy_v2_with_more(doors: Doors) -> Proxy {
    haproxy(doors, "send-proxy-v2 proxy-v2-options ssl,cert-cn,unique-id,crc32c check inter 100")
}

fn nginx(doors: Doors) -> Proxy {
    let program = find_program(&["nginx"], "nginx-light");
    let text = passing_block("nginx")
        .replaced(crate::UPSTREAM, &doors.web.to_string())
        .replaced(LINE_UPSTREAM, &doors.line.to_string())
        .replaced("listen 23;", &format!("listen {};", doors.proxied_line));
    Proxy::start(doors.scheme, move |folder, address| {
        let here = folder.display();
        let text = text.clone().replaced("listen 80;", &format!("listen {address};"));
        let module = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;";
        let text = format!("{module}\ndaemon off;\npid {here}/pid;\nerror_log stderr;\nevents {{}}\n{text}\n");
        let file = write(folder, "nginx.conf", &text);
        let program = program.clone();
        move |folder: &Path| command(&program, &[&"-e", &"stderr", &"-p", &folder, &"-c", &file])
    })
}

/// People are known by their own addresses, on both ports, whatever way they come.
fn it_tells_whose_connections_they_are(start: StartPassing) {
    let mut started = crate::support::server::command();
    started.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]);
    started.args(["--proxy-protocol", "127.0.0.1", "--join-rate", "2", "--max-per-ip", "3"]);
    let server = Server::run(started);
    let line = free_address();
    let proxy = start(Doors { scheme: "http", web: server.web, line: server.line(), proxied_line: line });
    let ask = |source, path: &str| -> Response { HttpClient::over(connect_from(source, proxy.address)).get(path) };

    let created = HttpClient::over(connect_from(BEN, proxy.address)).request("POST", "/api/v1/rooms", &[], b"");
    assert_eq!(created.status, 201, "{}", created.text());
    let room = created.json()["room"].as_str().expect("a code").to_owned();
    let url = format!("ws://{}/ws", proxy.address);
    let (mut ben, _) =
        WebSocketClient::connect_over(connect_from(BEN, proxy.address), &url, &[]).expect("the handshake passes");
    ben.send(json!({"type": "join", "room": room, "name": "ben"}));
    ben.expect("joined");
    let mut ana = Terminal::over(connect_from(ANA, line));
    ana.send_line(&format!("/join {room} ana"));
    ana.expect_text(&format!("* {room}. 1 here: ben (web)"));
    ben.expect("enter");
    ana.send_line("grüße");
    ben.expect_where("what ana says", |message| message["text"] == "grüße");
    ben.say("and to you");
    ana.expect_said("<ben> and to you");

    // Ana has one connection; she may have two more, and others have theirs.
    let more = [(); 2].map(|()| {
        let mut terminal = Terminal::over(connect_from(ANA, line));
        terminal.expect_text("Name: ");
        terminal
    });
    Terminal::over(connect_from(ANA, line)).expect_line("! Too many connections from your address.");
    assert_eq!(ask(ANA, "/").status, 429);
    Terminal::over(connect_from([127, 0, 0, 4], line)).expect_text("Name: ");
    drop(more);

    // What Ben tries he has tried, and nobody else.
    assert_eq!([ask(BEN, "/BBBBBB").status, ask(BEN, "/CCCCCC").status, ask(BEN, "/DDDDDD").status], [404, 404, 429]);
    assert_eq!(ask([127, 0, 0, 6], "/DDDDDD").status, 404);

    // Who comes directly is who he is, and what he says of others is not believed.
    let mut direct = HttpClient::over(connect_from(DORA, server.web));
    assert_eq!(direct.get("/").status, 200);
    direct.send("PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(direct.response_to("GET").status, 400);

    // Not even checks of its health, in which the proxy says that they are its own, or says nothing, are faults.
    let metrics = HttpClient::over(connect_from(DORA, server.web)).get("/metrics").text();
    assert!(metrics.contains("snugd_protocol_faults_total{protocol=\"proxy\"} 0\n"), "{metrics}");
}

#[test]
fn haproxy_tells_whose_connections_they_are_in_a_line() {
    it_tells_whose_connections_they_are(haproxy_v1);
}

#[test]
fn haproxy_tells_whose_connections_they_are_in_binary() {
    it_tells_whose_connections_they_are(haproxy_v2);
    it_tells_whose_connections_they_are(haproxy_v2_with_more);
}

#[test]
fn nginx_tells_whose_connections_they_are() {
    it_tells_whose_connections_they_are(nginx);
}

/// TLS goes by the proxy, and ends where the header says first who it is with.
#[cfg(feature = "tls")]
fn tls_passes_by_it(start: StartPassing) {
    use std::process::{Command, Stdio};

    use crate::HOST;
    use crate::configured::certify;
    use crate::support::program::run_to_end;

    let folder = crate::shared_folder("passed-tls");
    certify(&folder);
    let certificate = folder.join("certificate.pem");
    let mut started = crate::support::server::command();
    started.args(["--listen", "127.0.0.1:0", "--line-listen", "off", "--line-tls-listen", "127.0.0.1:0"]);
    started.args(["--proxy-protocol", "127.0.0.1", "--create-rate", "1"]);
    started.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(folder.join("key.pem"));
    let server = Server::run_listening(started, &["web", "line-tls"]);
    let terminals = server.listener(1).parse().expect("an address");
    let proxied_line = free_address();
    let proxy = start(Doors { scheme: "https", web: server.web, line: terminals, proxied_line });

    let port = proxy.address.port();
    let create = |source: &str| {
        let mut curl = Command::new(find_program(&["curl"], "curl"));
        curl.args(["-q", "-sS", "-i", "--noproxy", "*", "--interface", source, "--cacert"]).arg(&certificate);
        curl.args(["--resolve", &format!("{HOST}:{port}:127.0.0.1"), "-d", "name=ana&create=1"]);
        let answer = run_to_end(curl.arg(format!("https://{HOST}:{port}/")), "");
        assert_eq!(answer.contains("; Secure"), answer.contains(" 303 "), "{answer}");
        answer.split(' ').nth(1).expect("a status").to_owned()
    };
    assert_eq!(["127.0.0.2", "127.0.0.2", "127.0.0.3"].map(create), ["303", "429", "303"]);

    let mut openssl = Command::new(find_program(&["openssl"], "openssl"));
    openssl.args(["s_client", "-quiet", "-verify_return_error", "-CAfile"]).arg(&certificate);
    openssl.args(["-verify_hostname", HOST, "-connect", &proxied_line.to_string()]).stderr(Stdio::null());
    let said = run_to_end(&mut openssl, "/new ben\n/quit\n");
    assert!(said.contains("Invite: https://") && said.ends_with("* Bye.\r\n"), "{said}");
    drop(server);
    std::fs::remove_dir_all(folder).expect("it is ours");
}

#[cfg(feature = "tls")]
#[test]
fn tls_passes_by_haproxy_and_nginx() {
    for start in [haproxy_v1, haproxy_v2, haproxy_v2_with_more, nginx] {
        tls_passes_by_it(start);
    }
}
