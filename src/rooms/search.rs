//! Searching what was said: what a query asks for, and whether a text has it.
//!
//! Texts and queries are folded in the same way, here and nowhere else, and whether a text is found is decided here
//! alone ([`SearchQuery::matches`]). A journal that keeps an index makes it of the same words ([`index_words`]) and asks
//! it for those of a query ([`SearchQuery::index_words`]): it tells which texts are worth being looked at.
//!
//! Where words are parted by spaces, a text is found by its words, the last one of the query as the beginning of one.
//! Where they are not (Chinese, Japanese, Thai) or hang together (Korean), it is found by characters side by side, as
//! emoji are.

use std::collections::BTreeSet;
use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::Event;
use super::command::Span;
use super::history::MAX_PAGE_BYTES;

/// A query has at most so many bytes, so that comparing a text with it costs little.
pub const MAX_QUERY_BYTES: usize = 256;

/// Of a longer word, the index has so many bytes.
const MAX_INDEX_WORD_BYTES: usize = 32;

/// So many words of a query are looked up in an index: by then few texts are left.
const MAX_LOOKED_UP: usize = 16;

/// Messages of a room that are searched for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// What they say.
    pub query: SearchQuery,
    /// Which part of the history is searched, and how many are wanted: the newest of those that are found.
    pub span: Span,
}

/// What is searched for: something that is in a text or not, at least one word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SearchQuery {
    /// Each has to be in the folded text.
    folded: Vec<String>,
}

/// Why a query is none. Displayed as a sentence for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SearchFault {
    /// There is no word in it.
    Empty,
    /// It has more than [`MAX_QUERY_BYTES`].
    TooLong,
}

impl fmt::Display for SearchFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SearchFault::Empty => formatter.write_str("There is no word to be searched for."),
            SearchFault::TooLong => write!(formatter, "A search has at most {MAX_QUERY_BYTES} bytes."),
        }
    }
}

/// What an index is asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum IndexWord {
    /// Texts with this word.
    Exact(String),
    /// Texts with a word that begins so.
    Beginning(String),
}

impl SearchQuery {
    /// Reads what somebody typed. No character in it has a meaning of its own.
    ///
    /// # Errors
    /// There is nothing in it to be searched for, or too much.
    pub fn parse(typed: &str) -> Result<SearchQuery, SearchFault> {
        if typed.len() > MAX_QUERY_BYTES {
            return Err(SearchFault::TooLong);
        }
        let mut folded: Vec<String> = Vec::new();
        for part in typed.split_whitespace() {
            let part = fold(part);
            let mut tokens = words(&part).peekable();
            while let Some(token) = tokens.next() {
                let mut wanted = format!(" {token} ");
                if is_single(token) {
                    while let Some(next) = tokens.next_if(|next| is_single(next)) {
                        wanted.extend([next, " "]);
                    }
                }
                folded.push(wanted);
            }
        }
        let last = folded.last_mut().ok_or(SearchFault::Empty)?;
        if !is_single(last.trim()) && !last.trim().contains(' ') {
            last.pop();
        }
        folded.sort();
        folded.dedup();
        Ok(SearchQuery { folded })
    }

    /// Whether a text has all of it.
    pub fn matches(&self, text: &str) -> bool {
        let text = fold(text);
        self.folded.iter().all(|wanted| text.contains(wanted))
    }

    /// What an index is to be asked for: every text that matches has all of these, and most that have them match. The
    /// beginnings of words, which cost most, come last.
    pub fn index_words(&self) -> Vec<IndexWord> {
        let mut found = BTreeSet::new();
        for wanted in &self.folded {
            let mut tokens = words(wanted);
            let Some(first) = tokens.next() else { continue };
            if !is_single(first) {
                let is_whole = wanted.ends_with(' ') || first.len() > MAX_INDEX_WORD_BYTES;
                let word = shorten(first).to_owned();
                found.insert(if is_whole { IndexWord::Exact(word) } else { IndexWord::Beginning(word) });
                continue;
            }
            let mut before = first;
            for token in tokens {
                found.insert(IndexWord::Exact(pair(before, token)));
                before = token;
            }
            if before == first && words(wanted).count() == 1 {
                // It may be followed by another one in the text, or by none.
                found.insert(IndexWord::Beginning(first.to_owned()));
            }
        }
        found.into_iter().take(MAX_LOOKED_UP).collect()
    }
}

