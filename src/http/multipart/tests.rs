use proptest::prelude::*;

use super::*;

/// A part as it was read: its head and all its data.
type Part = (PartHead, Vec<u8>);

/// Reads a body that arrives in these pieces. Returns its parts, and whether its end was seen.
fn read_in_pieces<'p>(
    boundary: &str,
    pieces: impl Iterator<Item = &'p [u8]>,
) -> Result<(Vec<Part>, bool), MultipartFault> {
    let mut reader = MultipartReader::new(boundary);
    let mut parts = Vec::<Part>::new();
    for mut piece in pieces {
        let mut idle_rounds = 0;
        while !piece.is_empty() {
            let (item, consumed_bytes) = reader.read(piece)?;
            idle_rounds = if consumed_bytes == 0 { idle_rounds + 1 } else { 0 };
            assert!(idle_rounds < 2, "it gets on");
            match item {
                Item::Nothing => (),
                Item::Part(head) => parts.push((head, Vec::new())),
                Item::Data(data) => parts.last_mut().expect("data is of a part").1.extend_from_slice(data),
            }
            piece = &piece[consumed_bytes..];
        }
    }
    Ok((parts, reader.is_complete()))
}

fn read(boundary: &str, body: &[u8]) -> Result<(Vec<Part>, bool), MultipartFault> {
    read_in_pieces(boundary, std::iter::once(body))
}

fn head(name: &str, file_name: Option<&str>) -> PartHead {
    PartHead { name: name.into(), file_name: file_name.map(str::to_owned) }
}

#[test]
fn reads_what_curl_and_browsers_send() {
    let body = b"--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nthe plan\r\n\
        --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"pl%22an.pdf\"\r\n\
        Content-Type: application/pdf\r\n\r\n%PDF\r\n--\r\n\r\n--b--\r\n";
    let parts = vec![
        (head("text", None), b"the plan".to_vec()),
        (head("file", Some("pl\"an.pdf")), b"%PDF\r\n--\r\n".to_vec()),
    ];
    assert_eq!(read("b", body), Ok((parts, true)));
}

#[test]
fn what_stands_around_the_parts_is_ignored() {
    let body = b"For those\r\nwho see this\r\n--not\r\n--b \t\r\n\r\n\r\n--b--\r\n--b\r\nwhatever";
    assert_eq!(read("b", body), Ok((vec![(head("", None), Vec::new())], true)));
    assert_eq!(read("b", b"--b--"), Ok((Vec::new(), true)), "no parts are none");
}

#[test]
fn names_are_read_as_they_are_written() {
    for (disposition, name, file_name) in [
        ("form-data; name=file; filename=a.txt", "file", Some("a.txt")),
        ("form-data; filename=\"a;b=c.txt\"; name=\"file\"", "file", Some("a;b=c.txt")),
        ("form-data; name=\"file\"; filename=\"say \\\"hi\\\".txt\"", "file", Some("say \"hi\".txt")),
        ("form-data; name=\"file\"; filename=\"C:\\plans\\a.txt\"", "file", Some("C:\\plans\\a.txt")),
        ("form-data; NAME=\"file\"; FileName=\"\"", "file", Some("")),
        ("form-data; name=\"file\"; filename=\"100%25.txt\"", "file", Some("100%25.txt")),
        ("form-data; name=\"file\"; filename=\"\u{FC}.txt\"", "file", Some("\u{FC}.txt")),
        ("form-data; what; name=\"file\"", "file", None),
        ("form-data; name=\"file", "", None),
        ("form-data", "", None),
    ] {
        let body = format!("--b\r\nContent-Disposition: {disposition}\r\n\r\nx\r\n--b--");
        let (parts, _) = read("b", body.as_bytes()).expect("it can be read");
        assert_eq!(parts, [(head(name, file_name), b"x".to_vec())], "{disposition}");
    }
}

