//! A response as it is written: status line, fields, body (RFC 9110, RFC 9112).

use std::borrow::Cow;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;

use super::date::HttpDate;

/// How a response is written, which its request decides.
#[derive(Clone, Copy, Debug)]
pub struct ResponseOptions {
    /// The request was HEAD: everything but the body.
    pub is_head: bool,
    /// The connection stays open after it.
    pub keeps_alive: bool,
    /// The client takes gzip.
    pub takes_gzip: bool,
    /// The client speaks HTTP/1.0, so it has to be told that the connection stays open.
    pub is_http_1_0: bool,
    /// It goes over this server's own TLS: the browser is told to come back by TLS alone.
    pub is_over_tls: bool,
}

impl ResponseOptions {
    /// For a response after which the connection is closed.
    pub const LAST: ResponseOptions = ResponseOptions {
        is_head: false,
        keeps_alive: false,
        takes_gzip: false,
        is_http_1_0: false,
        is_over_tls: false,
    };

    /// Writes the fields that are about the connection.
    fn write_fields(self, out: &mut Vec<u8>) {
        out.extend_from_slice(match (self.keeps_alive, self.is_http_1_0) {
            (true, false) => b"",
            (true, true) => b"Connection: keep-alive\r\n",
            (false, _) => b"Connection: close\r\n",
        });
        if self.is_over_tls {
            out.extend_from_slice(STRICT_TRANSPORT.as_bytes());
        }
    }
}

/// For a month the browser asks this host for nothing without TLS, whatever the port (RFC 6797). Not for longer: whoever
/// gives TLS up again is to be found before long.
const STRICT_TRANSPORT: &str = "Strict-Transport-Security: max-age=2592000\r\n";

const NO_SNIFF: &str = "X-Content-Type-Options: nosniff\r\n";

/// A response being written into an outbox. It is complete once [`body`](Self::body) or
/// [`end`](Self::end) was called.
#[must_use]
pub struct Response<'o> {
    outbox: &'o mut Vec<u8>,
    options: ResponseOptions,
}

impl<'o> Response<'o> {
    /// Begins with the status line and the fields that every response has.
    pub fn new(status: StatusCode, date: HttpDate, options: ResponseOptions, outbox: &'o mut Vec<u8>) -> Response<'o> {
        write_status_line(status, outbox);
        outbox.extend_from_slice(&date.field());
        options.write_fields(outbox);
        outbox.extend_from_slice(NO_SNIFF.as_bytes());
        Response { outbox, options }
    }

    /// Adds a header field. The value must have no line ends.
    pub fn field(self, name: &str, value: &str) -> Response<'o> {
        write_field(name, value, self.outbox);
        self
    }

    /// Adds several header fields.
    pub fn fields(self, fields: &[(&str, &str)]) -> Response<'o> {
        fields.iter().fold(self, |response, (name, value)| response.field(name, value))
    }

    /// Ends with a body.
    pub fn body(self, content_type: &str, body: &[u8]) {
        write_content_fields(content_type, body.len(), self.outbox);
        self.outbox.extend_from_slice(b"\r\n");
        if !self.options.is_head {
            self.outbox.extend_from_slice(body);
        }
    }

    /// Ends with a body that is made for this client, of some kilobytes: compressed, if it takes that.
    pub fn compressed_body(self, content_type: &str, body: &[u8]) {
        let response = self.field("Vary", "Accept-Encoding");
        if !response.options.takes_gzip {
            return response.body(content_type, body);
        }
        response.field("Content-Encoding", "gzip").body(content_type, &gzip(body));
    }

    /// Ends with a body of plain text.
    pub fn text(self, body: &str) {
        self.body(TEXT, body.as_bytes());
    }

    /// Ends with an empty body: for redirects.
    pub fn empty(self) {
        self.field("Content-Length", "0").end();
    }

    /// Ends without a body where there can be none: 204, 304.
    pub fn end(self) {
        self.outbox.extend_from_slice(b"\r\n");
    }
}

/// Media type of plain text.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of pages.
pub const HTML: &str = "text/html; charset=utf-8";
/// Media type of the API's answers.
pub const JSON: &str = "application/json";

