//! C = A B in tiles, two by two panels at a time.

use super::emulator::Emulator;
use super::pack::{Factor, Pack};
use super::tile::{Block, DEPTH, SIDE, Sums, Tile, TileUnit};
use super::{Mode, UnitKind};
use crate::matrix::Epilogue;
use crate::team::share;
use crate::{Isa, Kernel, Team, Vector};

/// Panels of a factor per block: four tiles of sums leave four of eight registers for factors.
const PANELS: usize = 2;

/// Computes C = A B with the epilogue's start and finish, spread over the team: first the conversion of both
/// factors, then the blocks of C, each by one thread.
pub(crate) fn multiply<E: Epilogue>(team: &mut Team, mode: Mode, a: Factor, b: Factor, epilogue: &E) {
    assert!(a.depth() == b.depth() && a.depth() > 0);
    let panel = a.depth().div_ceil(DEPTH) * mode.parts;
    let tiles = pack(team, mode, panel, a, b);
    let (left, right) = tiles.split_at(a.panels() * panel);
    let right = &right[..b.panels() * panel];
    let (isa, parts) = (team.isa(), team.parts());
    team.run(a.lines() * b.lines() * a.depth(), |part| {
        isa.run(Blocks { isa, left, right, panel, rows: a.lines(), mode, epilogue, part, parts });
    });
    team.put_tiles(tiles);
}

/// Packs both factors into tiles, `panel` of them per panel: those of A, then those of B.
fn pack(team: &mut Team, mode: Mode, panel: usize, a: Factor, b: Factor) -> Vec<Tile> {
    let len = (a.panels() + b.panels()) * panel;
    let mut tiles = team.take_tiles(len);
    let isa = team.isa();
    team.for_chunks(len * SIDE * DEPTH, &mut tiles[..len], panel, |index, to| {
        let right = index >= a.panels();
        let (factor, panel) = if right { (b, index - a.panels()) } else { (a, index) };
        isa.run(Pack { factor, right, parts: mode.parts, panel, to });
    });
    tiles
}

/// One part of a product.
struct Blocks<'a, E> {
    isa: Isa,
    left: &'a [Tile],
    right: &'a [Tile],
    panel: usize,
    rows: usize,
    mode: Mode,
    epilogue: &'a E,
    part: usize,
    parts: usize,
}

impl<E: Epilogue> Kernel for Blocks<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        match self.mode.unit.0 {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            UnitKind::Amx => self.on::<V, super::amx::Amx>(),
            UnitKind::Emulated => self.on::<V, Emulator>(),
        }
    }
}

impl<E: Epilogue> Blocks<'_, E> {
    /// Computes the blocks of this part, those of the same columns one after the other.
    #[inline(always)]
    fn on<V: Vector, U: TileUnit>(&self) {
        // SAFETY: a `Unit` of this value is only created after `Unit::available` has checked the machine.
        let mut unit = unsafe { U::configure(self.isa) };
        let count = |tiles: &[Tile]| (tiles.len() / self.panel).div_ceil(PANELS);
        let (down, across) = (count(self.left), count(self.right));
        let mut sums = [Sums::ZERO; 4];
        for block in share(down * across, self.part, self.parts) {
            self.block::<V, U>(&mut unit, block % down, block / down, &mut sums);
        }
    }

    #[inline(always)]
    fn block<V: Vector, U: TileUnit>(&self, unit: &mut U, row: usize, col: usize, sums: &mut [Sums; 4]) {
        let panels = PANELS * self.panel;
        let here = |tiles: &'_ [Tile], index| index * panels..tiles.len().min((index + 1) * panels);
        let (a, b) = (&self.left[here(self.left, row)], &self.right[here(self.right, col)]);
        let block = Block { a, b, panel: self.panel, parts: self.mode.parts };
        let [down, across] = block.panels();
        let (row, col) = (row * PANELS * SIDE, col * PANELS * SIDE);
        for row in row..self.rows.min(row + down * SIDE) {
            (0..across).for_each(|c| self.epilogue.prefetch::<V>(row, col + c * SIDE));
        }
        for r in 0..down {
            for c in 0..across {
                self.start::<V>(row + r * SIDE, col + c * SIDE, &mut sums[PANELS * r + c]);
            }
        }
        unit.multiply(block, sums);
        for r in 0..down {
            for c in 0..across {
                self.finish::<V>(row + r * SIDE, col + c * SIDE, &sums[PANELS * r + c]);
            }
        }
    }

    /// Initializes a tile of sums from the epilogue, row by row; zero beyond the output.
    #[inline(always)]
    fn start<V: Vector>(&self, first: usize, col: usize, sums: &mut Sums) {
        *sums = Sums::ZERO;
        for (row, sums) in (first..self.rows).zip(&mut sums.0) {
            // SAFETY: as in `finish`.
            unsafe { self.epilogue.start::<V>(row, col).store(sums.as_mut_ptr()) };
        }
    }

    /// Passes a tile of sums to the epilogue, row by row.
    #[inline(always)]
    fn finish<V: Vector>(&self, first: usize, col: usize, sums: &Sums) {
        for (row, sums) in (first..self.rows).zip(&sums.0) {
            // SAFETY: a row of a tile is 16 numbers; the output has this row and whole vectors of columns, and each
            // tile belongs to one part of the job.
            unsafe { self.epilogue.finish(row, col, V::load(sums.as_ptr())) };
        }
    }
}
