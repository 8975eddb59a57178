//! RFC 6455 frames, on buffers: headers by tungstenite, everything else here.
//!
//! tungstenite's own `WebSocket` keeps buffers for each connection and reads a stream until a message is
//! whole; an idle member here keeps nothing, so only its header codec is used, and the rules about frames
//! (section 5) are checked below.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::session_api::Input;

/// The header of a frame with 126 to 65,535 bytes of payload. It tells their number, which is known only once they are
/// written.
const USUAL_HEADER_BYTES: usize = 4;

/// Longest payload of a control frame (section 5.5).
const MAX_CONTROL_BYTES: u64 = 125;

/// A message, or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message that came in several pieces: UTF-8, if its last character is whole.
    Text(Vec<u8>),
    /// A text message within the input, yet to be checked for UTF-8: the next bytes of it, after the header.
    TextInPlace {
        /// Bytes of the frame's header.
        header_bytes: usize,
        /// Bytes of the text.
        text_bytes: usize,
    },
    /// A binary message.
    Binary(Vec<u8>),
    /// To be answered with the same payload.
    Ping(Vec<u8>),
    /// Answers a ping.
    Pong,
    /// The peer closes, with this payload.
    Close(Vec<u8>),
}

/// What a peer did wrong, as the close code that it gets (section 7.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameFault {
    /// 1002: against the protocol.
    Protocol,
    /// 1007: a text that is not UTF-8.
    Encoding,
    /// 1009: too big a message.
    TooBig,
}

impl FrameFault {
    /// The close code that says so.
    pub fn close_code(self) -> CloseCode {
        match self {
            FrameFault::Protocol => CloseCode::Protocol,
            FrameFault::Encoding => CloseCode::Invalid,
            FrameFault::TooBig => CloseCode::Size,
        }
    }
}

/// How big a message may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageLimits {
    /// Its payload.
    pub bytes: usize,
    /// Frames that it may be made of. Without a bound, empty ones could go on for ever.
    pub fragments: u32,
}

/// The beginning of a message that has not come completely yet.
#[derive(Debug)]
struct Fragments {
    is_text: bool,
    bytes: Vec<u8>,
    /// So many of them are whole characters, if this is a text.
    checked_bytes: usize,
    /// Frames that have begun.
    count: u32,
    /// The last of them, as long as it has not come completely.
    frame: Option<UnfinishedFrame>,
}

#[derive(Debug)]
struct UnfinishedFrame {
    is_final: bool,
    /// As it is for the next byte.
    mask: [u8; 4],
    missing_bytes: usize,
}

impl Fragments {
    /// Checks what has come since the last time, so that a text that is none is refused before all of it has come
    /// (section 8.1). Its last character may go on in the next frame.
    fn check_encoding(&mut self) -> Result<(), FrameFault> {
        match std::str::from_utf8(&self.bytes[self.checked_bytes..]) {
            Ok(_) => self.checked_bytes = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.checked_bytes += error.valid_up_to(),
            Err(_) => return Err(FrameFault::Encoding),
        }
        Ok(())
    }
}

/// Puts frames together to messages.
#[derive(Debug, Default)]
pub struct Assembler {
    fragments: Option<Box<Fragments>>,
}

impl Assembler {
    /// Takes the next message off the input; `None`: it has not come completely yet.
    ///
    /// A [`Message::TextInPlace`] is not consumed: the caller does that once it has read it.
    ///
    /// # Errors
    /// What the peer did wrong; the connection cannot go on after it.
    pub fn next(&mut self, input: &mut Input<'_>, limits: MessageLimits) -> Result<Option<Message>, FrameFault> {
        loop {
            if self.is_within_frame() {
                let message = self.take_payload(input)?;
                if message.is_some() || self.is_within_frame() {
                    return Ok(message);
                }
            }
            let mut cursor = Cursor::new(input.rest());
            let Some((header, payload_bytes)) = FrameHeader::parse(&mut cursor).map_err(|_| FrameFault::Protocol)?
            else {
                return Ok(None);
            };
            let header_bytes = cursor.position() as usize;
            let mask = self.check(&header, payload_bytes, limits)?;
            let payload_bytes = payload_bytes as usize;
            let frame_bytes = header_bytes + payload_bytes;
            let is_whole = input.rest().len() >= frame_bytes;
            match header.opcode {
                OpCode::Data(Data::Text) if header.is_final && is_whole => {
                    unmask(&mut input.rest_mut()[header_bytes..frame_bytes], mask);
                    return Ok(Some(Message::TextInPlace { header_bytes, text_bytes: payload_bytes }));
                }
                OpCode::Data(_) => {
                    input.consume(header_bytes);
                    self.begin_frame(&header, mask, payload_bytes);
                }
                OpCode::Control(_) if !is_whole => return Ok(None),
                OpCode::Control(kind) => {
                    let payload = &mut input.rest_mut()[header_bytes..frame_bytes];
                    unmask(payload, mask);
                    let message = match kind {
                        Control::Ping => Message::Ping(payload.to_vec()),
                        Control::Pong => Message::Pong,
                        _ => Message::Close(payload.to_vec()),
                    };
                    input.consume(frame_bytes);
                    return Ok(Some(message));
                }
            }
        }
    }