#[test]
fn what_is_not_built_so_is_refused() {
    for body in ["--bx", "--b-x", "--b\rx", "--b\r\nno field\r\n\r\n", "--b\r\n: x\r\n\r\n"] {
        assert_eq!(read("b", body.as_bytes()), Err(MultipartFault::Malformed), "{body:?}");
    }
    let long = format!("--b\r\nX: {}", "x".repeat(MAX_HEAD_BYTES));
    let many = "--b\r\n\r\nx\r\n".repeat(MAX_PARTS + 1);
    let fields = format!("--b\r\n{}\r\n", "X: y\r\n".repeat(MAX_FIELDS + 1));
    for body in [long, many, fields] {
        assert_eq!(read("b", body.as_bytes()), Err(MultipartFault::TooMuch));
    }
}

#[test]
fn a_boundary_is_read_from_its_field() {
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for (content_type, boundary) in [
        ("multipart/form-data; boundary=----WebKitFormBoundary7MA4YW", Some("----WebKitFormBoundary7MA4YW")),
        ("multipart/form-data; charset=utf-8; boundary=\"a b:c\"", Some("a b:c")),
        ("multipart/form-data;boundary=a;x=y", Some("a")),
        ("multipart/form-data; boundary=\"\"", None),
        ("multipart/form-data; boundary=\"a \"", None),
        ("multipart/form-data; boundary=\"\u{FC}\"", None),
        (&long, None),
        ("multipart/form-data", None),
    ] {
        assert_eq!(read_boundary(content_type).as_deref(), boundary, "{content_type}");
    }
}

/// Data that looks like a delimiter again and again, but holds none.
fn nearly_delimiters() -> impl Strategy<Value = Vec<u8>> {
    let piece =
        prop::sample::select(vec![&b"\r"[..], b"\n", b"-", b"\r\n-", b"\r\n--", b"\r\n--bo", b"x", b"--bound", b"\0"]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat()).prop_filter("it holds a delimiter", |data| {
        // With the line end in front of it, since what comes before the data ends in one.
        !data.windows(9).any(|window| window == b"\r\n--bound")
    })
}

proptest! {
    #[test]
    fn parts_are_the_same_wherever_the_body_is_cut(
        parts in prop::collection::vec(("[a-z]{0,5}", nearly_delimiters()), 0..5),
        preamble in nearly_delimiters(),
        epilogue in nearly_delimiters(),
        cuts in prop::collection::vec(1usize..20, 1..40),
    ) {
        let mut body = preamble;
        body.extend_from_slice(b"\r\n--bound");
        for (name, data) in &parts {
            body.extend_from_slice(format!("\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes());
            body.extend_from_slice(data);
            body.extend_from_slice(b"\r\n--bound");
        }
        body.extend_from_slice(b"--");
        let end = body.len();
        body.extend_from_slice(&epilogue);
        let expected: Vec<Part> = parts.iter().map(|(name, data)| (head(name, None), data.clone())).collect();
        let mut rest = &body[..];
        let mut lengths = cuts.iter().cycle();
        let pieces = std::iter::from_fn(|| {
            let (piece, after) = rest.split_at(rest.len().min(*lengths.next()?));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        });
        // A preamble may begin as the first delimiter does: then it is one.
        prop_assume!(!body.starts_with(b"--bound"));
        prop_assert_eq!(read_in_pieces("bound", pieces), Ok((expected.clone(), true)));
        let (read, is_complete) = read("bound", &body[..end - 1]).expect("what there is of it is well built");
        prop_assert!(!is_complete, "its end is missing");
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_bytes_are_read(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..10)) {
        let _ = read_in_pieces("b", pieces.iter().map(Vec::as_slice));
        let started: Vec<&[u8]> = [&b"--b\r\n"[..]].into_iter().chain(pieces.iter().map(Vec::as_slice)).collect();
        let _ = read_in_pieces("b", started.into_iter());
    }
}
