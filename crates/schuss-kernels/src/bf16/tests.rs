use super::*;
use crate::matrix::{self, Matrix, MatrixMut, Start};
use crate::naive::{self, Sample, pad, unpad};
use crate::pointer::SharedMut;
use crate::sweep::{Elementwise, sweep};
use crate::{Buffer, Isa, Lane, padded};
use std::io::Write;

const SIZES: [usize; 12] = [1, 2, 15, 16, 17, 31, 32, 33, 64, 65, 100, 257];
const FAST: [Precision; 2] = [Precision::High, Precision::Medium];
const EMULATED: Unit = Unit(UnitKind::Emulated);

fn team(threads: usize, isa: Isa, unit: Unit, precision: Precision) -> Team {
    let mut team = Team::with_isa(threads, isa).unwrap();
    team.set_precision_on(Some(unit), precision);
    team
}

/// Two factors of awkward sizes: x `[m, k]` and v `[n, k]`, each row of terms contiguous.
struct Case {
    shape: [usize; 3],
    x: Vec<f32>,
    v: Vec<f32>,
}

impl Case {
    /// Returns cases with every size from `least` on as rows, and some others as terms and columns.
    fn all(least: usize) -> impl Iterator<Item = Self> {
        let sizes: Vec<usize> = SIZES.into_iter().filter(|&size| size >= least).collect();
        let at = move |i: usize| sizes[i % sizes.len()];
        (0..SIZES.len())
            .flat_map(move |i| [[at(i), at(i + 5), at(i + 7)], [at(i), at(i), at(i + 1)]].map(Self::new))
    }

    fn new(shape: [usize; 3]) -> Self {
        let [m, k, n] = shape;
        let mut sample = Sample::new((m * 1000 + k * 10 + n) as u64);
        Self { shape, x: sample.vector(m * k, 1.0), v: sample.vector(n * k, 1.0) }
    }

    /// Computes X Vᵀ by tiles, taking the lines of either factor as rows or columns of a matrix.
    fn product(&self, team: &mut Team, [x_by_columns, v_by_columns]: [bool; 2]) -> Vec<f32> {
        let [m, k, n] = self.shape;
        let (x, v) = (lay_out(&self.x, m, k, x_by_columns), lay_out(&self.v, n, k, v_by_columns));
        let mut y = Buffer::zeros(m * padded(n));
        let sum = matrix::Sum { start: Start::Fresh, to: SharedMut::new(&mut y), stride: padded(n) };
        let mode = team.bf16.mode.unwrap();
        multiply(team, mode, factor(&x, m, k, x_by_columns), factor(&v, n, k, v_by_columns), &sum);
        unpad(&y, m, n)
    }

    /// Returns the same in f64, each with the size of its terms, sqrt Σ (x v)².
    fn reference(&self) -> Vec<(f64, f64)> {
        let [m, k, n] = self.shape;
        let term = |i: usize, t: usize| f64::from(self.x[i / n * k + t]) * f64::from(self.v[i % n * k + t]);
        let sum = |i: usize| (0..k).map(|t| term(i, t)).sum();
        let size = |i: usize| (0..k).map(|t| term(i, t).powi(2)).sum::<f64>().sqrt();
        (0..m * n).map(|i| (sum(i), size(i))).collect()
    }
}

fn transposed(dense: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    (0..rows * cols).map(|i| dense[i % rows * cols + i / rows]).collect()
}

fn lay_out(dense: &[f32], lines: usize, depth: usize, by_columns: bool) -> Buffer {
    if by_columns { pad(&transposed(dense, lines, depth), depth, lines) } else { pad(dense, lines, depth) }
}

fn factor(buffer: &[f32], lines: usize, depth: usize, by_columns: bool) -> Factor<'_> {
    if by_columns {
        Factor::columns(Matrix::new(buffer, depth, lines))
    } else {
        Factor::rows(Matrix::new(buffer, lines, depth))
    }
}

