//! A tour through every state that the pages can be in, on three screens, each in its light and in its dark colours: nobody
//! is kept out of any (axe-core finds nothing), nothing is cut, nothing scrolls sideways, and nothing complains.
//!
//! With the variable `SCREENSHOTS` a picture of each is saved in that folder, for people to look at.

mod connection;
mod inspection;
mod log;
mod panels;
mod start;

use super::*;
use inspection::Inspection;

/// How large a window is.
#[derive(Clone, Copy)]
pub struct Screen {
    name: &'static str,
    width: u32,
    height: u32,
}

/// One state of the pages.
struct State {
    name: &'static str,
    /// Brings it about.
    enter: fn(&mut Stage),
    /// Ends it, for the one that comes next.
    leave: fn(&mut Stage),
    /// What the browser itself reports meanwhile, of answers and connections; no page can help it.
    reports: &'static [&'static str],
}

const fn state(name: &'static str, enter: fn(&mut Stage)) -> State {
    State { name, enter, leave: |_| (), reports: &[] }
}

impl State {
    const fn then(self, leave: fn(&mut Stage)) -> State {
        State { leave, ..self }
    }

    const fn reporting(self, reports: &'static [&'static str]) -> State {
        State { reports, ..self }
    }
}

/// Where the states come about: one window, whose way to the server can be made a bad one, and who else is in its room.
struct Stage {
    screen: Screen,
    server: Server,
    proxy: Proxy,
    window: Window,
    room: String,
    ben: WebSocketClient,
}

/// What the server says may be played, so that what is rare comes about at once.
const PLAYED_SERVER: &str = "(() => {
    const { send } = WebSocket.prototype;
    window.refusals = { join: [], message: [] };
    WebSocket.prototype.send = function (text) {
        window.socket = this;
        const { type, cid, key, password, ...message } = JSON.parse(text);
        const refusal = window.refusals[type]?.shift();
        // The server itself has asked for neither.
        if (!refusal) return send.call(this, key || password ? JSON.stringify({ type, cid, ...message }) : text);
        const data = JSON.stringify({ type: 'error', cid, ...refusal });
        setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data })));
    };
    window.end = (code, reason = '') => window.socket.dispatchEvent(new CloseEvent('close', { code, reason }));
    // What Dawn says was said two days ago.
    const { parse } = JSON;
    JSON.parse = (text, ...more) => {
        const message = parse(text, ...more);
        for (const event of [message, ...(message?.events ?? [])]) {
            if (event?.name === 'Dawn' && event.time) event.time -= 2 * 86_400_000;
        }
        return message;
    };
})()";

impl Stage {
    fn new(screen: Screen, options: &[&str]) -> Stage {
        let server = Server::with(&[&["--rate", "0", "--grace", "1m"], options].concat());
        let proxy = Proxy::start_calm(server.web);
        let window = Chromium::shared().open_window();
        window.look(screen.width, screen.height, "light");
        window.prepare_pages(PLAYED_SERVER);
        let room = server.create_room();
        let ben = WebSocketClient::join(&server, &room, "Ben");
        Stage { screen, server, proxy, window, room, ben }
    }

    /// The same, with Ana in the room as one of those who keep order.
    fn with_ana(screen: Screen, options: &[&str]) -> Stage {
        let mut stage = Stage::new(screen, options);
        join_by_proxy(&stage.window, &stage.proxy, &stage.room, "Ana");
        stage.ben.send(json!({"type": "moderate", "action": "op", "name": "Ana"}));
        wait_for_notice(&stage.window, "Ben made Ana an operator");
        stage
    }

    fn open(&self, path: &str) {
        self.window.open(&format!("http://{}/{path}", self.proxy.address));
    }

    fn is_narrow(&self) -> bool {
        self.screen.width < 704
    }

    /// Ben says it, and it is on the page.
    fn ben_says(&mut self, text: &str) {
        self.ben.say(text);
        let start = json!(text.trim_matches(|mark| "`*\n".contains(mark)).chars().take(6).collect::<String>());
        self.window.wait_for(&format!(
            "[...document.querySelectorAll('#timeline [data-id].message .text')].at(-1)?.textContent.includes({start})"
        ));
    }

    fn wait_for_element(&self, selector: &str) {
        self.window.wait_for(&format!("(document.querySelector({selector:?})?.getClientRects().length ?? 0) > 0"));
    }

    fn wait_until_gone(&self, selector: &str) {
        self.window.wait_for(&format!("(document.querySelector({selector:?})?.getClientRects().length ?? 0) === 0"));
    }

    /// Presses something of the header, which a phone has in a menu.
    fn choose_in_header(&self, selector: &str) {
        if self.window.evaluate(&format!("document.querySelector({selector:?}).getClientRects().length > 0")) == true {
            return self.window.click(selector);
        }
        self.window.click("#more");
        let words = self.window.text(selector);
        self.choose_in_menu(words.trim());
    }

    fn choose_in_menu(&self, words: &str) {
        let words = json!(words);
        self.wait_for_element("#menu .menu");
        self.window.evaluate(&format!(
            "[...document.querySelectorAll('#menu button')].find(it => [it.textContent.trim(), it.ariaLabel].includes({words}))
                .dataset.target = ''"
        ));
        self.window.click("#menu [data-target]");
    }

    /// Opens the people's panel, where it is a drawer.
    fn open_drawer(&self) {
        if self.window.evaluate("document.querySelector('#side').hidden") == true {
            self.window.click("#people");
            self.wait_for_element("#side");
        }
    }

    /// Closes it, where it is one: elsewhere it is always there.
    fn close_drawer(&self) {
        if self.window.evaluate("document.querySelector('#side').matches('[role=dialog]')") == true {
            self.window.click("#side .close");
            self.wait_until_gone("#side");
        }
    }

    fn escape(&self) {
        self.window.press("Escape");
    }
}

/// Brings each state about and looks at it.
fn tour(screen: Screen, mut stage: Stage, states: &[State]) {
    let mut inspection = Inspection::new(screen);
    for state in states {
        (state.enter)(&mut stage);
        inspection.look_at(&stage.window, state.name, state.reports);
        (state.leave)(&mut stage);
    }
    inspection.conclude();
}

macro_rules! tours {
    ($($module:ident: $screen:expr),*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn the_start_page_is_good_in_every_state() {
                tour($screen, Stage::new($screen, &["--join-rate", "0"]), start::STATES);
            }

            #[test]
            fn whatever_is_said_looks_good() {
                tour($screen, Stage::with_ana($screen, &[]), log::STATES);
            }

            #[test]
            fn whatever_opens_over_a_room_looks_good() {
                tour($screen, Stage::with_ana($screen, &[]), panels::STATES);
            }

            #[test]
            fn the_connection_has_a_good_face_in_every_state() {
                tour($screen, Stage::with_ana($screen, &[]), connection::STATES);
                tour($screen, Stage::with_ana($screen, &["--history", "20"]), connection::OF_A_SHORT_MEMORY);
            }
        }
    )*};
}

tours! {
    on_a_phone: Screen { name: "phone", width: 360, height: 640 },
    on_a_tablet: Screen { name: "tablet", width: 768, height: 1024 },
    on_a_desktop: Screen { name: "desktop", width: 1440, height: 900 }
}
