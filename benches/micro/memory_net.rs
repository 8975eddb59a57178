//! A system in memory: every write is taken whole and copied once, as a kernel would; nothing ever goes wrong.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::rc::Rc;

use snugd::reactor::{Accept, Accepted, ListenerId, Net, Port, Readiness, Stream};
use snugd::rooms::ConnectionId;
use snugd::time::Now;

use crate::setting::{LOCALHOST, NOW};

/// A connection, between its two ends.
#[derive(Default)]
pub struct Socket {
    connection: Cell<Option<ConnectionId>>,
    to_server: RefCell<Vec<u8>>,
    last_write: RefCell<Vec<u8>>,
    write_count: Cell<usize>,
}

impl Socket {
    /// What the server wrote last.
    pub fn last_write(&self) -> Vec<u8> {
        self.last_write.borrow().clone()
    }

    /// How often the server has written.
    pub fn write_count(&self) -> usize {
        self.write_count.get()
    }
}

/// The server's end.
pub struct MemoryStream(Rc<Socket>);

impl Stream for MemoryStream {}

impl Read for MemoryStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.0.to_server.borrow_mut();
        if bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = bytes.len();
        buffer[..count].copy_from_slice(&bytes);
        bytes.clear();
        Ok(count)
    }
}

impl Write for MemoryStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut last_write = self.0.last_write.borrow_mut();
        last_write.clear();
        parts.iter().for_each(|part| last_write.extend_from_slice(part));
        self.0.write_count.set(self.0.write_count.get() + 1);
        Ok(last_write.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the reactor runs on.
#[derive(Default)]
pub struct MemoryNet {
    backlog: VecDeque<(Port, Rc<Socket>)>,
    ready: Vec<Readiness>,
}

impl MemoryNet {
    /// A client connects.
    pub fn connect(&mut self, port: Port) -> Rc<Socket> {
        let socket = Rc::new(Socket::default());
        self.backlog.push_back((port, Rc::clone(&socket)));
        self.ready.push(Readiness::Listener(ListenerId { index: 0, port, is_tls: false }));
        socket
    }

    /// A client sends.
    pub fn send(&mut self, socket: &Socket, bytes: &[u8]) {
        socket.to_server.borrow_mut().extend_from_slice(bytes);
        if let Some(connection) = socket.connection.get() {
            self.announce(connection);
        }
    }

    fn announce(&mut self, connection: ConnectionId) {
        self.ready.push(Readiness::Connection { connection, readable: true, writable: true, ended: false });
    }
}

impl Net for MemoryNet {
    type Stream = MemoryStream;

    fn now(&mut self) -> Now {
        NOW
    }

    fn wait(&mut self, _timeout_ms: Option<u64>, ready: &mut Vec<Readiness>) -> io::Result<()> {
        ready.append(&mut self.ready);
        Ok(())
    }

    fn accept(&mut self, listener: ListenerId, _refusal: &[u8]) -> Accept<MemoryStream> {
        let place = self.backlog.iter().position(|(waits_at, _)| *waits_at == listener.port);
        match place.and_then(|place| self.backlog.remove(place)) {
            Some((_, socket)) => {
                let address = LOCALHOST.into();
                Accept::Connection(Accepted { stream: MemoryStream(socket), peer: Some(address), local: address })
            }
            None => Accept::Nothing,
        }
    }

    fn register(&mut self, stream: &mut MemoryStream, connection: ConnectionId) -> io::Result<()> {
        stream.0.connection.set(Some(connection));
        self.announce(connection);
        Ok(())
    }

    fn refuse(&mut self, _stream: MemoryStream, _words: &[u8]) {}

    fn end_sending(&mut self, _stream: &mut MemoryStream) {}

    fn close(&mut self, _stream: MemoryStream) {}

    fn overdue_ms(&mut self, _stream: &MemoryStream) -> u64 {
        0
    }

    fn close_listeners(&mut self) {}
}
