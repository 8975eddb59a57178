//! Writing: keys, drafts, what is suggested, how long a text may be, emoji, and ways to a message wherever it is.

use super::*;

/// Emulates a phone: no pointer but a finger. Chromium's own emulation would change the window for other tests as well.
const A_FINGER_ALONE: &str = "{
    const ask = window.matchMedia;
    window.matchMedia = (query) => query.includes('pointer')
        ? Object.assign(new EventTarget(), { matches: query.startsWith('(pointer: coarse)') })
        : ask.call(window, query);
}";

/// Where a text goes that the page copies.
const CLIPBOARD: &str = "navigator.clipboard.writeText = async (text) => void (window.copied = text)";

fn wait_for_text(window: &Window, text: &str) {
    let text = json!(text);
    window.wait_for(&format!("document.querySelector('#text').value === {text}"));
}

/// Types where the cursor is, at the end of the field.
fn write(window: &Window, text: &str) {
    window.click("#text");
    window.evaluate("document.querySelector('#text').setSelectionRange(1e9, 1e9)");
    window.type_text(text);
}

fn wait_for_suggestions(window: &Window, expected: &[&str]) {
    let expected = json!(expected);
    window.wait_for(&format!(
        "JSON.stringify([...document.querySelectorAll('#suggestions [role=option] bdi')].map(it => it.textContent)) \
         === JSON.stringify({expected})"
    ));
}

/// The answers of the page itself, to oneself alone.
fn answers(window: &Window) -> usize {
    let count = window.evaluate("document.querySelectorAll('.answer').length");
    usize::try_from(count.as_u64().expect("a number")).expect("a few")
}

fn choose(window: &Window, text: &str, words: &str) {
    let (text, words) = (json!(text), json!(words));
    window.evaluate(&format!(
        "[...document.querySelectorAll('#timeline .message')].find(it => it.textContent.includes({text}))\
         .querySelector('.tools').click()"
    ));
    window.wait_for("!document.querySelector('#menu').hidden");
    window.evaluate(&format!(
        "[...document.querySelectorAll('#menu button')].find(it => it.textContent === {words}).click()"
    ));
}

/// Waits until this message, found by its id, has the keyboard and is in sight.
fn wait_until_at(window: &Window, id: u64) {
    window.wait_for(&format!(
        "(() => {{
            const element = document.activeElement.closest('[data-id=\"{id}\"]');
            const {{ top, bottom }} = element?.getBoundingClientRect() ?? {{}};
            return top > 0 && bottom < innerHeight;
        }})()"
    ));
}

#[test]
fn shift_and_a_finger_break_the_line() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "Ana");
    ben.prepare_pages(A_FINGER_ALONE);
    join_room(&ben, &server, &room, "Ben");
    assert_eq!(ana.evaluate("document.querySelector('#text').enterKeyHint"), "send");
    assert_eq!(ben.evaluate("document.querySelector('#text').enterKeyHint"), "enter");
    write(&ana, "one");
    ana.press_with_shift("Enter");
    ana.type_text("two");
    ana.press("Enter");
    wait_for_message(&ben, "one\ntwo");
    write(&ben, "three");
    ben.press("Enter");
    ben.type_text("four");
    wait_for_text(&ben, "three\nfour");
    ben.click("#send");
    wait_for_message(&ana, "three\nfour");
    for window in [&ana, &ben] {
        assert_well_behaved(window, &server);
    }
}

#[test]
fn what_is_being_written_survives_a_reload_and_leaving() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let room = create_room(&ana, &server, "Ana");
    say(&ana, "to be answered");
    choose(&ana, "to be answered", "Reply");
    write(&ana, "half a thought");
    ana.reload();
    wait_until_connected(&ana);
    wait_for_text(&ana, "half a thought");
    ana.wait_for("document.querySelector('#purpose p').textContent === 'Replying to Ana to be answered'");

    // What is corrected is none, and what was being written comes back.
    choose(&ana, "to be answered", "Edit");
    ana.fill("#text", "corrected in part");
    ana.reload();
    wait_until_connected(&ana);
    wait_for_text(&ana, "half a thought");

    ana.fill("#text", "left behind");
    ana.click("#leave");
    ana.wait_for("document.querySelector('#join') !== null");
    join_room(&ana, &server, &room, "Ana");
    wait_for_text(&ana, "left behind");
    ana.click("#text");
    ana.press("Enter");
    wait_for_message(&ana, "left behind");
    ana.reload();
    wait_until_connected(&ana);
    wait_for_text(&ana, "");
    // A command may have a secret in it.
    write(&ana, "/key sesame");
    ana.reload();
    wait_until_connected(&ana);
    wait_for_text(&ana, "");
    let kept = "JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage })";
    assert_eq!(ana.evaluate(&format!("({kept}).includes('sesame')")), false);
    assert_well_behaved(&ana, &server);
}

