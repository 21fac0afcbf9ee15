use super::*;
use crate::Buffer;
use crate::matrix::Start;
use crate::naive::{self, Sample, pad};
use crate::testing::{SHAPES, dense, everywhere, stale, wide};
use std::fmt::Debug;

/// Points at which values and slopes were recorded: kinks and extremes.
const POINTS: [f64; 10] = [-1e4, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 1e4];

type Recorded = [f64; POINTS.len()];

/// Property to check for a function whose values and slopes at [`POINTS`] are known.
trait Property {
    fn holds<F: Activation + Debug>(&self, f: F, values: Recorded, slopes: Recorded);
}

/// Checks a property of every function, with values and slopes from PyTorch 2.15 in float64.
#[rustfmt::skip]
#[allow(clippy::approx_constant)] // some of them are ln 2
fn every_function(property: impl Property) {
    property.holds(
        Identity,
        [-10000.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 10000.0],
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    );
    property.holds(
        Sigmoid,
        [0.0, 0.04742587318, 0.2689414214, 0.3775406688, 0.5, 0.6224593312, 0.7310585786, 0.9525741268, 0.9975273768, 1.0],
        [0.0, 0.04517665973, 0.1966119332, 0.2350037122, 0.25, 0.2350037122, 0.1966119332, 0.04517665973, 0.002466509291, 0.0],
    );
    property.holds(
        Tanh,
        [-1.0, -0.9950547537, -0.761594156, -0.4621171573, 0.0, 0.4621171573, 0.761594156, 0.9950547537, 0.9999877117, 1.0],
        [0.0, 0.009866037165, 0.4199743416, 0.786447733, 1.0, 0.786447733, 0.4199743416, 0.009866037165, 2.457654741e-05, 0.0],
    );
    property.holds(
        Relu,
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 10000.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    );
    property.holds(
        LeakyRelu { slope: 0.01 },
        [-100.0, -0.03, -0.01, -0.005, 0.0, 0.5, 1.0, 3.0, 6.0, 10000.0],
        [0.01, 0.01, 0.01, 0.01, 0.01, 1.0, 1.0, 1.0, 1.0, 1.0],
    );
    property.holds(
        Elu::new(1.5),
        [-1.5, -1.425319397, -0.9481808382, -0.5902040104, 0.0, 0.5, 1.0, 3.0, 6.0, 10000.0],
        [0.0, 0.07468060255, 0.5518191618, 0.9097959896, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0],
    );
    property.holds(
        Elu::selu(),
        [-1.758099341, -1.670568729, -1.111330738, -0.6917581878, 0.0, 0.5253504937, 1.050700987, 3.152102962, 6.304205924, 10507.00987],
        [0.0, 0.08753061208, 0.646768603, 1.066341153, 1.758099341, 1.050700987, 1.050700987, 1.050700987, 1.050700987, 1.050700987],
    );
    property.holds(
        Elu::celu(2.0),
        [-2.0, -1.55373968, -0.7869386806, -0.4423984339, 0.0, 0.5, 1.0, 3.0, 6.0, 10000.0],
        [0.0, 0.2231301601, 0.6065306597, 0.7788007831, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    );
    property.holds(
        Gelu,
        [0.0, -0.004049694095, -0.1586552539, -0.1542687694, 0.0, 0.3457312306, 0.8413447461, 2.995950306, 5.999999994, 10000.0],
        [0.0, -0.0119456472, -0.08331547059, 0.1325048753, 0.5, 0.8674951247, 1.083315471, 1.011945647, 1.000000035, 1.0],
    );
    property.holds(
        GeluTanh,
        [0.0, -0.003637392082, -0.1588080094, -0.1542859902, 0.0, 0.3457140098, 0.8411919906, 2.996362608, 6.0, 10000.0],
        [0.0, -0.01158416663, -0.08296408385, 0.1326300965, 0.5, 0.8673699035, 1.082964084, 1.011584167, 1.000000001, 1.0],
    );
    property.holds(
        Silu,
        [0.0, -0.1422776195, -0.2689414214, -0.1887703344, 0.0, 0.3112296656, 0.7310585786, 2.85772238, 5.985164261, 10000.0],
        [0.0, -0.08810410602, 0.07232948813, 0.2600388127, 0.5, 0.7399611873, 0.9276705119, 1.088104106, 1.012326433, 1.0],
    );
    property.holds(
        Mish,
        [0.0, -0.1456474613, -0.3034014614, -0.2207437747, 0.0, 0.3752452113, 0.8650983883, 2.986535005, 5.999926634, 10000.0],
        [0.0, -0.09339311453, 0.05921675588, 0.2895106779, 0.6, 0.8864243754, 1.04903622, 1.021106911, 1.000134141, 1.0],
    );
    property.holds(
        Softplus { beta: 2.0, threshold: 20.0 },
        [0.0, 0.001237842569, 0.06346400552, 0.1566308438, 0.3465735903, 0.6566308438, 1.063464006, 3.001237843, 6.000003072, 10000.0],
        [0.0, 0.002472623157, 0.119202922, 0.2689414214, 0.5, 0.7310585786, 0.880797078, 0.9975273768, 0.9999938558, 1.0],
    );
    property.holds(
        Softsign,
        [-0.99990001, -0.75, -0.5, -0.3333333333, 0.0, 0.3333333333, 0.5, 0.75, 0.8571428571, 0.99990001],
        [9.9980003e-09, 0.0625, 0.25, 0.4444444444, 1.0, 0.4444444444, 0.25, 0.0625, 0.02040816327, 9.9980003e-09],
    );
    property.holds(
        LogSigmoid,
        [-10000.0, -3.048587352, -1.313261688, -0.9740769842, -0.6931471806, -0.4740769842, -0.3132616875, -0.04858735157, -0.002475685138, 0.0],
        [1.0, 0.9525741268, 0.7310585786, 0.6224593312, 0.5, 0.3775406688, 0.2689414214, 0.04742587318, 0.002472623157, 0.0],
    );
    property.holds(
        HardTanh { min: -1.0, max: 1.0 },
        [-1.0, -1.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0],
        [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0],
    );
    property.holds(
        HardTanh::RELU6,
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 6.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0],
    );
    property.holds(
        HardSigmoid,
        [0.0, 0.0, 0.3333333333, 0.4166666667, 0.5, 0.5833333333, 0.6666666667, 1.0, 1.0, 1.0],
        [0.0, 0.0, 0.1666666716, 0.1666666716, 0.1666666716, 0.1666666716, 0.1666666716, 0.0, 0.0, 0.0],
    );
    property.holds(
        HardSwish,
        [0.0, 0.0, -0.3333333333, -0.2083333333, 0.0, 0.2916666667, 0.6666666667, 3.0, 6.0, 10000.0],
        [0.0, 0.0, 0.1666666667, 0.3333333333, 0.5, 0.6666666667, 0.8333333333, 1.0, 1.0, 1.0],
    );
    property.holds(
        HardShrink { lambda: 0.5 },
        [-10000.0, -3.0, -1.0, 0.0, 0.0, 0.0, 1.0, 3.0, 6.0, 10000.0],
        [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0],
    );
    property.holds(
        SoftShrink { lambda: 0.5 },
        [-9999.5, -2.5, -0.5, 0.0, 0.0, 0.0, 0.5, 2.5, 5.5, 9999.5],
        [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0],
    );
    property.holds(
        TanhShrink,
        [-9999.0, -2.004945246, -0.238405844, -0.03788284274, 0.0, 0.03788284274, 0.238405844, 2.004945246, 5.000012288, 9999.0],
        [1.0, 0.9901339628, 0.5800256584, 0.213552267, 0.0, 0.213552267, 0.5800256584, 0.9901339628, 0.9999754235, 1.0],
    );
}

