//! One terminal's conversation: what is asked, what is answered, and what is left to the rooms.

mod prompts;

use core::net::IpAddr;

use prompts::{PROMPT_TIMEOUT_MS, Unjoined, ends_asking};

use super::command::{self, CommandFault, TypedCommand};
use super::editor::{LineEditor, Typed};
use super::encoder::Place;
use super::output_format::OutputFormat;
use super::{Context, help, opening, pace};
use crate::json;
use crate::rooms::{
    AccountCommand, AccountDone, Body, Bucket, Command, EncoderId, Kind, Membership, MessageRef, Reply, RoomCommand,
    RoomRef, Rooms, Search, Span, Text, TextFault, Token,
};
use crate::session_api::{Flow, Input, Step};
use crate::time::Now;

/// Events shown by `/search` at the most.
const FOUND_EVENTS: usize = 50;

/// Bytes that a line may have beyond those of a message, for a command with its name and token.
const COMMAND_BYTES: usize = 640;

/// What is told of a line that is not UTF-8.
const NOT_UTF8: &str = "That line is not UTF-8 and was not taken. In Windows, type chcp 65001 before telnet; \
    in PuTTY, choose UTF-8 under Window, Translation.";

/// One terminal's session.
pub struct Line {
    editor: LineEditor,
    stage: Stage,
    bucket: Bucket,
    /// The address of ours that it connected to.
    local: IpAddr,
    format: OutputFormat,
    /// It has been told that its lines are held back, and the burst is not over.
    is_paced: bool,
    /// It has been told that what it sends is not UTF-8: from then on that may be said, with U+FFFD in it.
    is_told_of_utf8: bool,
    /// Once the room is left, the connection closes.
    is_quitting: bool,
}

/// Where the conversation is.
enum Stage {
    /// In no room: at the prompts.
    Unjoined(Box<Unjoined>),
    /// In a room, as this member, which comes back by this secret.
    Joined(Box<(Membership, Token)>),
}

/// What is told of a command whose slash is not the first character, since it has a password in it.
const MISTYPED_SECRET: &str = "A command begins with its slash, without a space before it; nothing was sent.";

impl Line {
    /// Greets a new connection. `local` is the address of ours that it connected to.
    pub fn new(local: IpAddr, now: Now, outbox: &mut Vec<u8>) -> Line {
        let mut line = Line {
            editor: LineEditor::default(),
            stage: Stage::Unjoined(Box::new(Unjoined::new(now))),
            bucket: Bucket::default(),
            local,
            format: OutputFormat::Person,
            is_paced: false,
            is_told_of_utf8: false,
            is_quitting: false,
        };
        let version = env!("CARGO_PKG_VERSION");
        line.format.notice(format_args!("snugd {version}. /help lists the commands."), outbox);
        line.prompt(outbox);
        line
    }

