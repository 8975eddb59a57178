//! Where a message ends (RFC 9112 section 6), and what becomes of the connection after it.

use httparse::Header;

use super::super::target::is_authority;
use super::{RequestFault, as_ascii};

/// How long a body is (RFC 9112 section 6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyLength {
    /// The head says nothing about it: there is none.
    Absent,
    /// So many bytes.
    Bytes(u64),
    /// It says itself where it ends.
    Chunked,
}

/// What the header fields say about where the message ends, and about the connection.
pub struct Framing<'b> {
    /// Host and port, if the request names some.
    pub host: Option<&'b str>,
    /// The client wants to keep this connection open.
    pub keeps_alive: bool,
    /// The client waits for a 100 (Continue) before it sends the body.
    pub expects_continue: bool,
    /// How long the body is.
    pub body_length: BodyLength,
}

impl<'b> Framing<'b> {
    /// Reads the fields about these, and finds those that contradict each other.
    ///
    /// # Errors
    /// It is not certain where the message ends.
    pub fn read(headers: &[Header<'b>], is_http_1_0: bool) -> Result<Framing<'b>, RequestFault> {
        let (mut host, mut length, mut codings) = (None, None, None::<Codings>);
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
                17 if name.eq_ignore_ascii_case("transfer-encoding") => codings.get_or_insert_default().add(value),
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
        let body_length = match (length, codings) {
            (Some(_), Some(_)) => return Err(RequestFault::TWO_FRAMINGS),
            // RFC 9112 section 6.1: HTTP/1.0 does not know it, and who passes it on may read the request otherwise.
            (None, Some(_)) if is_http_1_0 => return Err(RequestFault::MALFORMED),
            (None, Some(codings)) => codings.check()?,
            (Some(length), None) => BodyLength::Bytes(length),
            (None, None) => BodyLength::Absent,
        };
        let keeps_alive = !closes && (!is_http_1_0 || stays);
        Ok(Framing { host, keeps_alive, expects_continue, body_length })
    }
}

/// What the fields `Transfer-Encoding` list.
#[derive(Clone, Copy, Default)]
struct Codings {
    /// How often `chunked` is among them.
    chunked: usize,
    /// The last one is `chunked`.
    ends_in_chunked: bool,
    has_others: bool,
}

impl Codings {
    fn add(&mut self, value: &[u8]) {
        // RFC 9110 section 5.6.1: empty items count for nothing.
        for coding in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty()) {
            self.ends_in_chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.chunked += usize::from(self.ends_in_chunked);
            self.has_others |= !self.ends_in_chunked;
        }
    }

    /// RFC 9112 section 6.3: unless `chunked` comes last, nobody knows where the body ends; section 7: and it comes
    /// once. Where its end is known, what is not known is only how to read it.
    fn check(self) -> Result<BodyLength, RequestFault> {
        if !self.ends_in_chunked || self.chunked > 1 {
            return Err(RequestFault::NOT_CHUNKED);
        }
        if self.has_others { Err(RequestFault::UNKNOWN_CODING) } else { Ok(BodyLength::Chunked) }
    }
}

/// Reads digits and nothing else. A number of more than 64 bits is none (RFC 9110 section 8.6).
fn read_length(value: &[u8]) -> Result<u64, RequestFault> {
    if !value.iter().all(u8::is_ascii_digit) {
        return Err(RequestFault::BAD_LENGTH);
    }
    as_ascii(value).and_then(|digits| digits.parse().ok()).ok_or(RequestFault::BAD_LENGTH)
}
