//! Several tabs of one browser: as one member, as two, and in two rooms. And what a tab tells while it is out of sight.

use super::*;

/// Opens the room in another tab of the same browser, as the same member.
fn open_again(tab: &Window, server: &Server, room: &str) -> Window {
    let other = tab.open_tab();
    other.open(&format!("{}{room}", home(server)));
    wait_until_connected(&other);
    other
}

fn wait_for_state(window: &Window, state: &str) {
    window.wait_for(&format!("document.querySelector('#status').dataset.state === {state:?}"));
}

/// What waits to be said, as the page shows it.
fn waiting(window: &Window) -> Vec<String> {
    let texts = window.evaluate("[...document.querySelectorAll('#waiting .text')].map(text => text.textContent)");
    serde_json::from_value(texts).expect("texts")
}

#[test]
fn the_second_tab_takes_over_and_nothing_of_either_is_lost() {
    let server = Server::with(&["--grace", "1m", "--rate", "0"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = Terminal::join(&server, &room, "ben");
    let chromium = Chromium::shared();
    let first = chromium.open_window();
    join_by_proxy(&first, &proxy, &room, "Ana");
    proxy.set_offline(true);
    first.wait_for("document.querySelector('#status').dataset.state !== 'open'");
    for text in ["one", "two"] {
        first.fill("#text", text);
        first.press("Enter");
    }
    // The second one cannot come in either, and something is written in both.
    let second = first.open_tab();
    second.prepare_pages(
        "(() => { const send = WebSocket.prototype.send;
                  WebSocket.prototype.send = function (text) { if (window.mayJoin) send.call(this, text); }; })()",
    );
    first.evaluate(
        "(() => { const send = WebSocket.prototype.send;
                  WebSocket.prototype.send = function (text) { if (window.mayJoin) send.call(this, text); }; })()",
    );
    proxy.set_offline(false);
    second.open(&format!("http://{}/{room}", proxy.address));
    second.wait_for("document.querySelectorAll('#waiting .text').length === 2");
    second.fill("#text", "three");
    second.press("Enter");
    first.wait_for("document.querySelectorAll('#waiting .text').length === 3");
    first.fill("#text", "four");
    first.press("Enter");
    second.wait_for("document.querySelectorAll('#waiting .text').length === 4");
    for tab in [&first, &second] {
        assert_eq!(waiting(tab), ["one", "two", "three", "four"]);
    }
    for tab in [&second, &first] {
        tab.evaluate("window.mayJoin = true; window.dispatchEvent(new Event('offline'))");
        tab.evaluate("window.dispatchEvent(new Event('online'))");
    }
    for text in ["one", "two", "three", "four"] {
        ben.expect_said(&format!("<Ana> {text}"));
    }
    for tab in [&first, &second] {
        tab.wait_for("document.querySelector('#waiting').children.length === 0");
    }
    ben.send_line("end");
    let lines = ben.catch_up();
    assert!(!lines.iter().any(|line| line.contains("<Ana>")), "each is said once: {lines:?}");
    assert_eq!(first.evaluate("Object.keys(localStorage).filter(key => key.includes('outbox')).length"), 0);
}

#[test]
fn a_tab_that_was_taken_over_can_take_over_again() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let first = chromium.open_window();
    let room = create_room(&first, &server, "Ana");
    first.fill("#text", "a draft of the first");
    let second = open_again(&first, &server, &room);
    wait_for_state(&first, "taken-over");
    assert_eq!(first.text("#status [role=status]"), "You are in this room in another tab or window.");
    // It does not come back by itself.
    let sockets = web_sockets(&first);
    first.evaluate("window.dispatchEvent(new Event('online')); document.dispatchEvent(new Event('visibilitychange'))");
    say(&second, "in the second");
    assert_eq!(web_sockets(&first), sockets);
    first.click("#status button");
    wait_until_connected(&first);
    wait_for_state(&second, "taken-over");
    wait_for_message(&first, "in the second");
    assert_eq!(first.value("#text"), "a draft of the first");
    wait_for_members(&first, &["Ana"]);
    assert_well_behaved(&first, &server);
}

#[test]
fn two_names_in_one_browser_stay_two_members() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let room = create_room(&ana, &server, "Ana");
    let ben = ana.open_tab();
    ben.open(&home(&server));
    ben.fill("#name", "Ben");
    ben.fill("#code", &room);
    ben.click("#join");
    wait_until_connected(&ben);
    for round in 1..=2 {
        for (tab, name) in [(&ana, "Ana"), (&ben, "Ben")] {
            tab.reload();
            wait_until_connected(tab);
            let text = format!("{name}, {round}");
            say(tab, &text);
            wait_for_members(tab, &["Ana", "Ben"]);
        }
    }
    // Neither by an address that is typed: the cookie that they share is Ben's.
    ana.open("about:blank");
    ana.open(&format!("{}{room}", home(&server)));
    wait_until_connected(&ana);
    say(&ana, "by the address");
    wait_for_message(&ben, "by the address");
    assert_eq!(
        ben.evaluate("[...document.querySelectorAll('#timeline .message')].at(-1).querySelector('.own') === null"),
        true
    );
    wait_until_connected(&ben);
    wait_for_members(&ben, &["Ana", "Ben"]);
    // Nobody came or went but at the beginning.
    assert_eq!(ben.evaluate("document.querySelectorAll('#timeline [data-id].notice').length"), 2);
}

