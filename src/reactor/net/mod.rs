//! The only place that knows sockets and clocks: what the reactor asks of the system. `mio` is the real system's
//! answer, `listeners` how it listens, `handed_over` what listens already, `stream` what is read from and written to,
//! `tls` how that is encrypted.

mod handed_over;
mod listeners;
mod mio;
mod signals;
mod stream;
#[cfg(feature = "tls")]
mod tls;

use core::net::IpAddr;
use std::io::{self, Read, Write};

use crate::rooms::ConnectionId;
use crate::time::Now;
#[cfg(feature = "tls")]
use crate::tls::ServerKeys;

pub use self::handed_over::{HandOverError, HandedOver};
pub use self::listeners::BindError;
pub use self::mio::MioNet;

/// Which protocol is spoken first on a listener's connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    /// HTTP, and WebSockets by way of it.
    Web,
    /// The terminal protocol.
    Line,
    /// HTTP that tells how the server is, and nothing else.
    Metrics,
    /// A protocol that is brought from outside; the real system has no listener for it.
    Other,
}

/// A listener, among those of one system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenerId {
    /// Which one it is.
    pub index: u16,
    /// What is spoken there first.
    pub port: Port,
    /// Whether that is spoken over TLS.
    pub is_tls: bool,
}

/// Something to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// There are connections to accept.
    Listener(ListenerId),
    /// A connection can be read from or written to.
    Connection {
        /// Which one; it may have been closed meanwhile.
        connection: ConnectionId,
        /// There is something to read, or the end, or an error.
        readable: bool,
        /// There is room to write, or an error.
        writable: bool,
        /// The peer sends no more: reading goes on until the end is seen.
        ended: bool,
    },
    /// The program is asked to stop.
    Stop,
    /// The program is asked to read its configuration again.
    Reload,
}

/// What SIGHUP means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HangUp {
    /// Nothing: who started the program has it ignored, as `nohup` does.
    Ignore,
    /// The terminal is closed: the program stops.
    Stop,
    /// A service is told to read its configuration again.
    Reload,
}

/// A new connection.
#[derive(Debug)]
pub struct Accepted<S> {
    /// Its stream, not yet registered.
    pub stream: S,
    /// The peer's address; `None`: it is a program on this machine that came by a Unix socket.
    pub peer: Option<IpAddr>,
    /// The address under which the peer found this machine.
    pub local: IpAddr,
}

/// What came of accepting.
#[derive(Debug)]
pub enum Accept<S> {
    /// A connection.
    Connection(Accepted<S>),
    /// None waits.
    Nothing,
    /// There is no descriptor for one more. Those who waited have been told so; more may come, and nothing will
    /// announce them: they are to be asked for again.
    OutOfDescriptors {
        /// How many have been told.
        refused: u32,
    },
}

/// A connection's two-way stream. It never blocks, and nothing but flushing writes to it.
pub trait Stream: Read + Write {
    /// Whether there may be more to read, after a read of `count` bytes that could have been `asked`, before an edge
    /// announces it. On a plain socket a short read has drained it.
    fn may_have_more(&self, count: usize, asked: usize) -> bool {
        count == asked
    }

    /// Whether it has bytes of its own that wait to be written: flushing writes them.
    fn has_output(&self) -> bool {
        false
    }

    /// Whether it is still to be agreed on how it is encrypted: until then nothing is read but what serves that, and
    /// nothing can be written.
    fn is_handshaking(&self) -> bool {
        false
    }

    /// Whether what is read and written is encrypted. One that is at a listener where it should be, and is not once the
    /// handshake is over, belongs to a peer that speaks without.
    fn is_encrypted(&self) -> bool {
        false
    }

    /// A header comes first that is not encrypted: of a proxy, which says whose connection it passes on.
    fn hold_encryption(&mut self) {}

    /// The header has been read: what follows is encrypted, if that is spoken here.
    fn begin_encryption(&mut self) {}

    /// Has the peer told that nothing more is sent, if what is spoken below says so by bytes of its own; these wait to be
    /// written. It may be told again.
    fn say_end(&mut self) {}
}

#[cfg(test)]
impl Stream for io::Cursor<Vec<u8>> {}

/// What the reactor needs of the system: sockets that do not block, readiness by edges, time.
pub trait Net {
    /// A connection's two-way stream.
    type Stream: Stream;

    /// The time.
    fn now(&mut self) -> Now;

    /// Microseconds since some moment, for measuring how long things take.
    fn elapsed_us(&mut self) -> u64 {
        self.now().steady_ms * 1000
    }

    /// Waits until something is ready, at most `timeout_ms` (`None`: for ever); appends it to `ready`.
    ///
    /// # Errors
    /// The system cannot tell any more.
    fn wait(&mut self, timeout_ms: Option<u64>, ready: &mut Vec<Readiness>) -> io::Result<()>;

    /// Takes a connection that waits at a listener. `refusal` is said to those that there is no descriptor for.
    fn accept(&mut self, listener: ListenerId, refusal: &[u8]) -> Accept<Self::Stream>;

    /// Has the stream's readiness reported under this id, both ways, once for each change.
    ///
    /// # Errors
    /// The system has no room for it.
    fn register(&mut self, stream: &mut Self::Stream, connection: ConnectionId) -> io::Result<()>;

    /// Sends what of `words` fits into the send buffer, and closes.
    fn refuse(&mut self, stream: Self::Stream, words: &[u8]);

    /// Ends the sending side: the peer reads the end after what was sent.
    fn end_sending(&mut self, stream: &mut Self::Stream);

    /// Closes the stream.
    fn close(&mut self, stream: Self::Stream);

    /// For how long the peer's system has acknowledged nothing of what it was sent, although that was sent again and
    /// again; 0: nothing is overdue, or the system does not tell.
    fn overdue_ms(&mut self, stream: &Self::Stream) -> u64;

    /// Has connections that are accepted from now on encrypted with these keys. One that encrypts nothing has no use for
    /// them.
    #[cfg(feature = "tls")]
    fn renew_keys(&mut self, _keys: ServerKeys) {}

    /// Accepts no more.
    fn close_listeners(&mut self);
}
