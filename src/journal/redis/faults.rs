//! What can go wrong with a Redis, by what is to be done about it.

use std::fmt;

use redis::{ErrorKind, RedisError, ServerError, Value};

use super::address::HostPort;

/// Why something could not be done. Shown to whoever runs the program: nothing in it was said by anybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The connection is of no use any more, or the server is: another is to be made, to whoever keeps the log by then.
    Away(String),
    /// Another server keeps the log.
    Moved(HostPort),
    /// The server does not let this program in, or is not one that can keep a log: somebody has to see to it.
    Denied(String),
    /// Nothing can be written at this time, and nothing of what was asked was done.
    Refusing(String),
}

/// A Redis Cluster gives the log to another of its servers.
const MOVING: &str = "the log is being moved to another server";

/// What the answer to something was.
pub(super) type Answer<T> = Result<T, Fault>;

impl Fault {
    /// An answer that nobody gives who speaks as a Redis does.
    pub fn unreadable() -> Fault {
        Fault::Away("it answers what cannot be understood".to_owned())
    }

    /// By how the server names it.
    fn of_server(error: &ServerError) -> Fault {
        let (code, details) = (error.code(), error.details().unwrap_or_default());
        match code {
            "MOVED" => match details.rsplit(' ').next().and_then(read_host_port) {
                Some(host) => Fault::Moved(host),
                None => Fault::Away("it has moved".to_owned()),
            },
            "OOM" => Fault::Refusing("its memory is full (maxmemory)".to_owned()),
            "MISCONF" => Fault::Refusing("it cannot write to its disk (MISCONF)".to_owned()),
            "NOREPLICAS" => Fault::Refusing("it has too few replicas (min-replicas-to-write)".to_owned()),
            "ERR" => {
                Fault::without_name(details).unwrap_or_else(|| Fault::Away("it answers with an error (ERR)".to_owned()))
            }
            "DENIED" => Fault::Denied("it lets in nobody from elsewhere (protected-mode)".to_owned()),
            "NOAUTH" => Fault::Denied("it wants a password: write USER:PASSWORD@ before its host".to_owned()),
            "WRONGPASS" => Fault::Denied("it does not know this user and password".to_owned()),
            "NOPERM" => Fault::Denied("its rules (ACL) do not let this user do what the log needs".to_owned()),
            "READONLY" => Fault::Away("it is a replica (READONLY)".to_owned()),
            "LOADING" => Fault::Away("it is still loading its data (LOADING)".to_owned()),
            "MASTERDOWN" => Fault::Away("it is a replica without its master (MASTERDOWN)".to_owned()),
            "CLUSTERDOWN" => Fault::Away("its cluster is down (CLUSTERDOWN)".to_owned()),
            "BUSY" => Fault::Away("it is busy with a script (BUSY)".to_owned()),
            "UNBLOCKED" => Fault::Away("it has become a replica (UNBLOCKED)".to_owned()),
            "NOSCRIPT" => Fault::Away("it has forgotten the scripts (NOSCRIPT)".to_owned()),
            "ASK" | "TRYAGAIN" => Fault::Away(MOVING.to_owned()),
            "REPLACED" => Fault::Away("a newer connection of this node is there".to_owned()),
            // The details may name anything that was sent.
            _ => Fault::Away(format!("it answers with an error ({code})")),
        }
    }

