//! The units for systemd, as systemd itself reads them; it need not run for that.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use socket2::SockRef;

use super::{Folder, handed, share};
use crate::support::{Server, find_program};

const UNITS: [&str; 2] = ["snugd.service", "snugd.socket"];

/// How much a service may still do that it need not, of 10, times 10 (systemd-analyze(1)).
const EXPOSURE_LIMIT: u32 = 15;

/// Where a package puts the program.
const INSTALLED: &str = "/usr/bin/snugd";

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd").join(name);
    fs::read_to_string(path).expect("a readable unit")
}

/// The value of a line of a unit.
fn value<'u>(unit: &'u str, key: &str) -> &'u str {
    let line = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {key} in the unit"))
}

/// The units, with the program where it is now.
fn write_units(folder: &Folder) {
    for name in UNITS {
        let here = unit(name).replace(INSTALLED, env!("CARGO_BIN_EXE_snugd"));
        fs::write(folder.join(name), here).expect("the folder is ours");
    }
}

fn analyze(arguments: &[&str], folder: &Folder) -> Output {
    let mut command = Command::new(find_program(&["systemd-analyze"], "systemd"));
    command.args(arguments).args(UNITS.map(|name| folder.join(name)).iter().filter(|path| {
        // Only services do something.
        arguments[0] != "security" || path.extension().is_some_and(|extension| extension == "service")
    }));
    command.output().expect("it can be started")
}

#[test]
fn systemd_understands_every_line() {
    let folder = Folder::new("verified");
    write_units(&folder);
    let output = analyze(&["verify", "--man=no"], &folder);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !words.contains("snugd"), "{words}");
}

#[test]
fn it_may_do_little_that_it_need_not() {
    let folder = Folder::new("exposed");
    write_units(&folder);
    let threshold = format!("--threshold={EXPOSURE_LIMIT}");
    let output = analyze(&["security", "--offline=true", "--no-pager", &threshold], &folder);
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words}");
}

/// As systemd does it: with its sockets, which have the name of their unit, and its folder.
#[cfg(feature = "sqlite")]
#[test]
fn the_program_takes_what_the_units_say() {
    let (service, socket) = (unit("snugd.service"), unit("snugd.socket"));
    let ports: Vec<&str> = socket.lines().filter_map(|line| line.strip_prefix("ListenStream=")).collect();
    assert_eq!(ports, ["5000", "5001"], "browsers first, then terminals");
    let [web, line] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    share(SockRef::from(&web));
    share(SockRef::from(&line));
    let state = Folder::new("state");
    fs::create_dir(state.join("snugd")).expect("the folder is ours");
    let mut words = value(&service, "ExecStart").split(' ');
    assert_eq!(words.next(), Some(INSTALLED));
    let mut command = handed(&[&web, &line], "snugd.socket:snugd.socket");
    command.args(words.map(|word| word.replace("%S", state.0.to_str().expect("UTF-8"))));
    let server = Server::run(command);
    assert_eq!(server.web, web.local_addr().expect("bound"));
    assert_eq!(server.line(), line.local_addr().expect("bound"));
    assert!(state.join("snugd/snugd.db").exists());
    // systemd kills who has not gone by then.
    assert!(value(&service, "TimeoutStopSec").parse::<u32>().expect("seconds") > 10);
}
