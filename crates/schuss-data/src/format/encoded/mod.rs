//! Samples encoded one by one: pictures (PNG, JPEG, WebP, GIF, TIFF, BMP) or NPY arrays, in files or in tar
//! shards.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod form;
pub(crate) mod prepare;
mod store;
mod whole;

use crate::format::catch_panic::catch_panic;
use crate::format::table::{Origin, shown};
use crate::reader::{DefaultNormalisation, Loaded, LoadedSplit, ReadOptions};
use crate::text::{bytes, grouped, listed};
use crate::{Error, Labels, Offsets, Place, Result, Shape, Values};
pub use form::Pictures;
use form::{Form, Look};
use rayon::prelude::*;
use std::io::{BufRead, Seek};
use std::sync::Arc;
use store::Decoded;

/// Bytes of one sample.
pub(crate) trait Blob: BufRead + Seek {}

impl<B: BufRead + Seek> Blob for B {}

/// Bytes of many samples.
pub(crate) trait Blobs: Send + Sync {
    fn len(&self) -> usize;

    /// Opens sample `index` and returns its bytes and their number.
    fn open(&self, index: usize) -> Result<(Box<dyn Blob>, u64)>;

    /// Returns the origin of sample `index` for messages.
    fn origin(&self, index: usize) -> Origin;

    /// Adds the name of sample `index` to an error, if its origin does not state it.
    fn named(&self, _index: usize, error: Error) -> Error {
        error
    }
}

/// One split: bytes and labels of its samples.
pub(crate) struct Encoded {
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) labels: Labels,
}

/// Loads the training, validation and test samples, all converted to one form.
///
/// # Errors
/// A data error that names the first unreadable sample and counts the others, or names two that do not match.
pub(crate) fn found(
    train: Encoded,
    validation: Option<Encoded>,
    test: Option<Encoded>,
    classes: Vec<String>,
    mut notes: Vec<String>,
    ask: &ReadOptions,
) -> Result<Loaded> {
    if ask.size.is_some_and(|size| !form::SIZES.contains(&size)) {
        let what =
            format!("pictures can be scaled to {} to {} pixels", form::SIZES.start(), form::SIZES.end());
        return Err(Error::usage(what).at(Place::flag("size")).advise("--size 224"));
    }
    let splits: Vec<&Encoded> =
        [Some(&train), validation.as_ref(), test.as_ref()].into_iter().flatten().collect();
    let (form, changes) = form(&splits, ask)?;
    let samples = splits.iter().fold(0_usize, |sum, split| sum.saturating_add(split.blobs.len()));
    let memory = form.memory(samples);
    let fits = memory <= ask.memory;
    if !classes.is_empty() {
        let names = listed(classes.iter().map(|class| format!("`{}`", shown(class))), classes.len());
        notes.push(format!("labels: {} classes: {names}", grouped(classes.len() as u64)));
    }
    notes.push(say(samples, &form, memory, fits));
    notes.extend(changes);
    let mut inverted = 0_usize;
    let mut part = |split| part(split, &form, fits, &mut inverted);
    let train = part(train)?;
    let [validation, test] = [validation.map(&mut part).transpose()?, test.map(&mut part).transpose()?];
    notes.extend(say_inverted(inverted, !fits && form.inverts()));
    Ok(Loaded {
        shape: form.shape(),
        classes,
        train,
        validation,
        test,
        table: None,
        offsets: Offsets::default(),
        usual: if matches!(form.emptied(), Values::Bytes(_)) {
            DefaultNormalisation::Unit
        } else {
            DefaultNormalisation::Standard
        },
        pictures: matches!(form, Form::Pictures(_)),
        notes,
    })
}

