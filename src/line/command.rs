//! What a typed line means.

mod moderation;

use std::fmt;

use crate::json;
use crate::rooms::{
    AccountCommand, Emoji, JoinTarget, MAX_KEY_BYTES, MAX_LETTERS, MAX_LINE_BYTES, Moderation, Name, Password,
    PasswordFault, RoomCode, RoomKey, SearchFault, SearchQuery, Token,
};

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
    /// `/edit TEXT`: in the place of one's last message.
    Edit(&'a str),
    /// `/delete`: one's last message.
    Delete,
    /// `/reply TEXT`: to the last message of somebody else.
    Reply(&'a str),
    /// `/react EMOJI`: to the last message.
    React(Emoji),
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
    /// `/search WORDS`
    Search(SearchQuery),
    /// `/json`
    Json,
    /// `/login NAME PASSWORD`, `/register PASSWORD`, `/password OLD NEW`, `/unregister PASSWORD`
    Account(AccountCommand),
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
    /// A command that needs a text has none: how it is typed.
    TextMissing(&'static str),
    /// What one is to react with is no emoji.
    EmojiMalformed,
    /// The number of events is none.
    NumberMalformed,
    /// There is nothing to be searched for, or too much.
    QueryMalformed(SearchFault),
    /// This can be no password.
    PasswordMalformed(PasswordFault),
    /// A command that is about somebody has no name.
    WhoMissing,
    /// A topic or a reason is too long.
    LineTooLong,
    /// A room's key is too long.
    KeyTooLong,
    /// It is to be typed like this.
    Usage(&'static str),
}

impl CommandFault<'_> {
    /// The contract's error code for it.
    pub fn code(self) -> &'static str {
        match self {
            CommandFault::UnknownCommand(_)
            | CommandFault::NumberMalformed
            | CommandFault::EmojiMalformed
            | CommandFault::PasswordMalformed(_)
            | CommandFault::KeyTooLong
            | CommandFault::Usage(_) => "bad_request",
            CommandFault::CodeMissing => "room_required",
            CommandFault::CodeMalformed(_) => "no_such_room",
            CommandFault::NameMissing | CommandFault::WhoMissing => "name_required",
            CommandFault::LineTooLong => "text_too_long",
            CommandFault::NameMalformed => "name_invalid",
            CommandFault::TextMissing(_) => "text_empty",
            CommandFault::QueryMalformed(fault) => json::search_fault_code(fault),
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
            CommandFault::TextMissing(usage) => write!(formatter, "What? {usage}"),
            CommandFault::EmojiMalformed => formatter.write_str("With one emoji: /react 👍"),
            CommandFault::NumberMalformed => formatter.write_str("How many? /history N"),
            CommandFault::QueryMalformed(SearchFault::Empty) => {
                formatter.write_str("What for? /search WORDS finds what has all of them; the last may be a beginning.")
            }
            CommandFault::QueryMalformed(fault) => write!(formatter, "{fault}"),
            CommandFault::PasswordMalformed(fault) => write!(formatter, "{fault}"),
            CommandFault::WhoMissing => formatter.write_str("Who? A name is missing."),
            CommandFault::LineTooLong => write!(formatter, "That is longer than {MAX_LINE_BYTES} bytes."),
            CommandFault::KeyTooLong => write!(formatter, "A room's key has at most {MAX_KEY_BYTES} bytes."),
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
        "/me" if argument.is_empty() => Err(CommandFault::TextMissing("/me TEXT")),
        "/edit" if argument.is_empty() => Err(CommandFault::TextMissing("/edit TEXT")),
        "/edit" => Ok(TypedCommand::Edit(argument)),
        "/delete" => Ok(TypedCommand::Delete),
        "/reply" if argument.is_empty() => Err(CommandFault::TextMissing("/reply TEXT")),
        "/reply" => Ok(TypedCommand::Reply(argument)),
        "/react" => Emoji::parse(argument).map(TypedCommand::React).ok_or(CommandFault::EmojiMalformed),
        "/me" => Ok(TypedCommand::Me(argument)),
        "/nick" => parse_optional_name(argument)?.map(TypedCommand::Nick).ok_or(CommandFault::NameMissing),
        "/history" if argument.is_empty() => Ok(TypedCommand::History { limit: HISTORY_EVENTS }),
        "/history" => match argument.parse() {
            Ok(limit @ 1..) => Ok(TypedCommand::History { limit: MAX_HISTORY_EVENTS.min(limit) }),
            _ => Err(CommandFault::NumberMalformed),
        },
        "/search" => SearchQuery::parse(argument).map(TypedCommand::Search).map_err(CommandFault::QueryMalformed),
        "/json" => Ok(TypedCommand::Json),
        "/login" => parse_login(argument),
        "/register" => {
            let password = parse_password(argument, Password::parse_new, "/register PASSWORD")?;
            Ok(TypedCommand::Account(AccountCommand::Register { name: None, password }))
        }
        "/password" => {
            let usage = "/password OLD NEW";
            let (old, new) = split_quoted(argument);
            let password = parse_password(old, Password::parse, usage)?;
            let new = parse_password(new, Password::parse_new, usage)?;
            Ok(TypedCommand::Account(AccountCommand::ChangePassword { password, new }))
        }
        "/unregister" => {
            let password = parse_password(argument, Password::parse, "/unregister PASSWORD")?;
            Ok(TypedCommand::Account(AccountCommand::Unregister { password }))
        }
        "/leave" => Ok(TypedCommand::Leave),
        "/quit" => Ok(TypedCommand::Quit),
        "/help" => Ok(TypedCommand::Help { command: argument }),
        other => moderation::parse(other, argument).unwrap_or(Err(CommandFault::UnknownCommand(word))),
    }
}

/// `NAME PASSWORD`; a name of several words stands in quotation marks.
fn parse_login(argument: &str) -> Result<TypedCommand<'_>, CommandFault<'_>> {
    let (name, password) = split_quoted(argument);
    let password = parse_password(password, Password::parse, "/login NAME PASSWORD")?;
    let name = Some(parse_name(name)?);
    Ok(TypedCommand::Account(AccountCommand::Login { name, password }))
}

/// The first word, or the first words in quotation marks, and what follows.
fn split_quoted(text: &str) -> (&str, &str) {
    let quoted = text.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    match quoted.filter(|(_, rest)| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
        Some((words, rest)) => (words, rest.trim()),
        None => split_word(text),
    }
}

fn parse_password<'a>(
    typed: &str,
    parse: fn(&str) -> Result<Password, PasswordFault>,
    usage: &'static str,
) -> Result<Password, CommandFault<'a>> {
    parse(typed).map_err(|fault| match fault {
        PasswordFault::Empty => CommandFault::Usage(usage),
        fault => CommandFault::PasswordMalformed(fault),
    })
}

