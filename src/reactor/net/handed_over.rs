//! Sockets that a service manager listens at already (sd_listen_fds(3)), and hands over: whoever connects while the
//! program is started again waits there, and is not refused.

use core::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;

#[cfg(unix)]
use listenfd::ListenFd;
#[cfg(unix)]
use socket2::SockRef;

use super::listeners::OpenListener;
use crate::options::ListenerPort;

/// Sockets that are there already.
#[derive(Default)]
pub struct HandedOver {
    pub(super) listeners: Vec<OpenListener>,
}

/// Why what is handed over cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum HandOverError {
    /// There are more than two without a name that tells what is spoken there.
    Nameless,
    /// This one, counted from 1, is no socket that listens.
    NoListener(usize),
}

impl Display for HandOverError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            HandOverError::Nameless => formatter.write_str(
                "More than two sockets are handed over without a name; say FileDescriptorName=web, line, line-tls or \
                 metrics in the units of the others.",
            ),
            HandOverError::NoListener(number) => write!(
                formatter,
                "What is handed over as number {number} is no socket that listens; say ListenStream= in its unit."
            ),
        }
    }
}

impl HandedOver {
    /// Takes what is handed over to this process. To be asked for once, before there are other threads.
    ///
    /// # Errors
    /// It cannot be used.
    #[cfg(unix)]
    pub fn take() -> Result<HandedOver, HandOverError> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut handed = ListenFd::from_env();
        let ports = ports_of(&names, handed.len())?;
        let mut listeners = Vec::new();
        for (index, port) in ports.into_iter().enumerate() {
            let listener = take_one(&mut handed, index, port);
            listeners.push(listener.map_err(|_| HandOverError::NoListener(index + 1))?);
        }
        Ok(HandedOver { listeners })
    }

    /// Nothing is handed over here.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn take() -> Result<HandedOver, HandOverError> {
        Ok(HandedOver::default())
    }

    /// Whether there is one at which this is spoken.
    pub fn has(&self, port: ListenerPort) -> bool {
        self.listeners.iter().any(|listener| listener.port() == port)
    }
}

/// What is spoken at each of so many sockets with these names. What bears another name, as systemd gives them the name of
/// their unit, is for browsers if it is the first, and for terminals if it is the second.
fn ports_of(names: &str, count: usize) -> Result<Vec<ListenerPort>, HandOverError> {
    const ALL: [ListenerPort; 4] =
        [ListenerPort::Web, ListenerPort::Line, ListenerPort::LineTls, ListenerPort::Metrics];
    let mut names = names.split(':');
    let mut nameless = [ListenerPort::Web, ListenerPort::Line].into_iter();
    let mut port_of = |name: &str| {
        let named = ALL.into_iter().find(|port| port.word() == name);
        named.or_else(|| nameless.next()).ok_or(HandOverError::Nameless)
    };
    (0..count).map(|_| port_of(names.next().unwrap_or_default())).collect()
}

#[cfg(unix)]
fn take_one(handed: &mut ListenFd, index: usize, port: ListenerPort) -> io::Result<OpenListener> {
    let none = || io::Error::from(io::ErrorKind::NotFound);
    if let Ok(taken) = handed.take_tcp_listener(index) {
        let listener = taken.ok_or_else(none)?;
        check_listens(&SockRef::from(&listener))?;
        listener.set_nonblocking(true)?;
        return Ok(OpenListener::handed_over_tcp(port, listener));
    }
    let listener = handed.take_unix_listener(index)?.ok_or_else(none)?;
    check_listens(&SockRef::from(&listener))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let path = address.as_pathname().map_or_else(|| PathBuf::from("@"), ToOwned::to_owned);
    Ok(OpenListener::handed_over_unix(port, path, listener))
}

/// Accepting from one that does not listen would fail for ever.
#[cfg(unix)]
fn check_listens(socket: &SockRef<'_>) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    if !socket.is_listener()? {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let _ = socket;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ListenerPort::{Line, LineTls, Metrics, Web};
    use super::*;

    #[test]
    fn what_is_spoken_is_told_by_the_name_and_else_by_the_order() {
        assert_eq!(ports_of("", 0), Ok(vec![]));
        assert_eq!(ports_of("", 1), Ok(vec![Web]));
        assert_eq!(ports_of("", 2), Ok(vec![Web, Line]));
        assert_eq!(ports_of("snugd.socket:snugd.socket", 2), Ok(vec![Web, Line]));
        assert_eq!(ports_of("line:web", 2), Ok(vec![Line, Web]));
        assert_eq!(ports_of("metrics:line-tls:web:web:line", 5), Ok(vec![Metrics, LineTls, Web, Web, Line]));
        assert_eq!(ports_of("line:unknown", 2), Ok(vec![Line, Web]));
        assert_eq!(ports_of("", 3), Err(HandOverError::Nameless));
        assert_eq!(ports_of("web:web:web", 2), Ok(vec![Web, Web]), "names without sockets");
    }
}
