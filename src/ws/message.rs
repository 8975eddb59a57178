//! What a client may send: one JSON object a text frame, read into a [`ClientMessage`].

use std::borrow::Cow;

use serde::Deserialize;

use super::unreadable;
use crate::json;
use crate::rooms::{
    AccountCommand, Command, Emoji, Epoch, Join, JoinTarget, Kind, MAX_KEY_BYTES, MAX_LINE_BYTES, MAX_SECONDS,
    MAX_SLOW_SECONDS, MessageKey, MessageRef, Moderation, Name, Password, PasswordFault, RoomCode, RoomCommand,
    RoomKey, RoomRef, Search, SearchQuery, Span, Text, TextFault, Token,
};

/// Events in an answer to `history` where the client does not say how many.
const HISTORY_EVENTS: usize = 50;
/// Events in such an answer at the most.
const MAX_HISTORY_EVENTS: usize = 200;

/// Why a message of a client is refused before the rooms see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageFault {
    /// The contract's error code.
    pub code: &'static str,
    /// A sentence for a person.
    pub message: Cow<'static, str>,
}

/// A client's message, read: what to do, and the client's own id for it.
#[derive(Debug)]
pub struct ClientMessage<'a> {
    /// What to do.
    pub request: Result<Request, MessageFault>,
    /// To be named in an error, also where it is no id that a message may have.
    pub cid: Option<Cow<'a, str>>,
}

/// What a client may want.
#[derive(PartialEq, Debug)]
pub enum Request {
    /// To be executed by the rooms.
    Command(Command),
    /// To hear that the server is there.
    Ping,
}

/// Every field that any message has. Unknown ones are ignored.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    r#type: Borrowed<'a>,
    #[serde(borrow)]
    room: Option<Borrowed<'a>>,
    #[serde(borrow)]
    name: Option<Borrowed<'a>>,
    #[serde(borrow)]
    token: Option<Borrowed<'a>>,
    #[serde(borrow)]
    epoch: Option<Borrowed<'a>>,
    #[serde(borrow)]
    text: Option<Borrowed<'a>>,
    #[serde(borrow)]
    cid: Option<Borrowed<'a>>,
    #[serde(borrow)]
    kind: Option<Borrowed<'a>>,
    since: Option<u64>,
    before: Option<u64>,
    limit: Option<u64>,
    create: Option<bool>,
    #[serde(borrow)]
    after: Option<Borrowed<'a>>,
    reply_to: Option<u64>,
    of: Option<u64>,
    #[serde(borrow)]
    emoji: Option<Borrowed<'a>>,
    on: Option<bool>,
    #[serde(borrow)]
    password: Option<Borrowed<'a>>,
    #[serde(borrow)]
    new: Option<Borrowed<'a>>,
    #[serde(borrow)]
    key: Option<Borrowed<'a>>,
    #[serde(borrow)]
    action: Option<Borrowed<'a>>,
    #[serde(borrow)]
    value: Option<Borrowed<'a>>,
    seconds: Option<u64>,
}

