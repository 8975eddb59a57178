//! The requests by which files are shared: what their heads say, and how they are answered.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;

use super::file_form::read_text;
use super::form::{decode_path, pairs};
use super::json_response::{write_error, write_json};
use super::multipart::read_boundary;
use super::pending::{PendingKind, PendingRequest};
use super::replies::{ResponseContext, written};
use super::request::BodyLength;
use super::response::{Response, ResponseOptions};
use super::route_request::{RouteOutcome, RouteRequest};
use super::site::{NOT_STORED, Site};
use super::upload::{NewUpload, Upload};
use super::upload_fault::{UploadFault, bad};
use crate::json;
use crate::rooms::{
    Command, MAX_NAME_CHARACTERS, MessageKey, Name, Refusal, RoomCode, RoomKey, Share, SharedFile, Sharer, Token,
};

/// How a file is brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Brought<'p> {
    /// `POST /api/v1/rooms/KXQT/files`, by programs and pages.
    ByProgram,
    /// `PUT /KXQT/plan.pdf`, by `curl -T`: this is the last part of the path.
    ByTerminal(&'p str),
}

/// Looks at the head of a request that brings a file, and asks the rooms whether it is welcome.
pub fn begin(request: &RouteRequest<'_>, code: &str, brought: Brought<'_>, outbox: &mut Vec<u8>) -> RouteOutcome {
    match read(request, code, brought) {
        Ok(new) => {
            let (client, vouched_name) = (new.client, request.vouched_name());
            let command = Command::CheckShare(Box::new(new.share.clone()));
            let response_options = new.response_options;
            let pending = PendingRequest { kind: PendingKind::Upload, client, vouched_name, response_options };
            RouteOutcome::Upload(command, Box::new(pending), Box::new(Upload::new(new)))
        }
        Err(fault) => {
            let response = request.respond(fault.status, outbox);
            write_fault(response, brought != Brought::ByProgram, &fault);
            RouteOutcome::Answered
        }
    }
}

/// The routes' answer where no files are shared.
pub fn say_off(request: &RouteRequest<'_>, is_for_terminal: bool, outbox: &mut Vec<u8>) -> RouteOutcome {
    let words = "No files are shared on this server.".into();
    let fault = UploadFault { status: StatusCode::NOT_FOUND, code: "not_found", words, retry_ms: None };
    write_fault(request.respond(fault.status, outbox), is_for_terminal, &fault);
    RouteOutcome::Answered
}

/// Ends a response with the reason why a file is not taken.
pub fn write_fault(response: Response<'_>, is_for_terminal: bool, fault: &UploadFault) {
    let response = match fault.retry_ms {
        Some(retry_ms) => response.field("Retry-After", &retry_ms.div_ceil(1000).max(1).to_string()),
        None if fault.status == StatusCode::UNAUTHORIZED => response.field("WWW-Authenticate", "Bearer realm=\"room\""),
        None => response,
    };
    if is_for_terminal {
        response.fields(&[NOT_STORED]).text(&format!("{}\n", fault.words));
    } else {
        write_error(response, fault.code, &fault.words);
    }
}

/// Why the rooms refuse a file.
pub fn fault_of(refusal: &Refusal, status: StatusCode) -> UploadFault {
    let (status, words) = match refusal {
        Refusal::NotJoined => (StatusCode::UNAUTHORIZED, "You are not in this room.".into()),
        _ => (status, refusal.to_string()),
    };
    UploadFault { status, code: json::error_code(refusal), words, retry_ms: refusal.retry_ms() }
}

impl ResponseContext<'_> {
    /// Writes the response to a request whose file is shared.
    pub fn shared(&self, new: &NewUpload, shared: (RoomCode, &SharedFile, u64), is_new: bool, outbox: &mut Vec<u8>) {
        let (code, file, id) = shared;
        let path = file.path(code);
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        let location = format!("{}{}", self.site.options.base_path, path.trim_start_matches('/'));
        let response = self.respond(status, outbox).field("Location", &location);
        if new.is_answered_in_text {
            let invitation = &self.site.invitation;
            let room = invitation.room_url_by_host(&new.host, new.client.is_secure, self.local, code);
            // The path begins with the code again.
            let below = path.trim_start_matches('/').strip_prefix(code.as_str()).unwrap_or(&path);
            response.fields(&[NOT_STORED]).text(&format!("{room}{below}\n"));
        } else {
            write_json(response, &written(|out| json::write_shared(code, file, id, out)));
        }
    }
}

