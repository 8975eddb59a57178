//! A file that is being shared: takes the body of its request as it comes, in chunks for whoever stores them.
//!
//! ```text
//!  head ─► CheckShare ─ rooms ─► Begin ─ quotas ─► 100 Continue ─► Write, Write … Finish ─ store ─► Share ─ rooms ─► 201
//! ```
//!
//! One chunk is being stored, one waits for that beside it, and nothing is read meanwhile: a file that is larger than memory
//! costs two chunks. How long it takes is up to the peer, as long as it gets on.

use super::body::fault_of;
use super::chunked::{ChunkedDecoder, Decoded};
use super::file_form::{FORM_BYTES, FileForm};
use super::multipart::MAX_DELIMITER_BYTES;
use super::request::{BodyLength, RequestFault};
use super::response::ResponseOptions;
use super::trust::Client;
use super::upload_fault::{UploadFault, bad};
use crate::files::{CHUNK_BYTES, UploadRefusal};
use crate::rooms::{Command, FileName, Share, SharedFile};
use crate::session_api::{FileReply, FileRequest, Input, Step};
use crate::time::Now;

/// Chunks that are stored at a time: while one is written the next one is there.
const MOST_STORING: u32 = 2;
/// Whoever sends nothing for so long is gone.
const STALLED_MS: u64 = 30_000;
/// From then on it has to have sent [`LEAST_BYTES_A_SECOND`] altogether.
const STARTED_MS: u64 = 60_000;
const LEAST_BYTES_A_SECOND: u64 = 1024;

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
    form: Option<FileForm>,
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
        let form = new.boundary.as_deref().map(FileForm::new);
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
        let (text, cid) = form.finish(self.new.text_limit_bytes)?;
        let share = &mut self.new.share;
        share.text = text.or_else(|| share.text.take());
        share.cid = cid.or_else(|| share.cid.take());
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
