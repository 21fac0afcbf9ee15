//! Model files: safetensors with the tensor names of the same `torch.nn.Sequential`, so that PyTorch loads them in one
//! line. Everything else that `predict` needs is JSON under the metadata key `schuss`; as it is the only key, its place
//! in the file is fixed.

use super::{Model, Params, Plan, Units};
use crate::loss::Loss;
use crate::loss::Targets;
use crate::network::layout::Entry;
use crate::{Cause, Error, ErrorKind, Result, json};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use schuss_data::format::table::Table;
use schuss_data::{Normalisation, Offsets, Pictures, Preparation, Scale, Shape};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const METADATA_KEY: &str = "schuss";
/// Maximum size of a weights file.
const MAX_BYTES: u64 = 1 << 36;
/// Maximum size of a header; one with 100,000 classes and names of 100 letters fits.
const MAX_HEADER: u64 = 16 << 20;
/// Size of the length field before the header, in bytes.
const LEAD: usize = 8;

/// Everything about a model except its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Model spec, with the size of its input.
    pub model: String,
    /// Names of the classes, in the order of outputs; empty for regressions.
    pub classes: Vec<String>,
    /// Names of the labels of a multi-label model, in the order of outputs; otherwise omitted from the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Shape of an input.
    pub shape: Shape,
    /// Normalisation of inputs.
    pub normalisation: Normalisation,
    /// Preparation of images, if inputs are pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preparation: Option<Preparation>,
    /// Conversion of table columns to numbers, if the model was trained on a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
    /// Offsets subtracted from numbers before they are rounded to 32 bits; omitted from the file if there are none.
    #[serde(default, skip_serializing_if = "Offsets::is_empty")]
    pub offsets: Offsets,
    /// Kind of the targets; omitted from the file if they are classes.
    #[serde(default, skip_serializing_if = "Targets::is_class")]
    pub targets: Targets,
    /// Mean and standard deviation by which targets were standardised; omitted from the file if they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Training loss, which determines the meaning of outputs; omitted from the file if it is cross-entropy.
    #[serde(default, with = "text", skip_serializing_if = "Loss::is_fused")]
    pub loss: Loss,
}

impl ModelFile {
    /// Returns the format of images that the network takes, if it takes images.
    pub fn pictures(&self) -> Option<Pictures> {
        let shape = self.shape.image().filter(|shape| matches!(shape.channels, 1 | 3))?;
        Some(Pictures { shape, preparation: self.preparation.unwrap_or(Preparation::UNSAID) })
    }
}

/// Serialisation of a choice as its spec.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(super) fn serialize<S: Serializer>(choice: &impl Display, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(choice)
    }

    pub(super) fn deserialize<'de, D, T>(from: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err = crate::Error>,
    {
        String::deserialize(from)?.parse().map_err(|error: crate::Error| D::Error::custom(error.what))
    }
}

/// Returns the bytes of a model file.
///
/// # Errors
/// If the tensors cannot be serialised (they always can).
pub fn save(params: &Params, about: &ModelFile) -> Result<Vec<u8>> {
    let failure =
        |error: &dyn std::fmt::Display| Error::failure(format!("the model cannot be written: {error}"));
    let bytes: Vec<(&Entry, Vec<u8>)> =
        params.layout().entries().iter().map(|e| (e, tensor_bytes(params, e))).collect();
    let mut views = Vec::with_capacity(bytes.len());
    for (entry, bytes) in &bytes {
        let view =
            TensorView::new(Dtype::F32, entry.torch_shape(), bytes).map_err(|error| failure(&error))?;
        views.push((entry.name.as_str(), view));
    }
    let about = serde_json::to_string(about).map_err(|error| failure(&error))?;
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), about)]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| failure(&error))
}

fn tensor_bytes(params: &Params, entry: &Entry) -> Vec<u8> {
    params.tensor(entry).into_iter().flat_map(f32::to_le_bytes).collect()
}

