//! How the program is told from outside to stop, or to read its configuration again: by signals, where there are any.

use std::io;

use mio::{Registry, Token};

use super::{HangUp, Readiness};

#[cfg(unix)]
mod system {
    use mio::Interest;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook_mio::v1_0::Signals;

    use super::*;

    /// Signals that are taken; what each of them did before is not brought back.
    pub struct TakenSignals {
        signals: Signals,
        hang_up: HangUp,
    }

    impl TakenSignals {
        /// Takes them, and has them reported under this token.
        pub fn take(registry: &Registry, token: Token, hang_up: HangUp) -> io::Result<TakenSignals> {
            let mut signals = Signals::new([SIGINT, SIGTERM])?;
            if hang_up != HangUp::Ignore {
                signals.add_signal(SIGHUP)?;
            }
            registry.register(&mut signals, token, Interest::READABLE)?;
            Ok(TakenSignals { signals, hang_up })
        }

        /// What those mean that have come.
        pub fn pending(&mut self) -> impl Iterator<Item = Readiness> {
            let hang_up = self.hang_up;
            self.signals.pending().map(move |signal| match (signal, hang_up) {
                (SIGHUP, HangUp::Reload) => Readiness::Reload,
                _ => Readiness::Stop,
            })
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::*;

    /// There are none: Ctrl-C ends the program at once.
    pub struct TakenSignals;

    impl TakenSignals {
        /// Takes none.
        pub fn take(_registry: &Registry, _token: Token, _hang_up: HangUp) -> io::Result<TakenSignals> {
            Ok(TakenSignals)
        }

        /// None has come.
        pub fn pending(&mut self) -> impl Iterator<Item = Readiness> {
            core::iter::empty()
        }
    }
}

pub use system::TakenSignals;
