//! What a typed line asks of the client: the words of terminals, as messages of the contract.

use super::outbox::Item;
use super::room::{Room, named};
use crate::json::Object;
use crate::line::command::{self, TypedCommand, is_mistyped_secret};
use crate::rooms::{AccountCommand, AccountDone, JoinTarget, Kind, Moderation, Name, Password};

/// Events that a search shows at the most.
const FOUND_EVENTS: u64 = 20;

/// What is to be done.
#[derive(PartialEq, Debug)]
pub enum Wanted {
    /// Nothing.
    Nothing,
    /// Something of the server.
    Item(Item),
    /// Something of an account, which is told when it is done.
    Account(AccountDone, Item),
    /// A password first, for this.
    Password(Purpose),
    /// The list of members.
    Who,
    /// Another room.
    Join(JoinTarget, Option<Name>),
    /// To leave, and to end.
    Leave,
    /// The list of the commands, or what one does.
    Help(String),
    /// It cannot be understood, for a person.
    Fault(String),
}

/// What a password is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To show that this name is one's own.
    Login(Name),
    /// To claim the name that one bears.
    Register,
    /// To give it up.
    Unregister,
}

/// Reads what somebody has typed.
pub fn read(line: &str, room: &Room) -> Wanted {
    if is_mistyped_secret(line) {
        return Wanted::Fault("There is a space before the slash; nothing was sent.".to_owned());
    }
    if let Some(purpose) = without_password(line) {
        return Wanted::Password(purpose);
    }
    let (_, argument) = split_word(line);
    let command = match command::parse(line) {
        Ok(command) => command,
        Err(fault) => return Wanted::Fault(fault.to_string()),
    };
    let shown = Some(line.to_owned());
    match command {
        TypedCommand::Text(text) if text.trim().is_empty() => Wanted::Nothing,
        TypedCommand::Text(text) => say(Kind::Say, text, false),
        TypedCommand::Me(text) => say(Kind::Me, text, false),
        TypedCommand::Reply(text) => say(Kind::Say, text, true),
        TypedCommand::Edit(text) => Wanted::Item(Item::Edit(text.to_owned())),
        TypedCommand::Delete => Wanted::Item(Item::Delete),
        TypedCommand::React(emoji) => Wanted::Item(Item::React(emoji)),
        TypedCommand::Join { target, name, .. } => Wanted::Join(target, name),
        TypedCommand::Nick(name) => ready(shown, |object| {
            object.word("type", "nick").text("name", name.as_str());
        }),
        TypedCommand::Who => Wanted::Who,
        TypedCommand::History { limit } => ready(shown, |object| {
            object.word("type", "history").number("limit", limit as u64);
        }),
        TypedCommand::Search(_) => ready(shown, |object| {
            object.word("type", "search").text("text", argument).number("limit", FOUND_EVENTS);
        }),
        TypedCommand::Account(command) => account(&command),
        TypedCommand::Moderate(readings) => match room.choose(readings) {
            // A key is shown to nobody.
            Some(Moderation::Key(key)) => ready(None, |object| {
                object.word("type", "moderate").word("action", "key").text_if("value", key.map(|_| argument));
            }),
            Some(moderation) => ready(shown, |object| write_moderation(&moderation, object)),
            None => Wanted::Nothing,
        },
        TypedCommand::Bans => ready(shown, |object| {
            object.word("type", "bans");
        }),
        TypedCommand::Json => Wanted::Fault("For programs there is snugd join --json.".to_owned()),
        TypedCommand::Leave | TypedCommand::Quit => Wanted::Leave,
        TypedCommand::Help { command } => Wanted::Help(command.to_owned()),
    }
}

/// Asks for a member list, of those in the places after `after`.
pub fn who(after: Option<&Name>) -> Item {
    let json = write(|object| {
        object.word("type", "who").text_if("after", after.map(Name::as_str));
    });
    Item::Ready { json, cid: None, shown: None }
}

/// What is to be done once the password was given.
pub fn with_password(purpose: &Purpose, typed: &str) -> Wanted {
    let parse = if *purpose == Purpose::Register { Password::parse_new } else { Password::parse };
    let password = match parse(typed) {
        Ok(password) => password,
        Err(fault) => return Wanted::Fault(fault.to_string()),
    };
    account(&match purpose.clone() {
        Purpose::Login(name) => AccountCommand::Login { name: Some(name), password },
        Purpose::Register => AccountCommand::Register { name: None, password },
        Purpose::Unregister => AccountCommand::Unregister { password },
    })
}

