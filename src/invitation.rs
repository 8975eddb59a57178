//! The addresses that are shown to people: how somebody else gets into a room.

use core::net::IpAddr;

use crate::rooms::RoomCode;

/// Where this server is found, as far as it knows.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// `--public-url`, without a slash at its end.
    pub public_url: Option<String>,
    /// `--base-path`, which begins and ends with a slash.
    pub base_path: String,
    /// The port of the pages.
    pub web_port: u16,
    /// The port of the terminals, if there is one.
    pub line_port: Option<u16>,
    /// A host by which others on the network are likely to find this machine.
    pub host: String,
    /// The pages come over TLS.
    pub is_secure: bool,
    /// The certificate is for `host`, and not for this machine's addresses.
    pub is_certified_host: bool,
}

impl Invitation {
    /// The URL of the room's page, for somebody who reached this server under the address `local`.
    pub fn room_url(&self, local: IpAddr, code: RoomCode) -> String {
        format!("{}{code}", self.home_url(local))
    }

    /// The URL of the room's page, for somebody who asked for a page at this host and port, as the browser shows them,
    /// and over TLS or not. What worked for one works for others, unless it means "this machine".
    pub fn room_url_by_host(&self, authority: &str, is_secure: bool, local: IpAddr, code: RoomCode) -> String {
        if self.public_url.is_some() || authority.is_empty() || self.is_own_loopback(authority) {
            return self.room_url(local, code);
        }
        let scheme = if is_secure { "https" } else { "http" };
        format!("{scheme}://{authority}{}{code}", self.base_path)
    }

    /// Whether this host and port mean the listener itself, by an address that others cannot use. With another port it
    /// is a forwarded one, of which nothing is known here but that it worked.
    fn is_own_loopback(&self, authority: &str) -> bool {
        let host = match authority.strip_suffix(&format!(":{}", self.web_port)) {
            Some(host) => host,
            None if self.web_port == if self.is_secure { 443 } else { 80 } => authority,
            None => return false,
        };
        let address = host.trim_matches(['[', ']']).parse().map(|address: IpAddr| address.to_canonical());
        host.eq_ignore_ascii_case("localhost")
            || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
    }

    /// The URL of the home page, with a slash at its end.
    pub fn home_url(&self, local: IpAddr) -> String {
        match &self.public_url {
            Some(url) => format!("{url}/"),
            None => format!("{}{}", self.origin(local), self.base_path),
        }
    }

    /// Scheme, host and port of the pages, for somebody who reached this server under the address `local`.
    pub fn origin(&self, local: IpAddr) -> String {
        let host = if self.is_certified_host { self.host.clone() } else { self.host_for(local) };
        format!("{}://{host}:{}", self.scheme(), self.web_port)
    }

    /// The scheme of the pages.
    pub fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }

    /// The command by which a terminal comes in, if terminals are served.
    pub fn terminal_command(&self, local: IpAddr) -> Option<String> {
        Some(format!("nc {} {}", self.host_for(local).trim_matches(['[', ']']), self.line_port?))
    }

    /// The address that worked for one works for others, unless it means "this machine", or means something only
    /// together with an interface of whoever uses it (RFC 4007, section 6).
    fn host_for(&self, local: IpAddr) -> String {
        match local.to_canonical() {
            address if address.is_loopback() || address.is_unspecified() => self.host.clone(),
            IpAddr::V6(address) if address.is_unicast_link_local() => self.host.clone(),
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation() -> Invitation {
        Invitation {
            public_url: None,
            base_path: "/".into(),
            web_port: 5000,
            line_port: Some(5001),
            host: "192.168.1.20".into(),
            is_secure: false,
            is_certified_host: false,
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn shows_the_address_that_worked() {
        let code = RoomCode::parse("KXQT").expect("a code");
        assert_eq!(invitation().room_url(address("10.0.0.7"), code), "http://10.0.0.7:5000/KXQT");
        assert_eq!(invitation().room_url(address("127.0.0.1"), code), "http://192.168.1.20:5000/KXQT");
        assert_eq!(invitation().room_url(address("fd00::7"), code), "http://[fd00::7]:5000/KXQT");
        assert_eq!(invitation().room_url(address("::ffff:10.0.0.7"), code), "http://10.0.0.7:5000/KXQT");
        for this_machine in ["::1", "::ffff:127.0.0.1", "fe80::7"] {
            assert_eq!(invitation().room_url(address(this_machine), code), "http://192.168.1.20:5000/KXQT");
        }
        assert_eq!(invitation().terminal_command(address("fd00::7")).as_deref(), Some("nc fd00::7 5001"));
    }

    #[test]
    fn shows_the_host_that_was_asked_for() {
        let code = RoomCode::parse("KXQT").expect("a code");
        let by_host =
            |host: &str, is_secure| invitation().room_url_by_host(host, is_secure, address("127.0.0.1"), code);
        assert_eq!(by_host("chat.lan:8080", false), "http://chat.lan:8080/KXQT");
        assert_eq!(by_host("chat.example", true), "https://chat.example/KXQT");
        assert_eq!(by_host("[fd00::7]:5000", false), "http://[fd00::7]:5000/KXQT");
        for own in ["localhost:5000", "LOCALHOST:5000", "127.0.0.1:5000", "[::1]:5000", "0.0.0.0:5000", ""] {
            assert_eq!(by_host(own, false), "http://192.168.1.20:5000/KXQT", "{own}: of no use to others");
        }
        for forwarded in ["localhost:8080", "127.0.0.1", "[::1]:50001"] {
            assert_eq!(by_host(forwarded, false), format!("http://{forwarded}/KXQT"));
        }
        let at_port_80 = Invitation { web_port: 80, base_path: "/chat/".into(), ..invitation() };
        let by_host = |host: &str| at_port_80.room_url_by_host(host, false, address("127.0.0.1"), code);
        assert_eq!(by_host("localhost"), "http://192.168.1.20:80/chat/KXQT");
        assert_eq!(by_host("chat.lan"), "http://chat.lan/chat/KXQT");
    }

    #[test]
    fn over_tls_the_name_is_shown_that_the_certificate_is_for() {
        let code = RoomCode::parse("KXQT").expect("a code");
        let secure = Invitation { is_secure: true, ..invitation() };
        assert_eq!(secure.room_url(address("10.0.0.7"), code), "https://10.0.0.7:5000/KXQT");
        let certified = Invitation { host: "chat.lan".into(), is_certified_host: true, ..secure };
        assert_eq!(certified.room_url(address("10.0.0.7"), code), "https://chat.lan:5000/KXQT");
        assert_eq!(certified.terminal_command(address("10.0.0.7")).as_deref(), Some("nc 10.0.0.7 5001"));
    }

    #[test]
    fn a_public_url_wins() {
        let invitation = Invitation { public_url: Some("https://chat.example/x".into()), ..invitation() };
        let code = RoomCode::parse("KXQT").expect("a code");
        assert_eq!(invitation.room_url(address("10.0.0.7"), code), "https://chat.example/x/KXQT");
        let by_host = invitation.room_url_by_host("chat.lan:8080", false, address("10.0.0.7"), code);
        assert_eq!(by_host, "https://chat.example/x/KXQT");
    }
}
