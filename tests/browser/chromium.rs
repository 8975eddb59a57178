//! A real Chromium without a window, driven as a person would: by mouse, keyboard and looking at the page.
//!
//! Every page is watched from its first moment: what it asks for and from whom, and what it complains about.

use std::ffi::OsStr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headless_chrome::browser::tab::Tab;
use headless_chrome::browser::tab::point::Point;
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Emulation, Input, Log, Network, Page, Runtime};
use headless_chrome::{Browser, LaunchOptions};
use serde_json::Value;

use crate::support::{eventually, find_program};

/// The names under which distributions install it.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A browser with a profile of its own, which is new and goes away with it.
pub struct Chromium(Browser);

impl Chromium {
    pub fn launch() -> Chromium {
        let path = std::env::var_os("CHROME").map_or_else(|| find_program(&PROGRAMS, "chromium"), Into::into);
        let args = [
            "--disable-quic",
            "--disable-component-update",
            "--disable-gpu",
            // Whatever it wants to ask, it finds nobody but this machine.
            "--host-resolver-rules=MAP chat.lan 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        ];
        let options = LaunchOptions {
            path: Some(path),
            // The sandbox needs rights that not every machine gives; only our own pages are opened.
            sandbox: false,
            // It takes a free one.
            port: Some(0),
            window_size: Some((1000, 800)),
            // How long an answer of it may take.
            idle_browser_timeout: Duration::from_secs(60),
            args: args.iter().map(OsStr::new).collect(),
            ..LaunchOptions::default()
        };
        Chromium(Browser::new(options).expect("Chromium can be started"))
    }

    /// A window of somebody else: it shares no cookie and no storage with any other.
    pub fn open_window(&self) -> Window {
        let context = self.0.new_context().expect("Chromium opens windows");
        let tab = context.new_tab().expect("Chromium opens tabs");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let seen_by_listener = Arc::clone(&seen);
        let listener = move |event: &Event| seen_by_listener.lock().expect("nobody panics with it").note(event);
        tab.add_event_listener(Arc::new(listener)).expect("a tab has events");
        tab.call_method(Network::Enable {
            max_total_buffer_size: None,
            max_resource_buffer_size: None,
            max_post_data_size: None,
            report_direct_socket_traffic: None,
            enable_durable_messages: None,
        })
        .expect("requests can be watched");
        tab.call_method(Runtime::Enable(None)).expect("the console can be watched");
        tab.call_method(Log::Enable(None)).expect("the log can be watched");
        Window { tab, seen }
    }
}

/// What a page did and should perhaps not have done.
#[derive(Default, Debug, Clone)]
pub struct Seen {
    /// The URLs that it asked for, WebSockets among them.
    pub requests: Vec<String>,
    /// Errors and warnings: of scripts, of the console, of the browser about the page.
    pub complaints: Vec<String>,
}

impl Seen {
    fn note(&mut self, event: &Event) {
        match event {
            Event::NetworkRequestWillBeSent(event) => self.requests.push(event.params.request.url.clone()),
            Event::NetworkWebSocketCreated(event) => self.requests.push(event.params.url.clone()),
            Event::RuntimeExceptionThrown(event) => {
                self.complaints.push(format!("{:?}", event.params.exception_details));
            }
            Event::RuntimeConsoleAPICalled(event) => {
                use Runtime::ConsoleAPICalledEventTypeOption::{Assert, Error, Warning};
                if matches!(event.params.Type, Error | Warning | Assert) {
                    self.complaints.push(format!("{:?}", event.params.args));
                }
            }
            Event::LogEntryAdded(event) => {
                let entry = &event.params.entry;
                if matches!(entry.level, Log::LogEntryLevel::Error | Log::LogEntryLevel::Warning) {
                    self.complaints.push(format!("{} {}", entry.text, entry.url.as_deref().unwrap_or_default()));
                }
            }
            _ => {}
        }
    }
}

/// One window with one page.
pub struct Window {
    tab: Arc<Tab>,
    seen: Arc<Mutex<Seen>>,
}

impl Window {
    /// Opens a page and runs no script on it, nor on those that follow: what needs one to look at a page, as
    /// most here does, cannot be used on them.
    pub fn open_without_scripts(&self, url: &str) {
        self.tab.call_method(Emulation::SetScriptExecutionDisabled { value: true }).expect("scripts can be forbidden");
        self.navigate(url);
    }

    /// Runs this before anything of the pages that are opened from now on.
    pub fn prepare_pages(&self, script: &str) {
        let source = script.to_owned();
        let prepare = Page::AddScriptToEvaluateOnNewDocument {
            source,
            world_name: None,
            include_command_line_api: None,
            run_immediately: None,
        };
        self.tab.call_method(prepare).expect("pages can be prepared");
    }

    pub fn open(&self, url: &str) {
        self.navigate(url);
        self.wait_for(&format!("location.href.startsWith({url:?}) && document.readyState === 'complete'"));
    }

