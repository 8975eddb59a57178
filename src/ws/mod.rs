//! The WebSocket protocol: JSON messages in frames, pings, closing.
//!
//! It begins after the handshake, which is HTTP's. `frame` knows RFC 6455, `message` the contract, and `unreadable` what
//! is to be done with messages that are none.

pub mod frame;
mod message;
#[cfg(test)]
mod tests;
mod unreadable;

use tungstenite::protocol::frame::coding::{CloseCode, Control};

use crate::json::{self, RefusalCounts};
use crate::options::Limits;
use crate::rooms::{
    AccountDone, Body, Bucket, Command, Encoder, Event, Marks, MessageKey, Name, Rate, Refusal, Reply, RoomCode,
    RoomCommand, Rooms, Token,
};
use crate::session_api::{Flow, Input, Step, Upgrade};
use crate::time::Now;
use frame::{Assembler, Message, MessageLimits};
use message::{ClientMessage, MessageFault, Request};

/// A peer that is silent for this long is asked whether it is there.
const PING_AFTER_MS: u64 = 25_000;
/// A peer that is silent for this long is gone.
const GONE_AFTER_MS: u64 = 75_000;

/// A byte of a text may be six in JSON: `\u0061`.
const ESCAPED_BYTES: usize = 6;
/// No message below this is too big, so that somebody who pastes too much is told, not cut off.
const MIN_MESSAGE_LIMIT_BYTES: usize = 1 << 16;
/// Frames that one message may be made of.
const MAX_FRAGMENTS: u32 = 256;

/// A client that sends so many messages in a row that come too fast takes no notice of being refused: it is closed.
const MAX_HASTY_MESSAGES: u16 = 200;

/// Closing because the same member came in over another connection, or its session has ended elsewhere.
const TAKEN_OVER: u16 = 4001;
/// Closing because an operator has thrown the member out.
const KICKED: u16 = 4003;
/// Bytes of a reason in a close frame (RFC 6455 section 5.5: 125 with the code).
const MAX_REASON_BYTES: usize = 123;

/// What all WebSockets share.
#[derive(Debug)]
pub struct Context {
    limits: Limits,
    rate: Option<Rate>,
    message_limits: MessageLimits,
    /// What was refused before the rooms were asked.
    pub refusals: RefusalCounts,
}

impl Context {
    /// Derives the protocol's own limits from the rooms'.
    pub fn new(limits: &Limits) -> Context {
        Context {
            limits: limits.clone(),
            rate: Rate::new(limits.rate, 1000, limits.rate.saturating_mul(4)),
            message_limits: MessageLimits {
                bytes: MIN_MESSAGE_LIMIT_BYTES.max(ESCAPED_BYTES * limits.message_bytes + 1024),
                fragments: MAX_FRAGMENTS,
            },
            refusals: RefusalCounts::default(),
        }
    }
}

/// One WebSocket.
#[derive(Debug)]
pub struct Ws {
    assembler: Assembler,
    /// The sessions in the browser's cookie; needed for joining only.
    sessions: Box<[(RoomCode, Token)]>,
    messages: Bucket,
    received_at_ms: u64,
    pings_unanswered: u8,
    hasty_messages: u16,
}

impl Ws {
    /// A WebSocket whose handshake is done.
    pub fn new(upgrade: Upgrade, now: Now) -> Ws {
        Ws {
            assembler: Assembler::default(),
            sessions: upgrade.sessions.into(),
            messages: Bucket::default(),
            received_at_ms: now.steady_ms,
            pings_unanswered: 0,
            hasty_messages: 0,
        }
    }

