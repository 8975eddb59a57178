//! Every state of a room's page has its words and its ways out, and whatever goes wrong in one part does no harm to the
//! rest.

use std::time::{Duration, Instant};

use super::*;

/// The page's connection as the server plays it: `window.close(code, reason)` ends it, and the refusals in
/// `window.refusals` are what the next attempts get.
const PLAYED_SERVER: &str = "(() => {
    const send = WebSocket.prototype.send;
    window.refusals = [];
    window.joins = [];
    WebSocket.prototype.send = function (text) {
        window.socket = this;
        const message = JSON.parse(text);
        if (message.type === 'join') window.joins.push(message);
        const refusal = message.type === 'join' && window.refusals.shift();
        if (!refusal) return send.call(this, text);
        const data = JSON.stringify({ type: 'error', ...refusal });
        setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data })));
    };
    window.end = (code, reason = '') => window.socket.dispatchEvent(new CloseEvent('close', { code, reason }));
})()";

fn open_page(chromium: &Chromium) -> Window {
    let window = chromium.open_window();
    window.prepare_pages(PLAYED_SERVER);
    window
}

fn wait_for_state(window: &Window, state: &str) {
    window.wait_for(&format!("document.querySelector('#status').dataset.state === {state:?}"));
}

/// What is told aloud, what is shown beside it, and what can be done.
fn face(window: &Window) -> (String, String, Vec<String>) {
    let ways = window.evaluate("[...document.querySelectorAll('#status :is(button, a)')].map(it => it.textContent)");
    let detail = window.evaluate("document.querySelector('#status .detail')?.textContent ?? ''");
    let ways = serde_json::from_value(ways).expect("a list");
    (window.text("#status [role=status]"), detail.as_str().expect("text").to_owned(), ways)
}

fn is_composer_shown(window: &Window) -> bool {
    window.evaluate("document.querySelector('#text').getClientRects().length > 0") == true
}

#[test]
fn a_lost_connection_is_told_once_and_counts_down() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    ana.evaluate(
        "(() => {
            window.told = [];
            const words = document.querySelector('#status [role=status]');
            new MutationObserver(() => window.told.push(words.textContent))
                .observe(words, { childList: true, characterData: true, subtree: true });
        })()",
    );
    server.crash();
    wait_for_state(&ana, "reconnecting");
    ana.wait_for("/^Trying again in [2-9] s\\.$/.test(document.querySelector('#status .detail')?.textContent)");
    ana.wait_for("/^Trying again in 1 s\\.$/.test(document.querySelector('#status .detail')?.textContent)");
    ana.fill("#text", "one");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#status .detail').textContent.endsWith(' 1 message waits here.')");
    let (words, _, ways) = face(&ana);
    assert_eq!((words.as_str(), ways), ("Connection lost.", vec!["Try now".to_owned()]));
    assert_eq!(ana.evaluate("window.told"), json!(["Connection lost."]));
    assert_eq!(ana.evaluate("document.querySelector('#status .detail').closest('[role=status]')"), json!(null));
    // Whoever is about to press the button does, though the words change around it.
    ana.evaluate("document.querySelector('#status button').focus()");
    let sockets = web_sockets(&ana);
    eventually("another attempt", || (web_sockets(&ana) > sockets).then_some(()));
    ana.wait_for("/ in [2-9] s/.test(document.querySelector('#status .detail').textContent)");
    ana.wait_for("document.activeElement.textContent === 'Try now'");
    let before = web_sockets(&ana);
    ana.press("Enter");
    eventually("one at once", || (web_sockets(&ana) > before).then_some(()));
}

#[test]
fn a_server_that_restarts_is_said_to() {
    let mut server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    say(&ana, "one");
    say(&ana, "two");
    let (web, line) = (server.web.to_string(), server.line().to_string());
    server.signal("TERM");
    wait_for_state(&ana, "restarting");
    assert_eq!(ana.text("#status [role=status]"), "The server is restarting.");
    assert!(is_composer_shown(&ana));
    server.wait();
    // It goes on being one while it is not back.
    ana.wait_for("/ in [2-9] s/.test(document.querySelector('#status .detail').textContent)");
    wait_for_state(&ana, "restarting");
    drop(server);
    let _server = Server::with(&["--listen", &web, "--line-listen", &line]);
    wait_until_connected(&ana);
    // Its ids begin again, and Tab leads to what is said now.
    say(&ana, "anew");
    let reached =
        "[...document.querySelectorAll('#timeline .message[tabindex=\"0\"] .text')].map(it => it.textContent)";
    assert_eq!(ana.evaluate(reached), json!(["anew"]));
}

