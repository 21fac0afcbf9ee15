//! `schuss data fetch`: brings a published data set into the user's folder, checked byte for byte.

#[cfg(feature = "download")]
mod download;

use crate::published::{self, Published};
use crate::spec::unknown;
use crate::{Result, locate};
use std::path::PathBuf;

/// Called with a file's name, the bytes received so far, and how many there will be if the server says so.
pub type Progress<'a> = dyn FnMut(&str, u64, Option<u64>) + 'a;

/// Downloads `mnist` or `fashion-mnist` into `$SCHUSS_DATA/<name>` or the user's cache folder, and returns that folder.
///
/// `mirrors` are addresses of folders, tried in order, in place of the ones built in. Files that are there and
/// right are kept. Each file appears whole or not at all, and only after its SHA-256 was found right; one that is
/// there but wrong is kept beside it under the ending `.old`.
///
/// # Errors
/// A usage error for another name; a data error that lists what was tried if no mirror serves a file as it was
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
        .at(format!("feature `download`; {title} is looked for in {}", folder.display()))
        .advise(format!("put its four files there yourself (from {mirrors}), or use --data digits")))
}
