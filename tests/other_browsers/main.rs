//! The pages in Firefox and in WebKit, as Safari has it: one tour, from the start page to a picture, in each.
//!
//! `SCREENSHOTS=FOLDER cargo test --test other_browsers` leaves pictures of the pages there.

#![cfg(target_os = "linux")]

#[path = "../browser/devtools.rs"]
mod devtools;
mod firefox;
#[path = "../faults/proxy.rs"]
#[allow(dead_code)]
mod proxy;
#[path = "../support/mod.rs"]
mod support;
mod surroundings;
mod tour;
mod webkit;
mod window;

use firefox::Firefox;
use webkit::WebKit;

/// Whether the system that a browser runs on has light or dark colours.
#[derive(Clone, Copy, PartialEq)]
pub enum Scheme {
    Light,
    Dark,
}

#[test]
fn firefox_takes_the_tour() {
    let firefox = Firefox::start("en-GB, en", Scheme::Light);
    tour::take(&firefox.open_window(), &firefox.open_window());
}

#[test]
fn webkit_takes_the_tour() {
    tour::take(&WebKit::start(Scheme::Light), &WebKit::start(Scheme::Light));
}

#[test]
fn firefox_reads_a_long_conversation() {
    let firefox = Firefox::start("en-GB, en", Scheme::Light);
    tour::read_back(&firefox.open_window());
}

#[test]
fn webkit_reads_a_long_conversation() {
    tour::read_back(&WebKit::start(Scheme::Light));
}

#[test]
fn firefox_speaks_the_readers_language_in_the_dark() {
    let firefox = Firefox::start("de-AT, de, en", Scheme::Dark);
    let window = firefox.open_window();
    tour::look_around_in_the_dark(&window, ["Raum anlegen", "Senden"]);
}

#[test]
fn webkit_is_dark_where_the_system_is() {
    tour::look_around_in_the_dark(&WebKit::start(Scheme::Dark), ["Create a room", "Send"]);
}

#[test]
fn the_watch_over_pages_notices_what_goes_wrong() {
    let firefox = Firefox::start("en-GB, en", Scheme::Light);
    tour::go_wrong(&firefox.open_window());
    tour::go_wrong(&WebKit::start(Scheme::Light));
}
