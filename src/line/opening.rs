//! How to tell that who connects is no terminal, but a browser at the wrong port.
//!
//! A web page can make a browser send lines of its choice to any port: nothing in such a request may run.

/// How a TLS connection begins: a record of type handshake (RFC 8446, 5.1), of any version.
const TLS_HANDSHAKE: [u8; 2] = [0x16, 0x03];

/// Whether the first bytes received are TLS; `None`: too few to tell.
pub fn is_tls(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [] => Some(false),
        [first] if *first == TLS_HANDSHAKE[0] => None,
        bytes => Some(bytes.starts_with(&TLS_HANDSHAKE)),
    }
}

/// Whether this is the first line of an HTTP request (RFC 9112, 3): at least two words, the last a version.
pub fn is_http_request(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    matches!(words[..], [_, .., version] if version.starts_with("HTTP/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_from_names() {
        for line in ["GET / HTTP/1.1", "POST  /a?b=c HTTP/1.0", "GET / / HTTP/1.1", "PRI * HTTP/2.0"] {
            assert!(is_http_request(line), "{line}");
        }
        for line in ["ana", "", "HTTP/1.1", "/join KXQT ana", "HTTP/1.1 fan", "get about https"] {
            assert!(!is_http_request(line), "{line}");
        }
    }

    #[test]
    fn tls_is_told_by_two_bytes() {
        assert_eq!(is_tls(b""), Some(false));
        assert_eq!(is_tls(b"\x16"), None);
        assert_eq!(is_tls(b"\x16\x03"), Some(true));
        assert_eq!(is_tls(b"\x16a"), Some(false));
        assert_eq!(is_tls(b"a"), Some(false));
    }
}
