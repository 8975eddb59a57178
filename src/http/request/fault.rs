//! Why a request is refused before anybody has looked at what it asks for.

use http::StatusCode;

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

    pub(super) const BARE_LINE_FEED: RequestFault = bad("Lines of a request end in CR LF.");
    pub(super) const MALFORMED: RequestFault = bad("The request is malformed.");
    pub(super) const NO_HOST: RequestFault = bad("The request names no host.");
    pub(super) const TWO_HOSTS: RequestFault = bad("The request names more than one host.");
    pub(super) const BAD_HOST: RequestFault = bad("The host is malformed.");
    pub(super) const BAD_LENGTH: RequestFault = bad("Content-Length is malformed.");
    pub(super) const TWO_LENGTHS: RequestFault = bad("Content-Length is given twice and differently.");
    pub(super) const TWO_FRAMINGS: RequestFault = bad("Content-Length and Transfer-Encoding exclude each other.");
    pub(super) const NOT_CHUNKED: RequestFault = bad("The last Transfer-Encoding of a request is chunked, once.");
    pub(super) const UNKNOWN_CODING: RequestFault =
        RequestFault::new(StatusCode::NOT_IMPLEMENTED, "This Transfer-Encoding is not known here.");
    pub(super) const UNKNOWN_EXPECTATION: RequestFault =
        RequestFault::new(StatusCode::EXPECTATION_FAILED, "This expectation is not known here.");
    /// The body is no chunked one, though it should be.
    pub const BAD_CHUNK: RequestFault = bad("The chunked body is malformed.");
    /// The body has more of extensions and trailers than of data.
    pub const TOO_MUCH_OVERHEAD: RequestFault = bad("The chunked body has too much beside its data.");
    /// The body is too long.
    pub const BODY_TOO_LONG: RequestFault = RequestFault::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long.");
    pub(super) const TARGET_TOO_LONG: RequestFault =
        RequestFault::new(StatusCode::URI_TOO_LONG, "The address is too long.");
    /// The head is too long. Browsers are shown a page instead of these words.
    pub const HEAD_TOO_LONG: RequestFault = RequestFault::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The head of the request is too long: 32 KiB at most. Most likely it has too many cookies: delete those of this \
         site.",
    );
    pub(super) const TOO_MANY_FIELDS: RequestFault =
        RequestFault::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The request has too many header fields.");
    pub(super) const OTHER_VERSION: RequestFault =
        RequestFault::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "Only HTTP/1.0 and HTTP/1.1 are known.");

    const fn new(status: StatusCode, words: &'static str) -> RequestFault {
        RequestFault { status, words }
    }
}

const fn bad(words: &'static str) -> RequestFault {
    RequestFault::new(StatusCode::BAD_REQUEST, words)
}
