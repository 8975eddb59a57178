//! What one may react with: a single emoji.

use smol_str::SmolStr;
use unicode_properties::UnicodeEmoji;
use unicode_properties::emoji::EmojiStatus;
use unicode_segmentation::UnicodeSegmentation;

/// Has the character before it shown as an emoji, where it may be shown as a text as well.
const EMOJI_PRESENTATION: char = '\u{FE0F}';

const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// Makes a key of the digit before it.
const KEYCAP: char = '\u{20E3}';

/// One emoji: a single grapheme cluster (UAX 29) that shows as a picture (UTS 51).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Emoji(SmolStr);

impl Emoji {
    /// Longest emoji, in bytes. Families and flags of regions need half of it.
    pub const MAX_BYTES: usize = 64;

    /// Reads an emoji. One that is given in its plain form (`❤`) is the same as in its coloured one (`❤️`).
    pub fn parse(typed: &str) -> Option<Emoji> {
        let typed = typed.trim();
        if typed.len() > Emoji::MAX_BYTES || typed.graphemes(true).take(2).count() != 1 {
            return None;
        }
        let mut characters = typed.chars();
        let first = characters.next()?;
        let has_parts_of_emoji = characters.clone().all(is_part);
        if !has_parts_of_emoji || !begins_emoji(first, characters.as_str()) {
            return None;
        }
        let is_plain = typed.len() == first.len_utf8() && !shows_as_emoji(first);
        Some(Emoji(if is_plain { format!("{first}{EMOJI_PRESENTATION}").into() } else { typed.into() }))
    }

    /// An emoji that has been one before.
    pub(super) fn known(emoji: &str) -> Emoji {
        Emoji(emoji.into())
    }

    /// The emoji itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn begins_emoji(first: char, rest: &str) -> bool {
    match first {
        '0'..='9' | '#' | '*' => rest.ends_with(KEYCAP),
        // Two letters are a flag, one alone is none.
        '\u{1F1E6}'..='\u{1F1FF}' => rest.chars().next().is_some_and(is_regional_letter),
        first => first.is_emoji_char(),
    }
}

/// Whether a character may stand behind the first one of an emoji.
fn is_part(character: char) -> bool {
    matches!(character, EMOJI_PRESENTATION | ZERO_WIDTH_JOINER | KEYCAP | '\u{E0020}'..='\u{E007F}')
        || character.is_emoji_char() && !character.is_ascii()
}

fn is_regional_letter(character: char) -> bool {
    ('\u{1F1E6}'..='\u{1F1FF}').contains(&character)
}

/// Whether a character shows as an emoji without being told to.
fn shows_as_emoji(character: char) -> bool {
    matches!(
        character.emoji_status(),
        EmojiStatus::EmojiPresentation
            | EmojiStatus::EmojiPresentationAndModifierBase
            | EmojiStatus::EmojiPresentationAndEmojiComponent
            | EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_emoji_is_one_picture() {
        for typed in ["👍", "👍🏽", "❤️", "🇩🇪", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "#️⃣", "🏳️‍🌈", "☺️", "🐻‍❄️"]
        {
            assert_eq!(Emoji::parse(typed).as_ref().map(Emoji::as_str), Some(typed), "{typed}");
        }
        assert_eq!(Emoji::parse(" 🎉 ").as_ref().map(Emoji::as_str), Some("🎉"));
        assert_eq!(Emoji::parse("❤"), Emoji::parse("❤️"));
        assert_eq!(Emoji::parse("✌").as_ref().map(Emoji::as_str), Some("✌️"));
    }

    #[test]
    fn what_is_no_emoji_is_none() {
        let long = format!("👩{}", "\u{200D}👩".repeat(10));
        for typed in [
            "",
            " ",
            "a",
            "ä",
            "1",
            "#",
            "👍👍",
            "👍a",
            "a👍",
            ":)",
            "\u{FE0F}",
            "\u{200D}",
            "🇩",
            "e\u{20E3}",
            "\u{1b}",
            "\n",
            &long,
        ] {
            assert_eq!(Emoji::parse(typed), None, "{typed:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_passes_for_an_emoji(typed in "\\PC{0,6}|[👍🇩\u{FE0F}\u{200D}a1\u{20E3}\u{E0067} ]{0,5}") {
            if let Some(emoji) = Emoji::parse(&typed) {
                let shown = emoji.as_str();
                prop_assert_eq!(shown.graphemes(true).count(), 1);
                prop_assert!(shown.len() <= Emoji::MAX_BYTES + 3);
                prop_assert!(!shown.chars().any(|character| character.is_control() || character.is_alphabetic()));
                prop_assert!(!shown.contains(['<', '>', '"', ' ']));
                prop_assert_eq!(Emoji::parse(shown), Some(emoji.clone()));
            }
        }
    }
}
