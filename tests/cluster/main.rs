//! Several of the real program, one real Redis: people on different nodes are in one room, and whatever of it all is
//! killed, stopped or cut off, nobody loses a line.
//!
//! `CLUSTER_CYCLES=300 cargo test --release --test cluster cycles -- --nocapture` kills, stops and cuts off more often, and
//! prints what came of it; `CLUSTER_SEED=7` does it in another order.
#![cfg(feature = "cluster")]

mod amending;
mod away;
#[cfg(feature = "tls")]
#[path = "../encryption/certificate.rs"]
mod certificate;
mod commands;
mod cycles;
#[path = "../history/mod.rs"]
mod history;
mod leaving;
mod nodes;
#[path = "../history/party.rs"]
mod party;
mod promoting;
#[allow(dead_code)]
#[path = "../faults/proxy.rs"]
mod proxy;
mod reaching;
mod redis;
mod sharing;
mod standing;
#[path = "../support/mod.rs"]
mod support;
