//! Where a server is and which room is meant, as somebody types it or copies it out of an invitation.

use crate::rooms::{JoinTarget, RoomCode};

/// The port of the pages where nothing else is said.
const WEB_PORT: u16 = 5000;

/// Where a server is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// Over TLS.
    pub is_secure: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path of everything on it; begins and ends with a slash.
    pub base_path: String,
}

impl Address {
    /// Reads `HOST`, `HOST:PORT` or a link, with the room's code behind it or in it.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn read(place: &str, code: Option<&str>) -> Result<(Address, JoinTarget), String> {
        let place = place.trim();
        let lower = place.to_ascii_lowercase();
        let (is_secure, default_port, rest) = match (lower.starts_with("http://"), lower.starts_with("https://")) {
            (true, _) => (false, 80, &place["http://".len()..]),
            (_, true) => (true, 443, &place["https://".len()..]),
            _ if place.contains("://") => {
                return Err(format!("{place:?} is no address of a snugd: http://HOST:5000/."));
            }
            _ => (false, WEB_PORT, place),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let no_host = || format!("{place:?} is no address; write HOST, HOST:PORT or a link, as http://HOST:5000/KXQT.");
        let (host, port) = split_authority(authority).ok_or_else(no_host)?;
        let path = path.split(['?', '#']).next().unwrap_or_default();
        // The address of a room to which files are sent ends with a slash.
        let (base, last) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", ""));
        let (room, base) = match code {
            Some(code) => (read_room(code)?, path),
            None => match RoomCode::parse(last) {
                Some(code) => (JoinTarget::Code(code), base),
                None => {
                    return Err("Which room? Write its code behind the address, or \"new\" to open one.".to_owned());
                }
            },
        };
        let base = base.trim_matches('/');
        let base_path = if base.is_empty() { "/".to_owned() } else { format!("/{base}/") };
        let address = Address { is_secure, host, port: port.unwrap_or(default_port), base_path };
        Ok((address, room))
    }

    /// Host and port as requests and people name them (RFC 9110 section 4.2).
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let is_usual = self.port == if self.is_secure { 443 } else { 80 };
        if is_usual { host } else { format!("{host}:{}", self.port) }
    }

    /// The address of the home page, with a slash at its end.
    pub fn home_url(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.base_path)
    }

    /// Where a redirect leads, if that is this server over TLS.
    pub fn redirected(&self, location: &str) -> Option<Address> {
        let rest = location.strip_prefix("https://").filter(|_| !self.is_secure)?;
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let (host, port) = split_authority(authority)?;
        let is_same_host = host.eq_ignore_ascii_case(&self.host);
        is_same_host.then(|| Address { is_secure: true, port: port.unwrap_or(443), ..self.clone() })
    }
}

fn read_room(code: &str) -> Result<JoinTarget, String> {
    match RoomCode::parse(code) {
        Some(code) => Ok(JoinTarget::Code(code)),
        None if code.trim().eq_ignore_ascii_case("new") => Ok(JoinTarget::New),
        None => Err(format!("{code:?} is not a room code: 4 to 12 letters, no vowels; \"new\" opens a room.")),
    }
}

/// `HOST`, `HOST:PORT`, `[::1]:PORT`, or an IPv6 address alone.
fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None if authority.matches(':').count() > 1 => (authority, None),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    // No user, no space, and nothing that would end a line of a request.
    let is_host = !host.is_empty() && host.chars().all(|letter| letter.is_alphanumeric() || ".-_:%".contains(letter));
    let port = port.map(|port| port.parse().ok().filter(|port| *port != 0));
    if !is_host || port == Some(None) { None } else { Some((host.to_owned(), port.flatten())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(place: &str, code: Option<&str>) -> (String, JoinTarget) {
        let (address, room) = Address::read(place, code).expect("an address");
        (address.home_url(), room)
    }

    fn room(code: &str) -> JoinTarget {
        JoinTarget::Code(RoomCode::parse(code).expect("a code"))
    }

    #[test]
    fn the_address_to_which_files_are_sent_leads_into_the_room() {
        let expected = ("http://chat.lan:5000/x/".to_owned(), room("KXQT"));
        assert_eq!(read("http://chat.lan:5000/x/KXQT/", None), expected);
        assert!(Address::read("http://chat.lan:5000/", None).is_err());
    }

    #[test]
    fn a_host_has_the_usual_port() {
        for (place, home) in [
            ("localhost", "http://localhost:5000/"),
            ("chat.lan:8080", "http://chat.lan:8080/"),
            ("192.168.1.20", "http://192.168.1.20:5000/"),
            ("[fd00::7]:8080", "http://[fd00::7]:8080/"),
            ("::1", "http://[::1]:5000/"),
            ("http://chat.example", "http://chat.example/"),
            ("https://chat.example/chat", "https://chat.example/chat/"),
            ("HTTPS://chat.example:8443/a/b/", "https://chat.example:8443/a/b/"),
        ] {
            assert_eq!(read(place, Some("kxqt")), (home.to_owned(), room("KXQT")), "{place}");
        }
        assert_eq!(read("localhost", Some("New")).1, JoinTarget::New);
    }

    #[test]
    fn a_link_names_the_room() {
        for (place, home) in [
            ("http://192.168.1.20:5000/KXQT", "http://192.168.1.20:5000/"),
            ("192.168.1.20:5000/kxqt", "http://192.168.1.20:5000/"),
            ("https://chat.example/chat/KXQT?x=1#2", "https://chat.example/chat/"),
        ] {
            assert_eq!(read(place, None), (home.to_owned(), room("KXQT")), "{place}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (place, code) in [
            ("", Some("KXQT")),
            ("ftp://host", Some("KXQT")),
            ("host:0", Some("KXQT")),
            ("host:x", Some("KXQT")),
            ("ana@host", Some("KXQT")),
            ("ho st", Some("KXQT")),
            ("host\r\nX: y", Some("KXQT")),
            ("localhost", Some("kitten")),
            ("localhost", None),
            ("http://localhost:5000/", None),
        ] {
            assert!(Address::read(place, code).is_err(), "{place:?} {code:?}");
        }
    }

    #[test]
    fn a_redirect_leads_to_the_same_host_over_tls_alone() {
        let (address, _) = Address::read("chat.lan:5000", Some("KXQT")).expect("an address");
        let to = |location: &str| address.redirected(location).map(|address| address.home_url());
        assert_eq!(to("https://chat.lan:5000/ws").as_deref(), Some("https://chat.lan:5000/"));
        assert_eq!(to("https://chat.lan/ws").as_deref(), Some("https://chat.lan/"));
        assert_eq!(to("https://evil.example/ws"), None);
        assert_eq!(to("http://chat.lan:5000/ws"), None);
    }
}
