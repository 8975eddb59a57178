//! Files that would do something if they were run or rendered as what they are: in a real browser, they do not.

use serde_json::Value;

use crate::chromium::Chromium;
use crate::home;
use crate::support::Server;

/// What gives itself away, should it ever be run: by the title, by a request, by a mark, by a dialog that stops the page.
const RUNS: &str = "document.title='owned';new Image().src='/owned';fetch('/owned');self.owned=1;top.owned=1;alert(1)";

/// Puts a file into every place of a page that runs or applies what it loads, and waits until all of them have.
const PUT_EVERYWHERE: &str = r##"(async (url) => {
    const put = (name, fields) => new Promise((resolve) => {
        const element = Object.assign(document.createElement(name), fields, { onload: resolve, onerror: resolve });
        document.head.append(element);
    });
    const worker = (make) => new Promise((resolve) => {
        try {
            make().onerror = resolve;
        } catch {
            resolve();
        }
    });
    await Promise.allSettled([
        put("script", { src: url }),
        put("script", { src: url, type: "module" }),
        put("link", { href: url, rel: "stylesheet" }),
        put("img", { src: url }),
        import(url),
        worker(() => new Worker(url)),
        navigator.serviceWorker?.register(url, { scope: url }),
    ]);
    window.isSettled = true;
})"##;

fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let html = format!("<!doctype html><title>owned</title><script>{RUNS}</script><body onload=\"{RUNS}\">");
    let svg = format!("<svg xmlns='http://www.w3.org/2000/svg' onload=\"{RUNS}\"><title>owned</title></svg>");
    let xhtml =
        format!("<html xmlns='http://www.w3.org/1999/xhtml'><title>owned</title><script>{RUNS}</script></html>");
    // The smallest picture there is.
    let gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    vec![
        ("page.html", html.clone().into_bytes()),
        ("holiday.png", html.clone().into_bytes()),
        ("drawing.svg", svg.clone().into_bytes()),
        ("drawing.svg", format!("<?xml version='1.0'?>{svg}").into_bytes()),
        ("page.xhtml", xhtml.into_bytes()),
        ("script.js", RUNS.as_bytes().to_vec()),
        ("style.css", b"html { --owned: 1; display: none }".to_vec()),
        ("plan.pdf", format!("%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS({RUNS})>>>>endobj\n%%EOF").into_bytes()),
        ("both.gif", [&gif[..], html.as_bytes()].concat()),
        ("both.js", [&b"GIF89a=1;"[..], RUNS.as_bytes()].concat()),
        (
            "feed.xml",
            format!("<?xml version='1.0'?><x xmlns:h='http://www.w3.org/1999/xhtml'><h:script>{RUNS}</h:script></x>")
                .into_bytes(),
        ),
        ("page.mht", format!("MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n{html}").into_bytes()),
    ]
}

#[test]
fn what_is_hostile_runs_nowhere() {
    let server = Server::start();
    let window = Chromium::shared().open_window();
    let room = server.create_room();
    window.open(&home(&server));
    let title = window.evaluate("document.title");
    for (name, content) in hostile() {
        let path = format!("/api/v1/rooms/{room}/files?as=eve&name={name}");
        let response = server.http().request("POST", &path, &[("Content-Type", "text/html")], &content);
        assert_eq!(response.status, 201, "{name}: {}", response.text());
        let path = response.expect_header("Location").to_owned();
        let address = format!("{}{}", home(&server), path.trim_start_matches('/'));

        // As a page of its own: it is saved, or it is a picture.
        window.try_to_open(&address);
        window.wait_for("document.readyState === 'complete'");
        let shown = window.evaluate("document.contentType");
        let is_picture = shown.as_str().is_some_and(|shown| shown.starts_with("image/") && !shown.contains("svg"));
        assert!(is_picture || !window.url().contains("/files/"), "{name} is shown as {shown}");
        assert_ne!(window.evaluate("document.title"), "owned", "{name}");

        // As a part of a page of this server.
        window.open(&home(&server));
        window.evaluate(&format!("{PUT_EVERYWHERE}({path:?})"));
        window.wait_for("window.isSettled");
        assert_eq!(window.evaluate("document.title"), title, "{name}");
        assert_eq!(window.evaluate("window.owned"), Value::Null, "{name}");
        let style = window.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--owned')");
        assert_eq!(style, "", "{name}");
    }
    let requests = window.seen().requests;
    assert!(!requests.iter().any(|request| request.ends_with("/owned")), "{requests:?}");
}