    /// Checks what sections 5.1 to 5.5 demand of a client's frame; returns its mask.
    fn check(&self, header: &FrameHeader, payload_bytes: u64, limits: MessageLimits) -> Result<[u8; 4], FrameFault> {
        let is_unextended = !(header.rsv1 || header.rsv2 || header.rsv3);
        let follows_the_last = match header.opcode {
            OpCode::Data(Data::Continue) => self.fragments.is_some(),
            OpCode::Data(_) => self.fragments.is_none(),
            OpCode::Control(_) => header.is_final && payload_bytes <= MAX_CONTROL_BYTES,
        };
        let Some(mask) = header.mask.filter(|_| is_unextended && follows_the_last) else {
            return Err(FrameFault::Protocol);
        };
        let (held_bytes, held_count) = match (&self.fragments, header.opcode) {
            (Some(fragments), OpCode::Data(_)) => (fragments.bytes.len() as u64, fragments.count),
            _ => (0, 0),
        };
        if held_bytes.saturating_add(payload_bytes) > limits.bytes as u64 || held_count >= limits.fragments {
            return Err(FrameFault::TooBig);
        }
        Ok(mask)
    }

    /// Whether the last frame has not come completely.
    fn is_within_frame(&self) -> bool {
        self.fragments.as_ref().is_some_and(|fragments| fragments.frame.is_some())
    }

    /// A frame has begun that is kept as it comes: its header is consumed.
    fn begin_frame(&mut self, header: &FrameHeader, mask: [u8; 4], payload_bytes: usize) {
        let fragments = self.fragments.get_or_insert_with(|| {
            let is_text = header.opcode == OpCode::Data(Data::Text);
            Box::new(Fragments { is_text, bytes: Vec::new(), checked_bytes: 0, count: 0, frame: None })
        });
        fragments.count += 1;
        fragments.frame = Some(UnfinishedFrame { is_final: header.is_final, mask, missing_bytes: payload_bytes });
    }

    /// Keeps what has come of a frame that has begun; returns the message that it completes.
    fn take_payload(&mut self, input: &mut Input<'_>) -> Result<Option<Message>, FrameFault> {
        let Some(fragments) = self.fragments.as_deref_mut() else { return Ok(None) };
        let Some(frame) = &mut fragments.frame else { return Ok(None) };
        let count = frame.missing_bytes.min(input.rest().len());
        let payload = &mut input.rest_mut()[..count];
        unmask(payload, frame.mask);
        frame.mask.rotate_left(count % 4);
        frame.missing_bytes -= count;
        let (is_whole, is_final) = (frame.missing_bytes == 0, frame.is_final);
        fragments.bytes.extend_from_slice(payload);
        input.consume(count);
        if fragments.is_text {
            fragments.check_encoding()?;
        }
        if is_whole {
            fragments.frame = None;
        }
        if !(is_whole && is_final) {
            return Ok(None);
        }
        let whole = self.fragments.take();
        Ok(whole.map(|whole| if whole.is_text { Message::Text(whole.bytes) } else { Message::Binary(whole.bytes) }))
    }
}

/// Takes the mask off (section 5.3), eight bytes at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let word = u64::from_ne_bytes(chunk.try_into().expect("chunks are of eight bytes")) ^ wide;
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= mask;
    }
}

/// Appends a text message whose payload is what `write` appends.
pub fn write_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    write_message(out, Data::Text, write);
}

