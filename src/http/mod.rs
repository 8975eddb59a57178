//! HTTP/1.1 and 1.0: the pages, the files, the API, and the WebSocket handshake.
//!
//! A request is read by `request` and `body`, and answered by `routes` or, if the rooms have to do something first, by
//! `replies`; `response` writes the answer. This file holds the session: one connection, its requests one after
//! the other, and its deadlines. [`Site`] is what all sessions share. What is sent over a WebSocket is not known
//! here.

mod api;
mod assets;
mod body;
mod chunked;
mod cookie;
mod date;
mod download;
mod file_form;
mod form;
mod handshake;
mod json_response;
pub mod metrics;
mod multipart;
mod pages;
mod pending;
mod qr;
mod replies;
mod request;
mod response;
mod route_request;
mod routes;
mod sharing;
mod site;
mod target;
#[cfg(test)]
mod tests;
mod trust;
mod upload;
mod upload_fault;

use core::net::IpAddr;

use assets::accepts_gzip;
use body::PartialRequest;
use date::HttpDate;
use http::StatusCode;
use pending::{PendingKind, PendingRequest};
use replies::{ResponseContext, status_of};
use request::{BodyLength, Head, HeadScan, Method, RequestFault, accepts_html, header_space};
use response::{Response, ResponseOptions};
use route_request::{RouteOutcome, RouteRequest};
pub use site::{Health, Site};
use trust::is_trusted_proxy;
use upload::Upload;
use upload_fault::UploadFault;

use crate::rooms::{Name, Reply, Rooms};
use crate::session_api::{FileReply, Flow, Input, Step};
use crate::time::Now;

/// How long a request may take to arrive, and a new connection to begin one.
const REQUEST_TIMEOUT_MS: u64 = 10_000;
/// How long a connection may stay open between two requests.
const IDLE_TIMEOUT_MS: u64 = 60_000;
/// How long a trusted proxy's may, which is kept there for the next request of anybody. Most proxies close theirs after a
/// minute or two, clouds' after fifteen, Envoy after an hour. If this side were first, a request that is on its way just
/// then would fail at the proxy.
const PROXY_IDLE_TIMEOUT_MS: u64 = 65 * 60_000;
/// After so much has been written, the reactor may send it before more requests are answered: a few bytes of
/// requests can cause many bytes of responses.
const RESPONSES_BUDGET_BYTES: usize = 256 * 1024;

/// One connection that speaks HTTP.
#[derive(Debug)]
pub struct Http {
    peer: Option<IpAddr>,
    local: IpAddr,
    access: Access,
    deadline_ms: u64,
    scan: HeadScan,
    /// A request whose body is still arriving.
    partial: Option<Box<Partial>>,
    arrival: Arrival,
    pending: Option<Box<PendingRequest>>,
}

/// What has arrived of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Arrival {
    /// Nothing yet.
    None,
    /// The beginning of one.
    Begun,
    /// All of the last one, and nothing of another.
    Complete,
}

/// How a client has come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Without TLS, as everybody does here.
    Plain,
    /// Over TLS.
    Tls,
    /// Without TLS where others come over it: it is shown the way, and nothing else.
    WithoutTls,
    /// Where one is told how the server is, and nothing else.
    Metrics,
}

/// A request whose body is still arriving.
#[derive(Debug)]
enum Partial {
    /// It is answered once it is complete.
    Request(Box<PartialRequest>),
    /// It brings a file.
    Upload(Box<Upload>),
}

impl Http {
    /// A connection from the address `peer` to the address `local` of this server; without `peer` from a program on this
    /// machine, by a Unix socket.
    pub fn new(peer: Option<IpAddr>, local: IpAddr, now: Now) -> Http {
        Http {
            peer,
            local,
            access: Access::Plain,
            deadline_ms: now.steady_ms + REQUEST_TIMEOUT_MS,
            scan: HeadScan::default(),
            partial: None,
            arrival: Arrival::None,
            pending: None,
        }
    }

