//! Reading in a real Chromium: long conversations, what was missed, comings and goings, and how texts are shown.

use serde_json::json;

use super::*;

/// How many blocks of the log there are, and how many of them are built.
const BLOCKS: &str = "(() => {
    const blocks = [...document.querySelectorAll('#timeline .block')];
    return [blocks.length, blocks.filter(block => block.childElementCount > 0).length];
})()";

fn blocks(window: &Window) -> (u64, u64) {
    serde_json::from_value(window.evaluate(BLOCKS)).expect("two numbers")
}

/// The numbers of the messages "N words" that are in sight.
fn in_sight(window: &Window) -> Vec<u64> {
    let numbers = window.evaluate(
        "(() => {
            const { top, bottom } = document.querySelector('#timeline').getBoundingClientRect();
            return [...document.querySelectorAll('#timeline [data-id].message')].filter(message => {
                const place = message.getBoundingClientRect();
                return place.bottom > top && place.top < bottom;
            }).map(message => parseInt(message.querySelector('.text').textContent));
        })()",
    );
    serde_json::from_value(numbers).expect("numbers")
}

/// Two pages with thousands of messages at once keep one browser too busy to be in time.
static LONG_CONVERSATION: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn wait_for_the_browser() -> std::sync::MutexGuard<'static, ()> {
    LONG_CONVERSATION.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn of_a_long_conversation_only_what_is_near_is_built_and_nothing_is_missing() {
    let _alone = wait_for_the_browser();
    let server = Server::with(&["--rate", "0", "--history", "20000"]);
    let room = server.create_room();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_room(&ana, &server, &room, "Ana");
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let texts: Vec<String> = (0..3000).map(|number| format!("{number} words that take a line")).collect();
    say_all(&mut ben, &texts);
    wait_for_message(&ana, texts.last().expect("one"));
    ana.wait_for(&format!("{BLOCKS}[1] < 12"));
    assert!(blocks(&ana).0 > 60);
    assert!(ana.evaluate("document.querySelectorAll('*').length").as_u64().expect("a number") < 6000);

    // Up to the beginning, by less than a screen at once: each message is met, in order.
    let mut first = *in_sight(&ana).first().expect("messages");
    while first > 0 {
        ana.evaluate(
            "document.querySelector('#timeline').scrollTop -= document.querySelector('#timeline').clientHeight * 0.8",
        );
        ana.wait_for(
            "[...document.querySelectorAll('#timeline .block')].every(block => {
            const place = block.getBoundingClientRect();
            return block.childElementCount > 0 || place.bottom < 0 || place.top > innerHeight;
        })",
        );
        let seen = in_sight(&ana);
        assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "in order: {seen:?}");
        let last = *seen.last().expect("messages");
        assert!(last + 1 >= first, "between {last} and {first} something was passed over");
        assert!(seen[0] < first, "it goes up: {first}, {seen:?}");
        first = seen[0];
    }
    ana.wait_for(&format!("{BLOCKS}[1] < 12"));
    // What comes meanwhile does not move it.
    say_all(&mut ben, &["3000 at last".to_owned()]);
    ana.wait_for("document.querySelector('#newer').dataset.missed === '1'");
    assert_eq!(in_sight(&ana)[0], 0);
    ana.click("#newer");
    wait_for_message(&ana, "3000 at last");
    ana.wait_for("document.querySelector('#newer').hidden");
    assert_eq!(in_sight(&ana).last(), Some(&3000));
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_message_far_away_is_changed_and_found_all_the_same() {
    let server = Server::with(&["--rate", "0"]);
    let room = server.create_room();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_room(&ana, &server, &room, "Ana");
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    ben.say("where it began");
    let id = ben.expect_where("it", |message| message["text"] == "where it began")["id"].clone();
    let texts: Vec<String> = (0..400).map(|number| format!("{number} words")).collect();
    say_all(&mut ben, &texts);
    wait_for_message(&ana, "399 words");
    ana.wait_for("![...document.querySelectorAll('.text')].some(text => text.textContent === 'where it began')");
    ben.send(json!({"type": "edit", "of": id, "text": "where it really began"}));
    ben.send(json!({"type": "message", "text": "look", "reply_to": id}));
    wait_for_message(&ana, "look");
    ana.wait_for("document.querySelector('button.quote')?.textContent.endsWith('where it really began')");
    ana.click("button.quote");
    ana.wait_for("document.activeElement.querySelector?.('.text')?.textContent === 'where it really began'");
    // It keeps the keyboard, wherever else one reads.
    ana.evaluate("document.querySelector('#timeline').scrollTop = 1e6");
    ana.wait_for(&format!("{BLOCKS}[1] < 12 && document.activeElement.matches('.message')"));
    assert_well_behaved(&ana, &server);
}