    fn navigate(&self, url: &str) {
        self.tab.navigate_to(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Loads the page again, as the button does.
    pub fn reload(&self) {
        // A mark that only this load of the page has.
        self.evaluate("window.loadedBefore = true");
        self.tab.reload(false, None).expect("a page can be loaded again");
        self.wait_for("!window.loadedBefore && document.readyState === 'complete'");
    }

    /// Closes the window, as the button does.
    pub fn close(self) {
        self.tab.close(false).expect("a window can be closed");
    }

    // ---- looking

    /// What an expression is on the page now; null while the page is changing.
    pub fn evaluate(&self, expression: &str) -> Value {
        let evaluated = self.tab.call_method(Runtime::Evaluate {
            expression: expression.to_owned(),
            return_by_value: Some(true),
            await_promise: None,
            generate_preview: None,
            silent: None,
            include_command_line_api: None,
            user_gesture: None,
            object_group: None,
            context_id: None,
            throw_on_side_effect: None,
            timeout: None,
            disable_breaks: None,
            repl_mode: None,
            allow_unsafe_eval_blocked_by_csp: None,
            unique_context_id: None,
            serialization_options: None,
        });
        evaluated.ok().and_then(|evaluated| evaluated.result.value).unwrap_or_default()
    }

    /// Waits until an expression is true on the page.
    pub fn wait_for(&self, expression: &str) {
        eventually_on_page(expression, self, || (self.evaluate(expression) == true).then_some(()));
    }

    /// Waits for an element, without any script; returns the page's markup.
    pub fn wait_for_element(&self, selector: &str) -> String {
        eventually(selector, || self.tab.find_element(selector).ok().and_then(|_| self.tab.get_content().ok()))
    }

    /// The value that a field holds.
    pub fn value(&self, selector: &str) -> String {
        self.text_of(&format!("document.querySelector({selector:?})?.value"))
    }

    /// The text of an element.
    pub fn text(&self, selector: &str) -> String {
        self.text_of(&format!("document.querySelector({selector:?})?.textContent"))
    }

    pub fn url(&self) -> String {
        self.text_of("location.href")
    }

    fn text_of(&self, expression: &str) -> String {
        let read = || self.evaluate(expression).as_str().map(str::to_owned);
        eventually_on_page(expression, self, read)
    }

    // ---- doing

    /// Clicks in the middle of an element, once nothing else covers it.
    pub fn click(&self, selector: &str) {
        self.tab.click_point(self.middle_of(selector)).expect("there is a mouse");
    }

    /// Touches the middle of an element with a finger, shortly.
    pub fn tap(&self, selector: &str) {
        let Point { x, y } = self.middle_of(selector);
        let touch = |r#type, touch_points| Input::DispatchTouchEvent {
            Type: r#type,
            touch_points,
            modifiers: None,
            timestamp: None,
        };
        let point = Input::TouchPoint {
            x,
            y,
            radius_x: None,
            radius_y: None,
            rotation_angle: None,
            force: None,
            tangential_pressure: None,
            tilt_x: None,
            tilt_y: None,
            twist: None,
            id: None,
        };
        for touch in [
            touch(Input::DispatchTouchEventTypeOption::TouchStart, vec![point]),
            touch(Input::DispatchTouchEventTypeOption::TouchEnd, Vec::new()),
        ] {
            self.tab.call_method(touch).expect("there is a finger");
        }
    }

    /// Where an element can be pressed.
    fn middle_of(&self, selector: &str) -> Point {
        let find = format!(
            "(() => {{
                const element = document.querySelector({selector:?});
                element.scrollIntoView({{ block: 'nearest', behavior: 'instant' }});
                const {{ x, y, width, height }} = element.getBoundingClientRect();
                const middle = [x + width / 2, y + height / 2];
                return element.contains(document.elementFromPoint(...middle)) && middle;
            }})()"
        );
        eventually_on_page(&format!("{selector} can be clicked"), self, || {
            let middle = self.evaluate(&find);
            Some(Point { x: middle[0].as_f64()?, y: middle[1].as_f64()? })
        })
    }

    /// Puts a text, as a pasted one, in place of what a field holds.
    pub fn fill(&self, selector: &str, text: &str) {
        self.click(selector);
        self.evaluate(&format!("document.querySelector({selector:?}).select()"));
        self.tab.send_character(text).expect("there is a keyboard");
        assert_eq!(self.value(selector), text);
    }

    /// Types key by key where the cursor is.
    pub fn type_text(&self, text: &str) {
        self.tab.type_str(text).expect("there is a keyboard");
    }

    pub fn press(&self, key: &str) {
        self.tab.press_key(key).expect("there is a keyboard");
    }

    // ---- what it did

    pub fn seen(&self) -> Seen {
        self.seen.lock().expect("nobody panics with it").clone()
    }
}

/// Asks again and again until there is an answer. Without one it fails, and tells what the page is instead.
fn eventually_on_page<T>(what: &str, window: &Window, ask: impl FnMut() -> Option<T>) -> T {
    let asked = catch_unwind(AssertUnwindSafe(|| eventually(what, ask)));
    asked.unwrap_or_else(|panic| {
        eprintln!("the page is: {}", window.evaluate("document.body?.innerText"));
        eprintln!("it complained: {:?}", window.seen().complaints);
        resume_unwind(panic)
    })
}
