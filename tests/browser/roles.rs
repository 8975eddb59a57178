//! What pages do for those who keep order, and for names that are claimed. The server's part is played by the page itself:
//! what it would say is told to the page, and what the page asks of it is kept.

use super::*;

/// `window.asked`: what the page has asked for that is not passed on. `window.tell`: has the server say something.
const PLAYED_SERVER: &str = "(() => {
    const [send, played] = [WebSocket.prototype.send, 'moderate register login password unregister search'.split(' ')];
    window.asked = [];
    window.refusals = [];
    WebSocket.prototype.send = function (text) {
        const message = JSON.parse(text);
        window.socket = this;
        if (played.includes(message.type)) return window.asked.push(message);
        if (message.type === 'join') {
            window.join = message;
            const refusal = window.refusals.shift();
            if (refusal) return setTimeout(() => window.tell({ type: 'error', ...refusal }));
            // The server itself knows of no such key and no such password.
            text = JSON.stringify({ ...message, key: undefined, password: undefined });
        }
        send.call(this, text);
    };
    let id = 1000;
    window.tell = (message) => {
        const data = JSON.stringify({ id: ++id, time: Date.now(), ...message });
        window.socket.dispatchEvent(new MessageEvent('message', { data }));
    };
})()";

fn open_page(chromium: &Chromium) -> Window {
    let window = chromium.open_window();
    window.prepare_pages(PLAYED_SERVER);
    window
}

fn tell(window: &Window, message: &serde_json::Value) {
    window.evaluate(&format!("window.tell({message})"));
}

/// Waits until the page has asked for exactly this, and forgets it.
fn wait_until_asked(window: &Window, expected: &serde_json::Value) {
    window.wait_for(&format!("window.asked.length === {}", expected.as_array().map_or(0, Vec::len)));
    let asked = window.evaluate("window.asked.splice(0).map(({ cid, ...message }) => message)");
    assert_eq!(asked, *expected);
}

pub fn choose(window: &Window, words: &str) {
    let words = json!(words);
    window.wait_for("!document.querySelector('#menu').hidden");
    window.evaluate(&format!(
        "[...document.querySelectorAll('#menu button')].find(it => it.textContent === {words}).dataset.target = ''"
    ));
    window.click("#menu [data-target]");
}

fn make_operator(window: &Window, name: &str) {
    tell(window, &json!({"type": "mode", "change": "op", "name": name, "by": name}));
    wait_for_notice(window, &format!("{name} is an operator now"));
}

pub fn is_shown(window: &Window, selector: &str) -> bool {
    window.evaluate(&format!("document.querySelector({selector:?}).getClientRects().length > 0")) == true
}

