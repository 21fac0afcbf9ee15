//! IDX, the format of MNIST: a magic number, the size of each dimension, then the bytes; big-endian, raw or gzip.
//!
//! LeCun, Cortes and Burges, "The MNIST database of handwritten digits", section "File formats". Headers are not
//! trusted: they are checked against the length of the file before anything is allocated.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::file::OpenFile;
use crate::text::{bytes, grouped};
use crate::{Cause, DataFile, Error, ImageShape, Result, Samples, file};
use flate2::bufread::MultiGzDecoder;
use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

/// Maximum ratio of deflate, which writes at least one bit per 129 bytes (two bits per match of 258).
const MAX_RATIO: u64 = 1032;
/// Maximum unpacked size of a gzip file, 8 GiB, so that a decompression bomb cannot fill the memory.
const MAX_UNPACKED: u64 = 8 << 30;
/// Memory reserved up front for a gzip file, as a multiple of its length; images rarely compress further.
const USUAL_RATIO: u64 = 8;
const BUFFER: usize = 1 << 18;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ADVICE: &str =
    "copy it again; for mnist and fashion-mnist `schuss data fetch NAME` checks what it downloads";

/// Reads a file of greyscale images and the file of their labels.
///
/// # Errors
/// A data error that names the file if one is missing, unreadable or damaged, or if their counts disagree.
pub fn read_split(images: &Path, labels: &Path) -> Result<(ImageShape, Samples)> {
    SplitFiles::open(images, labels)?.read()
}

/// A file of images and the file of their labels.
pub(crate) struct SplitFiles {
    images: OpenFile,
    labels: OpenFile,
}

impl SplitFiles {
    pub(crate) fn open(images: &Path, labels: &Path) -> Result<Self> {
        Ok(Self { images: OpenFile::open(images)?, labels: OpenFile::open(labels)? })
    }

    /// Returns the memory that the split needs according to the headers, which are checked against the lengths of
    /// the files.
    ///
    /// # Errors
    /// A data error that names the file.
    pub(crate) fn promised(&self) -> Result<u64> {
        let (_, images, ..) = begin::<3>(self.images.reader(), &IMAGES, &Blame::new(&self.images))?;
        let (_, labels, ..) = begin::<1>(self.labels.reader(), &LABELS, &Blame::new(&self.labels))?;
        // A label is a byte in its file and four in memory.
        Ok(images.bytes().saturating_add(labels.bytes().saturating_mul(5)))
    }

    /// Reads the split.
    ///
    /// # Errors
    /// A data error that names the file.
    pub(crate) fn read(&self) -> Result<(ImageShape, Samples)> {
        let Self { images, labels } = self;
        let (pixels, classes) = rayon::join(|| read_images(images), || read_labels(labels));
        let ((count, shape, pixels), classes) = (pixels?, classes?);
        if classes.len() as u64 != count {
            let (a, b) = (grouped(count), grouped(classes.len() as u64));
            let what = format!("{} holds {a} images but {} {b} labels", images.name(), labels.name());
            return Err(Error::data(what).at(labels.path().display()).advise(ADVICE));
        }
        let split = Samples::images(pixels, classes.into_iter().map(u32::from).collect(), shape.features())?;
        Ok((shape, split))
    }

    /// Returns the file of images.
    pub(crate) fn images(&self) -> &OpenFile {
        &self.images
    }
}

/// Reads images: their count, shape and pixels.
fn read_images(file: &OpenFile) -> Result<(u64, ImageShape, Vec<u8>)> {
    let ([count, height, width], pixels) = read::<3>(file, &IMAGES)?;
    Ok((count.into(), ImageShape { channels: 1, height: height as usize, width: width as usize }, pixels))
}

/// Reads one class per image.
fn read_labels(file: &OpenFile) -> Result<Vec<u8>> {
    Ok(read::<1>(file, &LABELS)?.1)
}

