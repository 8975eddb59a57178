//! Names, and what makes two of them the same name.

use std::fmt;
use std::ops::RangeInclusive;

use smol_str::SmolStr;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory};

use super::look_alike::skeleton;

/// Longest name, in characters, after trimming and NFKC.
pub const MAX_CHARACTERS: usize = 32;

/// Longest text that is looked at as a name, in bytes: bounds the work of normalising it.
const MAX_TYPED_BYTES: usize = 512;

/// Most combining marks in a row. Languages need fewer; a pile of them covers other lines.
const MAX_MARKS: usize = 4;

/// Letters and symbols that show as nothing; a name of them would look like no name at all.
const BLANK: [char; 11] = [
    '\u{115F}',
    '\u{1160}',
    '\u{3164}',
    '\u{FFA0}',
    '\u{2800}',
    '\u{034F}',
    '\u{17B4}',
    '\u{17B5}',
    '\u{13441}',
    '\u{13442}',
    '\u{1D159}',
];

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// The combining class of a virama, which takes a letter its vowel.
const VIRAMA_CLASS: u8 = 9;

/// Blocks of the scripts whose letters join their neighbours: Arabic, Syriac, N'Ko, Mandaic, Mongolian, Phags-pa,
/// Manichaean, Psalter Pahlavi, Rohingya, Sogdian, Old Uyghur, Chorasmian, Adlam.
const JOINING_BLOCKS: [RangeInclusive<char>; 11] = [
    '\u{600}'..='\u{77F}',
    '\u{7C0}'..='\u{7FF}',
    '\u{840}'..='\u{8FF}',
    MONGOLIAN,
    '\u{A840}'..='\u{A87F}',
    '\u{10AC0}'..='\u{10AFF}',
    '\u{10B80}'..='\u{10BAF}',
    '\u{10D00}'..='\u{10D3F}',
    '\u{10EC0}'..='\u{10EFF}',
    '\u{10F30}'..='\u{10FDF}',
    '\u{1E900}'..='\u{1E95F}',
];
const MONGOLIAN: RangeInclusive<char> = '\u{1800}'..='\u{18AF}';

