//! `schuss data fetch`: downloads a published data set into the user's folder and verifies its checksums.

#[cfg(feature = "download")]
mod download;

use crate::published::{self, Published};
use crate::spec::unknown;
use crate::{Result, locate};
use std::path::PathBuf;

/// Callback that receives a file's name, the bytes received so far, and the total if the server reports it.
pub type Progress<'a> = dyn FnMut(&str, u64, Option<u64>) + 'a;

/// Downloads `mnist` or `fashion-mnist` into `$SCHUSS_DATA/<name>` or the user's cache folder, and returns that folder.
///
/// `mirrors` are base URLs, tried in order, that replace the built-in ones. Files that are present and correct are
/// kept. Each file appears whole or not at all, and only after its SHA-256 was verified; an existing file with the
/// wrong hash is kept beside it with the suffix `.old`.
///
/// # Errors
/// A usage error for an unknown name; a data error that lists all attempts if no mirror serves a file as it was
/// published; a failure if the folder cannot be written.
pub fn fetch(name: &str, mirrors: Option<&[String]>, progress: &mut Progress) -> Result<PathBuf> {
    let published = published::by_name(name)
        .ok_or_else(|| unknown("data set", name, " to fetch", &published::ALL.map(|known| known.name)))?;
    let folder = locate::home(published)?;
    let built_in: Vec<String> = published.mirrors.map(String::from).to_vec();
    fill(folder, published, mirrors.unwrap_or(&built_in), progress)
}

#[cfg(feature = "download")]
fn fill(
    folder: PathBuf,
    published: &Published,
    mirrors: &[String],
    progress: &mut Progress,
) -> Result<PathBuf> {
    let agent = download::agent(download::PATIENCE);
    download::Download { folder: &folder, files: &published.files, mirrors, agent }.run(progress)?;
    Ok(folder)
}

#[cfg(not(feature = "download"))]
fn fill(folder: PathBuf, published: &Published, mirrors: &[String], _: &mut Progress) -> Result<PathBuf> {
    let (title, mirrors) = (published.title, mirrors.join(" or "));
    Err(crate::Error::usage(format!("this schuss was built without downloads, so it cannot fetch {title}"))
        .because(crate::Cause::NotBuiltIn { feature: "download" })
        .at(crate::Place::Api(format!(
            "feature `download`; schuss looks for {title} in {}",
            folder.display()
        )))
        .advise(format!(
            "cargo build --release --features download; or put its four files there yourself (from {mirrors})"
        )))
}
