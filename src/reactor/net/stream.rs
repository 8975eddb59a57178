//! What is read from and written to: a connection of the real system, of whichever kind.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::event::Source;
use mio::net::TcpStream;
#[cfg(unix)]
use mio::net::UnixStream;

use super::Stream;
#[cfg(feature = "tls")]
use super::tls::TlsStream;

/// A connection of the real system.
#[derive(Debug)]
pub enum MioStream {
    /// From another machine, or this one.
    Tcp(TcpStream),
    /// From a program on this machine.
    #[cfg(unix)]
    Unix(UnixStream),
    /// By TCP, over TLS.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

impl MioStream {
    /// What the system registers.
    pub(super) fn source(&mut self) -> &mut dyn Source {
        match self {
            MioStream::Tcp(stream) => stream,
            #[cfg(unix)]
            MioStream::Unix(stream) => stream,
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.socket_mut(),
        }
    }

    /// The connection without what is spoken on it.
    pub(super) fn into_socket(self) -> MioStream {
        match self {
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => MioStream::Tcp(stream.into_socket()),
            stream => stream,
        }
    }

    /// Ends the sending side.
    pub(super) fn end_sending(&mut self) {
        // It fails when the peer is gone, and then nobody needs it.
        let _ = match self {
            MioStream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            MioStream::Unix(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.socket().shutdown(Shutdown::Write),
        };
    }

    /// The addresses of both ends, this one first, of a connection by TCP.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let stream = match self {
            MioStream::Tcp(stream) => stream,
            #[cfg(unix)]
            MioStream::Unix(_) => return None,
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.socket(),
        };
        stream.local_addr().ok().zip(stream.peer_addr().ok())
    }
}

impl Stream for MioStream {
    fn may_have_more(&self, count: usize, asked: usize) -> bool {
        match self {
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.may_have_more(count, asked),
            _ => count == asked,
        }
    }

    fn has_output(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.has_output(),
            _ => false,
        }
    }

    fn is_handshaking(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.is_handshaking(),
            _ => false,
        }
    }

    fn is_encrypted(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.is_encrypted(),
            _ => false,
        }
    }

    fn hold_encryption(&mut self) {
        #[cfg(feature = "tls")]
        if let MioStream::Tls(stream) = self {
            stream.hold_encryption();
        }
    }

    fn begin_encryption(&mut self) {
        #[cfg(feature = "tls")]
        if let MioStream::Tls(stream) = self {
            stream.begin_encryption();
        }
    }

    fn say_end(&mut self) {
        #[cfg(feature = "tls")]
        if let MioStream::Tls(stream) = self {
            stream.say_end();
        }
    }
}

impl Read for MioStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            MioStream::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            MioStream::Unix(stream) => stream.read(buffer),
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for MioStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            MioStream::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            MioStream::Unix(stream) => stream.write(bytes),
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            MioStream::Tcp(stream) => stream.write_vectored(slices),
            #[cfg(unix)]
            MioStream::Unix(stream) => stream.write_vectored(slices),
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            #[cfg(feature = "tls")]
            MioStream::Tls(stream) => stream.flush(),
            _ => Ok(()),
        }
    }
}
