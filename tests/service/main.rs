//! As a service: what its manager is told, and the sockets that it hands over, over which a restart loses nobody.
#![cfg(target_os = "linux")]

mod handing_over;
#[path = "../history/mod.rs"]
mod history;
mod notifying;
#[path = "../history/party.rs"]
mod party;
#[cfg(feature = "sqlite")]
mod restarting;
#[path = "../support/mod.rs"]
mod support;
mod unit;

use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::process::Command;

use socket2::SockRef;

/// A folder of its own, that goes with this.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("snugd-service-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a new folder");
        Folder(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program as its manager starts it, by a shell that does `first` before it becomes the program.
fn managed(first: &str) -> Command {
    let program = support::server::command();
    let mut command = Command::new("bash");
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(["-c", &format!("{first}; exec \"$0\" \"$@\"")]).arg(program.get_program());
    command
}

/// The program with these sockets handed over, under these names. Whoever has them goes on listening.
fn handed(sockets: &[&dyn AsRawFd], names: &str) -> Command {
    let mut first = String::new();
    let numbers: Vec<RawFd> = sockets.iter().map(|socket| socket.as_raw_fd()).collect();
    for (index, number) in numbers.iter().enumerate() {
        // By way of others, since one of them may have the number that another is to have.
        first += &format!("exec {}<&{number}; ", 100 + index);
    }
    for index in 0..numbers.len() {
        first += &format!("exec {}<&{} {}<&-; ", 3 + index, 100 + index, 100 + index);
    }
    first += &format!("export LISTEN_PID=$$ LISTEN_FDS={} LISTEN_FDNAMES={names}", numbers.len());
    managed(&first)
}

/// Has programs that are started from here on have it as well.
fn share(socket: SockRef<'_>) {
    socket.set_cloexec(false).expect("a descriptor has flags");
}