/// The words by which a text is found in an index, each once.
pub fn index_words(text: &str) -> BTreeSet<String> {
    let folded = fold(text);
    let mut found = BTreeSet::new();
    let mut tokens = words(&folded).peekable();
    while let Some(token) = tokens.next() {
        let following = tokens.peek().filter(|next| is_single(token) && is_single(next));
        found.insert(following.map_or_else(|| shorten(token).to_owned(), |next| pair(token, next)));
    }
    found
}

/// Two characters side by side, as one word of an index.
fn pair(one: &str, next: &str) -> String {
    [one, next].concat()
}

fn shorten(word: &str) -> &str {
    let fits = |(at, character): &(usize, char)| at + character.len_utf8() <= MAX_INDEX_WORD_BYTES;
    let end = word.char_indices().take_while(fits).last().map_or(0, |(at, character)| at + character.len_utf8());
    &word[..end]
}

// ---- folding

/// What is between the spaces of a folded text.
fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(' ').filter(|word| !word.is_empty())
}

/// Whether this is a character that is no part of a word.
fn is_single(word: &str) -> bool {
    let mut characters = word.chars();
    characters.next().is_some_and(|character| role(character) == Role::Single) && characters.next().is_none()
}

/// The words of a text, with a space before, between and behind them. What people type for the same is the same: upper
/// and lower case, letters with and without accents, wide and narrow characters.
///
/// A data file holds what this has made of its texts: a change here needs a new version of it.
fn fold(text: &str) -> String {
    let mut folded = Folded { text: String::with_capacity(text.len() + 2), is_in_word: false };
    if text.is_ascii() {
        text.chars().for_each(|character| folded.push(character.to_ascii_lowercase()));
    } else {
        let bare = text.nfkd().filter(|character| !is_accent(*character)).nfc();
        bare.flat_map(char::to_lowercase).for_each(|character| folded.push_letter(character));
    }
    folded.text.push(' ');
    folded.text
}

struct Folded {
    text: String,
    is_in_word: bool,
}

impl Folded {
    /// Adds a character, or what is typed for it where keyboards have no such letter.
    fn push_letter(&mut self, character: char) {
        let typed = match character {
            'ß' => "ss",
            'æ' => "ae",
            'œ' => "oe",
            'ø' => "o",
            'ł' => "l",
            'đ' => "d",
            'ı' => "i",
            'ς' => "σ",
            character => return self.push(character),
        };
        typed.chars().for_each(|character| self.push(character));
    }

    fn push(&mut self, character: char) {
        match role(character) {
            Role::Letter => {
                if !self.is_in_word {
                    self.text.push(' ');
                }
                self.text.push(character);
                self.is_in_word = true;
            }
            Role::Mark => {
                if self.is_in_word {
                    self.text.push(character);
                }
            }
            Role::Single => {
                self.text.extend([' ', character]);
                self.is_in_word = false;
            }
            Role::Separator => self.is_in_word = false,
            Role::Ignored => (),
        }
    }
}

/// What a character does in a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// It is part of a word.
    Letter,
    /// It is part of the word that it stands in.
    Mark,
    /// It stands for itself.
    Single,
    /// It parts words.
    Separator,
    /// It is as if it were not there.
    Ignored,
}

fn role(character: char) -> Role {
    use GeneralCategory::{Control, Format, ModifierSymbol};
    if character.is_ascii() {
        return match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' => Role::Letter,
            '$' | '+' | '<' | '=' | '>' | '|' | '~' => Role::Single,
            _ => Role::Separator,
        };
    }
    if is_unspaced(character) {
        return Role::Single;
    }
    match (character.general_category_group(), character.general_category()) {
        (GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number, _) => Role::Letter,
        (GeneralCategoryGroup::Mark, _) => Role::Mark,
        (_, Format) => Role::Ignored,
        // The colours of emoji.
        (_, ModifierSymbol) if matches!(character, '\u{1F3FB}'..='\u{1F3FF}') => Role::Ignored,
        (_, Control | ModifierSymbol) => Role::Separator,
        (GeneralCategoryGroup::Punctuation | GeneralCategoryGroup::Separator, _) => Role::Separator,
        // The end of all characters, which stands behind every word that begins in some way.
        _ if character == char::MAX => Role::Separator,
        // Symbols, emoji, and those that are newer than this program.
        _ => Role::Single,
    }
}

