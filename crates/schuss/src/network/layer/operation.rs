//! Interface of a layer: shapes, tensors, forward and backward pass.

use super::bend::{Bend, Tangent};
use crate::Result;
use crate::network::layout::{Entry, Role};
use schuss_data::Shape;
use schuss_kernels::activation::{Identity, activate};
use schuss_kernels::matrix::{Matrix, MatrixMut, Start};
use schuss_kernels::{Team, padded};
use std::ops::Range;

/// A layer as the plan sees it. Passes see one microbatch and allocate nothing.
pub(crate) trait Operation {
    /// Returns the output shape for samples of shape `input`.
    ///
    /// # Errors
    /// A usage error that says which inputs the layer needs; the plan adds which layer it is.
    fn output(&self, input: Shape) -> Result<Shape> {
        Ok(input)
    }

    /// Lists the tensors that the layer trains or measures, in PyTorch's order: trained ones first.
    fn tensors(&self, _input: Shape) -> Vec<Tensor> {
        Vec::new()
    }

    /// Computes Y from X.
    fn forward(&self, pass: Forward);

    /// Computes dX from dY, and the gradients of the layer's tensors.
    fn backward(&self, pass: Backward);

    /// True if [`tangent`](Self::tangent) and [`bend`](Self::bend) are written.
    fn has_curvature(&self) -> bool {
        false
    }

    /// Computes the rate of change of Y along a direction of the weights.
    fn tangent(&self, _pass: Tangent) {}

    /// Computes the rates of change of dX and of the gradients of the layer's tensors along it.
    fn bend(&self, _pass: Bend) {}

    /// Number of floats of scratch memory that a pass over `rows` samples needs.
    fn scratch(&self, _input: Shape, _rows: usize) -> usize {
        0
    }

    /// Multiply-adds of the forward pass of one sample; 0 for passes whose cost is that of memory.
    fn multiply_adds(&self, _input: Shape) -> usize {
        0
    }

    /// Requirements on the samples of an update.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Value that alone follows the name in models, without its key: 400 of `linear:400`; by default keys are written.
    fn sole_key(&self) -> Option<String> {
        None
    }

    /// True if each output is a function of the input at the same place, listed with the activations.
    fn is_activation(&self) -> bool {
        false
    }

    /// True if the layer passes on its input and only adds to the objective.
    fn is_penalty(&self) -> bool {
        false
    }
}

/// A tensor of a layer, not yet placed in the parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    /// Its name in PyTorch: `weight`, `running_mean`.
    pub(crate) suffix: &'static str,
    pub(crate) role: Role,
    /// Rows of a weight (its inputs); 1 for a vector.
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) fan_in: usize,
    pub(crate) fan_out: usize,
    /// Initial value, unless it is drawn.
    pub(crate) first: Option<f32>,
}

impl Tensor {
    /// A vector with one element per feature, all `first` at the start.
    pub(crate) fn per_feature(suffix: &'static str, role: Role, input: Shape, first: f32) -> Self {
        let cols = input.features();
        Self { suffix, role, rows: 1, cols, fan_in: cols, fan_out: cols, first: Some(first) }
    }
}

/// Returns the gain γ = 1 and bias β = 0 of a normalising layer.
pub(crate) fn gain_and_bias(input: Shape) -> Vec<Tensor> {
    let tensor = |suffix, role, first| Tensor::per_feature(suffix, role, input, first);
    vec![tensor("weight", Role::Gain, 1.0), tensor("bias", Role::Bias, 0.0)]
}

/// Requirements of a layer on the samples of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// True if outputs or gradients of a sample depend on the other samples of its group.
    pub(crate) batch_statistics: bool,
    /// Fewest samples per group.
    pub(crate) fewest_samples: usize,
}

impl Default for Needs {
    fn default() -> Self {
        Self { batch_statistics: false, fewest_samples: 1 }
    }
}

/// Context of a microbatch in training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub(crate) seed: u64,
    /// From 0.
    pub(crate) epoch: u32,
    /// Position in the epoch of the first sample.
    pub(crate) first: usize,
    /// Samples per group of batch statistics.
    pub(crate) stats: usize,
    /// True if running statistics are the plain mean over the epoch's groups so far, not a decaying one.
    pub(crate) plain_means: bool,
}

/// All parameters of a network, as a forward pass uses them.
#[derive(Debug)]
pub(crate) enum Weights<'a> {
    /// In training, which updates running statistics.
    Training(&'a mut [f32], &'a Mode),
    /// Outside of training, which changes none.
    Frozen(&'a [f32]),
}