/// Kind of file: unsigned bytes in three dimensions (images), or in one (labels).
struct Sort {
    magic: u32,
    noun: &'static str,
}

const IMAGES: Sort = Sort { magic: 0x0803, noun: "images" };
const LABELS: Sort = Sort { magic: 0x0801, noun: "labels" };

/// Reads the sizes of the dimensions, and the bytes.
fn read<const DIMS: usize>(file: &OpenFile, sort: &Sort) -> Result<([u32; DIMS], Vec<u8>)> {
    parse(file.reader(), sort, &Blame::new(file))
}

fn parse<const DIMS: usize>(
    source: impl Read + 'static,
    sort: &Sort,
    blame: &Blame,
) -> Result<([u32; DIMS], Vec<u8>)> {
    let (sizes, promise, reserve, stream) = begin(source, sort, blame)?;
    Ok((sizes, contents(stream.reader, &promise, reserve, blame)?))
}

/// Reads the header: returns the sizes of the dimensions, the contents they promise, the number of bytes to reserve up
/// front, and the stream behind the header.
fn begin<const DIMS: usize>(
    source: impl Read + 'static,
    sort: &Sort,
    blame: &Blame,
) -> Result<([u32; DIMS], Promise, u64, Stream)> {
    let mut stream = Stream::new(source, blame.length).map_err(|error| blame.io(error))?;
    let sizes = header(&mut stream, sort, blame)?;
    let promise = Promise::new(&sizes, sort, blame)?;
    let reserve = promise.check(&stream, blame)?;
    Ok((sizes, promise, reserve, stream))
}

fn header<const DIMS: usize>(stream: &mut Stream, sort: &Sort, blame: &Blame) -> Result<[u32; DIMS]> {
    if blame.length == 0 {
        return Err(blame.error("is empty"));
    }
    let magic = stream.number(blame)?;
    if magic != sort.magic {
        let (noun, expected) = (sort.noun, sort.magic);
        let what =
            format!("is not an IDX file of {noun}: it starts with {magic:#010x}, not {expected:#010x}");
        return Err(blame.error(what));
    }
    let mut sizes = [0; DIMS];
    for size in &mut sizes {
        *size = stream.number(blame)?;
    }
    Ok(sizes)
}

/// Reads the bytes after the header: exactly as many as promised, with never more than one byte beyond them in memory.
fn contents(reader: Box<dyn Read>, promise: &Promise, reserve: u64, blame: &Blame) -> Result<Vec<u8>> {
    let mut contents = Vec::new();
    contents.try_reserve_exact(usize::try_from(reserve).unwrap_or(usize::MAX)).map_err(|_| {
        Error::failure(format!("{} needs {} of memory", blame.name(), bytes(promise.bytes())))
            .because(Cause::TooLarge { needed: promise.bytes(), available: None })
            .at(blame.place())
            .advise("use a smaller data set, or a machine with more memory")
    })?;
    let outcome = reader.take(promise.bytes().saturating_add(1)).read_to_end(&mut contents);
    let got = contents.len() as u64;
    match outcome {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(blame.io(error)),
        _ if got > promise.bytes() => {
            Err(blame.error(format!("continues after the {promise} its header promises")))
        }
        _ if got < promise.bytes() => Err(promise.broken(got, blame)),
        Err(_) => Err(blame.error("ends in the middle of a gzip stream")),
        Ok(_) => Ok(contents),
    }
}

/// Contents claimed by the header: `count` items of `each` bytes.
struct Promise {
    count: u64,
    each: u64,
    noun: &'static str,
}

impl Promise {
    fn new(sizes: &[u32], sort: &Sort, blame: &Blame) -> Result<Self> {
        let (count, inner) =
            sizes.split_first().map_or((0, sizes), |(count, inner)| ((*count).into(), inner));
        let each = inner.iter().fold(1_u64, |each, size| each.saturating_mul((*size).into()));
        if count == 0 {
            return Err(blame.error(format!("holds no {}: its header says 0", sort.noun)));
        }
        if each == 0 {
            return Err(blame.error("holds images without pixels: its header says 0 rows or columns"));
        }
        Ok(Self { count, each, noun: sort.noun })
    }

