//! Tiles, and the interface of a unit that multiplies them.

use crate::{Isa, Vector};

/// Rows of a tile: lines of a factor, or pairs of terms of a sum.
pub(crate) const SIDE: usize = 16;

/// Terms of a sum held by one tile.
pub(crate) const DEPTH: usize = 2 * SIDE;

/// Tile of a packed factor: 16 x 16 pairs of bf16, the earlier term in the low half. Indexed `[line][pair]`
/// for the left factor, `[pair][line]` for the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Tile(pub(crate) [[u32; SIDE]; SIDE]);

impl Tile {
    pub(crate) const ZERO: Self = Self([[0; SIDE]; SIDE]);

    /// Sets row `i` to the bits of a vector.
    #[inline(always)]
    pub(crate) fn set_row<V: Vector>(&mut self, i: usize, bits: V) {
        // SAFETY: a row has 16 places of 32 bits.
        unsafe { bits.store(self.0[i].as_mut_ptr().cast()) }
    }

    /// Exchanges rows and columns.
    #[inline(always)]
    pub(crate) fn transpose<V: Vector>(&mut self) {
        let from = *self;
        // SAFETY: both tiles have 16 rows of 16 places of 32 bits.
        unsafe { V::transpose(from.0.as_ptr().cast(), SIDE, self.0.as_mut_ptr().cast()) }
    }
}

/// Tile of 16 x 16 sums.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Sums(pub(crate) [[f32; SIDE]; SIDE]);

impl Sums {
    pub(crate) const ZERO: Self = Self([[0.0; SIDE]; SIDE]);
}

/// One or two neighbouring panels of each packed factor: up to 2 x 2 tiles of sums.
///
/// A panel is 16 lines at full depth, tile after tile. If numbers are split into two bf16, the tile of the
/// high parts and that of the low parts are stored side by side.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    /// Packed panels of the left factor.
    pub(crate) a: &'a [Tile],
    /// Packed panels of the right factor.
    pub(crate) b: &'a [Tile],
    /// Number of tiles in a panel.
    pub(crate) panel: usize,
    /// Number of tiles that represent the same terms: 1, or 2 if numbers are split.
    pub(crate) parts: usize,
    /// True if sums start from zero, false if from what they hold.
    pub(crate) is_fresh: bool,
}

impl Block<'_> {
    /// Returns the number of panels of the left and of the right factor.
    #[inline(always)]
    pub(crate) fn panels(&self) -> [usize; 2] {
        [self.a, self.b].map(|tiles| if tiles.len() == self.panel { 1 } else { 2 })
    }
}

/// Products of the parts of split factors, in this order for every 32 terms: high by low, high by high, low
/// by high. Low by low is left out: it is about as small as the error of splitting.
pub(crate) const SPLIT_PRODUCTS: [(usize, usize); 3] = [(0, 1), (0, 0), (1, 0)];

/// Unit that multiplies tiles, configured for this thread; it is released when dropped.
pub(crate) trait TileUnit {
    /// Configures the unit, on a thread whose kernels run on `isa`.
    ///
    /// # Safety
    /// The machine has the unit, and the system lets this process use it.
    unsafe fn configure(isa: Isa) -> Self;

    /// Adds a block to its sums, terms in order: to `sums[2 r + c]` panel r of the left factor times panel c
    /// of the right one.
    fn multiply(&mut self, block: Block, sums: &mut [Sums; 4]);
}
