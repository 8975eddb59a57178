//! What a room's page costs the browser: how long its frames take, with few messages and with many.
//!
//! `cargo bench --bench page`, with Chromium. A page is in a room in which 100 messages are said, and in another with 10,000.
//! In each somebody scrolls up, types, and messages come, and the time between two frames is measured: at 60 frames a second
//! it is 17 ms. Then 1,000 people come into a room within five seconds, and the longest task of its page is measured.

#[path = "../tests/browser/chromium.rs"]
#[allow(dead_code)]
mod chromium;
#[path = "../tests/support/mod.rs"]
mod support;

use std::thread;
use std::time::{Duration, Instant};

use chromium::{Chromium, Window};
use support::{Server, WebSocketClient};

const FEW: usize = 100;
const MANY: usize = 10_000;
const FRAMES: usize = 200;
const SCROLLED_PX: usize = 300;
const MEMBERS: u32 = 1000;
const COMING: Duration = Duration::from_secs(5);

/// What takes the time of every frame from here on.
const WATCH: &str = "
    window.frames = [];
    window.longest = 0;
    new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    }).observe({ type: 'longtask' });
    let last = performance.now();
    const next = () => {
        const now = performance.now();
        window.frames.push(now - last);
        last = now;
        requestAnimationFrame(next);
    };
    requestAnimationFrame(next);";

fn main() {
    let server = Server::with(&["--rate", "0", "--history", "20000", "--max-per-ip", "0", "--max-members", "0"]);
    let chromium = Chromium::shared();
    let few = talk(&server, &chromium, FEW);
    let many = talk(&server, &chromium, MANY);
    for ((what, few), (_, many)) in few.iter().zip(&many) {
        let ratio = many.median_ms / few.median_ms;
        println!("{what}: with {FEW} messages {few}; with {MANY} {many}: {ratio:.2} x");
    }
    println!("{MEMBERS} people come within {COMING:?}: longest task {:.0} ms", crowd(&server, &chromium));
}

/// The times of frames.
struct Frames {
    median_ms: f64,
    p99_ms: f64,
    longest_ms: f64,
}

impl std::fmt::Display for Frames {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Frames { median_ms, p99_ms, longest_ms } = self;
        write!(formatter, "{median_ms:.0} ms (p99 {p99_ms:.0}, longest {longest_ms:.0})")
    }
}

fn enter(server: &Server, chromium: &Chromium, room: &str) -> Window {
    let window = chromium.open_window();
    window.prepare_pages(WATCH);
    window.open(&format!("http://{}/{room}", server.web));
    window.fill("#name", "Ana");
    window.click("#join");
    window.wait_for("document.querySelector('#status')?.dataset.state === 'open'");
    window
}

/// Scrolling, typing and listening in a room in which so many messages were said.
fn talk(server: &Server, chromium: &Chromium, messages: usize) -> [(&'static str, Frames); 3] {
    let room = server.create_room();
    let window = enter(server, chromium, &room);
    let mut ben = WebSocketClient::join(server, &room, "Ben");
    for number in 0..messages {
        let text = format!("{number}: some words, as many as people say at once in a room like this one");
        ben.say(&text);
        ben.expect_where("it", |message| message["text"] == *text);
    }
    let last = messages - 1;
    window.wait_for(&format!(
        "[...document.querySelectorAll('#timeline .text')].some(text => text.textContent.startsWith('{last}:'))"
    ));
    window.evaluate("window.frames = []");
    for number in 0..FRAMES {
        ben.say(&format!("meanwhile {number}"));
        thread::sleep(Duration::from_millis(20));
    }
    let listening = frames(&window);
    window.click("#text");
    window.evaluate("window.frames = []");
    for _ in 0..FRAMES / 2 {
        window.type_text("x");
    }
    let typing = frames(&window);
    window.evaluate("window.frames = []");
    window.evaluate(&format!(
        "(() => {{
            let left = {FRAMES};
            const log = document.querySelector('#timeline');
            const step = () => {{
                log.scrollTop -= {SCROLLED_PX};
                left -= 1;
                if (left > 0) requestAnimationFrame(step);
                else window.isScrolled = true;
            }};
            step();
        }})()"
    ));
    window.wait_for("window.isScrolled === true");
    [("messages come", listening), ("typing", typing), ("scrolling", frames(&window))]
}

fn frames(window: &Window) -> Frames {
    let mut frames: Vec<f64> = serde_json::from_value(window.evaluate("window.frames")).expect("numbers");
    frames.sort_by(f64::total_cmp);
    let at = |part: f64| frames[((frames.len() - 1) as f64 * part) as usize];
    Frames { median_ms: at(0.5), p99_ms: at(0.99), longest_ms: at(1.0) }
}

/// The longest task of a page whose room many people enter.
fn crowd(server: &Server, chromium: &Chromium) -> f64 {
    let room = server.create_room();
    let window = enter(server, chromium, &room);
    window.evaluate("window.longest = 0");
    let started = Instant::now();
    let people: Vec<WebSocketClient> = (0..MEMBERS)
        .map(|number| {
            thread::sleep((started + COMING * number / MEMBERS).saturating_duration_since(Instant::now()));
            WebSocketClient::join(server, &room, &format!("member {number}"))
        })
        .collect();
    window.wait_for(&format!("document.querySelector('#count').textContent.replace(/\\D/g, '') === '{}'", MEMBERS + 1));
    let longest = window.evaluate("window.longest").as_f64().expect("a number");
    drop(people);
    longest
}
