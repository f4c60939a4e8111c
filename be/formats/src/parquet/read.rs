//! Parquet files → chunks, row group by row group; only the columns that are asked for are decoded.

use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use bytes::Bytes;
use common_base::{Result, err, fs::ReadableFile};
use common_types::{LogicalType, chunk::CHUNK_ROWS};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, statistics::StatisticsConverter},
    },
    errors::ParquetError,
    file::{metadata::ParquetMetaData, reader::{ChunkReader, Length}},
};

use crate::{
    arrow_in::{self, FileField, ToLocal},
    columnar::{ColumnarFile, GroupReader, GroupZone, position, projection},
    input::{Input, Tail},
};

/// An open file: its footer is read.
#[derive(Debug)]
pub struct ParquetFile {
    input: Input,
    metadata: ArrowReaderMetadata,
    name: String,
}

impl ParquetFile {
    /// Reads the footer. `name` is for messages.
    pub fn open(file: Arc<dyn ReadableFile>, name: &str) -> Result<Self> {
        let len = file.len()?;
        let input = Input { file, len };
        let broken = |e: parquet::errors::ParquetError| err!(InvalidArgument, "file '{name}' is not a readable Parquet file: {e}");
        let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let found = ArrowReaderMetadata::load(&input, plain.clone()).map_err(broken)?;
        // Strings are decoded as views, which is how columns hold them.
        let schema = viewed(found.schema());
        let metadata = ArrowReaderMetadata::try_new(found.metadata().clone(), plain.with_schema(schema)).map_err(broken)?;
        Ok(Self { input, metadata, name: name.to_owned() })
    }

    fn parquet(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    fn position(&self, name: &str) -> Option<usize> {
        position(self.metadata.schema().fields().iter().map(|f| f.name().as_str()), name)
    }
}

impl ColumnarFile for ParquetFile {
    fn fields(&self) -> Result<Vec<FileField>> {
        arrow_in::fields(self.metadata.schema()).map_err(|e| err!(NotSupported, "file '{}': {}", self.name, e.message()))
    }

    fn groups(&self) -> usize {
        self.parquet().num_row_groups()
    }

    fn rows(&self, group: usize) -> u64 {
        self.parquet().row_group(group).num_rows().max(0) as u64
    }

    fn middle(&self, group: usize) -> u64 {
        let group = self.parquet().row_group(group);
        let start = group.columns().iter().map(|c| c.byte_range().0).min().unwrap_or(0);
        start + group.compressed_size().max(0) as u64 / 2
    }

    fn bytes(&self, group: usize) -> u64 {
        self.parquet().row_group(group).compressed_size().max(0) as u64
    }

    fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    fn zone(&self, group: usize, name: &str, ty: &LogicalType, local: &ToLocal) -> Option<GroupZone> {
        let field = self.metadata.schema().field(self.position(name)?).clone();
        let statistics = StatisticsConverter::try_new(field.name(), self.metadata.schema(), self.metadata.parquet_schema()).ok()?.with_missing_null_counts_as_zero(false);
        let meta = self.parquet().row_group(group);
        let bound = |array: parquet::errors::Result<arrow::array::ArrayRef>| arrow_in::bound(&array.ok()?, ty, local);
        // Without the number of NULLs nothing is known for sure.
        let nulls = statistics.row_group_null_counts([meta]).ok().filter(|n| n.len() == 1 && n.null_count() == 0)?.value(0);
        let rows = self.rows(group);
        // Floats: NaN may be left out of the extremes. A string's extremes may be cut short: still bounds.
        // Old writers ordered bytes as signed.
        let old = statistics.parquet_column_index().and_then(|i| meta.column(i).statistics()).is_some_and(|s| s.is_min_max_deprecated());
        let ordered = !matches!(ty, LogicalType::Float | LogicalType::Double) && !(old && ty.is_bytes_like());
        let (min, max) = if ordered { (bound(statistics.row_group_mins([meta])), bound(statistics.row_group_maxes([meta]))) } else { (None, None) };
        // A type that the file's type does not map onto in order cannot be bounded by the file's extremes.
        let same = arrow_in::file_type(field.data_type()).is_some_and(|own| own == *ty || (own.is_integer_backed() && ty.is_integer_backed() && own.is_integer() && ty.is_integer()));
        let (min, max) = if same { (min, max) } else { (None, None) };
        Some(GroupZone { min: min.unwrap_or_default(), max: max.unwrap_or_default(), nulls, rows })
    }

    fn read(&self, group: usize, columns: &[FileField], local: &ToLocal) -> Result<GroupReader> {
        let (at, roots) = projection(columns, |name| self.position(name));
        let place = format!("file '{}', row group {group}", self.name);
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(self.input.clone(), self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(CHUNK_ROWS)
            .build()
            .map_err(|e| err!(Corruption, "{place}: {e}"))?;
        Ok(GroupReader { batches: Box::new(batches), at, columns: columns.to_vec(), local: local.clone(), place })
    }
}

impl Length for Input {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Input {
    type T = std::io::BufReader<Tail>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(self.tail(start))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.bytes(start, length as u64).map_err(|e| ParquetError::External(Box::new(e)))
    }
}

/// The schema with strings and bytes as views.
fn viewed(schema: &SchemaRef) -> SchemaRef {
    Arc::new(Schema::new(schema.fields().iter().map(viewed_field).collect::<Fields>()))
}

fn viewed_field(field: &FieldRef) -> FieldRef {
    let ty = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::List(f) => DataType::List(viewed_field(f)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(viewed_field).collect()),
        DataType::Map(f, sorted) => DataType::Map(viewed_field(f), *sorted),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), ty, field.is_nullable()).with_metadata(field.metadata().clone()))
}
