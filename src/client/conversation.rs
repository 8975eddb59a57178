//! What is said between the client and the server, and what becomes of it: coming in, being in, coming back.
//!
//! It knows no socket, no terminal and no clock: it is told what happens and what time it is, and says what is to be done.

use std::collections::VecDeque;

use rand::RngExt;

use super::commands::{self, Purpose, Wanted};
use super::incoming::{Joined, Person, Refused, ServerMessage, harmless};
use super::link::LinkEvent;
use super::outbox::{Item, Outbox, Refusal, Sending};
use super::program;
use super::room::Room;
use super::transcript::{Line, event_lines, mentions, plain_lines};
use crate::json::Object;
use crate::line::encoder::{Place, moderation, write_name};
use crate::line::output_format::OutputFormat;
use crate::line::{LocalClock, help};
use crate::rooms::{AccountDone, AuthorId, Body, Event, JoinTarget, Name, RoomCode, RoomKey};
use crate::time::{Now, duration_words};

/// Delays before coming back: doubled each time, and drawn at random so that a full room does not come back in one instant.
const SHORTEST_DELAY_MS: u64 = 500;
const LONGEST_DELAY_MS: u64 = 30_000;
/// After so long without a word the server is asked whether it is there.
const SILENCE_MS: u64 = 20_000;
/// A server that says nothing for so long after that is not there any more.
const PONG_MS: u64 = 10_000;
/// How long the answer to a join may take: it brings the history.
const JOIN_MS: u64 = 60_000;
/// How long who leaves waits for what is not acknowledged yet, and then for the server's farewell.
const FAREWELL_MS: u64 = 3_000;
/// Something that takes so long is told; what is shorter passes unnoticed.
const LONG_MS: u64 = 3_000;
/// A server that refuses a join for no longer than that is asked again by itself.
const PATIENCE_MS: u64 = 60_000;
/// Members that are named to a newcomer.
const MEMBERS_NAMED: usize = 20;

const LEFT: u16 = 1000;
const TAKEN_OVER: u16 = 4001;
const KICKED: u16 = 4003;

/// What the person or the program wants, and where.
pub struct Settings {
    /// The address of the home page, with a slash at its end.
    pub home_url: String,
    /// Which room.
    pub room: JoinTarget,
    /// As whom.
    pub name: Option<Name>,
    /// The password of the account of that name.
    pub password: Option<String>,
    /// The room's key.
    pub key: Option<String>,
    /// For whom it is.
    pub reader: Reader,
    /// How long coming back is tried; `None`: for ever.
    pub give_up_ms: Option<u64>,
}

/// For whom the client works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reader {
    /// Somebody at a terminal, who can be asked.
    Person,
    /// A pipe of lines.
    Lines,
    /// A program that reads one JSON object a line.
    Program,
}

/// Something to be done.
#[derive(Debug)]
pub enum Action {
    /// Open a connection in place of any other; a new room first.
    Open {
        /// Whether a new room is wanted.
        creates: bool,
    },
    /// Send a message.
    Send(String),
    /// Show this.
    Show(Vec<Line>),
    /// Hand this message to the program.
    Frame(String),
    /// Tell how the connection is.
    Remark(String),
    /// Ask for something; [`Conversation::on_answer`] is told.
    Ask(Question),
    /// Somebody has called us.
    Ring,
    /// It is over.
    End(Ending),
}

/// What a person is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// A name.
    Name,
    /// The room's key.
    Key,
    /// The password of the name that is borne.
    Password,
    /// A password, for what was typed.
    PasswordFor(Purpose),
    /// A new password once more: the first was this one.
    PasswordAgain(String),
}

impl Question {
    /// What stands before the answer.
    pub fn words(&self) -> &'static str {
        match self {
            Question::Name => "Name: ",
            Question::Key => "Key: ",
            Question::Password | Question::PasswordFor(_) => "Password: ",
            Question::PasswordAgain(_) => "Once more: ",
        }
    }

    /// Whether the answer is shown to nobody.
    pub fn is_secret(&self) -> bool {
        *self != Question::Name
    }
}

/// How it has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// The exit status.
    pub status: u8,
    /// What to say about it.
    pub sentence: Option<String>,
}

enum State {
    Opening,
    /// The join is sent.
    Joining {
        until_ms: u64,
    },
    /// The join is sent again.
    JoiningAgain {
        at_ms: u64,
    },
    /// An answer to a question is waited for.
    Asking,
    In,
    /// There is no connection.
    Waiting {
        until_ms: u64,
    },
    /// The server's farewell is waited for.
    Leaving {
        until_ms: u64,
    },
    Over,
}