fn say(samples: usize, form: &Form, memory: u64, fits: bool) -> String {
    let samples = grouped(samples as u64);
    let shape = match form.shape() {
        Shape::Flat(features) => format!("of {} numbers", grouped(features as u64)),
        Shape::Image(image) => format!("of {} x {} x {}", image.channels, image.height, image.width),
    };
    let place =
        if fits { "held in memory" } else { "decoded on every read, since they do not fit into memory" };
    format!("{samples} samples {shape}, {} in all, {place}", bytes(memory))
}

/// Returns a note that pictures which are dark on bright are inverted; without a count if they are decoded
/// later.
fn say_inverted(count: usize, later: bool) -> Option<String> {
    let which = match count {
        0 if later => "those that are".to_owned(),
        0 => return None,
        _ => grouped(count as u64),
    };
    Some(format!("inverted: {which} dark on bright, since the model was trained on bright on dark"))
}

/// Inspects all samples of all splits; returns their common form and notes on the changes made to them.
fn form(splits: &[&Encoded], ask: &ReadOptions) -> Result<(Form, Vec<String>)> {
    let mut looks = Vec::new();
    for split in splits {
        let all: Vec<Result<Look>> =
            (0..split.blobs.len()).into_par_iter().map(|index| look(&*split.blobs, index)).collect();
        looks.extend(
            readable(all)?.into_iter().enumerate().map(|(index, look)| (look, split.blobs.clone(), index)),
        );
    }
    let seen: Vec<&Look> = looks.iter().map(|(look, ..)| look).collect();
    let alpha = seen.iter().filter(|look| matches!(look, Look::Picture(header) if header.alpha)).count();
    let form = Form::of(&seen, ask.size, ask.pictures).map_err(|(at, what, advice)| match looks.get(at) {
        Some((_, blobs, index)) => blobs.named(*index, blobs.origin(*index).refuse(what).advise(advice)),
        None => Error::data(what).advise(advice),
    })?;
    let changes = [say_alpha(alpha), say_scaled(form.scaled(&seen), form.shape())];
    Ok((form, changes.into_iter().flatten().collect()))
}

fn say_alpha(count: usize) -> Option<String> {
    let count = (count > 0).then(|| grouped(count as u64))?;
    Some(format!("transparency: transparent pixels of {count} of the pictures shown as white"))
}

fn say_scaled(count: usize, shape: Shape) -> Option<String> {
    let (count, shape) = ((count > 0).then(|| grouped(count as u64))?, shape.image()?);
    Some(format!("size: {count} of the pictures scaled to {} x {}", shape.height, shape.width))
}

fn look(blobs: &dyn Blobs, index: usize) -> Result<Look> {
    let refuse = |what: String| blobs.origin(index).refuse(what);
    let look = || {
        let (mut blob, length) = blobs.open(index)?;
        Look::take(&mut *blob, length).map_err(|what| refuse(what).advise("save it again, or take it out"))
    };
    catch_panic(look, || refuse("cannot be read: its decoder failed".into()))
        .map_err(|error| blobs.named(index, error))
}

/// Returns all looks if every sample is readable.
fn readable(looks: Vec<Result<Look>>) -> Result<Vec<Look>> {
    let bad = looks.iter().filter(|look| look.is_err()).count();
    let all = looks.len();
    looks.into_iter().collect::<Result<_>>().map_err(|error: Error| match bad {
        1 => error,
        _ => Error {
            what: format!(
                "{} ({} of {} cannot be read)",
                error.what,
                grouped(bad as u64),
                grouped(all as u64)
            ),
            ..error
        },
    })
}

/// Loads the samples of one split, into memory if all splits fit; counts those that were inverted.
fn part(split: Encoded, form: &Form, fits: bool, inverted: &mut usize) -> Result<LoadedSplit> {
    let store = Decoded::new(split, form.clone());
    if !fits {
        return Ok(LoadedSplit::Streamed(Arc::new(store)));
    }
    let (samples, count) = store.resident()?;
    *inverted = inverted.saturating_add(count);
    Ok(LoadedSplit::Resident(samples))
}