#[test]
fn a_duplicated_tab_takes_over_once() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let first = chromium.open_window();
    let room = create_room(&first, &server, "Ana");
    // As browsers do that duplicate a tab: with all that it had in mind.
    let kept = first.evaluate("JSON.stringify(Object.entries(sessionStorage))");
    let copy = first.open_tab();
    copy.prepare_pages(&format!(
        "if (location.protocol === 'http:') for (const [key, value] of JSON.parse({kept})) sessionStorage.setItem(key, value);"
    ));
    copy.open(&format!("{}{room}", home(&server)));
    wait_until_connected(&copy);
    wait_for_state(&first, "taken-over");
    say(&copy, "from the copy");
    assert_eq!((web_sockets(&first), web_sockets(&copy)), (1, 1));
    wait_for_members(&copy, &["Ana"]);
}

#[test]
fn two_rooms_in_one_browser_go_on_beside_each_other() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let one = chromium.open_window();
    create_room(&one, &server, "Ana");
    let two = one.open_tab();
    create_room(&two, &server, "Zoe");
    for (tab, name) in [(&one, "Ana"), (&two, "Zoe")] {
        tab.reload();
        wait_until_connected(tab);
        say(tab, name);
        wait_for_members(tab, &[name]);
    }
}

#[test]
fn whose_message_it_is_does_not_go_by_the_name() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let (ana, other) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "Ana");
    say(&ana, "as Ana");
    ana.fill("#text", "/nick Anna");
    ana.press("Enter");
    wait_for_notice(&ana, "Ana is now Anna");
    join_room(&other, &server, &room, "Ana");
    say(&other, "as another Ana");
    say(&ana, "as Anna");
    let own = "[...document.querySelectorAll('#timeline .own .text')].map(text => text.textContent).join()";
    for _ in 0..2 {
        wait_for_message(&ana, "as another Ana");
        wait_for_message(&other, "as Anna");
        ana.wait_for(&format!("{own} === 'as Ana,as Anna'"));
        other.wait_for(&format!("{own} === 'as another Ana'"));
        for window in [&ana, &other] {
            window.reload();
            wait_until_connected(window);
        }
    }
}

/// What the page would show as the system's notifications, and whether it can be seen.
const WATCHED: &str = "(() => {
    window.shown = [];
    window.permission = 'default';
    window.Notification = class {
        static get permission() { return window.permission; }
        static async requestPermission() { return window.permission = 'granted'; }
        constructor(heading, { body, tag }) { window.shown.push({ heading, body, tag }); window.latest = this; }
        close() { window.isClosed = true; }
    };
    window.tones = 0;
    const { start } = OscillatorNode.prototype;
    OscillatorNode.prototype.start = function (when) { window.tones += 1; start.call(this, when); };
    let isHidden = false;
    Object.defineProperty(document, 'hidden', { get: () => isHidden });
    window.hide = (hidden) => { isHidden = hidden; document.dispatchEvent(new Event('visibilitychange')); };
})()";

fn choose(window: &Window, words: &str) {
    window.evaluate("document.querySelector('#own').click()");
    super::roles::choose(window, words);
    window.wait_for("document.querySelector('#menu').hidden");
}

#[test]
fn who_asks_for_it_is_told_of_what_is_said_out_of_sight() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(WATCHED);
    let room = create_room(&ana, &server, "Ana");
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let shown = "window.shown.map(({ body }) => body).join()";
    let icon = "document.querySelector('link[rel=icon]').href";
    let plain_icon = ana.evaluate(icon);
    ana.evaluate("window.hide(true)");
    ben.say("nobody asked for it");
    ana.wait_for("document.title.startsWith('(1) ')");
    ana.wait_for(&format!("{icon}.startsWith('data:image/svg+xml,') && decodeURIComponent({icon}).includes('>1<')"));
    assert_eq!(ana.evaluate(shown), "");
    ana.evaluate("window.hide(false)");
    ana.wait_for("!document.title.startsWith('(')");
    assert_eq!(ana.evaluate(icon), plain_icon);

    choose(&ana, "Notify me of my name");
    ben.say("Ana, in sight");
    wait_for_message(&ana, "Ana, in sight");
    ana.evaluate("window.hide(true)");
    say_all(&mut ben, &["to all".to_owned(), "ana: are you there?".to_owned(), "to all again".to_owned()]);
    wait_for_message(&ana, "to all again");
    assert_eq!(ana.evaluate(shown), "ana: are you there?");
    assert_eq!(ana.evaluate("window.shown[0].heading"), format!("Ben – {room}"));
    assert_eq!(ana.evaluate("window.tones"), 0);
    // A click leads here.
    ana.evaluate("window.focus = () => { window.isFocused = true; }; window.latest.onclick()");
    assert_eq!(ana.evaluate("window.isFocused && window.isClosed"), true);

    ana.evaluate("window.hide(false)");
    choose(&ana, "Notify me of everything");
    choose(&ana, "With a sound");
    ana.reload();
    wait_until_connected(&ana);
    // Browsers make no sound before somebody has done something in a page.
    ana.click("#text");
    ana.evaluate("window.permission = 'granted'; window.hide(true)");
    ben.say("after a reload");
    ana.wait_for(&format!("{shown} === 'after a reload'"));
    ana.wait_for("window.tones === 1");
    ana.evaluate("window.hide(false)");
    choose(&ana, "Do not notify me");
    ana.evaluate("window.hide(true)");
    ben.say("no more");
    wait_for_message(&ana, "no more");
    assert_eq!(ana.evaluate(shown), "after a reload");
    assert_well_behaved(&ana, &server);
}
