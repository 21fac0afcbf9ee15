//! Offsets of flat arrays whose features are large numbers close together.

use super::Array;
use super::kind::Dtype;
use crate::format::table::{Origin, reserved};
use crate::offsets::{self, Spread};
use crate::{Centring, Offsets, Result, Shape};
use std::io::Read;

impl Array {
    /// Returns the array with `offsets` subtracted from its features.
    pub(crate) fn less(self, offsets: &Offsets) -> Self {
        Self { offsets: offsets.values.clone(), ..self }
    }

    /// Returns true if the array must be scanned to find its offsets: its numbers may have digits that do not
    /// fit into 32 bits, and none are given. Pictures stay as they are.
    pub(crate) fn is_searched(&self, asked: &Centring) -> bool {
        let wide =
            matches!(self.header.number.kind, Dtype::U4 | Dtype::U8 | Dtype::I4 | Dtype::I8 | Dtype::F8);
        wide && matches!(self.layout.shape, Shape::Flat(_)) && !matches!(asked, Centring::By(_))
    }

    /// Determines the offsets its features need, in one pass through `reader`, which is positioned after the
    /// header.
    pub(crate) fn needed(&self, reader: &mut dyn Read, origin: &Origin) -> Result<Offsets> {
        let mut spreads: Vec<Spread> = reserved(self.layout.shape.features() as u64)?;
        spreads.resize(self.layout.shape.features(), Spread::default());
        self.each_block(reader, origin, |block, first| {
            self.each_of_features(block, first, |feature, number| {
                spreads.get_mut(feature).into_iter().for_each(|spread| spread.see(number));
            });
            Ok(())
        })?;
        Ok(Offsets { values: offsets::list(spreads.into_iter().map(Spread::offset)), labels: Vec::new() })
    }

    /// Calls `see` with each number of whole samples and its feature; the first sample is sample `first` of
    /// the file.
    pub(super) fn each_of_features(&self, bytes: &[u8], first: u64, mut see: impl FnMut(usize, f64)) {
        let features = self.layout.shape.features();
        let mut at = first.saturating_mul(features as u64);
        let mut feature = 0_usize;
        self.header.number.each(bytes, |number| {
            see(if self.header.fortran { self.fortran_feature(at) } else { feature }, number);
            at = at.saturating_add(1);
            feature = feature.saturating_add(1);
            feature = if feature == features { 0 } else { feature };
        });
    }

    /// Returns the feature, in C order, of number `at` of a file whose first index varies fastest.
    fn fortran_feature(&self, at: u64) -> usize {
        let mut left = at.checked_div(self.layout.samples).unwrap_or(0);
        let feature = self.header.shape.iter().skip(1).fold(0_u64, |feature, &size| {
            let place = left.checked_rem(size).unwrap_or(0);
            left = left.checked_div(size).unwrap_or(0);
            feature.saturating_mul(size).saturating_add(place)
        });
        usize::try_from(feature).unwrap_or(usize::MAX)
    }
}
