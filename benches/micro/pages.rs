//! A request → a response: the home page, a file of it, and the way to a WebSocket.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use snugd::http::{Http, Site};
use snugd::options::WebOptions;
use snugd::session_api::{Input, Step};

use crate::setting::{LOCALHOST, NOW, invitation, limits};

fn site() -> Site {
    Site::new(&WebOptions::default(), &limits(), invitation())
}

fn connection() -> Http {
    Http::new(Some(LOCALHOST.into()), LOCALHOST.into(), NOW)
}

/// A request as browsers send them.
fn request(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 192.168.1.20:5000\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\n\
         Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: en\r\n\
         Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n"
    )
    .into_bytes()
}

/// The path of the home page's style sheet, with the hash that stands in it.
fn style_sheet(site: &Site) -> String {
    let home = response(site, &mut request("/"));
    let home = String::from_utf8_lossy(&home);
    let start = home.find("/assets/").expect("the home page has files");
    let path = home[start..].split('"').next().expect("before the quote");
    path.to_owned()
}

fn response(site: &Site, request: &mut [u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let step = connection().receive(&mut Input::new(request, false), site, NOW, &mut out);
    assert!(matches!(step, Step::NeedInput) && out.starts_with(b"HTTP/1.1 200 "), "{step:?}");
    out
}

/// One connection that asks for the same again and again.
fn measure(bencher: Bencher, site: &Site, path: &str) {
    let (mut http, mut request) = (connection(), request(path));
    let mut out = response(site, &mut request);
    bencher.counter(BytesCount::of_slice(&*out)).bench_local(|| {
        out.clear();
        let step = http.receive(&mut Input::new(black_box(&mut request), false), site, NOW, &mut out);
        black_box(&mut out);
        step
    });
}

#[divan::bench]
fn home(bencher: Bencher) {
    measure(bencher, &site(), "/");
}

#[divan::bench]
fn home_copy(bencher: Bencher) {
    crate::setting::copy(bencher, &response(&site(), &mut request("/")));
}

#[divan::bench]
fn asset(bencher: Bencher) {
    let site = site();
    measure(bencher, &site, &style_sheet(&site));
}

#[divan::bench]
fn asset_copy(bencher: Bencher) {
    let site = site();
    crate::setting::copy(bencher, &response(&site, &mut request(&style_sheet(&site))));
}

/// A handshake (RFC 6455, section 4.2): each is the last request of its connection.
#[divan::bench]
fn handshake(bencher: Bencher) {
    let site = site();
    let mut request = b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        .to_vec();
    let mut out = Vec::new();
    let mut shake = || {
        out.clear();
        connection().receive(&mut Input::new(black_box(&mut request), false), &site, NOW, &mut out)
    };
    assert!(matches!(shake(), Step::Upgrade(_)));
    bencher.bench_local(shake);
}
