//! A real Chromium without a window, driven as a person would: by mouse, keyboard and looking at the page.
//!
//! Every page is watched from its first moment: what it asks for and from whom, and what it complains about.

#[path = "devtools.rs"]
mod devtools;

use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::{fs, process};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use devtools::DevTools;

use crate::support::{eventually, find_program};

/// The names under which distributions install it.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const ARGUMENTS: [&str; 26] = [
    "--headless",
    // It takes a free one.
    "--remote-debugging-port=0",
    "--window-size=1000,800",
    // The sandbox needs rights that not every machine gives; only our own pages are opened.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    // Windows that others cover are still looked at.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-ipc-flooding-protection",
    "--disable-hang-monitor",
    "--disable-popup-blocking",
    // Whatever it wants to ask, it finds nobody but this machine.
    "--host-resolver-rules=MAP chat.lan 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-breakpad",
    "--no-first-run",
    "--password-store=basic",
    "--use-mock-keychain",
    // The tests look for English words, whatever this machine speaks.
    "--lang=en-GB",
    "--accept-lang=en-GB,en",
];

/// The browser of the tests that are running. Starting one costs more than most of them do with it.
static RUNNING: Mutex<Weak<Browser>> = Mutex::new(Weak::new());

/// A browser with a profile of its own, which is new and goes away with the last that uses it.
pub struct Chromium(Arc<Browser>);

impl Chromium {
    /// The one that other tests are using, or a new one.
    pub fn shared() -> Chromium {
        // A test that failed to start one has not changed what is here.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let browser = running.upgrade().unwrap_or_else(|| Arc::new(Browser::start()));
        *running = Arc::downgrade(&browser);
        Chromium(browser)
    }

    /// A window of somebody else: it shares no cookie and no storage with any other.
    pub fn open_window(&self) -> Window {
        Window::open_in(&self.0, self.0.ask("Target.createBrowserContext", json!({}), "browserContextId"))
    }
}

/// A running Chromium, its profile, and the way to it.
struct Browser {
    process: Child,
    profile: PathBuf,
    devtools: DevTools,
}

