//! The proxies, configured by the lines of `docs/server.md` with other ports, paths and certificates.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::pages::{Replaced, code_block, quoted};
use crate::proxy::Proxy;
use crate::support::program::run_to_end;
use crate::support::{Server, find_program};
use crate::{HOST, UPSTREAM};

/// What a proxy is put before, and how it is reached.
#[derive(Clone)]
pub struct Site {
    upstream: String,
    base: &'static str,
    /// With `https`, TLS ends at the proxy.
    scheme: &'static str,
}

impl Site {
    /// What is before this server.
    pub fn new(server: &Server, base: &'static str, scheme: &'static str) -> Site {
        Site { upstream: server.web.to_string(), base, scheme }
    }

    /// What is before a server that listens at this Unix socket.
    pub fn at_socket(path: &Path) -> Site {
        Site { upstream: format!("unix:{}", path.display()), base: "/", scheme: "http" }
    }
}

/// How a proxy is started.
pub type Start = fn(Site) -> Proxy;

pub fn caddy(site: Site) -> Proxy {
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

pub fn nginx(site: Site) -> Proxy {
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

pub fn haproxy(site: Site) -> Proxy {
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

pub fn apache(site: Site) -> Proxy {
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
pub fn certify(folder: &Path) -> &Path {
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

pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).expect("a folder of our own");
    file
}

pub fn command(program: &Path, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| argument.as_ref()));
    command
}
