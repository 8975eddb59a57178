//! The ordered log in a Redis, or whatever speaks like one.

mod address;

pub use address::ClusterAddress;