struct AgreesWithPyTorch;

impl Property for AgreesWithPyTorch {
    fn holds<F: Activation + Debug>(&self, f: F, values: Recorded, slopes: Recorded) {
        for (x, (value, slope)) in POINTS.into_iter().zip(values.into_iter().zip(slopes)) {
            let y = f.value(x);
            assert!((y - value).abs() <= 1e-8 * value.abs().max(1.0), "{f:?} at {x}: {y}, expected {value}");
            let found = f.slope(x, y);
            assert!((found - slope).abs() <= 1e-8, "{f:?} at {x}: slope {found}, expected {slope}");
        }
    }
}

#[test]
fn values_and_slopes_are_those_of_pytorch_at_kinks_and_extremes_too() {
    every_function(AgreesWithPyTorch);
}

struct SlopesAreDifferences;

impl Property for SlopesAreDifferences {
    fn holds<F: Activation + Debug>(&self, f: F, _values: Recorded, _slopes: Recorded) {
        let step = 1e-6;
        for x in (-700..700).map(|i| f64::from(i) * 0.0137 + 1e-3) {
            let difference = (f.value(x + step) - f.value(x - step)) / (2.0 * step);
            let slope = f.slope(x, f.value(x));
            assert!((slope - difference).abs() < 1e-8, "{f:?} at {x}: slope {slope}, expected {difference}");
        }
    }
}

#[test]
fn a_slope_is_the_difference_of_values_nearby() {
    every_function(SlopesAreDifferences);
}

