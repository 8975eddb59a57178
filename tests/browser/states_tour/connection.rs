//! Whether one's words get through, and why not: the states of the connection, and of a room that is over for us.

use serde_json::json;

use super::{Stage, State, state};
use crate::{come_back, go_offline, numbered, say, say_all, wait_for_message, wait_until_connected};

/// What the browser reports of connections that come to nothing; perhaps only when the next state is there.
const CUT: &[&str] = &[
    "net::ERR_INTERNET_DISCONNECTED",
    "net::ERR_CONNECTION_RESET",
    "net::ERR_CONNECTION_CLOSED",
    "net::ERR_EMPTY_RESPONSE",
    "net::ERR_SOCKET_NOT_CONNECTED",
    "Connection closed before receiving a handshake response",
    "WebSocket is closed before the connection is established",
];

const fn unsteady(name: &'static str, enter: fn(&mut Stage)) -> State {
    state(name, enter).reporting(CUT)
}

fn wait_for_state(stage: &Stage, state: &str) {
    stage.window.wait_for(&format!("document.querySelector('#status').dataset.state === {state:?}"));
}

/// What stood still is cut, and the page comes back.
fn thaw(stage: &Stage) {
    stage.proxy.set_offline(true);
    stage.proxy.set_frozen(false);
    stage.window.wait_for("document.querySelector('#status').dataset.state !== 'open'");
    come_back(&stage.window, &stage.proxy);
}

/// The next attempt to come in is refused with this.
fn refuse(stage: &Stage, code: &str, message: &str, state: &str) {
    let refusal = json!({"code": code, "message": message, "retry_ms": 600_000});
    stage.window.evaluate(&format!("window.refusals.join.push({refusal}); window.dispatchEvent(new Event('offline'))"));
    stage.window.wait_for("window.refusals.join.length === 0");
    wait_for_state(stage, state);
}

fn end(stage: &Stage, how: &str, state: &str) {
    stage.window.evaluate(&format!("window.end({how})"));
    wait_for_state(stage, state);
}

/// The first way out leads into the room again.
fn come_in_again(stage: &mut Stage) {
    stage.window.click("#status button");
    wait_until_connected(&stage.window);
}

/// What is asked for is given.
fn answer(stage: &mut Stage) {
    stage.window.click("#rename button");
    wait_until_connected(&stage.window);
}

pub const STATES: &[State] = &[
    unsteady("waiting", |stage| {
        say(&stage.window, "Said before.");
        stage.proxy.set_frozen(true);
        stage.window.fill("#text", "Waits to be said.");
        stage.window.press("Enter");
        stage.wait_for_element("#waiting .waiting");
    })
    .then(|stage| {
        thaw(stage);
        wait_for_message(&stage.window, "Waits to be said.");
    }),
    unsteady("connecting", |stage| {
        stage.proxy.set_frozen(true);
        stage.window.evaluate("window.end(1006)");
        stage.window.wait_for("document.querySelector('#status button') !== null");
        stage.window.click("#status button");
        stage.wait_for_element("#status");
    })
    .then(|stage| {
        thaw(stage);
    }),
    unsteady("reconnecting", |stage| {
        go_offline(&stage.window, &stage.proxy);
        wait_for_state(stage, "reconnecting");
        stage.window.wait_for("/\\d+ s/.test(document.querySelector('#status .detail')?.textContent)");
    }),
    unsteady("reconnecting-with-waiting-messages", |stage| {
        for text in ["One that waits.", "Another one that waits."] {
            stage.window.fill("#text", text);
            stage.window.press("Enter");
        }
        stage.window.wait_for("document.querySelectorAll('#waiting > *').length === 2");
    })
    .then(|stage| {
        come_back(&stage.window, &stage.proxy);
        wait_for_message(&stage.window, "Another one that waits.");
    }),
    unsteady("offline", |stage| {
        stage.window.set_offline(true);
        wait_for_state(stage, "offline");
        stage.window.fill("#text", "Waits for the network.");
        stage.window.press("Enter");
        stage.wait_for_element("#waiting .waiting");
    })
    .then(|stage| {
        stage.window.set_offline(false);
        wait_until_connected(&stage.window);
    }),
    unsteady("restarting", |stage| {
        stage.proxy.set_offline(true);
        end(stage, "1001", "restarting");
    })
    .then(|stage| come_back(&stage.window, &stage.proxy)),
    unsteady("left", |stage| end(stage, "1000", "left")).then(come_in_again),
    unsteady("taken-over", |stage| end(stage, "4001", "taken-over")).then(come_in_again),
    unsteady("password-changed", |stage| {
        end(stage, "4001, 'The password was changed, or the account is gone.'", "taken-over");
    })
    .then(come_in_again),
    unsteady("kicked", |stage| end(stage, "4003, 'You were kicked by Ben: enough of it.'", "kicked"))
        .then(come_in_again),
    unsteady("banned", |stage| refuse(stage, "banned", "You are banned from this room for a day.", "banned"))
        .then(come_in_again),
    unsteady("locked", |stage| refuse(stage, "room_locked", "The room is locked: nobody new comes in.", "locked"))
        .then(come_in_again),
    unsteady("full", |stage| refuse(stage, "room_full", "The room is full.", "refused")).then(come_in_again),
    unsteady("storage-failed", |stage| refuse(stage, "storage_failed", "The disk is full.", "refused"))
        .then(come_in_again),
    unsteady("gone", |stage| refuse(stage, "no_such_room", "There is no such room.", "gone")).then(come_in_again),
    unsteady("name-taken", |stage| {
        refuse(stage, "name_taken", "Somebody here is called that already.", "refused");
        stage.wait_for_element("#rename");
    })
    .then(|stage| {
        stage.window.fill("#new-name", "Ana");
        answer(stage);
    }),
    unsteady("password-wanted", |stage| {
        refuse(stage, "password_required", "This name is claimed: give its password.", "refused");
        stage.wait_for_element("#secret");
    })
    .then(|stage| {
        stage.window.fill("#secret", "none is needed");
        answer(stage);
    }),
    unsteady("key-wanted", |stage| {
        refuse(stage, "key_required", "Give this room's key.", "refused");
        stage.wait_for_element("#secret");
    })
    .then(|stage| {
        stage.window.fill("#secret", "none is needed");
        answer(stage);
    }),
];

/// Those of a room that keeps few events.
pub const OF_A_SHORT_MEMORY: &[State] = &[unsteady("older-messages-gone", |stage| {
    say(&stage.window, "Said long before.");
    go_offline(&stage.window, &stage.proxy);
    say_all(&mut stage.ben, &numbered("missed", 60));
    come_back(&stage.window, &stage.proxy);
    stage.window.wait_for("document.querySelector('#timeline .divider:not(.unread)') !== null");
    stage
        .window
        .evaluate("document.querySelector('#timeline .divider:not(.unread)').scrollIntoView({ block: 'center' })");
})];
