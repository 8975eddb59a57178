//! How a picture is turned to be shown (Exif 2.32, section 4.6.4, tag 0x0112): all that is kept of a camera's notes.

use crate::rooms::Dimensions;

/// Turned or mirrored somehow: 2 to 8. Whoever is not needs no note.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Orientation(u8);

const TAG: u16 = 0x0112;
const TYPE_SHORT: u16 = 3;

impl Orientation {
    /// Finds it in Exif's own form (TIFF 6.0, section 2).
    pub(super) fn parse(tiff: &[u8]) -> Option<Orientation> {
        let is_big_endian = match tiff.get(..4)? {
            b"MM\0*" => true,
            b"II*\0" => false,
            _ => return None,
        };
        let short = |position: usize| -> Option<u16> {
            let bytes = tiff.get(position..position.checked_add(2)?)?.try_into().ok()?;
            Some(if is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        let (first, second) = (u32::from(short(4)?), u32::from(short(6)?));
        let directory = if is_big_endian { first << 16 | second } else { second << 16 | first };
        let directory = usize::try_from(directory).ok()?;
        let entries = usize::from(short(directory)?);
        let mut positions = (0..entries).map(|entry| directory + 2 + 12 * entry);
        let position = positions.find(|position| short(*position) == Some(TAG))?;
        let is_short = short(position + 2)? == TYPE_SHORT;
        let value = short(position + 8).filter(|value| is_short && (2..=8).contains(value))?;
        u8::try_from(value).ok().map(Orientation)
    }

    /// The same, and nothing else.
    pub(super) fn to_tiff(self) -> [u8; 26] {
        let mut tiff = *b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
        tiff[19] = self.0;
        tiff
    }

    /// The size of a picture when it is shown.
    pub(super) fn turn(self, Dimensions { width, height }: Dimensions) -> Dimensions {
        let is_on_its_side = self.0 >= 5;
        if is_on_its_side { Dimensions { width: height, height: width } } else { Dimensions { width, height } }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        for value in 2..=8 {
            assert_eq!(Orientation::parse(&Orientation(value).to_tiff()), Some(Orientation(value)));
        }
        for value in [0, 1, 9] {
            assert_eq!(Orientation::parse(&Orientation(value).to_tiff()), None);
        }
        let little = b"II*\0\x08\0\0\0\x02\0\x0F\x01\x02\0\x04\0\0\0ana\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        assert_eq!(Orientation::parse(little), Some(Orientation(6)));
        let lying = Dimensions { width: 4, height: 3 };
        assert_eq!(Orientation(6).turn(lying), Dimensions { width: 3, height: 4 });
        assert_eq!(Orientation(3).turn(lying), lying);
    }

    proptest! {
        #[test]
        fn whatever_else_is_there_has_none(mut tiff in prop::collection::vec(any::<u8>(), 0..64), is_tiff in any::<bool>()) {
            if is_tiff && tiff.len() > 4 {
                tiff[..4].copy_from_slice(b"II*\0");
            }
            let _ = Orientation::parse(&tiff);
        }
    }
}