/// Rate of change of dy f′(x) where x and dy change at these rates.
fn bend<F: Activation>(f: F, x: Dual<f64>, dy: Dual<f64>) -> f64 {
    (dy * f.slope(x, f.value(x))).rate
}

struct BendsAreDifferences;

impl Property for BendsAreDifferences {
    fn holds<F: Activation + Debug>(&self, f: F, _values: Recorded, _slopes: Recorded) {
        let step = 1e-6;
        for x in (-700..700).map(|i| f64::from(i) * 0.0137 + 1e-3) {
            let slope = |x| f.slope(x, f.value(x));
            let [below, above] = [x - step, x + step].map(slope);
            let expected = 0.5 * slope(x) + 2.0 * 3.0 * (above - below) / (2.0 * step);
            let found = bend(f, Dual { value: x, rate: 3.0 }, Dual { value: 2.0, rate: 0.5 });
            assert!((found - expected).abs() < 1e-7, "{f:?} at {x}: {found}, expected {expected}");
        }
    }
}

#[test]
fn the_rate_of_a_gradient_is_the_difference_of_gradients_nearby() {
    every_function(BendsAreDifferences);
}

struct BendingPassesAgree;

impl Property for BendingPassesAgree {
    fn holds<F: Activation + Debug>(&self, f: F, _values: Recorded, _slopes: Recorded) {
        for (m, n) in SHAPES {
            let mut sample = Sample::new((m * 100 + n) as u64);
            let x = sample.vector(m * n, 8.0);
            let [x_rate, dy, dy_rate] = [(); 3].map(|()| sample.vector(m * n, 1.0));
            let found = everywhere(|team| [bent(team, f, [&x, &x_rate, &dy, &dy_rate], m, n)]);
            let [x, x_rate, dy, dy_rate] = [x, x_rate, dy, dy_rate].map(|numbers| wide(&numbers));
            let dual = |value: &[f64], rate: &[f64], i: usize| Dual { value: value[i], rate: rate[i] };
            let exact: Vec<f64> =
                (0..m * n).map(|i| bend(f, dual(&x, &x_rate, i), dual(&dy, &dy_rate, i))).collect();
            let error = naive::largest_difference(&found[0], &exact);
            assert!(error < 1e-5, "{f:?}, {m} x {n}: off by {error}");
        }
    }
}

/// Returns the rate of Dˣ.
fn bent<F: Activation>(team: &mut Team, f: F, numbers: [&[f32]; 4], m: usize, n: usize) -> Vec<f32> {
    let [x, x_rate, dy, dy_rate] = numbers.map(|numbers| pad(numbers, m, n));
    let of = |numbers| Matrix::new(numbers, m, n);
    let [mut y, mut y_rate, mut to] = [(); 3].map(|()| stale(m, n));
    activate(team, f, of(&x), MatrixMut::new(&mut y, m, n));
    activation_gradient(team, f, of(&x), of(&y), of(&x_rate), MatrixMut::new(&mut y_rate, m, n));
    let moving = |value, rate| Moving { value: of(value), rate: of(rate) };
    let (x, y, dy) = (moving(&x, &x_rate), moving(&y, &y_rate), moving(&dy, &dy_rate));
    activation_curvature(team, f, x, y, dy, MatrixMut::new(&mut to, m, n));
    dense(&to, m, n)
}

#[test]
fn rates_of_gradients_agree_with_f64_and_have_the_same_bits_everywhere() {
    every_function(BendingPassesAgree);
}

struct NanPasses;

impl Property for NanPasses {
    fn holds<F: Activation + Debug>(&self, f: F, _values: Recorded, _slopes: Recorded) {
        assert!(f.value(f64::NAN).is_nan() && f.value(f32::NAN).is_nan(), "{f:?}");
    }
}

#[test]
fn nan_passes_through() {
    every_function(NanPasses);
}

struct PassesAgree;

impl Property for PassesAgree {
    fn holds<F: Activation + Debug>(&self, f: F, _values: Recorded, _slopes: Recorded) {
        for (m, n) in SHAPES {
            let mut sample = Sample::new((m * 100 + n) as u64);
            let (x, dy) = (sample.vector(m * n, 8.0), sample.vector(m * n, 1.0));
            let found = everywhere(|team| forth_and_back(team, f, [&x, &dy], m, n));
            let (x, dy) = (wide(&x), wide(&dy));
            let y: Vec<f64> = x.iter().map(|&x| f.value(x)).collect();
            let dx: Vec<f64> = (0..m * n).map(|i| dy[i] * f.slope(x[i], y[i])).collect();
            for (found, exact) in found.iter().zip([y, dx]) {
                let error = naive::largest_difference(found, &exact);
                assert!(error < 2e-6, "{f:?}, {m} x {n}: off by {error}");
            }
        }
    }
}

