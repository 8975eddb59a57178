//! What stands in the stream, read: entries, positions, versions.
//!
//! An entry has one field. Its first line is `NODE-NUMBER EVENT_ID FLAGS CODE EPOCH`, with a hyphen for what there is not;
//! behind it stands the payload. The flags of a change are those of
//! [`append_arguments`](crate::journal::cluster::codec::append_arguments); `N` is a notice, `G` tells that a node is gone.

use redis::Value;

use super::faults::{Answer, Fault, bytes, list};
use crate::journal::cluster::codec;
use crate::journal::cluster::log::{Entry, Logged, Position, ProposalId};
use crate::rooms::{Epoch, NodeId, RoomCode};

/// Reads `TIME-SEQUENCE`.
pub(super) fn read_position(text: &str) -> Answer<Position> {
    let pair = text.split_once('-').and_then(|(time, sequence)| Some((time.parse().ok()?, sequence.parse().ok()?)));
    let (time_ms, sequence) = pair.ok_or_else(Fault::unreadable)?;
    Ok(Position { time_ms, sequence })
}

/// Reads `NODE-NUMBER`; nothing is none.
pub(super) fn read_version(text: &str) -> Answer<Option<ProposalId>> {
    if text.is_empty() {
        return Ok(None);
    }
    codec::read_version(text).map(Some).ok_or_else(Fault::unreadable)
}

/// What `XREAD` of one stream answers: what this program understands of it, and where the last of all is. Nothing, if there
/// was nothing new.
pub(super) fn read_entries(answer: Value, own: NodeId) -> Answer<(Vec<Entry>, Option<Position>)> {
    let Some(stream) = list(answer)?.into_iter().next() else { return Ok((Vec::new(), None)) };
    let entries = list(stream)?.into_iter().nth(1).ok_or_else(Fault::unreadable)?;
    let (mut read, mut last) = (Vec::new(), None);
    for entry in list(entries)? {
        let mut parts = list(entry)?.into_iter();
        let (Some(position), Some(fields)) = (parts.next(), parts.next()) else { return Err(Fault::unreadable()) };
        let position = read_position(&super::faults::text(position)?)?;
        last = Some(position);
        read.push(read_entry(position, fields, own)?);
    }
    Ok((read, last))
}

fn read_entry(position: Position, fields: Value, own: NodeId) -> Answer<Entry> {
    let value = bytes(list(fields)?.into_iter().nth(1).ok_or_else(Fault::unreadable)?)?;
    let (head, payload) = split_line(&value)?;
    let mut words = head.split(' ');
    let mut word = || words.next().ok_or_else(Fault::unreadable);
    let (by, event_id, flags, code, epoch) = (word()?, word()?, word()?, word()?, word()?);
    let by = read_version(by)?.ok_or_else(Fault::unreadable)?;
    let what = match flags {
        "N" => match codec::read_notice(payload).map_err(unknown)? {
            Some(notice) => Logged::Notice(notice),
            None => Logged::Unknown,
        },
        "G" => Logged::NodeGone(read_node(payload)?),
        _ => {
            let event_id = match event_id {
                "-" => None,
                id => Some(id.parse().map_err(|_| Fault::unreadable())?),
            };
            let code = match code {
                "-" => RoomCode::NONE,
                code => RoomCode::parse(code).ok_or_else(Fault::unreadable)?,
            };
            let epoch = match epoch {
                "-" => Epoch::NONE,
                epoch => Epoch::parse(epoch).ok_or_else(Fault::unreadable)?,
            };
            let change = match by.node == own {
                true => None,
                false => Some(Box::new(codec::read_change(payload, event_id).map_err(unknown)?)),
            };
            Logged::Change { code, epoch, event_id, change }
        }
    };
    Ok(Entry { position, by, what })
}

/// Reads the number of a node.
pub(super) fn read_node(text: &[u8]) -> Answer<NodeId> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.map(NodeId).ok_or_else(Fault::unreadable)
}

/// A first line, and what stands behind it.
pub(super) fn split_line(text: &[u8]) -> Answer<(&str, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n').ok_or_else(Fault::unreadable)?;
    let line = std::str::from_utf8(&text[..end]).map_err(|_| Fault::unreadable())?;
    Ok((line, &text[end + 1..]))
}

/// A later version of the program has written what this one does not know, or it is damaged.
pub(super) fn unknown(fault: codec::CodecFault) -> Fault {
    Fault::Denied(fault.to_string())
}
