//! Reads a request: where its head ends, what is in it, and why it may be refused.
//!
//! The head is parsed once, when it is complete (RFC 9112). `httparse` checks the grammar; the rules about
//! the framing of messages are checked here, since a proxy and this server must not read them differently.

use core::mem::MaybeUninit;

use http::StatusCode;
use httparse::Header;

use super::target::{Target, is_authority};

/// Longest head, in bytes.
pub const MAX_HEAD_BYTES: usize = 8 * 1024;
/// Longest body, in bytes.
pub const MAX_BODY_BYTES: usize = 8 * 1024;
/// Most header fields.
pub const MAX_HEADERS: usize = 64;

/// Room for the header fields of one head, on the stack.
pub type HeaderSpace<'b> = [MaybeUninit<Header<'b>>; MAX_HEADERS];

/// Space that nothing has been parsed into yet.
pub const fn header_space<'b>() -> HeaderSpace<'b> {
    [const { MaybeUninit::uninit() }; MAX_HEADERS]
}

/// Why a request is refused and its connection closed: where the next request would begin is not certain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestFault {
    /// How it is refused.
    pub status: StatusCode,
    /// What is wrong, for a person.
    pub words: &'static str,
}

impl RequestFault {
    /// The input is not HTTP. The session adds the address for terminals.
    pub const NOT_HTTP: RequestFault =
        RequestFault::new(StatusCode::BAD_REQUEST, "This is the web port: it speaks HTTP.");

    const BARE_LINE_FEED: RequestFault = bad("Lines of a request end in CR LF.");
    const MALFORMED: RequestFault = bad("The request is malformed.");
    const NO_HOST: RequestFault = bad("The request names no host.");
    const TWO_HOSTS: RequestFault = bad("The request names more than one host.");
    const BAD_HOST: RequestFault = bad("The host is malformed.");
    const BAD_LENGTH: RequestFault = bad("Content-Length is malformed.");
    const TWO_LENGTHS: RequestFault = bad("Content-Length is given twice and differently.");
    const TWO_FRAMINGS: RequestFault = bad("Content-Length and Transfer-Encoding exclude each other.");
    const CHUNKED: RequestFault = RequestFault::new(StatusCode::LENGTH_REQUIRED, "A body needs a Content-Length here.");
    const UNKNOWN_CODING: RequestFault =
        RequestFault::new(StatusCode::NOT_IMPLEMENTED, "This Transfer-Encoding is not known here.");
    const UNKNOWN_EXPECTATION: RequestFault =
        RequestFault::new(StatusCode::EXPECTATION_FAILED, "This expectation is not known here.");
    const BODY_TOO_LONG: RequestFault = RequestFault::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long.");
    const TARGET_TOO_LONG: RequestFault = RequestFault::new(StatusCode::URI_TOO_LONG, "The address is too long.");
    const HEAD_TOO_LONG: RequestFault =
        RequestFault::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too long.");
    const TOO_MANY_FIELDS: RequestFault =
        RequestFault::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The request has too many header fields.");
    const OTHER_VERSION: RequestFault =
        RequestFault::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "Only HTTP/1.0 and HTTP/1.1 are known.");

    const fn new(status: StatusCode, words: &'static str) -> RequestFault {
        RequestFault { status, words }
    }
}

const fn bad(words: &'static str) -> RequestFault {
    RequestFault::new(StatusCode::BAD_REQUEST, words)
}

/// How far the search for the end of a head has come, so that no byte is searched twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HeadScan {
    position: u16,
    line_start: u16,
}

