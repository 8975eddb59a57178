//! What the program says to a person: the page on a real terminal, and the code on it as a camera sees it.

mod support;

use std::fmt::Write as _;
use std::process::Command;

use rexpect::session::{PtySession, spawn_command};
use snugd::greeting::{Colours, Facts, HistoryPlace, Screen, greeting};
use snugd::interfaces::{Interface, Network};
use snugd::invitation::Invitation;
use snugd::options::{ListenAddress, Listener, ListenerPort};
use support::DEADLINE;
use support::server::command;

/// The colours that a terminal has where nothing sets any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Theme {
    Dark,
    Light,
}

impl Theme {
    /// How light text and background are, of 255.
    fn usual(self) -> (u8, u8) {
        match self {
            Theme::Dark => (229, 30),
            Theme::Light => (40, 253),
        }
    }
}

/// The colours that a control sequence (ECMA-48, SGR) sets, as a common theme has them.
fn coloured(sequence: &str, theme: Theme, mut now: (u8, u8)) -> (u8, u8) {
    let mut numbers = sequence.split(';');
    while let Some(number) = numbers.next() {
        match number {
            "" | "0" => now = theme.usual(),
            "30" => now.0 = 0,
            "47" => now.1 = 229,
            "38" | "48" => {
                assert_eq!(numbers.next(), Some("5"), "an index: {sequence}");
                let light = match numbers.next() {
                    Some("16") => 0,
                    Some("231") => 255,
                    other => panic!("neither black nor white: {other:?}"),
                };
                if number == "38" { now.0 = light } else { now.1 = light }
            }
            _ => panic!("a sequence that this terminal does not know: {sequence:?}"),
        }
    }
    now
}

/// A cell is so many points wide, and twice as high.
const CELL: usize = 6;

/// What a terminal of this theme shows of the text: rows of points.
fn rendered(text: &str, theme: Theme) -> Vec<Vec<u8>> {
    const COLUMNS: usize = 90;
    let mut picture = Vec::new();
    for line in text.lines() {
        let mut colours = theme.usual();
        let mut cells = Vec::new();
        let mut rest = line.trim_end_matches('\r').chars();
        while let Some(character) = rest.next() {
            if character == '\u{1b}' {
                assert_eq!(rest.next(), Some('['), "{line:?}");
                let sequence: String = rest.by_ref().take_while(|character| *character != 'm').collect();
                colours = coloured(&sequence, theme, colours);
                continue;
            }
            let (ink, paper) = colours;
            cells.push(match character {
                '█' => (ink, ink),
                '▀' => (ink, paper),
                '▄' => (paper, ink),
                ' ' => (paper, paper),
                // A letter: ink and paper mixed.
                _ => (paper, ((u16::from(ink) + u16::from(paper)) / 2) as u8),
            });
        }
        let (_, paper) = theme.usual();
        cells.resize(COLUMNS, (paper, paper));
        let row = |of: fn(&(u8, u8)) -> u8| cells.iter().flat_map(|cell| [of(cell); CELL]).collect::<Vec<u8>>();
        picture.extend(std::iter::repeat_n(row(|cell| cell.0), CELL));
        picture.extend(std::iter::repeat_n(row(|cell| cell.1), CELL));
    }
    picture
}

/// What a camera reads in the picture: every code that a decoder finds.
fn scanned(picture: &[Vec<u8>]) -> Vec<String> {
    let (width, height) = (picture[0].len(), picture.len());
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| picture[y][x]);
    let codes = image.detect_grids();
    codes.iter().filter_map(|code| code.decode().ok()).map(|(_, text)| text).collect()
}

fn inverted(picture: &[Vec<u8>]) -> Vec<Vec<u8>> {
    picture.iter().map(|row| row.iter().map(|light| 255 - light).collect()).collect()
}

fn page(public_url: Option<&str>, screen: Screen) -> String {
    let wlan = Interface {
        name: "wlan0".to_owned(),
        address: "192.168.100.200".parse().expect("an address"),
        is_running: true,
        is_point_to_point: false,
    };
    let network = Network { interfaces: vec![wlan], default_route: Vec::new() };
    let at = |port, address: &str| Listener { port, address: ListenAddress::Tcp(address.parse().expect("an address")) };
    let listeners = [at(ListenerPort::Web, "[::]:5000"), at(ListenerPort::Line, "[::]:5001")];
    let invitation = Invitation {
        public_url: public_url.map(str::to_owned),
        base_path: "/".to_owned(),
        web_port: 5000,
        line_port: Some(5001),
        host: network.best_host("::".parse().expect("an address")),
        is_secure: false,
        is_certified_host: false,
    };
    let facts = Facts {
        listeners: &listeners,
        network: &network,
        invitation: &invitation,
        local_name: Some("snugd.local"),
        history: HistoryPlace::Memory,
        is_container: false,
    };
    greeting(&facts, screen)
}

