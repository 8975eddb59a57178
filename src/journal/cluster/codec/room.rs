//! Rooms and what operators have made of them, as JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::hex::Hex;
use super::rare::{is_false, read_via};
use super::{CodecFault, damaged, read_name, write_json};
use crate::rooms::{
    AccountId, Address, AuthorId, Ban, Epoch, KeyHash, Left, Mute, NodeId, RoomCode, RoomRules, SharedFile,
    ShortTokenHash, StoredMember, StoredRoom, Text, TokenHash,
};

#[derive(Serialize, Deserialize)]
struct WrittenRoom<'r> {
    #[serde(borrow)]
    code: Cow<'r, str>,
    #[serde(borrow)]
    epoch: Cow<'r, str>,
    first_id: u64,
    last_id: u64,
    last_time_ms: u64,
    last_author: u32,
    /// Events, and the texts of their files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<(u64, String)>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    members: Vec<WrittenMember<'r>>,
    /// Those who left for good: their numbers and their tokens' hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left: Vec<(u32, Hex<16>)>,
    #[serde(borrow, default)]
    rules: WrittenRules<'r>,
}

#[derive(Serialize, Deserialize)]
struct WrittenMember<'r> {
    author: u32,
    token: Hex<32>,
    #[serde(borrow)]
    name: Cow<'r, str>,
    #[serde(borrow)]
    via: Cow<'r, str>,
    #[serde(default, skip_serializing_if = "is_false")]
    placed: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    entered: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<u64>,
    #[serde(default)]
    node: u64,
    /// Left out where it is the author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seniority: Option<u32>,
}

#[derive(Serialize, Deserialize, Default)]
struct WrittenRules<'r> {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    operators: Vec<u32>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    topic: Option<Cow<'r, str>>,
    #[serde(default, skip_serializing_if = "is_false")]
    locked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Hex<32>>,
    #[serde(default)]
    slow_seconds: u32,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    bans: Vec<WrittenBan<'r>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    mutes: Vec<WrittenMute<'r>>,
}

/// A ban as it is written.
#[derive(Serialize, Deserialize)]
pub(super) struct WrittenBan<'r> {
    #[serde(borrow)]
    name: Cow<'r, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Hex<16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<u64>,
    until_ms: u64,
    #[serde(borrow)]
    by: Cow<'r, str>,
}

#[derive(Serialize, Deserialize)]
struct WrittenMute<'r> {
    author: u32,
    #[serde(borrow)]
    name: Cow<'r, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
}

/// Appends all of a room, in one line.
pub fn write_room(room: &StoredRoom, out: &mut Vec<u8>) {
    let StoredRoom { code, epoch, first_id, last_id, last_time_ms, last_author, files, members, left, rules } = room;
    let written = WrittenRoom {
        code: code.as_str().into(),
        epoch: epoch.to_string().into(),
        first_id: *first_id,
        last_id: *last_id,
        last_time_ms: *last_time_ms,
        last_author: last_author.0,
        files: files.iter().map(|(id, file)| (*id, file.to_text().into())).collect(),
        members: members.iter().map(WrittenMember::of).collect(),
        left: left.iter().map(|left| (left.author.0, Hex(*left.token.as_bytes()))).collect(),
        rules: WrittenRules::of(rules),
    };
    write_json(&written, out);
}

/// Reads what [`write_room`] gives.
///
/// # Errors
/// It is not as this program writes it.
pub fn read_room(text: &[u8]) -> Result<StoredRoom, CodecFault> {
    let written: WrittenRoom<'_> = serde_json::from_slice(text).map_err(|_| damaged("a room"))?;
    let file = |(id, text): (u64, String)| Ok((id, SharedFile::parse(&text).ok_or(damaged("a file"))?));
    let left = |(author, token): (u32, Hex<16>)| {
        let (author, token) = (AuthorId(author), ShortTokenHash::from_bytes(token.0));
        Left { author, token }
    };
    Ok(StoredRoom {
        code: RoomCode::parse(&written.code).ok_or(damaged("a code"))?,
        epoch: Epoch::parse(&written.epoch).ok_or(damaged("a room's epoch"))?,
        first_id: written.first_id,
        last_id: written.last_id,
        last_time_ms: written.last_time_ms,
        last_author: AuthorId(written.last_author),
        files: written.files.into_iter().map(file).collect::<Result<_, _>>()?,
        members: written.members.into_iter().map(WrittenMember::read).collect::<Result<_, _>>()?,
        left: written.left.into_iter().map(left).collect(),
        rules: written.rules.read()?,
    })
}

