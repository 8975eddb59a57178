//! What is said in a room, and what becomes of it.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::json;

use super::{Stage, State, state};
use crate::roles::is_shown;
use crate::support::WebSocketClient;
use crate::{say, wait_for_message, wait_for_notice};

/// A picture, a sound and a film, of as few bytes as programs still take for such.
const SOUND: &[u8] = b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x08\0\0\0\x80\x80\x80\x80\x80\x80\x80\x80";

/// Shares a file in Ben's stead.
fn share(stage: &Stage, name: &str, bytes: &[u8]) {
    let path = format!("/api/v1/rooms/{}/files?name={name}&as=Cleo", stage.room);
    let response = stage.server.http().request("POST", &path, &[], bytes);
    assert_eq!(response.status, 201, "{}", response.text());
}

/// The bytes of a picture, drawn by the page.
fn picture(stage: &Stage) -> Vec<u8> {
    let drawn = stage.window.evaluate(
        "(() => {
            const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 400 });
            const paper = canvas.getContext('2d');
            for (const [index, colour] of ['#7a4', '#48a', '#e93'].entries()) {
                paper.fillStyle = colour;
                paper.fillRect(0, index * 130, 640, 140);
            }
            return canvas.toDataURL('image/png').split(',')[1];
        })()",
    );
    BASE64_STANDARD.decode(drawn.as_str().expect("a picture")).expect("Base64")
}

/// The last message of Ben, as its id.
fn last_of_ben(stage: &mut Stage, text: &str) -> serde_json::Value {
    stage.ben_says(text);
    stage.ben.expect_where(text, |message| message["text"] == text)["id"].clone()
}

