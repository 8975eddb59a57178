//! The contract's JSON objects: what WebSockets, `/json` terminals and the HTTP API are sent.
//!
//! Only writing lives here; what clients send is read by the protocol that receives it.

mod error_code;
mod object;

pub use error_code::{ERROR_CODES, RefusalCounts, error_code, search_fault_code};
pub use object::Object;

use crate::options::Limits;
use crate::rooms::{
    Annotations, AuthorId, Body, Event, ListedBan, MAX_OPERATORS, Marks, Member, MessageKey, Name, Reactions, Refusal,
    Room, RoomCode, SharedFile, Text, Token,
};

/// Appends an event of the room with this code.
pub fn write_event(code: RoomCode, event: &Event, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    add_event(code, event, &mut object);
    object.end();
}

/// Appends that somebody comes in, with the marks by which the others know it.
pub fn write_enter(code: RoomCode, event: &Event, marks: Marks, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    add_event(code, event, &mut object);
    add_marks(marks, &mut object);
    object.end();
}

/// Appends that somebody types.
pub fn write_typing(name: &Name, out: &mut Vec<u8>) {
    Object::begin(out).word("type", "typing").text("name", name.as_str()).end();
}

/// Appends the answer to a join: the room as the new member finds it.
pub fn write_joined(joined: &Joined<'_>, out: &mut Vec<u8>) {
    let Joined { room, member, token, last, events, gap, limits } = *joined;
    let mut object = Object::begin(out);
    object
        .word("type", "joined")
        .text("room", room.code().as_str())
        .text("name", member.name().as_str())
        .number("author", member.author().0.into())
        .text("token", &token.to_string())
        .text("epoch", &room.epoch().to_string())
        .number("last", last);
    let rules = room.rules();
    object.text_if("topic", rules.topic.as_ref().map(Text::as_str)).object("modes", |modes| {
        modes.flag("locked", rules.is_locked).flag("key", rules.key.is_some());
        modes.number("slow", rules.slow_seconds.into());
    });
    add_members(room, told_at_first(room, member), |member| room.is_operator(member.author()), &mut object);
    object.number("count", room.member_count() as u64);
    add_events(room.code(), events, &mut object);
    object
        .flag("gap", gap)
        .object("limits", |rules| {
            rules.number("message", limits.message_bytes as u64).number("rate", limits.rate.into());
            rules.number("file", limits.file_bytes);
        })
        .end();
}

/// Members that are told at once, at the most: the others are asked for.
pub const MAX_MEMBERS: usize = 200;

// So the last one who is told at first is no operator, and others are found in the places after it.
const _: () = assert!(MAX_OPERATORS < MAX_MEMBERS - 1);

/// Those who are told to a new member: itself, the operators, others.
pub fn told_at_first<'r>(room: &'r Room, member: &'r Member) -> impl Iterator<Item = &'r Member> {
    let is_other = move |other: &&Member| other.author() != member.author();
    let operators = room.operators().filter_map(|author| room.member(author));
    let operators = operators.filter(|operator| operator.is_present()).filter(is_other);
    let others = room.members().filter(|other| !room.is_operator(other.author())).filter(is_other);
    std::iter::once(member).chain(operators).chain(others).take(MAX_MEMBERS)
}

/// What [`write_joined`] tells a new member.
#[derive(Clone, Copy)]
pub struct Joined<'a> {
    /// The room.
    pub room: &'a Room,
    /// As whom it was entered.
    pub member: &'a Member,
    /// The secret by which the member comes back.
    pub token: Token,
    /// The id of the room's last event.
    pub last: u64,
    /// The events that the client does not have yet.
    pub events: &'a [Event],
    /// Events before those are to be fetched, or gone.
    pub gap: bool,
    /// The limits, some of which the client is told.
    pub limits: &'a Limits,
}

/// Appends older events.
pub fn write_history(code: RoomCode, events: &[Event], more: bool, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.word("type", "history");
    add_events(code, events, &mut object);
    object.flag("more", more).end();
}

/// Appends what a search has found. `before`: where to go on, if there may be more.
pub fn write_found(code: RoomCode, events: &[Event], before: Option<u64>, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.word("type", "search");
    add_events(code, events, &mut object);
    object.flag("more", before.is_some()).number_if("before", before).end();
}

/// Appends the same as the API gives it.
pub fn write_found_events(code: RoomCode, events: &[Event], before: Option<u64>, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    add_events(code, events, &mut object);
    object.flag("more", before.is_some()).number_if("before", before).end();
}

/// Appends events as the API gives them: no message, so without a type.
pub fn write_events(code: RoomCode, events: &[Event], more: bool, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    add_events(code, events, &mut object);
    object.flag("more", more).end();
}

