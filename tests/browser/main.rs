//! The pages in a real Chromium, with people in several windows and a real `nc` in the same rooms.

mod amending;
mod chromium;
mod composing;
#[cfg(feature = "tls")]
mod encrypted;
mod files;
mod hostile;
mod hostile_files;
mod keyboard;
mod languages;
mod looks;
#[path = "../faults/proxy.rs"]
#[allow(dead_code)]
mod proxy;
mod reading;
mod roles;
mod served_files;
mod served_roles;
mod states;
mod states_tour;
#[path = "../support/mod.rs"]
mod support;
mod tabs;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use chromium::{Chromium, Seen, Window};
use proxy::Proxy;
use serde_json::json;
use support::{DEADLINE, Server, Terminal, WebSocketClient, eventually, find_program, is_code};

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

/// The pages of two people in one room; the first is its operator.
fn ana_and_ben(chromium: &Chromium, server: &Server) -> (Window, Window, String) {
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, server, "Ana");
    join_room(&ben, server, &room, "Ben");
    wait_for_members(&ana, &["Ana", "Ben"]);
    (ana, ben, room)
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
        let is_here = ["data:", "blob:"].iter().any(|scheme| request.starts_with(scheme));
        let is_own = request.starts_with(&home(server)) || *request == web_socket || is_here;
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
    let chromium = Chromium::shared();
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
    let chromium = Chromium::shared();
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
fn addresses_in_a_text_are_links_without_what_ends_the_sentence() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    wait_until_connected(&ana);
    say(&ana, "http://a.example/x, (see http://a.example/y_(z)). 看http://a.example/w。然后（http://a.example/v）");
    assert_eq!(
        ana.evaluate("[...document.querySelectorAll('#timeline .text a')].map(link => link.href).join(' ')"),
        "http://a.example/x http://a.example/y_(z) http://a.example/w http://a.example/v"
    );
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_long_text_that_ends_in_punctuation_holds_no_page_up() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let page = chromium.open_window();
    create_room(&page, &server, "Ana");
    page.evaluate(
        "import(document.querySelector('script').src.replace('room.js', 'markup.js')).then(({ marked }) => {
            const marks = [')'.repeat(500_000), '.'.repeat(500_000) + 'x', '.)'.repeat(250_000)];
            window.links = marks.map(text => marked('see http://a.example/' + text).querySelector('a').textContent.length);
        })",
    );
    page.wait_for("JSON.stringify(window.links) === JSON.stringify([17, 500_018, 17])");
}

#[test]
fn the_enter_that_ends_a_composition_sends_nothing() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    wait_until_connected(&ana);
    ana.fill("#text", "日本語");
    // As browsers tell it, and as Safari does, where the composition has ended before.
    for composing in ["isComposing: true", "keyCode: 229"] {
        let is_left_alone = ana.evaluate(&format!(
            "document.querySelector('#text').dispatchEvent(
                 new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true, cancelable: true, {composing} }}))"
        ));
        assert_eq!(is_left_alone, true, "{composing}");
        assert_eq!(ana.value("#text"), "日本語", "{composing}");
    }
    ana.press("Enter");
    wait_for_message(&ana, "日本語");
    assert_eq!(timeline(&ana).iter().filter(|line| line.contains("日本語")).count(), 1);
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_reload_is_silent() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let (ana, ben, _) = ana_and_ben(&chromium, &server);
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
fn the_way_back_leads_into_the_room_again_and_nobody_notices() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let room = create_room(&ana, &server, "Ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    wait_for_notice(&ana, "ben came in");
    // Browsers keep the page as it is, and close its WebSocket, or load it again.
    ana.open(&(home(&server) + "?code=" + &room));
    ben.send_line("while you were away");
    ana.evaluate("history.back()");
    wait_for_message(&ana, "while you were away");
    say(&ana, "back again");
    let noticed = ben.expect_line_where("anything", |line| !line.is_empty());
    assert!(noticed.ends_with("<Ana> back again"), "the first that ben notices: {noticed}");
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_local_network_without_tls_is_enough() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    // Any name but this machine's own: there browsers keep some of what they can do to pages over TLS.
    let home = format!("http://chat.lan:{}/", server.web.port());
    ana.open(&home);
    assert_eq!(ana.evaluate("isSecureContext"), false);
    ana.fill("#name", "Ana");
    ana.click("#create");
    wait_until_connected(&ana);
    let room = ana.url().strip_prefix(&home).expect("an address here").to_owned();
    let mut ben = Terminal::join(&server, &room, "ben");
    say(&ana, "over the local network");
    ben.expect_said("<Ana> over the local network");
    ben.send_line("heard");
    wait_for_message(&ana, "heard");
    assert_eq!(ana.value("#link"), ana.url());
    ana.click("#copy");
    ana.wait_for("document.querySelector('#copy').textContent.trim() === 'Copied'");
    assert_eq!(ana.seen().complaints, [] as [String; 0]);
}