    /// Returns the number of promised bytes; saturates if a header claims more than any file could hold.
    fn bytes(&self) -> u64 {
        self.count.saturating_mul(self.each)
    }

    /// Checks the promise against the file's length; returns the number of bytes to reserve up front.
    fn check(&self, stream: &Stream, blame: &Blame) -> Result<u64> {
        let promised = self.bytes();
        if !stream.packed {
            let there = blame.length.saturating_sub(stream.taken);
            return match promised.cmp(&there) {
                std::cmp::Ordering::Greater => Err(self.broken(there, blame)),
                std::cmp::Ordering::Less => {
                    let extra = grouped(there.saturating_sub(promised));
                    Err(blame
                        .error(format!("continues for {extra} bytes after the {self} its header promises")))
                }
                std::cmp::Ordering::Equal => Ok(promised),
            };
        }
        if promised > blame.length.saturating_mul(MAX_RATIO) {
            return Err(
                blame.error(format!("cannot hold the {self} its header promises: it is far too short"))
            );
        }
        if promised > MAX_UNPACKED {
            let what = format!("unpacks to {}, too much to unpack while reading", bytes(promised));
            return Err(blame.error(what).advise("unpack it with gunzip first"));
        }
        Ok(promised.min(blame.length.saturating_mul(USUAL_RATIO)))
    }

    /// Returns the error for a file that ends after `got` bytes of contents.
    fn broken(&self, got: u64, blame: &Blame) -> Error {
        let whole = grouped(got.checked_div(self.each).unwrap_or(0));
        blame.error(format!("ends after {whole} of the {self} its header promises"))
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", grouped(self.count), self.noun)
    }
}

/// Bytes of a file in order, decompressed if they are gzip, whatever the file's name.
pub(crate) struct Stream {
    pub(crate) reader: Box<dyn Read>,
    packed: bool,
    taken: u64,
}

impl Stream {
    pub(crate) fn new(source: impl Read + 'static, length: u64) -> io::Result<Self> {
        let buffer = usize::try_from(length).unwrap_or(BUFFER).clamp(GZIP.len(), BUFFER);
        let mut raw = BufReader::with_capacity(buffer, source);
        let packed = raw.fill_buf()?.starts_with(&GZIP);
        let reader: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };
        Ok(Self { reader, packed, taken: 0 })
    }

    /// Reads the next big-endian number of the header.
    fn number(&mut self, blame: &Blame) -> Result<u32> {
        let mut word = [0; 4];
        self.reader.read_exact(&mut word).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => blame.error("ends within its header"),
            _ => blame.io(error),
        })?;
        self.taken = self.taken.saturating_add(4);
        Ok(u32::from_be_bytes(word))
    }
}

/// File that a message is about.
struct Blame<'a> {
    path: &'a Path,
    length: u64,
}

impl<'a> Blame<'a> {
    fn new(file: &'a OpenFile) -> Self {
        Self { path: file.path(), length: file.length() }
    }

    fn name(&self) -> String {
        file::name(self.path)
    }

    fn place(&self) -> DataFile {
        file::place(self.path, self.length)
    }

    fn error(&self, what: impl fmt::Display) -> Error {
        Error::data(format!("{} {what}", self.name())).because(Cause::Damaged).at(self.place()).advise(ADVICE)
    }

    fn io(&self, error: io::Error) -> Error {
        match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                self.error(format!("is not valid gzip: {error}"))
            }
            _ => self.error(format!("cannot be read: {}", crate::text::plain_io(&error))).with_source(error),
        }
    }
}

#[cfg(test)]
mod tests;
