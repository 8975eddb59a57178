//! What contents become, hostile ones above all.

use std::io::Cursor;

use proptest::prelude::*;

use super::pieces::is_malformed;
use super::*;

// ---- small files that are what they seem to be

fn chunk(name: &[u8; 4], bytes: &[u8]) -> Vec<u8> {
    // Nobody here looks at the checksum, and so neither does the test.
    [&u32::try_from(bytes.len()).expect("few bytes").to_be_bytes(), &name[..], bytes, b"\0\0\0\0"].concat()
}

const END: &[u8] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

fn png_of(width: u32, height: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [&b"\x89PNG\r\n\x1A\n"[..], &chunk(b"IHDR", &head), &chunks.concat(), END].concat()
}

fn png() -> Vec<u8> {
    png_of(4, 3, &[chunk(b"IDAT", b"pixels")])
}

fn segment(marker: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len() + 2).expect("a short segment");
    [&[0xFF, marker][..], &length.to_be_bytes(), bytes].concat()
}

const FRAME: &[u8] = &[8, 0, 3, 0, 4, 1, 1, 0x11, 0];

fn jpeg_of(before: &[Vec<u8>]) -> Vec<u8> {
    let scan = b"data\xFF\0more\xFF\xD0and\xFF\xD9";
    let frame = [segment(0xDB, &[0; 65]), segment(0xC0, FRAME), segment(0xC4, &[0; 20]), segment(0xDA, &[0; 6])];
    [&b"\xFF\xD8"[..], &before.concat(), &frame.concat(), scan].concat()
}

fn jpeg() -> Vec<u8> {
    jpeg_of(&[segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0")])
}

fn gif_of(before: &[u8]) -> Vec<u8> {
    [b"GIF89a\x04\0\x03\0\x80\0\0rgbRGB", before, b"\x2C\0\0\0\0\x04\0\x03\0\0\x02\x03abc\0\x3B"].concat()
}

fn gif() -> Vec<u8> {
    gif_of(b"\x21\xF9\x04\0\0\0\0\0")
}

fn riff(form: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    let chunks = chunks.concat();
    let length = u32::try_from(chunks.len() + 4).expect("few bytes");
    [b"RIFF", &length.to_le_bytes(), &form[..], &chunks].concat()
}

fn riff_chunk(name: &[u8; 4], bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("few bytes");
    let padding: &[u8] = if bytes.len() % 2 == 0 { b"" } else { b"\0" };
    [name, &length.to_le_bytes()[..], bytes, padding].concat()
}

const VP8: &[u8] = b"\x10\0\0\x9D\x01\x2A\x04\0\x03\0pixels";

fn webp() -> Vec<u8> {
    riff(b"WEBP", &[riff_chunk(b"VP8 ", VP8)])
}

fn boxed(name: &[u8; 4], bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len() + 8).expect("few bytes").to_be_bytes(), &name[..], bytes].concat()
}

fn avif_of(properties: &[Vec<u8>]) -> Vec<u8> {
    let properties = boxed(b"iprp", &boxed(b"ipco", &properties.concat()));
    let meta = [b"\0\0\0\0", &boxed(b"hdlr", b"pict")[..], &properties].concat();
    [boxed(b"ftyp", b"avif\0\0\0\0mif1avifmiaf"), boxed(b"meta", &meta), boxed(b"mdat", b"pixels")].concat()
}

fn avif() -> Vec<u8> {
    avif_of(&[boxed(b"ispe", b"\0\0\0\0\0\0\0\x04\0\0\0\x03"), boxed(b"pixi", b"1234")])
}

fn mp4() -> Vec<u8> {
    [boxed(b"ftyp", b"isom\0\0\x02\0isomiso2avc1mp41"), boxed(b"moov", b"film")].concat()
}

fn mp3_of(tag: &[u8]) -> Vec<u8> {
    let frame = [&b"\xFF\xFB\x90\0"[..], &[0; 413]].concat();
    [tag, &frame, &frame].concat()
}

fn ogg_of(packet: &[u8]) -> Vec<u8> {
    [b"OggS\0\x02", &[0; 20][..], &[1, 30], packet, &[0; 30]].concat()
}

