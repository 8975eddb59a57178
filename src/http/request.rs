//! Reads a request: where its head ends, what is in it, and why it may be refused.
//!
//! The head is parsed once, when it is complete (RFC 9112). `httparse` checks the grammar; the rules about
//! the framing of messages are checked in `framing`, since a proxy and this server must not read them differently.
//! `fault` has the reasons for a refusal.

mod fault;
mod framing;

use core::mem::MaybeUninit;

pub use fault::RequestFault;
pub use framing::BodyLength;
use framing::Framing;
use httparse::Header;

use super::target::{Target, is_authority};

/// Longest head, in bytes: cookies belong to a host, so a browser sends along those of all other programs that it has
/// met there at another port.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Most header fields: a browser sends some thirty, and each of several proxies may add ten.
pub const MAX_HEADERS: usize = 100;

/// Room for the header fields of one head, on the stack.
pub type HeaderSpace<'b> = [MaybeUninit<Header<'b>>; MAX_HEADERS];

/// Space that nothing has been parsed into yet.
pub const fn header_space<'b>() -> HeaderSpace<'b> {
    [const { MaybeUninit::uninit() }; MAX_HEADERS]
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
            return Err(match line_start {
                0 if within.contains(&b' ') => RequestFault::TARGET_TOO_LONG,
                0 => RequestFault::NOT_HTTP,
                _ => RequestFault::HEAD_TOO_LONG,
            });
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
    /// PUT
    Put,
    /// OPTIONS
    Options,
    /// Any other.
    Other,
}

/// The head of a request, well-formed and with the end of its body known.
#[derive(Debug)]
pub struct Head<'h, 'b> {
    /// What is asked for.
    pub method: Method,
    /// The path that was asked for, which begins with a slash; not decoded. `*` if OPTIONS asks for the whole server.
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
    /// How long the body is.
    pub body_length: BodyLength,
    headers: &'h [Header<'b>],
}

impl<'h, 'b> Head<'h, 'b> {
    /// Parses a complete head, its empty line included.
    ///
    /// # Errors
    /// It is malformed, or its framing is ambiguous.
    pub fn parse(bytes: &'b [u8], space: &'h mut HeaderSpace<'b>) -> Result<Head<'h, 'b>, RequestFault> {
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(bytes, space) {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Ok(_) => return Err(RequestFault::MALFORMED),
            Err(httparse::Error::TooManyHeaders) => return Err(RequestFault::TOO_MANY_FIELDS),
            Err(httparse::Error::Version) => return Err(version_fault(bytes)),
            Err(_) => return Err(RequestFault::MALFORMED),
        }
        let is_http_1_0 = parsed.version == Some(0);
        let framing = Framing::read(parsed.headers, is_http_1_0)?;
        let method = match parsed.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            Some("POST") => Method::Post,
            Some("PUT") => Method::Put,
            Some("OPTIONS") => Method::Options,
            _ => Method::Other,
        };
        let target = match (parsed.method, parsed.path.unwrap_or_default()) {
            (Some("OPTIONS"), "*") => Target::SERVER,
            // It is refused later because of its method.
            (Some("CONNECT"), target) if is_authority(target) => Target::ROOT,
            (_, target) => Target::read(target).ok_or(RequestFault::MALFORMED)?,
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
            body_length: framing.body_length,
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

/// What is wrong with a request line whose version is neither HTTP/1.1 nor HTTP/1.0: another version is one that this
/// server does not speak, anything else no version at all (RFC 9112 section 2.3).
fn version_fault(bytes: &[u8]) -> RequestFault {
    let line = bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|&byte| byte == b' ');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(_), Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            RequestFault::OTHER_VERSION
        }
        _ => RequestFault::MALFORMED,
    }
}

/// Whether the client takes a page: it names HTML, as browsers do. For a head that is too long to be parsed; browsers
/// send this field before their cookies.
pub fn accepts_html(bytes: &[u8]) -> bool {
    const NAME: &[u8] = b"accept:";
    let fields = bytes.split(|&byte| byte == b'\n');
    let values = fields.filter_map(|field| {
        let (name, value) = field.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then_some(value)
    });
    values.flat_map(|value| value.split(|&byte| byte == b',')).any(|range| {
        let media_type = range.split(|&byte| byte == b';').next().unwrap_or_default();
        media_type.trim_ascii().eq_ignore_ascii_case(b"text/html")
    })
}

fn as_ascii(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok().filter(|value| value.is_ascii())
}

#[cfg(test)]
mod tests;
