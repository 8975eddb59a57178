//! What the program says on standard output when it is ready: where to go, from here and from elsewhere.
//!
//! Everything here is worked out from what the caller found; nothing asks the system and nothing prints.

mod qr_code;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::interfaces::{Network, url_host};
use crate::invitation::Invitation;
use crate::options::{ListenAddress, Listener, ListenerPort, Options};
pub use qr_code::Colours;

/// The lines for programs that wait until the server is ready: one for each listener.
pub fn listening_lines(listeners: &[Listener]) -> String {
    listeners.iter().map(|listener| format!("listening {listener}\n")).collect()
}

/// The screen that the page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Characters in a line; 0: not known.
    pub columns: usize,
    /// Lines; 0: not known.
    pub rows: usize,
    /// Whether it shows half blocks: it can address its cursor, and its characters are those of Unicode.
    pub has_blocks: bool,
    /// Its colours.
    pub colours: Colours,
}

/// What there is to tell.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Where it really listens, ports included.
    pub listeners: &'a [Listener],
    /// This machine's own addresses.
    pub network: &'a Network,
    /// What invitations say.
    pub invitation: &'a Invitation,
    /// The name by which the network finds this machine, as `snugd.local`.
    pub local_name: Option<&'a str>,
    /// Where history is kept.
    pub history: HistoryPlace<'a>,
    /// Whether this is a container, whose own addresses mean nothing outside it.
    pub is_container: bool,
}

/// Where history is kept.
#[derive(Clone, Copy, Debug)]
pub enum HistoryPlace<'a> {
    /// In memory alone.
    Memory,
    /// In this file.
    File(&'a Path),
    /// In a log that several nodes share.
    Nodes,
}

impl<'a> HistoryPlace<'a> {
    /// As the options name it.
    pub fn of(options: &'a Options) -> HistoryPlace<'a> {
        match (&options.data, &options.cluster) {
            (_, Some(_)) => HistoryPlace::Nodes,
            (Some(file), None) => HistoryPlace::File(file),
            (None, None) => HistoryPlace::Memory,
        }
    }
}

/// The page for a person at a terminal: what it is, the ways in with a code for a phone's camera beside them, and what
/// whoever runs it ought to know.
pub fn greeting(facts: &Facts<'_>, screen: Screen) -> String {
    let text = facts.text();
    let code = facts.phone_url().filter(|_| screen.has_blocks).and_then(|url| qr_code::draw(&url, screen.colours));
    let page = match code {
        Some(code) => beside(&text, &code, screen).or_else(|| below(&text, &code, screen)),
        None => None,
    };
    let page = page.unwrap_or_else(|| text.iter().map(|line| indented(line)).collect());
    format!("\n  Chat rooms for browsers and terminals are open.\n\n{page}\n")
}

const INDENT: &str = "  ";
/// Between the code and the text beside it.
const GAP: &str = "   ";
/// The title with the empty lines around it, and the empty line at the end.
const OTHER_ROWS: usize = 4;

fn indented(line: &str) -> String {
    match line {
        "" => "\n".to_owned(),
        line => format!("{INDENT}{line}\n"),
    }
}

fn fits(columns: usize, rows: usize, screen: Screen) -> bool {
    (screen.columns == 0 || columns <= screen.columns) && (screen.rows == 0 || rows + OTHER_ROWS <= screen.rows)
}

/// The code with the text at its right.
fn beside(text: &[String], code: &qr_code::Drawn, screen: Screen) -> Option<String> {
    let text_columns = text.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let columns = INDENT.len() + code.columns + GAP.len() + text_columns;
    let rows = text.len().max(code.lines.len());
    // Nobody can tell how wide it is where the system does not, and what is broken is worse than what is below.
    if screen.columns == 0 || !fits(columns, rows, screen) {
        return None;
    }
    let blank = " ".repeat(code.columns);
    let row = |row: usize| {
        let code = code.lines.get(row).unwrap_or(&blank);
        let text = text.get(row).map_or("", String::as_str);
        format!("{}\n", format!("{INDENT}{code}{GAP}{text}").trim_end_matches(' '))
    };
    Some((0..rows).map(row).collect())
}

/// The text, and below it the code.
fn below(text: &[String], code: &qr_code::Drawn, screen: Screen) -> Option<String> {
    let rows = text.len() + 1 + code.lines.len();
    if !fits(INDENT.len() + code.columns, rows, screen) {
        return None;
    }
    let lines = text.iter().map(String::as_str).chain([""]).chain(code.lines.iter().map(String::as_str));
    Some(lines.map(indented).collect())
}

/// Where `snugd join` connects unless told otherwise: to the pages.
const USUAL_WEB_PORT: u16 = 5000;

/// An IPv6 address without its brackets, as it is wanted where no port follows it.
fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

/// From where an address can be reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Machine,
    Network,
}

