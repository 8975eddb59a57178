//! What becomes of messages on the pages: corrected, deleted, replied to and reacted to, by mouse, keyboard and finger.

use super::*;

/// An expression for the message that begins with this text.
fn message(text: &str) -> String {
    let text = json!(text);
    format!(
        "[...document.querySelectorAll('#timeline [data-id].message')]\
         .find(it => it.querySelector('.text').textContent.startsWith({text}))"
    )
}

/// Opens the menu of a message by its button.
fn open_menu(window: &Window, text: &str) {
    window.wait_for(&format!("Boolean({})", message(text)));
    window.evaluate(&format!("{}.dataset.target = ''", message(text)));
    // It is there for whoever points at the message.
    window.point_at("[data-target] .slip");
    window.click("[data-target] .tools");
    window.evaluate("delete document.querySelector('[data-target]').dataset.target");
    window.wait_for("!document.querySelector('#menu').hidden");
}

fn choose(window: &Window, words: &str) {
    let words = json!(words);
    window.evaluate(&format!(
        "[...document.querySelectorAll('#menu button')].find(it => it.textContent === {words}).dataset.target = ''"
    ));
    window.click("#menu [data-target]");
}

/// The reactions to a message: what is on the buttons, who it was, and whether they are pressed.
fn wait_for_reactions(window: &Window, text: &str, expected: &[&str]) {
    window.wait_for(&format!(
        "JSON.stringify([...{}.querySelectorAll('.reactions button')].map(it => \
         `${{it.textContent}} ${{it.title.replace(/[\\u2068\\u2069]/g, '')}} ${{it.ariaPressed}}`)) === \
         JSON.stringify({})",
        message(text),
        json!(expected)
    ));
}

fn wait_for_mark(window: &Window, text: &str, words: &str) {
    window.wait_for(&format!("{}?.querySelector('.became')?.textContent === {}", message(text), json!(words)));
}

fn has_keyboard(window: &Window, selector: &str) {
    window.wait_for(&format!("document.activeElement?.matches({selector:?})"));
}

#[test]
fn the_last_message_is_corrected_with_the_arrow_up() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let (ana, ben, _) = ana_and_ben(&chromium, &server);
    say(&ana, "first");
    say(&ana, "typo hree");
    say(&ben, "what?");
    ben.evaluate(&format!("{}.dataset.before = ''", message("typo")));
    wait_for_message(&ana, "what?");

    ana.click("#text");
    ana.press("ArrowUp");
    ana.wait_for("document.querySelector('#text').value === 'typo hree'");
    assert!(ana.text("#purpose p").starts_with("Correcting your message"));
    ana.press("Escape");
    ana.wait_for("document.querySelector('#text').value === '' && document.querySelector('#purpose').hidden");
    ana.press("ArrowUp");
    // Whatever it begins with, it is no command.
    ana.fill("#text", "/typo here");
    ana.press("Enter");
    for page in [&ana, &ben] {
        wait_for_mark(page, "/typo here", "edited");
    }
    assert!(ana.evaluate("document.querySelector('#purpose').hidden") == true);
    // It changed in its place, and is not read aloud once more.
    let is_same = format!("{}.matches('[data-before][aria-live=off]')", message("/typo here"));
    assert!(ben.evaluate(&is_same) == true);
    assert_eq!(ben.evaluate("document.querySelectorAll('#timeline [data-id].message').length"), 3);
    // An empty one is no way to delete.
    ana.press("ArrowUp");
    ana.fill("#text", " ");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#remark').textContent.includes('delete it')");
    ana.press("Escape");

    ben.reload();
    wait_until_connected(&ben);
    wait_for_mark(&ben, "/typo here", "edited");
    for page in [&ana, &ben] {
        assert_well_behaved(page, &server);
    }
}

#[test]
fn what_is_being_written_comes_back_after_a_correction() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    say(&ana, "one");
    ana.fill("#text", "half a thought");
    open_menu(&ana, "one");
    choose(&ana, "Edit");
    ana.wait_for("document.querySelector('#text').value === 'one'");
    ana.fill("#text", "two");
    ana.press("Enter");
    wait_for_mark(&ana, "two", "edited");
    assert_eq!(ana.value("#text"), "half a thought");
}

