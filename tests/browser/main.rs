//! The pages in a real Chromium, with people in several windows and a real `nc` in the same rooms.

mod chromium;
#[path = "../support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use chromium::{Chromium, Seen, Window};
use serde_json::json;
use support::{DEADLINE, Server, eventually, find_program, is_code};

/// The home page as this machine's browsers find it.
fn home(server: &Server) -> String {
    format!("http://{}/", server.web)
}

/// Creates a room by the form; returns its code.
fn create_room(window: &Window, server: &Server, name: &str) -> String {
    window.open(&home(server));
    window.fill("#name", name);
    window.click("#create");
    wait_until_connected(window);
    let room = window.url().strip_prefix(&home(server)).expect("an address here").to_owned();
    assert!(is_code(&room, 4), "{room}");
    room
}

/// Follows an invitation.
fn join_room(window: &Window, server: &Server, room: &str, name: &str) {
    window.open(&format!("{}{room}", home(server)));
    assert_eq!(window.value("#code"), room);
    window.fill("#name", name);
    window.click("#join");
    wait_until_connected(window);
}

fn wait_until_connected(window: &Window) {
    window.wait_for("document.querySelector('#status')?.dataset.state === 'open'");
}

fn say(window: &Window, text: &str) {
    window.fill("#text", text);
    window.press("Enter");
    wait_for_message(window, text);
}

/// Waits until the page shows this message, said and not merely waiting to be.
fn wait_for_message(window: &Window, text: &str) {
    let text = json!(text);
    window.wait_for(&format!(
        "[...document.querySelectorAll('#timeline [data-id].message .text')].some(text => text.textContent === {text})"
    ));
}

fn wait_for_notice(window: &Window, words: &str) {
    let words = json!(words);
    window.wait_for(&format!(
        "[...document.querySelectorAll('#timeline [data-id].notice')].some(n => n.textContent.startsWith({words}))"
    ));
}

/// Waits until exactly these are listed as present.
fn wait_for_members(window: &Window, names: &[&str]) {
    let names = json!(names);
    window.wait_for(&format!(
        "JSON.stringify([...document.querySelectorAll('#members li')].map(li => li.dataset.name).sort()) \
         === JSON.stringify({names})"
    ));
    let count = names.as_array().map_or(0, Vec::len);
    window.wait_for(&format!("document.querySelector('#count').textContent === '{count}'"));
}

/// The events on the page: how they are shown, and their texts.
fn timeline(window: &Window) -> Vec<String> {
    let events = window.evaluate(
        "[...document.querySelectorAll('#timeline [data-id]')].map(event => \
         event.dataset.id + ' ' + (event.querySelector('.text') ?? event).textContent)",
    );
    let events = events.as_array().expect("a list").clone();
    events.iter().map(|event| event.as_str().expect("text").to_owned()).collect()
}

/// The page complained about nothing, and asked nobody but this server for anything.
fn assert_well_behaved(window: &Window, server: &Server) {
    let Seen { requests, complaints } = window.seen();
    assert_eq!(complaints, [] as [String; 0]);
    let web_socket = format!("ws://{}/ws", server.web);
    assert!(requests.contains(&web_socket), "it is watched: {requests:?}");
    for request in &requests {
        let is_own = request.starts_with(&home(server)) || *request == web_socket || request.starts_with("data:");
        assert!(is_own, "{request}");
    }
}

