//! Table scans: the executor's [`ScanSource`] over tablets.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use arrow::buffer::BooleanBuffer;
use be_exec::{
    runtime::{filter_hub::FilterSlot, top_n_bound::TopNBound},
    scan::{MorselReader, ScanColumn, ScanProvider, ScanRequest, ScanSource},
};
use be_segment::{ColumnFilter, DynamicFilter, ScanMetrics, Zone};
use be_storage::{Morsel, MorselScan, ReadColumn, ReadSpec, StorageEngine, TabletRead, read::{JsonPathRead, residual}};
use common_base::{Result, ids::TabletId};
use common_expr::{predicate, scalar_fn::EvalContext};
use common_types::{Bounds, Chunk, Column, Scalar, compare::compare_scalars};
use parking_lot::Mutex;

/// Scans over the tablets of this process.
pub struct StorageScans {
    pub engine: Arc<StorageEngine>,
}

impl ScanProvider for StorageScans {
    fn open(&self, request: ScanRequest) -> Result<Arc<dyn ScanSource>> {
        let (predicates, rest) = predicate::extract_all(&request.predicates);
        let mut dynamic: Vec<(usize, Arc<dyn DynamicFilter>)> = Vec::new();
        for filter in &request.filters {
            // A filter on an expression is left to the join itself.
            if let Some(column) = filter.probe.as_column() {
                dynamic.push((column as usize, Arc::new(JoinFilter { slot: filter.slot.clone(), current: Mutex::new(None) })));
            }
        }
        if let Some((bound, column)) = &request.top_n {
            dynamic.push((*column as usize, Arc::new(BoundFilter { bound: bound.clone(), current: Mutex::new((0, None)) })));
        }
        let metrics = Arc::new(ScanMetrics::default());
        let spec = ReadSpec {
            columns: request.columns.iter().map(|c| read_column(c, &request.eval)).collect::<Result<_>>()?,
            output: request.output.iter().map(|c| *c as usize).collect(),
            predicates,
            residuals: residual(&rest, &request.eval).into_iter().collect(),
            dynamic,
            metrics: metrics.clone(),
            unmerged: !request.merge,
            memory: Some(request.memory.clone()),
        };
        let mut reads: Vec<TabletRead> = Vec::with_capacity(request.ranges.len());
        for range in &request.ranges {
            let tablet = self.engine.tablet(TabletId(range.tablet_id))?;
            reads.push(tablet.read(range.version, &spec)?);
        }
        let bounds = spec.output.iter().map(|c| union_bounds(&reads, *c)).collect();
        let rows = reads.iter().map(|r| r.rows).sum();
        let morsels = reads.into_iter().flat_map(|r| r.morsels).collect();
        Ok(Arc::new(StorageScan { engine: self.engine.clone(), morsels, bounds, rows, metrics }))
    }
}

fn read_column(column: &ScanColumn, eval: &Arc<EvalContext>) -> Result<ReadColumn> {
    let path = column.json_path.clone().map(|expr| JsonPathRead::new(expr, eval.clone())).transpose()?;
    Ok(ReadColumn { uid: column.uid, ty: column.ty.clone(), before: Some(column.before.clone()), path: path.map(Arc::new) })
}

fn union_bounds(reads: &[TabletRead], column: usize) -> Option<Bounds> {
    let mut merged: Option<Bounds> = None;
    for read in reads.iter().filter(|r| r.rows > 0) {
        let bounds = (*read.bounds.get(column)?)?;
        merged = Some(merged.map_or(bounds, |m| m.union(bounds)));
    }
    merged
}

struct StorageScan {
    engine: Arc<StorageEngine>,
    morsels: Vec<Morsel>,
    bounds: Vec<Option<Bounds>>,
    rows: u64,
    metrics: Arc<ScanMetrics>,
}

impl ScanSource for StorageScan {
    fn take_counters(&self) -> Vec<(&'static str, u64)> {
        let m = &self.metrics;
        [
            ("ZoneMapFilterRows", &m.rows_pruned),
            ("BloomFilterFilterRows", &m.bloom_rows),
            ("NgramBloomFilterFilterRows", &m.ngram_rows),
            ("BitmapIndexFilterRows", &m.bitmap_rows),
        ]
        .map(|(name, count)| (name, count.swap(0, Ordering::Relaxed)))
        .into_iter()
        .filter(|(_, rows)| *rows > 0)
        .collect()
    }

    fn morsels(&self) -> usize {
        self.morsels.len()
    }

