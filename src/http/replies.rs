//! Turns a reply of the rooms into the response to the request that waits for it.

use core::net::IpAddr;

use http::StatusCode;

use super::cookie::Sessions;
use super::date::HttpDate;
use super::json_response::{write_error, write_json};
use super::pages::{Field, Home, Notice, REFERRER_POLICY, RoomPage};
use super::pending::PendingKind;
use super::response::{HTML, Response, ResponseOptions};
use super::site::{NOT_STORED, Site};
use super::trust::Client;
use crate::json;
use crate::rooms::{Name, Refusal, Reply, RoomCode, Rooms, Token};

/// Everything that a response is written with, besides the request and the reply.
pub struct ResponseContext<'s> {
    /// The rooms, to be read.
    pub rooms: &'s Rooms,
    /// The site.
    pub site: &'s Site,
    /// The address of this server to which the client connected.
    pub local: IpAddr,
    /// The date of the response.
    pub date: HttpDate,
    /// How the response is written.
    pub response_options: ResponseOptions,
}

impl ResponseContext<'_> {
    /// Writes the response to a request of this kind.
    pub fn answer(&self, kind: PendingKind, client: Client, reply: Reply, outbox: &mut Vec<u8>) {
        let ok = |outbox| self.respond(StatusCode::OK, outbox);
        match (kind, reply) {
            (PendingKind::Admission { sessions, .. }, Reply::Reserved { code, token }) => {
                self.admitted(client, sessions, code, token, outbox);
            }
            (PendingKind::Admission { form, .. }, Reply::Refused { refusal, .. }) => {
                // Whoever had to show a password or a key once has to show it again.
                let (asks_password, wants_key) = (form.password.is_some(), !form.key.is_empty());
                let (name, code, is_invited) = (form.name.as_str(), form.code.as_str(), form.is_invited);
                let home = Home { name, code, asks_password, wants_key, is_invited, notice: None };
                self.refused(home, &refusal, outbox);
            }
            (PendingKind::RoomPage { host, .. }, Reply::Visited { code, name: Some(name), .. }) => {
                self.member_visited(client, &host, code, &name, outbox);
            }
            (PendingKind::RoomPage { .. }, Reply::Visited { code, name: None, wants_key }) => {
                self.stranger_visited(code, wants_key, outbox);
            }
            (PendingKind::RoomPage { code, .. }, Reply::Refused { refusal, .. }) => {
                self.refused(Home { code: code.as_str(), ..Home::default() }, &refusal, outbox);
            }
            (PendingKind::NewRoom, Reply::Created { code }) => {
                let location = format!("{}api/v1/rooms/{code}", self.site.options.base_path);
                let response = self.respond(StatusCode::CREATED, outbox).field("Location", &location);
                write_json(response, &written(|out| json::write_created(code, out)));
            }
            (PendingKind::Description, Reply::Described { room }) => {
                write_json(ok(outbox), &written(|out| json::write_room(self.rooms.room(room), out)));
            }
            (PendingKind::Events, Reply::Events { code, events, more }) => {
                write_json(ok(outbox), &written(|out| json::write_events(code, &events, more, out)));
            }
            (PendingKind::Events, Reply::Found { code, events, before }) => {
                write_json(ok(outbox), &written(|out| json::write_found_events(code, &events, before, out)));
            }
            (PendingKind::Metrics(format), Reply::Inspected) => {
                let figures = self.site.write_metrics(format, &self.rooms.counts(), self.rooms.limits());
                let response = ok(outbox).fields(&[NOT_STORED, ("Vary", "Accept")]);
                response.body(format.media_type(), figures.as_bytes());
            }
            (PendingKind::Readiness, Reply::Inspected) => {
                let Some(word) = self.site.unready_word() else {
                    return ok(outbox).fields(&[NOT_STORED]).text("ok\n");
                };
                let retry_s = self.site.retry_ms().div_ceil(1000).to_string();
                let fields = [NOT_STORED, ("Retry-After", retry_s.as_str())];
                self.respond(StatusCode::SERVICE_UNAVAILABLE, outbox).fields(&fields).text(word);
            }
            (PendingKind::Download(_), Reply::Refused { refusal, .. }) => {
                self.refused(Home::default(), &refusal, outbox)
            }
            (_, Reply::Refused { refusal, .. }) => {
                let response = self.respond_refused(&refusal, outbox);
                write_error(response, json::error_code(&refusal), &refusal.to_string());
            }
            // The reply always fits the command; if that is ever wrong, only this one request fails.
            _ => self.respond(StatusCode::INTERNAL_SERVER_ERROR, outbox).text("Something went wrong here.\n"),
        }
    }

    /// Begins a response.
    pub fn respond<'o>(&self, status: StatusCode, outbox: &'o mut Vec<u8>) -> Response<'o> {
        Response::new(status, self.date, self.response_options, outbox)
    }

    fn respond_refused<'o>(&self, refusal: &Refusal, outbox: &'o mut Vec<u8>) -> Response<'o> {
        let response = self.respond(status_of(refusal), outbox);
        let is_unavailable = status_of(refusal) == StatusCode::SERVICE_UNAVAILABLE;
        match refusal.retry_ms().or_else(|| is_unavailable.then(|| self.site.retry_ms())) {
            Some(retry_ms) => response.field("Retry-After", &retry_ms.div_ceil(1000).max(1).to_string()),
            // RFC 9110 section 15.5.2: a 401 says how to go on. Who has a token of the room needs no key.
            None if matches!(refusal, Refusal::KeyRequired { .. }) => {
                response.field("WWW-Authenticate", "Bearer realm=\"room\"")
            }
            // What is asked for is no scheme that a browser has a dialog for.
            None if status_of(refusal) == StatusCode::UNAUTHORIZED => response.field("WWW-Authenticate", "Form"),
            None => response,
        }
    }

    /// The form was accepted: redirects to the room, and sets the cookie with the session.
    fn admitted(&self, client: Client, mut sessions: Sessions, code: RoomCode, token: Token, outbox: &mut Vec<u8>) {
        let base_path = &self.site.options.base_path;
        sessions.remember(code, token);
        let response = self.respond(StatusCode::SEE_OTHER, outbox).field("Location", &format!("{base_path}{code}"));
        let cookies = sessions.to_set_cookies(base_path, client.is_secure);
        let response = cookies.fold(response, |response, cookie| response.field("Set-Cookie", &cookie));
        response.fields(&[NOT_STORED]).empty();
    }

    /// Who is no member yet gets the home page with the room's code filled in.
    fn stranger_visited(&self, code: RoomCode, wants_key: bool, outbox: &mut Vec<u8>) {
        let what = if wants_key { "a name and the room's key" } else { "a name" };
        let notice = Some(Notice::Hint(format!("Give {what} to join {code}."), Field::Name));
        let home = Home { code: code.as_str(), notice, wants_key, is_invited: true, ..Home::default() };
        self.site.write_home(self.respond(StatusCode::OK, outbox), &home);
    }

    /// A member gets the page of the room.
    fn member_visited(&self, client: Client, host: &str, code: RoomCode, name: &Name, outbox: &mut Vec<u8>) {
        let response = self.respond(StatusCode::OK, outbox);
        let invite = self.site.invitation.room_url_by_host(host, client.is_secure, self.local, code);
        let line_hint = self.site.invitation.terminal_command(self.local).unwrap_or_default();
        let page = self.site.pages.room(&RoomPage { code, name, invite: &invite, line_hint: &line_hint });
        let policy = self.site.room_policy(host);
        let fields = [("Content-Security-Policy", policy.as_str()), REFERRER_POLICY, NOT_STORED];
        response.fields(&fields).compressed_body(HTML, page.as_bytes());
    }

    /// The rooms refused: the home page says why, and keeps what was typed.
    fn refused(&self, mut home: Home<'_>, refusal: &Refusal, outbox: &mut Vec<u8>) {
        let field = match refusal {
            Refusal::NameRequired
            | Refusal::NameTaken { .. }
            | Refusal::NameClaimed { .. }
            | Refusal::NameLost { .. } => Some(Field::Name),
            Refusal::PasswordRequired { .. } | Refusal::PasswordWrong | Refusal::AccountRequired => {
                Some(Field::Password)
            }
            Refusal::NoSuchRoom { .. } | Refusal::RoomFull { .. } | Refusal::RoomLocked { .. } => Some(Field::Code),
            Refusal::KeyRequired { .. } => Some(Field::Key),
            _ => None,
        };
        home.asks_password |= field == Some(Field::Password);
        home.wants_key |= field == Some(Field::Key);
        home.notice = Some(Notice::Error(refusal.to_string(), field, json::error_code(refusal)));
        self.site.write_home(self.respond_refused(refusal, outbox), &home);
    }
}

