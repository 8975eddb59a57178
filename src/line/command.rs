//! What a typed line means.

use std::fmt;

use crate::rooms::{JoinTarget, Name, RoomCode, Token};

/// Events shown by `/history` alone.
const HISTORY_EVENTS: usize = 20;
/// Events shown by `/history` at the most.
const MAX_HISTORY_EVENTS: usize = 200;

/// What a typed line asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Request<'a> {
    /// No command: something to say, or the answer to a prompt.
    Text(&'a str),
    /// `/me TEXT`
    Me(&'a str),
    /// `/join CODE [NAME [TOKEN]]`, `/new [NAME]`
    Join {
        /// Which room.
        target: JoinTarget,
        /// As whom; as before, if left out.
        name: Option<Name>,
        /// The secret of a member who comes back.
        token: Option<Token>,
    },
    /// `/nick NAME`
    Nick(Name),
    /// `/who`
    Who,
    /// `/history [N]`
    History {
        /// How many events.
        limit: usize,
    },
    /// `/json`
    Json,
    /// `/leave`
    Leave,
    /// `/quit`
    Quit,
    /// `/help`
    Help,
}

/// Why a line cannot be understood. Displayed as a sentence for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault<'a> {
    /// There is no such command.
    UnknownCommand(&'a str),
    /// A command that needs a room code has none.
    CodeMissing,
    /// This is no room code.
    CodeMalformed(&'a str),
    /// A command that needs a name has none.
    NameMissing,
    /// This is no name.
    NameMalformed,
    /// A command that needs a text has none.
    TextMissing,
    /// The number of events is none.
    NumberMalformed,
}

impl Fault<'_> {
    /// The contract's error code for it.
    pub fn code(self) -> &'static str {
        match self {
            Fault::UnknownCommand(_) | Fault::NumberMalformed => "bad_request",
            Fault::CodeMissing => "room_required",
            Fault::CodeMalformed(_) => "no_such_room",
            Fault::NameMissing => "name_required",
            Fault::NameMalformed => "name_invalid",
            Fault::TextMissing => "text_empty",
        }
    }
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever was typed, a sentence stays readable.
        match self {
            Fault::UnknownCommand(word) => write!(formatter, "There is no command {word:.20}. /help lists them."),
            Fault::CodeMissing => formatter.write_str("Which room? /join CODE"),
            Fault::CodeMalformed(typed) => {
                write!(formatter, "\"{typed:.20}\" is not a room code: 4 to 12 letters, no vowels.")
            }
            Fault::NameMissing => formatter.write_str("Which name? /nick NAME"),
            Fault::NameMalformed => formatter.write_str("A name has 1 to 32 visible characters."),
            Fault::TextMissing => formatter.write_str("What? /me TEXT"),
            Fault::NumberMalformed => formatter.write_str("How many? /history N"),
        }
    }
}

/// Reads a line. Command words may be in any case.
///
/// # Errors
/// What is wrong with a command; a line that is no command is never wrong.
pub fn parse(line: &str) -> Result<Request<'_>, Fault<'_>> {
    let Some(after_slash) = line.strip_prefix('/') else { return Ok(Request::Text(line)) };
    if after_slash.starts_with('/') {
        return Ok(Request::Text(after_slash));
    }
    let (word, argument) = split_word(line);
    match word.to_ascii_lowercase().as_str() {
        "/join" => parse_join(argument),
        "/new" => Ok(Request::Join { target: JoinTarget::New, name: parse_optional_name(argument)?, token: None }),
        "/who" => Ok(Request::Who),
        "/me" if argument.is_empty() => Err(Fault::TextMissing),
        "/me" => Ok(Request::Me(argument)),
        "/nick" => parse_optional_name(argument)?.map(Request::Nick).ok_or(Fault::NameMissing),
        "/history" if argument.is_empty() => Ok(Request::History { limit: HISTORY_EVENTS }),
        "/history" => match argument.parse() {
            Ok(limit @ 1..) => Ok(Request::History { limit: MAX_HISTORY_EVENTS.min(limit) }),
            _ => Err(Fault::NumberMalformed),
        },
        "/json" => Ok(Request::Json),
        "/leave" => Ok(Request::Leave),
        "/quit" => Ok(Request::Quit),
        "/help" => Ok(Request::Help),
        _ => Err(Fault::UnknownCommand(word)),
    }
}

/// Reads the answer to the prompt for a room: a code, an invitation's URL, or "new".
///
/// # Errors
/// [`Fault::CodeMalformed`]
pub fn parse_target(typed: &str) -> Result<JoinTarget, Fault<'_>> {
    let typed = typed.trim();
    if typed.eq_ignore_ascii_case("new") { Ok(JoinTarget::New) } else { parse_code(typed).map(JoinTarget::Code) }
}

/// Reads a name.
///
/// # Errors
/// [`Fault::NameMalformed`]
pub fn parse_name(typed: &str) -> Result<Name, Fault<'_>> {
    Name::parse(typed).ok_or(Fault::NameMalformed)
}

