//! The servers on the bench: what each speaks, how it is started, where it comes from.

use std::path::{Path, PathBuf};

use crate::dialect::{self, Speech};
use crate::redis;
use crate::secure::Certificate;

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The root of the repository.
    pub root: PathBuf,
    /// The snugd to bench.
    pub snugd: PathBuf,
    /// An older snugd to hold it against.
    pub before: Option<PathBuf>,
}

impl Places {
    fn peer(&self, path: &str) -> PathBuf {
        self.root.join("benches/peers").join(path)
    }
}

/// A server as the roster knows it.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    /// What it is, for the report.
    pub about: &'static str,
    pub web: Option<Speech>,
    pub line: Option<Speech>,
    /// How many processes it is that share a Redis; `None`: one, by itself.
    pub nodes: Option<usize>,
    /// The only scenarios worth its time, as `--only` names them; empty means all.
    pub only: &'static [&'static str],
    locate: fn(&Places) -> PathBuf,
    arguments: fn(&Places, &Ports) -> Vec<String>,
    /// How it is started to speak TLS, if it can.
    pub secure: Option<Secure>,
    /// How to get it.
    pub source: &'static str,
}

/// How a server is started to speak TLS.
#[derive(Debug)]
pub struct Secure {
    locate: fn(&Places) -> PathBuf,
    /// What it is told beyond what it is told without TLS.
    arguments: fn(&Certificate) -> Vec<String>,
}

/// The ports that a server is told to listen on.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub web: u16,
    pub line: u16,
    /// Where the Redis of several nodes listens.
    pub redis: Option<u16>,
}

impl Ports {
    /// A folder for what the server that listens there writes and reads.
    pub fn folder(&self) -> PathBuf {
        std::env::temp_dir().join(format!("snugd-bench-{}-{}", std::process::id(), self.web))
    }
}