#[test]
fn operators_keep_order_by_menus_settings_and_commands() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = open_page(&chromium);
    let room = create_room(&ana, &server, "Ana");
    let mut ben = WebSocketClient::join(&server, &room, "Ben Maria");
    ben.send(json!({"type": "message", "text": "boo"}));
    wait_for_message(&ana, "boo");
    tell(&ana, &json!({"type": "mode", "change": "deop", "name": "Ana", "by": "Ana"}));
    assert!(!is_shown(&ana, "#members .tools") && !is_shown(&ana, "#set"));
    make_operator(&ana, "Ana");
    assert_eq!(ana.text("#members li .badge"), "operator");

    for (choices, order) in [
        (&["Make operator"][..], json!({"action": "op"})),
        (&["Mute…", "For 10 min"], json!({"action": "mute", "seconds": 600})),
        (&["Mute…", "Let speak again"], json!({"action": "unmute"})),
    ] {
        ana.click("[data-name='Ben Maria'] .tools");
        choices.iter().for_each(|words| choose(&ana, words));
        let mut expected = json!([{"type": "moderate", "name": "Ben Maria"}]);
        expected[0].as_object_mut().expect("an order").extend(order.as_object().expect("fields").clone());
        wait_until_asked(&ana, &expected);
    }
    // Whoever has just been made one is still the one whom the keyboard is at.
    tell(&ana, &json!({"type": "mode", "change": "op", "name": "Ben Maria", "by": "Ana"}));
    ana.wait_for(
        "document.activeElement.matches('.tools') && document.activeElement.previousSibling.matches('.badge')",
    );
    tell(&ana, &json!({"type": "mode", "change": "deop", "name": "Ben Maria", "by": "Ana"}));
    wait_for_notice(&ana, "Ana made Ben Maria no operator any more");

    ana.click("[data-name='Ben Maria'] .tools");
    choose(&ana, "Ban…");
    // Tab goes round: what lies below is covered.
    for id in ["reason", "ban-time", "", "reason"] {
        ana.wait_for(&format!("document.querySelector('#menu form').contains(document.activeElement) && document.activeElement.id === {id:?}"));
        ana.press("Tab");
    }
    ana.fill("#reason", "enough");
    ana.press("Enter");
    let ban = json!({"type": "moderate", "action": "ban", "name": "Ben Maria", "value": "enough", "seconds": 3600});
    wait_until_asked(&ana, &json!([ban]));

    ana.click("#set");
    ana.wait_for("document.querySelector('#settings').open");
    ana.fill("#topic", "slides at 3");
    ana.click("[name=hasKey]");
    ana.fill("#key", "sesame");
    ana.click("#settings .primary");
    wait_until_asked(
        &ana,
        &json!([
            {"type": "moderate", "action": "topic", "value": "slides at 3"},
            {"type": "moderate", "action": "key", "value": "sesame"},
        ]),
    );
    tell(&ana, &json!({"type": "topic", "name": "Ana", "by": "Ana", "text": "<i>slides</i> at 3"}));
    tell(&ana, &json!({"type": "mode", "name": "Ana", "by": "Ana", "change": "key"}));
    tell(&ana, &json!({"type": "mode", "name": "Ana", "by": "Ana", "change": "slow", "seconds": 90}));
    ana.wait_for("document.querySelector('#rules').innerText.startsWith('<i>slides</i> at 3')");
    assert_eq!(
        ana.evaluate("[...document.querySelectorAll('#rules .badge')].map(it => it.textContent).join()"),
        "with a key,one message in 90 s"
    );
    // Nothing has been changed in it, so nothing is asked for.
    ana.click("#set");
    ana.click("#settings .primary");
    ana.wait_for("!document.querySelector('#settings').open");
    wait_until_asked(&ana, &json!([]));

    for (typed, order) in [
        (
            "/kick ben maria go home",
            json!({"type": "moderate", "action": "kick", "name": "Ben Maria", "value": "go home"}),
        ),
        ("/mute \"Carl X\" 2h", json!({"type": "moderate", "action": "mute", "name": "Carl X", "seconds": 7200})),
        ("/slow", json!({"type": "moderate", "action": "slow"})),
        ("/topic two  words", json!({"type": "moderate", "action": "topic", "value": "two  words"})),
    ] {
        ana.fill("#text", typed);
        ana.press("Enter");
        wait_until_asked(&ana, &json!([order]));
    }
    for typed in ["/kick", "/slow soon", "/lock it", "/constructor"] {
        ana.fill("#text", typed);
        ana.press("Enter");
        ana.wait_for("!document.querySelector('#remark').hidden");
        assert_eq!(ana.value("#text"), typed);
    }
    ana.fill("#text", "/unlock");
    ana.press("Enter");
    ana.wait_for("window.asked.length === 1");
    ana.evaluate(
        "window.tell({ type: 'error', code: 'not_operator', message: 'Only operators may.', cid: asked[0].cid })",
    );
    ana.wait_for("document.querySelector('#remark').textContent === 'Only operators may.'");

    // An operator deletes what others have said.
    tell(&ana, &json!({"type": "kick", "name": "Ben Maria", "by": "Ana", "reason": "no shouting"}));
    wait_for_notice(&ana, "Ana removed Ben Maria: no shouting");
    wait_for_members(&ana, &["Ana"]);
    ana.point_at(".message .slip");
    ana.click(".message .tools");
    choose(&ana, "Delete…");
    assert_eq!(ana.text("#menu .question"), "Delete what Ben Maria said?");
    ana.press("Escape");
    assert_well_behaved(&ana, &server);
}

#[test]
fn who_is_kicked_is_told_why_and_does_not_come_back_by_itself() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = open_page(&chromium);
    create_room(&ana, &server, "Ana");
    ana.evaluate(
        "window.socket.dispatchEvent(new CloseEvent('close', { code: 4003, reason: 'You were kicked by Ben: no' }))",
    );
    ana.wait_for("document.querySelector('#status').dataset.state === 'kicked'");
    assert_eq!(ana.text("#status p"), "You were kicked by Ben: no");
    // What else brings a page back.
    ana.evaluate("window.dispatchEvent(new Event('online')); document.dispatchEvent(new Event('visibilitychange'))");
    assert_eq!(web_sockets(&ana), 1);
    let message = "You are banned for 1h.";
    ana.evaluate(&format!("window.refusals.push({})", json!({"code": "banned", "message": message})));
    ana.click("#status button");
    ana.wait_for(&format!("document.querySelector('#status p').textContent === {message:?}"));
    ana.click("#status button");
    wait_until_connected(&ana);
    assert_eq!(web_sockets(&ana), 3);
}

#[test]
fn a_key_and_a_password_are_asked_for_and_kept_nowhere() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = open_page(&chromium);
    create_room(&ana, &server, "Ana");
    for (code, label, field) in [
        ("key_required", "The key of this room", "key"),
        ("password_required", "The password of this name", "password"),
    ] {
        for _ in 0..2 {
            ana.evaluate(&format!("window.refusals.push({})", json!({"code": code, "message": "Which?"})));
        }
        ana.evaluate("window.dispatchEvent(new Event('offline'))");
        for secret in ["sesam", "sesame"] {
            ana.wait_for("!document.querySelector('#rename').hidden && document.querySelector('#secret').value === ''");
            assert_eq!(ana.text("label[for=secret]"), label);
            ana.fill("#secret", secret);
            ana.press("Enter");
            ana.wait_for(&format!("window.join[{field:?}] === {secret:?}"));
        }
        wait_until_connected(&ana);
        ana.wait_for("document.querySelector('#rename').hidden");
        let kept = "document.documentElement.outerHTML + document.querySelector('#secret').value + \
                    JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage })";
        assert!(ana.evaluate(&format!("({kept}).includes('sesam')")) == false);
        ana.evaluate("window.dispatchEvent(new Event('offline'))");
        ana.wait_for(&format!("window.join && !({field:?} in window.join)"));
        wait_until_connected(&ana);
    }
}

