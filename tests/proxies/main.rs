//! Real proxies before the real program, configured by the very lines that README shows: the page, its form with the
//! cookie, the WebSocket, and whose requests they are; under a path of its own as well.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod proxy;
mod readme;
#[path = "../clients/robin.rs"]
mod robin;

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proxy::{Proxy, connect_from};
use readme::{Replaced, code_block, options, quoted};
use serde_json::json;
use support::program::run_to_end;
use support::{HttpClient, Response, Server, Terminal, WebSocketClient, eventually, find_program};

/// Where README says that the program is.
const UPSTREAM: &str = "127.0.0.1:5000";
/// What README calls the server.
const HOST: &str = "chat.example.org";

// Machines of other people, as far as the proxy can tell.
const ANA: [u8; 4] = [127, 0, 0, 2];
const BEN: [u8; 4] = [127, 0, 0, 3];

// ---- the proxies

/// What a proxy is put before, and how it is reached.
#[derive(Clone)]
struct Site {
    upstream: String,
    base: &'static str,
    /// With `https`, TLS ends at the proxy.
    scheme: &'static str,
}

impl Site {
    fn new(server: &Server, base: &'static str, scheme: &'static str) -> Site {
        Site { upstream: server.web.to_string(), base, scheme }
    }
}

/// How a proxy is started.
type Start = fn(Site) -> Proxy;

fn caddy(site: Site) -> Proxy {
    let program = find_program(&["caddy"], "caddy");
    let mut text = code_block("caddyfile");
    if site.base != "/" {
        text = text.replaced(&format!("reverse_proxy {UPSTREAM}"), quoted("reverse_proxy /chat/* 127.0.0.1:5000"));
    }
    let text = text.replaced(UPSTREAM, &site.upstream);
    Proxy::start(site.scheme, move |folder, address| {
        // With a certificate that is there, since it would ask others for one.
        let tls = if site.scheme == "https" {
            format!("    tls {0}/certificate.pem {0}/key.pem\n", certify(folder).display())
        } else {
            String::new()
        };
        let first_lines = format!("{}://{HOST}:{} {{\n    bind {}\n{tls}", site.scheme, address.port(), address.ip());
        let text = text.clone().replaced(&format!("{HOST} {{\n"), &first_lines);
        let text = format!("{{\n    admin off\n    auto_https disable_redirects\n}}\n{text}\n");
        let file = write(folder, "Caddyfile", &text);
        let program = program.clone();
        move |_: &Path| command(&program, &[&"run", &"--adapter", &"caddyfile", &"--config", &file])
    })
}

fn nginx(site: Site) -> Proxy {
    let program = find_program(&["nginx"], "nginx-light");
    let mut text = code_block("nginx").replaced(UPSTREAM, &site.upstream);
    if site.base != "/" {
        text = text.replaced("location / {", quoted("location /chat/ {"));
    }
    Proxy::start(site.scheme, move |folder, address| {
        let here = folder.display();
        let text = if site.scheme == "https" {
            certify(folder);
            let certificate =
                format!("ssl_certificate {here}/certificate.pem;\n    ssl_certificate_key {here}/key.pem;");
            text.clone()
                .replaced("listen 443 ssl;", &format!("listen {address} ssl;"))
                .replaced("# ssl_certificate, ssl_certificate_key", &certificate)
        } else {
            text.clone().replaced("listen 443 ssl;", &format!("listen {address};"))
        };
        let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("    {name}_temp_path {here}/{name};\n"))
            .concat();
        let text = format!(
            "daemon off;\npid {here}/pid;\nerror_log stderr;\nevents {{}}\n\
             http {{\n    access_log off;\n{folders}{text}\n}}\n"
        );
        let file = write(folder, "nginx.conf", &text);
        let program = program.clone();
        move |folder: &Path| command(&program, &[&"-e", &"stderr", &"-p", &folder, &"-c", &file])
    })
}

