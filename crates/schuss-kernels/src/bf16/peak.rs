//! Peak rate of a tile unit.

use super::emulator::Emulator;
use super::tile::{Block, DEPTH, SIDE, Sums, Tile, TileUnit};
use super::{Unit, UnitKind};
use crate::peak::best_rate;
use crate::{Isa, Team};
use std::hint::black_box;
use std::time::Duration;

/// Tiles in a panel: two panels of each factor stay in the first cache.
const PANEL: usize = 8;
/// Panels of a block of two by two.
const PANELS: usize = 2;

/// Measures products of tiles in the first cache on all threads of `team`, for about `time`. Returns GFLOP/s of the best
/// of many rounds.
pub fn tile_gflops(team: &mut Team, unit: Unit, time: Duration) -> f64 {
    let (isa, parts, turns) = (team.isa(), team.parts(), unit.turns());
    let products = PANELS * PANELS * PANEL * turns * parts;
    best_rate(time, (2 * SIDE * SIDE * DEPTH * products) as f64, || {
        team.run(usize::MAX, |_| match unit.0 {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            UnitKind::Amx => multiply::<super::amx::Amx>(isa, turns),
            UnitKind::Emulated => multiply::<Emulator>(isa, turns),
        });
    })
}

impl Unit {
    /// Returns the blocks multiplied between two clock readings.
    fn turns(self) -> usize {
        match self.0 {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            UnitKind::Amx => 2_000,
            UnitKind::Emulated => 1,
        }
    }
}

/// Multiplies the same block again and again.
fn multiply<U: TileUnit>(isa: Isa, turns: usize) {
    let factor = [Tile::ZERO; PANELS * PANEL];
    let (a, b) = (black_box(factor), black_box(factor));
    let mut sums = [Sums::ZERO; PANELS * PANELS];
    // SAFETY: a `Unit` of this kind is only created after `Unit::available` has checked the machine.
    let mut unit = unsafe { U::configure(isa) };
    for _ in 0..turns {
        unit.multiply(Block { a: &a, b: &b, panel: PANEL, parts: 1, is_fresh: true }, &mut sums);
    }
    black_box(sums);
}