/// `CODE`, `CODE NAME` or `CODE NAME TOKEN`; names may have spaces in them.
fn parse_join(argument: &str) -> Result<Request<'_>, Fault<'_>> {
    let (code, rest) = split_word(argument);
    if code.is_empty() {
        return Err(Fault::CodeMissing);
    }
    let target = JoinTarget::Code(parse_code(code)?);
    let (name, token) = match rest.rsplit_once(char::is_whitespace) {
        Some((name, last)) => match Token::parse(last) {
            Some(token) => (name, Some(token)),
            None => (rest, None),
        },
        None => (rest, None),
    };
    Ok(Request::Join { target, name: parse_optional_name(name)?, token })
}

fn parse_code(typed: &str) -> Result<RoomCode, Fault<'_>> {
    let code = typed.rsplit('/').next().unwrap_or(typed);
    RoomCode::parse(code).ok_or(Fault::CodeMalformed(typed))
}

fn parse_optional_name(typed: &str) -> Result<Option<Name>, Fault<'_>> {
    if typed.is_empty() { Ok(None) } else { parse_name(typed).map(Some) }
}

/// The first word and, trimmed, what follows it.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code() -> JoinTarget {
        JoinTarget::Code(RoomCode::parse("KXQT").expect("a code"))
    }

    fn name(typed: &str) -> Option<Name> {
        Some(Name::parse(typed).expect("a name"))
    }

    #[test]
    fn text_is_no_command() {
        assert_eq!(parse("hello /quit"), Ok(Request::Text("hello /quit")));
        assert_eq!(parse(" /quit"), Ok(Request::Text(" /quit")));
        assert_eq!(parse("//quit"), Ok(Request::Text("/quit")));
        assert_eq!(parse("///"), Ok(Request::Text("//")));
    }

    #[test]
    fn joining() {
        let join = |target, name, token| Ok(Request::Join { target, name, token });
        assert_eq!(parse("/join kxqt"), join(code(), None, None));
        assert_eq!(parse("/JOIN  KXQT  Ana Maria "), join(code(), name("Ana Maria"), None));
        let digits = "0123456789abcdef".repeat(2);
        let token = Token::parse(&digits);
        assert_eq!(parse(&format!("/join KXQT Ana Maria {digits}")), join(code(), name("Ana Maria"), token));
        // Without a name before it, it is one.
        assert_eq!(parse(&format!("/join KXQT {digits}")), join(code(), name(&digits), None));
        assert_eq!(parse("/join http://192.168.1.20:5000/KXQT"), join(code(), None, None));
        assert_eq!(parse("/new"), join(JoinTarget::New, None, None));
        assert_eq!(parse("/new ana"), join(JoinTarget::New, name("ana"), None));
        assert_eq!(parse("/join"), Err(Fault::CodeMissing));
        assert_eq!(parse("/join aeiou ana"), Err(Fault::CodeMalformed("aeiou")));
        assert_eq!(parse(&format!("/new {}", "x".repeat(33))), Err(Fault::NameMalformed));
    }

    #[test]
    fn other_commands() {
        assert_eq!(parse("/who"), Ok(Request::Who));
        assert_eq!(parse("/Quit "), Ok(Request::Quit));
        assert_eq!(parse("/me  waves twice"), Ok(Request::Me("waves twice")));
        assert_eq!(parse("/me"), Err(Fault::TextMissing));
        assert_eq!(parse("/nick Ana Maria"), Ok(Request::Nick(name("Ana Maria").expect("a name"))));
        assert_eq!(parse("/nick"), Err(Fault::NameMissing));
        assert_eq!(parse("/json"), Ok(Request::Json));
        assert_eq!(parse("/leave"), Ok(Request::Leave));
        assert_eq!(parse("/help"), Ok(Request::Help));
        assert_eq!(parse("/"), Err(Fault::UnknownCommand("/")));
        assert_eq!(parse("/quitt now"), Err(Fault::UnknownCommand("/quitt")));
    }

    #[test]
    fn history_is_bounded() {
        assert_eq!(parse("/history"), Ok(Request::History { limit: 20 }));
        assert_eq!(parse("/history 7"), Ok(Request::History { limit: 7 }));
        assert_eq!(parse("/history 100000"), Ok(Request::History { limit: 200 }));
        for typed in ["/history 0", "/history -1", "/history x", "/history 99999999999999999999999"] {
            assert_eq!(parse(typed), Err(Fault::NumberMalformed), "{typed}");
        }
    }

    #[test]
    fn answers_to_the_room_prompt() {
        assert_eq!(parse_target(" kxqt "), Ok(code()));
        assert_eq!(parse_target("New"), Ok(JoinTarget::New));
        assert_eq!(parse_target("kxq"), Err(Fault::CodeMalformed("kxq")));
    }

    proptest! {
        #[test]
        fn any_line_is_understood_or_refused(line in "/?\\PC{0,80}") {
            match parse(&line) {
                Ok(Request::Text(text)) => prop_assert!(line.ends_with(text) && (!line.starts_with('/') || line.starts_with("//"))),
                Ok(_) => prop_assert!(line.starts_with('/')),
                Err(fault) => prop_assert!(line.starts_with('/') && !fault.to_string().is_empty()),
            }
        }
    }
}
