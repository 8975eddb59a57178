//! The log for who is no node: read, and asked, over one connection at a time.

use redis::{Connection, cmd};

use super::address::ClusterAddress;
use super::connecting::Connector;
use super::entries::{read_version, unknown};
use super::faults::{Answer, Fault, bytes, list, optional_bytes};
use super::opening;
use super::scripts::{ACCOUNTS, META, Scripts};
use crate::journal::cluster::codec;
use crate::journal::cluster::log::Version;
use crate::rooms::StoredAccount;

/// What is known of accounts.
pub(super) struct Known {
    pub accounts: Vec<StoredAccount>,
    /// The accounts are of this version, or of a later one: then what is proposed against it is outdated.
    pub version: Option<Version>,
}

/// The log, over a connection that is made anew where it is lost.
pub(super) struct Access<'a> {
    pub address: &'a ClusterAddress,
    pub scripts: Scripts,
    connector: Connector,
    connection: Option<Connection>,
}

impl<'a> Access<'a> {
    pub fn begin(address: &'a ClusterAddress) -> Result<Access<'a>, String> {
        let (mut connector, scripts) = (Connector::new(address.clone()), Scripts::new());
        let connection = Some(opening::connect(&mut connector, &scripts, address)?.connection);
        Ok(Access { address, scripts, connector, connection })
    }

    /// Asks it something. Whatever goes wrong, the next attempt is made over another connection.
    pub fn try_once<T>(&mut self, ask: impl Fn(&mut Connection) -> Answer<T>) -> Answer<T> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let answer = ask(&mut connection)?;
        self.connection = Some(connection);
        Ok(answer)
    }

    /// The same; a connection that was good for what was asked last may be no more.
    pub fn try_twice<T>(&mut self, ask: impl Fn(&mut Connection) -> Answer<T>) -> Answer<T> {
        let was_connected = self.connection.is_some();
        match self.try_once(&ask) {
            Err(Fault::Denied(reason)) => Err(Fault::Denied(reason)),
            Err(_) if was_connected => self.try_once(&ask),
            answer => answer,
        }
    }

    fn connect(&mut self) -> Answer<Connection> {
        let mut connection = self.connector.connect()?.connection;
        // Another server has never known them, and this one forgets them when it ends.
        self.scripts.load_into(&mut connection)?;
        Ok(connection)
    }
}

/// Reads the version first: accounts that are newer than that are not taken for it.
pub(super) fn read_known(connection: &mut Connection) -> Answer<Known> {
    let mut packed = Vec::new();
    let mut fields = cmd("HMGET");
    fields.arg(META).arg("format").arg("accounts_version").write_packed_command(&mut packed);
    cmd("HGETALL").arg(ACCOUNTS).write_packed_command(&mut packed);
    connection.send_packed_command(&packed)?;
    let mut fields = list(connection.recv_response()?)?.into_iter();
    let flat: Vec<Vec<u8>> = list(connection.recv_response()?)?.into_iter().map(bytes).collect::<Answer<_>>()?;
    let mut field = || -> Answer<Option<String>> {
        let bytes = optional_bytes(fields.next().ok_or_else(Fault::unreadable)?)?;
        bytes.map(String::from_utf8).transpose().map_err(|_| Fault::unreadable())
    };
    let (format, version) = (field()?, field()?);
    check_format(format.as_deref())?;
    let accounts = flat.chunks(2).map(|pair| match pair {
        [number, value] => codec::read_account(number, value).map_err(unknown),
        _ => Err(Fault::unreadable()),
    });
    Ok(Known { accounts: accounts.collect::<Answer<_>>()?, version: read_version(&version.unwrap_or_default())? })
}

/// Whether the log is one that this program knows. None is there before the first node.
pub(super) fn check_format(format: Option<&str>) -> Answer<()> {
    match format {
        Some(format) if format != codec::FORMAT.to_string() => Err(Fault::Denied(of_other_format(format))),
        _ => Ok(()),
    }
}

pub(super) fn of_other_format(format: &str) -> String {
    format!("it is of format {format}, which this version does not know, so use the version that has written it")
}

/// The sentence for what cannot be read.
pub(super) fn unreadable(address: &ClusterAddress, fault: Fault) -> String {
    match fault {
        Fault::Denied(reason) => denied(address, &reason),
        fault => {
            format!("The cluster's log at {address} cannot be read: {fault}; see that Redis is well, and try again.")
        }
    }
}

pub(super) fn denied(address: &ClusterAddress, reason: &str) -> String {
    format!("The cluster's log at {address} cannot be used: {reason}.")
}
