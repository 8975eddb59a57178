//! The cookie `snug`: the rooms this browser is a member of, and the secret for each.
//!
//! It holds several rooms, so that two tabs in two rooms both stay members when they are reloaded.
//!
//! Cookies belong to a host, whatever the port and the scheme. A browser that has been here over TLS has a `Secure` one,
//! which it neither sends without TLS nor lets be replaced there (RFC 6265bis section 5.7): without TLS the same is
//! therefore said under a second name too, or the form would lead back to the form.

use core::fmt::Write as _;

use super::request::Head;
use crate::rooms::{RoomCode, Token};

const NAME: &str = "snug";

/// The second name. It is not looked at over TLS: anybody on the way could have set it.
const NAME_WITHOUT_TLS: &str = "snug-plain";

/// Rooms remembered at the most. With two names they are some 4 KB of the 8 KB that most proxies let a head have.
const MAX_SESSIONS: usize = 48;

/// A month: longer than most rooms exist.
const MAX_AGE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// The sessions of a browser, the newest first, written `KXQT.<token>~BCDF.<token>`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sessions(Vec<(RoomCode, Token)>);

impl Sessions {
    /// Reads them from a request. What cannot be read is left out: a browser that comes with an old or
    /// damaged cookie is only asked for a name again. `is_secure`: the request came over TLS.
    pub fn read(head: &Head<'_, '_>, is_secure: bool) -> Sessions {
        let cookies = head.values("cookie").flat_map(|value| value.split(|&byte| byte == b';'));
        let pairs = cookies.filter_map(|pair| str::from_utf8(pair).ok()?.trim().split_once('='));
        let own = pairs.filter(|(name, _)| *name == NAME || !is_secure && *name == NAME_WITHOUT_TLS);
        let read = own.flat_map(|(_, value)| value.split('~')).filter_map(|session| {
            let (code, token) = session.split_once('.')?;
            Some((RoomCode::parse(code)?, Token::parse(token)?))
        });
        let mut sessions = Sessions::default();
        for (code, token) in read {
            if sessions.0.len() < MAX_SESSIONS && sessions.token_for(code).is_none() {
                sessions.0.push((code, token));
            }
        }
        sessions
    }

    /// The secret for a room.
    pub fn token_for(&self, code: RoomCode) -> Option<Token> {
        self.0.iter().find(|(known, _)| *known == code).map(|(_, token)| *token)
    }

    /// Adds a session. It takes the place of one for the same room, or of the oldest if there are too many.
    pub fn remember(&mut self, code: RoomCode, token: Token) {
        self.0.retain(|(known, _)| *known != code);
        self.0.insert(0, (code, token));
        self.0.truncate(MAX_SESSIONS);
    }

    /// The values of `Set-Cookie`. Scripts do not see these cookies, and they are sent along on requests from other sites
    /// only where somebody follows a link here. `is_secure`: never sent without TLS.
    pub fn to_set_cookies(&self, path: &str, is_secure: bool) -> impl Iterator<Item = String> {
        let names = if is_secure { &[NAME][..] } else { &[NAME, NAME_WITHOUT_TLS] };
        names.iter().map(move |name| self.to_set_cookie(name, path, is_secure))
    }

