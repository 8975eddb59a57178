use super::*;
use crate::options::{ListenAddress, ListenerPort};

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address in a test")
}

fn interfaces(list: &[(&str, &str)]) -> Vec<Interface> {
    list.iter()
        .map(|&(name, address)| Interface {
            name: name.to_owned(),
            address: address.parse().expect("an address in a test"),
        })
        .collect()
}

fn laptop() -> Vec<Interface> {
    interfaces(&[
        ("lo", "127.0.0.1"),
        ("lo", "::1"),
        ("docker0", "172.17.0.1"),
        ("br-3f2a", "172.18.0.1"),
        ("wlan0", "fe80::1"),
        ("wlan0", "2001:db8::20"),
        ("wlan0", "192.168.1.20"),
    ])
}

fn host(bound: &str, interfaces: &[Interface]) -> String {
    best_host(address(bound).ip(), interfaces)
}

fn page(web: &str, line: Option<&str>, public_url: Option<&str>, columns: usize) -> String {
    let (web, line) = (address(web), line.map(address));
    let invitation = Invitation {
        public_url: public_url.map(str::to_owned),
        base_path: "/".to_owned(),
        web_port: web.port(),
        line_port: line.map(|line| line.port()),
        host: best_host(web.ip(), &laptop()),
        is_secure: false,
        is_certified_host: false,
    };
    greeting(web, line, &laptop(), &invitation, columns)
}

/// The modules of a drawn code, row by row, border included.
fn modules(drawn: &str) -> Vec<Vec<bool>> {
    let mut rows = Vec::new();
    for line in drawn.lines() {
        let line = line.trim_start_matches("  ");
        let cells = line.strip_prefix(BLACK_ON_WHITE).expect("colours begin");
        let cells = cells.strip_suffix(USUAL_COLOURS).expect("colours end");
        rows.push(cells.chars().map(|cell| "█▀".contains(cell)).collect());
        rows.push(cells.chars().map(|cell| "█▄".contains(cell)).collect());
    }
    rows
}

#[test]
fn programs_get_a_line_for_each_listener() {
    let at = |port, address| Listener { port, address };
    let listeners = [
        at(ListenerPort::Web, ListenAddress::Tcp(address("127.0.0.1:5000"))),
        at(ListenerPort::Web, ListenAddress::Unix("/run/snugd.sock".into())),
        at(ListenerPort::Line, ListenAddress::Tcp(address("[::1]:5001"))),
        at(ListenerPort::LineTls, ListenAddress::Tcp(address("[::1]:5002"))),
        at(ListenerPort::Metrics, ListenAddress::Tcp(address("[::1]:9000"))),
    ];
    assert_eq!(listening_lines(&listeners[..1]), "listening web 127.0.0.1:5000\n");
    let all = "listening web 127.0.0.1:5000\nlistening web unix:/run/snugd.sock\nlistening line [::1]:5001\n\
               listening line-tls [::1]:5002\nlistening metrics [::1]:9000\n";
    assert_eq!(listening_lines(&listeners), all);
}

#[test]
fn the_best_host_is_a_private_address_in_the_real_network() {
    assert_eq!(host("0.0.0.0:0", &laptop()), "192.168.1.20");
    assert_eq!(host("[::]:0", &laptop()), "192.168.1.20");
    let server = interfaces(&[("eth0", "203.0.113.5"), ("eth1", "10.0.0.4")]);
    assert_eq!(host("0.0.0.0:0", &server), "10.0.0.4");
}

#[test]
fn without_a_private_address_another_will_do() {
    let public = interfaces(&[("eth0", "169.254.1.1"), ("eth0", "203.0.113.5")]);
    assert_eq!(host("0.0.0.0:0", &public), "203.0.113.5");
    let new_world = interfaces(&[("eth0", "2001:db8::20")]);
    assert_eq!(host("[::]:0", &new_world), "[2001:db8::20]");
    assert_eq!(host("0.0.0.0:0", &new_world), "localhost");
}

#[test]
fn ipv6_addresses_are_shown_where_there_is_no_other() {
    let addresses = |bound: &str, interfaces: &[Interface]| reachable_addresses(address(bound).ip(), interfaces);
    assert_eq!(addresses("[::]:0", &laptop()), [address("192.168.1.20:0").ip()]);
    let new_world = interfaces(&[("eth0", "2001:db8::20"), ("eth0", "fe80::1"), ("eth0", "2001:db8::21")]);
    assert_eq!(addresses("[::]:0", &new_world), [address("[2001:db8::20]:0").ip(), address("[2001:db8::21]:0").ip()]);
}