    /// What the server has no name for, and is known by its words.
    fn without_name(details: &str) -> Option<Fault> {
        if details.starts_with("max number of clients") {
            return Some(Fault::Away("it has as many clients as it may (maxclients)".to_owned()));
        }
        // Said by a script, which has not begun to change anything.
        details.contains("non local key in a cluster").then(|| Fault::Away(MOVING.to_owned()))
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Fault {
        match error.kind() {
            ErrorKind::Io if error.is_timeout() => Fault::Away("it does not answer in time".to_owned()),
            ErrorKind::Io if error.is_connection_refusal() => Fault::Away("nobody listens there".to_owned()),
            ErrorKind::Io if error.is_connection_dropped() => Fault::Away("the connection is lost".to_owned()),
            // The system's words.
            ErrorKind::Io => Fault::Away(error.to_string()),
            ErrorKind::InvalidClientConfig => Fault::Denied(error.to_string()),
            ErrorKind::Server(_) | ErrorKind::Extension => match error.into_server_errors() {
                Some(errors) => errors.first().map_or_else(Fault::unreadable, |(_, error)| Fault::of_server(error)),
                None => Fault::unreadable(),
            },
            _ => Fault::unreadable(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Away(reason) | Fault::Denied(reason) | Fault::Refusing(reason) => formatter.write_str(reason),
            Fault::Moved(host) => write!(formatter, "the log is kept by {host}"),
        }
    }
}

/// `HOST:PORT`, as a Redis Cluster names its servers: an address of version 6 has no brackets there, and where it is the
/// same host there may be none.
fn read_host_port(text: &str) -> Option<HostPort> {
    let (host, port) = text.rsplit_once(':')?;
    let (host, port) = (host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?);
    (host != "?").then_some(HostPort { host, port })
}

/// What stands in an answer, unless it is an error.
pub(super) fn expect(value: Value) -> Answer<Value> {
    match value {
        Value::ServerError(error) => Err(Fault::of_server(&error)),
        value => Ok(value),
    }
}

/// Whether the program is let in. An error without a name of its own refuses it.
pub(super) fn expect_entry(value: Value, refused: &str) -> Answer<()> {
    match &value {
        Value::ServerError(error) if error.code() == "ERR" => {
            let known = Fault::without_name(error.details().unwrap_or_default());
            Err(known.unwrap_or_else(|| Fault::Denied(refused.to_owned())))
        }
        _ => expect(value).map(drop),
    }
}

/// A list.
pub(super) fn list(value: Value) -> Answer<Vec<Value>> {
    match expect(value)? {
        Value::Array(items) => Ok(items),
        Value::Nil => Ok(Vec::new()),
        _ => Err(Fault::unreadable()),
    }
}

/// Bytes.
pub(super) fn bytes(value: Value) -> Answer<Vec<u8>> {
    match expect(value)? {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        Value::Okay => Ok(b"OK".to_vec()),
        _ => Err(Fault::unreadable()),
    }
}

/// Bytes, if there are any.
pub(super) fn optional_bytes(value: Value) -> Answer<Option<Vec<u8>>> {
    match value {
        Value::Nil => Ok(None),
        value => bytes(value).map(Some),
    }
}

/// A text.
pub(super) fn text(value: Value) -> Answer<String> {
    String::from_utf8(bytes(value)?).map_err(|_| Fault::unreadable())
}

/// A text, if there is one.
pub(super) fn optional_text(value: Value) -> Answer<Option<String>> {
    match value {
        Value::Nil => Ok(None),
        value => text(value).map(Some),
    }
}

/// A number, in either form.
pub(super) fn number(value: Value) -> Answer<u64> {
    match expect(value)? {
        Value::Int(number) => u64::try_from(number).map_err(|_| Fault::unreadable()),
        value => text(value)?.parse().map_err(|_| Fault::unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> Fault {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("an answer");
        let by_value = expect(value.clone()).expect_err("an error");
        assert_eq!(Fault::from(value.extract_error().expect_err("an error")), by_value);
        by_value
    }

    #[test]
    fn each_error_is_known_by_what_is_to_be_done() {
        let host = |host: &str, port| Fault::Moved(HostPort { host: host.to_owned(), port });
        assert_eq!(fault("MOVED 3999 127.0.0.1:6381"), host("127.0.0.1", 6381));
        assert_eq!(fault("MOVED 3999 ::1:6381"), host("::1", 6381));
        assert_eq!(fault("MOVED 3999 :6381"), host("", 6381), "another port of the same host");
        assert!(matches!(fault("MOVED 3999 ?:6381"), Fault::Away(_)));
        for refusing in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "NOREPLICAS Not enough good replicas to write.",
        ] {
            assert!(matches!(fault(refusing), Fault::Refusing(_)), "{refusing}");
        }
        for denied in [
            "NOAUTH Authentication required.",
            "WRONGPASS invalid",
            "NOPERM this user has no permissions",
            "DENIED Redis is running in protected mode",
        ] {
            assert!(matches!(fault(denied), Fault::Denied(_)), "{denied}");
        }
        for away in [
            "READONLY You can't write against a read only replica.",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down",
            "CLUSTERDOWN Hash slot not served",
            "BUSY Redis is busy running a script.",
            "UNBLOCKED force unblock from blocking operation",
            "NOSCRIPT No matching script.",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "ERR max number of clients reached",
            "ERR Script attempted to access a non local key in a cluster node script: 1",
            "ERR anything else",
        ] {
            assert!(matches!(fault(away), Fault::Away(_)), "{away}");
        }
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let Fault::Away(told) = fault("ERR Error running script s3cret, KXQT") else { panic!("it is away") };
        assert!(!told.contains("s3cret"), "{told}");
    }
}
