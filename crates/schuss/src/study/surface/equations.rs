//! Surfaces given by an equation, with exactly known minima and saddles.

use super::{Function, Surface};

/// A long valley: ten times as narrow as it is long.
pub(super) fn bowl() -> Surface {
    Surface {
        name: "bowl",
        title: "A long, narrow bowl",
        equation: "J = 0.05 w1² + 5 w2²",
        lesson: "One direction is a hundred times as steep as the other and limits the learning rate, so GD \
                 zigzags across the valley and creeps along it. Momentum swings wider, but adds up the small \
                 steps that agree; Adam gives every weight a step size of its own. SGD is GD with random \
                 noise on every gradient, so it never comes quite to rest.",
        w1: [-10.0, 6.0],
        w2: [-2.2, 2.2],
        minima: vec![[0.0, 0.0]],
        saddle: None,
        starts: &[("far side", [-9.0, 1.5])],
        lr: 0.18,
        adam_lr: 0.3,
        updates: 120,
        function: Function::Equation {
            value: |[a, b]| 0.05 * a * a + 5.0 * b * b,
            gradient: |[a, b]| [0.1 * a, 10.0 * b],
            noise: 0.5,
        },
    }
}

/// Himmelblau's function ("Applied Nonlinear Programming", 1972): four equally deep minima around a hill.
pub(super) fn minima() -> Surface {
    Surface {
        name: "minima",
        title: "Several minima",
        equation: "J = (w1² + w2 − 11)² + (w1 + w2² − 7)²",
        lesson: "Four minima, all of error 0, lie around a hill. GD runs into the one below its start, \
                 momentum may carry a path past it into another, and on the watershed a little noise in the \
                 gradient decides. SGD is GD with random noise on every gradient.",
        w1: [-6.0, 6.0],
        w2: [-6.0, 6.0],
        minima: vec![
            [3.0, 2.0],
            [-2.805_118_086_952_745, 3.131_312_518_250_573],
            [-3.779_310_253_377_747, -3.283_185_991_286_17],
            [3.584_428_340_330_492, -1.848_126_526_964_404],
        ],
        saddle: None,
        starts: &[("hilltop", [-0.3, -0.9]), ("west", [-5.0, 0.0])],
        lr: 0.004,
        adam_lr: 0.2,
        updates: 80,
        function: Function::Equation {
            value: |[a, b]| (a * a + b - 11.0).powi(2) + (a + b * b - 7.0).powi(2),
            gradient: |[a, b]| {
                let (p, q) = (a * a + b - 11.0, a + b * b - 7.0);
                [4.0 * a * p + 2.0 * q, 2.0 * p + 4.0 * b * q]
            },
            noise: 15.0,
        },
    }
}

/// Two minima with a pass between them; along the ridge w2 = 0 every path runs to the pass.
pub(super) fn saddle() -> Surface {
    Surface {
        name: "saddle",
        title: "A saddle",
        equation: "J = w1²/2 + (w2² − 1)²/4",
        lesson: "A millionth beside the ridge GD slides to the saddle and stalls, for the slope to either \
                 side is hardly there; momentum lets it build up and leaves, and Adam divides by its size \
                 and leaves at once. Exactly on the ridge that slope is zero and only noise helps: SGD here \
                 is GD with random noise on every gradient.",
        w1: [-2.5, 2.5],
        w2: [-1.8, 1.8],
        minima: vec![[0.0, 1.0], [0.0, -1.0]],
        saddle: Some([0.0, 0.0]),
        starts: &[("beside the ridge", [-2.0, 1e-6]), ("on the ridge", [2.0, 0.0])],
        lr: 0.05,
        adam_lr: 0.05,
        updates: 160,
        function: Function::Equation {
            value: |[a, b]| 0.5 * a * a + 0.25 * (b * b - 1.0).powi(2),
            gradient: |[a, b]| [a, b * (b * b - 1.0)],
            noise: 0.4,
        },
    }
}
