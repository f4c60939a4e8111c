//! What a statement answers: a note of what it did, or columns and a stream of chunks.

use std::collections::VecDeque;

use common_base::Result;
use common_types::{Chunk, LogicalType, Scalar, column::ColumnBuilder};

use crate::coordinator::QueryStream;

/// One column of a result set.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultColumn {
    pub name: String,
    pub ty: LogicalType,
}

/// One column of a table as COM_FIELD_LIST shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct TableField {
    pub column: ResultColumn,
    /// The default's text.
    pub default: Option<String>,
}

/// The answer to one statement.
pub enum StatementResult {
    /// An OK packet.
    Done { affected_rows: u64, info: String },
    /// A result set.
    Rows(Rows),
}

impl StatementResult {
    /// Done, nothing to say.
    pub fn ok() -> Self {
        Self::Done { affected_rows: 0, info: String::new() }
    }

    /// A result set made in memory.
    pub fn table(columns: Vec<ResultColumn>, rows: &[Vec<Scalar>]) -> Result<Self> {
        Ok(Self::Rows(Rows { chunks: VecDeque::from([rows_to_chunk(&columns, rows)?]), columns, stream: None }))
    }
}

/// A result set: chunks made here, then those that stream in.
pub struct Rows {
    pub columns: Vec<ResultColumn>,
    pub(crate) chunks: VecDeque<Chunk>,
    pub(crate) stream: Option<QueryStream>,
}

impl Rows {
    /// Chunks that are all here.
    pub(crate) fn of_chunks(columns: Vec<ResultColumn>, chunks: Vec<Chunk>) -> Self {
        Self { columns, chunks: chunks.into(), stream: None }
    }

    /// The next chunk; `None` at the end. An error ends the result.
    pub async fn next(&mut self) -> Result<Option<Chunk>> {
        if let Some(chunk) = self.chunks.pop_front() {
            return Ok(Some(chunk));
        }
        match &mut self.stream {
            Some(stream) => stream.next().await,
            None => Ok(None),
        }
    }
}

/// Columns of VARCHAR named as given: what most SHOW statements answer.
pub fn text_columns(names: &[&str]) -> Vec<ResultColumn> {
    names.iter().map(|n| ResultColumn { name: (*n).to_owned(), ty: LogicalType::varchar() }).collect()
}

/// A text cell.
pub fn text(value: impl Into<String>) -> Scalar {
    Scalar::string(value.into())
}

/// Rows of scalars as one chunk.
pub fn rows_to_chunk(columns: &[ResultColumn], rows: &[Vec<Scalar>]) -> Result<Chunk> {
    let mut builders: Vec<ColumnBuilder> = columns.iter().map(|c| ColumnBuilder::new(&c.ty, rows.len())).collect();
    for row in rows {
        for (builder, cell) in builders.iter_mut().zip(row) {
            builder.append(cell)?;
        }
    }
    Ok(Chunk::new(builders.into_iter().map(ColumnBuilder::finish).collect(), rows.len()))
}
