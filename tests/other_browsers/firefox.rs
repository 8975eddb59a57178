//! A real Firefox without a window, driven by the protocol that it speaks itself (WebDriver BiDi).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Scheme;
use crate::devtools::DevTools;
use crate::support::{eventually, find_program};
use crate::surroundings::{Folder, Process};
use crate::window::Window;

/// The names under which distributions install it.
const PROGRAMS: [&str; 2] = ["firefox-esr", "firefox"];

/// What a profile needs besides what Firefox itself sets when it is driven: nothing is asked for, nobody is told anything.
const SETTINGS: &str = r#"
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.startup.page", 0);
user_pref("browser.tabs.remote.separatePrivilegedContentProcess", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("dom.ipc.processCount", 2);
user_pref("dom.ipc.processPrelaunch.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.proxy.type", 0);
user_pref("services.settings.server", "data:,#");
user_pref("toolkit.telemetry.enabled", false);
"#;

/// Notes on each page, from its first moment, what its policy has forbidden.
const WATCH: &str = "() => addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    console.error(`Content Security Policy: ${violatedDirective} ${blockedURI}`))";

/// A running Firefox with a profile of its own, which is new and goes with it.
pub struct Firefox(Arc<Browser>);

struct Browser {
    driver: DevTools,
    process: Mutex<Process>,
    _profile: Folder,
}

impl Firefox {
    /// Starts one for somebody who reads these languages, the first best: `de-AT, de`.
    pub fn start(languages: &str, scheme: Scheme) -> Firefox {
        let profile = Folder::new("firefox");
        let is_dark = u8::from(scheme == Scheme::Dark);
        let own = format!(
            "user_pref(\"intl.accept_languages\", \"{languages}\");\n\
             user_pref(\"ui.systemUsesDarkTheme\", {is_dark});\n"
        );
        profile.write("user.js", format!("{SETTINGS}{own}").as_bytes());
        let mut command = Command::new(find_program(&PROGRAMS, "firefox-esr"));
        command
            .args(["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile"])
            .arg(profile.path())
            // Whatever it keeps outside of the profile.
            .env("HOME", profile.path())
            .env("MOZ_CRASHREPORTER_DISABLE", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = Process::start(&mut command);
        let mut said = BufReader::new(process.0.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut before = Vec::new();
        let url = said.by_ref().find_map(|line| {
            let url = line.strip_prefix("WebDriver BiDi listening on ").map(str::to_owned);
            before.push(line);
            url
        });
        let url = url.unwrap_or_else(|| panic!("Firefox does not start: {before:?}"));
        // What else it says is read, so that it can go on.
        std::thread::spawn(move || said.for_each(drop));
        let browser = Browser {
            driver: DevTools::connect(&format!("{url}/session")),
            process: Mutex::new(process),
            _profile: profile,
        };
        browser.call("session.new", json!({"capabilities": {}}));
        browser.call("session.subscribe", json!({"events": ["log.entryAdded"]}));
        browser.call("script.addPreloadScript", json!({"functionDeclaration": WATCH}));
        Firefox(Arc::new(browser))
    }

    /// A window of somebody else: it shares no cookie and no storage with any other.
    pub fn open_window(&self) -> FirefoxWindow {
        let browser = Arc::clone(&self.0);
        let person = browser.call("browser.createUserContext", json!({}))["userContext"].take();
        let created = browser.call("browsingContext.create", json!({"type": "window", "userContext": person}));
        let context = created["context"].as_str().expect("an id").to_owned();
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&complaints);
        let listener = move |_: &str, entry: &Value| {
            if entry["level"] == "error" || entry["level"] == "warn" {
                noted
                    .lock()
                    .expect("nobody panics with it")
                    .push(entry["text"].as_str().unwrap_or_default().to_owned());
            }
        };
        browser.driver.listen(&context, Box::new(listener));
        let window = FirefoxWindow { browser, context, complaints };
        window.resize(1000, 800);
        window
    }
}

impl Browser {
    /// Has it do what cannot fail.
    fn call(&self, method: &str, params: Value) -> Value {
        self.driver.call(None, method, params).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own processes, unless the test has failed and nobody waits for that.
        if !std::thread::panicking() && self.driver.call(None, "browser.close", json!({})).is_ok() {
            let process = self.process.get_mut().expect("nobody panics with it");
            eventually("Firefox ends", || process.0.try_wait().is_ok_and(|status| status.is_some()).then_some(()));
        }
    }
}

/// One window with one page.
pub struct FirefoxWindow {
    browser: Arc<Browser>,
    context: String,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl FirefoxWindow {
    fn call(&self, method: &str, mut params: Value) -> Value {
        params["context"] = self.context.as_str().into();
        self.browser.call(method, params)
    }

    fn try_evaluate(&self, expression: &str) -> Option<Value> {
        let params = json!({"expression": expression, "awaitPromise": false, "target": {"context": self.context}});
        let mut answer = self.browser.driver.call(None, "script.evaluate", params).ok()?;
        Some(answer["result"].take())
    }
}

impl Window for FirefoxWindow {
    fn navigate(&self, url: &str) {
        self.call("browsingContext.navigate", json!({"url": url, "wait": "complete"}));
    }

    fn reload(&self) {
        self.call("browsingContext.reload", json!({"wait": "complete"}));
    }

    fn evaluate(&self, expression: &str) -> Value {
        let result = self.try_evaluate(&format!("JSON.stringify({expression})"));
        result.and_then(|result| serde_json::from_str(result["value"].as_str()?).ok()).unwrap_or_default()
    }

    fn perform(&self, actions: Value) {
        // As of somebody who sits before this window.
        self.call("browsingContext.activate", json!({}));
        self.call("input.performActions", json!({"actions": actions}));
    }

    fn choose_file(&self, selector: &str, path: &Path) {
        let element = self.try_evaluate(&format!("document.querySelector({selector:?})")).expect("the page is there");
        self.call("input.setFiles", json!({"element": {"sharedId": element["sharedId"]}, "files": [path]}));
    }

    fn resize(&self, width: u32, height: u32) {
        self.call("browsingContext.setViewport", json!({"viewport": {"width": width, "height": height}}));
    }

    fn picture(&self) -> Vec<u8> {
        let answer = self.call("browsingContext.captureScreenshot", json!({}));
        STANDARD.decode(answer["data"].as_str().expect("a text")).expect("base64")
    }

    fn complaints(&self) -> Vec<String> {
        self.complaints.lock().expect("nobody panics with it").clone()
    }

    fn browser(&self) -> &'static str {
        "firefox"
    }
}
