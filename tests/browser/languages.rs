//! The pages in other languages than English: that none lacks a text, and that no text stands anywhere else.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::chromium::{Chromium, Window};
use crate::support::Server;
use crate::{create_room, home, join_room, say, wait_for_message, wait_for_notice};

/// What helps to look at texts: `every(texts)` has them all by their names, such as `status.connecting`, and
/// `shown(text)` is one with something put into it.
const LOOKING: &str = "
    const every = (group, before = '') => Object.entries(group).flatMap(([name, text]) =>
        text !== null && typeof text === 'object' ? every(text, `${before}${name}.`) : [[before + name, text]]);
    const values = (text) => Array.from({ length: text.length }, (_, number) => `<${number}>`);
    const shown = (text, ...put) => typeof text === 'function' ? [text(...put)].flat().join('') : text;
";

/// Loads the texts of all languages into `texts`.
fn load_texts(window: &Window) {
    window.evaluate(
        "Promise.all(['en', 'de', 'es', 'fr'].map(async (language) => {
            const folder = document.querySelector('script').src.replace(/[^/]*$/, '');
            return [language, (await import(`${folder}words/${language}.js`)).default];
        })).then((entries) => (window.texts = Object.fromEntries(entries)))",
    );
    window.wait_for("window.texts !== undefined");
}

/// What an expression is that uses [`LOOKING`] and `texts`.
fn look(window: &Window, expression: &str) -> Value {
    window.evaluate(&format!("(() => {{ {LOOKING} return {expression}; }})()"))
}

/// Names what only one of two lists has, or that their order is not the same.
fn assert_same(ours: &Value, expected: &Value, language: &str) {
    let only = |one: &Value, other: &Value| {
        let other = other.as_array().expect("a list");
        one.as_array().expect("a list").iter().filter(|name| !other.contains(name)).cloned().collect::<Vec<_>>()
    };
    assert_eq!((only(ours, expected), only(expected, ours)), (vec![], vec![]), "{language}");
    assert!(ours == expected, "{language} has another order");
}

#[test]
fn no_language_lacks_a_text() {
    let server = Server::start();
    let window = Chromium::shared().open_window();
    window.open(&home(&server));
    load_texts(&window);
    let kinds = "every(group).map(([name, text]) =>
        `${name}: ${typeof text === 'function' ? `of ${text.length}` : text.trim() ? typeof text : 'none'}`)";
    // The server's refusals are in English: only other languages have words for them.
    let errors = |language: &str| look(&window, &format!("((group) => {kinds})(texts.{language}.errors)"));
    let all_but_errors =
        |language: &str| look(&window, &format!("(({{ errors, ...group }}) => {kinds})(texts.{language})"));
    let english = all_but_errors("en");
    assert!(english.as_array().is_some_and(|names| names.len() > 200), "{english}");
    let german_errors = errors("de");
    assert!(german_errors.as_array().is_some_and(|names| names.len() > 20), "{german_errors}");
    for language in ["de", "es", "fr"] {
        assert_same(&all_but_errors(language), &english, language);
        assert_same(&errors(language), &german_errors, language);
        // Several words that are the same in two languages have been left in one.
        let all_shown =
            |language| format!("every(texts.{language}).map(([name, text]) => [name, shown(text, ...values(text))])");
        let english_left = look(
            &window,
            &format!(
                "((english) => {}.filter(([name, text]) =>
                    /\\p{{L}}{{2}} \\p{{L}}{{2}}/u.test(text) && english.get(name) === text))(new Map({}))",
                all_shown(language),
                all_shown("en")
            ),
        );
        assert_eq!(english_left, json!([]), "{language}");
    }
    for language in ["en", "de", "es", "fr"] {
        let lost = look(
            &window,
            &format!(
                "every(texts.{language}).filter(([, text]) => typeof text === 'function')
                    .filter(([, text]) => values(text).some((value) => !shown(text, ...values(text)).includes(value)))
                    .map(([name]) => name)"
            ),
        );
        assert_eq!(lost, json!([]), "what is put into a text of {language} is in it");
    }
    let french = look(&window, "every(texts.fr).filter(([, text]) => / [:;!?]/.test(shown(text, 1, 2, 3)))");
    assert_eq!(french, json!([]), "a line does not begin with punctuation");
}