impl HeadScan {
    /// Searches the new part of `bytes`, which begin with the head's first byte. Returns the length of the head
    /// once it is complete.
    ///
    /// # Errors
    /// What can be found before the head is complete: it is not HTTP, it has a bare line feed, or it is too
    /// long.
    pub fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, RequestFault> {
        let within = &bytes[..bytes.len().min(MAX_HEAD_BYTES)];
        let (mut position, mut line_start) = (usize::from(self.position), usize::from(self.line_start));
        if position == 0 && within.first().is_some_and(|byte| !byte.is_ascii_alphabetic()) {
            return Err(RequestFault::NOT_HTTP);
        }
        while let Some(length) = within[position..].iter().position(|&byte| byte == b'\n') {
            let line_end = position + length;
            let line = &within[line_start..line_end];
            if line_start == 0 && !is_request_line(line) {
                return Err(RequestFault::NOT_HTTP);
            }
            if line.last() != Some(&b'\r') {
                return Err(RequestFault::BARE_LINE_FEED);
            }
            (position, line_start) = (line_end + 1, line_end + 1);
            if line == b"\r" {
                return Ok(Some(position));
            }
        }
        if bytes.len() >= MAX_HEAD_BYTES {
            return Err(if line_start == 0 { RequestFault::TARGET_TOO_LONG } else { RequestFault::HEAD_TOO_LONG });
        }
        // Both fit: they are below the limit.
        *self = HeadScan { position: within.len() as u16, line_start: line_start as u16 };
        Ok(None)
    }
}

/// Whether the first line names HTTP as its protocol; whether it is correct is checked when the head is parsed.
fn is_request_line(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.rsplit(|&byte| byte == b' ').next().is_some_and(|version| version.starts_with(b"HTTP/"))
}

/// What is asked for. Other methods are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// GET
    Get,
    /// HEAD: as GET, without the body.
    Head,
    /// POST
    Post,
    /// Any other.
    Other,
}

/// The head of a request, well-formed and with the length of its body known.
#[derive(Debug)]
pub struct Head<'h, 'b> {
    /// What is asked for.
    pub method: Method,
    /// The path that was asked for, which begins with a slash; not decoded.
    pub path: &'b str,
    /// What follows the question mark; empty if nothing does.
    pub query: &'b str,
    /// The authority: host and, if it was given, port. Empty if an HTTP/1.0 client gave none.
    pub host: &'b str,
    /// It is HTTP/1.0.
    pub is_http_1_0: bool,
    /// The client wants to keep this connection open.
    pub keeps_alive: bool,
    /// The client waits for a 100 (Continue) before it sends the body.
    pub expects_continue: bool,
    /// Length of the body, in bytes.
    pub body_bytes: usize,
    headers: &'h [Header<'b>],
}

impl<'h, 'b> Head<'h, 'b> {
    /// Parses a complete head, its empty line included.
    ///
    /// # Errors
    /// It is malformed, its framing is ambiguous, or its body is too long.
    pub fn parse(bytes: &'b [u8], space: &'h mut HeaderSpace<'b>) -> Result<Head<'h, 'b>, RequestFault> {
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(bytes, space) {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Ok(_) => return Err(RequestFault::MALFORMED),
            Err(httparse::Error::TooManyHeaders) => return Err(RequestFault::TOO_MANY_FIELDS),
            Err(httparse::Error::Version) => return Err(RequestFault::OTHER_VERSION),
            Err(_) => return Err(RequestFault::MALFORMED),
        }
        let is_http_1_0 = parsed.version == Some(0);
        let framing = Framing::read(parsed.headers, is_http_1_0)?;
        let method = match parsed.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            Some("POST") => Method::Post,
            _ => Method::Other,
        };
        let target = match Target::read(parsed.path.unwrap_or_default()) {
            Some(target) => target,
            // `OPTIONS *` and `CONNECT host:port` are refused later because of their methods.
            None if method == Method::Other => Target::ROOT,
            None => return Err(RequestFault::MALFORMED),
        };
        let host = match (target.authority, framing.host) {
            (_, None) if !is_http_1_0 => return Err(RequestFault::NO_HOST),
            // RFC 9112 section 3.2.2: the target's authority takes precedence over the field.
            (Some(authority), _) => authority,
            (None, Some(host)) => host,
            (None, None) => "",
        };
        Ok(Head {
            method,
            path: target.path,
            query: target.query,
            host,
            is_http_1_0,
            keeps_alive: framing.keeps_alive,
            expects_continue: framing.expects_continue,
            body_bytes: framing.body_bytes,
            headers: parsed.headers,
        })
    }

    /// The values of every field with this name, in their order.
    pub fn values<'s>(&'s self, name: &'s str) -> impl DoubleEndedIterator<Item = &'b [u8]> + 's {
        self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The value of the field with this name, as text; `None` if there is none or if it is not ASCII.
    pub fn value(&self, name: &str) -> Option<&'b str> {
        self.values(name).next().and_then(as_ascii)
    }

    /// The items of every field with this name, which hold lists separated by commas.
    pub fn items<'s>(&'s self, name: &'s str) -> impl DoubleEndedIterator<Item = &'b str> + 's {
        let items = self.values(name).flat_map(|value| value.split(|&byte| byte == b','));
        items.filter_map(as_ascii).map(str::trim)
    }

    /// Whether a list has this item; upper and lower case are the same.
    pub fn has_item(&self, name: &str, word: &str) -> bool {
        self.items(name).any(|item| item.eq_ignore_ascii_case(word))
    }
}