/// How hard to try: higher levels win little for pages.
const LEVEL: Compression = Compression::new(4);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a vector takes everything")
}

fn write_status_line(status: StatusCode, out: &mut Vec<u8>) {
    write!(out, "HTTP/1.1 {status}\r\n").expect("a vector takes everything");
}

fn write_field(name: &str, value: &str, out: &mut Vec<u8>) {
    debug_assert!(!value.contains(['\r', '\n']), "a header field is one line");
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn write_content_fields(content_type: &str, length_bytes: usize, out: &mut Vec<u8>) {
    write_field("Content-Type", content_type, out);
    write!(out, "Content-Length: {length_bytes}\r\n").expect("a vector takes everything");
}

/// A response that is the same for every request: it is made once and then copied.
#[derive(Debug)]
pub struct Prepared {
    head: Box<[u8]>,
    body: Cow<'static, [u8]>,
}

impl Prepared {
    /// Makes the response. `body` is `None` for a 304 (Not Modified).
    pub fn new(status: StatusCode, fields: &[(&str, &str)], body: Option<(&str, Cow<'static, [u8]>)>) -> Prepared {
        let mut head = Vec::new();
        write_status_line(status, &mut head);
        head.extend_from_slice(NO_SNIFF.as_bytes());
        for (name, value) in fields {
            write_field(name, value, &mut head);
        }
        let body = body.map_or(Cow::Borrowed(&[][..]), |(content_type, body)| {
            write_content_fields(content_type, body.len(), &mut head);
            body
        });
        Prepared { head: head.into(), body }
    }

    /// Writes it.
    pub fn write(&self, date: HttpDate, options: ResponseOptions, outbox: &mut Vec<u8>) {
        outbox.reserve(self.head.len() + self.body.len() + 80);
        outbox.extend_from_slice(&self.head);
        outbox.extend_from_slice(&date.field());
        options.write_fields(outbox);
        outbox.extend_from_slice(b"\r\n");
        if !options.is_head {
            outbox.extend_from_slice(&self.body);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_body_is_compressed_for_whoever_takes_that() {
        let page = "<p>hello</p>".repeat(100);
        let written = |takes_gzip| {
            let mut out = Vec::new();
            let options = ResponseOptions { takes_gzip, ..ResponseOptions::LAST };
            Response::new(StatusCode::OK, HttpDate::new(0), options, &mut out).compressed_body(HTML, page.as_bytes());
            let end = out.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the end of the head") + 4;
            (String::from_utf8(out[..end].to_vec()).expect("a head"), out[end..].to_vec())
        };
        let (head, body) = written(false);
        assert!(head.contains("Vary: Accept-Encoding\r\n") && !head.contains("Content-Encoding"), "{head}");
        assert_eq!(body, page.as_bytes());
        let (head, body) = written(true);
        assert!(head.contains("Vary: Accept-Encoding\r\n") && head.contains("Content-Encoding: gzip\r\n"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        let mut read = String::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut read).expect("gzip");
        assert_eq!(read, page);
    }

    #[test]
    fn says_whether_the_connection_stays_open() {
        let written = |keeps_alive, is_http_1_0| {
            let mut out = Vec::new();
            let options = ResponseOptions { keeps_alive, is_http_1_0, ..ResponseOptions::LAST };
            Response::new(StatusCode::OK, HttpDate::new(0), options, &mut out).text("hi");
            String::from_utf8(out).expect("text")
        };
        assert_eq!(
            written(true, false),
            "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nhi"
        );
        assert!(written(true, true).contains("\r\nConnection: keep-alive\r\n"));
        assert!(written(false, true).contains("\r\nConnection: close\r\n"));
        assert!(written(false, false).contains("\r\nConnection: close\r\n"));
    }

    #[test]
    fn a_head_has_the_length_and_not_the_body() {
        let prepared = Prepared::new(StatusCode::OK, &[], Some((TEXT, b"hello"[..].into())));
        let mut out = Vec::new();
        prepared.write(HttpDate::new(0), ResponseOptions { is_head: true, ..ResponseOptions::LAST }, &mut out);
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("Content-Length: 5\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    }
}