/// Whose answer a pong is.
enum Ping {
    /// The outbox waits for it.
    Barrier,
    /// Only whether there is one.
    Alive,
    /// The program has asked.
    Program,
}

/// A conversation.
pub struct Conversation {
    settings: Settings,
    clock: LocalClock,
    state: State,
    actions: Vec<Action>,
    code: Option<RoomCode>,
    name: Option<Name>,
    author: Option<AuthorId>,
    token: Option<String>,
    epoch: Option<String>,
    last: u64,
    message_bytes: usize,
    room: Room,
    outbox: Outbox,
    pings: VecDeque<Ping>,
    /// What was asked of an account and not answered yet.
    asked: VecDeque<AccountDone>,
    /// Members listed so far for somebody who has asked.
    listed: Option<Vec<Person>>,
    /// When the last event was that is shown.
    shown_ms: Option<u64>,
    heard_ms: u64,
    failures: u32,
    /// Since when there is no connection.
    lost_ms: Option<u64>,
    /// Until when what is not acknowledged is waited for, by who leaves.
    leaves_by_ms: Option<u64>,
    /// Nobody leaves before that.
    parts_at_ms: u64,
    /// The room to go to next.
    next: Option<(JoinTarget, Option<Name>)>,
    was_in: bool,
    has_refusals: bool,
}

impl Conversation {
    /// A conversation that has not begun.
    pub fn new(settings: Settings, clock: LocalClock) -> Conversation {
        let code = match settings.room {
            JoinTarget::Code(code) | JoinTarget::CodeOrNew(code) => Some(code),
            JoinTarget::New => None,
        };
        let prefix = format!("{:016x}-", rand::rng().random::<u64>());
        Conversation {
            name: settings.name.clone(),
            settings,
            clock,
            state: State::Opening,
            actions: Vec::new(),
            code,
            author: None,
            token: None,
            epoch: None,
            last: 0,
            message_bytes: usize::MAX,
            room: Room::default(),
            outbox: Outbox::new(prefix),
            pings: VecDeque::new(),
            asked: VecDeque::new(),
            listed: None,
            shown_ms: None,
            heard_ms: 0,
            failures: 0,
            lost_ms: None,
            leaves_by_ms: None,
            parts_at_ms: 0,
            next: None,
            was_in: false,
            has_refusals: false,
        }
    }

    /// Begins: asks for a name first, if there is none.
    pub fn start(&mut self) {
        if self.name.is_none() { self.ask(Question::Name) } else { self.open() }
    }

    /// What is to be done.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// As whom.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Our number in the room.
    pub fn author(&self) -> Option<AuthorId> {
        self.author
    }

    /// Bytes in a message, at the most.
    pub fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// Whether the room was entered: what is typed before that is for nobody.
    pub fn was_in(&self) -> bool {
        self.was_in
    }

    /// Who is in the room.
    pub fn people(&self) -> &[Person] {
        self.room.people()
    }

    /// What is not acknowledged yet.
    pub fn pending(&self) -> impl Iterator<Item = String> {
        self.outbox.shown()
    }

    /// How many things are not acknowledged yet.
    pub fn pending_count(&self) -> usize {
        self.outbox.len()
    }

    /// How the connection is, if it is not as it should be.
    pub fn status(&self, now_ms: u64) -> Option<String> {
        match self.state {
            State::Waiting { until_ms } => {
                let seconds = until_ms.saturating_sub(now_ms).div_ceil(1000);
                Some(format!("The connection is lost; coming back by itself, in {seconds} s."))
            }
            State::Opening | State::Joining { .. } if self.was_in => {
                Some("The connection is lost; coming back …".into())
            }
            State::Opening | State::Joining { .. } => Some("Connecting …".to_owned()),
            State::JoiningAgain { at_ms } => {
                Some(format!("Coming in, in {} s.", at_ms.saturating_sub(now_ms).div_ceil(1000)))
            }
            _ => None,
        }
    }