fn wav() -> Vec<u8> {
    riff(
        b"WAVE",
        &[riff_chunk(b"fmt ", &[1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), riff_chunk(b"data", b"wave")],
    )
}

fn webm_of(doc_type: &[u8]) -> Vec<u8> {
    let length = 0x80 | u8::try_from(doc_type.len()).expect("a short word");
    let head = [&b"\x42\x86\x81\x01\x42\x82"[..], &[length], doc_type].concat();
    let head_length = 0x80 | u8::try_from(head.len()).expect("a short head");
    [&b"\x1A\x45\xDF\xA3"[..], &[head_length], &head, b"\x18\x53\x80\x67\x01film"].concat()
}

fn webm() -> Vec<u8> {
    webm_of(b"webm")
}

// ---- looking at them

fn look(bytes: &[u8]) -> (FileType, Option<(u32, u32)>, Option<Vec<u8>>) {
    let looked = look_at(&mut Cursor::new(bytes), || Ok(Cursor::new(Vec::new()))).expect("memory does not fail");
    let dimensions = looked.dimensions.map(|Dimensions { width, height }| (width, height));
    (looked.file_type, dimensions, looked.rewritten.map(Cursor::into_inner))
}

/// The picture as it is written anew.
fn rewritten(bytes: &[u8]) -> Vec<u8> {
    let (file_type, _, rewritten) = look(bytes);
    rewritten.unwrap_or_else(|| panic!("{file_type:?} is written anew"))
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn samples() -> Vec<(FileType, Vec<u8>)> {
    vec![
        (FileType::Png, png()),
        (FileType::Jpeg, jpeg()),
        (FileType::Gif, gif()),
        (FileType::Webp, webp()),
        (FileType::Avif, avif()),
        (FileType::Mp3, mp3_of(b"")),
        (FileType::Mp3, mp3_of(b"ID3\x04\0\0\0\0\0\x05title")),
        (FileType::Ogg, ogg_of(b"OpusHead")),
        (FileType::Ogg, ogg_of(b"\x01vorbis\0")),
        (FileType::Wav, wav()),
        (FileType::Mp4, mp4()),
        (FileType::Webm, webm()),
    ]
}

#[test]
fn each_type_is_known_by_its_content() {
    for (file_type, bytes) in samples() {
        let (found, dimensions, rewritten) = look(&bytes);
        assert_eq!(found, file_type);
        let is_picture = file_type.as_str().starts_with("image/");
        assert_eq!(dimensions, is_picture.then_some((4, 3)), "{file_type:?}");
        assert_eq!(rewritten.is_some(), is_picture && file_type != FileType::Avif, "{file_type:?}");
        if let Some(rewritten) = rewritten {
            assert!(rewritten == bytes, "there was nothing to take out of {file_type:?}");
        }
    }
}

/// Bytes that run in a page, if anybody lets them.
const SCRIPT: &[u8] = b"<script>alert(document.domain)</script>";

const HTML: &[u8] = b"<!DOCTYPE html><script>alert(document.domain)</script>";

/// What they become, and that nothing of a script is left in what is written anew.
#[test]
fn hostile_contents_become_what_they_are() {
    use FileType::{Avif, Gif, Jpeg, Mp3, Mp4, Ogg, Other, Png, Wav, Webm, Webp};
    let behind = |picture: Vec<u8>| [&picture[..], HTML].concat();
    let before = |picture: Vec<u8>| [HTML, &picture[..]].concat();
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 8].to_vec();
    let with = |mut bytes: Vec<u8>, position: usize, byte: u8| {
        bytes[position] = byte;
        bytes
    };
    let cases: Vec<(&str, Vec<u8>, FileType)> = vec![
        ("nothing", Vec::new(), Other),
        ("a byte", b"\x89".to_vec(), Other),
        ("HTML", HTML.to_vec(), Other),
        ("HTML behind a mark of its encoding", [b"\xEF\xBB\xBF", HTML].concat(), Other),
        ("SVG", b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>".to_vec(), Other),
        ("SVG in XML", b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(), Other),
        ("compressed SVG", b"\x1F\x8B\x08\0\0\0\0\0\0\x03svgz".to_vec(), Other),
        ("PDF", b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript>>>>".to_vec(), Other),
        ("JavaScript", b"alert(document.domain)//plain text".to_vec(), Other),
        ("Flash", b"CWS\x0A\0\0\0\0flash movie".to_vec(), Other),
        ("ZIP", b"PK\x03\x04\x14\0\0\0\x08\0zipped".to_vec(), Other),
        ("a bomb of zeros", [b"\x1F\x8B\x08\0\0\0\0\0\0\x03", &[0; 100_000][..]].concat(), Other),
        ("a program", b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0".to_vec(), Other),
        ("a program of Windows", b"MZ\x90\0\x03\0\0\0\x04\0\0\0".to_vec(), Other),
        ("an icon", b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0".to_vec(), Other),
        ("a bitmap", b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0".to_vec(), Other),
        ("TIFF", b"II*\0\x08\0\0\0\0\0\0\0".to_vec(), Other),
        ("MHTML", b"MIME-Version: 1.0\r\nContent-Type: multipart/related".to_vec(), Other),
        ("HTML behind PNG", behind(png()), Png),
        ("HTML behind JPEG", behind(jpeg()), Jpeg),
        ("HTML behind GIF", behind(gif()), Gif),
        ("HTML behind WebP", behind(webp()), Webp),
        ("HTML behind AVIF", behind(avif()), Avif),
        ("HTML behind MP3", behind(mp3_of(b"")), Mp3),
        ("HTML behind MP4", behind(mp4()), Mp4),
        ("HTML behind WebM", behind(webm()), Webm),
        ("HTML behind Ogg", behind(ogg_of(b"OpusHead")), Ogg),
        ("HTML behind WAV", behind(wav()), Wav),
        ("HTML before PNG", before(png()), Other),
        ("HTML before JPEG", before(jpeg()), Other),
        ("HTML before GIF", before(gif()), Other),
        ("HTML before MP3", before(mp3_of(b"")), Other),
        ("HTML before ZIP", before(b"PK\x03\x04".to_vec()), Other),
        ("a script in PNG's text", png_of(4, 3, &[chunk(b"tEXt", SCRIPT), chunk(b"IDAT", b"")]), Png),
        ("a script in PNG's packed text", png_of(4, 3, &[chunk(b"zTXt", SCRIPT), chunk(b"IDAT", b"")]), Png),
        ("a script in PNG's other text", png_of(4, 3, &[chunk(b"IDAT", b""), chunk(b"iTXt", SCRIPT)]), Png),
        ("a script in a chunk of its own", png_of(4, 3, &[chunk(b"ruNm", SCRIPT), chunk(b"IDAT", b"")]), Png),
        ("a critical chunk of its own", png_of(4, 3, &[chunk(b"RUNM", SCRIPT), chunk(b"IDAT", b"")]), Other),
        ("a chunk without a name", png_of(4, 3, &[chunk(b"<scr", b"ipt>"), chunk(b"IDAT", b"")]), Other),
        ("PNG's head and HTML", [&b"\x89PNG\r\n\x1A\n"[..], HTML].concat(), Other),
        ("PNG spoilt by a change of line ends", with(png(), 4, b'\n'), Other),
        ("PNG without pixels", png_of(4, 3, &[]), Other),
        ("PNG with two heads", png_of(4, 3, &[chunk(b"IHDR", &[0; 13]), chunk(b"IDAT", b"")]), Other),
        ("PNG without width", png_of(0, 3, &[chunk(b"IDAT", b"")]), Other),
        ("PNG as large as a bomb", png_of(60_000, 60_000, &[chunk(b"IDAT", b"")]), Other),
        ("PNG as large as can be", png_of(u32::MAX, u32::MAX, &[chunk(b"IDAT", b"")]), Other),
        ("PNG that is cut", cut(png()), Other),
        ("PNG with a chunk that never ends", png_of(4, 3, &[b"\xFF\xFF\xFF\xFFIDAT".to_vec()]), Other),
        ("a script in JPEG's comment", jpeg_of(&[segment(0xFE, SCRIPT)]), Jpeg),
        ("a script in JPEG's Exif", jpeg_of(&[segment(0xE1, &[b"Exif\0\0", SCRIPT].concat())]), Jpeg),
        ("a script in JPEG's XMP", jpeg_of(&[segment(0xE1, SCRIPT)]), Jpeg),
        ("a script in JPEG's IPTC", jpeg_of(&[segment(0xED, SCRIPT)]), Jpeg),
        (
            "a script behind JFIF's numbers",
            jpeg_of(&[segment(0xE0, &[b"JFIF\0\x01\x02\0\0\x01\0\x01\x01\x0D", SCRIPT].concat())]),
            Jpeg,
        ),
        ("a script as Adobe's", jpeg_of(&[segment(0xEE, &[b"Adobe\0d\0\0\0\0\0", SCRIPT].concat())]), Jpeg),
        ("JPEG's beginning and HTML", [&b"\xFF\xD8\xFF\xE0"[..], HTML].concat(), Other),
        ("JPEG's beginning and PHP", b"\xFF\xD8\xFF<?php system($_GET['c']); ?>".to_vec(), Other),
        ("JPEG that is cut", cut(jpeg()), Other),
        ("JPEG without a scan", [&b"\xFF\xD8"[..], &segment(0xC0, FRAME), b"\xFF\xD9"].concat(), Other),
        ("JPEG without height", with(jpeg(), 2 + 18 + 69 + 6, 0), Other),
        ("JPEG with a segment shorter than its length", [b"\xFF\xD8\xFF\xE1\0\x01", HTML].concat(), Other),
        ("JPEG's signs in HTML", b"\xFF\xD8\xFF\xFE\0\x20<html><script>/*\xFF\xD9".to_vec(), Other),
        ("GIF that is JavaScript", [&b"GIF89a/*\0\0\0\0\0*/=1;"[..], SCRIPT].concat(), Other),
        ("GIF that says GIF89a=1", b"GIF89a=1;alert(document.domain);//".to_vec(), Other),
        ("a script in GIF's comment", gif_of(&[&b"\x21\xFE\x27"[..], SCRIPT, b"\0"].concat()), Gif),
        ("a script in GIF's XMP", gif_of(&[&b"\x21\xFF\x0BXMP DataXMP\x27"[..], SCRIPT, b"\0"].concat()), Gif),
        ("GIF that is cut", cut(gif()), Other),
        ("GIF without a picture", b"GIF89a\x04\0\x03\0\0\0\0\x3B".to_vec(), Other),
        ("a script in WebP's Exif", riff(b"WEBP", &[riff_chunk(b"VP8 ", VP8), riff_chunk(b"EXIF", SCRIPT)]), Webp),
        ("a script in WebP's XMP", riff(b"WEBP", &[riff_chunk(b"VP8 ", VP8), riff_chunk(b"XMP ", SCRIPT)]), Webp),
        (
            "a script in a chunk of WebP's",
            riff(b"WEBP", &[riff_chunk(b"VP8 ", VP8), riff_chunk(b"HTML", SCRIPT)]),
            Webp,
        ),
        ("WebP that is a script", riff(b"WEBP", &[riff_chunk(b"HTML", SCRIPT)]), Other),
        ("WebP longer than it is", with(webp(), 5, 0xFF), Other),
        ("WebP shorter than its chunk", with(webp(), 4, 6), Other),
        ("RIFF of nothing", b"RIFF\0\0\0\0WEBP".to_vec(), Other),
        ("AVIF without a size", avif_of(&[]), Other),
        ("AVIF as large as can be", avif_of(&[boxed(b"ispe", &[0xFF; 12])]), Other),
        (
            "AVIF of a box within itself",
            [boxed(b"ftyp", b"avif\0\0\0\0"), b"\0\0\0\x01meta\0\0\0\0\0\0\0\x01".to_vec()].concat(),
            Other,
        ),
        ("HEIC", [boxed(b"ftyp", b"heic\0\0\0\0mif1heic"), boxed(b"meta", b"")].concat(), Other),
        ("HTML as MP4's boxes", [boxed(b"ftyp", b"isom\0\0\0\0isom"), HTML.to_vec()].concat(), Other),
        ("HTML among MP4's kinds", [boxed(b"ftyp", b"<htm\0\0\0\0l>  "), boxed(b"moov", b"")].concat(), Other),
        ("a first box that never ends", b"\0\0\0\0ftypisom\0\0\0\0".to_vec(), Other),
        ("QuickTime", [boxed(b"ftyp", b"qt  \0\0\0\0qt  mp42"), boxed(b"moov", b"")].concat(), Other),
        ("Matroska", webm_of(b"matroska"), Other),
        ("a script as WebM's kind", webm_of(SCRIPT), Other),
        ("an endless head of WebM", b"\x1A\x45\xDF\xA3\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF".to_vec(), Other),
        ("a tag of MP3 and HTML", [&b"ID3\x04\0\0\0\0\0\0"[..], HTML].concat(), Other),
        ("a frame of MP3 and HTML", [&mp3_of(b"")[..417], HTML].concat(), Other),
        ("text in UTF-16", b"\xFF\xFE<\0h\0t\0m\0l\0>\0".to_vec(), Other),
        ("Ogg with a film", ogg_of(b"\x80theora\x03"), Other),
        ("Ogg with HTML", ogg_of(HTML), Other),
        ("WAV with HTML", riff(b"WAVE", &[riff_chunk(b"<htm", SCRIPT)]), Other),
        ("RIFF with a film", riff(b"AVI ", &[riff_chunk(b"LIST", b"hdrl")]), Other),
    ];
    assert!(cases.len() >= 50);
    for (what, bytes, expected) in cases {
        let (file_type, _, rewritten) = look(&bytes);
        assert_eq!(file_type, expected, "{what}");
        if let Some(rewritten) = rewritten {
            assert!(!has(&rewritten, b"script"), "{what} is still there");
            assert_eq!(look(&rewritten).2.as_ref(), Some(&rewritten), "{what}: what was written anew stays as it is");
        }
    }
}

// ---- what is kept of pictures, and what is not

const PLACE: &[u8] = b"52.5200N13.4050E";

/// Exif with the orientation 6 (to be turned by a quarter), and a place.
fn exif() -> Vec<u8> {
    let directory = b"II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x25\x88\x04\0\x01\0\0\0\x20\0\0\0";
    [&directory[..], PLACE].concat()
}

#[test]
fn a_jpeg_keeps_its_orientation_and_tells_no_place() {
    let icc = segment(0xE2, b"ICC_PROFILE\0\x01\x01colours");
    let notes = [
        segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\x01\x01rgb"),
        segment(0xE1, &[b"Exif\0\0", &exif()[..]].concat()),
        segment(0xE1, &[b"http://ns.adobe.com/xap/1.0/\0", PLACE].concat()),
        icc.clone(),
        segment(0xE2, &[b"MPF\0", PLACE].concat()),
        segment(0xED, PLACE),
        segment(0xFE, PLACE),
        segment(0xEE, b"Adobe\0d\0\0\0\0\x01"),
        segment(0xEA, PLACE),
    ];
    let noted = [&jpeg_of(&notes)[..], PLACE].concat();
    let (file_type, dimensions, rewritten) = look(&noted);
    assert_eq!((file_type, dimensions), (FileType::Jpeg, Some((3, 4))), "it is shown on its side");
    let expected = jpeg_of(&[
        segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"),
        segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"),
        icc,
        segment(0xEE, b"Adobe\0d\0\0\0\0\x01"),
    ]);
    assert!(rewritten.as_ref() == Some(&expected), "{rewritten:02x?}");
    assert_eq!(look(&expected).1, Some((3, 4)), "and again");
}

#[test]
fn a_png_keeps_its_orientation_and_tells_no_place() {
    let kept = [chunk(b"gAMA", b"1234"), chunk(b"iCCP", b"colours"), chunk(b"acTL", b"12345678")];
    let noted = [
        &kept[..],
        &[chunk(b"tEXt", PLACE), chunk(b"eXIf", &exif()), chunk(b"tIME", b"1234567"), chunk(b"IDAT", b"pixels")],
        &[chunk(b"fdAT", b"more pixels"), chunk(b"iTXt", PLACE)],
    ];
    let noted = [&png_of(4, 3, &noted.concat())[..], PLACE].concat();
    let (file_type, dimensions, rewritten) = look(&noted);
    assert_eq!((file_type, dimensions), (FileType::Png, Some((3, 4))));
    let rewritten = rewritten.expect("it is written anew");
    assert!(!has(&rewritten, PLACE) && !has(&rewritten, b"tIME"));
    assert!(kept.iter().all(|chunk| has(&rewritten, chunk)) && has(&rewritten, b"fdATmore pixels"));
    assert!(has(&rewritten, b"\0\0\0\x1AeXIfMM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06"));
    assert!(rewritten.ends_with(END));
    assert_eq!(look(&rewritten).1, Some((3, 4)), "and again");
}

#[test]
fn a_webp_says_no_more_that_it_has_notes() {
    let head = |flags: u8| riff_chunk(b"VP8X", &[flags, 0, 0, 0, 3, 0, 0, 2, 0, 0]);
    let (icc, pixels) = (riff_chunk(b"ICCP", b"colours"), riff_chunk(b"VP8 ", VP8));
    let notes = [riff_chunk(b"EXIF", PLACE), riff_chunk(b"XMP ", PLACE)].concat();
    let noted = riff(b"WEBP", &[head(0x3C), icc.clone(), pixels.clone(), notes]);
    let (file_type, dimensions, rewritten) = look(&noted);
    assert_eq!((file_type, dimensions), (FileType::Webp, Some((4, 3))));
    assert_eq!(rewritten, Some(riff(b"WEBP", &[head(0x30), icc, pixels])));
    let lossless = riff(b"WEBP", &[riff_chunk(b"VP8L", b"\x2F\x03\x80\0\0pixels")]);
    assert_eq!(look(&lossless).1, Some((4, 3)));
}

#[test]
fn a_gif_is_repeated_as_often_as_before() {
    let repeated = b"\x21\xFF\x0BNETSCAPE2.0\x03\x01\0\0\0";
    let noted = gif_of(&[&repeated[..], b"\x21\xFE\x10", PLACE, b"\0\x21\x01\x01a\x03txt\0"].concat());
    assert_eq!(rewritten(&noted), gif_of(repeated));
    let without_end = gif();
    assert_eq!(rewritten(&without_end[..without_end.len() - 1]), gif(), "some end without a trailer");
}

#[test]
fn an_avif_is_as_large_as_its_largest_part() {
    let size = |width: u8, height: u8| boxed(b"ispe", &[0, 0, 0, 0, 0, 0, 0, width, 0, 0, 0, height]);
    assert_eq!(look(&avif_of(&[size(2, 2), size(9, 5), size(3, 3)])).1, Some((9, 5)));
    assert_eq!(look(&avif_of(&[size(9, 5), boxed(b"irot", &[1])])).1, Some((5, 9)));
    assert_eq!(look(&avif_of(&[size(9, 5), boxed(b"irot", &[2])])).1, Some((9, 5)));
}

#[test]
fn a_failing_disk_is_no_malformed_picture() {
    let fails = || Err::<Cursor<Vec<u8>>, _>(io::ErrorKind::StorageFull.into());
    let error = look_at(&mut Cursor::new(png()), fails).map(|looked| looked.file_type).expect_err("the disk is full");
    assert!(!is_malformed(&error));
}

proptest! {
    #[test]
    fn whatever_is_damaged_is_looked_at_without_harm(
        sample in prop::sample::select(samples()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        length in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let (file_type, mut bytes) = sample;
        for (position, byte) in damage {
            let position = position.index(bytes.len());
            bytes[position] = byte;
        }
        if is_cut {
            bytes.truncate(length.index(bytes.len()));
        }
        let (found, dimensions, rewritten) = look(&bytes);
        if let Some(rewritten) = rewritten {
            prop_assert!(found == file_type && dimensions.is_some());
            let again = look(&rewritten);
            prop_assert_eq!((again.0, again.1, again.2), (found, dimensions, Some(rewritten)));
        }
    }

    #[test]
    fn whatever_follows_a_beginning_is_looked_at_without_harm(
        sample in prop::sample::select(samples()),
        kept in 4..20usize,
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let bytes = [&sample.1[..kept], &rest].concat();
        look(&bytes);
    }
}