/// Whether a line is a command with a password behind a space that was typed before the slash: nothing to be said.
pub fn is_mistyped_secret(line: &str) -> bool {
    let (word, _) = split_word(line.trim_start());
    let is_secret = ["/login", "/register", "/password", "/unregister", "/key"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known));
    is_secret && line.starts_with(char::is_whitespace)
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

/// Reads a room's key, of which something was typed.
///
/// # Errors
/// [`CommandFault::KeyTooLong`]
pub fn parse_key(typed: &str) -> Result<RoomKey, CommandFault<'_>> {
    RoomKey::parse(typed).ok_or(CommandFault::KeyTooLong)
}

/// `CODE`, `CODE NAME` or `CODE NAME TOKEN`; names may have spaces in them.
fn parse_join(argument: &str) -> Result<TypedCommand<'_>, CommandFault<'_>> {
    let (code, rest) = split_code(argument)?;
    let target = JoinTarget::Code(code);
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

/// The code that a text begins with and, trimmed, what follows it. A code may be written with spaces: it has as many
/// words as it takes to be one, and no more than letters.
fn split_code(text: &str) -> Result<(RoomCode, &str), CommandFault<'_>> {
    let ends_word = |place: usize| !text[..place].ends_with(char::is_whitespace);
    let spaces = text.char_indices().filter(|(_, character)| character.is_whitespace()).map(|(place, _)| place);
    let ends = spaces.filter(|place| ends_word(*place)).chain([text.len()]);
    let mut parts = ends.take(MAX_LETTERS).map(|end| text.split_at(end));
    let found = parts.find_map(|(code, rest)| Some((RoomCode::parse(code)?, rest.trim())));
    found.ok_or_else(|| match split_word(text).0 {
        "" => CommandFault::CodeMissing,
        word => CommandFault::CodeMalformed(word),
    })
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
        // A code has no spaces for whoever writes it with some.
        assert_eq!(parse("/join kx qt"), join(code(), None, None));
        assert_eq!(parse("/join K X-Q  T Ana Maria"), join(code(), name("Ana Maria"), None));
        assert_eq!(parse("/join kxqt bcd"), join(code(), name("bcd"), None));
        assert_eq!(parse("/join kx ana"), Err(CommandFault::CodeMalformed("kx")));
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
        assert_eq!(parse("/me"), Err(CommandFault::TextMissing("/me TEXT")));
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
    fn what_is_done_with_messages() {
        assert_eq!(parse("/edit  one two "), Ok(TypedCommand::Edit("one two")));
        assert_eq!(parse("/delete"), Ok(TypedCommand::Delete));
        assert_eq!(parse("/reply yes"), Ok(TypedCommand::Reply("yes")));
        assert_eq!(parse("/react 👍"), Ok(TypedCommand::React(Emoji::parse("👍").expect("an emoji"))));
        for line in ["/react", "/react +1", "/react 👍👍"] {
            assert_eq!(parse(line), Err(CommandFault::EmojiMalformed), "{line}");
        }
        for line in ["/edit", "/reply"] {
            let fault = parse(line).expect_err("a fault");
            assert_eq!((fault.code(), fault.to_string()), ("text_empty", format!("What? {line} TEXT")));
        }
    }

    #[test]
    fn passwords() {
        let password = |typed: &str| Password::parse(typed).expect("a password");
        let account = |command| Ok(TypedCommand::Account(command));
        for (typed, named) in [("/login ana two words", "ana"), ("/login  \"Ana Maria\"  two words", "Ana Maria")] {
            let login = AccountCommand::Login { name: name(named), password: password("two words") };
            assert_eq!(parse(typed), account(login), "{typed}");
        }
        let register = AccountCommand::Register { name: None, password: password("two words") };
        assert_eq!(parse("/register two words"), account(register));
        for (typed, old) in [("/password old new words", "old"), ("/password \"old words\" new words", "old words")] {
            let change = AccountCommand::ChangePassword { password: password(old), new: password("new words") };
            assert_eq!(parse(typed), account(change), "{typed}");
        }
        let unregister = AccountCommand::Unregister { password: password("two words") };
        assert_eq!(parse("/UNREGISTER two words"), account(unregister));
        for typed in ["/login", "/login ana", "/register", "/password", "/password old", "/unregister"] {
            assert!(matches!(parse(typed), Err(CommandFault::Usage(_))), "{typed}");
        }
        for typed in ["/register secret", "/password old secret"] {
            assert_eq!(parse(typed), Err(CommandFault::PasswordMalformed(PasswordFault::TooShort)), "{typed}");
        }
        assert!(is_mistyped_secret(" /login ana secret") && is_mistyped_secret("\t/REGISTER secret"));
        assert!(is_mistyped_secret(" /key secret"));
        assert!(!is_mistyped_secret("/login ana secret") && !is_mistyped_secret(" /quit"));
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