impl Facts<'_> {
    /// Short lines, so that the code has its place beside them.
    fn text(&self) -> Vec<String> {
        let mut text = Vec::new();
        let mut section = |heading: &str, ways: Vec<String>| {
            if !ways.is_empty() {
                text.push(heading.to_owned());
                text.extend(ways.iter().map(|way| format!("  {way}")));
                text.push(String::new());
            }
        };
        section("From anywhere", self.invitation.public_url.iter().map(|url| format!("{url}/")).collect());
        section("On your network", self.ways_in(Reach::Network));
        if self.is_container && self.invitation.public_url.is_none() && self.is_open() {
            section("From outside this container", vec!["its host's name and published ports".to_owned()]);
        }
        section("On this machine", self.ways_in(Reach::Machine));
        match self.history {
            HistoryPlace::File(file) => text.push(format!("History is kept in {}.", file.display())),
            HistoryPlace::Nodes => text.push("Rooms are shared with other nodes.".to_owned()),
            HistoryPlace::Memory => {
                text.push("History is gone when this stops.".to_owned());
                text.push("--data FILE keeps it.".to_owned());
            }
        }
        if !self.invitation.is_secure && self.is_exposed() {
            text.push("Others on the network can read along:".to_owned());
            text.push("--tls-cert and --tls-key encrypt.".to_owned());
        }
        text.push("Ctrl-C stops it.".to_owned());
        text
    }

    /// What a phone in the same network is to open.
    fn phone_url(&self) -> Option<String> {
        match self.invitation.public_url {
            Some(_) => Some(self.invitation.home_url(Ipv4Addr::LOCALHOST.into())),
            None => self.tcp(ListenerPort::Web).flat_map(|web| self.urls(web, Reach::Network)).next(),
        }
    }

    /// The TCP addresses of listeners of this kind.
    fn tcp(&self, port: ListenerPort) -> impl Iterator<Item = SocketAddr> {
        self.listeners
            .iter()
            .filter(move |listener| listener.port == port)
            .filter_map(|listener| listener.address.tcp())
    }

    /// Whether what is said crosses a network as it is. Behind a public address of HTTPS, a proxy encrypts it.
    fn is_exposed(&self) -> bool {
        match &self.invitation.public_url {
            Some(url) => !url.starts_with("https:"),
            None => self.is_open(),
        }
    }

    /// Whether others may come by the network.
    fn is_open(&self) -> bool {
        self.tcp(ListenerPort::Web).any(|web| !self.network.reachable_by(web.ip()).is_empty())
    }

    fn ways_in(&self, reach: Reach) -> Vec<String> {
        let mut ways: Vec<String> = self.tcp(ListenerPort::Web).flat_map(|web| self.urls(web, reach)).collect();
        let is_near = reach == Reach::Network && !ways.is_empty();
        let local_name = self.local_name.filter(|_| is_near && !self.invitation.is_certified_host);
        if let (Some(name), Some(web)) = (local_name, self.tcp(ListenerPort::Web).next()) {
            ways.insert(1, self.url(name, web.port()));
        }
        for line in self.tcp(ListenerPort::Line) {
            ways.extend(self.hosts(line.ip(), reach).iter().map(|host| format!("nc {} {}", bare(host), line.port())));
        }
        for line in self.tcp(ListenerPort::LineTls) {
            ways.extend(
                self.hosts(line.ip(), reach).iter().map(|host| format!("ncat --ssl {} {}", bare(host), line.port())),
            );
        }
        // It is told once: to others if there are any.
        let place =
            [Reach::Network, Reach::Machine].into_iter().find_map(|reach| Some((reach, self.join_place(reach)?)));
        ways.extend(place.filter(|(told, _)| *told == reach).map(|(_, place)| format!("snugd join {place} CODE")));
        if reach == Reach::Machine {
            let sockets = self.listeners.iter().filter(|listener| matches!(listener.address, ListenAddress::Unix(_)));
            ways.extend(sockets.map(|listener| listener.address.to_string()));
        }
        ways
    }

    /// Where `snugd join` finds the pages, in few words, if terminals are welcome at all.
    fn join_place(&self, reach: Reach) -> Option<String> {
        self.tcp(ListenerPort::Line).next()?;
        let hosts = |web: SocketAddr| self.web_hosts(web, reach).into_iter().map(move |host| (host, web.port()));
        let (host, port) = self.tcp(ListenerPort::Web).flat_map(hosts).next()?;
        Some(match port {
            _ if self.invitation.is_secure || self.invitation.base_path != "/" => self.url(&host, port),
            USUAL_WEB_PORT => bare(&host).to_owned(),
            port => format!("{host}:{port}"),
        })
    }

    fn urls(&self, bound: SocketAddr, reach: Reach) -> Vec<String> {
        self.web_hosts(bound, reach).iter().map(|host| self.url(host, bound.port())).collect()
    }

    /// The hosts by which browsers reach a listener. A certificate for a name is good for no other.
    fn web_hosts(&self, bound: SocketAddr, reach: Reach) -> Vec<String> {
        let hosts = self.hosts(bound.ip(), reach);
        match reach == Reach::Network && self.invitation.is_certified_host && !hosts.is_empty() {
            true => vec![self.invitation.host.clone()],
            false => hosts,
        }
    }

    fn url(&self, host: &str, port: u16) -> String {
        let (scheme, usual_port) = if self.invitation.is_secure { ("https", 443) } else { ("http", 80) };
        let port = if port == usual_port { String::new() } else { format!(":{port}") };
        format!("{scheme}://{host}{port}{}", self.invitation.base_path)
    }

    /// The hosts by which a listener bound to `bound` is reached from there, as written in a URL.
    fn hosts(&self, bound: IpAddr, reach: Reach) -> Vec<String> {
        /// More are no help.
        const MOST_HOSTS: usize = 3;
        match reach {
            Reach::Network if self.is_container => Vec::new(),
            Reach::Network => {
                let addresses = self.network.reachable_by(bound);
                addresses.into_iter().take(MOST_HOSTS).map(url_host).collect()
            }
            Reach::Machine if bound.is_unspecified() || bound == IpAddr::V4(Ipv4Addr::LOCALHOST) => {
                vec!["localhost".to_owned()]
            }
            Reach::Machine if bound.is_loopback() => vec![url_host(bound)],
            // A certain address that others reach as well is shown once, with them.
            Reach::Machine => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