fn read(request: &RouteRequest<'_>, code: &str, brought: Brought<'_>) -> Result<NewUpload, UploadFault> {
    let (head, site) = (request.head, request.site);
    let refuse = |status, code, words: &str| UploadFault { status, code, words: words.into(), retry_ms: None };
    if !request.origin().may_call() {
        return Err(refuse(StatusCode::FORBIDDEN, "forbidden", "Pages of another site may not share files here."));
    }
    if site.is_stopping() {
        return Err(stopping(site));
    }
    // RFC 9110 section 14.5: `curl -C` sends the rest of a file, which is not to be taken for the file.
    if head.value("content-range").is_some() {
        return Err(refuse(StatusCode::BAD_REQUEST, "bad_request", "Send the whole file: no part of one is taken."));
    }
    let no_such_room = || refuse(StatusCode::NOT_FOUND, "no_such_room", "There is no such room.");
    let code = RoomCode::parse(&decode_path(code)).ok_or_else(no_such_room)?;
    let mut query = Query::read(head.query)?;
    let sharer = match read_sharer(request, code, query.guest.take())? {
        Some(sharer) => sharer,
        None if brought != Brought::ByProgram => Sharer::Nameless,
        None => {
            let words = "Say who you are: a session of the room, its token, or as=NAME.";
            return Err(refuse(StatusCode::UNAUTHORIZED, "name_required", words));
        }
    };
    if head.body_length == BodyLength::Absent {
        return Err(refuse(
            StatusCode::LENGTH_REQUIRED,
            "bad_request",
            "How long is it? Send Content-Length, or chunks.",
        ));
    }
    let text = query.text.map(|typed| read_text(&typed, site.message_bytes)).transpose()?.flatten();
    let of_path = match brought {
        Brought::ByTerminal(name) if !name.is_empty() => Some(decode_path(name).into_owned()),
        _ => None,
    };
    Ok(NewUpload {
        share: Share { code, sharer, key: query.key, cid: query.cid, text },
        name: query.name.or(of_path),
        is_answered_in_text: brought != Brought::ByProgram,
        client: request.client(),
        host: head.host.into(),
        response_options: ResponseOptions { keeps_alive: head.keeps_alive, ..request.response_options },
        length: head.body_length,
        expects_continue: head.expects_continue,
        boundary: read_form_boundary(request)?,
        file_limit_bytes: site.file_limit_bytes.unwrap_or(0),
        text_limit_bytes: site.message_bytes,
    })
}

/// The server does not take it any more.
pub fn stopping(site: &Site) -> UploadFault {
    let words = "This server is stopping: nobody has seen that file.".into();
    let retry_ms = Some(site.retry_ms());
    UploadFault { status: StatusCode::SERVICE_UNAVAILABLE, code: "storage_failed", words, retry_ms }
}

/// The boundary, if the body is a form. What `Content-Type` says otherwise counts for nothing: a file is what is in it.
fn read_form_boundary(request: &RouteRequest<'_>) -> Result<Option<String>, UploadFault> {
    let unsupported = |words: &str| UploadFault { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, ..bad(words) };
    if request.head.values("content-encoding").any(|value| !value.eq_ignore_ascii_case(b"identity")) {
        return Err(unsupported("Content-Encoding is not known here."));
    }
    let content_type = request.head.value("content-type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.strip_prefix("multipart/") {
        None => Ok(None),
        Some("form-data") => read_boundary(content_type).map(Some).ok_or_else(|| bad("The form has no boundary.")),
        Some(_) => Err(unsupported("Of multipart, only form-data is known here.")),
    }
}

/// Who shares it: the token that is shown, the name that is given, or the session in the cookie.
fn read_sharer(request: &RouteRequest<'_>, code: RoomCode, guest: Option<Name>) -> Result<Option<Sharer>, UploadFault> {
    let unknown = |words: &str| UploadFault { status: StatusCode::UNAUTHORIZED, code: "not_joined", ..bad(words) };
    let session = || request.sessions().token_for(code).map(Sharer::Member);
    let credentials = request.head.value("authorization").and_then(|value| value.split_once(' '));
    if let Some((scheme, shown)) = credentials {
        if scheme.eq_ignore_ascii_case("bearer") {
            let token = Token::parse(shown.trim()).ok_or_else(|| unknown("That is no token."))?;
            return Ok(Some(Sharer::Member(token)));
        }
        // Browsers and curl send those that a proxy has asked for as well.
        if scheme.eq_ignore_ascii_case("basic") && guest.is_none() && session().is_none() {
            let decoded = BASE64_STANDARD.decode(shown.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded = decoded.ok_or_else(|| unknown("These credentials cannot be read."))?;
            let (name, secret) = decoded.split_once(':').unwrap_or((&decoded, ""));
            return match (Token::parse(secret), Name::parse(name)) {
                (Some(token), _) => Ok(Some(Sharer::Member(token))),
                (None, Some(name)) if secret.is_empty() => Ok(Some(Sharer::Guest(name))),
                (None, None) if secret.is_empty() => Err(name_invalid()),
                _ => Err(unknown("The password here is a member's token, or none.")),
            };
        }
    }
    Ok(guest.map(Sharer::Guest).or_else(session))
}

fn name_invalid() -> UploadFault {
    let words = format!("A name has 1 to {} characters, none of them invisible.", MAX_NAME_CHARACTERS);
    UploadFault { code: "name_invalid", ..bad(&words) }
}

/// What stands behind the question mark. An empty one counts as left out.
#[derive(Default)]
struct Query {
    name: Option<String>,
    guest: Option<Name>,
    key: Option<RoomKey>,
    cid: Option<MessageKey>,
    text: Option<String>,
}

impl Query {
    fn read(encoded: &str) -> Result<Query, UploadFault> {
        let mut query = Query::default();
        for (name, value) in pairs(encoded.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            match &*name {
                "name" => query.name = Some(value.into_owned()),
                "as" => query.guest = Some(Name::parse(&value).ok_or_else(name_invalid)?),
                "key" => query.key = RoomKey::parse(&value),
                "cid" => query.cid = Some(MessageKey::parse(&value).ok_or_else(|| bad("cid has 1 to 64 bytes."))?),
                "text" => query.text = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(query)
    }
}
