//! Values that instruments return.

/// A value, of a layer or of the whole network.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Index of the layer in the model, if it is the value of one.
    pub layer: Option<usize>,
    /// Name of a value beside the main one.
    pub part: Option<&'static str>,
    /// The value; `None` if it is undefined here.
    pub value: Option<f64>,
}

impl Reading {
    pub(super) fn of_layer(layer: usize, value: Option<f64>) -> Self {
        Self { layer: Some(layer), part: None, value }
    }

    pub(super) fn of_network(value: Option<f64>) -> Self {
        Self { layer: None, part: None, value }
    }

    pub(super) fn part(name: &'static str, value: f64) -> Self {
        Self { layer: None, part: Some(name), value: Some(value) }
    }

    /// Returns its key in records: that of the instrument, followed by the layer or the name.
    pub(super) fn key(&self, instrument: &str) -> String {
        match (self.layer, self.part) {
            (Some(layer), _) => format!("{instrument}.{layer}"),
            (None, Some(part)) => format!("{instrument}_{part}"),
            (None, None) => instrument.to_owned(),
        }
    }
}