/// Appends a room as the API gives it.
pub fn write_room(room: &Room, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.text("room", room.code().as_str());
    // Not who keeps order: that is told to members.
    add_members(room, room.members(), |_| false, &mut object);
    object.number("last", room.last_id()).end();
}

/// Appends a new room's code as the API gives it.
pub fn write_created(code: RoomCode, out: &mut Vec<u8>) {
    Object::begin(out).text("room", code.as_str()).end();
}

/// Appends who is in a room: those in the places after `after`, if it is given.
pub fn write_members(room: &Room, after: Option<AuthorId>, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.word("type", "members");
    let listed: Vec<&Member> = match after {
        Some(author) => room.members_after(author).take(MAX_MEMBERS + 1).collect(),
        None => room.members().take(MAX_MEMBERS + 1).collect(),
    };
    let listed_at_once = listed.iter().take(MAX_MEMBERS).copied();
    add_members(room, listed_at_once, |member| room.is_operator(member.author()), &mut object);
    object.number("count", room.member_count() as u64).flag("more", listed.len() > MAX_MEMBERS).end();
}

/// Appends who is kept out of a room.
pub fn write_bans(bans: &[ListedBan], out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.word("type", "bans").objects("bans", bans.iter(), |ban, object| {
        object.text("name", ban.name.as_str()).number("seconds", ban.seconds).text("by", ban.by.as_str());
    });
    object.end();
}

/// Appends the answer to a message that had been said already, as `id`.
pub fn write_ok(cid: &MessageKey, id: u64, out: &mut Vec<u8>) {
    Object::begin(out).word("type", "ok").text("cid", cid.as_str()).number("id", id).end();
}

/// Appends that something asked of an account is done; `name` is whose it is from here on, if anybody's.
pub fn write_account(name: Option<&Name>, out: &mut Vec<u8>) {
    Object::begin(out).word("type", "ok").text_if("account", name.map(Name::as_str)).end();
}

/// Appends the answer to a ping.
pub fn write_pong(out: &mut Vec<u8>) {
    Object::begin(out).word("type", "pong").end();
}

/// Appends an error; `message` is for a person.
pub fn write_error(code: &'static str, message: &str, cid: Option<&str>, retry_ms: Option<u64>, out: &mut Vec<u8>) {
    Object::begin(out)
        .word("type", "error")
        .word("code", code)
        .text("message", message)
        .text_if("cid", cid)
        .number_if("retry_ms", retry_ms)
        .end();
}

/// Appends a refusal of the rooms.
pub fn write_refusal(refusal: &Refusal, cid: Option<&str>, out: &mut Vec<u8>) {
    write_error(error_code(refusal), &refusal.to_string(), cid, refusal.retry_ms(), out);
}

fn add_event(code: RoomCode, event: &Event, object: &mut Object<'_>) {
    let r#type = match event.body {
        Body::Message { .. } if event.body.file().is_some() => "file",
        Body::Message { .. } | Body::Deleted { .. } => "message",
        Body::Edit { .. } => "edit",
        Body::Delete { .. } => "delete",
        Body::Reaction { .. } => "reaction",
        Body::Enter => "enter",
        Body::Part => "part",
        Body::Nick { .. } => "nick",
        Body::Topic { .. } => "topic",
        Body::Mode { .. } => "mode",
        Body::Kick { .. } => "kick",
    };
    // The one whom it concerns: mostly the one who did it.
    let name = match &event.body {
        Body::Mode { change } => change.name().unwrap_or(&event.name),
        Body::Kick { name, .. } => name,
        _ => &event.name,
    };
    object.word("type", r#type).number("id", event.id).number("time", event.time_ms);
    object.number("author", event.author.0.into());
    match &event.body {
        // It says whose message it was, and who deleted it.
        Body::Delete { of_whom: Some(whom), .. } => object.text("name", whom.as_str()).text("by", event.name.as_str()),
        _ => object.text("name", name.as_str()),
    };
    match &event.body {
        Body::Message { kind, text, cid, annotations } => {
            object.word("via", event.via.as_str()).word("kind", kind.as_str());
            let file = event.body.file();
            object.text_if("text", Some(text.as_str()).filter(|text| file.is_none() || !text.is_empty()));
            if let Some(file) = file {
                add_file(code, file, object);
            }
            object.text_if("cid", cid.as_ref().map(MessageKey::as_str));
            if let Some(annotations) = annotations {
                add_annotations(annotations, object);
            }
        }
        Body::Deleted { kind, cid } => {
            object.word("via", event.via.as_str()).word("kind", kind.as_str()).text("text", "");
            object.text_if("cid", cid.as_ref().map(MessageKey::as_str)).flag("deleted", true);
        }
        Body::Edit { of, text, cid } => {
            object.number("of", *of).text("text", text.as_ref().map_or("", Text::as_str));
            object.text_if("cid", cid.as_ref().map(MessageKey::as_str));
            if text.is_none() {
                object.flag("deleted", true);
            }
        }
        Body::Delete { of, .. } => {
            object.number("of", *of);
        }
        Body::Reaction { of, emoji, on, .. } => {
            object.number("of", *of).text("emoji", emoji.as_str()).flag("on", *on);
        }
        Body::Enter | Body::Part => {
            object.word("via", event.via.as_str());
        }
        Body::Nick { to } => {
            object.text("to", to.as_str());
        }
        Body::Topic { text } => {
            object.text("by", event.name.as_str()).text_if("text", text.as_ref().map(Text::as_str));
        }
        Body::Mode { change } => {
            object.text("by", event.name.as_str()).word("change", change.as_str());
            object.number_if("seconds", change.seconds());
        }
        Body::Kick { reason, .. } => {
            object.text("by", event.name.as_str()).text_if("reason", reason.as_ref().map(Text::as_str));
        }
    }
}

