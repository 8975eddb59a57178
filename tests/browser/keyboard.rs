//! All that one does in a room, by the keyboard alone: where it is can always be seen, and it is never lost.

use super::*;

/// Whether one sees that an element has the keyboard: it looks otherwise than without. Nobody is told of the difference.
const IS_SEEN: &str = "(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return 'nowhere';
    const boxes = [element, element.closest('.desk'), element.closest('.message'), element.closest('.copyable')].filter(Boolean);
    const look = () => boxes.map((box) => {
        const { outline, boxShadow, borderColor, backgroundColor } = getComputedStyle(box);
        return [outline, boxShadow, borderColor, backgroundColor].join();
    }).join();
    const stop = (event) => event.stopImmediatePropagation();
    const events = ['blur', 'focus', 'focusin', 'focusout'];
    events.forEach((event) => window.addEventListener(event, stop, true));
    const focused = look();
    element.blur();
    const blurred = look();
    element.focus({ preventScroll: true, focusVisible: true });
    events.forEach((event) => window.removeEventListener(event, stop, true));
    return focused === blurred ? `unseen at ${element.outerHTML.slice(0, 200)}` : 'seen';
})()";

/// Who has a keyboard has a mouse, most often; Chromium without a window has none.
const WITH_A_MOUSE: &str = "(() => {
    const { matchMedia } = window;
    window.matchMedia = (query) => query === '(pointer: fine)'
        ? Object.assign(new EventTarget(), { matches: true })
        : matchMedia.call(window, query);
})()";

fn assert_seen(window: &Window) {
    window.wait_for(&format!("{IS_SEEN} === 'seen'"));
}

/// Goes on with a key until an element that matches has the keyboard.
fn go_to(window: &Window, go: impl Fn(&Window), selector: &str) {
    let is_there = format!("document.activeElement.matches({selector:?})");
    let mut way = Vec::new();
    for _ in 0..60 {
        if window.evaluate(&is_there) == true {
            return;
        }
        way.push(window.evaluate("document.activeElement.cloneNode().outerHTML"));
        go(window);
        assert_eq!(window.evaluate(IS_SEEN), "seen", "on the way to {selector}, by {way:#?}");
    }
    panic!("{selector} cannot be reached; the keyboard is at {}", window.evaluate("document.activeElement.outerHTML"));
}

fn tab_to(window: &Window, selector: &str) {
    go_to(window, |window| window.press("Tab"), selector);
}

fn tab_back_to(window: &Window, selector: &str) {
    go_to(window, |window| window.press_with_shift("Tab"), selector);
}

/// Goes down in the menu that is open, and chooses.
fn choose(window: &Window, words: &str) {
    window.wait_for("document.querySelector('#menu').contains(document.activeElement)");
    for _ in 0..30 {
        if window.evaluate("document.activeElement.textContent") == words {
            return window.press("Enter");
        }
        window.press("ArrowDown");
        assert_seen(window);
    }
    panic!("there is no {words} in the menu");
}

fn has_keyboard(window: &Window, selector: &str) {
    window.wait_for(&format!("document.activeElement?.matches({selector:?})"));
    assert_seen(window);
}