    /// When [`on_deadline`](Self::on_deadline) is to be called.
    pub fn deadline_ms(&self) -> Option<u64> {
        let of_state = match self.state {
            State::Opening | State::Asking | State::Over => None,
            State::Joining { until_ms } | State::Waiting { until_ms } | State::Leaving { until_ms } => Some(until_ms),
            State::JoiningAgain { at_ms } => Some(at_ms),
            State::In => {
                let silent_ms = if self.pings.is_empty() { SILENCE_MS } else { SILENCE_MS + PONG_MS };
                let alive_ms = self.heard_ms + silent_ms;
                let parts_ms = self.leaves_by_ms.map(|_| self.parts_at_ms).filter(|_| self.outbox.is_empty());
                [Some(alive_ms), self.outbox.deadline_ms(), parts_ms].into_iter().flatten().min()
            }
        };
        let leaves_by_ms = self.leaves_by_ms.filter(|_| !matches!(self.state, State::Leaving { .. } | State::Over));
        of_state.into_iter().chain(leaves_by_ms).min()
    }

    /// The deadline has come.
    pub fn on_deadline(&mut self, now: Now) {
        let now_ms = now.steady_ms;
        match self.state {
            State::Waiting { until_ms } if now_ms >= until_ms => self.open(),
            State::Joining { until_ms } if now_ms >= until_ms => self.lose(None, "", now_ms),
            State::JoiningAgain { at_ms } if now_ms >= at_ms => self.join(now_ms),
            State::Leaving { until_ms } if now_ms >= until_ms => self.left(),
            State::In if !self.pings.is_empty() && now_ms >= self.heard_ms + SILENCE_MS + PONG_MS => {
                self.lose(None, "", now_ms);
            }
            State::In if self.pings.is_empty() && now_ms >= self.heard_ms + SILENCE_MS => self.ping(Ping::Alive),
            _ => (),
        }
        if self.leaves_by_ms.is_some_and(|by_ms| now_ms >= by_ms) && !matches!(self.state, State::Leaving { .. }) {
            self.part(now_ms);
        }
        self.pump(now_ms);
    }

    /// Something has become of the connection.
    pub fn on_link(&mut self, event: LinkEvent, now: Now) {
        let now_ms = now.steady_ms;
        match event {
            LinkEvent::Created(code) => self.code = Some(code),
            LinkEvent::Opened => self.join(now_ms),
            LinkEvent::Received(json) => {
                self.heard_ms = now_ms;
                self.receive(json, now);
            }
            LinkEvent::Failed(fault) if !self.was_in => self.end(1, Some(fault.sentence)),
            LinkEvent::Failed(fault) => self.lose(fault.retry_ms, &fault.sentence, now_ms),
            LinkEvent::Closed(code, reason) => self.on_closed(code, &harmless(&reason), now_ms),
        }
        self.pump(now_ms);
    }

    fn on_closed(&mut self, code: Option<u16>, reason: &str, now_ms: u64) {
        match code {
            _ if matches!(self.state, State::Leaving { .. }) => self.left(),
            Some(LEFT) => self.left(),
            Some(TAKEN_OVER | KICKED) => self.end(1, Some(reason.to_owned())),
            // Whoever is asked for something may take longer than the server waits.
            _ if matches!(self.state, State::Asking) => (),
            _ if !self.was_in => {
                let why = if reason.is_empty() { "The server has closed the connection." } else { reason };
                self.end(1, Some(why.to_owned()));
            }
            _ => self.lose(hinted_ms(reason), reason, now_ms),
        }
    }

    /// Somebody has typed a line.
    pub fn on_line(&mut self, line: &str, now: Now) {
        if self.settings.reader == Reader::Program
            && let Some(read) = program::read(line, || self.outbox.new_cid())
        {
            match read {
                program::Line::Ready { json, cid } => self.outbox.push(Item::Ready { json, cid, shown: None }),
                program::Line::Ping => self.outbox.push(Item::Ping),
                program::Line::Leave => self.leave(now),
                program::Line::Refused(json) => {
                    self.has_refusals = true;
                    self.actions.push(Action::Frame(json));
                }
            }
            return self.pump(now.steady_ms);
        }
        let wanted = commands::read(line, &self.room);
        self.execute(wanted, now);
    }

    fn execute(&mut self, wanted: Wanted, now: Now) {
        match wanted {
            Wanted::Nothing => (),
            Wanted::Item(Item::Say { text, .. } | Item::Edit(text)) if text.len() > self.message_bytes => {
                let sentence = format!("A message has at most {} bytes; it was not sent.", self.message_bytes);
                self.refuse("text_too_long", &sentence);
            }
            Wanted::Item(item) => self.outbox.push(item),
            Wanted::Account(done, item) => {
                self.asked.push_back(done);
                self.outbox.push(item);
            }
            Wanted::Password(purpose) if self.settings.reader == Reader::Person => {
                self.actions.push(Action::Ask(Question::PasswordFor(purpose)));
            }
            Wanted::Password(_) => self.refuse("bad_request", "The password is missing."),
            Wanted::Who => {
                self.listed = Some(Vec::new());
                self.outbox.push(commands::who(None));
            }
            Wanted::Join(target, name) => {
                self.next = Some((target, name));
                self.leave(now);
            }
            Wanted::Leave => self.leave(now),
            Wanted::Help(command) => self.help(&command),
            Wanted::Fault(sentence) => self.refuse("bad_request", &sentence),
        }
        self.pump(now.steady_ms);
    }