#[test]
fn a_deleted_text_is_nowhere_on_the_pages_any_more() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let (ana, ben, _) = ana_and_ben(&chromium, &server);
    say(&ana, "my password is sesame");
    wait_for_message(&ben, "my password is sesame");
    open_menu(&ben, "my password");
    assert_eq!(
        ben.evaluate("[...document.querySelectorAll('#menu > .menu > button')].map(it => it.textContent).join()"),
        "Reply,Copy text,Copy link to it"
    );
    choose(&ben, "Reply");
    ben.fill("#text", "do not say that");
    ben.press("Enter");
    ana.wait_for("document.querySelector('.quote')?.textContent === 'In reply to Anamy password is sesame'");
    // Another reply is being written.
    open_menu(&ben, "my password");
    choose(&ben, "Reply");
    ben.wait_for("document.querySelector('#purpose').textContent.includes('sesame')");
    open_menu(&ben, "my password");
    choose(&ben, "👍");
    wait_for_reactions(&ana, "my password", &["👍 1 Ben false"]);

    open_menu(&ana, "my password");
    choose(&ana, "Delete…");
    choose(&ana, "Keep it");
    wait_for_message(&ana, "my password is sesame");
    open_menu(&ana, "my password");
    choose(&ana, "Delete…");
    choose(&ana, "Delete");
    for page in [&ana, &ben] {
        page.wait_for("document.querySelector('.message.deleted .text')?.textContent === 'deleted'");
        page.wait_for("document.querySelector('.quote').textContent === 'In reply to Anadeleted'");
        let kept = "document.documentElement.outerHTML + document.querySelector('#text').value + \
                    JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage })";
        assert!(page.evaluate(&format!("({kept}).includes('sesame')")) == false);
        assert_eq!(page.evaluate("document.querySelectorAll('.deleted .tools, .reactions').length"), 0);
    }
    assert!(ben.evaluate("document.querySelector('#purpose').hidden") == true, "there is nothing to reply to");
    ben.reload();
    wait_until_connected(&ben);
    ben.wait_for("document.querySelector('.quote')?.textContent === 'In reply to Anadeleted'");
    for page in [&ana, &ben] {
        assert_well_behaved(page, &server);
    }
}

#[test]
fn reactions_are_given_and_taken_back_by_keyboard_mouse_and_finger() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let (ana, ben, _) = ana_and_ben(&chromium, &server);
    say(&ana, "one");
    say(&ana, "two");
    wait_for_message(&ben, "two");

    // Tab leads to the last message, the arrows to others.
    ben.evaluate("document.querySelector('#timeline').focus()");
    ben.press("Tab");
    ben.wait_for(&format!("document.activeElement === {}", message("two")));
    ben.press("ArrowUp");
    ben.wait_for(&format!("document.activeElement === {}", message("one")));
    ben.press("Enter");
    has_keyboard(&ben, "#menu [role=menuitemcheckbox]");
    ben.press("Escape");
    ben.wait_for(&format!("document.activeElement === {}", message("one")));
    assert!(ben.evaluate("document.querySelector('#menu').hidden") == true);
    ben.press("Enter");
    ben.press("ArrowRight");
    ben.press("Enter");
    wait_for_reactions(&ben, "one", &["❤️ 1 Ben true"]);
    wait_for_reactions(&ana, "one", &["❤️ 1 Ben false"]);

    ana.click(".reactions button");
    wait_for_reactions(&ana, "one", &["❤️ 2 Ben and Ana true"]);
    wait_for_reactions(&ben, "one", &["❤️ 2 Ben and Ana true"]);
    ben.click(".reactions button");
    wait_for_reactions(&ana, "one", &["❤️ 1 Ana true"]);
    has_keyboard(&ben, ".reactions button");

    // One of one's own; what is none is not sent.
    open_menu(&ana, "two");
    ana.click("#menu .row :last-child");
    ana.fill("#emoji", "qqq");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#emoji').ariaInvalid === 'true'");
    ana.fill("#emoji", "🐻‍❄️");
    ana.press("Enter");
    wait_for_reactions(&ben, "two", &["🐻‍❄️ 1 Ana false"]);

    // A finger presses anywhere on the message; a press elsewhere closes the menu, and does nothing else.
    ben.tap(".message:last-of-type .text");
    ben.wait_for("!document.querySelector('#menu').hidden");
    ben.evaluate("document.elementFromPoint(5, innerHeight - 5).click()");
    ben.wait_for("document.querySelector('#menu').hidden");

    ben.reload();
    wait_until_connected(&ben);
    wait_for_reactions(&ben, "one", &["❤️ 1 Ana false"]);
    wait_for_reactions(&ben, "two", &["🐻‍❄️ 1 Ana false"]);
    ana.reload();
    wait_until_connected(&ana);
    wait_for_reactions(&ana, "two", &["🐻‍❄️ 1 Ana true"]);
    for page in [&ana, &ben] {
        assert_well_behaved(page, &server);
    }
}

