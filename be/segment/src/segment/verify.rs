//! Reads every byte of a segment file and checks what can be checked: checksums, lengths, and that each page decodes.

use common_base::{Result, ResultExt, ensure};

use super::reader::{ReadAhead, Segment};
use crate::version::MAGIC;

impl Segment {
    /// Fails with the file, the place and the offset of the first damage found. Pages do not go through the cache.
    pub fn verify(&self) -> Result<()> {
        self.verify_head().with_context(|| format!("reading the head of {} at offset 0", self.path().display()))?;
        for column in 0..self.stored().len() {
            self.dict(column)?;
            let mut ahead = ReadAhead::default();
            let mut nulls = 0;
            for page in 0..self.pages() {
                let found = self.read_uncached(column, page, self.pages(), &mut ahead)?;
                nulls += found.null_count() as u64;
            }
            let meta = &self.stored()[column];
            self.verify_indexes(column)?;
            ensure!(
                nulls == meta.nulls,
                Corruption,
                "column {} of {} has {nulls} NULLs, its footer says {}",
                meta.spec.name,
                self.path().display(),
                meta.nulls
            );
        }
        self.short_keys()?;
        Ok(())
    }

    fn verify_head(&self) -> Result<()> {
        let head = self.file().read_vec_at(0, 16)?;
        let version = u32::from_le_bytes(head[4..8].try_into().expect("four bytes"));
        ensure!(head[..4] == MAGIC && head[8..] == [0; 8], Corruption, "file does not begin with the magic number of a segment");
        ensure!(version == self.version(), Corruption, "head says format {version}, tail says {}", self.version());
        Ok(())
    }
}
