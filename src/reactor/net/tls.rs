//! TLS over a socket: what is read is decrypted, what is written is encrypted.
//!
//! Reading may give rise to bytes of its own (a handshake, an alert, new keys). They wait until the stream is flushed:
//! nothing is written while it is read. Of what was encrypted at most one batch waits for the socket: more is taken once
//! that is gone, so that who reads slowly holds up what is sent to it here as without TLS.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use super::Stream;

/// The type of a record in which a handshake begins (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// What a client may send before the handshake is done: several times what the largest need.
const HANDSHAKE_LIMIT_BYTES: usize = 16 * 1024;

/// What is read from the socket before others have their turn, if nothing comes out of it that a session could be shown.
const BARREN_LIMIT_BYTES: usize = 64 * 1024;

/// What the library may keep of the memory that it took for what it received.
const RETAINED_BYTES: usize = 4096;

/// One connection over TLS.
#[derive(Debug)]
pub struct TlsStream<S> {
    socket: S,
    state: State,
    /// There may be more to read, here or in the socket, that no edge announces.
    may_have_more: bool,
    /// Bytes that were received before the handshake was done.
    handshake_bytes: usize,
    /// A failure that is told after what came before it.
    failure: Option<io::ErrorKind>,
}

#[derive(Debug)]
enum State {
    /// A header comes first, as it is. Whoever reads it takes nothing of what follows.
    Header(Arc<ServerConfig>),
    /// Nothing has come: no more than this is held for somebody who says nothing.
    Silent(Arc<ServerConfig>),
    /// What came first is no TLS: it is passed on as it comes.
    Plain,
    Tls(Box<ServerConnection>),
}

impl<S> TlsStream<S> {
    /// Over this socket.
    pub fn new(socket: S, config: Arc<ServerConfig>) -> TlsStream<S> {
        TlsStream { socket, state: State::Silent(config), may_have_more: false, handshake_bytes: 0, failure: None }
    }

    /// The socket itself.
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// The socket itself, of a connection on which nothing was spoken.
    pub fn into_socket(self) -> S {
        self.socket
    }

    /// The socket itself: not to be read from or written to.
    pub fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }
}

impl<S: Read> TlsStream<S> {
    /// Reads the first byte, which tells whether the peer speaks TLS. `None`: the peer has ended before.
    fn begin(&mut self, config: &Arc<ServerConfig>) -> io::Result<Option<u8>> {
        let mut first = [0];
        if self.socket.read(&mut first)? == 0 {
            return Ok(None);
        }
        if first == [HANDSHAKE] {
            let mut connection = Box::new(ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?);
            connection.read_tls(&mut &first[..])?;
            self.state = State::Tls(connection);
        } else {
            self.state = State::Plain;
        }
        Ok(Some(first[0]))
    }
}

/// A socket that is read from once, and of which is known then whether it had as much as was asked for.
struct Reading<'a, S> {
    socket: &'a mut S,
    is_short: bool,
}

impl<S: Read> Read for Reading<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buffer)?;
        self.is_short = count < buffer.len();
        Ok(count)
    }
}

impl<S: Read> TlsStream<S> {
    /// Decrypts what there is until the buffer is full or the socket is drained.
    fn read_tls(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let State::Tls(connection) = &mut self.state else { return Ok(0) };
        let (mut filled, mut received, mut is_drained) = (0, 0, false);
        self.may_have_more = true;
        let outcome = loop {
            match connection.reader().read(&mut buffer[filled..]) {
                // The buffer is full, or the peer has said that it sends no more, which is to be seen by itself.
                Ok(0) => {
                    self.may_have_more = true;
                    break Ok(());
                }
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => break Err(error.kind()),
            }
            if let Some(failure) = self.failure {
                self.may_have_more = true;
                break Err(failure);
            }
            // A short read has drained the socket, but an end may have been announced together with it: that is looked for
            // where nothing else is told.
            if is_drained || !self.may_have_more && filled > 0 {
                break Err(io::ErrorKind::WouldBlock);
            }
            if received >= BARREN_LIMIT_BYTES {
                break Err(io::ErrorKind::Interrupted);
            }
            let mut reading = Reading { socket: &mut self.socket, is_short: false };
            let is_handshaking = connection.is_handshaking();
            let count = match connection.read_tls(&mut reading) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    (self.may_have_more, is_drained) = (false, true);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failure = Some(error.kind());
                    continue;
                }
            };
            // The end is to be seen once more.
            self.may_have_more = !reading.is_short || count == 0;
            received += count;
            if is_handshaking {
                self.handshake_bytes += count;
            }
            if let Err(error) = connection.process_new_packets() {
                log::debug!("TLS fails: {error}");
                self.failure = Some(io::ErrorKind::InvalidData);
            } else if connection.is_handshaking() && self.handshake_bytes > HANDSHAKE_LIMIT_BYTES {
                log::debug!("TLS fails: the handshake is too long");
                self.failure = Some(io::ErrorKind::InvalidData);
            }
        };
        if received > RETAINED_BYTES {
            // The library gives back what it took for more than that when it is about to read again.
            let _ = connection.read_tls(&mut Nothing);
        }
        match outcome {
            // What has ended the loop ends it again when what came before is taken.
            Err(kind) if filled == 0 => Err(kind.into()),
            _ => Ok(filled),
        }
    }
}

