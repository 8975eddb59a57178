//! What the log is asked, as commands; and what it answers, read.

use redis::{Cmd, Value, cmd};

use super::entries::read_position;
use super::faults::{Answer, Fault, list, number, text};
use super::scripts::{LOG, Scripts};
use crate::journal::cluster::Effects;
use crate::journal::cluster::codec;
use crate::journal::cluster::log::{AppendFault, Attached, Generation, Position, Renewed, Request, Response, Verdict};

/// Who asks: each connection of a node has a higher number than those before it, and what comes late over one of those
/// is not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asker {
    /// The connection.
    pub session: u64,
    /// The server, as the node was told when it was attached.
    pub server: String,
}

/// What is learned of an answer beside what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attachment {
    /// The server that keeps the log.
    pub server: String,
    /// How many replicas it has.
    pub replicas: u64,
    /// The node was not known before.
    pub is_new: bool,
}

/// The command for what is asked in order; `None`: it is not.
pub(super) fn command(scripts: &Scripts, asker: &Asker, request: &Request) -> Option<Cmd> {
    let command = match request {
        Request::Attach { node, last, history_events } => {
            let (position, by) =
                last.map(|(position, by)| (position.to_string(), codec::version_text(by))).unwrap_or_default();
            let mut command = scripts.attach.command();
            command.arg(codec::FORMAT).arg(node.0).arg(asker.session).arg(position).arg(by).arg(history_events);
            command
        }
        Request::Append { node, generation, changes } => {
            let mut command = scripts.append.command();
            command.arg(node.0).arg(asker.session).arg(generation.0).arg(&asker.server);
            let mut arguments = Vec::new();
            for change in changes {
                codec::append_arguments(change, &Effects::of(&change.change), &mut arguments);
                arguments.drain(..).for_each(|argument| {
                    command.arg(argument);
                });
            }
            command
        }
        Request::Tell { node, notices } => {
            let mut command = scripts.tell.command();
            command.arg(node.0).arg(asker.session);
            for notice in notices {
                let mut payload = Vec::new();
                codec::write_notice(notice, &mut payload);
                command.arg(payload);
            }
            command
        }
        Request::Renew { node } => with_arguments(scripts.renew.command(), &[node.0, asker.session]),
        Request::Leave { node } => with_arguments(scripts.leave.command(), &[node.0, asker.session]),
        Request::KeepSnapshot { version, room } => {
            let mut payload = Vec::new();
            codec::write_room(room, &mut payload);
            let mut command = scripts.keep_snapshot.command();
            command.arg(room.code.as_str()).arg(room.epoch.to_string()).arg(codec::version_text(*version)).arg(payload);
            command
        }
        Request::FindEnd { .. } => {
            let mut command = cmd("XREVRANGE");
            command.arg(LOG).arg("+").arg("-").arg("COUNT").arg(1);
            command
        }
        Request::Follow { .. } | Request::Load | Request::Read(_) => return None,
    };
    Some(command)
}

fn with_arguments(mut command: Cmd, arguments: &[u64]) -> Cmd {
    for argument in arguments {
        command.arg(*argument);
    }
    command
}

/// The items of an answer, one after the other.
struct Items(std::vec::IntoIter<Value>);

impl Items {
    fn of(value: Value) -> Answer<Items> {
        Ok(Items(list(value)?.into_iter()))
    }

    fn next(&mut self) -> Answer<Value> {
        self.0.next().ok_or_else(Fault::unreadable)
    }

    fn text(&mut self) -> Answer<String> {
        text(self.next()?)
    }

    fn number(&mut self) -> Answer<u64> {
        number(self.next()?)
    }
}

/// What became of a node that wanted to attach.
pub(super) fn read_attached(value: Value) -> Answer<(Attached, Option<Attachment>)> {
    let mut items = Items::of(value)?;
    let attached = match items.text()?.as_str() {
        "Y" => {
            let generation = Generation(items.number()?);
            let (last_number, end) = (items.number()?, read_position(&items.text()?)?);
            let (server, replicas, is_new) = (items.text()?, items.number()?, items.text()? == "new");
            let attachment = Attachment { server, replicas, is_new };
            return Ok((Attached::Yes { generation, last_number, end }, Some(attachment)));
        }
        "G" => Attached::GivenUp,
        "N" => Attached::NotYet,
        "H" => Attached::OtherHistory(items.number()?),
        "F" => Attached::UnknownFormat(items.text()?),
        _ => return Err(Fault::unreadable()),
    };
    Ok((attached, None))
}

/// What became of changes: a verdict for each.
pub(super) fn read_verdicts(value: Value, changes: usize) -> Answer<Result<Vec<Verdict>, AppendFault>> {
    let verdicts: Vec<String> = list(value)?.into_iter().map(text).collect::<Answer<_>>()?;
    match verdicts.first().map(String::as_str) {
        Some("X") => return Ok(Err(AppendFault::OtherGeneration)),
        Some("G") => return Ok(Err(AppendFault::GivenUp)),
        _ if verdicts.len() != changes => return Err(Fault::unreadable()),
        _ => (),
    }
    let verdicts = verdicts.iter().map(|verdict| match (verdict.as_str(), verdict.strip_prefix('D')) {
        ("A", _) => Ok(Verdict::Appended),
        ("O", _) => Ok(Verdict::Outdated),
        ("N", _) => Ok(Verdict::NoSuchEvent),
        (_, Some(id)) => id.parse().map(Verdict::Duplicate).map_err(|_| Fault::unreadable()),
        _ => Err(Fault::unreadable()),
    });
    verdicts.collect::<Answer<_>>().map(Ok)
}

/// How a node stands.
pub(super) fn read_renewed(value: Value) -> Answer<Option<Renewed>> {
    let mut items = Items::of(value)?;
    match items.text()?.as_str() {
        "Y" => {
            let generation = Generation(items.number()?);
            let (end, nodes) = (read_position(&items.text()?)?, items.number()?);
            Ok(Some(Renewed { generation, end, nodes: usize::try_from(nodes).unwrap_or(usize::MAX) }))
        }
        "G" => Ok(None),
        _ => Err(Fault::unreadable()),
    }
}

/// Where the log ends.
pub(super) fn read_end(value: Value) -> Answer<Position> {
    match list(value)?.into_iter().next() {
        None => Ok(Position::default()),
        Some(entry) => read_position(&text(list(entry)?.into_iter().next().ok_or_else(Fault::unreadable)?)?),
    }
}

/// The answer to anything but an attachment and an append; `None`: it has none.
pub(super) fn read_other(request: &Request, value: Value) -> Answer<Option<Response>> {
    let value = super::faults::expect(value)?;
    Ok(match request {
        Request::Renew { .. } => Some(Response::Renewed(read_renewed(value)?)),
        Request::KeepSnapshot { room, .. } => Some(Response::SnapshotKept { epoch: room.epoch }),
        Request::FindEnd { question } => Some(Response::End { question: *question, position: read_end(value)? }),
        Request::Tell { .. } | Request::Leave { .. } => None,
        Request::Attach { .. } | Request::Append { .. } => None,
        Request::Follow { .. } | Request::Load | Request::Read(_) => None,
    })
}
