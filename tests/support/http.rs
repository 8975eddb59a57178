//! A client that writes exactly the bytes it is told to, and reads what a browser would.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use serde_json::Value;

use super::{DEADLINE, READ_TIMEOUT};

/// One connection.
pub struct HttpClient {
    stream: TcpStream,
    host: String,
    /// Received, and not read as a response yet.
    received: Vec<u8>,
}

/// One response.
#[derive(Debug)]
pub struct Response {
    pub version: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpClient {
    pub fn connect(address: SocketAddr) -> HttpClient {
        let stream = TcpStream::connect(address).expect("the server accepts connections");
        HttpClient::over(stream)
    }

    pub fn over(stream: TcpStream) -> HttpClient {
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("a socket has timeouts");
        stream.set_write_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        stream.set_nodelay(true).expect("a TCP socket can");
        let host = stream.peer_addr().expect("it is connected").to_string();
        HttpClient { stream, host, received: Vec::new() }
    }

    /// Writes these bytes. A server may have closed before it has all of them, which is not ours to judge.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Ends the sending side.
    pub fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// One request with a `Host`, and its response.
    #[track_caller]
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.send_request(method, path, headers, body);
        self.response_to(method)
    }

    pub fn send_request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request += &format!("Host: {}\r\n", self.host);
        }
        // A proxy may ask for compressed bodies otherwise, and passes them on in chunks.
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept-encoding")) {
            request += "Accept-Encoding: identity\r\n";
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || method == "POST" {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        self.send([request.as_bytes(), body].concat());
    }

    #[track_caller]
    pub fn get(&mut self, path: &str) -> Response {
        self.request("GET", path, &[], b"")
    }

    #[track_caller]
    pub fn post_form(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Response {
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
        let mut headers = headers.to_vec();
        headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        self.request("POST", path, &headers, pairs.join("&").as_bytes())
    }

    /// The next response, to a request with this method: `HEAD` has no body, whatever its length says.
    #[track_caller]
    pub fn response_to(&mut self, method: &str) -> Response {
        self.try_response_to(method).unwrap_or_else(|seen| panic!("no response, but {seen:?}"))
    }

    /// The next response, or what came instead of one before the end.
    #[track_caller]
    pub fn try_response_to(&mut self, method: &str) -> Result<Response, String> {
        let seen = |client: &HttpClient| String::from_utf8_lossy(&client.received).into_owned();
        let head_bytes = loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.receive() {
                return Err(seen(self));
            }
        };
        let head = String::from_utf8(self.received[..head_bytes].to_vec()).map_err(|_| seen(self))?;
        self.received.drain(..head_bytes);
        let mut response = Response::parse_head(&head);
        assert!(response.header("Transfer-Encoding").is_none(), "every body has a known length");
        let has_body = method != "HEAD" && response.status >= 200 && !matches!(response.status, 204 | 304);
        if has_body {
            let length = response.header("Content-Length").map(|length| length.parse().expect("a length"));
            while length.is_none_or(|length: usize| self.received.len() < length) && self.receive() {}
            let length = length.unwrap_or(self.received.len());
            assert!(self.received.len() >= length, "the body ends early: {}", seen(self));
            response.body = self.received.drain(..length).collect();
        }
        Ok(response)
    }

    /// Waits for the end of the connection; returns what came before it.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while self.receive() {}
        std::mem::take(&mut self.received)
    }

    /// The connection has ended, and nothing came before its end.
    pub fn expect_end(&mut self) {
        let rest = self.read_to_end();
        assert!(rest.is_empty(), "more than the end: {:?}", String::from_utf8_lossy(&rest));
    }

    /// The stream, once what it brings is no HTTP any more.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Receives more. False: the server has closed.
    #[track_caller]
    fn receive(&mut self) -> bool {
        let started = Instant::now();
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    return true;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    let seen = String::from_utf8_lossy(&self.received);
                    assert!(started.elapsed() < DEADLINE, "the server says no more than {seen:?}");
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(_) => return false,
            }
        }
    }
}

impl Response {
    fn parse_head(head: &str) -> Response {
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let status_line = lines.next().expect("a status line");
        let mut parts = status_line.splitn(3, ' ');
        let version = parts.next().expect("a version").to_owned();
        let status = parts.next().and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a header line: {line:?}"));
                (name.to_owned(), value.trim().to_owned())
            })
            .collect();
        Response { version, status, headers, body: Vec::new() }
    }

    /// The value of a header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value of a header that has to be there.
    pub fn expect_header(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body of UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// The cookie as the browser sends it back.
    pub fn cookie(&self) -> String {
        let cookie = self.expect_header("Set-Cookie");
        cookie.split(';').next().expect("a first part").to_owned()
    }
}

pub fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