#[test]
fn half_an_emoji_stands_in_nobodys_way() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    let half = r"document.querySelector('#text').focus(); document.execCommand('insertText', false, 'cut \ud83d')";
    ana.evaluate(half);
    ana.reload();
    wait_until_connected(&ana);
    ana.wait_for("document.querySelector('#text').value.startsWith('cut ')");
    ana.click("#text");
    ana.press("Enter");
    wait_for_message(&ana, "cut \u{FFFD}");
    say(&ana, "whole");
    ana.press("ArrowUp");
    wait_for_text(&ana, "whole");
    ana.evaluate(half);
    ana.press("Enter");
    wait_for_message(&ana, "wholecut \u{FFFD}");
    ana.evaluate(r"document.execCommand('insertText', false, '/nick \ud83d')");
    ana.press("Enter");
    say(&ana, "still here");
    assert_well_behaved(&ana, &server);
}

#[test]
fn how_much_more_may_be_written_is_counted_in_characters() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    let wait_for_count = |words: &str| {
        ana.wait_for(&format!("document.querySelector('#left').textContent === {:?}", words));
    };
    ana.fill("#text", &"x".repeat(3000));
    assert_eq!(ana.evaluate("document.querySelector('#left').hidden"), true);
    ana.fill("#text", &"x".repeat(3784));
    wait_for_count("312 left");
    ana.fill("#text", &"ж".repeat(1900));
    wait_for_count("about 148 left");
    // Each is seven characters for the server, and one for people.
    let families = "👩‍👩‍👧".repeat(230);
    ana.fill("#text", &families);
    wait_for_count("Too long by 3 characters");
    assert_eq!(ana.text("#spoken"), "Too long by 3 characters");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#remark').textContent === 'Too long by 3 characters'");
    assert_eq!(ana.value("#text"), families, "nothing of it is lost");
    // Of a command nothing is said.
    ana.fill("#text", &format!("/search {}", "x".repeat(5000)));
    assert_eq!(ana.evaluate("document.querySelector('#left').hidden"), true);
    ana.fill("#text", &format!("/me {}", "x".repeat(4096)));
    wait_for_count("0 left");
    ana.press("Enter");
    ana.wait_for("document.querySelectorAll('#timeline [data-id].message').length === 1");
    assert_well_behaved(&ana, &server);
}

#[test]
fn what_is_typed_anywhere_goes_into_the_field() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    say(&ana, "before");
    ana.evaluate("document.activeElement.blur()");
    ana.type_text("abc");
    wait_for_text(&ana, "abc");
    // An @ on many keyboards, and a shortcut.
    let press = |modifiers: &str| {
        ana.evaluate(&format!(
            "document.activeElement.blur();
             document.body.dispatchEvent(new KeyboardEvent('keydown', {{ key: '@', bubbles: true, ctrlKey: true, {modifiers} }}))"
        ));
        ana.evaluate("document.activeElement.id")
    };
    assert_eq!(press("altKey: true, modifierAltGraph: true"), "text");
    assert_eq!(press("altKey: true"), "");
    ana.evaluate("document.querySelector('#timeline .message').focus()");
    ana.type_text("d");
    wait_for_text(&ana, "abcd");
    ana.evaluate("document.querySelector('#timeline').focus()");
    ana.press("Escape");
    ana.wait_for("document.activeElement.id === 'text'");
    // Whatever else takes what is typed keeps it.
    ana.click("#find");
    ana.wait_for("document.activeElement.id === 'sought'");
    ana.type_text("xyz");
    assert_eq!((ana.value("#sought"), ana.value("#text")), ("xyz".to_owned(), "abcd".to_owned()));
    ana.press("Escape");
    ana.evaluate(
        "document.activeElement.blur();
         const clipboardData = new DataTransfer();
         clipboardData.setData('text/plain', ' pasted');
         document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));",
    );
    wait_for_text(&ana, "abcd pasted");
    assert_well_behaved(&ana, &server);
}