#[test]
fn all_that_a_room_needs_is_small() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    // What comes through one is not measured as it came over the network.
    ana.prepare_pages("delete Navigator.prototype.serviceWorker");
    create_room(&ana, &server, "Ana");
    let sizes = "[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]\
                 .map(({ encodedBodySize }) => encodedBodySize)";
    let count = ana.evaluate(&format!("{sizes}.length")).as_u64().expect("a number");
    let bytes = ana.evaluate(&format!("{sizes}.reduce((sum, size) => sum + size, 0)")).as_u64().expect("a number");
    assert!(count > 30 && (20_000..=90_000).contains(&bytes), "{count} files of {bytes} bytes");
}

#[test]
fn a_browser_that_lets_pages_store_nothing_will_do() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(
        "for (const area of ['localStorage', 'sessionStorage'])
             Object.defineProperty(window, area, { get() { throw new DOMException('Denied.', 'SecurityError'); } });",
    );
    let room = create_room(&ana, &server, "Ana");
    assert_eq!(
        ana.evaluate("(() => { try { return localStorage } catch (error) { return error.name } })()"),
        "SecurityError"
    );
    let mut ben = Terminal::join(&server, &room, "ben");
    say(&ana, "stored nowhere");
    ben.expect_said("<Ana> stored nowhere");
    ana.reload();
    wait_until_connected(&ana);
    say(&ana, "still here");
    ben.expect_said("<Ana> still here");
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_browser_of_some_years_ago_will_do() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    // What came to Firefox with version 119, and to Safari with 17.
    ana.prepare_pages(
        "for (const property of ['ariaBusy', 'ariaExpanded']) delete Element.prototype[property];
         delete URL.canParse;
         delete String.prototype.toWellFormed;",
    );
    create_room(&ana, &server, "Ana");
    say(&ana, "http://a.example/");
    for expanded in ["true", "false", "true"] {
        ana.wait_for(&format!("document.querySelector('#people').getAttribute('aria-expanded') === '{expanded}'"));
        let is_hidden = ana.evaluate("document.querySelector('#side').hidden");
        assert_eq!(is_hidden, expanded == "false");
        ana.click("#people");
    }
    assert_eq!(ana.evaluate("document.querySelector('#timeline').getAttribute('role')"), "log");
    assert_well_behaved(&ana, &server);
}