/// A string that is copied only if it has escapes.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> ClientMessage<'a> {
    /// Reads one message. `sessions` are those that the browser's cookie holds.
    pub fn read(json: &'a str, sessions: &[(RoomCode, Token)], message_limit_bytes: usize) -> ClientMessage<'a> {
        let error = match serde_json::from_str(json) {
            Ok(fields) => return ClientMessage::of(fields, sessions, message_limit_bytes),
            Err(error) => error,
        };
        let Some(whole) = unreadable::replace_lone_surrogates(json) else {
            return ClientMessage::unreadable(&error, json);
        };
        let message = match serde_json::from_str(&whole) {
            Ok(fields) => ClientMessage::of(fields, sessions, message_limit_bytes),
            Err(error) => ClientMessage::unreadable(&error, &whole),
        };
        message.into_owned()
    }

    /// A binary message: it cannot be read, whatever it holds.
    pub fn binary(payload: &'a [u8]) -> ClientMessage<'a> {
        let cid = std::str::from_utf8(payload).ok().and_then(unreadable::find_cid);
        ClientMessage { request: Err(bad_request("Messages are JSON in text frames.")), cid }
    }

    fn of(mut fields: Fields<'a>, sessions: &[(RoomCode, Token)], message_limit_bytes: usize) -> ClientMessage<'a> {
        let cid = fields.cid.take().map(|cid| cid.0);
        let request = read_request(&fields, cid.as_deref(), sessions, message_limit_bytes);
        ClientMessage { request, cid }
    }

    fn unreadable(error: &serde_json::Error, json: &'a str) -> ClientMessage<'a> {
        ClientMessage { request: Err(bad_request(reason(error))), cid: unreadable::find_cid(json) }
    }

    fn into_owned<'b>(self) -> ClientMessage<'b> {
        ClientMessage { request: self.request, cid: self.cid.map(|cid| Cow::Owned(cid.into_owned())) }
    }
}

fn read_request(
    fields: &Fields<'_>,
    cid: Option<&str>,
    sessions: &[(RoomCode, Token)],
    message_limit_bytes: usize,
) -> Result<Request, MessageFault> {
    let key = match cid.map(MessageKey::parse) {
        Some(None) => return Err(bad_request("\"cid\" has 1 to 64 bytes.")),
        key => key.flatten(),
    };
    let command = match &*fields.r#type.0 {
        "join" => read_join(fields, sessions)?,
        "message" => read_message(fields, key, message_limit_bytes)?,
        "edit" => {
            here(RoomCommand::Edit { of: read_of(fields)?, text: read_text(fields, message_limit_bytes)?, cid: key })
        }
        "delete" => here(RoomCommand::Delete { of: read_of(fields)?, cid: key }),
        "react" => here(RoomCommand::React {
            of: read_of(fields)?,
            emoji: read_emoji(fields)?,
            on: fields.on.unwrap_or(true),
            cid: key,
        }),
        "history" => here(RoomCommand::History(read_span(fields))),
        "search" => here(RoomCommand::Search(read_search(fields)?)),
        "who" => here(RoomCommand::Who { after: read_after(fields)? }),
        "typing" => here(RoomCommand::Typing),
        "nick" => here(RoomCommand::Nick(read_name(fields)?.ok_or_else(name_required)?)),
        "moderate" => here(RoomCommand::Moderate { readings: vec![read_moderation(fields)?], cid: key }),
        "bans" => here(RoomCommand::Bans),
        "leave" => here(RoomCommand::Leave),
        "register" | "login" | "password" | "unregister" => read_account_command(fields)?,
        "ping" => return Ok(Request::Ping),
        _ => return Err(bad_request("No message has this \"type\".")),
    };
    Ok(Request::Command(command))
}

/// A WebSocket is in one room.
fn here(command: RoomCommand) -> Command {
    Command::In(RoomRef::Only, command)
}

fn read_join(fields: &Fields<'_>, sessions: &[(RoomCode, Token)]) -> Result<Command, MessageFault> {
    let typed = text_of(&fields.room).map(str::trim).filter(|room| !room.is_empty());
    let typed = typed.ok_or(MessageFault { code: "room_required", message: "A room code is needed.".into() })?;
    let code = RoomCode::parse(typed)
        .ok_or(MessageFault { code: "no_such_room", message: "No room has such a code.".into() })?;
    let name = read_name(fields)?;
    let from_cookie = || sessions.iter().find(|(room, _)| *room == code).map(|&(_, token)| token);
    let token = text_of(&fields.token).and_then(Token::parse).or_else(from_cookie);
    let epoch = text_of(&fields.epoch).map(Epoch::parse);
    // An epoch that is none of ours is another epoch: nothing of it can be continued.
    let since = fields.since.map(|since| if epoch == Some(None) { u64::MAX } else { since });
    let target = if fields.create == Some(true) { JoinTarget::CodeOrNew(code) } else { JoinTarget::Code(code) };
    let (stays_elsewhere, keeps_name, epoch) = (false, false, epoch.flatten());
    let key = read_key(&fields.key)?;
    let join = Command::Join(Box::new(Join { target, stays_elsewhere, name, keeps_name, token, since, epoch, key }));
    match text_of(&fields.password).filter(|password| !password.is_empty()) {
        Some(typed) => Ok(Command::WithPassword(Box::new(join), Password::parse(typed).map_err(password_fault)?)),
        None => Ok(join),
    }
}

fn read_account_command(fields: &Fields<'_>) -> Result<Command, MessageFault> {
    type Read = fn(&str) -> Result<Password, PasswordFault>;
    let read = |field, parse: Read| parse(text_of(field).unwrap_or_default()).map_err(password_fault);
    let (name, field) = (read_name(fields)?, &fields.password);
    let command = match &*fields.r#type.0 {
        "register" => AccountCommand::Register { name, password: read(field, Password::parse_new)? },
        "login" => AccountCommand::Login { name, password: read(field, Password::parse)? },
        "password" => {
            let password = read(field, Password::parse)?;
            AccountCommand::ChangePassword { password, new: read(&fields.new, Password::parse_new)? }
        }
        _ => AccountCommand::Unregister { password: read(field, Password::parse)? },
    };
    Ok(Command::Account(Box::new(command)))
}

fn password_fault(fault: PasswordFault) -> MessageFault {
    bad_request(fault.to_string())
}

/// A room's key, if one is given that is not blank.
fn read_key(field: &Option<Borrowed<'_>>) -> Result<Option<RoomKey>, MessageFault> {
    let Some(typed) = text_of(field).filter(|key| !key.trim().is_empty()) else { return Ok(None) };
    let too_long = || bad_request(format!("A room's key has at most {MAX_KEY_BYTES} bytes."));
    RoomKey::parse(typed).map(Some).ok_or_else(too_long)
}

/// What an operator asks for.
fn read_moderation(fields: &Fields<'_>) -> Result<Moderation, MessageFault> {
    let action = text_of(&fields.action).ok_or_else(|| bad_request("\"moderate\" has an \"action\"."))?;
    let name = || read_name(fields)?.ok_or_else(name_required);
    let seconds = fields.seconds.map(|seconds| seconds.min(MAX_SECONDS));
    Ok(match action {
        "op" => Moderation::Op(name()?),
        "deop" => Moderation::Deop(name()?),
        "kick" => Moderation::Kick { name: name()?, reason: read_line(&fields.value)? },
        "ban" => Moderation::Ban { name: name()?, seconds, reason: read_line(&fields.value)? },
        "unban" => Moderation::Unban(name()?),
        "mute" => Moderation::Mute { name: name()?, seconds },
        "unmute" => Moderation::Unmute(name()?),
        "lock" => Moderation::Lock,
        "unlock" => Moderation::Unlock,
        "key" => Moderation::Key(read_key(&fields.value)?),
        "topic" => Moderation::Topic(read_line(&fields.value)?),
        "slow" => match seconds.unwrap_or(0) {
            seconds @ 0..=MAX_SLOW_SECONDS => Moderation::Slow { seconds: seconds as u32 },
            _ => return Err(bad_request("Slow mode lets each say one thing in a day at the least.")),
        },
        _ => return Err(bad_request("No \"action\" is called so.")),
    })
}

/// A topic or a reason: one line, if it is not blank.
fn read_line(field: &Option<Borrowed<'_>>) -> Result<Option<Text>, MessageFault> {
    let Some(typed) = text_of(field) else { return Ok(None) };
    match Text::clean_line(typed) {
        Ok(text) => Ok(Some(text)),
        Err(TextFault::Empty) => Ok(None),
        Err(TextFault::TooLong) => {
            let message = format!("A topic or a reason has at most {MAX_LINE_BYTES} bytes.").into();
            Err(MessageFault { code: "text_too_long", message })
        }
    }
}

fn read_message(fields: &Fields<'_>, cid: Option<MessageKey>, limit_bytes: usize) -> Result<Command, MessageFault> {
    let kind = match text_of(&fields.kind) {
        None | Some("say") => Kind::Say,
        Some("me") => Kind::Me,
        Some(_) => return Err(bad_request("\"kind\" is \"say\" or \"me\".")),
    };
    let text = read_text(fields, limit_bytes)?;
    let reply_to = fields.reply_to.map(MessageRef::Id);
    Ok(here(RoomCommand::Say { kind, text, cid, reply_to }))
}

fn read_text(fields: &Fields<'_>, limit_bytes: usize) -> Result<Text, MessageFault> {
    let typed = text_of(&fields.text).ok_or_else(|| bad_request("A message has a \"text\"."))?;
    Text::clean(typed, limit_bytes).map_err(|fault| match fault {
        TextFault::Empty => MessageFault { code: "text_empty", message: "There is nothing in this message.".into() },
        TextFault::TooLong => MessageFault {
            code: "text_too_long",
            message: format!("A message has at most {limit_bytes} bytes.").into(),
        },
    })
}

/// The message that is to be changed.
fn read_of(fields: &Fields<'_>) -> Result<MessageRef, MessageFault> {
    fields.of.map(MessageRef::Id).ok_or_else(|| bad_request("Which message? Its \"id\" is given as \"of\"."))
}

fn read_emoji(fields: &Fields<'_>) -> Result<Emoji, MessageFault> {
    text_of(&fields.emoji).and_then(Emoji::parse).ok_or_else(|| bad_request("\"emoji\" is one emoji."))
}

fn read_span(fields: &Fields<'_>) -> Span {
    let limit = fields.limit.map_or(HISTORY_EVENTS, |limit| limit.clamp(1, MAX_HISTORY_EVENTS as u64) as usize);
    Span { since: None, before: fields.before, limit }
}

fn read_search(fields: &Fields<'_>) -> Result<Search, MessageFault> {
    let typed = text_of(&fields.text).ok_or_else(|| bad_request("A search has a \"text\"."))?;
    let query = SearchQuery::parse(typed)
        .map_err(|fault| MessageFault { code: json::search_fault_code(fault), message: fault.to_string().into() })?;
    Ok(Search { query, span: read_span(fields) })
}

/// The name, if one is given that is not blank.
fn read_name(fields: &Fields<'_>) -> Result<Option<Name>, MessageFault> {
    parse_name(&fields.name)
}

/// The last member that is known.
fn read_after(fields: &Fields<'_>) -> Result<Option<Name>, MessageFault> {
    parse_name(&fields.after)
}

fn parse_name(field: &Option<Borrowed<'_>>) -> Result<Option<Name>, MessageFault> {
    let Some(typed) = text_of(field).filter(|name| !name.trim().is_empty()) else { return Ok(None) };
    let invalid =
        MessageFault { code: "name_invalid", message: "A name has 1 to 32 characters, none of them invisible.".into() };
    Name::parse(typed).map(Some).ok_or(invalid)
}

fn name_required() -> MessageFault {
    MessageFault { code: "name_required", message: "A name is needed.".into() }
}

/// A fault in the form of a message.
fn bad_request(message: impl Into<Cow<'static, str>>) -> MessageFault {
    MessageFault { code: "bad_request", message: message.into() }
}

fn reason(error: &serde_json::Error) -> Cow<'static, str> {
    match error.classify() {
        // serde's words for this name the field, but could quote what the client sent: it is its own.
        serde_json::error::Category::Data => format!("Not a message: {error}.").into(),
        _ => "A message is one JSON object.".into(),
    }
}

fn text_of<'a>(field: &'a Option<Borrowed<'_>>) -> Option<&'a str> {
    field.as_ref().map(|field| &*field.0)
}

#[cfg(test)]
mod tests;
