//! What the server sends, read: JSON objects into the events that terminals show.
//!
//! The server is trusted no more than the members whose words it passes on: a name is a name, and a text has no control
//! characters, whatever it has sent.

use serde::Deserialize;
use serde_json::Value;

use crate::rooms::{
    Annotations, AuthorId, Body, Dimensions, Emoji, Event, FileId, FileName, FileType, Kind, ListedBan, MessageKey,
    ModeChange, Name, SharedFile, Text, Via,
};

/// A message of the server.
#[derive(Debug)]
pub enum ServerMessage {
    /// We are in.
    Joined(Box<Joined>),
    /// Something has happened in the room. `is_operator`: of who comes in.
    Happened {
        /// What.
        event: Event,
        /// Whether who comes in is an operator.
        is_operator: bool,
    },
    /// Older events.
    History(Vec<Event>),
    /// What a search has found.
    Found {
        /// Which events.
        events: Vec<Event>,
        /// There may be older ones.
        may_be_more: bool,
    },
    /// Members of the room.
    Members {
        /// Who.
        members: Vec<Person>,
        /// There are more than these.
        more: bool,
    },
    /// Who is kept out.
    Bans(Vec<ListedBan>),
    /// Something asked of an account is done; whose name it is from here on.
    Account(Option<String>),
    /// A message was said before, under this client id.
    AlreadySaid(String),
    /// Something is refused.
    Refused(Refused),
    /// The answer to a ping.
    Pong,
    /// Nothing that is shown.
    Other,
}

/// The answer to a join.
#[derive(Debug)]
pub struct Joined {
    /// As whom.
    pub name: Name,
    /// Our number in the room.
    pub author: AuthorId,
    /// The secret by which we come back.
    pub token: String,
    /// The sequence of ids.
    pub epoch: String,
    /// The id of the last event.
    pub last: u64,
    /// What the room is about.
    pub topic: Option<Text>,
    /// Seconds between two messages of one member.
    pub slow_seconds: u64,
    /// Who is there: all, or the first of them.
    pub members: Vec<Person>,
    /// How many are there.
    pub count: u64,
    /// What was said.
    pub events: Vec<Event>,
    /// Something before that was missed.
    pub gap: bool,
    /// Bytes in a message, at the most.
    pub message_bytes: usize,
}

/// A member, as it is listed.
#[derive(Clone, PartialEq, Debug)]
pub struct Person {
    /// Its name.
    pub name: Name,
    /// How it is connected.
    pub via: Via,
    /// Whether it keeps order.
    pub is_operator: bool,
}

/// A refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The contract's error code.
    pub code: String,
    /// For a person.
    pub sentence: String,
    /// Of which message.
    pub cid: Option<String>,
    /// When it may be tried again.
    pub retry_ms: Option<u64>,
}