#[test]
fn products_are_as_precise_as_their_names_say() {
    for (precision, bound) in [(Precision::High, 3e-5), (Precision::Medium, 1e-2)] {
        let mut team = team(1, Isa::detect(), EMULATED, precision);
        let (mut errors, mut sums) = (0.0, 0.0);
        for case in Case::all(1) {
            let (found, reference) = (case.product(&mut team, [false, true]), case.reference());
            assert_eq!(found.len(), reference.len());
            for (y, (expected, size)) in found.iter().zip(reference) {
                let error = f64::from(*y) - expected;
                assert!(error.abs() <= bound * size, "{:?}: {y}, expected {expected}", case.shape);
                (errors, sums) = (errors + error * error, sums + expected * expected);
            }
        }
        let rms: f64 = errors / sums;
        assert!(rms.sqrt() < bound / 3.0, "{precision:?}: relative rms error {}", rms.sqrt());
    }
}

#[test]
fn products_have_the_same_bits_from_every_layout_on_every_instruction_set_and_any_number_of_threads() {
    let mut teams: Vec<Team> = Isa::available()
        .into_iter()
        .flat_map(|isa| [1, 2, 3].map(|threads| (threads, isa)))
        .flat_map(|(threads, isa)| FAST.map(|precision| team(threads, isa, EMULATED, precision)))
        .collect();
    for case in Case::all(1).step_by(3) {
        let expected = FAST
            .map(|precision| case.product(&mut team(1, Isa::detect(), EMULATED, precision), [false, true]));
        for (i, team) in teams.iter_mut().enumerate() {
            for layout in [[false, false], [false, true], [true, false], [true, true]] {
                assert_eq!(
                    case.product(team, layout),
                    expected[i % 2],
                    "{:?}, {team:?}, {layout:?}",
                    case.shape
                );
            }
        }
    }
}

#[test]
fn the_processors_unit_has_the_bits_of_the_emulator() {
    let Some(real) = Unit::available().into_iter().find(|&unit| unit != EMULATED) else {
        // Not by `eprintln`, whose output is captured in a passing test.
        writeln!(std::io::stderr(), "SKIPPED: this machine has no AMX, so its tile unit was not tested")
            .unwrap();
        return;
    };
    for precision in FAST {
        let [mut real, mut emulated] = [real, EMULATED].map(|unit| team(2, Isa::detect(), unit, precision));
        for case in Case::all(1) {
            let layout = [true, false];
            let (real, emulated) = (case.product(&mut real, layout), case.product(&mut emulated, layout));
            assert_eq!(real, emulated, "{:?}, {precision:?}", case.shape);
        }
    }
}

#[test]
fn the_tile_unit_is_found_only_where_the_processor_has_one() {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    assert!(Unit::available() == [EMULATED] || flags.contains("amx_bf16"));
}

#[test]
fn a_team_uses_the_unit_of_the_machine_unless_the_environment_says_otherwise() {
    let mut team = Team::new(1).unwrap();
    for precision in Precision::ALL {
        team.set_precision(precision);
        let expected = match std::env::var("SCHUSS_AMX").as_deref() {
            _ if precision == Precision::Highest => None,
            Ok("off") => None,
            Ok("emulated") => Some(EMULATED),
            _ => Some(Unit::available()[0]).filter(|&unit| unit != EMULATED),
        };
        assert_eq!(team.tile_unit(), expected);
        assert_eq!(team.precision(), if expected.is_some() { precision } else { Precision::Highest });
    }
}

#[test]
fn a_nan_reaches_the_sums_of_its_line_and_no_others() {
    for precision in FAST {
        let mut case = Case::new([33, 40, 17]);
        case.x[20 * 40 + 39] = f32::NAN;
        let y = case.product(&mut team(1, Isa::detect(), EMULATED, precision), [false, true]);
        assert!(y.iter().enumerate().all(|(i, y)| y.is_nan() == (i / 17 == 20)));
    }
}

#[test]
fn repeated_products_need_no_new_memory() {
    let mut team = team(2, Isa::detect(), EMULATED, Precision::High);
    let [large, small] = [[100, 257, 64], [17, 33, 16]].map(Case::new);
    large.product(&mut team, [false, true]);
    let before = (team.bf16.tiles.as_ptr(), team.bf16.tiles.len());
    small.product(&mut team, [true, true]);
    large.product(&mut team, [false, true]);
    assert_eq!((team.bf16.tiles.as_ptr(), team.bf16.tiles.len()), before);
}

