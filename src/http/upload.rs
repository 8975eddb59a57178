//! A file that is being shared: takes the body of its request as it comes, in chunks for whoever stores them.
//!
//! ```text
//!  head ─► CheckShare ─ rooms ─► Begin ─ quotas ─► 100 Continue ─► Write, Write … Finish ─ store ─► Share ─ rooms ─► 201
//! ```
//!
//! One chunk is being stored, one waits for that beside it, and nothing is read meanwhile: a file that is larger than memory
//! costs two chunks. How long it takes is up to the peer, as long as it gets on.

use http::StatusCode;

use super::body::fault_of;
use super::chunked::{ChunkedDecoder, Decoded};
use super::multipart::{Item, MAX_DELIMITER_BYTES, MultipartFault, MultipartReader};
use super::request::{BodyLength, RequestFault};
use super::response::ResponseOptions;
use super::trust::Client;
use crate::files::{CHUNK_BYTES, StoreFault, UploadRefusal};
use crate::rooms::{Command, FileName, MessageKey, Share, SharedFile, Text, TextFault};
use crate::session_api::{FileReply, FileRequest, Input, Step};
use crate::time::Now;

/// Chunks that are stored at a time: while one is written the next one is there.
const MOST_STORING: u32 = 2;
/// Whoever sends nothing for so long is gone.
const STALLED_MS: u64 = 30_000;
/// From then on it has to have sent [`LEAST_BYTES_A_SECOND`] altogether.
const STARTED_MS: u64 = 60_000;
const LEAST_BYTES_A_SECOND: u64 = 1024;
/// What a form may have besides its file, in bytes.
pub const FORM_BYTES: u64 = 64 * 1024;

/// Why a file is not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UploadFault {
    /// How it is refused.
    pub status: StatusCode,
    /// The error's code in the API.
    pub code: &'static str,
    /// What is wrong, for a person.
    pub words: String,
    /// After this it may be tried again.
    pub retry_ms: Option<u64>,
}

/// What an upload is made of, besides its body.
#[derive(Debug)]
pub struct NewUpload {
    /// Where it is shared, and by whom.
    pub share: Share,
    /// What it is called, as its address tells.
    pub name: Option<String>,
    /// Its answer is for a person at a terminal.
    pub is_answered_in_text: bool,
    /// Who sent it.
    pub client: Client,
    /// The host and port that it was sent to.
    pub host: Box<str>,
    /// How it is answered.
    pub response_options: ResponseOptions,
    /// How long the body is.
    pub length: BodyLength,
    /// The client waits for a 100 (Continue) before it sends the body.
    pub expects_continue: bool,
    /// The body is a form, whose parts are divided by this boundary.
    pub boundary: Option<String>,
    /// Bytes that a file may have.
    pub file_limit_bytes: u64,
    /// Bytes that a text may have.
    pub text_limit_bytes: usize,
}

/// A file that is being shared.
#[derive(Debug)]
pub struct Upload {
    new: NewUpload,
    state: State,
    missing: Missing,
    form: Option<Form>,
    /// Bytes of the file that are to be stored next; between two looks at the input there are none.
    chunk: Vec<u8>,
    /// The store has begun with this file, or will at once.
    has_begun: bool,
    /// So many chunks are being stored.
    storing: u32,
    received_bytes: u64,
    began_ms: u64,
    progressed_ms: u64,
    /// Since when this side waits for the store.
    waits_since_ms: Option<u64>,
}

#[derive(Debug)]
enum State {
    /// The rooms, or the quotas, have to say yes.
    Checking,
    /// The rooms have.
    Allowed,
    /// The body arrives.
    Arriving,
    /// It has arrived, and is being stored.
    Finishing,
    /// It is stored.
    Stored(Box<SharedFile>),
    /// The rooms have to say yes again, and to make it known.
    Sharing,
}

/// What is missing of the body.
#[derive(Debug)]
enum Missing {
    Bytes(u64),
    Chunks(ChunkedDecoder),
    Nothing,
}

/// What is known of a form.
#[derive(Debug)]
struct Form {
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

impl Upload {
    /// One of whose body nothing was read.
    pub fn new(new: NewUpload) -> Upload {
        let missing = match new.length {
            BodyLength::Absent => Missing::Nothing,
            BodyLength::Bytes(count) => Missing::Bytes(count),
            BodyLength::Chunked => {
                let form_bytes = if new.boundary.is_some() { FORM_BYTES } else { 0 };
                Missing::Chunks(ChunkedDecoder::new(new.file_limit_bytes + form_bytes))
            }
        };
        let form = new.boundary.as_deref().map(|boundary| Form {
            reader: MultipartReader::new(boundary),
            part: FormPart::Other,
            has_file: false,
            text: Vec::new(),
            cid: Vec::new(),
            spare_bytes: FORM_BYTES,
        });
        Upload {
            new,
            state: State::Checking,
            missing,
            form,
            chunk: Vec::new(),
            has_begun: false,
            storing: 0,
            received_bytes: 0,
            began_ms: 0,
            progressed_ms: 0,
            waits_since_ms: None,
        }
    }

