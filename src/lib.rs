//! snugd: chat rooms in one small binary, for browsers and terminals alike.
//!
//! The way of a message through these modules is told in `ARCHITECTURE.md`. In short: [`reactor`] owns the
//! sockets and hands bytes to a protocol ([`http`], [`ws`], [`mod@line`]); the protocol makes commands of them;
//! [`rooms`] checks those and proposes changes; [`journal`] orders the changes and makes them durable; [`rooms`]
//! applies what is committed, and encodes it once; and the reactor sends each member what its room's broadcast log
//! holds for it.
#![forbid(unsafe_code)]

// What tests of this crate and of others have in common names it as the others do.
#[cfg(test)]
extern crate self as snugd;

pub mod accounts;
pub mod binding;
#[cfg(feature = "client")]
pub mod client;
pub mod files;
pub mod greeting;
pub mod http;
pub mod interfaces;
pub mod invitation;
pub mod journal;
pub mod json;
pub mod leaving;
pub mod line;
pub mod log_output;
#[cfg(feature = "mdns")]
pub mod mdns;
pub mod meter;
pub mod options;
pub mod proxy_protocol;
pub mod reactor;
pub mod reloading;
pub mod rooms;
#[cfg(unix)]
pub mod service;
pub mod session_api;
pub mod storage;
pub mod subcommand;
pub mod surroundings;
pub mod time;
#[cfg(feature = "tls")]
pub mod tls;
pub mod ws;
