//! What every browser is taken through. What each step is to bring is tested in more detail in `tests/browser`; here it is
//! seen to work in other browsers as well.

use serde_json::json;

use crate::proxy::Proxy;
use crate::support::{Server, Terminal, WebSocketClient, is_code};
use crate::surroundings::Folder;
use crate::window::Window;

/// The sizes of a phone and of a large screen.
const SIZES: [(u32, u32); 2] = [(360, 640), (1440, 900)];

/// The message that begins with this text.
fn message(text: &str) -> String {
    let text = json!(text);
    format!(
        "[...document.querySelectorAll('#timeline [data-id].message')]\
         .find(it => it.querySelector('.text').textContent.startsWith({text}))"
    )
}

#[track_caller]
fn wait_for_message(window: &dyn Window, text: &str) {
    window.wait_for(&format!("Boolean({})", message(text)));
}

#[track_caller]
fn wait_until_connected(window: &dyn Window) {
    window.wait_for("document.querySelector('#status')?.dataset.state === 'open'");
}

#[track_caller]
fn say(window: &dyn Window, text: &str) {
    window.fill("#text", text);
    window.press("Enter");
    wait_for_message(window, text);
}

/// Opens the menu of the last message by the keyboard alone.
#[track_caller]
fn open_last_menu(window: &dyn Window, text: &str) {
    window.evaluate("document.querySelector('#timeline').focus()");
    // Past the links in what was said.
    window.eventually("Tab leads to the last message", &mut || {
        window.press("Tab");
        (window.evaluate(&format!("document.activeElement === {}", message(text))) == true).then_some(json!(true))
    });
    window.press("Enter");
    window.wait_for("document.activeElement.matches('#menu [role=menuitemcheckbox]')");
}

/// Nothing is wider than the page, and where one writes is below what one reads.
#[track_caller]
fn assert_laid_out(window: &dyn Window) {
    window.wait_for(
        "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight",
    );
    let edges =
        "['#timeline', '#composer'].map(it => document.querySelector(it)).map(it => it.getBoundingClientRect())";
    window.wait_for(&format!("(([log, composer]) => log.height > 0 && composer.top >= log.bottom - 1 && composer.bottom <= innerHeight)({edges})"));
}

/// Looks at the page in all sizes.
fn look(window: &dyn Window, name: &str) {
    for (width, height) in SIZES {
        window.resize(width, height);
        window.wait_for("document.documentElement.scrollWidth <= innerWidth");
        if window.evaluate("Boolean(document.querySelector('#composer'))") == true {
            assert_laid_out(window);
        }
        window.photograph(&format!("{name}-{width}x{height}"));
    }
    window.resize(1000, 800);
}

fn join(window: &dyn Window, proxy: &Proxy, room: &str, name: &str) {
    window.navigate(&format!("http://{}/{room}", proxy.address));
    window.fill("#name", name);
    window.click("#join");
    wait_until_connected(window);
}

fn go_offline(window: &dyn Window, proxy: &Proxy) {
    proxy.set_offline(true);
    window.wait_for("document.querySelector('#status').dataset.state !== 'open'");
}

fn come_back(window: &dyn Window, proxy: &Proxy) {
    proxy.set_offline(false);
    // As the system does when the network is back.
    window.evaluate("window.dispatchEvent(new Event('online'))");
    wait_until_connected(window);
}

