//! ORC files → chunks, stripe by stripe; only the columns that are asked for are decoded.

use std::{panic::AssertUnwindSafe, sync::Arc};

use arrow::{array::{ArrayRef, Int64Array}, datatypes::SchemaRef, error::ArrowError, record_batch::RecordBatch};
use bytes::Bytes;
use common_base::{Result, bail, err, fs::ReadableFile};
use common_types::{LogicalType, Scalar, chunk::CHUNK_ROWS};
use orc_rust::{
    ArrowReader, ArrowReaderBuilder,
    projection::ProjectionMask,
    reader::{ChunkReader, metadata::FileMetadata},
    schema::TimestampPrecision,
    statistics::{ColumnStatistics, TypeStatistics},
    stripe::StripeMetadata,
};

use crate::{
    arrow_in::{self, FileField, ToLocal},
    columnar::{ColumnarFile, GroupReader, GroupZone, position, projection},
    input::{Input, Tail},
};

/// A file, its footer checked.
#[derive(Debug)]
pub struct OrcFile {
    input: Input,
    metadata: FileMetadata,
    schema: SchemaRef,
    name: String,
}

impl OrcFile {
    /// Reads the footer. `name` is for messages.
    pub fn open(file: Arc<dyn ReadableFile>, name: &str) -> Result<Self> {
        let input = Input { len: file.len()?, file };
        let builder = builder(&input).map_err(|e| err!(InvalidArgument, "file '{name}' is not a readable ORC file: {e}"))?;
        let (metadata, schema) = (builder.file_metadata().clone(), builder.schema());
        for (i, stripe) in metadata.stripe_metadatas().iter().enumerate() {
            let end = [stripe.index_length(), stripe.data_length(), stripe.footer_length()].iter().try_fold(stripe.offset(), |at, n| at.checked_add(*n));
            if end.is_none_or(|end| end > input.len) {
                bail!(InvalidArgument, "file '{name}' is not a readable ORC file: stripe {i} ends after the file");
            }
        }
        Ok(Self { input, metadata, schema, name: name.to_owned() })
    }

    fn stripe(&self, group: usize) -> &StripeMetadata {
        &self.metadata.stripe_metadatas()[group]
    }

    fn position(&self, name: &str) -> Option<usize> {
        position(self.schema.fields().iter().map(|f| f.name().as_str()), name)
    }

    /// The file's number of a root column.
    fn number(&self, position: usize) -> usize {
        self.metadata.root_data_type().children()[position].data_type().column_index()
    }
}

fn builder(input: &Input) -> std::result::Result<ArrowReaderBuilder<Input>, ArrowError> {
    let open = || Ok(ArrowReaderBuilder::try_new(input.clone())?.with_timestamp_precision(TimestampPrecision::Microsecond));
    contained(open)
}

/// Runs the library: on some damaged files it panics, which is an error of the file here.
fn contained<T>(run: impl FnOnce() -> std::result::Result<T, ArrowError>) -> std::result::Result<T, ArrowError> {
    // Nothing that was under way is used afterwards.
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(ArrowError::ParseError(format!("damaged data: {}", text.unwrap_or("the reader gave up"))))
    })
}

/// The rows of a stripe; ends after an error.
struct Stripe(Option<ArrowReader<Input>>);

impl Iterator for Stripe {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.0.as_mut()?;
        let next = contained(|| reader.next().transpose()).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.0 = None;
        }
        next
    }
}

impl ColumnarFile for OrcFile {
    fn fields(&self) -> Result<Vec<FileField>> {
        arrow_in::fields(&self.schema).map_err(|e| err!(NotSupported, "file '{}': {}", self.name, e.message()))
    }

    fn groups(&self) -> usize {
        self.metadata.stripe_metadatas().len()
    }

    fn rows(&self, group: usize) -> u64 {
        self.stripe(group).number_of_rows()
    }

    fn middle(&self, group: usize) -> u64 {
        self.stripe(group).offset() + self.bytes(group) / 2
    }

    fn bytes(&self, group: usize) -> u64 {
        let stripe = self.stripe(group);
        stripe.index_length() + stripe.data_length() + stripe.footer_length()
    }

    fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    fn zone(&self, group: usize, name: &str, ty: &LogicalType, local: &ToLocal) -> Option<GroupZone> {
        let position = self.position(name)?;
        let statistics = self.stripe(group).column_statistics().get(self.number(position))?;
        let own = arrow_in::file_type(self.schema.field(position).data_type())?;
        let rows = self.rows(group);
        let (min, max) = extremes(statistics, &own, ty, local).unwrap_or_default();
        let values = statistics.number_of_values();
        // A writer that counts nothing says nothing.
        let known = values > 0 || statistics.has_null();
        known.then(|| GroupZone { min, max, nulls: rows.saturating_sub(values), rows })
    }

    fn read(&self, group: usize, columns: &[FileField], local: &ToLocal) -> Result<GroupReader> {
        let (at, read) = projection(columns, |name| self.position(name));
        let place = format!("file '{}', stripe {group}", self.name);
        let start = self.stripe(group).offset() as usize;
        let mask = ProjectionMask::roots(self.metadata.root_data_type(), read.iter().map(|p| self.number(*p)));
        let batches = builder(&self.input)
            .map_err(|e| err!(Corruption, "{place}: {e}"))?
            .with_file_byte_range(start..start + 1)
            .with_projection(mask)
            .with_batch_size(CHUNK_ROWS)
            .build();
        Ok(GroupReader { batches: Box::new(Stripe(Some(batches))), at, columns: columns.to_vec(), local: local.clone(), place })
    }
}

/// Extremes as values of the type, where the file's own type has the same order.
fn extremes(statistics: &ColumnStatistics, own: &LogicalType, ty: &LogicalType, local: &ToLocal) -> Option<(Scalar, Scalar)> {
    let bound = |array: ArrayRef| arrow_in::bound(&array, ty, local).unwrap_or_default();
    match statistics.type_statistics()? {
        TypeStatistics::Integer { min, max, .. } if own.is_integer() && ty.is_integer() => {
            let of = |v: i64| bound(Arc::new(Int64Array::from(vec![v])));
            Some((of(*min), of(*max)))
        }
        TypeStatistics::Date { min, max } if own == ty => Some((Scalar::Date(*min), Scalar::Date(*max))),
        TypeStatistics::String { lower_bound, upper_bound, is_exact_max, .. } if own.is_string() && ty.is_string() => {
            // Cut short they are still bounds; without one above, nothing is known there.
            let max = if *is_exact_max || !upper_bound.is_empty() { Scalar::string(upper_bound) } else { Scalar::Null };
            Some((Scalar::string(lower_bound), max))
        }
        _ => None,
    }
}

impl ChunkReader for Input {
    type T = std::io::BufReader<Tail>;

    fn len(&self) -> u64 {
        self.len
    }

    fn get_read(&self, start: u64) -> std::io::Result<Self::T> {
        Ok(self.tail(start))
    }

    fn get_bytes(&self, start: u64, length: u64) -> std::io::Result<Bytes> {
        self.bytes(start, length)
    }
}