impl Browser {
    fn start() -> Browser {
        let path = std::env::var_os("CHROME").map_or_else(|| find_program(&PROGRAMS, "chromium"), PathBuf::from);
        let profile = std::env::temp_dir().join(format!("snugd-chromium-{}-{}", process::id(), rand::random::<u64>()));
        let mut process = Command::new(path)
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Chromium can be started");
        let mut said = BufReader::new(process.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut before = Vec::new();
        let url = said.by_ref().find_map(|line| {
            let url = line.strip_prefix("DevTools listening on ").map(str::to_owned);
            before.push(line);
            url
        });
        let devtools = DevTools::connect(&url.unwrap_or_else(|| panic!("Chromium does not start: {before:?}")));
        // What else it says is read, so that it can go on.
        std::thread::spawn(move || said.for_each(drop));
        Browser { process, profile, devtools }
    }

    /// Has it make something that has an id, which is told by that field.
    fn ask(&self, method: &str, params: Value, id: &str) -> String {
        let answer = self.devtools.call(None, method, params).expect("Chromium opens windows");
        answer[id].as_str().expect("an id").to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own processes; whatever it does instead, it is over.
        let _ = self.devtools.call(None, "Browser.close", json!({}));
        let mut is_over = || self.process.try_wait().is_ok_and(|status| status.is_some()).then_some(());
        if catch_unwind(AssertUnwindSafe(|| eventually("Chromium ends", &mut is_over))).is_err() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
        let _ = fs::remove_dir_all(&self.profile);
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
    fn note(&mut self, event: &str, params: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match event {
            "Network.requestWillBeSent" => self.requests.push(text(&params["request"]["url"])),
            "Network.webSocketCreated" => self.requests.push(text(&params["url"])),
            "Runtime.exceptionThrown" => self.complaints.push(params["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" if ["error", "warning", "assert"].contains(&&*text(&params["type"])) => {
                self.complaints.push(params["args"].to_string());
            }
            "Log.entryAdded" if ["error", "warning"].contains(&&*text(&params["entry"]["level"])) => {
                let entry = &params["entry"];
                self.complaints.push(format!("{} {}", text(&entry["text"]), text(&entry["url"])));
            }
            _ => {}
        }
    }
}

/// One window with one page.
pub struct Window {
    browser: Arc<Browser>,
    /// What it shares with no other window.
    context: String,
    session: String,
    seen: Arc<Mutex<Seen>>,
}

impl Window {
    fn open_in(browser: &Arc<Browser>, context: String) -> Window {
        let about_blank = json!({"url": "about:blank", "browserContextId": context});
        let target = browser.ask("Target.createTarget", about_blank, "targetId");
        let attach = json!({"targetId": target, "flatten": true});
        let session = browser.ask("Target.attachToTarget", attach, "sessionId");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let seen_by_listener = Arc::clone(&seen);
        let listener = move |event: &str, params: &Value| {
            seen_by_listener.lock().expect("nobody panics with it").note(event, params);
        };
        browser.devtools.listen(&session, Box::new(listener));
        let window = Window { browser: Arc::clone(browser), context, session, seen };
        for domain in ["Page", "Network", "Runtime", "Log"] {
            window.call(&format!("{domain}.enable"), json!({}));
        }
        window
    }

    /// Another one of the same person, which shares its cookies. It goes with this one.
    pub fn open_tab(&self) -> Window {
        Window::open_in(&self.browser, self.context.clone())
    }

    /// Takes the network away from the page, and tells it, or gives it back.
    pub fn set_offline(&self, is_offline: bool) {
        let conditions = json!({"offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.call("Network.emulateNetworkConditions", conditions);
    }

    /// Opens a page and runs no script on it, nor on those that follow: what needs one to look at a page, as
    /// most here does, cannot be used on them.
    pub fn open_without_scripts(&self, url: &str) {
        self.call("Emulation.setScriptExecutionDisabled", json!({"value": true}));
        self.navigate(url);
    }

    /// Runs this before anything of the pages that are opened from now on.
    pub fn prepare_pages(&self, script: &str) {
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": script}));
    }

    /// Whoever sits here reads these languages, the first best: `de-AT,de`.
    pub fn read_languages(&self, languages: &str) {
        let agent = self.evaluate("navigator.userAgent");
        self.call("Emulation.setUserAgentOverride", json!({"userAgent": agent, "acceptLanguage": languages}));
    }

    pub fn open(&self, url: &str) {
        self.navigate(url);
        self.wait_for(&format!("location.href.startsWith({url:?}) && document.readyState === 'complete'"));
    }

    /// Goes where there may be no page, but something to be saved.
    pub fn try_to_open(&self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
    }

    fn navigate(&self, url: &str) {
        let answer = self.call("Page.navigate", json!({"url": url}));
        assert!(answer["errorText"].is_null(), "{url}: {answer}");
    }

    /// Loads the page again, as the button does.
    pub fn reload(&self) {
        // A mark that only this load of the page has.
        self.evaluate("window.loadedBefore = true");
        self.call("Page.reload", json!({}));
        self.wait_for("!window.loadedBefore && document.readyState === 'complete'");
    }

    /// Tries to load the page again, which has the browser ask whether that is meant: it is not.
    pub fn reload_but_stay(&self) {
        self.call("Page.reload", json!({}));
        let answer =
            || self.browser.devtools.call(Some(&self.session), "Page.handleJavaScriptDialog", json!({"accept": false}));
        eventually("the browser asks", || answer().ok());
    }

    /// Closes the window, as the button does.
    pub fn close(self) {}

    /// Has the page do what cannot fail.
    pub fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.browser.devtools.call(Some(&self.session), method, params);
        answer.unwrap_or_else(|error| panic!("{error}"))
    }

    // ---- looking

    /// What an expression is on the page now; null while the page is changing.
    pub fn evaluate(&self, expression: &str) -> Value {
        let evaluate = json!({"expression": expression, "returnByValue": true});
        let answer = self.browser.devtools.call(Some(&self.session), "Runtime.evaluate", evaluate);
        answer.map(|mut answer| answer["result"]["value"].take()).unwrap_or_default()
    }

    /// What a promise on the page comes to.
    pub fn evaluate_promise(&self, expression: &str) -> Value {
        let evaluate = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", evaluate);
        assert!(answer["exceptionDetails"].is_null(), "{expression:.80}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true on the page.
    pub fn wait_for(&self, expression: &str) {
        eventually_on_page(expression, self, || (self.evaluate(expression) == true).then_some(()));
    }

    /// Waits for an element, without any script; returns the page's markup.
    pub fn wait_for_element(&self, selector: &str) -> String {
        let ask = |method, params| self.browser.devtools.call(Some(&self.session), method, params).ok();
        eventually(selector, || {
            let root = ask("DOM.getDocument", json!({"depth": 0}))?["root"]["nodeId"].take();
            let found = ask("DOM.querySelector", json!({"nodeId": root, "selector": selector}))?;
            let markup = ask("DOM.getOuterHTML", json!({"nodeId": root}))?;
            (found["nodeId"] != 0).then(|| markup["outerHTML"].as_str().map(str::to_owned))?
        })
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
        let (x, y) = self.middle_of(selector);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let (button, count) = if kind == "mouseMoved" { ("none", 0) } else { ("left", 1) };
            let mouse = json!({"type": kind, "x": x, "y": y, "button": button, "clickCount": count});
            self.call("Input.dispatchMouseEvent", mouse);
        }
    }

    /// Moves the pointer to the middle of an element.
    pub fn point_at(&self, selector: &str) {
        let (x, y) = self.middle_of(selector);
        self.call("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": x, "y": y, "button": "none"}));
    }

    /// Touches the middle of an element with a finger, shortly.
    pub fn tap(&self, selector: &str) {
        let (x, y) = self.middle_of(selector);
        for (kind, points) in [("touchStart", json!([{"x": x, "y": y}])), ("touchEnd", json!([]))] {
            self.call("Input.dispatchTouchEvent", json!({"type": kind, "touchPoints": points}));
        }
    }

    /// Where an element can be pressed. It has to be there twice: what is still moving is missed.
    fn middle_of(&self, selector: &str) -> (f64, f64) {
        let find = format!(
            "(() => {{
                const element = document.querySelector({selector:?});
                element.scrollIntoView({{ block: 'nearest', behavior: 'instant' }});
                const {{ x, y, width, height }} = element.getBoundingClientRect();
                const middle = [x + width / 2, y + height / 2];
                return !element.disabled && element.contains(document.elementFromPoint(...middle)) && middle;
            }})()"
        );
        let mut last = Value::Null;
        eventually_on_page(&format!("{selector} can be clicked"), self, || {
            let middle = self.evaluate(&find);
            let before = std::mem::replace(&mut last, middle.clone());
            if before == middle { Some((middle[0].as_f64()?, middle[1].as_f64()?)) } else { None }
        })
    }

    /// Puts a text, as a pasted one, in place of what a field holds.
    pub fn fill(&self, selector: &str, text: &str) {
        self.click(selector);
        self.evaluate(&format!("document.querySelector({selector:?}).select()"));
        self.call("Input.insertText", json!({"text": text}));
        assert_eq!(self.value(selector), text);
    }

    /// Chooses files, as in the window that a file field opens.
    pub fn choose_files(&self, selector: &str, paths: &[&Path]) {
        let found =
            self.call("Runtime.evaluate", json!({"expression": format!("document.querySelector({selector:?})")}));
        let object = &found["result"]["objectId"];
        self.call("DOM.setFileInputFiles", json!({"objectId": object, "files": paths}));
    }

    /// Drops files and folders of the disk on an element, as from a window beside this one.
    pub fn drop_files(&self, selector: &str, paths: &[&Path]) {
        let (x, y) = self.middle_of(selector);
        let data = json!({"items": [], "files": paths, "dragOperationsMask": 1});
        for kind in ["dragEnter", "dragOver", "drop"] {
            self.call("Input.dispatchDragEvent", json!({"type": kind, "x": x, "y": y, "data": data}));
        }
    }

    /// Makes it as large as another screen, in its light or dark colours.
    pub fn resize(&self, width: u32, height: u32, scheme: &str) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": scheme}));
    }

