//! Real proxies before the real program, configured by the very lines that `docs/server.md` shows: the page, its form with the
//! cookie, the WebSocket, and whose requests they are; under a path of its own as well.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "cluster")]
mod cluster;
mod configured;
mod pages;
mod passing;
mod proxy;
#[cfg(feature = "cluster")]
#[path = "../cluster/redis.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod redis;
#[path = "../clients/robin.rs"]
mod robin;

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use configured::{Site, Start, apache, caddy, haproxy, nginx};
use pages::options;
use proxy::{ORDINARY_USER, Proxy, connect_from};
use serde_json::json;
use support::program::run_to_end;
use support::{HttpClient, Response, Server, Terminal, WebSocketClient, eventually, find_program};

/// Where the page says that the program is.
const UPSTREAM: &str = "127.0.0.1:5000";
/// What the page calls the server.
const HOST: &str = "chat.example.org";

// Machines of other people, as far as the proxy can tell.
const ANA: [u8; 4] = [127, 0, 0, 2];
const BEN: [u8; 4] = [127, 0, 0, 3];

// ---- what people do through them

/// A server as the page starts it behind a proxy.
fn server_behind(base: &str, more: &[&str]) -> Server {
    let options: Vec<String> = options()
        .into_iter()
        .map(|word| match word {
            UPSTREAM => "127.0.0.1:0".to_owned(),
            word => word.to_owned(),
        })
        .collect();
    let mut command = support::server::command();
    command.args(options).args(["--base-path", base, "--line-listen", "127.0.0.1:0"]).args(more);
    Server::run(command)
}

/// What a browser of somebody's asks for. The port is in the address bar, as it is not the usual one.
struct Browser {
    source: [u8; 4],
    proxy: SocketAddr,
    host: String,
    origin: String,
}

impl Browser {
    fn new(source: [u8; 4], proxy: &Proxy) -> Browser {
        let host = format!("{HOST}:{}", proxy.address.port());
        Browser { source, proxy: proxy.address, origin: format!("http://{host}"), host }
    }

    fn http(&self) -> HttpClient {
        HttpClient::over(connect_from(self.source, self.proxy))
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.http().request("GET", path, &[&[("Host", self.host.as_str())], headers].concat(), b"")
    }

    fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.http().post_form(path, fields, &[("Host", &self.host), ("Origin", &self.origin)])
    }

    fn web_socket(&self, base: &str, cookie: &str) -> Result<WebSocketClient, u16> {
        let stream = connect_from(self.source, self.proxy);
        let headers = [("origin", self.origin.as_str()), ("cookie", cookie), ("sec-websocket-protocol", "snugd.v1")];
        let (client, handshake) =
            WebSocketClient::connect_over(stream, &format!("ws://{}{base}ws", self.host), &headers)?;
        assert_eq!(handshake.headers()["sec-websocket-protocol"], "snugd.v1");
        Ok(client)
    }
}

fn page_form_and_web_socket_pass(start: Start, base: &'static str) {
    let server = server_behind(base, &[]);
    let proxy = start(Site::new(&server, base, "http"));
    page_form_and_web_socket_pass_to(&server, &proxy, base);
}

fn page_form_and_web_socket_pass_to(server: &Server, proxy: &Proxy, base: &str) {
    let ana = Browser::new(ANA, proxy);

    let home = ana.get(base, &[]);
    assert_eq!(home.status, 200, "{}", home.text());
    assert!(home.text().contains(&format!("action=\"{base}\"")), "{}", home.text());
    let created = ana.post_form(base, &[("name", "ana"), ("create", "1")]);
    assert_eq!(created.status, 303, "{}", created.text());
    let location = created.expect_header("Location").to_owned();
    let room = location.strip_prefix(base).expect("a path below the base").to_owned();
    let cookie = created.cookie();
    let page = ana.get(&location, &[("Cookie", &cookie)]);
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains(&format!("https://{HOST}")), "the invitation shows the public address");

    let mut socket = ana.web_socket(base, &cookie).expect("the handshake passes");
    socket.send(json!({"type": "join", "room": room}));
    assert_eq!(socket.expect("joined")["name"], "ana");
    let mut ben = Terminal::join(server, &room, "ben");
    assert_eq!(socket.expect("enter")["name"], "ben");
    socket.say("grüße from behind a proxy");
    ben.expect_said("<ana> grüße from behind a proxy");
    ben.send_line("and to you");
    socket.expect_where("what ben says", |message| message["text"] == "and to you");
    // More than any buffer on the way.
    let long = "x".repeat(4096);
    for _ in 0..10 {
        ben.send_line(&long);
        socket.expect_where("the long text", |message| message["text"] == long.as_str());
    }
    // And more than some proxies take unless they are told to.
    let plan = vec![b'x'; 3_000_000];
    let headers = [("Host", ana.host.as_str()), ("Origin", &ana.origin), ("Cookie", &cookie)];
    let files = format!("{base}api/v1/rooms/{room}/files?name=plan.bin");
    let shared = ana.http().request("POST", &files, &headers, &plan);
    assert_eq!(shared.status, 201, "{}", shared.text());
    let file = &socket.expect("file")["file"];
    assert_eq!(file["size"], plan.len());
    assert!(ana.get(shared.expect_header("Location"), &[]).body == plan, "it comes back as it was");
    socket.send(json!({"type": "leave"}));
    socket.expect_close(1000);
    ben.expect_line("* ana left");
}