    fn open_morsel(&self, index: usize) -> Result<Box<dyn MorselReader>> {
        let morsel = &self.morsels[index];
        Ok(Box::new(Reader { scan: morsel.scan()?, rows: morsel.rows() as u64, metrics: self.metrics.clone(), engine: self.engine.clone() }))
    }

    fn bounds(&self, output: usize) -> Option<Bounds> {
        self.bounds[output]
    }

    fn max_rows(&self) -> u64 {
        self.rows
    }
}

struct Reader {
    scan: MorselScan,
    rows: u64,
    metrics: Arc<ScanMetrics>,
    engine: Arc<StorageEngine>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let totals = self.engine.metrics();
        totals.scan_rows.add(self.metrics.rows_read.swap(0, Ordering::Relaxed));
        totals.scan_bytes.add(self.metrics.bytes_read.swap(0, Ordering::Relaxed));
    }
}

impl MorselReader for Reader {
    fn next(&mut self) -> Result<Option<Chunk>> {
        loop {
            match self.scan.next_chunk()? {
                Some(chunk) if chunk.rows() == 0 => {}
                other => return Ok(other),
            }
        }
    }

    fn progress(&self) -> (u64, u64) {
        (self.rows, 0)
    }
}

/// A join's filter once its build side is there.
struct JoinFilter {
    slot: Arc<FilterSlot>,
    current: Mutex<Option<Arc<dyn ColumnFilter>>>,
}

impl fmt::Debug for JoinFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinFilter")
    }
}

impl DynamicFilter for JoinFilter {
    fn current(&self) -> Option<Arc<dyn ColumnFilter>> {
        let filter = self.slot.get()?;
        let mut current = self.current.lock();
        Some(current.get_or_insert_with(|| filter.clone() as Arc<dyn ColumnFilter>).clone())
    }
}

/// The bound of a TopN above, as a condition that sharpens.
struct BoundFilter {
    bound: Arc<TopNBound>,
    /// (version, condition)
    current: Mutex<(u64, Option<Arc<dyn ColumnFilter>>)>,
}

impl fmt::Debug for BoundFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundFilter")
    }
}

impl DynamicFilter for BoundFilter {
    fn current(&self) -> Option<Arc<dyn ColumnFilter>> {
        let version = self.bound.version();
        let mut current = self.current.lock();
        if current.0 != version {
            let value = self.bound.get()?;
            let beyond = Beyond { value, descending: self.bound.descending, nulls_first: self.bound.nulls_first };
            *current = (version, Some(Arc::new(beyond)));
        }
        current.1.clone()
    }
}

/// Rows not beyond a value in a sort order.
#[derive(Debug)]
struct Beyond {
    value: Scalar,
    descending: bool,
    nulls_first: bool,
}

impl ColumnFilter for Beyond {
    fn may_match(&self, zone: &Zone) -> bool {
        if self.value.is_null() {
            // NULLs last: everything that is not NULL comes before; NULLs first: only NULLs are as good.
            return !self.nulls_first || zone.nulls > 0;
        }
        if zone.nulls > 0 && self.nulls_first {
            return true;
        }
        let best = if self.descending { &zone.max } else { &zone.min };
        best.is_null() || self.keeps(best)
    }

    fn matches(&self, column: &Column) -> Result<BooleanBuffer> {
        let rows = column.len();
        if self.value.is_null() {
            let keep_values = !self.nulls_first;
            return Ok(BooleanBuffer::collect_bool(rows, |row| column.is_null(row) || keep_values));
        }
        let nulls = column.nulls();
        let kept_null = self.nulls_first;
        let is_null = |row: usize| nulls.as_ref().is_some_and(|n| n.is_null(row));
        if let (Some(ints), Some(bound)) = (column.ints_i64(), self.value.as_i64().or_else(|| self.value.as_i128().and_then(|v| i64::try_from(v).ok()))) {
            let descending = self.descending;
            return Ok(BooleanBuffer::collect_bool(rows, |row| {
                if is_null(row) {
                    return kept_null;
                }
                let value = ints.get(row);
                if descending { value >= bound } else { value <= bound }
            }));
        }
        Ok(BooleanBuffer::collect_bool(rows, |row| if is_null(row) { kept_null } else { self.keeps(&column.scalar(row)) }))
    }
}

impl Beyond {
    /// Equal values stay: the keys after the first decide.
    fn keeps(&self, value: &Scalar) -> bool {
        let order = compare_scalars(value, &self.value);
        if self.descending { order.is_ge() } else { order.is_le() }
    }
}
