//! Names, and what makes two of them the same name.

use std::fmt;

use smol_str::SmolStr;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::look_alike::skeleton;

/// Longest name, in characters, after trimming and NFKC.
pub const MAX_CHARACTERS: usize = 32;

/// Longest text that is looked at as a name, in bytes: bounds the work of normalising it.
const MAX_TYPED_BYTES: usize = 512;

/// Letters and symbols that show as nothing; a name of them would look like no name at all.
const BLANK: [char; 6] = ['\u{115F}', '\u{1160}', '\u{3164}', '\u{FFA0}', '\u{2800}', '\u{034F}'];

/// What a member is called in a room: 1 to 32 characters, trimmed, NFKC, inner spaces folded to one,
/// without control, format, bidi or blank-looking characters.
///
/// Up to 23 bytes are held in place: every event carries its author's, and a count of who shares it would be one more
/// place in memory to go to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name(SmolStr);

impl Name {
    /// Reads a name as people type it; `None` if it is empty, too long or has a character no name may have.
    pub fn parse(typed: &str) -> Option<Name> {
        if typed.len() > MAX_TYPED_BYTES {
            return None;
        }
        let normalised: String = typed.nfkc().collect();
        let name = normalised.split_whitespace().collect::<Vec<_>>().join(" ");
        // Trimming would hide a control character that counts as white space, such as U+0085 or a newline.
        let inside = normalised.trim_matches(|character| matches!(character, ' ' | '\t' | '\r' | '\n'));
        let well_formed =
            !name.is_empty() && name.chars().count() <= MAX_CHARACTERS && inside.chars().all(may_stand_in_name);
        well_formed.then(|| Name(name.into()))
    }

    /// A name that has been one before.
    pub(super) fn known(name: &str) -> Name {
        Name(name.into())
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The forms under which the name is looked up: two names are one name if they share a form.
    ///
    /// A confusable-free skeleton (Unicode Technical Standard 39) is taken of the name as written, which
    /// catches a capital I that looks like an l, and of its lower case, which catches `Ana` and `ana`.
    pub fn keys(&self) -> NameKeys {
        let as_written = fold(&self.0);
        let in_lower_case = fold(&self.0.to_lowercase());
        let second = (in_lower_case != as_written).then_some(in_lower_case);
        NameKeys { first: as_written, second }
    }
}

/// The folded, confusable-free forms of a [`Name`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameKeys {
    first: Box<str>,
    second: Option<Box<str>>,
}

impl NameKeys {
    /// Each form once.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.first).chain(&self.second).map(|key| &**key)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn may_stand_in_name(character: char) -> bool {
    let category = character.general_category();
    !BLANK.contains(&character)
        && !matches!(
            category,
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::Surrogate
                | GeneralCategory::Unassigned
                | GeneralCategory::PrivateUse
        )
}

fn fold(name: &str) -> Box<str> {
    // Variation selectors change how an emoji is drawn, not which one it is.
    let plain: String = name.chars().filter(|character| !matches!(character, '\u{FE00}'..='\u{FE0F}')).collect();
    skeleton(&plain).to_lowercase().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let one = Name::parse(one).expect("a name").keys();
        let other = Name::parse(other).expect("a name").keys();
        one.iter().any(|key| other.iter().any(|other_key| key == other_key))
    }

    #[test]
    fn is_trimmed_and_normalised() {
        assert_eq!(Name::parse("  ana \r\n").expect("a name").as_str(), "ana");
        assert_eq!(Name::parse("ﬁona").expect("a name").as_str(), "fiona");
        assert_eq!(Name::parse("Ana   Maria").expect("a name").as_str(), "Ana Maria");
    }

    #[test]
    fn refuses_empty_long_and_invisible() {
        let long = "x".repeat(33);
        let refused =
            ["", "   ", "a\u{202E}b", "a\u{200B}b", "a\nb", "a\u{1b}[31m", "a\u{85}b", "\u{3164}", "a\u{2028}b", &long];
        for typed in refused {
            assert_eq!(Name::parse(typed), None, "{typed:?}");
        }
        assert!(Name::parse(&"x".repeat(32)).is_some());
    }

    #[test]
    fn look_alikes_are_one_name() {
        assert!(same("Ana", "ana"));
        assert!(same("ana", "аna"), "Cyrillic а");
        assert!(same("ANA", "аna"));
        assert!(same("Alice", "AIice"), "capital I for l");
        assert!(same("Ben", "Веn"), "Cyrillic В and е");
        assert!(same("x❤", "x❤\u{FE0F}"));
    }

    #[test]
    fn different_names_stay_different() {
        assert!(!same("ana", "anna"));
        assert!(!same("ana", "ben"));
        assert!(!same("ana", "ana2"));
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent(typed in "\\PC{0,40}") {
            if let Some(name) = Name::parse(&typed) {
                prop_assert_eq!(Name::parse(name.as_str()), Some(name.clone()));
                prop_assert!(name.as_str().chars().count() <= MAX_CHARACTERS);
                prop_assert!(!name.as_str().chars().any(char::is_control));
            }
        }

        #[test]
        fn case_never_makes_another_name(typed in "[a-zA-Zà-ž]{1,12}") {
            prop_assert!(same(&typed, &typed.to_lowercase()));
        }
    }
}