/// All that two people do in a room: create and join it, talk with each other and with a terminal, lose and find the
/// network, share a picture.
pub fn take(ana: &dyn Window, ben: &dyn Window) {
    let server = Server::with(&["--rate", "0", "--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = meet(ana, ben, &proxy);
    let mut cleo = Terminal::join(&server, &room, "cleo");
    talk(ana, ben, &mut cleo);
    answer_by_keyboard(ana, ben);
    share_a_picture(ana, ben);
    reload(ana, ben, &mut cleo);
    lose_the_network(ana, ben, &proxy, &mut cleo);
    for window in [ana, ben] {
        // Each browser reports attempts to connect to nobody in its own words; nothing else is reported.
        let complaints = window.complaints();
        let is_lost =
            |complaint: &&String| ["/ws", "connection", "network"].iter().any(|word| complaint.contains(word));
        let others: Vec<_> = complaints.iter().filter(|complaint| !is_lost(complaint)).collect();
        assert_eq!(others, [] as [&String; 0]);
    }
}

/// Creates a room by the form, and follows the invitation to it. Returns its code.
fn meet(ana: &dyn Window, ben: &dyn Window, proxy: &Proxy) -> String {
    let home = format!("http://{}/", proxy.address);
    ana.navigate(&home);
    look(ana, "home");
    ana.fill("#name", "Ana");
    ana.click("#create");
    wait_until_connected(ana);
    let url = ana.text_of("location.href");
    let room = url.strip_prefix(&home).expect("an address here").to_owned();
    assert!(is_code(&room, 4), "{room}");
    look(ana, "empty");
    ben.navigate(&format!("{home}{room}"));
    look(ben, "invited");
    join(ben, proxy, &room, "Ben");
    for window in [ana, ben] {
        window.wait_for("['Ana', 'Ben'].every(name => document.querySelector(`#members [data-name=${name}]`))");
    }
    room
}

fn talk(ana: &dyn Window, ben: &dyn Window, cleo: &mut Terminal) {
    say(ana, "hello from one");
    wait_for_message(ben, "hello from one");
    cleo.expect_said("<Ana> hello from one");
    cleo.send_line("hello from a terminal");
    for window in [ana, ben] {
        wait_for_message(window, "hello from a terminal");
    }
    ben.fill("#text", "/me waves");
    ben.press("Enter");
    cleo.expect_text("* Ben waves");
    wait_for_message(ana, "* Ben waves");
    ben.fill("#text", "see `let it = be` at http://a.example/x, please");
    ben.click("#send");
    let text = format!("{}?.querySelector('.text')", message("see "));
    ana.wait_for(&format!("{text}?.querySelector('code')?.textContent === 'let it = be'"));
    ana.wait_for(&format!("{text}.querySelector('a').href === 'http://a.example/x'"));
    // The Enter that ends a composition, as browsers tell it, and as Safari does, where it has ended before.
    ana.click("#text");
    ana.insert("日本語");
    for composing in ["isComposing: true", "keyCode: 229"] {
        let enter =
            format!("new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true, cancelable: true, {composing} }})");
        ana.wait_for(&format!("document.querySelector('#text').dispatchEvent({enter})"));
    }
    assert_eq!(ana.value("#text"), "日本語");
    ana.press("Enter");
    wait_for_message(ben, "日本語");
    ana.insert("🎉");
    ana.press("Enter");
    let height = |text: &str| format!("{}.querySelector('.text').getBoundingClientRect().height", message(text));
    wait_for_message(ben, "🎉");
    ben.wait_for(&format!("{} > {}", height("🎉"), height("hello from one")));
    // It grows with what is written, up to a bound, and shrinks again.
    let field_height = "document.querySelector('#text').getBoundingClientRect().height";
    let before = ana.evaluate(field_height).as_f64().expect("a height");
    ana.insert("line\nline\nline\nline");
    ana.wait_for(&format!("{field_height} > {before} * 2"));
    ana.evaluate("document.querySelector('#text').select()");
    ana.press("Delete");
    ana.wait_for(&format!("Math.abs({field_height} - {before}) < 1"));
}

fn answer_by_keyboard(ana: &dyn Window, ben: &dyn Window) {
    say(ana, "who is there?");
    wait_for_message(ben, "who is there?");
    open_last_menu(ben, "who is there?");
    ben.press("ArrowDown");
    while ben.evaluate("document.activeElement.textContent.startsWith('Reply')") != true {
        ben.press("ArrowDown");
    }
    ben.press("Enter");
    ben.wait_for("document.activeElement.id === 'text' && !document.querySelector('#purpose').hidden");
    ben.type_text("i am");
    ben.press("Enter");
    ana.wait_for(&format!("{}?.querySelector('.quote')?.textContent.includes('who is there?')", message("i am")));
    open_last_menu(ana, "i am");
    ana.press("Enter");
    for window in [ana, ben] {
        window.wait_for(&format!("{}?.querySelector('.reactions button')?.textContent === '👍 1'", message("i am")));
    }
    // The last one is corrected.
    ben.click("#text");
    ben.press("ArrowUp");
    ben.wait_for("document.querySelector('#text').value === 'i am'");
    ben.fill("#text", "I am!");
    ben.press("Enter");
    for window in [ana, ben] {
        window.wait_for(&format!("{}?.querySelector('.became')?.textContent === 'edited'", message("I am!")));
    }
}

fn share_a_picture(ana: &dyn Window, ben: &dyn Window) {
    let folder = Folder::new("shared");
    let data = ana.text_of(
        "(() => {
            const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 320 });
            const context = canvas.getContext('2d');
            context.fillStyle = 'teal';
            context.fillRect(0, 0, 640, 320);
            return canvas.toDataURL('image/png').split(',')[1];
        })()",
    );
    let picture = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.decode(data).expect("base64")
    };
    ana.choose_file("#files", &folder.write("the plan.png", &picture));
    ana.wait_for("document.querySelector('#share').open");
    ana.photograph("share");
    ana.click("#share .primary");
    for window in [ana, ben] {
        window.wait_for("document.querySelector('[data-id] .picture img')?.naturalWidth === 640");
    }
    look(ben, "room");
    ben.click(".picture");
    ben.wait_for("document.querySelector('#viewer').open");
    ben.wait_for("document.querySelector('#viewer img').getBoundingClientRect().width === 640");
    ben.photograph("viewer");
    ben.press("Escape");
    ben.wait_for("!document.querySelector('#viewer').open && document.activeElement.matches('.picture')");
}

