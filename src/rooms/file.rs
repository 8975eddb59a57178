//! What a room knows of a file that was shared in it: everything but its bytes.

use std::fmt;

use rand::{Rng, RngExt};
use smol_str::SmolStr;

use super::{FileName, RoomCode};

/// Tells files apart, and is their secret: 128 random bits, so that whoever has a file's address was given it.
///
/// Written as 32 hexadecimal digits. Its `Debug` form hides them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u128);

impl FileId {
    /// Draws a new one.
    pub fn random(random: &mut impl Rng) -> FileId {
        FileId(random.random())
    }

    /// Reads 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<FileId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 32 && text.bytes().all(is_digit)).then(|| u128::from_str_radix(text, 16).ok().map(FileId))?
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FileId(…)")
    }
}

/// What a file is by its content, as far as browsers may show it by themselves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum FileType {
    /// image/png
    Png,
    /// image/jpeg
    Jpeg,
    /// image/gif
    Gif,
    /// image/webp
    Webp,
    /// image/avif
    Avif,
    /// audio/mpeg
    Mp3,
    /// audio/ogg
    Ogg,
    /// audio/wav
    Wav,
    /// video/mp4
    Mp4,
    /// video/webm
    Webm,
    /// Anything else: it is saved, never shown.
    #[default]
    Other,
}

impl FileType {
    /// All of them.
    pub const ALL: [FileType; 11] = [
        FileType::Png,
        FileType::Jpeg,
        FileType::Gif,
        FileType::Webp,
        FileType::Avif,
        FileType::Mp3,
        FileType::Ogg,
        FileType::Wav,
        FileType::Mp4,
        FileType::Webm,
        FileType::Other,
    ];

    /// Reads what [`as_str`](Self::as_str) gives.
    pub fn parse(text: &str) -> Option<FileType> {
        FileType::ALL.into_iter().find(|file_type| file_type.as_str() == text)
    }

    /// The media type (RFC 6838).
    pub fn as_str(self) -> &'static str {
        match self {
            FileType::Png => "image/png",
            FileType::Jpeg => "image/jpeg",
            FileType::Gif => "image/gif",
            FileType::Webp => "image/webp",
            FileType::Avif => "image/avif",
            FileType::Mp3 => "audio/mpeg",
            FileType::Ogg => "audio/ogg",
            FileType::Wav => "audio/wav",
            FileType::Mp4 => "video/mp4",
            FileType::Webm => "video/webm",
            FileType::Other => "application/octet-stream",
        }
    }

    /// Whether browsers may show it where it is linked, rather than save it.
    pub fn is_shown_inline(self) -> bool {
        self != FileType::Other
    }
}

/// Width and height of a picture as it is shown, in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dimensions {
    /// From left to right; at least 1.
    pub width: u32,
    /// From top to bottom; at least 1.
    pub height: u32,
}

/// A file that was shared in a room. Its bytes lie in the file store, under its id.
#[derive(Clone, PartialEq, Debug)]
pub struct SharedFile {
    /// By which it is found.
    pub id: FileId,
    /// What it is called.
    pub name: FileName,
    /// How many bytes it has, as it is stored.
    pub size_bytes: u64,
    /// What it is, by its content.
    pub file_type: FileType,
    /// Of a picture.
    pub dimensions: Option<Dimensions>,
}

impl SharedFile {
    /// Writes all of it into one line, to be kept.
    pub fn to_text(&self) -> SmolStr {
        let SharedFile { id, name, size_bytes, file_type, dimensions } = self;
        let (width, height) = dimensions.map_or((0, 0), |dimensions| (dimensions.width, dimensions.height));
        smol_str::format_smolstr!("{id} {size_bytes} {} {width}x{height} {name}", file_type.as_str())
    }

    /// Where it is found, in the room in which it was shared: what stands behind the address of the home page, without
    /// the slash at that one's end.
    pub fn path(&self, code: RoomCode) -> String {
        let mut path = format!("/{code}/files/{}/", self.id);
        for byte in self.name.as_str().bytes() {
            // RFC 3986 section 2.3.
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(byte.into()),
                byte => path.push_str(&format!("%{byte:02X}")),
            }
        }
        path
    }

    /// Reads what [`to_text`](Self::to_text) gives.
    pub fn parse(text: &str) -> Option<SharedFile> {
        let mut fields = text.splitn(5, ' ');
        let mut field = || fields.next();
        let id = FileId::parse(field()?)?;
        let size_bytes = field()?.parse().ok()?;
        let file_type = FileType::parse(field()?)?;
        let (width, height) = field()?.split_once('x')?;
        let dimensions = Dimensions { width: width.parse().ok()?, height: height.parse().ok()? };
        let dimensions = Some(dimensions).filter(|dimensions| dimensions.width > 0 && dimensions.height > 0);
        let name = FileName::known(field()?);
        Some(SharedFile { id, name, size_bytes, file_type, dimensions })
    }
}

/// A size as people read it.
pub fn size_words(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(size < 9.95);
    format!("{size:.decimals$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_file_is_read_back_as_it_was_written(
            id in any::<u128>(),
            typed in "\\PC{0,40}",
            size_bytes in any::<u64>(),
            file_type in prop::sample::select(FileType::ALL.to_vec()),
            dimensions in prop::option::of((1u32.., 1u32..)),
        ) {
            let dimensions = dimensions.map(|(width, height)| Dimensions { width, height });
            let file = SharedFile { id: FileId(id), name: FileName::clean(&typed), size_bytes, file_type, dimensions };
            prop_assert_eq!(SharedFile::parse(&file.to_text()), Some(file));
        }
    }

    #[test]
    fn a_size_is_told_in_decimal_units() {
        for (bytes, words) in [(0, "0 B"), (1000, "1.0 kB"), (9_949, "9.9 kB"), (9_951, "10 kB"), (25 << 20, "26 MB")] {
            assert_eq!(size_words(bytes), words);
        }
        assert_eq!(size_words(u64::MAX), "18446744 TB");
    }

    #[test]
    fn a_file_is_found_under_its_name() {
        let name = FileName::clean("Übung 1 (neu).pdf");
        let (id, file_type, dimensions) = (FileId(0xAB), FileType::Other, None);
        let file = SharedFile { id, name, size_bytes: 1, file_type, dimensions };
        let path = "/KXQT/files/000000000000000000000000000000ab/%C3%9Cbung%201%20%28neu%29.pdf";
        assert_eq!(file.path(RoomCode::parse("KXQT").expect("a code")), path);
    }

    #[test]
    fn an_id_is_read_as_it_is_written_and_no_other_way() {
        let id = FileId(0xAB);
        assert_eq!(FileId::parse(&id.to_string()), Some(id));
        for text in ["", "ab", "000000000000000000000000000000AB", "+00000000000000000000000000000ab"] {
            assert_eq!(FileId::parse(text), None, "{text}");
        }
        assert_eq!(format!("{id:?}"), "FileId(…)");
    }
}
