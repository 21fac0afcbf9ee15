//! Checkpoint file of a trial: its identity, the length of its logs and the state of its session, under one checksum.
//!
//! ```text
//! "schuss\r\n"   version: u32   length: u64   header: JSON   state   best weights   XXH3-128 of all before: 16 bytes
//! ```

use crate::files;
use crate::record::TrialRecord;
use crate::session::Session;
use crate::state::StateCodec;
use crate::{Cause, Error, json};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Take, Write};
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// Magic bytes; the line ending reveals a file altered by a transfer in text mode.
const MAGIC: [u8; 8] = *b"schuss\r\n";
const VERSION: u32 = 4;
/// Magic, version and length of the header.
const FIXED: u64 = 8 + 4 + 8;
const CHECKSUM: u64 = 16;
/// Maximum length of the header: at 300 bytes per epoch, a trial's record has room for 200,000 epochs.
const LONGEST: u64 = 64 << 20;

/// Identity of a checkpoint, and its accompanying files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Identity of the trial.
    #[serde(alias = "recipe_id")]
    pub(super) config_id: String,
    /// Identity of the trial regardless of its number of epochs.
    pub(super) course_id: String,
    pub(super) seed: u64,
    /// Fingerprint of its data.
    pub(super) data: String,
    /// Name of the arithmetic of its products.
    pub(super) arithmetic: String,
    /// Length of the logs at the checkpoint, in bytes.
    pub(super) metrics_bytes: u64,
    pub(super) losses_bytes: Option<u64>,
    #[serde(default)]
    pub(super) path_bytes: Option<u64>,
    /// True if the best weights follow the state.
    #[serde(default)]
    pub(super) has_best: bool,
    /// The record of the trial, once it has ended.
    pub(super) record: Option<TrialRecord>,
}

/// Reason why a checkpoint cannot be used.
#[derive(Debug)]
pub(super) enum Unusable {
    /// The file does not exist.
    Absent,
    /// The file is incomplete or corrupt.
    Damaged(String),
    /// The file is intact, but cannot be used here.
    Refused(Error),
}

impl Unusable {
    /// Converts to the error reported if there is no other checkpoint.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Absent => Error::failure("the checkpoint no longer exists").because(Cause::NotFound),
            Self::Damaged(why) => Error::failure(format!("the checkpoint does not fit the trial: {why}"))
                .because(Cause::Damaged)
                .advise("the version of schuss that started the run"),
        }
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Absent,
            _ => Self::Damaged(schuss_data::text::plain_io(&error)),
        }
    }
}

/// Writes a checkpoint, including the state of `session` if given; an existing one at `path` is renamed to `previous`.
pub(super) fn write(
    path: &Path,
    previous: &Path,
    header: &Header,
    session: Option<&mut Session>,
) -> crate::Result<()> {
    let text = serde_json::to_vec(header).map_err(|error| Error::failure(error.to_string()))?;
    files::write_by(path, Some(previous), move |to| {
        let mut to = Hashed { to, hash: Xxh3::new() };
        to.write_all(&MAGIC)?;
        to.write_all(&VERSION.to_le_bytes())?;
        to.write_all(&(text.len() as u64).to_le_bytes())?;
        to.write_all(&text)?;
        if let Some(session) = session {
            session.save(&mut to)?;
            if header.has_best {
                session.code_best(&mut StateCodec::Save(&mut to))?;
            }
        }
        let checksum = to.hash.digest128().to_le_bytes();
        to.to.write_all(&checksum)
    })
}

/// A checkpoint with a valid checksum.
pub(super) struct Checkpoint<F = File> {
    pub(super) header: Header,
    state: Take<BufReader<F>>,
}

/// Opens a checkpoint after verifying the checksum over all of its bytes.
pub(super) fn open(path: &Path) -> Result<Checkpoint, Unusable> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(Unusable::Damaged("it is not a file".into()));
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    read(file, length).map_err(|unusable| match unusable {
        Unusable::Refused(error) => Unusable::Refused(error.at(path.display())),
        unusable => unusable,
    })
}

/// Like [`open`], for a source of `length` bytes.
pub(super) fn read<F: Read + Seek>(mut file: F, length: u64) -> Result<Checkpoint<F>, Unusable> {
    let body = length.checked_sub(CHECKSUM).filter(|body| *body >= FIXED);
    let body = body.ok_or_else(|| Unusable::Damaged("it is too short".into()))?;
    verify(&mut file, body)?;
    file.seek(SeekFrom::Start(0))?;
    let mut from = BufReader::new(file);
    let mut fixed = [0; FIXED as usize];
    from.read_exact(&mut fixed)?;
    let [magic @ .., _, _, _, _, _, _, _, _, _, _, _, _] = fixed;
    let [.., a, b, c, d, _, _, _, _, _, _, _, _] = fixed;
    let [.., e, f, g, h, i, j, k, l] = fixed;
    if magic != MAGIC {
        return Err(Unusable::Damaged("it is not a checkpoint".into()));
    }
    if u32::from_le_bytes([a, b, c, d]) != VERSION {
        let newer = Error::failure("the checkpoint was written by another version of schuss")
            .because(Cause::Mismatch);
        return Err(Unusable::Refused(newer.advise("resume the run with that version")));
    }
    let text = u64::from_le_bytes([e, f, g, h, i, j, k, l]);
    let state = body.checked_sub(FIXED).and_then(|rest| rest.checked_sub(text)).filter(|_| text <= LONGEST);
    let state = state.ok_or_else(|| Unusable::Damaged("its header is too long".into()))?;
    let mut header = vec![];
    (&mut from).take(text).read_to_end(&mut header)?;
    let header = json::read(&header).map_err(io::Error::from)?;
    Ok(Checkpoint { header, state: from.take(state) })
}

/// Verifies the checksum that follows the first `body` bytes.
fn verify(file: &mut impl Read, body: u64) -> Result<(), Unusable> {
    let (mut hash, mut checksum) = (Xxh3::new(), [0; CHECKSUM as usize]);
    let read = io::copy(&mut file.by_ref().take(body), &mut hash)?;
    file.read_exact(&mut checksum)?;
    if read == body && hash.digest128() == u128::from_le_bytes(checksum) {
        return Ok(());
    }
    Err(Unusable::Damaged("its checksum is wrong".into()))
}

impl<F: Read> Checkpoint<F> {
    /// Restores the state of a session of the same trial.
    pub(super) fn restore(&mut self, session: &mut Session) -> Result<(), Unusable> {
        session.load(&mut self.state)?;
        if self.header.has_best {
            session.code_best(&mut StateCodec::Load(&mut self.state))?;
        }
        if self.state.limit() == 0 {
            Ok(())
        } else {
            Err(Unusable::Damaged("it is longer than its state".into()))
        }
    }
}

/// A writer that hashes what goes through it.
struct Hashed<'a> {
    to: &'a mut dyn Write,
    hash: Xxh3,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