/// A socket in which there is nothing.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl<S: Read> Read for TlsStream<S> {
    /// Reads what was decrypted. `InvalidData`: the peer breaks TLS. `UnexpectedEof`: it has ended without saying so,
    /// or somebody on the way has (RFC 8446 section 6.1).
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        if let State::Silent(config) = &self.state {
            let config = Arc::clone(config);
            match (self.begin(&config)?, &self.state) {
                (None, _) => return Ok(0),
                (Some(first), State::Plain) => (buffer[0], filled) = (first, 1),
                _ => (),
            }
        }
        if let State::Tls(_) = self.state {
            return self.read_tls(buffer);
        }
        if let State::Header(_) = self.state {
            let count = self.socket.read(buffer)?;
            self.may_have_more = count == buffer.len();
            return Ok(count);
        }
        let rest = &mut buffer[filled..];
        match self.socket.read(rest) {
            Ok(count) => {
                self.may_have_more = count == rest.len() || count == 0;
                Ok(filled + count)
            }
            Err(error) if filled == 0 => Err(error),
            Err(error) => {
                self.may_have_more = error.kind() != io::ErrorKind::WouldBlock;
                Ok(filled)
            }
        }
    }
}

impl<S: Write> Write for TlsStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// Encrypts as much as one batch holds, and writes as much of that as the socket takes: what was taken will be
    /// written, by this or by flushing. `WouldBlock`: the batch before is not written yet, or no key is agreed on.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let connection = match &mut self.state {
            State::Header(_) | State::Plain => return self.socket.write_vectored(slices),
            State::Tls(connection) if !connection.is_handshaking() => connection,
            _ => return Err(io::ErrorKind::WouldBlock.into()),
        };
        write_encrypted(connection, &mut self.socket)?;
        let count = connection.writer().write_vectored(slices)?;
        match write_encrypted(connection, &mut self.socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    /// Writes what waits.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Tls(connection) => write_encrypted(connection, &mut self.socket),
            State::Header(_) | State::Silent(_) | State::Plain => Ok(()),
        }
    }
}

/// A socket that is sent a single slice, as one record is, without gathering: before they come to the socket, `writev`
/// costs twice what `send` does.
struct Writing<'a, S>(&'a mut S);

impl<S: Write> Write for Writing<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [only] => self.0.write(only),
            several => self.0.write_vectored(several),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes what is encrypted and waits, all of it with one call if the socket takes it.
fn write_encrypted(connection: &mut ServerConnection, socket: &mut impl Write) -> io::Result<()> {
    while connection.wants_write() {
        if connection.write_tls(&mut Writing(socket))? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

impl<S: Read + Write> Stream for TlsStream<S> {
    fn may_have_more(&self, _count: usize, _asked: usize) -> bool {
        self.may_have_more
    }

    fn has_output(&self) -> bool {
        matches!(&self.state, State::Tls(connection) if connection.wants_write())
    }

    fn is_handshaking(&self) -> bool {
        match &self.state {
            State::Silent(_) => true,
            State::Header(_) | State::Plain => false,
            State::Tls(connection) => connection.is_handshaking(),
        }
    }

    fn is_encrypted(&self) -> bool {
        matches!(&self.state, State::Tls(connection) if !connection.is_handshaking())
    }

    fn hold_encryption(&mut self) {
        if let State::Silent(config) = &self.state {
            self.state = State::Header(Arc::clone(config));
        }
    }

    fn begin_encryption(&mut self) {
        if let State::Header(config) = &self.state {
            self.state = State::Silent(Arc::clone(config));
        }
    }

    fn say_end(&mut self) {
        if let State::Tls(connection) = &mut self.state
            && !connection.is_handshaking()
        {
            connection.send_close_notify();
        }
    }
}

#[cfg(test)]
mod tests;
