//! The protocol by which Chromium is driven (Chrome DevTools Protocol): commands, their answers, and events, each of one
//! page. What they mean is not known here. Firefox's (WebDriver BiDi) has the same form.
//!
//! A command is on its way at once, whatever else is read or waited for: a test gives hundreds, one after the other.

use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

/// How long an answer may take on a busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// What is called with the name of each event of a page, and what it tells.
pub type Listener = Box<dyn Fn(&str, &Value) + Send>;

/// The connection to one browser.
pub struct DevTools {
    writer: Mutex<WebSocket<TcpStream>>,
    last_id: AtomicU64,
    receivers: Arc<Mutex<Receivers>>,
}

#[derive(Default)]
struct Receivers {
    /// Who waits for answers, by the command's id.
    answers: HashMap<u64, Sender<Value>>,
    /// By the session of the page, or by what Firefox calls its context.
    listeners: HashMap<String, Listener>,
}

impl DevTools {
    /// Connects to the address that the browser has told.
    pub fn connect(url: &str) -> DevTools {
        let (host, _) = url.trim_start_matches("ws://").split_once('/').expect("an address with a path");
        let stream = TcpStream::connect(host).expect("the browser accepts connections");
        stream.set_nodelay(true).expect("a TCP socket can");
        let read_stream = stream.try_clone().expect("a socket can be cloned");
        // What it tells of a page has no bound that is known here.
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let (mut reader, _) =
            tungstenite::client::client_with_config(url, read_stream, Some(config)).expect("the handshake succeeds");
        let receivers = Arc::new(Mutex::new(Receivers::default()));
        let read_for = Arc::clone(&receivers);
        std::thread::spawn(move || {
            while let Ok(message) = reader.read() {
                if let Message::Text(text) = message {
                    let message = serde_json::from_str(&text).expect("it speaks JSON");
                    read_for.lock().expect("nobody panics with it").receive(message);
                }
            }
            // Nobody waits for what does not come any more.
            read_for.lock().expect("nobody panics with it").answers.clear();
        });
        let writer = Mutex::new(WebSocket::from_raw_socket(stream, Role::Client, None));
        DevTools { writer, last_id: AtomicU64::new(0), receivers }
    }

    /// Has the browser do something, or one of its pages.
    pub fn call(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        let id = self.last_id.fetch_add(1, Relaxed);
        let (sender, answer) = channel();
        self.receivers.lock().expect("nobody panics with it").answers.insert(id, sender);
        let mut command = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let sent = self.writer.lock().expect("nobody panics with it").send(Message::text(command.to_string()));
        sent.map_err(|error| format!("{method}: {error}"))?;
        let mut answer = answer.recv_timeout(ANSWER_TIMEOUT).map_err(|error| format!("{method}: {error}"))?;
        match answer.get("error") {
            Some(_) => Err(format!("{method}: {answer}")),
            None => Ok(answer["result"].take()),
        }
    }

    /// Has this called with every event of a page from here on.
    pub fn listen(&self, page: &str, listener: Listener) {
        self.receivers.lock().expect("nobody panics with it").listeners.insert(page.to_owned(), listener);
    }
}

impl Receivers {
    fn receive(&mut self, message: Value) {
        if let Some(id) = message["id"].as_u64() {
            // Who has given up waiting for it wants it no more.
            let _ = self.answers.remove(&id).map(|sender| sender.send(message));
        } else if let (Some(page), Some(event)) = (page_of(&message), message["method"].as_str())
            && let Some(listener) = self.listeners.get(page)
        {
            listener(event, &message["params"]);
        }
    }
}

/// The page that an event is of.
fn page_of(message: &Value) -> Option<&str> {
    message["sessionId"].as_str().or_else(|| message["params"]["source"]["context"].as_str())
}