/// Every element of a page, as it is sent, that is said to have a text, has it in English; and what has none is none of
/// ours. Returns how many have one.
fn assert_page_is_worded(window: &Window, page: &str) -> u64 {
    window.evaluate(&format!(
        "window.page = undefined; ({page}).then((answer) => answer.text()).then((html) =>
            (window.page = new DOMParser().parseFromString(html, 'text/html')))"
    ));
    window.wait_for("window.page !== undefined");
    let others = look(
        window,
        "(() => {
            const texts = new Map(every(window.texts.en));
            const attributes =
                { wordsLabel: 'aria-label', wordsPlaceholder: 'placeholder', wordsTitle: 'title', wordsAlt: 'alt' };
            const wrong = [];
            for (const element of page.querySelectorAll('*')) {
                if (element.closest('noscript')) continue;
                const { wordsValue, ...named } = element.dataset;
                for (const [part, name] of Object.entries(named)) {
                    if (!part.startsWith('words')) continue;
                    const attribute = attributes[part];
                    const is = attribute ? element.getAttribute(attribute) : part === 'words' && element.textContent;
                    if (is !== shown(texts.get(name), wordsValue)) wrong.push(`${name}: ${is}`);
                }
                for (const [part, attribute] of Object.entries(attributes)) {
                    if (element.getAttribute(attribute) && !named[part]) wrong.push(`${attribute}: ${element.outerHTML}`);
                }
                const own = [...element.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE)
                    .map(({ data }) => data).join('');
                const isOurs = /\\p{L}{2}/u.test(own) && !element.matches('[data-words], [data-error], code, .code, .letters, h1, title');
                if (isOurs) wrong.push(`no data-words: ${own}`);
            }
            return wrong;
        })()",
    );
    assert_eq!(others, json!([]), "{page}");
    window.evaluate("page.querySelectorAll('[data-words]').length").as_u64().expect("a number")
}

#[test]
fn what_stands_in_the_pages_is_the_english_text() {
    let server = Server::start();
    let window = Chromium::shared().open_window();
    create_room(&window, &server, "Ana");
    load_texts(&window);
    assert!(assert_page_is_worded(&window, "fetch(location.href)") > 30);
    assert!(assert_page_is_worded(&window, "fetch('/?code=KXQT')") > 7);
    // An invitation asks for less.
    assert!(assert_page_is_worded(&window, "fetch(location.href, { credentials: 'omit' })") > 4);
    // With fields for a password and a key.
    let form = "new URLSearchParams({ name: 'Ben', password: 'a', key: 'b', code: 'KXQT', join: 1 })";
    assert!(assert_page_is_worded(&window, &format!("fetch('/', {{ method: 'POST', body: {form} }})")) > 9);
}

/// What looks like words and is for no person: keys and what begins with their names, selectors, header fields, and what
/// is read of the server's own words.
const NO_WORDS: [&str; 28] = [
    "AltGraph",
    "Dead",
    "Process",
    "Home",
    "End",
    "input, textarea, select, [contenteditable]",
    "notice answer",
    "Enter",
    "Escape",
    "Tab",
    "ArrowUp",
    "ArrowDown",
    "ArrowLeft",
    "ArrowRight",
    "Files",
    "Whom",
    "…",
    "The password",
    "button, summary",
    "input, button",
    "input, select, button",
    "a, button, audio, video",
    "message own upload",
    "noopener noreferrer nofollow",
    "Content-Type",
    "Authorization",
    "Retry-After",
    "Bearer ",
];

/// The string literals of a line of JavaScript, without what is put into them.
fn literals(line: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(['"', '`']) {
        let quote = &rest[start..=start];
        let Some(length) = rest[start + 1..].find(quote) else { break };
        let mut literal = rest[start + 1..start + 1 + length].to_owned();
        while let Some((before, (_, after))) =
            literal.split_once("${").and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            literal = format!("{before}{after}");
        }
        literals.push(literal);
        rest = &rest[start + length + 2..];
    }
    literals
}

/// Whether it begins with a capital letter, as sentences and labels do, has several words, or ends a sentence.
fn looks_like_words(literal: &str) -> bool {
    let letters: Vec<char> = literal.chars().take(2).collect();
    let begins = matches!(letters[..], [first, second] if first.is_uppercase() && second.is_lowercase());
    let is_word =
        |word: &&str| word.len() > 1 && word.chars().all(|letter| letter.is_alphabetic() || "'’".contains(letter));
    let words = literal.split(' ').map(|word| word.trim_end_matches(',')).collect::<Vec<_>>();
    let has_several = words.windows(2).any(|pair| pair.iter().all(is_word));
    begins || has_several || literal.ends_with('…')
}