#[test]
fn what_is_said_neither_widens_the_page_nor_moves_what_is_read() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let room = create_room(&ana, &server, "Ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    say_all(&mut ben, &numbered("text", 60));
    wait_for_message(&ana, "text 59");
    scroll_to(&ana, "text 20");
    let place = place_of_what_is_read(&ana);
    let long_word = "x".repeat(4000);
    say_all(&mut ben, &[long_word.clone(), "the last one".to_owned()]);
    wait_for_message(&ana, &long_word);
    wait_for_message(&ana, "the last one");
    // Once more is laid out than that.
    ana.wait_for("document.querySelector('#newer')?.hidden === false");
    assert_eq!(place_of_what_is_read(&ana), place);
    for element in ["document.querySelector('#timeline')", "document.documentElement"] {
        assert_eq!(ana.evaluate(&format!("{element}.scrollWidth - {element}.clientWidth")), 0, "{element}");
    }
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_taken_name_is_refused_and_what_was_typed_is_kept() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let (ana, other) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "Ana");
    other.open(&home(&server));
    other.fill("#name", "ANA");
    other.fill("#code", &room.to_lowercase());
    other.click("#join");
    other.wait_for("document.querySelector('#reason') !== null");
    assert!(other.text("#reason").contains("taken"), "{}", other.text("#reason"));
    assert_eq!((other.value("#name"), other.value("#code")), ("ANA".to_owned(), room.to_lowercase()));
    other.wait_for("document.activeElement.id === 'name' && getSelection().toString() === 'ANA'");

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
    let chromium = Chromium::shared();
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
    let chromium = Chromium::shared();
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
    let chromium = Chromium::shared();
    let (ana, ben, room) = ana_and_ben(&chromium, &server);
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
fn a_crowd_is_listed_whole_while_people_come_and_go() {
    let server = Server::with(&["--max-per-ip", "0"]);
    let room = server.create_room();
    let mut crowd: Vec<WebSocketClient> =
        (0..450).map(|number| WebSocketClient::join(&server, &room, &format!("m{number:03}"))).collect();
    let chromium = Chromium::shared();
    let page = chromium.open_window();
    join_room(&page, &server, &room, "Ana");
    // All this happens while the page asks for the names that it was not told at once.
    for number in [1, 150, 198, 199, 200, 201, 300, 449] {
        crowd[number].send(json!({"type": "leave"}));
        crowd[number].expect_close(1000);
    }
    for number in [0, 197, 202, 400] {
        let to = format!("renamed{number}");
        crowd[number].send(json!({"type": "nick", "name": to}));
        crowd[number].expect_where("the new name", |message| message["type"] == "nick" && message["to"] == *to);
    }
    crowd.extend((0..8).map(|number| WebSocketClient::join(&server, &room, &format!("new{number}"))));
    let members = server.get(&format!("/api/v1/rooms/{room}")).json()["members"].clone();
    let members = members.as_array().expect("members").iter();
    let mut present: Vec<&str> = members.map(|member| member["name"].as_str().expect("a name")).collect();
    present.sort_unstable();
    assert_eq!(present.len(), 451, "{present:?}");
    wait_for_members(&page, &present);

    page.reload();
    wait_until_connected(&page);
    assert_eq!(page.text("#count"), "451", "they are counted before they are named");
    wait_for_members(&page, &present);
    assert_eq!(page.evaluate("document.querySelector('[data-name=Ana] small').textContent"), "you");
    assert_well_behaved(&page, &server);
}

/// What the page does with an answer that is older than what it has been told since it asked.
#[test]
fn an_answer_that_comes_late_brings_nobody_back_and_loses_nobody() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let page = chromium.open_window();
    create_room(&page, &server, "Ana");
    page.evaluate(
        "import(document.querySelector('script').src.replace('room.js', 'members.js')).then(({ Members }) => {
            const [list, count] = [document.createElement('ul'), document.createElement('p')];
            const members = new Members(list, count);
            const people = (...names) => names.map(name => ({ name, via: 'web' }));
            const state = () => [...list.children].map(item => item.dataset.name).join(' ') + ', ' + count.textContent;
            window.states = [];
            const note = () => window.states.push(state());
            members.replace({ members: people('me', 'b', 'a'), count: 7 }, 'me');
            note();
            window.states.push(JSON.stringify(members.question()));
            members.part('a');
            members.part('c');
            members.rename('d', 'z');
            members.enter({ name: 'e', via: 'line' });
            note();
            members.add({ members: people('c', 'd', 'z', 'f', 'me'), count: 7, more: true });
            note();
            window.states.push(JSON.stringify(members.question()));
            members.rename('f', 'ff');
            members.add({ members: people('g', 'e'), count: 7, more: false });
            note();
            window.states.push(String(members.incomplete));
        })",
    );
    page.wait_for("window.states?.length === 7");
    let states = json!([
        "a b me, 7",
        r#"{"type":"who","after":"a"}"#,
        "b e me, 6",
        "b e f me z, 7",
        r#"{"type":"who","after":"f"}"#,
        "b e ff g me z, 7",
        "true",
    ]);
    assert_eq!(page.evaluate("window.states"), states);
}

/// Says these texts, and waits until all of them are said.
fn say_all(speaker: &mut WebSocketClient, texts: &[String]) {
    for text in texts {
        speaker.say(text);
        speaker.expect_where(text, |message| message["text"] == **text);
    }
}

