//! The cookie `snug`: the rooms this browser is a member of, and the secret for each.
//!
//! It holds several rooms, so that two tabs in two rooms both stay members when they are reloaded.

use core::fmt::Write as _;

use super::request::Head;
use crate::rooms::{RoomCode, Token};

const NAME: &str = "snug";

/// Rooms remembered at the most.
const MAX_SESSIONS: usize = 8;

/// A month: longer than most rooms exist.
const MAX_AGE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// The sessions of a browser, the newest first, written `KXQT.<token>~BCDF.<token>`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sessions(Vec<(RoomCode, Token)>);

impl Sessions {
    /// Reads them from a request. What cannot be read is left out: a browser that comes with an old or
    /// damaged cookie is only asked for a name again.
    pub fn read(head: &Head<'_, '_>) -> Sessions {
        let cookies = head.values("cookie").flat_map(|value| value.split(|&byte| byte == b';'));
        let pairs = cookies.filter_map(|pair| str::from_utf8(pair).ok()?.trim().split_once('='));
        let own = pairs.filter(|(name, _)| *name == NAME).flat_map(|(_, value)| value.split('~'));
        let read = own.filter_map(|session| {
            let (code, token) = session.split_once('.')?;
            Some((RoomCode::parse(code)?, Token::parse(token)?))
        });
        Sessions(read.take(MAX_SESSIONS).collect())
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

    /// The value of `Set-Cookie`. Scripts do not see it, and it is sent along on requests from other sites
    /// only where somebody follows a link here. `is_secure`: never sent without TLS.
    pub fn to_set_cookie(&self, path: &str, is_secure: bool) -> String {
        let mut value = format!("{NAME}=");
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
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n");
        Sessions::read(&Head::parse(bytes.as_bytes(), &mut header_space()).expect("a request"))
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let mut sessions = Sessions::default();
        sessions.remember(code("KXQT"), token('1'));
        sessions.remember(code("BCDFGH"), token('2'));
        sessions.remember(code("KXQT"), token('3'));
        let written = sessions.to_set_cookie("/chat/", true);
        let ones = "3".repeat(32);
        assert!(written.starts_with(&format!("snug=KXQT.{ones}~BCDFGH.222")), "{written}");
        assert!(written.ends_with("; Path=/chat/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"), "{written}");
        assert!(!sessions.to_set_cookie("/", false).contains("Secure"));

        let value = written.split(';').next().expect("the pair");
        assert_eq!(read(&format!("theme=dark; {value}; other=1")), sessions);
        assert_eq!(sessions.token_for(code("KXQT")), Some(token('3')));
        assert_eq!(sessions.token_for(code("ZZZZ")), None);
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
    fn holds_eight_and_forgets_the_oldest() {
        let mut sessions = Sessions::default();
        for letter in "BCDFGHJKLMN".chars() {
            sessions.remember(code(&letter.to_string().repeat(4)), token('1'));
        }
        assert_eq!(sessions.0.len(), MAX_SESSIONS);
        assert_eq!(sessions.token_for(code("BBBB")), None);
        assert_eq!(sessions.token_for(code("NNNN")), Some(token('1')));
        let many = vec![format!("BCDF.{}", "a".repeat(32)); 100].join("~");
        assert_eq!(read(&format!("snug={many}")).0.len(), MAX_SESSIONS);
    }
}
