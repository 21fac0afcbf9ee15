//! A folder with the four files of an MNIST-like data set.

use crate::text::bytes;
use crate::{Error, ImageShape, Result, Samples, file, idx};
use std::path::{Path, PathBuf};

/// Usual names of the four files: images and labels to train on, images and labels to test on.
pub(crate) const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The folder itself, and where torchvision keeps the files below it.
const INSIDE: [&str; 4] = ["", "MNIST/raw", "FashionMNIST/raw", "raw"];

/// The four files, in the order of [`NAMES`].
#[derive(Debug)]
pub(crate) struct Files([PathBuf; 4]);

impl Files {
    /// Looks in `folder` and in its subfolders of torchvision's layout; all four files must be in one place.
    ///
    /// # Errors
    /// If there is no such place, the name of the first file that is absent.
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

    /// Reads both splits at the same time, if they fit into so many bytes of `memory`.
    ///
    /// # Errors
    /// A data error that names the file.
    pub(crate) fn read(&self, memory: u64) -> Result<(ImageShape, Samples, Samples)> {
        self.check_memory(memory)?;
        let [train_images, train_labels, test_images, test_labels] = &self.0;
        let (train, test) = rayon::join(
            || idx::read_split(train_images, train_labels),
            || idx::read_split(test_images, test_labels),
        );
        let ((shape, train), (test_shape, test)) = (train?, test?);
        if shape != test_shape {
            let size = |shape: ImageShape| format!("{} x {}", shape.height, shape.width);
            let names = [file::name(train_images), file::name(test_images)];
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
        Ok((shape, train, test))
    }

    /// Refuses, by their headers alone, files that hold more than may be read.
    fn check_memory(&self, memory: u64) -> Result<()> {
        let [train, _, test, _] = &self.0;
        let held = idx::promised(train)?.saturating_add(idx::promised(test)?);
        if held <= memory {
            return Ok(());
        }
        let what = format!(
            "{} and {} hold {} of pixels, but {} may be held in memory, and IDX files are not streamed",
            file::name(train),
            file::name(test),
            bytes(held),
            bytes(memory)
        );
        Err(Error::data(what)
            .at(train.display())
            .advise("give more --memory, or `schuss data pack` them on a machine that holds them"))
    }
}

fn complete(folder: &Path) -> std::result::Result<Files, &'static str> {
    let mut files: [PathBuf; 4] = Default::default();
    for (to, name) in files.iter_mut().zip(NAMES) {
        *to = existing(folder, name).ok_or(name)?;
    }
    Ok(Files(files))
}

/// The file called `name` or `train-images.idx3-ubyte` for `train-images-idx3-ubyte`, raw before `.gz`.
pub(crate) fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let spellings = [name.to_owned(), dotted.clone(), format!("{name}.gz"), format!("{dotted}.gz")];
    spellings.into_iter().map(|spelling| folder.join(spelling)).find(|path| path.exists())
}
