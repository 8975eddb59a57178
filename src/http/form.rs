//! What a form or a query says: `application/x-www-form-urlencoded`, as the URL standard reads it.

/// The pairs of name and value, decoded. What is not UTF-8 becomes U+FFFD.
pub fn pairs(encoded: &[u8]) -> impl Iterator<Item = (String, String)> + '_ {
    encoded.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=');
        let (name, value) = match equals {
            Some(position) => (&pair[..position], &pair[position + 1..]),
            None => (pair, &b""[..]),
        };
        (decode(name, true), decode(value, true))
    })
}

/// Decodes a part of a path.
pub fn decode_path(encoded: &str) -> String {
    decode(encoded.as_bytes(), false)
}

/// Decodes `%41`, and `+` if it means a space. A percent sign without two digits stands for itself.
fn decode(encoded: &[u8], plus_is_space: bool) -> String {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [byte, after @ ..] = rest {
        (rest, decoded) = match (byte, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(digit(*high) << 4 | digit(*low));
                (after, decoded)
            }
            _ => {
                decoded.push(if plus_is_space && *byte == b'+' { b' ' } else { *byte });
                (after, decoded)
            }
        };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// What was typed into the home page's form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HomeForm {
    /// The name, as typed.
    pub name: String,
    /// The code, as typed.
    pub code: String,
    /// The button "Create a room" was pressed, not "Join a room".
    pub creates: bool,
}

impl HomeForm {
    /// Reads the form's body, or the home page's query. Fields that it does not know do not matter; of
    /// several with one name the last one counts.
    pub fn read(encoded: &[u8]) -> HomeForm {
        let mut form = HomeForm::default();
        for (name, value) in pairs(encoded) {
            match name.as_str() {
                "name" => form.name = value,
                "code" => form.code = value,
                "create" => form.creates = true,
                _ => {}
            }
        }
        form
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_browsers_send() {
        let form = HomeForm::read(b"name=Ana+Mar%C3%ADa+%26+Co&code=kxqt&join=1");
        assert_eq!(form, HomeForm { name: "Ana María & Co".into(), code: "kxqt".into(), creates: false });
        assert!(HomeForm::read(b"name=ana&code=&create=").creates);
    }

    #[test]
    fn what_is_no_encoding_stands_for_itself() {
        let decoded: Vec<_> = pairs(b"&a=%&b=%4&c=%zz&d&=e&f=%ff&g=1=2").collect();
        let expected = [("a", "%"), ("b", "%4"), ("c", "%zz"), ("d", ""), ("", "e"), ("f", "\u{FFFD}"), ("g", "1=2")];
        assert_eq!(decoded, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(decode_path("a+b%20c"), "a+b c");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            HomeForm::read(&bytes);
        }

        #[test]
        fn reads_back_what_was_encoded(text in "\\PC*") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(HomeForm::read(format!("name={encoded}").as_bytes()).name, text);
        }
    }
}
