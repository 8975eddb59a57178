//! Many rooms are loaded as they are.

use std::collections::HashMap;

use super::node::{Node, enter, event, name, say};
use super::*;

/// More than are asked for at once.
const ROOMS: u64 = 2_000;
const MEMBERS: u32 = 4;

/// Every third room has a snapshot, and these many members in it.
const SNAPSHOT_MEMBERS: u32 = 20;

fn code_of(room: u64) -> RoomCode {
    let letter = |place: u32| b"BCDFGHJKLMNPQRSTVWXYZ"[(room / 21_u64.pow(place) % 21) as usize] as char;
    RoomCode::parse(&(0..5).map(letter).collect::<String>()).expect("a code")
}

fn epoch_of(room: u64) -> Epoch {
    Epoch::parse(&format!("{:016x}", room + 1)).expect("an epoch")
}

/// What happens in each room: its members come, one of them says something, and takes another name.
fn changes_of(room: u64) -> Vec<Change> {
    let mut changes: Vec<_> =
        (1..=MEMBERS).map(|author| enter(author, room + u64::from(author), author == 1)).collect();
    changes.push(say(1, room + 10, "hello", "c"));
    changes.push(Change::Publish { event: event(1, room + 11, Body::Nick { to: name(100) }) });
    changes
}

fn snapshot_of(room: u64) -> StoredRoom {
    let member = |author: u32| StoredMember {
        author: AuthorId(author),
        seniority: AuthorId(author),
        token: TokenHash::from_bytes([author as u8; 32]),
        name: name(author),
        via: Via::Line,
        is_placed: author.is_multiple_of(2),
        has_entered: true,
        account: None,
        node: NodeId(7),
    };
    StoredRoom {
        code: code_of(room),
        epoch: epoch_of(room),
        first_id: 1,
        last_id: u64::from(MEMBERS) + 2,
        last_time_ms: room + 11,
        last_author: AuthorId(SNAPSHOT_MEMBERS),
        files: Vec::new(),
        members: (1..=SNAPSHOT_MEMBERS).map(member).collect(),
        left: Vec::new(),
        rules: RoomRules::default(),
    }
}

#[test]
fn many_rooms_are_loaded_as_they_are() {
    let server = Server::start();
    let (mut node, loaded) = Node::start(&server, 7);
    assert_eq!(loaded.rooms, []);
    let told = (0..ROOMS).flat_map(|room| changes_of(room).into_iter().map(move |change| (room, change)));
    node.append(told.map(|(room, change)| (code_of(room), epoch_of(room), change)));
    let has_snapshot = |room: u64| room.is_multiple_of(3);
    for room in (0..ROOMS).filter(|room| has_snapshot(*room)) {
        let (version, room) = (node.versions[&epoch_of(room)], Box::new(snapshot_of(room)));
        node.link.send(Request::KeepSnapshot { version, room });
    }
    for _ in (0..ROOMS).filter(|room| has_snapshot(*room)) {
        assert!(matches!(node.wait(), Response::SnapshotKept { .. }));
    }
    node.append([(code_of(0), epoch_of(0), enter(SNAPSHOT_MEMBERS + 1, 99, false))]);

    let (_, loaded) = Node::start(&server, 8);
    assert_eq!(loaded.rooms.len() as u64, ROOMS);
    let rooms: HashMap<Epoch, u64> = (0..ROOMS).map(|room| (epoch_of(room), room)).collect();
    for loaded in loaded.rooms {
        let VersionedRoom { room: LoadedRoom { snapshot, changes, .. }, version, .. } = loaded;
        let room = rooms[&snapshot.epoch];
        assert_eq!(version, node.versions[&snapshot.epoch]);
        assert_eq!(snapshot.code, code_of(room));
        let last_id = u64::from(MEMBERS) + 2 + u64::from(room == 0);
        assert_eq!((snapshot.first_id, snapshot.last_id), (1, last_id));
        let mut expected: Vec<_> = match (room, has_snapshot(room)) {
            (0, _) => vec![(last_id, enter(SNAPSHOT_MEMBERS + 1, 99, false))],
            (_, true) => Vec::new(),
            // What is merely said changes nothing of a room but its last id.
            (room, false) => (1..).zip(changes_of(room)).filter(|(id, _)| *id != u64::from(MEMBERS) + 1).collect(),
        };
        for (id, change) in &mut expected {
            change.event_mut().expect("an event").id = *id;
        }
        let expected: Vec<_> = expected.into_iter().map(|(_, change)| (NodeId(7), change)).collect();
        assert_eq!(changes, expected);
        let members = if has_snapshot(room) { snapshot_of(room).members } else { Vec::new() };
        assert_eq!(snapshot.members, members);
    }
}