/// Characters of scripts without spaces between words, or with other ends to words than people search for.
fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{0E00}'..='\u{0FFF}'       // Thai, Lao, Tibetan
        | '\u{1000}'..='\u{109F}'     // Myanmar
        | '\u{1100}'..='\u{11FF}'     // Hangul, in parts
        | '\u{1780}'..='\u{17FF}'     // Khmer
        | '\u{1950}'..='\u{19FF}'     // Tai Le, New Tai Lue, Khmer's symbols
        | '\u{1A20}'..='\u{1AAF}'     // Tai Tham
        | '\u{2E80}'..='\u{2FDF}'     // radicals
        | '\u{3005}'..='\u{3007}'     // 々 〆 〇
        | '\u{3040}'..='\u{30FA}' | '\u{30FC}'..='\u{31FF}' // kana, Bopomofo
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{A4CF}' // Han, Yi
        | '\u{A960}'..='\u{A97F}' | '\u{AC00}'..='\u{D7FF}' // Hangul
        | '\u{AA60}'..='\u{AADF}'     // Myanmar, Tai Viet
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFD}' // Han
    )
}

/// What may be left out by who types: accents, vowel points of Hebrew and Arabic, and what chooses between two pictures
/// of one character.
fn is_accent(character: char) -> bool {
    matches!(character,
        '\u{0300}'..='\u{036F}' | '\u{0483}'..='\u{0487}'
        | '\u{0591}'..='\u{05BD}' | '\u{05BF}' | '\u{05C1}'..='\u{05C2}' | '\u{05C4}'..='\u{05C5}' | '\u{05C7}'
        | '\u{0640}' | '\u{064B}'..='\u{065F}' | '\u{0670}'
        | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FE20}'..='\u{FE2F}' | '\u{E0100}'..='\u{E01EF}'
    )
}

// ---- what is found

/// What a search has found so far: the newest events first, as many as are wanted and fit into a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    newest_first: Vec<Event>,
    bytes: usize,
    limit: usize,
    is_full: bool,
}

impl Found {
    /// Nothing yet, and so many events at the most.
    pub fn new(limit: usize) -> Found {
        Found { newest_first: Vec::new(), bytes: 0, limit, is_full: false }
    }

    /// Takes the next older event that was found, unless there is no room for it.
    pub fn push(&mut self, event: Event) {
        self.bytes += event.text_bytes();
        let fits = self.bytes <= MAX_PAGE_BYTES || self.newest_first.is_empty();
        if fits && self.newest_first.len() < self.limit {
            self.newest_first.push(event);
        } else {
            self.is_full = true;
        }
    }