#[test]
fn a_camera_reads_the_code_on_dark_and_light_terminals() {
    for colours in [Colours::Indexed, Colours::Named] {
        for theme in [Theme::Dark, Theme::Light] {
            for (columns, rows) in [(80, 24), (200, 60), (40, 50)] {
                let screen = Screen { columns, rows, has_blocks: true, colours };
                let seen = scanned(&rendered(&page(None, screen), theme));
                assert_eq!(seen, ["http://192.168.100.200:5000/"], "{colours:?}, {theme:?}, {columns} columns");
                let seen = scanned(&rendered(&page(Some("https://chat.example.org/talk"), screen), theme));
                assert_eq!(seen, ["https://chat.example.org/talk/"], "{colours:?}, {theme:?}, {columns} columns");
            }
        }
    }
}

#[test]
fn without_colours_the_code_is_for_dark_terminals_and_for_cameras_that_read_it_inverted() {
    let page = page(None, Screen { columns: 80, rows: 24, has_blocks: true, colours: Colours::None });
    assert!(!page.contains('\u{1b}'));
    assert_eq!(scanned(&rendered(&page, Theme::Dark)), ["http://192.168.100.200:5000/"]);
    assert_eq!(scanned(&inverted(&rendered(&page, Theme::Light))), ["http://192.168.100.200:5000/"]);
}

/// Starts it on a terminal of 80 columns and 24 lines, with these variables and options.
fn on_terminal(variables: &[(&str, &str)], options: &[&str]) -> PtySession {
    let snugd = command();
    let mut started = Command::new("sh");
    started.args(["-c", "stty cols 80 rows 24; exec \"$0\" \"$@\""]).arg(snugd.get_program());
    for (name, value) in snugd.get_envs() {
        match value {
            Some(value) => started.env(name, value),
            None => started.env_remove(name),
        };
    }
    for name in ["LC_ALL", "LC_CTYPE", "NO_COLOR", "COLORTERM"] {
        started.env_remove(name);
    }
    started.args(options).envs(variables.iter().copied());
    spawn_command(started, Some(DEADLINE.as_millis() as u64)).expect("the program can be started")
}

/// What it says until it waits, and then ends when it is interrupted.
fn said(mut terminal: PtySession) -> String {
    let mut text = terminal.exp_string("Ctrl-C stops it.").expect("it greets");
    terminal.send_control('c').expect("there is a keyboard");
    let rest = terminal.exp_eof().expect("it ends");
    write!(text, "Ctrl-C stops it.{rest}").expect("memory has room");
    let status = format!("{:?}", terminal.process().wait().expect("a child can be waited for"));
    assert!(status.starts_with("Exited(") && status.ends_with(", 0)"), "{status}");
    // It makes a character of each byte.
    String::from_utf8(text.chars().map(|byte| byte as u8).collect()).expect("UTF-8")
}

const USUAL: [(&str, &str); 2] = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")];
const LOCAL: [&str; 4] = ["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"];

#[test]
fn on_a_terminal_there_is_a_page_with_the_code_on_it() {
    let options = [&LOCAL[..], &["--public-url", "https://chat.example.org"]].concat();
    let text = said(on_terminal(&USUAL, &options));
    let (lines, page) = text.split_once("\r\n\r\n").expect("lines for programs, then the page");
    assert!(lines.starts_with("listening web 127.0.0.1:") && lines.contains("\nlistening line 127.0.0.1:"), "{lines}");
    let port_of = |listener: &str| {
        let (_, rest) = lines.split_once(listener).expect("its line");
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    let (web, line) = (port_of("web 127.0.0.1:"), port_of("line 127.0.0.1:"));
    for words in [
        "https://chat.example.org/",
        &format!("http://localhost:{web}/"),
        &format!("nc localhost {line}"),
        &format!("snugd join localhost:{web} CODE"),
        "--data FILE",
    ] {
        assert!(page.contains(words), "{words:?} in {page}");
    }
    let page = page.split_once("^C").map_or(page, |(page, _)| page);
    for theme in [Theme::Dark, Theme::Light] {
        assert_eq!(scanned(&rendered(page, theme)), ["https://chat.example.org/"], "{theme:?}: {page}");
    }
}

#[test]
fn a_terminal_that_cannot_show_the_code_is_shown_none() {
    let options = [&LOCAL[..], &["--public-url", "https://chat.example.org"]].concat();
    for variables in [[("TERM", "dumb"), ("LANG", "C.UTF-8")], [("TERM", "xterm-256color"), ("LANG", "C")]] {
        let text = said(on_terminal(&variables, &options));
        assert!(text.is_ascii() && !text.contains('\u{1b}'), "{variables:?}: {text}");
        assert!(text.contains("https://chat.example.org/"), "{text}");
    }
}

#[test]
fn the_file_that_keeps_history_is_told() {
    let folder = std::env::temp_dir().join(format!("snugd-greeting-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("rooms.db");
    let file = file.to_str().expect("UTF-8");
    let text = said(on_terminal(&USUAL, &[&LOCAL[..], &["--data", file]].concat()));
    assert!(text.contains(&format!("History is kept in {file}.")), "{text}");
    std::fs::remove_dir_all(&folder).expect("a folder");
}

#[test]
fn elsewhere_there_are_the_plain_lines_alone() {
    let mut server = support::Server::with(&["--public-url", "https://chat.example.org"]);
    server.signal("TERM");
    assert_eq!(server.rest_of_output(), [] as [String; 0]);
}
