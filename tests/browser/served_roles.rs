//! What pages and the real server make of it together: order is kept, names are claimed, and what was said is found.

use super::roles::{choose, is_shown};
use super::*;

fn type_command(window: &Window, command: &str) {
    window.fill("#text", command);
    window.press("Enter");
}

fn wait_for_status(window: &Window, state: &str) {
    window.wait_for(&format!("document.querySelector('#status').dataset.state === {state:?}"));
}

#[test]
fn a_member_is_kicked_and_comes_back_when_it_wants_to() {
    let server = Server::with(&["--rate", "0", "--grace", "1m"]);
    let chromium = Chromium::shared();
    let (ana, ben, room) = ana_and_ben(&chromium, &server);
    let mut carl = WebSocketClient::join(&server, &room, "Carl");
    assert_eq!(ana.text("#members [data-name=Ana] .badge"), "operator");
    assert!(is_shown(&ana, "[data-name=Ben] .tools") && !is_shown(&ben, "#members .tools"));
    for text in ["one", "two", "three"] {
        carl.say(text);
    }
    wait_for_message(&ben, "three");
    ana.click("[data-name=Ben] .tools");
    choose(&ana, "Kick…");
    ana.fill("#reason", "no shouting");
    ana.press("Enter");
    for text in ["four", "five", "six"] {
        carl.say(text);
    }
    wait_for_status(&ben, "kicked");
    assert_eq!(ben.text("#status p"), "You were kicked by Ana: no shouting");
    wait_for_notice(&ana, "Ana removed Ben: no shouting");
    wait_for_members(&ana, &["Ana", "Carl"]);
    ben.evaluate("window.dispatchEvent(new Event('online')); document.dispatchEvent(new Event('visibilitychange'))");
    assert_eq!(web_sockets(&ben), 1);

    ben.click("#status button");
    wait_until_connected(&ben);
    wait_for_message(&ben, "six");
    wait_for_members(&ana, &["Ana", "Ben", "Carl"]);
    say(&ben, "sorry");
    wait_for_message(&ana, "sorry");
    type_command(&ana, "/ban ben 10m enough");
    wait_for_status(&ben, "kicked");
    assert_eq!(ben.text("#status p"), "You were kicked by Ana: enough");
    wait_for_notice(&ana, "Ana banned Ben for 10 min");
    ben.click("#status button");
    ben.wait_for("document.querySelector('#status p').textContent.startsWith('You are banned from')");
    for window in [&ana, &ben] {
        assert_well_behaved(window, &server);
    }
}

#[test]
fn who_is_kept_out_is_shown_to_operators_and_let_in_again() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let (ana, ben, _) = ana_and_ben(&chromium, &server);
    type_command(&ben, "/bans");
    ben.wait_for("document.querySelector('#remark').textContent === 'Only operators see who is kept out.'");
    type_command(&ana, "/bans");
    ana.wait_for("document.querySelector('.bans p').textContent === 'Nobody is kept out.'");
    ana.press("Escape");
    type_command(&ana, "/ban ben 2h");
    wait_for_status(&ben, "kicked");
    type_command(&ana, "/bans");
    let shown = "document.querySelector('.bans li span')?.textContent";
    ana.wait_for(&format!("{shown} === 'Ben, for 2 hours, by Ana'"));
    ana.click(".bans li button");
    wait_for_notice(&ana, "Ana lets Ben come in again");
    ana.wait_for("document.querySelector('.bans li') === null");
    ana.wait_for("document.querySelector('.bans p').textContent === 'Nobody is kept out.'");
    // Nothing was pressed but that, and the keyboard is still in the dialog.
    assert!(ana.evaluate("document.querySelector('#settings').contains(document.activeElement)") == true);
    ana.press("Escape");
    ana.wait_for("!document.querySelector('#settings').open");
    ben.click("#status button");
    wait_until_connected(&ben);
    assert_well_behaved(&ana, &server);
}

#[test]
fn who_comes_back_is_shown_as_what_it_is() {
    let server = Server::with(&["--rate", "0", "--grace", "0s"]);
    let chromium = Chromium::shared();
    let (ana, ben, room) = ana_and_ben(&chromium, &server);
    let mut carl = WebSocketClient::join(&server, &room, "Carl");
    carl.send(json!({"type": "register", "password": "correct horse"}));
    carl.expect("ok");
    type_command(&ana, "/op Carl");
    wait_for_notice(&ben, "Ana made Carl an operator");
    carl.drop_connection();
    wait_for_notice(&ben, "Carl left");
    let mut carl = WebSocketClient::connect(&server);
    carl.send(json!({"type": "join", "room": room, "name": "Carl", "password": "correct horse"}));
    carl.expect("joined");
    for page in [&ana, &ben] {
        page.wait_for("document.querySelector('#members [data-name=Carl] .badge')?.textContent === 'operator'");
        page.wait_for("document.querySelector('#members [data-name=Carl] .claimed') !== null");
    }
}