/// The real `nc`, its output read by a thread of its own.
struct Nc {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Nc {
    fn join(server: &Server, room: &str, name: &str) -> Nc {
        let nc = find_program(&["nc"], "netcat-openbsd");
        let mut child = Command::new(nc)
            .args(["127.0.0.1", &server.line().port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("nc can be started");
        let output = child.stdout.take().expect("it is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let input = child.stdin.take().expect("it is piped");
        let mut nc = Nc { child, input, lines };
        nc.type_line(&format!("/join {room} {name}"));
        nc.wait_for(&format!("* {room}. "));
        nc
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("nc reads");
    }

    /// Waits for a line with these words.
    fn wait_for(&mut self, words: &str) {
        let mut skipped = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(DEADLINE) {
            if line.contains(words) {
                return;
            }
            skipped.push(line);
        }
        panic!("nc does not show {words:?} but {skipped:?}");
    }
}

impl Drop for Nc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn people_in_browsers_and_at_a_terminal_talk_and_see_each_other_come_and_go() {
    let server = Server::start();
    let chromium = Chromium::launch();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "Ana");
    wait_for_members(&ana, &["Ana"]);
    join_room(&ben, &server, &room, "Ben");
    wait_for_notice(&ana, "Ben came in");
    let mut cleo = Nc::join(&server, &room, "cleo");
    wait_for_notice(&ana, "cleo came in");
    for window in [&ana, &ben] {
        wait_for_members(window, &["Ana", "Ben", "cleo"]);
    }

    say(&ana, "hello from a browser");
    wait_for_message(&ben, "hello from a browser");
    cleo.wait_for("<Ana> hello from a browser");
    cleo.type_line("hello from nc");
    for window in [&ana, &ben] {
        wait_for_message(window, "hello from nc");
    }
    ben.fill("#text", "by the button");
    ben.click("#send");
    cleo.wait_for("<Ben> by the button");
    ben.fill("#text", "/me waves");
    ben.press("Enter");
    wait_for_message(&ana, "* Ben waves");
    cleo.wait_for("* Ben waves");

    cleo.type_line("/quit");
    wait_for_notice(&ana, "cleo left");
    wait_for_members(&ana, &["Ana", "Ben"]);
    ben.click("#leave");
    ben.wait_for("location.pathname === '/' && document.querySelector('#join') !== null");
    wait_for_notice(&ana, "Ben left");
    wait_for_members(&ana, &["Ana"]);
    for window in [&ana, &ben] {
        assert_well_behaved(window, &server);
    }
}

#[test]
fn markup_stays_text() {
    let server = Server::start();
    let chromium = Chromium::launch();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "<i>Ana</i>");
    join_room(&ben, &server, &room, "Ben & \"Co\"");
    wait_for_members(&ana, &["<i>Ana</i>", "Ben & \"Co\""]);
    let markup = "<img src=x onerror=\"document.title='run'\"><b>bold</b><script>document.title='run'</script>&amp;";
    say(&ana, markup);
    wait_for_message(&ben, markup);
    for window in [&ana, &ben] {
        let elements = "document.querySelectorAll('#timeline img, #timeline b, #timeline i, #timeline script').length";
        assert_eq!(window.evaluate(elements), 0);
        assert_ne!(window.text("title"), "run");
        assert_well_behaved(window, &server);
    }
}

#[test]
fn a_reload_is_silent() {
    let server = Server::start();
    let chromium = Chromium::launch();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "Ana");
    join_room(&ben, &server, &room, "Ben");
    say(&ana, "before the reload");
    wait_for_message(&ben, "before the reload");
    let before = timeline(&ana);
    assert_eq!(before.len(), 3, "{before:?}");

    for round in 1..=3 {
        ana.reload();
        wait_until_connected(&ana);
        wait_for_members(&ana, &["Ana", "Ben"]);
        let text = format!("after reload {round}");
        say(&ana, &text);
        wait_for_message(&ben, &text);
    }
    let after = timeline(&ana);
    assert_eq!(after[..3], before, "the history is shown again");
    let ids: Vec<_> = after.iter().map(|event| event.split(' ').next().expect("an id")).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6"], "nobody came or left: {after:?}");
    assert_eq!(timeline(&ben)[1..], after[1..], "{after:?}");
    for window in [&ana, &ben] {
        assert_well_behaved(window, &server);
    }
}

#[test]
fn a_taken_name_is_refused_and_what_was_typed_is_kept() {
    let server = Server::start();
    let chromium = Chromium::launch();
    let (ana, other) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "Ana");
    other.open(&home(&server));
    other.fill("#name", "ANA");
    other.fill("#code", &room.to_lowercase());
    other.click("#join");
    other.wait_for("document.querySelector('#reason') !== null");
    assert!(other.text("#reason").contains("taken"), "{}", other.text("#reason"));
    assert_eq!((other.value("#name"), other.value("#code")), ("ANA".to_owned(), room.to_lowercase()));

    other.fill("#name", "Ana Maria");
    other.press("Enter");
    wait_until_connected(&other);
    wait_for_members(&ana, &["Ana", "Ana Maria"]);
    assert_eq!(timeline(&ana).len(), 2, "the refused attempt was not noticed");
    // The browser itself reports the refusal's status; nothing else is reported.
    let complaints = other.seen().complaints;
    assert!(complaints.iter().all(|complaint| complaint.contains("409 (Conflict)")), "{complaints:?}");
    assert_well_behaved(&ana, &server);
}

