//! What everybody at a terminal is shown of what operators do.

use super::{write_name, write_notice_of, write_text};
use crate::rooms::{Body, Event, ListedBan, ModeChange, Name, RoomRules};
use crate::time::duration_words;

/// Appends what an operator has done, as everybody reads it.
pub fn write_moderation(event: &Event, out: &mut Vec<u8>) {
    let by = &event.name;
    let mut notice = |what: &str, name: Option<&Name>| {
        write_notice_of(by, what, out);
        if let Some(name) = name {
            write_name(name, out);
        }
    };
    let mut behind = None;
    let mut words = String::new();
    match &event.body {
        Body::Topic { text: Some(text) } => {
            notice(" set the topic: ", None);
            behind = Some(text);
        }
        Body::Topic { text: None } => notice(" took the topic away", None),
        Body::Kick { name, reason } => {
            notice(" kicked ", Some(name));
            words.push_str(if reason.is_some() { ": " } else { "" });
            behind = reason.as_ref();
        }
        Body::Mode { change } => match change {
            ModeChange::Op(name) if name == by => notice(" is an operator now", None),
            ModeChange::Op(name) => {
                notice(" made ", Some(name));
                words.push_str(" an operator");
            }
            ModeChange::Deop(name) if name == by => notice(" is no operator any more", None),
            ModeChange::Deop(name) => {
                notice(" made ", Some(name));
                words.push_str(" no operator any more");
            }
            ModeChange::Ban { name, seconds } => {
                notice(" banned ", Some(name));
                words = format!(" for {}", duration_words(*seconds));
            }
            ModeChange::Unban(name) => notice(" lifted the ban of ", Some(name)),
            ModeChange::Mute { name, seconds } => {
                notice(" muted ", Some(name));
                words = seconds.map_or(String::new(), |seconds| format!(" for {}", duration_words(seconds)));
            }
            ModeChange::Unmute(name) => notice(" unmuted ", Some(name)),
            ModeChange::Lock => notice(" locked the room: nobody new comes in", None),
            ModeChange::Unlock => notice(" unlocked the room", None),
            ModeChange::Key => notice(" gave the room a key", None),
            ModeChange::Unkey => notice(" took the key away", None),
            ModeChange::Slow { seconds: 0 } => notice(" ended slow mode", None),
            ModeChange::Slow { seconds } => {
                notice(" began slow mode: ", None);
                words = format!("one message in {}", duration_words((*seconds).into()));
            }
        },
        _ => (),
    }
    out.extend(words.as_bytes());
    if let Some(text) = behind {
        write_text(text.as_str(), out);
    }
}

/// Appends what who was thrown out is told.
pub fn write_kicked(event: &Event, out: &mut Vec<u8>) {
    out.extend(b"! You were kicked by ");
    write_name(&event.name, out);
    match &event.body {
        Body::Kick { reason: Some(reason), .. } => {
            out.extend(b": ");
            write_text(reason.as_str(), out);
        }
        _ => out.push(b'.'),
    }
    out.extend(b"\r\n");
}

/// Appends what a newcomer should know of what operators have made of the room: nothing, mostly.
pub fn write_rules(rules: &RoomRules, out: &mut Vec<u8>) {
    if let Some(topic) = &rules.topic {
        out.extend(b"* Topic: ");
        write_text(topic.as_str(), out);
        out.extend(b"\r\n");
    }
    if rules.slow_seconds > 0 {
        let pause = duration_words(rules.slow_seconds.into());
        out.extend(format!("* Slow mode: one message in {pause}.\r\n").bytes());
    }
}

/// Appends who is kept out.
pub fn write_bans(bans: &[ListedBan], out: &mut Vec<u8>) {
    if bans.is_empty() {
        out.extend(b"* Nobody is banned.\r\n");
    }
    for ban in bans {
        out.extend(b"* ");
        write_name(&ban.name, out);
        out.extend(format!(": banned for {} by ", duration_words(ban.seconds)).bytes());
        write_name(&ban.by, out);
        out.extend(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::{AuthorId, Text, Via};

    fn shown(body: Body, write: fn(&Event, &mut Vec<u8>)) -> String {
        let (name, via, author) = (Name::parse("a<na").expect("a name"), Via::Web, AuthorId(1));
        let mut out = Vec::new();
        write(&Event { id: 1, time_ms: 0, name, via, author, body }, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn what_operators_do_reads_as_a_notice_and_forges_none() {
        let ben = || Name::parse("b>en").expect("a name");
        let text = Text::clean_line("a\u{202E}b\n* -- now --").ok();
        let shows = |body, expected: &str| assert_eq!(shown(body, write_moderation), expected);
        shows(Body::Topic { text: text.clone() }, "* a‹na set the topic: ab * -- now --");
        shows(Body::Topic { text: None }, "* a‹na took the topic away");
        shows(Body::Kick { name: ben(), reason: None }, "* a‹na kicked b›en");
        shows(Body::Kick { name: ben(), reason: text.clone() }, "* a‹na kicked b›en: ab * -- now --");
        let shows = |change, expected: &str| shows(Body::Mode { change }, expected);
        shows(ModeChange::Op(ben()), "* a‹na made b›en an operator");
        shows(ModeChange::Op(Name::parse("a<na").expect("a name")), "* a‹na is an operator now");
        shows(ModeChange::Deop(ben()), "* a‹na made b›en no operator any more");
        shows(ModeChange::Ban { name: ben(), seconds: 7200 }, "* a‹na banned b›en for 2h");
        shows(ModeChange::Unban(ben()), "* a‹na lifted the ban of b›en");
        shows(ModeChange::Mute { name: ben(), seconds: None }, "* a‹na muted b›en");
        shows(ModeChange::Mute { name: ben(), seconds: Some(60) }, "* a‹na muted b›en for 1m");
        shows(ModeChange::Slow { seconds: 10 }, "* a‹na began slow mode: one message in 10s");
        shows(ModeChange::Slow { seconds: 0 }, "* a‹na ended slow mode");
        let kick = Body::Kick { name: ben(), reason: text };
        assert_eq!(shown(kick, write_kicked), "! You were kicked by a‹na: ab * -- now --\r\n");
    }
}
