//! Whether a row of a load may go into its table: NULL in a NOT NULL column, text longer than its column, a decimal that does not
//! fit, a value lost in a conversion. Strict loads refuse such rows; others store NULL where the column allows it.
//!
//! What a sink gets: its columns, then (with `lost_mark`) a BIGINT, 0 or the id of the column whose value a conversion lost, then the
//! fields of the source as the reader made them, for the text of refused rows.

use std::borrow::Cow;

use arrow::buffer::NullBuffer;
use common_base::{Result, err};
use common_types::{Chunk, Column, LogicalType, StrView, display, json::Json, wire};
use proto_messages::fragment::TableSink;

struct SinkColumn {
    uid: u64,
    name: String,
    ty: LogicalType,
    nullable: bool,
}

/// Checks rows of one load.
pub(super) struct RowChecks {
    columns: Vec<SinkColumn>,
    strict: bool,
    marked: bool,
    tolerant: bool,
    source_fields: Vec<String>,
    separator: Vec<u8>,
    json: bool,
}

impl RowChecks {
    /// From the sink's description.
    pub fn new(sink: &TableSink) -> Result<Self> {
        let columns = sink
            .columns
            .iter()
            .map(|c| {
                let ty = wire::type_from_proto(c.r#type.as_ref().ok_or_else(|| err!(Internal, "sink column without a type"))?)?;
                Ok(SinkColumn { uid: c.uid, name: c.name.clone(), ty, nullable: c.nullable })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            columns,
            strict: sink.strict_mode,
            marked: sink.lost_mark,
            tolerant: sink.max_filter_ratio > 0.0,
            source_fields: sink.source_fields.clone(),
            separator: sink.source_separator.to_vec(),
            json: sink.source_json,
        })
    }

    /// The type of a column.
    pub fn type_of(&self, column: usize) -> &LogicalType {
        &self.columns[column].ty
    }

    /// Whether refused rows are counted only.
    pub fn tolerant(&self) -> bool {
        self.tolerant
    }

    /// Without strictness: values that do not fit nullable columns as NULL.
    pub fn softened(&self, chunk: Chunk) -> Chunk {
        if self.strict {
            return chunk;
        }
        let rows = chunk.rows();
        let mut columns = chunk.into_columns();
        for (column, spec) in columns.iter_mut().zip(&self.columns).filter(|(_, spec)| spec.nullable) {
            let mut keep: Option<Vec<u32>> = None;
            misfits(column, spec, rows, &mut |row, _| {
                keep.get_or_insert_with(|| (0..rows as u32).collect())[row] = u32::MAX;
            });
            if let Some(keep) = keep {
                *column = column.gather_opt(&keep);
            }
        }
        Chunk::new(columns, rows)
    }

    /// Adds the reasons of rows that may not be stored, by row; `rejected` stays empty when there are none.
    pub fn check(&self, chunk: &Chunk, rejected: &mut Vec<Option<String>>) {
        let rows = chunk.rows();
        for (column, spec) in chunk.columns().iter().zip(&self.columns) {
            if !spec.nullable
                && let Some(nulls) = column.nulls().filter(|n| n.null_count() > 0)
            {
                for row in (0..rows).filter(|r| nulls.is_null(*r)) {
                    reject(rejected, rows, row, || format!("NULL value in non-nullable column '{}'", spec.name));
                }
            }
            if self.strict || !spec.nullable {
                misfits(column, spec, rows, &mut |row, reason| reject(rejected, rows, row, reason));
            }
        }
        if !self.marked {
            return;
        }
        let Some(marks) = chunk.columns().get(self.columns.len()).map(varying) else { return };
        let Some(marks) = marks.ints_i64() else { return };
        for row in 0..rows {
            let lost = marks.get(row) as u64;
            if lost != 0 {
                let name = self.columns.iter().find(|c| c.uid == lost).map_or("", |c| &c.name);
                reject(rejected, rows, row, || format!("the value of column '{name}' cannot be converted to its type"));
            }
        }
    }

    /// The chunk without what is not a column of the table.
    pub fn stored(&self, chunk: Chunk) -> Chunk {
        if chunk.width() <= self.columns.len() {
            return chunk;
        }
        let rows = chunk.rows();
        let mut columns = chunk.into_columns();
        columns.truncate(self.columns.len());
        Chunk::new(columns, rows)
    }

    /// A row as its source had it; as the table's columns when there are no fields of a source.
    pub fn row_text(&self, chunk: &Chunk, row: usize) -> String {
        let mut text = Vec::new();
        if self.source_fields.is_empty() {
            for (i, column) in chunk.columns()[..self.columns.len().min(chunk.width())].iter().enumerate() {
                if i > 0 {
                    text.push(b'\t');
                }
                append(column, row, b"NULL", &mut text);
            }
            return String::from_utf8_lossy(&text).into_owned();
        }
        let fields = &chunk.columns()[self.columns.len() + usize::from(self.marked)..];
        if self.json {
            text.push(b'{');
        }
        for (i, (name, field)) in self.source_fields.iter().zip(fields).enumerate() {
            match (i, self.json) {
                (0, _) => {}
                (_, true) => text.push(b','),
                (_, false) => text.extend_from_slice(&self.separator),
            }
            if !self.json {
                append(field, row, b"\\N", &mut text);
                continue;
            }
            text.extend_from_slice(format!("{}:", quoted(name)).as_bytes());
            let mut value = Vec::new();
            append(field, row, b"null", &mut value);
            let value = String::from_utf8_lossy(&value);
            let bare = field.is_null(row) || matches!(field.ty(), LogicalType::Json);
            text.extend_from_slice(if bare { value.into_owned() } else { quoted(&value) }.as_bytes());
        }
        if self.json {
            text.push(b'}');
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Notes why a row is refused; the first reason stays.
pub(super) fn reject(rejected: &mut Vec<Option<String>>, rows: usize, row: usize, reason: impl FnOnce() -> String) {
    rejected.resize(rows, None);
    rejected[row].get_or_insert_with(reason);
}

fn append(column: &Column, row: usize, null: &[u8], text: &mut Vec<u8>) {
    if column.is_null(row) {
        text.extend_from_slice(null);
    } else {
        display::append_text(column, row, text);
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    String::from_utf8_lossy(&Json::String(text.to_owned()).to_text()).into_owned()
}

/// Calls `found` with each row whose value does not fit the column, and why.
fn misfits(column: &Column, spec: &SinkColumn, rows: usize, found: &mut dyn FnMut(usize, &dyn Fn() -> String)) {
    match &spec.ty {
        LogicalType::Char(max) | LogicalType::Varchar(Some(max)) | LogicalType::Varbinary(Some(max)) => too_long(column, spec, *max as usize, rows, found),
        LogicalType::Decimal { precision, .. } => too_large(column, spec, u32::from(*precision), rows, found),
        _ => {}
    }
}

fn too_long(column: &Column, spec: &SinkColumn, max: usize, rows: usize, found: &mut dyn FnMut(usize, &dyn Fn() -> String)) {
    let Some(view) = column.str_view() else { return };
    let nulls = present_nulls(column);
    let long = |value: &[u8]| value.len() > max;
    if let StrView::Dict { dict, .. } = &view {
        if !(0..dict.len()).any(|c| long(dict.value(c))) {
            return;
        }
    }
    for row in 0..rows {
        if long(view.get(row)) && nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
            found(row, &|| format!("the length of input is too long than schema. column_name: '{}'; input length {} exceeds {max}", spec.name, view.get(row).len()));
        }
    }
}

fn too_large(column: &Column, spec: &SinkColumn, precision: u32, rows: usize, found: &mut dyn FnMut(usize, &dyn Fn() -> String)) {
    let Some(limit) = 10_i128.checked_pow(precision) else { return };
    if let Some(bounds) = column.bounds() {
        if i128::from(bounds.max) < limit && i128::from(bounds.min) > -limit {
            return;
        }
    }
    let column = varying(column);
    let nulls = present_nulls(&column);
    let mut check = |row: usize, value: i128| {
        if (value >= limit || value <= -limit) && nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
            found(row, &|| format!("decimal value is not valid for definition, column '{}' has precision {precision}", spec.name));
        }
    };
    if let Some(ints) = column.ints_i64() {
        (0..rows).for_each(|row| check(row, i128::from(ints.get(row))));
    } else if let Some(wide) = column.ints_i128() {
        wide.iter().enumerate().for_each(|(row, v)| check(row, *v));
    }
}

/// The column with a value for each row, as views of numbers want it.
fn varying(column: &Column) -> Cow<'_, Column> {
    if column.is_const() { Cow::Owned(column.flatten()) } else { Cow::Borrowed(column) }
}

fn present_nulls(column: &Column) -> Option<NullBuffer> {
    column.nulls().filter(|n| n.null_count() > 0)
}