fn as_ascii(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok().filter(|value| value.is_ascii())
}

/// What the header fields say about where the message ends, and about the connection.
struct Framing<'b> {
    host: Option<&'b str>,
    keeps_alive: bool,
    expects_continue: bool,
    body_bytes: usize,
}

impl<'b> Framing<'b> {
    fn read(headers: &[Header<'b>], is_http_1_0: bool) -> Result<Framing<'b>, RequestFault> {
        let (mut host, mut length, mut coding) = (None, None, None);
        let (mut expects_continue, mut closes, mut stays) = (false, false, false);
        for &Header { name, value } in headers {
            // Names of other lengths need no comparison.
            match name.len() {
                4 if name.eq_ignore_ascii_case("host") => {
                    let value = as_ascii(value).filter(|value| is_authority(value)).ok_or(RequestFault::BAD_HOST)?;
                    if host.replace(value).is_some() {
                        return Err(RequestFault::TWO_HOSTS);
                    }
                }
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let value = read_length(value)?;
                    if length.replace(value).is_some_and(|former| former != value) {
                        return Err(RequestFault::TWO_LENGTHS);
                    }
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => coding = Some(value),
                6 if name.eq_ignore_ascii_case("expect") => {
                    if !value.eq_ignore_ascii_case(b"100-continue") {
                        return Err(RequestFault::UNKNOWN_EXPECTATION);
                    }
                    // RFC 9110 section 10.1.1: HTTP/1.0 does not know 100 (Continue).
                    expects_continue = !is_http_1_0;
                }
                10 if name.eq_ignore_ascii_case("connection") => {
                    for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                        closes |= option.eq_ignore_ascii_case(b"close");
                        stays |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                _ => {}
            }
        }
        let body_bytes = match (length, coding) {
            (Some(_), Some(_)) => return Err(RequestFault::TWO_FRAMINGS),
            (None, Some(_)) if is_http_1_0 => return Err(RequestFault::MALFORMED),
            (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => return Err(RequestFault::CHUNKED),
            (None, Some(_)) => return Err(RequestFault::UNKNOWN_CODING),
            (length, None) => length.unwrap_or(0),
        };
        if body_bytes > MAX_BODY_BYTES {
            return Err(RequestFault::BODY_TOO_LONG);
        }
        let keeps_alive = !closes && (!is_http_1_0 || stays);
        Ok(Framing { host, keeps_alive, expects_continue, body_bytes })
    }
}

/// Reads digits and nothing else. A number that is too large for `usize` becomes the largest one, which is too
/// long for a body.
fn read_length(value: &[u8]) -> Result<usize, RequestFault> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(RequestFault::BAD_LENGTH);
    }
    Ok(value.iter().fold(0usize, |length, digit| length.saturating_mul(10).saturating_add(usize::from(digit - b'0'))))
}

#[cfg(test)]
mod tests;
