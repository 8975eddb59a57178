//! Whole sessions: bytes in, bytes out, with real rooms behind.

use std::collections::VecDeque;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::assets::ASSETS_HASH;
use super::metrics::Figures;
use super::qr::draw_qr_code;
use super::request::MAX_HEAD_BYTES;
use super::*;
use crate::files::{CHUNK_BYTES, Content, FileLimits, Quotas, UploadId};
use crate::invitation::Invitation;
use crate::options::Options;
use crate::rooms::{
    Address, Caller, Command, ConnectionId, Delivery, Encoder, EncoderId, Event, Execution, FileId, FileType, RoomCode,
    Via,
};
use crate::session_api::{FileRequest, Upgrade};

struct Silent;

impl Encoder for Silent {
    fn encode_event(&self, _: &RoomCode, _: &Event, _: &mut Vec<u8>) {}
}

impl Delivery for Silent {
    fn write(&mut self, _: ConnectionId, parts: &[&[u8]]) -> usize {
        parts.iter().map(|part| part.len()).sum()
    }

    fn queue(&mut self, _: ConnectionId, _: &[u8]) {}
}

/// A site and its rooms, without a reactor.
struct Server {
    site: Site,
    rooms: Rooms,
    now: Now,
}

impl Server {
    fn new() -> Server {
        Server::with(&[])
    }

    fn with(arguments: &[&str]) -> Server {
        let arguments = ["snugd"].iter().chain(arguments).map(Into::into);
        let mut options = Options::parse_command_line(arguments).expect("options");
        // Tests in which files are shared say so.
        options.limits.file_bytes = 0;
        let invitation = Invitation {
            public_url: options.web.public_url.clone(),
            base_path: options.web.base_path.clone(),
            web_port: 5000,
            line_port: Some(5001),
            host: "192.168.1.20".into(),
            is_secure: false,
            is_certified_host: false,
        };
        Server {
            site: Site::new(&options.web, &options.limits, invitation),
            rooms: Rooms::new(options.limits, vec![Box::new(Silent)], StdRng::seed_from_u64(7)),
            now: Now { steady_ms: 1_000_000, wall_ms: 784_111_777_000 },
        }
    }

    fn connect(&self) -> Connection {
        let (peer, local) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        Connection {
            http: Http::new(Some(peer), local, self.now),
            unread: Vec::new(),
            outbox: Vec::new(),
            caller: peer,
            is_closed: false,
            is_at_fault: false,
            stored: Vec::new(),
            quotas: Quotas::new(FileLimits { file_bytes: FILE_LIMIT_BYTES, all_bytes: 1 << 20 }, std::iter::empty()),
            upgrade: None,
        }
    }

    /// Sends one request over a connection of its own.
    fn ask(&mut self, request: &str) -> Answer {
        let mut connection = self.connect();
        connection.send(self, request.as_bytes());
        let answers = connection.answers();
        assert_eq!(answers.len(), 1, "{request}");
        answers.into_iter().next().expect("an answer")
    }

    fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    fn get_with(&mut self, path: &str, fields: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"))
    }

    fn post(&mut self, path: &str, fields: &str, body: &str) -> Answer {
        let length = body.len();
        self.ask(&format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{fields}\r\n{body}"))
    }

    fn create_room(&mut self) -> String {
        let answer = self.post("/api/v1/rooms", "", "");
        assert_eq!(answer.status, 201);
        answer.body.strip_prefix("{\"room\":\"").and_then(|rest| rest.strip_suffix("\"}")).expect("a code").to_owned()
    }
}

struct Connection {
    http: Http,
    unread: Vec<u8>,
    outbox: Vec<u8>,
    /// The address that the last command was counted by.
    caller: IpAddr,
    is_closed: bool,
    is_at_fault: bool,
    /// Bytes of the file that was sent.
    stored: Vec<u8>,
    quotas: Quotas,
    upgrade: Option<Upgrade>,
}

impl Connection {
    fn send(&mut self, server: &mut Server, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while !self.is_closed && self.upgrade.is_none() {
            let mut input = Input::new(&mut self.unread, false);
            let step = self.http.receive(&mut input, &server.site, server.now, &mut self.outbox);
            let consumed = input.consumed();
            self.unread.drain(..consumed);
            match step {
                Step::NeedInput => break,
                Step::Command(command) => self.execute(server, command),
                Step::PauseUntil { .. } => assert!(self.outbox.len() >= RESPONSES_BUDGET_BYTES),
                Step::Close => self.is_closed = true,
                Step::Fault => (self.is_closed, self.is_at_fault) = (true, true),
                Step::File(request) => self.store(server, request),
                Step::Proxied(_) => panic!("that is settled before"),
                Step::AwaitFile => panic!("what is stored here is stored at once"),
                Step::Upgrade(upgrade) => {
                    self.outbox.extend_from_slice(&upgrade.response);
                    self.upgrade = Some(upgrade);
                }
            }
        }
    }

    /// Stores files as fast as they come, each under the same id.
    fn store(&mut self, server: &Server, request: FileRequest) {
        let upload = UploadId(1);
        let reply = match request {
            FileRequest::Begin { declared_bytes } => {
                let begun = self.quotas.begin(upload, Address::from(self.caller), declared_bytes);
                begun.map_or_else(FileReply::Refused, |()| FileReply::Begun)
            }
            FileRequest::Write(bytes) => {
                self.stored.extend_from_slice(&bytes);
                let grown = self.quotas.grow(upload, bytes.len() as u64);
                grown.map_or_else(FileReply::Refused, |()| FileReply::Written(Vec::new()))
            }
            FileRequest::Finish => {
                let size_bytes = self.stored.len() as u64;
                let content = Content { size_bytes, file_type: FileType::Other, dimensions: None };
                FileReply::Stored { id: FileId::parse(&"5".repeat(32)).expect("an id"), content }
            }
        };
        let flow = self.http.answer_file(reply, &server.site, server.now, &mut self.outbox);
        self.is_closed = flow == Flow::Close;
    }

    fn execute(&mut self, server: &mut Server, command: Command) {
        self.caller = self.http.client_address();
        assert_eq!(self.http.deadline_ms(), None, "nothing is overdue while the rooms are to answer");
        let (connection, address) = (ConnectionId(1), Address::from(self.caller));
        let caller = Caller { connection, address, via: Via::Web, encoder: EncoderId(0) };
        let execution = server.rooms.execute(&caller, &[], command, server.now, &mut Silent);
        assert_eq!(execution, Execution::Done);
        while let Some(proposal) = server.rooms.take_proposal() {
            server.rooms.commit(proposal, server.now, &mut Silent);
        }
        let (_, reply) = server.rooms.take_reply().expect("each command of HTTP is answered at once");
        let flow = self.http.reply(reply, &server.rooms, &server.site, server.now, &mut self.outbox);
        self.is_closed = flow != Flow::Continue && !matches!(flow, Flow::SendFile { then_closes: false, .. });
    }

    /// What was answered since the last time.
    fn answers(&mut self) -> Vec<Answer> {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.outbox)).into_owned();
        let mut answers = Vec::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (head, after) = rest.split_once("\r\n\r\n").expect("a complete head");
            let mut answer = Answer::read(head);
            let length = answer.field("Content-Length").map_or(0, |length| length.parse().expect("a number"));
            // A head that answers HEAD stands alone in these tests.
            let (body, after) = after.split_at(length.min(after.len()));
            answer.body = body.to_owned();
            answers.push(answer);
            rest = after;
        }
        answers
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn read(head: &str) -> Answer {
        let (line, fields) = head.split_once("\r\n").unwrap_or((head, ""));
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|line| line[..3].parse().ok()).expect("a status line");
        let fields = fields
            .lines()
            .map(|line| line.split_once(": ").expect("a field"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Answer { status, fields, body: String::new() }
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert!(values.next().is_none() || name == "Set-Cookie", "{name} is given once");
        value
    }

    #[track_caller]
    fn says(&self, words: &str) {
        assert!(self.body.contains(words), "{words} in {self:?}");
    }
}

