//! Where the parts of the page are: the column or drawer of people, an empty room's invitation, the start page's ways in.

use serde_json::json;

use crate::chromium::{Chromium, Window};
use crate::roles::is_shown;
use crate::support::Server;
use crate::{create_room, home, say, wait_until_connected};

/// How large the window is, from here on.
fn resize(window: &Window, width: u32, height: u32) {
    window.call(
        "Emulation.setDeviceMetricsOverride",
        json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
    );
    window.wait_for(&format!("innerWidth === {width}"));
}

#[test]
fn on_a_phone_people_are_in_a_drawer_which_escape_and_the_way_back_close() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    resize(&ana, 360, 640);
    ana.wait_for("document.querySelector('#side').hidden");
    for closes in ["history.back()", ""] {
        ana.click("#people");
        ana.wait_for("document.querySelector('#side').contains(document.activeElement)");
        assert_eq!(ana.evaluate("document.querySelector('main').inert && document.querySelector('.bar').inert"), true);
        if closes.is_empty() {
            ana.press("Escape");
        } else {
            ana.evaluate(closes);
        }
        ana.wait_for("document.querySelector('#side').hidden && document.activeElement.id === 'people'");
        assert_eq!(ana.evaluate("document.querySelector('main').inert"), false);
    }
    wait_until_connected(&ana);
    // What the header has no room for is in its menu, which gives the keyboard back.
    ana.click("#more");
    ana.wait_for("document.querySelector('#menu').contains(document.activeElement)");
    ana.press("Escape");
    ana.wait_for("document.activeElement.id === 'more'");
    assert_eq!(ana.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
}

#[test]
fn who_is_alone_is_shown_how_to_bring_somebody_in_until_something_is_said() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    ana.wait_for("document.querySelector('#alone .qr').naturalWidth > 0");
    assert!(is_shown(&ana, "#alone"));
    say(&ana, "anybody here?");
    ana.wait_for("document.querySelector('#alone').hidden");
}

#[test]
fn the_start_page_reads_a_pasted_link_and_remembers_rooms() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let room = create_room(&ana, &server, "Ana");
    ana.open(&home(&server));
    ana.wait_for("document.querySelector('#recent li a') !== null");
    assert_eq!(ana.text("#recent .code"), room.as_str());
    ana.click("#code");
    ana.evaluate("document.querySelector('#code').select()");
    ana.call("Input.insertText", json!({"text": format!("http://a.example/chat/{}", room.to_lowercase())}));
    ana.wait_for(&format!("document.querySelector('#code').value === '{room}'"));
    ana.click("#recent button");
    ana.wait_for("document.querySelector('#recent').hidden");
}
