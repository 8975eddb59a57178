//! Connections to whoever keeps the log: found, made with time limits, and looked at before they are used.

use std::time::Duration;

use redis::{Cmd, Connection, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, Value, cmd};

use super::address::{ClusterAddress, Credentials, HostPort, Server};
use super::faults::{Answer, Fault, list, text};
use super::scripts::META;

/// So long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// So long an answer may take. Nothing that is asked takes longer, but for one that blocks, which does so for a second.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A peer that is gone without a word is noticed by these.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// So often it is followed where the log is said to be elsewhere.
const REDIRECTIONS: usize = 5;

/// The oldest version that has all that the log needs.
const OLDEST_VERSION: u32 = 7;

/// Makes connections to the server that keeps the log at a time.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    address: ClusterAddress,
    /// Where a server of a Redis Cluster has said that the log is, if that is where to ask next.
    moved: Option<HostPort>,
    /// The same, when that was last so.
    last_moved: Option<HostPort>,
}

/// A connection to the server that keeps the log.
pub(super) struct Connected {
    pub connection: Connection,
    /// What names that server, and its line of descent: another one has another.
    pub server: String,
    /// Where it is.
    pub place: String,
}

impl Connector {
    pub fn new(address: ClusterAddress) -> Connector {
        Connector { address, moved: None, last_moved: None }
    }

    /// Makes a connection to whoever keeps the log now.
    pub fn connect(&mut self) -> Answer<Connected> {
        let connected = self.follow();
        if connected.is_err() {
            // Where it had moved to may be gone, and so may be the server that has said so: each is asked in its turn.
            self.moved = match self.moved.take() {
                Some(moved) => {
                    self.last_moved = Some(moved);
                    None
                }
                None => self.last_moved.clone(),
            };
        }
        connected
    }

    fn follow(&mut self) -> Answer<Connected> {
        for _ in 0..REDIRECTIONS {
            let target = self.target()?;
            match self.connect_once(&target) {
                Err(Fault::Moved(moved)) => self.moved = Some(target.next_to(moved)),
                connected => return connected,
            }
        }
        Err(Fault::Away("its servers do not agree where the log is".to_owned()))
    }

    /// Where the log is, as far as is known.
    fn target(&self) -> Answer<Target> {
        Ok(match (&self.moved, &self.address.server) {
            (Some(host), _) | (None, Server::Host(host)) => Target::Host(host.clone()),
            (None, Server::Socket(path)) => Target::Socket(path.display().to_string()),
            (None, Server::Sentinels { hosts, master }) => Target::Host(self.ask_sentinels(hosts, master)?),
        })
    }

    fn connect_once(&self, target: &Target) -> Answer<Connected> {
        let mut connection = self.open(target, self.address.credentials.as_ref(), self.address.database)?;
        // In a Redis Cluster, whoever does not keep the log says who does.
        ask(&mut connection, cmd("HGET").arg(META).arg("format"))?;
        let info = text(ask(&mut connection, cmd("INFO").arg("server"))?)?;
        let version = field(&info, "redis_version").ok_or_else(Fault::unreadable)?;
        if version
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())
            .is_none_or(|major: u32| major < OLDEST_VERSION)
        {
            return Err(Fault::Denied(format!(
                "it is of version {version}, and the log needs one from {OLDEST_VERSION}.0 on"
            )));
        }
        let info = text(ask(&mut connection, cmd("INFO").arg("replication"))?)?;
        if field(&info, "role") != Some("master") {
            return Err(Fault::Away("it is a replica".to_owned()));
        }
        let server = field(&info, "master_replid").ok_or_else(Fault::unreadable)?.to_owned();
        Ok(Connected { connection, server, place: target.to_string() })
    }

    /// A connection that answers, or does not, within time limits.
    fn open(&self, target: &Target, credentials: Option<&Credentials>, database: i64) -> Answer<Connection> {
        let address = match target {
            Target::Socket(path) => ConnectionAddr::Unix(path.into()),
            Target::Host(HostPort { host, port }) if self.address.is_encrypted => {
                ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
            }
            Target::Host(HostPort { host, port }) => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(ANSWER_LIMIT);
        let info = address.into_connection_info()?.set_redis_settings(settings).set_tcp_settings(tcp);
        let mut connection = redis::Client::open(info)?.get_connection_with_timeout(CONNECT_LIMIT)?;
        connection.set_read_timeout(Some(ANSWER_LIMIT))?;
        connection.set_write_timeout(Some(ANSWER_LIMIT))?;
        // Not by the library, which takes every refusal for a wrong password.
        if let Some(Credentials { user, password }) = credentials {
            let mut command = cmd("AUTH");
            if let Some(user) = user {
                command.arg(user);
            }
            ask_to_enter(&mut connection, command.arg(password), "it does not know this user and password")?;
        }
        if database != 0 {
            let refused = format!("it has no database {database}");
            ask_to_enter(&mut connection, cmd("SELECT").arg(database), &refused)?;
        }
        Ok(connection)
    }

    /// The one that the Sentinels name as the master.
    fn ask_sentinels(&self, hosts: &[HostPort], master: &str) -> Answer<HostPort> {
        let mut last = Fault::Away("no Sentinel is named".to_owned());
        for host in hosts {
            match self.ask_sentinel(host, master) {
                Ok(master) => return Ok(master),
                Err(fault) => last = Fault::Away(format!("of the Sentinel {host}: {fault}")),
            }
        }
        Err(last)
    }

    fn ask_sentinel(&self, host: &HostPort, master: &str) -> Answer<HostPort> {
        let target = Target::Host(host.clone());
        let mut question = cmd("SENTINEL");
        question.arg("get-master-addr-by-name").arg(master);
        // A Sentinel has passwords of its own, and mostly none; where it wants one, it is the same.
        let answer = match self.open(&target, None, 0).and_then(|mut sentinel| ask(&mut sentinel, &question)) {
            Err(Fault::Denied(_)) if self.address.credentials.is_some() => {
                ask(&mut self.open(&target, self.address.credentials.as_ref(), 0)?, &question)
            }
            answer => answer,
        };
        let mut named = list(answer?)?.into_iter();
        match (named.next(), named.next()) {
            (Some(host), Some(port)) => {
                let (host, port) = (text(host)?, text(port)?.parse().map_err(|_| Fault::unreadable())?);
                Ok(HostPort { host, port })
            }
            _ => Err(Fault::Away("it knows no such master".to_owned())),
        }
    }
}

/// Where a connection goes.
enum Target {
    Host(HostPort),
    Socket(String),
}

impl Target {
    /// Where somebody has sent the program who was reached here: without a host, to another port of the same.
    fn next_to(&self, moved: HostPort) -> HostPort {
        match self {
            Target::Host(HostPort { host, .. }) if moved.host.is_empty() => HostPort { host: host.clone(), ..moved },
            _ => moved,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Host(host) => host.fmt(formatter),
            Target::Socket(path) => formatter.write_str(path),
        }
    }
}

/// Asks one thing, and waits for the answer.
pub(super) fn ask(connection: &mut Connection, command: &Cmd) -> Answer<Value> {
    connection.send_packed_command(&command.get_packed_command())?;
    super::faults::expect(connection.recv_response()?)
}

/// Asks what may be refused without a name for why.
fn ask_to_enter(connection: &mut Connection, command: &Cmd, refused: &str) -> Answer<()> {
    connection.send_packed_command(&command.get_packed_command())?;
    super::faults::expect_entry(connection.recv_response()?, refused)
}

/// A line of what `INFO` tells.
pub(super) fn field<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}