    /// Whether there was no room for an event: there are more, and no others are wanted.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// The events, the oldest first, and before which id to search for more, if there may be more. `searched_to`: before
    /// this id nothing was searched, though there is something.
    pub fn finish(mut self, searched_to: Option<u64>) -> (Vec<Event>, Option<u64>) {
        self.newest_first.reverse();
        let first = self.newest_first.first().map(|event| event.id);
        let before = if self.is_full { first } else { searched_to };
        (self.newest_first, before)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(typed: &str) -> SearchQuery {
        SearchQuery::parse(typed).expect("a query")
    }

    #[track_caller]
    fn finds(typed: &str, text: &str) {
        assert!(query(typed).matches(text), "{typed:?} is in {text:?}");
        assert!(is_looked_at(&query(typed), text), "{typed:?} in {text:?} by the index");
    }

    #[track_caller]
    fn finds_not(typed: &str, text: &str) {
        assert!(!query(typed).matches(text), "{typed:?} is not in {text:?}");
    }

    /// Whether an index of this text alone tells to look at it.
    fn is_looked_at(query: &SearchQuery, text: &str) -> bool {
        let words = index_words(text);
        query.index_words().iter().all(|wanted| match wanted {
            IndexWord::Exact(word) => words.contains(word),
            IndexWord::Beginning(beginning) => words.iter().any(|word| word.starts_with(beginning)),
        })
    }

    #[test]
    fn words_are_found_in_any_order_and_the_last_by_its_beginning() {
        finds("slides", "The slides are on the board.");
        finds("board slides", "The slides are on the board.");
        finds("the sli", "The slides are on the board.");
        finds("the   sli  ", "The slides\nare on the board.");
        finds_not("sli the", "The slides are on the board.");
        finds_not("lides", "The slides are on the board.");
        finds_not("slides wall", "The slides are on the board.");
        finds("don't", "I don't know");
        finds("2026-11", "on 2026-11-26");
        finds("file_name.txt", "see file_name.txt!");
    }

    #[test]
    fn case_accents_and_width_make_no_difference() {
        finds("cafe", "Le CAFÉ, s'il vous plaît");
        finds("CAFÉ", "cafe");
        finds("cafe\u{301}", "café");
        finds("strasse", "Straße");
        finds("STRASSE", "straße");
        finds("Straße", "STRASSE");
        finds("lodz", "Łódź");
        finds("smorrebrod", "Smørrebrød");
        finds("istanbul", "İSTANBUL");
        finds("ισως", "ΊΣΩΣ");
        finds("елка", "Ёлка");
        finds("ＡＢＣ", "abc");
        finds("abc", "ＡＢＣ");
        finds("ﬁn", "finally");
        finds("שלום", "שָׁלוֹם");
        finds("محمد", "مُحَمَّد");
        finds("हिन्दी", "यह हिन्दी है");
        finds_not("हन्द", "यह हिन्दी है");
    }

    #[test]
    fn texts_without_spaces_are_found_by_characters_side_by_side() {
        finds("会議", "明日の会議は十時から");
        finds("会", "明日の会議は十時から");
        finds("議", "会議");
        finds("会議 十時", "明日の会議は十時から");
        finds("十時 会議", "明日の会議は十時から");
        finds_not("会時", "明日の会議は十時から");
        finds_not("議会", "明日の会議は十時から");
        finds("ｶﾀｶﾅ", "カタカナで書く");
        finds("がぎ", "がぎぐげご");
        finds_not("か", "がぎぐげご");
        finds("か\u{3099}", "が");
        finds("Rust言語", "Rust言語とは");
        finds("学校", "我們的學校和学校");
        finds("สวัสดี", "ทุกคนสวัสดีครับ");
        finds("한국", "우리는 한국에서 왔어요");
        finds("국에", "우리는 한국에서 왔어요");
        finds("本語", "日本、語");
    }

    #[test]
    fn emoji_are_found_whatever_their_colour() {
        finds("👍", "well done 👍🏽");
        finds("👍🏽", "👍");
        finds("👍", "👍👍👍");
        finds("❤", "I ❤️ it");
        finds("👩", "👨‍👩‍👧");
        finds("🇩🇪", "from 🇩🇪 with love");
        finds_not("🇩🇪", "from 🇫🇷 with love");
        finds("c++", "written in C++");
        finds_not("c++", "written in C");
    }

    #[test]
    fn nothing_that_is_typed_has_a_meaning_of_its_own() {
        finds("\"a\" OR NEAR(", "near, or a");
        finds_not("\"a\" OR NEAR(", "a");
        finds("a* NOT b^2 {col}: -x", "a, not b. 2 col x");
    }

    #[test]
    fn a_query_has_a_word_and_is_not_long() {
        for typed in ["", "  ", "!?", "\"\"", "()*", "-- '", "\u{200d}", "\u{301}"] {
            assert_eq!(SearchQuery::parse(typed), Err(SearchFault::Empty), "{typed:?}");
        }
        assert!(SearchQuery::parse(&"x".repeat(256)).is_ok());
        assert_eq!(SearchQuery::parse(&"x".repeat(257)), Err(SearchFault::TooLong));
    }

    #[test]
    fn long_words_are_found_as_well() {
        let long = "x".repeat(100);
        finds(&long, &format!("see {long}"));
        finds(&long[..50], &format!("see {long}"));
        finds_not(&format!("{long}y"), &long);
        finds(&"ä".repeat(40), &"ä".repeat(50));
    }

    proptest! {
        /// A text is found by itself, and by what is left of it when some is left out; and never without the index.
        #[test]
        fn a_text_is_found_by_its_words(text in "(\\PC{0,6} ?|[a-cA-Cäé日本語👍 ]{0,4}){0,8}", skipped in 0..8usize) {
            let part: String = text.split_inclusive(' ').skip(skipped).take(3).collect();
            if let Ok(query) = SearchQuery::parse(&part) {
                prop_assert!(query.matches(&text), "{:?} in {:?}", query, fold(&text));
                prop_assert!(is_looked_at(&query, &text));
            }
        }

        #[test]
        fn what_matches_is_looked_at(text in "[abäé日本語👍+ ]{0,12}", typed in "[abäé日本語👍+ ]{1,4}") {
            if let Ok(query) = SearchQuery::parse(&typed) {
                prop_assert!(!query.matches(&text) || is_looked_at(&query, &text));
            }
        }

        #[test]
        fn folding_ascii_is_folding(text in "[ -~]{0,40}") {
            let otherwise = fold(&format!("{text} é"));
            prop_assert_eq!(format!("{} e ", fold(&text).trim_end()), otherwise);
        }
    }
}