#[test]
fn no_module_has_a_text_of_its_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the assets") {
        let path = entry.expect("an asset").path();
        if path.extension().is_none_or(|extension| extension != "js") {
            continue;
        }
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        for line in fs::read_to_string(&path).expect("JavaScript").lines().map(str::trim_start) {
            if ["//", "/*", "*", "import "].iter().any(|start| line.starts_with(start)) {
                continue;
            }
            let texts =
                literals(line).into_iter().filter(|text| looks_like_words(text) && !NO_WORDS.contains(&&**text));
            found.extend(texts.map(|text| format!("{name}: {text}")));
        }
    }
    assert_eq!(found, [] as [String; 0]);
}

#[test]
fn the_first_language_that_there_is_is_loaded_alone() {
    let server = Server::start();
    let chromium = Chromium::shared();
    for (reads, language, label) in [
        ("fr-CA,fr,en", "fr", "Ton nom"),
        ("sv-SE,es-MX,de", "es", "Tu nombre"),
        ("ES", "es", "Tu nombre"),
        ("en-AU,de", "en", "Your name"),
        ("est,sv", "en", "Your name"),
    ] {
        let window = chromium.open_window();
        window.read_languages(reads);
        window.open(&home(&server));
        let is_chosen = format!("document.documentElement.lang === {language:?}");
        let is_filled = format!("document.querySelector('label[for=name]').textContent === {label:?}");
        window.wait_for(&format!("{is_chosen} && {is_filled}"));
        let loaded = window.seen().requests.into_iter().filter(|url| url.contains("/words/")).collect::<Vec<_>>();
        assert!(loaded.len() == 1 && loaded[0].ends_with(&format!("/words/{language}.js")), "{reads}: {loaded:?}");
        assert_eq!(window.seen().complaints, [] as [String; 0]);
    }
}

#[test]
fn the_pages_are_in_german_where_german_is_read() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    ana.read_languages("pt-BR,de-AT,de,en");
    ana.open(&home(&server));
    ana.wait_for("document.documentElement.lang === 'de'");
    assert_eq!(ana.text("label[for=name]"), "Dein Name");
    assert_eq!(ana.text("label[for=code]"), "Raumcode 4 Buchstaben, um einem Raum beizutreten");
    ana.click("#join");
    ana.wait_for("document.querySelector('.error')?.textContent === 'Gib einen Namen an.'");
    assert_eq!(ana.text("title"), "Gib einen Namen an. – snug");

    let room = create_room(&ana, &server, "Ana");
    assert_eq!(ana.text("#status p"), "Verbunden als Ana");
    assert_eq!(ana.evaluate("document.querySelector('#text').placeholder"), "Schreib etwas");
    assert_eq!(ana.evaluate("document.querySelector('#timeline').getAttribute('aria-label')"), "Gespräch");
    assert_eq!(ana.text("#people"), "1 hier");
    assert_eq!(ana.text("#members small"), "du");
    // Who reads a language that we have not is shown English, and days as they are called at home.
    ben.read_languages("sv-SE,sv");
    join_room(&ben, &server, &room, "Ben");
    assert_eq!(ben.evaluate("document.documentElement.lang"), "en");
    wait_for_notice(&ben, "Ben came in");
    wait_for_notice(&ana, "Ben ist gekommen");
    let day = |tag: &str| {
        format!(
            "new Intl.DateTimeFormat('{tag}', {{ dateStyle: 'full' }}).format(Date.now()).replace(',', '') ===
             document.querySelector('[data-day]').dataset.day.replace(',', '')"
        )
    };
    assert_eq!(
        ana.evaluate(&day("de-AT")),
        true,
        "{}",
        ana.evaluate("document.querySelector('[data-day]').dataset.day")
    );

    say(&ben, "hello");
    wait_for_message(&ana, "hello");
    ana.evaluate("document.querySelector('article.message').focus()");
    ana.press("Enter");
    assert_eq!(
        ana.evaluate("[...document.querySelectorAll('#menu [role=menuitem]')].map(item => item.textContent).slice(-2)"),
        json!(["Link dorthin kopieren", "Löschen…"])
    );
    ana.press("Escape");
    // What the server refuses, and what the page does.
    for (typed, words) in [
        ("/mute Cleo", "Niemand hier heißt so."),
        ("/nowhere", "/nowhere gibt es hier nicht. Um es so zu sagen, beginne mit zwei Schrägstrichen."),
    ] {
        ana.fill("#text", typed);
        ana.press("Enter");
        let words = json!(words);
        ana.wait_for(&format!("document.querySelector('#remark').textContent === {words}"));
        ana.fill("#text", "");
    }
    ana.fill("#text", "/kick Ben enough");
    ana.press("Enter");
    wait_for_notice(&ana, "Ana hat Ben entfernt: enough");
    ben.wait_for("document.querySelector('#status p').textContent === 'You were kicked by Ana: enough'");
}