#[test]
fn linear_adds_the_bias_to_a_product_and_stops_negative_sums() {
    for precision in FAST {
        let mut team = team(2, Isa::detect(), EMULATED, precision);
        for case in Case::all(16) {
            let [m, k, n] = case.shape;
            let (x, w) = (pad(&case.x, m, k), lay_out(&case.v, n, k, true));
            let bias = Sample::new(9).vector(n, 1.0);
            let product = case.product(&mut team, [false, true]);
            for floor in [0.0, f32::NEG_INFINITY] {
                let mut y = Buffer::zeros(m * padded(n));
                let (x, w) = (Matrix::new(&x, m, k), Matrix::new(&w, k, n));
                let to = MatrixMut::new(&mut y, m, n);
                matrix::linear(&mut team, x, w, &pad(&bias, 1, n), floor == 0.0, to);
                let expected: Vec<f32> =
                    product.iter().enumerate().map(|(i, sum)| (sum + bias[i % n]).max(floor)).collect();
                assert_eq!(unpad(&y, m, n), expected, "{:?}", case.shape);
            }
        }
    }
}

#[test]
fn a_weight_gradient_is_a_product() {
    for precision in FAST {
        let mut team = team(2, Isa::detect(), EMULATED, precision);
        for case in Case::all(16) {
            let [k, m, n] = case.shape; // of Xᵀ D: inputs, samples, outputs
            let (x, d) = (lay_out(&case.x, k, m, true), lay_out(&case.v, n, m, true));
            let (x, d) = (Matrix::new(&x, m, k), Matrix::new(&d, m, n));
            let product = case.product(&mut team, [true, true]);
            let mut g = Buffer::zeros(k * padded(n));
            matrix::weight_gradient(&mut team, x, d, Start::Fresh, MatrixMut::new(&mut g, k, n));
            assert_eq!(unpad(&g, k, n), product, "{:?}", case.shape);
        }
    }
}

