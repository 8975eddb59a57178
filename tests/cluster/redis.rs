//! A real Redis, or what is one by another name: started on a free port in a folder of its own, and stopped with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::server::signal;
use super::support::{eventually, find_program};

/// Programs that keep the log: the first has to be there.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// A folder of its own, which goes with this.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("snugd-cluster-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a new folder");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server, and its data. It is asked by `redis-cli`.
pub struct Redis {
    folder: Folder,
    program: PathBuf,
    options: Vec<String>,
    pub port: u16,
    child: Option<Child>,
    is_paused: bool,
}

impl Redis {
    /// One that has on its disk what it has answered.
    pub fn start() -> Redis {
        Redis::with(&[])
    }

    /// The same, with these settings as well.
    pub fn with(options: &[&str]) -> Redis {
        Redis::by(&find_program(&PROGRAMS[..1], "redis-server"), options)
    }

    /// One of every program that is installed.
    pub fn of_every_kind() -> Vec<Redis> {
        let mut programs = vec![find_program(&PROGRAMS[..1], "redis-server")];
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let others =
            std::env::split_paths(&folders).flat_map(|folder| PROGRAMS[1..].iter().map(move |name| folder.join(name)));
        programs.extend(others.filter(|program| program.is_file()));
        programs.iter().map(|program| Redis::by(program, &[])).collect()
    }

    /// One that copies what another has.
    pub fn replica_of(other: &Redis) -> Redis {
        Redis::with(&["--replicaof", &format!("127.0.0.1 {}", other.port)])
    }

    fn by(program: &Path, options: &[&str]) -> Redis {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let folder = Folder::new();
        let mut redis = Redis { folder, program: program.to_owned(), options, port: 0, child: None, is_paused: false };
        redis.run_somewhere(&[]);
        redis
    }

    /// Runs at a free port: another program may take it before this one does.
    fn run_somewhere(&mut self, arguments: &[&str]) {
        eventually("it listens at a free port", || {
            self.port = free_port();
            self.run(arguments);
            eventually("it listens, or ends", || {
                let child = self.child.as_mut().expect("it runs");
                let has_ended = child.try_wait().expect("a child can be waited for").is_some();
                if has_ended { Some(false) } else { self.is_ready().then_some(true) }
            })
            .then_some(())
        });
    }

    fn run(&mut self, arguments: &[&str]) {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.arg("--dir").arg(self.folder.path());
        command.args(["--logfile", "log.txt", "--daemonize", "no"]);
        if arguments.is_empty() {
            command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
            command.args(["--repl-diskless-sync-delay", "0", "--repl-backlog-size", "8mb"]);
        }
        command.args(&self.options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("it can be started"));
    }

    fn is_ready(&self) -> bool {
        self.try_ask(&["PING"]).is_some_and(|answer| answer == "PONG")
    }

    /// Ends it without any warning, as a crash would.
    pub fn crash(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.is_paused = false;
    }

    /// Runs it again where it was, with what it has kept.
    pub fn run_again(&mut self) {
        assert!(self.child.is_none(), "it runs");
        self.run(&[]);
        eventually("it has loaded what it has", || self.is_ready().then_some(()));
    }

    /// It is there, and does nothing.
    pub fn pause(&mut self) {
        signal(self.pid(), "STOP");
        self.is_paused = true;
    }

    pub fn go_on(&mut self) {
        signal(self.pid(), "CONT");
        self.is_paused = false;
    }

