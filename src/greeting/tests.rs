use super::*;
use crate::interfaces::Interface;
use crate::options::ListenAddress;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address in a test")
}

fn network() -> Network {
    let interface = |(name, address): (&str, &str)| Interface {
        name: name.to_owned(),
        address: address.parse().expect("an address in a test"),
        is_running: true,
        is_point_to_point: false,
    };
    let interfaces = [("lo", "127.0.0.1"), ("docker0", "172.17.0.1"), ("wlan0", "192.168.1.20")];
    Network { interfaces: interfaces.map(interface).to_vec(), default_route: Vec::new() }
}

/// A terminal without half blocks: of Unicode or of colours.
const PLAIN: Screen = Screen { columns: 80, rows: 24, has_blocks: false, colours: Colours::None };
const USUAL: Screen = Screen { columns: 80, rows: 24, has_blocks: true, colours: Colours::Indexed };

fn listeners(web: &str, line: &str) -> Vec<Listener> {
    let line = (!line.is_empty()).then(|| at(ListenerPort::Line, line));
    [at(ListenerPort::Web, web)].into_iter().chain(line).collect()
}

/// What a server is like that listens at these addresses, and in all else as usual.
struct Example {
    listeners: Vec<Listener>,
    public_url: Option<&'static str>,
    local_name: Option<&'static str>,
    is_encrypted: bool,
    certified_host: Option<&'static str>,
    history: HistoryPlace<'static>,
    is_container: bool,
}

impl Example {
    fn at(web: &str, line: &str) -> Example {
        Example {
            listeners: listeners(web, line),
            public_url: None,
            local_name: None,
            is_encrypted: false,
            certified_host: None,
            history: HistoryPlace::Memory,
            is_container: false,
        }
    }

    fn page(&self, screen: Screen) -> String {
        let network = network();
        let first = |port| self.listeners.iter().find(|listener| listener.port == port)?.address.tcp();
        let web = first(ListenerPort::Web);
        let invitation = Invitation {
            public_url: self.public_url.map(str::to_owned),
            base_path: "/".to_owned(),
            web_port: web.map_or(80, |web| web.port()),
            line_port: first(ListenerPort::Line).map(|line| line.port()),
            host: match self.certified_host {
                Some(host) => host.to_owned(),
                None => network.best_host(web.map_or(Ipv4Addr::LOCALHOST.into(), |web| web.ip())),
            },
            is_secure: self.is_encrypted,
            is_certified_host: self.certified_host.is_some(),
        };
        let facts = Facts {
            listeners: &self.listeners,
            network: &network,
            invitation: &invitation,
            local_name: self.local_name,
            history: self.history,
            is_container: self.is_container,
        };
        greeting(&facts, screen)
    }
}

fn at(port: ListenerPort, text: &str) -> Listener {
    let address = match text.strip_prefix("unix:") {
        Some(path) => ListenAddress::Unix(path.into()),
        None => ListenAddress::Tcp(address(text)),
    };
    Listener { port, address }
}

#[test]
fn programs_get_a_line_for_each_listener() {
    let listeners = [
        at(ListenerPort::Web, "127.0.0.1:5000"),
        at(ListenerPort::Web, "unix:/run/snugd.sock"),
        at(ListenerPort::Line, "[::1]:5001"),
        at(ListenerPort::LineTls, "[::1]:5002"),
        at(ListenerPort::Metrics, "[::1]:9000"),
    ];
    assert_eq!(listening_lines(&listeners[..1]), "listening web 127.0.0.1:5000\n");
    let all = "listening web 127.0.0.1:5000\nlistening web unix:/run/snugd.sock\nlistening line [::1]:5001\n\
               listening line-tls [::1]:5002\nlistening metrics [::1]:9000\n";
    assert_eq!(listening_lines(&listeners), all);
}

