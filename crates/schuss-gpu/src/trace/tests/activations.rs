//! Every activation, on a card and on the processor.

use super::{Card, GROUP, largest_error};
use crate::trace::activation;
use schuss::network::{ActivationVisitor, Layer};
use schuss_kernels::activation::Activation;

/// Activations with keys other than their defaults.
const KEYED: [&str; 6] = [
    "leaky-relu:negative_slope=0.2",
    "elu:alpha=1.5",
    "celu:alpha=0.5",
    "softplus:beta=2,threshold=5",
    "hard-tanh:min_val=-2,max_val=0.5",
    "soft-shrink:lambd=0.25",
];

fn layers() -> Vec<Layer> {
    let specs = Layer::NAMES.iter().copied().chain(KEYED);
    let layers = specs.filter_map(|spec| spec.parse::<Layer>().ok());
    layers.filter(|layer| activation(layer, "f").is_some()).collect()
}

/// Returns inputs around zero, and some far from it.
fn inputs() -> Vec<f32> {
    let far = [1e4, 1e30, 1e-30, 0.0, 88.0, 200.0].into_iter().flat_map(|x| [x, -x]);
    (-500..=500).map(|i| i as f32 * 0.0251).chain(far).collect()
}

/// Values, and gradients for dy = 2, on the processor.
struct OnProcessor;

impl ActivationVisitor for OnProcessor {
    type Output = [Vec<f32>; 2];

    fn visit<F: Activation>(self, activation: F) -> [Vec<f32>; 2] {
        let values = |x: f32| activation.value(x);
        let gradient = |x: f32| 2.0 * activation.slope(x, values(x));
        [inputs().into_iter().map(values).collect(), inputs().into_iter().map(gradient).collect()]
    }
}

/// Returns a shader that writes the values of all layers at `a` to `b`, and their gradients to `c`.
fn shader(layers: &[Layer], count: usize) -> String {
    let text = |(k, layer): (usize, &Layer)| activation(layer, &format!("f{k}")).unwrap().text;
    let texts: String = layers.iter().enumerate().map(text).collect();
    let call = |k: usize| {
        let at = format!("{}u + i", k * count);
        format!("b[{at}] = f{k}(x); c[{at}] = f{k}_gradient(x, b[{at}], 2.0);\n")
    };
    let calls: String = (0..layers.len()).map(call).collect();
    format!(
        "{texts}
        @compute @workgroup_size({GROUP})
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let i = id.x;
            if i >= {count}u {{ return; }}
            let x = a[i];
            {calls}
        }}"
    )
}

#[test]
fn every_activation_and_its_gradient_are_those_of_the_processor() {
    let Some(card) = Card::find("activations") else { return };
    let (layers, inputs) = (layers(), inputs());
    assert!(layers.len() >= 22 + KEYED.len(), "{} activations", layers.len());
    let count = inputs.len();
    let room = vec![0.0; layers.len() * count];
    let buffers = [inputs, room.clone(), room, vec![]];
    let [_, values, gradients, _] = card.run(&shader(&layers, count), buffers, count.div_ceil(GROUP));
    for (layer, found) in layers.iter().zip(values.chunks(count).zip(gradients.chunks(count))) {
        let [values, gradients] = layer.visit_activation(OnProcessor).unwrap();
        let errors = [largest_error(found.0, &values), largest_error(found.1, &gradients)];
        assert!(errors.iter().all(|error| *error <= 4e-6), "{layer}: {errors:?}");
    }
}