pub const ROSTER: &[Kind] = &[
    Kind {
        name: "snugd",
        about: "this project",
        web: Some(dialect::WEB),
        line: Some(dialect::LINE),
        nodes: None,
        only: &[],
        locate: |places| places.snugd.clone(),
        arguments: |_, ports| snugd(ports),
        secure: Some(Secure { locate: |places| places.snugd.clone(), arguments: snugd_certificate }),
        source: "cargo build --release",
    },
    Kind {
        name: "snugd-data",
        about: "this project with --data",
        web: Some(dialect::WEB),
        line: Some(dialect::LINE),
        nodes: None,
        only: &["S1", "S3", "S1-each", "S3-each", "across"],
        locate: |places| places.snugd.clone(),
        arguments: |_, ports| {
            let data = format!("--data={}", ports.folder().join("snugd.db").display());
            [snugd(ports), vec![data]].concat()
        },
        secure: None,
        source: "cargo build --release",
    },
    Kind {
        name: "nodes-1",
        about: "this project, one node with a Redis",
        web: Some(dialect::WEB),
        line: None,
        nodes: Some(1),
        only: OF_NODES,
        locate: |places| places.snugd.clone(),
        arguments: |_, ports| clustered(ports),
        secure: None,
        source: "cargo build --release; apt install redis-server",
    },
    Kind {
        name: "nodes-2",
        about: "this project, two nodes that share a Redis",
        web: Some(dialect::WEB),
        line: None,
        nodes: Some(2),
        only: OF_NODES,
        locate: |places| places.snugd.clone(),
        arguments: |_, ports| clustered(ports),
        secure: None,
        source: "cargo build --release; apt install redis-server",
    },
    Kind {
        name: "nodes-4",
        about: "this project, four nodes that share a Redis",
        web: Some(dialect::WEB),
        line: None,
        nodes: Some(4),
        only: OF_NODES,
        locate: |places| places.snugd.clone(),
        arguments: |_, ports| clustered(ports),
        secure: None,
        source: "cargo build --release; apt install redis-server",
    },
    Kind {
        name: "before",
        about: "this project as it was",
        web: Some(dialect::WEB),
        line: Some(dialect::LINE),
        nodes: None,
        only: &[],
        locate: |places| places.before.clone().unwrap_or_default(),
        arguments: |_, ports| snugd(ports),
        secure: Some(Secure {
            locate: |places| places.before.clone().unwrap_or_default(),
            arguments: snugd_certificate,
        }),
        source: "--before PATH",
    },
    Kind {
        name: "floor",
        about: "the same epoll and writes, no checks",
        web: Some(dialect::WEB),
        line: None,
        nodes: None,
        only: &[],
        locate: |_| std::env::current_exe().unwrap_or_default().with_file_name("floor"),
        arguments: |_, ports| vec![ports.web.to_string()],
        secure: None,
        source: "built with the load generator",
    },
    Kind {
        name: "uws",
        about: "uWebSockets (C++), its own publish",
        web: Some(dialect::WEB),
        line: None,
        nodes: None,
        only: &[],
        locate: |places| places.peer("installed/uws"),
        arguments: |_, ports| vec![ports.web.to_string()],
        secure: Some(Secure { locate: |places| places.peer("installed/uws-tls"), arguments: certificate }),
        source: "sh benches/peers/install.sh uws",
    },
    Kind {
        name: "bun",
        about: "Bun, its own publish",
        web: Some(dialect::WEB),
        line: None,
        nodes: None,
        only: &[],
        locate: |places| places.peer("installed/bun/node_modules/bun/bin/bun.exe"),
        arguments: |places, ports| vec![places.peer("bun.ts").display().to_string(), ports.web.to_string()],
        secure: Some(Secure {
            locate: |places| places.peer("installed/bun/node_modules/bun/bin/bun.exe"),
            arguments: certificate,
        }),
        source: "sh benches/peers/install.sh bun",
    },
    Kind {
        name: "tokio",
        about: "tokio-tungstenite, one thread",
        web: Some(dialect::WEB),
        line: None,
        nodes: None,
        only: &[],
        locate: |places| places.peer("installed/tokio/release/tokio-room"),
        arguments: |_, ports| vec![ports.web.to_string()],
        secure: None,
        source: "sh benches/peers/install.sh tokio",
    },
    Kind {
        name: "flask",
        about: "Flask-SocketIO, threads as shipped",
        web: Some(dialect::SOCKET_IO),
        line: None,
        nodes: None,
        only: &["S1"],
        locate: |places| places.peer("installed/flask/bin/python"),
        arguments: |places, ports| flask(places, ports, "threading"),
        secure: None,
        source: "sh benches/peers/install.sh flask",
    },
    Kind {
        name: "flask-gevent",
        about: "Flask-SocketIO on gevent",
        web: Some(dialect::SOCKET_IO),
        line: None,
        nodes: None,
        only: &["S1"],
        locate: |places| places.peer("installed/flask/bin/python"),
        arguments: |places, ports| flask(places, ports, "gevent"),
        secure: None,
        source: "sh benches/peers/install.sh flask",
    },
    Kind {
        name: "socketio",
        about: "socket.io on Node.js, one process",
        web: Some(dialect::SOCKET_IO),
        line: None,
        nodes: None,
        only: &["S1", "S3", "across"],
        locate: |_| NODE_JS.into(),
        arguments: |places, ports| socketio(places, ports, "alone"),
        secure: None,
        source: "sh benches/peers/install.sh socketio; apt install nodejs redis-server",
    },
    Kind {
        name: "socketio-2",
        about: "socket.io, two processes with @socket.io/redis-adapter",
        web: Some(dialect::SOCKET_IO),
        line: None,
        nodes: Some(2),
        only: &["S1", "S3", "across"],
        locate: |_| NODE_JS.into(),
        arguments: |places, ports| socketio(places, ports, "redis"),
        secure: None,
        source: "sh benches/peers/install.sh socketio; apt install nodejs redis-server",
    },
    Kind {
        name: "socketio-2s",
        about: "socket.io, two processes with @socket.io/redis-streams-adapter",
        web: Some(dialect::SOCKET_IO),
        line: None,
        nodes: Some(2),
        only: &["S1", "S3", "across"],
        locate: |_| NODE_JS.into(),
        arguments: |places, ports| socketio(places, ports, "streams"),
        secure: None,
        source: "sh benches/peers/install.sh socketio; apt install nodejs redis-server",
    },
    Kind {
        name: "ngircd",
        about: "ngIRCd, an IRC server",
        web: None,
        line: Some(dialect::IRC),
        nodes: None,
        only: &["T1"],
        locate: |_| "/usr/sbin/ngircd".into(),
        arguments: |places, ports| {
            let configuration = configure(&places.peer("ngircd.conf"), "ngircd", ports);
            vec!["--nodaemon".into(), "--config".into(), configuration.display().to_string()]
        },
        secure: None,
        source: "apt install ngircd",
    },
    Kind {
        name: "smallchat",
        about: "smallchat, select() and nothing more",
        web: None,
        line: Some(dialect::SMALLCHAT),
        nodes: None,
        only: &["T1"],
        locate: |places| places.peer("installed/smallchat-server"),
        arguments: |_, _| Vec::new(),
        secure: None,
        source: "build github.com/antirez/smallchat into benches/peers/installed/smallchat-server",
    },
];

