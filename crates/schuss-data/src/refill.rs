//! Writing new samples into the memory of old ones, which every store does.

use crate::{Labels, Result, Samples, Values};

/// Puts what `fill` adds to nothing in place of what `into` held, in its memory if that is of the kinds of `values`
/// and `labels`, which hold nothing yet.
pub(crate) fn refill(
    into: &mut Samples,
    features: usize,
    (values, labels): (Values, Labels),
    fill: impl FnOnce(&mut Values, &mut Labels) -> Result<()>,
) -> Result<()> {
    let nothing = Samples::new(Values::Bytes(Vec::new()), Labels::Absent(0), 0)?;
    let (old_values, old_labels) = std::mem::replace(into, nothing).into_parts();
    let mut values = emptied_values(old_values, values);
    let mut labels = emptied_labels(old_labels, labels);
    fill(&mut values, &mut labels)?;
    *into = Samples::new(values, labels, features)?;
    Ok(())
}

fn emptied_values(old: Values, new: Values) -> Values {
    match (old, new) {
        (Values::Bytes(mut old), Values::Bytes(_)) => {
            old.clear();
            Values::Bytes(old)
        }
        (Values::Floats(mut old), Values::Floats(_)) => {
            old.clear();
            Values::Floats(old)
        }
        (_, new) => new,
    }
}

fn emptied_labels(old: Labels, new: Labels) -> Labels {
    match (old, new) {
        (Labels::Class(mut old), Labels::Class(_)) => {
            old.clear();
            Labels::Class(old)
        }
        (Labels::Real { mut values, .. }, Labels::Real { width, .. }) => {
            values.clear();
            Labels::Real { values, width }
        }
        (_, new) => new,
    }
}
