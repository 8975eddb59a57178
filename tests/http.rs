//! What the contract says about pages, files and the API, checked on the real program; and that whatever
//! else arrives at the web port is refused in good order.

mod support;

use std::io::{Read as _, Write as _};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{HttpClient, Response, Server, Terminal, WebSocketClient, eventually, is_code};

/// What every page is sent with.
fn assert_is_page(response: &Response) {
    assert!(response.expect_header("Content-Type").starts_with("text/html"), "{response:?}");
    let policy = response.expect_header("Content-Security-Policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
    assert_eq!(response.expect_header("X-Content-Type-Options"), "nosniff");
    assert_eq!(response.expect_header("Referrer-Policy"), "no-referrer");
    let page = response.text();
    assert!(!page.contains("{{"), "a hole in the page: {page}");
    for other in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "<style", " style=", " onclick="] {
        assert!(!page.contains(other), "{other} in {page}");
    }
    assert!(page.matches("<script").count() == page.matches("<script type=\"module\" src=\"").count(), "{page}");
}

/// The home page again, with a reason in words, and what was typed.
fn assert_is_refusal(response: &Response, status: u16, words: &str) {
    assert_eq!(response.status, status, "{}", response.text());
    assert_is_page(response);
    let reason = reason(response);
    assert!(reason.contains(words), "{reason:?} for {words:?}");
    assert_eq!(response.header("Set-Cookie"), None);
}

/// The reason that a page gives.
fn reason(response: &Response) -> String {
    let page = response.text();
    let (_, rest) = page.split_once("id=\"reason\"").unwrap_or_else(|| panic!("no reason in {page}"));
    let (_, rest) = rest.split_once('>').expect("the end of the tag");
    rest.split_once('<').expect("the next tag").0.to_owned()
}

/// Whether a field of the page holds this value.
fn assert_holds(response: &Response, field: &str, value: &str) {
    let page = response.text();
    let (_, rest) = page.split_once(&format!("id=\"{field}\"")).expect("the field");
    let input = rest.split_once('>').expect("the end of the tag").0;
    assert!(input.contains(&format!("value=\"{value}\"")), "{field}: {input}");
}

fn error_code(response: &Response) -> String {
    let error = &response.json()["error"];
    assert!(error["message"].as_str().is_some_and(|words| !words.is_empty()), "{error}");
    error["code"].as_str().expect("a code").to_owned()
}

fn ids(response: &Response) -> Vec<u64> {
    let events = response.json()["events"].as_array().expect("a list").clone();
    events.iter().map(|event| event["id"].as_u64().expect("an id")).collect()
}

/// Joins by the form; the cookie that comes of it.
fn session(server: &Server, room: &str, name: &str) -> String {
    let response = server.post_form(&[("name", name), ("code", room), ("join", "1")]);
    assert_eq!(response.status, 303, "{}", response.text());
    response.cookie()
}

// ---- the home page and its form

#[test]
fn the_home_page_has_a_form_that_works_by_itself() {
    let server = Server::start();
    let home = server.get("/");
    assert_eq!((home.status, home.version.as_str()), (200, "HTTP/1.1"));
    assert_is_page(&home);
    let page = home.text();
    for part in
        ["method=\"post\"", "action=\"/\"", "name=\"name\"", "name=\"code\"", "name=\"join\"", "name=\"create\""]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("Join a room") && page.contains("Create a room"));
    assert_holds(&home, "code", "");
    assert_eq!(home.header("Set-Cookie"), None);
}

#[test]
fn the_home_page_is_filled_in_from_the_query() {
    let server = Server::start();
    let home = server.get("/?code=kxqt");
    assert_eq!(home.status, 200);
    assert_holds(&home, "code", "KXQT");
    let home = server.get("/?code=%22%3E%3Cb%3E");
    assert_holds(&home, "code", "&#34;&#62;&#60;b&#62;");
    assert_is_page(&home);
}

