//! Listening where the options say: what is waited for, and what is said where it cannot be.

use core::net::SocketAddr;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::options::{ListenAddress, Listener, ListenerPort, ProxyPeer};
use crate::reactor::{BindError, HandedOver, MioNet};
use crate::surroundings;

/// Listens. A service may be started before the network has the address that it is to listen on: it waits a while.
///
/// # Errors
/// An address cannot be bound: which one, and why.
pub fn bind(wanted: &[Listener], handed_over: &mut HandedOver) -> Result<MioNet, BindError> {
    const MOST_ATTEMPTS: u32 = 60;
    let is_service = surroundings::is_service();
    let mut attempts = 1;
    loop {
        match MioNet::bind(wanted, handed_over) {
            Err(BindError { wanted: Some(Listener { address: ListenAddress::Tcp(address), .. }), error })
                if error.kind() == io::ErrorKind::AddrNotAvailable && is_service && attempts < MOST_ATTEMPTS =>
            {
                if attempts == 1 {
                    log::warn!("{} is no address of this machine yet; waiting a minute for it", address.ip());
                }
                attempts += 1;
                thread::sleep(Duration::from_secs(1));
            }
            result => return result,
        }
    }
}

/// Terminals that come by a Unix socket have no address, unless their proxy tells it.
pub fn warn_of_one_address(listeners: &[Listener], proxy_protocol: &[ProxyPeer]) {
    let is_told = proxy_protocol.contains(&ProxyPeer::Unix);
    let is_unix = |listener: &&Listener| listener.address.tcp().is_none();
    let is_line = |listener: &&Listener| matches!(listener.port, ListenerPort::Line | ListenerPort::LineTls);
    if let Some(listener) = listeners.iter().filter(is_line).find(is_unix).filter(|_| !is_told) {
        log::info!(
            "whoever comes by {} counts as one address; if a proxy brings them, have it send PROXY headers, and say \
             --proxy-protocol unix",
            listener.address
        );
    }
}

/// The sentence for a listener that cannot be opened: it names the likely culprit.
pub fn explain(wanted: &Listener, error: &io::Error) -> String {
    match &wanted.address {
        ListenAddress::Tcp(address) => explain_tcp(wanted.port.option(), *address, error),
        ListenAddress::Unix(path) => explain_unix(wanted.port.option(), path, error),
    }
}

fn explain_tcp(option: &str, address: SocketAddr, error: &io::Error) -> String {
    let other_port = address.port().checked_add(1000).unwrap_or(address.port().saturating_sub(1000));
    let elsewhere = format!("choose another with {option} {}", SocketAddr::new(address.ip(), other_port));
    match error.kind() {
        io::ErrorKind::AddrInUse if cfg!(target_os = "macos") && address.port() == 5000 => format!(
            "Port 5000 is in use, most likely by macOS's AirPlay Receiver: turn that off in System Settings, or \
             {elsewhere}."
        ),
        io::ErrorKind::AddrInUse => format!(
            "Port {} is in use, most likely by a snugd that is already running: stop that one, or {elsewhere}.",
            address.port()
        ),
        io::ErrorKind::PermissionDenied => {
            format!("Port {} is only for administrators here; {elsewhere}.", address.port())
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{} is no address of this machine; use one that is, or [::] for all, with {option}.", address.ip())
        }
        _ => format!("Cannot listen on {address} ({error}); {elsewhere}."),
    }
}

fn explain_unix(option: &str, path: &Path, error: &io::Error) -> String {
    let path = path.display();
    let folder = "the folder that it is to be in";
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "Somebody listens at {path} already, most likely a snugd that is running: stop that one, or choose another \
             path with {option} unix:PATH."
        ),
        io::ErrorKind::AlreadyExists => format!(
            "There is something at {path} that is no socket, and that is left as it is: move it away, or choose another \
             path with {option} unix:PATH."
        ),
        io::ErrorKind::NotFound => {
            format!(
                "Cannot make the socket {path}, since {folder} is not there: create that, or choose another path with \
                     {option} unix:PATH."
            )
        }
        io::ErrorKind::PermissionDenied => format!(
            "Cannot make the socket {path}, since {folder} is not this user's to write in: choose another path with \
             {option} unix:PATH, or make it so."
        ),
        _ => format!("Cannot listen at {path} ({error}); choose another path with {option} unix:PATH."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(kind: io::ErrorKind, port: ListenerPort, address: &str) -> String {
        let address = ListenAddress::Tcp(address.parse().expect("an address in a test"));
        explain(&Listener { port, address }, &kind.into())
    }

    #[test]
    fn who_cannot_listen_is_told_what_to_do() {
        use io::ErrorKind::{AddrNotAvailable, OutOfMemory, PermissionDenied};
        let cases = [
            (
                explained(PermissionDenied, ListenerPort::Web, "[::]:80"),
                "Port 80 is only for administrators here; choose another with --listen [::]:1080.",
            ),
            (
                explained(PermissionDenied, ListenerPort::Line, "0.0.0.0:23"),
                "Port 23 is only for administrators here; choose another with --line-listen 0.0.0.0:1023.",
            ),
            (
                explained(AddrNotAvailable, ListenerPort::Line, "[2001:db8::1]:5001"),
                "2001:db8::1 is no address of this machine; use one that is, or [::] for all, with --line-listen.",
            ),
            (
                explained(OutOfMemory, ListenerPort::Web, "[::1]:5000"),
                "Cannot listen on [::1]:5000 (out of memory); choose another with --listen [::1]:6000.",
            ),
        ];
        for (sentence, expected) in cases {
            assert_eq!(sentence, expected);
        }
        let sentence = explained(io::ErrorKind::AddrInUse, ListenerPort::Web, "[::]:65000");
        assert!(sentence.ends_with("choose another with --listen [::]:64000."), "{sentence}");
    }
}
