//! Samples as stored -> normalised inputs.

use super::{Rows, draws, each};
use schuss::data::{Affine, Normalisation};
use schuss::network::Noise;

/// Conversion of stored numbers to inputs.
#[derive(Clone, Debug)]
pub(crate) struct Normaliser {
    /// True if numbers are stored as bytes.
    pub(crate) bytes: bool,
    /// True if bytes are divided by 255.
    unit: bool,
    /// Means, then scales, one of each per input; empty if numbers stay as they are.
    pub(crate) affine: Vec<f32>,
}

impl Normaliser {
    /// Creates the conversion of samples of `features` numbers.
    pub(crate) fn new(normalisation: &Normalisation, bytes: bool, features: usize) -> Self {
        let affine = match normalisation {
            Normalisation::Standard(Affine { mean, scale }) => [&mean[..], scale].concat(),
            Normalisation::Channel(Affine { mean, scale }) => {
                let pixels = (features / mean.len().max(1)).max(1);
                let of_input = |numbers: &[f32]| -> Vec<f32> {
                    (0..features).map(|input| numbers[(input / pixels).min(numbers.len() - 1)]).collect()
                };
                [of_input(mean), of_input(scale)].concat()
            }
            _ => vec![],
        };
        Self { bytes, unit: *normalisation != Normalisation::None, affine }
    }
}

/// Inputs of a chunk.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    /// As the network sees them.
    pub(crate) noisy: Rows,
    /// Without noise, if they are targets.
    pub(crate) clean: Option<Rows>,
    pub(crate) noise: Option<&'a Noise>,
    pub(crate) seed: u64,
}

/// Text of the gathering of a chunk: the sample of row r is the `chunk[r]`-th of `samples`. `affine_at` is the place of
/// the normaliser's numbers in the arena.
pub(crate) fn gather(row_words: usize, normaliser: &Normaliser, affine_at: usize, to: Inputs) -> String {
    let Inputs { noisy, clean, noise, seed } = to;
    let Rows { width, stride, .. } = noisy;
    let divided = if normaliser.unit { " / 255.0" } else { "" };
    let stored = if normaliser.bytes {
        format!("f32((samples[place / 4u] >> (8u * (place % 4u))) & 255u){divided}")
    } else {
        "bitcast<f32>(samples[place])".to_owned()
    };
    let scaled = if normaliser.affine.is_empty() {
        "stored".to_owned()
    } else {
        format!("(stored - arena[{affine_at}u + col]) / arena[{affine_at}u + {width}u + col]")
    };
    let body = format!(
        "    let row = index / {stride}u;
    let col = index % {stride}u;
    if (col >= {width}u) {{ return; }}
    let place = chunk[row] * {width}u + col;
    let stored = {stored};
    let clean = {scaled};
{disturbed}
    {to} = noisy;{kept}",
        disturbed = draws::disturbed(noise),
        to = noisy.number("row", "col"),
        kept = clean.map_or(String::new(), |clean| format!("\n    {} = clean;", clean.number("row", "col"))),
    );
    each(row_words, &draws::functions(seed), &format!("(rows() * {stride}u)"), &body)
}
