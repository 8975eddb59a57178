//! What a typed line means.

mod moderation;

use std::fmt;

use crate::rooms::{JoinTarget, MAX_LINE_BYTES, Moderation, Name, RoomCode, Token};

/// Events shown by `/history` alone.
const HISTORY_EVENTS: usize = 20;
/// Events shown by `/history` at the most.
const MAX_HISTORY_EVENTS: usize = 200;

/// What a typed line asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum TypedCommand<'a> {
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
    /// `/help [COMMAND]`
    Help {
        /// With its slash or without.
        command: &'a str,
    },
    /// What operators ask for: what it may mean.
    Moderate(Vec<Moderation>),
    /// `/bans`
    Bans,
}

/// Why a line cannot be understood. Displayed as a sentence for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandFault<'a> {
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
    /// A command that is about somebody has no name.
    WhoMissing,
    /// A topic or a reason is too long.
    LineTooLong,
    /// It is to be typed like this.
    Usage(&'static str),
}

impl CommandFault<'_> {
    /// The contract's error code for it.
    pub fn code(self) -> &'static str {
        match self {
            CommandFault::UnknownCommand(_) | CommandFault::NumberMalformed | CommandFault::Usage(_) => "bad_request",
            CommandFault::CodeMissing => "room_required",
            CommandFault::CodeMalformed(_) => "no_such_room",
            CommandFault::NameMissing | CommandFault::WhoMissing => "name_required",
            CommandFault::LineTooLong => "text_too_long",
            CommandFault::NameMalformed => "name_invalid",
            CommandFault::TextMissing => "text_empty",
        }
    }
}

impl fmt::Display for CommandFault<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever was typed, a sentence stays readable.
        match self {
            CommandFault::UnknownCommand(word) => {
                write!(formatter, "There is no command {word:.20}. /help lists them.")
            }
            CommandFault::CodeMissing => formatter.write_str("Which room? /join CODE"),
            CommandFault::CodeMalformed(typed) => {
                write!(formatter, "\"{typed:.20}\" is not a room code: 4 to 12 letters, no vowels.")
            }
            CommandFault::NameMissing => formatter.write_str("Which name? /nick NAME"),
            CommandFault::NameMalformed => formatter.write_str("A name has 1 to 32 visible characters."),
            CommandFault::TextMissing => formatter.write_str("What? /me TEXT"),
            CommandFault::NumberMalformed => formatter.write_str("How many? /history N"),
            CommandFault::WhoMissing => formatter.write_str("Who? A name is missing."),
            CommandFault::LineTooLong => write!(formatter, "That is longer than {MAX_LINE_BYTES} bytes."),
            CommandFault::Usage(usage) => write!(formatter, "It is typed like this: {usage}"),
        }
    }
}

/// Reads a line. Command words may be in any case.
///
/// # Errors
/// What is wrong with a command; a line that is no command is never wrong.
pub fn parse(line: &str) -> Result<TypedCommand<'_>, CommandFault<'_>> {
    let Some(after_slash) = line.strip_prefix('/') else { return Ok(TypedCommand::Text(line)) };
    if after_slash.starts_with('/') {
        return Ok(TypedCommand::Text(after_slash));
    }
    let (word, argument) = split_word(line);
    let word_in_lower_case = word.to_ascii_lowercase();
    match word_in_lower_case.as_str() {
        "/join" => parse_join(argument),
        "/new" => Ok(TypedCommand::Join { target: JoinTarget::New, name: parse_optional_name(argument)?, token: None }),
        "/who" => Ok(TypedCommand::Who),
        "/me" if argument.is_empty() => Err(CommandFault::TextMissing),
        "/me" => Ok(TypedCommand::Me(argument)),
        "/nick" => parse_optional_name(argument)?.map(TypedCommand::Nick).ok_or(CommandFault::NameMissing),
        "/history" if argument.is_empty() => Ok(TypedCommand::History { limit: HISTORY_EVENTS }),
        "/history" => match argument.parse() {
            Ok(limit @ 1..) => Ok(TypedCommand::History { limit: MAX_HISTORY_EVENTS.min(limit) }),
            _ => Err(CommandFault::NumberMalformed),
        },
        "/json" => Ok(TypedCommand::Json),
        "/leave" => Ok(TypedCommand::Leave),
        "/quit" => Ok(TypedCommand::Quit),
        "/help" => Ok(TypedCommand::Help { command: argument }),
        other => moderation::parse(other, argument).unwrap_or(Err(CommandFault::UnknownCommand(word))),
    }
}

/// Reads the answer to the prompt for a room: a code, an invitation's URL, or "new".
///
/// # Errors
/// [`CommandFault::CodeMalformed`]
pub fn parse_target(typed: &str) -> Result<JoinTarget, CommandFault<'_>> {
    let typed = typed.trim();
    if typed.eq_ignore_ascii_case("new") { Ok(JoinTarget::New) } else { parse_code(typed).map(JoinTarget::Code) }
}