#[test]
fn a_quotation_leads_to_what_it_quotes() {
    let server = Server::with(&["--rate", "0"]);
    let room = server.create_room();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_room(&ana, &server, &room, "Ana");
    say(&ana, "<b>where</b> it began");
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    say_all(&mut ben, &numbered("more", 60));
    wait_for_message(&ana, "more 59");
    open_menu(&ana, "<b>where");
    choose(&ana, "Reply");
    assert_eq!(ana.text("#purpose p"), "Replying to Ana <b>where</b> it began");
    ana.fill("#text", "the end");
    ana.press("Enter");
    wait_for_message(&ana, "the end");
    ana.click("#timeline .quote");
    ana.wait_for(&format!("document.activeElement === {}", message("<b>where")));
    let is_in_sight = format!(
        "(() => {{ const {{ top, bottom }} = {}.getBoundingClientRect(); return top > 0 && bottom < innerHeight }})()",
        message("<b>where")
    );
    ana.wait_for(&is_in_sight);

    // Where it is not on the page yet, it becomes a quotation as soon as it is.
    ana.reload();
    wait_until_connected(&ana);
    ana.wait_for("document.querySelector('p.quote')?.textContent === 'In reply to an earlier message'");
    ana.evaluate("document.querySelector('#timeline').scrollTop = 0");
    ana.wait_for(&format!("{} !== undefined", message("<b>where")));
    ana.evaluate("document.querySelector('#timeline').scrollTop = 1e6");
    ana.wait_for("document.querySelector('button.quote')?.textContent === 'In reply to Ana<b>where</b> it began'");
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_correction_lost_with_the_connection_is_made_once() {
    let server = Server::with(&["--grace", "1m", "--rate", "0"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    for text in ["one", "two", "three"] {
        say(&ana, text);
    }
    ben.send(json!({"type": "message", "text": "of ben"}));
    let of_ben = ben.expect_where("of ben", |event| event["text"] == "of ben")["id"].clone();
    wait_for_message(&ana, "of ben");

    go_offline(&ana, &proxy);
    ana.click("#text");
    ana.press("ArrowUp");
    ana.fill("#text", "three, mended");
    ana.press("Enter");
    wait_for_mark(&ana, "three, mended", "being edited");
    open_menu(&ana, "two");
    choose(&ana, "Delete…");
    choose(&ana, "Delete");
    wait_for_mark(&ana, "two", "being deleted");
    // It is kept over a reload as well: here of what the page shows when the network is back.
    let stored = "Object.keys(localStorage).filter(key => key.includes('outbox')).sort()\
                  .map(key => JSON.parse(localStorage.getItem(key)).type).join()";
    assert_eq!(ana.evaluate(stored), "edit,delete");
    // Meanwhile others go on.
    ben.send(json!({"type": "edit", "of": of_ben, "text": "of ben, mended"}));
    ben.send(json!({"type": "react", "of": of_ben, "emoji": "🎉", "on": true}));
    ben.expect("reaction");

    come_back(&ana, &proxy);
    wait_for_mark(&ana, "three, mended", "edited");
    wait_for_mark(&ana, "of ben, mended", "edited");
    wait_for_reactions(&ana, "of ben, mended", &["🎉 1 Ben false"]);
    ana.wait_for("document.querySelectorAll('.deleted').length === 1");
    ana.wait_for("Object.keys(localStorage).every(key => !key.includes('outbox'))");
    ben.send(json!({"type": "message", "text": "end"}));
    let mut seen = Vec::new();
    ben.expect_where("the end", |event| {
        seen.push(event["type"].as_str().unwrap_or_default().to_owned());
        event["text"] == "end"
    });
    assert_eq!(seen, ["edit", "delete", "message"], "each once");
}

#[test]
fn a_reaction_lost_with_the_connection_is_given_once() {
    let server = Server::with(&["--grace", "1m", "--rate", "0"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    for text in ["one", "two"] {
        ben.say(text);
        wait_for_message(&ana, text);
    }
    let of_two = ben.expect_where("two", |event| event["text"] == "two")["id"].clone();
    for (text, emoji) in [("one", "🎉"), ("one", "👀")] {
        open_menu(&ana, text);
        choose(&ana, emoji);
        wait_for_reactions_sent(&ana);
    }

    go_offline(&ana, &proxy);
    // Another, one that is taken back, and one that is taken back before it was given.
    for (text, emoji) in [("two", "👍"), ("one", "🎉"), ("two", "😂"), ("two", "😂")] {
        open_menu(&ana, text);
        choose(&ana, emoji);
    }
    wait_for_reactions(&ana, "one", &["👀 1 Ana true"]);
    wait_for_reactions(&ana, "two", &["👍 1 you true"]);
    assert!(ana.evaluate("document.querySelector('#remark').hidden") == true);
    ben.send(json!({"type": "react", "of": of_two, "emoji": "👍", "on": true}));

    come_back(&ana, &proxy);
    wait_for_reactions_sent(&ana);
    wait_for_reactions(&ana, "one", &["👀 1 Ana true"]);
    wait_for_reactions(&ana, "two", &["👍 2 Ben and Ana true"]);
    // What is known to be there is not given again.
    go_offline(&ana, &proxy);
    come_back(&ana, &proxy);
    ben.send(json!({"type": "message", "text": "end"}));
    let mut seen = Vec::new();
    ben.expect_where("the end", |event| {
        if event["type"] == "reaction" {
            seen.push(format!("{} {} {}", event["name"], event["emoji"], event["on"]).replace('"', ""));
        }
        event["text"] == "end"
    });
    assert_eq!(seen, ["Ana 🎉 true", "Ana 👀 true", "Ben 👍 true", "Ana 👍 true", "Ana 🎉 false"], "each once");

    // One that is refused is shown no more.
    ana.evaluate(
        "(() => {
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (text) {
                const { type, cid } = JSON.parse(text);
                if (type !== 'react') return send.call(this, text);
                const data = JSON.stringify({ type: 'error', code: 'muted', message: 'You are muted.', cid });
                setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data })));
            };
        })()",
    );
    open_menu(&ana, "one");
    choose(&ana, "😮");
    ana.wait_for("document.querySelector('#remark').textContent === 'You are muted.'");
    wait_for_reactions(&ana, "one", &["👀 1 Ana true"]);
}

