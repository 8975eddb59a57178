//! Reading the options again while the program runs, as a service is asked to by SIGHUP: what that changes, and what
//! the log and the service manager are told of it.

use std::ffi::OsString;

#[cfg(unix)]
use sd_notify::NotifyState;

use crate::options::{Changes, FilesPlace, Findings, Options, Setting};
use crate::reactor::{AdmissionLimits, Reload};
#[cfg(unix)]
use crate::service::ServiceManager;
#[cfg(feature = "tls")]
use crate::tls::ServerKeys;

/// Reads the options again.
pub struct Reloader {
    args: Vec<OsString>,
    /// As they were when the program was started.
    started: Started,
    /// As they were when they were read last.
    settings: Vec<Setting>,
}

/// What stays as it was.
struct Started {
    settings: Vec<Setting>,
    shares_files: bool,
    #[cfg(feature = "tls")]
    is_tls: bool,
    allowed_hosts: Vec<String>,
}

impl Reloader {
    /// `args` is the command line by which the program was started with these options.
    pub fn new(args: impl Iterator<Item = OsString>, options: &Options) -> Reloader {
        Reloader {
            args: args.collect(),
            settings: options.settings.clone(),
            started: Started {
                settings: options.settings.clone(),
                shares_files: options.files.place != FilesPlace::Off,
                #[cfg(feature = "tls")]
                is_tls: options.tls.is_some(),
                allowed_hosts: options.web.allowed_hosts.clone(),
            },
        }
    }

    /// Reads them. What the log is to say, and to which level, is in force at once; the rest is for the reactor. `None`:
    /// something is wrong, and everything stays as it was.
    #[cfg(unix)]
    pub fn reload(&mut self) -> Option<Reload> {
        let manager = ServiceManager::from_environment();
        let tell = |states: &[NotifyState<'_>]| manager.as_ref().map(|manager| manager.tell(states));
        // By the time it knows that what it is told last belongs to what it has asked for (sd_notify(3), RELOADING=1).
        let begun = NotifyState::monotonic_usec_now().map(|now| tell(&[NotifyState::Reloading, now]));
        let reload = self.read();
        if begun.is_ok() {
            let _ = tell(&[NotifyState::Ready]);
        }
        reload
    }

    /// Nobody asks for it, and there is nobody to tell.
    #[cfg(not(unix))]
    pub fn reload(&mut self) -> Option<Reload> {
        self.read()
    }

    fn read(&mut self) -> Option<Reload> {
        let findings = Findings::look(self.args.iter().cloned()).and_then(Findings::into_options);
        let options = match findings {
            Ok(options) => options,
            Err(exit) => {
                let sentence = exit.text.strip_prefix("snugd: ").unwrap_or(&exit.text);
                log::warn!(event = "reload_failed"; "the options stay as they were: {sentence}");
                return None;
            }
        };
        #[cfg(feature = "tls")]
        let keys = match self.read_keys(&options) {
            Ok(keys) => keys,
            Err(sentence) => {
                log::warn!(event = "reload_failed"; "the options stay as they were: {sentence}");
                return None;
            }
        };
        let Changes { reloaded, .. } = Changes::between(&self.settings, &options.settings);
        let Changes { at_restart, .. } = Changes::between(&self.started.settings, &options.settings);
        log::set_max_level(options.log_level);
        match reloaded.is_empty() {
            true => {
                log::info!(event = "reloaded"; "the options were read again; none has changed that can while the program runs")
            }
            false => {
                log::info!(event = "reloaded"; "the options were read again; in force from now on: {}", reloaded.join(", "))
            }
        }
        if !at_restart.is_empty() {
            log::warn!(event = "restart_needed"; "changed, but in force only after a restart: {}", at_restart.join(", "));
        }
        self.settings.clone_from(&options.settings);
        let reload = self.prepare(options, &at_restart);
        #[cfg(feature = "tls")]
        let reload = Reload { keys, ..reload };
        Some(reload)
    }

    /// The certificate, which may have been renewed, if connections are encrypted at all.
    #[cfg(feature = "tls")]
    fn read_keys(&self, options: &Options) -> Result<Option<ServerKeys>, String> {
        let Some(files) = options.tls.as_ref().filter(|_| self.started.is_tls) else { return Ok(None) };
        let keys = ServerKeys::load(&files.certificate, &files.key)?;
        match keys.warning() {
            Some(warning) => log::warn!(event = "certificate_renewed"; "{warning}"),
            None => log::info!(event = "certificate_renewed"; "the certificate was read again"),
        }
        Ok(Some(keys))
    }

    fn prepare(&self, options: Options, at_restart: &[String]) -> Reload {
        let Options { mut limits, files, mut web, .. } = options;
        limits.file_bytes = if self.started.shares_files { files.limits.file_bytes } else { 0 };
        // The host of another address may not come in by the one that is still in force.
        if at_restart.iter().any(|name| name == "public-url") {
            web.allowed_hosts.clone_from(&self.started.allowed_hosts);
        }
        let admission = AdmissionLimits {
            connections: options.max_connections,
            per_address: options.max_per_address,
            trusted_proxies: web.trusted_proxies.clone(),
            proxy_protocol: options.proxy_protocol,
        };
        Reload {
            limits,
            files: files.limits,
            admission,
            web,
            #[cfg(feature = "tls")]
            keys: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_on_the_network_is_answered_as_long_as_others_are_named() {
        let args = |words: &'static str| words.split(' ').map(OsString::from);
        let started = |words| {
            let options = Options::parse_command_line(args(words)).expect("options");
            Reloader::new(args(words), &options)
        };
        let hosts = |words| started(words).reload().expect("nothing is wrong").web.allowed_hosts;
        assert_eq!(hosts("snugd --allowed-host chat.example"), ["chat.example", "snugd.local"]);
        assert_eq!(hosts("snugd --rate 5"), [""; 0], "any host is");
    }
}