#[test]
fn whoever_is_too_quick_sees_when_it_goes_out() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "Ana");
    join_room(&ben, &server, &room, "Ben");
    ana.fill("#text", "/slow 4s");
    ana.press("Enter");
    wait_for_notice(&ben, "Ana began slow mode");
    say(&ben, "one");
    ben.evaluate(
        "window.told = new Set();
         const pace = document.querySelector('#pace');
         new MutationObserver(() => window.told.add(pace.textContent)).observe(pace, { childList: true });",
    );
    ben.fill("#text", "two");
    ben.press("Enter");
    ben.wait_for("/^Goes out in [2-4] s$/.test(document.querySelector('#pace').textContent)");
    assert!(ben.text("#spoken").starts_with("You are too quick. It goes out in "), "{}", ben.text("#spoken"));
    // Meanwhile one goes on.
    ben.fill("#text", "three, not sent");
    ben.wait_for("window.told.has('Goes out in 1 s')");
    wait_for_message(&ana, "two");
    ben.wait_for("document.querySelector('#pace').hidden");
    wait_for_text(&ben, "three, not sent");
    for window in [&ana, &ben] {
        assert_well_behaved(window, &server);
    }
}

#[test]
fn commands_are_offered_and_answered_to_oneself_alone() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    let room = create_room(&ana, &server, "Ana");
    join_room(&ben, &server, &room, "Ben");
    write(&ben, "/");
    ben.wait_for("document.querySelectorAll('#suggestions [role=option]').length === 10");
    assert_eq!(ben.evaluate("document.querySelector('#text').getAttribute('aria-controls')"), "suggestions");
    ben.press("ArrowDown");
    let active = "document.getElementById(document.querySelector('#text').getAttribute('aria-activedescendant'))";
    ben.wait_for(&format!("{active}.matches('[aria-selected=true]') && {active}.textContent.startsWith('/nick')"));
    ben.type_text("s");
    wait_for_suggestions(&ben, &["/search"]);
    ben.press("Escape");
    wait_for_suggestions(&ben, &[]);
    wait_for_text(&ben, "/s");
    assert_eq!(ben.evaluate("document.querySelector('#text').hasAttribute('aria-activedescendant')"), false);
    ben.fill("#text", "");
    write(&ben, "/he");
    wait_for_suggestions(&ben, &["/help"]);
    ben.press("Tab");
    wait_for_text(&ben, "/help ");
    ben.press("Enter");
    ben.wait_for("document.querySelectorAll('.answer dt').length === 10");
    // It is read aloud, as what is said.
    assert_eq!(ben.evaluate("document.querySelector('.answer').closest('[aria-live]').id"), "timeline");
    // Enter runs one that is written out.
    write(&ben, "/who");
    wait_for_suggestions(&ben, &["/who"]);
    ben.press("Enter");
    ben.wait_for("document.querySelectorAll('.answer').length === 2");
    assert!(ben.text(".answer:last-child p").starts_with("2 here: Ana (browser), Ben (browser)"));
    ben.fill("#text", "/help dance");
    ben.press("Enter");
    ben.wait_for("document.querySelector('#remark').textContent.startsWith('There is no /dance here.')");
    // Operators are offered more.
    ana.fill("#text", "/help");
    ana.press("Enter");
    ana.wait_for("document.querySelectorAll('.answer dt').length === 23");
    ana.fill("#text", "");
    write(&ana, "/kick b");
    wait_for_suggestions(&ana, &["Ben"]);
    ana.press("Enter");
    wait_for_text(&ana, "/kick Ben ");
    ana.fill("#text", "");
    say(&ana, "said");
    assert_eq!((answers(&ana), answers(&ben)), (1, 2));
    // What is said later on the same day and by the same person stands as it would without.
    assert_eq!(ana.evaluate("document.querySelectorAll('#timeline [data-day]').length"), 1);
    ben.reload();
    wait_until_connected(&ben);
    wait_for_message(&ben, "said");
    assert_eq!(answers(&ben), 0);
    for window in [&ana, &ben] {
        assert_well_behaved(window, &server);
    }
}

