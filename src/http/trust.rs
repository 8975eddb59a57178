//! Which client a request comes from, and whether its proxy, its origin and its host are trusted.

use core::net::{IpAddr, SocketAddr};

use super::request::Head;
use super::target::split_port;
use crate::options::Cidr;
use crate::rooms::Name;

/// The client of a request, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    /// The client's own address, if a trusted proxy reports one.
    pub forwarded_for: Option<IpAddr>,
    /// The request came over TLS: to a trusted proxy, as that says, or else here.
    pub is_secure: bool,
}

impl Client {
    /// Uses the fields that a trusted proxy added; those of any other peer are ignored. `is_encrypted`: the peer's own
    /// connection is.
    pub fn read(head: &Head<'_, '_>, peer: Option<IpAddr>, is_encrypted: bool, trusted_proxies: &[Cidr]) -> Client {
        let is_trusted = |address| is_trusted_proxy(address, trusted_proxies);
        if !is_trusted(peer) {
            return Client { forwarded_for: None, is_secure: is_encrypted };
        }
        // Each proxy appends the address that it sees: the client is the last one that is no trusted proxy. The
        // addresses before it may be forged.
        let mut forwarded_for = None;
        for item in head.items("x-forwarded-for").rev() {
            let Some(address) = parse_address(item) else { break };
            forwarded_for = Some(address);
            if !is_trusted(Some(address)) {
                break;
            }
        }
        let scheme = head.items("x-forwarded-proto").next_back();
        // Traefik says `wss` of a WebSocket.
        let is_tls = |scheme: &str| ["https", "wss"].iter().any(|tls| tls.eq_ignore_ascii_case(scheme));
        let is_secure = scheme.map_or(is_encrypted, is_tls);
        Client { forwarded_for, is_secure }
    }
}

/// Whether what this peer tells of its clients is believed. One without an address has come by a Unix socket: whoever can
/// open that has been let in by its permissions, and who comes in from elsewhere comes by way of it.
pub fn is_trusted_proxy(peer: Option<IpAddr>, trusted_proxies: &[Cidr]) -> bool {
    peer.is_none_or(|peer| trusted_proxies.iter().any(|proxies| proxies.contains(peer)))
}

/// The name in this header field, if a trusted proxy has added it. One that stands there twice may be the client's own.
pub fn read_vouched_name(
    head: &Head<'_, '_>,
    peer: Option<IpAddr>,
    trusted_proxies: &[Cidr],
    field: &str,
) -> Option<Name> {
    let mut values = head.values(field).filter(|_| is_trusted_proxy(peer, trusted_proxies));
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    Name::parse(str::from_utf8(value).ok()?)
}

/// An address as proxies write it, some of them with a port.
fn parse_address(text: &str) -> Option<IpAddr> {
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(address.to_canonical())
}

/// Whether requests for this host are answered: any if `allowed` is empty. Addresses and `localhost` always
/// are: DNS rebinding needs a name of the attacker's own, which then is in the field `Host`.
pub fn is_answered_host(authority: &str, allowed: &[String]) -> bool {
    let (host, _) = split_port(authority);
    let host = host.strip_suffix('.').unwrap_or(host);
    allowed.is_empty()
        || host.is_empty()
        || host.starts_with('[')
        || host.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// The origin that a browser reports for a request (RFC 6454).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// None is reported: it is no browser, or a request that no foreign page can cause.
    Absent,
    /// A page of this server, or of one that is allowed.
    Own,
    /// The browser hides it: `null`.
    Hidden,
    /// Another page.
    Foreign,
}

