//! Merges sorted runs column by column: a first pass over the key columns finds the order of all rows, as the number of the run
//! each comes from; then every group of columns is read and written on its own along that order. What is held is the order,
//! a page of every run, and the pages of a few columns of one segment.

use std::ops::Range;
use std::sync::Arc;

use be_segment::{EncodeOptions, SHORT_KEY_ROWS, SegmentWriter, SortKeys, page_rows_for};
use common_base::{MemGuard, Result, ensure};
use common_types::{Chunk, Column, key_codec};

use crate::memtable::flush::{END_KEY_BYTES, SHORT_KEY_BYTES};
use crate::merge::{Combine, Groups, RunMerger, SortedRun, combines_rows};
use crate::read::merged::{SegmentPart, run_of};
use crate::rowset::Rowset;
use crate::rowset::writer::RowsetWriter;
use crate::tablet::{Tablet, TabletSchema};

/// Columns read and written together: more of them hold more memory, fewer open the inputs more often.
const COLUMNS_PER_PASS: usize = 4;
/// With less memory than this columns are taken one by one.
const MEMORY_FOR_MANY_COLUMNS: usize = 512 << 20;
/// Inputs of fewer rows are read once for all columns.
const SMALL_ROWS: u64 = 64 << 10;
/// Most bytes of one column of one segment.
const COLUMN_BYTES: u64 = 64 << 20;

/// Merges rowsets that follow each other into segments of `writer`; what deletes among them and the delete vectors of `version`
/// name is left out.
pub(super) fn merge(tablet: &Arc<Tablet>, schema: &TabletSchema, inputs: &[Arc<Rowset>], version: i64, writer: &RowsetWriter) -> Result<()> {
    let runs = tablet.sorted_runs(inputs, version)?;
    let rows: u64 = runs.iter().flatten().map(|p| p.rows.len() as u64).sum();
    if rows == 0 {
        return Ok(());
    }
    ensure!(runs.len() <= usize::from(u16::MAX), TooLarge, "{} overlapping segments are too many to merge at once", runs.len());
    let bytes = column_bytes(schema, inputs)?;
    let input_rows = inputs.iter().map(|r| r.meta().rows).sum::<u64>().max(1);
    let widest = bytes.iter().max().map_or(1, |b| b / input_rows).max(1);
    let settings = &tablet.shared().settings;
    let width = schema.columns.len();
    let step = match settings.compaction_bytes {
        _ if rows <= SMALL_ROWS => width,
        small if small < MEMORY_FOR_MANY_COLUMNS => 1,
        _ => COLUMNS_PER_PASS,
    };
    // The columns of a pass are held before encoding and after.
    let column_bytes_max = COLUMN_BYTES.min((settings.compaction_bytes / COLUMNS_PER_PASS) as u64);
    let segment_rows = settings.compaction_segment_rows.clamp(1, (column_bytes_max / widest).max(1 << 14) as usize);
    let combines = if combines_rows(schema.keys) { Combine::of_schema(schema, &tablet.shared().functions)? } else { Vec::new() };
    let mut merge = Merge { schema, runs, combines, segment_rows, memory: tablet.shared().compaction_tracker.empty_guard() };
    let order = merge.order()?;
    let page_rows = page_rows_for((bytes.iter().sum::<u64>() / input_rows) as usize);
    let options = EncodeOptions { compression: schema.compression, page_rows, flat_json: schema.flat_json };
    let mut segments = Vec::with_capacity(order.keys.len());
    for _ in &order.keys {
        let (ordinal, path) = writer.next_segment()?;
        segments.push((ordinal, SegmentWriter::create(&**tablet.dir().fs(), &path, schema.specs(), options)?));
    }
    for start in (0..width).step_by(step.max(1)) {
        merge.write(&order, start..(start + step).min(width), options.page_rows, &mut segments)?;
    }
    for ((ordinal, segment), keys) in segments.into_iter().zip(order.keys) {
        writer.add_segment(ordinal, segment.finish(keys)?);
    }
    Ok(())
}

/// Bytes of the values of each column before encoding.
fn column_bytes(schema: &TabletSchema, inputs: &[Arc<Rowset>]) -> Result<Vec<u64>> {
    let mut total = vec![0; schema.columns.len()];
    for rowset in inputs {
        for i in 0..rowset.segment_count() {
            for column in rowset.segment(i)?.columns() {
                if let Some(at) = schema.position_of(column.spec.uid) {
                    total[at] += column.data_bytes;
                }
            }
        }
    }
    Ok(total)
}