/// Follows an invitation through a proxy.
fn join_by_proxy(window: &Window, proxy: &Proxy, room: &str, name: &str) {
    window.open(&format!("http://{}/{room}", proxy.address));
    window.fill("#name", name);
    window.click("#join");
    wait_until_connected(window);
}

fn go_offline(window: &Window, proxy: &Proxy) {
    proxy.set_offline(true);
    window.wait_for("document.querySelector('#status').dataset.state !== 'open'");
}

fn come_back(window: &Window, proxy: &Proxy) {
    proxy.set_offline(false);
    // As the system does when the network is back.
    window.evaluate("window.dispatchEvent(new Event('online'))");
    wait_until_connected(window);
}

/// Has a page build all of its log, however far it is from what is in sight: for tests of what is in it.
fn build_everything(window: &Window) {
    window.prepare_pages(
        "window.IntersectionObserver = class {
            #callback;
            constructor(callback) { this.#callback = callback; }
            observe(target) {
                queueMicrotask(() => this.#callback([{ target, isIntersecting: true, boundingClientRect: { height: 0 } }]));
            }
            unobserve() {}
        };",
    );
}

/// Waits until the page shows exactly these messages, in this order, and their ids are in order.
fn wait_for_conversation(window: &Window, texts: &[String]) {
    window.evaluate(&format!("window.expected = {}", json!(texts)));
    window.wait_for(
        "(() => {
            const shown = [...document.querySelectorAll('#timeline [data-id].message .text')].map(text => text.textContent);
            return JSON.stringify(shown) === JSON.stringify(window.expected);
        })()",
    );
    let ids = window.evaluate("[...document.querySelectorAll('#timeline [data-id]')].map(event => +event.dataset.id)");
    let ids: Vec<u64> = serde_json::from_value(ids).expect("numbers");
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "each once and in order: {ids:?}");
}

/// Scrolls up to a message, as a reader does.
fn scroll_to(window: &Window, text: &str) {
    let text = json!(text);
    window.evaluate(&format!(
        "{{
            const isIt = element => element.querySelector('.text')?.textContent === {text};
            window.read = [...document.querySelectorAll('#timeline .message')].find(isIt);
            document.querySelector('#timeline').addEventListener('scroll', () => window.hasScrolled = true);
            window.read.scrollIntoView();
        }}"
    ));
    window.wait_for("window.hasScrolled");
}

/// Where in the window the message stands that was scrolled to.
fn place_of_what_is_read(window: &Window) -> f64 {
    window.evaluate("window.read.getBoundingClientRect().top").as_f64().expect("a number")
}

fn numbered(words: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{words} {number}")).collect()
}

/// What stands between the messages.
fn dividers(window: &Window) -> Vec<String> {
    let dividers =
        window.evaluate("[...document.querySelectorAll('#timeline .divider:not(.unread)')].map(it => it.textContent)");
    serde_json::from_value(dividers).expect("a list")
}

#[test]
fn what_was_said_while_a_page_was_offline_is_there_when_it_is_back() {
    let server = Server::with(&["--history", "5000", "--rate", "0", "--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let chromium = Chromium::shared();
    let (ana, cleo) = (chromium.open_window(), chromium.open_window());
    for window in [&ana, &cleo] {
        build_everything(window);
    }
    join_by_proxy(&ana, &proxy, &room, "Ana");
    join_by_proxy(&cleo, &proxy, &room, "Cleo");
    let mut texts = numbered("before", 40);
    say_all(&mut ben, &texts);
    for window in [&ana, &cleo] {
        wait_for_conversation(window, &texts);
    }
    // Cleo reads what was said before.
    scroll_to(&cleo, "before 12");
    let cleos_place = place_of_what_is_read(&cleo);
    for window in [&ana, &cleo] {
        go_offline(window, &proxy);
    }
    let missed = numbered("missed", 1300);
    say_all(&mut ben, &missed);
    texts.extend(missed);
    // Ana's page does not ask before Ana reads in the middle of what has come.
    ana.evaluate(
        "(() => {
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (text) {
                if (window.mayAsk || JSON.parse(text).type !== 'history') send.call(this, text);
                else window.ask = () => { window.mayAsk = true; send.call(this, text); };
            };
        })()",
    );
    for window in [&ana, &cleo] {
        come_back(window, &proxy);
    }
    scroll_to(&ana, "missed 1000");
    let anas_place = place_of_what_is_read(&ana);
    assert_eq!(dividers(&ana), ["Fetching what was said meanwhile…"]);
    // What is said meanwhile comes after it.
    let after = numbered("after", 20);
    say_all(&mut ben, &after);
    texts.extend(after);
    ana.wait_for("window.ask !== undefined");
    ana.evaluate("window.ask()");
    for window in [&ana, &cleo] {
        wait_for_conversation(window, &texts);
        assert_eq!(dividers(window), [] as [&str; 0], "nothing is missing");
    }
    for (window, place) in [(&cleo, cleos_place), (&ana, anas_place)] {
        // Browsers scroll by whole pixels.
        let moved = place_of_what_is_read(window) - place;
        assert!(moved.abs() < 3.0, "what is read has moved by {moved}");
    }
    cleo.wait_for("document.querySelector('#newer').textContent === '1320 new'");
}