    /// What it is made of, besides its body.
    pub fn description(&self) -> &NewUpload {
        &self.new
    }

    /// The rooms allow it.
    pub fn allow(&mut self) {
        self.state = State::Allowed;
    }

    /// Whether all of the request has arrived, so that the next one follows.
    pub fn is_whole(&self) -> bool {
        matches!(self.state, State::Stored(_) | State::Sharing)
    }

    /// When it is given up. `None`: this side is at work.
    pub fn deadline_ms(&self) -> Option<u64> {
        if self.waits_since_ms.is_some() || !matches!(self.state, State::Arriving) {
            return None;
        }
        let worth_ms = self.received_bytes.saturating_mul(1000) / LEAST_BYTES_A_SECOND;
        let slowest_ms = self.began_ms.saturating_add(worth_ms.max(STARTED_MS));
        Some(slowest_ms.min(self.progressed_ms + STALLED_MS))
    }

    /// Takes what there is of the body off the input, and says what is to be done next.
    ///
    /// # Errors
    /// It cannot be read on.
    pub fn receive(&mut self, input: &mut Input<'_>, now: Now, outbox: &mut Vec<u8>) -> Result<Step, UploadFault> {
        match std::mem::replace(&mut self.state, State::Checking) {
            State::Allowed => {
                let form_bytes = if self.form.is_some() { FORM_BYTES } else { 0 };
                let declared_bytes = match self.missing {
                    Missing::Bytes(count) => Some(count.saturating_sub(form_bytes)),
                    _ => None,
                };
                return Ok(Step::File(FileRequest::Begin { declared_bytes }));
            }
            State::Stored(file) => {
                self.state = State::Sharing;
                let command = Command::Share(Box::new(self.new.share.clone()), file);
                return Ok(Step::Command(command));
            }
            State::Arriving => self.state = State::Arriving,
            other => {
                self.state = other;
                return Ok(self.wait(now));
            }
        }
        if std::mem::take(&mut self.new.expects_continue) && input.rest().is_empty() {
            outbox.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        if self.storing == MOST_STORING {
            return Ok(self.wait(now));
        }
        self.take(input, now)?;
        let is_whole = matches!(self.missing, Missing::Nothing);
        if !self.chunk.is_empty() || is_whole && !self.has_begun {
            self.has_begun = true;
            self.storing += 1;
            return Ok(Step::File(FileRequest::Write(std::mem::take(&mut self.chunk))));
        }
        if !is_whole {
            return Ok(Step::NeedInput);
        }
        if self.storing > 0 {
            return Ok(self.wait(now));
        }
        self.read_form()?;
        self.state = State::Finishing;
        Ok(Step::File(FileRequest::Finish))
    }

    /// Takes the answer of whoever stores files.
    ///
    /// # Errors
    /// It is not stored.
    pub fn answer(&mut self, reply: FileReply, now: Now) -> Result<(), UploadFault> {
        if let Some(since_ms) = self.waits_since_ms.take() {
            // This side was slow.
            let waited_ms = now.steady_ms.saturating_sub(since_ms);
            self.began_ms += waited_ms;
            self.progressed_ms += waited_ms;
        }
        match reply {
            FileReply::Begun => {
                (self.began_ms, self.progressed_ms) = (now.steady_ms, now.steady_ms);
                self.state = State::Arriving;
            }
            FileReply::Written(buffer) => {
                self.storing -= 1;
                self.chunk = buffer;
            }
            FileReply::Stored { id, content } => {
                let name = FileName::clean(self.new.name.as_deref().unwrap_or_default());
                let file = SharedFile {
                    id,
                    name,
                    size_bytes: content.size_bytes,
                    file_type: content.file_type,
                    dimensions: content.dimensions,
                };
                self.state = State::Stored(Box::new(file));
            }
            FileReply::Refused(refusal) => return Err(refusal.into()),
            FileReply::Failed(fault) => return Err(fault.into()),
        }
        Ok(())
    }

    fn wait(&mut self, now: Now) -> Step {
        self.waits_since_ms.get_or_insert(now.steady_ms);
        Step::AwaitFile
    }

    /// Takes bytes off the input, as many as fit in a chunk.
    fn take(&mut self, input: &mut Input<'_>, now: Now) -> Result<(), UploadFault> {
        let before = input.consumed();
        let given_back_bytes = if self.form.is_some() { MAX_DELIMITER_BYTES } else { 0 };
        self.chunk.reserve_exact(input.rest().len().min(CHUNK_BYTES) + given_back_bytes);
        while !input.rest().is_empty() && self.chunk.len() < CHUNK_BYTES {
            let bytes = input.rest();
            let room_bytes = CHUNK_BYTES - self.chunk.len();
            let (data, consumed_bytes, is_last) = match &mut self.missing {
                Missing::Nothing => break,
                Missing::Bytes(missing) => {
                    let within = bytes.len().min(usize::try_from(*missing).unwrap_or(usize::MAX)).min(room_bytes);
                    *missing -= within as u64;
                    (&bytes[..within], within, *missing == 0)
                }
                Missing::Chunks(decoder) => {
                    let within = &bytes[..bytes.len().min(room_bytes)];
                    let decoded = decoder.decode(within).map_err(|fault| self.new.fault(fault_of(fault)))?;
                    let Decoded { data, consumed_bytes, is_complete } = decoded;
                    (data, consumed_bytes, is_complete)
                }
            };
            match &mut self.form {
                // A form gives back at most the beginning of a delimiter more than it is given.
                Some(form) => form.read(data, &mut self.chunk, &mut self.new.name)?,
                None => self.chunk.extend_from_slice(data),
            }
            input.consume(consumed_bytes);
            if is_last {
                self.missing = Missing::Nothing;
            }
        }
        if matches!(self.missing, Missing::Bytes(0)) {
            self.missing = Missing::Nothing;
        }
        let received_bytes = (input.consumed() - before) as u64;
        if received_bytes > 0 {
            self.received_bytes += received_bytes;
            self.progressed_ms = now.steady_ms;
        }
        Ok(())
    }

    /// Everything has arrived: what the form says besides the file is now known.
    fn read_form(&mut self) -> Result<(), UploadFault> {
        let Some(form) = &mut self.form else { return Ok(()) };
        if !form.reader.is_complete() {
            return Err(bad("The form ends early."));
        }
        if !form.has_file {
            return Err(bad("The form has no file."));
        }
        if let Some(text) = read_text(&String::from_utf8_lossy(&form.text), self.new.text_limit_bytes)? {
            self.new.share.text = Some(text);
        }
        if !form.cid.is_empty() {
            let cid = str::from_utf8(&form.cid).ok().and_then(MessageKey::parse);
            self.new.share.cid = Some(cid.ok_or_else(|| bad("cid has 1 to 64 bytes."))?);
        }
        Ok(())
    }
}

impl Form {
    /// Reads the next bytes; those of the file are put into the chunk.
    fn read(&mut self, mut bytes: &[u8], chunk: &mut Vec<u8>, name: &mut Option<String>) -> Result<(), UploadFault> {
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

    /// So many bytes came that are none of the file.
    fn count(&mut self, bytes: usize) -> Result<(), UploadFault> {
        let left = self.spare_bytes.checked_sub(bytes as u64);
        self.spare_bytes = left.ok_or_else(|| bad("The form has too much besides its file."))?;
        Ok(())
    }
}

impl NewUpload {
    /// Why a body cannot be read, with the limit of files instead of that of other bodies.
    fn fault(&self, fault: RequestFault) -> UploadFault {
        if fault == RequestFault::BODY_TOO_LONG {
            return UploadRefusal::TooLarge { limit_bytes: self.file_limit_bytes }.into();
        }
        UploadFault { status: fault.status, ..bad(fault.words) }
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

/// A request that is not as it should be.
pub fn bad(words: &str) -> UploadFault {
    UploadFault { status: StatusCode::BAD_REQUEST, code: "bad_request", words: words.into(), retry_ms: None }
}

impl From<UploadRefusal> for UploadFault {
    fn from(refusal: UploadRefusal) -> UploadFault {
        match refusal {
            UploadRefusal::TooLarge { limit_bytes } => UploadFault {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                code: "file_too_large",
                words: format!("A file has at most {} here.", size_words(limit_bytes)),
                retry_ms: None,
            },
            UploadRefusal::Full => UploadFault {
                status: StatusCode::INSUFFICIENT_STORAGE,
                code: "quota_exceeded",
                words: "There is no room for more files here. Delete some, or ask those who run this server.".into(),
                retry_ms: None,
            },
            UploadRefusal::TooMany { retry_ms } => UploadFault {
                status: StatusCode::TOO_MANY_REQUESTS,
                code: "rate_limited",
                words: format!("Too many files come from your address. Try again in {} s.", retry_ms.div_ceil(1000)),
                retry_ms: Some(retry_ms),
            },
        }
    }
}

impl From<StoreFault> for UploadFault {
    fn from(fault: StoreFault) -> UploadFault {
        let (status, words) = match fault {
            StoreFault::Full => (StatusCode::INSUFFICIENT_STORAGE, "The disk is full, so nobody has seen that file."),
            StoreFault::Failed => {
                (StatusCode::SERVICE_UNAVAILABLE, "That could not be stored, so nobody has seen it. Try again.")
            }
        };
        UploadFault { status, code: "storage_failed", words: words.into(), retry_ms: None }
    }
}

/// A size for a person: `25 MB`.
fn size_words(bytes: u64) -> String {
    match bytes {
        ..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KB", bytes / 1024),
        1_048_576.. => format!("{} MB", bytes / 1_048_576),
    }
}
