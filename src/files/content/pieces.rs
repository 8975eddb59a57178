//! What readers of all formats need: pieces of a file, and the end of it where none may be.

use std::io::{self, BufRead, ErrorKind, Read, Seek, Write};

use crate::rooms::Dimensions;

/// Pixels of the largest picture: one GiB of memory in whoever shows it. The largest cameras take 200 million.
const MOST_PIXELS: u64 = 1 << 28;

/// The file is not what it seems to be.
pub(super) fn malformed() -> io::Error {
    ErrorKind::InvalidData.into()
}

/// Whether the file is to blame for this, rather than the disk.
pub(super) fn is_malformed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}

/// The next bytes.
pub(super) fn read_array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The next bytes, of which there are few.
pub(super) fn read_vec(input: &mut impl Read, length: u16) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(length)];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Passes the next bytes on, however many.
pub(super) fn copy(input: &mut impl BufRead, output: &mut (impl Write + ?Sized), mut length: u64) -> io::Result<()> {
    while length > 0 {
        let buffer = input.fill_buf()?;
        let taken = buffer.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        if taken == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        output.write_all(&buffer[..taken])?;
        input.consume(taken);
        length -= taken as u64;
    }
    Ok(())
}

/// Passes over the next bytes, all of which have to be there.
pub(super) fn skip(input: &mut impl BufRead, length: u64) -> io::Result<()> {
    copy(input, &mut io::sink(), length)
}

/// Passes over the next bytes without reading them.
pub(super) fn seek_over(input: &mut impl Seek, length: u64) -> io::Result<()> {
    input.seek_relative(i64::try_from(length).map_err(|_| malformed())?)
}

/// The size of a picture that may be shown.
pub(super) fn dimensions(width: u32, height: u32) -> io::Result<Dimensions> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MOST_PIXELS { Err(malformed()) } else { Ok(Dimensions { width, height }) }
}