/// The status by which this is told.
pub fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NotJoined
        | Refusal::NameRequired
        | Refusal::NotOneself
        | Refusal::NameIsOwn { .. }
        | Refusal::RegistrationClosed
        | Refusal::NotLoggedIn => StatusCode::BAD_REQUEST,
        Refusal::PasswordRequired { .. }
        | Refusal::AccountRequired
        | Refusal::PasswordWrong
        | Refusal::KeyRequired { .. } => StatusCode::UNAUTHORIZED,
        Refusal::NotOperator | Refusal::NotYours | Refusal::Muted { .. } => StatusCode::FORBIDDEN,
        Refusal::Banned { .. } | Refusal::NameBanned { .. } | Refusal::RoomLocked { .. } => StatusCode::FORBIDDEN,
        Refusal::NoSuchRoom { .. } | Refusal::NoSuchEvent | Refusal::NoSuchFile => StatusCode::NOT_FOUND,
        Refusal::NoSuchMember { .. } | Refusal::NotBanned { .. } => StatusCode::NOT_FOUND,
        Refusal::QuotaExceeded { .. } | Refusal::TooManyReactions => StatusCode::CONFLICT,
        Refusal::NameTaken { .. }
        | Refusal::NameClaimed { .. }
        | Refusal::NameLost { .. }
        | Refusal::RoomFull { .. } => StatusCode::CONFLICT,
        Refusal::RateLimited { .. }
        | Refusal::TooManyCodes { .. }
        | Refusal::TooManyPasswords { .. }
        | Refusal::SlowMode { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::StorageFailed => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What this writes.
pub fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}