#[test]
fn a_connection_lost_while_catching_up_loses_nothing() {
    let server = Server::with(&["--history", "5000", "--rate", "0", "--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    build_everything(&ana);
    join_by_proxy(&ana, &proxy, &room, "Ana");
    let mut texts = numbered("before", 3);
    say_all(&mut ben, &texts);
    wait_for_conversation(&ana, &texts);
    go_offline(&ana, &proxy);
    let missed = numbered("missed", 1300);
    say_all(&mut ben, &missed);
    texts.extend(missed);

    // The second page that it asks for never comes.
    ana.evaluate(
        "(() => {
            const send = WebSocket.prototype.send;
            window.asked = 0;
            WebSocket.prototype.send = function (text) {
                if (JSON.parse(text).type === 'history') window.asked += 1;
                if (window.asked === 2) this.close();
                else send.call(this, text);
            };
        })()",
    );
    proxy.set_offline(false);
    ana.evaluate("window.dispatchEvent(new Event('online'))");
    ana.wait_for("window.asked === 2");
    proxy.set_offline(true);
    let more = numbered("more", 900);
    say_all(&mut ben, &more);
    texts.extend(more);
    ana.evaluate("window.asked = 3");
    come_back(&ana, &proxy);
    wait_for_conversation(&ana, &texts);
    assert_eq!(dividers(&ana), [] as [&str; 0], "nothing is missing");
    // What was missed is read from its beginning.
    ana.wait_for("document.querySelector('#newer').dataset.missed === '2200'");
    ana.wait_for("document.querySelectorAll('.unread, .unread ~ .message .text, .block:has(.unread) + .block .text')[1].textContent === 'missed 1'");
}

#[test]
fn a_page_says_what_is_gone_only_when_it_is() {
    let server = Server::with(&["--history", "300", "--rate", "0", "--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    build_everything(&ana);
    join_by_proxy(&ana, &proxy, &room, "Ana");
    let before = numbered("before", 3);
    say_all(&mut ben, &before);
    wait_for_conversation(&ana, &before);
    go_offline(&ana, &proxy);
    let missed = numbered("missed", 1000);
    say_all(&mut ben, &missed);
    come_back(&ana, &proxy);
    ana.wait_for(
        "document.querySelector('#timeline .divider:not(.unread)')?.textContent === 'Earlier messages are missing'",
    );
    let shown = timeline(&ana);
    let texts: Vec<&str> = shown.iter().filter_map(|event| event.split_once(' ')).map(|(_, text)| text).collect();
    let kept: Vec<&str> = before.iter().chain(&missed[700..]).map(String::as_str).collect();
    assert_eq!(texts[texts.len() - kept.len()..], kept);
    assert_eq!(dividers(&ana).len(), 1);
}

#[test]
fn a_slow_line_only_takes_longer() {
    let server = Server::with(&["--history", "5000", "--rate", "0", "--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    build_everything(&ana);
    join_by_proxy(&ana, &proxy, &room, "Ana");
    go_offline(&ana, &proxy);
    let texts: Vec<String> = (1..=700).map(|number| format!("{number} {}", "x".repeat(1200))).collect();
    say_all(&mut ben, &texts);
    // What takes a minute takes six seconds: the line is ten times as fast, and everybody waits a tenth as long.
    ana.evaluate(
        "(() => { const wait = setTimeout; window.setTimeout = (run, delay_ms) => wait(run, delay_ms / 10); })()",
    );
    proxy.set_rate(200_000);
    come_back(&ana, &proxy);
    // The others are fetched in as small a part at a time as can be had in time.
    wait_for_conversation(&ana, &texts);
    say(&ana, "here");
}

/// The page's connection ends whenever it sends a text that is "bad".
const BREAKING_TEXT: &str = "(() => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
        if (JSON.parse(text).text === 'bad') this.close();
        else send.call(this, text);
    };
})()";

#[test]
fn a_text_that_breaks_every_connection_is_given_up() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    ana.evaluate(BREAKING_TEXT);
    for text in ["bad", "good"] {
        ana.fill("#text", text);
        ana.press("Enter");
    }
    wait_for_message(&ana, "good");
    assert_eq!(failed(&ana), [("bad".to_owned(), "Not sent. The connection breaks whenever it is sent.".to_owned())]);
    say(&ana, "better");
}