    /// The answer to a question.
    pub fn on_answer(&mut self, question: &Question, answer: &str, now: Now) {
        match question {
            Question::Name => match Name::parse(answer) {
                // Another name is another member.
                Some(name) => {
                    (self.name, self.token) = (Some(name), None);
                    self.settings.password = None;
                    self.open();
                }
                None if answer.trim().is_empty() => self.ask(Question::Name),
                None => {
                    self.show(vec![Line::warning("A name has 1 to 32 visible characters.")]);
                    self.ask(Question::Name);
                }
            },
            Question::Key => match RoomKey::parse(answer) {
                Some(_) => {
                    self.settings.key = Some(answer.to_owned());
                    self.open();
                }
                None => self.ask(Question::Key),
            },
            Question::Password if answer.is_empty() => self.ask(Question::Name),
            Question::Password => {
                self.settings.password = Some(answer.to_owned());
                self.open();
            }
            Question::PasswordFor(_) if answer.is_empty() => (),
            Question::PasswordFor(Purpose::Register) => {
                self.actions.push(Action::Ask(Question::PasswordAgain(answer.to_owned())));
            }
            Question::PasswordFor(purpose) => {
                self.execute(commands::with_password(purpose, answer), now);
            }
            Question::PasswordAgain(first) if first == answer => {
                self.execute(commands::with_password(&Purpose::Register, answer), now);
            }
            Question::PasswordAgain(_) => {
                self.show(vec![Line::warning("That was not the same twice; nothing is changed.")]);
            }
        }
    }

    /// Leaves the room, once all is acknowledged: at a terminal nobody waits for long.
    pub fn leave(&mut self, now: Now) {
        let is_in = self.was_in && !matches!(self.state, State::Over);
        match self.settings.reader {
            _ if !is_in && self.settings.reader == Reader::Person => return self.end(0, None),
            Reader::Person => self.leaves_by_ms = Some(now.steady_ms + FAREWELL_MS),
            _ => self.leaves_by_ms = Some(u64::MAX),
        }
        if matches!(self.state, State::Waiting { .. } | State::Opening) && self.settings.reader == Reader::Person {
            return self.part(now.steady_ms);
        }
        self.pump(now.steady_ms);
    }

    /// Sends what can be sent now.
    fn pump(&mut self, now_ms: u64) {
        while matches!(self.state, State::In) {
            match self.outbox.next(self.room.last_messages(self.author), now_ms) {
                Some(Ok(Sending::Message(json))) => self.actions.push(Action::Send(json)),
                Some(Ok(Sending::MessageAndPing(json))) => {
                    self.actions.push(Action::Send(json));
                    self.ping(Ping::Barrier);
                }
                Some(Ok(Sending::Ping)) => self.ping(Ping::Program),
                Some(Err(why)) => self.refuse("no_such_event", why),
                None => {
                    let is_leaving = self.outbox.is_empty() && self.leaves_by_ms.is_some();
                    if is_leaving && now_ms >= self.parts_at_ms {
                        self.part(now_ms);
                    }
                    return;
                }
            }
        }
    }

    /// Says farewell, or ends where nobody would hear it.
    fn part(&mut self, now_ms: u64) {
        if matches!(self.state, State::In) {
            self.actions.push(Action::Send(commands::write(|object| {
                object.word("type", "leave");
            })));
            self.state = State::Leaving { until_ms: now_ms + FAREWELL_MS };
        } else {
            self.left();
        }
    }

    /// The room is left.
    fn left(&mut self) {
        let unsent = self.outbox.len();
        let (status, sentence) = match unsent {
            0 => (u8::from(self.has_refusals && self.settings.reader != Reader::Person), None),
            1 => (1, Some("One message was not sent.".to_owned())),
            unsent => (1, Some(format!("{unsent} messages were not sent."))),
        };
        let Some((target, name)) = self.next.take().filter(|_| unsent == 0) else { return self.end(status, sentence) };
        self.code = match target {
            JoinTarget::Code(code) | JoinTarget::CodeOrNew(code) => Some(code),
            JoinTarget::New => None,
        };
        self.name = name.or(self.name.take());
        (self.token, self.epoch, self.last, self.author) = (None, None, 0, None);
        (self.was_in, self.lost_ms, self.leaves_by_ms, self.shown_ms) = (false, None, None, None);
        (self.settings.key, self.room) = (None, Room::default());
        self.open();
    }

