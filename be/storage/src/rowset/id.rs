//! Rowset ids: 128 random bits, 32 hex digits in file names.

use std::fmt;
use std::path::{Path, PathBuf};

use common_base::{Result, SharedRng, err};

/// Identity of a rowset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowsetId(pub u128);

impl RowsetId {
    /// A new one.
    pub fn random(rng: &SharedRng) -> Self {
        Self(rng.uuid())
    }

    /// From its text.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed = (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok()).flatten();
        parsed.map(Self).ok_or_else(|| err!(Corruption, "'{text}' is no rowset id"))
    }

    /// The file of one of its segments.
    pub fn segment_path(self, tablet_dir: &Path, ordinal: u32) -> PathBuf {
        tablet_dir.join(format!("{self}_{ordinal}.dat"))
    }

    /// The id and the number in the name of a segment file.
    pub fn of_file(name: &str) -> Option<(Self, u32)> {
        let (id, ordinal) = name.strip_suffix(".dat")?.split_once('_')?;
        Some((Self::parse(id).ok()?, ordinal.parse().ok()?))
    }
}

impl fmt::Display for RowsetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RowsetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowsetId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_file_names_round_trip() {
        let id = RowsetId::random(&SharedRng::from_seed(1));
        assert_eq!(RowsetId::parse(&id.to_string()).unwrap(), id);
        let path = id.segment_path(Path::new("/d"), 3);
        assert_eq!(RowsetId::of_file(path.file_name().unwrap().to_str().unwrap()), Some((id, 3)));
        assert_eq!(RowsetId::of_file("x.dat"), None);
        assert!(RowsetId::parse("12").is_err());
    }
}
