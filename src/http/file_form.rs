//! A form that brings a file: the file, and what is said with it.

use super::multipart::{Item, MultipartFault, MultipartReader};
use super::upload_fault::{UploadFault, bad};
use crate::rooms::{MessageKey, Text, TextFault};

/// What a form may have besides its file, in bytes.
pub const FORM_BYTES: u64 = 64 * 1024;

/// A form with a file in it, as far as it has arrived.
#[derive(Debug)]
pub struct FileForm {
    reader: MultipartReader,
    part: FormPart,
    has_file: bool,
    text: Vec<u8>,
    cid: Vec<u8>,
    /// Bytes that may still come besides the file's.
    spare_bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FormPart {
    File,
    Text,
    Cid,
    Other,
}

impl FileForm {
    /// One of which nothing was read.
    pub fn new(boundary: &str) -> FileForm {
        FileForm {
            reader: MultipartReader::new(boundary),
            part: FormPart::Other,
            has_file: false,
            text: Vec::new(),
            cid: Vec::new(),
            spare_bytes: FORM_BYTES,
        }
    }

    /// Reads the next bytes; those of the file are put into the chunk. The file has a name already, or the form's.
    ///
    /// # Errors
    /// It is not built as it should be, or there is too much besides the file.
    pub fn read(
        &mut self,
        mut bytes: &[u8],
        chunk: &mut Vec<u8>,
        name: &mut Option<String>,
    ) -> Result<(), UploadFault> {
        while !bytes.is_empty() {
            let (item, consumed_bytes) = self.reader.read(bytes).map_err(|fault| match fault {
                MultipartFault::Malformed => bad("The form is malformed."),
                MultipartFault::TooMuch => bad("The form has too many parts, or too much in their heads."),
            })?;
            match item {
                Item::Data(data) if self.part == FormPart::File => chunk.extend_from_slice(data),
                Item::Data(data) => {
                    let length_bytes = data.len();
                    match self.part {
                        FormPart::Text => self.text.extend_from_slice(data),
                        FormPart::Cid => self.cid.extend_from_slice(data),
                        FormPart::File | FormPart::Other => (),
                    }
                    self.count(length_bytes)?;
                }
                Item::Part(head) => {
                    self.part = match &*head.name {
                        "file" if self.has_file => return Err(bad("One file at a time.")),
                        "file" => FormPart::File,
                        "text" => FormPart::Text,
                        "cid" => FormPart::Cid,
                        _ => FormPart::Other,
                    };
                    if self.part == FormPart::File {
                        self.has_file = true;
                        *name = name.take().or(head.file_name);
                    }
                    self.count(consumed_bytes)?;
                }
                Item::Nothing => self.count(consumed_bytes)?,
            }
            bytes = &bytes[consumed_bytes..];
        }
        Ok(())
    }

    /// It has arrived. Returns what is said with the file, and the client's own id for it.
    ///
    /// # Errors
    /// It ends early, has no file, or one of these cannot be used.
    pub fn finish(&self, text_limit_bytes: usize) -> Result<(Option<Text>, Option<MessageKey>), UploadFault> {
        if !self.reader.is_complete() {
            return Err(bad("The form ends early."));
        }
        if !self.has_file {
            return Err(bad("The form has no file."));
        }
        let text = read_text(&String::from_utf8_lossy(&self.text), text_limit_bytes)?;
        let cid = (!self.cid.is_empty()).then(|| {
            let cid = str::from_utf8(&self.cid).ok().and_then(MessageKey::parse);
            cid.ok_or_else(|| bad("cid has 1 to 64 bytes."))
        });
        Ok((text, cid.transpose()?))
    }

    /// So many bytes came that are none of the file.
    fn count(&mut self, bytes: usize) -> Result<(), UploadFault> {
        let left = self.spare_bytes.checked_sub(bytes as u64);
        self.spare_bytes = left.ok_or_else(|| bad("The form has too much besides its file."))?;
        Ok(())
    }
}

/// What is said with a file. Blank, it is nothing.
///
/// # Errors
/// It is too long.
pub fn read_text(typed: &str, limit_bytes: usize) -> Result<Option<Text>, UploadFault> {
    match Text::clean(typed, limit_bytes) {
        Ok(text) => Ok(Some(text)),
        Err(TextFault::Empty) => Ok(None),
        Err(TextFault::TooLong) => {
            let words = format!("A text has at most {limit_bytes} bytes.");
            Err(UploadFault { code: "text_too_long", ..bad(&words) })
        }
    }
}
