//! Where protocols plug in: one variant each, and nothing else about them.

use core::net::IpAddr;

use super::net::{ListenerId, Port};
use super::proxy_header::AwaitedHeader;
use crate::http::metrics::Meters;
use crate::http::{Http, Site};
use crate::line::{self, JsonLineEncoder, Line, LineEncoder, LocalClock};
use crate::meter::Counter;
use crate::proxy_protocol;
use crate::rooms::{Encoder, EncoderId, Name, Reply, Rooms, Via};
use crate::session_api::{FileReply, Flow, Input, Protocol, Step, Upgrade, encoders};
use crate::time::Now;
use crate::ws::{self, WebEncoder, Ws};

/// What all sessions of a protocol share.
pub struct Shared {
    /// The pages and their options.
    pub site: Site,
    /// What WebSockets share.
    pub ws: ws::Context,
    /// What terminals share.
    pub line: line::Context,
    /// Makes the sessions of a protocol that is brought from outside ([`Port::Other`]).
    pub other: Option<NewSession>,
    /// Makes what connections become by an HTTP upgrade; `None`: members' WebSockets.
    pub upgraded: Option<NewSession>,
}

/// Begins a session; it may have something to say at once.
pub type NewSession = fn(Now, &mut Vec<u8>) -> Box<dyn Protocol>;

impl Shared {
    /// What is counted while the program runs.
    pub fn meters(&self) -> &Meters {
        &self.site.meters
    }
}

/// The encodings in which rooms can be read, in the order of [`encoders`]. Terminals are shown files' addresses behind
/// `home_url`.
pub fn all_encoders(clock: LocalClock, home_url: String) -> Vec<Box<dyn Encoder>> {
    vec![Box::new(WebEncoder), Box::new(LineEncoder::new(clock, home_url)), Box::new(JsonLineEncoder)]
}

/// One connection's protocol.
pub enum Session {
    /// None yet: its proxy has to say first from whom it comes.
    ProxyHeader(Box<AwaitedHeader>),
    /// Requests and responses.
    Http(Box<Http>),
    /// JSON messages in frames.
    Ws(Ws),
    /// Lines.
    Line(Line),
    /// A protocol that is brought from outside, as tests and examples do.
    Other(Box<dyn Protocol>),
}

impl Session {
    /// The first protocol of a connection; it may have something to say at once.
    pub fn new(
        listener: ListenerId,
        peer: Option<IpAddr>,
        local: IpAddr,
        shared: &Shared,
        now: Now,
        outbox: &mut Vec<u8>,
    ) -> Session {
        match (listener.port, shared.other) {
            (Port::Web, _) if listener.is_tls => Session::Http(Box::new(Http::encrypted(peer, local, now))),
            (Port::Web, _) => Session::Http(Box::new(Http::new(peer, local, now))),
            (Port::Metrics, _) => Session::Http(Box::new(Http::for_metrics(peer, local, now))),
            (Port::Other, Some(new_session)) => Session::Other(new_session(now, outbox)),
            (Port::Line | Port::Other, _) => Session::Line(Line::new(local, now, outbox)),
        }
    }

    /// The protocol after an HTTP upgrade; it may have something to say at once.
    pub fn upgraded(upgrade: Upgrade, shared: &Shared, now: Now, outbox: &mut Vec<u8>) -> Session {
        match shared.upgraded {
            Some(new_session) => Session::Other(new_session(now, outbox)),
            None => Session::Ws(Ws::new(upgrade, now)),
        }
    }

    /// How much may be read beyond what is pending. Behind the header of a proxy TLS may follow, which is not for the
    /// session to see.
    pub fn most_input_bytes(&self, pending: &[u8]) -> usize {
        match self {
            Session::ProxyHeader(header) if header.listener.is_tls => proxy_protocol::missing_bytes(pending),
            _ => usize::MAX,
        }
    }

    /// Looks at the input.
    pub fn receive(&mut self, input: &mut Input<'_>, shared: &Shared, now: Now, outbox: &mut Vec<u8>) -> Step {
        match self {
            Session::ProxyHeader(header) => header.receive(input),
            Session::Http(http) => http.receive(input, &shared.site, now, outbox),
            Session::Ws(ws) => ws.receive(input, &shared.ws, now, outbox),
            Session::Line(line) => line.receive(input, &shared.line, now, outbox),
            Session::Other(other) => other.receive(input, now, outbox),
        }
    }

    /// Writes an answer of the rooms.
    pub fn reply(&mut self, reply: Reply, rooms: &Rooms, shared: &Shared, now: Now, outbox: &mut Vec<u8>) -> Flow {
        match self {
            // It has asked nothing.
            Session::ProxyHeader(_) => Flow::Close,
            Session::Http(http) => http.reply(reply, rooms, &shared.site, now, outbox),
            Session::Ws(ws) => ws.reply(reply, rooms, &shared.ws, outbox),
            Session::Line(line) => line.reply(reply, rooms, &shared.line, now, outbox),
            Session::Other(other) => other.reply(reply, rooms, now, outbox),
        }
    }

    /// When [`expire`](Self::expire) is to be called, if at all.
    pub fn deadline_ms(&self) -> Option<u64> {
        match self {
            Session::ProxyHeader(header) => Some(header.deadline_ms()),
            Session::Http(http) => http.deadline_ms(),
            Session::Ws(ws) => Some(ws.deadline_ms()),
            Session::Line(line) => line.deadline_ms(),
            Session::Other(_) => None,
        }
    }

    /// The session's deadline has come.
    pub fn expire(&mut self, now: Now, outbox: &mut Vec<u8>) -> Flow {
        match self {
            Session::ProxyHeader(header) => header.expire(now),
            Session::Http(http) => http.expire(now, outbox),
            Session::Ws(ws) => ws.expire(now, outbox),
            Session::Line(line) => line.expire(now, outbox),
            Session::Other(_) => Flow::Continue,
        }
    }

