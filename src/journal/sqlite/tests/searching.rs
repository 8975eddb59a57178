//! What a search finds in the file: the same as who reads everything.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::search_index;
use super::*;
use crate::rooms::SearchQuery;

/// Words as people say them: some often, some seldom, some without spaces between them.
const WORDS: [&str; 16] = [
    "slides",
    "the",
    "board",
    "Café",
    "cafe",
    "Straße",
    "明日の会議",
    "会議",
    "議会",
    "日本",
    "日本語",
    "👍🏽",
    "👍👎",
    "don't",
    "c++",
    "needle",
];

const QUERIES: [&str; 20] = [
    "slides",
    "the",
    "th",
    "board the",
    "the board",
    "CAFÉ",
    "strasse",
    "会議",
    "議",
    "議会",
    "日本語",
    "本語",
    "👍",
    "👎",
    "don't",
    "c++",
    "needle",
    "need the",
    "\"the\" OR NEAR(",
    "nothing",
];

fn text(random: &mut StdRng) -> String {
    let count = random.random_range(1..8);
    let mut words: Vec<&str> = (0..count).map(|_| WORDS[random.random_range(0..WORDS.len() - 1)]).collect();
    if random.random_range(0..400) == 0 {
        words.push("needle");
    }
    // Some with more words than are indexed.
    let many = if random.random_range(0..100) == 0 { 250 } else { random.random_range(0..3) };
    let more: Vec<String> = (0..many).map(|number| format!("w{}", number * random.random_range(1..50))).collect();
    format!("{} {}", words.join([" ", "", ", "][random.random_range(0..3)]), more.join(" "))
}

fn query(typed: &str) -> SearchQuery {
    SearchQuery::parse(typed).expect("a query")
}

fn found(journal: &mut SqliteJournal, room: u64, typed: &str, first_id: u64, before: u64, limit: usize) -> Page {
    journal.read_wanted(epoch(room), Wanted::Search { query: query(typed), first_id, before, limit })
}

fn ids(page: &Page) -> Vec<u64> {
    page.events.iter().map(|event| event.id).collect()
}

fn number(folder: &Folder, sql: &str) -> i64 {
    folder.connect().query_row(sql, [], |row| row.get(0)).expect("a number")
}

fn wait_until_indexed(folder: &Folder, segments: i64) {
    wait_for("it is indexed", || {
        (number(folder, "SELECT coalesce(sum(end_segment - first_segment), 0) FROM indexed") >= segments).then_some(())
    });
}

/// The ids that who reads everything finds.
fn expected(texts: &[String], typed: &str, first_id: u64, before: u64) -> Vec<u64> {
    let query = query(typed);
    let texts = (1..).zip(texts).filter(|(id, _)| (first_id..before).contains(id));
    texts.filter(|(_, text)| query.matches(text)).map(|(id, _)| id).collect()
}

#[test]
fn a_search_finds_what_who_reads_everything_finds() {
    let mut random = StdRng::seed_from_u64(1);
    let folder = Folder::new();
    let (mut journal, _) = folder.open(100_000);
    let mut texts = [Vec::new(), Vec::new()];
    journal.keep([opened(1, "KXQT"), opened(2, "BCDF")]);
    for count in [1000, 1200, 1000] {
        for (room, texts) in (1..).zip(&mut texts) {
            let more: Vec<String> = (0..count).map(|_| text(&mut random)).collect();
            journal.keep(more.iter().map(|text| said(room, 1, text)));
            texts.extend(more);
        }
        for _ in 0..20 {
            let room = random.random_range(1..=2);
            let texts = &texts[room as usize - 1];
            let typed = QUERIES[random.random_range(0..QUERIES.len())];
            let last = texts.len() as u64 + 1;
            let first_id = if random.random() { 1 } else { random.random_range(1..last) };
            let before = if random.random() { last } else { random.random_range(first_id..=last) };
            let limit = random.random_range(1..300);
            let expected = expected(texts, typed, first_id, before);
            let page = found(&mut journal, room, typed, first_id, before, limit);
            let kept = &expected[expected.len().saturating_sub(limit)..];
            assert_eq!(ids(&page), kept, "{typed:?} from {first_id} before {before}, {limit}");
            assert_eq!(page.before, (kept.len() < expected.len()).then(|| kept[0]), "{typed:?}");
        }
    }
    wait_until_indexed(&folder, 4);
    for typed in QUERIES {
        let page = found(&mut journal, 1, typed, 1, u64::MAX / 2, 10_000);
        assert_eq!(ids(&page), expected(&texts[0], typed, 1, 10_000), "{typed:?}");
    }
}

