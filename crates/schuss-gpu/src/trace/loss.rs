//! Losses as WGSL.

use super::Traced;
use super::activation::function;
use super::lane::Recorded;
use super::tape::{Numbers, Tape, record, with};
use schuss::loss::{Loss, Row};
use schuss_kernels::Lane;

/// Target of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A class.
    Class,
    /// One number per output.
    Numbers,
}

/// `fn NAME(row: u32) -> f32`: the loss of a row of `outputs`, whose gradient it writes with `set_slope`; and
/// `fn NAME_weight(row: u32) -> f32`: what the sample adds to the divisor of sums, which the loss already includes.
/// Weights of classes or outputs are knobs, which stand at `first` and after.
///
/// Outputs go through loops in one invocation. `None` for a loss of one's own.
pub fn loss(loss: &Loss, targets: TargetKind, outputs: usize, name: &str, first: usize) -> Option<Traced> {
    if matches!(loss, Loss::Custom(_)) {
        return None;
    }
    let tape = Tape::new(Numbers::Literals, first);
    let (tape, ()) = record(tape, || {
        let mut row = Outputs { count: outputs, targets, folds: 0 };
        function(&format!("{name}(row: u32)"), || loss.on(&mut row));
        let weights: Vec<f64> = (0..outputs).map(|class| loss.weight(class)).collect();
        let weighted = targets == TargetKind::Class && weights.iter().any(|&weight| weight != 1.0);
        let weights = if weighted { weights } else { vec![] };
        function(&format!("{name}_weight(row: u32)"), || row.pick(&weights, Place::Class));
    });
    Some(Traced::of(tape))
}

/// Row of outputs in the shader.
struct Outputs {
    count: usize,
    targets: TargetKind,
    /// Number of loops so far.
    folds: usize,
}

/// Output of a loop, or of the sample's class.
#[derive(Clone, Copy)]
enum Place {
    Loop(usize),
    Class,
}

impl Place {
    fn text(self) -> String {
        match self {
            Self::Loop(fold) => format!("i{fold}"),
            Self::Class => "class_of(row)".to_owned(),
        }
    }
}

impl Row for Outputs {
    type Lane = Recorded;
    type Place = Place;

    fn outputs(&self) -> usize {
        self.count
    }

    fn output(&self, at: Place) -> Recorded {
        Recorded::expression(&format!("output(row, {})", at.text()))
    }

    fn target(&self, at: Place) -> Recorded {
        let at = at.text();
        Recorded::expression(&match self.targets {
            TargetKind::Class => format!("select(0.0f, 1.0f, {at} == class_of(row))"),
            TargetKind::Numbers => format!("target_at(row, {at})"),
        })
    }

    fn class(&self) -> Option<Place> {
        (self.targets == TargetKind::Class).then_some(Place::Class)
    }

    fn pick(&self, values: &[f64], at: Place) -> Recorded {
        if values.is_empty() {
            return Recorded::splat(1.0);
        }
        let values = (0..self.count).map(|index| values.get(index).copied().unwrap_or(1.0) as f32);
        let first = with(|tape| values.map(|value| tape.knob(value)).min()).unwrap_or_default();
        Recorded::expression(&format!("knob({first}u + {})", at.text()))
    }

    fn set_slope(&mut self, at: Place, slope: Recorded) {
        with(|tape| tape.line(&format!("    set_slope(row, {}, {});", at.text(), slope.0)));
    }

    fn fold<const N: usize>(
        &mut self,
        start: [Recorded; N],
        mut each: impl FnMut(&mut Self, Place, [Recorded; N]) -> [Recorded; N],
    ) -> [Recorded; N] {
        let fold = self.folds;
        self.folds += 1;
        let names: [String; N] = std::array::from_fn(|n| format!("f{fold}_{n}"));
        let line = |text: String| with(|tape| tape.line(&text));
        let current = || names.each_ref().map(|name| Recorded::expression(name));
        names.iter().zip(start).for_each(|(name, start)| line(format!("    var {name} = {};", start.0)));
        line(format!("    for (var i{fold} = 0u; i{fold} < {}u; i{fold}++) {{", self.count));
        let next = each(self, Place::Loop(fold), current());
        names.iter().zip(next).for_each(|(name, next)| line(format!("    {name} = {};", next.0)));
        line("    }".to_owned());
        current()
    }
}
