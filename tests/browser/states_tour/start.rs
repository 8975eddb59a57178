//! The start page, as a form of its own and for whoever is invited, and a room that nobody else is in.

use super::{State, state};
use crate::roles::is_shown;
use crate::wait_until_connected;

pub const STATES: &[State] = &[
    state("home", |stage| {
        stage.open("");
        stage.wait_for_element("#create");
    }),
    state("home-no-name", |stage| {
        stage.window.click("#create");
        stage.wait_for_element("#reason");
    })
    .reporting(&["400 (Bad Request)"]),
    state("home-no-such-room", |stage| {
        stage.window.fill("#name", "Ana");
        stage.window.fill("#code", "bbbb");
        stage.window.click("#join");
        stage.window.wait_for("document.querySelector('#reason')?.textContent.includes('BBBB')");
    })
    .reporting(&["404 (Not Found)"]),
    state("no-such-room", |stage| {
        stage.open("BBBB");
        stage.wait_for_element("#reason");
    })
    .reporting(&["404 (Not Found)"]),
    state("invited", |stage| {
        stage.open(&stage.room);
        stage.wait_for_element("#join");
    }),
    state("invited-name-taken", |stage| {
        stage.window.fill("#name", "Ben");
        stage.window.click("#join");
        stage.wait_for_element(".error#reason");
    })
    .reporting(&["409 (Conflict)"]),
    state("invited-with-a-key", |stage| {
        stage.ben.send(serde_json::json!({"type": "moderate", "action": "key", "value": "sesame"}));
        stage.ben.expect("mode");
        stage.open(&stage.room);
        stage.wait_for_element("#join");
        stage.window.fill("#name", "Ana");
        stage.window.click("#join");
        stage.wait_for_element("#key");
    })
    .reporting(&["401 (Unauthorized)", "403 (Forbidden)"]),
    state("room-empty", |stage| {
        stage.open("");
        stage.window.fill("#name", "Ana");
        stage.window.click("#create");
        wait_until_connected(&stage.window);
        stage.wait_for_element("#alone");
        stage.window.wait_for("document.querySelector('#alone .qr').naturalWidth > 0");
    }),
    state("qr-code", |stage| {
        stage.choose_in_header("#show-qr");
        stage.wait_for_element("#qr-code");
        stage.window.wait_for("document.querySelector('#qr-code img').naturalWidth > 0");
    })
    .then(|stage| {
        stage.escape();
        stage.wait_until_gone("#qr-code");
    }),
    state("home-recent-rooms", |stage| {
        stage.choose_in_header("#leave");
        stage.window.wait_for("location.pathname === '/' && document.readyState === 'complete'");
        stage.wait_for_element("#recent a");
        assert!(is_shown(&stage.window, "#recent button"));
    }),
];
