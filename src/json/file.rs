//! A shared file, and its address.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Object;
use crate::rooms::{RoomCode, SharedFile};

/// RFC 3986 section 2.3: what stands for itself in a path.
const PATH_CHARACTERS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a file is found, below the base path: `KXQT/files/ID/NAME`.
pub fn file_path(code: RoomCode, file: &SharedFile) -> String {
    format!("{code}/files/{}/{}", file.id, utf8_percent_encode(file.name.as_str(), PATH_CHARACTERS))
}

/// Adds what is told of a file.
pub(super) fn add_file(code: RoomCode, file: &SharedFile, object: &mut Object<'_>) {
    object.object("file", |object| {
        object
            .text("id", &file.id.to_string())
            .text("name", file.name.as_str())
            .number("size", file.size_bytes)
            .word("type", file.file_type.as_str())
            .number_if("width", file.dimensions.map(|dimensions| dimensions.width.into()))
            .number_if("height", file.dimensions.map(|dimensions| dimensions.height.into()))
            .text("url", &format!("/{}", file_path(code, file)));
    });
}

/// Appends the API's answer to a file that was shared as this event.
pub fn write_shared(code: RoomCode, file: &SharedFile, id: u64, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    add_file(code, file, &mut object);
    object.number("id", id).end();
}