impl WrittenMember<'_> {
    fn of(member: &StoredMember) -> WrittenMember<'_> {
        let StoredMember { author, token, name, via, is_placed, has_entered, account, node, seniority } = member;
        WrittenMember {
            author: author.0,
            token: Hex(*token.as_bytes()),
            name: name.as_str().into(),
            via: via.as_str().into(),
            placed: *is_placed,
            entered: *has_entered,
            account: account.map(|account| account.0),
            node: node.0,
            seniority: (seniority != author).then_some(seniority.0),
        }
    }

    fn read(self) -> Result<StoredMember, CodecFault> {
        Ok(StoredMember {
            author: AuthorId(self.author),
            token: TokenHash::from_bytes(self.token.0),
            name: read_name(&self.name)?,
            via: read_via(&self.via)?,
            is_placed: self.placed,
            has_entered: self.entered,
            account: self.account.map(AccountId),
            node: NodeId(self.node),
            seniority: AuthorId(self.seniority.unwrap_or(self.author)),
        })
    }
}

impl WrittenRules<'_> {
    fn of(rules: &RoomRules) -> WrittenRules<'_> {
        let RoomRules { operators, topic, is_locked, key, slow_seconds, bans, mutes } = rules;
        fn written(mute: &Mute) -> WrittenMute<'_> {
            let Mute { author, name, until_ms } = mute;
            WrittenMute { author: author.0, name: name.as_str().into(), until_ms: *until_ms }
        }
        WrittenRules {
            operators: operators.iter().map(|author| author.0).collect(),
            topic: topic.as_ref().map(|topic| topic.as_str().into()),
            locked: *is_locked,
            key: key.map(|key| Hex(*key.as_bytes())),
            slow_seconds: *slow_seconds,
            bans: bans.iter().map(WrittenBan::of).collect(),
            mutes: mutes.iter().map(written).collect(),
        }
    }

    fn read(self) -> Result<RoomRules, CodecFault> {
        let mute = |mute: WrittenMute<'_>| {
            let WrittenMute { author, name, until_ms } = mute;
            Ok(Mute { author: AuthorId(author), name: read_name(&name)?, until_ms })
        };
        let topic = |topic: Cow<'_, str>| Text::clean(&topic, usize::MAX).map_err(|_| damaged("a topic"));
        Ok(RoomRules {
            operators: self.operators.into_iter().map(AuthorId).collect(),
            topic: self.topic.map(topic).transpose()?,
            is_locked: self.locked,
            key: self.key.map(|key| KeyHash::from_bytes(key.0)),
            slow_seconds: self.slow_seconds,
            bans: self.bans.into_iter().map(WrittenBan::read).collect::<Result<_, _>>()?,
            mutes: self.mutes.into_iter().map(mute).collect::<Result<_, _>>()?,
        })
    }
}

impl WrittenBan<'_> {
    pub fn of(ban: &Ban) -> WrittenBan<'_> {
        let Ban { name, token, account, address, until_ms, by } = ban;
        WrittenBan {
            name: name.as_str().into(),
            token: token.map(|token| Hex(*token.as_bytes())),
            account: account.map(|account| account.0),
            address: address.map(Address::to_bits),
            until_ms: *until_ms,
            by: by.as_str().into(),
        }
    }

    pub fn read(self) -> Result<Ban, CodecFault> {
        Ok(Ban {
            name: read_name(&self.name)?,
            token: self.token.map(|token| ShortTokenHash::from_bytes(token.0)),
            account: self.account.map(AccountId),
            address: self.address.map(Address::from_bits),
            until_ms: self.until_ms,
            by: read_name(&self.by)?,
        })
    }
}