/// Waits until every reaction on the page is known to be there.
fn wait_for_reactions_sent(window: &Window) {
    window.wait_for("document.querySelector('.reactions button') && !document.querySelector('.reactions .waiting')");
}

#[test]
fn a_correction_of_what_is_gone_is_not_lost() {
    let server = Server::with(&["--grace", "1m", "--rate", "0"]);
    let proxy = Proxy::start_calm(server.web);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let room = server.create_room();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    say(&ana, "one");
    // As the server says when it keeps no more of a message.
    ana.evaluate(
        "(() => {
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (text) {
                const { type, cid } = JSON.parse(text);
                if (type !== 'edit') return send.call(this, text);
                const data = JSON.stringify({ type: 'error', code: 'no_such_event', message: 'It is gone.', cid });
                setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data })));
            };
        })()",
    );
    ana.click("#text");
    ana.press("ArrowUp");
    ana.fill("#text", "mended");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#waiting .failed .text')?.textContent === 'mended'");
    assert_eq!(failed(&ana), [("mended".to_owned(), "Not sent. It is gone.".to_owned())]);
    wait_for_message(&ana, "one");
}

#[test]
fn what_was_refused_is_mended_as_the_reply_that_it_was() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    say(&ana, "one");
    ana.evaluate(
        "(() => {
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (text) {
                const { type, cid } = JSON.parse(text);
                if (type !== 'message') return send.call(this, text);
                const data = JSON.stringify({ type: 'error', code: 'forbidden', message: 'No.', cid });
                setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data })));
            };
        })()",
    );
    open_menu(&ana, "one");
    choose(&ana, "Reply");
    for text in ["two", "three"] {
        ana.fill("#text", text);
        ana.press("Enter");
    }
    ana.wait_for("document.querySelectorAll('#waiting .failed').length === 2");
    // The keyboard stays where it is, and goes to the log from what is not there any more.
    ana.evaluate("document.querySelector('#waiting .failed:last-child .remedies button').focus()");
    ana.evaluate("document.querySelector('#waiting .failed .remedies button').click()");
    ana.wait_for("document.querySelectorAll('#waiting .failed').length === 2");
    has_keyboard(&ana, "#waiting .remedies button");
    ana.evaluate("document.querySelector('#waiting .failed .remedies button:last-child').focus()");
    ana.press("Enter");
    ana.wait_for("document.querySelectorAll('#waiting .failed').length === 1");
    has_keyboard(&ana, "#timeline");
    // A correction under way does not take it in.
    ana.click("#text");
    ana.press("ArrowUp");
    ana.wait_for("document.querySelector('#text').value === 'one'");
    ana.evaluate("document.querySelector('#waiting .remedies button:nth-child(2)').click()");
    ana.wait_for("document.querySelector('#text').value === 'two'");
    assert_eq!(ana.text("#purpose p"), "Replying to Ana one");
}

