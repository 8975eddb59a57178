//! Writing JSON objects (RFC 8259) field by field.
//!
//! Every message of every room is written here, and who joins a full room is told two hundred names: an object is
//! appended to the bytes that will be sent, keys as they are, and of texts only those with something to escape are
//! gone through by a library.

/// An object under way.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    /// Begins an object at the end of `out`. It is whole once [`end`](Object::end) is called.
    pub fn begin(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out }
    }

    /// A field with a text.
    #[inline(always)]
    pub fn text(&mut self, key: &'static str, value: &str) -> &mut Self {
        self.key(key);
        write_text(value, self.out);
        self
    }

    /// A field with a word of the contract, which needs no escapes.
    #[inline(always)]
    pub fn word(&mut self, key: &'static str, word: &'static str) -> &mut Self {
        debug_assert!(!needs_escapes(word));
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b'"');
        self
    }

    /// A field with a text, if there is one.
    pub fn text_if(&mut self, key: &'static str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(key, value);
        }
        self
    }

    /// A field with a number.
    pub fn number(&mut self, key: &'static str, value: u64) -> &mut Self {
        self.key(key);
        write_by_library(&value, self.out);
        self
    }

    /// A field with a number, if there is one.
    pub fn number_if(&mut self, key: &'static str, value: Option<u64>) -> &mut Self {
        if let Some(value) = value {
            self.number(key, value);
        }
        self
    }

    /// A field with `true` or `false`.
    pub fn flag(&mut self, key: &'static str, value: bool) -> &mut Self {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// A field with an object.
    pub fn object(&mut self, key: &'static str, write: impl FnOnce(&mut Object<'_>)) -> &mut Self {
        self.key(key);
        let mut object = Object::begin(self.out);
        write(&mut object);
        object.end();
        self
    }

    /// A field with an array of objects.
    pub fn objects<T>(
        &mut self,
        key: &'static str,
        items: impl Iterator<Item = T>,
        write: impl Fn(T, &mut Object<'_>),
    ) -> &mut Self {
        self.key(key);
        self.out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let mut object = Object::begin(self.out);
            write(item, &mut object);
            object.end();
        }
        self.out.push(b']');
        self
    }

    /// A field with an array of texts.
    pub fn texts<'t>(&mut self, key: &'static str, texts: impl Iterator<Item = &'t str>) -> &mut Self {
        self.key(key);
        self.out.push(b'[');
        for (index, text) in texts.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write_text(text, self.out);
        }
        self.out.push(b']');
        self
    }

    /// Ends it.
    pub fn end(&mut self) {
        self.out.push(b'}');
    }

    // Where the key is known beforehand, it is written as a constant.
    #[inline(always)]
    fn key(&mut self, key: &'static str) {
        debug_assert!(!needs_escapes(key));
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    if needs_escapes(text) {
        return write_by_library(text, out);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Whether a text has characters that must not stand in a JSON string as they are (RFC 8259 section 7).
fn needs_escapes(text: &str) -> bool {
    // All bytes are looked at, without an end in between: so many of them are looked at in one step.
    text.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'))
}

fn write_by_library<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("texts and numbers can always be written into memory");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_come_in_their_order() {
        let mut out = b"before ".to_vec();
        Object::begin(&mut out)
            .text("a", "b")
            .text_if("none", None)
            .word("w", "x")
            .number("n", u64::MAX)
            .number_if("none", None)
            .flag("f", true)
            .object("o", |object| {
                object.flag("g", false);
            })
            .object("empty", |_| ())
            .objects("l", [1, 2].into_iter(), |item, object| {
                object.number("i", item);
            })
            .objects("nobody", [0; 0].into_iter(), |_, _| ())
            .texts("t", ["a", "\"b"].into_iter())
            .end();
        assert_eq!(
            String::from_utf8_lossy(&out),
            r#"before {"a":"b","w":"x","n":18446744073709551615,"f":true,"o":{"g":false},"empty":{},"l":[{"i":1},{"i":2}],"nobody":[],"t":["a","\"b"]}"#
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_was(text in "\\PC{0,20}|[\"\\\\\u{0}-\u{1f}a]{0,20}|.{0,80}", key_follows in any::<bool>()) {
            let mut out = Vec::new();
            let mut object = Object::begin(&mut out);
            object.text("text", &text);
            if key_follows {
                object.flag("flag", true);
            }
            object.end();
            let expected = if key_follows { json!({"text": text, "flag": true}) } else { json!({"text": text}) };
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).expect("JSON"), expected);
        }
    }
}