/// Whether a line is remembered nowhere and shown no more: it has a password in it.
pub fn is_secret(line: &str) -> bool {
    let (word, _) = split_word(line.trim_start());
    ["/login", "/register", "/password", "/unregister", "/key"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// A command that wants a password and has none: it is asked for, and does not show.
fn without_password(line: &str) -> Option<Purpose> {
    let (word, argument) = split_word(line);
    match (word.to_ascii_lowercase().as_str(), argument) {
        ("/register", "") => Some(Purpose::Register),
        ("/unregister", "") => Some(Purpose::Unregister),
        ("/login", name) if !name.is_empty() && !name.contains(char::is_whitespace) => {
            Name::parse(name).map(Purpose::Login)
        }
        _ => None,
    }
}

fn say(kind: Kind, text: &str, is_reply: bool) -> Wanted {
    Wanted::Item(Item::Say { kind, text: text.to_owned(), is_reply })
}

fn account(command: &AccountCommand) -> Wanted {
    // It was typed as a text.
    let word = |password: &Password| String::from_utf8_lossy(password.as_bytes()).into_owned();
    let (done, json) = match command {
        AccountCommand::Register { password, .. } => (
            AccountDone::Registered,
            write(|object| {
                object.word("type", "register").text("password", &word(password));
            }),
        ),
        AccountCommand::Login { name, password } => (
            AccountDone::LoggedIn,
            write(|object| {
                object.word("type", "login").text_if("name", name.as_ref().map(Name::as_str));
                object.text("password", &word(password));
            }),
        ),
        AccountCommand::ChangePassword { password, new } => (
            AccountDone::PasswordChanged,
            write(|object| {
                object.word("type", "password").text("password", &word(password)).text("new", &word(new));
            }),
        ),
        AccountCommand::Unregister { password } => (
            AccountDone::Unregistered,
            write(|object| {
                object.word("type", "unregister").text("password", &word(password));
            }),
        ),
    };
    Wanted::Account(done, Item::Ready { json, cid: None, shown: None })
}

fn write_moderation(moderation: &Moderation, object: &mut Object<'_>) {
    let action = match moderation {
        Moderation::Op(_) => "op",
        Moderation::Deop(_) => "deop",
        Moderation::Kick { .. } => "kick",
        Moderation::Ban { .. } => "ban",
        Moderation::Unban(_) => "unban",
        Moderation::Mute { .. } => "mute",
        Moderation::Unmute(_) => "unmute",
        Moderation::Lock => "lock",
        Moderation::Unlock => "unlock",
        Moderation::Key(_) => "key",
        Moderation::Topic(_) => "topic",
        Moderation::Slow { .. } => "slow",
    };
    let (value, seconds) = match moderation {
        Moderation::Kick { reason, .. } => (reason.as_ref(), None),
        Moderation::Ban { reason, seconds, .. } => (reason.as_ref(), *seconds),
        Moderation::Mute { seconds, .. } => (None, *seconds),
        Moderation::Topic(text) => (text.as_ref(), None),
        Moderation::Slow { seconds } => (None, Some(u64::from(*seconds))),
        _ => (None, None),
    };
    object.word("type", "moderate").word("action", action).text_if("name", named(moderation).map(Name::as_str));
    object.text_if("value", value.map(|text| text.as_str())).number_if("seconds", seconds);
}

fn ready(shown: Option<String>, fill: impl FnOnce(&mut Object<'_>)) -> Wanted {
    Wanted::Item(Item::Ready { json: write(fill), cid: None, shown })
}

/// One JSON object.
pub fn write(fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    fill(&mut object);
    object.end();
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(line: &str) -> String {
        match read(line, &Room::default()) {
            Wanted::Item(Item::Ready { json, .. }) | Wanted::Account(_, Item::Ready { json, .. }) => json,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_words_of_terminals_become_messages() {
        for (line, expected) in [
            ("/nick Ben", r#"{"type":"nick","name":"Ben"}"#),
            ("/history", r#"{"type":"history","limit":20}"#),
            ("/search  two words ", r#"{"type":"search","text":"two words","limit":20}"#),
            ("/login ana secret", r#"{"type":"login","name":"ana","password":"secret"}"#),
            ("/register long enough", r#"{"type":"register","password":"long enough"}"#),
            ("/password old long enough", r#"{"type":"password","password":"old","new":"long enough"}"#),
            ("/unregister secret", r#"{"type":"unregister","password":"secret"}"#),
            ("/ban ben 10m", r#"{"type":"moderate","action":"ban","name":"ben","seconds":600}"#),
            ("/kick \"Ana Maria\" why", r#"{"type":"moderate","action":"kick","name":"Ana Maria","value":"why"}"#),
            ("/topic", r#"{"type":"moderate","action":"topic"}"#),
            ("/topic a b", r#"{"type":"moderate","action":"topic","value":"a b"}"#),
            ("/key sesame", r#"{"type":"moderate","action":"key","value":"sesame"}"#),
            ("/key", r#"{"type":"moderate","action":"key"}"#),
            ("/slow 10s", r#"{"type":"moderate","action":"slow","seconds":10}"#),
            ("/bans", r#"{"type":"bans"}"#),
        ] {
            assert_eq!(json(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_said_is_said_and_what_is_not_is_not() {
        let read = |line| read(line, &Room::default());
        assert_eq!(read("hello"), say(Kind::Say, "hello", false));
        assert_eq!(read("//quit"), say(Kind::Say, "/quit", false));
        assert_eq!(read("/me waves"), say(Kind::Me, "waves", false));
        assert_eq!(read("/reply yes"), say(Kind::Say, "yes", true));
        assert_eq!(read("  "), Wanted::Nothing);
        assert_eq!(read("/quit"), Wanted::Leave);
        assert_eq!(read("/register"), Wanted::Password(Purpose::Register));
        assert!(matches!(read("/login ana"), Wanted::Password(Purpose::Login(_))));
        for line in ["/dance", " /login ana secret", "/json", "/login", "/nick"] {
            assert!(matches!(read(line), Wanted::Fault(_)), "{line}");
        }
        assert!(is_secret("/LOGIN ana x") && is_secret(" /key x") && !is_secret("/me x"));
    }

    #[test]
    fn a_secret_is_never_shown() {
        for line in ["/key sesame", "/login ana sesame", "/register sesame street"] {
            match read(line, &Room::default()) {
                Wanted::Item(item) | Wanted::Account(_, item) => assert_eq!(item.shown(), None, "{line}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}