#[test]
fn creating_leads_to_the_room_with_a_session() {
    let server = Server::start();
    let created = server.post_form(&[("name", "ana"), ("code", ""), ("create", "1")]);
    assert_eq!(created.status, 303);
    let room = created.expect_header("Location").strip_prefix('/').expect("a path");
    assert!(is_code(room, 4), "{room}");
    let cookie = created.expect_header("Set-Cookie");
    assert!(cookie.starts_with("snug=") && cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"));
    assert!(cookie.contains("; Path=/") && !cookie.contains("Secure"), "{cookie}");

    let page = server.get_with(&format!("/{room}"), &[("Cookie", &created.cookie())]);
    assert_eq!(page.status, 200);
    assert_is_page(&page);
    assert_eq!(page.expect_header("Cache-Control"), "no-store");
    let text = page.text();
    assert!(text.contains("data-name=\"ana\"") && text.contains(&format!("data-code=\"{room}\"")), "{text}");
    assert!(text.contains(&format!("{}{room}", server.url())), "the invitation");
    assert!(text.contains(&format!("nc localhost {}", server.line().port())), "the terminal's way in");
}

#[test]
fn joining_works_with_a_code_in_any_case() {
    let server = Server::start();
    let room = server.create_room();
    let typed = format!(" {} ", room.to_lowercase());
    let joined = server.post_form(&[("name", "  Ana  "), ("code", &typed), ("join", "1")]);
    assert_eq!(joined.status, 303);
    assert_eq!(joined.expect_header("Location"), format!("/{room}"));
    let page = server.get_with(&format!("/{room}"), &[("Cookie", &joined.cookie())]);
    assert!(page.text().contains("data-name=\"Ana\""));
}

#[test]
fn a_failed_form_says_why_and_keeps_what_was_typed() {
    let server = Server::start();
    let room = server.create_room();
    let _ana = WebSocketClient::join(&server, &room, "ana");

    let no_name = server.post_form(&[("name", " "), ("code", "kxqt"), ("join", "1")]);
    assert_is_refusal(&no_name, 400, "name");
    assert_holds(&no_name, "code", "kxqt");

    let bad_name = server.post_form(&[("name", "a\u{202e}b"), ("code", ""), ("create", "1")]);
    assert_is_refusal(&bad_name, 400, "name");

    let no_code = server.post_form(&[("name", "<b>\"ben\"</b>"), ("code", ""), ("join", "1")]);
    assert_is_refusal(&no_code, 400, "code");
    assert_holds(&no_code, "name", "&#60;b&#62;&#34;ben&#34;&#60;/b&#62;");

    for code in ["bbbbbb", "not a code"] {
        let no_room = server.post_form(&[("name", "ben"), ("code", code), ("join", "1")]);
        assert_is_refusal(&no_room, 404, "no room");
        assert_holds(&no_room, "name", "ben");
        assert_holds(&no_room, "code", code);
    }

    for name in ["ana", "ANA", "аna"] {
        let taken = server.post_form(&[("name", name), ("code", &room), ("join", "1")]);
        assert_is_refusal(&taken, 409, "taken");
        assert_holds(&taken, "name", name);
        assert_holds(&taken, "code", &room);
    }
}

#[test]
fn the_form_is_limited_as_everything_else() {
    let server = Server::with(&["--join-rate", "1", "--create-rate", "1"]);
    assert_eq!(server.post_form(&[("name", "ana"), ("create", "1")]).status, 303);
    let refused = server.post_form(&[("name", "ana"), ("create", "1")]);
    assert_is_refusal(&refused, 429, "");
    assert_holds(&refused, "name", "ana");
    assert!(refused.expect_header("Retry-After").parse::<u32>().is_ok_and(|seconds| (1..=60).contains(&seconds)));

    assert_eq!(server.post_form(&[("name", "ana"), ("code", "BBBBBB"), ("join", "1")]).status, 404);
    let refused = server.post_form(&[("name", "ana"), ("code", "BBBBBB"), ("join", "1")]);
    assert_is_refusal(&refused, 429, "");
    refused.expect_header("Retry-After");
}

#[test]
fn a_form_from_a_foreign_page_is_refused() {
    let server = Server::start();
    let fields = [("name", "ana"), ("create", "1")];
    let own = format!("http://{}", server.web);
    assert_eq!(server.http().post_form("/", &fields, &[("Origin", &own)]).status, 303);
    let hidden = [("Origin", "null"), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(server.http().post_form("/", &fields, &hidden).status, 303, "as no-referrer has it");
    let foreign: [&[(&str, &str)]; 3] = [
        &[("Origin", "http://evil.example")],
        &[("Origin", "http://127.0.0.1:1")],
        &[("Origin", "null"), ("Sec-Fetch-Site", "cross-site")],
    ];
    for headers in foreign {
        let refused = server.http().post_form("/", &fields, headers);
        assert_is_refusal(&refused, 403, "another site");
        let refused = server.http().request("POST", "/api/v1/rooms", &headers[..1], b"");
        assert_eq!(refused.status, 403);
    }
}

// ---- the room page

#[test]
fn without_a_session_the_room_asks_for_a_name() {
    let server = Server::start();
    let room = server.create_room();
    let page = server.get(&format!("/{room}"));
    assert_eq!(page.status, 200);
    assert_is_page(&page);
    assert_holds(&page, "code", &room);
    assert!(reason(&page).contains("name"), "{}", reason(&page));
    let other = session(&server, &server.create_room(), "ana");
    let page = server.get_with(&format!("/{room}"), &[("Cookie", &other)]);
    assert_holds(&page, "code", &room);
    let nonsense = server.get_with(&format!("/{room}"), &[("Cookie", "snug=nonsense; snug; a=b")]);
    assert_holds(&nonsense, "code", &room);
}

#[test]
fn a_room_that_is_not_there_is_404_with_the_form() {
    let server = Server::start();
    for path in ["/BBBBBB", "/a/b/c", "/AEIO", "/favicon.ico", "/%00", "/..", "/assets", "/KXQTKXQTKXQTKXQT"] {
        let page = server.get(path);
        assert_eq!(page.status, 404, "{path}");
        assert_is_page(&page);
        assert!(page.text().contains("action=\"/\""), "{path}");
        assert!(!reason(&page).is_empty(), "{path}");
    }
    assert_holds(&server.get("/BBBBBB"), "code", "BBBBBB");
}

#[test]
fn a_code_is_found_in_what_people_paste() {
    let server = Server::start();
    let room = server.create_room();
    let (start, end) = room.split_at(2);
    let pasted = [format!("{start} {end}"), format!("{start}-{end}"), format!("http://{}/{room}", server.web)];
    for (name, typed) in ["ana", "ben", "cleo"].iter().zip(pasted) {
        let joined = server.post_form(&[("name", name), ("code", &typed), ("join", "1")]);
        assert_eq!((joined.status, joined.header("Location")), (303, Some(format!("/{room}").as_str())), "{typed}");
    }
    // Programs that make links of addresses take in what ends the sentence.
    for path in [format!("/{room}."), format!("/{room}),"), format!("/{start}-{end}"), format!("/{start}%20{end}")] {
        let led = server.get(&path);
        assert_eq!((led.status, led.header("Location")), (303, Some(format!("/{room}").as_str())), "{path}");
    }
}

#[test]
fn a_code_in_lower_case_leads_to_the_room() {
    let server = Server::start();
    let room = server.create_room();
    let redirect = server.get(&format!("/{}", room.to_lowercase()));
    assert_eq!(redirect.status, 303);
    assert_eq!(redirect.expect_header("Location"), format!("/{room}"));
}

#[test]
fn the_form_again_with_the_session_is_the_same_member() {
    let server = Server::start();
    let room = server.create_room();
    let cookie = session(&server, &room, "ana");
    let fields = [("name", "ana"), ("code", room.as_str()), ("join", "1")];
    let again = server.http().post_form("/", &fields, &[("Cookie", &cookie)]);
    assert_eq!((again.status, again.cookie()), (303, cookie.clone()));
    // Nobody else gets the name meanwhile.
    assert_eq!(server.post_form(&fields).status, 409);
}

// ---- the API

#[test]
fn the_api_creates_and_describes_rooms() {
    let server = Server::start();
    let created = server.http().request("POST", "/api/v1/rooms", &[], b"");
    assert_eq!(created.status, 201);
    assert_eq!(created.expect_header("Content-Type"), "application/json");
    let room = created.json()["room"].as_str().expect("a code").to_owned();
    assert_eq!(created.json(), json!({"room": room}));
    assert!(is_code(&room, 4));

    let path = format!("/api/v1/rooms/{room}");
    assert_eq!(server.get(&path).json(), json!({"room": room, "members": [], "last": 0}));
    let _ana = WebSocketClient::join(&server, &room, "ana");
    let _ben = Terminal::join(&server, &room, "ben");
    let described = server.get(&path.to_lowercase());
    assert_eq!(described.json()["last"], 2);
    let members = described.json()["members"].as_array().expect("a list").clone();
    assert!(members.contains(&json!({"name": "ana", "via": "web"})), "{members:?}");
    assert!(members.contains(&json!({"name": "ben", "via": "line"})), "{members:?}");
    assert_eq!(members.len(), 2);
}

#[test]
fn the_api_reads_events() {
    let server = Server::with(&["--rate", "0"]);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    for number in 2..=260 {
        ana.say(&format!("text {number}"));
    }
    ana.expect_where("the last", |message| message["id"] == 260);

    let ask = |query: &str| server.get(&format!("/api/v1/rooms/{room}/events{query}"));
    let range = |range: std::ops::RangeInclusive<u64>| range.collect::<Vec<_>>();
    let more = |response: &Response| response.json()["more"].as_bool().expect("yes or no");
    let last = ask("");
    assert_eq!((ids(&last), more(&last)), (range(211..=260), true), "without since, the last ones");
    assert_eq!(last.json().as_object().expect("an object").len(), 2);
    let event: Value = last.json()["events"][0].clone();
    assert_eq!((&event["type"], &event["text"], &event["via"]), (&json!("message"), &json!("text 211"), &json!("web")));
    let since = ask("?since=3&limit=10");
    assert_eq!((ids(&since), more(&since)), (range(4..=13), true), "the next ones, oldest first");
    let to_the_end = ask("?since=255");
    assert_eq!((ids(&to_the_end), more(&to_the_end)), (range(256..=260), false));
    let nothing = ask("?since=260");
    assert_eq!((ids(&nothing), more(&nothing)), (vec![], false));
    let before = ask("?before=11&limit=4");
    assert_eq!((ids(&before), more(&before)), (range(7..=10), true));
    let first = ask("?before=5");
    assert_eq!((ids(&first), more(&first)), (range(1..=4), false));
    assert_eq!(ids(&ask("?limit=99999")).len(), 200, "200 at most");

    let found = ask("?search=text+25&limit=3");
    assert_eq!((ids(&found), more(&found)), (range(257..=259), true), "the newest");
    assert_eq!((&found.json()["before"], found.json().get("type")), (&json!(257), None));
    assert_eq!(ids(&ask("?search=TEXT%2025&before=257&limit=200")), [&[25][..], &range(250..=256)].concat());
    assert_eq!(ids(&ask("?search=text%2025&since=255")), range(256..=259));
    assert_eq!(ids(&ask("?search=&since=258")), range(259..=260), "an empty one is none");
    for (search, code) in [("%22", "text_empty"), (&*"x".repeat(257), "text_too_long")] {
        let refused = ask(&format!("?search={search}"));
        assert_eq!((refused.status, error_code(&refused).as_str()), (400, code));
    }
    assert_eq!(error_code(&ask("?search=x&before=y")), "bad_request");
    assert_eq!(server.get("/api/v1/rooms/BBBBBB/events?search=x").status, 404);
}

#[test]
fn the_api_refuses_in_json() {
    let server = Server::with(&["--join-rate", "3", "--create-rate", "1"]);
    let room = server.create_room();
    for path in ["/api/v1/rooms/BBBBBB", "/api/v1/rooms/BBBBBB/events", "/api/v1/rooms/nonsense"] {
        let response = server.get(path);
        assert_eq!((response.status, error_code(&response).as_str()), (404, "no_such_room"), "{path}");
    }
    let bad = server.get(&format!("/api/v1/rooms/{room}/events?since=yesterday"));
    assert_eq!((bad.status, error_code(&bad).as_str()), (400, "bad_request"));
    for path in ["/api/v1/nothing", "/api/v2/rooms", "/api/v1/rooms/BBBB/members"] {
        let response = server.get(path);
        assert_eq!(response.status, 404, "{path}");
        error_code(&response);
    }
    let refused = server.http().request("POST", "/api/v1/rooms", &[], b"");
    assert_eq!((refused.status, error_code(&refused).as_str()), (429, "rate_limited"));
    assert!(refused.expect_header("Retry-After").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    server.get("/api/v1/rooms/BBBBBB");
    let refused = server.get("/api/v1/rooms/BBBBBB");
    assert_eq!((refused.status, error_code(&refused).as_str()), (429, "rate_limited"));
    refused.expect_header("Retry-After");
}

// ---- the files

/// The paths of the files that a page refers to.
fn assets_of(page: &str) -> Vec<String> {
    let mut paths: Vec<_> = page
        .split('"')
        .filter(|part| part.contains("assets/") && !part.contains([' ', '<']))
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The modules that a script imports.
fn imports_of(script: &str) -> Vec<String> {
    let import = |line: &str| Some(line.split_once("from \"./")?.1.split_once('"')?.0.to_owned());
    script.lines().filter(|line| line.starts_with("import ")).filter_map(import).collect()
}

#[test]
fn every_file_that_a_page_needs_is_there_and_never_expires() {
    let server = Server::start();
    let room = server.create_room();
    let room_page = server.get_with(&format!("/{room}"), &[("Cookie", &session(&server, &room, "ana"))]);
    let mut paths = [assets_of(&server.get("/").text()), assets_of(&room_page.text())].concat();
    let mut seen: Vec<String> = Vec::new();
    while let Some(path) = paths.pop() {
        if seen.contains(&path) {
            continue;
        }
        let response = server.get(&path);
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(response.expect_header("Cache-Control"), "public, max-age=31536000, immutable");
        assert_eq!(response.expect_header("X-Content-Type-Options"), "nosniff");
        let content_type = response.expect_header("Content-Type");
        let (folder, name) = path.rsplit_once('/').expect("a path");
        let expected = match name.rsplit_once('.').expect("an extension").1 {
            "js" => "text/javascript",
            "css" => "text/css",
            "svg" => "image/svg+xml",
            "webmanifest" => "application/manifest+json",
            other => panic!("a file of type {other}"),
        };
        assert!(content_type.starts_with(expected), "{path}: {content_type}");
        if name.ends_with(".js") {
            paths.extend(imports_of(&response.text()).iter().map(|module| format!("{folder}/{module}")));
        }
        seen.push(path);
    }
    assert!(seen.iter().any(|path| path.ends_with("/connection.js")), "imports are followed: {seen:?}");
}

#[test]
fn a_file_is_sent_compressed_and_once() {
    let server = Server::start();
    let script = assets_of(&server.get("/").text()).into_iter().find(|path| path.ends_with(".css")).expect("a style");
    let plain = server.get(&script);
    assert_eq!(plain.header("Content-Encoding"), None);
    assert!(plain.expect_header("Vary").eq_ignore_ascii_case("accept-encoding"));
    let compressed = server.get_with(&script, &[("Accept-Encoding", "br, gzip;q=0.8")]);
    assert_eq!(compressed.expect_header("Content-Encoding"), "gzip");
    assert_ne!(plain.expect_header("ETag"), compressed.expect_header("ETag"));
    assert_eq!(gunzip(&compressed.body), plain.body);
    let refused = server.get_with(&script, &[("Accept-Encoding", "gzip;q=0, identity")]);
    assert_eq!(refused.header("Content-Encoding"), None);

    for (response, encoding) in [(&plain, "identity"), (&compressed, "gzip")] {
        let tag = response.expect_header("ETag");
        let headers = [("Accept-Encoding", encoding), ("If-None-Match", tag)];
        let mut client = server.http();
        let known = client.request("GET", &script, &headers, b"");
        assert_eq!((known.status, known.expect_header("ETag")), (304, tag));
        assert_eq!(client.get("/healthz").status, 200, "a 304 has no body");
    }
    let other = server.get_with(&script, &[("If-None-Match", "\"other\"")]);
    assert_eq!(other.status, 200);
    let (folder, name) = script.rsplit_once('/').expect("a path");
    assert_eq!(server.get(&format!("{folder}/nothing.js")).status, 404);
    assert_eq!(server.get(&format!("/assets/0123456789ab/{name}")).status, 404, "another version's address");
    assert_eq!(server.get("/assets/../Cargo.toml").status, 404);
}

/// What `gzip` makes of it.
fn gunzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let gzip = support::find_program(&["gzip"], "gzip");
    let mut child = Command::new(gzip)
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip can be started");
    let mut input = child.stdin.take().expect("it is piped");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let mut output = Vec::new();
    child.stdout.take().expect("it is piped").read_to_end(&mut output).expect("gzip writes");
    writer.join().expect("no panic").expect("gzip reads");
    assert!(child.wait().expect("gzip ends").success());
    output
}

// ---- for those who run it

#[test]
fn health_and_figures_are_told() {
    let server = Server::start();
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    ana.say("hello");
    ana.expect("message");
    let metrics = server.get("/metrics");
    assert_eq!(metrics.status, 200);
    let text = metrics.text();
    for line in ["snugd_rooms 1", "snugd_members{via=\"web\"} 1", "snugd_messages_total 1", "snugd_websockets_total 1"]
    {
        assert!(text.lines().any(|written| written == line), "{line} in\n{text}");
    }
    assert!(text.contains("# TYPE ") && !text.contains(&room) && !text.contains("ana"), "{text}");
}

// ---- HTTP itself

#[test]
fn head_is_get_without_the_body() {
    let server = Server::start();
    let room = server.create_room();
    let asset = assets_of(&server.get("/").text()).remove(0);
    let description = format!("/api/v1/rooms/{room}");
    let mut client = server.http();
    for path in ["/", "/BBBBBB", &format!("/{room}"), &asset, &description, "/healthz", "/metrics"] {
        let head = client.request("HEAD", path, &[], b"");
        let get = client.get(path);
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("Content-Type"), get.header("Content-Type"), "{path}");
        if path != "/metrics" {
            assert_eq!(head.header("Content-Length"), get.header("Content-Length"), "{path}");
        }
    }
}

#[test]
fn other_methods_are_told_what_is_allowed() {
    let server = Server::start();
    let room = server.create_room();
    let cases = [
        ("DELETE", "/", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", &format!("/{room}"), "GET, HEAD, OPTIONS, PUT"),
        ("POST", &format!("/{room}"), "GET, HEAD, OPTIONS, PUT"),
        ("GET", &format!("/api/v1/rooms/{room}/files"), "OPTIONS, POST"),
        ("GET", "/api/v1/rooms", "OPTIONS, POST"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("HEAD", "/ws", "GET, OPTIONS"),
    ];
    let mut client = server.http();
    let allowed_by = |response: &Response| {
        let mut given: Vec<_> = response.expect_header("Allow").split(", ").map(str::to_owned).collect();
        given.sort_unstable();
        given.join(", ")
    };
    for (method, path, allowed) in cases {
        let response = client.request(method, path, &[], b"");
        assert_eq!((response.status, allowed_by(&response).as_str()), (405, allowed), "{method} {path}");
        let asked = client.request("OPTIONS", path, &[], b"");
        assert_eq!((asked.status, allowed_by(&asked).as_str()), (204, allowed), "OPTIONS {path}");
        assert_eq!(asked.header("Content-Length"), None, "OPTIONS {path}");
    }
    let asked = client.request("OPTIONS", "*", &[], b"");
    assert_eq!((asked.status, allowed_by(&asked).as_str()), (204, "GET, HEAD, OPTIONS, POST, PUT"));
}

#[test]
fn requests_may_follow_each_other_before_the_answers() {
    let server = Server::start();
    let room = server.create_room();
    let mut client = server.http();
    for round in 0..20 {
        client.send_request("GET", "/healthz", &[], b"");
        client.send_request("POST", "/", &[], b"name=&code=&join=1");
        client.send_request("HEAD", "/", &[], b"");
        client.send_request("GET", &format!("/api/v1/rooms/{room}"), &[], b"");
        client.send_request("GET", if round % 2 == 0 { "/" } else { "/BBBB/BBBB" }, &[], b"");
    }
    for round in 0..20 {
        assert_eq!(client.response_to("GET").body, b"ok\n");
        assert_eq!(client.response_to("POST").status, 400);
        assert_eq!(client.response_to("HEAD").status, 200);
        assert_eq!(client.response_to("GET").json()["room"], json!(room));
        assert_eq!(client.response_to("GET").status, if round % 2 == 0 { 200 } else { 404 });
    }
    client.end();
    client.expect_end();
}

#[test]
fn a_connection_is_kept_as_the_versions_have_it() {
    let server = Server::start();
    let mut client = server.http();
    assert_eq!(client.get("/healthz").status, 200);
    let last = client.request("GET", "/healthz", &[("Connection", "close")], b"");
    assert_eq!((last.status, last.expect_header("Connection")), (200, "close"));
    client.expect_end();

    let mut client = server.http();
    client.send("GET /healthz HTTP/1.0\r\n\r\n");
    assert_eq!(client.response_to("GET").status, 200);
    client.expect_end();

    let mut client = server.http();
    for _ in 0..2 {
        client.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let response = client.response_to("GET");
        assert_eq!((response.status, response.expect_header("Connection")), (200, "keep-alive"));
    }
}

#[test]
fn a_request_is_understood_wherever_it_is_cut() {
    let server = Server::start();
    let body = "name=&code=kxqt&join=1";
    let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
    let mut client = server.http();
    for cut in 1..request.len() {
        client.send(&request[..cut]);
        client.send(&request[cut..]);
        let response = client.response_to("POST");
        assert_eq!(response.status, 400, "cut at {cut}");
        assert_holds(&response, "code", "kxqt");
    }
    for byte in request {
        client.send([byte]);
    }
    assert_eq!(client.response_to("POST").status, 400);
}

#[test]
fn a_body_is_asked_for_if_the_client_waits_for_that() {
    let server = Server::start();
    let mut client = server.http();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.response_to("POST").status, 100);
    client.send("name=x");
    assert_eq!(client.response_to("POST").status, 400);
}

#[test]
fn a_chunked_body_is_understood_wherever_it_is_cut() {
    let server = Server::start();
    let request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   A;a=\"b\"\r\nname=&code\r\nc\r\n=kxqt&join=1\r\n0\r\nX: y\r\n\r\n";
    let mut client = server.http();
    for cut in 1..request.len() {
        client.send(&request[..cut]);
        client.send(&request[cut..]);
        let response = client.response_to("POST");
        assert_eq!(response.status, 400, "cut at {cut}");
        assert_holds(&response, "code", "kxqt");
    }
    for byte in request.bytes() {
        client.send([byte]);
    }
    assert_eq!(client.response_to("POST").status, 400);
}

#[test]
fn cookies_of_other_programs_are_not_in_the_way() {
    let server = Server::start();
    let cookies = |length: usize| format!("other={}", "x".repeat(length));
    for length in [9_000, 20_000, 32_000] {
        let mut client = server.http();
        assert_eq!(client.request("GET", "/", &[("Cookie", &cookies(length))], b"").status, 200, "{length}");
        assert_eq!(client.get("/healthz").status, 200, "{length}");
    }
    let accept = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    let page = server.get_with("/", &[accept, ("Cookie", &cookies(33_000))]);
    assert_eq!((page.status, page.expect_header("Content-Type")), (431, "text/html; charset=utf-8"));
    assert!(page.expect_header("Content-Security-Policy").starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(page.text().contains("Delete the cookies of this site"), "{}", page.text());
    let text = server.get_with("/", &[("Cookie", &cookies(33_000))]);
    assert_eq!((text.status, text.expect_header("Content-Type")), (431, "text/plain; charset=utf-8"));
}

#[test]
fn a_malformed_request_is_answered_and_closed() {
    let server = Server::start();
    let long = "x".repeat(33_000);
    let cases: Vec<(u16, String)> = vec![
        (400, "GET / HTTP/1.1\nHost: a\n\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n".into()),
        (400, "GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+0\r\n\r\n".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nx".into()),
        (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999999\r\n\r\n".into()),
        (413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n".into()),
        (413, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2001\r\n".into()),
        (413, format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{long}", long.len())),
        (414, format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")),
        (431, format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")),
        (431, format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(200))),
        (505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n".into()),
    ];
    for (status, request) in cases {
        let start = &request[..request.len().min(80)];
        let mut client = server.http();
        client.send(&request);
        // What follows cannot be trusted to be a request either.
        client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response_to("GET");
        assert_eq!(response.status, status, "{start:?}: {}", response.text());
        assert_eq!(response.expect_header("Connection"), "close", "{start:?}");
        client.expect_end();
    }
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_answers() {
    let server = Server::start();
    let room = server.create_room();
    let mut client = server.http();
    client.send_request("GET", &format!("/api/v1/rooms/{room}"), &[], b"");
    client.send_request("GET", "/", &[], b"");
    client.end();
    assert_eq!(client.response_to("GET").status, 200);
    assert_eq!(client.response_to("GET").status, 200);
    client.expect_end();
    // And one that ends in the middle of a request gets no more than the end.
    let mut client = server.http();
    client.send("GET / HTTP/1.1\r\nHost");
    client.end();
    client.read_to_end();
}

// ---- WebSockets' handshake

const HANDSHAKE: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[test]
fn the_handshake_is_that_of_the_rfc() {
    let server = Server::start();
    let accepted = server.get_with("/ws", &HANDSHAKE);
    assert_eq!(accepted.status, 101);
    assert_eq!(accepted.expect_header("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(accepted.expect_header("Upgrade").eq_ignore_ascii_case("websocket"));
    assert!(accepted.expect_header("Connection").eq_ignore_ascii_case("upgrade"));

    for (number, header, status) in [
        (0, ("Upgrade", "h2c"), 426),
        (1, ("Connection", "keep-alive"), 426),
        (2, ("Sec-WebSocket-Version", "8"), 426),
        (3, ("Sec-WebSocket-Key", "short"), 400),
    ] {
        let mut headers = HANDSHAKE;
        headers[number] = header;
        let refused = server.get_with("/ws", &headers);
        assert_eq!(refused.status, status, "{header:?}");
    }
    let mut other_version = HANDSHAKE;
    other_version[2].1 = "8";
    assert_eq!(server.get_with("/ws", &other_version).expect_header("Sec-WebSocket-Version"), "13");
    for refused in [server.get("/ws"), server.get_with("/ws", &other_version)] {
        assert_eq!((refused.status, refused.expect_header("Upgrade")), (426, "websocket"));
        assert_eq!(refused.expect_header("Connection"), "Upgrade");
    }
}

#[test]
fn a_foreign_page_may_not_open_a_websocket() {
    let server = Server::with(&["--allowed-origin", "https://friend.example"]);
    let own = format!("http://{}", server.web);
    let connect = |origin: &str| WebSocketClient::connect_with(&server, "/ws", &[("origin", origin)]).map(|_| ());
    assert_eq!(connect(&own), Ok(()));
    assert_eq!(connect("https://friend.example"), Ok(()));
    for origin in ["http://evil.example", "http://friend.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(connect(origin), Err(403), "{origin}");
    }
}

#[test]
fn frames_may_follow_the_handshake_at_once() {
    let server = Server::start();
    let mut client = server.http();
    let headers: String = HANDSHAKE.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let handshake = format!("GET /ws HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    client.send([handshake.as_bytes(), &support::web_socket::frame(0x89, b"at once")].concat());
    assert_eq!(client.response_to("GET").status, 101);
    client.send(support::web_socket::frame(0x88, b""));
    let rest = client.read_to_end();
    assert!(rest.starts_with(b"\x8A\x07at once"), "{rest:?}");
}

// ---- behind a proxy

#[test]
fn everything_lives_under_the_base_path() {
    let server = Server::with(&["--base-path", "/chat"]);
    let home = server.get("/chat/");
    assert_eq!(home.status, 200);
    assert!(home.text().contains("action=\"/chat/\""));
    for asset in assets_of(&home.text()) {
        assert!(asset.starts_with("/chat/assets/"), "{asset}");
        assert_eq!(server.get(&asset).status, 200, "{asset}");
    }
    let redirect = server.get("/chat");
    assert_eq!((redirect.status, redirect.expect_header("Location")), (308, "/chat/"));
    assert_eq!(server.get("/").status, 404);
    let created = server.http().post_form("/chat/", &[("name", "ana"), ("create", "1")], &[]);
    assert_eq!(created.status, 303);
    assert!(created.expect_header("Set-Cookie").contains("; Path=/chat/;"));
    let location = created.expect_header("Location");
    assert!(location.starts_with("/chat/"), "{location}");
    let page = server.get_with(location, &[("Cookie", &created.cookie())]);
    assert!(page.text().contains("data-base=\"/chat/\""));
    assert_eq!(server.http().request("POST", "/chat/api/v1/rooms", &[], b"").status, 201);
    assert!(WebSocketClient::connect_with(&server, "/chat/ws", &[]).is_ok());
    assert_eq!(WebSocketClient::connect_with(&server, "/ws", &[]).err(), Some(404));
}

#[test]
fn the_public_url_is_what_invitations_show() {
    let server = Server::with(&["--public-url", "https://chat.example/snug"]);
    let room = server.create_room();
    let cookie = session(&server, &room, "ana");
    let page = server.get_with(&format!("/{room}"), &[("Cookie", &cookie)]);
    assert!(page.text().contains(&format!("https://chat.example/snug/{room}")));
    let posted = server.post_form(&[("name", "ben"), ("create", "1")]);
    assert!(!posted.expect_header("Set-Cookie").contains("Secure"), "this request did not come over TLS");
    let mut ben = Terminal::connect(&server);
    ben.send_line(&format!("/join {room} ben"));
    ben.expect_text(&format!("Invite: https://chat.example/snug/{room}"));
    assert_eq!(server.get_with("/", &[("Host", "other.example")]).status, 421);
    assert_eq!(server.get_with("/", &[("Host", "chat.example")]).status, 200);
    // A page of the public URL may do everything, whatever Host the proxy sends.
    let origin = [("Origin", "https://chat.example")];
    assert_eq!(server.http().post_form("/", &[("name", "cleo"), ("create", "1")], &origin).status, 303);
}

#[test]
fn a_cookie_is_secure_when_the_request_came_over_tls() {
    let server = Server::with(&["--public-url", "https://chat.example", "--trusted-proxy", "127.0.0.1"]);
    let form = [("name", "ana"), ("create", "1")];
    for (scheme, is_secure) in [("https", true), ("http", false)] {
        let response = server.http().post_form("/", &form, &[("X-Forwarded-Proto", scheme)]);
        assert_eq!(response.expect_header("Set-Cookie").contains("; Secure"), is_secure, "{scheme}");
    }
}

#[test]
fn an_invitation_shows_the_host_of_the_page() {
    let server = Server::start();
    let room = server.create_room();
    let cookie = session(&server, &room, "ana");
    let page = server.get_with(&format!("/{room}"), &[("Cookie", &cookie), ("Host", "chat.lan:8080")]);
    assert!(page.text().contains(&format!("value=\"http://chat.lan:8080/{room}\"")), "{}", page.text());
}

#[test]
fn a_proxy_that_hides_the_host_is_told_about_once() {
    let server = Server::start();
    let form = [("name", "ana"), ("create", "1")];
    for _ in 0..3 {
        let refused = server.http().post_form("/", &form, &[("Origin", "https://chat.example")]);
        assert_is_refusal(&refused, 403, "another site");
    }
    let refused = WebSocketClient::connect_with(&server, "/ws", &[("origin", "https://chat.example")]);
    assert_eq!(refused.map(|_| ()), Err(403));
    let log = eventually("a warning", || Some(server.log()).filter(|log| log.contains("WARN")));
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    for word in ["header Host", "--public-url", "--allowed-origin"] {
        assert!(log.contains(word), "{word} in {log}");
    }
    assert!(!log.contains("chat.example") && !log.contains("ana"), "{log}");
}

#[test]
fn only_allowed_hosts_are_answered() {
    let server = Server::with(&["--allowed-host", "chat.example"]);
    let port = server.web.port();
    for host in ["chat.example", "CHAT.EXAMPLE:80", "localhost", &format!("127.0.0.1:{port}"), "[::1]:5000"] {
        assert_eq!(server.get_with("/", &[("Host", host)]).status, 200, "{host}");
    }
    for path in ["/", "/ws", "/api/v1/rooms/BBBB", "/nothing/here", "/healthz/"] {
        assert_eq!(server.get_with(path, &[("Host", "evil.example")]).status, 421, "{path}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(server.get_with(path, &[("Host", "10.1.2.3.probe")]).status, 200, "{path}");
    }
    let form = [("name", "ana"), ("create", "1")];
    assert_eq!(server.http().post_form("/", &form, &[("Host", "evil.example")]).status, 421);
    let any = Server::start();
    assert_eq!(any.get_with("/", &[("Host", "whatever.example")]).status, 200);
}

#[test]
fn only_trusted_proxies_may_say_whom_they_forward_for() {
    let create = |server: &Server, client: &str| {
        let headers = [("X-Forwarded-For", client)];
        server.http().request("POST", "/api/v1/rooms", &headers, b"").status
    };
    let trusting = Server::with(&["--create-rate", "1", "--trusted-proxy", "127.0.0.0/8"]);
    assert_eq!(create(&trusting, "203.0.113.1"), 201);
    assert_eq!(create(&trusting, "203.0.113.2"), 201);
    assert_eq!(create(&trusting, "203.0.113.1"), 429);
    assert_eq!(create(&trusting, "198.51.100.9, 203.0.113.2"), 429, "what the client made up does not count");
    let suspicious = Server::with(&["--create-rate", "1"]);
    assert_eq!(create(&suspicious, "203.0.113.1"), 201);
    assert_eq!(create(&suspicious, "203.0.113.2"), 429);
}

#[test]
fn a_proxys_client_is_known_over_its_websocket_too() {
    let server = Server::with(&["--create-rate", "1", "--trusted-proxy", "127.0.0.1"]);
    let create = |client: &str, code: &str| {
        let headers = [("x-forwarded-for", client)];
        let (mut socket, _) = WebSocketClient::connect_with(&server, "/ws", &headers).expect("the handshake succeeds");
        socket.send(json!({"type": "join", "room": code, "name": "ana", "create": true}));
        socket.next()["type"].as_str().expect("a type").to_owned()
    };
    assert_eq!(create("203.0.113.1", "BBBB"), "joined");
    assert_eq!(create("203.0.113.1", "CCCC"), "error");
    assert_eq!(create("203.0.113.2", "DDDD"), "joined");
}

// ---- nobody disturbs others

#[test]
fn whoever_sends_nothing_disturbs_nobody() {
    let server = Server::start();
    let idle: Vec<HttpClient> = (0..50).map(|_| server.http()).collect();
    let mut halves: Vec<HttpClient> = (0..50).map(|_| server.http()).collect();
    for client in &mut halves {
        client.send("GET / HTTP/1.1\r\nHo");
    }
    assert_eq!(server.get("/").status, 200);
    for client in &mut halves {
        client.send("st: a\r\n\r\n");
    }
    for client in &mut halves {
        assert_eq!(client.response_to("GET").status, 200);
    }
    drop((idle, halves));
    eventually("their places are free", || {
        server
            .get("/metrics")
            .text()
            .lines()
            .any(|line| line == "snugd_open_connections{protocol=\"http\"} 1")
            .then_some(())
    });
}

#[test]
fn who_still_sends_what_was_refused_is_listened_to() {
    let server = Server::start();
    let mut client = server.http();
    client.send("PUT /ZZZZ/film HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    assert_eq!(client.response_to("PUT").status, 404);
    let (begun, mut stream) = (Instant::now(), client.into_stream());
    // Longer than whoever is silent would be waited for.
    while begun.elapsed() < Duration::from_secs(4) {
        stream.write_all(&[0; 1000]).expect("it is read");
        sleep(Duration::from_millis(20));
    }
}