    /// The same, over TLS.
    pub fn encrypted(peer: Option<IpAddr>, local: IpAddr, now: Now) -> Http {
        Http { access: Access::Tls, ..Http::new(peer, local, now) }
    }

    /// The client speaks without TLS where it should not: it is shown the way, and nothing else.
    pub fn go_on_unencrypted(&mut self) {
        self.access = Access::WithoutTls;
    }

    /// The same, at a listener where one is told how the server is, and nothing else.
    pub fn for_metrics(peer: Option<IpAddr>, local: IpAddr, now: Now) -> Http {
        Http { access: Access::Metrics, ..Http::new(peer, local, now) }
    }

    /// Whether it is one where one is told how the server is, and nothing else.
    pub fn is_for_metrics(&self) -> bool {
        self.access == Access::Metrics
    }

    /// Answers every complete request in the input, up to the first that the rooms have to answer.
    ///
    /// The input has to be able to hold a head of 32 KiB. A body is taken off it as it comes.
    pub fn receive(&mut self, input: &mut Input<'_>, site: &Site, now: Now, outbox: &mut Vec<u8>) -> Step {
        let written_before_bytes = outbox.len();
        loop {
            if outbox.len() - written_before_bytes >= RESPONSES_BUDGET_BYTES {
                return Step::PauseUntil { steady_ms: now.steady_ms };
            }
            if !self.has_begun() && !self.begin(input, now) {
                return Step::NeedInput;
            }
            match self.receive_request(input, site, now, outbox) {
                Ok(None) => return Step::NeedInput,
                Ok(Some(Step::NeedInput)) => {}
                Ok(Some(step)) => return step,
                Err(fault) => {
                    self.write_fault(fault, input.rest(), site, now, outbox);
                    return Step::Fault;
                }
            }
        }
    }

    /// Whether a request begins in the input. Empty lines before it do not count (RFC 9112 section 2.2).
    fn begin(&mut self, input: &mut Input<'_>, now: Now) -> bool {
        while input.rest().starts_with(b"\r\n") {
            input.consume(2);
        }
        if matches!(input.rest(), b"" | b"\r") {
            return false;
        }
        self.arrival = Arrival::Begun;
        self.deadline_ms = now.steady_ms + REQUEST_TIMEOUT_MS;
        true
    }

