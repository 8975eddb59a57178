//! What a shared file is called.

use std::fmt;

use smol_str::SmolStr;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Longest name, in bytes: as much as file systems take.
pub const MAX_BYTES: usize = 255;

/// The name of a file that was given none that can be used.
const NAMELESS: &str = "file";

/// A file's name that can be stored anywhere and hides nothing: no path, no control, format or bidi character, none of
/// those that a file system refuses, no name that Windows has reserved; at most 255 bytes, the extension kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileName(SmolStr);

impl FileName {
    /// Makes a name of what somebody calls a file. There always is one.
    pub fn clean(typed: &str) -> FileName {
        let last = typed.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
        let cleaned: String = last.nfc().filter(|character| !is_removed(*character)).map(replaced).collect();
        let trimmed = cleaned.trim_matches(|character: char| character.is_whitespace() || character == '.');
        let shortened = shorten(if trimmed.is_empty() { NAMELESS } else { trimmed });
        if is_reserved(&shortened) {
            return FileName(shorten(&format!("_{shortened}")));
        }
        FileName(shortened)
    }

    /// A name that has been one before.
    pub(super) fn known(name: &str) -> FileName {
        FileName(name.into())
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Characters that nobody sees, or that change how others are read. Joiners stay: emoji and scripts need them.
fn is_removed(character: char) -> bool {
    let is_joiner = matches!(character, '\u{200C}' | '\u{200D}');
    let category = character.general_category();
    let is_hidden = matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
    );
    is_hidden && !is_joiner || character == '\u{FFFD}'
}

/// What stands for a character that some file system or shell does not take in a name.
fn replaced(character: char) -> char {
    match character {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
        other if other.is_whitespace() => ' ',
        other => other,
    }
}

/// At most [`MAX_BYTES`], with the extension, cut between characters.
fn shorten(name: &str) -> SmolStr {
    const LONGEST_EXTENSION_BYTES: usize = 16;
    if name.len() <= MAX_BYTES {
        return name.into();
    }
    let extension = name.rfind('.').filter(|dot| name.len() - dot <= LONGEST_EXTENSION_BYTES);
    let extension = extension.map_or("", |dot| &name[dot..]);
    let stem = &name[..name.floor_char_boundary(MAX_BYTES - extension.len())];
    smol_str::format_smolstr!("{}{extension}", stem.trim_end())
}

/// Whether Windows takes it for a device, with any extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_numbered = |prefix: &str| {
        let number = stem.strip_prefix(prefix).unwrap_or_default();
        matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    };
    let is_device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$");
    is_device || is_numbered("COM") || is_numbered("LPT")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_cleaned() {
        let long = format!("{}.tar.gz", "ü".repeat(200));
        for (typed, name) in [
            ("plan.pdf", "plan.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ana\\plan.pdf", "plan.pdf"),
            ("folder/", "folder"),
            ("", "file"),
            ("..", "file"),
            (". . .", "file"),
            (".htaccess", "htaccess"),
            ("a\r\nb\0c\u{1B}[31m.txt", "abc[31m.txt"),
            ("invoice\u{202E}fdp.exe", "invoicefdp.exe"),
            ("zero\u{200B}width.png", "zerowidth.png"),
            ("<script>\"x\".js", "_script__x_.js"),
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("com1 .txt", "_com1 .txt"),
            ("LPT³", "_LPT³"),
            ("console.txt", "console.txt"),
            ("com10.txt", "com10.txt"),
            ("trailing. . ", "trailing"),
            ("Übung\u{2028}1.pdf", "Übung1.pdf"),
            ("U\u{308}bung.pdf", "Übung.pdf"),
            ("👩\u{200D}💻.png", "👩\u{200D}💻.png"),
        ] {
            assert_eq!(FileName::clean(typed).as_str(), name, "{typed:?}");
        }
        let shortened = FileName::clean(&long);
        assert!(shortened.as_str().len() <= MAX_BYTES && shortened.as_str().ends_with(".gz"), "{shortened}");
    }

    proptest! {
        #[test]
        fn every_name_is_a_name_and_stays_one(typed in any::<String>()) {
            let name = FileName::clean(&typed);
            prop_assert!((1..=MAX_BYTES).contains(&name.as_str().len()));
            prop_assert!(!name.as_str().contains(['/', '\\', '\0', '\r', '\n']));
            prop_assert_eq!(&FileName::clean(name.as_str()), &name);
        }
    }
}
