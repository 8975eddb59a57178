//! Why a file that somebody brings is not taken, and how that is told.

use http::StatusCode;

use super::site::UNAVAILABLE_RETRY_MS;
use crate::files::{StoreFault, UploadRefusal};
use crate::rooms::size_words;

/// Why a file is not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UploadFault {
    /// How it is refused.
    pub status: StatusCode,
    /// The error's code in the API.
    pub code: &'static str,
    /// What is wrong, for a person.
    pub words: String,
    /// After this it may be tried again.
    pub retry_ms: Option<u64>,
}

/// A request that is not as it should be.
pub fn bad(words: &str) -> UploadFault {
    UploadFault { status: StatusCode::BAD_REQUEST, code: "bad_request", words: words.into(), retry_ms: None }
}

impl From<UploadRefusal> for UploadFault {
    fn from(refusal: UploadRefusal) -> UploadFault {
        match refusal {
            UploadRefusal::TooLarge { limit_bytes } => UploadFault {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                code: "file_too_large",
                words: format!("A file has at most {} here.", size_words(limit_bytes)),
                retry_ms: None,
            },
            UploadRefusal::Full => UploadFault {
                status: StatusCode::INSUFFICIENT_STORAGE,
                code: "quota_exceeded",
                words: "There is no room for more files here. Delete some, or ask those who run this server.".into(),
                retry_ms: None,
            },
            UploadRefusal::TooMany { retry_ms } => UploadFault {
                status: StatusCode::TOO_MANY_REQUESTS,
                code: "rate_limited",
                words: format!("Too many files come from your address. Try again in {} s.", retry_ms.div_ceil(1000)),
                retry_ms: Some(retry_ms),
            },
        }
    }
}

impl From<StoreFault> for UploadFault {
    fn from(fault: StoreFault) -> UploadFault {
        let (status, words, retry_ms) = match fault {
            StoreFault::Full => {
                (StatusCode::INSUFFICIENT_STORAGE, "The disk is full, so nobody has seen that file.", None)
            }
            StoreFault::Failed => (
                StatusCode::SERVICE_UNAVAILABLE,
                "That could not be stored, so nobody has seen it. Try again.",
                Some(UNAVAILABLE_RETRY_MS),
            ),
        };
        UploadFault { status, code: "storage_failed", words: words.into(), retry_ms }
    }
}