#[test]
fn a_topic_is_shown_and_a_locked_room_lets_nobody_new_in() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let (ana, ben, room) = ana_and_ben(&chromium, &server);
    ana.click("#set");
    ana.fill("#topic", "<b>slides</b> at 3");
    ana.click("[name=locked]");
    ana.click("#settings .primary");
    for window in [&ana, &ben] {
        window.wait_for("document.querySelector('#rules .topic')?.textContent === '<b>slides</b> at 3'");
        window.wait_for("document.querySelector('#rules .badge')?.textContent === 'locked'");
        wait_for_notice(window, "Ana locked the room");
    }
    let carl = chromium.open_window();
    carl.open(&format!("{}{room}", home(&server)));
    carl.fill("#name", "Carl");
    carl.click("#join");
    carl.wait_for("document.querySelector('.error')?.textContent.includes('is locked')");
    // Who is in stays in, and sees it all after a reload.
    ben.reload();
    wait_until_connected(&ben);
    assert_eq!(ben.text("#rules .topic"), "<b>slides</b> at 3");
    type_command(&ana, "/unlock");
    wait_for_notice(&ben, "Ana unlocked the room");
    ben.wait_for("document.querySelector('#rules .badge') === null");
    carl.click("#join");
    wait_until_connected(&carl);
    for window in [&ana, &ben] {
        assert_well_behaved(window, &server);
    }
}

#[test]
fn a_rooms_key_is_asked_for_by_the_form_and_by_the_page() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let (ana, ben, room) = ana_and_ben(&chromium, &server);
    ana.click("#set");
    ana.click("[name=hasKey]");
    ana.fill("#key", "sesame");
    ana.click("#settings .primary");
    wait_for_notice(&ben, "Ana set a key");
    // Who was kicked is new again, and its page asks.
    type_command(&ana, "/kick ben");
    wait_for_status(&ben, "kicked");
    ben.click("#status button");
    for secret in ["sesam", "sesame"] {
        ben.wait_for("!document.querySelector('#rename').hidden && document.querySelector('#secret').value === ''");
        assert_eq!(ben.text("label[for=secret]"), "The key of this room");
        ben.fill("#secret", secret);
        ben.press("Enter");
    }
    wait_until_connected(&ben);
    wait_for_members(&ana, &["Ana", "Ben"]);

    let carl = chromium.open_window();
    carl.open(&format!("{}{room}", home(&server)));
    carl.fill("#name", "Carl");
    carl.fill("#key", "sesam");
    carl.click("#join");
    carl.wait_for("document.querySelector('.error')?.textContent.includes('not the key')");
    carl.fill("#key", "sesame");
    carl.click("#join");
    wait_until_connected(&carl);
    wait_for_members(&ana, &["Ana", "Ben", "Carl"]);
    let pages = "document.documentElement.outerHTML + JSON.stringify({ ...localStorage, ...sessionStorage })";
    for window in [&ana, &ben, &carl] {
        assert_eq!(window.evaluate(&format!("({pages}).includes('sesam')")), false);
    }
}

#[test]
fn a_name_is_claimed_and_logged_in_from_another_page() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let (ana, zoe) = (chromium.open_window(), chromium.open_window());
    create_room(&ana, &server, "Ana");
    ana.click("#own");
    choose(&ana, "Claim this name…");
    ana.fill("#account-new", "correct horse");
    ana.fill("#account-again", "correct horse");
    ana.press("Enter");
    ana.wait_for("!document.querySelector('#account').open");
    ana.wait_for("document.querySelector('#members [data-name=Ana] .claimed') !== null");

    create_room(&zoe, &server, "Zoe");
    zoe.click("#own");
    choose(&zoe, "Log in…");
    zoe.fill("#account-name", "Ana");
    zoe.fill("#account-password", "wrong horse");
    zoe.press("Enter");
    zoe.wait_for("!document.querySelector('#account .error').hidden");
    assert!(zoe.text("#account .error").contains("do not belong together"), "{}", zoe.text("#account .error"));
    zoe.fill("#account-password", "correct horse");
    zoe.press("Enter");
    wait_for_notice(&zoe, "Zoe is now Ana");
    zoe.wait_for("!document.querySelector('#account').open");
    zoe.wait_for("document.querySelector('#members [data-name=Ana] .claimed') !== null");
    // A session that has shown the password needs to show it no more.
    zoe.reload();
    wait_until_connected(&zoe);
    wait_for_members(&zoe, &["Ana"]);
    zoe.wait_for("document.querySelector('#members [data-name=Ana] .claimed') !== null");

    // The form asks who comes by that name.
    let stranger = chromium.open_window();
    stranger.open(&home(&server));
    stranger.fill("#name", "ana");
    stranger.click("#create");
    stranger.wait_for("document.querySelector('#password') !== null");
    stranger.fill("#password", "correct horse");
    stranger.click("#create");
    wait_until_connected(&stranger);
    stranger.wait_for("document.querySelector('#members .claimed') !== null");
    for window in [&ana, &zoe] {
        assert_well_behaved(window, &server);
    }
}

