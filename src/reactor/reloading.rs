//! What changes while the program runs, without anybody being dropped: whoever is connected goes on as before, and what
//! is counted from now on is counted by the new limits.

use super::net::Net;
use super::{AdmissionLimits, Reactor};
use crate::journal::Journal;
use crate::options::{FileLimits, Limits, WebOptions};
#[cfg(feature = "tls")]
use crate::tls::ServerKeys;
use crate::ws;

/// What is in force from now on.
#[derive(Clone, Debug)]
pub struct Reload {
    /// The limits of rooms.
    pub limits: Limits,
    /// How large shared files may be.
    pub files: FileLimits,
    /// Which connections are accepted.
    pub admission: AdmissionLimits,
    /// Whom the pages trust.
    pub web: WebOptions,
    /// By what the server shows who it is; `None`: by what it did before.
    #[cfg(feature = "tls")]
    pub keys: Option<ServerKeys>,
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// What is asked when the program is told to read its configuration again; `None`: nothing changes.
    pub fn set_reload(&mut self, reload: Box<dyn FnMut() -> Option<Reload>>) {
        self.reload = Some(reload);
    }

    /// The program is told to read its configuration again.
    pub(super) fn reload(&mut self) {
        let Some(reload) = self.reload.as_mut().and_then(|reload| reload()) else { return };
        #[cfg(feature = "tls")]
        if let Some(keys) = reload.keys {
            self.net.renew_keys(keys);
        }
        let Reload { limits, files, admission, web, .. } = reload;
        self.admission.set_limits(admission);
        if let Some(own) = &mut self.files {
            own.set_limits(files);
        }
        if let Some(authenticator) = &mut self.authenticator {
            authenticator.set_registrations(limits.create_rate);
        }
        self.shared.site.set_limits(&web, &limits);
        self.shared.ws = ws::Context::new(&limits);
        self.shared.line.limits = limits.clone();
        self.rooms.set_limits(limits);
    }
}
