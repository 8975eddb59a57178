//! The name by which the network finds this server without anybody typing an address: `http://snugd.local:5000`, and
//! a web page among the network's services (multicast DNS, RFC 6762; its `_http._tcp`, RFC 6763).
//!
//! A thread of the library's own answers for it, and one of ours hears what becomes of the name. Neither holds up
//! anything: without a network, or in a container that has none of this, nothing is found, and that is all.

use core::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use mdns_sd::{DaemonEvent, DnsNameChange, IfKind, IfPredicate, Receiver, ServiceDaemon, ServiceInfo};

use crate::interfaces::{Interface, Reach};

/// How often it looks whether this machine's addresses have changed. The library's own 5 s would wake an idle machine
/// for nothing.
const INTERFACES_CHECKED_EVERY_S: u32 = 60;

/// How long the end of the program waits for the goodbye to be sent.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// What is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The name, without `.local`.
    pub name: String,
    /// Where browsers connect.
    pub web: Vec<SocketAddr>,
    /// The path of the home page.
    pub path: String,
    /// Whether they come over TLS.
    pub is_encrypted: bool,
}

/// A name that is announced; when it is dropped, the network is told that it is gone.
pub struct Announcement {
    daemon: ServiceDaemon,
}

/// The name as it is written in an address.
pub fn local_name(name: &str) -> String {
    format!("{name}.local")
}

impl Announcement {
    /// Announces it, unless nobody but this machine could come. What goes wrong is logged.
    pub fn begin(announced: &Announced) -> Option<Announcement> {
        let port = announced.web.iter().find(|web| !web.ip().to_canonical().is_loopback())?.port();
        match announce(announced, port) {
            Ok(daemon) => Some(Announcement { daemon }),
            Err(error) => {
                log::info!("{} is not announced on the network: {error}", local_name(&announced.name));
                None
            }
        }
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Ok(gone) = self.daemon.shutdown() {
            // It is gone in any case when its records expire.
            let _ = gone.recv_timeout(GOODBYE_WITHIN);
        }
    }
}

fn announce(announced: &Announced, port: u16) -> mdns_sd::Result<ServiceDaemon> {
    let daemon = ServiceDaemon::new()?;
    daemon.set_ip_check_interval(INTERFACES_CHECKED_EVERY_S)?;
    let bound: Vec<IpAddr> = announced.web.iter().filter(|web| web.port() == port).map(SocketAddr::ip).collect();
    let is_wanted = IfKind::Predicate(IfPredicate::new(move |found| is_wanted(&Interface::from(found), &bound)));
    daemon.disable_interface(IfKind::All)?;
    daemon.enable_interface(is_wanted.clone())?;

    let events = daemon.monitor()?;
    let told = announced.clone();
    let watch = move || watch(&events, &told, port);
    thread::Builder::new()
        .name("mdns".to_owned())
        .spawn(watch)
        .map_err(|error| mdns_sd::Error::Msg(error.to_string()))?;

    let service = if announced.is_encrypted { "_https._tcp.local." } else { "_http._tcp.local." };
    let host = format!("{}.", local_name(&announced.name));
    let properties = [("path", announced.path.as_str())];
    let mut service = ServiceInfo::new(service, &announced.name, &host, "", port, &properties[..])?.enable_addr_auto();
    service.set_interfaces(vec![is_wanted]);
    daemon.register(service)?;
    Ok(daemon)
}

/// Whether a listener bound to these addresses is announced on an interface with this one.
fn is_wanted(interface: &Interface, bound: &[IpAddr]) -> bool {
    let address = interface.address;
    let is_listened_on = |bound: &IpAddr| match bound {
        IpAddr::V4(bound) if bound.is_unspecified() => address.is_ipv4(),
        IpAddr::V6(bound) if bound.is_unspecified() => true,
        bound => bound.to_canonical() == address,
    };
    interface.reach() == Reach::Network && bound.iter().any(is_listened_on)
}

/// Hears what becomes of the name, until it is given up.
fn watch(events: &Receiver<DaemonEvent>, announced: &Announced, port: u16) {
    let mut told = local_name(&announced.name);
    while let Ok(event) = events.recv() {
        match event {
            DaemonEvent::NameChange(change) => {
                if let Some(name) = new_host_name(&change).filter(|name| *name != told) {
                    let scheme = if announced.is_encrypted { "https" } else { "http" };
                    let path = &announced.path;
                    log::warn!("{told} is another machine's here; this one is found as {scheme}://{name}:{port}{path}");
                    told = name;
                }
            }
            DaemonEvent::Announce(_, interface) => log::debug!("announced as {told} ({interface})"),
            DaemonEvent::Error(error) => log::debug!("what is announced: {error}"),
            _ => {}
        }
    }
}

/// The name that this machine has instead, if it is that and not the service's.
fn new_host_name(change: &DnsNameChange) -> Option<String> {
    let name = change.new_name.strip_suffix('.').unwrap_or(&change.new_name);
    let is_host = name.strip_suffix(".local").is_some_and(|label| !label.contains('.'));
    is_host.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_wanted_at(name: &str, address: &str, bound: &str) -> bool {
        let parse = |text: &str| -> IpAddr { text.parse().expect("an address in a test") };
        let (name, address) = (name.to_owned(), parse(address));
        is_wanted(&Interface { name, address, is_running: true, is_point_to_point: false }, &[parse(bound)])
    }

    #[test]
    fn it_is_announced_where_it_can_be_reached_from() {
        assert!(is_wanted_at("eth0", "192.168.1.20", "::"));
        assert!(is_wanted_at("eth0", "192.168.1.20", "0.0.0.0"));
        assert!(is_wanted_at("eth0", "2001:db8::20", "::"));
        assert!(!is_wanted_at("eth0", "2001:db8::20", "0.0.0.0"));
        assert!(is_wanted_at("eth0", "192.168.1.20", "192.168.1.20"));
        assert!(!is_wanted_at("eth1", "10.0.0.4", "192.168.1.20"));
        for (name, address) in
            [("lo", "127.0.0.1"), ("docker0", "172.17.0.1"), ("wg0", "10.8.0.2"), ("eth0", "fe80::1")]
        {
            assert!(!is_wanted_at(name, address, "::"), "{name}");
        }
    }

    #[test]
    fn who_listens_for_this_machine_alone_announces_nothing() {
        for web in [&["127.0.0.1:5000"][..], &["[::1]:5000", "127.0.0.1:5000"], &[]] {
            let web = web.iter().map(|web| web.parse().expect("an address in a test")).collect();
            let announced = Announced { name: "snugd".to_owned(), web, path: "/".to_owned(), is_encrypted: false };
            assert!(Announcement::begin(&announced).is_none());
        }
    }
}