#[test]
fn an_event_that_the_page_does_not_know_leaves_it_in_the_room() {
    let server = Server::with(&["--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    go_offline(&ana, &proxy);
    say_all(&mut ben, &["new".to_owned(), "old".to_owned()]);
    // As of a server that has been replaced by a newer one meanwhile.
    ana.evaluate(
        "(() => {
            const parse = JSON.parse;
            JSON.parse = (text) => parse(text, (key, value) => value?.text === 'new' ? { ...value, type: 'novelty' } : value);
        })()",
    );
    come_back(&ana, &proxy);
    wait_for_notice(&ana, "Ben did something that this page cannot show");
    wait_for_message(&ana, "old");
    say(&ana, "here");
}

/// The page itself gives what it sends the answers of a server whose disk is full, `window.refusals` times.
const FULL_DISK: &str = "(() => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
        const { type, cid } = JSON.parse(text);
        if (window.refusals === 0 || type === 'typing') return send.call(this, text);
        window.refusals -= 1;
        const data = JSON.stringify({ type: 'error', code: 'storage_failed', message: 'Not stored.', cid });
        setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data })));
    };
})()";

#[test]
fn what_cannot_be_stored_is_tried_again_by_the_page_itself() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    ana.evaluate(FULL_DISK);
    ana.evaluate("window.refusals = 1");
    for text in ["one", "two"] {
        ana.fill("#text", text);
        ana.press("Enter");
    }
    ana.wait_for("document.querySelector('#waiting .delayed .fate')?.textContent.startsWith('Not sent. ')");
    ana.wait_for("document.querySelector('#waiting .waiting .text')?.textContent === 'two'");
    wait_for_message(&ana, "two");
    ana.wait_for("document.querySelector('#waiting').children.length === 0");

    // Neither is a page left outside.
    ana.evaluate("window.refusals = 1; window.dispatchEvent(new Event('offline'));");
    ana.wait_for("document.querySelector('#status').dataset.state === 'refused'");
    wait_until_connected(&ana);
    let shown = timeline(&ana);
    assert!(shown[1..].iter().map(String::as_str).eq(["2 one", "3 two"]), "{shown:?}");
}

/// The page itself refuses what it sends, `window.refusals` times, without saying which message it means.
const NAMELESS_REFUSALS: &str = "(() => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
        if (window.refusals === 0 || JSON.parse(text).type !== 'message') return send.call(this, text);
        window.refusals -= 1;
        const data = JSON.stringify({ type: 'error', code: 'bad_request', message: 'Not understood.' });
        setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data })));
    };
})()";

/// The beginnings of the texts that the page shows as not sent, each with the reason.
fn failed(window: &Window) -> Vec<(String, String)> {
    let failed = window.evaluate(
        "[...document.querySelectorAll('#waiting .failed')].map(it => \
         [it.querySelector('.text').textContent.slice(0, 20), it.querySelector('.fate').textContent])",
    );
    serde_json::from_value(failed).expect("pairs of texts")
}