/// Nobody notices, and all is there again.
fn reload(ana: &dyn Window, ben: &dyn Window, cleo: &mut Terminal) {
    cleo.catch_up();
    let ids = "[...document.querySelectorAll('#timeline [data-id]')].map(it => it.dataset.id).join()";
    let before = ana.text_of(ids);
    ana.reload();
    wait_until_connected(ana);
    ana.wait_for(&format!("{ids} === {before:?}"));
    say(ana, "after the reload");
    let noticed = cleo.expect_line_where("anything", |line| !line.is_empty());
    assert!(noticed.ends_with("<Ana> after the reload"), "the first that cleo notices: {noticed}");
    wait_for_message(ben, "after the reload");
}

/// What is written meanwhile waits, and is said once; what others say meanwhile is marked as not read.
fn lose_the_network(ana: &dyn Window, ben: &dyn Window, proxy: &Proxy, cleo: &mut Terminal) {
    for window in [ana, ben] {
        go_offline(window, proxy);
    }
    ana.fill("#text", "said while offline");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#waiting .text')?.textContent === 'said while offline'");
    ana.photograph("offline");
    for number in 1..=40 {
        cleo.send_line(&format!("missed {number}"));
    }
    cleo.catch_up();
    come_back(ben, proxy);
    wait_for_message(ben, "missed 1");
    ben.wait_for("document.querySelector('.unread') !== null");
    come_back(ana, proxy);
    cleo.expect_said("<Ana> said while offline");
    wait_for_message(ana, "said while offline");
    ana.wait_for("document.querySelector('#waiting').childElementCount === 0");
    say(ana, "and after");
    let next = cleo.expect_line_where("what was said", |line| line.contains("<Ana>"));
    assert!(next.ends_with("<Ana> and after"), "it is said once: {next}");
}

