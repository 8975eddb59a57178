//! What a service manager is told (sd_notify(3)): that the program is ready, that it stops, how it is, and that its loop
//! still turns. Nothing of it happens where no `NOTIFY_SOCKET` is set.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::net::UnixDatagram;

use sd_notify::NotifyState;

use crate::reactor::{Condition, Observer};

/// The service manager is told how the program is at most once in this time.
const STATUS_PAUSE_MS: u64 = 5_000;

/// Whoever has started the program and wants to be told how it is.
pub struct ServiceManager {
    socket_path: OsString,
    socket: UnixDatagram,
    /// Within this time it wants a sign of life, twice.
    watchdog_ms: Option<u64>,
    next_sign_ms: u64,
    next_status_ms: u64,
    has_begun: bool,
    told_status: String,
    told_stopping: bool,
}

impl ServiceManager {
    /// The one that the environment names, if it does.
    pub fn from_environment() -> Option<ServiceManager> {
        let socket_path = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty())?;
        let socket = UnixDatagram::unbound().ok()?;
        // The loop waits for nobody: what cannot be told at once is told the next time.
        socket.set_nonblocking(true).ok()?;
        let watchdog = sd_notify::watchdog_enabled().filter(|watchdog| !watchdog.is_zero());
        Some(ServiceManager {
            socket_path,
            socket,
            watchdog_ms: watchdog.map(|watchdog| (watchdog.as_millis() as u64 / 2).max(1)),
            next_sign_ms: 0,
            next_status_ms: 0,
            has_begun: false,
            told_status: String::new(),
            told_stopping: false,
        })
    }

    /// Tells it something.
    ///
    /// # Errors
    /// It takes nothing now, or is not there any more.
    pub fn tell(&self, states: &[NotifyState<'_>]) -> io::Result<()> {
        let words: String = states.iter().map(|state| format!("{state}\n")).collect();
        send(&self.socket, &self.socket_path, words.as_bytes())
    }

    fn tell_status(&mut self, words: String, now_ms: u64) {
        self.next_status_ms = now_ms + STATUS_PAUSE_MS;
        if words != self.told_status && self.tell(&[NotifyState::Status(&words)]).is_ok() {
            self.told_status = words;
        }
    }
}

impl Observer for ServiceManager {
    /// Once it was told how things are, only a sign of life is worth waking up for.
    fn due_ms(&self) -> Option<u64> {
        match self.has_begun {
            true => self.watchdog_ms.map(|_| self.next_sign_ms),
            false => Some(0),
        }
    }

    fn observe(&mut self, now_ms: u64, is_stopping: bool, condition: &dyn Fn() -> Condition) {
        self.has_begun = true;
        if let Some(watchdog_ms) = self.watchdog_ms.filter(|_| now_ms >= self.next_sign_ms) {
            // Sent by the loop alone: one that hangs sends none.
            let is_told = self.tell(&[NotifyState::Watchdog]).is_ok();
            self.next_sign_ms = now_ms + if is_told { watchdog_ms } else { (watchdog_ms / 8).max(1) };
        }
        if is_stopping && !self.told_stopping {
            self.told_stopping = self.tell(&[NotifyState::Stopping]).is_ok();
            self.next_status_ms = now_ms;
        }
        if now_ms >= self.next_status_ms {
            let words = if is_stopping { "stopping".to_owned() } else { status_words(condition()) };
            self.tell_status(words, now_ms);
        }
    }
}

/// How it is, in a few words.
fn status_words(condition: Condition) -> String {
    let of = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    format!("{} in {}", of(condition.members, "member"), of(condition.rooms, "room"))
}

fn send(socket: &UnixDatagram, path: &OsStr, words: &[u8]) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = path.as_encoded_bytes().strip_prefix(b"@") {
        // In Linux's abstract namespace, where no file is.
        #[cfg(target_os = "android")]
        use std::os::android::net::SocketAddrExt;
        #[cfg(target_os = "linux")]
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::SocketAddr;

        return socket.send_to_addr(words, &SocketAddr::from_abstract_name(name)?).map(|_| ());
    }
    socket.send_to(words, path).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_many_are_there() {
        let condition = |members, rooms| Condition { members, rooms };
        assert_eq!(status_words(condition(0, 0)), "0 members in 0 rooms");
        assert_eq!(status_words(condition(1, 1)), "1 member in 1 room");
        assert_eq!(status_words(condition(12, 2)), "12 members in 2 rooms");
    }
}
