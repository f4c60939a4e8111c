//! Sorted columns → segment file. Columns are encoded one by one, on several threads when that is asked for.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use be_segment::{EncodeOptions, EncodedColumn, SHORT_KEY_ROWS, SegmentSummary, SegmentWriter, SortKeys, encode_column, page_rows_for};
use common_base::fs::FileSystem;
use common_base::{Result, err};
use common_types::{Column, key_codec};

use super::memtable::Memtable;
use super::sort::permutation;
use crate::merge::{Combine, Groups};
use crate::tablet::TabletSchema;

/// Most bytes of a short-key entry; search keys are cut the same way.
pub const SHORT_KEY_BYTES: usize = 48;
/// Most bytes of the first and last key of a segment.
pub const END_KEY_BYTES: usize = 256;

/// Sorts the rows and writes them as one segment; the file's content is durable when it returns. Rows of equal key are combined
/// where `combines` says how.
pub fn write_memtable(
    fs: &dyn FileSystem,
    path: &Path,
    schema: &TabletSchema,
    combines: &[Combine],
    memtable: &mut Memtable,
    threads: usize,
) -> Result<SegmentSummary> {
    memtable.seal();
    let rows = memtable.rows();
    let keys: Vec<Column> = schema.sort_key.iter().map(|i| memtable.column(*i)).collect();
    let order = permutation(&keys, rows)?;
    let source = |i: usize| match schema.sort_key.iter().position(|k| *k == i) {
        Some(k) => keys[k].clone(),
        None => memtable.column(i),
    };
    let row_bytes = memtable.bytes() / rows.max(1);
    if !combines.is_empty() {
        let groups = Groups::find(&keys, order.as_deref(), rows);
        if !groups.all_single() {
            let combined = combines.iter().enumerate().map(|(i, how)| how.apply(&source(i), &groups)).collect::<Result<Vec<_>>>()?;
            let keys: Vec<Column> = schema.sort_key.iter().map(|i| combined[*i].clone()).collect();
            let sorted = Sorted { keys: &keys, order: None, rows: groups.len(), row_bytes };
            return write_columns(fs, path, schema, sorted, &|i| combined[i].clone(), threads);
        }
    }
    write_columns(fs, path, schema, Sorted { keys: &keys, order: order.as_deref(), rows, row_bytes }, &source, threads)
}

/// Rows given as whole columns and the order to write them in.
pub struct Sorted<'a> {
    /// The sort columns, before ordering.
    pub keys: &'a [Column],
    /// Row numbers in order; `None` as they are.
    pub order: Option<&'a [u32]>,
    pub rows: usize,
    /// Bytes of an average row.
    pub row_bytes: usize,
}

/// Writes columns of a segment; `source` gives a column of all rows before ordering.
pub fn write_columns(
    fs: &dyn FileSystem,
    path: &Path,
    schema: &TabletSchema,
    sorted: Sorted<'_>,
    source: &(dyn Fn(usize) -> Column + Sync),
    threads: usize,
) -> Result<SegmentSummary> {
    let options = EncodeOptions { compression: schema.compression, page_rows: page_rows_for(sorted.row_bytes), flat_json: schema.flat_json };
    let specs = schema.specs();
    let mut writer = SegmentWriter::create(fs, path, specs.clone(), options)?;
    let rows = sorted.rows;
    let encode = |i: usize| -> Result<EncodedColumn> {
        let column = source(i);
        let pages: Vec<Column> = (0..rows)
            .step_by(options.page_rows)
            .map(|at| {
                let len = options.page_rows.min(rows - at);
                match sorted.order {
                    None => column.slice(at, len),
                    Some(order) => column.gather(&order[at..at + len]),
                }
            })
            .collect();
        encode_column(&specs[i], &pages, options)
    };
    if threads <= 1 || rows < 16_384 {
        for i in 0..specs.len() {
            writer.append(encode(i)?, rows as u64)?;
        }
    } else {
        encode_in_parallel(specs.len(), threads, &encode, |column| writer.append(column, rows as u64))?;
    }
    writer.finish(sort_keys(schema, &sorted))
}

/// Encodes on several threads, hands the columns over in order.
fn encode_in_parallel(
    columns: usize,
    threads: usize,
    encode: &(dyn Fn(usize) -> Result<EncodedColumn> + Sync),
    mut append: impl FnMut(EncodedColumn) -> Result<()>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        for _ in 0..threads.min(columns) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    // A closed channel means that the writer gave up.
                    if i >= columns || send.send((i, encode(i))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut waiting: Vec<Option<EncodedColumn>> = (0..columns).map(|_| None).collect();
        let mut written = 0;
        while written < columns {
            let (i, encoded) = receive.recv().map_err(|_| err!(Internal, "an encoding thread died"))?;
            waiting[i] = Some(encoded?);
            while written < columns
                && let Some(column) = waiting[written].take()
            {
                append(column)?;
                written += 1;
            }
        }
        Ok(())
    })
}

fn sort_keys(schema: &TabletSchema, sorted: &Sorted<'_>) -> SortKeys {
    let encodable = schema.sort_key.iter().take_while(|i| key_codec::is_encodable(&schema.columns[**i].ty)).count();
    if encodable == 0 || sorted.rows == 0 {
        return SortKeys::default();
    }
    let row_of = |i: usize| sorted.order.map_or(i, |order| order[i] as usize);
    let key = |columns: usize, row: usize, limit: usize| {
        let mut out = Vec::new();
        key_codec::encode_row(&sorted.keys[..columns], row_of(row), &mut out);
        out.truncate(limit);
        out
    };
    let mut keys = SortKeys {
        columns: schema.sort_key.iter().map(|i| *i as u32).collect(),
        short_columns: schema.short_key_columns.min(encodable) as u32,
        min: key(encodable, 0, END_KEY_BYTES),
        max: key(encodable, sorted.rows - 1, END_KEY_BYTES),
        ..Default::default()
    };
    if keys.short_columns > 0 {
        for row in (0..sorted.rows).step_by(SHORT_KEY_ROWS) {
            keys.index.push(&key(keys.short_columns as usize, row, SHORT_KEY_BYTES));
        }
    }
    keys
}