/// What a member is called in a room: 1 to 32 characters, trimmed, NFKC, inner spaces folded to one,
/// without control, format, bidi or blank-looking characters and without piles of marks.
///
/// Joiners (RFC 5892 A.1, A.2) and variation selectors may stand where they are written in emoji and in scripts that
/// need them; they make no other name.
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
        let well_formed = !name.is_empty()
            && name.chars().count() <= MAX_CHARACTERS
            && inside.chars().all(may_stand_in_name)
            && (name.is_ascii() || is_well_composed(&name));
        well_formed.then(|| Name(name.into()))
    }

    /// A name as a data file has it. An earlier version may have taken one that this one refuses, and who bears it keeps
    /// it; `None` for what no version has taken.
    pub fn stored(text: &str) -> Option<Name> {
        // Most are of these, and are read wherever events are.
        let is_plain = || text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let may_have_been_one = !text.is_empty()
            && text.chars().count() <= MAX_CHARACTERS
            && (is_plain() || text.chars().all(|character| is_joiner(character) || !is_harmful(character)));
        may_have_been_one.then(|| Name::known(text))
    }

    /// A name that has been one before.
    pub(super) fn known(name: &str) -> Name {
        Name(name.into())
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the two are one name.
    pub fn is_same(&self, other: &Name) -> bool {
        self.keys().overlaps(&other.keys())
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
    /// The forms one by one: who goes by any of them is found, and not the first alone.
    pub(super) fn each(&self) -> impl Iterator<Item = NameKeys> {
        self.iter().map(|key| NameKeys { first: key.into(), second: None })
    }

    /// Whether two names with these forms are one name.
    pub(super) fn overlaps(&self, other: &NameKeys) -> bool {
        self.iter().any(|key| other.iter().any(|other| other == key))
    }

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
    // U+FFFC and U+FFFD stand for what could not be shown or read.
    let is_unknown = matches!(character, '\u{FFFC}' | char::REPLACEMENT_CHARACTER);
    is_joiner(character) || !is_unknown && !BLANK.contains(&character) && !is_harmful(character)
}

fn is_harmful(character: char) -> bool {
    matches!(
        character.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
            | GeneralCategory::PrivateUse
    )
}

fn is_joiner(character: char) -> bool {
    matches!(character, ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER)
}

fn is_mark(character: char) -> bool {
    character.general_category_group() == GeneralCategoryGroup::Mark
}

fn is_variation_selector(character: char) -> bool {
    matches!(character, '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// An emoji that may be part of a joined one; digits, which are emoji as well, may not.
fn is_joining_emoji(character: char) -> bool {
    character.is_emoji_char() && !character.is_ascii()
}

/// Whether marks, joiners and variation selectors stand where they mean something.
fn is_well_composed(name: &str) -> bool {
    let mut marks = 0;
    name.char_indices().all(|(place, character)| {
        let (before, rest) = name.split_at(place);
        let previous = before.chars().next_back();
        if is_joiner(character) {
            may_join(character, before, rest.chars().nth(1))
        } else if is_variation_selector(character) {
            previous.is_some_and(|varied| may_vary(varied, character))
        } else if is_mark(character) {
            marks += 1;
            // At the beginning it would stand on what is written before the name.
            previous.is_some() && marks <= MAX_MARKS
        } else {
            marks = 0;
            true
        }
    })
}

/// Whether a joiner may stand between these: after a virama, between letters that join (RFC 5892 A.1, A.2), and
/// between emoji.
fn may_join(joiner: char, before: &str, after: Option<char>) -> bool {
    let previous = before.chars().next_back();
    if previous.is_some_and(|previous| canonical_combining_class(previous) == VIRAMA_CLASS) {
        return true;
    }
    if joiner == ZERO_WIDTH_NON_JOINER {
        let letter = before.chars().rev().find(|&character| !is_mark(character));
        return letter.is_some_and(is_joining_letter) && after.is_some_and(is_joining_letter);
    }
    let is_modifier = |character: &char| matches!(character, '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}');
    let emoji = before.chars().rev().find(|character| !is_modifier(character));
    emoji.is_some_and(is_joining_emoji) && after.is_some_and(is_joining_emoji)
}

fn is_joining_letter(character: char) -> bool {
    character.general_category_group() == GeneralCategoryGroup::Letter
        && JOINING_BLOCKS.iter().any(|block| block.contains(&character))
}

/// Whether a variation selector means something after this character: how an emoji is drawn, or which form of a Han
/// or a Mongolian character is meant.
fn may_vary(varied: char, selector: char) -> bool {
    match selector {
        '\u{FE0E}' | '\u{FE0F}' => varied.is_emoji_char(),
        '\u{E0100}'..='\u{E01EF}' => matches!(varied, '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}'),
        '\u{180B}'..='\u{180F}' => MONGOLIAN.contains(&varied),
        _ => false,
    }
}

fn fold(name: &str) -> Box<str> {
    // Joiners and variation selectors change how a character is drawn, not which one it is.
    let is_seen = |character: &char| !is_joiner(*character) && !is_variation_selector(*character);
    let plain: String = name.chars().filter(is_seen).collect();
    skeleton(&plain).to_lowercase().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let one = Name::parse(one).expect("a name").keys();
        let other = Name::parse(other).expect("a name").keys();
        one.overlaps(&other)
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
    fn joiners_stand_where_they_are_written() {
        let joined = ["👩‍💻 Ana", "🏳️‍🌈", "👩🏽‍🤝‍👨🏿", "👨‍👩‍👧‍👦", "❤️‍🔥", "علی‌رضا", "می‌خواهم", "ශ්‍රී", "മോഹന്‍", "क्‌ष"];
        for typed in joined {
            assert_eq!(Name::parse(typed).as_ref().map(Name::as_str), Some(typed));
            assert!(same(typed, &typed.replace(['\u{200C}', '\u{200D}'], "")), "{typed}");
        }
        for joiner in ['\u{200C}', '\u{200D}'] {
            for (before, after) in
                [("", ""), ("a", "b"), ("", "ana"), ("ana", ""), ("1", "2"), ("an ", " a"), ("é", "é")]
            {
                assert_eq!(Name::parse(&format!("{before}{joiner}{after}")), None, "{before:?} {joiner:?} {after:?}");
            }
        }
        for typed in [
            "👩\u{200D}",
            "\u{200D}👩",
            "👩\u{200D}\u{200D}💻",
            "👩\u{200D}a",
            "👩\u{200C}💻",
            "علی\u{200C}",
            "علی\u{200D}رضا",
        ] {
            assert_eq!(Name::parse(typed), None, "{typed:?}");
        }
    }

    #[test]
    fn variation_selectors_follow_what_they_vary() {
        for typed in ["x❤\u{FE0F}", "❤\u{FE0E}", "1\u{FE0F}\u{20E3}", "渡邉\u{E0100}", "ᠠ\u{180B}"] {
            assert_eq!(Name::parse(typed).as_ref().map(Name::as_str), Some(typed));
            let plain = typed.replace(is_variation_selector, "");
            assert!(same(typed, &plain), "{typed:?}");
        }
        for typed in
            ["a\u{FE0F}", "❤\u{FE0F}\u{FE0F}", "\u{FE0F}", "a\u{E0100}", "a\u{180B}", "❤\u{FE00}", "a \u{FE0F}"]
        {
            assert_eq!(Name::parse(typed), None, "{typed:?}");
        }
    }

    #[test]
    fn marks_do_not_pile_up() {
        assert!(Name::parse(&format!("x{}", "\u{30D}".repeat(4))).is_some());
        assert_eq!(Name::parse(&format!("x{}", "\u{30D}".repeat(5))), None);
        assert_eq!(Name::parse("\u{30D}x"), None, "on what stands before the name");
        for typed in ["བསྒྲུབས", "שָׁלוֹם", "Nguyễn", "ที่รัก"] {
            assert!(Name::parse(typed).is_some(), "{typed}");
        }
    }

    #[test]
    fn what_stands_for_unreadable_bytes_is_no_name() {
        for typed in ["J\u{FFFD}rgen", "\u{FFFD}", "\u{FFFC}", "x\u{1D159}", "x\u{17B4}", "x\u{17B5}", "\u{13441}"] {
            assert_eq!(Name::parse(typed), None, "{typed:?}");
        }
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
        fn what_is_accepted_shows_something_and_forges_nothing(
            typed in "([a-zآ-ی👩💻🏽❤क-ह1<> ]|\u{200D}|\u{200C}|\u{FE0F}|\u{301}|\u{94D}|\u{FFFD}|\\PC){0,20}",
        ) {
            let Some(name) = Name::parse(&typed) else { return Ok(()) };
            let shown = |c: char| !c.is_whitespace() && !is_joiner(c) && !is_mark(c) && !BLANK.contains(&c);
            prop_assert!(name.as_str().starts_with(shown));
            let is_harmful = |c: char| match c.general_category() {
                GeneralCategory::Format => !is_joiner(c),
                GeneralCategory::Control | GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => true,
                _ => c == char::REPLACEMENT_CHARACTER,
            };
            prop_assert!(!name.as_str().contains(is_harmful));
            // Without all that is not seen it is the same name.
            let seen: String = name.as_str().chars().filter(|&c| !is_joiner(c) && !is_variation_selector(c)).collect();
            if let Some(seen) = Name::parse(&seen) {
                prop_assert!(same(name.as_str(), seen.as_str()));
            }
            let marks = name.as_str().chars().map(|c| is_mark(c) && !is_variation_selector(c)).collect::<Vec<_>>();
            prop_assert!(marks.windows(5).all(|five| five.contains(&false)));
        }

        #[test]
        fn case_never_makes_another_name(typed in "[a-zA-Zà-ž]{1,12}") {
            prop_assert!(same(&typed, &typed.to_lowercase()));
        }
    }
}
