//! What opens over a room or beside it: menus, dialogs, the people's panel, the search, and what helps with writing.

use serde_json::json;

use super::{Stage, State, state};
use crate::{say, wait_for_message};

fn wait_for_focus(stage: &Stage, selector: &str) {
    stage.window.wait_for(&format!("document.activeElement?.matches({selector:?})"));
}

/// Opens the menu of the last message.
fn open_message_menu(stage: &Stage) {
    stage
        .window
        .evaluate("[...document.querySelectorAll('#timeline [data-id].message')].at(-1).focus({ focusVisible: true })");
    stage.window.press("Enter");
    stage.wait_for_element("#menu .menu");
}

fn close_menu(stage: &mut Stage) {
    stage.escape();
    stage.wait_until_gone("#menu");
}

fn close_dialog(stage: &mut Stage) {
    stage.escape();
    stage.wait_until_gone("dialog[open]");
}

fn empty_field(stage: &mut Stage) {
    stage.escape();
    stage.window.fill("#text", "");
}

fn write(stage: &Stage, text: &str) {
    stage.window.fill("#text", "");
    stage.window.type_text(text);
}

pub const STATES: &[State] = &[
    state("people", |stage| {
        stage.open_drawer();
        stage.window.wait_for("document.querySelectorAll('#members li').length === 2");
    })
    .then(|stage| stage.close_drawer()),
    state("member-menu", |stage| {
        stage.open_drawer();
        stage.window.click("[data-name=Ben] .tools");
        stage.wait_for_element("#menu .menu");
    }),
    state("ban", |stage| {
        stage.choose_in_menu("Ban…");
        stage.wait_for_element("#menu form");
    })
    .then(|stage| {
        close_menu(stage);
        stage.close_drawer();
    }),
    state("own-menu", |stage| {
        stage.open_drawer();
        stage.window.click("#own");
        stage.wait_for_element("#menu .menu");
    }),
    state("account", |stage| {
        stage.choose_in_menu("Claim this name…");
        stage.wait_for_element("#account[open]");
    })
    .then(|stage| {
        close_dialog(stage);
        stage.close_drawer();
    }),
    state("people-column-closed", |stage| {
        if !stage.is_narrow() {
            stage.window.click("#people");
            stage.wait_until_gone("#side");
        }
    })
    .then(|stage| {
        if !stage.is_narrow() {
            stage.window.click("#people");
            stage.wait_for_element("#side");
        }
    }),
    state("more", |stage| {
        if stage.is_narrow() {
            stage.window.click("#more");
            stage.wait_for_element("#menu .menu");
        }
    })
    .then(|stage| {
        if stage.is_narrow() {
            close_menu(stage);
        }
    }),
    state("settings", |stage| {
        stage.choose_in_header("#set");
        stage.wait_for_element("#settings[open]");
    }),
    state("settings-kept-out", |stage| {
        stage.window.click("#settings summary");
        stage.window.wait_for("document.querySelector('#settings [role=status]').textContent !== ''");
    })
    .then(close_dialog),
    state("topic-and-rules", |stage| {
        let topic = "Friday, seven o'clock, in the back room: who brings what, and who takes it home again afterwards";
        for (action, value) in [("topic", json!(topic)), ("lock", json!(null)), ("slow", json!(null))] {
            let seconds = if action == "slow" { json!(30) } else { json!(null) };
            stage.ben.send(json!({"type": "moderate", "action": action, "value": value, "seconds": seconds}));
        }
        stage.window.wait_for("document.querySelectorAll('#rules .badge').length === 2");
    })
    .then(|stage| {
        stage.ben.send(json!({"type": "moderate", "action": "slow", "seconds": 0}));
        stage.window.wait_for("document.querySelectorAll('#rules .badge').length === 1");
    }),
    state("message-pointed-at", |stage| {
        say(&stage.window, "Said by myself.");
        stage.window.point_at("#timeline [data-id].own .text");
    }),
    state("message-menu-own", |stage| open_message_menu(stage)),
    state("delete-question", |stage| {
        stage.choose_in_menu("Delete…");
        stage.wait_for_element("#menu .question");
    })
    .then(close_menu),
    state("message-menu", |stage| {
        stage.ben_says("Said by somebody else.");
        open_message_menu(stage);
    }),
    state("another-reaction", |stage| {
        stage.choose_in_menu("Another emoji");
        stage.wait_for_element("#menu .emojis button");
    })
    .then(close_menu),
    state("replying", |stage| {
        open_message_menu(stage);
        stage.choose_in_menu("Reply");
        stage.wait_for_element("#purpose");
        wait_for_focus(stage, "#text");
    })
    .then(empty_field),
    state("correcting", |stage| {
        stage.window.press("ArrowUp");
        stage.wait_for_element("#purpose");
    })
    .then(empty_field),
    state("commands", |stage| {
        write(stage, "/");
        stage.wait_for_element("#suggestions [role=option]");
    })
    .then(empty_field),
    state("names", |stage| {
        write(stage, "and @");
        stage.wait_for_element("#suggestions [role=option]");
    })
    .then(empty_field),
    state("emoji-by-name", |stage| {
        write(stage, ":smi");
        stage.wait_for_element("#suggestions [role=option]");
    })
    .then(empty_field),
    state("emoji", |stage| {
        stage.window.click("#smile");
        stage.wait_for_element("#menu .emojis button");
    })
    .then(close_menu),
    state("several-lines", |stage| stage.window.fill("#text", &"A line of a longer text.\n".repeat(30)))
        .then(empty_field),
    state("nearly-too-long", |stage| {
        stage.window.fill("#text", &"Nearly too long. ".repeat(235));
        stage.wait_for_element("#left");
    })
    .then(empty_field),
    state("too-long", |stage| {
        stage.window.fill("#text", &"Far too long. ".repeat(400));
        stage.wait_for_element("#left.over");
    })
    .then(empty_field),
    state("unknown-command", |stage| {
        write(stage, "/dance");
        stage.window.press("Enter");
        stage.wait_for_element("#remark");
    })
    .then(empty_field),
    state("too-quick", |stage| {
        stage.window.evaluate(
            "window.refusals.message.push({ code: 'rate_limited', message: 'Too quick.', retry_ms: 600_000 })",
        );
        stage.window.fill("#text", "Said too soon");
        stage.window.press("Enter");
        stage.wait_for_element("#pace");
    })
    .then(|stage| {
        stage.window.reload();
        wait_for_message(&stage.window, "Said too soon");
    }),
    state("help", |stage| {
        stage.window.fill("#text", "/help");
        stage.window.press("Enter");
        stage.window.wait_for("document.querySelector('#timeline').innerText.includes('/nick')");
    }),
    state("who", |stage| {
        stage.window.fill("#text", "/who");
        stage.window.press("Enter");
        stage.window.wait_for("/2 here/.test(document.querySelector('#timeline').innerText)");
    }),
    state("search", |stage| {
        stage.window.click("#find");
        stage.wait_for_element("#search");
    }),
    state("search-found", |stage| {
        stage.window.fill("#sought", "said");
        stage.window.press("Enter");
        stage.wait_for_element("#search li");
    }),
    state("search-nothing", |stage| {
        stage.window.fill("#sought", "needle");
        stage.window.press("Enter");
        stage.window.wait_for("document.querySelectorAll('#search li').length === 0");
        stage.wait_for_element("#search [role=status]");
    })
    .then(|stage| {
        stage.window.click("#search .close");
        stage.wait_until_gone("#search");
    }),
];
