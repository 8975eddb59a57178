use core::net::SocketAddr;

use proptest::prelude::*;
use proxy_header::{ProxiedAddress, ProxyHeader, Tlv};

use super::*;

const CLIENT: [u8; 4] = [192, 0, 2, 7];

fn client(address: &str) -> Source {
    Source::Client(address.parse().expect("an address in a test"))
}

/// A header of version 2 with this command, this family and transport, and this behind its length.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a length").to_be_bytes();
    [V2_SIGNATURE, &[command, family], &length, body].concat()
}

fn ipv4_body() -> Vec<u8> {
    [&CLIENT[..], &[192, 0, 2, 1, 0xdc, 4, 1, 0xbb]].concat()
}

/// What is read is the same wherever the bytes are cut, and what follows is left alone.
fn expect(header: &[u8], expected: Source) {
    for end in 0..header.len() {
        assert_eq!(parse(&header[..end]), Ok(None), "{end} bytes of {header:?}");
    }
    for behind in [&b""[..], b"G", b"\r\n\r\n", &[0x16, 3, 1], header] {
        assert_eq!(parse(&[header, behind].concat()), Ok(Some((expected, header.len()))), "{header:?}, {behind:?}");
    }
}

#[test]
fn a_line_says_from_whom_the_connection_comes() {
    expect(b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n", client("192.0.2.7"));
    expect(b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", client("255.255.255.255"));
    expect(b"PROXY TCP6 2001:db8::7 2001:db8::1 0 443\r\n", client("2001:db8::7"));
    expect(b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 1 2\r\n", client("192.0.2.7"));
    let longest = "PROXY TCP6 ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"
        .replace("ffff:f...f:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    assert_eq!(longest.len(), 104);
    expect(longest.as_bytes(), client("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

#[test]
fn a_line_that_says_nothing_of_a_client_means_the_proxy_itself() {
    expect(b"PROXY UNKNOWN\r\n", Source::Peer);
    let ffff = ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"; 2].join(" ");
    let longest = format!("PROXY UNKNOWN {ffff} 65535 65535\r\n");
    assert_eq!(longest.len(), MOST_V1_BYTES);
    expect(longest.as_bytes(), Source::Peer);
    expect(b"PROXY UNKNOWN whatever  follows\r\n", Source::Peer);
}

#[test]
fn a_line_that_is_not_as_it_is_to_be_is_refused() {
    for line in [
        "PROXY TCP4 192.0.2.7 192.0.2.1 56324\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 56324 443 1\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 56324 443 \r\n",
        "PROXY TCP4 192.0.2.7  192.0.2.1 56324 443\r\n",
        "PROXY  TCP4 192.0.2.7 192.0.2.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 65536 443\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 +1 443\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 01 443\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 1 -1\r\n",
        "PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 chat.example 1 2\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
        "PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
        "PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n",
        "PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n",
        "PROXY tcp4 192.0.2.7 192.0.2.1 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
        "PROXY\r\n",
        "PROXY TCP4 192.0.2.7\n192.0.2.1 1 2\r\n",
        "proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
    ] {
        assert_eq!(parse(line.as_bytes()), Err(HeaderFault), "{line:?}");
    }
    assert_eq!(parse(b"PROXY UNKNOWN \xff\r\n"), Err(HeaderFault), "no text");
}

#[test]
fn a_line_without_an_end_is_given_up() {
    let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 1000]].concat();
    assert_eq!(parse(&endless[..MOST_V1_BYTES - 1]), Ok(None));
    assert_eq!(parse(&endless[..MOST_V1_BYTES]), Err(HeaderFault));
    let late = [&endless[..MOST_V1_BYTES - 1], b"\r\n"].concat();
    assert_eq!(parse(&late), Err(HeaderFault), "its end comes too late");
}

#[test]
fn what_is_no_header_is_refused_with_the_first_byte_that_shows_it() {
    for first in [&b"GET / HTTP/1.1\r\n"[..], &[0x16, 3, 1, 2, 0], b"\n", b"PROXZ", b"\r\n\r\n\0\r\nQUIT\r", b" PROXY "]
    {
        assert_eq!(parse(first), Err(HeaderFault), "{first:?}");
    }
    assert_eq!(parse(b""), Ok(None));
}

#[test]
fn a_binary_header_says_from_whom_the_connection_comes() {
    expect(&v2(0x21, 0x11, &ipv4_body()), client("192.0.2.7"));
    let behind = [&ipv4_body()[..], &[4, 0, 2, 0, 0, 0xee, 0, 0]].concat();
    expect(&v2(0x21, 0x11, &behind), client("192.0.2.7"));
    let [seven, one] = ["2001:db8::7", "2001:db8::1"].map(|text| text.parse::<Ipv6Addr>().expect("one").octets());
    expect(&v2(0x21, 0x21, &[&seven[..], &one, &[0; 4]].concat()), client("2001:db8::7"));
    let mapped = "::ffff:192.0.2.7".parse::<Ipv6Addr>().expect("one").octets();
    expect(&v2(0x21, 0x21, &[&mapped[..], &mapped, &[0; 4]].concat()), client("192.0.2.7"));
}

#[test]
fn a_binary_header_of_the_proxys_own_means_the_proxy_itself() {
    expect(&v2(0x20, 0x00, &[]), Source::Peer);
    expect(&v2(0x20, 0x11, &ipv4_body()), Source::Peer);
    expect(&v2(0x20, 0xff, &[1; 7]), Source::Peer);
    expect(&v2(0x21, 0x00, &[]), Source::Peer);
    expect(&v2(0x21, 0x00, &[9; 30]), Source::Peer);
    expect(&v2(0x21, 0x31, &[0; 216]), Source::Peer);
}

#[test]
fn a_binary_header_that_is_not_as_it_is_to_be_is_refused() {
    for (command, family) in [(0x22, 0x11), (0x2f, 0), (0x11, 0x11), (0x31, 0x11), (0, 0), (0x21, 0x12), (0x21, 0x41)] {
        assert_eq!(parse(&v2(command, family, &[0; 40])), Err(HeaderFault), "{command:x} {family:x}");
    }
    assert_eq!(parse(&v2(0x21, 0x11, &ipv4_body()[..11])), Err(HeaderFault));
    assert_eq!(parse(&v2(0x21, 0x11, &[])), Err(HeaderFault));
    assert_eq!(parse(&v2(0x21, 0x21, &[0; 35])), Err(HeaderFault));
}

#[test]
fn a_binary_header_that_is_too_long_is_refused_before_it_has_arrived() {
    let body = |bytes: usize| [ipv4_body(), vec![0; bytes - 12]].concat();
    expect(&v2(0x21, 0x11, &body(MOST_V2_BYTES - V2_FIXED_BYTES)), client("192.0.2.7"));
    let too_long = v2(0x20, 0x00, &body(MOST_V2_BYTES - V2_FIXED_BYTES + 1));
    assert_eq!(parse(&too_long[..V2_FIXED_BYTES]), Err(HeaderFault));
}

proptest! {
    /// Another's writer and this reader agree.
    #[test]
    fn what_another_library_writes_is_read(
        source: SocketAddr, destination: SocketAddr, is_text: bool, is_local: bool, id in prop::collection::vec(any::<u8>(), 0..128),
    ) {
        prop_assume!(source.is_ipv4() == destination.is_ipv4());
        let mut header = match is_local {
            true => ProxyHeader::with_local(),
            false => ProxyHeader::with_address(ProxiedAddress::stream(source, destination)),
        };
        let mut bytes = [0; 512];
        let length = match is_text {
            true => header.encode_to_slice_v1(&mut bytes),
            false => {
                header.append_tlv(Tlv::UniqueId(id.into()));
                header.encode_to_slice_v2(&mut bytes)
            }
        };
        let length = length.expect("it fits");
        let expected = if is_local { Source::Peer } else { Source::Client(source.ip().to_canonical()) };
        prop_assert_eq!(parse(&bytes), Ok(Some((expected, length))));
        prop_assert_eq!(parse(&bytes[..length - 1]), Ok(None));
        // It can be read without a byte of what follows, and not byte by byte.
        let (mut received, mut reads) = (0, 0);
        while parse(&bytes[..received]) == Ok(None) {
            received += missing_bytes(&bytes[..received]);
            reads += 1;
        }
        prop_assert_eq!(received, length);
        let most_reads = if is_text { 48 } else { 3 };
        prop_assert!(reads <= most_reads, "{} reads", reads);
    }

    /// Whatever arrives, it is clear soon what it is, and stays what it was found to be.
    #[test]
    fn nothing_is_waited_for_without_end(
        beginning in prop::sample::select(vec![&b""[..], b"PROXY ", b"PROXY TCP4 1", V2_SIGNATURE]),
        bytes in prop::collection::vec(any::<u8>(), 0..6000),
    ) {
        let bytes = [beginning, &bytes].concat();
        let mut found = None;
        for end in 0..=bytes.len() {
            match (parse(&bytes[..end]), found) {
                (Ok(None), found) => {
                    prop_assert_eq!(found, None);
                    prop_assert!(end < MOST_V2_BYTES);
                }
                (known, None) => found = Some(known),
                (known, Some(found)) => prop_assert_eq!(known, found),
            }
        }
    }
}
