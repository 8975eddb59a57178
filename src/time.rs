//! The time, as everything below the reactor is told it: nobody else asks a clock.

/// The time, read once a turn and passed down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Milliseconds since the program started; never goes back. For deadlines and rates.
    pub steady_ms: u64,
    /// Milliseconds since 1970, UTC, as the system's clock tells them. For people.
    pub wall_ms: u64,
}