/// Appends a message of one frame, whose payload is what `write` appends.
pub fn write_message(out: &mut Vec<u8>, kind: Data, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; USUAL_HEADER_BYTES]);
    let payload_start = out.len();
    write(out);
    let header = FrameHeader { opcode: OpCode::Data(kind), ..FrameHeader::default() };
    let payload_bytes = (out.len() - payload_start) as u64;
    let header_bytes = header.len(payload_bytes);
    if header_bytes != USUAL_HEADER_BYTES {
        // The payload moves a little.
        out.splice(start..payload_start, [0; 10].into_iter().take(header_bytes));
    }
    header.format(payload_bytes, &mut &mut out[start..]).expect("there is space for the header");
}

/// Appends a control frame.
pub fn write_control(out: &mut Vec<u8>, kind: Control, payload: &[u8]) {
    let header = FrameHeader { opcode: OpCode::Control(kind), ..FrameHeader::default() };
    header.format(payload.len() as u64, out).expect("writing to memory does not fail");
    out.extend_from_slice(payload);
}

/// Appends a close frame.
pub fn write_close(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    let mut payload = u16::from(code).to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    write_control(out, Control::Close, &payload);
}

/// Appends the answer to a close frame with this payload.
pub fn write_close_answer(out: &mut Vec<u8>, payload: &[u8]) {
    match answer_close(payload) {
        Some(code) => write_close(out, code, ""),
        None => write_control(out, Control::Close, &[]),
    }
}

