//! What all HTTP sessions share: the prepared responses, the pages, the options, the metrics.

use std::borrow::Cow;
use std::sync::Once;

use http::StatusCode;

use super::assets::Assets;
use super::date::{DateClock, HttpDate};
use super::metrics::{Figures, Format, Meters, Metrics};
use super::pages::{Home, PAGE_FIELDS, Pages, REFERRER_POLICY, room_policy};
use super::response::{HTML, Prepared, Response};
use crate::invitation::Invitation;
use crate::options::{Limits, WebOptions};
use crate::rooms::Counts;
use crate::time::Now;

/// Browsers check home pages each time: a newer version of the program may have other assets.
const HOME_CACHE: (&str, &str) = ("Cache-Control", "no-cache");
/// For a response that is meant for one client.
pub(super) const NOT_STORED: (&str, &str) = ("Cache-Control", "no-store");

/// Whether this server can do what it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Health {
    /// It can.
    Well,
    /// What is said cannot be stored.
    Failing,
    /// So much waits to be stored that nothing more is taken.
    Congested,
}
/// What cannot be done for a reason that may pass, such as a full disk, is tried again after this time.
pub(super) const UNAVAILABLE_RETRY_MS: u64 = 5_000;

/// The web site of this server.
#[derive(Debug)]
pub struct Site {
    /// What the other modules count.
    pub meters: Meters,
    metrics: Metrics,
    /// What there is, and how it is, as it was looked up for whoever asks.
    figures: Figures,
    health: Health,
    dates: DateClock,
    /// After this time those who ask for something may ask again; once the server stops.
    stopping_retry_ms: Option<u32>,
    foreign_origin: Once,
    unknown_client: Once,
    /// Origins that are allowed in addition to that of the requested host.
    pub(super) allowed_origins: Vec<String>,
    pub(super) options: WebOptions,
    /// Bytes that a message may have.
    pub(super) message_bytes: usize,
    /// Bytes that a shared file may have; `None`: no files are shared.
    pub(super) file_limit_bytes: Option<u64>,
    pub(super) invitation: Invitation,
    pub(super) pages: Pages,
    pub(super) home: Prepared,
    pub(super) assets: Assets,
}

impl Site {
    /// Prepares the responses that are the same for everybody.
    pub fn new(options: &WebOptions, limits: &Limits, invitation: Invitation) -> Site {
        let pages = Pages::new(&options.base_path, limits.code_length, limits.message_bytes);
        Site {
            meters: Meters::default(),
            metrics: Metrics::default(),
            figures: Figures::default(),
            health: Health::Well,
            dates: DateClock::new(),
            stopping_retry_ms: None,
            foreign_origin: Once::new(),
            unknown_client: Once::new(),
            allowed_origins: origins_of(options),
            options: options.clone(),
            message_bytes: limits.message_bytes,
            file_limit_bytes: Some(limits.file_bytes).filter(|bytes| *bytes > 0),
            invitation,
            home: prepare_home(&pages),
            pages,
            assets: Assets::new(&options.base_path),
        }
    }

    /// From now on these count. The pages are where they were.
    pub fn set_limits(&mut self, options: &WebOptions, limits: &Limits) {
        self.pages = Pages::new(&self.options.base_path, limits.code_length, limits.message_bytes);
        self.home = prepare_home(&self.pages);
        self.message_bytes = limits.message_bytes;
        self.file_limit_bytes = Some(limits.file_bytes).filter(|bytes| *bytes > 0);
        self.options.allowed_hosts.clone_from(&options.allowed_hosts);
        self.options.allowed_origins.clone_from(&options.allowed_origins);
        self.options.trusted_proxies.clone_from(&options.trusted_proxies);
        self.allowed_origins = origins_of(&self.options);
    }

    /// From now on `/readyz` answers 503, and each connection is closed after its next response. After `retry_ms` another
    /// server may be there.
    pub fn begin_stopping(&mut self, retry_ms: u32) {
        self.stopping_retry_ms = Some(retry_ms);
    }

    /// What there is, and how it is, for whoever has just asked.
    pub fn note_state(&mut self, figures: Figures, health: Health) {
        (self.figures, self.health) = (figures, health);
    }

