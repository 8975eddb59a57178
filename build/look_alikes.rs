//! Tabulates what characters look like (Unicode Technical Standard 39). What it writes is included by
//! `src/rooms/look_alike.rs`.
//!
//! The library's own table holds a pointer for each character, and every start of a program that may lie anywhere
//! in memory would have to put all of them right: 300 KiB touched before anyone chats. This one has no pointers.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

/// Writes `look_alikes.rs` into the folder `out`: every decomposed character that has another skeleton than
/// itself, and that skeleton as a part of one text.
pub fn tabulate(out: &Path) -> io::Result<()> {
    let mut characters = Vec::new();
    let (mut starts, mut lengths) = (Vec::new(), Vec::new());
    let mut skeletons = String::new();
    for character in '\0'..=char::MAX {
        if !character.nfd().eq([character]) {
            continue;
        }
        let looks_like: String = skeleton(character.encode_utf8(&mut [0; 4])).collect();
        if looks_like.chars().eq([character]) {
            continue;
        }
        let start = skeletons.find(&looks_like).unwrap_or_else(|| {
            skeletons.push_str(&looks_like);
            skeletons.len() - looks_like.len()
        });
        let [_, number @ ..] = u32::from(character).to_be_bytes();
        characters.push(number);
        starts.push(u16::try_from(start).expect("skeletons are few"));
        lengths.push(u8::try_from(looks_like.len()).expect("a skeleton is short"));
    }

    let mut code = String::new();
    writeln!(code, "static CHARACTERS: [[u8; 3]; {}] = {characters:?};", characters.len()).expect("a string");
    writeln!(code, "static STARTS: [u16; {}] = {starts:?};", starts.len()).expect("a string");
    writeln!(code, "static LENGTHS: [u8; {}] = {lengths:?};", lengths.len()).expect("a string");
    writeln!(code, "static SKELETONS: &str = {skeletons:?};").expect("a string");
    fs::write(out.join("look_alikes.rs"), code)
}