/// The order of the rows of all runs.
struct Order {
    /// The run of each row, in key order.
    runs: Vec<u16>,
    /// Whether a row begins a new key; empty when rows of equal key stay apart.
    starts: Vec<bool>,
    /// Rows that come out.
    rows: usize,
    /// Sort keys of each segment to write.
    keys: Vec<SortKeys>,
}

impl Order {
    /// The end of the rows from `start` on that make `rows` rows of output.
    fn end(&self, start: usize, rows: usize) -> usize {
        if self.starts.is_empty() {
            return (start + rows).min(self.runs.len());
        }
        let mut seen = 0;
        for (i, first) in self.starts[start..].iter().enumerate() {
            seen += usize::from(*first);
            if seen > rows {
                return start + i;
            }
        }
        self.runs.len()
    }
}

struct Merge<'a> {
    schema: &'a TabletSchema,
    runs: Vec<Vec<SegmentPart>>,
    /// Empty when rows of equal key stay apart.
    combines: Vec<Combine>,
    segment_rows: usize,
    memory: MemGuard,
}

impl Merge<'_> {
    fn open(&self, columns: &[usize]) -> Vec<SortedRun> {
        self.runs.iter().map(|parts| run_of(parts.clone(), Some(columns))).collect()
    }

    /// Reads the keys of all rows.
    fn order(&mut self) -> Result<Order> {
        let columns = self.schema.merge_keys();
        let total: usize = self.runs.iter().flatten().map(|p| p.rows.len()).sum();
        self.memory.grow(total * if self.combines.is_empty() { 2 } else { 3 })?;
        let mut order = Order { runs: Vec::with_capacity(total), starts: Vec::new(), rows: 0, keys: Vec::new() };
        let mut collector = KeyCollector::new(self.schema, self.segment_rows);
        // Without a key every row would go into one step.
        if columns.is_empty() {
            for (run, parts) in self.runs.iter().enumerate() {
                let mut rows = 0;
                for chunk in run_of(parts.clone(), Some(&[])) {
                    rows += chunk?.rows();
                }
                order.runs.resize(order.runs.len() + rows, run as u16);
                order.rows += rows;
                (0..rows).for_each(|_| collector.add(&[], 0));
            }
            order.keys = collector.finish();
            return Ok(order);
        }
        let mut merger = RunMerger::new(self.open(&columns), (0..columns.len()).collect(), Vec::new(), None);
        let mut of_row = Vec::new();
        while let Some(step) = merger.next_step()? {
            of_row.clear();
            for (run, rows) in &step.parts {
                of_row.resize(of_row.len() + rows, *run as u16);
            }
            let rows = step.rows.rows();
            let keys = step.rows.columns();
            let row = |i: usize| step.order.as_ref().map_or(i, |o| o[i] as usize);
            order.runs.extend((0..rows).map(|i| of_row[row(i)]));
            if self.combines.is_empty() {
                (0..rows).for_each(|i| collector.add(keys, row(i)));
                order.rows += rows;
            } else {
                let groups = Groups::find(keys, step.order.as_deref(), rows);
                let before = order.starts.len();
                order.starts.resize(before + rows, false);
                for start in groups.starts() {
                    order.starts[before + *start as usize] = true;
                    collector.add(keys, row(*start as usize));
                }
                order.rows += groups.len();
            }
            if rows > 0 {
                collector.seal(keys, row(rows - 1));
            }
        }
        order.keys = collector.finish();
        Ok(order)
    }

    /// Reads some columns along the order and writes them to all segments.
    fn write(&mut self, order: &Order, columns: Range<usize>, page_rows: usize, segments: &mut [(u32, SegmentWriter)]) -> Result<()> {
        let positions: Vec<usize> = columns.clone().collect();
        let mut cursors: Vec<Cursor> = self.open(&positions).into_iter().map(Cursor::new).collect();
        let base = self.memory.bytes();
        let (mut at, mut left) = (0, order.rows);
        for (_, writer) in segments {
            let mut wanted = self.segment_rows.min(left);
            left -= wanted;
            let mut pages: Vec<Vec<Column>> = vec![Vec::new(); positions.len()];
            while wanted > 0 {
                let rows = page_rows.min(wanted);
                let end = order.end(at, rows);
                let chunk = interleave(&order.runs[at..end], &mut cursors)?;
                let groups = (!self.combines.is_empty()).then(|| Groups::at(&order.starts[at..end]));
                for ((pages, column), i) in pages.iter_mut().zip(chunk.columns()).zip(&positions) {
                    let column = match &groups {
                        Some(groups) => self.combines[*i].apply(column, groups)?,
                        None => column.clone(),
                    };
                    // Bounded by the rows of a segment.
                    self.memory.force(self.memory.bytes() + column.memory_size());
                    pages.push(column);
                }
                at = end;
                wanted -= rows;
            }
            for pages in pages {
                writer.write_column(&pages)?;
            }
            self.memory.force(base);
        }
        Ok(())
    }
}

