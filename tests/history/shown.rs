//! What a terminal was shown must be an unbroken part of what was said, its own lines left out.

use std::collections::{BTreeMap, HashMap};

use super::{Entry, History, Life, Promises, Record, Seen, Shown};

pub fn check(history: &History, record: &Record, promises: Promises) {
    let is_complete = record.is_complete(promises);
    // The same for every connection of a client, unless the server has lost everything in between.
    let mut all_said: HashMap<(&str, &str, Option<u32>), Said> = HashMap::new();
    for entry in &history.entries {
        let Entry::Shown { connection, shown } = entry else { continue };
        let Shown { room, own, texts } = &**shown;
        let losses = history.losses_before.get(connection).copied().filter(|_| !promises.is_shared);
        // What was said while nobody looked who tells of ids, and is gone since, is on no record; it may have
        // been said again since.
        let is_sure = |text: &str| !text.starts_with(own.as_str()) && (is_complete || record.was_sent_once(text));
        let said = all_said
            .entry((room, own, losses))
            .or_insert_with(|| Said::in_room(room, losses, record, promises, is_sure));
        let shown = texts.iter().map(|text| &**text).filter(|text| is_sure(text));
        let shown: Vec<&str> = shown.filter(|text| is_complete || said.is_known(text)).collect();
        let is_part = shown.is_empty() || said.has_part(&shown);
        assert!(is_part, "no part of what was said in {room}: {shown:?}; but {:?}", said.words());
    }
}

/// What may have been shown to a client: one after the other, all that is sure of any of these.
struct Said<'a> {
    /// What was said in each life.
    lives: Vec<Sequence<'a>>,
    /// Of what came before the log lost something, one life may be told more than another.
    completed: Vec<Completed<'a>>,
}

impl<'a> Said<'a> {
    /// `losses`: how often everything had been lost before, where that ends a room. `is_sure`: whether a text counts.
    fn in_room(
        room: &str,
        losses: Option<u32>,
        record: &'a Record,
        promises: Promises,
        is_sure: impl Fn(&str) -> bool,
    ) -> Said<'a> {
        let is_of_its_time = |life: &Life| promises.is_shared || record.losses_before.get(life).copied() == losses;
        let lives = || record.lives.iter().filter(|(life, _)| life.0 == room);
        // A terminal is not told which life it is in.
        let possible = lives().filter(|(life, _)| is_of_its_time(life));
        let possible = possible.take(if promises.is_shared { usize::MAX } else { 1 });
        let texts_of = |(_, seen): (_, &'a BTreeMap<u64, Seen>)| {
            Sequence::new(seen.values().filter_map(Seen::shown_text).filter(|text| is_sure(text)).collect())
        };
        let mut said = Said { lives: possible.map(texts_of).collect(), completed: Vec::new() };
        if promises.is_shared && !promises.is_durable {
            // What was said in several lives as the same event is that of the last of them here.
            let any: BTreeMap<u64, &str> = lives().flat_map(|(_, seen)| shown_texts(seen)).collect();
            said.completed = lives().map(|(_, own)| Completed::new(own, &any, &is_sure)).collect();
        }
        said
    }

    /// Nothing is in what is completed that is not in one of the lives.
    fn is_known(&self, text: &str) -> bool {
        self.lives.iter().any(|said| said.places.contains_key(text))
    }

    fn has_part(&self, shown: &[&str]) -> bool {
        self.lives.iter().any(|said| said.has_part(shown)) || self.completed.iter().any(|said| said.has_part(shown))
    }

    fn words(&self) -> Vec<&[&str]> {
        let completed = self.completed.iter().map(|said| &said.all);
        self.lives.iter().chain(completed).map(|said| &said.texts[..]).collect()
    }
}

/// Texts that were said one after the other.
struct Sequence<'a> {
    texts: Vec<&'a str>,
    /// Where each of them is: at more than one place only if who said it became somebody else in between.
    places: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Sequence<'a> {
    fn new(texts: Vec<&'a str>) -> Sequence<'a> {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        texts.iter().enumerate().for_each(|(place, text)| places.entry(text).or_default().push(place));
        Sequence { texts, places }
    }

    /// Wherever this text is: the place, and it and all that follows.
    fn beginning_with<'b>(&'b self, text: &str) -> impl Iterator<Item = (usize, &'b [&'a str])> {
        self.places.get(text).into_iter().flatten().map(|&place| (place, &self.texts[place..]))
    }

    /// Whether these came one right after the other.
    fn has_part(&self, part: &[&str]) -> bool {
        self.beginning_with(part[0]).any(|(_, texts)| texts.starts_with(part))
    }
}

/// What was said in a life; what nobody saw of it before some event, as it was seen in another life of the room: the same
/// up to what the log lost. Any event of this life may be the one from which on that may be.
///
/// These are as many lists as the life has events, and all are parts of a single one, which is all that is kept: that of
/// event `n` begins with whatever is `all` before `n`, and goes on with what is `own` from `n` on.
struct Completed<'a> {
    all: Sequence<'a>,
    /// Which event each of them is.
    ids: Vec<u64>,
    /// Those of this life.
    own: Vec<&'a str>,
    /// How many of its own come before each of them; and before the end.
    own_before: Vec<usize>,
    events: &'a BTreeMap<u64, Seen>,
}

impl<'a> Completed<'a> {
    fn new(
        events: &'a BTreeMap<u64, Seen>,
        any: &BTreeMap<u64, &'a str>,
        is_sure: impl Fn(&str) -> bool,
    ) -> Completed<'a> {
        let mut texts: BTreeMap<u64, (&str, bool)> = any.iter().map(|(&id, &text)| (id, (text, false))).collect();
        texts.extend(shown_texts(events).map(|(id, text)| (id, (text, true))));
        texts.retain(|_, (text, _)| is_sure(text));
        let (mut own, mut own_before) = (Vec::new(), vec![0]);
        for &(text, is_own) in texts.values() {
            own.extend(Some(text).filter(|_| is_own));
            own_before.push(own.len());
        }
        let ids = texts.keys().copied().collect();
        Completed {
            all: Sequence::new(texts.into_values().map(|(text, _)| text).collect()),
            ids,
            own,
            own_before,
            events,
        }
    }

    /// Whether any of the lists has these, one right after the other. Where they are all of this life, that is known
    /// without this: so at least the first one is of the first half of the list, up to some event.
    fn has_part(&self, part: &[&str]) -> bool {
        self.all.beginning_with(part[0]).any(|(place, texts)| {
            let common = texts.iter().zip(part).take_while(|(one, other)| one == other).count();
            (1..=common).any(|count| self.may_change(place + count, &part[count..]))
        })
    }

    /// Whether in one of the lists what is before `place` is followed by this. Where nothing has to follow, it is as good
    /// if more of that half does.
    fn may_change(&self, place: usize, rest: &[&str]) -> bool {
        let after = self.ids[place - 1] + 1;
        let next = self.ids.get(place).filter(|_| !rest.is_empty());
        let mut changes = match next {
            Some(&next) => self.events.range(after..=next),
            None => self.events.range(after..),
        };
        changes.next().is_some() && self.own[self.own_before[place]..].starts_with(rest)
    }
}

fn shown_texts(events: &BTreeMap<u64, Seen>) -> impl Iterator<Item = (u64, &str)> {
    events.iter().filter_map(|(&id, seen)| seen.shown_text().map(|text| (id, text)))
}
