//! The invitation to a room as a QR code that a phone can be held to: `GET /KXQT/qr.svg`.

use core::fmt::Write as _;

use fast_qr::{ECL, QRBuilder};
/// The light border that a scanner needs (ISO/IEC 18004 section 5.3.8).
const QUIET_MODULES: usize = 4;

/// The code of this text as SVG, a unit for a module: black on white whatever the page's colours are, since many scanners
/// read no code the other way round. `None` if the text does not fit: a `--public-url` may have thousands of characters.
pub fn draw_qr_code(text: &str) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let side = code.size + 2 * QUIET_MODULES;
    let mut image = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\""
    );
    for row in 0..code.size {
        let is_dark = |column: usize| column < code.size && code[row][column].value();
        let mut column = 0;
        while column < code.size {
            let length = (column..).take_while(|&column| is_dark(column)).count();
            if length > 0 {
                let (x, y) = (column + QUIET_MODULES, row + QUIET_MODULES);
                write!(image, "M{x} {y}h{length}v1h-{length}z").expect("a string takes everything");
            }
            column += length.max(1);
        }
    }
    image += "\"/></svg>";
    Some(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dark modules of a drawing, by row and column without the border, and the side of the whole.
    fn read(image: &str) -> (Vec<(usize, usize)>, usize) {
        let (_, rest) = image.split_once("viewBox=\"0 0 ").expect("its size");
        let side = rest.split([' ', '"']).next().and_then(|side| side.parse().ok()).expect("a number");
        let (_, path) = image.rsplit_once("d=\"M").expect("the path");
        let runs = path.trim_end_matches("z\"/></svg>").split("zM").flat_map(|run| {
            let numbers: Vec<usize> = run.split([' ', 'h', 'v', '-']).filter_map(|part| part.parse().ok()).collect();
            let [x, y, length, 1, back] = numbers[..] else { panic!("{run}") };
            assert_eq!(length, back, "{run}");
            (x..x + length).map(move |x| (y - QUIET_MODULES, x - QUIET_MODULES))
        });
        (runs.collect(), side)
    }

    #[test]
    fn draws_the_modules_of_the_code() {
        let text = "http://192.168.1.20:5000/KXQT";
        let (dark, side) = read(&draw_qr_code(text).expect("a code"));
        let code = QRBuilder::new(text).ecl(ECL::M).build().expect("a code");
        assert_eq!(side, code.size + 8);
        let every = (0..code.size).flat_map(|row| (0..code.size).map(move |column| (row, column)));
        let expected: Vec<_> = every.filter(|&(row, column)| code[row][column].value()).collect();
        assert_eq!(dark, expected);
    }

    #[test]
    fn a_text_that_is_too_long_has_no_code() {
        assert_eq!(draw_qr_code(&"x".repeat(5000)), None);
    }
}
