//! The page over the server's own TLS, which leads there from where there is none.

use serde_json::json;

use super::chromium::Chromium;
use super::support::server::command;
use super::support::{Server, Terminal};
use super::{say, wait_for_message, wait_until_connected};

#[path = "../encryption/certificate.rs"]
#[allow(dead_code)]
mod certificate;

#[test]
fn a_page_leads_to_tls_and_stays_there() {
    let (certificate, key) = certificate::certificate();
    let mut command = command();
    command.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]);
    let server = Server::run({
        command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
        command
    });
    let own = format!("https://localhost:{}/", server.web.port());
    let chromium = Chromium::shared();
    let window = chromium.open_window();
    // Nobody vouches for the certificate in this browser.
    window.call("Security.enable", json!({}));
    window.call("Security.setIgnoreCertificateErrors", json!({"ignore": true}));
    window.try_to_open(&server.url());
    window.wait_for(&format!("location.href === {own:?} && document.readyState === 'complete' && isSecureContext"));
    window.fill("#name", "Ana");
    window.click("#create");
    wait_until_connected(&window);
    let room = window.url().strip_prefix(&own).expect("an address there").to_owned();

    let mut ben = Terminal::join(&server, &room, "ben");
    say(&window, "is anybody listening?");
    ben.expect_text("<Ana> is anybody listening?\r\n");
    ben.send_line("not to you and me");
    wait_for_message(&window, "not to you and me");
    window.reload();
    wait_until_connected(&window);
    say(&window, "still here");
    ben.expect_text("<Ana> still here\r\n");
    let requests = window.seen().requests;
    assert!(requests.contains(&format!("wss://localhost:{}/ws", server.web.port())), "{requests:?}");
}
