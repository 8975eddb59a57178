//! What the server says to a connection itself: to a person in sentences, to a program in JSON.
//!
//! Which of it is said when is decided by the session; what a room's members say comes by the encoders.

use core::net::IpAddr;
use std::fmt::Display;
use std::io::Write;

use super::Context;
use super::encoder::{Place, moderation, write_day, write_event, write_name};
use super::help;
use crate::json;
use crate::rooms::{AccountDone, AuthorId, Body, EncoderId, Event, ListedBan, Member, Name, Refusal, Room, RoomCode};
use crate::session_api::encoders;
use crate::time::Now;

/// Members that are named to a newcomer; more would push everything else off its screen.
const MEMBERS_NAMED: usize = 20;

/// Whom a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutputFormat {
    /// A person at a terminal.
    Person,
    /// A program that reads one JSON object a line.
    Program,
}

impl OutputFormat {
    /// The encoding in which it reads a room.
    pub fn encoder(self) -> EncoderId {
        match self {
            OutputFormat::Person => encoders::LINE,
            OutputFormat::Program => encoders::JSON_LINES,
        }
    }

    /// Tells how things are. For people only.
    pub fn notice(self, sentence: impl Display, out: &mut Vec<u8>) {
        if self == OutputFormat::Person {
            write_line(format_args!("* {sentence}"), out);
        }
    }

    /// Warns about something that is no refusal. For people only.
    pub fn warn(self, sentence: impl Display, out: &mut Vec<u8>) {
        if self == OutputFormat::Person {
            write_line(format_args!("! {sentence}"), out);
        }
    }

    /// Asks for something; the answer is typed on the same line. For people only.
    pub fn prompt(self, question: &str, out: &mut Vec<u8>) {
        if self == OutputFormat::Person {
            out.extend(question.as_bytes());
        }
    }

    /// Ends the line that a prompt has begun, where nobody has answered it. For people only.
    pub fn end_prompt(self, out: &mut Vec<u8>) {
        if self == OutputFormat::Person {
            out.extend(b"\r\n");
        }
    }

    /// Refuses something; `code` is the contract's error code for it.
    pub fn refuse(self, code: &'static str, sentence: impl Display, out: &mut Vec<u8>) {
        match self {
            OutputFormat::Person => self.warn(sentence, out),
            OutputFormat::Program => {
                json::write_error(code, &sentence.to_string(), None, None, out);
                out.push(b'\n');
            }
        }
    }

    /// Tells why the connection is closed although nobody has asked for it: it is in no room any more.
    pub fn farewell(self, sentence: &str, out: &mut Vec<u8>) {
        match self {
            OutputFormat::Person => self.notice(sentence, out),
            OutputFormat::Program => self.refuse("not_joined", sentence, out),
        }
    }

    /// Passes on a refusal of the rooms; `advice` may follow it.
    pub fn pass_on(self, refusal: &Refusal, advice: &str, out: &mut Vec<u8>) {
        match self {
            OutputFormat::Person => self.warn(format_args!("{refusal}{advice}"), out),
            OutputFormat::Program => {
                json::write_refusal(refusal, None, out);
                out.push(b'\n');
            }
        }
    }

    /// Tells what was done to an account.
    pub fn account(self, done: AccountDone, name: &Name, out: &mut Vec<u8>) {
        match (self, done) {
            (OutputFormat::Program, _) => {
                json::write_account((done != AccountDone::Unregistered).then_some(name), out);
                out.push(b'\n');
            }
            (_, AccountDone::Registered) => {
                let sentence =
                    format_args!("\"{name}\" is yours: nobody else is called that here without its password.");
                self.notice(sentence, out);
            }
            (_, AccountDone::LoggedIn) => self.notice(format_args!("You are logged in as \"{name}\"."), out),
            (_, AccountDone::PasswordChanged) => {
                let sentence = format_args!("The password of \"{name}\" is changed; its other sessions have ended.");
                self.notice(sentence, out);
            }
            (_, AccountDone::Unregistered) => self.notice(format_args!("\"{name}\" is anybody's again."), out),
        }
    }

    /// Lists the commands that one may use. For people only.
    pub fn help(self, is_operator: bool, out: &mut Vec<u8>) {
        help::list(is_operator).for_each(|line| self.notice(line, out));
    }

    /// Tells by which command a file is shared in the room with this page.
    pub fn help_sharing(self, room_url: &str, out: &mut Vec<u8>) {
        self.notice(format_args!("Elsewhere, curl -T FILE {room_url}/ shares a file here."), out);
    }

    /// Lists who is kept out of a room.
    pub fn bans(self, bans: &[ListedBan], out: &mut Vec<u8>) {
        match self {
            OutputFormat::Person => moderation::write_bans(bans, out),
            OutputFormat::Program => {
                json::write_bans(bans, out);
                out.push(b'\n');
            }
        }
    }

    /// Tells that an operator has thrown this member out.
    pub fn kicked(self, code: RoomCode, event: &Event, out: &mut Vec<u8>) {
        match self {
            OutputFormat::Person => moderation::write_kicked(event, out),
            OutputFormat::Program => {
                json::write_event(code, event, out);
                out.push(b'\n');
            }
        }
    }