/// Reads a name.
///
/// # Errors
/// [`CommandFault::NameMalformed`]
pub fn parse_name(typed: &str) -> Result<Name, CommandFault<'_>> {
    Name::parse(typed).ok_or(CommandFault::NameMalformed)
}

/// `CODE`, `CODE NAME` or `CODE NAME TOKEN`; names may have spaces in them.
fn parse_join(argument: &str) -> Result<TypedCommand<'_>, CommandFault<'_>> {
    let (code, rest) = split_word(argument);
    if code.is_empty() {
        return Err(CommandFault::CodeMissing);
    }
    let target = JoinTarget::Code(parse_code(code)?);
    let (name, token) = match rest.rsplit_once(char::is_whitespace) {
        Some((name, last)) => match Token::parse(last) {
            Some(token) => (name, Some(token)),
            None => (rest, None),
        },
        None => (rest, None),
    };
    Ok(TypedCommand::Join { target, name: parse_optional_name(name)?, token })
}

fn parse_code(typed: &str) -> Result<RoomCode, CommandFault<'_>> {
    RoomCode::parse(typed).ok_or(CommandFault::CodeMalformed(typed))
}

fn parse_optional_name(typed: &str) -> Result<Option<Name>, CommandFault<'_>> {
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
        assert_eq!(parse("hello /quit"), Ok(TypedCommand::Text("hello /quit")));
        assert_eq!(parse(" /quit"), Ok(TypedCommand::Text(" /quit")));
        assert_eq!(parse("//quit"), Ok(TypedCommand::Text("/quit")));
        assert_eq!(parse("///"), Ok(TypedCommand::Text("//")));
    }

    #[test]
    fn joining() {
        let join = |target, name, token| Ok(TypedCommand::Join { target, name, token });
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
        assert_eq!(parse("/join"), Err(CommandFault::CodeMissing));
        assert_eq!(parse("/join aeiou ana"), Err(CommandFault::CodeMalformed("aeiou")));
        assert_eq!(parse(&format!("/new {}", "x".repeat(33))), Err(CommandFault::NameMalformed));
    }

    #[test]
    fn other_commands() {
        assert_eq!(parse("/who"), Ok(TypedCommand::Who));
        assert_eq!(parse("/Quit "), Ok(TypedCommand::Quit));
        assert_eq!(parse("/me  waves twice"), Ok(TypedCommand::Me("waves twice")));
        assert_eq!(parse("/me"), Err(CommandFault::TextMissing));
        assert_eq!(parse("/nick Ana Maria"), Ok(TypedCommand::Nick(name("Ana Maria").expect("a name"))));
        assert_eq!(parse("/nick"), Err(CommandFault::NameMissing));
        assert_eq!(parse("/json"), Ok(TypedCommand::Json));
        assert_eq!(parse("/leave"), Ok(TypedCommand::Leave));
        assert_eq!(parse("/help"), Ok(TypedCommand::Help { command: "" }));
        assert_eq!(parse("/help Kick"), Ok(TypedCommand::Help { command: "Kick" }));
        assert_eq!(parse("/LOCK"), Ok(TypedCommand::Moderate(vec![Moderation::Lock])));
        assert_eq!(parse("/"), Err(CommandFault::UnknownCommand("/")));
        assert_eq!(parse("/quitt now"), Err(CommandFault::UnknownCommand("/quitt")));
    }

    #[test]
    fn history_is_bounded() {
        assert_eq!(parse("/history"), Ok(TypedCommand::History { limit: 20 }));
        assert_eq!(parse("/history 7"), Ok(TypedCommand::History { limit: 7 }));
        assert_eq!(parse("/history 100000"), Ok(TypedCommand::History { limit: 200 }));
        for typed in ["/history 0", "/history -1", "/history x", "/history 99999999999999999999999"] {
            assert_eq!(parse(typed), Err(CommandFault::NumberMalformed), "{typed}");
        }
    }

    #[test]
    fn answers_to_the_room_prompt() {
        assert_eq!(parse_target(" kxqt "), Ok(code()));
        assert_eq!(parse_target("New"), Ok(JoinTarget::New));
        assert_eq!(parse_target("kxq"), Err(CommandFault::CodeMalformed("kxq")));
    }

    proptest! {
        #[test]
        fn any_line_is_understood_or_refused(line in "/?\\PC{0,80}") {
            match parse(&line) {
                Ok(TypedCommand::Text(text)) => prop_assert!(line.ends_with(text) && (!line.starts_with('/') || line.starts_with("//"))),
                Ok(_) => prop_assert!(line.starts_with('/')),
                Err(fault) => prop_assert!(line.starts_with('/') && !fault.to_string().is_empty()),
            }
        }
    }
}
