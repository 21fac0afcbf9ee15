//! Models as specs.

use super::layer::{Layer, Linear, MAX_WIDTH, Relu};
use crate::spec::{self, Item};
use crate::{Error, Result};
use schuss_data::Shape;
use schuss_data::spec::split_outside_brackets;
use std::fmt;
use std::str::FromStr;

/// A model: its layers, and the size of its input if given.
///
/// # Example
/// ```
/// use schuss::network::Model;
///
/// let model: Model = "784-400-256-10".parse().unwrap();
/// assert_eq!(model, "linear:400,relu,linear:256,relu,linear:10".parse::<Model>().unwrap().with_inputs(784));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    inputs: Option<usize>,
    layers: Vec<Layer>,
}

impl Default for Model {
    /// The lectures' 784-400-256-10.
    fn default() -> Self {
        Self::perceptron(784, &[400, 256, 10])
    }
}

impl Model {
    /// Creates linear layers of these widths with ReLU between them.
    fn perceptron(inputs: usize, widths: &[usize]) -> Self {
        let layer = |&outputs| [Layer::from(Linear { outputs }), Relu {}.into()];
        let mut layers: Vec<Layer> = widths.iter().flat_map(layer).collect();
        layers.pop();
        Self { inputs: Some(inputs), layers }
    }

    /// Creates a model with the lectures' hidden layers for the given numbers of inputs and classes.
    pub fn for_data(inputs: usize, classes: usize) -> Self {
        let mut model = Self::default().with_inputs(inputs);
        if let Some(last) = model.layers.last_mut() {
            *last = Linear { outputs: classes }.into();
        }
        model
    }

    /// Parses a model in which `in` and `out` stand for the widths required by the data: `in-100-50-out`,
    /// `linear:100,relu,linear:out`.
    ///
    /// # Errors
    /// Usage errors for invalid models.
    pub fn read(text: &str, inputs: usize, outputs: usize) -> Result<Self> {
        let width = |word: &str| match word.trim().to_lowercase().as_str() {
            "in" => inputs.to_string(),
            "out" => outputs.to_string(),
            _ => word.to_owned(),
        };
        let is_place = |word: &str| width(word) != word;
        let ends = |word: Option<&str>| word.is_some_and(is_place);
        if ends(text.split('-').next()) || ends(text.rsplit('-').next()) {
            return text.split('-').map(width).collect::<Vec<_>>().join("-").parse();
        }
        let layer = |item: &str| match item.split_once(':') {
            Some((name, word)) => format!("{name}:{}", width(word)),
            None => item.to_owned(),
        };
        split_outside_brackets(text, ',').into_iter().map(layer).collect::<Vec<_>>().join(",").parse()
    }

    /// Size of the input, if given.
    pub fn inputs(&self) -> Option<usize> {
        self.inputs
    }

    /// Layers, first to last.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Returns the output shape of layer `index` for input of shape `input`.
    ///
    /// # Errors
    /// A usage error that names the layer.
    pub(crate) fn output_of(&self, index: usize, input: Shape) -> Result<Shape> {
        let layer = &self.layers[index];
        layer.operation().output(input).map_err(|error| Error {
            what: format!("layer {index} of model `{self}`, {}, {}", layer.short(), error.what),
            ..error
        })
    }

    /// Returns the model with the given size of its input.
    #[must_use]
    pub fn with_inputs(mut self, inputs: usize) -> Self {
        self.inputs = Some(inputs);
        self
    }

    /// Parses `a-b-...-z`: linear layers with ReLU between them.
    fn widths(text: &str) -> Result<Self> {
        let widths = text.split('-').map(|width| read_width(width, text)).collect::<Result<Vec<_>>>()?;
        let (&inputs, widths) = widths.split_first().ok_or_else(|| form(text))?;
        Ok(Self::perceptron(inputs, widths))
    }

    /// Parses layers separated by commas; an item with `=` before any `:` is a key of the previous layer.
    fn items(text: &str) -> Result<Self> {
        let is_key = |item: &str| item.split([':', '(']).next().is_some_and(|name| name.contains('='));
        let mut items: Vec<String> = vec![];
        for item in split_outside_brackets(text, ',') {
            match items.last_mut() {
                Some(layer) if is_key(item) => *layer += &format!(",{item}"),
                _ => items.push(item.to_owned()),
            }
        }
        let layers = items.iter().map(|item| read_layer(item)).collect::<Result<Vec<_>>>()?;
        Ok(Self { inputs: None, layers })
    }

    /// Returns the widths, if the layers are linear with ReLU between them.
    fn as_widths(&self) -> Option<Vec<usize>> {
        let mut widths = vec![self.inputs?];
        for (i, layer) in self.layers.iter().enumerate() {
            match (i % 2, layer) {
                (0, Layer::Linear(linear)) => widths.push(linear.outputs),
                (1, Layer::Relu(_)) if i + 1 < self.layers.len() => {}
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
    let item = Item::parse(text)?;
    Layer::read(&item).unwrap_or_else(|| Err(spec::unknown("layer", &item.name, Layer::NAMES)))
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
            None => self.layers.iter().map(Layer::short).collect(),
        };
        f.write_str(&texts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_survive_a_round_trip_and_prefer_widths() {
        for text in [
            "784-400-256-10",
            "20-3",
            "relu,linear:10",
            "linear:400,relu,linear:10",
            "linear:3,linear:2",
            "linear:3,batch-norm:eps=0.001,momentum=0.2,elu:alpha=0.5,dropout:0.2,linear:2,log-softmax",
        ] {
            assert_eq!(text.parse::<Model>().unwrap().to_string(), text);
        }
        let resolved = "linear:400,relu,linear:10".parse::<Model>().unwrap().with_inputs(784);
        assert_eq!(resolved.to_string(), "784-400-10");
    }

    #[test]
    fn in_and_out_are_the_widths_that_the_data_ask_for() {
        for (text, expected) in [
            ("in-100-50-out", "64-100-50-10"),
            ("In-100-3", "64-100-3"),
            ("784-100-out", "784-100-10"),
            ("linear:100,tanh,linear:out", "linear:100,tanh,linear:10"),
            ("784-400-256-10", "784-400-256-10"),
            ("batch-norm,log-softmax", "batch-norm,log-softmax"),
        ] {
            assert_eq!(Model::read(text, 64, 10).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!("in-3-out".parse::<Model>().unwrap_err().exit_code(), 2);
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