impl ModelFile {
    /// Reads a model file written by schuss: its description and its weights.
    ///
    /// # Errors
    /// Data errors (exit 3) that name the file.
    pub fn load(path: &Path) -> Result<(Self, Params)> {
        let bytes = read(path)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(path, &error))?;
        let about = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
        let about = about.ok_or_else(|| {
            Error::data("the file does not say which network its weights belong to")
                .at(path.display())
                .advise("use a model.safetensors written by schuss, or pass this file to train --init-from")
        })?;
        let about: Self = json::read(about.as_bytes()).map_err(|error| damaged(path, &error))?;
        let model: Model = about.model.parse().map_err(|error: Error| damaged(path, &error.what))?;
        let inputs = about.shape.checked_features();
        let inputs = inputs.ok_or_else(|| damaged(path, &"its input shape is larger than any memory"))?;
        about.normalisation.check(about.shape).map_err(|error| damaged(path, &error.what))?;
        about.offsets.check(inputs).map_err(|error| damaged(path, &error.what))?;
        let plan = about.plan(&model).map_err(|error| damaged(path, &error.what))?;
        if !about.labels.is_empty() && about.labels.len() != plan.outputs {
            return Err(damaged(path, &"the number of its labels does not match its outputs"));
        }
        if about.scale.as_ref().is_some_and(|scale| !scale.fits(plan.outputs)) {
            return Err(damaged(path, &"the scale of its targets does not match its outputs"));
        }
        if plan.layout.parameters() > bytes.len() / size_of::<f32>() {
            return Err(damaged(path, &format!("it is too short for the weights of `{}`", about.model)));
        }
        let mut params = Params::zeros(plan.layout);
        fill(&mut params, &bytes, path).map_err(|error| Error { kind: ErrorKind::Data, ..error })?;
        Ok((about, params))
    }

    /// Returns the units of the outputs, if they differ from those of the data.
    pub(crate) fn units(&self, outputs: usize) -> Option<Units> {
        let units = || Units::new(outputs, self.scale.as_ref(), &self.offsets);
        if self.targets == Targets::Real { units() } else { None }
    }

    /// Returns the plan of `model` for samples like those it was trained on.
    pub(crate) fn plan(&self, model: &Model) -> Result<Plan> {
        match self.targets {
            Targets::Real => Plan::unchecked(model, self.shape),
            targets => Plan::for_targets(model, self.shape, self.classes.len(), targets),
        }
    }
}

/// Replaces `params` by the weights in `path`: matched by name if all names are known, otherwise by shape, and among
/// tensors of equal shape by the order of their names (`Layer1.0.weight`). Metadata is not needed, nor
/// `num_batches_tracked` of PyTorch's batch-norm layers.
///
/// # Errors
/// Data errors if the file cannot be read, usage errors if its shapes do not match.
pub fn load_weights(params: &mut Params, path: &Path) -> Result<()> {
    fill(params, &read(path)?, path)
}

fn fill(params: &mut Params, bytes: &[u8], path: &Path) -> Result<()> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(path, &error))?;
    let layout = params.layout().clone();
    for (entry, name) in layout.entries().iter().zip(matching_names(layout.entries(), &file, path)?) {
        let tensor = file.tensor(&name).map_err(|error| damaged(path, &error))?;
        let wanted = entry.torch_shape();
        if tensor.dtype() != Dtype::F32 || tensor.shape() != wanted {
            return Err(Error::usage(format!(
                "tensor `{name}` is {:?} {:?}, but the model's `{}` needs F32 {wanted:?}",
                tensor.dtype(),
                tensor.shape(),
                entry.name
            ))
            .because(Cause::Mismatch)
            .at(path.display())
            .advise("give the --model these weights belong to"));
        }
        let (numbers, _) = tensor.data().as_chunks::<4>();
        if let Some(bad) = numbers.iter().position(|&bytes| !f32::from_le_bytes(bytes).is_finite()) {
            return Err(
                Error::data(format!("number {bad} of tensor `{name}` is not finite")).at(path.display())
            );
        }
        params.set_tensor(entry, numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)));
    }
    Ok(())
}

/// Returns the name of the counterpart in the file for every tensor of the model.
fn matching_names(entries: &[Entry], file: &SafeTensors, path: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
    names.retain(|name| !name.ends_with(".num_batches_tracked"));
    if entries.iter().all(|entry| file.tensor(&entry.name).is_ok()) && names.len() == entries.len() {
        return Ok(entries.iter().map(|entry| entry.name.clone()).collect());
    }
    names.sort_by_key(|name| natural(name));
    if names.len() != entries.len() {
        return Err(Error::usage(format!(
            "the file has {} tensors, but the model has {}",
            names.len(),
            entries.len()
        ))
        .because(Cause::Mismatch)
        .at(path.display())
        .advise("give the --model these weights belong to"));
    }
    Ok(by_shape(entries, &names, file).unwrap_or(names))
}