/// Who asks for too many rooms that are not there is told so; others are not, whatever the first one says of itself.
fn requests_are_counted_by_their_clients(start: Start) {
    let server = server_behind("/", &["--join-rate", "2"]);
    requests_are_counted_by_their_clients_at(&start(Site::new(&server, "/", "http")));
}

fn requests_are_counted_by_their_clients_at(proxy: &Proxy) {
    let (ana, ben) = (Browser::new(ANA, proxy), Browser::new(BEN, proxy));
    let ask = |browser: &Browser, headers: &[(&str, &str)]| browser.get("/BBBBBB", headers).status;
    assert_eq!([ask(&ana, &[]), ask(&ana, &[]), ask(&ana, &[])], [404, 404, 429]);
    assert_eq!(ask(&ana, &[("X-Forwarded-For", "203.0.113.9")]), 429, "what it makes up does not count");
    assert_eq!([ask(&ben, &[]), ask(&ben, &[])], [404, 404]);
}

fn a_foreign_page_is_refused(start: Start) {
    let server = server_behind("/", &[]);
    let proxy = start(Site::new(&server, "/", "http"));
    let mut browser = Browser::new(ANA, &proxy);
    browser.origin = "http://evil.example".to_owned();
    assert_eq!(browser.post_form("/", &[("name", "ana"), ("create", "1")]).status, 403);
    assert_eq!(browser.web_socket("/", "").err(), Some(403));
}

/// A proxy that is restarted, or reads its configuration again, drops every connection without a word.
fn a_restart_is_not_noticed_in_the_room(start: Start) {
    let server = server_behind("/", &[]);
    let mut proxy = start(Site::new(&server, "/", "http"));
    let browser = Browser::new(ANA, &proxy);
    let room = server.create_room();
    let mut ben = Terminal::join(&server, &room, "ben");
    let mut ana = browser.web_socket("/", "").expect("the handshake passes");
    ana.send(json!({"type": "join", "room": room, "name": "ana"}));
    let joined = ana.expect("joined");
    ben.expect_line("* ana came in (web)");

    proxy.restart();
    ben.send_line("are you still there?");
    let mut ana = eventually("the handshake passes again", || browser.web_socket("/", "").ok());
    let (token, since, epoch) = (&joined["token"], &joined["last"], &joined["epoch"]);
    ana.send(json!({"type": "join", "room": room, "token": token, "since": since, "epoch": epoch}));
    let back = ana.expect("joined");
    let missed: Vec<_> = back["events"].as_array().expect("a list").iter().map(|event| &event["text"]).collect();
    assert_eq!(missed, ["are you still there?"]);
    ana.say("of course");
    let noticed = ben.expect_line_where("something", |line| !line.is_empty());
    assert!(noticed.ends_with("<ana> of course"), "the first that ben notices: {noticed}");
}

/// Browsers speak TLS with the proxy, and HTTP/2 where it does.
fn tls_ends_at_the_proxy(start: Start) {
    let server = server_behind("/", &[]);
    let proxy = start(Site::new(&server, "/", "https"));
    let port = proxy.address.port().to_string();
    let certificate = proxy.folder().join("certificate.pem");
    let mut curl = Command::new(find_program(&["curl"], "curl"));
    curl.args(["-q", "-sS", "-i", "--noproxy", "*", "--cacert"]).arg(&certificate);
    curl.args(["--resolve", &format!("{HOST}:{port}:127.0.0.1"), "-H", &format!("Origin: https://{HOST}:{port}")]);
    let created = run_to_end(curl.args(["-d", "name=ana&create=1", &format!("https://{HOST}:{port}/")]), "");
    let status = created.lines().next().unwrap_or_default();
    assert!(status.starts_with("HTTP/") && status.contains(" 303"), "{created}");
    let cookie = created.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie: snug="));
    assert!(cookie.is_some_and(|cookie| cookie.contains("; Secure")), "{created}");

    let mut script = robin::python();
    script.env("SSL_CERT_FILE", &certificate);
    robin::talk(&server, script, &format!("wss://{HOST}:{port}/ws"), &["127.0.0.1", &port]);
}

