//! Reads forms and queries: `application/x-www-form-urlencoded`, as the URL standard defines it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::rooms::{Password, PasswordFault};

/// The pairs of name and value, decoded. What is not UTF-8 becomes U+FFFD.
pub fn pairs(encoded: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(encoded)
}

/// Decodes a part of a path.
pub fn decode_path(encoded: &str) -> Cow<'_, str> {
    percent_decode_str(encoded).decode_utf8_lossy()
}

/// What was typed as a password, or why it can be none.
pub type TypedPassword = Result<Password, PasswordFault>;

/// What was typed into the home page's form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HomeForm {
    /// The name, as typed.
    pub name: String,
    /// The code, as typed.
    pub code: String,
    /// The password of an account with this name, as typed.
    pub password: Option<TypedPassword>,
    /// The room's key, as typed.
    pub key: String,
    /// The button "Create a room" was pressed, not "Join a room".
    pub creates: bool,
    /// The form asked for no code, since it came with a link.
    pub is_invited: bool,
}

impl HomeForm {
    /// Reads the form's body, or the home page's query. Unknown fields are ignored; of several with one
    /// name the last one counts.
    pub fn read(encoded: &[u8]) -> HomeForm {
        let mut form = HomeForm::default();
        for (name, value) in pairs(encoded) {
            match &*name {
                "name" => form.name = value.into_owned(),
                "code" => form.code = value.into_owned(),
                "password" if !value.is_empty() => form.password = Some(Password::parse(&value)),
                "key" => form.key = value.into_owned(),
                "create" => form.creates = true,
                "invited" => form.is_invited = true,
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
        let (name, code, key) = ("Ana María & Co".into(), "kxqt".into(), String::new());
        assert_eq!(form, HomeForm { name, code, key, ..HomeForm::default() });
        assert_eq!(HomeForm::read(b"password=").password, None, "an empty field is none");
        assert!(HomeForm::read(b"password=a+%C3%A9").password == Some(Password::parse("a é")));
        assert_eq!(HomeForm::read(b"key=open+sesame&join=1").key, "open sesame");
        assert!(HomeForm::read(b"name=ana&code=&create=").creates);
    }

    #[test]
    fn what_is_no_encoding_stands_for_itself() {
        let decoded: Vec<_> = pairs(b"&a=%&b=%4&c=%zz&d&=e&f=%ff&g=1=2").collect();
        let expected = [("a", "%"), ("b", "%4"), ("c", "%zz"), ("d", ""), ("", "e"), ("f", "\u{FFFD}"), ("g", "1=2")];
        assert_eq!(decoded, expected.map(|(name, value)| (name.into(), value.into())));
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