#[test]
fn few_events_have_no_index_and_are_found() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(1000);
    journal.keep([opened(1, "KXQT")]);
    for _ in 0..8 {
        journal.keep((0..500).map(|_| said(1, 1, "hello, everybody")));
    }
    assert_eq!(found(&mut journal, 1, "hello", 3001, 4001, 10_000).events.len(), 1000);
    assert_eq!(number(&folder, "SELECT count(*) FROM indexed"), 0);
}

#[test]
fn what_is_trimmed_is_in_no_index() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(5000);
    journal.keep([opened(1, "KXQT")]);
    let texts: Vec<String> = (0..12_000).map(|number| format!("hello word{number}")).collect();
    for part in texts.chunks(2000) {
        journal.keep(part.iter().map(|text| said(1, 1, text)));
        wait_for("what is old is indexed", || {
            let behind = "SELECT (SELECT max(id) FROM event) - coalesce((SELECT end_segment FROM indexed), 0) * 1024";
            (number(&folder, behind) < 2048 + 1024).then_some(())
        });
    }
    let first = number(&folder, "SELECT min(id) FROM event");
    let old = format!("SELECT count(*) FROM word WHERE (segment * 1024) < {first}");
    assert_eq!(number(&folder, &old), 0);
    assert_eq!(number(&folder, "SELECT count(*) FROM word WHERE word = 'word100'"), 0);
    assert!(number(&folder, "SELECT count(*) FROM word") > 2000);
    assert_eq!(found(&mut journal, 1, "word100 hello", 1, 12_001, 50), Page::default());
    let first = first as u64;
    for wanted in [first, first + 100, 9000, 11_000, 12_000] {
        let typed = format!("hello word{}", wanted - 1);
        let page = found(&mut journal, 1, &typed, 1, 12_001, 50);
        assert_eq!(ids(&page), expected(&texts, &typed, first, 12_001), "{typed}");
    }
    // Another run keeps less.
    drop(journal);
    let (mut journal, _) = folder.open(100);
    wait_for("it is trimmed", || {
        (number(&folder, "SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM word)") == 100).then_some(())
    });
    assert_eq!(found(&mut journal, 1, "hello", 1, 12_001, 500).events.len(), 100);
}

#[test]
fn nothing_is_left_of_a_room_that_is_over() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(100_000);
    journal.keep([opened(1, "KXQT"), opened(2, "BCDF")]);
    for room in [1, 2] {
        journal.keep((0..5000).map(|number| said(room, 1, &format!("said in room{room}, n{number}"))));
    }
    wait_until_indexed(&folder, 6);
    journal.keep([proposal(1, Change::End)]);
    wait_for("nothing is left", || {
        let left =
            "SELECT (SELECT count(*) FROM word WHERE word = 'room1') + (SELECT count(*) FROM room WHERE room = 1)";
        (number(&folder, left) == 0).then_some(())
    });
    assert_eq!(number(&folder, "SELECT count(*) FROM indexed"), 1);
    assert_eq!(found(&mut journal, 1, "said", 1, 5001, 50), Page::default());
    assert_eq!(found(&mut journal, 2, "said", 1, 5001, 50).events.len(), 50);
    drop(journal);
    let bytes = fs::read(folder.file()).expect("a file");
    assert!(!bytes.windows(5).any(|window| window == b"room1"), "nothing is left in any page");
    assert!(bytes.windows(5).any(|window| window == b"room2"));
}

