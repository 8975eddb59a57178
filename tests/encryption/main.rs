//! The real program over its own TLS, with the programs that people and their scripts really use: pages, WebSockets and
//! files, terminals, and peers that mean no good.
#![cfg(all(target_os = "linux", feature = "tls"))]

#[path = "../support/mod.rs"]
mod support;

mod certificate;
mod client;
mod hostile;
mod starting;
mod terminals;
mod web;

use certificate::certificate;
use support::server::command;
use support::{Server, Terminal};

/// A server that shows the certificate, with terminals both without TLS and over it.
fn start(options: &[&str]) -> Server {
    let (certificate, key) = certificate();
    let mut command = command();
    for listen in ["--listen", "--line-listen", "--line-tls-listen"] {
        command.args([listen, "127.0.0.1:0"]);
    }
    command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key).args(options);
    Server::run_listening(command, &["web", "line", "line-tls"])
}

/// Where terminals come over TLS.
fn line_tls(server: &Server) -> std::net::SocketAddr {
    server.listener(2).parse().expect("an address")
}

/// A room with Ana in it, who comes without TLS.
fn room_of_ana(server: &Server) -> (Terminal, String) {
    let mut ana = Terminal::connect(server);
    ana.expect_text("Name: ");
    ana.send_line("/new ana");
    ana.expect_text("* ");
    let room = ana.expect_text(". ");
    ana.catch_up();
    (ana, room)
}
