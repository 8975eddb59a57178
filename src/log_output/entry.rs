//! A record of the log, and the line as which it is written.

use jiff::Timestamp;
use log::kv::{Key, Value, VisitSource};
use log::{Level, Record};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;

use crate::options::LogFormat;

/// What the names of all our modules begin with.
const CRATE: &str = "snugd";

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// In which form.
    pub format: LogFormat,
    /// To systemd's journal: it notes the time itself, and takes the priority off the line (sd-daemon(3)).
    pub is_journal: bool,
}

/// A record of one of our modules.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub level: Level,
    pub module: String,
    pub message: String,
    /// What belongs to it, by name: `event` names what has happened for programs that read this, `cause` why.
    pub fields: Vec<(String, Json)>,
}

impl Entry {
    /// `None`: it is not ours.
    pub fn of(record: &Record<'_>) -> Option<Entry> {
        let module = module_of(record.target())?.to_owned();
        let mut fields = Fields(Vec::new());
        // It never fails.
        let _ = record.key_values().visit(&mut fields);
        Some(Entry { level: record.level(), module, message: record.args().to_string(), fields: fields.0 })
    }

    /// What one of its fields says.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.as_str())
    }

    /// The line, which ends in LF.
    pub fn line(&self, style: Style, time: Timestamp) -> String {
        let time = format!("{time:.3}");
        let priority = if style.is_journal { priority(self.level) } else { "" };
        let line = match style.format {
            LogFormat::Text => self.text(if style.is_journal { None } else { Some(&time) }),
            LogFormat::Logfmt => self.logfmt(if style.is_journal { None } else { Some(&time) }),
            // Four strings and some values always have a JSON form; an empty line would be the worst that could happen.
            LogFormat::Json => serde_json::to_string(&JsonLine { time: &time, entry: self }).unwrap_or_default(),
        };
        format!("{priority}{line}\n")
    }

    fn text(&self, time: Option<&str>) -> String {
        let time = time.map_or(String::new(), |time| format!("{time} {} ", self.level));
        let mut line = format!("{time}{}: {}", self.module, escape_controls(&self.message));
        for (name, value) in self.fields.iter().filter(|(name, _)| name != "event") {
            line += &format!(" {name}={}", logfmt_value(value));
        }
        line
    }

    fn logfmt(&self, time: Option<&str>) -> String {
        let mut line = time.map_or(String::new(), |time| format!("time={time} "));
        let message = Json::from(self.message.as_str());
        line += &format!("level={} module={} msg={}", level_word(self.level), self.module, logfmt_value(&message));
        for (name, value) in &self.fields {
            line += &format!(" {name}={}", logfmt_value(value));
        }
        line
    }
}

/// The module's name without the crate's, or `None` if it is not ours.
pub fn module_of(target: &str) -> Option<&str> {
    match target.strip_prefix(CRATE)? {
        "" => Some(CRATE),
        rest => rest.strip_prefix("::"),
    }
}

struct Fields(Vec<(String, Json)>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        let number = value.to_u64().map(Json::from).or_else(|| value.to_i64().map(Json::from));
        self.0.push((key.to_string(), number.unwrap_or_else(|| Json::from(value.to_string()))));
        Ok(())
    }
}

/// A record in JSON; the fields come out in this order.
struct JsonLine<'a> {
    time: &'a str,
    entry: &'a Entry,
}

impl Serialize for JsonLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", self.time)?;
        map.serialize_entry("level", &level_word(self.entry.level))?;
        map.serialize_entry("module", &self.entry.module)?;
        map.serialize_entry("message", &self.entry.message)?;
        for (name, value) in &self.entry.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn level_word(level: Level) -> String {
    level.as_str().to_lowercase()
}

/// The priority of syslog(3), as it stands before a line.
fn priority(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

/// In quotation marks where it would not be one word.
fn logfmt_value(value: &Json) -> String {
    let is_word = |text: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || "_-.:/+[]".contains(letter))
    };
    match value {
        Json::String(text) if is_word(text) => text.clone(),
        Json::String(_) => escape_controls(&value.to_string()),
        _ => value.to_string(),
    }
}