    fn to_set_cookie(&self, name: &str, path: &str, is_secure: bool) -> String {
        let mut value = format!("{name}=");
        for (number, (code, token)) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "~" };
            write!(value, "{separator}{code}.{token}").expect("a string takes everything");
        }
        let secure = if is_secure { "; Secure" } else { "" };
        write!(value, "; Path={path}; Max-Age={MAX_AGE_SECONDS}; HttpOnly; SameSite=Lax{secure}")
            .expect("a string takes everything");
        value
    }

    /// The sessions themselves.
    pub fn into_vec(self) -> Vec<(RoomCode, Token)> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::header_space;
    use super::*;

    fn code(letters: &str) -> RoomCode {
        RoomCode::parse(letters).expect("a code")
    }

    fn token(digit: char) -> Token {
        Token::parse(&digit.to_string().repeat(32)).expect("a token")
    }

    fn read(cookie: &str) -> Sessions {
        read_over(cookie, false)
    }

    fn read_over(cookie: &str, is_secure: bool) -> Sessions {
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n");
        Sessions::read(&Head::parse(bytes.as_bytes(), &mut header_space()).expect("a request"), is_secure)
    }

    fn written(sessions: &Sessions, path: &str, is_secure: bool) -> Vec<String> {
        sessions.to_set_cookies(path, is_secure).collect()
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let mut sessions = Sessions::default();
        sessions.remember(code("KXQT"), token('1'));
        sessions.remember(code("BCDFGH"), token('2'));
        sessions.remember(code("KXQT"), token('3'));
        let written = written(&sessions, "/chat/", true).concat();
        let ones = "3".repeat(32);
        assert!(written.starts_with(&format!("snug=KXQT.{ones}~BCDFGH.222")), "{written}");
        assert!(written.ends_with("; Path=/chat/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"), "{written}");

        let value = written.split(';').next().expect("the pair");
        assert_eq!(read(&format!("theme=dark; {value}; other=1")), sessions);
        assert_eq!(sessions.token_for(code("KXQT")), Some(token('3')));
        assert_eq!(sessions.token_for(code("ZZZZ")), None);
    }

    #[test]
    fn without_tls_it_has_a_second_name() {
        let mut sessions = Sessions::default();
        sessions.remember(code("KXQT"), token('1'));
        let plain = written(&sessions, "/", false);
        assert!(plain.iter().all(|cookie| !cookie.contains("Secure") && cookie.ends_with("; HttpOnly; SameSite=Lax")));
        let pairs: Vec<_> = plain.iter().map(|cookie| cookie.split(';').next().expect("the pair")).collect();
        for cookies in [pairs[0], pairs[1], &pairs.join("; ")] {
            assert_eq!(read(cookies), sessions, "{cookies}");
        }
        assert_eq!(read_over(pairs[0], true), sessions);
        assert_eq!(read_over(pairs[1], true), Sessions::default());
        // Of two for one room the first counts, and leaves the others their places.
        let other = format!("snug={}", vec![format!("KXQT.{}", "2".repeat(32)); MAX_SESSIONS].join("~"));
        let both = read(&format!("{}; {other}; snug=BCDF.{}", pairs[0], "3".repeat(32)));
        assert_eq!(both.token_for(code("KXQT")), Some(token('1')));
        assert_eq!(both.token_for(code("BCDF")), Some(token('3')));
    }

    #[test]
    fn what_is_damaged_is_left_out() {
        let good = format!("BCDF.{}", "a".repeat(32));
        assert_eq!(read(&format!("snug=nonsense~KXQT.12~{good}~.~")).token_for(code("BCDF")), Some(token('a')));
        for cookie in ["", "snug", "snug=", "snug=~~~", "notsnug=1", "SNUG=x"] {
            assert_eq!(read(cookie), Sessions::default(), "{cookie}");
        }
    }

    #[test]
    fn forgets_the_oldest_of_too_many() {
        let letters = "BCDFGHJ".chars();
        let codes = letters.clone().flat_map(|first| letters.clone().map(move |second| format!("{first}{second}KK")));
        let codes: Vec<String> = codes.collect();
        let mut sessions = Sessions::default();
        for letters in &codes[..=MAX_SESSIONS] {
            sessions.remember(code(letters), token('1'));
        }
        assert_eq!(sessions.0.len(), MAX_SESSIONS);
        assert_eq!(sessions.token_for(code(&codes[0])), None);
        assert_eq!(sessions.token_for(code(&codes[1])), Some(token('1')));
        assert_eq!(sessions.token_for(code(&codes[MAX_SESSIONS])), Some(token('1')));
        let written = written(&sessions, "/", false);
        assert!(written.iter().all(|cookie| cookie.len() <= 2048), "half of what proxies let a head have, each");
        let many = codes.iter().map(|code| format!("{code}.{}", "a".repeat(32))).collect::<Vec<_>>().join("~");
        assert_eq!(read(&format!("snug={many}")).0.len(), MAX_SESSIONS);
    }
}