#[test]
fn with_nothing_but_itself_and_containers_it_is_localhost() {
    let alone = interfaces(&[
        ("lo", "127.0.0.1"),
        ("docker0", "172.17.0.1"),
        ("veth12ab", "169.254.7.7"),
        ("virbr0", "192.168.122.1"),
    ]);
    assert_eq!(host("0.0.0.0:0", &alone), "localhost");
    assert_eq!(host("0.0.0.0:0", &[]), "localhost");
}

#[test]
fn a_certain_address_is_its_own_best_host() {
    assert_eq!(host("192.168.1.20:0", &laptop()), "192.168.1.20");
    assert_eq!(host("[2001:db8::7]:0", &laptop()), "[2001:db8::7]");
    assert_eq!(host("127.0.0.1:0", &laptop()), "localhost");
}

#[test]
fn bound_everywhere_the_page_shows_every_way_in() {
    for (web, line) in [("[::]:5000", "[::]:5001"), ("0.0.0.0:5000", "0.0.0.0:5001")] {
        assert_eq!(
            page(web, Some(line), None, 0),
            "
  Chat rooms for browsers and terminals are open.

  On this machine
    http://localhost:5000/
    nc localhost 5001

  On your network
    http://192.168.1.20:5000/
    nc 192.168.1.20 5001

  Ctrl-C stops it.

"
        );
    }
}

#[test]
fn bound_to_one_address_the_page_shows_only_that() {
    let local = page("127.0.0.1:5000", Some("127.0.0.1:5001"), None, 0);
    assert!(local.contains("http://localhost:5000/\n    nc localhost 5001\n"));
    assert!(!local.contains("network") && !local.contains("192.168"));

    let lan = page("192.168.1.20:5000", None, None, 0);
    assert!(lan.contains("On your network\n    http://192.168.1.20:5000/\n\n"));
    assert!(!lan.contains("this machine") && !lan.contains("nc "));
}

#[test]
fn ipv6_is_in_brackets_in_a_url_and_bare_for_nc() {
    let page = page("[2001:db8::20]:5000", Some("[2001:db8::20]:5001"), None, 0);
    assert!(page.contains("    http://[2001:db8::20]:5000/\n"));
    assert!(page.contains("    nc 2001:db8::20 5001\n"));
}

#[test]
fn the_public_url_is_shown_as_well() {
    let page = page("127.0.0.1:5000", None, Some("https://chat.example.org"), 0);
    assert!(page.contains("  From anywhere\n    https://chat.example.org\n"));
}

#[test]
fn a_qr_code_is_for_what_a_phone_can_reach() {
    let drawn = |web, public_url, columns| page(web, None, public_url, columns).contains('█');
    assert!(drawn("0.0.0.0:5000", None, 80));
    assert!(!drawn("0.0.0.0:5000", None, 20));
    assert!(!drawn("127.0.0.1:5000", None, 80));
    assert!(drawn("127.0.0.1:5000", Some("https://chat.example.org"), 80));
}

#[test]
fn the_qr_code_leads_to_the_home_page() {
    let page = page("0.0.0.0:5000", Some("0.0.0.0:5001"), None, 80);
    let code = qr_code("http://192.168.1.20:5000/", 80).expect("a code that fits");
    assert!(page.contains(&code));
}

#[test]
fn the_drawn_code_is_the_code_within_a_light_border() {
    let url = "http://192.168.1.20:5000/";
    let code = QRBuilder::new(url).ecl(ECL::L).build().expect("a code");
    let drawn = modules(&qr_code(url, 80).expect("a code that fits"));
    let side = code.size + 2 * QUIET_MODULES;
    // Two rows in a line: an odd number of rows gets a light one below.
    assert_eq!(drawn.len(), side.next_multiple_of(2));
    for (row, cells) in drawn.iter().enumerate() {
        assert_eq!(cells.len(), side);
        for (column, &dark) in cells.iter().enumerate() {
            let inside = |at: usize| (QUIET_MODULES..QUIET_MODULES + code.size).contains(&at);
            let expected = inside(row) && inside(column) && code[row - QUIET_MODULES][column - QUIET_MODULES].value();
            assert_eq!(dark, expected, "row {row}, column {column}");
        }
    }
}

#[test]
fn a_code_as_wide_as_the_terminal_fits_and_no_wider() {
    let url = "http://192.168.1.20:5000/";
    let code = QRBuilder::new(url).ecl(ECL::L).build().expect("a code");
    let width = code.size + 2 * QUIET_MODULES + 2;
    assert!(qr_code(url, width).is_some());
    assert!(qr_code(url, width - 1).is_none());
}