/// Writes control characters visibly, so that nothing can forge a line or move a reader's cursor.
fn escape_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => escaped.extend(character.escape_default()),
            false => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(message: &str) -> Entry {
        let fields =
            vec![("event".to_owned(), "up".into()), ("rooms".to_owned(), 7.into()), ("at".to_owned(), "a b".into())];
        Entry { level: Level::Info, module: "reactor".to_owned(), message: message.to_owned(), fields }
    }

    fn written(format: LogFormat, is_journal: bool, entry: &Entry) -> String {
        let time = "2026-11-20T13:58:00.123456Z".parse().expect("a time");
        entry.line(Style { format, is_journal }, time)
    }

    #[test]
    fn text_is_a_line_for_people() {
        assert_eq!(
            written(LogFormat::Text, false, &entry("listening, on löopback")),
            "2026-11-20T13:58:00.123Z INFO reactor: listening, on löopback rooms=7 at=\"a b\"\n"
        );
    }

    #[test]
    fn logfmt_has_a_name_for_everything() {
        assert_eq!(
            written(LogFormat::Logfmt, false, &entry("say \"hi\"\n")),
            "time=2026-11-20T13:58:00.123Z level=info module=reactor msg=\"say \\\"hi\\\"\\n\" event=up rooms=7 at=\"a b\"\n"
        );
    }

    #[test]
    fn json_is_an_object_a_line() {
        assert_eq!(
            written(LogFormat::Json, false, &entry("say \"hi\"\n")),
            "{\"time\":\"2026-11-20T13:58:00.123Z\",\"level\":\"info\",\"module\":\"reactor\",\
             \"message\":\"say \\\"hi\\\"\\n\",\"event\":\"up\",\"rooms\":7,\"at\":\"a b\"}\n"
        );
    }

    #[test]
    fn the_journal_is_told_the_priority_and_no_time() {
        let warning = Entry { level: Level::Warn, fields: Vec::new(), ..entry("the disk is full") };
        assert_eq!(written(LogFormat::Text, true, &warning), "<4>reactor: the disk is full\n");
        let logfmt = "<4>level=warn module=reactor msg=\"the disk is full\"\n";
        assert_eq!(written(LogFormat::Logfmt, true, &warning), logfmt);
        let json = written(LogFormat::Json, true, &warning);
        assert!(json.starts_with("<4>{\"time\":\""), "what its readers rely on stays as it is: {json}");
    }

    #[test]
    fn a_record_cannot_forge_another_one() {
        let forged = Entry { fields: vec![("a".to_owned(), "b\nc".into())], ..entry("a\nb\u{1b}[2J\u{9b}") };
        assert_eq!(
            written(LogFormat::Text, false, &forged),
            "2026-11-20T13:58:00.123Z INFO reactor: a\\nb\\u{1b}[2J\\u{9b} a=\"b\\nc\"\n"
        );
        assert_eq!(written(LogFormat::Logfmt, false, &forged).lines().count(), 1);
        assert!(!written(LogFormat::Logfmt, false, &forged).contains('\u{9b}'));
    }

    #[test]
    fn a_whole_second_keeps_its_milliseconds() {
        let entry = Entry { fields: Vec::new(), ..entry("x") };
        let line = entry.line(Style { format: LogFormat::Text, is_journal: false }, Timestamp::UNIX_EPOCH);
        assert_eq!(line, "1970-01-01T00:00:00.000Z INFO reactor: x\n");
    }

    #[test]
    fn a_record_brings_its_fields() {
        let pairs = [("event", Value::from("up")), ("rooms", Value::from(7_usize)), ("delta", Value::from(-1))];
        let record = Record::builder().target("snugd::main").args(format_args!("x")).key_values(&pairs).build();
        let entry = Entry::of(&record).expect("it is ours");
        let fields = [("event", Json::from("up")), ("rooms", 7.into()), ("delta", (-1).into())];
        assert_eq!(entry.fields, fields.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn only_our_own_modules_are_logged() {
        assert_eq!(module_of("snugd"), Some("snugd"));
        assert_eq!(module_of("snugd::reactor::slab"), Some("reactor::slab"));
        assert_eq!(module_of("snugdish"), None);
        assert_eq!(module_of("tungstenite::protocol"), None);
    }
}
