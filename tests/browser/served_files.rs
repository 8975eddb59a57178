//! Files that pages share with the real server, and show as it has them.

use serde_json::{Value, json};

use crate::chromium::{Chromium, Seen};
use crate::files::{Folder, HANDS, wait_for_equal};
use crate::proxy::Proxy;
use crate::support::Server;
use crate::{
    Nc, assert_well_behaved, come_back, create_room, go_offline, home, join_by_proxy, join_room, wait_until_connected,
};

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

#[test]
fn of_several_files_one_is_refused_and_the_others_are_there() {
    let server = Server::with(&["--max-file", "3M", "--max-files", "8M"]);
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    create_room(&ana, &server, "Ana");
    // The page is told of another limit than the server has.
    ana.evaluate("window.bytes = (count, name) => new File([new Uint8Array(count)], name)");
    ana.evaluate("Object.defineProperty(window.large = bytes(4e6, 'large.bin'), 'size', { value: 1 })");
    ana.evaluate("paste(bytes(1e6, 'first.bin'), bytes(0, 'empty.txt'))");
    ana.evaluate("paste(window.large)");
    ana.evaluate(&format!("paste(bytes(9, '{}.txt'))", "ä".repeat(125)));
    ana.click("#share .primary");
    let names = json!(["first.bin", "empty.txt", format!("{}.txt", "ä".repeat(125))]);
    wait_for_equal(&ana, "shared()", &names);
    let words = "Not shared. A file has at most 3.1 MB here.";
    wait_for_equal(&ana, "[...document.querySelectorAll('.upload .fate')].map(it => it.textContent)", &json!([words]));
    let sizes = "[...document.querySelectorAll('#timeline .card small')].map(it => it.textContent)";
    assert_eq!(ana.evaluate(sizes), json!(["1.0 MB", "0 B", "9 B"]));
    // On the smallest phone nothing is wider than the screen.
    ana.resize(360, 640, "dark");
    ana.evaluate("paste(bytes(1e6, 'w'.repeat(251) + '.bin'), bytes(4e6, 'large.bin'))");
    ana.wait_for("document.querySelector('#share').open");
    let is_narrow =
        "[document.documentElement, ...document.querySelectorAll('#timeline, #share, #share ul, #share li')]
                         .every(it => it.scrollWidth <= it.clientWidth)";
    assert_eq!(ana.evaluate(is_narrow), true);
    let shown = format!("{}…{}.bin", "w".repeat(59), "w".repeat(16));
    wait_for_equal(
        &ana,
        "[...document.querySelectorAll('#share bdi')].map(it => it.textContent)",
        &json!([shown, "large.bin"]),
    );
    // What is wrong with one of many is in sight.
    ana.evaluate("paste(...Array.from({ length: 9 }, (_, index) => bytes(9, `${index}.txt`)), bytes(4e6, 'last.bin'))");
    let is_in_sight =
        "(({ bottom }) => bottom <= document.querySelector('#share ul').getBoundingClientRect().bottom + 1)
                           (document.querySelector('#share li:last-child .error').getBoundingClientRect())";
    assert_eq!(ana.evaluate(is_in_sight), true);
}

#[test]
fn two_tabs_of_one_browser_share_as_whom_each_is() {
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    let bea = ana.open_tab();
    ana.prepare_pages(HANDS);
    bea.prepare_pages(HANDS);
    let room = create_room(&ana, &server, "Ana");
    // Her session takes the place of the other in the cookie.
    bea.open(&format!("{}?code={room}", home(&server)));
    bea.fill("#name", "Bea");
    bea.click("#join");
    wait_until_connected(&bea);
    for (window, name) in [(&ana, "from ana.png"), (&bea, "from bea.png")] {
        window.evaluate(&format!("paste(picture({name:?}))"));
        window.click("#share .primary");
        ana.wait_for(&format!("shared().includes({name:?})"));
    }
    let shared = "[...document.querySelectorAll('#timeline [data-id] .picture')]
                      .map(it => [it.closest('.message').querySelector('.by .name').textContent, it.dataset.name])";
    let expected = json!([["Ana", "from ana.png"], ["Bea", "from bea.png"]]);
    for window in [&ana, &bea] {
        wait_for_equal(window, shared, &expected);
        assert_well_behaved(window, &server);
    }
}

