//! Folders with the four files of an MNIST-like data set.

use crate::format::idx;
use crate::text::bytes;
use crate::{Cause, Error, ImageShape, Result, Samples, file};
use std::path::{Path, PathBuf};

/// Usual names of the four files: training images and labels, test images and labels.
pub(crate) const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Places to look in: the folder itself, and the subfolders of torchvision's layout.
const INSIDE: [&str; 4] = ["", "MNIST/raw", "FashionMNIST/raw", "raw"];

/// Image and label files of a data set.
#[derive(Debug)]
pub(crate) struct Files {
    train: [PathBuf; 2],
    test: Option<[PathBuf; 2]>,
}

impl Files {
    /// Looks in `folder` and in the subfolders of torchvision's layout; all four files must be in the same place.
    ///
    /// # Errors
    /// If no place has all four files, the name of the first missing file.
    pub(crate) fn find(folder: &Path) -> std::result::Result<Self, &'static str> {
        let places =
            INSIDE.map(|inside| if inside.is_empty() { folder.to_owned() } else { folder.join(inside) });
        let mut missing = NAMES[0];
        for place in &places {
            match complete(place) {
                Ok(files) => return Ok(files),
                Err(name) if name != NAMES[0] => missing = name,
                Err(_) => {}
            }
        }
        Err(missing)
    }

    /// Finds the two training files in a folder or one of its subfolders, if the two test files are not there.
    pub(crate) fn find_train(folder: &Path) -> Option<Self> {
        let [train, test] = [[NAMES[0], NAMES[1]], [NAMES[2], NAMES[3]]];
        INSIDE.iter().map(|inside| folder.join(inside)).find_map(|place| {
            let [images, labels] = train.map(|name| existing(&place, name));
            let alone = test.iter().all(|name| existing(&place, name).is_none());
            alone.then_some(Self { train: [images?, labels?], test: None })
        })
    }

    /// Reads the splits in parallel, if they fit in `memory` bytes.
    ///
    /// # Errors
    /// A data error that names the file.
    pub(crate) fn read(&self, memory: u64) -> Result<(ImageShape, Samples, Option<Samples>)> {
        self.check_memory(memory)?;
        let split = |[images, labels]: &[PathBuf; 2]| idx::read_split(images, labels);
        let (train, test) = rayon::join(|| split(&self.train), || self.test.as_ref().map(split));
        let (shape, train) = train?;
        let (Some(test), Some([test_images, _])) = (test, &self.test) else {
            return Ok((shape, train, None));
        };
        let (test_shape, test) = test?;
        if shape != test_shape {
            let size = |shape: ImageShape| format!("{} x {}", shape.height, shape.width);
            let names = [file::name(&self.train[0]), file::name(test_images)];
            let what = format!(
                "{} holds images of {} pixels but {} of {}",
                names[0],
                size(shape),
                names[1],
                size(test_shape)
            );
            return Err(Error::data(what)
                .at(test_images.display())
                .advise("put files of one data set into the folder"));
        }
        Ok((shape, train, Some(test)))
    }

    /// Refuses, from their headers alone, files that do not fit in `memory` bytes.
    fn check_memory(&self, memory: u64) -> Result<()> {
        let splits = || [&self.train].into_iter().chain(&self.test);
        let held = splits().try_fold(0_u64, |held, [images, labels]| {
            Ok(held.saturating_add(idx::promised(images, labels)?))
        })?;
        if held <= memory {
            return Ok(());
        }
        let names: Vec<_> = splits().map(|[images, _]| file::name(images)).collect();
        let what = format!(
            "{} hold {} of pixels and labels, but {} may be held in memory, and IDX files are not streamed",
            names.join(" and "),
            bytes(held),
            bytes(memory)
        );
        let train = &self.train[0];
        Err(Error::data(what)
            .because(Cause::TooLarge { needed: held, available: Some(memory) })
            .at(train.display())
            .advise("give more --memory, or run `schuss data pack` on a machine with enough memory"))
    }
}

fn complete(folder: &Path) -> std::result::Result<Files, &'static str> {
    let found = |name: &'static str| existing(folder, name).ok_or(name);
    let [train_images, train_labels, test_images, test_labels] = NAMES;
    Ok(Files {
        train: [found(train_images)?, found(train_labels)?],
        test: Some([found(test_images)?, found(test_labels)?]),
    })
}

/// Finds the file `name`, also spelled like `train-images.idx3-ubyte` for `train-images-idx3-ubyte`; raw before `.gz`.
pub(crate) fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let spellings = [name.to_owned(), dotted.clone(), format!("{name}.gz"), format!("{dotted}.gz")];
    spellings.into_iter().map(|spelling| folder.join(spelling)).find(|path| path.exists())
}
