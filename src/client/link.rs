//! The connection to the server: a thread that opens it, sends what it is given and hands over what comes.
//!
//! What is said over it is not known here. It is opened blocking, and then waited for in both directions, so that TLS,
//! of which neither direction can be had alone, needs no second thread.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::address::Address;
use super::handshake::{self, Response};
use crate::rooms::RoomCode;

/// How long an address may take to answer, and then each step of the handshakes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Of one message: a history of 500 long events fits.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);

/// What becomes of a connection.
#[derive(Debug)]
pub enum LinkEvent {
    /// A new room has this code.
    Created(RoomCode),
    /// Messages can be sent; what is at this address speaks TLS or not.
    Opened,
    /// A message has come.
    Received(String),
    /// It is over: with the close code, if there was one, and the server's words.
    Closed(Option<u16>, String),
    /// It could not be opened.
    Failed(LinkFault),
}

/// Why a connection cannot be opened.
#[derive(Debug)]
pub struct LinkFault {
    /// For a person.
    pub sentence: String,
    /// How long the server wants to be left alone.
    pub retry_ms: Option<u64>,
}

impl LinkFault {
    fn new(sentence: String) -> LinkFault {
        LinkFault { sentence, retry_ms: None }
    }
}

/// A connection. Dropped, it is closed.
pub struct Link {
    outgoing: Sender<String>,
    waker: Arc<Waker>,
}

impl Link {
    /// Opens a connection. `creates`: opens a new room first.
    ///
    /// # Errors
    /// The system gives no more of what is needed.
    pub fn open(place: Place, creates: bool, emit: impl Fn(LinkEvent) + Send + 'static) -> io::Result<Link> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (outgoing, messages) = channel();
        std::thread::Builder::new().name("link".into()).spawn(move || match connect(&place, creates, &emit) {
            Ok(stream) => {
                emit(LinkEvent::Opened);
                let (code, reason) = run(*stream, poll, &messages, &emit);
                emit(LinkEvent::Closed(code, reason));
            }
            Err(fault) => emit(LinkEvent::Failed(fault)),
        })?;
        Ok(Link { outgoing, waker })
    }

    /// Sends a message. One that is lost with the connection is not reported: what matters is acknowledged.
    pub fn send(&self, message: String) {
        let _ = self.outgoing.send(message);
        let _ = self.waker.wake();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The sender is dropped before the thread sees that there is none.
        self.outgoing = channel().0;
        let _ = self.waker.wake();
    }
}

/// Where to connect, and whom to trust there.
#[derive(Clone)]
pub struct Place {
    /// The server.
    pub address: Address,
    /// Certificates that are trusted.
    #[cfg(feature = "tls")]
    pub trust: super::tls::Trust,
}

/// A stream to the server: of bytes as they are, or encrypted.
enum Stream {
    Plain(mio::net::TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<super::tls::Stream<mio::net::TcpStream>>),
}