#[test]
fn below_a_path_files_are_shared_and_shown_as_well() {
    let server = Server::with(&["--base-path", "/chat"]);
    let base = format!("{}chat/", home(&server));
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    ana.open(&base);
    ana.fill("#name", "Ana");
    ana.click("#create");
    wait_until_connected(&ana);
    ana.evaluate("paste(picture('plan.png'), new File(['milk'], 'list.txt'))");
    ana.click("#share .primary");
    wait_for_equal(&ana, "shared()", &json!(["plan.png", "list.txt"]));
    ana.wait_for("document.querySelector('.picture img').naturalWidth === 40");
    ana.click(".picture");
    ana.wait_for("document.querySelector('#viewer img').naturalWidth === 40");
    ana.press("Escape");
    let addresses =
        ana.evaluate("[...document.querySelectorAll('a[download]')].map(link => new URL(link.href).pathname)");
    assert_eq!(addresses.as_array().map(Vec::len), Some(2));
    for address in addresses.as_array().expect("addresses") {
        assert_eq!(server.get(address.as_str().expect("an address")).status, 200, "{address}");
    }
    let Seen { requests, complaints } = ana.seen();
    assert_eq!(complaints, [] as [String; 0]);
    let is_below = |request: &&String| request.starts_with(&base) || request.starts_with("blob:");
    let others: Vec<_> = requests.iter().filter(|request| !is_below(request)).collect();
    assert_eq!(others, [&format!("ws://{}/chat/ws", server.web)]);
}

#[test]
fn sound_and_film_play_where_they_are_until_they_are_deleted() {
    let folder = Folder::new();
    let server = Server::start();
    let chromium = Chromium::shared();
    let ana = chromium.open_window();
    ana.prepare_pages(HANDS);
    create_room(&ana, &server, "Ana");
    // A second of silence, as a WAV file: 8000 samples of a byte.
    let mut sound =
        b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0".to_vec();
    sound.extend([0x80; 8000]);
    ana.choose_files("#files", &[&folder.write("silence.wav", &sound)]);
    ana.click("#share .primary");
    ana.wait_for("document.querySelector('#timeline audio + .card')?.download === 'silence.wav'");
    // A film of a drawing.
    ana.evaluate(
        "{
            const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
            const drawing = canvas.getContext('2d');
            const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: 'video/webm' });
            recorder.ondataavailable = ({ data }) => paste(new File([data], 'film.webm'));
            recorder.start();
            let count = 0;
            const draw = () => {
                drawing.fillRect(count, 0, 4, 48);
                if ((count += 1) < 20) setTimeout(draw, 20);
                else recorder.stop();
            };
            draw();
        }",
    );
    ana.click("#share .primary");
    ana.wait_for("document.querySelector('#timeline video + .card')?.download === 'film.webm'");
    ana.wait_for("document.querySelector('video').videoWidth === 64");
    assert_eq!(
        ana.evaluate("document.querySelector('audio').readyState"),
        0,
        "nothing of it is fetched before it is wanted"
    );
    ana.evaluate("for (const it of document.querySelectorAll('audio, video')) { it.loop = true; it.play(); }");
    for player in ["audio", "video"] {
        ana.wait_for(&format!("document.querySelector({player:?}).currentTime > 0"));
        assert_eq!(
            ana.evaluate(&format!("window.{player} = document.querySelector({player:?}); {player}.controls")),
            true
        );
        assert_ne!(ana.evaluate(&format!("{player}.getAttribute('aria-label')")), Value::Null);
    }
    assert_well_behaved(&ana, &server);
    ana.evaluate("document.querySelector('audio').closest('.message').focus()");
    ana.press("Enter");
    ana.click(".menu .danger");
    ana.click(".menu .danger");
    ana.wait_for("!audio.isConnected && audio.paused && !video.paused");
}

#[test]
fn a_picture_that_could_not_be_fetched_is_shown_once_the_connection_is_back() {
    let server = Server::with(&["--grace", "1m"]);
    let proxy = Proxy::start_calm(server.web);
    let chromium = Chromium::shared();
    let (ana, ben) = (chromium.open_window(), chromium.open_window());
    ana.prepare_pages(HANDS);
    // The first picture finds no way.
    ben.prepare_pages(
        "const { set } = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, 'src');
         Object.defineProperty(HTMLImageElement.prototype, 'src', {
             configurable: true,
             set(url) { set.call(this, url.includes('/files/') && !window.isBack ? 'data:,' : url); },
         });",
    );
    let room = create_room(&ana, &server, "Ana");
    join_by_proxy(&ben, &proxy, &room, "Ben");
    ana.evaluate("paste(picture('plan.png'))");
    ana.click("#share .primary");
    ben.wait_for("document.querySelector('#timeline .card')?.download === 'plan.png'");
    go_offline(&ben, &proxy);
    ben.evaluate("window.isBack = true");
    come_back(&ben, &proxy);
    ben.wait_for("document.querySelector('.picture img')?.naturalWidth === 40");
    assert_eq!(ben.evaluate("document.querySelectorAll('#timeline .card').length"), 0);
}
