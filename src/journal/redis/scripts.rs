//! The scripts, each one atomic step on the server. They are found by their hashes: programs of two versions that share
//! a log each have their own.

use redis::{Cmd, Connection, Value, cmd};
use sha1::{Digest, Sha1};

use super::faults::{Answer, Fault, text};

/// The stream. All keys begin as it does: what stands in braces decides in which slot of a Redis Cluster they are.
pub(super) const LOG: &str = "{snugd}:log";

/// What the log is about as a whole.
pub(super) const META: &str = "{snugd}:meta";

/// Which epoch each room has, by its code.
pub(super) const ROOMS: &str = "{snugd}:rooms";

/// The accounts, by their numbers.
pub(super) const ACCOUNTS: &str = "{snugd}:accounts";

/// How far each node has read, where it waits for replicas.
pub(super) const SEEN: &str = "{snugd}:seen";

/// Of which rooms something is kept, and under which epoch: `events`, `amends`, `keys`.
pub(super) fn key_of_room(kind: &str, epoch: crate::rooms::Epoch) -> String {
    format!("{{snugd}}:{kind}:{epoch}")
}

/// One script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Script {
    body: String,
    hash: String,
}

/// All of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Scripts {
    pub attach: Script,
    pub append: Script,
    pub change_account: Script,
    pub renew: Script,
    pub look: Script,
    pub leave: Script,
    pub tell: Script,
    pub keep_snapshot: Script,
    pub load: Script,
    pub load_rooms: Script,
}

/// A server refuses a script as a whole before it begins: with these flags it looks whether there is memory.
const WRITES: &str = "#!lua\n";
/// What keeps the nodes together takes no more memory the longer it goes on.
const WRITES_WHEN_FULL: &str = "#!lua flags=allow-oom\n";
const READS: &str = "#!lua flags=no-writes\n";

impl Script {
    fn new(flags: &str, parts: &[&str]) -> Script {
        Script::of([&[flags, include_str!("scripts/common.lua")], parts].concat().concat())
    }

    fn of(body: String) -> Script {
        let hash = Sha1::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        Script { body, hash }
    }

    /// A command that runs it, to which its arguments are to be added.
    pub fn command(&self) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(&self.hash).arg(1).arg(LOG);
        command
    }
}

impl Scripts {
    pub fn new() -> Scripts {
        let (leases, settling) = (include_str!("scripts/leases.lua"), include_str!("scripts/settling.lua"));
        let (changes, change_account) =
            (include_str!("scripts/changes.lua"), include_str!("scripts/change_account.lua"));
        Scripts {
            attach: Script::new(WRITES_WHEN_FULL, &[leases, settling, include_str!("scripts/attach.lua")]),
            append: Script::new(WRITES, &[changes, include_str!("scripts/append.lua")]),
            change_account: Script::new(WRITES, &[leases, settling, changes, change_account]),
            renew: Script::new(WRITES_WHEN_FULL, &[leases, include_str!("scripts/renew.lua")]),
            look: Script::new(READS, &[include_str!("scripts/look.lua")]),
            leave: Script::new(WRITES_WHEN_FULL, &[leases, include_str!("scripts/leave.lua")]),
            tell: Script::new(WRITES, &[include_str!("scripts/tell.lua")]),
            keep_snapshot: Script::new(WRITES_WHEN_FULL, &[include_str!("scripts/keep_snapshot.lua")]),
            load: Script::new(READS, &[include_str!("scripts/load.lua")]),
            load_rooms: Script::new(READS, &[include_str!("scripts/load_rooms.lua")]),
        }
    }

    /// The same by a clock that is a list, of seconds and microseconds.
    #[cfg(test)]
    pub fn by_clock_of_test() -> Scripts {
        let Scripts { attach, append, change_account, renew, look, leave, tell, keep_snapshot, load, load_rooms } =
            Scripts::new();
        let changed = |script: Script| {
            let body = script.body.replace("redis.call('TIME')", "redis.call('LRANGE', key('clock'), 0, 1)");
            Script::of(body.replace("log, '*'", "log, digits(now_ms()) .. '-*'"))
        };
        Scripts {
            attach: changed(attach),
            append: changed(append),
            change_account: changed(change_account),
            renew: changed(renew),
            look: changed(look),
            leave: changed(leave),
            tell: changed(tell),
            keep_snapshot: changed(keep_snapshot),
            load: changed(load),
            load_rooms: changed(load_rooms),
        }
    }

    fn all(&self) -> [&Script; 10] {
        let Scripts { attach, append, change_account, renew, look, leave, tell, keep_snapshot, load, load_rooms } =
            self;
        [attach, append, change_account, renew, look, leave, tell, keep_snapshot, load, load_rooms]
    }

    /// Makes them known to a server.
    pub fn load_into(&self, connection: &mut Connection) -> Answer<()> {
        let mut packed = Vec::new();
        for script in self.all() {
            packed.extend(cmd("SCRIPT").arg("LOAD").arg(&script.body).get_packed_command());
        }
        connection.send_packed_command(&packed)?;
        for _ in self.all() {
            match connection.recv_response()? {
                Value::ServerError(ref error) if error.code() == "ERR" => {
                    return Err(Fault::Denied("it does not understand the log's scripts".to_owned()));
                }
                hash => drop(text(hash)?),
            }
        }
        Ok(())
    }
}