    /// The peer takes what it is sent, after a while in which it could take no more: it is there.
    pub fn note_progress(&mut self, now: Now) {
        match self {
            Session::Http(http) => http.note_progress(now),
            Session::Ws(ws) => ws.note_progress(now),
            Session::ProxyHeader(_) | Session::Line(_) | Session::Other(_) => (),
        }
    }

    /// Something has come of what it asked about the file that arrives.
    pub fn answer_file(&mut self, reply: FileReply, shared: &Shared, now: Now, outbox: &mut Vec<u8>) -> Flow {
        match self {
            Session::Http(http) => http.answer_file(reply, &shared.site, now, outbox),
            Session::ProxyHeader(_) | Session::Ws(_) | Session::Line(_) | Session::Other(_) => Flow::Continue,
        }
    }

    /// The peer speaks without TLS where it should not.
    pub fn go_on_unencrypted(&mut self, outbox: &mut Vec<u8>) -> Flow {
        match self {
            Session::Http(http) => http.go_on_unencrypted(),
            Session::Line(line) => {
                line.ask_for_tls(outbox);
                return Flow::Close;
            }
            Session::ProxyHeader(_) | Session::Ws(_) | Session::Other(_) => return Flow::Close,
        }
        Flow::Continue
    }

    /// Says that the server stops, and when to come back.
    pub fn say_goodbye(&self, retry_ms: u32, shared: &Shared, now: Now, outbox: &mut Vec<u8>) {
        match self {
            Session::Http(http) => http.say_goodbye(now, &shared.site, outbox),
            Session::ProxyHeader(_) | Session::Other(_) => (),
            Session::Ws(ws) => ws.say_goodbye(retry_ms, outbox),
            Session::Line(line) => line.goodbye(retry_ms, outbox),
        }
    }

    /// Whether somebody has just come who is about to ask for something.
    pub fn is_new(&self) -> bool {
        match self {
            Session::Http(http) => http.is_new(),
            Session::ProxyHeader(_) => true,
            Session::Ws(_) | Session::Line(_) | Session::Other(_) => false,
        }
    }

    /// Whether a request is arriving or waits for its answer, with which it ends by itself once the server stops.
    pub fn is_within_request(&self) -> bool {
        matches!(self, Session::Http(http) if http.is_within_request())
    }

    /// Says that the peer reads too slowly to be sent everything.
    pub fn say_too_slow(&self, outbox: &mut Vec<u8>) {
        match self {
            Session::ProxyHeader(_) | Session::Http(_) => (),
            Session::Ws(ws) => ws.say_too_slow(outbox),
            Session::Line(line) => line.too_slow(outbox),
            Session::Other(other) => other.say_too_slow(outbox),
        }
    }

    /// Whether a peer that has ended its sending side may still wait for what it is sent: a terminal does, as in
    /// `nc -N`; a WebSocket that ends without a close frame is gone (RFC 6455, 7.1.1).
    pub fn reads_after_its_end(&self) -> bool {
        !matches!(self, Session::Ws(_))
    }

    /// Whether it notices by itself that its peer is gone: by pings, or since nobody may be idle for long.
    pub fn notices_absence(&self) -> bool {
        matches!(self, Session::ProxyHeader(_) | Session::Http(_) | Session::Ws(_))
    }

    /// Whether it is there to be told how the server is, and for nothing else.
    pub fn watches(&self) -> bool {
        match self {
            Session::ProxyHeader(header) => header.listener.port == Port::Metrics,
            Session::Http(http) => http.is_for_metrics(),
            Session::Ws(_) | Session::Line(_) | Session::Other(_) => false,
        }
    }

    /// The counter for what peers do against this protocol.
    pub fn faults<'a>(&self, meters: &'a Meters) -> &'a Counter {
        match self {
            Session::ProxyHeader(_) => &meters.proxy_header_faults,
            Session::Http(_) => &meters.http_faults,
            Session::Ws(_) => &meters.websocket_faults,
            Session::Line(_) | Session::Other(_) => &meters.line_faults,
        }
    }

    /// What is spoken, as it is called in metrics.
    pub fn protocol(&self) -> &'static str {
        match self {
            Session::Http(_) => "http",
            Session::Ws(_) => "websocket",
            Session::Line(_) => "line",
            Session::ProxyHeader(_) | Session::Other(_) => "other",
        }
    }

    /// How its members are connected.
    pub fn via(&self) -> Via {
        match self {
            Session::Http(_) | Session::Ws(_) => Via::Web,
            Session::ProxyHeader(_) | Session::Line(_) | Session::Other(_) => Via::Line,
        }
    }

    /// The encoding in which it reads a room.
    pub fn encoder(&self) -> EncoderId {
        match self {
            Session::ProxyHeader(_) | Session::Http(_) | Session::Ws(_) => encoders::WEB,
            Session::Line(line) => line.encoder(),
            Session::Other(other) => other.encoder(),
        }
    }

    /// The name for which a trusted proxy vouches by the request that waits.
    pub fn vouched_name(&self) -> Option<&Name> {
        match self {
            Session::Http(http) => http.vouched_name(),
            Session::ProxyHeader(_) | Session::Ws(_) | Session::Line(_) | Session::Other(_) => None,
        }
    }

    /// The address behind the connection, where a trusted proxy reports it.
    pub fn forwarded_address(&self) -> Option<IpAddr> {
        match self {
            Session::Http(http) => Some(http.client_address()),
            Session::ProxyHeader(_) | Session::Ws(_) | Session::Line(_) | Session::Other(_) => None,
        }
    }
}
