use proptest::prelude::*;

use super::*;

const REQUEST: &str = "POST /a/b?c=d HTTP/1.1\r\nHost: a.example:5000\r\nContent-Length: 3\r\nCookie: x=y\r\n\r\n";

/// What matters of a head, in a form that can be compared.
#[derive(PartialEq, Debug)]
struct Summary(Method, String, String, String, bool, bool, bool, BodyLength);

fn parse(bytes: &[u8]) -> Result<Summary, RequestFault> {
    let mut space = header_space();
    let head = Head::parse(bytes, &mut space)?;
    let (path, query, host) = (head.path.to_owned(), head.query.to_owned(), head.host.to_owned());
    let Head { method, is_http_1_0, keeps_alive, expects_continue, body_length, .. } = head;
    Ok(Summary(method, path, query, host, is_http_1_0, keeps_alive, expects_continue, body_length))
}

/// Reads a head that arrives in pieces that end at these places.
fn read(bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Result<Option<Summary>, RequestFault> {
    let mut scan = HeadScan::default();
    for end in ends.into_iter().chain([bytes.len()]) {
        if let Some(length) = scan.find_end(&bytes[..end])? {
            return parse(&bytes[..length]).map(Some);
        }
    }
    Ok(None)
}

fn status(request: &str) -> u16 {
    read(request.as_bytes(), []).map_or_else(|fault| fault.status.as_u16(), |head| if head.is_some() { 200 } else { 0 })
}

fn status_with(fields: &str) -> u16 {
    status(&format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n"))
}

#[test]
fn reads_a_head() {
    let summary = read(REQUEST.as_bytes(), []).expect("a request").expect("complete");
    let (path, query, host) = ("/a/b".into(), "c=d".into(), "a.example:5000".into());
    let expected = Summary(Method::Post, path, query, host, false, true, false, BodyLength::Bytes(3));
    assert_eq!(summary, expected);
}

#[test]
fn split_at_every_byte_it_is_the_same() {
    let requests = [
        REQUEST,
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n",
        "ana\r\nhello\r\n",
    ];
    for request in requests {
        let bytes = request.as_bytes();
        let whole = read(bytes, []);
        for end in 0..bytes.len() {
            assert_eq!(read(bytes, [end]), whole, "{request:?} split at {end}");
        }
        assert_eq!(read(bytes, 0..bytes.len()), whole, "{request:?} byte by byte");
    }
}

#[test]
fn what_is_no_http_is_told_at_once() {
    for bytes in ["ana\r\n", "ana\n", "/join KXQT ana\r\n", "GET /\r\n", "\u{1}", "{\"a\":1}", " GET / HTTP/1.1"] {
        assert_eq!(read(bytes.as_bytes(), []), Err(RequestFault::NOT_HTTP), "{bytes:?}");
    }
    assert_eq!(read(b"\x16\x03\x01\x02\x00\x01", []), Err(RequestFault::NOT_HTTP));
    assert_eq!(read(b"\xff\xfd\x03", []), Err(RequestFault::NOT_HTTP));
}

#[test]
fn bare_line_feeds_and_strange_lines_are_refused() {
    assert_eq!(status("GET / HTTP/1.1\nHost: a\n\n"), 400);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400);
    assert_eq!(status_with("Host: a\r\nX: a\rb"), 400);
    assert_eq!(status_with("Host: a\r\nX: a\r\n folded"), 400, "obs-fold");
    assert_eq!(status_with("Host : a"), 400, "space before colon");
    assert_eq!(status_with(" Host: a"), 400);
    assert_eq!(status_with("Host: a\r\nno colon"), 400);
    assert_eq!(status_with("Host: a\r\n: empty"), 400);
    assert_eq!(status_with("Host: a\r\nX: a\0b"), 400);
    assert_eq!(status("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(status("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400);
    assert_eq!(status("GET / x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "the target ends at the first space");
    assert_eq!(status("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(status("G@T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

#[test]
fn other_versions_are_refused() {
    assert_eq!(status("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
    assert_eq!(status("PRI * HTTP/2.0\r\n\r\n"), 505);
    assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), 200);
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/9.9", "HTTP/0.9"] {
        assert_eq!(status(&format!("GET / {version}\r\nHost: a\r\n\r\n")), 505, "{version}");
    }
    for version in
        ["HTTP/01.01", "HTTP/1", "HTTP/1.", "HTTP/1.10", "HTTP/11", "HTTP/a.b", "HTTP/", "HTTP/1,1", "http/1.1"]
    {
        assert_eq!(status(&format!("GET / {version}\r\nHost: a\r\n\r\n")), 400, "{version}");
    }
}

#[test]
fn there_is_one_host() {
    for fields in ["Host: a", "host:a.b-c_d:80", "HOST: 127.0.0.1:5000", "Host: [::1]:5000", "Host: a."] {
        assert_eq!(status_with(fields), 200, "{fields}");
    }
    for fields in [
        "Accept: a",
        "Host: a\r\nHost: a",
        "Host:",
        "Host: a b",
        "Host: a/b",
        "Host: a@b",
        "Host: a:b",
        "Host: :80",
        "Host: a:123456",
        "Host: [::1",
        "Host: [a]",
        "Host: é",
        "Host: a,b",
        "Host: <a>",
    ] {
        assert_eq!(status_with(fields), 400, "{fields}");
    }
}

#[test]
fn where_the_body_ends_is_never_in_doubt() {
    let status = |fields: &str| status_with(&format!("Host: a\r\n{fields}"));
    assert_eq!(status("Content-Length: 5\r\nContent-Length: 5"), 200);
    assert_eq!(status("Content-Length: 5\r\nContent-Length: 6"), 400);
    assert_eq!(status("Content-Length: 5, 5"), 400);
    for length in ["-1", "+1", "1.0", "0x1", "", " ", "1 1", "a"] {
        assert_eq!(status(&format!("Content-Length: {length}")), 400, "{length}");
    }
    assert_eq!(status("Content-Length: 18446744073709551615"), 200, "how much of it is taken is another question");
    assert_eq!(status("Content-Length: 18446744073709551616"), 400, "no number of 64 bits");
    assert_eq!(status("Transfer-Encoding: chunked"), 200);
    assert_eq!(status("Transfer-Encoding:\tChunked , "), 200);
    assert_eq!(status("Transfer-Encoding: , chunked"), 200, "an empty item counts for nothing");
    assert_eq!(status("Transfer-Encoding: gzip, chunked"), 501);
    assert_eq!(status("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"), 501);
    for not_chunked in [
        "",
        ",",
        "gzip",
        "identity",
        "xchunked",
        "chunked, gzip",
        "chunked\r\nTransfer-Encoding: identity",
        "chunked, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked;a=b",
        "\"chunked\"",
        "\u{b}chunked",
        "\u{c}chunked",
        "chunked\0",
    ] {
        assert_eq!(status(&format!("Transfer-Encoding: {not_chunked}")), 400, "{not_chunked:?}");
    }
    assert_eq!(self::status("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    assert_eq!(status("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400);
    assert_eq!(status("Transfer-Encoding: chunked\r\nContent-Length: 5"), 400);
}

#[test]
fn the_connection_stays_open_as_the_version_has_it() {
    let keeps_alive = |version: &str, fields: &str| {
        let request = format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        read(request.as_bytes(), []).expect("a request").expect("complete").5
    };
    assert!(keeps_alive("1.1", ""));
    assert!(!keeps_alive("1.1", "Connection: close\r\n"));
    assert!(!keeps_alive("1.1", "Connection: upgrade , CLOSE\r\n"));
    assert!(!keeps_alive("1.0", ""));
    assert!(keeps_alive("1.0", "Connection: Keep-Alive\r\n"));
    assert!(!keeps_alive("1.0", "Connection: keep-alive\r\nConnection: close\r\n"));
}

#[test]
fn a_go_ahead_is_for_those_who_know_it() {
    let expects = |version: &str| {
        let request = format!("POST / HTTP/{version}\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n");
        read(request.as_bytes(), []).expect("a request").expect("complete").6
    };
    assert!(expects("1.1") && !expects("1.0"));
    assert_eq!(status_with("Host: a\r\nExpect: miracles"), 417);
}

#[test]
fn a_target_is_a_path_or_a_whole_url() {
    let target = |target: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        read(request.as_bytes(), []).map(|head| head.map(|head| (head.1, head.2, head.3)))
    };
    let read = |path: &str, query: &str, host: &str| Ok(Some((path.to_owned(), query.to_owned(), host.to_owned())));
    assert_eq!(target("/a?b?c"), read("/a", "b?c", "a"));
    assert_eq!(target("http://B:1/x?y"), read("/x", "y", "B:1"));
    assert_eq!(target("HTTPS://b"), read("/", "", "b"));
    assert_eq!(target("http://b?y"), read("/", "y", "b"));
    for refused in
        ["*", "a", "a/b", "ftp://a/", "http:///x", "http://u@a/", "a:80", "/a#b", "/a?b#", "/é", "/?é", "/a b", "/a\\b"]
    {
        assert!(target(refused).is_err(), "{refused}");
    }
    assert_eq!(target("/%C3%A9|[]?{}\\^"), read("/%C3%A9|[]", "{}\\^", "a"), "what browsers do not encode");
    assert_eq!(status("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_eq!(status("DELETE * HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(status("CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_eq!(status("CONNECT a/b HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(status("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
}

#[test]
fn a_head_has_bounds() {
    let longest = |length: usize| {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4))
    };
    assert_eq!(status(&longest(MAX_HEAD_BYTES)), 200);
    assert_eq!(status(&longest(MAX_HEAD_BYTES + 1)), 431);
    assert_eq!(status(&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(MAX_HEAD_BYTES))), 414);
    assert_eq!(status_with(&format!("Host: a{}", "\r\nX: y".repeat(MAX_HEADERS - 1))), 200);
    assert_eq!(status_with(&format!("Host: a{}", "\r\nX: y".repeat(MAX_HEADERS))), 431);
    let endless = "A".repeat(MAX_HEAD_BYTES);
    assert_eq!(read(endless.as_bytes(), 0..MAX_HEAD_BYTES), Err(RequestFault::NOT_HTTP), "no method is so long");
    let endless = format!("GET /{}", "A".repeat(MAX_HEAD_BYTES));
    assert_eq!(read(endless.as_bytes(), 0..MAX_HEAD_BYTES), Err(RequestFault::TARGET_TOO_LONG));
}

#[test]
fn a_browser_names_html() {
    let accepts =
        |fields: &str| accepts_html(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\nCookie: a=").as_bytes());
    assert!(accepts("Accept: text/html,application/xhtml+xml,*/*;q=0.8"));
    assert!(accepts("accept:application/json, Text/HTML;q=0.9"));
    for other in ["Accept: */*", "Accept: text/plain", "X-Accept: text/html", "Accept-Language: text/html", "Accept:"] {
        assert!(!accepts(other), "{other}");
    }
}

#[test]
fn lists_may_be_spread_over_fields() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nX-List: a, b\r\nx-list:c ,d\r\n\r\n";
    let mut space = header_space();
    let head = Head::parse(bytes, &mut space).expect("a request");
    assert_eq!(head.items("x-list").collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    assert!(head.has_item("X-LIST", "D") && !head.has_item("x-list", "e"));
    assert_eq!(head.value("x-other"), None);
}

/// Bytes that look like HTTP in places, so that all of the reader is reached.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        prop::sample::select(vec![
            "GET ",
            "POST ",
            "/",
            "HTTP/1.1",
            "HTTP/1.0",
            "\r\n",
            "\r\n\r\n",
            "\n",
            "\r",
            "Host: a\r\n",
            "Host: ",
            "Content-Length: 3\r\n",
            "Content-Length: ",
            "Transfer-Encoding: chunked\r\n",
            "Connection: close\r\n",
            "GET / HTTP/1.1\r\n",
            "Expect: 100-continue\r\n",
            " ",
            ":",
            "http://",
            "[",
            "]",
            "?",
            "%",
            ",",
            "9",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(fragment, 0..24).prop_map(|fragments| fragments.concat())
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_read_alike(
        bytes in fragments(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut ends: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
        ends.sort_unstable();
        prop_assert_eq!(read(&bytes, ends), read(&bytes, []));
    }

    #[test]
    fn a_well_formed_request_is_read(
        path in "/[a-zA-Z0-9/._~%-]{0,40}",
        query in "[a-z0-9=&+%]{0,40}",
        host in "[a-z0-9.-]{1,20}(:[0-9]{1,5})?",
        body_bytes: u64,
    ) {
        let request =
            format!("POST {path}?{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {body_bytes}\r\n\r\n");
        let expected = Summary(Method::Post, path, query, host, false, true, false, BodyLength::Bytes(body_bytes));
        prop_assert_eq!(read(request.as_bytes(), []), Ok(Some(expected)));
    }
}