#[test]
fn the_form_tells_what_is_missing() {
    let server = Server::start();
    let chromium = Chromium::launch();
    let window = chromium.open_window();
    window.open(&home(&server));
    window.click("#create");
    window.wait_for("document.querySelector('#reason')?.textContent.includes('name')");
    window.fill("#name", "Ana");
    window.click("#join");
    window.wait_for("document.querySelector('#reason')?.textContent.includes('code')");
    assert_eq!(window.value("#name"), "Ana");
    window.fill("#code", "bbbb");
    window.click("#join");
    window.wait_for("document.querySelector('#reason')?.textContent.includes('BBBB')");
    assert_eq!((window.value("#name"), window.value("#code")), ("Ana".to_owned(), "bbbb".to_owned()));
}

#[test]
fn closing_the_window_leaves_after_the_grace() {
    let server = Server::with(&["--grace", "1s"]);
    let chromium = Chromium::launch();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "Ana");
    join_room(&ben, &server, &room, "Ben");
    wait_for_members(&ana, &["Ana", "Ben"]);
    ben.close();
    wait_for_notice(&ana, "Ben left");
    wait_for_members(&ana, &["Ana"]);
    assert_well_behaved(&ana, &server);
}

#[test]
fn after_a_restart_the_pages_bring_their_room_back() {
    let server = Server::start();
    let chromium = Chromium::launch();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "Ana");
    join_room(&ben, &server, &room, "Ben");
    say(&ana, "before the restart");
    wait_for_message(&ben, "before the restart");
    let (web, line) = (server.web.to_string(), server.line().to_string());
    server.crash();
    for window in [&ana, &ben] {
        window.wait_for("document.querySelector('#status').dataset.state === 'reconnecting'");
    }
    // What is written meanwhile is sent as soon as it can be.
    ana.fill("#text", "written while nobody listened");
    ana.press("Enter");

    let server = Server::with(&["--listen", &web, "--line-listen", &line]);
    for window in [&ana, &ben] {
        wait_until_connected(window);
        wait_for_members(window, &["Ana", "Ben"]);
        assert_eq!(window.url(), format!("{}{room}", home(&server)), "the same code, without any click");
    }
    wait_for_message(&ana, "written while nobody listened");
    say(&ben, "after the restart");
    wait_for_message(&ana, "after the restart");
    let members = server.get(&format!("/api/v1/rooms/{room}")).json()["members"].as_array().map(Vec::len);
    assert_eq!(members, Some(2));
    for window in [&ana, &ben] {
        // The browser itself reports each attempt to connect to nobody; nothing else is reported.
        let complaints = window.seen().complaints;
        assert!(complaints.iter().all(|complaint| complaint.contains("ERR_CONNECTION_REFUSED")), "{complaints:?}");
    }
}

#[test]
fn without_scripts_the_form_leads_to_the_room() {
    let server = Server::start();
    let room = server.create_room();
    let chromium = Chromium::launch();
    let window = chromium.open_window();
    window.open_without_scripts(&home(&server));
    window.wait_for_element("#name");
    for text in ["Ana", &room] {
        window.press("Tab");
        window.type_text(text);
    }
    window.press("Enter");
    let page = window.wait_for_element(".noscript .terminal");
    assert!(page.contains(&format!("<h1>Room {room}</h1>")), "{page}");
    assert!(page.contains(&format!("nc localhost {}", server.line().port())), "the way in without scripts: {page}");
    assert!(window.seen().requests.iter().all(|request| !request.starts_with("ws:")), "no script ran");
}

#[test]
fn the_watch_over_pages_notices_errors_and_requests_to_others() {
    let server = Server::start();
    let chromium = Chromium::launch();
    let window = chromium.open_window();
    window.open(&home(&server));
    window.evaluate("console.error('of the console')");
    window.evaluate("setTimeout(() => { throw new Error('of a script') })");
    window.evaluate("document.body.append(Object.assign(new Image(), { src: 'http://other.example/image' }))");
    for part in ["of the console", "of a script", "Content Security Policy"] {
        let complains = || window.seen().complaints.iter().any(|complaint| complaint.contains(part)).then_some(());
        eventually(part, complains);
    }
    // Where no policy forbids it, it is asked for.
    window.open("about:blank");
    window.evaluate("document.body.append(Object.assign(new Image(), { src: 'http://other.example/image' }))");
    let is_noticed = |seen: Seen| seen.requests.iter().any(|request| request == "http://other.example/image");
    eventually("the request is noticed", || is_noticed(window.seen()).then_some(()));
}
