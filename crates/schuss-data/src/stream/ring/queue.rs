//! Queue of chunks that are in memory or being read, and the position of each member.

use crate::{Result, Samples};
use std::collections::VecDeque;
use std::sync::Arc;

/// Chunk as its loader left it.
#[derive(Clone)]
pub(super) struct Chunk {
    pub(super) samples: Arc<Samples>,
    pub(super) outcome: Result<()>,
}

/// Progress of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberPlace {
    /// Has made no request yet; the queue is kept for it where it starts.
    Waiting,
    /// May request this chunk and later ones.
    At(u64),
    /// Not reading at present.
    Gone,
}

/// Chunks from that of the slowest member on. Owns every buffer, whether in use by members or not, except
/// those that loaders hold.
pub(super) struct ChunkQueue {
    /// Number of the first of `chunks`.
    first: u64,
    /// In order; `None` while a loader is still reading.
    chunks: VecDeque<Option<Chunk>>,
    free: Vec<Arc<Samples>>,
    /// Maximum number of chunks in memory.
    slots: u64,
    members: Vec<MemberPlace>,
    begun: bool,
    /// True while no chunk is to be read, until a member makes its next request.
    rests: bool,
    /// Number of chunks being read.
    reading: usize,
    pub(super) ended: bool,
}

impl ChunkQueue {
    /// Creates a queue with `slots` buffers and one member, number 0.
    pub(super) fn new(slots: usize) -> Self {
        Self {
            first: 0,
            chunks: VecDeque::with_capacity(slots),
            free: (0..slots).map(|_| Arc::default()).collect(),
            slots: slots as u64,
            members: vec![MemberPlace::Waiting],
            begun: false,
            rests: false,
            reading: 0,
            ended: false,
        }
    }

    /// Adds a member and returns its number.
    pub(super) fn join(&mut self) -> usize {
        self.members.push(MemberPlace::Waiting);
        self.members.len() - 1
    }

    /// Pauses a member: it stops reading for now.
    pub(super) fn leave(&mut self, member: usize) {
        self.members[member] = MemberPlace::Gone;
        self.pass();
    }

    /// Moves a member, which has released everything before chunk `wanted`, to that chunk. Returns false if
    /// the chunk is not among the next ones of a queue that other members still need.
    pub(super) fn go_to(&mut self, member: usize, wanted: u64) -> bool {
        self.rests = false;
        let from = match self.members[member] {
            MemberPlace::At(number) => Some(number),
            MemberPlace::Waiting if self.begun => Some(self.first),
            MemberPlace::Waiting | MemberPlace::Gone => None,
        };
        if !from.is_some_and(|from| (from..from + self.slots).contains(&wanted)) {
            if self.begun && !self.is_alone(member) {
                return false;
            }
            self.begin_at(wanted);
        }
        self.members[member] = MemberPlace::At(wanted);
        self.pass();
        true
    }

    /// Reads no further chunks until the next request; returns true once none is being read.
    pub(super) fn rest(&mut self) -> bool {
        self.rests = true;
        self.reading == 0
    }

    fn is_alone(&self, member: usize) -> bool {
        self.members.iter().enumerate().all(|(other, place)| other == member || *place == MemberPlace::Gone)
    }

    /// Discards all chunks; the next one read is `number`. A chunk being read now is dropped, unless its turn
    /// comes again.
    fn begin_at(&mut self, number: u64) {
        self.begun = true;
        self.first = number;
        self.free.extend(self.chunks.drain(..).flatten().map(|chunk| chunk.samples));
    }

    /// Frees chunks that all members have passed.
    fn pass(&mut self) {
        let places = self.members.iter().filter_map(|place| match place {
            MemberPlace::Waiting => Some(self.first),
            MemberPlace::At(number) => Some(*number),
            MemberPlace::Gone => None,
        });
        let Some(least) = places.min() else { return };
        while self.first < least {
            self.first += 1;
            self.free.extend(self.chunks.pop_front().flatten().map(|chunk| chunk.samples));
        }
    }

    /// Returns true if there is a chunk to read and a free buffer for it.
    pub(super) fn has_next(&self) -> bool {
        self.begun && !self.rests && !self.free.is_empty()
    }

    /// Returns the next chunk to read and a buffer for it, if there is one.
    pub(super) fn next(&mut self) -> Option<(u64, Arc<Samples>)> {
        let buffer = self.free.pop_if(|_| self.begun && !self.rests)?;
        self.reading += 1;
        let number = self.first + self.chunks.len() as u64;
        self.chunks.push_back(None);
        Some((number, buffer))
    }

    /// Stores a chunk that was read, or drops it if no longer wanted.
    pub(super) fn put(&mut self, number: u64, chunk: Chunk) {
        self.reading -= 1;
        let place = self.place(number);
        match place.and_then(|place| self.chunks.get_mut(place)) {
            Some(slot @ None) => *slot = Some(chunk),
            _ => self.free.push(chunk.samples),
        }
    }

    /// Returns a chunk that was read.
    pub(super) fn chunk(&self, number: u64) -> Option<&Chunk> {
        self.chunks.get(self.place(number)?)?.as_ref()
    }

    /// Returns true if other members have come far enough for a chunk to be read.
    pub(super) fn has_room_for(&self, number: u64) -> bool {
        number < self.first + self.slots
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }
}