    fn end(&mut self, status: u8, sentence: Option<String>) {
        if !matches!(self.state, State::Over) {
            self.state = State::Over;
            self.actions.push(Action::End(Ending { status, sentence }));
        }
    }

    fn open(&mut self) {
        self.state = State::Opening;
        self.pings.clear();
        self.outbox.reset();
        self.actions.push(Action::Open { creates: self.code.is_none() });
    }

    /// The connection is no more; it is opened again after a while.
    fn lose(&mut self, retry_ms: Option<u64>, why: &str, now_ms: u64) {
        if matches!(self.state, State::Over | State::Leaving { .. }) {
            return self.left();
        }
        self.pings.clear();
        self.outbox.reset();
        self.listed = None;
        let ceiling_ms = (SHORTEST_DELAY_MS << self.failures.min(10)).min(LONGEST_DELAY_MS);
        let wait_ms = retry_ms.unwrap_or_else(|| rand::rng().random_range(ceiling_ms / 2..=ceiling_ms));
        self.failures += 1;
        let is_new = self.lost_ms.is_none();
        let lost_ms = *self.lost_ms.get_or_insert(now_ms);
        if self.settings.give_up_ms.is_some_and(|give_up_ms| now_ms + wait_ms > lost_ms + give_up_ms) {
            let why = if why.is_empty() { "The connection is lost." } else { why };
            return self.end(1, Some(why.to_owned()));
        }
        if is_new {
            let why = if why.is_empty() { "The connection is lost." } else { why };
            self.actions.push(Action::Remark(format!("{why} Coming back by itself.")));
        }
        self.state = State::Waiting { until_ms: now_ms + wait_ms };
    }

