//! Found on the network by its name: what a neighbour's own tools (Avahi's) see of it. The two machines are network
//! namespaces with a cable between them.
#![cfg(all(target_os = "linux", feature = "mdns"))]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use support::server::command;
use support::{Server, eventually, find_program};

/// Lays the cable between this machine (192.168.77.1) and the neighbour (`far`, 192.168.77.2), and starts there what
/// Avahi's tools need. Nobody but root is known here, so its daemon is to find itself as that. It ends with its input.
const NEIGHBOURHOOD: &str = r#"
set -eu
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/dbus
printf 'root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n' > /run/passwd
printf 'root:x:0:\navahi:x:0:\nnetdev:x:0:\n' > /run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
ip link set lo up
ip netns add far
ip link add near0 type veth peer name far0 netns far
ip address add 192.168.77.1/24 dev near0
ip link set near0 up
ip -n far address add 192.168.77.2/24 dev far0
ip -n far link set far0 up
ip -n far link set lo up
cat > /run/bus.conf <<END
<busconfig><type>custom</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy></busconfig>
END
printf '[server]\nhost-name=%s\nuse-ipv6=no\n[publish]\npublish-workstation=no\n' "$1" > /run/avahi.conf
dbus-daemon --config-file=/run/bus.conf --nofork 2>/dev/null &
bus=$!
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.02; done
ip netns exec far avahi-daemon --no-drop-root --no-chroot --no-rlimits -f /run/avahi.conf 2>/dev/null &
avahi=$!
trap 'kill $avahi $bus' EXIT
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    found=$(ip netns exec far timeout 2 avahi-resolve -4 -n "$1.local" 2>/dev/null || true)
    case $found in *192.168.77.2) break ;; esac
    sleep 0.2
done
echo "found: $found"
read -r _ || true
"#;

/// A neighbour on the same network, and the way to act as this machine or as that one.
struct Neighbourhood {
    shell: Child,
    /// It ends when this is closed.
    input: Option<ChildStdin>,
}

impl Neighbourhood {
    /// With a neighbour of this name.
    fn with(neighbour: &str) -> Neighbourhood {
        for (program, package) in [
            ("nsenter", "util-linux"),
            ("ip", "iproute2"),
            ("dbus-daemon", "dbus-daemon"),
            ("avahi-daemon", "avahi-daemon"),
            ("avahi-browse", "avahi-utils"),
        ] {
            find_program(&[program], package);
        }
        let mut started = Command::new(find_program(&["unshare"], "util-linux"));
        started.args(["--map-root-user", "--net", "--mount", "sh", "-c", NEIGHBOURHOOD, "sh", neighbour]);
        // Where Debian has servers.
        started.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        let mut shell = started
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process with a network of its own can be started");
        let input = shell.stdin.take().expect("it is piped");
        let mut output = BufReader::new(shell.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("text");
        let neighbourhood = Neighbourhood { shell, input: Some(input) };
        assert!(line.ends_with("192.168.77.2\n"), "the neighbour is there: {line:?}");
        neighbourhood
    }

    /// A command on this machine.
    fn here(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.shell.id().to_string();
        command.args(["--user", "--net", "--mount", "--preserve-credentials", "--target", &pid, program]);
        command
    }

    /// A command that the neighbour runs to its end.
    fn neighbour_runs(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = self.here("ip");
        command.args(["netns", "exec", "far", "timeout", "10", program]).args(arguments);
        command.output().expect("it can be started")
    }

    /// Starts the program on this machine.
    fn serve(&self, options: &[&str]) -> Server {
        let snugd = command();
        let mut started = self.here(snugd.get_program().to_str().expect("UTF-8"));
        for (name, _) in snugd.get_envs() {
            started.env_remove(name);
        }
        started.args(["--line-listen", "off"]).args(options);
        Server::run_without_line(started)
    }

    /// The address that the neighbour finds under this name.
    fn resolve(&self, name: &str) -> Option<String> {
        let output = self.neighbour_runs("avahi-resolve", &["-4", "-n", name]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.split_whitespace().nth(1).map(str::to_owned)
    }

    /// The services of this type that the neighbour finds, with all that is known of each.
    fn browse(&self, service: &str) -> Vec<String> {
        let output = self.neighbour_runs("avahi-browse", &["--terminate", "--resolve", "--parsable", service]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().filter(|line| line.starts_with('=')).map(str::to_owned).collect()
    }
}

impl Drop for Neighbourhood {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.shell.wait();
    }
}

#[test]
fn a_neighbour_finds_it_by_name_and_among_the_services_until_it_stops() {
    let neighbourhood = Neighbourhood::with("neighbour");
    let mut server = neighbourhood.serve(&["--listen", ":5000"]);
    let address = eventually("its name is found", || neighbourhood.resolve("snugd.local"));
    assert_eq!(address, "192.168.77.1");
    let service = eventually("its service is found", || neighbourhood.browse("_http._tcp").pop());
    assert!(service.contains(";snugd;") && service.contains(";snugd.local;192.168.77.1;5000;\"path=/\""), "{service}");

    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    eventually("its service is gone", || neighbourhood.browse("_http._tcp").is_empty().then_some(()));
    eventually("its name is gone", || neighbourhood.resolve("snugd.local").is_none().then_some(()));
}

#[test]
fn a_name_that_the_neighbour_has_gets_a_number_and_the_log_tells() {
    let neighbourhood = Neighbourhood::with("snugd");
    let server = neighbourhood.serve(&["--listen", ":5000", "--base-path", "/chat"]);
    let told = "http://snugd-2.local:5000/chat/";
    eventually("it says under which name it is found", || server.log().contains(told).then_some(()));
    let address = eventually("its new name is found", || neighbourhood.resolve("snugd-2.local"));
    assert_eq!(address, "192.168.77.1");
    assert_eq!(neighbourhood.resolve("snugd.local").as_deref(), Some("192.168.77.2"), "the neighbour keeps its own");
    assert_eq!(server.log().matches("snugd-2.local").count(), 1, "it is told once: {}", server.log());
}

#[test]
fn it_is_found_under_the_name_that_it_is_given_and_answers_to_it() {
    let neighbourhood = Neighbourhood::with("neighbour");
    let options = ["--listen", "192.168.77.1:5000", "--mdns", "class", "--public-url", "http://chat.example"];
    let _server = neighbourhood.serve(&options);
    let address = eventually("its name is found", || neighbourhood.resolve("class.local"));
    assert_eq!(address, "192.168.77.1");
    let answered = |host: &str| {
        let url = "http://192.168.77.1:5000/";
        let output =
            neighbourhood.neighbour_runs("curl", &["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", host, url]);
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert_eq!(answered("Host: class.local:5000"), "200");
    assert_eq!(answered("Host: other.local:5000"), "421");
}

#[test]
fn what_is_for_this_machine_alone_or_is_to_have_no_name_is_not_announced() {
    let neighbourhood = Neighbourhood::with("neighbour");
    let announced = neighbourhood.serve(&["--listen", ":5000", "--mdns", "seen"]);
    let _local = neighbourhood.serve(&["--listen", "127.0.0.1:5002", "--mdns", "local"]);
    let _off = neighbourhood.serve(&["--listen", ":5004", "--mdns", "off"]);
    eventually("the one is found", || neighbourhood.resolve("seen.local"));
    let services = neighbourhood.browse("_http._tcp");
    assert_eq!(services.len(), 1, "{services:?}");
    assert_eq!(neighbourhood.resolve("local.local"), None);
    assert!(!announced.log().contains("mdns"), "nothing to tell: {}", announced.log());
}