impl Stream {
    fn socket(&mut self) -> &mut mio::net::TcpStream {
        match self {
            Stream::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.socket(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buffer),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(bytes),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

/// Opens the connection, a room if one is wanted, and the WebSocket.
fn connect(place: &Place, creates: bool, emit: &impl Fn(LinkEvent)) -> Result<Box<WebSocket<Stream>>, LinkFault> {
    match open(place, creates, emit)? {
        Opening::Done(socket) => Ok(socket),
        Opening::Redirected(address) => {
            let mut place = place.clone();
            place.address = address;
            match open(&place, creates, emit)? {
                Opening::Done(socket) => Ok(socket),
                Opening::Redirected(_) => Err(no_snugd(&place.address, "it sends elsewhere")),
            }
        }
    }
}

enum Opening {
    Done(Box<WebSocket<Stream>>),
    /// The same server wants to be spoken to over TLS.
    Redirected(Address),
}

fn open(place: &Place, creates: bool, emit: &impl Fn(LinkEvent)) -> Result<Opening, LinkFault> {
    let address = &place.address;
    let socket = dial(address)?;
    #[cfg(feature = "tls")]
    if address.is_secure {
        let stream = super::tls::connect(socket, &address.host, &place.trust).map_err(LinkFault::new)?;
        let (stream, opened) = shake_hands(stream, address, creates, emit)?;
        return finish(opened, || Ok(Stream::Tls(Box::new(stream.map(into_mio)?))), address);
    }
    if address.is_secure {
        let sentence = "This snugd was built without TLS, so it opens no https; use another build.".to_owned();
        return Err(LinkFault::new(sentence));
    }
    let (socket, opened) = shake_hands(socket, address, creates, emit)?;
    finish(opened, || Ok(Stream::Plain(into_mio(socket)?)), address)
}

fn into_mio(socket: TcpStream) -> io::Result<mio::net::TcpStream> {
    socket.set_nonblocking(true)?;
    Ok(mio::net::TcpStream::from_std(socket))
}

/// What the handshakes came to: what has come behind them, or where the server wants to be asked instead.
enum ShakenHands {
    Done(Vec<u8>),
    Redirected(Address),
}

fn finish(
    opened: ShakenHands,
    into_stream: impl FnOnce() -> io::Result<Stream>,
    address: &Address,
) -> Result<Opening, LinkFault> {
    let behind = match opened {
        ShakenHands::Redirected(address) => return Ok(Opening::Redirected(address)),
        ShakenHands::Done(behind) => behind,
    };
    let stream = into_stream().map_err(|error| no_answer(address, &error))?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
        .read_buffer_size(16 << 10)
        .write_buffer_size(0);
    let socket = WebSocket::from_partially_read(stream, behind, Role::Client, Some(config));
    Ok(Opening::Done(Box::new(socket)))
}

/// Connects to the first address of the host that answers.
fn dial(address: &Address) -> Result<TcpStream, LinkFault> {
    let found = (address.host.as_str(), address.port).to_socket_addrs().map_err(|_| {
        LinkFault::new(format!("There is no host {:?} to be found; is it spelled right?", address.host))
    })?;
    let mut fault = io::Error::from(ErrorKind::AddrNotAvailable);
    for found in found {
        match TcpStream::connect_timeout(&found, CONNECT_TIMEOUT) {
            Ok(socket) => {
                let _ = socket.set_nodelay(true);
                let _ = socket.set_read_timeout(Some(HANDSHAKE_TIMEOUT));
                let _ = socket.set_write_timeout(Some(HANDSHAKE_TIMEOUT));
                return Ok(socket);
            }
            Err(error) => fault = error,
        }
    }
    Err(no_answer(address, &fault))
}

fn shake_hands<S: Read + Write>(
    mut stream: S,
    address: &Address,
    creates: bool,
    emit: &impl Fn(LinkEvent),
) -> Result<(S, ShakenHands), LinkFault> {
    let no_answer = |error: io::Error| match error.kind() {
        ErrorKind::InvalidData => no_snugd(address, "it does not speak HTTP"),
        _ => no_answer(address, &error),
    };
    if creates {
        if !address.is_secure {
            let response = handshake::exchange(&mut stream, &handshake::probe_request(address)).map_err(no_answer)?;
            if let Some(elsewhere) = redirection(&response, address) {
                return Ok((stream, ShakenHands::Redirected(elsewhere)));
            }
        }
        let response = handshake::exchange(&mut stream, &handshake::create_request(address)).map_err(no_answer)?;
        emit(LinkEvent::Created(read_created(&response, address)?));
    }
    let key = handshake::new_key();
    let response = handshake::exchange(&mut stream, &handshake::upgrade_request(address, &key)).map_err(no_answer)?;
    if response.accepts(&key) {
        return Ok((stream, ShakenHands::Done(response.body)));
    }
    match redirection(&response, address) {
        Some(elsewhere) => Ok((stream, ShakenHands::Redirected(elsewhere))),
        None => Err(refused(&response, address)),
    }
}

fn redirection(response: &Response, address: &Address) -> Option<Address> {
    let location = response.value("location").filter(|_| (300..400).contains(&response.status))?;
    address.redirected(location)
}

/// The code of the room that was opened.
fn read_created(response: &Response, address: &Address) -> Result<RoomCode, LinkFault> {
    let value: Option<serde_json::Value> = serde_json::from_slice(&response.body).ok();
    let code = value.as_ref().and_then(|value| RoomCode::parse(value["room"].as_str()?));
    code.filter(|_| response.status == 201).ok_or_else(|| refused(response, address))
}

fn refused(response: &Response, address: &Address) -> LinkFault {
    let retry_ms = response.value("retry-after").and_then(|after| after.parse::<u64>().ok()).map(|after| after * 1000);
    let value: Option<serde_json::Value> = serde_json::from_slice(&response.body).ok();
    let words = value.as_ref().and_then(|value| value["error"]["message"].as_str());
    let sentence = match (words, response.status) {
        (Some(words), _) => words.to_owned(),
        (None, 429 | 503) => format!("{} is too busy just now; try again later.", address.authority()),
        (None, 421) => format!("{} is no name that the server there answers to.", address.host),
        (None, status) => return no_snugd(address, &format!("it answers with status {status}")),
    };
    LinkFault { sentence, retry_ms }
}

fn no_answer(address: &Address, error: &io::Error) -> LinkFault {
    let place = address.authority();
    LinkFault::new(match error.kind() {
        ErrorKind::ConnectionRefused => {
            format!("Nothing listens at {place}; is snugd running there, and is that the port of its pages?")
        }
        ErrorKind::TimedOut | ErrorKind::WouldBlock => format!("{place} does not answer; is the address right?"),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => format!("{place} has closed the connection."),
        _ => format!("{place} cannot be reached ({error})."),
    })
}

fn no_snugd(address: &Address, why: &str) -> LinkFault {
    let place = address.authority();
    LinkFault::new(format!("What is at {place} is no snugd ({why}); is that the port of its pages?"))
}

/// Sends and receives until either side ends the connection; returns how the server has closed it.
fn run(
    mut socket: WebSocket<Stream>,
    mut poll: Poll,
    messages: &Receiver<String>,
    emit: &impl Fn(LinkEvent),
) -> (Option<u16>, String) {
    let both = Interest::READABLE | Interest::WRITABLE;
    if let Err(error) = poll.registry().register(socket.get_mut().socket(), SOCKET, both) {
        return (None, error.to_string());
    }
    let mut events = Events::with_capacity(8);
    let mut closing = (None, String::new());
    loop {
        let mut has_received = false;
        loop {
            match messages.try_recv() {
                Ok(message) => {
                    if is_over(socket.write(Message::text(message))) {
                        return closing;
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    let _ = socket.close(None);
                    let _ = socket.flush();
                    return closing;
                }
            }
        }
        if is_over(socket.flush()) {
            return closing;
        }
        loop {
            match socket.read() {
                Ok(Message::Text(text)) => emit(LinkEvent::Received(text.as_str().to_owned())),
                Ok(Message::Close(frame)) => {
                    if let Some(frame) = frame {
                        closing = (Some(frame.code.into()), frame.reason.as_str().to_owned());
                    }
                }
                Ok(_) => (),
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return closing,
            }
            has_received = true;
        }
        // A pong may have been written, and TLS may have decrypted more than was read.
        if !has_received && poll.poll(&mut events, None).is_err_and(|error| error.kind() != ErrorKind::Interrupted) {
            return closing;
        }
    }
}

fn is_over(result: Result<(), Error>) -> bool {
    match result {
        Ok(()) => false,
        Err(Error::Io(error)) => error.kind() != ErrorKind::WouldBlock,
        // What has come before the end is still to be read.
        Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_)) => false,
        Err(_) => true,
    }
}

/// The client's only clock.
#[derive(Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Begins now.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Milliseconds since it began.
    pub fn now_ms(&self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
}