/// Every field that any message has. Unknown ones are ignored.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Fields {
    r#type: String,
    id: u64,
    time: u64,
    author: u64,
    name: Option<String>,
    via: String,
    kind: String,
    text: Option<String>,
    cid: Option<String>,
    reply_to: Option<u64>,
    of: u64,
    emoji: Option<String>,
    on: bool,
    by: Option<String>,
    change: String,
    seconds: Option<u64>,
    reason: Option<String>,
    to: Option<String>,
    deleted: bool,
    file: Option<FileFields>,
    code: String,
    message: String,
    retry_ms: Option<u64>,
    token: String,
    epoch: String,
    last: u64,
    topic: Option<String>,
    modes: Modes,
    members: Vec<Fields>,
    count: u64,
    events: Vec<Fields>,
    gap: bool,
    more: bool,
    limits: LimitFields,
    bans: Vec<Fields>,
    op: bool,
    /// `true` of a member, a name of an answer.
    account: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Modes {
    slow: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LimitFields {
    message: Option<usize>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FileFields {
    id: String,
    name: String,
    size: u64,
    r#type: String,
    width: Option<u32>,
    height: Option<u32>,
}

impl ServerMessage {
    /// Reads one message; `None`: it is none.
    pub fn read(json: &str) -> Option<ServerMessage> {
        // Fields alone, in the order in which they stand here, are no object.
        let mut fields: Fields = serde_json::from_str(json).ok().filter(|_| json.trim_start().starts_with('{'))?;
        let events = read_events(std::mem::take(&mut fields.events));
        Some(match fields.r#type.as_str() {
            "joined" => ServerMessage::Joined(Box::new(Joined {
                name: name(&fields.name)?,
                author: AuthorId(fields.author as u32),
                token: fields.token,
                epoch: fields.epoch,
                last: fields.last,
                topic: fields.topic.as_deref().and_then(line),
                slow_seconds: fields.modes.slow,
                members: fields.members.iter().filter_map(person).collect(),
                count: fields.count,
                events,
                gap: fields.gap,
                message_bytes: fields.limits.message.unwrap_or(usize::MAX),
            })),
            "history" => ServerMessage::History(events),
            "search" => ServerMessage::Found { events, may_be_more: fields.more },
            "members" => {
                let members = fields.members.iter().filter_map(person).collect();
                ServerMessage::Members { members, more: fields.more }
            }
            "bans" => ServerMessage::Bans(fields.bans.iter().filter_map(ban).collect()),
            "ok" => match fields.cid {
                Some(cid) => ServerMessage::AlreadySaid(cid),
                None => ServerMessage::Account(fields.account.as_ref().and_then(Value::as_str).map(harmless)),
            },
            "error" => ServerMessage::Refused(Refused {
                code: harmless(&fields.code),
                sentence: harmless(&fields.message),
                cid: fields.cid,
                retry_ms: fields.retry_ms,
            }),
            "pong" => ServerMessage::Pong,
            _ => {
                let is_operator = fields.op;
                match read_event(fields) {
                    Some(event) => ServerMessage::Happened { event, is_operator },
                    None => ServerMessage::Other,
                }
            }
        })
    }
}

/// A sentence without anything that a terminal would obey.
pub fn harmless(sentence: &str) -> String {
    let is_harmful = |character: char| {
        character.is_control() || matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    sentence
        .chars()
        .map(|character| if character.is_whitespace() { ' ' } else { character })
        .filter(|&character| !is_harmful(character))
        .collect()
}

fn read_events(events: Vec<Fields>) -> Vec<Event> {
    events.into_iter().filter_map(read_event).collect()
}

fn read_event(fields: Fields) -> Option<Event> {
    let concerned = name(&fields.name)?;
    let by = || name(&fields.by);
    let of = fields.of;
    let (name, body) = match fields.r#type.as_str() {
        "message" | "file" => (concerned, read_message(&fields)),
        "edit" => {
            let text = fields.text.as_deref().and_then(text).filter(|_| !fields.deleted);
            (concerned, Body::Edit { of, text, cid: key(&fields.cid) })
        }
        "delete" => match by() {
            Some(by) => (by, Body::Delete { of, of_whom: Some(concerned) }),
            None => (concerned, Body::Delete { of, of_whom: None }),
        },
        "reaction" => {
            let emoji = fields.emoji.as_deref().and_then(Emoji::parse)?;
            (concerned, Body::Reaction { of, emoji, on: fields.on, quote: None })
        }
        "enter" => (concerned, Body::Enter),
        "part" => (concerned, Body::Part),
        "nick" => (concerned, Body::Nick { to: self::name(&fields.to)? }),
        "topic" => (by().unwrap_or(concerned), Body::Topic { text: fields.text.as_deref().and_then(line) }),
        "mode" => {
            let change = ModeChange::from_parts(&fields.change, fields.seconds, || Some(concerned.clone()))?;
            (by().unwrap_or(concerned), Body::Mode { change })
        }
        "kick" => {
            let reason = fields.reason.as_deref().and_then(line);
            (by().unwrap_or_else(|| concerned.clone()), Body::Kick { name: concerned, reason })
        }
        _ => return None,
    };
    let via = Via::parse(&fields.via).unwrap_or(Via::Web);
    Some(Event { id: fields.id, time_ms: fields.time, name, via, author: AuthorId(fields.author as u32), body })
}

fn read_message(fields: &Fields) -> Body {
    let kind = if fields.kind == "me" { Kind::Me } else { Kind::Say };
    let cid = key(&fields.cid);
    if fields.deleted {
        return Body::Deleted { kind, cid };
    }
    let file = fields.file.as_ref().and_then(read_file);
    let annotations = Annotations { reply_to: fields.reply_to, file, ..Annotations::default() }.boxed();
    let text = fields.text.as_deref().and_then(text).unwrap_or_else(Text::none);
    Body::Message { kind, text, cid, annotations }
}

fn read_file(fields: &FileFields) -> Option<SharedFile> {
    let dimensions = fields.width.zip(fields.height).map(|(width, height)| Dimensions { width, height });
    Some(SharedFile {
        id: FileId::parse(&fields.id)?,
        name: FileName::clean(&fields.name),
        size_bytes: fields.size,
        file_type: FileType::parse(&fields.r#type).unwrap_or(FileType::Other),
        dimensions,
    })
}

fn person(fields: &Fields) -> Option<Person> {
    let via = Via::parse(&fields.via).unwrap_or(Via::Web);
    Some(Person { name: name(&fields.name)?, via, is_operator: fields.op })
}

fn ban(fields: &Fields) -> Option<ListedBan> {
    Some(ListedBan { name: name(&fields.name)?, seconds: fields.seconds?, by: name(&fields.by)? })
}

/// A name as a server may have stored it; what is none is not shown.
fn name(field: &Option<String>) -> Option<Name> {
    Name::stored(field.as_deref()?)
}

fn text(typed: &str) -> Option<Text> {
    Text::clean(typed, usize::MAX).ok()
}

fn line(typed: &str) -> Option<Text> {
    Text::clean_line(typed).ok()
}

fn key(field: &Option<String>) -> Option<MessageKey> {
    MessageKey::parse(field.as_deref()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json;
    use crate::rooms::RoomCode;

    fn read_back(body: Body) {
        let name = Name::parse("ana").expect("a name");
        let event = Event { id: 7, time_ms: 1_700_000_000_000, name, via: Via::Line, author: AuthorId(3), body };
        let mut out = Vec::new();
        json::write_event(RoomCode::parse("KXQT").expect("a code"), &event, &mut out);
        let written = String::from_utf8(out).expect("UTF-8");
        let Some(ServerMessage::Happened { event: mut read, .. }) = ServerMessage::read(&written) else {
            panic!("no event: {written}");
        };
        // Not every event says how its author is connected.
        read.via = Via::Line;
        assert_eq!(read, event, "{written}");
    }

    #[test]
    fn what_the_server_writes_is_read_back() {
        let ben = || Name::parse("ben").expect("a name");
        let words = || Text::clean("two\nlines \"x\"", 100).expect("a text");
        let cid = || MessageKey::parse("c1");
        let id = FileId::parse("000000000000000000000000000000ab").expect("an id");
        let file_type = FileType::parse("image/png").expect("a type");
        let dimensions = Some(Dimensions { width: 3, height: 2 });
        let file = SharedFile { id, name: FileName::clean("a b.png"), size_bytes: 7, file_type, dimensions };
        let emoji = Emoji::parse("👍").expect("an emoji");
        let reply = Annotations { reply_to: Some(3), ..Annotations::default() }.boxed();
        let shared = Annotations { file: Some(file), ..Annotations::default() }.boxed();
        let topic = || Text::clean_line("slides").ok();
        for body in [
            Body::Message { kind: Kind::Say, text: words(), cid: cid(), annotations: None },
            Body::Message { kind: Kind::Me, text: words(), cid: None, annotations: reply },
            Body::Message { kind: Kind::Say, text: Text::none(), cid: None, annotations: shared },
            Body::Deleted { kind: Kind::Me, cid: cid() },
            Body::Edit { of: 3, text: Some(words()), cid: cid() },
            Body::Edit { of: 3, text: None, cid: None },
            Body::Delete { of: 3, of_whom: None },
            Body::Delete { of: 3, of_whom: Some(ben()) },
            Body::Reaction { of: 3, emoji: emoji.clone(), on: true, quote: None },
            Body::Reaction { of: 3, emoji, on: false, quote: None },
            Body::Enter,
            Body::Part,
            Body::Nick { to: ben() },
            Body::Topic { text: topic() },
            Body::Topic { text: None },
            Body::Kick { name: ben(), reason: topic() },
            Body::Mode { change: ModeChange::Op(ben()) },
            Body::Mode { change: ModeChange::Ban { name: ben(), seconds: 60 } },
            Body::Mode { change: ModeChange::Mute { name: ben(), seconds: None } },
            Body::Mode { change: ModeChange::Lock },
            Body::Mode { change: ModeChange::Slow { seconds: 10 } },
        ] {
            read_back(body);
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let read = |json| ServerMessage::read(json).expect("a message");
        assert!(matches!(read(r#"{"type":"ok","cid":"c1","id":3}"#), ServerMessage::AlreadySaid(cid) if cid == "c1"));
        assert!(
            matches!(read(r#"{"type":"ok","account":"ana"}"#), ServerMessage::Account(Some(name)) if name == "ana")
        );
        assert!(matches!(read(r#"{"type":"ok"}"#), ServerMessage::Account(None)));
        assert!(matches!(read(r#"{"type":"pong"}"#), ServerMessage::Pong));
        assert!(matches!(read(r#"{"type":"dance"}"#), ServerMessage::Other));
        assert!(ServerMessage::read("[]").is_none() && ServerMessage::read("no").is_none());
    }

    #[test]
    fn a_hostile_server_is_shown_harmless() {
        let refused = r#"{"type":"error","code":"x","message":"a\u001b[2Jb\nc\u202ed\u009be"}"#;
        let Some(ServerMessage::Refused(refused)) = ServerMessage::read(refused) else { panic!("no refusal") };
        assert_eq!(refused.sentence, "a[2Jb cde");
        let named = r#"{"type":"enter","id":1,"time":0,"author":1,"name":"a\u001b[2J","via":"web"}"#;
        assert!(matches!(ServerMessage::read(named), Some(ServerMessage::Other)));
    }

    proptest! {
        #[test]
        fn no_control_character_gets_through(typed in any::<String>()) {
            prop_assert!(!harmless(&typed).chars().any(char::is_control));
        }
    }
}