#[test]
fn what_changes_a_message_counts_once_in_whatever_order_it_is_told() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let page = chromium.open_window();
    create_room(&page, &server, "Ana");
    page.evaluate(
        "import(document.querySelector('script').src.replace('room.js', 'message_state.js')).then(({ MessageState }) => {
            const told = (state) => [state.text, state.deleted,
                ...state.reactions.map(({ emoji, names, count }) => `${emoji} ${names} ${count}`)].join();
            const state = new MessageState({ text: 'a', reactions: [{ emoji: '👍', names: ['ana'], count: 1 }] }, 10);
            const react = (id, author, name, emoji, on) => state.amend({ type: 'reaction', id, author, name, emoji, on });
            const answers = [];
            // What is in it already changes nothing.
            answers.push(react(7, 1, 'ana', '👍', true), state.amend({ type: 'edit', id: 8, text: 'old' }), told(state));
            // A later page of history is told before an earlier one.
            answers.push(react(20, 2, 'ben', '🎉', true), react(15, 1, 'ana', '👍', false), react(15, 1, 'ana', '👍', false));
            answers.push(react(14, 1, 'ana', '👍', true), told(state));
            answers.push(state.amend({ type: 'edit', id: 20, text: 'new' }), state.amend({ type: 'edit', id: 16, text: 'old' }));
            answers.push(told(state));
            // Somebody who has another name by now.
            answers.push(react(21, 3, 'carl', '🎉', true), react(22, 3, 'carla', '🎉', false), told(state));
            answers.push(state.amend({ type: 'delete', id: 3 }), state.amend({ type: 'edit', id: 30, text: 'x' }), told(state));
            window.answers = answers;
        })",
    );
    page.wait_for("Array.isArray(window.answers)");
    let expected = json!([
        false,
        false,
        "a,false,👍 ana 1",
        true,
        true,
        false,
        false,
        "a,false,🎉 ben 1",
        true,
        false,
        "new,false,🎉 ben 1",
        true,
        true,
        "new,false,🎉 ben 1",
        true,
        false,
        ",true"
    ]);
    assert_eq!(page.evaluate("window.answers"), expected);
}