    /// The same, in a page where nothing moves: what is looked at is there at once.
    pub fn look(&self, width: u32, height: u32, scheme: &str) {
        self.resize(width, height, scheme);
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// A picture of what is in sight now, as PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}));
        BASE64_STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("it is Base64")
    }

    /// Types letter by letter where the cursor is.
    pub fn type_text(&self, text: &str) {
        for letter in text.chars() {
            self.press_key(json!({"key": letter, "text": letter}));
        }
    }

    /// Writes with an input method, which has not made its text final yet.
    pub fn compose(&self, text: &str) {
        let end = text.chars().count();
        self.call("Input.imeSetComposition", json!({"text": text, "selectionStart": end, "selectionEnd": end}));
    }

    /// Presses a key that has a name, such as "Enter".
    pub fn press(&self, key: &str) {
        self.press_key(key_event(key));
    }

    /// Presses it together with the Shift key.
    pub fn press_with_shift(&self, key: &str) {
        let mut event = key_event(key);
        event["modifiers"] = 8.into();
        self.press_key(event);
    }

    fn press_key(&self, mut event: Value) {
        for kind in [if event["text"].is_null() { "rawKeyDown" } else { "keyDown" }, "keyUp"] {
            event["type"] = kind.into();
            self.call("Input.dispatchKeyEvent", event.clone());
        }
    }

    // ---- what it did

    pub fn seen(&self) -> Seen {
        self.seen.lock().expect("nobody panics with it").clone()
    }
}

/// The event of a key that has a name.
fn key_event(key: &str) -> Value {
    let number = match key {
        "Tab" => 9,
        "Enter" => 13,
        "Escape" => 27,
        "ArrowLeft" => 37,
        "ArrowUp" => 38,
        "ArrowRight" => 39,
        "ArrowDown" => 40,
        _ => panic!("{key} is not known here"),
    };
    let mut event = json!({"key": key, "code": key, "windowsVirtualKeyCode": number});
    if key == "Enter" {
        event["text"] = "\r".into();
    }
    event
}

impl Drop for Window {
    fn drop(&mut self) {
        // Other tests may go on with the browser: the page would try for ever to come back to its server.
        let _ =
            self.browser.devtools.call(None, "Target.disposeBrowserContext", json!({"browserContextId": self.context}));
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
