//! Where the log is kept: the address of a Redis, or of the Sentinels that know which one it is at a time.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// Where Redis and its Sentinels listen unless something else is said.
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// The address of the log, as it is given with `--cluster`. Its `Debug` and `Display` forms hide the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterAddress {
    /// Who is asked.
    pub(super) server: Server,
    /// The connection is encrypted.
    pub(super) is_encrypted: bool,
    /// By what the program shows who it is, if it has to.
    pub(super) credentials: Option<Credentials>,
    /// Which database of that server.
    pub(super) database: i64,
}

/// Who is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Server {
    /// This one.
    Host(HostPort),
    /// The one that listens on this socket.
    Socket(PathBuf),
    /// The one that these Sentinels name as the master under this name.
    Sentinels { hosts: Vec<HostPort>, master: String },
}

/// A host, and one of its ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HostPort {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    /// `None`: the one who needs no name.
    pub user: Option<String>,
    pub password: String,
}

impl ClusterAddress {
    /// Reads `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `rediss+sentinel://`, and what follows.
    ///
    /// # Errors
    /// One sentence that says what is wrong, and never has the password in it.
    pub fn parse(text: &str) -> Result<ClusterAddress, String> {
        let forms = "redis://HOST, rediss://HOST, unix:///PATH or redis+sentinel://HOST,HOST/MASTER";
        let (scheme, rest) = text
            .trim()
            .split_once("://")
            .ok_or_else(|| format!("The address of the cluster's log has no scheme: give it as {forms}."))?;
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        match scheme {
            "redis" => parse_host(rest, query, false),
            "rediss" => parse_host(rest, query, true),
            "unix" | "redis+unix" => parse_socket(rest, query),
            "redis+sentinel" => parse_sentinels(rest, query, false),
            "rediss+sentinel" => parse_sentinels(rest, query, true),
            // What stands there may be anything, a password as well.
            _ => Err(format!("The address of the cluster's log has an unknown scheme: give it as {forms}.")),
        }
    }
}

fn parse_host(rest: &str, query: Option<&str>, is_encrypted: bool) -> Result<ClusterAddress, String> {
    refuse_query(query)?;
    let (credentials, rest) = split_credentials(rest)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let server = Server::Host(HostPort::parse(host, PORT)?);
    Ok(ClusterAddress { server, is_encrypted, credentials, database: parse_database(path)? })
}

fn parse_sentinels(rest: &str, query: Option<&str>, is_encrypted: bool) -> Result<ClusterAddress, String> {
    refuse_query(query)?;
    let (credentials, rest) = split_credentials(rest)?;
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (master, database) = path.split_once('/').unwrap_or((path, ""));
    let hosts = hosts.split(',').map(|host| HostPort::parse(host, SENTINEL_PORT)).collect::<Result<_, _>>()?;
    let master = decode(master)?;
    if master.is_empty() {
        return Err(
            "The address of the Sentinels does not say which master they watch: name it behind the hosts, as in \
             redis+sentinel://HOST/MASTER."
                .to_owned(),
        );
    }
    let server = Server::Sentinels { hosts, master };
    Ok(ClusterAddress { server, is_encrypted, credentials, database: parse_database(database)? })
}

fn parse_socket(rest: &str, query: Option<&str>) -> Result<ClusterAddress, String> {
    // The path itself may have an @.
    let (credentials, path) = match rest.find("@/") {
        Some(end) if !rest.starts_with('/') => (split_credentials(&rest[..=end])?.0, &rest[end + 1..]),
        _ => (None, rest),
    };
    let path = decode(path)?;
    if !path.starts_with('/') {
        return Err("The path of the cluster's socket is not absolute: give it as unix:///PATH.".to_owned());
    }
    let database = match query {
        None => 0,
        Some(query) => match query.split_once('=') {
            Some(("db", database)) => parse_database(database)?,
            _ => return Err("Behind the path of the cluster's socket there may be ?db=NUMBER only.".to_owned()),
        },
    };
    Ok(ClusterAddress { server: Server::Socket(path.into()), is_encrypted: false, credentials, database })
}

fn refuse_query(query: Option<&str>) -> Result<(), String> {
    match query {
        None => Ok(()),
        Some(_) => Err("The address of the cluster's log has a ? in it: write one in a password as %3F.".to_owned()),
    }
}

/// What stands before the last `@`, and what stands behind it.
fn split_credentials(text: &str) -> Result<(Option<Credentials>, &str), String> {
    let Some((shown, rest)) = text.rsplit_once('@') else { return Ok((None, text)) };
    let Some((user, password)) = shown.split_once(':') else {
        return Err("The address of the cluster's log names a user without a password: write USER:PASSWORD@, or \
                    :PASSWORD@ where no user has to be named."
            .to_owned());
    };
    let user = Some(decode(user)?).filter(|user| !user.is_empty());
    Ok((Some(Credentials { user, password: decode(password)? }), rest))
}

