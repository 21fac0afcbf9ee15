//! Bytes of a file in order, decompressed if they are gzip or Zstandard, whatever the file's name.

use crate::file::{FileReader, OpenFile};
use crate::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, BufRead, BufReader, Read};

const BUFFER: usize = 1 << 18;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Maximum window of a Zstandard frame: what RFC 8878 asks every decoder to support.
const MAX_WINDOW: u64 = 8 << 20;

/// Compression of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Unpacked,
    Gzip,
    Zstd,
}

impl Packing {
    pub(crate) fn of(start: &[u8]) -> Self {
        match start {
            start if start.starts_with(GZIP) => Self::Gzip,
            start if start.starts_with(ZSTD) => Self::Zstd,
            _ => Self::Unpacked,
        }
    }

    /// Returns the command that decompresses it.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Self::Unpacked => "cat",
            Self::Gzip => "gunzip",
            Self::Zstd => "unzstd",
        }
    }
}

/// Returns the decompressed bytes of a file from its start; also its compression.
///
/// # Errors
/// A data error that names the file.
pub(crate) fn unpacked(file: &OpenFile) -> Result<(Box<dyn BufRead>, Packing)> {
    unpack(file.reader()).map_err(|error| {
        Error::data(format!("{} cannot be read: {}", file.name(), crate::text::plain_io(&error)))
            .with_source(error)
            .at(file.place())
    })
}

fn unpack(file: FileReader) -> io::Result<(Box<dyn BufRead>, Packing)> {
    let mut raw = BufReader::with_capacity(BUFFER, file);
    let packing = Packing::of(raw.fill_buf()?);
    let reader: Box<dyn BufRead> = match packing {
        Packing::Unpacked => Box::new(raw),
        Packing::Gzip => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(raw))),
        Packing::Zstd => Box::new(BufReader::with_capacity(BUFFER, Frames(State::Between(raw)))),
    };
    Ok((reader, packing))
}

/// Zstandard frames, one after the other, each verified against its checksum.
struct Frames<R: BufRead>(State<R>);

enum State<R: BufRead> {
    Between(R),
    Within(Box<StreamingDecoder<R, FrameDecoder>>),
    Ended,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.0 = match std::mem::replace(&mut self.0, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(mut raw) => match raw.fill_buf()?.is_empty() {
                    true => State::Ended,
                    false => State::Within(Box::new(
                        StreamingDecoder::new_with_max_window_size(raw, MAX_WINDOW)
                            .map_err(io::Error::other)?,
                    )),
                },
                State::Within(mut frame) => match frame.read(buffer)? {
                    0 => State::Between(close(*frame)?),
                    count => {
                        self.0 = State::Within(frame);
                        return Ok(count);
                    }
                },
            }
        }
    }
}

fn close<R: BufRead>(frame: StreamingDecoder<R, FrameDecoder>) -> io::Result<R> {
    let (raw, decoder) = frame.into_parts();
    let stored = decoder.get_checksum_from_data();
    if stored.is_some() && stored != decoder.get_calculated_checksum() {
        return Err(io::Error::other("its checksum does not match its contents"));
    }
    Ok(raw)
}