/// Appends the API's answer to a file that was shared as this event.
pub fn write_shared(code: RoomCode, file: &SharedFile, id: u64, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    add_file(code, file, &mut object);
    object.number("id", id).end();
}

fn add_file(code: RoomCode, file: &SharedFile, object: &mut Object<'_>) {
    object.object("file", |object| {
        let SharedFile { id, name, size_bytes, file_type, dimensions } = file;
        object.text("id", &id.to_string()).text("name", name.as_str()).number("size", *size_bytes);
        object.word("type", file_type.as_str());
        object.number_if("width", dimensions.map(|dimensions| dimensions.width.into()));
        object.number_if("height", dimensions.map(|dimensions| dimensions.height.into()));
        object.text("url", &file.path(code));
    });
}

/// Members that are named of those who react with one emoji; the others are counted.
const MAX_REACTING: usize = 20;

fn add_annotations(annotations: &Annotations, object: &mut Object<'_>) {
    let Annotations { reply_to, is_edited, reactions, .. } = annotations;
    object.number_if("reply_to", *reply_to);
    if *is_edited {
        object.flag("edited", true);
    }
    if !reactions.is_empty() {
        object.objects("reactions", reactions.iter(), |Reactions { emoji, members }, object| {
            let names = members.iter().take(MAX_REACTING).map(|(_, name)| name.as_str());
            object.text("emoji", emoji.as_str()).texts("names", names).number("count", members.len() as u64);
        });
    }
}

fn add_events(code: RoomCode, events: &[Event], object: &mut Object<'_>) {
    object.objects("events", events.iter(), |event, object| add_event(code, event, object));
}

fn add_members<'m>(
    room: &Room,
    members: impl Iterator<Item = &'m Member>,
    is_operator: impl Fn(&Member) -> bool,
    object: &mut Object<'_>,
) {
    object.objects("members", members, |member, object| {
        object.text("name", member.name().as_str()).word("via", member.via().as_str());
        let marks = Marks { has_account: room.has_account(member.author()), is_operator: is_operator(member) };
        add_marks(marks, object);
    });
}