#[test]
fn a_text_that_the_server_does_not_take_stands_in_the_way_of_no_other() {
    let server = Server::with(&["--max-message", "100", "--rate", "0", "--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let room = create_room(&ana, &server, "Ana");
    // Half an emoji, as programs leave it that cut a text.
    ana.evaluate("void (document.querySelector('#text').value = 'half \\ud83d')");
    ana.click("#text");
    ana.press("Enter");
    wait_for_message(&ana, "half \u{FFFD}");

    ana.evaluate(NAMELESS_REFUSALS);
    ana.evaluate("window.refusals = 1");
    for text in ["one", "two"] {
        ana.fill("#text", text);
        ana.press("Enter");
    }
    wait_for_message(&ana, "two");
    assert_eq!(failed(&ana), [("one".to_owned(), "Not sent. Not understood.".to_owned())]);

    // What an earlier page has left is sent by the next one, as far as it can be.
    let left = json!([
        {"cid": "c1", "kind": "say", "text": "long ", "times": 30},
        null,
        {"cid": "c2", "kind": "say", "text": "longer ", "times": 20_000},
        {"cid": "c3"},
        {"kind": "say", "text": "without an id"},
        {"cid": "c4", "kind": "shout", "text": "shouted"},
        {"cid": "c".repeat(65), "kind": "say", "text": "named too long"},
        {"cid": "c5", "kind": "me", "text": "waves"},
    ]);
    ana.evaluate(&format!(
        "(() => {{
            const left = {left};
            for (const entry of left) {{
                if (entry?.times) entry.text = entry.text.repeat(entry.times);
                if (entry) entry.time = Date.now();
            }}
            left.push({{ cid: 'c6', kind: 'say', text: 'half again \\ud83d', time: Date.now() }});
            localStorage.setItem('snug:/:{room}:outbox:Ana', JSON.stringify(left));
        }})()"
    ));
    ana.reload();
    wait_for_message(&ana, "half again \u{FFFD}");
    wait_for_message(&ana, "without an id");
    wait_for_message(&ana, "* Ana waves");
    let failed = failed(&ana);
    let texts: Vec<&str> = failed.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["one", "long long long long ", "longer longer longer", "shouted", "named too long"]);
    for (text, reason) in &failed {
        assert!(reason.len() > "Not sent. ".len(), "{text}: {reason}");
    }
    wait_until_connected(&ana);

    // What failed can be mended.
    ana.fill("#text", "and more");
    ana.evaluate(
        "[...document.querySelectorAll('#waiting .failed:nth-child(4) button')]\
         .find(button => button.textContent === 'Edit').click()",
    );
    ana.wait_for("document.querySelector('#text').value === 'shouted\\nand more'");
    ana.click("#text");
    ana.press("Enter");
    wait_for_message(&ana, "shouted\nand more");
    ana.wait_for("document.querySelectorAll('#waiting .failed').length === 4");
}

#[test]
fn a_text_that_no_connection_brings_an_answer_to_is_given_up() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let page = chromium.open_window();
    create_room(&page, &server, "Ana");
    // An hour passes in a few seconds for what is waited for from here on.
    page.evaluate(
        "import(document.querySelector('script').src.replace('room.js', 'outbox.js')).then(({ Outbox }) => {
            const setTimeout = window.setTimeout;
            window.setTimeout = (run, delay_ms) => setTimeout(run, delay_ms / 1000);
            window.sent = [];
            const outbox = new Outbox('test', 'Ana', {
                transmit: ({ text }) => window.sent.push(text),
                late: () => window.sent.push('late'),
                changed: (entries) => { window.waiting = entries; },
                paused: () => {},
                unanswered: () => { outbox.close(); outbox.open(0); },
            });
            window.answer = () => outbox.acknowledge(window.waiting.at(-1).cid);
            outbox.add('say', 'one');
            outbox.add('say', 'two');
            outbox.open(0);
        })",
    );
    page.wait_for("window.sent?.slice(0, 7).join() === 'one,late,one,late,one,late,two'");
    page.evaluate("window.answer()");
    page.wait_for("window.waiting.map(({ text, failure }) => `${text}: ${failure}`).join() === 'one: The server does not answer.'");
}

