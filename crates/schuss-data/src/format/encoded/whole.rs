//! Check that a picture is complete: decoders silently paint grey what a truncated JPEG file lacks, and do
//! not miss the last chunks of a PNG file.

use super::Blob;
use std::io;

const JPEG: &[u8] = b"\xff\xd8";
pub(super) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Returns true if the end marker of a JPEG or PNG picture is present, whatever follows it; other formats are
/// not checked.
pub(crate) fn is_whole(file: &mut dyn Blob) -> io::Result<bool> {
    let skipped = match file.fill_buf()? {
        start if start.starts_with(JPEG) => skip_jpeg(file),
        start if start.starts_with(PNG) => skip_png(file),
        _ => Ok(()),
    };
    file.rewind()?;
    match skipped {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Skips to the end-of-image marker.
///
/// ITU-T T.81, annex B: a marker is 0xff and a code. Most begin a segment with a length field, which may
/// contain anything, such as a thumbnail with markers of its own; within coded pixels, 0xff 0x00 is one byte
/// of data.
fn skip_jpeg(file: &mut dyn Blob) -> io::Result<()> {
    const END_OF_IMAGE: u8 = 0xd9;
    loop {
        file.skip_until(0xff)?;
        match code(file)? {
            END_OF_IMAGE => return Ok(()),
            // Byte of pixels, TEM, RST0 to RST7 and SOI stand alone.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            _ => skip_segment(file)?,
        }
    }
}

/// Reads the byte after any number of 0xff.
fn code(file: &mut dyn Blob) -> io::Result<u8> {
    loop {
        match read(file)? {
            [0xff] => {}
            [code] => return Ok(code),
        }
    }
}

/// Skips a segment; its length includes the two bytes of the length field.
fn skip_segment(file: &mut dyn Blob) -> io::Result<()> {
    let length = u16::from_be_bytes(read(file)?);
    file.seek_relative(length.saturating_sub(2).into())
}

/// Skips to the end of the chunk IEND: each chunk is a length, a name, that many bytes, and a checksum of
/// four bytes.
fn skip_png(file: &mut dyn Blob) -> io::Result<()> {
    let _magic = read::<{ PNG.len() }>(file)?;
    loop {
        let length = u32::from_be_bytes(read(file)?);
        let name: [u8; 4] = read(file)?;
        file.seek_relative(length.into())?;
        let _checksum = read::<4>(file)?;
        if &name == b"IEND" {
            return Ok(());
        }
    }
}

fn read<const SIZE: usize>(file: &mut dyn Blob) -> io::Result<[u8; SIZE]> {
    let mut bytes = [0; SIZE];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