#[test]
fn a_search_ends_in_time_and_goes_on_where_it_ended() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(100_000);
    journal.keep([opened(1, "KXQT"), said(1, 1, "日本語")]);
    // Everything in it is there, but not side by side.
    journal.keep((0..24_000).map(|_| said(1, 1, "日本 a 本語")));
    wait_until_indexed(&folder, 22);
    let first = found(&mut journal, 1, "日本語", 1, 24_002, 50);
    let before = first.before.expect("there is more to be searched");
    assert!(first.events.is_empty() && (2000..20_000).contains(&before), "{first:?}");
    let second = found(&mut journal, 1, "日本語", 1, before, 50);
    assert_eq!((ids(&second), second.before), (vec![1], None));
}

#[test]
fn what_is_taken_back_or_corrected_is_found_as_it_is() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(100_000);
    journal.keep([opened(1, "KXQT")]);
    let long: String = (0..300).map(|number| format!("long{number} ")).collect();
    journal.keep((1..=3000).map(|id| said(1, 1, if id == 7 { &long } else { "alone together" })));
    journal.keep([said(1, 1, "alone")]);
    wait_until_indexed(&folder, 1);
    drop(journal);
    let file = folder.connect();
    for id in [5, 7, 2900] {
        search_index::reindex(&file, 1, id, None).expect("it can be changed");
        file.execute("UPDATE event SET text = NULL WHERE id = ?1", [id.cast_signed()]).expect("it can be changed");
    }
    for (id, text) in [(6, "Secret words"), (2901, "secret as well")] {
        search_index::reindex(&file, 1, id, Some(text)).expect("it can be changed");
        file.execute("UPDATE event SET text = ?2 WHERE id = ?1", (id.cast_signed(), text)).expect("it can be changed");
    }
    let count = |word: &str| number(&folder, &format!("SELECT count(*) FROM word WHERE word = '{word}'"));
    assert_eq!((count(""), count("secret"), count("words"), count("well"), count("alone")), (0, 1, 1, 0, 1));
    for id in (1..1024).filter(|id| *id != 6) {
        search_index::reindex(&file, 1, id, None).expect("it can be changed");
    }
    assert_eq!(count("alone"), 0, "the last one takes its row with it");
    drop(file);
    let (mut journal, _) = folder.open(100_000);
    assert_eq!(ids(&found(&mut journal, 1, "secret", 1, 4000, 50)), [6, 2901]);
    assert_eq!(ids(&found(&mut journal, 1, "long1", 1, 4000, 50)), [0; 0]);
    assert_eq!(ids(&found(&mut journal, 1, "together", 2890, 2905, 50)).len(), 13);
}

#[test]
fn what_was_said_before_is_indexed_little_by_little_after_a_start() {
    let folder = Folder::new();
    drop(folder.open(100_000));
    let file = folder.connect();
    file.execute_batch(
        "INSERT INTO room (room, code, epoch, last_time, last_author) VALUES (1, 'KXQT', '0000000000000001', 0, 1); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         INSERT INTO event SELECT 1, i, i, 1, 'ana', 'web', 'say', 'old words ' || i, NULL, NULL, NULL FROM n;",
    )
    .expect("it can be changed");
    drop(file);
    let (mut journal, _) = folder.open(100_000);
    // Found before, in the middle of it, and when it is done.
    wait_for("it is indexed", || {
        assert_eq!(ids(&found(&mut journal, 1, "old 7", 1, 10_001, 2000)).len(), 1111);
        assert_eq!(ids(&found(&mut journal, 1, "4567 words", 1, 10_001, 50)), [4567]);
        (number(&folder, "SELECT coalesce(sum(end_segment), 0) FROM indexed") == 8).then_some(())
    });
    // Another program that holds the file is waited for.
    let other = folder.connect();
    other.execute_batch("BEGIN IMMEDIATE").expect("nothing is being written");
    assert_eq!(ids(&found(&mut journal, 1, "4567 words", 1, 10_001, 50)), [4567]);
}