#[test]
fn a_server_that_takes_its_time_is_waited_for() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    // As long as another program holds the data file: 25 s, a tenth of it here, like all that the page waits.
    ana.evaluate(
        "(() => {
            const [send, wait] = [WebSocket.prototype.send, setTimeout];
            WebSocket.prototype.send = function (text) {
                if (JSON.parse(text).type === 'message') wait(() => send.call(this, text), 2500);
                else send.call(this, text);
            };
            window.setTimeout = (run, delay_ms) => wait(run, delay_ms / 10);
        })()",
    );
    say(&ana, "at last");
    assert_eq!(web_sockets(&ana), 1, "the connection is kept");
    assert_eq!(timeline(&ana)[1..], ["2 at last"]);
}

/// WebSockets that the page has opened so far.
fn web_sockets(window: &Window) -> usize {
    window.seen().requests.iter().filter(|request| request.starts_with("ws:")).count()
}

#[test]
fn a_connection_that_is_dead_without_a_word_is_noticed() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    ana.evaluate(
        "(() => {
            const send = WebSocket.prototype.send;
            window.sent = [];
            WebSocket.prototype.send = function (text) {
                window.sent.push(JSON.parse(text).type);
                if (this !== window.dead) send.call(this, text);
                window.latest = this;
            };
        })()",
    );
    // One that lives answers, and is kept.
    for [target, event] in [["window", "online"], ["document", "visibilitychange"], ["navigator.connection", "change"]]
    {
        // Whatever is said is an answer to the ping before.
        say(&ana, event);
        ana.evaluate(&format!("window.sent = []; {target}.dispatchEvent(new Event({event:?}));"));
        ana.wait_for("window.sent.includes('ping')");
    }
    say(&ana, "still here");
    assert_eq!(web_sockets(&ana), 1);

    ana.evaluate("window.dead = window.latest; window.dispatchEvent(new Event('online'));");
    ana.wait_for("window.sent.at(-1) === 'join'");
    wait_until_connected(&ana);
    say(&ana, "here again");
    assert_eq!(web_sockets(&ana), 2);
    assert_eq!(timeline(&ana)[4..], ["5 still here", "6 here again"]);

    // Silence is asked about as well, here after a shorter time.
    ana.evaluate(
        "(() => {
            const setTimeout = window.setTimeout;
            window.setTimeout = (run, delay_ms) => setTimeout(run, delay_ms === 20_000 ? 50 : delay_ms);
            window.sent = [];
        })()",
    );
    say(&ana, "and silent");
    ana.wait_for("window.sent.filter(type => type === 'ping').length > 2");
    assert_eq!(web_sockets(&ana), 2);
    assert_well_behaved(&ana, &server);
}

#[test]
fn what_a_client_calls_its_messages_is_in_the_order_of_time() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_room(&ana, &server, &room, "Ana");
    let mut cids = Vec::new();
    for text in ["one", "two", "three"] {
        say(&ana, text);
        let message = ben.expect_where(text, |message| message["text"] == text);
        cids.push(message["cid"].as_str().expect("a client's id").to_owned());
    }
    assert!(cids.is_sorted() && cids.iter().all(|cid| cid.len() == 23), "{cids:?}");
    assert_eq!(cids[0][..3], cids[2][..3], "they begin with the time");
}

#[test]
fn without_scripts_the_form_leads_to_the_room() {
    let server = Server::start();
    let room = server.create_room();
    let chromium = Chromium::shared();
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
fn a_browser_with_too_many_cookies_is_told_what_to_do() {
    let server = Server::start();
    let room = server.create_room();
    let chromium = Chromium::shared();
    let window = chromium.open_window();
    window.open(&home(&server));
    // As other programs do that serve this address at another port.
    window.evaluate("for (let n = 0; n < 10; n++) document.cookie = `other${n}=${'x'.repeat(3900)}; path=/`");
    window.wait_for("document.cookie.length > 32 * 1024");
    window.open(&format!("{}{room}", home(&server)));
    window.wait_for("document.querySelector('.error')?.textContent.includes('32 KiB of cookies')");
    window.wait_for("getComputedStyle(document.body).display === 'grid'");
    assert!(!window.seen().complaints.iter().any(|complaint| complaint.contains("Content Security Policy")));
    window.evaluate("for (let n = 0; n < 10; n++) document.cookie = `other${n}=; path=/; max-age=0`");
    window.click("button");
    assert_eq!(window.value("#code"), room);
}

#[test]
fn the_watch_over_pages_notices_errors_and_requests_to_others() {
    let server = Server::start();
    let chromium = Chromium::shared();
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
