//! A request as the routes get it, and the result of routing it.

use core::net::IpAddr;

use http::StatusCode;

use super::Access;
use super::cookie::Sessions;
use super::date::HttpDate;
use super::pending::{PendingKind, PendingRequest};
use super::request::Head;
use super::response::{Response, ResponseOptions};
use super::site::{NOT_STORED, Site};
use super::trust::{Client, Origin, is_trusted_proxy, read_vouched_name};
use super::upload::Upload;
use crate::rooms::{Command, Name};
use crate::session_api::Upgrade;

/// The result of routing a request.
#[derive(Debug)]
pub enum RouteOutcome {
    /// Its response is written.
    Answered,
    /// Its response is written after the rooms have carried out this command.
    Pending(Command, Box<PendingRequest>),
    /// It brings a file: its body is taken once the rooms have allowed it, which they are asked by this command.
    Upload(Command, Box<PendingRequest>, Box<Upload>),
    /// Its connection is a WebSocket from here on.
    Upgraded(Upgrade),
}

/// A complete request to be routed, and how to answer it.
pub struct RouteRequest<'r> {
    /// Its head.
    pub head: &'r Head<'r, 'r>,
    /// Its body.
    pub body: &'r [u8],
    /// The address at the other end of the connection; `None`: it is a program on this machine, by a Unix socket.
    pub peer: Option<IpAddr>,
    /// The address of this server to which the connection leads.
    pub local: IpAddr,
    /// How the client has come in.
    pub access: Access,
    /// How the response is written.
    pub response_options: ResponseOptions,
    /// The date of the response.
    pub date: HttpDate,
    /// The site it is for.
    pub site: &'r Site,
}

impl RouteRequest<'_> {
    /// Begins a response.
    pub(super) fn respond<'o>(&self, status: StatusCode, outbox: &'o mut Vec<u8>) -> Response<'o> {
        Response::new(status, self.date, self.response_options, outbox)
    }

    /// Sends a command to the rooms; their reply becomes the response.
    pub(super) fn ask(&self, command: Command, kind: PendingKind) -> RouteOutcome {
        let (client, vouched_name) = (self.client(), self.vouched_name());
        if !matches!(kind, PendingKind::Metrics(_) | PendingKind::Readiness) {
            self.note_client(client);
        }
        let pending = PendingRequest { kind, client, vouched_name, response_options: self.response_options };
        RouteOutcome::Pending(command, Box::new(pending))
    }

    /// Who sent this.
    pub(super) fn client(&self) -> Client {
        let is_encrypted = self.access == Access::Tls;
        Client::read(self.head, self.peer, is_encrypted, &self.site.options.trusted_proxies)
    }

    /// Notes it where a proxy that could say whose request this is does not.
    pub(super) fn note_client(&self, client: Client) {
        if client.forwarded_for.is_none() && is_trusted_proxy(self.peer, &self.site.options.trusted_proxies) {
            self.site.note_unknown_client();
        }
    }

    /// The sessions that the browser has.
    pub(super) fn sessions(&self) -> Sessions {
        Sessions::read(self.head, self.client().is_secure)
    }

    /// The name for which a trusted proxy vouches.
    pub(super) fn vouched_name(&self) -> Option<Name> {
        let options = &self.site.options;
        read_vouched_name(self.head, self.peer, &options.trusted_proxies, options.auth_header.as_deref()?)
    }

    /// The origin that a browser reports for this request. A foreign one is noted, since it is refused everywhere.
    pub(super) fn origin(&self) -> Origin {
        let origin = Origin::read(self.head, &self.site.allowed_origins);
        if origin == Origin::Foreign {
            self.site.note_foreign_origin();
        }
        origin
    }

    /// Answers with plain text that no cache keeps.
    pub(super) fn plain(&self, status: StatusCode, words: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
        let (name, value) = NOT_STORED;
        self.respond(status, outbox).field(name, value).text(words);
        RouteOutcome::Answered
    }

    /// Says that the server stops, and when another may be there.
    pub(super) fn stopping(&self, words: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
        let retry_s = self.site.retry_ms().div_ceil(1000).to_string();
        let fields = [NOT_STORED, ("Retry-After", retry_s.as_str())];
        self.respond(StatusCode::SERVICE_UNAVAILABLE, outbox).fields(&fields).text(words);
        RouteOutcome::Answered
    }
}
