//! What operators type.

use super::{CommandFault, TypedCommand, parse_key, split_word};
use crate::rooms::{MAX_SECONDS, MAX_SLOW_SECONDS, Moderation, Name, Text, TextFault};

/// Reads a command for operators; `None`: it is none.
///
/// A name may have spaces in it, and nothing tells where it ends. So there are several readings, the longest name first,
/// and the rooms take the first that is about somebody. A name in double quotes has one.
pub fn parse<'l>(word: &str, argument: &'l str) -> Option<Result<TypedCommand<'l>, CommandFault<'l>>> {
    let whole = |make: fn(Name) -> Moderation| match Name::parse(unquoted(argument)) {
        Some(name) => Ok(vec![make(name)]),
        None if argument.is_empty() => Err(CommandFault::WhoMissing),
        None => Err(CommandFault::NameMalformed),
    };
    let readings = match word {
        "/op" => whole(Moderation::Op),
        "/deop" => whole(Moderation::Deop),
        "/unban" => whole(Moderation::Unban),
        "/unmute" => whole(Moderation::Unmute),
        "/kick" => with_name(argument, "/kick NAME [WHY]", |name, rest| {
            Some(Moderation::Kick { name, reason: read_line(rest).ok()? })
        }),
        "/ban" => with_name(argument, "/ban NAME [TIME] [WHY]", |name, rest| {
            let (first, behind) = split_word(rest);
            let (seconds, why) = read_time(first).map_or((None, rest), |seconds| (Some(seconds), behind));
            Some(Moderation::Ban { name, seconds, reason: read_line(why).ok()? })
        }),
        "/mute" => with_name(argument, "/mute NAME [TIME]", |name, rest| {
            let seconds = if rest.is_empty() { None } else { Some(read_time(rest)?) };
            Some(Moderation::Mute { name, seconds })
        }),
        "/lock" => Ok(vec![Moderation::Lock]),
        "/unlock" => Ok(vec![Moderation::Unlock]),
        "/key" if argument.is_empty() => Ok(vec![Moderation::Key(None)]),
        "/key" => parse_key(argument).map(|key| vec![Moderation::Key(Some(key))]),
        "/topic" => match read_line(argument) {
            Ok(text) => Ok(vec![Moderation::Topic(text)]),
            Err(_) => Err(CommandFault::LineTooLong),
        },
        "/slow" if argument.is_empty() => Ok(vec![Moderation::Slow { seconds: 0 }]),
        "/slow" => {
            let seconds = argument.parse().ok().or_else(|| read_time(argument));
            match seconds.filter(|seconds| *seconds <= MAX_SLOW_SECONDS) {
                Some(seconds) => Ok(vec![Moderation::Slow { seconds: seconds as u32 }]),
                None => Err(CommandFault::Usage("/slow 10s")),
            }
        }
        "/bans" => return Some(Ok(TypedCommand::Bans)),
        _ => return None,
    };
    Some(readings.map(TypedCommand::Moderate))
}

/// Every reading of a name and what follows it.
fn with_name<'l>(
    argument: &'l str,
    usage: &'static str,
    make: impl Fn(Name, &str) -> Option<Moderation>,
) -> Result<Vec<Moderation>, CommandFault<'l>> {
    if argument.is_empty() {
        return Err(CommandFault::WhoMissing);
    }
    let reading = |name: &str, rest: &str| Name::parse(name).and_then(|name| make(name, rest.trim()));
    if let Some((name, rest)) = argument.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
        return reading(name, rest).map(|reading| vec![reading]).ok_or(CommandFault::Usage(usage));
    }
    let ends = argument.char_indices().filter(|(_, character)| character.is_whitespace()).map(|(end, _)| end);
    let mut ends: Vec<usize> = ends.chain([argument.len()]).collect();
    ends.reverse();
    let readings: Vec<Moderation> =
        ends.into_iter().filter_map(|end| reading(&argument[..end], &argument[end..])).collect();
    if readings.is_empty() { Err(CommandFault::Usage(usage)) } else { Ok(readings) }
}

fn unquoted(argument: &str) -> &str {
    argument.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap_or(argument)
}