/// Up to the beginning of a long conversation, less than a screen at a time: nothing is missing, and what is read does not
/// jump.
pub fn read_back(ana: &dyn Window) {
    let server = Server::with(&["--rate", "0"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut dora = WebSocketClient::join(&server, &room, "Dora");
    dora.say("where it began");
    for number in 1..=400 {
        dora.say(&format!("number {number}"));
    }
    join(ana, &proxy, &room, "Ana");
    wait_for_message(ana, "number 400");
    // What is in sight is built, however it came to be there.
    let built = "[...document.querySelectorAll('#timeline .block')].every(block => {
        const place = block.getBoundingClientRect();
        return block.childElementCount > 0 || place.bottom < 0 || place.top > innerHeight;
    })";
    let numbers = "[...document.querySelectorAll('#timeline [data-id].message .text')].map(it => it.textContent)\
                   .filter(text => text.startsWith('number ')).map(text => +text.slice(7))";
    ana.evaluate("window.seen = new Set()");
    ana.eventually("the beginning is reached", &mut || {
        ana.wait_for(built);
        let see =
            format!("({numbers}.forEach(number => window.seen.add(number)), Boolean({}))", message("where it began"));
        if ana.evaluate(&see) == true {
            return Some(json!(true));
        }
        let log = "document.querySelector('#timeline')";
        ana.evaluate(&format!("{log}.scrollBy({{ top: {log}.clientHeight * -0.8, behavior: 'instant' }})"));
        None
    });
    let missing =
        ana.evaluate("Array.from({ length: 400 }, (_, at) => at + 1).filter(number => !window.seen.has(number))");
    assert_eq!(missing, json!([]), "something was passed over");
    // What is added meanwhile moves nothing.
    let place = format!("{}.getBoundingClientRect().top", message("where it began"));
    ana.evaluate(&format!("{}.scrollIntoView()", message("where it began")));
    let before = ana.evaluate(&place).as_f64().expect("a number");
    dora.say("one more");
    ana.wait_for("document.querySelector('#newer').dataset.missed === '1'");
    let moved = ana.evaluate(&place).as_f64().expect("a number") - before;
    assert!(moved.abs() < 3.0, "what is read has moved by {moved}");
    ana.click("#newer");
    wait_for_message(ana, "one more");
}

/// The start page and a room are there in dark colours, and in the reader's language: these words are on their buttons.
pub fn look_around_in_the_dark(window: &dyn Window, [create, send]: [&str; 2]) {
    let server = Server::start();
    let proxy = Proxy::start_calm(server.web);
    let home = format!("http://{}/", proxy.address);
    window.navigate(&home);
    let assert_dark = || {
        window.wait_for("matchMedia('(prefers-color-scheme: dark)').matches");
        for [property, comparison] in [["backgroundColor", "< 100"], ["color", "> 150"]] {
            window.wait_for(&format!("getComputedStyle(document.body).{property}.match(/\\d+/g)[0] {comparison}"));
        }
    };
    assert_dark();
    window.wait_for(&format!("document.querySelector('#create').textContent.trim() === {create:?}"));
    look(window, "home-dark");
    window.fill("#name", "Ana");
    window.click("#create");
    wait_until_connected(window);
    assert_dark();
    window.wait_for(&format!("document.querySelector('#send').textContent.trim() === {send:?}"));
    say(window, "hello in the dark");
    let mut ben = Terminal::join(&server, window.text_of("location.pathname.slice(1)").as_str(), "ben");
    ben.send_line("see `this` at http://a.example/");
    wait_for_message(window, "see this");
    look(window, "room-dark");
    assert_eq!(window.complaints(), [] as [String; 0]);
}

/// What a page does wrong is told of.
pub fn go_wrong(window: &dyn Window) {
    let server = Server::start();
    window.navigate(&format!("http://{}/", server.web));
    assert_eq!(window.complaints(), [] as [String; 0]);
    window.evaluate("console.error('of the console')");
    window.evaluate("void setTimeout(() => { throw new Error('of a script') })");
    window.evaluate("document.body.append(Object.assign(new Image(), { src: 'http://other.example/image' }))");
    for part in ["of the console", "of a script", "Content Security Policy"] {
        window.eventually(part, &mut || {
            window.complaints().iter().any(|complaint| complaint.contains(part)).then_some(json!(true))
        });
    }
}