    fn join(&mut self, now_ms: u64) {
        let Some(code) = self.code else { return self.end(1, Some("The server has opened no room.".to_owned())) };
        let json = commands::write(|object: &mut Object<'_>| {
            object
                .word("type", "join")
                .text("room", code.as_str())
                .text_if("name", self.name.as_ref().map(Name::as_str));
            object.text_if("token", self.token.as_deref()).text_if("epoch", self.epoch.as_deref());
            object.number_if("since", self.epoch.as_ref().map(|_| self.last));
            object.text_if("password", self.settings.password.as_deref()).text_if("key", self.settings.key.as_deref());
            if self.was_in {
                // A server that keeps nothing was started anew: all who were here find each other again.
                object.flag("create", true);
            }
        });
        self.actions.push(Action::Send(json));
        self.heard_ms = now_ms;
        self.state = State::Joining { until_ms: now_ms + JOIN_MS };
    }

    fn ping(&mut self, whose: Ping) {
        self.pings.push_back(whose);
        self.actions.push(Action::Send(commands::write(|object| {
            object.word("type", "ping");
        })));
    }

    fn receive(&mut self, json: String, now: Now) {
        let Some(message) = ServerMessage::read(&json) else { return };
        if self.settings.reader == Reader::Program {
            let is_ours = matches!(message, ServerMessage::Pong) && !matches!(self.pings.front(), Some(Ping::Program));
            if !is_ours && !self.is_passed_over(&message) {
                self.actions.push(Action::Frame(json));
            }
        }
        match message {
            ServerMessage::Joined(joined) => self.on_joined(*joined, now),
            ServerMessage::Happened { event, is_operator } => self.on_event(event, is_operator, now),
            ServerMessage::History(mut events) => {
                self.room.recall(&mut events);
                let lines = self.past_lines(&events, now);
                self.show(lines);
            }
            ServerMessage::Found { mut events, may_be_more } => {
                self.room.recall(&mut events);
                self.show_found(&events, may_be_more, now);
            }
            ServerMessage::Members { members, more } => self.on_members(members, more),
            ServerMessage::Bans(bans) => {
                let mut out = Vec::new();
                moderation::write_bans(&bans, &mut out);
                self.show(plain_lines(&out));
            }
            ServerMessage::Account(name) => self.on_account(name.as_deref()),
            ServerMessage::AlreadySaid(cid) => self.outbox.acknowledge(&cid),
            ServerMessage::Refused(refused) => self.on_refused(refused, now.steady_ms),
            ServerMessage::Pong => {
                if let Some(Ping::Barrier | Ping::Program) = self.pings.pop_front() {
                    self.outbox.pass_barrier();
                }
            }
            ServerMessage::Other => (),
        }
    }

    /// Refusals of which a program need not know: what was refused is sent again by itself.
    fn is_passed_over(&self, message: &ServerMessage) -> bool {
        matches!(message, ServerMessage::Refused(Refused { code, retry_ms: Some(retry_ms), .. })
            if code == "rate_limited" && *retry_ms <= PATIENCE_MS)
    }

    fn on_joined(&mut self, joined: Joined, now: Now) {
        let Joined { name, author, token, epoch, last, topic, slow_seconds, members, count, mut events, gap, .. } =
            joined;
        let is_back = self.was_in;
        let is_same_room = is_back && self.epoch.as_ref() == Some(&epoch);
        self.message_bytes = joined.message_bytes;
        let missed_from = self.last;
        if !is_same_room {
            (self.shown_ms, self.last) = (None, 0);
            self.room.forget_messages();
        }
        self.room.set_people(members);
        (self.name, self.author, self.token, self.epoch) = (Some(name), Some(author), Some(token), Some(epoch));
        (self.state, self.was_in, self.failures, self.lost_ms) = (State::In, true, 0, None);
        (self.settings.password, self.settings.key) = (None, None);
        if !is_same_room {
            let mut lines = self.welcome_lines(count);
            if let Some(topic) = topic {
                lines.push(Line::notice(format!("Topic: {}", harmless(topic.as_str()))));
            }
            if slow_seconds > 0 {
                lines.push(Line::notice(format!("Slow mode: one message in {}.", duration_words(slow_seconds))));
            }
            if is_back {
                lines.insert(0, Line::notice("The server has lost the room; this is a new one under its code."));
            }
            self.show(lines);
        } else {
            self.actions.push(Action::Remark(self.code.map_or(String::new(), |code| format!("Back in {code}."))));
            let missed = events.first().map_or(last, |event| event.id.saturating_sub(1)).saturating_sub(missed_from);
            if gap && missed > 0 {
                let what = if missed == 1 { "One event was" } else { "Events were" };
                self.show(vec![Line::notice(format!("-- {what} missed ({missed}): /history 200 --"))]);
            }
        }
        for event in &events {
            self.acknowledge(event);
        }
        let people = self.room.people().to_vec();
        if is_same_room {
            // As if the connection had been there all the time.
            for event in events {
                self.on_event(event, false, now);
            }
        } else {
            // That we came in is no news to us.
            if events.last().is_some_and(|last| last.body == Body::Enter && Some(last.author) == self.author) {
                events.pop();
            }
            for event in &mut events {
                self.room.happen(event, false);
            }
            if !events.is_empty() {
                let lines = self.past_lines(&events, now);
                self.show(lines);
            }
        }
        // Members were told as they are now, after all that.
        self.room.set_people(people);
        self.last = self.last.max(last);
    }

    fn welcome_lines(&self, count: u64) -> Vec<Line> {
        let Some(code) = self.code else { return Vec::new() };
        let own = self.name.as_ref();
        let mut others: Vec<&Person> = self.room.people().iter().filter(|person| Some(&person.name) != own).collect();
        others.sort_by_cached_key(|person| person.name.as_str().to_lowercase());
        let all = (count.saturating_sub(1)).max(others.len() as u64);
        let here = if others.is_empty() {
            "Nobody else is here yet".to_owned()
        } else {
            let named = others.len().min(MEMBERS_NAMED);
            let more = if all > named as u64 { format!(" and {} more", all - named as u64) } else { String::new() };
            format!("{all} here: {}{more}", names(others[..named].iter().copied()))
        };
        vec![Line::notice(format!("{code}. {here}. Invite: {}{code}", self.settings.home_url))]
    }

    fn on_event(&mut self, mut event: Event, is_operator: bool, now: Now) {
        if event.id <= self.last {
            return;
        }
        self.last = event.id;
        self.acknowledge(&event);
        self.room.happen(&mut event, is_operator);
        let is_own = Some(event.author) == self.author;
        if let (true, Body::Nick { to }) = (is_own, &event.body) {
            self.name = Some(to.clone());
        }
        let is_called = self.name.as_ref().is_some_and(|own| mentions(&event, own));
        let day =
            self.shown_ms.replace(event.time_ms).filter(|shown_ms| !self.clock.is_same_day(*shown_ms, event.time_ms));
        let is_echo = is_own
            && matches!(
                event.body,
                Body::Message { .. } | Body::Edit { .. } | Body::Delete { .. } | Body::Reaction { .. }
            );
        // What somebody has typed into a pipe or a terminal without our editor stands there already.
        if is_echo && self.settings.reader == Reader::Lines {
            return;
        }
        let mut lines = Vec::new();
        if day.is_some() {
            lines.push(self.day_line(event.time_ms, now));
        }
        lines.extend(self.lines_of(&event));
        self.show(lines);
        if is_called {
            self.actions.push(Action::Ring);
        }
    }

    /// Whether it is ours, and what was to be said is said.
    fn acknowledge(&mut self, event: &Event) {
        if Some(event.author) == self.author
            && let Some((_, key)) = event.message_key()
        {
            self.outbox.acknowledge(key.as_str());
        }
    }

    fn on_members(&mut self, members: Vec<Person>, more: bool) {
        let last = members.last().map(|person| person.name.clone());
        self.room.add_people(members.clone());
        let Some(listed) = &mut self.listed else { return };
        listed.extend(members);
        if let Some(last) = last.filter(|_| more) {
            return self.outbox.push(commands::who(Some(&last)));
        }
        let mut listed = self.listed.take().unwrap_or_default();
        listed.sort_by_cached_key(|person| person.name.as_str().to_lowercase());
        self.show(vec![Line::notice(names(listed.iter()))]);
    }

    fn on_account(&mut self, name: Option<&str>) {
        let Some(done) = self.asked.pop_front() else { return };
        let own = name.and_then(Name::stored).or_else(|| self.name.clone());
        let Some(own) = own else { return };
        let mut out = Vec::new();
        OutputFormat::Person.account(done, &own, &mut out);
        self.show(plain_lines(&out));
    }

    fn on_refused(&mut self, refused: Refused, now_ms: u64) {
        let Refused { code, sentence, cid, retry_ms } = refused;
        if !matches!(self.state, State::In | State::Leaving { .. }) {
            return self.on_join_refused(&code, &sentence, retry_ms, now_ms);
        }
        let retry_ms = retry_ms.filter(|_| code == "rate_limited");
        if let (State::Leaving { .. }, Some(retry_ms), None) = (&self.state, retry_ms, &cid) {
            // Leaving came too soon after what was said last.
            (self.state, self.parts_at_ms) = (State::In, now_ms + retry_ms.min(FAREWELL_MS));
            return;
        }
        match self.outbox.refuse(cid.as_deref(), retry_ms, now_ms) {
            Refusal::Later => {
                if retry_ms.is_some_and(|retry_ms| retry_ms >= LONG_MS) {
                    self.show(vec![Line::warning(format!("{sentence} It is sent by itself then."))]);
                }
            }
            Refusal::Final(shown) => {
                self.has_refusals = true;
                let what = shown.map_or(String::new(), |shown| format!(" Not sent: {}", beginning(&shown)));
                self.show(vec![Line::warning(format!("{sentence}{what}"))]);
            }
            Refusal::Unknown => {
                self.has_refusals = true;
                self.asked.pop_front();
                self.show(vec![Line::warning(sentence)]);
            }
        }
    }

    fn on_join_refused(&mut self, code: &str, sentence: &str, retry_ms: Option<u64>, now_ms: u64) {
        let question = match code {
            "name_taken" | "name_invalid" | "name_required" => Some(Question::Name),
            "password_required" | "password_wrong" => Some(Question::Password),
            "key_required" => Some(Question::Key),
            _ => None,
        };
        if let Some(question) = question.filter(|_| self.settings.reader == Reader::Person) {
            self.show(vec![Line::warning(sentence)]);
            if question == Question::Name {
                self.token = None;
            }
            return self.ask(question);
        }
        let may_pass = matches!(code, "rate_limited" | "storage_failed" | "room_full") && self.was_in
            || code == "rate_limited" && retry_ms.is_some_and(|retry_ms| retry_ms <= PATIENCE_MS);
        if may_pass {
            let wait_ms = retry_ms.unwrap_or(LONGEST_DELAY_MS);
            if self.lost_ms.is_none() {
                self.actions.push(Action::Remark(sentence.to_owned()));
            }
            self.state = State::JoiningAgain { at_ms: now_ms + wait_ms };
            return;
        }
        let advice = match code {
            "no_such_room" => " \"new\" in its place opens one.",
            "name_taken" => " Choose another with --name.",
            "password_required" | "password_wrong" => " Give its password with --password-file.",
            "key_required" => " Give it with --key-file.",
            _ => "",
        };
        self.end(1, Some(format!("{sentence}{advice}")));
    }

    fn ask(&mut self, question: Question) {
        self.state = State::Asking;
        self.actions.push(Action::Ask(question));
    }

    fn refuse(&mut self, code: &'static str, sentence: &str) {
        self.has_refusals = true;
        if self.settings.reader == Reader::Program {
            self.actions.push(Action::Frame(program::error(code, sentence)));
        } else {
            self.show(vec![Line::warning(sentence)]);
        }
    }

    fn help(&mut self, command: &str) {
        if !command.is_empty() {
            let line = help::find(command)
                .map_or_else(|| Line::warning("There is no such command. /help lists them."), Line::notice);
            return self.show(vec![line]);
        }
        let is_operator = self.name.as_ref().is_some_and(|name| self.room.is_operator(name));
        let of_others = |line: &String| line.starts_with("/json");
        let mut lines: Vec<Line> = help::list(is_operator).filter(|line| !of_others(line)).map(Line::notice).collect();
        if let Some(code) = self.code {
            lines.push(Line::notice(format!(
                "Elsewhere, curl -T FILE {}{code}/ shares a file here.",
                self.settings.home_url
            )));
        }
        self.show(lines);
    }

    fn show(&mut self, lines: Vec<Line>) {
        if self.settings.reader != Reader::Program {
            self.actions.push(Action::Show(lines));
        }
    }

    fn show_found(&mut self, events: &[Event], may_be_more: bool, now: Now) {
        let mut lines = self.dated_lines(events, now);
        lines.push(match (events.len(), may_be_more) {
            (0, false) => Line::notice("Nothing found."),
            (0, true) => Line::notice("Nothing found yet, but not everything was looked at: other words may find it."),
            (count, false) => Line::notice(format!("{count} found.")),
            (count, true) => Line::notice(format!("{count} found, and there may be older ones.")),
        });
        self.show(lines);
    }

    /// Events of the past, and a line behind them.
    fn past_lines(&mut self, events: &[Event], now: Now) -> Vec<Line> {
        let mut lines = self.dated_lines(events, now);
        lines.push(Line::notice("-- now --"));
        self.shown_ms = Some(now.wall_ms);
        lines
    }

    /// Events, with a line where another day than today begins.
    fn dated_lines(&self, events: &[Event], now: Now) -> Vec<Line> {
        let mut day = self.clock.date(now.wall_ms);
        let mut lines = Vec::new();
        for event in events {
            let date = self.clock.date(event.time_ms);
            if date != day {
                day = date;
                lines.push(self.day_line(event.time_ms, now));
            }
            lines.extend(self.lines_of(event));
        }
        lines
    }

    fn day_line(&self, time_ms: u64, now: Now) -> Line {
        let (date, today) = (self.clock.date(time_ms), self.clock.date(now.wall_ms));
        let form = if date.year() == today.year() { "%A %-d %B" } else { "%A %-d %B %Y" };
        Line::notice(format!("-- {} --", date.strftime(form)))
    }

    fn lines_of(&self, event: &Event) -> Vec<Line> {
        let Some(code) = self.code else { return Vec::new() };
        let place = Place { clock: &self.clock, home_url: &self.settings.home_url, code };
        event_lines(event, &place, self.name.as_ref())
    }
}

/// The hint of a server that stops: "… come back in 1200 ms."
fn hinted_ms(reason: &str) -> Option<u64> {
    let (_, behind) = reason.split_once("come back in ")?;
    behind.split_once(" ms")?.0.parse().ok().filter(|hint_ms| *hint_ms <= 10 * 60 * 1000)
}

/// The beginning of what was typed, in one line.
fn beginning(typed: &str) -> String {
    const CHARACTERS: usize = 40;
    let line = harmless(typed);
    let mut shown: String = line.chars().take(CHARACTERS).collect();
    if line.chars().count() > CHARACTERS {
        shown.push('…');
    }
    shown
}

fn names<'p>(people: impl Iterator<Item = &'p Person>) -> String {
    let mut out = Vec::new();
    for (number, person) in people.enumerate() {
        if number > 0 {
            out.extend(b", ");
        }
        write_name(&person.name, &mut out);
        out.extend(format!(" ({})", person.via.as_str()).bytes());
    }
    String::from_utf8_lossy(&out).into_owned()
}