/// The rows of one run that are not taken yet.
struct Cursor {
    run: SortedRun,
    chunk: Chunk,
    at: usize,
}

impl Cursor {
    fn new(run: SortedRun) -> Self {
        Self { run, chunk: Chunk::new(Vec::new(), 0), at: 0 }
    }

    fn take(&mut self, mut rows: usize, out: &mut Vec<Chunk>) -> Result<()> {
        while rows > 0 {
            if self.at == self.chunk.rows() {
                let next = self.run.next().transpose()?;
                let Some(next) = next else { common_base::bail!(Internal, "a run ended {rows} rows early") };
                (self.chunk, self.at) = (next, 0);
            }
            let take = rows.min(self.chunk.rows() - self.at);
            out.push(self.chunk.slice(self.at, take));
            self.at += take;
            rows -= take;
        }
        Ok(())
    }
}

/// The next rows of the runs, in this order.
fn interleave(runs: &[u16], cursors: &mut [Cursor]) -> Result<Chunk> {
    let mut counts = vec![0u32; cursors.len()];
    for run in runs {
        counts[usize::from(*run)] += 1;
    }
    let (mut parts, mut offsets, mut offset) = (Vec::new(), vec![0u32; cursors.len()], 0);
    for (run, count) in counts.iter().enumerate().filter(|(_, c)| **c > 0) {
        offsets[run] = offset;
        offset += count;
        cursors[run].take(*count as usize, &mut parts)?;
    }
    let chunk = if parts.len() == 1 { parts.remove(0) } else { Chunk::concat(&parts) };
    if counts.iter().filter(|c| **c > 0).count() == 1 {
        return Ok(chunk);
    }
    let picks: Vec<u32> = runs
        .iter()
        .map(|run| {
            let next = &mut offsets[usize::from(*run)];
            *next += 1;
            *next - 1
        })
        .collect();
    Ok(chunk.gather(&picks))
}

/// Collects the sort keys of the segments while their rows pass by.
struct KeyCollector<'a> {
    schema: &'a TabletSchema,
    encodable: usize,
    segment_rows: usize,
    /// Rows of the current segment so far.
    rows: usize,
    done: Vec<SortKeys>,
}

impl<'a> KeyCollector<'a> {
    fn new(schema: &'a TabletSchema, segment_rows: usize) -> Self {
        let encodable = schema.sort_key.iter().take_while(|i| key_codec::is_encodable(&schema.columns[**i].ty)).count();
        Self { schema, encodable, segment_rows, rows: segment_rows, done: Vec::new() }
    }

    /// The next row that comes out; `keys` begin with the sort columns.
    fn add(&mut self, keys: &[Column], row: usize) {
        if self.rows == self.segment_rows {
            self.rows = 0;
            self.done.push(SortKeys::default());
        }
        let at = self.rows;
        self.rows += 1;
        if self.encodable == 0 {
            return;
        }
        let encode = |columns: usize, limit: usize, out: &mut Vec<u8>| {
            out.clear();
            key_codec::encode_row(&keys[..columns], row, out);
            out.truncate(limit);
        };
        let Some(segment) = self.done.last_mut() else { return };
        if at == 0 {
            segment.columns = self.schema.sort_key.iter().map(|i| *i as u32).collect();
            segment.short_columns = self.schema.short_key_columns.min(self.encodable) as u32;
            encode(self.encodable, END_KEY_BYTES, &mut segment.min);
        }
        if segment.short_columns > 0 && at % SHORT_KEY_ROWS == 0 {
            let mut key = Vec::new();
            encode(segment.short_columns as usize, SHORT_KEY_BYTES, &mut key);
            segment.index.push(&key);
        }
        if at + 1 == self.segment_rows {
            encode(self.encodable, END_KEY_BYTES, &mut segment.max);
        }
    }

    /// Whichever row came last may stay the last.
    fn seal(&mut self, keys: &[Column], row: usize) {
        if self.encodable == 0 {
            return;
        }
        if let Some(segment) = self.done.last_mut() {
            segment.max.clear();
            key_codec::encode_row(&keys[..self.encodable], row, &mut segment.max);
            segment.max.truncate(END_KEY_BYTES);
        }
    }

    fn finish(self) -> Vec<SortKeys> {
        self.done
    }
}
