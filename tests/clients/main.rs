//! The programs that people and their scripts really use, each in a room with somebody else: netcats, telnets, a MUD
//! client, HTTP clients, and the WebSocket libraries of other languages. Each joins, says something, hears what the
//! other says, and leaves.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod robin;
mod scripts;
mod terminals;
