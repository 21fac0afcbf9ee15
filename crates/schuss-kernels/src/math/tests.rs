use super::*;
use crate::{Isa, Kernel, LANES, Vector};

type Lanes = [f32; LANES];

/// Name, domain, and f64 reference function.
type Case = (&'static str, [f64; 2], fn(f64) -> f64);

const CASES: [Case; 9] = [
    ("exp", [-87.3, 88.7], f64::exp),
    ("exp_m1", [-100.0, 88.7], f64::exp_m1),
    ("ln", [1e-37, 3e38], f64::ln),
    ("ln_1p", [1e-30, 1.0], f64::ln_1p),
    ("tanh", [-12.0, 12.0], f64::tanh),
    ("sigmoid", [-87.0, 87.0], |x| 1.0 / (1.0 + (-x).exp())),
    ("softplus", [-86.0, 100.0], |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
    ("erf", [-5.0, 5.0], erf_by_series),
    ("cbrt", [1e-37, 3e38], f64::cbrt),
];

#[inline(always)]
fn all<L: Math>(x: [L; CASES.len()]) -> [L; CASES.len()] {
    let [a, b, c, d, e, f, g, h, i] = x;
    [a.exp(), b.exp_m1(), c.ln(), d.ln_1p(), e.tanh(), f.sigmoid(), g.softplus(), h.erf(), i.cbrt()]
}

/// Returns erf x = 2/√π e^(−x²) Σ 2^k x^(2k+1) / (2k+1)!!: all terms have the same sign.
fn erf_by_series(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for k in 1..120 {
        term *= 2.0 * x * x / f64::from(2 * k + 1);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

struct All([Lanes; CASES.len()]);

impl Kernel for All {
    type Output = [Lanes; CASES.len()];

    #[inline(always)]
    fn run<V: Vector>(self) -> Self::Output {
        // SAFETY: all arrays are 16 numbers long.
        let results = all(self.0.map(|x| unsafe { V::load(x.as_ptr()) }));
        results.map(|result| {
            let mut lanes = [0.0; LANES];
            // SAFETY: as above.
            unsafe { result.store(lanes.as_mut_ptr()) };
            lanes
        })
    }
}

/// Returns `count` numbers over a domain: evenly spaced, or in powers if it spans many.
fn grid([from, to]: [f64; 2], count: usize) -> impl Fn(usize) -> f64 {
    move |i| {
        let part = i as f64 / (count - 1) as f64;
        if from > 0.0 { from * (to / from).powf(part) } else { from + (to - from) * part }
    }
}

#[test]
fn f32_results_are_within_four_units_in_the_last_place_and_equal_on_every_instruction_set() {
    const COUNT: usize = 20_000 * LANES;
    for start in (0..COUNT).step_by(LANES) {
        let x: [Lanes; CASES.len()] =
            CASES.map(|(_, domain, _)| std::array::from_fn(|i| grid(domain, COUNT)(start + i) as f32));
        let found = Isa::available().into_iter().map(|isa| isa.run(All(x))).collect::<Vec<_>>();
        assert!(found.iter().all(|other| *other == found[0]), "at {:?}", x.map(|x| x[0]));
        for ((name, _, truth), (x, y)) in CASES.iter().zip(x.into_iter().zip(found[0])) {
            for (x, y) in x.into_iter().zip(y) {
                let exact = truth(f64::from(x));
                let ulp = f64::from((exact.abs() as f32).next_up()) - f64::from(exact.abs() as f32);
                let error = (f64::from(y) - exact).abs() / ulp;
                assert!(error <= 4.0, "{name}({x}) = {y}, expected {exact}: {error} units off");
            }
        }
    }
}

#[test]
fn f64_results_are_within_1e_15() {
    for i in 0..200_000 {
        let x = CASES.map(|(_, domain, _)| grid(domain, 200_000)(i));
        for ((name, _, truth), (x, y)) in CASES.iter().zip(x.into_iter().zip(all(x))) {
            let exact = truth(x);
            let bound = if *name == "erf" { 4e-15 } else { 1e-15 };
            assert!((y - exact).abs() <= bound * exact.abs(), "{name}({x}) = {y}, expected {exact}");
        }
    }
}

#[test]
fn the_error_function_agrees_with_forty_digits() {
    let known = [
        (1e-10, 1.128_379_167_095_512_6e-10),
        (0.01, 0.011_283_415_555_849_617),
        (0.3, 0.328_626_759_459_127_4),
        (0.7, 0.677_801_193_837_418_5),
        (0.99, 0.838_508_069_555_369_8),
        (1.01, 0.846_810_496_228_276_7),
        (1.3, 0.934_007_944_940_652_4),
        (2.0, 0.995_322_265_018_952_7),
        (2.7, 0.999_865_667_260_059_5),
        (3.5, 0.999_999_256_901_627_7),
        (5.0, 0.999_999_999_998_462_5),
    ];
    for (x, exact) in known {
        assert!((Math::erf(x) - exact).abs() <= 4e-16 * exact, "erf({x}) = {}", Math::erf(x));
        assert_eq!(Math::erf(-x), -Math::erf(x));
    }
}

/// Returns the value of every function at −∞, −1e4, −0, 0, 1e4, ∞ and NaN.
fn limits(name: &str) -> [f64; 7] {
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    match name {
        "exp" => [0.0, 0.0, 1.0, 1.0, INF, INF, NAN],
        "exp_m1" => [-1.0, -1.0, 0.0, 0.0, INF, INF, NAN],
        "ln" => [NAN, NAN, -INF, -INF, 1e4_f64.ln(), INF, NAN],
        "tanh" | "erf" => [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0, NAN],
        "sigmoid" => [0.0, 0.0, 0.5, 0.5, 1.0, 1.0, NAN],
        "softplus" => [0.0, 0.0, 2.0_f64.ln(), 2.0_f64.ln(), 1e4, INF, NAN],
        "cbrt" => [-INF, -(1e4_f64.cbrt()), 0.0, 0.0, 1e4_f64.cbrt(), INF, NAN],
        _ => [NAN; 7],
    }
}

#[test]
fn extremes_give_limits_and_nan_stays_nan() {
    let extremes = [f64::NEG_INFINITY, -1e4, -0.0, 0.0, 1e4, f64::INFINITY, f64::NAN];
    for (i, x) in extremes.into_iter().enumerate() {
        let (double, single) = (all([x; CASES.len()]), all([x as f32; CASES.len()]));
        for (k, (name, ..)) in CASES.iter().enumerate().filter(|(_, (name, ..))| *name != "ln_1p") {
            let same = |y: f64, bound: f64| {
                let limit = limits(name)[i];
                y == limit || y.is_nan() && limit.is_nan() || (y - limit).abs() <= bound * limit.abs()
            };
            assert!(
                same(double[k], 1e-15) && same(f64::from(single[k]), 2e-7),
                "{name}({x}) = {}",
                double[k]
            );
        }
    }
}

#[test]
fn f32_alone_has_the_bits_of_a_lane_at_extremes_too() {
    let mut x: Lanes = std::array::from_fn(|i| 10.0_f32.powi(5 * i as i32 - 37) * (1.5 - (i % 2 * 3) as f32));
    x[..6].copy_from_slice(&[-0.0, 0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE / 4.0]);
    for isa in Isa::available() {
        for (i, x) in x.into_iter().enumerate() {
            let alone = all([x; CASES.len()]);
            let lanes = isa.run(All([[x; LANES]; CASES.len()]));
            for (k, (name, ..)) in CASES.iter().enumerate() {
                let same = lanes[k][i].to_bits() == alone[k].to_bits() || alone[k].is_nan();
                assert!(same, "{name}({x}) is {} alone, {} on {}", alone[k], lanes[k][i], isa.name());
            }
        }
    }
}
