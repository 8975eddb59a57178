//! Sequences of bytes that are UTF-8, or nearly, after
//! <https://www.cl.cam.ac.uk/~mgk25/ucs/examples/UTF-8-test.txt>.

use super::VALID;

/// The sequences of cases 6.5 to 6.23, and whether they are UTF-8.
pub fn sequences() -> Vec<Vec<(bool, Vec<u8>)>> {
    let incomplete = "c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf";
    let prefixes = (1..=VALID.len()).map(|length| (matches!(length, 2 | 5 | 7 | 9 | 11), VALID[..length].to_vec()));
    let starts = [0xC0..0xDF_u8, 0xE0..0xEF, 0xF0..0xF7, 0xF8..0xFB, 0xFC..0xFD];
    let starts = starts.map(|range| (false, range.flat_map(|byte| [byte, b' ']).collect()));
    vec![
        [
            all(true, "68656c6c6f24776f726c64 68656c6c6fc2a2776f726c64 68656c6c6fe282ac776f726c64"),
            all(true, "68656c6c6ff0a4ada2776f726c64 cebae1bdb9cf83cebcceb5"),
        ]
        .concat(),
        prefixes.collect(),
        all(true, "00 c280 e0a080 f0908080"),
        all(false, "f888808080 fc8480808080"),
        all(true, "7f dfbf efbfbf f48fbfbf"),
        all(false, "f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf"),
        [all(true, "ed9fbf ee8080 efbfbd f48fbfbf"), all(false, "f4908080")].concat(),
        [all(false, "80 bf 80bf 80bf80 80bf80bf 80bf80bf80 80bf80bf80bf"), vec![(false, (0x80..0xBF).collect())]]
            .concat(),
        starts.to_vec(),
        all(false, incomplete),
        all(false, &incomplete.replace(' ', "")),
        all(false, "fe ff fefeffff"),
        all(false, "c0af e080af f08080af f8808080af fc80808080af"),
        all(false, "c1bf e09fbf f08fbfbf f887bfbfbf fc83bfbfbfbf"),
        all(false, "c080 e08080 f0808080 f880808080 fc8080808080"),
        all(false, "eda080 edadbf edae80 edafbf edb080 edbe80 edbfbf"),
        all(
            false,
            "eda080edb080 eda080edbfbf edadbfedb080 edadbfedbfbf edae80edb080 edae80edbfbf edafbfedb080 edafbfedbfbf",
        ),
        [all(true, "efbfbe efbfbf"), noncharacters().map(|sequence| (true, sequence)).collect()].concat(),
        all(true, "efbfb9 efbfba efbfbb efbfbc efbfbd efbfbe efbfbf"),
    ]
}

/// Sequences written in hexadecimal digits.
fn all(is_valid: bool, sequences: &str) -> Vec<(bool, Vec<u8>)> {
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).expect("ASCII"), 16).expect("digits");
    let bytes = |sequence: &str| sequence.as_bytes().chunks(2).map(byte).collect();
    sequences.split(' ').map(|sequence| (is_valid, bytes(sequence))).collect()
}

/// The last two code points of each plane but the first.
fn noncharacters() -> impl Iterator<Item = Vec<u8>> {
    let last = |plane: u32| [0xFFFE, 0xFFFF].map(|code| char::from_u32(plane << 16 | code).expect("no surrogate"));
    (1..=16).flat_map(last).map(|character| character.to_string().into_bytes())
}
