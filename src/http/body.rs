//! A request whose head is complete and whose body is still arriving.

use super::chunked::{ChunkedDecoder, ChunkedFault, Decoded};
use super::request::{BodyLength, RequestFault};
use crate::session_api::Input;

/// Longest body of a request that brings no file, in bytes.
const MAX_BODY_BYTES: u64 = 8 * 1024;

/// A head, and what has arrived of the body. They are kept here, so that the body is taken off the input as it comes,
/// and no byte is looked at twice.
#[derive(Debug)]
pub struct PartialRequest {
    head: Box<[u8]>,
    body: Vec<u8>,
    missing: Missing,
}

/// What is missing of a body.
#[derive(Debug)]
enum Missing {
    Bytes(usize),
    Chunks(ChunkedDecoder),
}

impl PartialRequest {
    /// A request with this head, of whose body nothing has been read.
    ///
    /// # Errors
    /// The body is too long.
    pub fn new(head: &[u8], length: BodyLength) -> Result<PartialRequest, RequestFault> {
        let missing = match length {
            BodyLength::Absent => Missing::Bytes(0),
            BodyLength::Bytes(count) if count > MAX_BODY_BYTES => return Err(RequestFault::BODY_TOO_LONG),
            BodyLength::Bytes(count) => Missing::Bytes(count as usize),
            BodyLength::Chunked => Missing::Chunks(ChunkedDecoder::new(MAX_BODY_BYTES)),
        };
        Ok(PartialRequest { head: head.into(), body: Vec::new(), missing })
    }

    /// Takes what there is of the body off the input. Returns whether it is complete.
    ///
    /// # Errors
    /// The body is malformed or too long.
    pub fn receive(&mut self, input: &mut Input<'_>) -> Result<bool, RequestFault> {
        match &mut self.missing {
            Missing::Bytes(missing) => {
                let bytes = input.rest();
                let count = bytes.len().min(*missing);
                self.body.extend_from_slice(&bytes[..count]);
                *missing -= count;
                input.consume(count);
                Ok(*missing == 0)
            }
            Missing::Chunks(decoder) => loop {
                let Decoded { data, consumed_bytes, is_complete } = decoder.decode(input.rest()).map_err(fault_of)?;
                self.body.extend_from_slice(data);
                input.consume(consumed_bytes);
                if is_complete || input.rest().is_empty() {
                    return Ok(is_complete);
                }
            },
        }
    }

    /// The bytes of the head.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The body, as far as it has arrived.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// How a request is refused whose chunked body cannot be read.
pub fn fault_of(fault: ChunkedFault) -> RequestFault {
    match fault {
        ChunkedFault::Malformed => RequestFault::BAD_CHUNK,
        ChunkedFault::TooMuchOverhead => RequestFault::TOO_MUCH_OVERHEAD,
        ChunkedFault::TooLong => RequestFault::BODY_TOO_LONG,
    }
}