    /// Why nobody should be sent here, in a word; `None`: there is no reason.
    pub(super) fn unready_word(&self) -> Option<&'static str> {
        match self.health {
            _ if self.is_stopping() => Some("stopping\n"),
            Health::Well => None,
            Health::Failing => Some("storage failing\n"),
            Health::Congested => Some("storage congested\n"),
        }
    }

    /// Whether the server is about to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping_retry_ms.is_some()
    }

    /// After what time those may ask again whom something cannot be done for at this time.
    pub(super) fn retry_ms(&self) -> u64 {
        self.stopping_retry_ms.map_or(UNAVAILABLE_RETRY_MS, u64::from)
    }

    /// A page is refused because of its origin. Once a run the log says how that may come of a proxy that does not pass
    /// on the host: to whoever runs this server all pages look foreign then.
    pub(super) fn note_foreign_origin(&self) {
        self.foreign_origin.call_once(|| {
            log::warn!(
                "a page was refused, since its Origin is not the Host that was asked for; if there is a proxy in front \
                 of this server, have it pass on the header Host (nginx: proxy_set_header Host $http_host; Apache: \
                 ProxyPreserveHost On), or name the address of the pages with --public-url or --allowed-origin"
            );
        });
    }

    /// A proxy does not say whose request it passes on. Once a run the log says what follows from that.
    pub(super) fn note_unknown_client(&self) {
        self.unknown_client.call_once(|| {
            log::warn!(
                "a request came by a Unix socket or from a trusted proxy without X-Forwarded-For, so that what is counted \
                 by address counts everybody behind it as one; if there is a proxy, have it say whose requests they are \
                 (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for)"
            );
        });
    }

    pub(super) fn date(&self, now: Now) -> HttpDate {
        self.dates.at(now.wall_ms)
    }

    /// The Content-Security-Policy of a room's page that was asked for at this host and port. A proxy may not pass them on
    /// as they are in the address bar, so the public ones are meant as well.
    pub(super) fn room_policy(&self, host: &str) -> String {
        let origin = self.options.public_url.as_deref().and_then(origin_of);
        let public_host = origin.and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        room_policy([host].into_iter().chain(public_host.filter(|public_host| *public_host != host)))
    }

    /// Ends a response with the home page.
    pub(super) fn write_home(&self, response: Response<'_>, home: &Home<'_>) {
        let response = response.fields(&PAGE_FIELDS).fields(&[HOME_CACHE]);
        response.body(HTML, self.pages.home(home).as_bytes());
    }

    /// Ends a response with what a browser is shown whose cookies are too many to be read.
    pub(super) fn write_head_too_long(&self, response: Response<'_>) {
        let page = self.pages.head_too_long();
        let fields = [("Content-Security-Policy", page.policy.as_str()), REFERRER_POLICY, NOT_STORED];
        response.fields(&fields).body(HTML, page.html.as_bytes());
    }

    pub(super) fn write_metrics(&self, format: Format, counts: &Counts, limits: &Limits) -> String {
        self.metrics.write(format, &self.meters, &self.figures, counts, limits)
    }
}

/// The home page as whoever comes first is shown it.
fn prepare_home(pages: &Pages) -> Prepared {
    let home = pages.home(&Home::default()).into_bytes();
    let fields = [&PAGE_FIELDS[..], &[HOME_CACHE]].concat();
    Prepared::new(StatusCode::OK, &fields, Some((HTML, Cow::Owned(home))))
}

/// Origins that are allowed in addition to that of the requested host.
fn origins_of(options: &WebOptions) -> Vec<String> {
    let public_origin = options.public_url.as_deref().and_then(origin_of);
    options.allowed_origins.iter().cloned().chain(public_origin.map(str::to_owned)).collect()
}

/// Scheme and authority of a URL.
fn origin_of(url: &str) -> Option<&str> {
    let authority = url.find("://")? + 3;
    let end = url[authority..].find('/').map_or(url.len(), |length| authority + length);
    Some(&url[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_ends_before_the_path() {
        assert_eq!(origin_of("https://chat.example/x/y"), Some("https://chat.example"));
        assert_eq!(origin_of("http://[::1]:5000"), Some("http://[::1]:5000"));
        assert_eq!(origin_of("chat.example"), None);
    }
}
