//! Matrix products in bf16 with sums in f32, on the processor's tile unit.
//!
//! A bf16 is the upper half of an f32: the same range, 8 instead of 24 bits of precision. A product of two is
//! exact in f32, and on machines with Intel's AMX, 16 x 16 x 32 of them are one instruction.
//! [`Precision::High`] splits each factor into two bf16, x = high + low, and sums three products of these.
//!
//! Factors are packed into tiles: `[panel of 16 lines][32 terms][high, low]`, 1024 bytes each. The smaller factor of a
//! product is packed first, for all threads; panels of the larger one when they are multiplied.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
mod emulator;
mod pack;
mod peak;
mod product;
mod tile;

use crate::Team;
pub(crate) use pack::{Factor, round};
pub use peak::tile_gflops;
pub(crate) use product::multiply;
use tile::Tile;

/// Precision of matrix products, named as in PyTorch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Always f32.
    #[default]
    Highest,
    /// Sums of three products of bf16, nearly as precise as f32, where that is faster.
    High,
    /// Products of bf16 with sums in f32, where that is faster.
    Medium,
}

impl Precision {
    /// All precisions, highest first.
    pub const ALL: [Self; 3] = [Self::Highest, Self::High, Self::Medium];

    /// Returns PyTorch's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Highest => "highest",
            Self::High => "high",
            Self::Medium => "medium",
        }
    }

    /// Returns the name of the arithmetic of products of this precision on a tile unit; see
    /// [`crate::ARITHMETIC`].
    pub fn arithmetic(self) -> &'static str {
        match self {
            Self::Highest => crate::ARITHMETIC,
            Self::High => "bf16x3-amx-2",
            Self::Medium => "bf16-amx-2",
        }
    }
}

/// Tile unit that this process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit(UnitKind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnitKind {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    Amx,
    Emulated,
}

impl Unit {
    /// Lists the units: AMX if the machine has it and the system allows it; then the emulator, which gives
    /// the same bits, slowly.
    pub fn available() -> Vec<Self> {
        let mut units = vec![];
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        if amx::available() {
            units.push(Self(UnitKind::Amx));
        }
        units.push(Self(UnitKind::Emulated));
        units
    }

    /// Returns the machine's own unit, if it has one. The environment variable `SCHUSS_AMX` overrides this:
    /// `off` for none, `emulated` for the emulator.
    pub fn detect() -> Option<Self> {
        match std::env::var("SCHUSS_AMX").as_deref() {
            Ok("off") => None,
            Ok("emulated") => Some(Self(UnitKind::Emulated)),
            _ => Self::available().into_iter().find(|unit| unit.0 != UnitKind::Emulated),
        }
    }

    /// Returns its name in records and in `SCHUSS_AMX`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            UnitKind::Amx => "amx",
            UnitKind::Emulated => "emulated",
        }
    }
}

/// Tile unit and splitting used for products in bf16.
#[derive(Clone, Copy)]
pub(crate) struct Mode {
    unit: Unit,
    /// Number of bf16 per number: 1, or 2 whose sum it is.
    parts: usize,
}

/// Minimum number of inputs and of outputs of a layer for bf16; below it products stay in f32, since most of
/// a tile would be idle. The number of samples does not count: batching must not change a bit of the result.
const WORTHWHILE: usize = 16;

/// State a team keeps for products in bf16.
#[derive(Default)]
pub(crate) struct Setting {
    mode: Option<Mode>,
    /// Room for the smaller factor of a product, packed; grows to the largest one and stays.
    tiles: Vec<Tile>,
}

impl Team {
    /// Sets the precision of the products of [`crate::matrix`]; initially [`Precision::Highest`]. They stay
    /// in f32 if the machine has no tile unit, and for layers thinner than a tile.
    pub fn set_precision(&mut self, precision: Precision) {
        let unit = if precision == Precision::Highest { None } else { Unit::detect() };
        self.set_precision_on(unit, precision);
    }

    /// Sets the precision and the unit to use, or none.
    pub fn set_precision_on(&mut self, unit: Option<Unit>, precision: Precision) {
        let parts = if precision == Precision::High { 2 } else { 1 };
        self.bf16.mode = unit.filter(|_| precision != Precision::Highest).map(|unit| Mode { unit, parts });
    }

    /// Returns the precision of products: the one set, or [`Precision::Highest`] without a tile unit.
    pub fn precision(&self) -> Precision {
        match self.bf16.mode {
            None => Precision::Highest,
            Some(Mode { parts: 1, .. }) => Precision::Medium,
            Some(_) => Precision::High,
        }
    }

    /// Returns the tile unit used by products.
    pub fn tile_unit(&self) -> Option<Unit> {
        self.bf16.mode.map(|mode| mode.unit)
    }

    /// Returns the number of terms of a sum that are added at once. A sum over samples that is computed in
    /// pieces is bit-identical to the whole if all pieces but the last are multiples of this.
    pub fn terms_at_once(&self) -> usize {
        if self.bf16.mode.is_some() { tile::DEPTH } else { 1 }
    }

    /// Returns the mode for the products of a layer with these inputs and outputs, if they are done in bf16.
    pub(crate) fn bf16_mode(&self, inputs: usize, outputs: usize) -> Option<Mode> {
        self.bf16.mode.filter(|_| inputs.min(outputs) >= WORTHWHILE)
    }

    /// Takes room for `len` tiles or more, until `put_tiles` returns it.
    fn take_tiles(&mut self, len: usize) -> Vec<Tile> {
        let mut tiles = std::mem::take(&mut self.bf16.tiles);
        if tiles.len() < len {
            tiles.resize(len, Tile::ZERO);
        }
        tiles
    }

    fn put_tiles(&mut self, tiles: Vec<Tile>) {
        self.bf16.tiles = tiles;
    }
}

#[cfg(test)]
mod tests;
