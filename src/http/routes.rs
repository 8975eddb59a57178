//! What is at which address. A complete request becomes a response, or a command for the rooms.

use http::StatusCode;

use super::Access;
use super::api;
use super::download::Download;
use super::form::{HomeForm, decode_path};
use super::handshake::Handshake;
use super::metrics::Format;
use super::pages::{Field, Home, Notice};
use super::pending::PendingKind;
use super::qr::draw_qr_code;
use super::request::{Head, Method};
use super::route_request::{RouteOutcome, RouteRequest};
use super::sharing::{self, Brought};
use super::site::NOT_STORED;
use super::trust::is_answered_host;
use crate::rooms::{Command, FileId, JoinTarget, MAX_NAME_CHARACTERS, Name, RoomCode, RoomKey};
use crate::session_api::Upgrade;

/// An address below the base path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Route<'p> {
    Home,
    WebSocket,
    Asset(&'p str),
    Room(&'p str),
    /// Below a room: where a file of this name is put. The invitation as a QR code is asked for at `qr.svg`.
    RoomFile(&'p str, &'p str),
    /// A shared file: the room, and its id.
    File(&'p str, &'p str),
    ApiRooms,
    ApiRoom(&'p str),
    ApiEvents(&'p str),
    ApiFiles(&'p str),
    ApiUnknown,
    Alive,
    Ready,
    Metrics,
    Unknown,
}

impl<'p> Route<'p> {
    fn find(path: &'p str) -> Route<'p> {
        match path {
            "" => Route::Home,
            "ws" => Route::WebSocket,
            "healthz" => Route::Alive,
            "readyz" => Route::Ready,
            "metrics" => Route::Metrics,
            "api/v1/rooms" => Route::ApiRooms,
            _ => Route::find_below(path),
        }
    }

    fn find_below(path: &'p str) -> Route<'p> {
        if let Some(file) = path.strip_prefix("assets/") {
            return Route::Asset(file);
        }
        if let Some(room) = path.strip_prefix("api/v1/rooms/") {
            return match room.split_once('/') {
                None => Route::ApiRoom(room),
                Some((room, "events")) => Route::ApiEvents(room),
                Some((room, "files")) => Route::ApiFiles(room),
                Some(_) => Route::ApiUnknown,
            };
        }
        if path.starts_with("api/") {
            return Route::ApiUnknown;
        }
        let segment = path.strip_suffix('/').unwrap_or(path);
        if !segment.contains('/') {
            return Route::Room(segment);
        }
        match path.split('/').collect::<Vec<_>>()[..] {
            [room, "files", id, _name] => Route::File(room, id),
            [room, name] => Route::RoomFile(room, name),
            _ => Route::Unknown,
        }
    }

    /// The methods that are allowed here, as the field `Allow` lists them.
    fn allowed_methods(self) -> &'static str {
        match self {
            Route::Home => "GET, HEAD, POST, OPTIONS",
            Route::ApiRooms | Route::ApiFiles(_) => "POST, OPTIONS",
            Route::Room(_) | Route::RoomFile(..) => "GET, HEAD, PUT, OPTIONS",
            Route::WebSocket => "GET, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }

    fn allows(self, method: Method) -> bool {
        match method {
            Method::Get => !matches!(self, Route::ApiRooms | Route::ApiFiles(_)),
            Method::Head => !matches!(self, Route::ApiRooms | Route::ApiFiles(_) | Route::WebSocket),
            Method::Post => matches!(self, Route::Home | Route::ApiRooms | Route::ApiFiles(_)),
            Method::Put => matches!(self, Route::Room(_) | Route::RoomFile(..)),
            Method::Options => true,
            Method::Other => false,
        }
    }

    /// Whether it answers to any Host: for those who look after the server, and who ask for it by whatever address
    /// they find it at. Nothing there is worth anything to a page that gets at it by DNS rebinding.
    fn answers_any_host(self) -> bool {
        matches!(self, Route::Alive | Route::Ready | Route::Metrics)
    }
}

/// The methods that are allowed anywhere.
const ALL_METHODS: &str = "GET, HEAD, POST, PUT, OPTIONS";

/// Whether this request brings a file: its body is not waited for, but taken as it comes.
pub fn brings_file(head: &Head<'_, '_>, base_path: &str) -> bool {
    let route = || head.path.strip_prefix(base_path).map(Route::find);
    match head.method {
        Method::Put => route().is_some_and(|route| route.allows(Method::Put)),
        Method::Post => matches!(route(), Some(Route::ApiFiles(_))),
        _ => false,
    }
}

/// Answers a request, or returns the command that the rooms have to carry out first.
pub fn answer(request: &RouteRequest<'_>, outbox: &mut Vec<u8>) -> RouteOutcome {
    let (head, site) = (request.head, request.site);
    let base_path = &site.options.base_path;
    match request.access {
        Access::Plain | Access::Tls => (),
        Access::WithoutTls => return request.lead_to_tls(outbox),
        Access::Metrics => return request.watch(outbox),
    }
    let route = head.path.strip_prefix(base_path.as_str()).map(Route::find);
    if !route.is_some_and(Route::answers_any_host) && !is_answered_host(head.host, &site.options.allowed_hosts) {
        request.respond(StatusCode::MISDIRECTED_REQUEST, outbox).text("This server does not answer for that host.\n");
        return RouteOutcome::Answered;
    }
    if head.path == "*" {
        return request.tell_methods(ALL_METHODS, outbox);
    }
    let Some(route) = route else {
        if base_path.strip_suffix('/') == Some(head.path) {
            let response = request.respond(StatusCode::PERMANENT_REDIRECT, outbox);
            let query = if head.query.is_empty() { String::new() } else { format!("?{}", head.query) };
            response.field("Location", &format!("{base_path}{query}")).empty();
            return RouteOutcome::Answered;
        }
        return request.not_found(outbox);
    };
    if !route.allows(head.method) {
        let response = request.respond(StatusCode::METHOD_NOT_ALLOWED, outbox);
        response.field("Allow", route.allowed_methods()).text("This method is not allowed here.\n");
        return RouteOutcome::Answered;
    }
    if head.method == Method::Options {
        return request.tell_methods(route.allowed_methods(), outbox);
    }
    match route {
        Route::Home if head.method == Method::Post => request.admit(outbox),
        Route::Home => request.home(outbox),
        Route::WebSocket => request.upgrade(outbox),
        Route::Asset(file) => request.asset(file, outbox),
        Route::ApiFiles(_) if site.file_limit_bytes.is_none() => sharing::say_off(request, false, outbox),
        Route::ApiFiles(room) => sharing::begin(request, room, Brought::ByProgram, outbox),
        Route::Room(_) | Route::RoomFile(..) if head.method == Method::Put && site.file_limit_bytes.is_none() => {
            sharing::say_off(request, true, outbox)
        }
        Route::Room(room) if head.method == Method::Put => {
            sharing::begin(request, room, Brought::ByTerminal(""), outbox)
        }
        Route::RoomFile(room, name) if head.method == Method::Put => {
            sharing::begin(request, room, Brought::ByTerminal(name), outbox)
        }
        Route::RoomFile(room, "qr.svg") => request.qr_code(room, outbox),
        Route::RoomFile(..) => request.not_found(outbox),
        Route::File(room, id) => request.file(room, id, outbox),
        Route::Room(segment) => request.room(segment, outbox),
        Route::ApiRooms => api::create_room(request, outbox),
        Route::ApiRoom(code) => api::describe_room(request, code, outbox),
        Route::ApiEvents(code) => api::read_events(request, code, outbox),
        Route::ApiUnknown => api::not_found(request, outbox),
        Route::Metrics if site.options.has_metrics_listener => request.not_found(outbox),
        Route::Alive | Route::Ready | Route::Metrics => request.tell_state(route, outbox),
        Route::Unknown => request.not_found(outbox),
    }
}

impl RouteRequest<'_> {
    /// `OPTIONS`: the methods that are allowed (RFC 9110 section 9.3.7).
    fn tell_methods(&self, methods: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
        self.respond(StatusCode::NO_CONTENT, outbox).field("Allow", methods).end();
        RouteOutcome::Answered
    }

    /// Answers at a listener where one is told how the server is, and nothing else. It is under no base path, since no
    /// proxy is before it.
    fn watch(&self, outbox: &mut Vec<u8>) -> RouteOutcome {
        let route = self.head.path.strip_prefix('/').map_or(Route::Unknown, Route::find);
        match (route, self.head.method) {
            (Route::Alive | Route::Ready | Route::Metrics, Method::Get | Method::Head) => {
                self.tell_state(route, outbox)
            }
            (Route::Alive | Route::Ready | Route::Metrics, Method::Options) => {
                self.tell_methods(route.allowed_methods(), outbox)
            }
            (Route::Alive | Route::Ready | Route::Metrics, _) => {
                let response = self.respond(StatusCode::METHOD_NOT_ALLOWED, outbox);
                response.field("Allow", route.allowed_methods()).text("This method is not allowed here.\n");
                RouteOutcome::Answered
            }
            _ => self.plain(StatusCode::NOT_FOUND, "Here are /metrics, /healthz and /readyz alone.\n", outbox),
        }
    }

    /// Answers what came without TLS where everything else comes over it. Whoever only asks whether the server is there
    /// may ask like this: nothing is told that a certificate would have to vouch for.
    fn lead_to_tls(&self, outbox: &mut Vec<u8>) -> RouteOutcome {
        let (head, site) = (self.head, self.site);
        let route = head.path.strip_prefix(site.options.base_path.as_str()).map_or(Route::Unknown, Route::find);
        let reads = matches!(head.method, Method::Get | Method::Head);
        if reads && matches!(route, Route::Alive | Route::Ready) {
            return self.tell_state(route, outbox);
        }
        if !is_answered_host(head.host, &site.options.allowed_hosts) {
            self.respond(StatusCode::MISDIRECTED_REQUEST, outbox).text("This server does not answer for that host.\n");
            return RouteOutcome::Answered;
        }
        let origin = match head.host {
            "" => site.invitation.origin(self.local),
            host => format!("https://{host}"),
        };
        if !reads {
            // What it brings has gone over the line already: it is not told to send that again.
            let words = format!("This server is reached over TLS alone: {origin}{}\n", site.options.base_path);
            return self.plain(StatusCode::FORBIDDEN, &words, outbox);
        }
        let query = if head.query.is_empty() { String::new() } else { format!("?{}", head.query) };
        let response = self.respond(StatusCode::PERMANENT_REDIRECT, outbox);
        response.field("Location", &format!("{origin}{}{query}", head.path)).empty();
        RouteOutcome::Answered
    }

    /// Answers one of the routes that tell how the server is.
    fn tell_state(&self, route: Route<'_>, outbox: &mut Vec<u8>) -> RouteOutcome {
        match route {
            Route::Metrics => {
                let format = Format::wanted(self.head.items("accept"));
                self.ask(Command::Inspect, PendingKind::Metrics(format))
            }
            Route::Ready => self.ask(Command::Inspect, PendingKind::Readiness),
            _ => self.plain(StatusCode::OK, "ok\n", outbox),
        }
    }

    fn home(&self, outbox: &mut Vec<u8>) -> RouteOutcome {
        let vouched_name = self.vouched_name();
        if self.head.query.is_empty() && vouched_name.is_none() {
            self.site.home.write(self.date, self.response_options, outbox);
            return RouteOutcome::Answered;
        }
        let typed = HomeForm::read(self.head.query.as_bytes()).code;
        let code = RoomCode::parse(&typed).map_or(typed, |code| code.to_string());
        let name = vouched_name.as_ref().map_or("", Name::as_str);
        self.home_page(StatusCode::OK, &Home { name, code: &code, ..Home::default() }, outbox)
    }

    fn home_page(&self, status: StatusCode, home: &Home<'_>, outbox: &mut Vec<u8>) -> RouteOutcome {
        self.site.write_home(self.respond(status, outbox), home);
        RouteOutcome::Answered
    }

    fn not_found(&self, outbox: &mut Vec<u8>) -> RouteOutcome {
        let words = "There is nothing at this address.".to_owned();
        let home = Home { notice: Some(Notice::Error(words, None, "not_found")), ..Home::default() };
        self.home_page(StatusCode::NOT_FOUND, &home, outbox)
    }

    fn asset(&self, file: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
        match self.site.assets.find(file, self.head) {
            Some(prepared) => prepared.write(self.date, self.response_options, outbox),
            None => return self.plain(StatusCode::NOT_FOUND, "There is no such file in this version.\n", outbox),
        }
        RouteOutcome::Answered
    }

    /// `GET /KXQT/files/ID/NAME`. The id alone tells which file is meant.
    fn file(&self, code: &str, id: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
        let found = RoomCode::parse(&decode_path(code)).zip(FileId::parse(id));
        match found.filter(|_| self.site.file_limit_bytes.is_some()) {
            Some((code, id)) => {
                let download = Download::read(self.head, id);
                self.ask(Command::FindFile { code, id }, PendingKind::Download(download))
            }
            None => self.not_found(outbox),
        }
    }

    /// `GET /KXQT/qr.svg`. Whether there is such a room is not told: the image says no more than its address does.
    fn qr_code(&self, code: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
        let Some(code) = RoomCode::parse(&decode_path(code)) else { return self.not_found(outbox) };
        let is_secure = self.client().is_secure;
        let url = self.site.invitation.room_url_by_host(self.head.host, is_secure, self.local, code);
        let Some(image) = draw_qr_code(&url) else { return self.not_found(outbox) };
        // Who asks at another host is told of another address, so it is not stored. It is an image and nothing else,
        // also where somebody opens it by itself.
        let fields = [("Content-Security-Policy", "default-src 'none'"), NOT_STORED];
        self.respond(StatusCode::OK, outbox).fields(&fields).compressed_body("image/svg+xml", image.as_bytes());
        RouteOutcome::Answered
    }

    /// `GET /KXQT`.
    fn room(&self, segment: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
        let Some(code) = RoomCode::parse(&decode_path(segment)) else { return self.not_found(outbox) };
        let location = format!("{}{code}", self.site.options.base_path);
        if self.head.path != location {
            self.respond(StatusCode::SEE_OTHER, outbox).field("Location", &location).empty();
            return RouteOutcome::Answered;
        }
        let token = self.sessions().token_for(code);
        self.ask(Command::Visit { code, token }, PendingKind::RoomPage { code, host: self.head.host.into() })
    }

    /// `POST /`: the form.
    fn admit(&self, outbox: &mut Vec<u8>) -> RouteOutcome {
        let media_type = self.head.value("content-type").map(|value| value.split(';').next().unwrap_or(value).trim());
        if media_type.is_some_and(|media_type| !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
            return self.refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This is not how a form is sent.", outbox);
        }
        // RFC 9110 section 5.3: it is no list, so of two of them one is a mistake.
        if self.head.values("content-type").count() > 1 {
            return self.refuse(StatusCode::BAD_REQUEST, "This is not how a form is sent.", outbox);
        }
        let mut form = HomeForm::read(self.body);
        let password = form.password.clone();
        if !self.origin().may_send_form(self.head) {
            let words = "That form came from another site. Please use this one.";
            return self.refuse_form(&form, StatusCode::FORBIDDEN, words, None, "bad_request", outbox);
        }
        let vouched_name = self.vouched_name();
        if let Some(name) = &vouched_name {
            form.name = name.to_string();
        }
        if let Some(Err(fault)) = password {
            let field = Some(Field::Password);
            return self.refuse_form(&form, StatusCode::BAD_REQUEST, &fault.to_string(), field, "bad_request", outbox);
        }
        if form.name.trim().is_empty() {
            let field = Some(Field::Name);
            return self.refuse_form(&form, StatusCode::BAD_REQUEST, "Give a name.", field, "name_required", outbox);
        }
        let Some(name) = Name::parse(&form.name) else {
            let words = format!("A name has 1 to {MAX_NAME_CHARACTERS} characters, none of them invisible.");
            let field = Some(Field::Name);
            return self.refuse_form(&form, StatusCode::BAD_REQUEST, &words, field, "name_invalid", outbox);
        };
        let target = if form.creates {
            JoinTarget::New
        } else if form.code.trim().is_empty() {
            let words = "Give a room code, or create a room.";
            let field = Some(Field::Code);
            return self.refuse_form(&form, StatusCode::BAD_REQUEST, words, field, "room_required", outbox);
        } else if let Some(code) = RoomCode::parse(&form.code) {
            JoinTarget::Code(code)
        } else {
            // A text that is no valid code is treated as the code of a room that does not exist.
            let words = format!("There is no room {}.", shorten(form.code.trim()));
            let field = Some(Field::Code);
            return self.refuse_form(&form, StatusCode::NOT_FOUND, &words, field, "no_such_room", outbox);
        };
        let sessions = self.sessions();
        let token = match target {
            JoinTarget::Code(code) => sessions.token_for(code),
            _ => None,
        };
        let key = RoomKey::parse(&form.key);
        let reserve = Command::Reserve { target, name, token, key };
        let command = match password {
            Some(Ok(password)) => Command::WithPassword(Box::new(reserve), password),
            _ => reserve,
        };
        self.ask(command, PendingKind::Admission { form, sessions })
    }

    fn refuse(&self, status: StatusCode, words: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
        self.refuse_form(&HomeForm::default(), status, words, None, "bad_request", outbox)
    }

    fn refuse_form(
        &self,
        form: &HomeForm,
        status: StatusCode,
        words: &str,
        field: Option<Field>,
        code: &'static str,
        outbox: &mut Vec<u8>,
    ) -> RouteOutcome {
        self.site.meters.refusals.count(code);
        let notice = Some(Notice::Error(words.to_owned(), field, code));
        let (asks_password, wants_key) = (form.password.is_some(), !form.key.is_empty());
        let (name, code, is_invited) = (form.name.as_str(), form.code.as_str(), form.is_invited);
        self.home_page(status, &Home { name, code, asks_password, wants_key, is_invited, notice }, outbox)
    }

    /// `GET /ws`. At every other address `Upgrade` is ignored, as RFC 9110 section 7.8 allows: what is asked for there is
    /// a page or a file, of which the client is told by the status that it got no WebSocket.
    fn upgrade(&self, outbox: &mut Vec<u8>) -> RouteOutcome {
        if self.site.is_stopping() {
            return self.stopping("This server is stopping.\n", outbox);
        }
        let handshake = match Handshake::read(self.head) {
            Ok(handshake) => handshake,
            Err(rejection) => {
                let response = self.respond(rejection.status, outbox);
                response.fields(rejection.fields).text(&format!("{}\n", rejection.words));
                return RouteOutcome::Answered;
            }
        };
        if !self.origin().may_call() {
            return self.plain(StatusCode::FORBIDDEN, "This page may not connect here.\n", outbox);
        }
        let mut response = Vec::new();
        handshake.write(&mut response);
        let sessions = self.sessions().into_vec();
        let (vouched_name, client) = (self.vouched_name(), self.client());
        self.note_client(client);
        RouteOutcome::Upgraded(Upgrade { sessions, vouched_name, forwarded_for: client.forwarded_for, response })
    }
}

/// The beginning of what was typed, short enough for a sentence.
fn shorten(typed: &str) -> String {
    const MAX_CHARACTERS: usize = 16;
    match typed.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &typed[..end]),
        None => typed.to_owned(),
    }
}
