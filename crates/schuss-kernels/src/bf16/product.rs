//! C = A B in tiles, two by two panels at a time.

use super::emulator::Emulator;
use super::pack::{Factor, Pack};
use super::tile::{Block, DEPTH, SIDE, Sums, Tile, TileUnit};
use super::{Mode, UnitKind};
use crate::matrix::Epilogue;
use crate::team::share;
use crate::{Isa, Kernel, Team, Vector};
use std::cell::Cell;
use std::ops::Range;

/// Panels of a factor per block: four tiles of sums leave four of eight registers for factors.
const PANELS: usize = 2;

/// Computes C = A B with the epilogue's start and finish, spread over the team.
///
/// The factor of fewer panels is packed first, for all to read. Panels of the other one are packed by the part that
/// uses them, two at a time: they stay in its core's cache while all panels of the first pass.
pub(crate) fn multiply<E: Epilogue>(team: &mut Team, mode: Mode, a: Factor, b: Factor, epilogue: &E) {
    assert!(a.depth() == b.depth() && a.depth() > 0);
    let panel = a.depth().div_ceil(DEPTH) * mode.parts;
    let left_is_own = b.panels() < a.panels();
    let [common, own] = if left_is_own { [b, a] } else { [a, b] };
    let tiles = pack(team, mode, panel, common, left_is_own);
    let (isa, parts) = (team.isa(), team.parts());
    team.run(a.lines() * b.lines() * a.depth(), |part| {
        let common = &tiles[..common.panels() * panel];
        isa.run(Blocks {
            isa,
            common,
            own,
            left_is_own,
            panel,
            rows: a.lines(),
            mode,
            epilogue,
            part,
            parts,
        });
    });
    team.put_tiles(tiles);
}

/// Packs a left or right factor into tiles, `panel` of them per panel.
fn pack(team: &mut Team, mode: Mode, panel: usize, factor: Factor, right: bool) -> Vec<Tile> {
    let len = factor.panels() * panel;
    let mut tiles = team.take_tiles(len);
    let isa = team.isa();
    team.for_chunks(len * SIDE * DEPTH, &mut tiles[..len], panel, |panel, to| {
        isa.run(Pack { factor, right, parts: mode.parts, panel, to });
    });
    tiles
}

/// One part of a product.
struct Blocks<'a, E> {
    isa: Isa,
    /// Packed panels of the factor that all parts read.
    common: &'a [Tile],
    /// Factor whose panels are packed by the part that uses them.
    own: Factor<'a>,
    left_is_own: bool,
    /// Number of tiles in a panel.
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
    /// Computes the blocks of this part, those of the same panels of the factor of its own one after the other.
    #[inline(always)]
    fn on<V: Vector, U: TileUnit>(&self) {
        // SAFETY: a `Unit` of this value is only created after `Unit::available` has checked the machine.
        let mut unit = unsafe { U::configure(self.isa) };
        let pairs = (self.common.len() / self.panel).div_ceil(PANELS);
        let blocks = share(pairs * self.own.panels().div_ceil(PANELS), self.part, self.parts);
        let mut sums = [Sums::ZERO; 4];
        let mut own = OWN.take();
        let mut next = blocks.start;
        while next < blocks.end {
            let (index, first) = (next / pairs, next % pairs);
            let last = pairs.min(first + blocks.end - next);
            let packed = self.pack_own::<V>(index, &mut own);
            for pair in first..last {
                self.block::<V, U>(&mut unit, packed, index, pair, &mut sums);
            }
            next += last - first;
        }
        OWN.set(own);
    }

    /// Packs a pair of panels of this part's own factor.
    #[inline(always)]
    fn pack_own<'t, V: Vector>(&self, index: usize, own: &'t mut Vec<Tile>) -> &'t [Tile] {
        let panels = PANELS.min(self.own.panels() - index * PANELS);
        if own.len() < panels * self.panel {
            own.resize(PANELS * self.panel, Tile::ZERO);
        }
        let own = &mut own[..panels * self.panel];
        for (i, to) in own.chunks_exact_mut(self.panel).enumerate() {
            let panel = index * PANELS + i;
            Pack { factor: self.own, right: !self.left_is_own, parts: self.mode.parts, panel, to }.run::<V>();
        }
        own
    }

    /// Computes the block of a pair of panels of this part's own factor and a pair of the common one.
    #[inline(always)]
    fn block<V: Vector, U: TileUnit>(
        &self,
        unit: &mut U,
        own: &[Tile],
        index: usize,
        pair: usize,
        sums: &mut [Sums; 4],
    ) {
        let panels = PANELS * self.panel;
        let common = &self.common[pair * panels..self.common.len().min((pair + 1) * panels)];
        let ([a, b], [row, col]) =
            if self.left_is_own { ([own, common], [index, pair]) } else { ([common, own], [pair, index]) };
        let (panel, parts, is_fresh) = (self.panel, self.mode.parts, self.epilogue.is_fresh());
        let block = Block { a, b, panel, parts, is_fresh };
        let [down, across] = block.panels();
        let (row, col) = (row * PANELS * SIDE, col * PANELS * SIDE);
        let rows = row..self.rows.min(row + down * SIDE);
        for row in rows.clone() {
            for c in 0..across {
                self.epilogue.prefetch::<V>(row, col + c * SIDE);
            }
        }
        if !is_fresh {
            self.start::<V>(rows.clone(), col, across, sums);
        }
        unit.multiply(block, sums);
        self.finish::<V>(rows, col, across, sums);
    }

    /// Initializes sums from the epilogue, row by row. Rows beyond the output keep what they hold: no other depends on
    /// them.
    #[inline(always)]
    fn start<V: Vector>(&self, rows: Range<usize>, col: usize, across: usize, sums: &mut [Sums; 4]) {
        for (i, row) in rows.enumerate() {
            for c in 0..across {
                let to = &mut sums[PANELS * (i / SIDE) + c].0[i % SIDE];
                // SAFETY: as in `finish`.
                unsafe { self.epilogue.start::<V>(row, col + c * SIDE).store(to.as_mut_ptr()) };
            }
        }
    }

    /// Passes sums to the epilogue, row by row.
    #[inline(always)]
    fn finish<V: Vector>(&self, rows: Range<usize>, col: usize, across: usize, sums: &[Sums; 4]) {
        let own = *self.epilogue; // stores cannot change it, so its numbers stay in registers
        for (i, row) in rows.enumerate() {
            for c in 0..across {
                let sums = &sums[PANELS * (i / SIDE) + c].0[i % SIDE];
                // SAFETY: a row of a tile is 16 numbers; the output has this row and whole vectors of columns, and each
                // tile belongs to one part of the job.
                unsafe { own.finish(row, col + c * SIDE, V::load(sums.as_ptr())) };
            }
        }
    }
}

thread_local! {
    /// Room for two packed panels; grows to the deepest product a thread has seen and stays.
    static OWN: Cell<Vec<Tile>> = const { Cell::new(vec![]) };
}