#[test]
fn a_session_is_small() {
    assert!(size_of::<Http>() <= 64, "{}", size_of::<Http>());
}

// ---- pages

#[test]
fn the_home_page_is_for_everybody() {
    let mut server = Server::new();
    let answer = server.get("/");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.field("Date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!(answer.field("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(answer.field("Referrer-Policy"), Some("no-referrer"));
    assert_eq!(answer.field("Cache-Control"), Some("no-cache"));
    assert!(answer.field("Content-Security-Policy").is_some_and(|policy| policy.starts_with("default-src 'none';")));
    answer.says("Join a room");
    server.get("/?code=kxqt").says("value=\"KXQT\"");
    server.get("/?code=%22%3E%3Cb%3E").says("value=\"&#34;&#62;&#60;b&#62;\"");
}

#[test]
fn the_form_makes_a_room_and_the_cookie_opens_it() {
    let mut server = Server::new();
    let answer = server.post("/", "", "name=ana&code=&create=1");
    assert_eq!(answer.status, 303);
    let location = answer.field("Location").expect("a location").to_owned();
    let cookie = answer.field("Set-Cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("; Path=/; ") && cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains("Secure"));
    let pair = cookie.split(';').next().expect("a pair");
    assert_eq!(pair.find(&location[1..]), Some("snug=".len()), "the cookie names {location}");

    let room = server.get_with(&location, &format!("Cookie: {pair}"));
    assert_eq!((room.status, room.field("Cache-Control")), (200, Some("no-store")));
    room.says("data-name=\"ana\"");
    room.says(&format!("http://a{location}"));
    room.says("nc 192.168.1.20 5001");
    assert!(room.field("Content-Security-Policy").is_some());

    let stranger = server.get(&location);
    assert_eq!(stranger.status, 200);
    stranger.says(&format!("Give a name to join {}.", &location[1..]));
    stranger.says(&format!("value=\"{}\"", &location[1..]));
}

#[test]
fn an_invitation_asks_for_what_is_needed_alone() {
    let mut server = Server::new();
    let code = server.create_room();
    server.post("/", "", &format!("name=ana&code={code}&join=1"));
    let asks_for_name_alone = |answer: &Answer| {
        answer.says(&format!("<input id=\"code\" name=\"code\" type=\"hidden\" value=\"{code}\">"));
        answer.says(&format!("Join {code}</button>"));
        !answer.body.contains("Create a room") && !answer.body.contains("for=\"code\"")
    };
    let invited = server.get(&format!("/{code}"));
    assert!(asks_for_name_alone(&invited), "{invited:?}");
    // A refusal of the name is said in the same form.
    let taken = server.post("/", "", &format!("name=ANA&code={code}&invited=1&join=1"));
    assert_eq!(taken.status, 409);
    assert!(asks_for_name_alone(&taken), "{taken:?}");
    assert!(asks_for_name_alone(&server.post("/", "", &format!("name=&code={code}&invited=1&join=1"))));
    // The room that is gone is not asked for again and again.
    let gone = server.post("/", "", "name=ben&code=ZZZZ&invited=1&join=1");
    assert_eq!(gone.status, 404);
    gone.says("for=\"code\"");
    gone.says("Create a room");
    assert_eq!(server.post("/", "", &format!("name=ben&code={code}&invited=1&join=1")).status, 303);
}

#[test]
fn an_invitation_is_drawn_as_a_qr_code() {
    let mut server = Server::new();
    let code = server.create_room();
    let drawn = |server: &mut Server, fields: &str| server.get_with(&format!("/{code}/qr.svg"), fields);
    let image = drawn(&mut server, "");
    assert_eq!((image.status, image.field("Content-Type")), (200, Some("image/svg+xml")));
    assert_eq!(image.field("Content-Security-Policy"), Some("default-src 'none'"));
    assert_eq!(image.body, draw_qr_code(&format!("http://a/{code}")).expect("a code"));
    // No room is looked for: a wrong code costs nothing, and tells nothing.
    assert_eq!(server.get("/ZZZZ/qr.svg").status, 200);
    assert_eq!(server.get("/nonsense/qr.svg").status, 404);
    let image = Server::with(&["--base-path", "/x/"]).get("/x/kx-qt/qr.svg");
    assert_eq!(image.body, draw_qr_code("http://a/x/KXQT").expect("a code"));
}

#[test]
fn a_code_joins_in_any_case_and_two_rooms_fit_into_the_cookie() {
    let mut server = Server::new();
    let (one, two) = (server.create_room(), server.create_room());
    let first = server.post("/", "", &format!("name=ana&code=+{}+&join=1", one.to_lowercase()));
    assert_eq!((first.status, first.field("Location")), (303, Some(format!("/{one}").as_str())));
    let pair = first.field("Set-Cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    let second = server.post("/", &format!("Cookie: {pair}\r\n"), &format!("name=ana&code={two}"));
    let pair = second.field("Set-Cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    for code in [one, two] {
        server.get_with(&format!("/{code}"), &format!("Cookie: {pair}")).says("data-name=\"ana\"");
    }
}

#[test]
fn a_form_that_fails_comes_back_with_what_was_typed() {
    let mut server = Server::new();
    let code = server.create_room();
    assert_eq!(server.post("/", "", &format!("name=ana&code={code}&join=1")).status, 303);
    let cases = [
        (format!("name=&code={code}&join=1"), 400, "Give a name."),
        ("name=+&code=&create=1".to_owned(), 400, "Give a name."),
        (format!("name=a%E2%80%8Bb&code={code}&join=1"), 400, "A name has 1 to 32 characters"),
        ("name=ben&code=&join=1".to_owned(), 400, "Give a room code, or create a room."),
        ("name=ben".to_owned(), 400, "Give a room code, or create a room."),
        ("name=ben&code=ZZZZ&join=1".to_owned(), 404, "There is no room ZZZZ."),
        ("name=ben&code=%3Ci%3E&join=1".to_owned(), 404, "There is no room &#60;i&#62;."),
        (format!("name=ANA&code={code}&join=1"), 409, "&#34;ANA&#34; is taken in"),
    ];
    for (body, status, words) in cases {
        let answer = server.post("/", "", &body);
        assert_eq!(answer.status, status, "{body}");
        answer.says(words);
        answer.says("role=\"alert\"");
        assert!(answer.field("Set-Cookie").is_none() && answer.field("Content-Security-Policy").is_some());
    }
    server.post("/", "", "name=%3Cb%3E&code=ZZZZ&join=1").says("value=\"&#60;b&#62;\"");
    server.post("/", "", "name=ben&code=zzzz&join=1").says("value=\"zzzz\"");
    let multipart = server.post("/", "Content-Type: multipart/form-data; boundary=x\r\n", "");
    assert_eq!(multipart.status, 415);
    let two = "Content-Type: application/x-www-form-urlencoded\r\nContent-Type: text/html\r\n";
    assert_eq!(server.post("/", two, "name=ana&create=1").status, 400);
}

#[test]
fn the_create_button_does_not_look_at_the_code() {
    let answer = Server::new().post("/", "", "name=ana&code=ZZZZ&create=1");
    assert_eq!(answer.status, 303);
    assert_ne!(answer.field("Location"), Some("/ZZZZ"));
}

#[test]
fn too_often_says_when_to_come_back() {
    let mut server = Server::with(&["--join-rate", "2", "--create-rate", "1"]);
    let statuses: Vec<_> = (0..3).map(|_| server.post("/", "", "name=ana&code=ZZZZ&join=1").status).collect();
    assert_eq!(statuses, [404, 404, 429]);
    let page = server.get("/ZZZZ");
    assert_eq!(page.status, 429);
    assert_eq!(page.field("Retry-After"), Some("30"));
    assert_eq!(server.get("/api/v1/rooms/ZZZZ").status, 429);
    server.create_room();
    let refused = server.post("/api/v1/rooms", "", "");
    assert_eq!((refused.status, refused.field("Retry-After")), (429, Some("60")));
    refused.says("{\"error\":{\"code\":\"rate_limited\",");
}

#[test]
fn other_addresses_lead_home() {
    let mut server = Server::new();
    let code = server.create_room();
    for path in [code.to_lowercase(), format!("{code}/"), format!("%{:02x}{}", code.as_bytes()[0], &code[1..])] {
        let answer = server.get(&format!("/{path}"));
        assert_eq!((answer.status, answer.field("Location")), (303, Some(format!("/{code}").as_str())), "{path}");
    }
    let missing = server.get("/ZZZZ");
    assert_eq!(missing.status, 404);
    missing.says("There is no room ZZZZ.");
    for path in ["/nowhere", "/a/b", "/KXQT/x", "//", "/..", "/%00", "/%", "/assets"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        answer.says("There is nothing at this address.");
        answer.says("<form");
    }
}

#[test]
fn methods_are_those_that_make_sense() {
    let mut server = Server::new();
    let cases = [
        ("PUT / ", "GET, HEAD, POST, OPTIONS"),
        ("POST /healthz ", "GET, HEAD, OPTIONS"),
        ("POST /KXQT ", "GET, HEAD, PUT, OPTIONS"),
        ("PUT /api/v1/rooms/KXQT/files ", "POST, OPTIONS"),
        ("PUT /KXQT/files/x/y ", "GET, HEAD, OPTIONS"),
        ("GET /api/v1/rooms ", "POST, OPTIONS"),
        ("HEAD /ws ", "GET, OPTIONS"),
        ("CONNECT a:443 ", "GET, HEAD, POST, OPTIONS"),
        ("DELETE /api/v1/rooms/KXQT ", "GET, HEAD, OPTIONS"),
    ];
    for (start, allowed) in cases {
        let answer = server.ask(&format!("{start}HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((answer.status, answer.field("Allow")), (405, Some(allowed)), "{start}");
    }
}

#[test]
fn options_tells_the_methods() {
    let mut server = Server::with(&["--allowed-host", "a"]);
    let cases = [
        ("*", "GET, HEAD, POST, PUT, OPTIONS"),
        ("/", "GET, HEAD, POST, OPTIONS"),
        ("/KXQT", "GET, HEAD, PUT, OPTIONS"),
        ("/KXQT/plan.pdf", "GET, HEAD, PUT, OPTIONS"),
        ("/api/v1/rooms/KXQT/files", "POST, OPTIONS"),
        ("/api/v1/rooms", "POST, OPTIONS"),
        ("/ws", "GET, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ];
    for (target, methods) in cases {
        let answer = server.ask(&format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((answer.status, answer.field("Allow")), (204, Some(methods)), "{target}");
        // RFC 9110 section 8.6: there is no Content-Length in a 204.
        assert_eq!((answer.field("Content-Length"), answer.field("Content-Type")), (None, None), "{target}");
    }
    assert_eq!(server.ask("OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
    assert_eq!(server.ask("GET * HTTP/1.1\r\nHost: a\r\n\r\n").status, 400);
}

#[test]
fn an_invitation_shows_the_host_that_was_asked_for() {
    let show = |server: &mut Server, fields: &str| {
        let answer = server.post("/", "", "name=ana&create=1");
        let location = answer.field("Location").expect("a location").to_owned();
        let pair = answer.field("Set-Cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
        let page = server.ask(&format!("GET {location} HTTP/1.1\r\n{fields}\r\nCookie: {pair}\r\n\r\n"));
        let (_, rest) = page.body.split_once("<input id=\"link\" value=\"").expect("the invitation");
        let (link, _) = rest.split_once('"').expect("its end");
        link.strip_suffix(&location[1..]).expect("the code").to_owned()
    };
    let told = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example";
    let mut server = Server::new();
    assert_eq!(show(&mut server, "Host: chat.lan:8080"), "http://chat.lan:8080/");
    assert_eq!(show(&mut server, &format!("Host: chat.lan\r\n{told}")), "http://chat.lan/", "nobody is trusted");
    assert_eq!(show(&mut server, "Host: localhost:5000"), "http://192.168.1.20:5000/", "of no use to others");
    let mut server = Server::with(&["--trusted-proxy", "127.0.0.1", "--base-path", "/"]);
    assert_eq!(show(&mut server, &format!("Host: chat.lan\r\n{told}")), "https://chat.lan/");
    let mut server = Server::with(&["--public-url", "https://chat.example", "--allowed-host", "a"]);
    assert_eq!(show(&mut server, "Host: localhost:8080"), "https://chat.example/");
}

#[test]
fn a_room_page_may_open_its_websocket_by_the_host_it_was_asked_for() {
    let connects_to = |server: &mut Server, host: &str| {
        let answer = server.ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n\r\nname=ana&create=1");
        let location = answer.field("Location").expect("a location").to_owned();
        let pair = answer.field("Set-Cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
        let page = server.ask(&format!("GET {location} HTTP/1.1\r\nHost: {host}\r\nCookie: {pair}\r\n\r\n"));
        page.says("data-name=\"ana\"");
        let policy = page.field("Content-Security-Policy").expect("a policy");
        policy.split("; ").find_map(|part| part.strip_prefix("connect-src ")).expect("a directive").to_owned()
    };
    let mut server = Server::new();
    assert_eq!(connects_to(&mut server, "chat.lan:8080"), "'self' ws://chat.lan:8080 wss://chat.lan:8080");
    // What no source of a policy may be.
    for host in ["[::1]:5000", "a_b", "a%20b", "a~b"] {
        assert_eq!(connects_to(&mut server, host), "'self'", "{host}");
    }
    let mut server = Server::with(&["--public-url", "https://chat.example:8443/x"]);
    let both = "'self' ws://localhost wss://localhost ws://chat.example:8443 wss://chat.example:8443";
    assert_eq!(connects_to(&mut server, "localhost"), both, "the proxy may not pass on the host");
    assert_eq!(connects_to(&mut server, "chat.example:8443"), "'self' ws://chat.example:8443 wss://chat.example:8443");
}

#[test]
fn cookies_of_other_programs_are_not_in_the_way() {
    let mut server = Server::new();
    for length in [9_000, 20_000, 32_000] {
        let cookies = format!("Cookie: other={}", "x".repeat(length));
        assert_eq!(server.get_with("/", &cookies).status, 200, "{length}");
        let joined = server.post("/", &format!("{cookies}\r\n"), "name=ana&create=1");
        let pair = joined.field("Set-Cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
        let location = joined.field("Location").expect("a location").to_owned();
        server.get_with(&location, &format!("{cookies}; {pair}")).says("data-name=\"ana\"");
    }
    let cookies = format!("Cookie: other={}", "x".repeat(MAX_HEAD_BYTES));
    let page = server.get_with("/", &format!("Accept: text/html,*/*;q=0.8\r\n{cookies}"));
    assert_eq!((page.status, page.field("Content-Type")), (431, Some("text/html; charset=utf-8")));
    assert_eq!((page.field("Connection"), page.field("Referrer-Policy")), (Some("close"), Some("no-referrer")));
    assert!(page.field("Content-Security-Policy").is_some_and(|policy| policy.starts_with("default-src 'none';")));
    page.says("Delete the cookies of this site");
    let text = server.get_with("/", &format!("Accept: */*\r\n{cookies}"));
    assert_eq!((text.status, text.field("Content-Type")), (431, Some("text/plain; charset=utf-8")));
    text.says("delete those of this site");
}

#[test]
fn what_proxies_add_to_a_request_is_not_in_the_way() {
    // A browser's thirty fields, a network of servers in front, one that signs people in, and one that traces requests.
    let fields: String = (0..96).map(|number| format!("X-Added-{number}: y\r\n")).collect();
    let mut server = Server::new();
    assert_eq!(server.get_with("/", fields.trim_end()).status, 200);
}

#[test]
fn head_is_get_without_the_body() {
    let mut server = Server::new();
    let code = server.create_room();
    let base = format!("/assets/{ASSETS_HASH}/base.css");
    let api = format!("/api/v1/rooms/{code}");
    for path in ["/", "/?code=KXQT", "/healthz", "/metrics", "/nowhere", &base, &api, &format!("/{code}")] {
        let get = server.get(path);
        let head = server.ask(&format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        if path != "/metrics" {
            assert_eq!(head.field("Content-Length"), get.field("Content-Length"), "{path}");
        }
    }
}

// ---- files

#[test]
fn files_never_expire_under_their_hash() {
    let mut server = Server::new();
    let path = format!("/assets/{ASSETS_HASH}/base.css");
    let plain = server.get(&path);
    assert_eq!((plain.status, plain.field("Content-Type")), (200, Some("text/css; charset=utf-8")));
    assert_eq!(plain.field("Cache-Control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(plain.field("Vary"), Some("Accept-Encoding"));
    assert_eq!(plain.field("Content-Encoding"), None);
    let tag = plain.field("ETag").expect("a tag");

    let known = server.get_with(&path, &format!("If-None-Match: \"x\", W/{tag}"));
    assert_eq!((known.status, known.field("Content-Length"), known.field("ETag")), (304, None, Some(tag)));
    assert_eq!(known.field("Cache-Control"), plain.field("Cache-Control"));
    assert_eq!(server.get_with(&path, "If-None-Match: \"x\"").status, 200);

    let mut connection = server.connect();
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    connection.send(&mut server, request.as_bytes());
    let bytes = std::mem::take(&mut connection.outbox);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = Answer::read(std::str::from_utf8(&bytes[..end - 4]).expect("text"));
    assert_eq!(head.field("Content-Encoding"), Some("gzip"));
    assert_ne!(head.field("ETag"), Some(tag));
    assert!(bytes[end..].starts_with(&[0x1f, 0x8b]));

    for path in ["/assets/000000000000/base.css", "/assets/base.css", &format!("/assets/{ASSETS_HASH}/home.html")] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.field("Cache-Control")), (404, Some("no-store")), "{path}");
    }
}

#[test]
fn the_service_worker_may_be_about_all_pages_and_no_others() {
    for base_path in ["/", "/chat/"] {
        let mut server = Server::with(&["--base-path", base_path]);
        let allowed = |answer: Answer| answer.field("Service-Worker-Allowed").map(str::to_owned);
        let folder = format!("{base_path}assets/{ASSETS_HASH}/");
        assert_eq!(allowed(server.get(&format!("{folder}service_worker.js"))).as_deref(), Some(base_path));
        assert_eq!(allowed(server.get(&format!("{folder}room.js"))), None);
    }
}

// ---- API

#[test]
fn the_api_tells_about_rooms() {
    let mut server = Server::new();
    let created = server.post("/api/v1/rooms", "", "");
    assert_eq!((created.status, created.field("Content-Type")), (201, Some("application/json")));
    let location = created.field("Location").expect("a location").to_owned();
    let code = location.strip_prefix("/api/v1/rooms/").expect("its address").to_owned();
    assert_eq!(created.body, format!("{{\"room\":\"{code}\"}}"));

    let state = server.get(&location.to_lowercase());
    assert_eq!((state.status, state.field("Cache-Control")), (200, Some("no-store")));
    assert_eq!(state.body, format!("{{\"room\":\"{code}\",\"members\":[],\"last\":0}}"));
    let events = server.get(&format!("{location}/events?limit=10&since=0"));
    assert_eq!((events.status, events.body.as_str()), (200, "{\"events\":[],\"more\":false}"));

    for query in ["since=x", "before=-1", "limit=a"] {
        let answer = server.get(&format!("{location}/events?{query}"));
        assert_eq!(answer.status, 400);
        answer.says("{\"error\":{\"code\":\"bad_request\",\"message\":");
    }
    for path in ["/api/v1/rooms/ZZZZ", "/api/v1/rooms/ZZZZ/events", "/api/v1/rooms/!", "/api/v1/rooms/!/events"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        answer.says("{\"error\":{\"code\":\"no_such_room\",\"message\":");
    }
    for path in ["/api/v2", "/api/", "/api/v1/rooms/ZZZZ/members"] {
        server.get(path).says("{\"error\":{\"code\":\"not_found\",");
    }
}

#[test]
fn says_how_it_is() {
    let mut server = Server::new();
    server.create_room();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path).body, "ok\n");
    }
    let metrics = server.get("/metrics");
    assert_eq!(metrics.field("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    metrics.says("\nsnugd_rooms 1\n");
    metrics.says("\nsnugd_http_requests_total 4\n");
    let wanted = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n";
    let metrics = server.ask(wanted);
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(metrics.field("Content-Type"), Some(media_type));
    assert!(metrics.body.ends_with("\n# EOF\n"));
    for (health, words) in [(Health::Failing, "storage failing\n"), (Health::Congested, "storage congested\n")] {
        server.site.note_state(Figures::default(), health);
        let answer = server.get("/readyz");
        assert_eq!((answer.status, answer.body.as_str()), (503, words));
        assert_eq!(server.get("/healthz").status, 200, "it turns");
    }
    server.site.begin_stopping(750);
    assert_eq!(server.get("/healthz").status, 200);
    let answer = server.get("/readyz");
    assert_eq!(
        (answer.status, answer.field("Connection"), answer.field("Retry-After")),
        (503, Some("close"), Some("1"))
    );
}

// ---- who asks

const HANDSHAKE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn a_websocket_takes_along_what_the_request_knew() {
    let mut server = Server::with(&["--trusted-proxy", "127.0.0.1"]);
    let answer = server.post("/", "", "name=ana&create=1");
    let pair = answer.field("Set-Cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: a:5000\r\nOrigin: http://a:5000\r\n{HANDSHAKE}Sec-WebSocket-Protocol: snugd.v1\r\n\
         Cookie: {pair}\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n\x01\x02"
    );
    let mut connection = server.connect();
    connection.send(&mut server, request.as_bytes());
    let answers = connection.answers();
    assert_eq!((answers[0].status, answers[0].field("Connection")), (101, Some("Upgrade")));
    assert_eq!(answers[0].field("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answers[0].field("Sec-WebSocket-Protocol"), Some("snugd.v1"));
    let upgrade = connection.upgrade.expect("an upgrade");
    assert_eq!(upgrade.sessions.len(), 1);
    assert_eq!(upgrade.forwarded_for, Some(IpAddr::from([203, 0, 113, 9])));
    assert_eq!(connection.unread, b"\x01\x02", "frames are left for the WebSocket");
}

#[test]
fn what_is_no_handshake_says_what_would_be_one() {
    let mut server = Server::new();
    let plain = server.get("/ws");
    let old = HANDSHAKE.replace("13", "8");
    let refused = server.get_with("/ws", old.trim_end());
    assert_eq!(refused.field("Sec-WebSocket-Version"), Some("13"));
    // RFC 9110 sections 7.8 and 15.5.22: a 426 names the protocol that is wanted, and that the field is for this hop.
    for answer in [plain, refused] {
        assert_eq!((answer.status, answer.field("Upgrade")), (426, Some("websocket")));
        assert_eq!(answer.field("Connection"), Some("Upgrade"));
    }
    // Elsewhere the wish for another protocol is ignored, whatever its version.
    for fields in [HANDSHAKE, &old] {
        assert_eq!(server.get_with("/", fields.trim_end()).status, 200);
    }
    let foreign = server.get_with("/ws", &format!("{HANDSHAKE}Origin: http://evil.example"));
    assert_eq!(foreign.status, 403);
}

#[test]
fn other_sites_may_not_act_here() {
    let mut server = Server::with(&["--allowed-origin", "https://friend.example"]);
    let post = |server: &mut Server, path: &str, fields: &str| server.post(path, fields, "name=ana&create=1").status;
    for (fields, form, api) in [
        ("", 303, 201),
        ("Origin: http://a\r\n", 303, 201),
        ("Origin: https://friend.example\r\n", 303, 201),
        ("Origin: http://evil.example\r\n", 403, 403),
        ("Origin: null\r\n", 403, 403),
        ("Origin: null\r\nSec-Fetch-Site: cross-site\r\n", 403, 403),
        ("Origin: null\r\nSec-Fetch-Site: same-origin\r\n", 303, 403),
    ] {
        assert_eq!(post(&mut server, "/", fields), form, "{fields}");
        assert_eq!(post(&mut server, "/api/v1/rooms", fields), api, "{fields}");
    }
    server.post("/", "Origin: http://evil.example\r\n", "name=ana&create=1").says("value=\"ana\"");
}

#[test]
fn commands_are_counted_by_the_client_behind_a_proxy() {
    let told = "Host: a\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    let request = format!("POST / HTTP/1.1\r\n{told}Content-Length: 17\r\n\r\nname=ana&create=1");
    for (arguments, caller, is_secure) in
        [(&["--trusted-proxy", "127.0.0.0/8"][..], [203, 0, 113, 9], true), (&[][..], [127, 0, 0, 1], false)]
    {
        let mut server = Server::with(arguments);
        let mut connection = server.connect();
        connection.send(&mut server, request.as_bytes());
        assert_eq!(connection.caller, IpAddr::from(caller));
        let answers = connection.answers();
        let cookie = answers[0].field("Set-Cookie").expect("a cookie");
        assert_eq!(cookie.ends_with("; Secure"), is_secure, "{cookie}");
        assert_eq!(connection.http.client_address(), IpAddr::from([127, 0, 0, 1]));
    }
}

#[test]
fn who_was_here_over_tls_gets_in_without_it_as_well() {
    let mut server = Server::with(&["--trusted-proxy", "127.0.0.1"]);
    let over_tls = "X-Forwarded-Proto: https\r\n";
    let cookies = |answer: &Answer| -> Vec<String> {
        let cookies = answer.fields.iter().filter(|(name, _)| name == "Set-Cookie").map(|(_, value)| value);
        cookies.map(|value| value.split(';').next().expect("a pair").to_owned()).collect()
    };
    let secure = cookies(&server.post("/", over_tls, "name=ana&create=1"));
    assert!(secure.len() == 1 && secure[0].starts_with("snug="), "{secure:?}");
    let answer = server.post("/", "", "name=ana&create=1");
    let location = answer.field("Location").expect("a location").to_owned();
    // A browser that has the secure one neither sends it without TLS nor lets it be replaced there: the second is left.
    let plain = cookies(&answer);
    assert!(plain.len() == 2 && plain[0].starts_with("snug="), "{plain:?}");
    assert!(answer.fields.iter().all(|(_, value)| !value.contains("Secure")), "{answer:?}");
    for cookie in &plain {
        server.get_with(&location, &format!("Cookie: {cookie}")).says("data-name=\"ana\"");
    }
    server.get_with(&location, &format!("Cookie: {}", plain.join("; "))).says("data-name=\"ana\"");
    // Over TLS it says nothing: anybody on the way could have set it.
    server.get_with(&location, &format!("{over_tls}Cookie: {}", plain[1])).says("Give a name to join");
}

#[test]
fn a_public_url_and_a_base_path_hold_everywhere() {
    let mut server = Server::with(&["--public-url", "https://chat.example/snug", "--base-path", "/snug"]);
    assert_eq!(server.get("/snug/").status, 421, "another host");
    let ask = |server: &mut Server, line: &str, fields: &str, body: &str| {
        let length = body.len();
        server.ask(&format!("{line} HTTP/1.1\r\nHost: chat.example\r\nContent-Length: {length}\r\n{fields}\r\n{body}"))
    };
    ask(&mut server, "GET /snug/", "", "").says("action=\"/snug/\"");
    let redirect = ask(&mut server, "GET /snug", "", "");
    assert_eq!((redirect.status, redirect.field("Location")), (308, Some("/snug/")));
    let with_code = ask(&mut server, "GET /snug?code=KXQT", "", "");
    assert_eq!((with_code.status, with_code.field("Location")), (308, Some("/snug/?code=KXQT")));
    assert_eq!(ask(&mut server, "GET /", "", "").status, 404);
    let made = ask(&mut server, "POST /snug/", "Origin: https://chat.example\r\n", "name=ana&create=1");
    let location = made.field("Location").expect("a location").to_owned();
    assert!(location.starts_with("/snug/"), "{location}");
    let cookie = made.field("Set-Cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("; Path=/snug/; "), "{cookie}");
    assert!(!cookie.contains("Secure"), "nobody says that this request came over TLS: {cookie}");
    let pair = cookie.split(';').next().expect("a pair");
    ask(&mut server, &format!("GET {location}"), &format!("Cookie: {pair}\r\n"), "")
        .says(&format!("https://chat.example{location}"));
    for path in ["healthz", "readyz", "metrics"] {
        assert_eq!(server.get(&format!("/snug/{path}")).status, 200, "{path} for any host");
    }
}

// ---- the connection

#[test]
fn requests_are_answered_in_their_order_over_one_connection() {
    let mut server = Server::new();
    let mut connection = server.connect();
    let requests = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n\r\nPOST /api/v1/rooms HTTP/1.1\r\nHost: a\r\n\
                    Content-Length: 2\r\n\r\n{}HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\
                    GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    connection.send(&mut server, requests.as_bytes());
    let statuses: Vec<_> = connection.answers().iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 201, 200]);
    assert!(connection.is_closed, "after Connection: close nothing is answered");
}

#[test]
fn an_old_client_closes_unless_it_asks_to_stay() {
    let mut server = Server::new();
    let mut connection = server.connect();
    connection.send(&mut server, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(connection.answers()[0].field("Connection"), Some("keep-alive"));
    assert!(!connection.is_closed);
    connection.send(&mut server, b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(connection.answers()[0].field("Connection"), Some("close"));
    assert!(connection.is_closed);
}

#[test]
fn a_body_is_waited_for_with_a_go_ahead() {
    let mut server = Server::new();
    let mut connection = server.connect();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 17\r\n\r\n";
    connection.send(&mut server, head.as_bytes());
    assert_eq!(std::mem::take(&mut connection.outbox), b"HTTP/1.1 100 Continue\r\n\r\n");
    for byte in b"name=ana&create=" {
        connection.send(&mut server, &[*byte]);
        assert!(connection.outbox.is_empty());
    }
    connection.send(&mut server, b"1");
    assert_eq!(connection.answers()[0].status, 303);
}

#[test]
fn a_chunked_body_is_read_like_any_other() {
    let mut server = Server::new();
    let send = |server: &mut Server, path: &str, body: &str| {
        server.ask(&format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))
    };
    let form = "5;a=\"b\"\r\nname=\r\nc\r\nana&create=1\r\n0\r\nX-Checksum: abc\r\n\r\n";
    assert_eq!(send(&mut server, "/", form).status, 303);
    assert_eq!(send(&mut server, "/", "0\r\n\r\n").status, 400);
    for body in ["0\r\n\r\n", "2\r\n{}\r\n0\r\n\r\n"] {
        assert_eq!(send(&mut server, "/api/v1/rooms", body).status, 201, "{body:?}");
    }
    for (body, status) in [
        ("0x2\r\n{}\r\n0\r\n\r\n".to_owned(), 400),
        ("2\n{}\r\n0\r\n\r\n".to_owned(), 400),
        ("2\r\n{}0\r\n\r\n".to_owned(), 400),
        ("2001\r\n".to_owned(), 413),
        (format!("1000\r\n{0}\r\n1000\r\n{0}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(0x1000)), 413),
        (format!("2;a={}\r\n", "x".repeat(20_000)), 400),
    ] {
        let answer = send(&mut server, "/api/v1/rooms", &body);
        assert_eq!((answer.status, answer.field("Connection")), (status, Some("close")), "{body:.20}");
    }
}

#[test]
fn what_follows_a_chunked_body_is_the_next_request() {
    let mut server = Server::new();
    let mut connection = server.connect();
    let chunked = "POST /api/v1/rooms HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let requests = format!("{chunked}GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n{chunked}");
    for byte in requests.bytes() {
        connection.send(&mut server, &[byte]);
        assert!(connection.unread.len() < 100, "a body is not kept as input: {}", connection.unread.len());
    }
    let statuses: Vec<_> = connection.answers().iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [201, 200, 201]);
    assert!(connection.http.partial.is_none(), "nothing is kept of them");
}

#[test]
fn a_go_ahead_is_given_for_chunks_too() {
    let mut server = Server::new();
    let mut connection = server.connect();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.send(&mut server, head.as_bytes());
    assert_eq!(std::mem::take(&mut connection.outbox), b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.send(&mut server, b"11\r\nname=ana&create=1\r\n");
    assert!(connection.outbox.is_empty());
    connection.send(&mut server, b"0\r\n\r\n");
    assert_eq!(connection.answers()[0].status, 303);
}

#[test]
fn a_room_is_created_whatever_the_body_is() {
    let mut server = Server::new();
    for rest in ["\r\n", "Content-Length: 0\r\n\r\n", "Content-Length: 2\r\nContent-Type: text/plain\r\n\r\n{}"] {
        let answer = server.ask(&format!("POST /api/v1/rooms HTTP/1.1\r\nHost: a\r\n{rest}"));
        assert_eq!(answer.status, 201, "{rest:?}");
    }
}

#[test]
fn a_malformed_request_ends_the_connection() {
    let mut server = Server::new();
    for (bytes, status) in [
        (&b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n", 413),
    ] {
        let mut connection = server.connect();
        connection.send(&mut server, bytes);
        let answers = connection.answers();
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].status, answers[0].field("Connection")), (status, Some("close")));
        assert!(connection.is_at_fault);
    }
}

#[test]
fn a_malformed_head_request_is_refused_without_a_body() {
    let mut server = Server::new();
    for (method, has_body) in [("GET", true), ("HEAD", false)] {
        let mut connection = server.connect();
        connection.send(&mut server, format!("{method} / HTTP/1.1\r\n\r\n").as_bytes());
        assert_eq!(connection.outbox.ends_with(b"names no host.\n"), has_body, "{method}");
        assert!(connection.outbox.starts_with(b"HTTP/1.1 400 "), "{method}");
        // Its head is read, and its body is malformed, too long, or does not come.
        let bodies =
            [("zz\r\n", "is malformed.\n"), ("2001\r\n", "is too long.\n"), ("5\r\nhel", "too long to arrive.\n")];
        for (body, words) in bodies {
            let mut connection = server.connect();
            let head = format!("{method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            connection.send(&mut server, head.as_bytes());
            connection.send(&mut server, body.as_bytes());
            if !connection.is_closed {
                let late = Now { steady_ms: server.now.steady_ms + REQUEST_TIMEOUT_MS, wall_ms: 0 };
                assert_eq!(connection.http.expire(late, &mut connection.outbox), Flow::Close);
            }
            assert_eq!(connection.outbox.ends_with(words.as_bytes()), has_body, "{method} {body:?}");
            assert!(connection.outbox.starts_with(b"HTTP/1.1 4"), "{method} {body:?}");
        }
    }
}

#[test]
fn a_terminal_is_shown_the_way() {
    let mut server = Server::new();
    let mut connection = server.connect();
    connection.send(&mut server, b"ana\n");
    let answers = connection.answers();
    assert_eq!(answers[0].status, 400);
    answers[0].says("This is the web port: it speaks HTTP. Terminals are served by: nc 192.168.1.20 5001");
    assert!(connection.is_closed);
}

#[test]
fn a_few_bytes_do_not_become_an_endless_answer() {
    let mut server = Server::new();
    let requests = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let mut bytes = requests.into_bytes();
    let mut connection = server.connect();
    let mut input = Input::new(&mut bytes, false);
    let step = connection.http.receive(&mut input, &server.site, server.now, &mut connection.outbox);
    assert!(matches!(step, Step::PauseUntil { steady_ms } if steady_ms == server.now.steady_ms), "{step:?}");
    assert!(connection.outbox.len() < RESPONSES_BUDGET_BYTES + 16 * 1024);
    let mut connection = server.connect();
    connection.send(&mut server, &bytes);
    assert_eq!(connection.answers().len(), 1000);
}

#[test]
fn time_runs_out_for_those_who_dawdle() {
    let mut server = Server::new();
    let start_ms = server.now.steady_ms;
    let mut connection = server.connect();
    assert_eq!(connection.http.deadline_ms(), Some(start_ms + REQUEST_TIMEOUT_MS));
    let at = |steady_ms| Now { steady_ms, wall_ms: 0 };
    let mut silent = server.connect();
    assert_eq!(silent.http.expire(at(start_ms + REQUEST_TIMEOUT_MS - 1), &mut silent.outbox), Flow::Continue);
    assert_eq!(silent.http.expire(at(start_ms + REQUEST_TIMEOUT_MS), &mut silent.outbox), Flow::Close);
    assert!(silent.outbox.is_empty(), "nothing had begun");

    // The time runs from the first byte, and bytes that trickle do not prolong it.
    server.now.steady_ms += 5_000;
    connection.send(&mut server, b"GET / HT");
    server.now.steady_ms += 9_000;
    connection.send(&mut server, b"TP/1.1\r\n");
    assert_eq!(connection.http.deadline_ms(), Some(start_ms + 5_000 + REQUEST_TIMEOUT_MS));
    connection.send(&mut server, b"Host: a\r\n\r\n");
    assert_eq!(connection.answers()[0].status, 200);

    let idle_from_ms = server.now.steady_ms;
    connection.send(&mut server, b"\r\n");
    assert_eq!(connection.http.deadline_ms(), Some(idle_from_ms + IDLE_TIMEOUT_MS));
    connection.send(&mut server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc");
    let late = at(idle_from_ms + REQUEST_TIMEOUT_MS);
    assert_eq!(connection.http.expire(late, &mut connection.outbox), Flow::Close);
    let answers = connection.answers();
    assert_eq!((answers[0].status, answers[0].field("Connection")), (408, Some("close")));
}

#[test]
fn a_connection_that_a_proxy_keeps_is_closed_by_the_proxy() {
    let (of_anybody, of_a_proxy): (&[&str], &[&str]) = (&[], &["--trusted-proxy", "127.0.0.1"]);
    for (options, idle_timeout_ms) in [(of_anybody, IDLE_TIMEOUT_MS), (of_a_proxy, PROXY_IDLE_TIMEOUT_MS)] {
        let mut server = Server::with(options);
        let mut connection = server.connect();
        // The first is answered at once, the second by the rooms.
        for request in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /api/v1/rooms HTTP/1.1\r\nHost: a\r\n\r\n"] {
            connection.send(&mut server, request.as_bytes());
            assert_eq!(connection.http.deadline_ms(), Some(server.now.steady_ms + idle_timeout_ms), "{request}");
        }
    }
    // How long nginx, Caddy, Google's and Cloudflare's proxies and Envoy keep it, unless they are told otherwise.
    for kept_seconds in [60, 120, 600, 900, 3600] {
        assert!(PROXY_IDLE_TIMEOUT_MS > kept_seconds * 1000, "{kept_seconds} s");
    }
}

// ---- every way to cut it

/// Everything that is answered when the bytes come in pieces that end at these places.
fn converse(bytes: &[u8], ends: &[usize]) -> (Vec<u8>, bool, bool) {
    let mut server = Server::new();
    let mut connection = server.connect();
    let mut start = 0;
    for &end in ends.iter().chain([&bytes.len()]) {
        connection.send(&mut server, &bytes[start..end]);
        start = end;
    }
    (connection.outbox, connection.is_closed, connection.upgrade.is_some())
}

#[test]
fn split_at_every_byte_the_answers_are_the_same() {
    let conversation = format!(
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n\
         name=ana&create=1POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         c;a=b\r\nname=ana&cre\r\n5\r\nate=1\r\n0\r\nX: y\r\n\r\nHEAD /ZZZZ HTTP/1.1\r\nHost: a\r\n\r\nGET /ws HTTP/1.1\r\nHost: a\r\n{HANDSHAKE}\r\n"
    );
    let bytes = conversation.as_bytes();
    let whole = converse(bytes, &[]);
    assert!(whole.2, "it ends as a WebSocket");
    for end in 0..bytes.len() {
        assert_eq!(converse(bytes, &[end]), whole, "split at {end}");
    }
    assert_eq!(converse(bytes, &(0..bytes.len()).collect::<Vec<_>>()), whole);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, place: prop::sample::Index) {
        converse(&bytes, &[place.index(bytes.len() + 1)]);
    }

    #[test]
    fn chunks_in_any_pieces_are_answered_alike(
        body in "((0|[1-9a-f]|[0-9]{2})(;a(=b)?)?\r\n|[a-z=&]{0,16}(\r\n)?|3\r\nabc\r\n|0\r\n(X: y\r\n)?\r\n){0,8}",
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let bytes = format!(
            "POST /api/v1/rooms HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}\
             GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let mut ends: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
        ends.sort_unstable();
        prop_assert_eq!(converse(bytes.as_bytes(), &ends), converse(bytes.as_bytes(), &[]));
    }

    #[test]
    fn no_request_makes_it_panic(
        line in "(GET|HEAD|POST|PUT) (/|/ws|/KXQT|/api/v1/rooms/KXQT/events|/assets/|\\*|http://a/)[!-~]{0,12} HTTP/1\\.[01]",
        fields in prop::collection::vec(
            "(Host|Cookie|Origin|Accept-Encoding|If-None-Match|Connection|Upgrade|Content-Type|X-Forwarded-For): [ -~]{0,24}",
            0..6,
        ),
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let length = body.len();
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let mut bytes = format!("{line}\r\nHost: a\r\nContent-Length: {length}\r\n{fields}\r\n").into_bytes();
        bytes.extend_from_slice(&body);
        let (outbox, ..) = converse(&bytes, &[]);
        prop_assert!(outbox.starts_with(b"HTTP/1.1 "));
    }
}

// ---- files

/// Bytes that a file may have.
const FILE_LIMIT_BYTES: u64 = 9_999;

/// A server on which files are shared, and a room there.
fn server_with_files() -> (Server, String) {
    let mut server = Server::new();
    server.site.file_limit_bytes = Some(FILE_LIMIT_BYTES);
    let code = server.create_room();
    (server, code)
}

const GUEST_PUT: &str = "HTTP/1.1\r\nHost: a\r\n";

#[test]
fn a_file_is_put_whatever_its_framing_and_wherever_it_is_cut() {
    let (mut server, code) = server_with_files();
    let form = "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nlook\r\n--b\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"plan.pdf\"\r\n\r\nhello\r\n--b--\r\n";
    let length = form.len();
    for request in [
        format!("PUT /{code}/plan.pdf {GUEST_PUT}Content-Length: 5\r\n\r\nhello"),
        format!("PUT /{code}/plan.pdf {GUEST_PUT}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        format!("PUT /{code}/?name=plan.pdf {GUEST_PUT}Content-Length: 5\r\n\r\nhello"),
        format!(
            "PUT /{code}/ {GUEST_PUT}Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n{form}"
        ),
        format!(
            "PUT /{code} {GUEST_PUT}Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n\
             {length:x}\r\n{form}\r\n0\r\n\r\n"
        ),
    ] {
        for width in [1, 3, 7, usize::MAX] {
            let mut connection = server.connect();
            let bytes = format!("{request}GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
            bytes.as_bytes().chunks(width.min(bytes.len())).for_each(|piece| connection.send(&mut server, piece));
            let answers = connection.answers();
            assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [201, 200], "{request}");
            let path = format!("/{code}/files/{}/plan.pdf", "5".repeat(32));
            assert_eq!(answers[0].body, format!("http://a{path}\n"));
            assert_eq!(answers[0].field("Location"), Some(&*path));
            assert_eq!(connection.stored, b"hello", "{request}");
        }
    }
}

#[test]
fn who_is_named_in_the_address_is_that_whatever_a_proxy_has_asked_for() {
    let (mut server, code) = server_with_files();
    let basic = format!("Authorization: Basic {}\r\nContent-Length: 0\r\n", "cHJveHk6c2VjcmV0");
    let put = |server: &mut Server, query| server.ask(&format!("PUT /{code}/a{query} {GUEST_PUT}{basic}\r\n")).status;
    assert_eq!((put(&mut server, ""), put(&mut server, "?as=ana")), (401, 201));
}

#[test]
fn an_empty_file_is_one_too() {
    let (mut server, code) = server_with_files();
    assert_eq!(server.ask(&format!("PUT /{code}/empty {GUEST_PUT}Content-Length: 0\r\n\r\n")).status, 201);
}

#[test]
fn a_file_is_refused_before_its_body_is_read() {
    let (mut server, code) = server_with_files();
    let files = format!("/api/v1/rooms/{code}/files");
    for (start, fields, status, error) in [
        (format!("POST {files}"), "Content-Length: 5\r\n", 401, "name_required"),
        (format!("POST {files}?as=%00"), "Content-Length: 5\r\n", 400, "name_invalid"),
        (format!("POST {files}?as=ana"), "", 411, "bad_request"),
        (format!("POST {files}?as=ana"), "Content-Length: 10000\r\n", 413, "file_too_large"),
        (format!("POST {files}?as=ana"), "Content-Length: 5\r\nOrigin: http://evil.example\r\n", 403, "forbidden"),
        (format!("POST {files}?as=ana"), "Content-Length: 5\r\nContent-Type: multipart/mixed\r\n", 415, "bad_request"),
        (format!("POST {files}?as=ana"), "Content-Length: 5\r\nContent-Encoding: gzip\r\n", 415, "bad_request"),
        (
            format!("POST {files}?as=ana"),
            "Content-Length: 5\r\nContent-Type: multipart/form-data\r\n",
            400,
            "bad_request",
        ),
        (format!("POST {files}"), "Content-Length: 5\r\nAuthorization: Bearer x\r\n", 401, "not_joined"),
        ("POST /api/v1/rooms/ZZZZ/files?as=ana".into(), "Content-Length: 5\r\n", 404, "no_such_room"),
    ] {
        let answer = server.ask(&format!("{start} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{fields}\r\n"));
        assert_eq!(answer.status, status, "{start} {fields}");
        answer.says(&format!("\"code\":\"{error}\""));
    }
    let token = format!("Authorization: Bearer {}\r\nContent-Length: 5\r\n", "a".repeat(32));
    assert_eq!(server.ask(&format!("POST {files} HTTP/1.1\r\nHost: a\r\n{token}\r\n")).status, 401);
    server.site.file_limit_bytes = None;
    for start in
        [format!("POST {files}?as=ana"), format!("PUT /{code}/a"), format!("GET /{code}/files/{}/a", "5".repeat(32))]
    {
        assert_eq!(server.ask(&format!("{start} HTTP/1.1\r\nHost: a\r\n\r\n")).status, 404, "{start}: files are off");
    }
}

#[test]
fn the_limit_is_that_of_the_file_whatever_is_around_it() {
    let (mut server, code) = server_with_files();
    for (length, status) in [(FILE_LIMIT_BYTES, 201), (FILE_LIMIT_BYTES + 1, 413)] {
        let file = "x".repeat(length as usize);
        let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
        let form = format!("{head}{file}\r\n--b--\r\n");
        for (fields, body) in [("", &file), ("Content-Type: multipart/form-data; boundary=b\r\n", &form)] {
            let length = body.len();
            for (framing, body) in [
                (format!("Content-Length: {length}"), body.clone()),
                ("Transfer-Encoding: chunked".to_owned(), format!("{length:x}\r\n{body}\r\n0\r\n\r\n")),
            ] {
                let request = format!("PUT /{code}/a {GUEST_PUT}{fields}{framing}\r\n\r\n{body}");
                assert_eq!(server.ask(&request).status, status, "{length} bytes: {fields}{framing}");
            }
        }
    }
}

#[test]
fn who_waits_for_a_go_ahead_gets_it_once_the_file_is_welcome() {
    let (mut server, code) = server_with_files();
    let mut connection = server.connect();
    let head = format!("PUT /{code}/a {GUEST_PUT}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    connection.send(&mut server, head.as_bytes());
    assert_eq!(std::mem::take(&mut connection.outbox), b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.send(&mut server, b"hello");
    assert_eq!(connection.answers()[0].status, 201);
}

#[test]
fn a_form_that_is_none_is_refused() {
    let (mut server, code) = server_with_files();
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n";
    for (form, words) in [
        ("--b--\r\n".to_owned(), "has no file"),
        (file.to_owned(), "ends early"),
        (format!("{file}{file}--b--"), "One file at a time"),
        ("--b?".to_owned(), "is malformed"),
        ("x".repeat(70_000), "too much besides its file"),
        (
            format!("{file}--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n{}\r\n--b--", "x".repeat(5_000)),
            "at most",
        ),
    ] {
        let length = form.len();
        let mut connection = server.connect();
        let fields = format!("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n");
        connection.send(&mut server, format!("PUT /{code}/ {GUEST_PUT}{fields}\r\n{form}").as_bytes());
        let answers = connection.answers();
        assert_eq!((answers.len(), answers[0].status, connection.is_closed), (1, 400, true), "{words}");
        answers[0].says(words);
    }
}

#[test]
fn no_more_than_two_chunks_of_an_upload_are_in_memory() {
    let (mut server, code) = server_with_files();
    server.site.file_limit_bytes = Some(1 << 20);
    let mut connection = server.connect();
    let body: Vec<u8> = (0..5 * CHUNK_BYTES + 1).map(|position| (position % 251) as u8).collect();
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
    let form_length = form.len() + body.len() + "\r\n--b--".len();
    let chunks: Vec<u8> = body
        .chunks(50_000)
        .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
        .collect();
    for (fields, sent) in [
        (format!("Content-Length: {}", body.len()), body.clone()),
        ("Transfer-Encoding: chunked".to_owned(), [&chunks[..], b"0\r\n\r\n"].concat()),
        (
            format!("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {form_length}"),
            [form.as_bytes(), &body, b"\r\n--b--"].concat(),
        ),
    ] {
        let head = format!("PUT /{code}/a {GUEST_PUT}{fields}\r\n\r\n");
        let mut unread = [head.as_bytes(), &sent].concat();
        let (mut stored, mut storing) = (Vec::new(), VecDeque::new());
        loop {
            let mut input = Input::new(&mut unread, false);
            let step = connection.http.receive(&mut input, &server.site, server.now, &mut connection.outbox);
            let consumed = input.consumed();
            unread.drain(..consumed);
            match step {
                Step::Command(command) => connection.execute(&mut server, command),
                Step::File(FileRequest::Begin { .. }) => {
                    let outbox = &mut connection.outbox;
                    let flow = connection.http.answer_file(FileReply::Begun, &server.site, server.now, outbox);
                    assert_eq!(flow, Flow::Continue);
                }
                Step::File(FileRequest::Write(bytes)) => storing.push_back(bytes),
                Step::AwaitFile => {
                    let mut bytes: Vec<u8> = storing.pop_front().expect("something is waited for");
                    stored.append(&mut bytes);
                    let (written, outbox) = (FileReply::Written(bytes), &mut connection.outbox);
                    assert_eq!(connection.http.answer_file(written, &server.site, server.now, outbox), Flow::Continue);
                }
                Step::File(FileRequest::Finish) => break,
                other => panic!("{other:?}"),
            }
            let memory_bytes: usize = storing.iter().map(Vec::capacity).sum();
            assert!(storing.len() <= 2 && memory_bytes <= 2 * CHUNK_BYTES + 200, "{memory_bytes}");
        }
        assert!(storing.is_empty() && unread.is_empty() && stored == body, "{fields}");
        connection.store(&server, FileRequest::Finish);
        connection.send(&mut server, b"");
        assert_eq!(connection.answers()[0].status, 201);
    }
}

#[test]
fn an_upload_has_time_as_long_as_it_gets_on() {
    let (mut server, code) = server_with_files();
    let mut connection = server.connect();
    let head = format!("POST /api/v1/rooms/{code}/files?as=ana {GUEST_PUT}Content-Length: 9000\r\n\r\n");
    connection.send(&mut server, head.as_bytes());
    let begun_ms = server.now.steady_ms;
    for _ in 0..4 {
        assert_eq!(connection.http.deadline_ms(), Some((server.now.steady_ms + 30_000).min(begun_ms + 60_000)));
        server.now.steady_ms += 10_000;
        connection.send(&mut server, b"x");
    }
    server.now.steady_ms = begun_ms + 60_000;
    assert_eq!(connection.http.expire(server.now, &mut connection.outbox), Flow::Close, "4 bytes in a minute");
    let answer = connection.answers().remove(0);
    assert_eq!(answer.status, 408);
    answer.says("{\"error\":{\"code\":\"bad_request\",");
}

#[test]
fn a_shared_file_is_sent() {
    let (mut server, code) = server_with_files();
    let put = format!("PUT /{code}/plan.pdf {GUEST_PUT}Content-Length: 5\r\n\r\nhello");
    assert_eq!(server.ask(&put).status, 201);
    let path = format!("/{code}/files/{}/plan.pdf", "5".repeat(32));
    let head = server.ask(&format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!((head.status, head.field("Content-Length")), (200, Some("5")));
    assert_eq!(head.field("Content-Disposition"), Some("attachment; filename=\"plan.pdf\""));
    let known = server.get_with(&path, &format!("If-None-Match: \"{}\"\r\n", "5".repeat(32)));
    assert_eq!(known.status, 304);
    for other in
        [format!("/{code}/files/{}/plan.pdf", "6".repeat(32)), format!("/ZZZZ/files/{}/plan.pdf", "5".repeat(32))]
    {
        let missing = server.get(&other);
        assert_eq!(missing.status, 404);
        missing.says("There is no such file");
    }
}