/// Processes of a server, at most.
pub const MAX_NODES: usize = 4;

/// What says something of several nodes.
const OF_NODES: &[&str] = &["S1", "S3", "S1-each", "S3-each", "across", "rooms"];

const NODE_JS: &str = "/usr/bin/node";

/// smallchat takes no argument: its port is in its source.
pub const SMALLCHAT_PORT: u16 = 7711;

/// How this project is told to speak TLS.
fn snugd_certificate(made: &Certificate) -> Vec<String> {
    vec![format!("--tls-cert={}", made.certificate.display()), format!("--tls-key={}", made.key.display())]
}

/// How the peers are told to.
fn certificate(made: &Certificate) -> Vec<String> {
    vec![made.certificate.display().to_string(), made.key.display().to_string()]
}

/// Without limits of rate and number.
fn snugd(ports: &Ports) -> Vec<String> {
    let limits = ["rate", "join-rate", "create-rate", "max-per-ip", "max-members", "max-connections"];
    let mut arguments = vec![
        format!("--listen=127.0.0.1:{}", ports.web),
        format!("--line-listen=127.0.0.1:{}", ports.line),
        "-q".into(),
    ];
    arguments.extend(limits.iter().map(|limit| format!("--{limit}=0")));
    arguments
}

/// One of the nodes that share a Redis.
fn clustered(ports: &Ports) -> Vec<String> {
    let port = ports.redis.unwrap_or_default();
    [snugd(ports), vec![format!("--cluster=redis://127.0.0.1:{port}")]].concat()
}

fn socketio(places: &Places, ports: &Ports, adapter: &str) -> Vec<String> {
    let redis = ports.redis.unwrap_or_default().to_string();
    vec![places.peer("socketio.mjs").display().to_string(), ports.web.to_string(), adapter.into(), redis]
}

fn flask(places: &Places, ports: &Ports, mode: &str) -> Vec<String> {
    vec![places.peer("flask_room.py").display().to_string(), ports.web.to_string(), mode.into()]
}

/// Writes a copy of a configuration file with the ports filled in, and says where.
pub fn configure(template: &Path, name: &str, ports: &Ports) -> PathBuf {
    let filled = ports.folder().join(format!("{name}.conf"));
    let text = std::fs::read_to_string(template).unwrap_or_default();
    let text = text.replace("@WEB@", &ports.web.to_string()).replace("@LINE@", &ports.line.to_string());
    // A file that cannot be written shows as a server that does not start.
    let _ = std::fs::create_dir_all(ports.folder());
    let _ = std::fs::write(&filled, text);
    filled
}

impl Kind {
    /// Whether it is this project: a room must be created there, and it serves pages.
    pub fn is_snugd(&self) -> bool {
        matches!(self.name, "snugd" | "snugd-data" | "before") || self.name.starts_with("nodes-")
    }

    /// The file that is run.
    pub fn program(&self, places: &Places) -> PathBuf {
        (self.locate)(places)
    }

    pub fn is_available(&self, places: &Places) -> bool {
        let has_packages =
            !self.name.starts_with("socketio") || places.peer("installed/socketio/node_modules").is_dir();
        self.program(places).is_file() && has_packages && (self.nodes.is_none() || redis::is_available())
    }

    /// The arguments that make it listen on these ports.
    pub fn arguments(&self, places: &Places, ports: &Ports) -> Vec<String> {
        (self.arguments)(places, ports)
    }

    /// The same with this certificate: the file that is run, and its arguments.
    pub fn secure(&self, places: &Places, ports: &Ports, made: &Certificate) -> Option<(PathBuf, Vec<String>)> {
        let secure = self.secure.as_ref()?;
        Some(((secure.locate)(places), [self.arguments(places, ports), (secure.arguments)(made)].concat()))
    }
}