pub const STATES: &[State] = &[
    state("nothing-said", |stage| stage.wait_for_element("#timeline .notice")),
    state("groups", |stage| {
        stage.ben_says("The slides are on the board.");
        stage.ben_says("Second page: who brings the projector? It should be somebody who is there early, since the room is locked until nine.");
        say(&stage.window, "I do.");
        say(&stage.window, "And the cable.");
        stage.ben.send(json!({"type": "message", "text": "nods", "kind": "me"}));
        wait_for_message(&stage.window, "* Ben nods");
    }),
    state("days", |stage| {
        let mut dawn = WebSocketClient::join(&stage.server, &stage.room, "Dawn");
        dawn.say("Said the day before yesterday.");
        wait_for_message(&stage.window, "Said the day before yesterday.");
        stage.ben_says("Said today.");
        stage.window.wait_for("document.querySelectorAll('#timeline [data-day]').length > 1");
    }),
    state("mention", |stage| {
        stage.ben_says("Ana, have you seen it? @ana!");
        stage.wait_for_element(".mention mark");
    }),
    state("reply", |stage| {
        let id = last_of_ben(stage, "What do we need for Friday?");
        stage.ben.send(json!({"type": "message", "text": "Chairs, above all.", "reply_to": id}));
        wait_for_message(&stage.window, "Chairs, above all.");
        stage.wait_for_element("button.quote");
    }),
    state("reactions", |stage| {
        let id = last_of_ben(stage, "It is done!");
        for emoji in ["🎉", "👍", "❤️"] {
            stage.ben.send(json!({"type": "react", "of": id, "emoji": emoji, "on": true}));
        }
        stage.window.wait_for("document.querySelectorAll('.reactions button').length === 3");
        stage.window.click(".reactions button");
        stage.wait_for_element(".reactions [aria-pressed=true]");
    }),
    state("edited-and-deleted", |stage| {
        let id = last_of_ben(stage, "Thrusday");
        stage.ben.send(json!({"type": "edit", "of": id, "text": "Thursday"}));
        let id = last_of_ben(stage, "What nobody should have read");
        stage.ben.send(json!({"type": "delete", "of": id}));
        stage.wait_for_element(".became");
        stage.wait_for_element(".message.deleted");
    }),
    state("marks", |stage| {
        stage.ben_says("It is in `assets/room.js`, *not* in the other one: http://a.example/a/very/long/path/that/goes/on/and/on/until/it/has/to/be/broken/somewhere?and=more#there");
        stage.ben_says("```\nfor (const line of lines) {\n    line.build(); // a long line of code, which does not fit onto the screen of a phone, nor of a tablet, nor onto a desktop's\n}\n```");
        stage.wait_for_element("pre code");
    }),
    state("emoji-alone", |stage| {
        stage.ben_says("🎉👍🏽");
        stage.wait_for_element(".text.emoji");
    }),
    state("right-to-left", |stage| {
        let mut dalia = WebSocketClient::join(&stage.server, &stage.room, "داليا نور");
        dalia.say("مرحبا بكم في الغرفة، http://a.example/ هنا");
        dalia.say("```\nlet x = 1;\n```");
        wait_for_message(&stage.window, "let x = 1;");
    }),
    state("tall-folded", |stage| {
        stage.ben.say(&"One line of many.\n".repeat(60));
        stage.wait_for_element(".unfold");
    }),
    state("tall-unfolded", |stage| {
        stage.window.click(".unfold");
        stage.wait_until_gone(".unfold");
    }),
    state("comings-and-goings", |stage| {
        for name in ["Emil", "Fatima", "Gustav"] {
            let mut guest = WebSocketClient::join(&stage.server, &stage.room, name);
            guest.send(json!({"type": "leave"}));
            guest.expect_close(1000);
        }
        wait_for_notice(&stage.window, "Gustav left");
        stage.window.wait_for("document.querySelectorAll('#timeline .joined').length > 4");
    }),
    state("comings-and-goings-opened", |stage| {
        stage.window.evaluate("[...document.querySelectorAll('#timeline .comings')].at(-1).dataset.target = ''");
        stage.window.click("[data-target]");
        stage.wait_for_element("[data-target][aria-expanded=true]");
    }),
    state("newer-while-reading-above", |stage| {
        stage.window.evaluate("document.querySelector('#timeline').scrollTop = 40");
        stage.wait_for_element("#newer");
        for text in ["one more", "two more", "three more"] {
            stage.ben.say(text);
        }
        stage.window.wait_for("document.querySelector('#newer').dataset.missed === '3'");
    }),
    state("unread", |stage| {
        stage.window.click("#newer");
        stage.wait_for_element("#timeline .unread");
    }),
    state("picture", |stage| {
        let bytes = picture(stage);
        share(stage, "board.png", &bytes);
        stage.window.wait_for("document.querySelector('.picture img')?.naturalWidth > 0");
    }),
    state("picture-opened", |stage| {
        stage.window.click(".picture");
        stage.wait_for_element("#viewer[open] img");
        stage.window.wait_for("document.querySelector('#viewer img').complete");
    })
    .then(|stage| {
        stage.escape();
        stage.wait_until_gone("#viewer");
    }),
    state("sound", |stage| {
        share(stage, "a%20short%20sound.wav", SOUND);
        stage.wait_for_element("audio");
    }),
    state("file", |stage| {
        share(
            stage,
            "minutes%20of%20the%20meeting%20in%20which%20we%20decided%20who%20brings%20the%20projector.pdf",
            b"%PDF-1.4 and so on",
        );
        stage.window.wait_for("document.querySelectorAll('#timeline a.card').length === 2");
    }),
    state("sharing", |stage| {
        stage.window.evaluate(
            "(() => {
                const data = new DataTransfer();
                for (const name of ['plan.txt', 'a second one with quite a long name that has to be cut or broken.csv']) {
                    data.items.add(new File(['x'.repeat(90_000)], name, { type: 'text/plain' }));
                }
                const input = document.querySelector('#files');
                input.files = data.files;
                input.dispatchEvent(new Event('change', { bubbles: true }));
            })()",
        );
        stage.wait_for_element("#share[open] li");
    }),
    state("uploading", |stage| {
        stage.proxy.set_rate(1000);
        stage.window.click("#share .primary");
        stage.wait_for_element("#uploads .upload progress");
    })
    .then(|stage| {
        stage.window.click("#uploads .upload:last-child button");
        stage.window.click("#uploads .upload:last-child button");
        stage.window.wait_for("document.querySelectorAll('#uploads .upload').length === 0");
        stage.proxy.set_rate(0);
    })
    .reporting(&["net::ERR_ABORTED"]),
    state("upload-failed", |stage| {
        stage.window.evaluate(
            "(() => {
                window.XMLHttpRequest.prototype.send = function () {
                    Object.defineProperties(this, { status: { value: 415 }, responseText: { value: '' } });
                    setTimeout(() => this.dispatchEvent(new Event('load')));
                };
                const data = new DataTransfer();
                data.items.add(new File(['x'], 'refused.bin'));
                const input = document.querySelector('#files');
                input.files = data.files;
                input.dispatchEvent(new Event('change', { bubbles: true }));
            })()",
        );
        stage.wait_for_element("#share[open] li");
        stage.window.click("#share .primary");
        stage.wait_for_element("#uploads .failed .remedies");
    })
    .then(|stage| stage.window.click("#uploads .failed .remedies button:last-child")),
    state("typing", |stage| {
        stage.ben.send(json!({"type": "typing"}));
        stage.window.wait_for("document.querySelector('#typing').textContent !== ''");
    }),
    state("failed", |stage| {
        stage.window.evaluate("window.refusals.message.push({ code: 'bad_request', message: 'Not understood.' })");
        stage.window.fill("#text", "What cannot be said");
        stage.window.press("Enter");
        stage.wait_for_element("#waiting .failed .remedies");
    })
    .then(|stage| {
        stage.window.click("#waiting .failed .remedies button:last-child");
        stage.window.wait_for("document.querySelector('#waiting').children.length === 0");
    }),
    state("storage-failed-for-one", |stage| {
        stage.window.evaluate(
            "window.refusals.message.push({ code: 'storage_failed', message: 'Not stored.', retry_ms: 60_000 })",
        );
        stage.window.fill("#text", "What cannot be stored now");
        stage.window.press("Enter");
        stage.wait_for_element("#waiting .delayed .remedies");
    })
    .then(|stage| {
        stage.window.click("#waiting .delayed .remedies button:first-child");
        wait_for_message(&stage.window, "What cannot be stored now");
        assert!(!is_shown(&stage.window, "#waiting .delayed"));
    }),
];
