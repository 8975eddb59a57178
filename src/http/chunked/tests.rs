use proptest::prelude::*;

use super::*;

const LIMIT_BYTES: u64 = 64 * 1024;

/// What has come of a body: its data and how long it was, as far as it is complete; or why it is none.
type Outcome = Result<(Vec<u8>, Option<usize>), ChunkedFault>;

/// Decodes a body that arrives in pieces that end at these places.
fn decode(bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Outcome {
    let mut decoder = ChunkedDecoder::new(LIMIT_BYTES);
    let (mut data, mut position) = (Vec::new(), 0);
    for end in ends.into_iter().chain([bytes.len()]) {
        loop {
            let decoded = decoder.decode(&bytes[position..end])?;
            data.extend_from_slice(decoded.data);
            position += decoded.consumed_bytes;
            if decoded.is_complete {
                return Ok((data, Some(position)));
            }
            if position == end {
                break;
            }
        }
    }
    Ok((data, None))
}

fn whole(text: &str) -> Outcome {
    decode(text.as_bytes(), [])
}

#[track_caller]
fn assert_is(text: &str, data: &str) {
    assert_eq!(whole(text), Ok((data.into(), Some(text.len()))), "{text:?}");
    let followed = format!("{text}GET / HTTP/1.1\r\n");
    assert_eq!(whole(&followed), Ok((data.into(), Some(text.len()))), "{followed:?}");
}

#[test]
fn chunks_are_joined() {
    assert_is("0\r\n\r\n", "");
    assert_is("5\r\nhello\r\n0\r\n\r\n", "hello");
    assert_is("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world");
    assert_is("A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789");
    assert_is("00000000000000000000001\r\n\r\r\n0\r\n\r\n", "\r");
    assert_is("7\r\n0\r\n\r\nGE\r\n0\r\n\r\n", "0\r\n\r\nGE");
}

#[test]
fn extensions_and_trailers_are_left_out() {
    for extension in [
        ";a",
        ";a=b",
        ";a=\"b\"",
        ";a;b=c;d",
        " ;a",
        "\t; a =\tb ; c",
        ";a=\"\\\"; 0\\\\ \"",
        ";a=\"\u{e9}\t\" ;b",
        ";chunk-signature=0123456789abcdef",
    ] {
        assert_is(&format!("5{extension}\r\nhello\r\n0{extension}\r\n\r\n"), "hello");
    }
    assert_is("5\r\nhello\r\n0\r\nX-Checksum: abc\r\nY:\r\n\r\n", "hello");
    assert_is("5\r\nhello\r\n0\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n", "hello");
}

#[test]
fn what_is_not_complete_is_waited_for() {
    let body = "5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n";
    for end in 0..body.len() {
        let (data, length) = whole(&body[..end]).expect("no fault so far");
        assert_eq!(length, None, "{:?}", &body[..end]);
        assert!("hello".as_bytes().starts_with(&data));
    }
}

#[test]
fn what_is_malformed_is_refused() {
    for body in [
        // Sizes.
        "\r\n",
        "x\r\n",
        "0x5\r\n",
        "+5\r\n",
        "-1\r\n",
        "1_0\r\n",
        "1.0\r\n",
        " 5\r\n",
        "\t5\r\n",
        ";a\r\n",
        "g\r\n",
        "5h\r\n",
        // Spaces behind them.
        "5 \r\n",
        "5\t\r\n",
        "5 6\r\n",
        // Line ends.
        "5\rhello",
        "5\nhello",
        "5\r\r\n",
        "5\n\n",
        "5\r\nhello\n",
        "5\r\nhello\r0",
        "5\r\nhello0\r\n",
        "5\r\nhello!!\r\n",
        "5\r\nhello\r\n0\n\n",
        "0\r\n\n",
        "0\r\n\r0",
        "0\rX: y",
        // Extensions.
        "5;\r\n",
        "5;;a\r\n",
        "5;\n",
        "5;a\rX\r\n",
        "5;a\n",
        "5;a[\r\n",
        "5;\0a\r\n",
        "5;a=\r\n",
        "5;a=b\0\r\n",
        "5;a=\"b\r\n",
        "5;a=\"b\"c\r\n",
        "5;a=\"\\\r\n",
        "5;a \r\n",
        "5;a b\r\n",
        "5;a=b \r\n",
        "5;a=b c\r\n",
        "5;a=\"b\" \r\n",
        "5;=b\r\n",
        // Trailers.
        "0\r\nX\r\n\r\n",
        "0\r\n: y\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\n X: y\r\n\r\n",
        "0\r\nX: y\r\n z\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\nX: y\0\r\n\r\n",
        "0\r\nX: y\rz\r\n\r\n",
    ] {
        assert_eq!(whole(body), Err(ChunkedFault::Malformed), "{body:?}");
    }
}

#[test]
fn a_size_has_bounds() {
    assert_eq!(whole("FFFFFFFFFFFFFFFF0\r\n"), Err(ChunkedFault::Malformed), "no number of 64 bits");
    assert_eq!(whole("FFFFFFFFFFFFFFFF\r\n"), Err(ChunkedFault::TooLong));
    assert_eq!(whole("10001\r\n"), Err(ChunkedFault::TooLong), "as soon as it is said");
    let chunk = |size: usize| format!("{size:x}\r\n{}\r\n", "x".repeat(size));
    assert_is(&format!("{}0\r\n\r\n", chunk(0x10000)), &"x".repeat(0x10000));
    assert_is(&format!("{}{}0\r\n\r\n", chunk(0xffff), chunk(1)), &"x".repeat(0x10000));
    assert_eq!(whole(&format!("{}{}", chunk(0xffff), chunk(2))), Err(ChunkedFault::TooLong));
}

#[test]
fn what_is_no_data_has_bounds() {
    let spent = MAX_OVERHEAD_BYTES as usize;
    for endless in [
        format!("5;a={}", "x".repeat(spent)),
        format!("5;a=\"{}", "x".repeat(spent)),
        "0".repeat(spent + 1),
        format!("0\r\nX: {}", "x".repeat(spent)),
        format!("0\r\n{}", "X: y\r\n".repeat(spent / 6 + 1)),
        "1;a=0123456789012345678901234567890123456789\r\nx\r\n".repeat(1000),
    ] {
        assert_eq!(whole(&endless), Err(ChunkedFault::TooMuchOverhead), "{}", &endless[..40]);
    }
    // As many chunks as there is data, each with a line of its own, are what some clients send.
    assert_is(&format!("{}0\r\n\r\n", "1\r\nx\r\n".repeat(20_000)), &"x".repeat(20_000));
    let signed = format!("400;chunk-signature={}\r\n{}\r\n", "0".repeat(64), "x".repeat(1024));
    assert_is(&format!("{}0\r\n\r\n", signed.repeat(60)), &"x".repeat(60 * 1024));
}

#[test]
fn data_is_not_copied() {
    let body = b"5\r\nhello\r\n0\r\n\r\n";
    let mut decoder = ChunkedDecoder::new(LIMIT_BYTES);
    let decoded = decoder.decode(body).expect("a chunk");
    assert_eq!((decoded.data.as_ptr(), decoded.consumed_bytes), (body[3..].as_ptr(), 8));
    assert_eq!(decoder.decode(&body[8..]).map(|decoded| decoded.is_complete), Ok(true));
    let after_its_end = decoder.decode(b"5\r\n").expect("nothing");
    assert_eq!(after_its_end, Decoded { data: &[], consumed_bytes: 0, is_complete: true });
}

/// A chunk of these bytes, with an extension.
fn chunk(data: &[u8], extension: &str) -> Vec<u8> {
    [format!("{:x}{extension}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

/// Bytes that look like a chunked body in places, so that all of the decoder is reached.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        prop::sample::select(vec![
            "0",
            "1",
            "3",
            "a",
            "F",
            "ffffffff",
            "\r\n",
            "\r",
            "\n",
            ";",
            "=",
            "\"",
            "\\",
            " ",
            "\t",
            "abc",
            "x: y",
            ":",
            "3\r\nabc\r\n",
            "1;a=b\r\n",
            "0\r\n",
            "0\r\n\r\n",
            "X: y\r\n",
            ";a=\"b\"",
            "-",
            "+",
            "_",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(fragment, 0..24).prop_map(|fragments| fragments.concat())
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_decoded_alike(
        bytes in fragments(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut ends: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
        ends.sort_unstable();
        let once = decode(&bytes, []);
        prop_assert_eq!(&decode(&bytes, ends), &once);
        prop_assert_eq!(&decode(&bytes, 0..bytes.len()), &once);
    }

    #[test]
    fn what_was_encoded_is_decoded(
        chunks in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 1..200), "( ?; ?[a-z]{1,4}( ?= ?([a-z0-9]{1,4}|\"[ -!#-\\[\\]-~]{0,4}\"))?){0,2}"),
            0..8,
        ),
        trailers in prop::collection::vec("[A-Za-z-]{1,8}:[ -~]{0,8}\r\n", 0..3),
        rest in prop::collection::vec(any::<u8>(), 0..16),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let data: Vec<u8> = chunks.iter().flat_map(|(data, _)| data.clone()).collect();
        let mut bytes: Vec<u8> = chunks.iter().flat_map(|(data, extension)| chunk(data, extension)).collect();
        bytes.extend_from_slice(format!("0\r\n{}\r\n", trailers.concat()).as_bytes());
        let length = bytes.len();
        bytes.extend_from_slice(&rest);
        let mut ends: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
        ends.sort_unstable();
        prop_assert_eq!(decode(&bytes, ends), Ok((data, Some(length))));
    }
}
