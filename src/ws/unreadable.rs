//! What can still be made of a message that serde_json does not read: half characters are replaced, and the client's
//! own id is found, so that the client learns which of its messages is refused.
//!
//! Nothing here is on the way of a message that is well-formed.

use std::borrow::Cow;

/// Bytes of an escaped UTF-16 unit: `\u` and four digits.
const ESCAPED_UNIT_BYTES: usize = 6;

/// Puts U+FFFD in place of every surrogate that is escaped without its other half (RFC 8259, section 8.2), as programs
/// write it that cut a text within an emoji. `None`: there is none.
pub fn replace_lone_surrogates(json: &str) -> Option<String> {
    let bytes = json.as_bytes();
    let mut replaced: Option<String> = None;
    let mut position = 0;
    while let Some(skipped) = bytes.get(position..).and_then(|rest| rest.iter().position(|&byte| byte == b'\\')) {
        position += skipped;
        let following = escaped_unit(bytes, position + ESCAPED_UNIT_BYTES);
        position += match (escaped_unit(bytes, position), following) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 2 * ESCAPED_UNIT_BYTES,
            (Some(0xD800..=0xDFFF), _) => {
                let digits = position + 2..position + ESCAPED_UNIT_BYTES;
                replaced.get_or_insert_with(|| json.to_owned()).replace_range(digits, "fffd");
                ESCAPED_UNIT_BYTES
            }
            (Some(_), _) => ESCAPED_UNIT_BYTES,
            // Another escape: its one character may be a backslash, which begins none.
            (None, _) => 2,
        };
    }
    replaced
}

/// The UTF-16 unit that is escaped at this place, if one is.
fn escaped_unit(bytes: &[u8], position: usize) -> Option<u16> {
    let digits = bytes.get(position..position + ESCAPED_UNIT_BYTES)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)? as u16))
}

/// The text in the field `cid` of the outermost object, as far as what is before it can be told apart.
pub fn find_cid(json: &str) -> Option<Cow<'_, str>> {
    let bytes = json.as_bytes();
    let (mut position, mut depth) = (0, 0_usize);
    let mut is_cid_next = false;
    while let Some(&byte) = bytes.get(position) {
        let mut token_bytes = 1;
        match byte {
            b'"' => {
                token_bytes = string_bytes(&bytes[position..])?;
                let string = &json[position..position + token_bytes];
                if is_cid_next {
                    return Some(Cow::Owned(serde_json::from_str(string).ok()?));
                }
                let is_key = || json[position + token_bytes..].trim_start().starts_with(':');
                is_cid_next = depth == 1 && string == r#""cid""# && is_key();
            }
            b'{' | b'[' => (depth, is_cid_next) = (depth + 1, false),
            b'}' | b']' => (depth, is_cid_next) = (depth.saturating_sub(1), false),
            b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => is_cid_next = false,
        }
        position += token_bytes;
    }
    None
}

/// The bytes of the string that begins with the first byte, quotes included; `None`: it has no end.
fn string_bytes(bytes: &[u8]) -> Option<usize> {
    let mut position = 1;
    loop {
        match bytes.get(position)? {
            b'"' => return Some(position + 1),
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_characters_are_replaced_and_whole_ones_kept() {
        for (json, expected) in [
            (r#""a\ud83d""#, r#""a\ufffd""#),
            (r#""\uDE00b""#, r#""\ufffdb""#),
            (r#""\ud83d\ud83d\ude00\ude00""#, r#""\ufffd\ud83d\ude00\ufffd""#),
            (r#""\ud83d\n\ude00""#, r#""\ufffd\n\ufffd""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
            (r#""\ud83d\u00e4""#, r#""\ufffd\u00e4""#),
            (r#"\ud83d\"#, r#"\ufffd\"#),
        ] {
            assert_eq!(replace_lone_surrogates(json).as_deref(), Some(expected), "{json}");
        }
        for json in ["", "a", r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""\u+d83""#, r#""\ud83""#, "\\ä\\u", "\\"] {
            assert_eq!(replace_lone_surrogates(json), None, "{json}");
        }
    }

    #[test]
    fn the_cid_is_found_wherever_it_can_be_told() {
        for json in [
            r#"{"type":"message","text":7,"cid":"c1"}"#,
            r#"{"cid":"c1","text":"#,
            r#" { "cid" : "c1" "#,
            r#"{"text":"\q","cid":"c1"}"#,
            r#"{"text":"\"cid\":\"no\"","cid":"c1"}"#,
            r#"{"text":"cid","cid":"c\u0031"}"#,
            r#"{"a":{"cid":"no"},"b":["cid",":","no"],"cid":"c1"}"#,
            r#"{"cid":7,"text":"no","cid":"c1"}"#,
            "{\"text\":\"a\nb\u{1}\",\"cid\":\"c1\",}",
        ] {
            assert_eq!(find_cid(json).as_deref(), Some("c1"), "{json}");
        }
        for json in
            ["", r#"{"cid""#, r#"{"cid":"#, r#"{"cid":"c1"#, r#"["cid","c1"]"#, r#"{"cid":["c1"]}"#, r#""cid":"c1""#]
        {
            assert_eq!(find_cid(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_looked_at_without_panic(json in "[\\\\\"u{}:dD83efäc ,]{0,60}") {
            let _ = find_cid(&json);
            if let Some(replaced) = replace_lone_surrogates(&json) {
                prop_assert_eq!(replaced.len(), json.len());
                prop_assert_eq!(replace_lone_surrogates(&replaced), None);
            }
        }
    }
}
