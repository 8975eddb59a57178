//! Sends every WebSocket message back: the very reactor, handshake and frames of snugd, without any room.
//!
//! It is what test suites for WebSockets talk to, as Autobahn's (`wstest -m fuzzingclient`) or `tests/autobahn`:
//!
//! ```sh
//! cargo run --release --example echo -- 127.0.0.1:9001   # ws://127.0.0.1:9001/ws
//! ```

use std::io;
use std::net::SocketAddr;

use rand::SeedableRng;
use rand::rngs::StdRng;
use snugd::http::Site;
use snugd::invitation::Invitation;
use snugd::journal::MemoryJournal;
use snugd::line::{self, LocalClock};
use snugd::options::{ListenAddress, Listener, ListenerPort, Options};
use snugd::reactor::{AdmissionLimits, HandedOver, HangUp, MioNet, OutputLimits, Reactor, Shared, all_encoders};
use snugd::rooms::{EncoderId, Reply, Rooms};
use snugd::session_api::{Flow, Input, Protocol, Step, encoders};
use snugd::time::Now;
use snugd::ws;
use snugd::ws::frame::{self, Assembler, FrameFault, Message, MessageLimits};
use tungstenite::protocol::frame::coding::{Control, Data};

/// The biggest messages of Autobahn's suite have 16 MiB, and those of the most frames 65,536 and an empty one.
const LIMITS: MessageLimits = MessageLimits { bytes: 16 << 20, fragments: 1 << 17 };

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let address = address.parse().map_err(|_| io::Error::other(format!("{address:?} is no address with a port")))?;
    let (bound, mut server) = listen(address)?;
    println!("listening ws://{bound}/ws");
    server.run()
}

/// A server at this address, and the port that it took.
pub fn listen(address: SocketAddr) -> io::Result<(SocketAddr, Reactor<MioNet, MemoryJournal>)> {
    let options = Options::parse_command_line(["echo".into()]).map_err(|exit| io::Error::other(exit.text))?;
    let wanted = Listener { port: ListenerPort::Web, address: ListenAddress::Tcp(address) };
    let mut net = MioNet::bind(&[wanted], &mut HandedOver::default()).map_err(|unusable| unusable.error)?;
    net.take_signals(HangUp::Stop)?;
    let bound = net.bound_listeners()?[0].address.tcp().unwrap_or(address);
    let limits = options.limits;
    let invitation = Invitation {
        public_url: None,
        base_path: options.web.base_path.clone(),
        web_port: bound.port(),
        line_port: None,
        host: bound.ip().to_string(),
        is_secure: false,
        is_certified_host: false,
    };
    let rooms = Rooms::new(limits.clone(), all_encoders(LocalClock::utc(), String::new()), StdRng::seed_from_u64(0));
    let shared = Shared {
        site: Site::new(&options.web, &limits, invitation.clone()),
        ws: ws::Context::new(&limits),
        line: line::Context { limits, invitation, clock: LocalClock::utc(), refusals: Default::default() },
        other: None,
        upgraded: Some(|_, _| Box::new(Echo::default())),
    };
    let mut reactor = Reactor::new(net, rooms, MemoryJournal::default(), shared, AdmissionLimits::default());
    // What waits is at most what one peer has sent.
    reactor.set_output_limits(OutputLimits { hard_bytes: 4 * LIMITS.bytes, ..OutputLimits::default() });
    Ok((bound, reactor))
}

/// One WebSocket.
#[derive(Default)]
struct Echo {
    assembler: Assembler,
}

impl Echo {
    /// Sends back the next message; `None`: it has not come yet.
    fn answer_next(&mut self, input: &mut Input<'_>, outbox: &mut Vec<u8>) -> Result<Option<Step>, FrameFault> {
        let Some(message) = self.assembler.next(input, LIMITS)? else { return Ok(Some(Step::NeedInput)) };
        match message {
            Message::TextInPlace { header_bytes, text_bytes } => {
                echo_text(&input.rest()[header_bytes..][..text_bytes], outbox)?;
                input.consume(header_bytes + text_bytes);
            }
            Message::Text(text) => echo_text(&text, outbox)?,
            Message::Binary(payload) => echo(Data::Binary, &payload, outbox),
            Message::Ping(payload) => frame::write_control(outbox, Control::Pong, &payload),
            Message::Pong => {}
            Message::Close(payload) => {
                frame::write_close_answer(outbox, &payload);
                return Ok(Some(Step::Close));
            }
        }
        Ok(None)
    }
}

fn echo_text(text: &[u8], outbox: &mut Vec<u8>) -> Result<(), FrameFault> {
    let text = std::str::from_utf8(text).map_err(|_| FrameFault::Encoding)?;
    echo(Data::Text, text.as_bytes(), outbox);
    Ok(())
}

fn echo(kind: Data, payload: &[u8], outbox: &mut Vec<u8>) {
    frame::write_message(outbox, kind, |out| out.extend_from_slice(payload));
}

impl Protocol for Echo {
    fn receive(&mut self, input: &mut Input<'_>, _now: Now, outbox: &mut Vec<u8>) -> Step {
        loop {
            match self.answer_next(input, outbox) {
                Ok(None) => {}
                Ok(Some(step)) => return step,
                Err(fault) => {
                    frame::write_close(outbox, fault.close_code(), "");
                    return Step::Fault;
                }
            }
        }
    }

    fn reply(&mut self, _reply: Reply, _rooms: &Rooms, _now: Now, _outbox: &mut Vec<u8>) -> Flow {
        // It asks the rooms for nothing.
        Flow::Continue
    }

    fn encoder(&self) -> EncoderId {
        encoders::WEB
    }
}
