//! What characters look like (Unicode Technical Standard 39, section 4), from a table that `build/look_alikes.rs`
//! makes of the library's.

use unicode_normalization::UnicodeNormalization;

// CHARACTERS: those that look like something else, sorted, in three bytes each. STARTS and LENGTHS: where in SKELETONS
// what each looks like starts, and how many bytes it has.
include!(concat!(env!("OUT_DIR"), "/look_alikes.rs"));

/// The text in which every character stands for all that look like it: two texts with the same skeleton look the
/// same.
pub fn skeleton(text: &str) -> String {
    let mut skeleton = String::with_capacity(text.len());
    for character in text.nfd() {
        let [_, number @ ..] = u32::from(character).to_be_bytes();
        match CHARACTERS.binary_search(&number) {
            Ok(found) => {
                skeleton.push_str(&SKELETONS[usize::from(STARTS[found])..][..usize::from(LENGTHS[found])]);
            }
            Err(_) => skeleton.push(character),
        }
    }
    skeleton.nfd().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_security::confusable_detection;

    use super::*;

    fn by_the_library(text: &str) -> String {
        confusable_detection::skeleton(text).collect()
    }

    #[test]
    fn is_the_librarys_for_each_character() {
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            assert_eq!(skeleton(&text), by_the_library(&text), "{character:?}");
        }
    }

    proptest! {
        #[test]
        fn is_the_librarys_for_texts(text in ".{0,20}") {
            prop_assert_eq!(skeleton(&text), by_the_library(&text));
        }
    }
}