#[test]
fn the_usual_page_tells_all_in_few_lines() {
    for (web, line) in [("[::]:5000", "[::]:5001"), ("0.0.0.0:5000", "0.0.0.0:5001")] {
        let example = Example { local_name: Some("snugd.local"), ..Example::at(web, line) };
        assert_eq!(
            example.page(PLAIN),
            "
  Chat rooms for browsers and terminals are open.

  On your network
    http://192.168.1.20:5000/
    http://snugd.local:5000/
    nc 192.168.1.20 5001
    snugd join 192.168.1.20 CODE

  On this machine
    http://localhost:5000/
    nc localhost 5001

  History is gone when this stops.
  --data FILE keeps it.
  Others on the network can read along:
  --tls-cert and --tls-key encrypt.
  Ctrl-C stops it.

"
        );
    }
}

#[test]
fn the_code_stands_beside_the_text_on_a_usual_screen() {
    let example = Example { local_name: Some("snugd.local"), ..Example::at("[::]:5000", "[::]:5001") };
    let page = example.page(USUAL);
    assert!(page.contains('▀'), "{page}");
    let heading = page.lines().find(|line| line.contains("On your network")).expect("a heading");
    assert!(heading.contains('\u{1b}'), "{heading:?}");
    assert!(page.lines().count() <= 24, "{page}");
    let width = |line: &str| {
        line.split('\u{1b}')
            .map(|part| part.split_once('m').map_or(part, |(_, text)| text).chars().count())
            .sum::<usize>()
    };
    assert!(page.lines().all(|line| width(line) <= 80), "{page}");
}

#[test]
fn the_code_stands_below_where_the_screen_is_narrow_and_high() {
    let example = Example::at("[::]:5000", "[::]:5001");
    let page = example.page(Screen { columns: 40, rows: 60, ..USUAL });
    let (before, after) = page.split_once('▀').expect("a code");
    assert!(before.contains("Ctrl-C stops it.") && !after.contains("Ctrl-C"), "{page}");
    // Of an unknown size it is taken to be high enough.
    assert!(example.page(Screen { columns: 0, rows: 0, ..USUAL }).contains('▀'));
}

#[test]
fn there_is_no_code_where_it_does_not_fit() {
    let example = Example::at("[::]:5000", "[::]:5001");
    for screen in [
        Screen { columns: 34, rows: 100, ..USUAL },
        Screen { columns: 40, rows: 24, ..USUAL },
        Screen { columns: 80, rows: 20, ..USUAL },
        PLAIN,
    ] {
        let page = example.page(screen);
        assert!(page.is_ascii() && !page.contains('\u{1b}'), "{screen:?}: {page}");
        assert_eq!(page, example.page(PLAIN));
    }
}

#[test]
fn a_code_is_for_what_a_phone_can_reach() {
    let is_drawn = |example: Example| example.page(USUAL).contains('▀');
    assert!(is_drawn(Example::at("0.0.0.0:5000", "")));
    assert!(!is_drawn(Example::at("127.0.0.1:5000", "")));
    assert!(!is_drawn(Example { is_container: true, ..Example::at("0.0.0.0:5000", "") }));
    assert!(is_drawn(Example { public_url: Some("https://chat.example.org"), ..Example::at("127.0.0.1:5000", "") }));
}

#[test]
fn bound_to_one_address_the_page_shows_only_that() {
    let local = Example::at("127.0.0.1:5000", "127.0.0.1:5001").page(PLAIN);
    assert!(
        local.contains("http://localhost:5000/\n    nc localhost 5001\n    snugd join localhost CODE\n"),
        "{local}"
    );
    assert!(!local.contains("network") && !local.contains("192.168"), "nobody can read along: {local}");

    let lan = Example::at("192.168.1.20:5000", "").page(PLAIN);
    assert!(lan.contains("On your network\n    http://192.168.1.20:5000/\n\n"), "{lan}");
    assert!(!lan.contains("this machine") && !lan.contains("nc "), "{lan}");
}

#[test]
fn every_listener_is_shown() {
    let mut example = Example::at("127.0.0.1:5000", "[::]:7001");
    example.listeners.push(at(ListenerPort::Web, "192.168.1.20:80"));
    example.listeners.push(at(ListenerPort::Web, "unix:/run/snugd.sock"));
    example.listeners.push(at(ListenerPort::LineTls, "[::]:5002"));
    example.listeners.push(at(ListenerPort::Metrics, "[::]:9000"));
    let page = example.page(PLAIN);
    for way in [
        "http://192.168.1.20/\n",
        "http://localhost:5000/\n",
        "nc 192.168.1.20 7001\n",
        "snugd join 192.168.1.20:80 CODE\n",
        "ncat --ssl 192.168.1.20 5002\n",
        "    unix:/run/snugd.sock\n",
    ] {
        assert!(page.contains(way), "{way} in {page}");
    }
    assert!(!page.contains("9000"), "it is for no person: {page}");
}