    pub fn is_running(&self) -> bool {
        self.child.is_some() && !self.is_paused
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Asks it something; returns the answer, a line for each of its parts.
    pub fn ask(&self, command: &[&str]) -> String {
        self.try_ask(command).unwrap_or_else(|| panic!("no answer to {command:?}; its log:\n{}", self.log()))
    }

    fn try_ask(&self, command: &[&str]) -> Option<String> {
        let client = find_program(&["redis-cli", "valkey-cli"], "redis-tools");
        let mut asked = Command::new(client);
        asked.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--raw", "-e"]).args(command);
        let output = asked.stdin(Stdio::null()).output().expect("it can be started");
        let answer = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        output.status.success().then_some(answer)
    }

    pub fn configure(&self, setting: &str, value: &str) {
        assert_eq!(self.ask(&["CONFIG", "SET", setting, value]), "OK");
    }

    /// A field of what it tells of itself.
    pub fn figure(&self, section: &str, name: &str) -> String {
        let told = self.ask(&["INFO", section]);
        let value = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("no {name} in {told}")).trim_end().to_owned()
    }

    pub fn is_master(&self) -> bool {
        self.figure("replication", "role") == "master"
    }

    /// Waits until its copy has what it has.
    pub fn wait_for_replica(&self) {
        eventually("the replica has everything", || self.find_whole_replica());
    }

    /// There is something if its copy has what it has.
    fn find_whole_replica(&self) -> Option<()> {
        let told = self.ask(&["INFO", "replication"]);
        let offset = told.lines().find_map(|line| line.strip_prefix("master_repl_offset:"))?.trim_end();
        let replica = told.lines().find_map(|line| line.strip_prefix("slave0:"))?;
        replica.contains(&format!("state=online,offset={offset},")).then_some(())
    }

    /// Every key with all that is in it, a line for each of its parts.
    pub fn everything(&self) -> String {
        const TELL: &str = "\
            local all = {}
            local function add(value)
                if type(value) == 'table' then for _, part in ipairs(value) do add(part) end else all[#all + 1] = value end
            end
            for _, key in ipairs(redis.call('KEYS', '*')) do
                local kind = redis.call('TYPE', key).ok
                add(key)
                if kind == 'hash' then add(redis.call('HGETALL', key))
                elseif kind == 'list' then add(redis.call('LRANGE', key, 0, -1))
                elseif kind == 'set' then add(redis.call('SMEMBERS', key))
                elseif kind == 'zset' then add(redis.call('ZRANGE', key, 0, -1))
                elseif kind == 'stream' then add(redis.call('XRANGE', key, '-', '+'))
                else add(redis.call('GET', key)) end
            end
            return all";
        self.ask(&["EVAL", TELL, "0"])
    }

    /// The end of what it has written of itself.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log.txt")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of the Redis at {}:\n{}", self.port, self.log());
        }
        self.crash();
    }
}

/// A port that nobody listens at now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Two servers of a Redis Cluster, of which the first has everything.
pub struct Clustered {
    pub first: Redis,
    pub second: Redis,
}

impl Clustered {
    pub fn start() -> Clustered {
        let [first, second] = [0, 1].map(|_| Redis::with(&["--cluster-enabled", "yes"]));
        assert_eq!(first.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]), "OK");
        assert_eq!(second.ask(&["CLUSTER", "MEET", "127.0.0.1", &first.port.to_string()]), "OK");
        for redis in [&first, &second] {
            eventually("each knows the other", || {
                let told = redis.ask(&["CLUSTER", "INFO"]);
                (told.contains("cluster_state:ok") && told.contains("cluster_known_nodes:2")).then_some(())
            });
        }
        Clustered { first, second }
    }

    /// The log is between the two: the second has what has changed in rooms, and the first all else.
    pub fn begin_to_move(&self) {
        let slot = self.slot();
        let [first, second] = [&self.first, &self.second].map(|redis| redis.ask(&["CLUSTER", "MYID"]));
        assert_eq!(self.second.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &first]), "OK");
        assert_eq!(self.first.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &second]), "OK");
        let keys = self.keys(&slot);
        let tails: Vec<String> = keys.into_iter().filter(|key| key.starts_with("{snugd}:tail:")).collect();
        assert!(!tails.is_empty());
        self.give(&tails);
    }

    /// The second has the whole of it.
    pub fn end_moving(&self) {
        let slot = self.slot();
        self.give(&self.keys(&slot));
        let second = self.second.ask(&["CLUSTER", "MYID"]);
        for redis in [&self.second, &self.first] {
            assert_eq!(redis.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &second]), "OK");
        }
    }

    fn slot(&self) -> String {
        self.first.ask(&["CLUSTER", "KEYSLOT", "{snugd}:log"])
    }

    fn keys(&self, slot: &str) -> Vec<String> {
        let keys = self.first.ask(&["CLUSTER", "GETKEYSINSLOT", slot, "1000"]);
        keys.lines().map(str::to_owned).collect()
    }

    fn give(&self, keys: &[String]) {
        let port = self.second.port.to_string();
        let mut command = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        command.extend(keys.iter().map(String::as_str));
        assert_eq!(self.first.ask(&command), "OK");
    }
}