#[test]
fn a_key_and_a_password_are_asked_for_once_each() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let (ana, ben, _room) = ana_and_ben(&chromium, &server);
    type_command(&ana, "/key sesame");
    wait_for_notice(&ben, "Ana set a key");
    type_command(&ana, "/kick ben");
    wait_for_status(&ben, "kicked");
    // Meanwhile somebody claims that name in another room.
    let mut other = WebSocketClient::join(&server, &server.create_room(), "Ben");
    other.send(json!({"type": "register", "password": "correct horse"}));
    other.expect("ok");
    ben.click("#status button");
    for (label, secret) in [("The key of this room", "sesame"), ("The password of this name", "correct horse")] {
        ben.wait_for(&format!("document.querySelector('label[for=secret]').textContent === {label:?}"));
        ben.wait_for("!document.querySelector('#rename').hidden && document.querySelector('#secret').value === ''");
        ben.fill("#secret", secret);
        ben.press("Enter");
    }
    wait_until_connected(&ben);
    wait_for_members(&ana, &["Ana", "Ben"]);
}

#[test]
fn the_page_that_changes_a_password_goes_on_and_others_are_told() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let (ana, ben, _) = ana_and_ben(&chromium, &server);
    ana.click("#own");
    choose(&ana, "Claim this name…");
    ana.fill("#account-new", "correct horse");
    ana.fill("#account-again", "correct horse");
    ana.press("Enter");
    ana.wait_for("!document.querySelector('#account').open");
    // The same person, in another room.
    let phone = chromium.open_window();
    create_room(&phone, &server, "Zoe");
    type_command(&phone, "/login");
    phone.fill("#account-name", "Ana");
    phone.fill("#account-password", "correct horse");
    phone.press("Enter");
    wait_for_notice(&phone, "Zoe is now Ana");

    type_command(&ana, "/password");
    ana.fill("#account-password", "correct horse");
    ana.fill("#account-new", "correct mouse");
    ana.fill("#account-again", "correct mouse");
    ana.press("Enter");
    ana.wait_for("!document.querySelector('#account').open");
    say(&ana, "still here");
    wait_for_message(&ben, "still here");
    ana.reload();
    wait_until_connected(&ana);
    ana.wait_for("document.querySelector('#members [data-name=Ana] .claimed') !== null");
    assert_eq!(web_sockets(&ana), 2);

    wait_for_status(&phone, "taken-over");
    assert_eq!(phone.text("#status p"), "The password was changed, or the account is gone.");
    phone.click("#status button");
    for secret in ["correct horse", "correct mouse"] {
        phone.wait_for("!document.querySelector('#rename').hidden && document.querySelector('#secret').value === ''");
        assert_eq!(phone.text("label[for=secret]"), "The password of this name");
        phone.fill("#secret", secret);
        phone.press("Enter");
    }
    wait_until_connected(&phone);
    say(&phone, "here again");
}

#[test]
fn what_was_said_is_found_by_its_words() {
    let server = Server::with(&["--rate", "0"]);
    let room = server.create_room();
    let mut carl = WebSocketClient::join(&server, &room, "Carl");
    for number in 1..=120 {
        carl.say(&if number % 40 == 1 { format!("the slides, number {number}") } else { format!("message {number}") });
    }
    carl.expect_where("the last of them", |message| message["text"] == "message 120");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_room(&ana, &server, &room, "Ana");
    wait_for_message(&ana, "message 120");
    let texts = "[...document.querySelectorAll('#search .found')].map(it => it.textContent).join('|')";
    type_command(&ana, "/search slides");
    ana.wait_for(&format!("{texts} === 'the slides, number 81|the slides, number 41|the slides, number 1'"));
    assert_eq!(ana.text("#search [role=status]"), "3 found");
    // The first is on the page; the last is read in the list.
    ana.click("#search li:last-child button");
    ana.wait_for("document.querySelector('#search li:last-child button').matches('.whole')");
    ana.click("#search li button");
    ana.wait_for("document.activeElement.querySelector('.text')?.textContent === 'the slides, number 81'");
    ana.fill("#sought", "nowhere");
    ana.press("Enter");
    ana.wait_for("document.querySelector('#search [role=status]').textContent === 'Nothing was found.'");
    assert_well_behaved(&ana, &server);
}
