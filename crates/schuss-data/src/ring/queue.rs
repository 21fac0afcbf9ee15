//! The line of chunks that are in memory or on their way, and how far each of those that read along has come.

use crate::{Result, Samples};
use std::collections::VecDeque;
use std::sync::Arc;

/// A chunk as its loader left it.
#[derive(Clone)]
pub(super) struct Chunk {
    pub(super) samples: Arc<Samples>,
    pub(super) outcome: Result<()>,
}

/// How far a member has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberPlace {
    /// It has yet to ask; the line is held for it where it begins.
    Waiting,
    /// It may ask for this chunk and those after it.
    At(u64),
    /// It does not read along.
    Gone,
}

/// The chunks from the one that the slowest member is at. Every buffer is in here, in use by members too or not, or
/// with a loader.
pub(super) struct ChunkQueue {
    /// Number of the first of `chunks`.
    first: u64,
    /// In order; none where a loader is still reading.
    chunks: VecDeque<Option<Chunk>>,
    free: Vec<Arc<Samples>>,
    /// Chunks in memory at most.
    slots: u64,
    members: Vec<MemberPlace>,
    begun: bool,
    pub(super) ended: bool,
}

impl ChunkQueue {
    /// With so many buffers and one member, number 0.
    pub(super) fn new(slots: usize) -> Self {
        Self {
            first: 0,
            chunks: VecDeque::with_capacity(slots),
            free: (0..slots).map(|_| Arc::default()).collect(),
            slots: slots as u64,
            members: vec![MemberPlace::Waiting],
            begun: false,
            ended: false,
        }
    }

    /// One more reads along; its number.
    pub(super) fn join(&mut self) -> usize {
        self.members.push(MemberPlace::Waiting);
        self.members.len() - 1
    }

    /// A member reads along no more, for now.
    pub(super) fn leave(&mut self, member: usize) {
        self.members[member] = MemberPlace::Gone;
        self.pass();
    }

    /// A member, which has given back what it held before chunk `wanted`, goes on there. False if that is no place to
    /// go on at: not one of the next chunks of a line that others need as it is.
    pub(super) fn go_to(&mut self, member: usize, wanted: u64) -> bool {
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

    fn is_alone(&self, member: usize) -> bool {
        self.members.iter().enumerate().all(|(other, place)| other == member || *place == MemberPlace::Gone)
    }

    /// Forgets all chunks; the next to be read is `number`. A chunk that is being read will be dropped, unless its turn
    /// comes again.
    fn begin_at(&mut self, number: u64) {
        self.begun = true;
        self.first = number;
        self.free.extend(self.chunks.drain(..).flatten().map(|chunk| chunk.samples));
    }

    /// Gives chunks back that all members are past.
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

    /// Whether there is a chunk to be read and a buffer for it.
    pub(super) fn has_next(&self) -> bool {
        self.begun && !self.free.is_empty()
    }

    /// The next chunk to be read and a buffer for it, if there is one.
    pub(super) fn next(&mut self) -> Option<(u64, Arc<Samples>)> {
        let buffer = self.free.pop_if(|_| self.begun)?;
        let number = self.first + self.chunks.len() as u64;
        self.chunks.push_back(None);
        Some((number, buffer))
    }

    /// Takes a chunk that was read; drops it if it is not wanted any more.
    pub(super) fn put(&mut self, number: u64, chunk: Chunk) {
        let place = self.place(number);
        match place.and_then(|place| self.chunks.get_mut(place)) {
            Some(slot @ None) => *slot = Some(chunk),
            _ => self.free.push(chunk.samples),
        }
    }

    /// A chunk that was read.
    pub(super) fn chunk(&self, number: u64) -> Option<&Chunk> {
        self.chunks.get(self.place(number)?)?.as_ref()
    }

    /// Whether a chunk may be read already, as far as other members are concerned.
    pub(super) fn has_room_for(&self, number: u64) -> bool {
        number < self.first + self.slots
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }
}
