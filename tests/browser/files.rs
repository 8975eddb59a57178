//! Sharing files on the pages: chosen, pasted and dropped, on their way, and in the conversation.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::chromium::{Chromium, Window};
use crate::proxy::Proxy;
use crate::support::Server;
use crate::{
    Nc, assert_well_behaved, come_back, create_room, go_offline, join_by_proxy, join_room, wait_until_connected,
};

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
        getResponseHeader() {
            return null;
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
const HANDS: &str = r##"
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
        document.querySelector("#timeline").dispatchEvent(event);
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
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("snugd-shared-{}-{}", std::process::id(), rand::random::<u64>()));
        fs::create_dir(&path).expect("a new folder");
        Folder(path)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
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

fn wait_for_equal(window: &Window, expression: &str, value: &Value) {
    window.wait_for(&format!("JSON.stringify({expression}) === {:?}", value.to_string()));
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
    let too_large = "Too large to be shared here: a file may have 977 KB.";
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
        assert_eq!((query(&ana, number, "name"), query(&ana, number, "text")), (json!(name), json!(text)));
        assert_eq!(ana.evaluate(&format!("requests[{number}].body.name")), name);
        ana.evaluate(&format!("requests[{number}].answer(201, {{}})"));
    }
    wait_for_equal(&ana, "onTheirWay()", &json!([]));
    let cids = ana.evaluate("new Set(requests.map(({ url }) => url.searchParams.get('cid'))).size");
    assert_eq!(cids, 3);
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_text_is_pasted_as_a_text_whatever_comes_along() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    ana.prepare_pages(TOLD_BY_THE_TEST);
    create_room(&ana, &server, "Ana");
    // Cells of a table: programs offer a picture of them as well.
    let cells = "pasteAll(transfer([picture('cells.png')], { 'text/plain': 'cells', 'text/html': '<table>' }))";
    assert_eq!(ana.evaluate(cells), true, "the browser does it");
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
fn where_no_files_are_shared_nothing_speaks_of_them() {
    let server = Server::with(&["--files", "off"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    create_room(&ana, &server, "Ana");
    assert_eq!(ana.evaluate("document.querySelector('#attach').hidden"), true);
    ana.evaluate("paste(picture('shot.png'))");
    ana.evaluate("drag('dragenter', picture('shot.png'))");
    assert_eq!(ana.evaluate("document.querySelector('#drop').hidden && !document.querySelector('#share').open"), true);
    assert_well_behaved(&ana, &server);
}

#[test]
fn how_far_a_file_is_shows_and_it_can_be_stopped_and_tried_again() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    ana.prepare_pages(TOLD_BY_THE_TEST);
    create_room(&ana, &server, "Ana");
    ana.evaluate("paste(picture('one.png'), picture('two.png'), picture('three.png'))");
    ana.click("#share .primary");
    ana.wait_for("requests.length === 1");
    ana.evaluate("requests[0].progress(34, 100)");
    wait_for_equal(&ana, "onTheirWay()", &json!(["one.png: 34%", "two.png: waiting", "three.png: waiting"]));
    assert_eq!(ana.evaluate("document.querySelector('.upload progress').value"), 0.34);
    // The first is not to be sent after all, and the next takes its turn.
    ana.click(".upload .remedies button");
    assert_eq!(ana.evaluate("requests[0].isAborted"), true);
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
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    ana.prepare_pages(TOLD_BY_THE_TEST);
    create_room(&ana, &server, "Ana");
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
    assert_well_behaved(&ana, &server);
}

#[test]
fn a_picture_takes_its_place_before_it_is_there_and_other_files_are_only_saved() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    ana.prepare_pages(TOLD_BY_THE_TEST);
    create_room(&ana, &server, "Ana");
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
    let expected =
        json!([["page.html", "page.html2.1 MB"], ["drawing.svg", "drawing.svg2.1 MB"], ["plan.pdf", "plan.pdf2.1 MB"]]);
    wait_for_equal(&ana, cards, &expected);
    let shown = "document.querySelectorAll('#timeline :is(iframe, object, embed, audio, video, svg)').length";
    assert_eq!(ana.evaluate(shown), 0);
    wait_until_connected(&ana);
    assert_well_behaved(&ana, &server);
}