#[test]
fn names_are_offered_to_whoever_writes_an_at() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let room = create_room(&ana, &server, "Ana");
    let mut others: Vec<_> = ["Zoë van Dyck", "Zoltan", "داليا نور", "田中"]
        .iter()
        .map(|name| WebSocketClient::join(&server, &room, name))
        .collect();
    say_all(&mut others[0], &["hello".to_owned()]);
    say_all(&mut others[2], &["later".to_owned()]);
    wait_for_message(&ana, "later");
    // Who spoke last stands first, oneself is not there.
    write(&ana, "hi @");
    wait_for_suggestions(&ana, &["داليا نور", "Zoë van Dyck", "Zoltan", "田中"]);
    ana.type_text("zo");
    wait_for_suggestions(&ana, &["Zoë van Dyck", "Zoltan"]);
    ana.type_text("e v");
    wait_for_suggestions(&ana, &["Zoë van Dyck"]);
    ana.press("Enter");
    wait_for_text(&ana, "hi @Zoë van Dyck ");
    // A later part of a name will do, and a click.
    ana.type_text("and @نو");
    wait_for_suggestions(&ana, &["داليا نور"]);
    ana.click("#suggestions [role=option]");
    wait_for_text(&ana, "hi @Zoë van Dyck and @داليا نور ");
    // An address is none.
    ana.fill("#text", "");
    ana.type_text("a@z");
    wait_for_text(&ana, "a@z");
    wait_for_suggestions(&ana, &[]);
    // An input method has not made its text final yet.
    ana.type_text(" @");
    ana.compose("田");
    wait_for_suggestions(&ana, &["田中"]);
    ana.evaluate(
        "document.querySelector('#text').dispatchEvent(
             new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true }))",
    );
    wait_for_suggestions(&ana, &["田中"]);
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_name_among_a_thousand_is_found_at_once() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let page = chromium.open_window();
    create_room(&page, &server, "Ana");
    page.evaluate(
        "import(document.querySelector('script').src.replace('room.js', 'suggestion_sources.js')).then(({ nameSource }) => {
            const names = Array.from({ length: 1000 }, (_, number) => `Zoë the ${number}th`);
            const source = nameSource({ names: () => names, ownName: () => 'Ana', spokeLast: (name) => name.length });
            const begin = performance.now();
            const found = source('hello @the');
            window.found = [found.from, found.options.length, performance.now() - begin];
        })",
    );
    page.wait_for("Array.isArray(window.found)");
    let found = page.evaluate("window.found");
    assert_eq!((&found[0], &found[1]), (&json!(6), &json!(8)));
    assert!(found[2].as_f64().expect("a number") < 100.0, "{found}");
}

