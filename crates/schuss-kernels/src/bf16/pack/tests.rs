use super::*;
use crate::naive::Sample;
use crate::testing::stale;
use crate::{Buffer, Isa, padded};

#[test]
fn rounding_is_to_the_nearest_bf16_and_to_the_even_one_of_two() {
    for (x, expected) in [
        (1.0, 1.0),
        (1.0 + 1.0 / 256.0, 1.0),              // halfway, down to even
        (1.0 + 3.0 / 256.0, 1.0 + 1.0 / 64.0), // halfway, up to even
        (1.0 + 1.001 / 256.0, 1.0 + 1.0 / 128.0),
        (-0.0, -0.0),
        (f32::INFINITY, f32::INFINITY),
        (f32::MAX, f32::INFINITY),
    ] {
        assert_eq!(round(x), f32::to_bits(expected), "{x}");
    }
    for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)] {
        assert!(f32::from_bits(round(nan)).is_nan());
    }
}

/// Returns the high and the low bf16 of numbers, with those of vectors in place of `round`.
struct Split([f32; LANES]);

impl Kernel for Split {
    type Output = [[u32; LANES]; 2];

    #[inline(always)]
    fn run<V: Vector>(self) -> Self::Output {
        let mut tiles = [Tile::ZERO; 2];
        let [high, low] = &mut tiles;
        // SAFETY: an array of 16 numbers.
        let x = unsafe { V::load(self.0.as_ptr()) };
        split([V::splat(0.0), x], 0, high, low);
        tiles.map(|tile| tile.0[0])
    }
}

#[test]
fn vectors_round_like_single_numbers_on_every_instruction_set() {
    let awkward = [1.0, -0.0, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-40, f32::from_bits(0x007f_ffff)];
    let ties = [0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0xbf81_7fff, 0xff7f_8000].map(f32::from_bits);
    let nan = [f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xffff_ffff), f32::NEG_INFINITY];
    let numbers: Vec<f32> = [&awkward[..], &ties, &nan, &Sample::new(2).vector(1_000, 1.0)].concat();
    for numbers in numbers.chunks_exact(LANES) {
        let numbers: [f32; LANES] = numbers.try_into().unwrap();
        let expected = numbers.map(|x| [round(x), round(x - f32::from_bits(round(x)))]);
        for isa in Isa::available() {
            let [high, low] = isa.run(Split(numbers));
            for i in 0..LANES {
                let (found, x) = ([high[i], low[i]], numbers[i]);
                let are_nan = |bits: [u32; 2]| bits.map(|bits| f32::from_bits(bits).is_nan());
                assert_eq!(are_nan(found), are_nan(expected[i]), "{x}");
                assert!(found == expected[i] || !x.is_finite(), "{x}: {found:x?}, {:x?}", expected[i]);
            }
        }
    }
}

/// Lines of terms, and the ways of packing them.
struct Lines {
    lines: usize,
    depth: usize,
    terms: Vec<f32>,
}

impl Lines {
    /// Returns a term; zero beyond the lines.
    fn term(&self, line: usize, term: usize) -> f32 {
        if line < self.lines && term < self.depth { self.terms[line * self.depth + term] } else { 0.0 }
    }

    /// Lays the lines out as rows or as columns of a matrix with leftovers in its pad lanes.
    fn lay_out(&self, by_rows: bool) -> Buffer {
        let Self { lines, depth, .. } = *self;
        let (rows, cols) = if by_rows { (lines, depth) } else { (depth, lines) };
        let mut data = stale(rows, cols);
        for (row, col) in grid(rows, cols) {
            data[row * padded(cols) + col] = if by_rows { self.term(row, col) } else { self.term(col, row) };
        }
        data
    }

    /// Checks a packed panel term by term.
    fn check(&self, packed: &[Tile], panel: usize, right: bool, parts: usize) {
        for (line, term) in grid(SIDE, packed.len() / parts * DEPTH) {
            let x = self.term(panel * SIDE + line, term);
            let high = f32::from_bits(round(x));
            let expected = [high, f32::from_bits(round(x - high))];
            let tiles = &packed[term / DEPTH * parts..][..parts];
            let found: Vec<f32> = tiles.iter().map(|tile| part(tile, right, line, term % DEPTH)).collect();
            assert_eq!(found, expected[..parts], "line {line}, term {term} of panel {panel}");
        }
    }
}

fn grid(rows: usize, cols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows * cols).map(move |i| (i / cols, i % cols))
}

/// Returns the bf16 of a term from its place: `[line][pair]` in the left factor, `[pair][line]` in the right one.
fn part(tile: &Tile, right: bool, line: usize, term: usize) -> f32 {
    let pair = if right { tile.0[term / 2][line] } else { tile.0[line][term / 2] };
    f32::from_bits(if term.is_multiple_of(2) { pair << 16 } else { pair & 0xffff_0000 })
}

#[test]
fn every_term_stands_at_its_place_in_the_tiles_of_its_line_and_zeros_beyond() {
    for (lines, depth) in [(16, 32), (17, 33), (1, 1), (15, 70), (40, 64)] {
        let of = Lines { lines, depth, terms: Sample::new(3).vector(lines * depth, 1.0) };
        for by_rows in [false, true] {
            let data = of.lay_out(by_rows);
            let factor = if by_rows {
                Factor::rows(Matrix::new(&data, lines, depth))
            } else {
                Factor::columns(Matrix::new(&data, depth, lines))
            };
            for (isa, case) in
                Isa::available().into_iter().flat_map(|isa| (0..4).map(move |case| (isa, case)))
            {
                let (right, parts) = (case % 2 == 1, 1 + case / 2);
                for panel in 0..factor.panels() {
                    let mut to = vec![Tile([[7; SIDE]; SIDE]); depth.div_ceil(DEPTH) * parts];
                    isa.run(Pack { factor, right, parts, panel, to: &mut to });
                    of.check(&to, panel, right, parts);
                }
            }
        }
    }
}

#[test]
fn two_bf16_hold_a_number_to_sixteen_bits() {
    for x in Sample::new(1).vector(10_000, 1.0) {
        let high = f32::from_bits(round(x));
        let two = high + f32::from_bits(round(x - high));
        assert!((two - x).abs() <= x.abs() / 65_536.0, "{x}");
    }
}