    /// Takes the next message off the input.
    pub fn receive(&mut self, input: &mut Input<'_>, context: &Context, now: Now, outbox: &mut Vec<u8>) -> Step {
        self.received_at_ms = now.steady_ms;
        self.pings_unanswered = 0;
        loop {
            let message = match self.assembler.next(input, context.message_limits) {
                Ok(Some(message)) => message,
                Ok(None) => return Step::NeedInput,
                Err(fault) => return close(outbox, fault),
            };
            let step = match message {
                Message::TextInPlace { header_bytes, text_bytes } => {
                    let step = self.read_text(&input.rest()[header_bytes..][..text_bytes], context, now, outbox);
                    input.consume(header_bytes + text_bytes);
                    step
                }
                Message::Text(text) => self.read_text(&text, context, now, outbox),
                Message::Binary(payload) => self.pass_on(ClientMessage::binary(&payload), context, now, outbox),
                Message::Ping(payload) => {
                    frame::write_control(outbox, Control::Pong, &payload);
                    None
                }
                Message::Pong => None,
                Message::Close(payload) => {
                    frame::write_close_answer(outbox, &payload);
                    return Step::Close;
                }
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    fn read_text(&mut self, text: &[u8], context: &Context, now: Now, outbox: &mut Vec<u8>) -> Option<Step> {
        let Ok(text) = std::str::from_utf8(text) else {
            return Some(close(outbox, frame::FrameFault::Encoding));
        };
        let request = ClientMessage::read(text, &self.sessions, context.limits.message_bytes);
        self.pass_on(request, context, now, outbox)
    }

    /// Hands a request to the rooms; refuses it if it is none, or comes too soon.
    fn pass_on(
        &mut self,
        message: ClientMessage<'_>,
        context: &Context,
        now: Now,
        outbox: &mut Vec<u8>,
    ) -> Option<Step> {
        let ClientMessage { request, cid } = message;
        let cid = cid.as_deref();
        // Typing is not counted here: the rooms pass on few of them, and drop the others without an answer. A ping costs
        // no more than one of the protocol's own.
        let is_counted = !matches!(request, Ok(Request::Ping | Request::Command(Command::In(_, RoomCommand::Typing))));
        if let Some(rate) = context.rate.filter(|_| is_counted)
            && let Err(retry_ms) = self.messages.take(rate, now.steady_ms)
        {
            self.hasty_messages += 1;
            if self.hasty_messages > MAX_HASTY_MESSAGES {
                frame::write_close(outbox, CloseCode::Policy, "Too many messages.");
                return Some(Step::Fault);
            }
            let refusal = Refusal::RateLimited { retry_ms };
            context.refusals.count(json::error_code(&refusal));
            frame::write_text(outbox, |out| json::write_refusal(&refusal, cid, out));
            return None;
        }
        if is_counted {
            self.hasty_messages = 0;
        }
        match request {
            Ok(Request::Command(command)) => return Some(Step::Command(command)),
            Ok(Request::Ping) => frame::write_text(outbox, json::write_pong),
            Err(MessageFault { code, message }) => {
                context.refusals.count(code);
                frame::write_text(outbox, |out| json::write_error(code, &message, cid, None, out));
            }
        }
        None
    }

    /// Writes the rooms' answer.
    pub fn reply(&mut self, reply: Reply, rooms: &Rooms, context: &Context, outbox: &mut Vec<u8>) -> Flow {
        match reply {
            Reply::Joined { membership, token, last, events, gap, .. } => {
                let (room, limits) = (rooms.room(membership.room), &context.limits);
                if let Some(member) = room.member(membership.author) {
                    let joined = json::Joined { room, member, token, last, events: &events, gap, limits };
                    frame::write_text(outbox, |out| json::write_joined(&joined, out));
                }
            }
            Reply::Members { room, after } => {
                frame::write_text(outbox, |out| json::write_members(rooms.room(room), after, out));
            }
            Reply::Refused { refusal, cid, .. } => {
                frame::write_text(outbox, |out| {
                    json::write_refusal(&refusal, cid.as_ref().map(MessageKey::as_str), out)
                });
            }
            Reply::Bans { bans } => frame::write_text(outbox, |out| json::write_bans(&bans, out)),
            Reply::AlreadySaid { cid, id } => frame::write_text(outbox, |out| json::write_ok(&cid, id, out)),
            Reply::History { code, events, more } => {
                frame::write_text(outbox, |out| json::write_history(code, &events, more, out));
            }
            Reply::Found { code, events, before } => {
                frame::write_text(outbox, |out| json::write_found(code, &events, before, out));
            }
            Reply::Left { .. } => {
                frame::write_close(outbox, CloseCode::Normal, "You left.");
                return Flow::Close;
            }
            Reply::TakenOver { .. } => {
                frame::write_close(outbox, CloseCode::Library(TAKEN_OVER), "Taken over by another connection.");
                return Flow::Close;
            }
            Reply::PlaceLost { .. } => {
                frame::write_close(outbox, CloseCode::Away, "This server was cut off from the others; come back.");
                return Flow::Close;
            }
            Reply::SessionEnded { .. } => {
                let words = "The password was changed, or the account is gone.";
                frame::write_close(outbox, CloseCode::Library(TAKEN_OVER), words);
                return Flow::Close;
            }
            Reply::Account { done, name } => {
                let name = (done != AccountDone::Unregistered).then_some(&name);
                frame::write_text(outbox, |out| json::write_account(name, out));
            }
            Reply::Kicked { event, .. } => {
                frame::write_close(outbox, CloseCode::Library(KICKED), &kicked_words(&event));
                return Flow::Close;
            }
            // Answers to commands that no WebSocket gives.
            Reply::EncoderSwitched
            | Reply::Role { .. }
            | Reply::Created { .. }
            | Reply::Reserved { .. }
            | Reply::Visited { .. }
            | Reply::Described { .. }
            | Reply::Events { .. }
            | Reply::ShareAllowed
            | Reply::Shared { .. }
            | Reply::FileFound { .. }
            | Reply::Inspected => debug_assert!(false, "not an answer to a WebSocket: {reply:?}"),
        }
        Flow::Continue
    }

    /// When [`expire`](Self::expire) is to be called (`Now::steady_ms`).
    pub fn deadline_ms(&self) -> u64 {
        let pinged_until_ms = PING_AFTER_MS * (u64::from(self.pings_unanswered) + 1);
        self.received_at_ms + pinged_until_ms.min(GONE_AFTER_MS)
    }

    /// The peer takes what it is sent, after a while in which it could take no more: it is there.
    pub fn note_progress(&mut self, now: Now) {
        self.received_at_ms = now.steady_ms;
        self.pings_unanswered = 0;
    }

    /// The deadline has come: asks a silent peer whether it is there, or gives it up.
    pub fn expire(&mut self, now: Now, outbox: &mut Vec<u8>) -> Flow {
        if now.steady_ms >= self.received_at_ms + GONE_AFTER_MS {
            frame::write_close(outbox, CloseCode::Policy, "No sign of life.");
            return Flow::Close;
        }
        self.pings_unanswered += 1;
        frame::write_control(outbox, Control::Ping, &[]);
        Flow::Continue
    }

    /// Says that the server stops, and when to come back.
    pub fn say_goodbye(&self, retry_ms: u32, outbox: &mut Vec<u8>) {
        let words = format!("The server is stopping; come back in {retry_ms} ms.");
        frame::write_close(outbox, CloseCode::Away, &words);
    }

    /// Says that the peer reads too slowly to be sent everything: it comes back with `since`.
    pub fn say_too_slow(&self, outbox: &mut Vec<u8>) {
        frame::write_close(outbox, CloseCode::Policy, "You read too slowly.");
    }
}

/// What who was thrown out is told: as much of it as a close frame holds.
fn kicked_words(event: &Event) -> String {
    let mut words = format!("You were kicked by {}", event.name);
    if let Body::Kick { reason: Some(reason), .. } = &event.body {
        words.push_str(": ");
        words.push_str(reason.as_str());
    }
    let fits = |end: &usize| words.is_char_boundary(*end);
    let end = (0..=words.len().min(MAX_REASON_BYTES)).rev().find(fits).unwrap_or(0);
    words.truncate(end);
    words
}

/// Closes with the code for what the peer did wrong.
fn close(outbox: &mut Vec<u8>, fault: frame::FrameFault) -> Step {
    frame::write_close(outbox, fault.close_code(), "");
    Step::Fault
}

/// A room's events as WebSocket text frames.
#[derive(Debug)]
pub struct WebEncoder;

impl Encoder for WebEncoder {
    fn encode_event(&self, room: &RoomCode, event: &Event, out: &mut Vec<u8>) {
        frame::write_text(out, |out| json::write_event(*room, event, out));
    }

    fn encode_enter(&self, room: &RoomCode, event: &Event, marks: Marks, out: &mut Vec<u8>) {
        frame::write_text(out, |out| json::write_enter(*room, event, marks, out));
    }

    fn encode_typing(&self, _room: &RoomCode, name: &Name, out: &mut Vec<u8>) {
        frame::write_text(out, |out| json::write_typing(name, out));
    }
}
