//! Data that an option has an effect on.

use schuss_data::{Dataset, TargetKind};
use std::fmt;

/// Kind of data that an option has an effect on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concerns {
    /// All data.
    All,
    /// Tables.
    Tables,
    /// Tables, and images in one.
    Labels,
    /// Image files.
    Images,
}

impl Concerns {
    /// True if `data` are of this kind.
    pub(crate) fn are(self, data: &Dataset) -> bool {
        match self {
            Self::All => true,
            Self::Tables => data.table.is_some(),
            Self::Labels => data.table.is_some() || data.pictures,
            Self::Images => data.pictures,
        }
    }

    /// True if the option says of `data` what is so anyway: that they have no label.
    pub(crate) fn holds_anyway(self, text: &str, data: &Dataset) -> bool {
        self == Self::Labels && text == "none" && data.target_kind() == TargetKind::Nothing
    }
}

impl fmt::Display for Concerns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all data",
            Self::Tables | Self::Labels => "tables",
            Self::Images => "image files",
        })
    }
}
