//! Columnar files: groups of rows that are found and read on their own, and what the file says of each. A format is a
//! [`ColumnarFile`] and a row of [`open`].

use std::{fmt::Debug, sync::Arc};

use arrow::{error::ArrowError, record_batch::RecordBatch};
use common_base::{Result, bail, err, fs::ReadableFile};
use common_types::{Chunk, Column, LogicalType, Scalar};

use crate::{
    arrow_in::{self, FileField, ToLocal},
    orc::OrcFile,
    parquet::ParquetFile,
};

/// An open file: what stands at its end is read.
pub trait ColumnarFile: Debug + Send + Sync {
    /// The columns.
    fn fields(&self) -> Result<Vec<FileField>>;

    /// How many groups there are.
    fn groups(&self) -> usize;

    /// Rows of a group.
    fn rows(&self, group: usize) -> u64;

    /// The byte in the middle of a group: whoever reads that part of the file reads the group.
    fn middle(&self, group: usize) -> u64;

    /// Bytes of a group in the file.
    fn bytes(&self, group: usize) -> u64;

    /// Whether there is a column of that name, in any case.
    fn has(&self, name: &str) -> bool;

    /// What the file says of a column in a group, when it says anything.
    fn zone(&self, group: usize, name: &str, ty: &LogicalType, local: &ToLocal) -> Option<GroupZone>;

    /// Starts reading columns of a group; those the file lacks are NULL.
    fn read(&self, group: usize, columns: &[FileField], local: &ToLocal) -> Result<GroupReader>;
}

/// Extremes of a column in a group; NULL where unknown. Of `nulls` it matters whether there are none, some or only such.
#[derive(Clone, Debug)]
pub struct GroupZone {
    pub min: Scalar,
    pub max: Scalar,
    pub nulls: u64,
    pub rows: u64,
}

/// Opens a file of a format; `name` is for messages.
pub fn open(format: &str, file: Arc<dyn ReadableFile>, name: &str) -> Result<Arc<dyn ColumnarFile>> {
    Ok(match format {
        "parquet" => Arc::new(ParquetFile::open(file, name)?),
        "orc" => Arc::new(OrcFile::open(file, name)?),
        other => bail!(NotSupported, "files of format '{other}' are not supported"),
    })
}

/// The rows of a group, as the format's reader gives them.
pub type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send>;

/// Reads a group.
pub struct GroupReader {
    pub(crate) batches: Batches,
    /// Where each column is in what is read; `None` = not in this file.
    pub(crate) at: Vec<Option<usize>>,
    pub(crate) columns: Vec<FileField>,
    pub(crate) local: ToLocal,
    /// File and group, for messages.
    pub(crate) place: String,
}

impl GroupReader {
    /// The next rows.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let Some(batch) = self.batches.next() else { return Ok(None) };
        let batch = batch.map_err(|e| err!(Corruption, "{}: {e}", self.place))?;
        let rows = batch.num_rows();
        let mut out = Vec::with_capacity(self.columns.len());
        for (column, at) in self.columns.iter().zip(&self.at) {
            out.push(match at {
                None => Column::null(column.ty.clone(), rows),
                Some(at) => arrow_in::column(batch.column(*at), &column.ty, &self.local)
                    .map_err(|e| err!(InvalidArgument, "{}, column '{}': {}", self.place, column.name, e.message()))?,
            });
        }
        Ok(Some(Chunk::new(out, rows)))
    }
}

/// Position of the column of that name, else of one that differs in case.
pub(crate) fn position<'a>(names: impl Iterator<Item = &'a str> + Clone, name: &str) -> Option<usize> {
    names.clone().position(|n| n == name).or_else(|| names.clone().position(|n| n.eq_ignore_ascii_case(name)))
}

/// Positions of the columns among those of the file that are read, and which those are, in order.
pub(crate) fn projection(columns: &[FileField], position: impl Fn(&str) -> Option<usize>) -> (Vec<Option<usize>>, Vec<usize>) {
    let at: Vec<Option<usize>> = columns.iter().map(|c| position(&c.name)).collect();
    let mut read: Vec<usize> = at.iter().flatten().copied().collect();
    read.sort_unstable();
    read.dedup();
    let at = at.into_iter().map(|p| p.and_then(|p| read.binary_search(&p).ok())).collect();
    (at, read)
}
