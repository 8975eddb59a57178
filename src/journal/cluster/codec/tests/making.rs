//! Changes and rooms of all kinds, at random.

use proptest::option;
use proptest::prelude::*;

use crate::rooms::{
    AccountAction, AccountChange, AccountId, AccountRequestId, Address, Annotations, AuthorId, Ban, Body, Change,
    Dimensions, Emoji, Epoch, Event, FileId, FileName, FileType, KeyHash, Kind, Left, Measure, MessageKey, ModeChange,
    Mute, Name, Newcomer, NodeId, PasswordHash, RoomCode, RoomRules, SharedFile, ShortTokenHash, StoredMember,
    StoredRoom, Text, TokenHash, Via,
};

/// A message of `Ana Maria`.
pub(super) fn said(words: &str, cid: Option<MessageKey>, reply_to: Option<u64>) -> Change {
    let annotations = Annotations { reply_to, ..Annotations::default() }.boxed();
    let text = Text::clean(words, 4096).expect("a text");
    let body = Body::Message { kind: Kind::Say, text, cid, annotations };
    let name = Name::parse("Ana Maria").expect("a name");
    let (time_ms, author) = (1_700_000_000_123, AuthorId(17));
    Change::Publish { event: Event { id: 0, time_ms, name, via: Via::Web, author, body } }
}

pub(super) fn name() -> impl Strategy<Value = Name> {
    "([a-z%= é👍\u{202F}ß]|\\PC){1,20}".prop_filter_map("no name", |typed| Name::parse(&typed))
}

fn text() -> impl Strategy<Value = Text> {
    "([a-z%= é\n\r\t]|\\PC){1,40}".prop_filter_map("no text", |typed| Text::clean(&typed, usize::MAX).ok())
}

fn line() -> impl Strategy<Value = Text> {
    "([a-z%= é]|\\PC){1,40}".prop_filter_map("no line", |typed| Text::clean_line(&typed).ok())
}

fn key() -> impl Strategy<Value = MessageKey> {
    any::<String>().prop_filter_map("no id", |text| MessageKey::parse(&text))
}

fn via() -> impl Strategy<Value = Via> {
    prop::sample::select(vec![Via::Web, Via::Line])
}

fn author() -> impl Strategy<Value = AuthorId> {
    any::<u32>().prop_map(AuthorId)
}

fn account() -> impl Strategy<Value = AccountId> {
    any::<u64>().prop_map(AccountId)
}

fn token() -> impl Strategy<Value = TokenHash> {
    any::<[u8; 32]>().prop_map(TokenHash::from_bytes)
}

fn epoch() -> impl Strategy<Value = Epoch> {
    any::<u64>().prop_filter_map("no epoch", |tag| Epoch::parse(&format!("{tag:016x}")))
}

fn emoji() -> impl Strategy<Value = Emoji> {
    prop::sample::select(vec!["👍", "❤", "🇩🇪", "👨‍👩‍👧‍👦", "1️⃣"]).prop_filter_map("no emoji", Emoji::parse)
}

fn file() -> impl Strategy<Value = SharedFile> {
    let dimensions = option::of((1u32.., 1u32..));
    let parts = (any::<u128>(), "\\PC{0,40}", any::<u64>(), prop::sample::select(FileType::ALL.to_vec()), dimensions);
    parts.prop_map(|(id, typed, size_bytes, file_type, dimensions)| SharedFile {
        id: FileId::parse(&format!("{id:032x}")).expect("an id"),
        name: FileName::clean(&typed),
        size_bytes,
        file_type,
        dimensions: dimensions.map(|(width, height)| Dimensions { width, height }),
    })
}

fn message() -> impl Strategy<Value = Body> {
    let kind = prop::sample::select(vec![Kind::Say, Kind::Me]);
    let parts = (kind, option::of(text()), option::of(key()), option::of(any::<u64>()), option::of(file()));
    parts.prop_filter_map("neither words nor a file", |(kind, text, cid, reply_to, file)| {
        let text = if file.is_some() { text.unwrap_or_else(Text::none) } else { text? };
        let annotations = Annotations { reply_to, file, ..Annotations::default() }.boxed();
        Some(Body::Message { kind, text, cid, annotations })
    })
}

