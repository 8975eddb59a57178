//! Sharing files on the pages: chosen, pasted and dropped, on their way, and in the conversation. What becomes of them is
//! said by the tests; `served_files.rs` has the real server.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::chromium::{Chromium, Window};
use crate::proxy::Proxy;
use crate::support::{HttpClient, Server};
use crate::{assert_well_behaved, come_back, create_room, go_offline, join_by_proxy, wait_until_connected};

/// Lets a test say what becomes of each file that is sent, and tell the page of events as a server does. Files of up to a
/// million bytes are shared.
const TOLD_BY_THE_TEST: &str = r##"(() => {
    const listen = WebSocket.prototype.addEventListener;
    WebSocket.prototype.addEventListener = function (type, run) {
        if (type !== "message") return listen.call(this, type, run);
        window.deliver = (message) => run({ data: JSON.stringify(message) });
        listen.call(this, type, ({ data }) => {
            const message = JSON.parse(data);
            if (message.type === "joined") message.limits.file = 1_000_000;
            deliver(message);
        });
    };
    window.requests = [];
    window.XMLHttpRequest = class extends EventTarget {
        upload = new EventTarget();
        fields = {};
        open(method, url) {
            Object.assign(this, { method, url: new URL(url, location) });
        }
        setRequestHeader(name, value) {
            this.fields[name] = value;
        }
        getResponseHeader(name) {
            return this.answerFields?.[name] ?? null;
        }
        abort() {
            this.isAborted = true;
            this.responseText = "";
        }
        send(body) {
            this.body = body;
            requests.push(this);
        }
        progress(loaded, total) {
            this.upload.dispatchEvent(Object.assign(new Event("progress"), { loaded, total }));
        }
        answer(status, answer) {
            Object.assign(this, { status, responseText: JSON.stringify(answer) });
            this.dispatchEvent(new Event("load"));
        }
        fail() {
            this.dispatchEvent(new Event("error"));
        }
    };
    window.chosen = () => [...document.querySelectorAll("#share li")].map((item) => item.querySelector("bdi").textContent);
    window.onTheirWay = () =>
        [...document.querySelectorAll(".upload")].map((element) =>
            [element.querySelector("bdi").textContent, element.querySelector(".fate").textContent].join(": "));
})()"##;

/// What a person does with files: copied ones are pasted, others dragged, perhaps with what else programs offer.
pub const HANDS: &str = r##"
    window.transfer = (files, texts) => {
        const data = new DataTransfer();
        for (const file of files) data.items.add(file);
        for (const [type, text] of Object.entries(texts ?? {})) data.setData(type, text);
        return data;
    };
    window.pasteAll = (clipboardData) => {
        const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
        return document.querySelector("#text").dispatchEvent(event);
    };
    window.paste = (...files) => pasteAll(transfer(files));
    window.drag = (type, ...files) => {
        const event = new DragEvent(type, { dataTransfer: transfer(files), bubbles: true, cancelable: true });
        return document.querySelector("#timeline").dispatchEvent(event);
    };
    window.picture = (name, width = 40, height = 30) => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [width, height];
        const bytes = atob(canvas.toDataURL("image/png").split(",")[1]);
        return new File([Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))], name, { type: "image/png" });
    };
    window.shared = () =>
        [...document.querySelectorAll("#timeline [data-id] .file")].map((file) =>
            file.querySelector(".picture")?.dataset.name ?? file.querySelector(".card")?.download);
"##;

/// Files of the disk, which go with this.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("snugd-shared-{}-{}", std::process::id(), rand::random::<u64>()));
        fs::create_dir(&path).expect("a new folder");
        Folder(path)
    }

    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a new file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn wait_for_equal(window: &Window, expression: &str, value: &Value) {
    window.wait_for(&format!("JSON.stringify({expression}) === {:?}", value.to_string()));
}

/// A page in a room of its own, where the test says what becomes of files.
fn told_by_the_test() -> (Server, Window) {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    ana.prepare_pages(TOLD_BY_THE_TEST);
    create_room(&ana, &server, "Ana");
    (server, ana)
}

/// What a request that was sent says of its file.
fn query(window: &Window, number: usize, name: &str) -> Value {
    window.evaluate(&format!("requests[{number}].url.searchParams.get({name:?})"))
}