    /// Looks at new input until something is to be done by somebody else.
    pub fn receive(&mut self, input: &mut Input<'_>, context: &Context, now: Now, outbox: &mut Vec<u8>) -> Step {
        let limit_bytes = context.limits.message_bytes.saturating_add(COMMAND_BYTES);
        if let Some(step) = self.look_at_opening(input, context, outbox) {
            return step;
        }
        if let Stage::Unjoined(unjoined) = &mut self.stage
            && std::mem::take(&mut unjoined.goes_on)
            && let Some(step) = self.enter_or_ask(None, outbox)
        {
            return step;
        }
        if !input.rest().is_empty()
            && let Stage::Unjoined(unjoined) = &mut self.stage
        {
            unjoined.deadline_ms = now.steady_ms + PROMPT_TIMEOUT_MS;
        }
        loop {
            if let Some(pause) = self.pace(input, context, now, outbox) {
                return pause;
            }
            let (taken, typed) = self.editor.edit(input.rest(), limit_bytes, outbox);
            input.consume(taken);
            let at_end = || input.has_ended().then(|| self.editor.finish(limit_bytes));
            let step = match typed.map(Some).or_else(at_end) {
                Some(Some(typed)) => self.take_line(typed, context, now, outbox),
                Some(None) => {
                    self.end_prompt(outbox);
                    Some(Step::Close)
                }
                None => Some(Step::NeedInput),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Writes the answer to a command.
    pub fn reply(&mut self, reply: Reply, rooms: &Rooms, context: &Context, now: Now, outbox: &mut Vec<u8>) -> Flow {
        match reply {
            Reply::Joined { membership, token, last, ref events, gap, .. } => {
                self.stage = Stage::Joined(Box::new((membership, token)));
                let room = rooms.room(membership.room);
                if let Some(member) = room.member(membership.author) {
                    let joined = json::Joined { room, member, token, last, events, gap, limits: &context.limits };
                    self.format.welcome(&joined, self.local, context, now, outbox);
                }
            }
            Reply::Refused { refusal, .. } => self.pass_on(&refusal, outbox),
            Reply::Members { room, .. } => self.format.members(rooms.room(room), outbox),
            Reply::History { code, events, more } => {
                let home_url = context.invitation.home_url(self.local);
                let place = Place { clock: &context.clock, home_url: &home_url, code };
                self.format.history(&events, more, &place, now, outbox);
            }
            Reply::Found { code, events, before } => {
                let home_url = context.invitation.home_url(self.local);
                let place = Place { clock: &context.clock, home_url: &home_url, code };
                self.format.found(&events, before, &place, now, outbox);
            }
            Reply::EncoderSwitched => {
                self.end_prompt(outbox);
                self.format = OutputFormat::Program;
                if let Stage::Joined(joined) = &self.stage {
                    let (membership, token) = **joined;
                    let room = rooms.room(membership.room);
                    let (last, limits) = (room.last_id(), &context.limits);
                    if let Some(member) = room.member(membership.author) {
                        let joined = json::Joined { room, member, token, last, events: &[], gap: false, limits };
                        self.format.welcome(&joined, self.local, context, now, outbox);
                    }
                }
            }
            Reply::Left { .. } if self.is_quitting => {
                self.format.notice("Bye.", outbox);
                return Flow::Close;
            }
            Reply::Left { code, name, .. } => {
                self.become_unjoined(name, now);
                self.format.notice(format_args!("Left {code}."), outbox);
                self.prompt(outbox);
            }
            Reply::Account { done, name } => {
                self.format.account(done, &name, outbox);
                if let Stage::Unjoined(unjoined) = &mut self.stage
                    && done == AccountDone::LoggedIn
                {
                    unjoined.name = Some(name);
                    unjoined.goes_on = unjoined.is_complete();
                    if unjoined.goes_on {
                        return Flow::Continue;
                    }
                }
                self.prompt(outbox);
            }
            Reply::PlaceLost { .. } => {
                let sentence = "This server was cut off from the others, which took you to be gone; come in again.";
                self.format.farewell(sentence, outbox);
                return Flow::Close;
            }
            Reply::SessionEnded { .. } => {
                let sentence = "The password of your name was changed, or it was given up; this connection is closed.";
                self.format.farewell(sentence, outbox);
                return Flow::Close;
            }
            Reply::Kicked { membership, event } => {
                if matches!(&self.stage, Stage::Joined(joined) if joined.0 == membership) {
                    let name = match &event.body {
                        Body::Kick { name, .. } => name.clone(),
                        _ => event.name.clone(),
                    };
                    self.become_unjoined(name, now);
                    self.format.kicked(rooms.room(membership.room).code(), &event, outbox);
                    self.prompt(outbox);
                }
            }
            Reply::Bans { bans } => self.format.bans(&bans, outbox),
            Reply::Role { is_operator } => {
                self.format.help(is_operator, outbox);
                if let Stage::Joined(joined) = &self.stage
                    && context.limits.file_bytes > 0
                {
                    let code = rooms.room(joined.0.room).code();
                    self.format.help_sharing(&context.invitation.room_url(self.local, code), outbox);
                }
            }
            Reply::TakenOver { .. } => {
                self.format.farewell("You came in again from elsewhere; this connection is closed.", outbox);
                return Flow::Close;
            }
            // Answers to what no terminal asks for.
            Reply::AlreadySaid { .. }
            | Reply::Created { .. }
            | Reply::Reserved { .. }
            | Reply::Visited { .. }
            | Reply::Described { .. }
            | Reply::Events { .. }
            | Reply::ShareAllowed
            | Reply::Shared { .. }
            | Reply::FileFound { .. }
            | Reply::Inspected => (),
        }
        Flow::Continue
    }

    /// The encoding in which this connection reads a room.
    pub fn encoder(&self) -> EncoderId {
        self.format.encoder()
    }

    /// When [`expire`](Self::expire) is due (`Now::steady_ms`); never in a room.
    pub fn deadline_ms(&self) -> Option<u64> {
        match &self.stage {
            Stage::Unjoined(unjoined) => Some(unjoined.deadline_ms),
            Stage::Joined(..) => None,
        }
    }

    /// Closes a connection that has been idle at the prompts for too long.
    pub fn expire(&mut self, now: Now, outbox: &mut Vec<u8>) -> Flow {
        if self.deadline_ms().is_none_or(|deadline_ms| now.steady_ms < deadline_ms) {
            return Flow::Continue;
        }
        self.format.end_prompt(outbox);
        let seconds = PROMPT_TIMEOUT_MS / 1000;
        self.format.warn(format_args!("Nothing came for {seconds} s, so this connection is closed."), outbox);
        Flow::Close
    }

    /// Says that the server stops, and when to come back.
    pub fn goodbye(&self, retry_ms: u32, outbox: &mut Vec<u8>) {
        self.end_prompt(outbox);
        let seconds = retry_ms.div_ceil(1000);
        self.format.notice(format_args!("The server is stopping; come back in {seconds} s."), outbox);
    }

    /// Says that the peer reads too slowly to be sent everything.
    pub fn too_slow(&self, outbox: &mut Vec<u8>) {
        self.format.warn("You read too slowly; the connection is closed.", outbox);
    }

    /// Turns away who speaks without TLS where terminals speak over it.
    pub fn ask_for_tls(&self, outbox: &mut Vec<u8>) {
        let words = "Terminals speak over TLS here, as in: openssl s_client -quiet -connect HOST:PORT";
        self.format.warn(words, outbox);
    }

    /// Turns away what speaks TLS.
    fn look_at_opening(&self, input: &Input<'_>, context: &Context, outbox: &mut Vec<u8>) -> Option<Step> {
        let Stage::Unjoined(unjoined) = &self.stage else { return None };
        if unjoined.has_typed || self.editor.is_within_line() {
            return None;
        }
        match opening::is_tls(input.rest()) {
            Some(true) => Some(self.point_to_web(context, outbox)),
            Some(false) => None,
            None if input.has_ended() => None,
            None => Some(Step::NeedInput),
        }
    }

    fn point_to_web(&self, context: &Context, outbox: &mut Vec<u8>) -> Step {
        let url = context.invitation.home_url(self.local);
        self.format.warn(format_args!("This port is for terminals. Open {url} in a browser."), outbox);
        Step::Fault
    }

    /// Holds the next line back while the lines before it came too fast. A terminal cannot send a refused
    /// line again as a program can, so none is ever lost.
    fn pace(&mut self, input: &Input<'_>, context: &Context, now: Now, outbox: &mut Vec<u8>) -> Option<Step> {
        let wait_ms = pace::wait_ms(self.bucket, &context.limits, now);
        let is_line_waiting = || {
            self.editor.may_complete_line(input.rest())
                || input.has_ended() && (self.editor.is_within_line() || !input.rest().is_empty())
        };
        if wait_ms == 0 || !is_line_waiting() {
            return None;
        }
        if !std::mem::replace(&mut self.is_paced, true) {
            let rate = context.limits.rate;
            self.format.warn(format_args!("Slow down: your lines are sent on at {rate} a second."), outbox);
        }
        Some(Step::PauseUntil { steady_ms: now.steady_ms + wait_ms })
    }

    fn take_line(&mut self, typed: Typed, context: &Context, now: Now, outbox: &mut Vec<u8>) -> Option<Step> {
        let line = match &typed {
            Typed::Line(line) | Typed::NotUtf8(line) => Some(line.as_str()),
            Typed::TooLong => None,
            Typed::EndOfInput => {
                self.end_prompt(outbox);
                Some("/quit")
            }
        };
        let asks_password = self.stop_asking_password(outbox);
        if line.is_some_and(|line| line.trim().is_empty()) {
            if let Stage::Unjoined(unjoined) = &mut self.stage {
                unjoined.give_up_answer(asks_password);
            }
            self.prompt(outbox);
            return None;
        }
        if pace::is_burst_over(self.bucket, &context.limits, now) {
            self.is_paced = false;
        }
        pace::count(&mut self.bucket, &context.limits, now);
        let is_first = match &mut self.stage {
            Stage::Unjoined(unjoined) => !std::mem::replace(&mut unjoined.has_typed, true),
            Stage::Joined(..) => false,
        };
        if let Stage::Unjoined(unjoined) = &mut self.stage {
            // What is neither a password nor a way out of being asked for one changes nothing about that.
            let is_answer = matches!(typed, Typed::Line(_)) && line.is_some_and(ends_asking);
            unjoined.asks_password = asks_password && !is_answer;
        }
        let Some(line) = line else {
            self.refuse_long_text(context, outbox);
            if is_first {
                // It may have been a request line, and its header must not be taken for lines.
                return Some(Step::Close);
            }
            self.prompt(outbox);
            return None;
        };
        if is_first && opening::is_http_request(line) {
            return Some(self.point_to_web(context, outbox));
        }
        let parsed = command::parse(line);
        if matches!(typed, Typed::NotUtf8(_)) && !self.may_be_said_malformed(&parsed) {
            self.is_told_of_utf8 = true;
            context.refusals.count("bad_request");
            self.format.refuse("bad_request", NOT_UTF8, outbox);
            self.prompt(outbox);
            return None;
        }
        if command::is_mistyped_secret(line) {
            context.refusals.count("bad_request");
            self.format.refuse("bad_request", MISTYPED_SECRET, outbox);
            self.prompt(outbox);
            return None;
        }
        match parsed {
            Ok(TypedCommand::Text(_)) | Err(CommandFault::UnknownCommand(_)) if asks_password => {
                self.take_password(line, outbox)
            }
            Ok(request) => self.execute(request, context, outbox),
            Err(fault) => {
                context.refusals.count(fault.code());
                self.refuse(fault, outbox)
            }
        }
    }

    /// Whether a line with U+FFFD in it, for bytes that are not UTF-8, is taken as it is: something to say, and its
    /// sender has been told before.
    fn may_be_said_malformed(&self, parsed: &Result<TypedCommand<'_>, CommandFault<'_>>) -> bool {
        let is_said = matches!(
            parsed,
            Ok(TypedCommand::Text(_) | TypedCommand::Me(_) | TypedCommand::Reply(_) | TypedCommand::Edit(_))
        );
        self.is_told_of_utf8 && is_said && matches!(self.stage, Stage::Joined(..))
    }

    /// Executes what a line asks for, or returns the step by which it is done elsewhere.
    fn execute(&mut self, request: TypedCommand<'_>, context: &Context, outbox: &mut Vec<u8>) -> Option<Step> {
        let command = match request {
            TypedCommand::Text(text) if matches!(self.stage, Stage::Unjoined(_)) => {
                return self.answer_prompt(text, outbox);
            }
            TypedCommand::Text(text) => return self.say(Kind::Say, text, None, context, outbox),
            TypedCommand::Me(text) => return self.say(Kind::Me, text, None, context, outbox),
            TypedCommand::Reply(text) => {
                return self.say(Kind::Say, text, Some(MessageRef::LastOfOthers), context, outbox);
            }
            TypedCommand::Edit(text) => {
                RoomCommand::Edit { of: MessageRef::OwnLast, text: self.clean(text, context, outbox)?, cid: None }
            }
            TypedCommand::Delete => RoomCommand::Delete { of: MessageRef::OwnLast, cid: None },
            TypedCommand::React(emoji) => RoomCommand::React { of: MessageRef::Last, emoji, on: true, cid: None },
            TypedCommand::Join { target, name, token } => return self.join(target, name, token, outbox),
            TypedCommand::Nick(name) => match &mut self.stage {
                Stage::Unjoined(unjoined) => {
                    unjoined.name = Some(name);
                    return self.enter_or_ask(None, outbox);
                }
                Stage::Joined(..) => RoomCommand::Nick(name),
            },
            TypedCommand::Account(command) => return Some(self.account_command(command)),
            TypedCommand::Who => RoomCommand::Who { after: None },
            TypedCommand::History { limit } => RoomCommand::History(Span { limit, ..Span::default() }),
            TypedCommand::Search(query) => {
                let span = Span { limit: FOUND_EVENTS, ..Span::default() };
                RoomCommand::Search(Search { query, span })
            }
            TypedCommand::Json => return Some(Step::Command(Command::SwitchEncoder(OutputFormat::Program.encoder()))),
            TypedCommand::Leave => RoomCommand::Leave,
            TypedCommand::Quit if matches!(self.stage, Stage::Unjoined(_)) => {
                self.format.notice("Bye.", outbox);
                return Some(Step::Close);
            }
            TypedCommand::Quit => {
                self.is_quitting = true;
                RoomCommand::Leave
            }
            TypedCommand::Help { command } if !command.is_empty() => {
                match help::find(command) {
                    Some(line) => self.format.notice(line, outbox),
                    None => self.format.warn(CommandFault::UnknownCommand(command), outbox),
                }
                self.prompt(outbox);
                return None;
            }
            TypedCommand::Help { .. } if matches!(self.stage, Stage::Unjoined(_)) => {
                self.format.help(false, outbox);
                self.prompt(outbox);
                return None;
            }
            TypedCommand::Help { .. } => RoomCommand::Role,
            TypedCommand::Moderate(readings) => RoomCommand::Moderate { readings, cid: None },
            TypedCommand::Bans => RoomCommand::Bans,
        };
        Some(Step::Command(Command::In(RoomRef::Only, command)))
    }

    /// Something asked of an account; at the prompts, of that with the name given there.
    fn account_command(&self, mut command: AccountCommand) -> Step {
        if let AccountCommand::Register { name, .. } = &mut command
            && let Stage::Unjoined(unjoined) = &self.stage
        {
            name.clone_from(&unjoined.name);
        }
        Step::Command(Command::Account(Box::new(command)))
    }

    fn say(
        &mut self,
        kind: Kind,
        text: &str,
        reply_to: Option<MessageRef>,
        context: &Context,
        outbox: &mut Vec<u8>,
    ) -> Option<Step> {
        let command = RoomCommand::Say { kind, text: self.clean(text, context, outbox)?, cid: None, reply_to };
        Some(Step::Command(Command::In(RoomRef::Only, command)))
    }

    /// A text as it may be said. What is too long is refused; of what is empty, nothing is told.
    fn clean(&mut self, text: &str, context: &Context, outbox: &mut Vec<u8>) -> Option<Text> {
        match Text::clean(text, context.limits.message_bytes) {
            Ok(text) => Some(text),
            Err(TextFault::Empty) => None,
            Err(TextFault::TooLong) => {
                self.refuse_long_text(context, outbox);
                self.prompt(outbox);
                None
            }
        }
    }

    fn refuse(&mut self, fault: CommandFault<'_>, outbox: &mut Vec<u8>) -> Option<Step> {
        self.format.refuse(fault.code(), fault, outbox);
        self.prompt(outbox);
        None
    }

    fn refuse_long_text(&self, context: &Context, outbox: &mut Vec<u8>) {
        let limit_bytes = context.limits.message_bytes;
        context.refusals.count("text_too_long");
        let sentence = format_args!("That line is longer than {limit_bytes} bytes; it was not sent.");
        self.format.refuse("text_too_long", sentence, outbox);
    }
}