/// A Redis, its replica, and a Sentinel that promotes the replica when the first one is gone.
pub struct Guarded {
    pub first: Redis,
    pub second: Redis,
    sentinel: Redis,
    /// Where a second Sentinel might be, and is none.
    nobody: u16,
}

/// By which name the Sentinel knows them.
const MASTER: &str = "snug";

impl Guarded {
    pub fn start() -> Guarded {
        let first = Redis::start();
        let second = Redis::replica_of(&first);
        first.wait_for_replica();
        let program = find_program(&["redis-sentinel"], "redis-sentinel");
        let mut sentinel =
            Redis { folder: Folder::new(), program, options: Vec::new(), port: 0, child: None, is_paused: false };
        // It keeps there what it learns.
        let file = sentinel.folder.path().join("sentinel.conf");
        let settings = format!(
            "sentinel monitor {MASTER} 127.0.0.1 {} 1\nsentinel down-after-milliseconds {MASTER} 1000\n\
             sentinel failover-timeout {MASTER} 4000\nsentinel parallel-syncs {MASTER} 1\n",
            first.port
        );
        std::fs::write(&file, settings).expect("it can be written");
        sentinel.run_somewhere(&[file.to_str().expect("UTF-8")]);
        let mut guarded = Guarded { first, second, sentinel, nobody: free_port() };
        guarded.wait_until_whole();
        guarded
    }

    /// Where nodes ask for the one that takes what is written: somebody has to be asked who is not there.
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{},127.0.0.1:{}/{MASTER}", self.nobody, self.sentinel.port)
    }

    /// The one that takes what is written, as the Sentinel says, and the other.
    pub fn in_order(&mut self) -> (&mut Redis, &mut Redis) {
        let address = self.sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]);
        match address.ends_with(&format!("\n{}", self.first.port)) {
            true => (&mut self.first, &mut self.second),
            false => (&mut self.second, &mut self.first),
        }
    }

    /// Waits until the one that was the replica is what the Sentinel tells of.
    pub fn wait_until_promoted(&mut self, replica_port: u16) {
        eventually("the replica is promoted", || {
            let (master, _) = self.in_order();
            (master.port == replica_port && master.is_running() && master.is_master()).then_some(())
        });
    }

    /// Makes the one that was the master the other's replica, as the Sentinel does at last: it looks every ten seconds.
    pub fn join_again(&mut self) {
        let (master, former) = self.in_order();
        assert!(former.ask(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]).starts_with("OK"));
        self.wait_until_whole();
    }

    /// Waits until one is the other's replica, has what it has, and the Sentinel knows that it is there.
    fn wait_until_whole(&mut self) {
        // On a busy machine the Sentinel may promote the other one meanwhile.
        eventually("the replica has everything", || self.in_order().0.find_whole_replica());
        eventually("the Sentinel knows", || {
            let told = self.sentinel.ask(&["SENTINEL", "REPLICAS", MASTER]);
            told.contains("\nflags\nslave\n").then_some(())
        });
    }
}