    /// Tells a new member which room it is in. `local` is the address of ours that it connected to.
    pub fn welcome(self, joined: &json::Joined<'_>, local: IpAddr, context: &Context, now: Now, out: &mut Vec<u8>) {
        match self {
            OutputFormat::Person => {
                write_welcome(joined.room, joined.member, local, context, out);
                moderation::write_rules(joined.room.rules(), out);
                let events = without_own_enter(joined.events, joined.member);
                if !events.is_empty() {
                    let home_url = context.invitation.home_url(local);
                    let place = Place { clock: &context.clock, home_url: &home_url, code: joined.room.code() };
                    write_history(events, &place, now, out);
                }
            }
            OutputFormat::Program => {
                json::write_joined(joined, out);
                out.push(b'\n');
                if joined.room.member_count() > json::MAX_MEMBERS
                    && let Some(told) = json::told_at_first(joined.room, joined.member).last()
                {
                    write_member_pages(joined.room, Some(told.author()), out);
                }
            }
        }
    }

    /// Lists everybody in the room.
    pub fn members(self, room: &Room, out: &mut Vec<u8>) {
        match self {
            OutputFormat::Person => {
                out.extend(b"* ");
                write_members(&sorted_by_name(room.members()), out);
                out.extend(b"\r\n");
            }
            OutputFormat::Program => write_member_pages(room, None, out),
        }
    }

    /// Shows older events.
    pub fn history(self, events: &[Event], more: bool, place: &Place<'_>, now: Now, out: &mut Vec<u8>) {
        match self {
            OutputFormat::Person => write_history(events, place, now, out),
            OutputFormat::Program => {
                json::write_history(place.code, events, more, out);
                out.push(b'\n');
            }
        }
    }

    /// Shows what a search has found. `before`: there may be more before this id.
    pub fn found(self, events: &[Event], before: Option<u64>, place: &Place<'_>, now: Now, out: &mut Vec<u8>) {
        match self {
            OutputFormat::Person => write_found(events, before.is_some(), place, now, out),
            OutputFormat::Program => {
                json::write_found(place.code, events, before, out);
                out.push(b'\n');
            }
        }
    }
}

/// Appends what a search has found, and how much that is.
fn write_found(events: &[Event], may_be_more: bool, place: &Place<'_>, now: Now, out: &mut Vec<u8>) {
    let clock = place.clock;
    let today = clock.date(now.wall_ms);
    let mut day = today;
    for event in events {
        let date = clock.date(event.time_ms);
        if date != day {
            day = date;
            match date.year() == today.year() {
                true => write_day(date, out),
                false => write_line(format_args!("* -- {} --", date.strftime("%A %-d %B %Y")), out),
            }
        }
        write_event(event, place, out);
    }
    match (events.len(), may_be_more) {
        (0, false) => write_line("* Nothing found.", out),
        (0, true) => write_line("* Nothing found yet, but not everything was looked at: other words may find it.", out),
        (count, false) => write_line(format_args!("* {count} found."), out),
        (count, true) => write_line(format_args!("* {count} found, and there may be older ones."), out),
    }
}

/// Appends everybody in the places after `after`, as many to an object as are told at once.
fn write_member_pages(room: &Room, mut after: Option<AuthorId>, out: &mut Vec<u8>) {
    loop {
        json::write_members(room, after, out);
        out.push(b'\n');
        let told = match after {
            Some(author) => room.members_after(author).nth(json::MAX_MEMBERS - 1),
            None => room.members().nth(json::MAX_MEMBERS - 1),
        };
        after = told.map(Member::author);
        if after.is_none_or(|author| room.members_after(author).next().is_none()) {
            return;
        }
    }
}

fn write_line(line: impl Display, out: &mut Vec<u8>) {
    write!(out, "{line}\r\n").expect("writing into memory does not fail");
}

fn write_welcome(room: &Room, newcomer: &Member, local: IpAddr, context: &Context, out: &mut Vec<u8>) {
    let code = room.code();
    let others = sorted_by_name(room.members().filter(|member| member.name() != newcomer.name()));
    out.extend(format!("* {code}. ").bytes());
    if others.is_empty() {
        out.extend(b"Nobody else is here yet");
    } else {
        out.extend(format!("{} here: ", others.len()).bytes());
        write_members(&others[..others.len().min(MEMBERS_NAMED)], out);
        if others.len() > MEMBERS_NAMED {
            out.extend(format!(" and {} more", others.len() - MEMBERS_NAMED).bytes());
        }
    }
    write_line(format_args!(". Invite: {}", context.invitation.room_url(local, code)), out);
}

fn sorted_by_name<'a>(members: impl Iterator<Item = &'a Member>) -> Vec<&'a Member> {
    let mut members: Vec<&Member> = members.collect();
    members.sort_by_cached_key(|member| (member.name().as_str().to_lowercase(), member.name().as_str()));
    members
}

fn write_members(members: &[&Member], out: &mut Vec<u8>) {
    for (number, member) in members.iter().enumerate() {
        if number > 0 {
            out.extend(b", ");
        }
        write_name(member.name(), out);
        out.extend(format!(" ({})", member.via().as_str()).bytes());
    }
}

/// A newcomer need not be told that it came in.
fn without_own_enter<'a>(events: &'a [Event], newcomer: &Member) -> &'a [Event] {
    match events {
        [before @ .., last] if last.body == Body::Enter && last.name == *newcomer.name() => before,
        events => events,
    }
}

/// Appends events of the past, with a line where another day than today begins, and a line behind them.
fn write_history(events: &[Event], place: &Place<'_>, now: Now, out: &mut Vec<u8>) {
    let clock = place.clock;
    let mut day = clock.date(now.wall_ms);
    for event in events {
        let date = clock.date(event.time_ms);
        if date != day {
            day = date;
            write_day(date, out);
        }
        write_event(event, place, out);
    }
    out.extend(b"* -- now --\r\n");
}
