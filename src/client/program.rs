//! What a program writes to `snugd join --json`: messages of the contract, as they are sent; and anything else, as a
//! person would have typed it.

use serde_json::{Map, Value};

use crate::json;

/// The messages that a program may send by itself.
const KNOWN: &[&str] = &[
    "message",
    "edit",
    "delete",
    "react",
    "moderate",
    "register",
    "login",
    "password",
    "unregister",
    "search",
    "history",
    "who",
    "typing",
    "nick",
    "bans",
];

/// A line that is a message.
#[derive(PartialEq, Debug)]
pub enum Line {
    /// To be sent as it is; what is said has a client id, by which it is acknowledged.
    Ready {
        /// The JSON object.
        json: String,
        /// The client id in it.
        cid: Option<String>,
    },
    /// A ping of the program's own.
    Ping,
    /// To leave.
    Leave,
    /// It is not for the program to send: the error that it reads.
    Refused(String),
}

/// Reads a line; `None`: it is no message, and so something to say, or a command. `new_cid` makes a client id for what
/// has none.
pub fn read(line: &str, new_cid: impl FnOnce() -> String) -> Option<Line> {
    if !line.trim_start().starts_with('{') {
        return None;
    }
    let mut object: Map<String, Value> = serde_json::from_str(line).ok()?;
    Some(match object.get("type")?.as_str()? {
        "ping" => Line::Ping,
        "leave" => Line::Leave,
        "join" => Line::Refused(error("bad_request", "The client joins by itself; start another for another room.")),
        r#type if KNOWN.contains(&r#type) => {
            let may_have_cid = matches!(r#type, "message" | "edit");
            if may_have_cid && object.get("cid").and_then(Value::as_str).is_none_or(str::is_empty) {
                object.insert("cid".to_owned(), new_cid().into());
            }
            let cid = object.get("cid").and_then(Value::as_str).filter(|_| may_have_cid).map(str::to_owned);
            Line::Ready { json: Value::Object(object).to_string(), cid }
        }
        _ => return None,
    })
}

/// An error as the server writes them.
pub fn error(code: &'static str, sentence: &str) -> String {
    let mut out = Vec::new();
    json::write_error(code, sentence, None, None, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Line> {
        super::read(line, || "c1".to_owned())
    }

    #[test]
    fn messages_are_sent_and_all_else_is_said() {
        let ready =
            |json: &str, cid: Option<&str>| Some(Line::Ready { json: json.to_owned(), cid: cid.map(str::to_owned) });
        assert_eq!(
            read(r#"{"type":"message","text":"hi"}"#),
            ready(r#"{"cid":"c1","text":"hi","type":"message"}"#, Some("c1"))
        );
        assert_eq!(
            read(r#" {"type":"message","text":"hi","cid":"own"}"#),
            ready(r#"{"cid":"own","text":"hi","type":"message"}"#, Some("own"))
        );
        assert_eq!(read(r#"{"type":"who"}"#), ready(r#"{"type":"who"}"#, None));
        assert_eq!(read(r#"{"type":"ping"}"#), Some(Line::Ping));
        assert_eq!(read(r#"{"type":"leave"}"#), Some(Line::Leave));
        assert!(matches!(read(r#"{"type":"join","room":"KXQT"}"#), Some(Line::Refused(_))));
        for said in ["hello", "{}", r#"{"type":"dance"}"#, r#"{"type":7}"#, "{not json", "[1]"] {
            assert_eq!(read(said), None, "{said}");
        }
    }
}