fn haproxy(site: Site) -> Proxy {
    let program = find_program(&["haproxy"], "haproxy");
    let mut text = code_block("haproxy").replaced(UPSTREAM, &site.upstream);
    if site.base != "/" {
        text = text.replaced("default_backend snugd", quoted("use_backend snugd if { path_beg /chat/ }"));
    }
    Proxy::start(site.scheme, move |folder, address| {
        let certificate = if site.scheme == "https" {
            format!(" ssl crt {}/both.pem", certify(folder).display())
        } else {
            String::new()
        };
        let bind = format!("bind {address}{certificate}");
        let text = text.clone().replaced("bind :443 ssl crt /etc/haproxy/chat.example.org.pem", &bind);
        // The defaults are Debian's.
        let timeouts = "timeout connect 5000\n    timeout client 50000\n    timeout server 50000";
        let file = write(folder, "haproxy.cfg", &format!("defaults\n    mode http\n    {timeouts}\n{text}\n"));
        let program = program.clone();
        move |_: &Path| command(&program, &[&"-db", &"-f", &file])
    })
}

fn apache(site: Site) -> Proxy {
    let program = find_program(&["apache2"], "apache2-bin");
    let mut text = code_block("apache");
    if site.base != "/" {
        let under_path = quoted("ProxyPass /chat/ http://127.0.0.1:5000/chat/ upgrade=websocket");
        text = text.replaced("ProxyPass / http://127.0.0.1:5000/ upgrade=websocket", under_path);
    }
    let text = text.replaced(UPSTREAM, &site.upstream);
    Proxy::start(site.scheme, move |folder, address| {
        let here = folder.display();
        let mut modules = vec!["mpm_event", "authz_core", "headers", "proxy", "proxy_http"];
        let text = text.clone().replaced("*:443", &address.to_string());
        let text = if site.scheme == "https" {
            certify(folder);
            modules.push("ssl");
            let certificate =
                format!("SSLCertificateFile {here}/certificate.pem\n    SSLCertificateKeyFile {here}/key.pem");
            text.replaced("# SSLCertificateFile, SSLCertificateKeyFile", &certificate)
        } else {
            text.replaced("    SSLEngine on\n", "")
        };
        let modules: String = modules
            .iter()
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
            .collect();
        let text = format!(
            "ServerRoot {here}\nDefaultRuntimeDir {here}\nPidFile {here}/pid\nMutex file:{here}\n\
             ErrorLog /dev/stderr\nServerName localhost\nListen {address}\n{modules}{text}\n"
        );
        let file = write(folder, "apache2.conf", &text);
        let program = program.clone();
        move |_: &Path| command(&program, &[&"-DFOREGROUND", &"-f", &file])
    })
}

/// Puts a certificate for the host into a folder: `certificate.pem`, `key.pem`, and `both.pem`.
fn certify(folder: &Path) -> &Path {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let mut openssl = Command::new(find_program(&["openssl"], "openssl"));
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    openssl.args(["-subj", &format!("/CN={HOST}"), "-addext", &format!("subjectAltName=DNS:{HOST}")]);
    run_to_end(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate).stderr(Stdio::null()), "");
    let read = |file: &Path| fs::read_to_string(file).expect("openssl has written it");
    write(folder, "both.pem", &(read(&certificate) + &read(&key)));
    // As the proxy is somebody else; it is for this test alone.
    fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("it is ours");
    folder
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).expect("a folder of our own");
    file
}

fn command(program: &Path, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| argument.as_ref()));
    command
}

// ---- what people do through them

/// A server as README starts it behind a proxy.
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
    let ana = Browser::new(ANA, &proxy);

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
    let mut ben = Terminal::join(&server, &room, "ben");
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
    socket.send(json!({"type": "leave"}));
    socket.expect_close(1000);
    ben.expect_line("* ana left");
}

/// Who asks for too many rooms that are not there is told so; others are not, whatever the first one says of itself.
fn requests_are_counted_by_their_clients(start: Start) {
    let server = server_behind("/", &["--join-rate", "2"]);
    let proxy = start(Site::new(&server, "/", "http"));
    let (ana, ben) = (Browser::new(ANA, &proxy), Browser::new(BEN, &proxy));
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
