//! Claims in the footer and page headers of a Parquet file.

use super::thrift::{self, Item};
use super::{Refused, fits, plausible, size, within};
use crate::file::OpenFile;
use crate::text::{bytes, grouped};
use flate2::read::MultiGzDecoder;
use parquet::basic::{Compression, Type};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};

/// Bytes of the footer's length and `PAR1`.
const TAIL: u64 = 8;
/// Maximum nesting depth of columns.
const MAX_DEPTH: usize = 32;

/// Checks the footer of a file: its size, and the columns it claims.
pub(in super::super) fn footer(file: &OpenFile, limit: u64) -> Result<(), Refused> {
    let (mut file, length) = (file.reader(), file.length());
    let mut tail = [0; 4];
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    file.read_exact(&mut tail)?;
    let footer = u64::from(u32::from_le_bytes(tail));
    let start = length.saturating_sub(TAIL).checked_sub(footer).filter(|_| footer <= limit);
    let beyond = || Refused::damaged(format!("claims a footer of {}", bytes(footer)));
    file.seek(SeekFrom::Start(start.ok_or_else(beyond)?))?;
    let mut schema = Schema::default();
    thrift::walk(&mut BufReader::new(file).take(footer), &mut |path, item| schema.see(path, &item))
}

/// Claimed tree of columns: elements in order, each with the number of following ones that are its children.
#[derive(Default)]
struct Schema {
    elements: u64,
    /// Number of children of the current element.
    children: u64,
    /// Number of children still to come, for each element that encloses the next one.
    open: Vec<u64>,
}

impl Schema {
    fn see(&mut self, path: &[i16], item: &Item) -> Result<(), Refused> {
        match (path, item) {
            ([2], Item::List(elements)) => self.elements = *elements,
            ([2, 5], Item::Number(children)) => self.children = size(*children)?,
            ([2], Item::End) => return self.close(),
            ([2], Item::Record) => self.children = 0,
            ([2] | [2, 5], _) => return Err(Refused::damaged("has a footer that lists no columns")),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refused> {
        if let Some(last) = self.open.last_mut() {
            *last = last.saturating_sub(1);
        }
        if self.children > 0 {
            self.open.push(self.children);
        } else {
            while self.open.pop_if(|left| *left == 0).is_some() {}
        }
        let (children, depth) = (grouped(self.children), self.open.len());
        if self.children > self.elements || depth > MAX_DEPTH {
            return Err(Refused::damaged(format!("claims a column of {children} columns at depth {depth}")));
        }
        Ok(())
    }
}

/// Checks the number of rows and values that all groups claim together.
pub(in super::super) fn rows(metadata: &ParquetMetaData, length: u64) -> Result<(), Refused> {
    let mut values = 0_u64;
    for group in metadata.row_groups() {
        values = values.saturating_add(size(group.num_rows())?);
        for column in group.columns() {
            values = values.saturating_add(size(column.num_values())?);
        }
    }
    plausible(values, length)
}

/// Memory for decoding a column of a group, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Column {
    /// Size of its dictionaries, and of its largest page, packed and unpacked.
    pub(in super::super) pages: u64,
    /// Size of the largest page of words or lists, which a single one may fill; 0 for numbers.
    pub(in super::super) widest: u64,
}

/// Checks the columns of a group, page by page; `root` returns the selected column that a leaf belongs to.
pub(in super::super) fn group(
    file: &OpenFile,
    group: &RowGroupMetaData,
    root: impl Fn(usize) -> Option<usize>,
    limit: u64,
) -> Result<BTreeMap<usize, Column>, Refused> {
    let mut columns = BTreeMap::new();
    for (leaf, claimed) in group.columns().iter().enumerate() {
        if let Some(root) = root(leaf) {
            let found = column(file, claimed, limit)?;
            let column: &mut Column = columns.entry(root).or_default();
            column.pages = column.pages.saturating_add(found.pages);
            column.widest = column.widest.max(found.widest);
        }
    }
    Ok(columns)
}

fn column(file: &OpenFile, claimed: &ColumnChunkMetaData, limit: u64) -> Result<Column, Refused> {
    /// Minimum bytes of a decoded value.
    const DECODED: u64 = 4;
    let mut left = size(claimed.num_values())?;
    let is_repeated = claimed.column_descr().max_rep_level() > 0;
    if is_repeated {
        fits(left.saturating_mul(DECODED), limit)?; // they may all be in one list
    }
    let (mut dictionaries, mut largest, mut unpacked) = (0_u64, 0_u64, 0_u64);
    each_page(file, claimed, &mut |page| {
        left = left.checked_sub(page.values).ok_or_else(|| {
            Refused::damaged("has a column whose pages claim more values than the column does")
        })?;
        if page.entries > 0 {
            dictionaries = dictionaries.saturating_add(page.unpacked);
        }
        unpacked = unpacked.max(page.unpacked);
        largest = largest.max(page.unpacked.saturating_add(page.packed));
        fits(dictionaries.saturating_add(largest), limit)
    })?;
    let is_number = !matches!(claimed.column_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY);
    let widest = if is_number && !is_repeated { 0 } else { unpacked };
    Ok(Column { pages: dictionaries.saturating_add(largest), widest })
}

/// Visits the claims of each page of a column.
fn each_page(
    file: &OpenFile,
    column: &ColumnChunkMetaData,
    see: &mut dyn FnMut(&Page) -> Result<(), Refused>,
) -> Result<(), Refused> {
    if column.compression() == Compression::LZ4 {
        let what = "is packed with the old LZ4 of Hadoop, which is not supported";
        return Err(Refused { what: what.into(), advice: "write it with LZ4_RAW or ZSTD" });
    }
    let start = size(column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset()))?;
    let mut left = size(column.compressed_size())?;
    within(start, left, file.length())?;
    let (mut reader, mut at) = (BufReader::new(file.reader()), start);
    while left > 0 {
        reader.seek(SeekFrom::Start(at))?;
        let mut rest = reader.by_ref().take(left);
        let page = Page::read(&mut rest)?;
        see(&page)?;
        let header = left.saturating_sub(rest.limit());
        if matches!(column.compression(), Compression::GZIP(_)) {
            page.inflates(&mut rest)?;
        }
        let size = header.saturating_add(page.packed);
        at = at.saturating_add(size);
        left = left.saturating_sub(size);
    }
    Ok(())
}

