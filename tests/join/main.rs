//! `snugd join`, the real client against the real server: at a terminal, of which the screen is looked at, and in pipes.

#[allow(dead_code)]
#[path = "../faults/proxy.rs"]
mod proxy;
#[path = "../support/mod.rs"]
mod support;

mod coming_back;
#[cfg(feature = "tls")]
mod encrypted;
mod entering;
mod screen;
mod scripts;
mod typing;