/// A time as options have it: `15s`, `10m`, `1h`, `30d`. A number alone is none.
fn read_time(typed: &str) -> Option<u64> {
    let time = humantime::parse_duration(typed).ok()?;
    Some(time.as_secs().clamp(1, MAX_SECONDS))
}

fn read_line(typed: &str) -> Result<Option<Text>, TextFault> {
    match Text::clean_line(typed) {
        Ok(text) => Ok(Some(text)),
        Err(TextFault::Empty) => Ok(None),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::RoomKey;

    fn name(name: &str) -> Name {
        Name::parse(name).expect("a name")
    }

    fn text(text: &str) -> Option<Text> {
        Some(Text::clean_line(text).expect("a text"))
    }

    fn readings(word: &str, argument: &str) -> Vec<Moderation> {
        match parse(word, argument) {
            Some(Ok(TypedCommand::Moderate(readings))) => readings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_may_have_spaces_before_what_follows_it() {
        let kick = |called: &str, reason| Moderation::Kick { name: name(called), reason };
        assert_eq!(readings("/kick", "ben"), [kick("ben", None)]);
        assert_eq!(
            readings("/kick", "Ana Maria  stop it"),
            [
                kick("Ana Maria stop it", None),
                kick("Ana Maria stop", text("it")),
                kick("Ana Maria", text("stop it")),
                kick("Ana Maria", text("stop it")),
                kick("Ana", text("Maria stop it")),
            ]
        );
        assert_eq!(readings("/kick", "\"Ana Maria\" stop it"), [kick("Ana Maria", text("stop it"))]);
        assert_eq!(readings("/op", "\"Ana Maria\""), [Moderation::Op(name("Ana Maria"))]);
        assert_eq!(readings("/op", "Ana Maria"), [Moderation::Op(name("Ana Maria"))]);
    }

    #[test]
    fn times_are_told_from_words() {
        let ban = |called: &str, seconds, reason| Moderation::Ban { name: name(called), seconds, reason };
        assert_eq!(readings("/ban", "ben 10m shouts")[2..], [ban("ben", Some(600), text("shouts"))]);
        assert_eq!(readings("/ban", "ben 10 times")[2..], [ban("ben", None, text("10 times"))]);
        assert_eq!(readings("/ban", "ben 1000000d")[1..], [ban("ben", Some(MAX_SECONDS), None)]);
        let mute = |called: &str, seconds| Moderation::Mute { name: name(called), seconds };
        assert_eq!(readings("/mute", "ben 1h"), [mute("ben 1h", None), mute("ben", Some(3600))]);
        assert_eq!(readings("/mute", "ben please"), [mute("ben please", None)]);
        assert_eq!(readings("/slow", "10"), [Moderation::Slow { seconds: 10 }]);
        assert_eq!(readings("/slow", "2m"), [Moderation::Slow { seconds: 120 }]);
        assert_eq!(readings("/slow", ""), [Moderation::Slow { seconds: 0 }]);
        assert!(matches!(parse("/slow", "2d"), Some(Err(CommandFault::Usage(_)))));
        assert!(matches!(parse("/slow", "often"), Some(Err(CommandFault::Usage(_)))));
    }

    #[test]
    fn what_is_left_out_is_asked_for_or_taken_away() {
        assert_eq!(readings("/key", ""), [Moderation::Key(None)]);
        assert_eq!(readings("/key", "open sesame"), [Moderation::Key(RoomKey::parse("open sesame"))]);
        assert_eq!(readings("/topic", ""), [Moderation::Topic(None)]);
        assert_eq!(readings("/topic", "slides"), [Moderation::Topic(text("slides"))]);
        for word in ["/op", "/deop", "/kick", "/ban", "/unban", "/mute", "/unmute"] {
            assert_eq!(parse(word, ""), Some(Err(CommandFault::WhoMissing)), "{word}");
        }
        assert_eq!(parse("/kick", "\u{200B}"), Some(Err(CommandFault::Usage("/kick NAME [WHY]"))));
        assert_eq!(parse("/topic", &"x".repeat(513)), Some(Err(CommandFault::LineTooLong)));
        assert_eq!(parse("/key", &"x".repeat(257)), Some(Err(CommandFault::KeyTooLong)));
        assert_eq!(parse("/dance", ""), None);
    }
}