impl<'a> Weights<'a> {
    /// Returns `values` as training uses them if `mode` is given.
    pub(crate) fn new(values: &'a mut [f32], mode: Option<&'a Mode>) -> Self {
        match mode {
            Some(mode) => Self::Training(values, mode),
            None => Self::Frozen(values),
        }
    }

    /// Returns the same for a shorter time.
    pub(crate) fn reborrow(&mut self) -> Weights<'_> {
        match self {
            Self::Training(values, mode) => Weights::Training(values, mode),
            Self::Frozen(values) => Weights::Frozen(values),
        }
    }

    /// Returns the numbers.
    pub(crate) fn values(&self) -> &[f32] {
        match self {
            Self::Training(values, _) => values,
            Self::Frozen(values) => values,
        }
    }
}

/// A forward pass: `x` is `[rows, inputs]`, `y` is `[rows, outputs]`.
pub(crate) struct Forward<'a> {
    pub(crate) team: &'a mut Team,
    pub(crate) weights: Weights<'a>,
    /// The layer's own tensors.
    pub(crate) tensors: &'a [Entry],
    pub(crate) scratch: &'a mut [f32],
    pub(crate) input: Shape,
    pub(crate) x: Matrix<'a>,
    pub(crate) y: MatrixMut<'a>,
    /// Index of the layer.
    pub(crate) layer: usize,
    /// True if a ReLU is fused into the layer.
    pub(crate) relu: bool,
}

impl Forward<'_> {
    /// Y ← X
    pub(crate) fn pass_on(self) {
        activate(self.team, Identity, self.x, self.y);
    }

    /// Places of the layer's first tensors in the parameters.
    pub(crate) fn places<const N: usize>(&self) -> [Range<usize>; N] {
        places(self.tensors)
    }
}

/// A backward pass: `dy` is the gradient at the outputs, `dx` becomes the one at the inputs.
pub(crate) struct Backward<'a> {
    /// Destination of the gradients of the layer's tensors.
    pub(crate) gradients: &'a mut dyn Gradients,
    /// The layer's own tensors.
    pub(crate) tensors: &'a [Entry],
    pub(crate) scratch: &'a mut [f32],
    pub(crate) input: Shape,
    pub(crate) x: Matrix<'a>,
    pub(crate) y: Matrix<'a>,
    pub(crate) dy: Matrix<'a>,
    /// None if no layer below trains anything.
    pub(crate) dx: Option<MatrixMut<'a>>,
    /// Index of the layer.
    pub(crate) layer: usize,
    /// True if a ReLU is fused into the layer before, so that dX is 0 where X is.
    pub(crate) after_relu: bool,
    pub(crate) mode: &'a Mode,
}

impl Backward<'_> {
    /// Places of the layer's first tensors in the parameters.
    pub(crate) fn places<const N: usize>(&self) -> [Range<usize>; N] {
        places(self.tensors)
    }
}

impl Tangent<'_> {
    /// Ẏ ← Ẋ
    pub(crate) fn pass_on(self) {
        if let Some(x_rate) = self.x_rate {
            activate(self.team, Identity, x_rate, self.y_rate);
        }
    }
}

impl Bend<'_> {
    /// The rate of dX ← that of dY
    pub(crate) fn pass_back(self) {
        if let Some(dx_rate) = self.dx_rate {
            pass_back(self.dy_rate, dx_rate);
        }
    }
}

/// dX ← dY; returns dX.
pub(crate) fn pass_back<'a>(dy: Matrix, dx: MatrixMut<'a>) -> &'a mut [f32] {
    let ((rows, cols), dx) = (dy.shape(), dx.into_data());
    let len = rows * padded(cols);
    dx[..len].copy_from_slice(&dy.data()[..len]);
    dx
}

pub(super) fn places<const N: usize>(tensors: &[Entry]) -> [Range<usize>; N] {
    std::array::from_fn(|index| tensors[index].range())
}

/// Computes the gradients of a layer's vectors, one after another, from the parameters, starting at zero or continuing.
pub(crate) type VectorGradients<'a> = dyn FnMut(&mut Team, &[f32], &mut [f32], Start) + 'a;

/// Destination of the gradients of one layer: an engine sums them, applies them at once, or watches them.
///
/// A call may change the layer's parameters, so a layer computes dX first, or within [`vectors`](Self::vectors).
pub(crate) trait Gradients {
    /// Returns the threads, and all parameters as they are now.
    fn compute(&mut self) -> (&mut Team, &[f32]);

    /// Receives the gradients of a weight and its bias, the layer's two tensors: Xᵀ dY, and the column sums of dY.
    fn weight_and_bias(&mut self, x: Matrix, dy: Matrix);

    /// Receives the gradients of the vectors that the layer trains, as `sum` computes them.
    fn vectors(&mut self, sum: &mut VectorGradients);
}