/// Claims in the header of a page.
#[derive(Debug, Default)]
struct Page {
    unpacked: u64,
    packed: u64,
    values: u64,
    nulls: u64,
    /// Number of dictionary values.
    entries: u64,
    /// Bytes of levels before the packed data.
    levels: u64,
    encoding: u64,
}

impl Page {
    /// Reads a header; `rest` is the remainder of its column.
    fn read<R: Read>(rest: &mut Take<R>) -> Result<Self, Refused> {
        let mut page = Self::default();
        thrift::walk(rest, &mut |path, item| page.see(path, &item))?;
        let sound = page.packed <= rest.limit()
            && page.nulls <= page.values
            && page.entries <= page.unpacked
            && page.levels <= page.unpacked.min(page.packed);
        match sound {
            true => page.is_read().map(|()| page),
            false => Err(Refused::damaged("has a page that claims more bytes or values than it has")),
        }
    }

    /// Records a field of `PageHeader` by its number in parquet.thrift.
    fn see(&mut self, path: &[i16], item: &Item) -> Result<(), Refused> {
        let expected = match path {
            [1..=4] | [5, 1..=4] | [7, 1..=2] | [8, 1..=6] => matches!(item, Item::Number(_)),
            [5..=8] | [5, 5] | [8, 8] => matches!(item, Item::Record | Item::End),
            [7, 3] | [8, 7] => *item == Item::Truth,
            _ => !matches!(item, Item::List(_)),
        };
        if !expected {
            return Err(Refused::damaged("has a page without a header"));
        }
        let Item::Number(claimed) = *item else { return Ok(()) };
        let place = match path {
            [2] => &mut self.unpacked,
            [3] => &mut self.packed,
            [5, 1] | [8, 1] => &mut self.values,
            [5, 2] | [7, 2] | [8, 4] => &mut self.encoding,
            [7, 1] => &mut self.entries,
            [8, 2] => &mut self.nulls,
            [8, 5 | 6] => {
                self.levels = self.levels.saturating_add(size(claimed)?);
                return Ok(());
            }
            _ => return Ok(()),
        };
        *place = size(i32::try_from(claimed).unwrap_or(-1).into())?;
        Ok(())
    }

    /// Checks that the memory its encoding takes depends on the page's claims, not on its contents.
    fn is_read(&self) -> Result<(), Refused> {
        /// PLAIN, PLAIN_DICTIONARY, RLE, BIT_PACKED, DELTA_BINARY_PACKED, RLE_DICTIONARY, BYTE_STREAM_SPLIT.
        const READ: [u64; 7] = [0, 2, 3, 4, 5, 8, 9];
        if READ.contains(&self.encoding) {
            return Ok(());
        }
        let encoding = match self.encoding {
            6 => "DELTA_LENGTH_BYTE_ARRAY".to_owned(),
            7 => "DELTA_BYTE_ARRAY".to_owned(),
            number => format!("number {number}"),
        };
        let what = format!("has a page in the encoding {encoding}, which is not supported");
        Err(Refused { what, advice: "write it with dictionary or plain encoding" })
    }

    /// Checks that a page packed with gzip unpacks to no more than it claims, since its decoder ignores the claim.
    fn inflates(&self, body: &mut impl Read) -> Result<(), Refused> {
        io::copy(&mut body.take(self.levels), &mut io::sink())?;
        let packed = body.take(self.packed.saturating_sub(self.levels));
        let claimed = self.unpacked.saturating_sub(self.levels);
        let mut inflated = MultiGzDecoder::new(packed).take(claimed.saturating_add(1));
        match io::copy(&mut inflated, &mut io::sink()) {
            Ok(size) if size > claimed => Err(Refused::damaged(format!(
                "has a page that unpacks to more than the {size} bytes it claims"
            ))),
            _ => Ok(()), // the decoder reports pages that cannot be unpacked
        }
    }
}