#[test]
fn a_keyboard_is_enough() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(WITH_A_MOUSE);
    ana.look(1440, 900, "light");
    ana.open(&home(&server));
    tab_to(&ana, "#name");
    ana.type_text("Ana");
    tab_to(&ana, "#create");
    ana.press("Enter");
    wait_until_connected(&ana);
    let room = ana.url().strip_prefix(&home(&server)).expect("an address here").to_owned();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    has_keyboard(&ana, "#text");
    for text in ["first thing", "second thing"] {
        ana.type_text(text);
        ana.press("Enter");
        wait_for_message(&ana, text);
        has_keyboard(&ana, "#text");
    }
    ben.say("what was that?");
    wait_for_message(&ana, "what was that?");

    // To the newest message, and its menu.
    tab_back_to(&ana, ".message");
    assert_eq!(ana.evaluate("document.activeElement.querySelector('.text').textContent"), "what was that?");
    ana.press("Enter");
    choose(&ana, "Reply");
    has_keyboard(&ana, "#text");
    ana.type_text("a thing");
    ana.press("Enter");
    ben.expect_where("the reply", |message| message["text"] == "a thing" && message["reply_to"].is_u64());
    wait_for_message(&ana, "a thing");

    tab_back_to(&ana, ".message");
    ana.press("ArrowUp");
    assert_seen(&ana);
    assert_eq!(ana.evaluate("document.activeElement.querySelector('.text').textContent"), "what was that?");
    ana.press("Enter");
    ana.wait_for("document.activeElement.matches('[role=menuitemcheckbox]')");
    assert_seen(&ana);
    ana.press("Enter");
    ben.expect("reaction");
    has_keyboard(&ana, ".message");

    // Escape leads back to where one writes.
    ana.press("Escape");
    has_keyboard(&ana, "#text");
    ana.press("ArrowUp");
    ana.wait_for("document.querySelector('#text').value === 'a thing'");
    ana.type_text(", I say");
    ana.press("Enter");
    ben.expect_where("the correction", |message| message["type"] == "edit" && message["text"] == "a thing, I say");

    tab_back_to(&ana, ".message");
    ana.press("Enter");
    choose(&ana, "Delete…");
    choose(&ana, "Delete");
    ben.expect("delete");
    ana.wait_for("document.activeElement !== document.body && document.querySelector('#menu').hidden");
    assert_seen(&ana);

    // The header, from the left: the invitation, its QR code, the search.
    tab_back_to(&ana, "#show-qr");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#qr-code').open");
    assert_seen(&ana);
    ana.press("Escape");
    has_keyboard(&ana, "#show-qr");
    tab_back_to(&ana, "#copy");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#copy').textContent.trim() === 'Copied'");
    has_keyboard(&ana, "#copy");
    tab_to(&ana, "#find");
    ana.press("Enter");
    has_keyboard(&ana, "#sought");
    ana.type_text("second");
    ana.press("Enter");
    ana.wait_for("document.querySelectorAll('#search li').length === 1");
    tab_to(&ana, "#search li button");
    ana.press("Enter");
    ana.wait_for("document.activeElement.querySelector('.text')?.textContent === 'second thing'");
    assert_seen(&ana);
    tab_back_to(&ana, "#search .close");
    ana.press("Enter");
    has_keyboard(&ana, "#find");

    tab_to(&ana, "#set");
    ana.press("Enter");
    has_keyboard(&ana, "#settings *");
    ana.press("Escape");
    has_keyboard(&ana, "#set");

    tab_to(&ana, "#people");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#side').hidden");
    assert_seen(&ana);
    ana.press("Enter");
    ana.wait_for("!document.querySelector('#side').hidden");
    tab_to(&ana, "[data-name=Ben] .tools");
    ana.press("Enter");
    choose(&ana, "Make operator");
    ben.expect("mode");
    assert_seen(&ana);
    tab_to(&ana, "#own");
    ana.press("Enter");
    choose(&ana, "Claim this name…");
    has_keyboard(&ana, "#account *");
    ana.press("Escape");
    has_keyboard(&ana, "#own");

    tab_back_to(&ana, "#leave");
    ana.press("Enter");
    ana.wait_for("location.pathname === '/' && document.querySelector('#join') !== null");
    ben.expect("part");
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_drawer_takes_the_keyboard_and_gives_it_back() {
    let server = Server::with(&["--grace", "1m"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(WITH_A_MOUSE);
    ana.look(360, 640, "light");
    let room = create_room(&ana, &server, "Ana");
    let _ben = WebSocketClient::join(&server, &room, "Ben");
    wait_for_notice(&ana, "Ben came in");
    has_keyboard(&ana, "#text");
    tab_back_to(&ana, "#more");
    ana.press("Enter");
    choose(&ana, "QR code");
    ana.wait_for("document.querySelector('#qr-code').open");
    ana.press("Escape");
    ana.wait_for("!document.querySelector('#qr-code').open && document.activeElement !== document.body");
    tab_back_to(&ana, "#people");
    ana.press("Enter");
    has_keyboard(&ana, "#side *");
    // What lies below it cannot be reached.
    tab_to(&ana, "[data-name=Ben] .tools");
    tab_to(&ana, "#own");
    ana.press("Escape");
    ana.wait_for("document.querySelector('#side').hidden");
    has_keyboard(&ana, "#people");
    assert_well_behaved(&ana, &server);
}
