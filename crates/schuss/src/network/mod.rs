//! Networks: a description, its parameters in one flat buffer, and the checked plan that runs it.

mod arena;
mod layout;
mod model_file;
mod params;
mod plan;
mod predictor;

pub use layout::{Entry, Layout, Role};
pub use model_file::{ModelFile, load_weights, save};
pub use params::Params;
pub use plan::Plan;
pub(crate) use plan::Stage;
pub use predictor::{Prediction, Predictor};

pub(crate) use arena::{Arena, MICROBATCH};

use crate::recipe::spec::{Item, nearest};
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// One layer of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layer {
    /// y = x W + b with so many outputs.
    Linear(usize),
    /// max(x, 0).
    Relu,
}

/// A network as typed: layers, and the size of its input where it was given.
///
/// # Example
/// ```
/// use schuss::network::Model;
///
/// let model: Model = "784-400-256-10".parse().unwrap();
/// assert_eq!(model, "linear:400,relu,linear:256,relu,linear:10".parse::<Model>().unwrap().with_inputs(784));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    inputs: Option<usize>,
    layers: Vec<Layer>,
}

/// Widest layer that is taken seriously; beyond it a number is a slip of the finger.
const MAX_WIDTH: usize = 1 << 24;

impl Default for Model {
    /// The lectures' 784-400-256-10.
    fn default() -> Self {
        let layers = [Layer::Linear(400), Layer::Relu, Layer::Linear(256), Layer::Relu, Layer::Linear(10)];
        Self { inputs: Some(784), layers: layers.to_vec() }
    }
}

impl Model {
    /// The lectures' hidden layers between so many inputs and classes.
    pub fn for_data(inputs: usize, classes: usize) -> Self {
        let mut model = Self::default().with_inputs(inputs);
        if let Some(last) = model.layers.last_mut() {
            *last = Layer::Linear(classes);
        }
        model
    }

    /// Size of the input, where it was given.
    pub fn inputs(&self) -> Option<usize> {
        self.inputs
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The same with the size of its input.
    #[must_use]
    pub fn with_inputs(mut self, inputs: usize) -> Self {
        self.inputs = Some(inputs);
        self
    }

    /// `a-b-...-z`: linear layers with ReLU between them.
    fn widths(text: &str) -> Result<Self> {
        let widths = text.split('-').map(|width| read_width(width, text)).collect::<Result<Vec<_>>>()?;
        let (&inputs, widths) = widths.split_first().ok_or_else(|| form(text))?;
        let mut layers: Vec<Layer> = widths.iter().flat_map(|&n| [Layer::Linear(n), Layer::Relu]).collect();
        layers.pop();
        Ok(Self { inputs: Some(inputs), layers })
    }

    fn items(text: &str) -> Result<Self> {
        let layers = text.split(',').map(read_layer).collect::<Result<Vec<_>>>()?;
        Ok(Self { inputs: None, layers })
    }

    /// The widths, if the layers are linear with ReLU between them.
    fn as_widths(&self) -> Option<Vec<usize>> {
        let mut widths = vec![self.inputs?];
        for (i, layer) in self.layers.iter().enumerate() {
            match (i % 2, layer) {
                (0, Layer::Linear(width)) => widths.push(*width),
                (1, Layer::Relu) if i + 1 < self.layers.len() => {}
                _ => return None,
            }
        }
        Some(widths)
    }
}

fn form(text: &str) -> Error {
    Error::usage(format!("`{text}` is not a model"))
        .advise("write widths, 784-400-256-10, or layers, linear:400,relu,linear:10")
}

fn read_width(width: &str, text: &str) -> Result<usize> {
    match width.trim().parse() {
        Ok(width) if (1..=MAX_WIDTH).contains(&width) => Ok(width),
        Ok(_) => {
            Err(Error::usage(format!("a layer of `{text}` has {width} units; 1 to {MAX_WIDTH} are possible")))
        }
        Err(_) => Err(form(text)),
    }
}

fn read_layer(text: &str) -> Result<Layer> {
    const KNOWN: [&str; 2] = ["linear", "relu"];
    let item = Item::parse(text)?;
    match (item.name.as_str(), item.args.as_slice()) {
        ("linear", [(None, width)]) => Ok(Layer::Linear(read_width(width, text)?)),
        ("linear", _) => {
            Err(Error::usage(format!("layer `{text}` needs its number of outputs, as in linear:400")))
        }
        ("relu", []) => Ok(Layer::Relu),
        ("relu", _) => Err(Error::usage(format!("layer `{text}`: relu takes no value"))),
        (name, _) => {
            let guess =
                nearest(name, &KNOWN).map_or(String::new(), |guess| format!("did you mean `{guess}`?   "));
            Err(Error::usage(format!("unknown layer `{name}`"))
                .advise(format!("{guess}known: {}", KNOWN.join(" "))))
        }
    }
}

impl FromStr for Model {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let is_widths = text.contains('-') && text.chars().all(|c| c.is_ascii_digit() || c == '-');
        if is_widths { Self::widths(text) } else { Self::items(text) }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = match self.as_widths() {
            Some(widths) => {
                return f.write_str(&widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-"));
            }
            None => self.layers.iter().map(Layer::to_string).collect(),
        };
        f.write_str(&texts.join(","))
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear(width) => write!(f, "linear:{width}"),
            Self::Relu => f.write_str("relu"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_survive_a_round_trip_and_prefer_widths() {
        for text in
            ["784-400-256-10", "20-3", "relu,linear:10", "linear:400,relu,linear:10", "linear:3,linear:2"]
        {
            assert_eq!(text.parse::<Model>().unwrap().to_string(), text);
        }
        let resolved = "linear:400,relu,linear:10".parse::<Model>().unwrap().with_inputs(784);
        assert_eq!(resolved.to_string(), "784-400-10");
    }

    #[test]
    fn malformed_models_are_usage_errors() {
        for text in [
            "",
            "784-",
            "784-0-10",
            "784--10",
            "784-99999999999999999999-10",
            "linear",
            "linear:0",
            "linear:4,reul",
            "conv:3",
            "784-400-4000000000",
        ] {
            assert_eq!(text.parse::<Model>().unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