    /// Answers one request. `None`: it is not complete yet. `NeedInput`: go on with the next one.
    fn receive_request(
        &mut self,
        input: &mut Input<'_>,
        site: &Site,
        now: Now,
        outbox: &mut Vec<u8>,
    ) -> Result<Option<Step>, RequestFault> {
        if let Some(Partial::Upload(upload)) = self.partial.as_deref_mut() {
            let step = upload.receive(input, now, outbox);
            return Ok(self.step_of_upload(step, site, now, outbox));
        }
        let mut partial = match self.partial.take().map(|partial| *partial) {
            Some(Partial::Request(partial)) => partial,
            _ => {
                let Some(head_bytes) = self.scan.find_end(input.rest())? else { return Ok(None) };
                let (bytes, rest) = input.rest().split_at(head_bytes);
                let mut space = header_space();
                let head = Head::parse(bytes, &mut space)?;
                if routes::brings_file(&head, &site.options.base_path) {
                    let step = self.answer(&head, &[], site, now, outbox);
                    input.consume(head_bytes);
                    return Ok(Some(step));
                }
                let partial = PartialRequest::new(bytes, head.body_length)?;
                let body_bytes = match head.body_length {
                    BodyLength::Absent => Some(0),
                    BodyLength::Bytes(body_bytes) => usize::try_from(body_bytes).ok(),
                    BodyLength::Chunked => None,
                };
                if let Some(body) = body_bytes.and_then(|body_bytes| rest.get(..body_bytes)) {
                    let step = self.answer(&head, body, site, now, outbox);
                    let consumed_bytes = head_bytes + body.len();
                    input.consume(consumed_bytes);
                    return Ok(Some(step));
                }
                if head.expects_continue && rest.is_empty() {
                    outbox.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                input.consume(head_bytes);
                Box::new(partial)
            }
        };
        let received = partial.receive(input);
        if received != Ok(true) {
            self.partial = Some(Box::new(Partial::Request(partial)));
            return received.map(|_| None);
        }
        // A head borrows from its bytes, so it is read again rather than kept.
        let mut space = header_space();
        let head = Head::parse(partial.head(), &mut space)?;
        Ok(Some(self.answer(&head, partial.body(), site, now, outbox)))
    }

    /// Answers a request that is complete.
    fn answer(&mut self, head: &Head<'_, '_>, body: &[u8], site: &Site, now: Now, outbox: &mut Vec<u8>) -> Step {
        site.meters.http_requests.inc();
        let response_options = ResponseOptions {
            is_head: head.method == Method::Head,
            // What is refused before its body was read ends with that.
            keeps_alive: head.keeps_alive
                && !site.is_stopping()
                && self.access != Access::WithoutTls
                && (!routes::brings_file(head, &site.options.base_path)
                    || matches!(head.body_length, BodyLength::Absent | BodyLength::Bytes(0))),
            takes_gzip: accepts_gzip(head),
            is_http_1_0: head.is_http_1_0,
            is_over_tls: self.access == Access::Tls,
        };
        let request = RouteRequest {
            head,
            body,
            peer: self.peer,
            local: self.local,
            access: self.access,
            response_options,
            date: site.date(now),
            site,
        };
        let step = match routes::answer(&request, outbox) {
            RouteOutcome::Answered if response_options.keeps_alive => Step::NeedInput,
            RouteOutcome::Answered => Step::Close,
            RouteOutcome::Pending(command, pending) => {
                self.pending = Some(pending);
                Step::Command(command)
            }
            RouteOutcome::Upload(command, pending, upload) => {
                (self.pending, self.partial) = (Some(pending), Some(Box::new(Partial::Upload(upload))));
                return Step::Command(command);
            }
            RouteOutcome::Upgraded(upgrade) => Step::Upgrade(upgrade),
        };
        self.finish(site, now);
        step
    }

    /// What an upload wants next. `None`: more of its body.
    fn step_of_upload(
        &mut self,
        step: Result<Step, UploadFault>,
        site: &Site,
        now: Now,
        outbox: &mut Vec<u8>,
    ) -> Option<Step> {
        let Some(Partial::Upload(upload)) = self.partial.as_deref() else { return Some(Step::Close) };
        match step {
            Ok(Step::NeedInput) => None,
            Ok(Step::Command(command)) => {
                let (client, response_options) = (upload.description().client, upload.description().response_options);
                let (kind, vouched_name) = (PendingKind::Upload, None);
                self.pending = Some(Box::new(PendingRequest { kind, client, vouched_name, response_options }));
                Some(Step::Command(command))
            }
            Ok(step) => Some(step),
            Err(fault) => {
                site.meters.refusals.count(fault.code);
                self.refuse_upload(&fault, self.last_options(), site, now, outbox);
                Some(Step::Close)
            }
        }
    }

    fn refuse_upload(
        &self,
        fault: &UploadFault,
        response_options: ResponseOptions,
        site: &Site,
        now: Now,
        outbox: &mut Vec<u8>,
    ) {
        let Some(Partial::Upload(upload)) = self.partial.as_deref() else { return };
        let response = Response::new(fault.status, site.date(now), response_options, outbox);
        sharing::write_fault(response, upload.description().is_answered_in_text, fault);
    }

    /// The rooms have answered about the file that is being shared.
    fn reply_to_upload(&mut self, reply: Reply, rooms: &Rooms, site: &Site, now: Now, outbox: &mut Vec<u8>) -> Flow {
        let Some(Partial::Upload(upload)) = self.partial.as_deref_mut() else { return Flow::Close };
        let mut response_options = upload.description().response_options;
        response_options.keeps_alive &= upload.is_whole() && !site.is_stopping();
        match reply {
            Reply::ShareAllowed if !site.is_stopping() => {
                upload.allow();
                return Flow::Continue;
            }
            Reply::ShareAllowed => self.refuse_upload(&sharing::stopping(site), response_options, site, now, outbox),
            Reply::Shared { code, file, id, is_new } => {
                site.meters.uploads.inc_by(is_new.into());
                let context =
                    ResponseContext { rooms, site, local: self.local, date: site.date(now), response_options };
                context.shared(upload.description(), (code, &file, id), is_new, outbox);
            }
            Reply::Refused { refusal, .. } => {
                let fault = sharing::fault_of(&refusal, status_of(&refusal));
                self.refuse_upload(&fault, response_options, site, now, outbox);
            }
            _ => return Flow::Close,
        }
        self.partial = None;
        self.finish(site, now);
        if response_options.keeps_alive { Flow::Continue } else { Flow::Close }
    }

    /// Something has come of what was asked about the file that arrives.
    pub fn answer_file(&mut self, reply: FileReply, site: &Site, now: Now, outbox: &mut Vec<u8>) -> Flow {
        let Some(Partial::Upload(upload)) = self.partial.as_deref_mut() else { return Flow::Continue };
        match upload.answer(reply, now) {
            Ok(()) => Flow::Continue,
            Err(fault) => {
                site.meters.refusals.count(fault.code);
                self.refuse_upload(&fault, self.last_options(), site, now, outbox);
                Flow::Close
            }
        }
    }

    /// Says that the server stops, to whoever would not know otherwise what has become of a file.
    pub fn say_goodbye(&self, now: Now, site: &Site, outbox: &mut Vec<u8>) {
        self.refuse_upload(&sharing::stopping(site), self.last_options(), site, now, outbox);
    }

    /// Prepares for the next request.
    fn finish(&mut self, site: &Site, now: Now) {
        self.scan = HeadScan::default();
        self.arrival = Arrival::Complete;
        self.deadline_ms = now.steady_ms + self.idle_timeout_ms(site);
    }

    /// How long this connection may stay open between two requests.
    fn idle_timeout_ms(&self, site: &Site) -> u64 {
        if is_trusted_proxy(self.peer, &site.options.trusted_proxies) { PROXY_IDLE_TIMEOUT_MS } else { IDLE_TIMEOUT_MS }
    }

    /// Says what is wrong with a request. `rest` is what there is of it, unless its head was read already.
    fn write_fault(&self, fault: RequestFault, rest: &[u8], site: &Site, now: Now, outbox: &mut Vec<u8>) {
        let response = Response::new(fault.status, site.date(now), self.last_response_options(rest), outbox);
        if fault == RequestFault::HEAD_TOO_LONG && accepts_html(rest) {
            return site.write_head_too_long(response);
        }
        let pointer = match site.invitation.terminal_command(self.local) {
            Some(command) if fault == RequestFault::NOT_HTTP => format!(" Terminals are served by: {command}"),
            _ => String::new(),
        };
        response.text(&format!("{}{pointer}\n", fault.words));
    }

    /// For the last response, to a request that is not complete. `rest` is what there is of it, unless its head was read
    /// already.
    fn last_response_options(&self, rest: &[u8]) -> ResponseOptions {
        let start = match self.partial.as_deref() {
            Some(Partial::Request(partial)) => partial.head(),
            Some(Partial::Upload(_)) => b"",
            None => rest,
        };
        ResponseOptions { is_head: start.starts_with(b"HEAD "), ..self.last_options() }
    }

    /// For the last response.
    fn last_options(&self) -> ResponseOptions {
        ResponseOptions { is_over_tls: self.access == Access::Tls, ..ResponseOptions::LAST }
    }

    /// Writes the response that waited for this reply.
    pub fn reply(&mut self, reply: Reply, rooms: &Rooms, site: &Site, now: Now, outbox: &mut Vec<u8>) -> Flow {
        let Some(pending) = self.pending.take() else { return Flow::Continue };
        let PendingRequest { kind, client, mut response_options, .. } = *pending;
        if let PendingKind::Upload = kind {
            return self.reply_to_upload(reply, rooms, site, now, outbox);
        }
        response_options.keeps_alive &= !site.is_stopping();
        let context = ResponseContext { rooms, site, local: self.local, date: site.date(now), response_options };
        self.deadline_ms = now.steady_ms + self.idle_timeout_ms(site);
        if let (PendingKind::Download(download), Reply::FileFound { file }) = (&kind, &reply) {
            let part = download.answer(file, |status| context.respond(status, outbox));
            if let Some(part) = part.filter(|part| part.length_bytes > 0 && !response_options.is_head) {
                site.meters.downloads.inc();
                return Flow::SendFile { part, then_closes: !response_options.keeps_alive };
            }
        } else {
            context.answer(kind, client, reply, outbox);
        }
        if response_options.keeps_alive { Flow::Continue } else { Flow::Close }
    }

    /// Whether a request is still arriving, or waits for its reply. A file that arrives is not waited for.
    pub fn is_within_request(&self) -> bool {
        let is_arriving = self.has_begun() && !matches!(self.partial.as_deref(), Some(Partial::Upload(_)));
        is_arriving || self.pending.is_some()
    }

    fn has_begun(&self) -> bool {
        self.arrival == Arrival::Begun
    }

    /// Whether nothing has been asked yet: the first request is likely to be on its way.
    pub fn is_new(&self) -> bool {
        self.arrival == Arrival::None
    }

    /// The address of the client: that of the peer or, while a request of a trusted proxy waits for its reply, that
    /// proxy's own client.
    pub fn client_address(&self) -> IpAddr {
        let client = match (&self.pending, self.partial.as_deref()) {
            (Some(pending), _) => Some(pending.client),
            (None, Some(Partial::Upload(upload))) => Some(upload.description().client),
            _ => None,
        };
        client.and_then(|client| client.forwarded_for).or(self.peer).unwrap_or(self.local)
    }

    /// The name for which a trusted proxy vouches by the request that waits for its reply.
    pub fn vouched_name(&self) -> Option<&Name> {
        self.pending.as_ref()?.vouched_name.as_ref()
    }

    /// When to call [`expire`](Self::expire) (`Now::steady_ms`). `None` while a reply of the rooms is awaited.
    pub fn deadline_ms(&self) -> Option<u64> {
        match (&self.pending, self.partial.as_deref()) {
            (Some(_), _) => None,
            (None, Some(Partial::Upload(upload))) => upload.deadline_ms(),
            _ => Some(self.deadline_ms),
        }
    }

    /// The peer takes what it is sent, after a while in which it could take no more: it is there.
    pub fn note_progress(&mut self, now: Now) {
        self.deadline_ms = self.deadline_ms.max(now.steady_ms + IDLE_TIMEOUT_MS);
    }

    /// Ends the connection if its deadline has passed. If a request had begun, it is answered with 408.
    pub fn expire(&mut self, now: Now, outbox: &mut Vec<u8>) -> Flow {
        if self.deadline_ms().is_none_or(|deadline_ms| now.steady_ms < deadline_ms) {
            return Flow::Continue;
        }
        if self.has_begun() {
            let (status, date) = (StatusCode::REQUEST_TIMEOUT, HttpDate::new(now.wall_ms / 1000));
            let response = Response::new(status, date, self.last_response_options(b""), outbox);
            let words = "The request took too long to arrive.";
            match self.partial.as_deref() {
                Some(Partial::Upload(upload)) => {
                    let fault = UploadFault { status, ..upload_fault::bad(words) };
                    sharing::write_fault(response, upload.description().is_answered_in_text, &fault);
                }
                _ => response.text(&format!("{words}\n")),
            }
        }
        Flow::Close
    }
}
