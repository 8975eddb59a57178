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
        // What was removed may have stood between characters that are one.
        let cleaned: String = last.nfc().filter(|character| !is_removed(*character)).map(replaced).nfc().collect();
        let trimmed = cleaned.trim_matches(is_trimmed);
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
    // Fillers, and the blank pattern of Braille: letters and signs that have no shape.
    let is_blank = matches!(character, '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}');
    is_hidden && !is_joiner || is_blank || character == '\u{FFFD}'
}

/// What no name begins or ends with: it would be hidden, or dropped by a file system. Nothing is left of a name of these.
fn is_trimmed(character: char) -> bool {
    let is_selector =
        matches!(character, '\u{180B}'..='\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}');
    character.is_whitespace() || is_selector || matches!(character, '.' | '\u{200C}' | '\u{200D}')
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
    let end = (0..=MAX_BYTES - extension.len()).rev().find(|end| name.is_char_boundary(*end));
    let stem = &name[..end.unwrap_or(0)];
    smol_str::format_smolstr!("{}{extension}", stem.trim_end_matches(is_trimmed))
}

/// Whether Windows takes it for a device, with any extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_numbered = |prefix: &str| {
        let number = stem.strip_prefix(prefix).unwrap_or_default();
        matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    };
    let is_device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$");
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

    /// What is wrong with a name, if anything is.
    fn harm(name: &str) -> Option<&'static str> {
        let is_bad = |character: char| {
            character.is_control()
                || matches!(character, '/' | '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*')
                || matches!(character, '\u{061C}' | '\u{200B}' | '\u{200E}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
                || matches!(character, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFFD}' | '\u{E0000}'..='\u{E007F}')
                || matches!(character, '\u{115F}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}' | '\u{E000}')
        };
        let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
        let is_device = ["CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$"].contains(&&*stem)
            || ["COM", "LPT"].iter().any(|device| {
                stem.strip_prefix(device)
                    .is_some_and(|number| number.chars().count() == 1 && "0123456789¹²³".contains(number))
            });
        match name {
            "" => Some("it is empty"),
            _ if name.len() > MAX_BYTES => Some("it is too long"),
            _ if name.chars().any(is_bad) => Some("it has a character that is none of a name"),
            _ if name.starts_with(is_trimmed) || name.ends_with(is_trimmed) => Some("its ends are hidden"),
            _ if is_device => Some("Windows has it reserved"),
            _ if FileName::clean(name).as_str() != name => Some("it is another one when it is cleaned again"),
            _ => None,
        }
    }

    #[test]
    fn no_hostile_name_gets_through() {
        let long = "x".repeat(300);
        let dots = format!("{}{}", "x".repeat(250), ".".repeat(60));
        let parts = [
            "",
            ".",
            "..",
            "...",
            " ",
            "/",
            "\\",
            "../",
            "..\\",
            "/etc/passwd",
            "C:",
            "C:\\",
            "\\\\host\\share\\",
            "con",
            "PRN.",
            "aux ",
            "nul.txt",
            "COM1",
            "lpt9.",
            "com¹",
            "CONIN$",
            "clock$",
            "file:stream",
            "a<b",
            ">",
            "\"",
            "|",
            "?",
            "*",
            "\0",
            "\r\n",
            "\t",
            "\u{1B}[2J",
            "\u{7F}",
            "\u{85}",
            "\u{A0}",
            "\u{AD}",
            "\u{61C}",
            "\u{200B}",
            "\u{200C}",
            "\u{200D}",
            "\u{200E}",
            "\u{200F}",
            "\u{2028}",
            "\u{202E}gnp",
            "\u{2066}",
            "\u{2069}",
            "\u{206A}",
            "\u{3000}",
            "\u{FEFF}",
            "\u{FFFD}",
            "\u{FE0F}",
            "\u{FE00}",
            "\u{E0041}",
            "\u{E0100}",
            "\u{E000}",
            "\u{10FFFF}",
            "\u{115F}",
            "\u{3164}",
            "\u{FFA0}",
            "\u{2800}",
            "\u{34F}",
            "\u{301}",
            "a\u{200B}\u{308}",
            "<\u{338}",
            "\u{2126}",
            "%2e%2e%2f",
            "%00",
            "`id`",
            "$(id)",
            "; rm -rf ~",
            "-rf",
            "&#46;",
            "<script>alert(1)</script>",
            "\u{FF0F}",
            "\u{2215}",
            &long,
            &dots,
        ];
        let mut tried = 0;
        for first in parts {
            for typed in
                [first.to_owned(), format!("{first}plan.pdf"), format!("plan{first}.pdf"), format!("plan.pdf{first}")]
            {
                let name = FileName::clean(&typed);
                assert_eq!(harm(name.as_str()), None, "{typed:?} is called {:?}", name.as_str());
                tried += 1;
            }
            for second in parts {
                let typed = format!("{first}{second}");
                let name = FileName::clean(&typed);
                assert_eq!(harm(name.as_str()), None, "{typed:?} is called {:?}", name.as_str());
            }
        }
        assert!(tried >= 200);
    }

    proptest! {
        #[test]
        fn every_name_is_a_name_and_stays_one(typed in any::<String>()) {
            let name = FileName::clean(&typed);
            prop_assert_eq!(harm(name.as_str()), None, "{}", name);
        }
    }
}
