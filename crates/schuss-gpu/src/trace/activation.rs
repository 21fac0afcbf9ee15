//! Activations as WGSL.

use super::Traced;
use super::lane::Recorded;
use super::tape::{Numbers, Tape, record, with};
use schuss::network::{ActivationVisitor, Layer};
use schuss_kernels::activation::Activation;

/// `fn NAME(x: f32) -> f32`, y = f(x), and `fn NAME_gradient(x: f32, y: f32, dy: f32) -> f32`, dx = dy f′(x); without
/// knobs. `None` if the layer is no activation.
pub fn activation(layer: &Layer, name: &str) -> Option<Traced> {
    let tape = Tape::new(Numbers::Literals, 0);
    let (tape, found) = record(tape, || layer.visit_activation(Functions { name }));
    found.map(|()| Traced::of(tape))
}

struct Functions<'a> {
    name: &'a str,
}

impl ActivationVisitor for Functions<'_> {
    type Output = ();

    fn visit<F: Activation>(self, activation: F) {
        let Self { name } = self;
        function(&format!("{name}(x: f32)"), || activation.value(Recorded::expression("x")));
        function(&format!("{name}_gradient(x: f32, y: f32, dy: f32)"), || {
            let [x, y, dy] = ["x", "y", "dy"].map(Recorded::expression);
            dy * activation.slope(x, y)
        });
    }
}

/// Records a function of a number.
pub(super) fn function(signature: &str, body: impl FnOnce() -> Recorded) {
    with(|tape| tape.declare(&format!("fn {signature} -> f32 {{")));
    let result = body();
    with(|tape| tape.declare(&format!("    return {};\n}}", result.0)));
}
