//! A Redis that runs: for nodes that share one, and for what is asked of it alone.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process;

const PROGRAM: &str = "/usr/bin/redis-server";

/// Whether there is one.
pub fn is_available() -> bool {
    fs::exists(PROGRAM).unwrap_or(false)
}

/// Set up as where something is to be kept: with an AOF, which reaches the disk every second. Dropped, it is stopped.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    pub port: u16,
    folder: PathBuf,
}

impl Redis {
    /// Starts one on this CPU, and waits until it listens.
    pub fn start(cpu: usize) -> io::Result<Redis> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("snugd-bench-redis-{port}"));
        fs::create_dir_all(&folder)?;
        process::pin(cpu)?;
        let child = Command::new(PROGRAM)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"])
            .args(["--port", &port.to_string()])
            .arg("--dir")
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        process::pin(process::LOAD_CPU)?;
        let redis = Redis { child: child?, port, folder };
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(redis.address()).is_err() {
            if Instant::now() > deadline {
                return Err(io::Error::other("redis-server does not listen"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(redis)
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// CPU time used so far, in nanoseconds.
    pub fn cpu_ns(&self) -> io::Result<u64> {
        process::cpu_ns(self.child.id())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