fn mode() -> impl Strategy<Value = ModeChange> {
    prop_oneof![
        name().prop_map(ModeChange::Op),
        name().prop_map(ModeChange::Deop),
        (name(), any::<u64>()).prop_map(|(name, seconds)| ModeChange::Ban { name, seconds }),
        name().prop_map(ModeChange::Unban),
        (name(), any::<Option<u64>>()).prop_map(|(name, seconds)| ModeChange::Mute { name, seconds }),
        name().prop_map(ModeChange::Unmute),
        prop::sample::select(vec![ModeChange::Lock, ModeChange::Unlock, ModeChange::Key, ModeChange::Unkey]),
        any::<u32>().prop_map(|seconds| ModeChange::Slow { seconds }),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let edit = (any::<u64>(), option::of(text()), option::of(key()));
    prop_oneof![
        message(),
        edit.prop_map(|(of, text, cid)| Body::Edit { of, text, cid }),
        (any::<u64>(), option::of(name())).prop_map(|(of, of_whom)| Body::Delete { of, of_whom }),
        (any::<u64>(), emoji(), any::<bool>()).prop_map(|(of, emoji, on)| Body::Reaction {
            of,
            emoji,
            on,
            quote: None
        }),
        name().prop_map(|to| Body::Nick { to }),
        prop::sample::select(vec![Body::Enter, Body::Part]),
        option::of(line()).prop_map(|text| Body::Topic { text }),
        mode().prop_map(|change| Body::Mode { change }),
        (name(), option::of(line())).prop_map(|(name, reason)| Body::Kick { name, reason }),
    ]
}

fn event_of(body: impl Strategy<Value = Body>) -> impl Strategy<Value = Event> {
    (any::<u64>(), name(), via(), author(), body).prop_map(|(time_ms, name, via, author, body)| Event {
        id: 0,
        time_ms,
        name,
        via,
        author,
        body,
    })
}

fn newcomer() -> impl Strategy<Value = Newcomer> {
    let parts = (author(), token(), name(), via(), option::of(account()), any::<bool>());
    parts.prop_map(|(author, token, name, via, account, becomes_operator)| Newcomer {
        author,
        token,
        name,
        via,
        account,
        becomes_operator,
    })
}

fn ban() -> impl Strategy<Value = Ban> {
    let token = option::of(any::<[u8; 16]>().prop_map(ShortTokenHash::from_bytes));
    let address = option::of(any::<u64>().prop_map(Address::from_bits));
    let parts = (name(), token, option::of(account()), address, any::<u64>(), name());
    parts.prop_map(|(name, token, account, address, until_ms, by)| Ban { name, token, account, address, until_ms, by })
}

fn key_hash() -> impl Strategy<Value = KeyHash> {
    any::<[u8; 32]>().prop_map(KeyHash::from_bytes)
}

fn moderation() -> impl Strategy<Value = Change> {
    let parts =
        (event_of(body()), option::of(author()), option::of(ban()), option::of(key_hash()), option::of(account()));
    parts.prop_map(|(event, target, ban, key, as_admin)| {
        Change::Moderate(Box::new(Measure { event, target, ban, key, as_admin }))
    })
}

fn account_change() -> impl Strategy<Value = Change> {
    let hash = || "[!-~]{1,80}".prop_map(|hash| PasswordHash::new(&hash));
    let action = prop_oneof![
        (name(), option::of(hash())).prop_map(|(name, hash)| AccountAction::Add { name, hash }),
        hash().prop_map(AccountAction::SetPassword),
        Just(AccountAction::Remove),
        Just(AccountAction::Nothing),
    ];
    let bearers = prop::collection::vec((epoch(), author()), 0..3);
    let request = option::of(any::<i64>().prop_map(AccountRequestId));
    (account(), action, bearers, request).prop_map(|(account, action, bearers, request)| {
        Change::Account(Box::new(AccountChange { account, action, bearers, request }))
    })
}

/// Every change that there is.
pub(super) fn changes() -> impl Strategy<Value = Change> {
    let place = (any::<bool>(), newcomer(), any::<bool>(), any::<u64>());
    let flags = any::<(bool, bool, bool)>();
    let enter = (option::of(token()), option::of(account()), event_of(Just(Body::Enter)), flags);
    let vacate = (author(), option::of(event_of(Just(Body::Part))), any::<bool>(), any::<u64>());
    prop_oneof![
        any::<u64>().prop_map(|time_ms| Change::Open { time_ms }),
        place.prop_map(|(opens, newcomer, returns, time_ms)| Change::Place { opens, newcomer, returns, time_ms }),
        enter.prop_map(|(takes_place, account, event, (opens, returns, becomes_operator))| Change::Enter {
            opens,
            takes_place,
            account,
            returns,
            becomes_operator,
            event,
        }),
        event_of(body()).prop_map(|event| Change::Publish { event }),
        event_of(message()).prop_map(|event| Change::Publish { event }),
        event_of(message()).prop_map(|event| Change::PublishOfGuest { event }),
        moderation(),
        (author(), via()).prop_map(|(author, via)| Change::Reconnect { author, via }),
        (author(), account(), option::of(token())).prop_map(|(author, account, token)| Change::Identify {
            author,
            account,
            token
        }),
        vacate.prop_map(|(author, event, may_return, time_ms)| Change::Vacate { author, event, may_return, time_ms }),
        account_change(),
        (name(), any::<u64>()).prop_map(|(name, bits)| Change::CompleteBan { name, address: Address::from_bits(bits) }),
        prop::sample::select(vec![Change::End, Change::Nothing]),
    ]
}

fn member() -> impl Strategy<Value = StoredMember> {
    let numbers = (any::<u64>(), prop::option::of(author()));
    (newcomer(), any::<(bool, bool)>(), numbers).prop_map(|(newcomer, (is_placed, has_entered), (node, seniority))| {
        let Newcomer { author, token, name, via, account, .. } = newcomer;
        StoredMember {
            author,
            token,
            name,
            via,
            is_placed,
            has_entered,
            account,
            node: NodeId(node),
            seniority: seniority.unwrap_or(author),
        }
    })
}

fn rules() -> impl Strategy<Value = RoomRules> {
    let mute = (author(), name(), any::<Option<u64>>());
    let mute = mute.prop_map(|(author, name, until_ms)| Mute { author, name, until_ms });
    let operators = prop::collection::vec(author(), 0..3);
    let (bans, mutes) = (prop::collection::vec(ban(), 0..3), prop::collection::vec(mute, 0..3));
    let parts = (operators, option::of(line()), any::<bool>(), option::of(key_hash()), any::<u32>(), bans, mutes);
    parts.prop_map(|(operators, topic, is_locked, key, slow_seconds, bans, mutes)| RoomRules {
        operators,
        topic,
        is_locked,
        key,
        slow_seconds,
        bans,
        mutes,
    })
}

/// A room of all that one may have.
pub(super) fn rooms() -> impl Strategy<Value = StoredRoom> {
    let code = "[BCDFGHJKLMNPQRSTVWXYZ]{4,12}".prop_filter_map("no code", |code| RoomCode::parse(&code));
    let files = prop::collection::vec((any::<u64>(), file()), 0..3);
    let members = prop::collection::vec(member(), 0..4);
    let left = (author(), any::<[u8; 16]>());
    let left = left.prop_map(|(author, token)| Left { author, token: ShortTokenHash::from_bytes(token) });
    let members = (members, prop::collection::vec(left, 0..3));
    let numbers = any::<(u64, u64, u64)>();
    (code, epoch(), numbers, author(), files, members, rules()).prop_map(
        |(code, epoch, (first_id, last_id, last_time_ms), last_author, files, (members, left), rules)| StoredRoom {
            code,
            epoch,
            first_id,
            last_id,
            last_time_ms,
            last_author,
            files,
            members,
            left,
            rules,
        },
    )
}