/// What to answer to a close frame with this payload: its own code, or 1002 or 1007 if it is wrong
/// (sections 5.5.1 and 7.4). `None`: it gave no code, and gets none.
fn answer_close(payload: &[u8]) -> Option<CloseCode> {
    match payload {
        [] => None,
        [high, low, reason @ ..] => {
            let code = CloseCode::from(u16::from_be_bytes([*high, *low]));
            Some(if !code.is_allowed() {
                CloseCode::Protocol
            } else if std::str::from_utf8(reason).is_err() {
                CloseCode::Invalid
            } else {
                code
            })
        }
        [_] => Some(CloseCode::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: MessageLimits = MessageLimits { bytes: 1000, fragments: 256 };

    /// A client's frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..126 => bytes.push(0x80 | length as u8),
            length => bytes.extend([0x80 | 126, (length >> 8) as u8, length as u8]),
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// Everything that comes out of `bytes`, given piece by piece.
    fn read(bytes: &[u8], piece_bytes: usize) -> Result<Vec<String>, FrameFault> {
        let mut assembler = Assembler::default();
        let (mut held, mut read) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(piece_bytes.max(1)) {
            held.extend_from_slice(piece);
            let mut input = Input::new(&mut held, false);
            while let Some(message) = assembler.next(&mut input, LIMITS)? {
                match message {
                    Message::TextInPlace { header_bytes, text_bytes } => {
                        let text = &input.rest()[header_bytes..header_bytes + text_bytes];
                        read.push(format!("text {}", String::from_utf8_lossy(text)));
                        input.consume(header_bytes + text_bytes);
                    }
                    Message::Text(text) => read.push(format!("text {}", String::from_utf8_lossy(&text))),
                    other => read.push(format!("{other:?}")),
                }
            }
            let consumed = input.consumed();
            held.drain(..consumed);
        }
        Ok(read)
    }

    #[test]
    fn fragments_become_one_message_with_control_frames_in_between() {
        let mut bytes = frame(0x01, b"he");
        bytes.extend(frame(0x89, b"ping"));
        bytes.extend(frame(0x00, b""));
        bytes.extend(frame(0x80, b"llo"));
        bytes.extend(frame(0x81, b"next"));
        let expected = vec!["Ping([112, 105, 110, 103])".to_owned(), "text hello".into(), "text next".into()];
        for piece_bytes in [1, 2, 3, 7, 1000] {
            assert_eq!(read(&bytes, piece_bytes), Ok(expected.clone()));
        }
    }

    #[test]
    fn what_the_rfc_forbids_is_a_protocol_fault() {
        let unmasked = vec![0x81, 0x01, b'x'];
        let wrong = [
            unmasked,
            frame(0xC1, b"reserved bit"),
            frame(0x83, b"reserved opcode"),
            frame(0x8B, b"reserved control"),
            frame(0x80, b"nothing to continue"),
            frame(0x09, b"fragmented ping"),
            frame(0x89, &[0; 126]),
            [frame(0x01, b"a"), frame(0x81, b"not a continuation")].concat(),
        ];
        for bytes in wrong {
            assert_eq!(read(&bytes, 1000), Err(FrameFault::Protocol), "{bytes:?}");
        }
    }

    #[test]
    fn size_is_refused_by_the_header_alone() {
        let header = [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4];
        assert_eq!(read(&header, 1000), Err(FrameFault::TooBig));
        let fragments = [frame(0x01, &[b'x'; 600]), frame(0x00, &[b'x'; 600])].concat();
        assert_eq!(read(&fragments, 10_000), Err(FrameFault::TooBig));
    }

    #[test]
    fn empty_fragments_are_bounded() {
        let mut bytes = frame(0x01, b"");
        for _ in 0..LIMITS.fragments {
            bytes.extend(frame(0x00, b""));
        }
        assert_eq!(read(&bytes, 100), Err(FrameFault::TooBig));
    }

    #[test]
    fn a_text_that_is_none_is_refused_with_the_frame_that_shows_it() {
        for (first, second) in [(&b"\xFF"[..], &b""[..]), (b"a\xC3", b"("), (b"\xED", b"\xA0"), (b"", b"\xF4\x90")] {
            let bytes = [frame(0x01, first), frame(0x00, second)].concat();
            assert_eq!(read(&bytes, 1000), Err(FrameFault::Encoding), "{first:?} {second:?}");
            let is_known_at_once = std::str::from_utf8(first).is_err_and(|error| error.error_len().is_some());
            assert_eq!(read(&frame(0x01, first), 1000).is_err(), is_known_at_once, "{first:?}");
        }
        // Any bytes are a binary message.
        let binary = [frame(0x02, b"\xFF"), frame(0x80, b"\xC3")].concat();
        assert_eq!(read(&binary, 1000), Ok(vec!["Binary([255, 195])".to_owned()]));
    }

    #[test]
    fn a_frame_is_looked_at_as_it_comes() {
        let good_then_wrong = frame(0x81, b"a\xC3(bcdef");
        assert_eq!(read(&good_then_wrong[..8], 1000), Ok(vec![]), "the character may still become one");
        assert_eq!(read(&good_then_wrong[..9], 5), Err(FrameFault::Encoding));
    }

    #[test]
    fn a_character_may_be_in_several_frames() {
        let text = "κόσμε 😀".as_bytes();
        let mut bytes = frame(0x01, b"");
        bytes.extend(text.iter().flat_map(|&byte| frame(0x00, &[byte])));
        bytes.extend(frame(0x80, b""));
        assert_eq!(read(&bytes, 1000), Ok(vec!["text κόσμε 😀".to_owned()]));
    }

    #[test]
    fn closing_is_answered_as_the_rfc_says() {
        assert_eq!(answer_close(&[]), None);
        assert_eq!(answer_close(&[3]), Some(CloseCode::Protocol));
        assert_eq!(answer_close(&1000u16.to_be_bytes()), Some(CloseCode::Normal));
        assert_eq!(answer_close(&1005u16.to_be_bytes()), Some(CloseCode::Protocol));
        assert_eq!(answer_close(&[3, 232, 0xFF]), Some(CloseCode::Invalid));
    }

    #[test]
    fn a_written_frame_has_the_shortest_length() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let mut out = b"before".to_vec();
            write_text(&mut out, |payload| payload.resize(payload.len() + length, b'x'));
            let mut cursor = Cursor::new(&out[6..]);
            let (header, payload_bytes) = FrameHeader::parse(&mut cursor).expect("well-formed").expect("whole");
            assert_eq!((payload_bytes as usize, header.is_final), (length, true));
            assert_eq!(out.len(), 6 + cursor.position() as usize + length);
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            frames in prop::collection::vec((0usize..7, ".{0,30}"), 1..12),
            piece_bytes in 1usize..50,
        ) {
            // Whole texts and binaries, control frames, and fragments, which need not fit together.
            let first_bytes = [0x81, 0x82, 0x89, 0x8A, 0x01, 0x00, 0x80];
            let frames = frames.iter().flat_map(|(kind, text)| frame(first_bytes[*kind], text.as_bytes()));
            let bytes: Vec<u8> = frames.collect();
            prop_assert_eq!(read(&bytes, piece_bytes), read(&bytes, bytes.len()));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1usize..40) {
            let _ = read(&bytes, piece);
        }
    }
}