// ---- each of them

#[test]
fn caddy_passes_on_page_form_and_web_socket() {
    page_form_and_web_socket_pass(caddy, "/");
    page_form_and_web_socket_pass(caddy, "/chat/");
}

#[test]
fn caddy_tells_whose_requests_they_are() {
    requests_are_counted_by_their_clients(caddy);
    a_foreign_page_is_refused(caddy);
}

#[test]
fn caddy_ends_tls() {
    tls_ends_at_the_proxy(caddy);
}

#[test]
fn caddys_restart_is_not_noticed() {
    a_restart_is_not_noticed_in_the_room(caddy);
}

#[test]
fn nginx_passes_on_page_form_and_web_socket() {
    page_form_and_web_socket_pass(nginx, "/");
    page_form_and_web_socket_pass(nginx, "/chat/");
}

#[test]
fn nginx_tells_whose_requests_they_are() {
    requests_are_counted_by_their_clients(nginx);
    a_foreign_page_is_refused(nginx);
}

#[test]
fn nginx_ends_tls() {
    tls_ends_at_the_proxy(nginx);
}

#[test]
fn nginxs_restart_is_not_noticed() {
    a_restart_is_not_noticed_in_the_room(nginx);
}

/// As `docs/unix-sockets.md` has it: nginx is another user, who is let in by the group of the socket's folder.
#[test]
fn nginx_passes_everything_on_by_a_unix_socket() {
    let folder = shared_folder("socket");
    let path = folder.join("snugd.sock");
    let mut command = support::server::command();
    command.args(["--listen", &format!("unix:{}", path.display()), "--line-listen", "127.0.0.1:0"]);
    command.args(["--public-url", &format!("https://{HOST}"), "--join-rate", "2"]);
    let server = Server::run(command);
    let proxy = nginx(Site::at_socket(&path));
    page_form_and_web_socket_pass_to(&server, &proxy, "/");
    requests_are_counted_by_their_clients_at(&proxy);
    assert!(!server.log().contains("X-Forwarded-For"), "it is there: {}", server.log());
    drop(server);
    assert!(!path.exists(), "the socket is gone");
    std::fs::remove_dir(folder).expect("nothing else is there");
}

/// A folder whose files are the proxy's to open.
fn shared_folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("snugd-{name}-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("the system has a folder for temporary ones");
    if std::fs::metadata(&folder).expect("it is there").uid() == 0 {
        chown(&folder, None, Some(ORDINARY_USER)).expect("root may give it away");
        std::fs::set_permissions(&folder, Permissions::from_mode(0o2750)).expect("it is ours");
    }
    folder
}

#[test]
fn haproxy_passes_on_page_form_and_web_socket() {
    page_form_and_web_socket_pass(haproxy, "/");
    page_form_and_web_socket_pass(haproxy, "/chat/");
}

#[test]
fn haproxy_tells_whose_requests_they_are() {
    requests_are_counted_by_their_clients(haproxy);
    a_foreign_page_is_refused(haproxy);
}

#[test]
fn haproxy_ends_tls() {
    tls_ends_at_the_proxy(haproxy);
}

#[test]
fn haproxys_restart_is_not_noticed() {
    a_restart_is_not_noticed_in_the_room(haproxy);
}

#[test]
fn apache_passes_on_page_form_and_web_socket() {
    page_form_and_web_socket_pass(apache, "/");
    page_form_and_web_socket_pass(apache, "/chat/");
}

#[test]
fn apache_tells_whose_requests_they_are() {
    requests_are_counted_by_their_clients(apache);
    a_foreign_page_is_refused(apache);
}

#[test]
fn apache_ends_tls() {
    tls_ends_at_the_proxy(apache);
}

#[test]
fn apaches_restart_is_not_noticed() {
    a_restart_is_not_noticed_in_the_room(apache);
}
