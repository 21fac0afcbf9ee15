//! Replaces samples in place, reusing their memory, as every store does.

use crate::{Labels, Result, Samples, Values};

/// Replaces the contents of `into` with what `fill` appends to empty buffers, reusing its memory if it has the same
/// kinds as the empty `values` and `labels`.
pub(crate) fn refill(
    into: &mut Samples,
    features: usize,
    values: Values,
    labels: Labels,
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

impl Values {
    /// Appends values of the same kind.
    pub(crate) fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::Bytes(all), Self::Bytes(more)) => all.extend(more),
            (Self::Floats(all), Self::Floats(more)) => all.extend(more),
            _ => {}
        }
    }
}

impl Labels {
    /// Returns empty labels of the same kind and width.
    pub(crate) fn emptied(&self) -> Self {
        match self {
            Self::Class(_) => Self::Class(Vec::new()),
            Self::Real { width, .. } => Self::Real { values: Vec::new(), width: *width },
            Self::Absent(_) => Self::Absent(0),
        }
    }
}

/// Appends the label of sample `index`, if there is one, to labels of the same kind.
pub(crate) fn push_label(labels: &mut Labels, of: &Labels, index: u64) {
    let Ok(index) = usize::try_from(index) else { return };
    match (labels, of) {
        (Labels::Class(labels), Labels::Class(of)) => labels.extend(of.get(index)),
        (Labels::Real { values: labels, .. }, Labels::Real { values, width }) => {
            labels.extend(values.chunks((*width).max(1)).nth(index).unwrap_or_default());
        }
        (Labels::Absent(count), Labels::Absent(_)) => *count += 1,
        _ => {}
    }
}

/// Groups consecutive indices to be read together: yields the first and the count, at most `most`.
pub(crate) fn runs(indices: &[u64], most: usize) -> impl Iterator<Item = (u64, u64)> {
    let mut rest = indices;
    std::iter::from_fn(move || {
        let first = *rest.first()?;
        let count =
            rest.iter().zip(first..).take(most).take_while(|(index, expected)| *index == expected).count();
        rest = rest.get(count..)?;
        Some((first, count as u64))
    })
}
