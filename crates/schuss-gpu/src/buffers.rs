//! Buffers of a trial on the card.

use crate::device::Device;
use crate::places::Places;
use crate::shader::READ_ONLY;
use wgpu::{BindGroup, Buffer, PipelineLayout};

/// Buffers in the order of their bindings, and the two ways to bind them.
pub(crate) struct Buffers {
    pub(crate) params: Buffer,
    pub(crate) slots: Buffer,
    pub(crate) arena: Buffer,
    pub(crate) table: Buffer,
    /// Samples of a chunk, as stored.
    pub(crate) staged: Buffer,
    /// Training samples that stay on the card.
    pub(crate) resident: Option<Buffer>,
    pub(crate) chunk: Buffer,
    pub(crate) scores: Buffer,
    pub(crate) first_bad: Buffer,
    with_staged: BindGroup,
    with_resident: Option<BindGroup>,
    pub(crate) layout: PipelineLayout,
}

impl Buffers {
    /// Allocates everything a trial needs; errors are those of [`Device::check`].
    pub(crate) fn new(device: &Device, places: &Places) -> Self {
        let params = device.buffer("params", places.params);
        let slots = device.buffer("slots", places.slots);
        let arena = device.buffer("arena", places.arena);
        let table = device.buffer("table", (places.passes + 1) * places.row_words);
        let staged = device.buffer("staged", places.staged);
        let resident = places.resident.map(|words| device.buffer("resident", words));
        let chunk = device.buffer("chunk", places.chunk_words);
        let scores = device.buffer("scores", 2 * places.chunk);
        let first_bad = device.buffer("first bad", 1);
        let bindings = device.bindings(&READ_ONLY);
        let bind = |samples: &Buffer| {
            device.bind(&bindings, &[&params, &slots, &arena, &table, samples, &chunk, &scores, &first_bad])
        };
        Self {
            with_staged: bind(&staged),
            with_resident: resident.as_ref().map(bind),
            layout: device.layout(&bindings),
            params,
            slots,
            arena,
            table,
            staged,
            resident,
            chunk,
            scores,
            first_bad,
        }
    }

    /// Bindings with the resident samples, or with those of the chunk.
    pub(crate) fn bound(&self, resident: bool) -> &BindGroup {
        self.with_resident.as_ref().filter(|_| resident).unwrap_or(&self.with_staged)
    }
}