#[test]
fn files_are_chosen_pasted_and_dropped_and_looked_at_before_anything_is_sent() {
    let folder = Folder::new();
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    ana.prepare_pages(TOLD_BY_THE_TEST);
    let room = create_room(&ana, &server, "Ana");
    let (plan, list) = (folder.write("plan.pdf", b"%PDF-1.7"), folder.write("list & more.txt", b"milk"));
    ana.choose_files("#files", &[&plan, &list]);
    ana.wait_for("document.querySelector('#share').open");
    ana.evaluate("paste(picture('shot.png'))");
    // The window of the page says where to drop what is dragged, and only then.
    ana.evaluate(
        "window.dragged = [new File(['dropped'], 'notes.md'), new File([new Uint8Array(1e6 + 1)], 'film.mov')]",
    );
    for (kind, is_hidden) in [("dragenter", false), ("dragover", false), ("dragleave", true), ("dragover", false)] {
        ana.evaluate(&format!("drag({kind:?}, ...dragged)"));
        assert_eq!(ana.evaluate("document.querySelector('#drop').hidden"), is_hidden, "{kind}");
    }
    ana.evaluate("drag('drop', ...dragged)");
    assert_eq!(ana.evaluate("document.querySelector('#drop').hidden"), true);
    let names = json!(["plan.pdf", "list & more.txt", "shot.png", "notes.md", "film.mov"]);
    wait_for_equal(&ana, "chosen()", &names);
    ana.wait_for("document.querySelector('#share li img').naturalWidth === 40");
    let too_large = "Too large to be shared here: a file may have 1.0 MB.";
    assert_eq!(ana.text("#share li .error"), too_large);
    assert_eq!(ana.text("#share .primary"), "Share 4 files");
    ana.click("#share li [aria-label='Take plan.pdf out']");
    assert_eq!(ana.evaluate("document.activeElement.getAttribute('aria-label')"), "Take list & more.txt out");
    assert_eq!(ana.evaluate("requests.length"), 0, "nothing is sent before that is wanted");
    ana.fill("#share-text", "for the two of us");
    ana.press("Enter");

    let uploads = json!(["list & more.txt: 0%", "shot.png: waiting", "notes.md: waiting"]);
    wait_for_equal(&ana, "onTheirWay()", &uploads);
    assert_eq!(ana.evaluate("document.querySelector('#share').open"), false);
    let path = format!("/api/v1/rooms/{room}/files");
    for (number, name, text) in
        [(0, "list & more.txt", Some("for the two of us")), (1, "shot.png", None), (2, "notes.md", None)]
    {
        ana.wait_for(&format!("requests.length === {}", number + 1));
        assert_eq!(
            ana.evaluate(&format!("requests[{number}].method + requests[{number}].url.pathname")),
            format!("POST{path}")
        );
        assert_eq!(query(&ana, number, "name"), name);
        // A text is not part of the address, which proxies want short.
        let body = "(body => body.get ? [body.get('file').name, body.get('text')] : [body.name, null])";
        assert_eq!(ana.evaluate(&format!("{body}(requests[{number}].body)")), json!([name, text]));
        ana.evaluate(&format!("requests[{number}].answer(201, {{}})"));
    }
    wait_for_equal(&ana, "onTheirWay()", &json!([]));
    let cids = ana.evaluate("new Set(requests.map(({ url }) => url.searchParams.get('cid'))).size");
    assert_eq!(cids, 3);
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_text_is_pasted_as_a_text_whatever_comes_along() {
    let (server, ana) = told_by_the_test();
    // Cells of a table: programs offer a picture of them as well.
    let cells = "pasteAll(transfer([picture('cells.png')], { 'text/plain': 'cells', 'text/html': '<table>' }))";
    assert_eq!(ana.evaluate(cells), false, "no field has the keyboard: the page does it");
    assert_eq!(ana.value("#text"), "cells");
    assert_eq!(ana.evaluate("document.querySelector('#share').open"), false);
    // A picture of a page: it comes along with its markup.
    let copied = "pasteAll(transfer([picture('copied.png')], { 'text/html': '<img>' }))";
    assert_eq!(ana.evaluate(copied), false);
    wait_for_equal(&ana, "chosen()", &json!(["copied.png"]));
    ana.press("Escape");
    ana.wait_for("!document.querySelector('#share').open");
    wait_for_equal(&ana, "chosen()", &json!([]));
    assert_eq!(ana.evaluate("requests.length"), 0, "it is not shared");
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_folder_is_not_shared_and_that_is_said() {
    let folder = Folder::new();
    let (plan, inner) = (folder.write("plan.pdf", b"%PDF-1.7"), folder.0.join("inner"));
    fs::create_dir(&inner).expect("a new folder");
    let (server, ana) = told_by_the_test();
    let words = "A folder cannot be shared, only the files in it.";
    ana.drop_files("#timeline", &[&inner]);
    ana.wait_for(&format!("document.querySelector('#remark').textContent === {words:?}"));
    assert_eq!(ana.evaluate("document.querySelector('#remark').hidden"), false);
    assert_eq!(ana.evaluate("document.querySelector('#share').open"), false);
    ana.drop_files("#timeline", &[&inner, &plan]);
    wait_for_equal(&ana, "chosen()", &json!(["plan.pdf"]));
    assert_eq!(ana.text("#share > form > .error"), words);
    assert_eq!(ana.evaluate("document.querySelector('#share > form > .error').hidden"), false);
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_page_is_not_left_before_its_files_are_there_unless_that_is_meant() {
    let (server, ana) = told_by_the_test();
    ana.evaluate("window.confirm = (words) => { window.asked = words; return window.isMeant; }");
    for name in ["one.png", "two.png"] {
        ana.evaluate(&format!("paste(picture({name:?}))"));
        ana.click("#share .primary");
    }
    ana.reload_but_stay();
    ana.click("#leave");
    ana.wait_for("window.asked?.startsWith('Files are still on their way')");
    wait_for_equal(&ana, "onTheirWay()", &json!(["one.png: 0%", "two.png: waiting"]));
    assert_eq!(ana.evaluate("document.querySelector('#status').dataset.state"), "open", "she has not left");
    // Of one that is not shared everything is said.
    let muted = json!({"error": {"code": "muted", "message": "You are muted here."}});
    ana.evaluate(&format!("requests[0].answer(403, {muted})"));
    ana.evaluate("requests[1].answer(201, {})");
    wait_for_equal(&ana, "onTheirWay()", &json!(["one.png: Not shared. You are muted here."]));
    ana.reload();
    wait_until_connected(&ana);
    ana.evaluate("window.confirm = () => true");
    ana.evaluate("paste(picture('three.png'))");
    ana.click("#share .primary");
    ana.click("#leave");
    ana.wait_for("location.pathname === '/' && document.querySelector('#join') !== null");
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_file_that_has_to_wait_says_why_and_one_that_is_not_shared_is_read_aloud() {
    let (_server, ana) = told_by_the_test();
    ana.evaluate("paste(picture('one.png'))");
    ana.fill("#share-text", "before");
    ana.press("Enter");
    ana.evaluate("requests[0].answerFields = { 'Retry-After': '1' }; requests[0].answer(429, { error: {} })");
    let words = "The server takes nothing more now. It is sent again in 1 s.";
    wait_for_equal(&ana, "onTheirWay()", &json!([format!("one.png: {words}")]));
    assert_eq!(ana.evaluate("document.querySelector('.upload .fate').role"), Value::Null);
    ana.wait_for("requests.length === 2");
    wait_for_equal(&ana, "onTheirWay()", &json!(["one.png: 0%"]));
    // It is our own server that does not know us: the cookie may be somebody else's, in another tab.
    let not_joined = json!({"error": {"code": "not_joined", "message": "You are not in this room."}});
    ana.evaluate(&format!("requests[1].answer(401, {not_joined})"));
    wait_for_equal(&ana, "onTheirWay()", &json!(["one.png: Not shared. You are not in this room."]));
    assert_eq!(ana.evaluate("document.querySelector('.upload .fate').role"), "alert");
    assert_eq!(ana.evaluate("requests.length"), 2);
    ana.click(".upload .remedies button:last-child");
    // Whoever cannot wait tries again, or lets the next one go first.
    ana.evaluate("paste(picture('two.png'), picture('three.png'))");
    ana.click("#share .primary");
    let words = "two.png: The server takes nothing more now. It is sent again in 60 s.";
    for (number, remedy) in [(2, "first"), (3, "last")] {
        ana.wait_for(&format!("requests.length === {}", number + 1));
        assert_eq!(query(&ana, number, "name"), "two.png");
        ana.evaluate(&format!("requests[{number}].answerFields = {{ 'Retry-After': '60' }}"));
        ana.evaluate(&format!("requests[{number}].answer(429, {{}})"));
        wait_for_equal(&ana, "onTheirWay()", &json!([words, "three.png: waiting"]));
        ana.click(&format!(".upload .remedies button:{remedy}-child"));
    }
    ana.wait_for("requests.length === 5");
    wait_for_equal(&ana, "onTheirWay()", &json!(["three.png: 0%"]));
}

#[test]
fn a_file_that_was_stopped_too_late_is_deleted() {
    let (server, ana) = told_by_the_test();
    ana.evaluate("paste(picture('one.png'))");
    ana.click("#share .primary");
    ana.evaluate("requests[0].progress(100, 100)");
    ana.click(".upload .remedies button");
    wait_for_equal(&ana, "onTheirWay()", &json!([]));
    // All of it is on the network: the server does not notice that nobody waits for the answer.
    let sent = ana.evaluate("[requests[0].url.pathname + requests[0].url.search, requests[0].fields.Authorization]");
    let (address, token) = (sent[0].as_str().expect("an address"), sent[1].as_str().expect("a token"));
    let response = HttpClient::connect(server.web).request(
        "POST",
        address,
        &[("Host", "localhost"), ("Authorization", token)],
        b"?",
    );
    assert_eq!(response.status, 201, "{}", response.text());
    ana.wait_for("document.querySelector('#timeline [data-id].deleted') !== null");
    assert_eq!(server.get(response.expect_header("Location")).status, 404);
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_file_that_every_connection_breaks_at_is_given_up_but_not_for_the_networks_fault() {
    let server = Server::with(&["--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    ana.prepare_pages(TOLD_BY_THE_TEST);
    let room = server.create_room();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    // The pauses end when the test says so.
    ana.evaluate(
        "{
            const wait = setTimeout;
            window.setTimeout = (run, delay_ms) => (delay_ms === 2000 ? (window.endPause = run) && 1 : wait(run, delay_ms));
        }",
    );
    ana.evaluate("paste(picture('one.png'), picture('two.png'))");
    ana.click("#share .primary");
    // Its connection is the first to be told of what breaks all of them.
    for number in 0..5 {
        ana.wait_for(&format!("requests.length === {}", number + 1));
        ana.evaluate(&format!("requests[{number}].fail()"));
        go_offline(&ana, &proxy);
        come_back(&ana, &proxy);
        ana.evaluate("endPause()");
    }
    for number in 5..9 {
        ana.wait_for(&format!("requests.length === {}", number + 1));
        assert_eq!(query(&ana, number, "name"), "one.png");
        ana.evaluate(&format!("requests[{number}].fail()"));
        ana.evaluate("endPause()");
    }
    ana.wait_for("requests.length === 10");
    let words = "one.png: Not shared. The connection breaks whenever it is sent, or it cannot be read.";
    wait_for_equal(&ana, "onTheirWay()", &json!([words, "two.png: 0%"]));
    // What stands before the server may be narrower than it.
    ana.evaluate("requests[9].answer(413, null)");
    let narrow = "two.png: Not shared. It is too large for a proxy on the way to the server.";
    wait_for_equal(&ana, "onTheirWay()", &json!([words, narrow]));
}

#[test]
fn pictures_that_were_looked_at_are_not_kept() {
    let (server, ana) = told_by_the_test();
    ana.evaluate(
        "window.kept = new Set();
         const [create, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
         URL.createObjectURL = (file) => (url => (kept.add(url), url))(create.call(URL, file));
         URL.revokeObjectURL = (url) => (kept.delete(url), revoke.call(URL, url));",
    );
    ana.evaluate("paste(picture('one.png'), picture('two.png'))");
    wait_for_equal(&ana, "kept.size", &json!(2));
    ana.click("#share li [aria-label='Take one.png out']");
    wait_for_equal(&ana, "kept.size", &json!(1));
    ana.press("Escape");
    wait_for_equal(&ana, "kept.size", &json!(0));
    ana.evaluate("paste(picture('three.png'), picture('four.png'))");
    // What is pasted while the dialog closes is chosen anew.
    ana.evaluate("document.querySelector('#share .primary').click(); paste(picture('five.png'))");
    ana.wait_for("requests.length === 1");
    wait_for_equal(&ana, "chosen()", &json!(["five.png"]));
    ana.evaluate("new Promise(requestAnimationFrame)");
    wait_for_equal(&ana, "[chosen(), kept.size]", &json!([["five.png"], 3]));
    ana.press("Escape");
    wait_for_equal(&ana, "kept.size", &json!(2));
    ana.evaluate("requests[0].answer(201, {})");
    wait_for_equal(&ana, "kept.size", &json!(1));
    ana.click(".upload .remedies button");
    wait_for_equal(&ana, "kept.size", &json!(0));
    assert_well_behaved(&ana, &server);
}

#[test]
fn where_no_files_are_shared_nothing_speaks_of_them() {
    let server = Server::with(&["--files", "off"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    create_room(&ana, &server, "Ana");
    assert_eq!(ana.evaluate("document.querySelector('#attach').hidden"), true);
    ana.evaluate("paste(picture('shot.png'))");
    ana.evaluate("drag('dragenter', picture('shot.png'))");
    // A file that is dropped all the same does not take the place of the page.
    assert_eq!(ana.evaluate("drag('dragover', picture('shot.png'))"), false);
    assert_eq!(ana.evaluate("drag('drop', picture('shot.png'))"), false);
    assert_eq!(ana.evaluate("document.querySelector('#drop').hidden && !document.querySelector('#share').open"), true);
    assert_well_behaved(&ana, &server);
}

#[test]
fn how_far_a_file_is_shows_and_it_can_be_stopped_and_tried_again() {
    let (server, ana) = told_by_the_test();
    ana.evaluate("paste(picture('one.png'), picture('two.png'), picture('three.png'))");
    ana.click("#share .primary");
    ana.wait_for("requests.length === 1");
    ana.evaluate("requests[0].progress(34, 100)");
    wait_for_equal(&ana, "onTheirWay()", &json!(["one.png: 34%", "two.png: waiting", "three.png: waiting"]));
    assert_eq!(ana.evaluate("document.querySelector('.upload progress').value"), 0.34);
    // The first is not to be sent after all, and the next takes its turn.
    ana.click(".upload .remedies button");
    assert_eq!(ana.evaluate("requests[0].isAborted"), true);
    assert_eq!(ana.evaluate("document.activeElement.id"), "timeline", "the keyboard is not lost");
    ana.wait_for("requests.length === 2");
    let muted = json!({"error": {"code": "muted", "message": "You are muted here."}});
    ana.evaluate(&format!("requests[1].answer(403, {muted})"));
    wait_for_equal(&ana, "onTheirWay()", &json!(["two.png: Not shared. You are muted here.", "three.png: 0%"]));
    ana.evaluate("requests[2].answer(201, {})");
    wait_for_equal(&ana, "onTheirWay()", &json!(["two.png: Not shared. You are muted here."]));
    ana.click(".upload .remedies button");
    ana.wait_for("requests.length === 4");
    assert_eq!(query(&ana, 3, "cid"), query(&ana, 1, "cid"), "it is the same file");
    // Its event is as good as the answer.
    ana.evaluate(
        "deliver({ type: 'file', id: 2, time: Date.now(), author: 1, name: 'Ana', via: 'web', kind: 'say',
                   cid: requests[3].url.searchParams.get('cid'),
                   file: { id: '0', name: 'two.png', size: 9, type: 'application/octet-stream', url: '/x' } })",
    );
    wait_for_equal(&ana, "onTheirWay()", &json!([]));
    ana.evaluate("requests[3].answer(201, {})");
    assert_eq!(ana.evaluate("document.querySelectorAll('[data-id] .card').length"), 1);
    ana.evaluate("paste(picture('four.png'))");
    ana.click("#share .primary");
    ana.evaluate(&format!("requests[4].answer(403, {muted})"));
    ana.click(".upload .remedies button:last-child");
    wait_for_equal(&ana, "onTheirWay()", &json!([]));
    assert_eq!(ana.evaluate("requests.length"), 5);
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_file_that_is_on_its_way_when_the_connection_breaks_is_sent_again() {
    let server = Server::start();
    let proxy = Proxy::start_calm(server.web);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    ana.prepare_pages(TOLD_BY_THE_TEST);
    let room = server.create_room();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    ana.evaluate("paste(picture('one.png'))");
    ana.click("#share .primary");
    ana.evaluate("requests[0].progress(34, 100)");
    go_offline(&ana, &proxy);
    ana.evaluate("requests[0].fail()");
    wait_for_equal(&ana, "onTheirWay()", &json!(["one.png: waiting"]));
    // What is shared meanwhile waits as well.
    ana.evaluate("paste(picture('two.png'))");
    ana.click("#share .primary");
    wait_for_equal(&ana, "onTheirWay()", &json!(["one.png: waiting", "two.png: waiting"]));
    assert_eq!(ana.evaluate("requests.length"), 1);
    come_back(&ana, &proxy);
    ana.wait_for("requests.length === 2");
    assert_eq!(query(&ana, 1, "cid"), query(&ana, 0, "cid"), "it is said once");
    ana.evaluate("requests[1].answer(200, {})");
    ana.wait_for("requests.length === 3");
    assert_eq!(query(&ana, 2, "name"), "two.png");
    // A proxy has its own use for the field that names us, and takes no token: the cookie does.
    assert!(ana.evaluate("requests[2].fields.Authorization").as_str().is_some_and(|it| it.starts_with("Bearer ")));
    ana.evaluate("requests[2].answer(401, {})");
    ana.wait_for("requests.length === 4");
    assert_eq!(ana.evaluate("requests[3].fields.Authorization === undefined"), true);
}

#[test]
fn a_picture_opens_large_and_the_keyboard_comes_back() {
    let (server, ana) = told_by_the_test();
    // Any picture of this server will do.
    ana.evaluate(
        "window.show = (id, name, more) =>
             deliver({ type: 'file', id, time: Date.now(), author: 9, name: 'Ben', via: 'web', kind: 'say',
                       file: { id: '0', name, size: 2203000, type: 'image/png',
                               url: new URL(document.querySelector('link[rel=icon]').href).pathname }, ...more });
         show(2, 'one.png', { text: 'the first' });
         show(3, 'two.png');",
    );
    ana.wait_for("document.querySelectorAll('.picture').length === 2");
    assert_eq!(ana.evaluate("document.querySelector('[data-id=\"3\"] .text').hidden"), true, "it has no text");
    let large = "document.querySelector('#viewer').open && document.querySelector('#viewer img').alt";
    ana.click("[data-id='2'] .picture");
    wait_for_equal(&ana, large, &json!("one.png"));
    ana.press("ArrowRight");
    wait_for_equal(&ana, large, &json!("two.png"));
    ana.press("ArrowLeft");
    ana.press("ArrowLeft");
    wait_for_equal(&ana, large, &json!("one.png"));
    ana.press("Escape");
    wait_for_equal(&ana, large, &json!(false));
    ana.wait_for("document.activeElement === document.querySelector('[data-id=\"2\"] .picture')");
    ana.press("Enter");
    wait_for_equal(&ana, large, &json!("one.png"));
    // It is deleted while it is looked at.
    ana.evaluate("deliver({ type: 'delete', id: 100, time: Date.now(), author: 9, name: 'Ben', of: 2 })");
    wait_for_equal(&ana, large, &json!(false));
    ana.wait_for("document.querySelector('[data-id=\"2\"]').textContent.includes('deleted')");
    assert_eq!(ana.evaluate("document.querySelector('[data-id=\"2\"] .file')"), Value::Null);
    // The keyboard is where it was, and reads what became of it.
    ana.wait_for("document.activeElement === document.querySelector('[data-id=\"2\"]')");
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_picture_takes_its_place_before_it_is_there_and_other_files_are_only_saved() {
    let (server, ana) = told_by_the_test();
    // The first picture never comes.
    ana.evaluate(
        "window.show = (id, file) =>
             deliver({ type: 'file', id, time: Date.now(), author: 9, name: 'Ben', via: 'web', kind: 'say',
                       file: { id: '0', size: 2203000, url: '/x', ...file } });
         const { set } = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, 'src');
         Object.defineProperty(HTMLImageElement.prototype, 'src', { set(url) { this.wanted = url; } });
         show(2, { name: 'wide.png', type: 'image/png', width: 4000, height: 1000 });
         Object.defineProperty(HTMLImageElement.prototype, 'src', { set });
         show(3, { name: 'page.html', type: 'text/html' });
         show(4, { name: 'drawing.svg', type: 'image/svg+xml' });
         show(5, { name: 'plan.pdf', type: 'application/pdf' });",
    );
    ana.wait_for("document.querySelectorAll('#timeline .file').length === 4");
    let place = ana.evaluate(
        "(({ width, height }) => [Math.round(width), Math.round(height)])
         (document.querySelector('.picture img').getBoundingClientRect())",
    );
    assert_eq!(place, json!([360, 90]));
    let cards = "[...document.querySelectorAll('#timeline .card')].map(card => [card.download, card.textContent])";
    let expected = json!([
        ["page.html", "page.html 2.2 MB"],
        ["drawing.svg", "drawing.svg 2.2 MB"],
        ["plan.pdf", "plan.pdf 2.2 MB"]
    ]);
    wait_for_equal(&ana, cards, &expected);
    let shown =
        "document.querySelectorAll('#timeline :is(iframe, object, embed, audio, video, svg:not(.icon))').length";
    assert_eq!(ana.evaluate(shown), 0);
    wait_until_connected(&ana);
    assert_well_behaved(&ana, &server);
}
