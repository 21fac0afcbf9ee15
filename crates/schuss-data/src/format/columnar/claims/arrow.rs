//! Claims in the footer and messages of an Arrow IPC file.

use super::super::groups::Group;
use super::{Refused, fits, plausible, size, within};
use crate::file::{FileReader, OpenFile};
use crate::text::bytes;
use arrow_ipc::{Block, Message, RecordBatch, root_as_footer, root_as_message};
use std::io::{BufReader, Read, Seek, SeekFrom};

/// Bytes of the footer's length and `ARROW1`.
const TAIL: u64 = 10;
/// Marker before the length of a message.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Bytes of the unpacked length that precedes a packed buffer.
const PREFIX: usize = size_of::<i64>();

/// Checks all claims of a file; returns its batches, with the packed and unpacked bytes of each.
pub(in super::super) fn groups(file: &OpenFile, limit: u64) -> Result<Vec<Group>, Refused> {
    let footer = footer(file, limit)?;
    let footer = root_as_footer(&footer).map_err(unsound)?;
    let (reader, length) = (BufReader::new(file.reader()), file.length());
    let mut claims = Claims { reader, length, limit, taken: 0, values: 0 };
    for block in footer.dictionaries().into_iter().flatten() {
        claims.block(block)?;
    }
    footer.recordBatches().into_iter().flatten().map(|block| claims.block(block)).collect()
}

fn footer(file: &OpenFile, limit: u64) -> Result<Vec<u8>, Refused> {
    let (mut file, length) = (file.reader(), file.length());
    let mut tail = [0; 4];
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    file.read_exact(&mut tail)?;
    let footer = size(i32::from_le_bytes(tail).into())?;
    let start = length.saturating_sub(TAIL).checked_sub(footer).filter(|_| footer <= limit);
    let beyond = || Refused::damaged(format!("claims a footer of {}", bytes(footer)));
    file.seek(SeekFrom::Start(start.ok_or_else(beyond)?))?;
    read(file, footer)
}

fn read(reader: impl Read, size: u64) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unsound(error: impl std::fmt::Display) -> Refused {
    Refused::damaged(format!("cannot be read: {error}"))
}

struct Claims {
    reader: BufReader<FileReader>,
    length: u64,
    limit: u64,
    /// Bytes of the blocks so far: blocks do not overlap.
    taken: u64,
    /// Values in the batches so far.
    values: u64,
}

impl Claims {
    /// Checks a batch.
    fn block(&mut self, block: &Block) -> Result<Group, Refused> {
        let start = size(block.offset())?;
        let (head, body) = (size(block.metaDataLength().into())?, size(block.bodyLength())?);
        self.taken = self.taken.saturating_add(head).saturating_add(body);
        within(start, head.saturating_add(body), self.length)?;
        within(0, self.taken, self.length)?;
        fits(head.saturating_add(body), self.limit)?;
        self.reader.seek(SeekFrom::Start(start))?;
        let message = read(&mut self.reader, head)?;
        let prefix = if message.starts_with(&CONTINUATION) { 8 } else { 4 };
        let message = root_as_message(message.get(prefix..).unwrap_or_default()).map_err(unsound)?;
        let batch =
            batch(&message).ok_or_else(|| Refused::damaged("has a block that is not a record batch"))?;
        self.batch(&batch, start.saturating_add(head), body)
    }

    fn batch(&mut self, batch: &RecordBatch, start: u64, body: u64) -> Result<Group, Refused> {
        let rows = size(batch.length())?;
        self.values = self.values.saturating_add(rows);
        for node in batch.nodes().into_iter().flatten() {
            self.values = self.values.saturating_add(size(node.length())?);
        }
        plausible(self.values, self.length)?;
        let (mut packed, mut unpacked) = (0_u64, body);
        for buffer in batch.buffers().into_iter().flatten() {
            let (at, length) = (size(buffer.offset())?, size(buffer.length())?);
            within(at, length, body)?;
            packed = packed.saturating_add(length);
            within(0, packed, body)?; // buffers do not overlap: the decoder may copy each
            if batch.compression().is_some() && length >= PREFIX as u64 {
                unpacked = unpacked.saturating_add(self.unpacked(start.saturating_add(at))?);
            }
        }
        fits(unpacked, self.limit)?;
        Ok(Group { rows, bytes: unpacked })
    }

    /// Returns the bytes that the packed buffer at `at` unpacks to; a stored -1 means that it is not packed.
    fn unpacked(&mut self, at: u64) -> Result<u64, Refused> {
        let mut prefix = [0; PREFIX];
        self.reader.seek(SeekFrom::Start(at))?;
        self.reader.read_exact(&mut prefix)?;
        match i64::from_le_bytes(prefix) {
            -1 => Ok(0),
            claimed => size(claimed),
        }
    }
}

fn batch<'a>(message: &Message<'a>) -> Option<RecordBatch<'a>> {
    message.header_as_record_batch().or_else(|| message.header_as_dictionary_batch()?.data())
}