fn add_marks(Marks { has_account, is_operator }: Marks, object: &mut Object<'_>) {
    if has_account {
        object.flag("account", true);
    }
    if is_operator {
        object.flag("op", true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::{Dimensions, Emoji, FileId, FileName, FileType, Kind, Via};

    fn event(body: Body) -> Event {
        let name = Name::parse("a\"na").expect("a name");
        Event { id: 7, time_ms: 1_700_000_000_000, name, via: Via::Line, author: AuthorId(1), body }
    }

    fn written(body: Body) -> String {
        let mut out = Vec::new();
        write_event(RoomCode::parse("KXQT").expect("a code"), &event(body), &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn events_have_the_contracts_fields() {
        let text = Text::clean("<b>\"hi\"</b>\n\\", 100).expect("text");
        let cid = MessageKey::parse("c1");
        assert_eq!(
            written(Body::Message { kind: Kind::Me, text, cid, annotations: None }),
            r#"{"type":"message","id":7,"time":1700000000000,"author":1,"name":"a\"na","via":"line","kind":"me","text":"<b>\"hi\"</b>\n\\","cid":"c1"}"#
        );
        assert_eq!(
            written(Body::Enter),
            r#"{"type":"enter","id":7,"time":1700000000000,"author":1,"name":"a\"na","via":"line"}"#
        );
        let mut out = Vec::new();
        let code = RoomCode::parse("KXQT").expect("a code");
        write_enter(code, &event(Body::Enter), Marks { has_account: true, is_operator: true }, &mut out);
        assert!(out.ends_with(br#""via":"line","account":true,"op":true}"#));
        let to = Name::parse("ben").expect("a name");
        assert_eq!(
            written(Body::Nick { to }),
            r#"{"type":"nick","id":7,"time":1700000000000,"author":1,"name":"a\"na","to":"ben"}"#
        );
    }

    #[test]
    fn files_have_the_contracts_fields() {
        let id = FileId::parse("000000000000000000000000000000ab").expect("an id");
        let dimensions = Some(Dimensions { width: 3, height: 2 });
        let name = FileName::clean("a \"b\".png");
        let file = SharedFile { id, name, size_bytes: 7, file_type: FileType::Png, dimensions };
        let shared = |file: SharedFile, text: &str| {
            let text = Text::clean(text, 100).unwrap_or_else(|_| Text::none());
            let annotations = Annotations { file: Some(file), ..Annotations::default() }.boxed();
            written(Body::Message { kind: Kind::Say, text, cid: MessageKey::parse("c1"), annotations })
        };
        let head = r#"{"type":"file","id":7,"time":1700000000000,"author":1,"name":"a\"na","via":"line","kind":"say","#;
        let told = r#""file":{"id":"000000000000000000000000000000ab","name":"a _b_.png","size":7,"type":"image/png","width":3,"height":2,"url":"/KXQT/files/000000000000000000000000000000ab/a%20_b_.png"},"cid":"c1"}"#;
        assert_eq!(shared(file.clone(), ""), format!("{head}{told}"));
        assert_eq!(shared(file, "look"), format!(r#"{head}"text":"look",{told}"#));
    }

    #[test]
    fn what_became_of_a_message_has_the_contracts_fields() {
        let (name, text) = (|name: &str| Name::parse(name).expect("a name"), Text::clean("hi", 100).expect("text"));
        let emoji = Emoji::parse("👍").expect("an emoji");
        let members: Vec<_> = (0..21).map(|number| (AuthorId(number), name(&format!("m{number}")))).collect();
        let reactions = vec![Reactions { emoji: emoji.clone(), members }];
        let annotations =
            Annotations { reply_to: Some(3), quote: None, is_edited: true, reactions, file: None }.boxed();
        let message: serde_json::Value = serde_json::from_str(&written(Body::Message {
            kind: Kind::Say,
            text: text.clone(),
            cid: None,
            annotations,
        }))
        .expect("JSON");
        assert_eq!((&message["reply_to"], &message["edited"]), (&3.into(), &true.into()));
        let reactions = &message["reactions"][0];
        assert_eq!((&reactions["emoji"], &reactions["count"]), (&"👍".into(), &21.into()));
        assert_eq!((&reactions["names"][19], &reactions["names"][20]), (&"m19".into(), &serde_json::Value::Null));
        let head = |r#type| format!(r#"{{"type":"{type}","id":7,"time":1700000000000,"author":1,"#);
        for (body, r#type, expected) in [
            (
                Body::Deleted { kind: Kind::Me, cid: MessageKey::parse("c1") },
                "message",
                r#""name":"a\"na","via":"line","kind":"me","text":"","cid":"c1","deleted":true}"#,
            ),
            (Body::Edit { of: 3, text: Some(text), cid: None }, "edit", r#""name":"a\"na","of":3,"text":"hi"}"#),
            (Body::Edit { of: 3, text: None, cid: None }, "edit", r#""name":"a\"na","of":3,"text":"","deleted":true}"#),
            (Body::Delete { of: 3, of_whom: None }, "delete", r#""name":"a\"na","of":3}"#),
            (Body::Delete { of: 3, of_whom: Some(name("ben")) }, "delete", r#""name":"ben","by":"a\"na","of":3}"#),
            (
                Body::Reaction { of: 3, emoji, on: false, quote: None },
                "reaction",
                r#""name":"a\"na","of":3,"emoji":"👍","on":false}"#,
            ),
        ] {
            assert_eq!(written(body), format!("{}{expected}", head(r#type)));
        }
    }

    #[test]
    fn an_error_says_what_it_knows() {
        let mut out = Vec::new();
        write_error("rate_limited", "Too often.", Some("c1"), Some(200), &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            r#"{"type":"error","code":"rate_limited","message":"Too often.","cid":"c1","retry_ms":200}"#
        );
    }
}
