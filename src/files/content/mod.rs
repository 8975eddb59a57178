//! What a file is by its bytes, never by its name or by what its sender says; and pictures without what tells of their
//! author.
//!
//! What a browser may show by itself is recognized by a strict beginning. PNG, JPEG, GIF and WebP are then written anew,
//! piece by piece, with what makes the picture and nothing else: so the place where it was taken is gone, and so is
//! whatever was hidden in a comment or behind the end. What is not whole is no picture: it is saved, never shown.
//! Nothing here holds more than a piece of 64 KiB.

mod gif;
mod iso_media;
mod jpeg;
mod orientation;
mod pieces;
mod png;
mod sound;
mod webm;
mod webp;

use std::io::{self, BufRead, Seek, SeekFrom, Write};

use crate::rooms::{Dimensions, FileType};

/// What a file is, and the file that takes its place, if it was written anew.
pub(super) struct Looked<O> {
    pub file_type: FileType,
    pub dimensions: Option<Dimensions>,
    pub rewritten: Option<O>,
}

impl<O> Looked<O> {
    fn of_type(file_type: FileType) -> Looked<O> {
        Looked { file_type, dimensions: None, rewritten: None }
    }
}

/// Looks at a file; `create` makes the one into which it is written anew.
pub(super) fn look_at<O: Write + Seek>(
    input: &mut (impl BufRead + Seek),
    create: impl FnOnce() -> io::Result<O>,
) -> io::Result<Looked<O>> {
    match recognize_and_rewrite(input, create) {
        Err(error) if pieces::is_malformed(&error) => Ok(Looked::of_type(FileType::Other)),
        result => result,
    }
}

fn recognize_and_rewrite<O: Write + Seek>(
    input: &mut (impl BufRead + Seek),
    create: impl FnOnce() -> io::Result<O>,
) -> io::Result<Looked<O>> {
    let mut beginning = [0; 12];
    input.read_exact(&mut beginning)?;
    input.seek(SeekFrom::Start(0))?;
    let (file_type, rewritten) = match beginning {
        [0x89, b'P', b'N', b'G', ..] => (FileType::Png, Rewriting::new(input, create, |i, o| png::rewrite(i, o))?),
        [0xFF, 0xD8, 0xFF, ..] => (FileType::Jpeg, Rewriting::new(input, create, |i, o| jpeg::rewrite(i, o))?),
        [b'G', b'I', b'F', b'8', ..] => (FileType::Gif, Rewriting::new(input, create, |i, o| gif::rewrite(i, o))?),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => {
            (FileType::Webp, Rewriting::new(input, create, |i, o| webp::rewrite(i, o))?)
        }
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => {
            let (file_type, dimensions) = iso_media::recognize(input)?;
            return Ok(Looked { file_type, dimensions, rewritten: None });
        }
        [0x1A, 0x45, 0xDF, 0xA3, ..] => return webm::recognize(input).map(Looked::of_type),
        _ => return sound::recognize(input).map(Looked::of_type),
    };
    Ok(Looked { file_type, dimensions: Some(rewritten.dimensions), rewritten: Some(rewritten.output) })
}

/// A picture that was written anew.
struct Rewriting<O> {
    dimensions: Dimensions,
    output: O,
}

impl<O: Write + Seek> Rewriting<O> {
    fn new<I: BufRead>(
        input: &mut I,
        create: impl FnOnce() -> io::Result<O>,
        rewrite: impl FnOnce(&mut I, &mut O) -> io::Result<Dimensions>,
    ) -> io::Result<Rewriting<O>> {
        let mut output = create()?;
        let dimensions = rewrite(input, &mut output)?;
        Ok(Rewriting { dimensions, output })
    }
}

#[cfg(test)]
mod tests;
