//! The contract's JSON objects: what WebSockets, `/json` terminals and the HTTP API are sent.
//!
//! Only writing lives here; what clients send is read by the protocol that receives it.

use serde::Serialize;

use crate::options::Limits;
use crate::rooms::{Body, ClientId, Event, Kind, Member, Name, Refusal, Room, RoomCode, Text, Via};

/// Appends a room's event.
pub fn write_event(event: &Event, out: &mut Vec<u8>) {
    write(&EventObject::from(event), out);
}

/// Appends the news that somebody types.
pub fn write_typing(name: &Name, out: &mut Vec<u8>) {
    write(&Typing { r#type: "typing", name }, out);
}

/// Appends the answer to a join: the room as the new member finds it.
pub fn write_joined(joined: &Joined<'_>, out: &mut Vec<u8>) {
    let Joined { room, member, last, events, gap, limits } = *joined;
    let object = JoinedObject {
        r#type: "joined",
        room: room.code(),
        name: member.name(),
        token: member.token().to_string(),
        epoch: room.epoch().to_string(),
        last,
        members: Members(room),
        events: Events(events),
        gap,
        limits: LimitsObject { message: limits.message_bytes, rate: limits.rate },
    };
    write(&object, out);
}

/// What [`write_joined`] tells a new member.
#[derive(Clone, Copy)]
pub struct Joined<'a> {
    /// The room.
    pub room: &'a Room,
    /// As whom it was entered.
    pub member: &'a Member,
    /// The id of the room's last event.
    pub last: u64,
    /// The events that the client does not have yet.
    pub events: &'a [Event],
    /// Events before those are gone.
    pub gap: bool,
    /// The rules that the client does well to know.
    pub limits: &'a Limits,
}

/// Appends older events.
pub fn write_history(events: &[Event], more: bool, out: &mut Vec<u8>) {
    write(&History { r#type: Some("history"), events: Events(events), more }, out);
}

/// Appends events as the API gives them: no message, so without a type.
pub fn write_events(events: &[Event], more: bool, out: &mut Vec<u8>) {
    write(&History { r#type: None, events: Events(events), more }, out);
}

/// Appends a room as the API gives it.
pub fn write_room(room: &Room, out: &mut Vec<u8>) {
    let object = RoomObject { room: room.code(), members: Some(Members(room)), last: Some(room.last_id()) };
    write(&object, out);
}

/// Appends a new room's code as the API gives it.
pub fn write_created(code: RoomCode, out: &mut Vec<u8>) {
    write(&RoomObject { room: code, members: None, last: None }, out);
}

/// Appends who is in a room.
pub fn write_members(room: &Room, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct MembersObject<'a> {
        r#type: &'static str,
        members: Members<'a>,
    }
    write(&MembersObject { r#type: "members", members: Members(room) }, out);
}

/// Appends the answer to a message that had been said already, as `id`.
pub fn write_ok(cid: &ClientId, id: u64, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Ok<'a> {
        r#type: &'static str,
        cid: &'a ClientId,
        id: u64,
    }
    write(&Ok { r#type: "ok", cid, id }, out);
}

/// Appends an error; `message` is for a person.
pub fn write_error(code: &str, message: &str, cid: Option<&str>, retry_ms: Option<u64>, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Error<'a> {
        r#type: &'static str,
        code: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cid: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_ms: Option<u64>,
    }
    write(&Error { r#type: "error", code, message, cid, retry_ms }, out);
}

/// Appends a refusal of the rooms.
pub fn write_refusal(refusal: &Refusal, cid: Option<&ClientId>, out: &mut Vec<u8>) {
    let retry_ms = match refusal {
        Refusal::RateLimited { retry_ms } => Some(*retry_ms),
        _ => None,
    };
    write_error(error_code(refusal), &refusal.to_string(), cid.map(ClientId::as_str), retry_ms, out);
}

/// The contract's word for a refusal.
pub fn error_code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotJoined => "not_joined",
        Refusal::NameRequired => "name_required",
        Refusal::NameTaken { .. } => "name_taken",
        Refusal::NoSuchRoom { .. } => "no_such_room",
        Refusal::RoomFull { .. } => "room_full",
        Refusal::RateLimited { .. } => "rate_limited",
        Refusal::StorageFailed => "storage_failed",
    }
}

fn write(object: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, object).expect("our own objects always serialise into memory");
}

#[derive(Serialize)]
struct EventObject<'a> {
    r#type: &'static str,
    id: u64,
    time: u64,
    name: &'a Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<Via>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<&'a ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a Name>,
}

impl<'a> From<&'a Event> for EventObject<'a> {
    fn from(event: &'a Event) -> EventObject<'a> {
        let plain = EventObject {
            r#type: "",
            id: event.id,
            time: event.time_ms,
            name: &event.name,
            via: Some(event.via),
            kind: None,
            text: None,
            cid: None,
            to: None,
        };
        match &event.body {
            Body::Message { kind, text, cid } => {
                EventObject { r#type: "message", kind: Some(*kind), text: Some(text), cid: cid.as_ref(), ..plain }
            }
            Body::Enter => EventObject { r#type: "enter", ..plain },
            Body::Part => EventObject { r#type: "part", ..plain },
            Body::Nick { to } => EventObject { r#type: "nick", via: None, to: Some(to), ..plain },
        }
    }
}

#[derive(Serialize)]
struct Typing<'a> {
    r#type: &'static str,
    name: &'a Name,
}

#[derive(Serialize)]
struct JoinedObject<'a> {
    r#type: &'static str,
    room: RoomCode,
    name: &'a Name,
    token: String,
    epoch: String,
    last: u64,
    members: Members<'a>,
    events: Events<'a>,
    gap: bool,
    limits: LimitsObject,
}

#[derive(Serialize)]
struct LimitsObject {
    message: usize,
    rate: u32,
}

#[derive(Serialize)]
struct History<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    events: Events<'a>,
    more: bool,
}

#[derive(Serialize)]
struct RoomObject<'a> {
    room: RoomCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Members<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
}

struct Members<'a>(&'a Room);

impl Serialize for Members<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct MemberObject<'a> {
            name: &'a Name,
            via: Via,
        }
        let members = self.0.members().map(|member| MemberObject { name: member.name(), via: member.via() });
        serializer.collect_seq(members)
    }
}

struct Events<'a>(&'a [Event]);

impl Serialize for Events<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(EventObject::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::AuthorId;

    fn event(body: Body) -> Event {
        let name = Name::parse("a\"na").expect("a name");
        Event { id: 7, time_ms: 1_700_000_000_000, name, via: Via::Line, author: AuthorId(1), body }
    }

    fn written(body: Body) -> String {
        let mut out = Vec::new();
        write_event(&event(body), &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn events_have_the_contracts_fields() {
        let text = Text::clean("<b>\"hi\"</b>\n\\", 100).expect("text");
        let cid = ClientId::parse("c1");
        assert_eq!(
            written(Body::Message { kind: Kind::Me, text, cid }),
            r#"{"type":"message","id":7,"time":1700000000000,"name":"a\"na","via":"line","kind":"me","text":"<b>\"hi\"</b>\n\\","cid":"c1"}"#
        );
        assert_eq!(written(Body::Enter), r#"{"type":"enter","id":7,"time":1700000000000,"name":"a\"na","via":"line"}"#);
        let to = Name::parse("ben").expect("a name");
        assert_eq!(
            written(Body::Nick { to }),
            r#"{"type":"nick","id":7,"time":1700000000000,"name":"a\"na","to":"ben"}"#
        );
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
