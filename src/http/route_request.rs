//! A request on its way to the code that answers it, and what became of it there.

use core::net::IpAddr;

use http::StatusCode;

use super::date::HttpDate;
use super::pending::{PendingKind, PendingRequest};
use super::request::Head;
use super::response::{Response, ResponseOptions};
use super::site::{NOT_STORED, Site};
use super::trust::{Client, Origin};
use crate::adapter::Upgrade;
use crate::rooms::Command;

/// What became of a request.
#[derive(Debug)]
pub enum RouteOutcome {
    /// Its response is written.
    Answered,
    /// Its response follows when the rooms have done this.
    Pending(Command, Box<PendingRequest>),
    /// Its connection is a WebSocket from here on.
    Upgraded(Upgrade),
}

/// A complete request to be routed, and how to answer it.
pub struct RouteRequest<'r> {
    /// Its head.
    pub head: &'r Head<'r, 'r>,
    /// Its body.
    pub body: &'r [u8],
    /// The address at the other end of the connection.
    pub peer: IpAddr,
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

    /// Leaves the response to the rooms' reply.
    pub(super) fn ask(&self, command: Command, kind: PendingKind) -> RouteOutcome {
        let client = Client::read(self.head, self.peer, &self.site.options.trusted_proxies);
        RouteOutcome::Pending(
            command,
            Box::new(PendingRequest { kind, client, response_options: self.response_options }),
        )
    }

    /// Where a browser says that this comes from.
    pub(super) fn origin(&self) -> Origin {
        Origin::read(self.head, &self.site.allowed_origins)
    }

    /// Answers with plain text that is not kept by anybody.
    pub(super) fn plain(&self, status: StatusCode, words: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
        let (name, value) = NOT_STORED;
        self.respond(status, outbox).field(name, value).text(words);
        RouteOutcome::Answered
    }
}
