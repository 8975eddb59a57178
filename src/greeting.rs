//! What the program says on standard output when it is ready: where to go, from here and from elsewhere.
//!
//! Everything here is worked out from what the caller found; nothing asks the system and nothing prints.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use fast_qr::{ECL, QRBuilder};

use crate::invitation::Invitation;
use crate::options::Listener;

/// One address of one of this machine's network interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// As the system calls it: `eth0`, `wlan0`, `docker0`.
    pub name: String,
    /// The address.
    pub address: IpAddr,
}

/// The lines for programs that wait until the server is ready: one for each listener.
pub fn listening_lines(listeners: &[Listener]) -> String {
    listeners.iter().map(|listener| format!("listening {listener}\n")).collect()
}

/// The host that others most likely reach a server by that is bound to `bound`: the address itself if it
/// is a certain one, else this machine's first private IPv4 address, else its first other one in the
/// network, IPv4 before IPv6, else `localhost`. Written as in a URL (RFC 3986: IPv6 in brackets).
pub fn best_host(bound: IpAddr, interfaces: &[Interface]) -> String {
    let reachable = reachable_addresses(bound, interfaces);
    let private = |address: &&IpAddr| matches!(address, IpAddr::V4(address) if address.is_private());
    let best = reachable.iter().find(private).or(reachable.first());
    best.map_or_else(|| "localhost".to_owned(), |&address| url_host(address))
}

/// The page for a person at a terminal of `columns` columns. `web` and `line` are the addresses really
/// bound, ports included.
pub fn greeting(
    web: SocketAddr,
    line: Option<SocketAddr>,
    interfaces: &[Interface],
    invitation: &Invitation,
    columns: usize,
) -> String {
    let ways_in = |reach| {
        let mut ways = Vec::new();
        for host in hosts(web.ip(), interfaces, reach) {
            ways.push(format!("{}://{host}:{}{}", invitation.scheme(), web.port(), invitation.base_path));
        }
        if let Some(line) = line {
            for host in hosts(line.ip(), interfaces, reach) {
                // nc wants an IPv6 address without the brackets.
                ways.push(format!("nc {} {}", host.trim_matches(['[', ']']), line.port()));
            }
        }
        ways
    };
    let public_url: Vec<String> = invitation.public_url.iter().cloned().collect();
    let reachable = !public_url.is_empty() || !reachable_addresses(web.ip(), interfaces).is_empty();

    let mut text = "\n  Chat rooms for browsers and terminals are open.\n".to_owned();
    text += &section("On this machine", &ways_in(Reach::Machine));
    text += &section("On your network", &ways_in(Reach::Network));
    text += &section("From anywhere", &public_url);
    if reachable && let Some(code) = qr_code(&invitation.home_url(web.ip()), columns) {
        text += &format!("\n  On a phone: point its camera here.\n\n{code}");
    }
    text + "\n  Ctrl-C stops it.\n\n"
}

/// From where an address can be reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Machine,
    Network,
}

/// The hosts by which a listener bound to `bound` is reached from there, as written in a URL.
fn hosts(bound: IpAddr, interfaces: &[Interface], reach: Reach) -> Vec<String> {
    match reach {
        Reach::Network => {
            let addresses = reachable_addresses(bound, interfaces);
            addresses.into_iter().map(url_host).collect()
        }
        Reach::Machine if bound.is_unspecified() || bound == IpAddr::V4(Ipv4Addr::LOCALHOST) => {
            vec!["localhost".to_owned()]
        }
        Reach::Machine if bound.is_loopback() => vec![url_host(bound)],
        // A certain address that others reach as well is shown once, with them.
        Reach::Machine => Vec::new(),
    }
}

/// A heading and the ways in under it, or nothing if there is no way in.
fn section(heading: &str, ways: &[String]) -> String {
    match ways {
        [] => String::new(),
        ways => format!("\n  {heading}\n    {}\n", ways.join("\n    ")),
    }
}

/// The addresses by which other machines reach a listener bound to `bound`. Where there are some of IPv4, those of
/// IPv6 are left out: nobody types them, most machines have several, and those change from day to day (RFC 8981).
fn reachable_addresses(bound: IpAddr, interfaces: &[Interface]) -> Vec<IpAddr> {
    if !bound.is_unspecified() {
        return match bound.is_loopback() {
            true => Vec::new(),
            false => vec![bound],
        };
    }
    let addresses = interfaces
        .iter()
        .filter(|interface| !is_virtual(&interface.name))
        .map(|interface| interface.address)
        .filter(|&address| is_routed(address) && (address.is_ipv4() || bound.is_ipv6()));
    let (ipv4, ipv6): (Vec<IpAddr>, Vec<IpAddr>) = addresses.partition(IpAddr::is_ipv4);
    if ipv4.is_empty() { ipv6 } else { ipv4 }
}

/// Whether others can reach a machine by this address without naming an interface.
fn is_routed(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(link_local || address.is_loopback() || address.is_unspecified())
}

/// Whether an interface leads to containers and virtual machines of this machine, and to nobody else.
fn is_virtual(name: &str) -> bool {
    ["docker", "br-", "veth", "virbr"].iter().any(|prefix| name.starts_with(prefix))
}

fn url_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The light border that a scanner needs around the code (ISO/IEC 18004 asks for 4; in a terminal 2 do).
const QUIET_MODULES: usize = 2;
/// Black on white whatever the terminal's colours are: many scanners do not read a code the other way round.
const BLACK_ON_WHITE: &str = "\u{1b}[38;5;16;48;5;231m";
const USUAL_COLOURS: &str = "\u{1b}[0m";

/// The text as a QR code of half-block characters, two rows of modules in a line; `None` if it is too
/// wide for the terminal.
fn qr_code(text: &str, columns: usize) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::L).build().ok()?;
    let indent = "  ";
    let side = code.size + 2 * QUIET_MODULES;
    if indent.len() + side > columns {
        return None;
    }
    let is_dark = |row: usize, column: usize| {
        let inside = |at: usize| at.checked_sub(QUIET_MODULES).filter(|&at| at < code.size);
        match (inside(row), inside(column)) {
            (Some(row), Some(column)) => code[row][column].value(),
            _ => false,
        }
    };
    let mut lines = String::new();
    for row in (0..side).step_by(2) {
        lines += indent;
        lines += BLACK_ON_WHITE;
        lines.extend((0..side).map(|column| match (is_dark(row, column), is_dark(row + 1, column)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        }));
        lines += USUAL_COLOURS;
        lines += "\n";
    }
    Some(lines)
}

#[cfg(test)]
mod tests;