#[test]
fn what_is_shared_is_there_for_everybody() {
    let folder = Folder::new();
    let server = Server::start();
    let chromium = Chromium::shared();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    ana.prepare_pages(HANDS);
    ben.prepare_pages(HANDS);
    let room = create_room(&ana, &server, "Ana");
    join_room(&ben, &server, &room, "Ben");
    let mut cleo = Nc::join(&server, &room, "cleo");
    ana.evaluate("paste(picture('plan of it.png', 640, 320))");
    ana.fill("#share-text", "the plan");
    ana.press("Enter");
    cleo.wait_for("plan of it.png");
    for window in [&ana, &ben] {
        wait_for_equal(window, "shared()", &json!(["plan of it.png"]));
        window.wait_for("document.querySelector('.picture img').naturalWidth === 640");
        assert_eq!(window.evaluate("document.querySelector('.picture img').width"), 360);
        assert_eq!(window.text("[data-id] .file + .text"), "the plan");
        wait_for_equal(window, "document.querySelectorAll('.upload').length", &json!(0));
    }
    // What would be run as a page of this server is saved, whatever it calls itself.
    let page = folder.write("page.html", b"<!doctype html><script>window.wasRun = true</script>");
    let drawing =
        folder.write("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>");
    let disguised = folder.write("holiday.png", b"<!doctype html><script>window.wasRun = true</script>");
    ben.choose_files("#files", &[&page, &drawing, &disguised]);
    ben.click("#share .primary");
    let names = json!(["plan of it.png", "page.html", "drawing.svg", "holiday.png"]);
    for window in [&ana, &ben] {
        wait_for_equal(window, "shared()", &names);
        assert_eq!(window.evaluate("document.querySelectorAll('.picture').length"), 1);
        assert_eq!(window.evaluate("document.querySelectorAll('#timeline a.card[download]').length"), 3);
    }
    let addresses =
        ana.evaluate("[...document.querySelectorAll('#timeline a.card')].map(card => new URL(card.href).pathname)");
    for address in addresses.as_array().expect("addresses") {
        let response = server.get(address.as_str().expect("an address"));
        assert_eq!(response.status, 200, "{address}");
        assert!(response.header("content-disposition").is_some_and(|how| how.starts_with("attachment")), "{address}");
    }
    // It is found by its name.
    ana.click("#find");
    ana.fill("#sought", "drawing");
    ana.press("Enter");
    wait_for_equal(&ana, "document.querySelector('#search .found')?.textContent", &json!("drawing.svg"));
    ana.press("Escape");
    // A file is deleted as any other message.
    ben.reload();
    wait_until_connected(&ben);
    wait_for_equal(&ben, "shared()", &names);
    ana.evaluate("document.querySelector('.picture').closest('.message').focus()");
    ana.press("Enter");
    ana.click(".menu .danger");
    ana.click(".menu .danger");
    for window in [&ana, &ben] {
        wait_for_equal(window, "shared().length", &json!(3));
    }
    for window in [&ana, &ben] {
        assert_well_behaved(window, &server);
    }
}

#[test]
fn a_file_is_said_once_whatever_becomes_of_the_connection() {
    let server = Server::with(&["--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    let room = server.create_room();
    join_by_proxy(&ana, &proxy, &room, "Ana");
    // It takes half a minute: long enough for whatever happens to it.
    let progress = "document.querySelector('.upload progress')?.value > 0";
    let share = |name: &str| {
        ana.evaluate(&format!("paste(new File([new Uint8Array(3_000_000)], {name:?}))"));
        ana.click("#share .primary");
    };
    proxy.set_rate(100_000);
    share("stopped.bin");
    ana.wait_for(progress);
    ana.click(".upload .remedies button");
    wait_for_equal(&ana, "document.querySelectorAll('.upload').length", &json!(0));
    share("kept.bin");
    ana.wait_for(progress);
    go_offline(&ana, &proxy);
    ana.wait_for("document.querySelector('.upload .fate').textContent === 'waiting'");
    proxy.set_rate(0);
    come_back(&ana, &proxy);
    wait_for_equal(&ana, "shared()", &json!(["kept.bin"]));
    wait_for_equal(&ana, "document.querySelectorAll('.upload').length", &json!(0));
    let events = server.get(&format!("/api/v1/rooms/{room}/events")).json()["events"].clone();
    let files: Vec<&Value> =
        events.as_array().expect("events").iter().filter(|event| event["type"] == "file").collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!((&files[0]["name"], &files[0]["file"]["size"]), (&json!("Ana"), &json!(3_000_000)));
}
