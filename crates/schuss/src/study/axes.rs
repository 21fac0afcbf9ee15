//! Axes of a study.

use crate::recipe::{ChoiceKey, Choices, Source};
use crate::{Result, spec};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Lists of choices; every combination is a trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes(BTreeMap<ChoiceKey, Vec<Choices>>);

impl Axes {
    /// Adds a value to an axis.
    ///
    /// # Errors
    /// A usage error if the choice cannot be an axis.
    pub fn add(&mut self, axis: ChoiceKey, value: &str, source: Source) -> Result<()> {
        if !axis.row().is_axis {
            let known = ChoiceKey::names(|row| row.is_axis);
            return Err(source.locate(axis, spec::unknown("axis", axis.row().key, &known)));
        }
        let mut choice = Choices::default();
        choice.give(axis, value, source)?;
        self.0.entry(axis).or_default().push(choice);
        Ok(())
    }

    /// Removes an axis.
    pub fn remove(&mut self, axis: ChoiceKey) {
        self.0.remove(&axis);
    }

    /// Returns axes and values, sorted by name.
    fn sorted(&self) -> Vec<(ChoiceKey, &[Choices])> {
        let mut axes: Vec<_> = self.0.iter().map(|(axis, values)| (*axis, values.as_slice())).collect();
        axes.sort_by_key(|(axis, _)| axis.row().key);
        axes
    }

    /// Returns the cross product of the axes, each combination with a label of its values.
    pub(super) fn combinations(&self) -> Result<Vec<(String, Choices)>> {
        let mut all = vec![(String::new(), Choices::default())];
        for (axis, values) in self.sorted() {
            let values: Vec<_> = values.iter().map(Choices::each).collect::<Result<Vec<_>>>()?.concat();
            let extend = |(label, choices): &(String, Choices), (_, value): &(String, Choices)| {
                let text = value.get(axis).unwrap_or_default();
                (format!("{label} {text}").trim().to_owned(), choices.clone().over(value))
            };
            all = all
                .iter()
                .flat_map(|before| values.iter().map(|value| extend(before, value)).collect::<Vec<_>>())
                .collect();
        }
        Ok(all)
    }
}

impl Serialize for Axes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (axis, values) in self.sorted() {
            let texts: Vec<_> = values.iter().filter_map(|value| value.get(axis)).collect();
            map.serialize_entry(axis.row().key, &texts)?;
        }
        map.end()
    }
}
