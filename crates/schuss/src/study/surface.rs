//! placeholder, being written
use super::record::SurfaceRecord;
/// .
pub fn draw(_: &str, _: u64) -> crate::Result<SurfaceRecord> { Err(crate::Error::usage("soon")) }
