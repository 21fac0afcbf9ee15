//! Tiles, and what a unit that multiplies them does.

use crate::Isa;

/// Rows of a tile: lines of a factor, or terms of a sum two by two.
pub(crate) const SIDE: usize = 16;

/// Terms of a sum that one tile holds.
pub(crate) const DEPTH: usize = 2 * SIDE;

/// A tile of a packed factor: 16 x 16 pairs of bf16, the earlier term in the low half. Of the left factor
/// `[line][pair]`, of the right one `[pair][line]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Tile(pub(crate) [[u32; SIDE]; SIDE]);

impl Tile {
    pub(crate) const ZERO: Self = Self([[0; SIDE]; SIDE]);
}

/// A tile of 16 x 16 sums.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Sums(pub(crate) [[f32; SIDE]; SIDE]);

impl Sums {
    pub(crate) const ZERO: Self = Self([[0.0; SIDE]; SIDE]);
}

/// One or two neighbouring panels of each packed factor: up to 2 x 2 tiles of sums.
///
/// A panel is 16 lines at full depth, tile after tile. Where numbers are split into two bf16, the tile of the high
/// parts and that of the low parts stand side by side.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    /// The packed panels of the left factor.
    pub(crate) a: &'a [Tile],
    /// Those of the right one.
    pub(crate) b: &'a [Tile],
    /// Tiles of a panel.
    pub(crate) panel: usize,
    /// Tiles that stand for the same terms: 1, or 2 where numbers are split.
    pub(crate) parts: usize,
}

impl Block<'_> {
    /// Panels of the left factor and of the right one.
    #[inline(always)]
    pub(crate) fn panels(&self) -> [usize; 2] {
        [self.a, self.b].map(|tiles| if tiles.len() == self.panel { 1 } else { 2 })
    }
}

/// Which parts of the split factors are multiplied, in this order for every 32 terms: high by low, high by high, low
/// by high. Low by low is left out: it is about as small as what splitting loses.
pub(crate) const SPLIT_PRODUCTS: [(usize, usize); 3] = [(0, 1), (0, 0), (1, 0)];

/// A unit that multiplies tiles, made ready for this thread; it rests when dropped.
pub(crate) trait TileUnit {
    /// Makes the unit ready, on a thread whose kernels run on `isa`.
    ///
    /// # Safety
    /// The machine has it and the system lets this process use it.
    unsafe fn configure(isa: Isa) -> Self;

    /// Adds a block to its sums, terms in order: to `sums[2 r + c]` panel r of the left factor times panel c of the
    /// right one. The others stay as they are.
    fn multiply(&mut self, block: Block, sums: &mut [Sums; 4]);
}