impl Origin {
    /// Compares the origin with the requested host and with the other origins that are allowed.
    pub fn read(head: &Head<'_, '_>, allowed: &[String]) -> Origin {
        let mut values = head.values("origin");
        let origin = match (values.next(), values.next()) {
            (None, _) => return Origin::Absent,
            (Some(b"null"), None) => return Origin::Hidden,
            (Some(value), None) => str::from_utf8(value).unwrap_or_default(),
            (Some(_), Some(_)) => return Origin::Foreign,
        };
        let is_own = origin.split_once("://").is_some_and(|(scheme, authority)| {
            let default_port = match scheme.to_ascii_lowercase().as_str() {
                "http" => ":80",
                "https" => ":443",
                _ => return false,
            };
            let without = |authority: &'_ str| authority.strip_suffix(default_port).unwrap_or(authority).to_owned();
            !authority.is_empty() && without(authority).eq_ignore_ascii_case(&without(head.host))
        });
        let is_allowed = || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
        if is_own || is_allowed() { Origin::Own } else { Origin::Foreign }
    }

    /// Whether a script of an allowed page, or no page at all, has sent this.
    pub fn may_call(self) -> bool {
        matches!(self, Origin::Absent | Origin::Own)
    }

    /// Whether the form of an allowed page has sent this. A page can hide its origin (Fetch standard, "append a
    /// request Origin header"); then the browser must report with `Sec-Fetch-Site` that the page is of this site.
    pub fn may_send_form(self, head: &Head<'_, '_>) -> bool {
        match self {
            Origin::Hidden => head.value("sec-fetch-site") == Some("same-origin"),
            origin => origin.may_call(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::header_space;
    use super::*;
    use crate::options::Options;

    fn with_head<R>(fields: &str, look: impl FnOnce(&Head<'_, '_>) -> R) -> R {
        let bytes = format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n");
        look(&Head::parse(bytes.as_bytes(), &mut header_space()).expect("a request"))
    }

    fn client(peer: &str, fields: &str) -> Client {
        client_over(peer, fields, false)
    }

    fn client_over(peer: &str, fields: &str, is_encrypted: bool) -> Client {
        let options = ["snugd", "--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1"].map(Into::into);
        let trusted = Options::parse_command_line(options).expect("options").web.trusted_proxies;
        with_head(&format!("Host: a\r\n{fields}"), |head| {
            Client::read(head, Some(peer.parse().expect("an address")), is_encrypted, &trusted)
        })
    }

    fn forwarded_for(peer: &str, fields: &str) -> Option<String> {
        client(peer, fields).forwarded_for.map(|address| address.to_string())
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let told = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https";
        assert_eq!(client("192.0.2.1", told), Client { forwarded_for: None, is_secure: false });
        assert_eq!(forwarded_for("10.0.0.1", told).as_deref(), Some("203.0.113.9"));
        assert_eq!(forwarded_for("::ffff:10.0.0.1", told).as_deref(), Some("203.0.113.9"));
        for (scheme, is_secure) in
            [("https", true), ("wss", true), ("http, HTTPS", true), ("https, http", false), ("ws", false)]
        {
            let told = format!("X-Forwarded-Proto: {scheme}");
            assert_eq!(client("::1", &told).is_secure, is_secure, "{scheme}");
            assert!(!client("192.0.2.1", &told).is_secure, "{scheme}");
        }
        assert_eq!(forwarded_for("10.0.0.1", "Accept: a"), None);
    }

    #[test]
    fn a_request_is_secure_by_its_own_connection_or_by_its_proxys_word() {
        assert!(client_over("192.0.2.1", "Accept: a", true).is_secure);
        assert!(client_over("192.0.2.1", "X-Forwarded-Proto: http", true).is_secure, "not believed");
        assert!(client_over("10.0.0.1", "Accept: a", true).is_secure, "it is the client itself");
        assert!(!client_over("10.0.0.1", "X-Forwarded-Proto: http", true).is_secure, "its client had no TLS");
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_proxy() {
        let last = |value: &str| forwarded_for("10.0.0.1", &format!("X-Forwarded-For: {value}"));
        assert_eq!(last("1.1.1.1, 203.0.113.9, 10.2.2.2").as_deref(), Some("203.0.113.9"));
        assert_eq!(last("1.1.1.1\r\nX-Forwarded-For: 203.0.113.9").as_deref(), Some("203.0.113.9"));
        assert_eq!(last("10.3.3.3, 10.2.2.2").as_deref(), Some("10.3.3.3"));
        assert_eq!(last("1.1.1.1, nonsense, 10.2.2.2").as_deref(), Some("10.2.2.2"));
        assert_eq!(last("[2001:db8::1]:4711").as_deref(), Some("2001:db8::1"));
        assert_eq!(last("203.0.113.9:80").as_deref(), Some("203.0.113.9"));
        assert_eq!(last("unknown"), None);
        assert_eq!(last("ü, 203.0.113.9").as_deref(), Some("203.0.113.9"));
    }

    #[test]
    fn only_a_trusted_proxy_vouches_and_only_once() {
        let options = ["snugd", "--trusted-proxy", "10.0.0.0/8"].map(Into::into);
        let trusted = Options::parse_command_line(options).expect("options").web.trusted_proxies;
        let vouched = |peer: &str, fields: &str| {
            with_head(&format!("Host: a\r\n{fields}"), |head| {
                read_vouched_name(head, Some(peer.parse().expect("an address")), &trusted, "remote-user")
            })
        };
        assert_eq!(vouched("10.0.0.1", "Remote-User: ana"), Name::parse("ana"));
        assert_eq!(vouched("10.0.0.1", "Remote-User: Zoë"), Name::parse("Zoë"));
        assert_eq!(vouched("192.0.2.1", "Remote-User: ana"), None);
        for fields in ["Accept: a", "Remote-User:", "Remote-User: ben\r\nRemote-User: ana", "Remote-User: a\u{202E}b"] {
            assert_eq!(vouched("10.0.0.1", fields), None, "{fields}");
        }
    }

    #[test]
    fn hosts_are_those_that_are_allowed() {
        let allowed = ["chat.example".to_owned()];
        for host in ["chat.example", "CHAT.example:8080", "localhost:5000", "127.0.0.1", "[::1]:5000", "10.0.0.7:1"] {
            assert!(is_answered_host(host, &allowed), "{host}");
        }
        for host in ["evil.example", "chat.example.evil.example", "xchat.example"] {
            assert!(!is_answered_host(host, &allowed), "{host}");
            assert!(is_answered_host(host, &[]), "{host}");
        }
    }

    #[test]
    fn an_origin_is_our_own_by_the_host_asked_for() {
        let origin = |host: &str, origin: &str| {
            with_head(&format!("Host: {host}\r\nOrigin: {origin}"), |head| {
                Origin::read(head, &["https://other.example".to_owned()])
            })
        };
        assert_eq!(origin("a:5000", "http://a:5000"), Origin::Own);
        assert_eq!(origin("A.example", "https://a.example:443"), Origin::Own);
        assert_eq!(origin("a:80", "http://a"), Origin::Own);
        assert_eq!(origin("a", "https://OTHER.example"), Origin::Own);
        assert_eq!(origin("a", "null"), Origin::Hidden);
        for foreign in ["http://b", "http://a:81", "https://a:80", "ftp://a", "a", "", "http://", "http://a.b"] {
            assert_eq!(origin("a", foreign), Origin::Foreign, "{foreign}");
        }
        with_head("Host: a", |head| assert_eq!(Origin::read(head, &[]), Origin::Absent));
        with_head("Host: a\r\nOrigin: http://a\r\nOrigin: http://b", |head| {
            assert_eq!(Origin::read(head, &[]), Origin::Foreign);
        });
    }

    #[test]
    fn a_hidden_origin_may_send_a_form_only_if_the_browser_says_that_it_is_ours() {
        let may_send = |fields: &str| {
            with_head(&format!("Host: a\r\nOrigin: null\r\n{fields}"), |head| {
                let origin = Origin::read(head, &[]);
                assert!(!origin.may_call());
                origin.may_send_form(head)
            })
        };
        assert!(may_send("Sec-Fetch-Site: same-origin"));
        for fields in ["Accept: a", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: none"] {
            assert!(!may_send(fields), "{fields}");
        }
    }
}