#[test]
fn a_page_comes_back_when_the_server_that_stops_has_asked_it_to() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = open_page(&chromium);
    create_room(&ana, &server, "Ana");
    ana.evaluate("window.ended_ms = performance.now()");
    ana.evaluate("window.end(1001, 'The server is stopping; come back in 3000 ms.')");
    wait_for_state(&ana, "restarting");
    ana.wait_for("/ in [23] s/.test(document.querySelector('#status .detail').textContent)");
    wait_until_connected(&ana);
    let waited_ms = ana.evaluate("performance.now() - window.ended_ms").as_f64().expect("a number");
    assert!(waited_ms >= 2_990.0, "{waited_ms}");
}

#[test]
fn offline_a_page_tells_how_much_waits_and_can_be_loaded_again() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    // What an earlier version has kept goes, and what another program at this address has kept stays.
    ana.open(&format!("{}healthz", home(&server)));
    ana.evaluate(
        "Promise.all(['snug / http://old/', 'other'].map(name => caches.open(name))).then(() => window.done = true)",
    );
    ana.wait_for("window.done");
    let room = create_room(&ana, &server, "Ana");
    ana.evaluate(
        "(async () => {
            const kept = async () => {
                for (const name of await caches.keys()) {
                    const paths = (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname);
                    if (paths.includes(location.pathname) && paths.some((path) => path.endsWith('/words/en.js'))) return paths;
                }
            };
            while (!(window.kept = await kept())) await new Promise((go) => setTimeout(go, 50));
        })()",
    );
    ana.wait_for("window.kept !== undefined");
    let kept: Vec<String> = serde_json::from_value(ana.evaluate("window.kept")).expect("paths");
    let is_shell = |path: &String| path == "/" || *path == format!("/{room}") || path.starts_with("/assets/");
    assert!(kept.iter().all(is_shell), "{kept:?}");
    ana.evaluate("caches.keys().then(names => window.names = names)");
    ana.wait_for(
        "window.names?.length === 2 && window.names.includes('other') && !window.names.some(it => it.includes('old'))",
    );
    ana.set_offline(true);
    wait_for_state(&ana, "offline");
    for text in ["one", "two"] {
        ana.fill("#text", text);
        ana.press("Enter");
    }
    ana.wait_for("document.querySelector('#status .detail')?.textContent === '2 messages wait here.'");
    assert_eq!(face(&ana).0, "You are offline.");
    ana.reload();
    wait_for_state(&ana, "offline");
    ana.wait_for("document.querySelector('#status .detail')?.textContent === '2 messages wait here.'");
    ana.set_offline(false);
    wait_until_connected(&ana);
    wait_for_message(&ana, "two");
    assert!(timeline(&ana)[1..].iter().map(String::as_str).eq(["2 one", "3 two"]));
}

#[test]
fn a_room_that_is_over_says_why_and_what_can_be_done() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = open_page(&chromium);
    create_room(&ana, &server, "Ana");
    let start = "To the start page";
    let ends: [(&str, &str, &str, &[&str]); 4] = [
        ("end(1000)", "left", "You have left this room.", &["Join again", start]),
        ("end(4001, '')", "taken-over", "You are in this room in another tab or window.", &["Use it here"]),
        ("end(4003, '')", "kicked", "You were removed from this room.", &["Join again", start]),
        (
            "end(4001, 'The password was changed, or the account is gone.')",
            "taken-over",
            "The password was changed, or the account is gone.",
            &["Join again"],
        ),
    ];
    for (end, state, words, ways) in ends {
        ana.click("#text");
        ana.evaluate(&format!("window.{end}"));
        wait_for_state(&ana, state);
        let (said, _, offered) = face(&ana);
        assert_eq!((said.as_str(), offered.iter().map(String::as_str).collect::<Vec<_>>()), (words, ways.to_vec()));
        assert!(!is_composer_shown(&ana), "{state}");
        // The keyboard is at what is told of it, and presses nothing.
        assert_eq!(ana.evaluate("document.activeElement.id"), "status", "{state}");
        ana.click("#status button");
        wait_until_connected(&ana);
        assert!(is_composer_shown(&ana), "{state}");
        assert_eq!(ana.evaluate("document.activeElement.id"), "text", "{state}");
    }
    let refusals: [(&str, &str, &[&str], bool); 5] = [
        ("banned", "banned", &["Try now", start], false),
        ("room_locked", "locked", &["Try now", start], false),
        ("no_such_room", "gone", &["Create it anew", start], false),
        ("room_full", "refused", &["Try now", start], true),
        ("storage_failed", "refused", &["Try now"], true),
    ];
    for (code, state, ways, can_write) in refusals {
        let refusal = json!({"code": code, "message": format!("Because of {code}."), "retry_ms": 60_000});
        ana.evaluate(&format!("window.refusals.push({refusal}); window.dispatchEvent(new Event('offline'))"));
        ana.wait_for("window.refusals.length === 0");
        wait_for_state(&ana, state);
        let (said, detail, offered) = face(&ana);
        assert_eq!(offered, ways, "{code}");
        assert!(!said.is_empty());
        assert_eq!(detail.starts_with("Trying again in "), can_write, "{code}: {detail}");
        assert_eq!(is_composer_shown(&ana), can_write, "{code}");
        if state == "gone" {
            assert_eq!(ana.evaluate("document.querySelector('.invite').getClientRects().length"), 0);
        }
        ana.evaluate("window.joins = []");
        ana.click("#status button");
        wait_until_connected(&ana);
        assert_eq!(ana.evaluate("window.joins[0].create"), true, "it may bring the room back");
    }
}