#[test]
fn ipv6_is_in_brackets_in_a_url_and_bare_for_nc() {
    let page = Example::at("[2001:db8::20]:5000", "[2001:db8::20]:5001").page(PLAIN);
    assert!(page.contains("    http://[2001:db8::20]:5000/\n"), "{page}");
    assert!(page.contains("    nc 2001:db8::20 5001\n"), "{page}");
    assert!(page.contains("    snugd join 2001:db8::20 CODE\n"), "{page}");
    let page = Example::at("[2001:db8::20]:7000", "[2001:db8::20]:5001").page(PLAIN);
    assert!(page.contains("    snugd join [2001:db8::20]:7000 CODE\n"), "{page}");
}

#[test]
fn the_client_for_terminals_is_sent_to_the_pages() {
    let usual = Example::at("[::]:5000", "[::]:7001").page(PLAIN);
    assert!(usual.contains("    snugd join 192.168.1.20 CODE\n"), "{usual}");
    let encrypted = Example { is_encrypted: true, ..Example::at("[::]:8443", "[::]:5001") }.page(PLAIN);
    assert!(encrypted.contains("    snugd join https://192.168.1.20:8443/ CODE\n"), "{encrypted}");
    let certified = Example { certified_host: Some("chat.lan"), ..Example::at("[::]:443", "[::]:5001") };
    let certified = Example { is_encrypted: true, ..certified }.page(PLAIN);
    assert!(certified.contains("    snugd join https://chat.lan/ CODE\n"), "{certified}");
}

#[test]
fn a_public_address_comes_first_and_its_proxy_encrypts() {
    let behind_proxy = Example { public_url: Some("https://chat.example.org"), ..Example::at("127.0.0.1:5000", "") };
    let page = behind_proxy.page(PLAIN);
    assert!(page.contains("are open.\n\n  From anywhere\n    https://chat.example.org/\n"), "{page}");
    assert!(!page.contains("--tls-cert"), "{page}");
    let plain = Example { public_url: Some("http://chat.example.org"), ..Example::at("127.0.0.1:5000", "") };
    assert!(plain.page(PLAIN).contains("--tls-cert"));
}

#[test]
fn encrypted_it_is_https_and_nobody_reads_along() {
    let page = Example { is_encrypted: true, ..Example::at("[::]:5000", "") }.page(PLAIN);
    assert!(page.contains("https://192.168.1.20:5000/") && !page.contains("http://"), "{page}");
    assert!(!page.contains("read along"), "{page}");
    let certified = Example {
        is_encrypted: true,
        certified_host: Some("chat.example.org"),
        local_name: Some("snugd.local"),
        ..Example::at("[::]:5000", "[::]:5001")
    };
    let page = certified.page(PLAIN);
    assert!(page.contains("    https://chat.example.org:5000/\n    nc 192.168.1.20 5001\n"), "{page}");
}

#[test]
fn the_file_that_keeps_history_is_named() {
    let page = |history| Example { history, ..Example::at("[::]:5000", "") }.page(PLAIN);
    let in_file = page(HistoryPlace::File(Path::new("/var/lib/snugd/snugd.db")));
    assert!(in_file.contains("History is kept in /var/lib/snugd/snugd.db.\n"), "{in_file}");
    let shared = page(HistoryPlace::Nodes);
    assert!(shared.contains("Rooms are shared with other nodes.\n"), "{shared}");
    assert!(!in_file.contains("--data") && !shared.contains("--data"));
}

#[test]
fn a_container_s_own_addresses_are_not_shown() {
    let page = Example { is_container: true, ..Example::at("[::]:5000", "[::]:5001") }.page(PLAIN);
    assert!(!page.contains("192.168") && !page.contains("your network"), "{page}");
    assert!(page.contains("From outside this container") && page.contains("--tls-cert"), "{page}");
}