#[test]
fn comings_and_goings_are_one_line() {
    let server = Server::with(&["--grace", "0s"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let room = create_room(&ana, &server, "Ana");
    say(&ana, "nobody here");
    let mut people: Vec<_> = ["Ben", "Cleo", "Dora"].map(|name| WebSocketClient::join(&server, &room, name)).into();
    people[0].send(json!({"type": "leave"}));
    people[0].expect_close(1000);
    wait_for_notice(&ana, "Ben left");
    let line = "document.querySelector('#timeline .comings')";
    ana.wait_for(&format!(
        "{line}?.textContent.replace(/[\\u2068\\u2069]/g, '') === 'Cleo and Dora came in · Ben came and left'"
    ));
    let heights =
        "[...document.querySelectorAll('#timeline .joined')].map(it => it.getBoundingClientRect().height > 1)";
    assert_eq!(ana.evaluate(heights), json!([false, false, false, false]));
    ana.click("#timeline .comings");
    assert_eq!(ana.evaluate(&format!("{line}.getAttribute('aria-expanded')")), "true");
    assert_eq!(ana.evaluate("document.querySelectorAll('#timeline .joined').length"), 0);
    ana.click("#timeline .comings");
    assert_eq!(ana.evaluate("document.querySelectorAll('#timeline .joined').length"), 4);
    // What is said parts them.
    people[1].say("hello");
    wait_for_message(&ana, "hello");
    people[1].send(json!({"type": "leave"}));
    wait_for_notice(&ana, "Cleo left");
    assert_eq!(ana.evaluate("document.querySelectorAll('#timeline .comings').length"), 1);
    assert_well_behaved(&ana, &server);
}

#[test]
fn what_was_missed_offline_is_read_from_its_beginning() {
    let server = Server::with(&["--rate", "0", "--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    say_all(&mut ben, &["0 before".to_owned()]);
    wait_for_message(&ana, "0 before");
    assert_eq!(ana.evaluate("document.querySelector('.unread')"), json!(null));
    go_offline(&ana, &proxy);
    let missed: Vec<String> = (1..=60).map(|number| format!("{number} missed")).collect();
    say_all(&mut ben, &missed);
    come_back(&ana, &proxy);
    ana.wait_for("document.querySelector('#newer').dataset.missed === '60'");
    let seen = in_sight(&ana);
    assert!(seen.contains(&1) && !seen.contains(&60), "{seen:?}");
    ana.wait_for(
        "document.querySelector('.unread').nextElementSibling.querySelector('.text').textContent === '1 missed'",
    );
    // At the end all is read; what one says oneself ends it.
    ana.click("#newer");
    ana.wait_for("document.querySelector('#newer').hidden");
    say(&ana, "61 seen");
    ana.wait_for("document.querySelector('.unread') === null");
}

#[test]
fn texts_are_shown_with_a_few_marks_and_never_as_markup() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let page = chromium.open_window();
    create_room(&page, &server, "Ana");
    let link = |address: &str| {
        format!("<a href=\"{address}\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">{address}</a>")
    };
    let x = link("http://a.example/x");
    let cases = [
        ("a `b *c*` d", "a <code>b *c*</code> d".to_owned()),
        ("```\nx *y* `z`\n```", "<pre tabindex=\"0\"><code>x *y* `z`</code></pre>".to_owned()),
        ("see ```rust\nfn a() {}\n``` ok", "see <pre tabindex=\"0\"><code>fn a() {}</code></pre> ok".to_owned()),
        ("*so* it, *a b*!", "<em>so</em> it, <em>a b</em>!".to_owned()),
        ("2*3*4 * a * **b** a*b*c", "2*3*4 * a * **b** a*b*c".to_owned()),
        ("a ` b *x", "a ` b *x".to_owned()),
        ("``````", "``````".to_owned()),
        ("「http://a.example/x」を", format!("「{x}」を")),
        ("http://a.example/x（…）", format!("{x}（…）")),
        ("[http://a.example/x], {http://a.example/x}.", format!("[{x}], {{{x}}}.")),
        ("(see http://a.example/y_(z)).", format!("(see {}).", link("http://a.example/y_(z)"))),
        ("*http://a.example/x*", format!("*{x}*")),
        ("javascript:alert(1) data:text/html,x", "javascript:alert(1) data:text/html,x".to_owned()),
        ("<b>x</b> & \"y\" <img src=x>", "&lt;b&gt;x&lt;/b&gt; &amp; \"y\" &lt;img src=x&gt;".to_owned()),
        ("hi Ana, @ana and anaconda", "hi <mark>Ana</mark>, <mark>@ana</mark> and anaconda".to_owned()),
    ];
    page.evaluate(&format!(
        "Promise.all(['markup.js', 'mentions.js'].map(name => import(document.querySelector('script').src.replace('room.js', name))))
            .then(([{{ marked, isEmojiAlone }}, {{ Mentions }}]) => {{
                const mentions = new Mentions(['Ana']);
                window.shown = {}.map(text => {{
                    const element = document.createElement('div');
                    element.append(marked(text, piece => mentions.mark(piece)));
                    return element.innerHTML;
                }});
                window.alone = {}.map(isEmojiAlone);
            }})",
        json!(cases.iter().map(|(text, _)| text).collect::<Vec<_>>()),
        json!(["😀", "👍🏽👍", "❤️", "🇩🇪 🇫🇷", "👨‍👩‍👧", "1️⃣", "1", "a😀", "©", "", " ", "#"]),
    ));
    page.wait_for("window.alone !== undefined");
    let shown: Vec<String> = serde_json::from_value(page.evaluate("window.shown")).expect("texts");
    for ((text, expected), shown) in cases.iter().zip(&shown) {
        assert_eq!(shown, expected, "{text}");
    }
    let expected = [true, true, true, true, true, true, false, false, false, false, false, false];
    assert_eq!(page.evaluate("window.alone"), json!(expected));
}

#[test]
fn tab_leads_past_the_links_of_all_messages_but_one() {
    let server = Server::with(&["--rate", "0"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    create_room(&ana, &server, "Ana");
    for number in 0..3 {
        say(&ana, &format!("http://a.example/{number}"));
    }
    let reached = "[...document.querySelectorAll('#timeline a')].filter(a => a.tabIndex >= 0).map(a => a.textContent)";
    assert_eq!(ana.evaluate(reached), json!(["http://a.example/2"]));
    ana.evaluate("document.querySelector('#timeline .message[tabindex=\"0\"]').focus()");
    ana.press("ArrowUp");
    assert_eq!(ana.evaluate(reached), json!(["http://a.example/1"]));
    ana.press("Tab");
    ana.wait_for("document.activeElement.textContent === 'http://a.example/1'");
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_tall_text_is_folded_until_it_is_wanted() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let page = chromium.open_window();
    let room = create_room(&page, &server, "Ana");
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    ben.say(&"line\n".repeat(100));
    let text = "document.querySelector('.message:not(.own) .text')";
    page.wait_for(&format!("{text}?.classList.contains('folded')"));
    let height =
        |page: &Window| page.evaluate(&format!("{text}.getBoundingClientRect().height")).as_f64().expect("a height");
    assert!(height(&page) < 500.0);
    page.click(".unfold");
    page.wait_for(&format!("!{text}.classList.contains('folded')"));
    assert!(height(&page) > 1000.0);
    assert_eq!(page.evaluate("document.querySelector('.unfold')"), json!(null));
    assert_well_behaved(&page, &server);
}

#[test]
fn ten_thousand_messages_take_no_more_of_the_page_than_a_hundred() {
    let _alone = wait_for_the_browser();
    let server = Server::with(&["--rate", "0", "--history", "20000"]);
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "Ben");
    // Not all at once: who is too slow to read is sent away.
    for hundred in 0..100 {
        let texts: Vec<String> = (0..100).map(|number| format!("{} words", hundred * 100 + number)).collect();
        texts.iter().for_each(|text| ben.say(text));
        ben.expect_where("the last of them", |message| message["text"] == *texts[99]);
    }
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    join_room(&ana, &server, &room, "Ana");
    wait_for_message(&ana, "9999 words");
    // Up to the beginning, as fast as it can be fetched.
    ana.evaluate(
        "window.mostElements = 0;
         window.climbing = setInterval(() => {
             document.querySelector('#timeline').scrollTop = 0;
             window.mostElements = Math.max(window.mostElements, document.querySelectorAll('*').length);
         }, 20)",
    );
    let started = std::time::Instant::now();
    while in_sight(&ana).first() != Some(&0) {
        assert!(
            started.elapsed() < 6 * DEADLINE,
            "it comes to the beginning; the page is at {:?}",
            in_sight(&ana).first()
        );
        ana.evaluate_promise("new Promise(done => setTimeout(done, 100))");
    }
    ana.evaluate("clearInterval(window.climbing)");
    assert!(blocks(&ana).0 >= 125, "all are there: {:?}", blocks(&ana));
    let most = ana.evaluate("window.mostElements").as_u64().expect("a number");
    assert!(most < 8000, "{most} elements");
    ben.say("and one more");
    ana.wait_for("document.querySelector('#newer').dataset.missed === '1'");
    assert_eq!(in_sight(&ana)[0], 0);
    assert_well_behaved(&ana, &server);
}
