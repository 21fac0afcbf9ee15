//! Update rules, which compute new weights from gradients. A rule owns the learning rate.
//!
//! A rule is one file: its hyper-parameters as plain data, its equation, and its arithmetic, written once for `f64`
//! (reference, error surfaces) and for every vector type of the kernels. To add one, write the file and a row in the
//! table at `rules!` below.

mod adabelief;
mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod adamw;
mod adan;
mod ademamix;
mod adopt;
mod asgd;
pub(crate) mod blend;
mod custom;
mod d_adapt_adam;
mod describe;
mod dog;
mod dowg;
#[cfg(test)]
mod equation;
mod freeze;
mod ftrl;
mod k_fac;
mod lamb;
mod lars;
mod linear;
mod lion;
mod madgrad;
mod momo;
mod muon;
mod nadam;
mod nadamw;
mod needs;
mod novograd;
mod polyak_sgd;
mod prodigy;
mod quickprop;
mod radam;
mod rmsprop;
mod rprop;
mod schedule_free_adamw;
mod schedule_free_sgd;
mod sgd;
mod shampoo;
mod signsgd;
mod signum;
mod slot;
mod sm3;
mod soap;
mod terms;
mod yogi;

pub use adabelief::AdaBelief;
pub use adadelta::Adadelta;
pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use adamw::AdamW;
pub use adan::Adan;
pub use ademamix::AdEmaMix;
pub use adopt::Adopt;
pub use asgd::Asgd;
pub use custom::{Custom, CustomRule, CustomTensor, MOST_SLOTS};
pub use d_adapt_adam::DAdaptAdam;
pub use dog::Dog;
pub use dowg::Dowg;
pub use freeze::Freeze;
pub use ftrl::Ftrl;
pub use k_fac::KFac;
pub use lamb::Lamb;
pub use lars::Lars;
pub use lion::Lion;
pub use madgrad::Madgrad;
pub use momo::Momo;
pub use muon::Muon;
pub use nadam::NAdam;
pub use nadamw::NAdamW;
pub use novograd::NovoGrad;
pub use polyak_sgd::PolyakSgd;
pub use prodigy::Prodigy;
pub use quickprop::Quickprop;
pub use radam::RAdam;
pub use rmsprop::RmsProp;
pub use rprop::Rprop;
pub use schedule_free_adamw::ScheduleFreeAdamW;
pub use schedule_free_sgd::ScheduleFreeSgd;
pub use sgd::Sgd;
pub use shampoo::Shampoo;
pub use signsgd::SignSgd;
pub use signum::Signum;
pub use slot::{First, Slot, SlotShape};
pub use sm3::Sm3;
pub use soap::Soap;
pub use yogi::Yogi;

pub use describe::Visitor;
pub(crate) use describe::{Describe, Step};
pub(crate) use linear::{IDENTITY, Linear, Square};
pub(crate) use slot::Shown;

use super::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::network::Entry;
use crate::spec;
use describe::{ByElement, ByMap, Staged, knobs};
use needs::Needs;