#[test]
fn who_is_in_at_once_is_told_of_no_connecting() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    // However slow the machine is, the time after which it is told does not pass before it is asked to.
    ana.prepare_pages(
        "(() => {
            const wait = setTimeout;
            window.setTimeout = (run, delay_ms) => (delay_ms === 300 ? void (window.pass = run) : wait(run, delay_ms));
            window.faces = [];
            new MutationObserver(() => {
                const status = document.querySelector('#status');
                if (status && !status.hidden && status.innerText) window.faces.push(status.innerText);
            }).observe(document, { childList: true, subtree: true, attributes: true });
        })()",
    );
    create_room(&ana, &server, "Ana");
    let faces: Vec<String> = serde_json::from_value(ana.evaluate("window.faces")).expect("texts");
    assert!(!faces.is_empty() && faces.iter().all(|face| face == "Connected as Ana"), "{faces:?}");
    ana.prepare_pages("WebSocket.prototype.send = () => {}");
    ana.reload();
    ana.wait_for("window.pass !== undefined");
    assert_eq!(ana.evaluate("window.faces"), json!([]));
    ana.evaluate("window.pass()");
    ana.wait_for("document.querySelector('#status').innerText === 'Connecting…'");
}

#[test]
fn a_connection_through_which_nothing_comes_is_noticed() {
    let server = Server::with(&["--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    for event in ["window.dispatchEvent(new Event('online'))", "document.dispatchEvent(new Event('visibilitychange'))"]
    {
        proxy.set_frozen(true);
        let start = Instant::now();
        ana.evaluate(event);
        ana.wait_for("document.querySelector('#status').dataset.state !== 'open'");
        let waited = start.elapsed();
        assert!(waited < Duration::from_secs(5), "{event}: {waited:?}");
        proxy.set_frozen(false);
        ana.evaluate("window.dispatchEvent(new Event('online'))");
        wait_until_connected(&ana);
    }
    // Without any event, a tenth of the time passes here.
    ana.evaluate("(() => { const wait = setTimeout; window.setTimeout = (run, ms) => wait(run, ms / 10); })()");
    say(&ana, "before");
    proxy.set_frozen(true);
    let start = Instant::now();
    ana.wait_for("document.querySelector('#status').dataset.state !== 'open'");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn a_page_that_the_browser_has_kept_comes_back_with_a_new_connection() {
    let server = Server::with(&["--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = Terminal::join(&server, &room, "ben");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    // Its socket leads nowhere, and nobody says so.
    proxy.set_frozen(true);
    ben.send_line("meanwhile");
    ana.evaluate("window.old = true");
    ana.evaluate("setTimeout(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })), 300)");
    eventually("another connection", || (web_sockets(&ana) == 2).then_some(()));
    proxy.set_frozen(false);
    ana.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
    wait_for_message(&ana, "meanwhile");
    say(&ana, "back");
    ben.expect_said("<Ana> back");
    assert_eq!(ana.evaluate("window.old"), true);
}

#[test]
fn a_machine_that_was_asleep_looks_whether_its_connection_lives() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    // The clock is put on by a minute, as if no timer had run meanwhile.
    ana.prepare_pages(
        "(() => {
            const [now, send, wait] = [Date.now, WebSocket.prototype.send, setTimeout];
            // Silence alone is not what it is told by.
            window.setTimeout = (run, delay_ms) => (delay_ms === 20_000 ? 0 : wait(run, delay_ms));
            window.sent = [];
            window.slept_ms = 0;
            Date.now = () => now() + window.slept_ms;
            WebSocket.prototype.send = function (text) { window.sent.push(JSON.parse(text).type); send.call(this, text); };
        })()",
    );
    create_room(&ana, &server, "Ana");
    ana.evaluate("window.slept_ms = 60_000");
    ana.wait_for("window.sent.includes('ping')");
}

#[test]
fn what_cannot_be_shown_is_plain_text_and_the_rest_goes_on() {
    let server = Server::with(&["--grace", "1m"]);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    say_all(&mut ben, &["before".to_owned(), "bad".to_owned(), "after".to_owned()]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    // Neither a text nor a coming or going, nor one part of what there is to do once we are in.
    ana.prepare_pages(
        "(() => {
            const { matchAll } = String.prototype;
            String.prototype.matchAll = function (pattern) {
                if (String(this) === 'bad') throw new Error('of a text');
                return matchAll.call(this, pattern);
            };
            const parse = JSON.parse;
            JSON.parse = (text, ...rest) => {
                const value = parse(text, ...rest);
                if (value?.type === 'joined') Object.defineProperty(value, 'modes', { get() { throw new Error('of a part') } });
                return value;
            };
        })()",
    );
    ana.open(&format!("{}{room}", home(&server)));
    ana.fill("#name", "Ana");
    ana.click("#join");
    wait_until_connected(&ana);
    wait_for_message(&ana, "before");
    wait_for_message(&ana, "after");
    wait_for_message(&ana, "bad");
    assert_eq!(ana.text(".plain .name"), "Ben");
    assert!(ana.evaluate("/^[0-9:]+$/.test(document.querySelector('.plain time').textContent)") == true);
    // One's own, which waits, and what comes after it.
    for text in ["bad", "good"] {
        ana.fill("#text", text);
        ana.press("Enter");
    }
    wait_for_message(&ana, "good");
    assert_eq!(ana.evaluate("document.querySelectorAll('.plain').length"), 2);
    ana.wait_for("document.querySelector('#waiting').children.length === 0");
    ben.expect_where("it is said", |message| message["text"] == "good");
}

#[test]
fn a_browser_that_can_store_nothing_more_keeps_what_waits_in_mind() {
    let server = Server::with(&["--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(
        "for (const method of ['setItem', 'getItem', 'removeItem', 'key'])
             Storage.prototype[method] = () => { throw new DOMException('Full.', 'QuotaExceededError'); };",
    );
    join_by_proxy(&ana, &proxy, &room, "Ana");
    say(&ana, "stored nowhere");
    go_offline(&ana, &proxy);
    for text in ["one", "two"] {
        ana.fill("#text", text);
        ana.press("Enter");
    }
    come_back(&ana, &proxy);
    wait_for_message(&ana, "two");
    assert!(timeline(&ana)[2..].iter().map(|line| line.split_once(' ').expect("a text").1).eq(["one", "two"]));
}

#[test]
fn who_has_left_does_not_come_back_unawares() {
    let server = Server::with(&["--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    ben.expect("enter");
    // Where the server could be told, the address leads to the form.
    ana.click("#leave");
    ben.expect("part");
    ana.wait_for("location.pathname === '/' && document.querySelector('#join') !== null");
    ana.evaluate("history.back()");
    ana.wait_for(
        "document.querySelector('#status')?.dataset.state === 'left' || document.querySelector('#code')?.value !== ''",
    );

    // Where it could not, the page knows it itself.
    join_by_proxy(&ana, &proxy, &room, "Ana");
    ben.expect("enter");
    ana.evaluate("Object.defineProperty(WebSocket.prototype, 'send', { value() {} })");
    ana.click("#leave");
    ana.wait_for("location.pathname === '/' && document.querySelector('#join') !== null");
    ana.evaluate("history.back()");
    ana.wait_for("document.querySelector('#status')?.dataset.state === 'left'");
    assert!(!is_composer_shown(&ana));
    ana.click("#status button");
    wait_until_connected(&ana);
}