#[test]
fn a_sum_over_samples_has_the_same_bits_whole_and_in_pieces_of_whole_blocks_of_terms() {
    for precision in FAST {
        let mut team = team(2, Isa::detect(), EMULATED, precision);
        let terms = team.terms_at_once();
        for [k, m, n] in [[33, 100, 17], [16, 257, 40], [70, 64, 64]] {
            let case = Case::new([k, m, n]);
            let (x, d) = (lay_out(&case.x, k, m, true), lay_out(&case.v, n, m, true));
            let whole = case.product(&mut team, [true, true]);
            for pieces in [terms, 2 * terms, 7 * terms] {
                let mut g = Buffer::zeros(k * padded(n));
                for first in (0..m).step_by(pieces) {
                    let rows = pieces.min(m - first);
                    let x = Matrix::new(&x[first * padded(k)..], rows, k);
                    let d = Matrix::new(&d[first * padded(n)..], rows, n);
                    let start = if first == 0 { Start::Fresh } else { Start::Continue };
                    matrix::weight_gradient(&mut team, x, d, start, MatrixMut::new(&mut g, k, n));
                }
                assert_eq!(unpad(&g, k, n), whole, "{k} x {m} x {n} in pieces of {pieces}");
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_whichever_others_travel_with_it() {
    for precision in FAST {
        let mut team = team(1, Isa::detect(), EMULATED, precision);
        let ([m, k, n], case) = ([37, 40, 33], Case::new([37, 40, 33]));
        let (x, w) = (pad(&case.x, m, k), lay_out(&case.v, n, k, true));
        let whole = case.product(&mut team, [false, true]);
        for row in 0..m {
            let mut y = Buffer::zeros(padded(n));
            let (x, w) = (Matrix::new(&x[row * padded(k)..], 1, k), Matrix::new(&w, k, n));
            matrix::linear(&mut team, x, w, &vec![0.0; padded(n)], false, MatrixMut::new(&mut y, 1, n));
            assert_eq!(y[..n], whole[row * n..][..n], "row {row}");
        }
    }
}

#[test]
fn an_input_gradient_is_a_product_and_stops_at_idle_inputs() {
    for precision in FAST {
        let mut team = team(2, Isa::detect(), EMULATED, precision);
        for case in Case::all(16) {
            let [m, n, k] = case.shape; // of D Wᵀ: samples, outputs, inputs
            let (d, w) = (pad(&case.x, m, n), pad(&case.v, k, n));
            let active = Sample::new(9).vector(m * k, 1.0);
            let product = case.product(&mut team, [false, false]);
            let masked = |i: usize| if active[i] > 0.0 { product[i] } else { 0.0 };
            let active = pad(&active, m, k);
            for active in [Some(Matrix::new(&active, m, k)), None] {
                let mut dx = Buffer::zeros(m * padded(k));
                dx.fill(f32::NAN); // leftovers of an earlier, wider layer
                let (d, w) = (Matrix::new(&d, m, n), Matrix::new(&w, k, n));
                matrix::input_gradient(&mut team, d, w, active, MatrixMut::new(&mut dx, m, k));
                let expected: Vec<f32> =
                    (0..m * k).map(|i| if active.is_some() { masked(i) } else { product[i] }).collect();
                assert_eq!(unpad(&dx, m, k), expected, "{:?}", case.shape);
                assert!(dx.chunks(padded(k)).all(|row| row[k..].iter().all(|&x| x == 0.0)), "pad lanes");
            }
        }
    }
}

/// Heavy ball: one slot.
#[derive(Clone, Copy)]
struct HeavyBall;

impl Elementwise<1> for HeavyBall {
    fn apply<L: Lane>(&self, gradient: L, weight: L, [velocity]: &mut [L; 1]) -> L {
        *velocity = L::splat(0.9).mul_add(*velocity, gradient);
        weight - L::splat(0.1) * *velocity
    }
}

#[test]
fn updating_within_the_product_has_the_bits_of_product_then_sweep() {
    for precision in FAST {
        let mut team = team(3, Isa::detect(), EMULATED, precision);
        for case in Case::all(16) {
            let [k, m, n] = case.shape;
            let (x, d) = (lay_out(&case.x, k, m, true), lay_out(&case.v, n, m, true));
            let (x, d) = (Matrix::new(&x, m, k), Matrix::new(&d, m, n));
            let zeros = || Buffer::zeros(k * padded(n));
            let (mut w1, mut v1, mut g, mut w2, mut v2) = (zeros(), zeros(), zeros(), zeros(), zeros());
            for _ in 0..2 {
                matrix::weight_gradient(&mut team, x, d, Start::Fresh, MatrixMut::new(&mut g, k, n));
                sweep(&mut team, &HeavyBall, &g, m as f32, &mut w1, [&mut v1]);
                let w2 = MatrixMut::new(&mut w2, k, n);
                matrix::update_weights(&mut team, x, d, m as f32, &HeavyBall, w2, [&mut v2]);
            }
            assert!(w1[..] == w2[..] && v1[..] == v2[..], "{:?}", case.shape);
        }
    }
}

#[test]
fn products_stay_in_f32_at_the_highest_precision_without_a_unit_and_where_a_layer_is_thin() {
    let bits = |unit, precision, shape| {
        let mut team = Team::new(1).unwrap();
        team.set_precision_on(unit, precision);
        let ([m, k, n], case) = (shape, Case::new(shape));
        let (x, w, mut y) = (pad(&case.x, m, k), lay_out(&case.v, n, k, true), Buffer::zeros(m * padded(n)));
        let (x, w, to) = (Matrix::new(&x, m, k), Matrix::new(&w, k, n), MatrixMut::new(&mut y, m, n));
        matrix::linear(&mut team, x, w, &vec![0.0; padded(n)], false, to);
        let exact = naive::linear(&case.x, &transposed(&case.v, n, k), &vec![0.0; n], false, m, k, n);
        unpad(&y, m, n) == exact
    };
    assert!(!bits(Some(EMULATED), Precision::High, [16, 16, 16]));
    assert!(bits(Some(EMULATED), Precision::Highest, [16, 16, 16]));
    assert!(bits(None, Precision::Medium, [16, 16, 16]));
    for thin in [[64, 15, 64], [64, 64, 10]] {
        assert!(bits(Some(EMULATED), Precision::Medium, thin), "{thin:?}");
    }
}
