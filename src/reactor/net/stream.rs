//! What is read from and written to: a connection of the real system, of whichever kind.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::event::Source;
use mio::net::TcpStream;
#[cfg(unix)]
use mio::net::UnixStream;

use super::Stream;

/// A connection of the real system.
#[derive(Debug)]
pub enum MioStream {
    /// From another machine, or this one.
    Tcp(TcpStream),
    /// From a program on this machine.
    #[cfg(unix)]
    Unix(UnixStream),
}

impl MioStream {
    /// What the system registers.
    pub(super) fn source(&mut self) -> &mut dyn Source {
        match self {
            MioStream::Tcp(stream) => stream,
            #[cfg(unix)]
            MioStream::Unix(stream) => stream,
        }
    }

    /// Ends the sending side.
    pub(super) fn end_sending(&mut self) {
        // It fails when the peer is gone, and then nobody needs it.
        let _ = match self {
            MioStream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            MioStream::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    /// The addresses of both ends, this one first, of a connection by TCP.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            MioStream::Tcp(stream) => stream.local_addr().ok().zip(stream.peer_addr().ok()),
            #[cfg(unix)]
            MioStream::Unix(_) => None,
        }
    }
}

impl Stream for MioStream {}

impl Read for MioStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            MioStream::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            MioStream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for MioStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            MioStream::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            MioStream::Unix(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            MioStream::Tcp(stream) => stream.write_vectored(slices),
            #[cfg(unix)]
            MioStream::Unix(stream) => stream.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
