//! The JSON API under `/api/v1`.

use http::StatusCode;

use super::form::{decode_path, pairs};
use super::json_response::write_error;
use super::pending::PendingKind;
use super::route_request::{RouteOutcome, RouteRequest};
use crate::json;
use crate::rooms::{Command, RoomCode, Search, SearchFault, SearchQuery, Span, Token};

/// Events given if it is not said how many.
const DEFAULT_EVENTS: usize = 50;
/// Events given at the most.
const MAX_EVENTS: usize = 200;

/// `POST /api/v1/rooms`
pub fn create_room(request: &RouteRequest<'_>, outbox: &mut Vec<u8>) -> RouteOutcome {
    if !request.origin().may_call() {
        let message = "Pages of another site may not create rooms here.";
        return refuse(request, StatusCode::FORBIDDEN, "forbidden", message, outbox);
    }
    request.ask(Command::Create, PendingKind::NewRoom)
}

/// `GET /api/v1/rooms/KXQT`
pub fn describe_room(request: &RouteRequest<'_>, code: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
    match RoomCode::parse(&decode_path(code)) {
        Some(code) => {
            let token = token_for(request, code);
            request.ask(Command::Describe { code, token }, PendingKind::Description)
        }
        None => no_such_room(request, outbox),
    }
}

/// `GET /api/v1/rooms/KXQT/events`, with `search` or without
pub fn read_events(request: &RouteRequest<'_>, code: &str, outbox: &mut Vec<u8>) -> RouteOutcome {
    let Some(code) = RoomCode::parse(&decode_path(code)) else { return no_such_room(request, outbox) };
    let Some(span) = read_span(request.head.query) else {
        let message = "since, before and limit are whole numbers.";
        return refuse(request, StatusCode::BAD_REQUEST, "bad_request", message, outbox);
    };
    let token = token_for(request, code);
    match read_query(request.head.query) {
        None => request.ask(Command::Events { code, span, token }, PendingKind::Events),
        Some(Ok(query)) => {
            let search = Search { query, span };
            request.ask(Command::Search { code, search, token }, PendingKind::Events)
        }
        Some(Err(fault)) => {
            let code = json::search_fault_code(fault);
            refuse(request, StatusCode::BAD_REQUEST, code, &fault.to_string(), outbox)
        }
    }
}

/// Every other address below `/api/`.
pub fn not_found(request: &RouteRequest<'_>, outbox: &mut Vec<u8>) -> RouteOutcome {
    refuse(request, StatusCode::NOT_FOUND, "not_found", "There is nothing at this address.", outbox)
}

/// The secret that whoever asks has for the room: in the session's cookie, or as `Authorization: Bearer TOKEN` (RFC 6750
/// section 2.1).
fn token_for(request: &RouteRequest<'_>, code: RoomCode) -> Option<Token> {
    let credentials = request.head.value("authorization").and_then(|value| value.split_once(' '));
    let bearer = credentials.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    bearer.and_then(|(_, token)| Token::parse(token.trim())).or_else(|| request.sessions().token_for(code))
}

fn no_such_room(request: &RouteRequest<'_>, outbox: &mut Vec<u8>) -> RouteOutcome {
    refuse(request, StatusCode::NOT_FOUND, "no_such_room", "There is no such room.", outbox)
}

fn refuse(
    request: &RouteRequest<'_>,
    status: StatusCode,
    code: &str,
    message: &str,
    outbox: &mut Vec<u8>,
) -> RouteOutcome {
    request.site.meters.refusals.count(code);
    write_error(request.respond(status, outbox), code, message);
    RouteOutcome::Answered
}

/// Reads which events are asked for; `None` if a number is none. An empty one counts as left out.
fn read_span(query: &str) -> Option<Span> {
    let mut span = Span { limit: DEFAULT_EVENTS, ..Span::default() };
    for (name, value) in pairs(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
        match &*name {
            "since" => span.since = Some(read_number(&value)?),
            "before" => span.before = Some(read_number(&value)?),
            "limit" => span.limit = usize::try_from(read_number(&value)?).unwrap_or(MAX_EVENTS).clamp(1, MAX_EVENTS),
            _ => {}
        }
    }
    Some(span)
}

/// Reads what is searched for, if anything is. An empty one counts as left out.
fn read_query(query: &str) -> Option<Result<SearchQuery, SearchFault>> {
    let typed = pairs(query.as_bytes()).filter(|(name, value)| name == "search" && !value.is_empty()).last();
    typed.map(|(_, typed)| SearchQuery::parse(&typed))
}

/// Digits and nothing else: `parse` alone would take a plus sign.
fn read_number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_told_from_reading() {
        assert_eq!(read_query("since=3&search="), None);
        assert_eq!(read_query("search=a&search=the+slides%21"), Some(SearchQuery::parse("the slides")));
        assert_eq!(read_query("search=%22"), Some(Err(SearchFault::Empty)));
        assert_eq!(read_query(&format!("search={}", "x".repeat(300))), Some(Err(SearchFault::TooLong)));
    }

    #[test]
    fn a_span_has_bounds() {
        let span = |query| read_span(query);
        assert_eq!(span(""), Some(Span { since: None, before: None, limit: 50 }));
        assert_eq!(span("since=3&before=9&limit=7&x=y"), Some(Span { since: Some(3), before: Some(9), limit: 7 }));
        assert_eq!(span("limit=100000&since="), Some(Span { since: None, before: None, limit: 200 }));
        assert_eq!(span("limit=0"), Some(Span { since: None, before: None, limit: 1 }), "or nobody gets on");
        for query in ["since=x", "before=-1", "limit=+5", "limit=1.5", "since=99999999999999999999"] {
            assert_eq!(span(query), None, "{query}");
        }
    }
}