/// Table of rules, one per row. The word after the name says how the rule can be executed:
///
/// - `Map`: linear in the gradient, so that updates of few samples may be delayed (`blocked-sample`);
/// - `InBackward`: element-wise, and one of the few that the product computing the gradient can apply itself;
/// - `Element`: element-wise, in one pass;
/// - `Staged`: needs whole tensors first.
macro_rules! rules {
    ($do:ident) => {
        $do! {
            /// Gradient descent, with or without momentum.
            Sgd: Map,
            /// Adaptive moment estimation.
            Adam: InBackward,
            /// Adam with decoupled weight decay.
            AdamW: InBackward,
            /// Averaged SGD: gradient descent that also averages its weights.
            Asgd: Element,
            /// Steps per weight that grow while the gradient keeps its sign.
            Rprop: Element,
            /// Steps scaled by the sum of squared gradients.
            Adagrad: Element,
            /// Steps scaled by recent gradients and recent steps.
            Adadelta: Element,
            /// Steps scaled by a running mean of squared gradients.
            RmsProp: Element,
            /// Adam scaled by the largest recent gradient.
            Adamax: Element,
            /// Adam with Nesterov momentum.
            NAdam: Element,
            /// NAdam with decoupled weight decay and constant momentum.
            NAdamW: Element,
            /// Adam that waits until its second moment is reliable.
            RAdam: Element,
            /// Steps along the sign of a momentum.
            Lion: Element,
            /// Adam with Nesterov momentum from the mean change of gradients.
            Adan: Element,
            /// Weights that would have been best for all gradients so far.
            Ftrl: Element,
            /// Steps against the sign of the gradient.
            SignSgd: Element,
            /// Steps against the sign of the mean gradient.
            Signum: Element,
            /// Gradient descent evaluated at the mean of its iterates.
            ScheduleFreeSgd: Element,
            /// Schedule-free SGD with gradients scaled as in Adam.
            ScheduleFreeAdamW: Element,
            /// Adam scaled by how far gradients are from their mean.
            AdaBelief: Element,
            /// Adam whose second moment decreases slowly.
            Yogi: Element,
            /// Adam that scales gradients before it averages them.
            Adopt: Element,
            /// AdamW with a second, slow first moment.
            AdEmaMix: Element,
            /// Dual averaging, scaled by a cube root.
            Madgrad: Element,
            /// Jumps to the minimum of a parabola per weight.
            Quickprop: Element,
            /// No step: weights stay fixed.
            Freeze: Element,
            /// Adam with steps scaled to the norm of the weights.
            Lamb: Staged,
            /// Momentum with steps scaled to the norm of the weights.
            Lars: Staged,
            /// Adam with second moments factored into rows and columns.
            Adafactor: Staged,
            /// Momentum of normalized gradients.
            NovoGrad: Staged,
            /// Adagrad with accumulators per row and column.
            Sm3: Staged,
            /// Adam that estimates the distance to the solution.
            Prodigy: Staged,
            /// Adam with a lower bound of the distance to the solution.
            DAdaptAdam: Staged,
            /// Step size from the distance moved and the gradients so far.
            Dog: Staged,
            /// DoG with gradients weighted by the distance moved.
            Dowg: Staged,
            /// Momentum with Polyak's step size.
            Momo: Staged,
            /// Gradient descent with Polyak's step size, from the loss itself.
            PolyakSgd: Staged,
            /// Orthogonalized momentum.
            Muon: Staged,
            /// Gradients preconditioned by inverse roots of their second moments.
            Shampoo: Staged,
            /// Adam in the eigenbasis of Shampoo.
            Soap: Staged,
            /// Natural gradient, layer by layer.
            KFac: Staged,
            /// A rule of your own; last in the table, since it has no name until it is registered.
            Custom: Staged,
        }
    };
}

