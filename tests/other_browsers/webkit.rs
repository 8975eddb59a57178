//! A real WebKit, the one of GTK, on a display of its own, driven by WebDriver as its own driver speaks it: plain HTTP.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Scheme;
use crate::support::{HttpClient, eventually, find_program};
use crate::surroundings::{Folder, Process};
use crate::window::Window;

/// What notes complaints on a page from when it is there on: this driver tells of none.
const WATCH: &str = "(() => {
    if (window.complaints) return;
    window.complaints = [];
    const note = (text) => window.complaints.push(String(text));
    addEventListener('error', ({ message }) => note(message));
    addEventListener('unhandledrejection', ({ reason }) => note(reason));
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        note(`Content Security Policy: ${violatedDirective} ${blockedURI}`));
    for (const level of ['error', 'warn', 'assert']) console[level] = note;
})()";

/// One browser with one window, a profile and a display of its own, all of which are new and go with it.
pub struct WebKit {
    driver: RefCell<HttpClient>,
    session: String,
    complaints: RefCell<Vec<String>>,
    // Ended in this order: without its display the browser ends by itself, whatever became of its driver.
    _driver_process: Process,
    _display: Process,
    _home: Folder,
}

impl WebKit {
    pub fn start(scheme: Scheme) -> WebKit {
        let home = Folder::new("webkit");
        let (display, number) = start_display();
        let address = free_address();
        let mut command = Command::new(find_program(&["WebKitWebDriver"], "webkit2gtk-driver"));
        command
            .args(["--host=127.0.0.1", &format!("--port={}", address.port())])
            .env("DISPLAY", number)
            .env("GTK_THEME", if scheme == Scheme::Dark { "Adwaita:dark" } else { "Adwaita" })
            .env("LC_ALL", "C")
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("HOME", home.path())
            .env("XDG_RUNTIME_DIR", home.path())
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("WAYLAND_DISPLAY")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let driver_process = Process::start(&mut command);
        let stream = eventually("the driver listens", || TcpStream::connect(address).ok());
        let mut driver = HttpClient::over(stream);
        // Without its tool bar, which is wider than a phone.
        let options = json!({"binary": mini_browser(), "args": ["--automation", "--full-screen"]});
        let wanted = json!({"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}});
        let session = ask(&mut driver, "POST", "/session", &wanted).expect("the browser starts");
        let window = WebKit {
            driver: RefCell::new(driver),
            session: session["sessionId"].as_str().expect("an id").to_owned(),
            complaints: RefCell::default(),
            _driver_process: driver_process,
            _display: display,
            _home: home,
        };
        window.resize(1000, 800);
        window
    }

    fn try_call(&self, method: &str, command: &str, params: &Value) -> Result<Value, String> {
        ask(&mut self.driver.borrow_mut(), method, &format!("/session/{}{command}", self.session), params)
    }

    /// Has it do what cannot fail.
    fn call(&self, method: &str, command: &str, params: Value) -> Value {
        self.try_call(method, command, &params).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Takes over what the page has noted: the next one has a list of its own.
    fn gather(&self) {
        let noted = self.evaluate("window.complaints?.splice(0)");
        let noted = noted.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        self.complaints.borrow_mut().extend(noted);
    }
}

impl Drop for WebKit {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = self.try_call("DELETE", "", &Value::Null);
        }
    }
}

impl Window for WebKit {
    fn navigate(&self, url: &str) {
        self.gather();
        self.call("POST", "/url", json!({"url": url}));
        self.evaluate(WATCH);
    }

    fn reload(&self) {
        self.gather();
        self.call("POST", "/refresh", json!({}));
        self.evaluate(WATCH);
    }

    fn evaluate(&self, expression: &str) -> Value {
        let params = json!({"script": format!("return JSON.stringify({expression})"), "args": []});
        let result = self.try_call("POST", "/execute/sync", &params).ok();
        result.and_then(|result| serde_json::from_str(result.as_str()?).ok()).unwrap_or_default()
    }

    fn perform(&self, actions: Value) {
        self.call("POST", "/actions", json!({"actions": actions}));
        // It may have led to another page.
        self.evaluate(WATCH);
    }

    fn choose_file(&self, selector: &str, path: &Path) {
        let element = self.call("POST", "/element", json!({"using": "css selector", "value": selector}));
        let id = element.as_object().and_then(|element| element.values().next()).and_then(Value::as_str);
        self.call("POST", &format!("/element/{}/value", id.expect("an element")), json!({"text": path}));
    }

    fn resize(&self, width: u32, height: u32) {
        self.call("POST", "/window/rect", json!({"x": 0, "y": 0, "width": width, "height": height}));
        self.wait_for(&format!("innerWidth === {width} && innerHeight === {height}"));
        // A picture shows what was painted last.
        let paint = "(window.isPainted = false, requestAnimationFrame(() =>
            requestAnimationFrame(() => (window.isPainted = true))))";
        self.evaluate(paint);
        self.wait_for("window.isPainted");
    }

    fn picture(&self) -> Vec<u8> {
        let picture = self.call("GET", "/screenshot", Value::Null);
        STANDARD.decode(picture.as_str().expect("a text")).expect("base64")
    }

    fn complaints(&self) -> Vec<String> {
        self.gather();
        self.complaints.borrow().clone()
    }

    fn browser(&self) -> &'static str {
        "webkit"
    }
}

/// One command to the driver, and its answer.
fn ask(driver: &mut HttpClient, method: &str, path: &str, params: &Value) -> Result<Value, String> {
    let body = if method == "POST" { params.to_string() } else { String::new() };
    let response = driver.request(method, path, &[], body.as_bytes());
    if response.status == 200 { Ok(response.json()["value"].take()) } else { Err(response.text()) }
}

/// A display that nobody sees, and its name.
fn start_display() -> (Process, String) {
    let mut command = Command::new(find_program(&["Xvfb"], "xvfb"));
    command
        .args(["-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut display = Process::start(&mut command);
    let mut number = String::new();
    let read = BufReader::new(display.0.stdout.take().expect("it is piped")).read_line(&mut number);
    assert!(read.is_ok() && !number.trim().is_empty(), "Xvfb does not start");
    (display, format!(":{}", number.trim()))
}

/// Where nobody listened a moment ago: the driver cannot tell which port it has taken.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// The browser that comes with the library, and is on nobody's path.
pub fn mini_browser() -> PathBuf {
    let folders = |path: &str| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let libraries = ["/usr/lib", "/usr/lib64", "/usr/libexec"].into_iter().flat_map(folders);
    let nested = libraries.flat_map(|folder| [folder.clone()].into_iter().chain(folders(&folder.to_string_lossy())));
    nested
        .map(|folder| folder.join("MiniBrowser"))
        .find(|program| program.is_file() && program.to_string_lossy().contains("webkit"))
        .expect("WebKit's MiniBrowser is missing: install the package webkit2gtk-driver")
}