#[test]
fn a_name_is_claimed_and_given_up_in_a_dialog() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = open_page(&chromium);
    create_room(&ana, &server, "Ana");
    ana.click("#own");
    choose(&ana, "Claim this name…");
    ana.wait_for("document.querySelector('#account').open");
    ana.fill("#account-new", "correct horse");
    ana.fill("#account-again", "corect horse");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#account .error').textContent.includes('not the same')");
    ana.fill("#account-again", "correct horse");
    ana.press("Enter");
    wait_until_asked(&ana, &json!([{"type": "register", "password": "correct horse"}]));
    tell(&ana, &json!({"type": "error", "code": "rate_limited", "message": "Too often.", "retry_ms": 60_000}));
    ana.wait_for("document.querySelector('#account .error').textContent === 'Too often.'");
    ana.click("#account .primary");
    wait_until_asked(&ana, &json!([{"type": "register", "password": "correct horse"}]));
    tell(&ana, &json!({"type": "ok", "account": "Ana"}));
    ana.wait_for("!document.querySelector('#account').open");
    ana.wait_for("document.querySelector('#members .claimed') !== null");
    ana.wait_for("document.querySelector('#account-new').value === ''");

    ana.click("#own");
    choose(&ana, "Change password…");
    ana.fill("#account-password", "correct horse");
    ana.fill("#account-new", "correct mouse");
    ana.fill("#account-again", "correct mouse");
    ana.press("Enter");
    wait_until_asked(&ana, &json!([{"type": "password", "password": "correct horse", "new": "correct mouse"}]));
    tell(&ana, &json!({"type": "ok", "account": "Ana"}));
    ana.wait_for("!document.querySelector('#account').open");
    // A password is not typed where everybody sees it.
    ana.fill("#text", "/unregister correct mouse");
    ana.press("Enter");
    ana.fill("#account-password", "correct mouse");
    ana.press("Enter");
    wait_until_asked(&ana, &json!([{"type": "unregister", "password": "correct mouse"}]));
    tell(&ana, &json!({"type": "ok"}));
    ana.wait_for("document.querySelector('#members .claimed') === null");
    assert_well_behaved(&ana, &server);
}

#[test]
fn what_is_found_is_jumped_to_or_read_in_the_list() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = open_page(&chromium);
    create_room(&ana, &server, "Ana");
    say(&ana, "slides are on the board");
    ana.click("#find");
    ana.fill("#sought", "slides");
    ana.press("Enter");
    wait_until_asked(&ana, &json!([{"type": "search", "text": "slides", "limit": 30}]));
    let found = |id: u64, text: &str| json!({"type": "message", "id": id, "time": 1, "author": 9, "name": "Ben", "via": "web", "kind": "say", "text": text});
    let events = [found(900, "<b>old</b> slides"), found(901, "secret slides"), found(2, "slides are on the board")];
    tell(&ana, &json!({"type": "search", "events": events, "more": true, "before": 900}));
    let texts = "[...document.querySelectorAll('#search .found')].map(it => it.textContent).join('|')";
    ana.wait_for(&format!("{texts} === 'slides are on the board|secret slides|<b>old</b> slides'"));
    assert_eq!(ana.text("#search [role=status]"), "3 or more found");
    ana.click("#search .more");
    wait_until_asked(&ana, &json!([{"type": "search", "text": "slides", "before": 900, "limit": 30}]));
    tell(&ana, &json!({"type": "search", "events": [], "more": false}));
    ana.wait_for("document.querySelector('#search .more').hidden");
    // What is deleted meanwhile is found no more.
    tell(&ana, &json!({"type": "delete", "name": "Ben", "of": 901}));
    ana.wait_for(&format!("{texts} === 'slides are on the board|<b>old</b> slides'"));

    ana.click("#search li:last-child button");
    ana.wait_for("document.querySelector('#search li:last-child button').matches('.whole')");
    ana.click("#search li button");
    ana.wait_for("document.activeElement.matches('.message[data-id=\"2\"]')");
    ana.click("#sought");
    ana.press("Escape");
    ana.wait_for("document.querySelector('#search').hidden && document.activeElement.id === 'find'");
    ana.fill("#text", "/search of it");
    ana.press("Enter");
    wait_until_asked(&ana, &json!([{"type": "search", "text": "of it", "limit": 30}]));
    tell(&ana, &json!({"type": "error", "code": "text_too_long", "message": "It is too long."}));
    ana.wait_for("document.querySelector('#search [role=status]').textContent === 'It is too long.'");
    assert_well_behaved(&ana, &server);
}