macro_rules! declare {
    ($($(#[doc = $line:literal])* $rule:ident: $kind:ident,)*) => {
        spec::choices! {
            /// Update rule, which owns the learning rate.
            pub enum Rule ("optimizer", always &["lr", "name"], untyped 1) {
                $($(#[doc = $line])* $rule,)*
            }
        }

        impl Rule {
            /// Returns the state that the rule keeps between updates, per tensor.
            pub fn slots(&self) -> Vec<Slot> {
                match self { $(Self::$rule(rule) => rule.slots(),)* }
            }

            /// Returns the needs of the rule beyond gradients, weights and its own state.
            pub(crate) fn wants(&self) -> Needs {
                match self { $(Self::$rule(rule) => rule.wants(),)* }
            }

            /// Returns the scratch buffers that an update needs.
            pub(crate) fn scratch(&self) -> Vec<SlotShape> {
                match self { $(Self::$rule(rule) => rule.scratch(),)* }
            }

            /// Returns true if `tensor` needs slots and scratch of `shape`.
            pub(crate) fn needs(&self, shape: SlotShape, tensor: &Entry) -> bool {
                match self { $(Self::$rule(rule) => rule.needs(shape, tensor),)* }
            }

            /// Returns the scalars carried from update to update, with their initial values.
            pub(crate) fn scalars(&self) -> Vec<(&'static str, f64)> {
                match self { $(Self::$rule(rule) => rule.scalars(),)* }
            }

            /// Returns the learning rate, if the rule has one.
            pub(crate) fn lr(&mut self) -> Option<&mut f64> {
                match self { $(Self::$rule(rule) => rule.lr(),)* }
            }

            /// Returns the momentum, or the decay rate of the first moment, if the rule has one.
            pub(crate) fn momentum(&mut self) -> Option<&mut f64> {
                match self { $(Self::$rule(rule) => rule.momentum(),)* }
            }

            /// Returns the decay rate of the second moment, if the rule has one.
            pub(crate) fn beta2(&mut self) -> Option<&mut f64> {
                match self { $(Self::$rule(rule) => rule.beta2(),)* }
            }

            /// Sets a first momentum that a schedule will drive, if the rule can have a momentum buffer and has none.
            pub(crate) fn add_momentum(&mut self, momentum: f64) {
                match self { $(Self::$rule(rule) => rule.add_momentum(momentum),)* }
            }

            /// Returns the slot that determines the weights to evaluate; `None` if the trained weights are evaluated.
            pub(crate) fn shown(&self) -> Option<Shown> {
                match self { $(Self::$rule(rule) => rule.shown(),)* }
            }

            /// Returns the factor that decoupled weight decay applies to a weight in an update.
            pub(crate) fn keep(&self) -> f64 {
                match self { $(Self::$rule(rule) => rule.keep(),)* }
            }

            /// Begins update `t` (from 1).
            pub(crate) fn begin(&self, t: u64, scalars: &mut [f64]) {
                match self { $(Self::$rule(rule) => rule.begin(t, scalars),)* }
            }

            /// Returns update `t` (from 1) as a linear map, if it is one.
            pub(crate) fn linear(&self, t: u64) -> Option<Linear> {
                match self { $(Self::$rule(_rule) => if_map!($kind, _rule.linear(t)),)* }
            }

            /// Returns true if the product that computes a gradient can write the new weights.
            pub(crate) fn goes_in_backward(&self) -> bool {
                let goes: Option<()> = match self { $(Self::$rule(_) => if_in_backward!($kind, ()),)* };
                goes.is_some()
            }

            /// Returns true if the rule is element-wise.
            pub(crate) fn is_by_element(&self) -> bool {
                let by_element: Option<()> = match self { $(Self::$rule(_) => if_by_element!($kind, ()),)* };
                by_element.is_some()
            }

            /// Passes the arithmetic of an update to `visitor`, if the rule is element-wise.
            pub(crate) fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> Option<V::Output> {
                match self { $(Self::$rule(_rule) => if_by_element!($kind, _rule.visit(step, visitor)),)* }
            }

            /// Passes the arithmetic to a visitor that runs within a product, which only a few rules support.
            pub(crate) fn visit_in_backward<V: Visitor>(&self, step: &Step, visitor: V) -> Option<V::Output> {
                match self { $(Self::$rule(_rule) => if_in_backward!($kind, _rule.visit(step, visitor)),)* }
            }

            /// Passes the arithmetic to a visitor that delays updates, which linear rules support.
            pub(crate) fn visit_map<V: Visitor>(&self, step: &Step, visitor: V) -> Option<V::Output> {
                match self { $(Self::$rule(_rule) => if_map!($kind, _rule.visit(step, visitor)),)* }
            }

            /// Passes curvature statistics of update `t` to the rule, for the linear layer of `weight`.
            pub(crate) fn take_in<A: Arithmetic>(
                &self,
                t: u64,
                arithmetic: &mut A,
                weight: &mut Tensor<A::Buffer>,
                moments: [&[A::T]; 2],
            ) -> Option<()> {
                match self {
                    $(Self::$rule(_rule) => if_staged!($kind, _rule.take_in(t, arithmetic, weight, moments)),)*
                }
            }

            /// Updates all tensors of a group, if the rule works on whole tensors.
            pub(crate) fn step<A: Arithmetic>(
                &self,
                step: &Step,
                arithmetic: &mut A,
                tensors: Tensors<A>,
            ) -> Option<()> {
                match self {
                    $(Self::$rule(_rule) => if_staged!($kind, _rule.step(step, arithmetic, tensors)),)*
                }
            }
        }
    };
}

macro_rules! if_map {
    (Map, $then:expr) => {
        Some($then)
    };
    ($kind:ident, $then:expr) => {
        None
    };
}
macro_rules! if_in_backward {
    (Map, $then:expr) => {
        Some($then)
    };
    (InBackward, $then:expr) => {
        Some($then)
    };
    ($kind:ident, $then:expr) => {
        None
    };
}
macro_rules! if_by_element {
    (Staged, $then:expr) => {
        None
    };
    ($kind:ident, $then:expr) => {
        Some($then)
    };
}
macro_rules! if_staged {
    (Staged, $then:expr) => {
        Some($then)
    };
    ($kind:ident, $then:expr) => {
        None
    };
}

rules!(declare);

impl Default for Rule {
    fn default() -> Self {
        Self::Sgd(Sgd::default())
    }
}

#[cfg(test)]
mod promises;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Layout;
    use crate::optim::Method;
    use crate::optim::updater::Updater;
    use crate::schedule::Schedule;
    use schuss_kernels::{Buffer, Team};

    #[test]
    fn specs_survive_a_round_trip_and_leave_defaults_out() {
        for (text, canonical) in [
            ("sgd", "sgd:lr=0.1"),
            ("SGD:lr=1e-4,momentum=.9", "sgd:lr=0.0001,momentum=0.9"),
            ("sgd:momentum=0.9,nesterov=true", "sgd:lr=0.1,momentum=0.9,nesterov=true"),
            ("adam:lr=0.0001", "adam:lr=0.0001"),
            ("adam:weight-decay=0.01", "adam:lr=0.001,weight_decay=0.01"),
            ("adam:eps=1e-7", "adam:lr=0.001,eps=1e-7"),
        ] {
            let rule: Rule = text.parse().unwrap();
            assert_eq!(rule.to_string(), canonical);
            assert_eq!(canonical.parse::<Rule>().unwrap(), rule);
        }
    }

    #[test]
    fn weights_without_gradients_and_pad_lanes_stay_finite() {
        let flagged =
            ["adam:amsgrad=true", "rmsprop:centered=true,momentum=0.9", "ftrl:initial_accumulator_value=0"];
        let by_element = |rule: &Rule| rule.is_by_element();
        let rules = Rule::NAMES.iter().chain(&flagged).map(|spec| spec.parse::<Rule>().unwrap());
        for rule in rules.filter(by_element) {
            let layout = Layout::of_vector(5);
            let (mut weights, mut gradients) = (Buffer::zeros(layout.len()), Buffer::zeros(layout.len()));
            weights[..5].fill(0.5);
            let mut team = Team::new(1).unwrap();
            let method = Method::from(rule.clone());
            let mut updater =
                Updater::new::<Team>(method.descent(), &Schedule::default(), 0, &layout, &weights).unwrap();
            for update in 0..30 {
                gradients[0] = if (10..20).contains(&update) { 0.1 } else { 0.0 };
                updater.advance();
                updater.step(&mut team, &mut gradients, 1.0, &mut weights, f64::NAN);
            }
            let kept = updater.slots(0).iter().flat_map(|slot| slot.iter());
            assert!(kept.chain(weights.iter()).all(|value| value.is_finite()), "{rule}");
            assert!(weights[5..].iter().all(|&weight| weight == 0.0), "{rule}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_key_named_and_the_nearest_suggested() {
        for (text, part) in [
            ("sgd:momentm=0.9", "did you mean `momentum`?"),
            ("adm", "did you mean `adam`?"),
            ("sgd:lr=-1", "lr must be"),
            ("sgd:lr=nan", "lr"),
            ("sgd:lr=inf", "lr"),
            ("sgd:lr=ten", "ten"),
            ("sgd:nesterov=true", "nesterov needs momentum"),
            ("adam:beta1=1", "beta1 must be"),
            ("adam:eps=0", "eps must be positive"),
            ("sgd:lr=0.1,lr=0.2", "duplicate `lr=0.2`"),
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }
}