#[test]
fn emoji_are_found_by_their_names() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    write(&ana, "lunch :piz");
    wait_for_suggestions(&ana, &["pizza"]);
    ana.press("Enter");
    wait_for_text(&ana, "lunch 🍕 ");
    // The list, by the keyboard alone.
    ana.press("Tab");
    ana.wait_for("document.activeElement.id === 'smile'");
    ana.press("Enter");
    // Where there is a mouse, the field has the keyboard.
    ana.wait_for(
        "document.activeElement.closest('form.emoji') && document.querySelectorAll('.emojis button').length > 250",
    );
    ana.evaluate("document.querySelector('#emoji').focus()");
    ana.press("ArrowDown");
    ana.press("ArrowDown");
    ana.press("ArrowRight");
    let second_row = "document.activeElement.closest('.row').children";
    ana.wait_for(&format!(
        "document.activeElement === [...{second_row}].filter(it => it.offsetTop > {second_row}[0].offsetTop)[1]"
    ));
    ana.type_text("cheese");
    ana.wait_for("document.querySelectorAll('.emojis button').length === 1");
    assert_eq!(ana.evaluate("document.querySelector('.emojis button').ariaLabel"), "cheese");
    ana.press("Enter");
    wait_for_text(&ana, "lunch 🍕 🧀");
    ana.wait_for("document.activeElement.id === 'text'");
    ana.press("Enter");
    wait_for_message(&ana, "lunch 🍕 🧀");
    // It is remembered, and leads back where it was opened.
    ana.reload();
    wait_until_connected(&ana);
    ana.click("#smile");
    ana.wait_for("document.querySelector('.emojis button')?.ariaLabel === 'cheese'");
    ana.press("Escape");
    ana.wait_for("document.activeElement.id === 'smile' && document.querySelector('#menu').hidden");
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_message_is_copied_and_a_link_leads_to_it_wherever_it_is() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let (ana, cleo) = (chromium.open_window(), chromium.open_window());
    ana.prepare_pages(CLIPBOARD);
    let room = create_room(&ana, &server, "Ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    say_all(&mut ben, &numbered("text", 400));
    wait_for_message(&ana, "text 400");
    choose(&ana, "text 400", "Copy text");
    ana.wait_for("window.copied === 'text 400' && document.querySelector('#pace').textContent === 'Copied'");
    choose(&ana, "text 400", "Copy link to it");
    let link = format!("{}#402", ana.value("#link"));
    ana.wait_for(&format!("window.copied === {link:?}"));
    // Said in the room, it leads there without another page.
    say(&ana, &link.replace("#402", "#340"));
    ana.click(".text a");
    wait_until_at(&ana, 340);

    // The invitation goes there, past the form.
    cleo.open("about:blank");
    cleo.evaluate(&format!("location.href = {:?}", format!("{}{room}#12", home(&server))));
    cleo.wait_for("document.querySelector('form')?.action.endsWith('#12')");
    cleo.fill("#name", "Cleo");
    cleo.click("#join");
    wait_until_at(&cleo, 12);
    assert_eq!(cleo.url(), format!("{}{room}", home(&server)), "a reload does not go there again");
    // One that is in the page, one in what was left out, one that is none.
    for id in [380, 200, 12, 90] {
        cleo.evaluate(&format!("location.hash = '#{id}'"));
        wait_until_at(&cleo, id);
    }
    cleo.evaluate("location.hash = '#4000'");
    cleo.wait_for("document.querySelector('#pace').textContent === 'That message is not there any more.'");

    // What was left out comes as one goes on reading, each event once.
    cleo.evaluate(
        "{
            const log = document.querySelector('#timeline');
            window.seen = new Set();
            const step = () => {
                for (const element of log.querySelectorAll('[data-id]')) window.seen.add(Number(element.dataset.id));
                const before = log.scrollTop;
                const isFetching = log.querySelector('.divider') !== null;
                log.scrollTop += 300;
                window.isAtEnd = log.scrollTop === before && !isFetching;
                if (!window.isAtEnd) setTimeout(step, 20);
            };
            log.scrollTop = 0;
            step();
        }",
    );
    cleo.wait_for("window.isAtEnd");
    let seen = cleo.evaluate("[...window.seen].sort((one, other) => one - other)");
    let seen: Vec<u64> = serde_json::from_value(seen).expect("numbers");
    assert!(seen.len() > 390 && seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
    for window in [&ana, &cleo] {
        assert_well_behaved(window, &server);
    }
}

#[test]
fn what_was_searched_for_is_shown_among_what_was_said_around_it() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let room = create_room(&ana, &server, "Ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    say_all(&mut ben, &["the needle".to_owned()]);
    say_all(&mut ben, &numbered("hay", 150));
    ana.reload();
    wait_until_connected(&ana);
    wait_for_message(&ana, "hay 150");
    ana.click("#find");
    ana.fill("#sought", "needle");
    ana.press("Enter");
    ana.wait_for("document.querySelectorAll('#search li').length === 1");
    ana.click("#search li button");
    wait_until_at(&ana, 3);
    wait_for_message(&ana, "hay 1");
    assert_well_behaved(&ana, &server);
}