/// Returns Y and Dˣ.
fn forth_and_back<F: Activation>(
    team: &mut Team,
    f: F,
    [x, dy]: [&[f32]; 2],
    m: usize,
    n: usize,
) -> [Vec<f32>; 2] {
    let (x, dy) = (pad(x, m, n), pad(dy, m, n));
    let (mut y, mut dx) = (stale(m, n), stale(m, n));
    let (x, dy) = (Matrix::new(&x, m, n), Matrix::new(&dy, m, n));
    activate(team, f, x, MatrixMut::new(&mut y, m, n));
    activation_gradient(team, f, x, Matrix::new(&y, m, n), dy, MatrixMut::new(&mut dx, m, n));
    [y, dx].map(|padded| dense(&padded, m, n))
}

#[test]
fn passes_agree_with_f64_and_have_the_same_bits_everywhere() {
    every_function(PassesAgree);
}

#[test]
fn prelu_agrees_with_its_definition_with_one_slope_or_one_per_unit() {
    for (m, n) in SHAPES {
        let mut sample = Sample::new((m * 100 + n) as u64);
        let (x, dy, a) = (sample.vector(m * n, 8.0), sample.vector(m * n, 1.0), sample.vector(n, 1.0));
        let (xp, dyp, ap) = (pad(&x, m, n), pad(&dy, m, n), pad(&a, 1, n));
        let (x_, dy_) = (Matrix::new(&xp, m, n), Matrix::new(&dyp, m, n));
        for slopes in [Slopes::Shared(0.25), Slopes::PerUnit(&ap)] {
            let [y, dx] = everywhere(|team| {
                let (mut y, mut dx) = (stale(m, n), stale(m, n));
                prelu(team, slopes, x_, MatrixMut::new(&mut y, m, n));
                prelu_gradient(team, slopes, x_, dy_, MatrixMut::new(&mut dx, m, n));
                [y, dx].map(|padded| dense(&padded, m, n))
            });
            for i in 0..m * n {
                let slope = match slopes {
                    _ if x[i] > 0.0 => 1.0,
                    Slopes::Shared(slope) => slope,
                    Slopes::PerUnit(slopes) => slopes[i % n],
                };
                assert_eq!((y[i], dx[i]), (slope * x[i], slope * dy[i]), "{m} x {n}");
            }
        }
    }
}

/// Returns both gradients of PReLU's slopes over some rows.
fn slope_gradients(
    team: &mut Team,
    [x, dy]: [&[f32]; 2],
    m: usize,
    n: usize,
    start: Start,
    sums: &mut (Buffer, f32),
) {
    let (x, dy) = (pad(x, m, n), pad(dy, m, n));
    let (x, dy) = (Matrix::new(&x, m, n), Matrix::new(&dy, m, n));
    prelu_slope_gradients(team, x, dy, start, &mut sums.0);
    sums.1 = prelu_slope_gradient(team, x, dy, if start == Start::Fresh { 0.0 } else { sums.1 });
}

#[test]
fn slope_gradients_of_prelu_agree_with_f64_and_have_the_same_bits_in_one_or_two_microbatches() {
    for (m, n) in SHAPES {
        let mut sample = Sample::new((m * 100 + n) as u64);
        let (x, dy) = (sample.vector(m * n, 8.0), sample.vector(m * n, 1.0));
        let term = |i: usize| if x[i] > 0.0 { 0.0 } else { f64::from(x[i]) * f64::from(dy[i]) };
        let of_units: Vec<f64> = (0..n).map(|col| (0..m).map(|row| term(row * n + col)).sum()).collect();
        let split = |first: usize| {
            everywhere(|team| {
                let mut sums = (stale(1, n), f32::NAN);
                let (x0, x1) = x.split_at(first * n);
                let (dy0, dy1) = dy.split_at(first * n);
                slope_gradients(team, [x0, dy0], first, n, Start::Fresh, &mut sums);
                slope_gradients(team, [x1, dy1], m - first, n, Start::Continue, &mut sums);
                (dense(&sums.0, 1, n), sums.1)
            })
        };
        let (units, shared) = split(m);
        assert!((units.clone(), shared) == split(m / 2), "{m} x {n}");
        assert!(naive::largest_difference(&units, &of_units) < 1e-4, "{m} x {n}");
        assert!((f64::from(shared) - of_units.iter().sum::<f64>()).abs() < 1e-3, "{m} x {n}");
    }
}
