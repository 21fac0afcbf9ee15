//! Folders with the four files of an MNIST-like data set.

use crate::format::idx::SplitFiles;
use crate::text::bytes;
use crate::{Cause, Error, ImageShape, Result, Samples};
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
        let open = |[images, labels]: &[PathBuf; 2]| SplitFiles::open(images, labels);
        let (train_files, test_files) = (open(&self.train)?, self.test.as_ref().map(open).transpose()?);
        check_memory(&train_files, test_files.as_ref(), memory)?;
        let read_test = || test_files.as_ref().map(SplitFiles::read);
        let (train, test) = rayon::join(|| train_files.read(), read_test);
        let (shape, train) = train?;
        let (Some(test), Some(test_files)) = (test, &test_files) else {
            return Ok((shape, train, None));
        };
        let (test_shape, test) = test?;
        if shape != test_shape {
            let size = |shape: ImageShape| format!("{} x {}", shape.height, shape.width);
            let names = [train_files.images().name(), test_files.images().name()];
            let what = format!(
                "{} holds images of {} pixels but {} of {}",
                names[0],
                size(shape),
                names[1],
                size(test_shape)
            );
            return Err(Error::data(what)
                .at(test_files.images().path().display())
                .advise("put files of one data set into the folder"));
        }
        Ok((shape, train, Some(test)))
    }
}

/// Refuses, from their headers alone, files that do not fit in `memory` bytes.
fn check_memory(train: &SplitFiles, test: Option<&SplitFiles>, memory: u64) -> Result<()> {
    let splits = || [train].into_iter().chain(test);
    let held = splits().try_fold(0_u64, |held, split| Ok(held.saturating_add(split.promised()?)))?;
    if held <= memory {
        return Ok(());
    }
    let names: Vec<_> = splits().map(|split| split.images().name()).collect();
    let what = format!(
        "{} hold {} of pixels and labels, but {} may be held in memory, and IDX files are not streamed",
        names.join(" and "),
        bytes(held),
        bytes(memory)
    );
    Err(Error::data(what)
        .because(Cause::TooLarge { needed: held, available: Some(memory) })
        .at(train.images().path().display())
        .advise("give more --memory, or run `schuss data pack` on a machine with enough memory"))
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
