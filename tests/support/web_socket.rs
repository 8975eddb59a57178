//! A WebSocket client as a browser's, and a little ruder where a test needs it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Response as Handshake;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

use super::{DEADLINE, READ_TIMEOUT, Server};

/// One WebSocket; perhaps a member of a room.
pub struct WebSocketClient {
    socket: WebSocket<Stream>,
}

impl WebSocketClient {
    /// A WebSocket that has not joined yet.
    pub fn connect(server: &Server) -> WebSocketClient {
        WebSocketClient::connect_with(server, "/ws", &[]).expect("the handshake succeeds").0
    }

    /// A handshake with these header lines; the status if it is refused.
    pub fn connect_with(
        server: &Server,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(WebSocketClient, Handshake), u16> {
        let stream = TcpStream::connect(server.web).expect("the server accepts connections");
        WebSocketClient::connect_over(stream, &format!("ws://{}{path}", server.web), headers)
    }

    /// A handshake for this address over a connection that is there already, as through a proxy.
    pub fn connect_over(
        stream: TcpStream,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(WebSocketClient, Handshake), u16> {
        stream.set_nodelay(true).expect("a TCP socket can");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        stream.set_write_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        let mut request = url.into_client_request().expect("a URL");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header's value"));
        }
        match tungstenite::client(request, Stream(stream)) {
            Ok((socket, handshake)) => {
                socket.get_ref().0.set_read_timeout(Some(READ_TIMEOUT)).expect("a socket has timeouts");
                Ok((WebSocketClient { socket }, handshake))
            }
            Err(HandshakeError::Failure(Error::Http(response))) => Err(response.status().as_u16()),
            Err(error) => panic!("the handshake fails: {error}"),
        }
    }

    /// A new member of a room.
    #[track_caller]
    pub fn join(server: &Server, room: &str, name: &str) -> WebSocketClient {
        let mut client = WebSocketClient::connect(server);
        client.send(json!({"type": "join", "room": room, "name": name}));
        client.expect("joined");
        client
    }

    // ---- sending

    pub fn send(&mut self, message: Value) {
        self.send_text(&message.to_string());
    }

    pub fn say(&mut self, text: &str) {
        self.send(json!({"type": "message", "text": text}));
    }

    pub fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text));
    }

    pub fn send_message(&mut self, message: Message) {
        self.socket.send(message).expect("the server takes what it is sent");
    }

    /// Writes bytes that need be no frame.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        // The server may close before it has seen them all.
        let _ = self.socket.get_mut().write_all(bytes);
    }

    // ---- receiving

    /// The next message, whatever its type.
    #[track_caller]
    pub fn next(&mut self) -> Value {
        match self.next_frame() {
            Message::Text(text) => serde_json::from_str(&text).expect("every message is JSON"),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The next text, pong, or close frame.
    #[track_caller]
    pub fn next_frame(&mut self) -> Message {
        self.try_next_frame().unwrap_or_else(|error| panic!("the connection is gone: {error}"))
    }

    #[track_caller]
    fn try_next_frame(&mut self) -> Result<Message, Error> {
        let started = Instant::now();
        loop {
            match self.socket.read() {
                Ok(Message::Ping(_)) => (),
                Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    assert!(started.elapsed() < DEADLINE, "the server says nothing");
                }
                other => return other,
            }
        }
    }

    /// The next message of this type; those before it are skipped, but an error that is not asked for fails.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> Value {
        self.expect_where(kind, |message| {
            assert!(kind == "error" || message["type"] != "error", "instead of {kind}: {message}");
            message["type"] == kind
        })
    }

    /// The next message that fulfils a condition, described by `what`.
    #[track_caller]
    pub fn expect_where(&mut self, what: &str, mut fulfils: impl FnMut(&Value) -> bool) -> Value {
        let started = Instant::now();
        let mut skipped = Vec::new();
        while started.elapsed() < DEADLINE {
            let message = self.next();
            if fulfils(&message) {
                return message;
            }
            skipped.push(message);
        }
        panic!("waited in vain for {what}; there came {skipped:?}");
    }

    /// The next message is an error with this code.
    #[track_caller]
    pub fn expect_error(&mut self, code: &str) -> Value {
        let message = self.next();
        assert_eq!((&message["type"], &message["code"]), (&json!("error"), &json!(code)), "{message}");
        assert!(message["message"].as_str().is_some_and(|words| !words.is_empty()), "no words for a person: {message}");
        message
    }

    /// Everything that has been sent to this member by now: the answer to a question asked now comes after it.
    #[track_caller]
    pub fn messages_so_far(&mut self) -> Vec<Value> {
        self.send(json!({"type": "history", "limit": 1}));
        let mut messages = Vec::new();
        loop {
            let message = self.next();
            if message["type"] == "history" {
                return messages;
            }
            messages.push(message);
        }
    }

    /// The connection is closed with this code; messages before it are skipped.
    #[track_caller]
    pub fn expect_close(&mut self, code: u16) {
        assert_eq!(self.expect_any_close(), code);
    }

    /// The connection is closed with a code, which is returned; messages before it are skipped.
    #[track_caller]
    pub fn expect_any_close(&mut self) -> u16 {
        let close = loop {
            match self.next_frame() {
                Message::Close(close) => break close,
                _ => continue,
            }
        };
        let code = close.map(|close| u16::from(close.code)).expect("it says why");
        // Answers the close, and waits for the end of the stream.
        let started = Instant::now();
        while self.try_next_frame().is_ok() {
            assert!(started.elapsed() < DEADLINE, "the server closes and goes on");
        }
        code
    }

    /// Drops the connection without a word, as a dead network would.
    pub fn drop_connection(self) {
        drop(self.socket);
    }

    /// The stream below, for reading slowly or not at all.
    pub fn stream(&self) -> &TcpStream {
        &self.socket.get_ref().0
    }
}

/// A stream that a signal to this process does not disturb.
struct Stream(TcpStream);

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => return result,
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A client's frame: the first byte as given, the payload masked (RFC 6455, section 5.2).
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}
