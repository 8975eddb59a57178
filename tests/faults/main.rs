//! The real program behind a bad network: real clients of all kinds, and a real browser, lose nothing.
//!
//! `FAULT_SEED=7 cargo test --test faults` makes another network.

#[path = "../browser/chromium.rs"]
#[allow(dead_code)]
mod chromium;
#[path = "../history/mod.rs"]
mod history;
#[path = "../history/party.rs"]
mod party;
#[allow(dead_code)]
mod proxy;
#[path = "../support/mod.rs"]
mod support;

use std::ops::Range;

use chromium::Chromium;
use history::Promises;
use history::client::Kind;
use party::{Doors, Party};
use proxy::Proxy;
use serde_json::json;
use support::{Server, eventually};

const ACKNOWLEDGEMENTS: Range<usize> = 200..300;

fn seed() -> u64 {
    std::env::var("FAULT_SEED").map_or(1, |seed| seed.parse().expect("a number"))
}

#[test]
fn nothing_is_lost_over_a_bad_network() {
    let server = Server::with(&["--rate", "0", "--join-rate", "0", "--create-rate", "0", "--grace", "1s"]);
    let room = server.create_room();
    let web = Proxy::start(server.web, seed());
    let line = Proxy::start(server.line(), seed() + 1);
    let kinds = [Kind::Web, Kind::Web, Kind::Web, Kind::JsonLine, Kind::JsonLine, Kind::Line];
    let doors = Doors { web: web.address, line: line.address };
    let mut party = Party::new(doors, &room, &kinds, seed());
    party.talk(ACKNOWLEDGEMENTS);
    web.calm_down();
    line.calm_down();
    party.settle();
    party.history.check(Promises { history_events: 1000, memory_events: 1000, is_durable: true, is_shared: false });
    assert!(web.resets() + line.resets() > 0, "the network was bad");
}

#[test]
fn a_page_offline_queues_what_is_typed_and_sends_it_once_in_order() {
    let server = Server::start();
    let proxy = Proxy::start_calm(server.web);
    let chromium = Chromium::shared();
    let page = chromium.open_window();
    page.open(&format!("http://{}/", proxy.address));
    page.fill("#name", "ana");
    page.click("#create");
    page.wait_for("document.querySelector('#status')?.dataset.state === 'open'");
    let room = page.url().rsplit('/').next().expect("a code").to_owned();

    proxy.set_offline(true);
    page.wait_for("document.querySelector('#status').dataset.state !== 'open'");
    let texts: Vec<String> = (1..=5).map(|number| format!("typed offline, {number}")).collect();
    for text in &texts {
        page.fill("#text", text);
        page.press("Enter");
    }
    let waiting = "[...document.querySelectorAll('#waiting .waiting .text')].map(text => text.textContent)";
    page.wait_for(&format!("JSON.stringify({waiting}) === JSON.stringify({})", json!(texts)));

    proxy.set_offline(false);
    // As the system does when the network is back.
    page.evaluate("window.dispatchEvent(new Event('online'))");
    page.wait_for("document.querySelector('#status').dataset.state === 'open'");
    page.wait_for("document.querySelector('#waiting').children.length === 0");
    let said = eventually("what was typed is said", || {
        let events = server.get(&format!("/api/v1/rooms/{room}/events")).json();
        let events = events["events"].as_array().expect("events").clone();
        let texts: Vec<_> = events.iter().filter_map(|event| event["text"].as_str().map(str::to_owned)).collect();
        (texts.len() >= 5).then_some(texts)
    });
    assert_eq!(said, texts, "once, in order");
    let shown = "[...document.querySelectorAll('#timeline [data-id].message .text')].map(text => text.textContent)";
    page.wait_for(&format!("JSON.stringify({shown}) === JSON.stringify({})", json!(texts)));
}