fn parse_database(text: &str) -> Result<i64, String> {
    let text = text.trim_end_matches('/');
    let number = if text.is_empty() { Some(0) } else { u32::from_str(text).ok().map(i64::from) };
    number.ok_or_else(|| "The database in the address of the cluster's log is not a number such as 0.".to_owned())
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| "The address of the cluster's log is not UTF-8 where it has a %.".to_owned())
}

impl HostPort {
    fn parse(text: &str, default_port: u16) -> Result<HostPort, String> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) =
                    rest.split_once(']').ok_or("In the address of the cluster's log, a [ has no ] behind it.")?;
                (host, port)
            }
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => u16::from_str(port).ok().filter(|port| *port > 0),
            None => Some(default_port).filter(|_| port.is_empty()),
        };
        let port = port.ok_or("The port in the address of the cluster's log is not a number from 1 to 65535.")?;
        if host.is_empty() {
            return Err("The address of the cluster's log has no host.".to_owned());
        }
        Ok(HostPort { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(formatter, "[{}]:{}", self.host, self.port),
            false => write!(formatter, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for ClusterAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (&self.server, self.is_encrypted) {
            (Server::Socket(_), _) => "unix",
            (Server::Host(_), false) => "redis",
            (Server::Host(_), true) => "rediss",
            (Server::Sentinels { .. }, false) => "redis+sentinel",
            (Server::Sentinels { .. }, true) => "rediss+sentinel",
        };
        write!(formatter, "{scheme}://")?;
        if let Some(Credentials { user: Some(user), .. }) = &self.credentials {
            write!(formatter, "{user}@")?;
        }
        let database = self.database;
        match &self.server {
            Server::Host(host) => write!(formatter, "{host}/{database}"),
            Server::Socket(path) => write!(formatter, "{}?db={database}", path.display()),
            Server::Sentinels { hosts, master } => {
                let hosts: Vec<String> = hosts.iter().map(HostPort::to_string).collect();
                write!(formatter, "{}/{master}/{database}", hosts.join(","))
            }
        }
    }
}

impl fmt::Debug for ClusterAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ClusterAddress {
        ClusterAddress::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    #[test]
    fn every_form_is_read_and_shown() {
        for (text, shown) in [
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://10.0.0.5:7000/", "redis://10.0.0.5:7000/0"),
            ("redis://[::1]:7000/3", "redis://[::1]:7000/3"),
            ("redis://[fe80::1]", "redis://[fe80::1]:6379/0"),
            ("rediss://chat:s3cret@cache.example.org:6380/1", "rediss://chat@cache.example.org:6380/1"),
            ("redis://:s3cret@cache", "redis://cache:6379/0"),
            ("unix:///run/redis/redis.sock", "unix:///run/redis/redis.sock?db=0"),
            ("redis+unix://chat:s3cret@/run/a%20b@c?db=2", "unix://chat@/run/a b@c?db=2"),
            ("redis+sentinel://a,b:7,[::1]/chat", "redis+sentinel://a:26379,b:7,[::1]:26379/chat/0"),
            ("rediss+sentinel://u:p@a/chat/4", "rediss+sentinel://u@a:26379/chat/4"),
            (" redis://a\n", "redis://a:6379/0"),
        ] {
            let address = parsed(text);
            assert_eq!((address.to_string(), format!("{address:?}")), (shown.to_owned(), shown.to_owned()));
        }
    }

    #[test]
    fn a_password_has_any_characters_and_is_never_shown() {
        let address = parsed("redis://u%40x:p:%3F/@%C3%A9@host/1");
        let credentials = address.credentials.clone().expect("they are given");
        assert_eq!((credentials.user.as_deref(), &*credentials.password), (Some("u@x"), "p:?/@é"));
        assert_eq!(address.to_string(), "redis://u@x@host:6379/1");
        for wrong in ["redis://u:s3cret@host:x", "s3cret", "s3cret://", "redis://u:s3cret@host?x", "rediss://u:s3cret@"]
        {
            let fault = ClusterAddress::parse(wrong).expect_err(wrong);
            assert!(!fault.contains("s3cret") && fault.ends_with('.'), "{fault}");
        }
    }

    #[test]
    fn what_is_no_address_is_told() {
        for (wrong, told) in [
            ("localhost:6379", "has no scheme"),
            ("http://localhost", "unknown scheme"),
            ("redis://", "has no host"),
            ("redis://a:0", "The port"),
            ("redis://a:99999", "The port"),
            ("redis://[::1", "has no ]"),
            ("redis://[::1]7", "The port"),
            ("redis://a/b", "The database"),
            ("redis://a/-1", "The database"),
            ("redis://user@a", "without a password"),
            ("redis://%ff:x@a", "not UTF-8"),
            ("unix://run/redis.sock", "not absolute"),
            ("unix:///run/redis.sock?x=1", "?db=NUMBER"),
            ("redis+sentinel://a,b", "which master"),
            ("redis+sentinel://a,,b/m", "has no host"),
        ] {
            let fault = ClusterAddress::parse(wrong).expect_err(wrong);
            assert!(fault.contains(told), "{wrong}: {fault}");
        }
    }
}
