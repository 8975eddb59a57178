//! Proxies that pass bytes on, and say before them whose they are, with a header of the PROXY protocol: as
//! `docs/proxy-protocol.md` configures them.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::configured::{command, write};
use crate::proxy::{Proxy, connect_from, free_address};
use crate::readme::{Replaced, passing_block};
use crate::support::{HttpClient, Response, Server, Terminal, WebSocketClient, find_program};
use crate::{ANA, BEN};

/// Where the page says that the program is for terminals.
const LINE_UPSTREAM: &str = "127.0.0.1:5001";

/// Somebody who comes directly.
const DORA: [u8; 4] = [127, 0, 0, 5];

/// Starts a proxy before this server, and before its terminals at this address.
type StartPassing = fn(server: &Server, line: SocketAddr) -> Proxy;

fn haproxy(server: &Server, line: SocketAddr, header: &'static str) -> Proxy {
    let program = find_program(&["haproxy"], "haproxy");
    let text = passing_block("haproxy")
        .replaced(crate::UPSTREAM, &server.web.to_string())
        .replaced(LINE_UPSTREAM, &server.line().to_string())
        .replaced("send-proxy-v2", header)
        .replaced("bind :23", &format!("bind {line}"));
    Proxy::start("http", move |folder, address| {
        let text = text.clone().replaced("bind :80", &format!("bind {address}"));
        let timeouts = "timeout connect 5000\n    timeout client 50000\n    timeout server 50000";
        let file = write(folder, "haproxy.cfg", &format!("defaults\n    {timeouts}\n{text}\n"));
        let program = program.clone();
        move |_: &Path| command(&program, &[&"-db", &"-f", &file])
    })
}

fn haproxy_v1(server: &Server, line: SocketAddr) -> Proxy {
    haproxy(server, line, "send-proxy")
}

fn haproxy_v2(server: &Server, line: SocketAddr) -> Proxy {
    haproxy(server, line, "send-proxy-v2")
}

/// With all that it can say behind the addresses, and with checks of its own.
fn haproxy_v2_with_more(server: &Server, line: SocketAddr) -> Proxy {
    haproxy(server, line, "send-proxy-v2 proxy-v2-options ssl,cert-cn,unique-id,crc32c check inter 100")
}

fn nginx(server: &Server, line: SocketAddr) -> Proxy {
    let program = find_program(&["nginx"], "nginx-light");
    let text = passing_block("nginx")
        .replaced(crate::UPSTREAM, &server.web.to_string())
        .replaced(LINE_UPSTREAM, &server.line().to_string())
        .replaced("listen 23;", &format!("listen {line};"));
    Proxy::start("http", move |folder, address| {
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
    let proxy = start(&server, line);
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
