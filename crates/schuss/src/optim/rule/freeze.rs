use super::{ByElement, Describe, Step, Visitor};
use crate::spec::Choice;
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Freeze: weights stay fixed, for a group that is not trained.
///
/// ```text
/// w ← w
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Freeze {}

impl Choice for Freeze {
    const NAME: &'static str = "freeze";
}

impl Describe for Freeze {}

impl ByElement for Freeze {
    fn visit<V: Visitor>(&self, _: &Step, visitor: V) -> V::Output {
        visitor.visit(self)
    }
}

impl Elementwise<0> for Freeze {
    #[inline(always)]
    fn apply<L: Lane>(&self, _: L, w: L, _: &mut [L; 0]) -> L {
        w
    }
}
