//! Pages over keep-alive with `wrk`: snugd against nginx that serves the same bytes from one worker.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::roster::{Places, configure};
use crate::server::Server;

const NGINX: &str = "/usr/sbin/nginx";

/// Requests of one page from one server.
#[derive(Clone, Debug)]
pub struct Page {
    pub server: &'static str,
    pub path: String,
    pub bytes: usize,
    pub requests_per_s: f64,
    pub cpu_us_each: f64,
}

/// Loads the home page and the first asset it names, from snugd and, where there is one, from nginx.
pub fn run(snugd: &Server, places: &Places, window: Duration) -> io::Result<Vec<Page>> {
    let home = fetch(snugd.web_address(0), "/")?;
    let asset_path = asset_of(&home).ok_or_else(|| io::Error::other("the home page names no asset"))?;
    let asset = fetch(snugd.web_address(0), &asset_path)?;
    let bodies = [("/".to_owned(), home), (asset_path, asset)];

    let mut pages = Vec::new();
    for (path, body) in &bodies {
        pages.push(load("snugd", snugd, path, body.len(), window)?);
    }
    if Path::new(NGINX).is_file() {
        let folder = std::env::temp_dir().join(format!("snugd-bench-pages-{}", std::process::id()));
        let nginx = start_nginx(places, &folder, &bodies)?;
        for (path, body) in &bodies {
            pages.push(load("nginx", &nginx, path, body.len(), window)?);
        }
        drop(nginx);
        std::fs::remove_dir_all(folder)?;
    }
    Ok(pages)
}

fn start_nginx(places: &Places, folder: &Path, bodies: &[(String, Vec<u8>)]) -> io::Result<Server> {
    for (path, body) in bodies {
        let name = if path == "/" { "index.html" } else { path.trim_start_matches('/') };
        let file = folder.join("pages").join(name);
        std::fs::create_dir_all(file.parent().expect("a file in a folder"))?;
        std::fs::write(file, body)?;
    }
    let ports = Server::free_ports()?;
    let configuration = configure(&places.root.join("benches/peers/nginx.conf"), "nginx", &ports);
    let mut command = Command::new(NGINX);
    command.arg("-p").arg(folder).arg("-c").arg(configuration);
    Server::start_pages(&mut command, ports)
}

fn load(name: &'static str, server: &Server, path: &str, bytes: usize, window: Duration) -> io::Result<Page> {
    let cpu_before = server.cpu_ns()?;
    let url = format!("http://{}{path}", server.web_address(0));
    let seconds = format!("{}s", window.as_secs().max(1));
    let output = Command::new("wrk")
        .args(["-t1", "-c64", "-d", &seconds, &url])
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("wrk does not start ({error}); apt install wrk")))?;
    let report = String::from_utf8_lossy(&output.stdout);
    let number = |label: &str| {
        let line = report.lines().find(|line| line.contains(label))?;
        line.split_whitespace().find_map(|word| word.parse::<f64>().ok())
    };
    let bad = report.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors"));
    if let Some(bad) = bad {
        return Err(io::Error::other(format!("{name} {path}: {}", bad.trim())));
    }
    let (Some(requests), Some(requests_per_s)) = (number("requests in"), number("Requests/sec")) else {
        return Err(io::Error::other(format!("wrk said: {}", report.trim())));
    };
    let cpu_us_each = (server.cpu_ns()? - cpu_before) as f64 / 1e3 / requests;
    Ok(Page { server: name, path: path.into(), bytes, requests_per_s, cpu_us_each })
}

fn fetch(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = memchr::memmem::find(&answer, b"\r\n\r\n").ok_or_else(|| io::Error::other("no HTTP answer"))?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        return Err(io::Error::other(format!("{path} is not to be had")));
    }
    Ok(answer.split_off(head + 4))
}

/// The first `/assets/…` that a page names.
fn asset_of(page: &[u8]) -> Option<String> {
    let start = memchr::memmem::find(page, b"/assets/")?;
    let length = page[start..].iter().position(|byte| matches!(byte, b'"' | b'\'' | b' ' | b'>'))?;
    String::from_utf8(page[start..start + length].to_vec()).ok()
}