/// Returns, for every tensor of the model, the first unused name whose tensor has its shape, if all have one.
fn by_shape(entries: &[Entry], names: &[String], file: &SafeTensors) -> Option<Vec<String>> {
    let mut left = names.to_vec();
    let mut take = |entry: &Entry| {
        let wanted = entry.torch_shape();
        let fits = |name: &String| file.tensor(name).is_ok_and(|tensor| tensor.shape() == wanted);
        left.iter().position(fits).map(|at| left.remove(at))
    };
    entries.iter().map(&mut take).collect()
}

/// Returns a sort key: numbers within the name by value, and a layer's weight before its bias.
fn natural(name: &str) -> Vec<(u64, String)> {
    let name = name.replace("weight", "\u{1}");
    let mut parts: Vec<(u64, String)> = vec![(0, String::new())];
    for c in name.chars() {
        match (c.to_digit(10), parts.last_mut()) {
            (Some(digit), Some((number, text))) if text.is_empty() => {
                *number = number.saturating_mul(10) + u64::from(digit)
            }
            (Some(digit), _) => parts.push((u64::from(digit), String::new())),
            (None, Some((_, text))) => text.push(c),
            (None, None) => {}
        }
    }
    parts
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |error: std::io::Error| {
        Error::data(format!("the weights file cannot be read: {}", schuss_data::text::plain_io(&error)))
            .with_source(error)
            .at(path.display())
            .advise("name a safetensors file, such as the model.safetensors of a run")
    };
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(unreadable(std::io::Error::other("it is not a regular file")));
    }
    let length = about.len();
    if length > MAX_BYTES {
        return Err(Error::data(format!("the file has {length} bytes; the maximum is {MAX_BYTES}"))
            .because(Cause::TooLarge { needed: length, available: Some(MAX_BYTES) })
            .at(path.display()));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut bytes = vec![0; LEAD];
    file.read_exact(&mut bytes).map_err(|_| damaged(path, &"it is too short"))?;
    let header = bytes.first_chunk().map_or(0, |lead| u64::from_le_bytes(*lead));
    if header > MAX_HEADER.min(length.saturating_sub(LEAD as u64)) {
        return Err(damaged(path, &format!("it claims a header of {header} bytes")));
    }
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::data(format!("not a valid safetensors file: {error}"))
        .because(Cause::Damaged)
        .at(path.display())
        .advise("name a model.safetensors file, or the folder of a run")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Init, Plan};
    use schuss_data::{Affine, ImageShape};

    fn trained() -> (Params, ModelFile) {
        let plan = Plan::new(&"6-5-3".parse().unwrap(), 6, 3).unwrap();
        let about = ModelFile {
            model: plan.model.to_string(),
            classes: ["a", "b", "c"].map(String::from).to_vec(),
            labels: vec![],
            shape: ImageShape { channels: 1, height: 2, width: 3 }.into(),
            normalisation: Normalisation::Unit,
            preparation: None,
            table: None,
            offsets: Offsets::default(),
            targets: Targets::Class,
            scale: None,
            loss: Loss::default(),
        };
        (Params::init(plan.layout, &Init::default(), 4), about)
    }

    #[test]
    fn a_model_file_gives_back_weights_and_description_and_always_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let (params, about) = trained();
        let bytes = save(&params, &about).unwrap();
        assert_eq!(bytes, save(&params, &about).unwrap());
        std::fs::write(&path, &bytes).unwrap();
        let (about_again, params_again) = ModelFile::load(&path).unwrap();
        assert_eq!(about_again, about);
        assert_eq!(params_again.values(), params.values());
    }

    #[test]
    fn an_autoencoders_file_says_so_and_needs_as_many_outputs_as_inputs_and_no_class() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let shape = Shape::Image(ImageShape { channels: 1, height: 2, width: 3 });
        let about = |model: &str| ModelFile {
            model: model.into(),
            classes: (0..100).map(|class| class.to_string()).collect(),
            labels: vec![],
            shape,
            normalisation: Normalisation::Unit,
            preparation: None,
            table: None,
            offsets: Offsets::default(),
            targets: Targets::Input,
            scale: None,
            loss: Loss::default(),
        };
        for (model, fits) in [("6-5-6", true), ("6-5-100", false)] {
            let layout = Plan::new(&model.parse().unwrap(), 6, 1).unwrap().layout;
            std::fs::write(&path, save(&Params::zeros(layout), &about(model)).unwrap()).unwrap();
            let loaded = ModelFile::load(&path).map(|(about, _)| about);
            assert_eq!(loaded.is_ok_and(|loaded| loaded == about(model)), fits, "{model}");
        }
        let (params, classifier) = trained();
        let text = String::from_utf8_lossy(&save(&params, &classifier).unwrap()).into_owned();
        assert!(
            !["targets", "loss", "labels"].iter().any(|key| text.contains(key)),
            "the bytes of older files"
        );
        assert!(text.contains(r#"\"normalisation\":\"unit\""#), "the bytes of older files: {text}");
    }

    #[test]
    fn names_of_several_labels_are_kept_and_must_be_as_many_as_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let (params, about) = trained();
        for (labels, fits) in [(vec!["x", "y", "z"], true), (vec![], true), (vec!["x", "y"], false)] {
            let labels: Vec<String> = labels.into_iter().map(String::from).collect();
            let about = ModelFile { classes: vec![], labels, targets: Targets::Real, ..about.clone() };
            std::fs::write(&path, save(&params, &about).unwrap()).unwrap();
            let loaded = ModelFile::load(&path).map(|(about, _)| about);
            assert_eq!(loaded.is_ok_and(|loaded| loaded == about), fits, "{:?}", about.labels);
        }
    }

    #[test]
    fn numbers_of_a_normalisation_survive_to_the_bit_and_must_fit_the_inputs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let (params, about) = trained();
        let affine =
            |features| Affine { mean: vec![1.0 / 3.0; features], scale: vec![f32::MIN_POSITIVE; features] };
        for (features, fits) in [(6, true), (5, false)] {
            let normalisation = Normalisation::Standard(affine(features));
            let about = ModelFile { shape: Shape::Flat(6), normalisation, ..about.clone() };
            std::fs::write(&path, save(&params, &about).unwrap()).unwrap();
            let loaded = ModelFile::load(&path).map(|(about, _)| about);
            assert_eq!(loaded.is_ok_and(|loaded| loaded == about), fits, "{features}");
        }
    }

    #[test]
    fn a_description_that_promises_more_than_the_file_holds_is_refused_before_memory_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let (params, about) = trained();
        let shape = Shape::Image(ImageShape { channels: usize::MAX, height: 2, width: 3 });
        let huge = ModelFile { shape, ..about.clone() };
        let deep = ModelFile { model: "6-100000-100000-3".into(), ..about };
        for (about, part) in [(huge, "larger than any memory"), (deep, "too short")] {
            std::fs::write(&path, save(&params, &about).unwrap()).unwrap();
            let error = ModelFile::load(&path).unwrap_err();
            assert!(error.exit_code() == 3 && error.what.contains(part), "{error}");
        }
    }

    /// Saves the weights of a 6-5-3 net under `names` and checks that they are loaded into their places.
    fn load_under(names: [&str; 4]) {
        let (params, _) = trained();
        let bytes: Vec<Vec<u8>> =
            params.layout().entries().iter().map(|e| tensor_bytes(&params, e)).collect();
        let views = names.iter().zip(params.layout().entries()).zip(&bytes).map(|((name, entry), bytes)| {
            (*name, TensorView::new(Dtype::F32, entry.torch_shape(), bytes).unwrap())
        });
        let file = safetensors::serialize(views, None).unwrap();
        let mut loaded = Params::zeros(params.layout().clone());
        fill(&mut loaded, &file, Path::new("foreign")).unwrap();
        assert_eq!(loaded.values(), params.values());
    }

    #[test]
    fn foreign_names_load_by_order_and_shape() {
        load_under(["Layer1.0.weight", "Layer1.0.bias", "Layer10.weight", "Layer10.bias"]);
    }

    #[test]
    fn foreign_names_out_of_order_load_by_their_shapes() {
        load_under(["input.weight", "input.bias", "classifier.weight", "classifier.bias"]);
    }

    #[test]
    fn every_truncation_of_a_model_file_is_refused() {
        let (params, about) = trained();
        let bytes = save(&params, &about).unwrap();
        let mut target = Params::zeros(params.layout().clone());
        for end in 0..bytes.len() {
            assert_eq!(fill(&mut target, &bytes[..end], Path::new("cut")).unwrap_err().exit_code(), 3);
        }
    }
}
