//! The scan recipe: zone maps → filter columns, cheapest and sharpest first → other columns of the surviving rows only.
//!
//! A page is the unit of decision, a chunk of at most 4096 rows the unit of output. A column is decoded only when a row of
//! its page is still wanted. Chunks of few rows are gathered into larger ones.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::buffer::BooleanBuffer;
use common_base::{Result, bail, ensure};
use common_expr::eval::Selection;
use common_types::{CHUNK_ROWS, Chunk, Column, LogicalType, Repr, Scalar, mask_to_indices};
use roaring::RoaringBitmap;

use super::filter::{self, ChunkFilter, ColumnFilter, DynamicFilter, Verdicts};
use super::pruning::Pruned;
use super::reader::{ReadAhead, Segment};
use crate::column::meta::Zone;

/// Output chunks below this size are joined with the next ones.
const SMALL: usize = 512;

/// Where a column of the scan comes from.
#[derive(Clone, Debug)]
pub enum ScanColumn {
    /// A column of the segment by position, seen as this type.
    Stored(usize, LogicalType),
    /// A column the segment was written without.
    Constant(Scalar, LogicalType),
    /// Values of this type computed from a stored column (and one that says which of them are JSON null).
    Computed { from: usize, nulls: Option<usize>, ty: LogicalType, compute: Arc<dyn Compute> },
}

/// Values computed from those of a column.
pub trait Compute: std::fmt::Debug + Send + Sync {
    /// One value for each of the column; `nulls` marks the rows whose value is JSON null.
    fn compute(&self, column: &Column, nulls: Option<&Column>) -> Result<Column>;
}

/// A condition on one column of the scan.
#[derive(Clone, Debug)]
pub struct ScanFilter {
    /// Position in [`ScanSpec::columns`].
    pub column: usize,
    filter: Arc<dyn ColumnFilter>,
    verdicts: Arc<Verdicts>,
}

impl ScanFilter {
    /// Clones share what is found out about dictionaries.
    pub fn new(column: usize, filter: Arc<dyn ColumnFilter>) -> Self {
        Self { column, filter, verdicts: Arc::default() }
    }
}

/// A condition over several columns of the scan, evaluated after the single-column ones.
#[derive(Clone, Debug)]
pub struct ScanResidual {
    /// Positions in [`ScanSpec::columns`]; the filter sees a chunk of exactly these.
    pub columns: Vec<usize>,
    pub filter: Arc<dyn ChunkFilter>,
}

/// What the scans of a query found and skipped.
#[derive(Debug, Default)]
pub struct ScanMetrics {
    pub pages_pruned: AtomicU64,
    pub rows_pruned: AtomicU64,
    pub rows_read: AtomicU64,
    /// Stored bytes of the pages that were needed, wherever they came from.
    pub bytes_read: AtomicU64,
    pub rows_returned: AtomicU64,
    /// Rows that need no reading as bloom filters, ngram bloom filters and bitmap indexes say; zone maps were asked before.
    pub bloom_rows: AtomicU64,
    pub ngram_rows: AtomicU64,
    pub bitmap_rows: AtomicU64,
}

/// What to read of one segment.
#[derive(Clone, Debug, Default)]
pub struct ScanSpec {
    pub columns: Vec<ScanColumn>,
    /// Positions in `columns` that leave the scan, in order.
    pub output: Vec<usize>,
    pub filters: Vec<ScanFilter>,
    pub residuals: Vec<ScanResidual>,
    /// Position in `columns` and a condition that may change.
    pub dynamic: Vec<(usize, Arc<dyn DynamicFilter>)>,
    /// One bit per row of the segment: rows without it are deleted. `None` = all rows live.
    pub live: Option<BooleanBuffer>,
    /// The rows bitmap indexes leave, once that was asked; the inner `None` = all.
    pub picked: OnceLock<Option<Arc<RoaringBitmap>>>,
    pub metrics: Arc<ScanMetrics>,
}

struct FilterState {
    scan: ScanFilter,
    cost: f64,
    seen: u64,
    passed: u64,
    optional: bool,
    /// The zone map of the current page says that every row passes.
    all_pass: bool,
}

impl FilterState {
    fn new(scan: ScanFilter, cost: f64, optional: bool) -> Self {
        Self { scan, cost, seen: 0, passed: 0, optional, all_pass: false }
    }

    fn pass_rate(&self) -> f64 {
        (self.passed as f64 + 1.0) / (self.seen as f64 + 2.0)
    }

    /// Cost per row dropped: the order of evaluation.
    fn rank(&self) -> f64 {
        self.cost / (1.0 - self.pass_rate()).max(1e-6)
    }

    /// An optional filter that drops next to nothing is not worth running.
    fn is_idle(&self) -> bool {
        self.optional && self.seen > 32_768 && self.pass_rate() > 0.95
    }
}

struct DynamicState {
    column: usize,
    source: Arc<dyn DynamicFilter>,
    current: Option<FilterState>,
}

/// Rows of the current page that are wanted, page-relative.
enum Selected {
    Range(Range<usize>),
    Rows(Vec<u32>),
}

struct CurrentPage {
    page: usize,
    columns: Vec<Option<Column>>,
    selected: Selected,
    emitted: usize,
}

/// An iterator over the chunks of a row range of a segment.
pub struct SegmentScan {
    segment: Arc<Segment>,
    spec: Arc<ScanSpec>,
    next_row: usize,
    end_row: usize,
    filters: Vec<FilterState>,
    dynamic: Vec<DynamicState>,
    ahead: Vec<ReadAhead>,
    last_page: Vec<usize>,
    current: Option<CurrentPage>,
    small: Vec<Chunk>,
    small_rows: usize,
    picked: Option<Arc<RoaringBitmap>>,
}

impl Segment {
    /// The rows that the bitmap indexes leave for the filters of a scan.
    fn pick(&self, spec: &ScanSpec) -> Result<Option<Arc<RoaringBitmap>>> {
        let mut picked: Option<RoaringBitmap> = None;
        for filter in &spec.filters {
            if let ScanColumn::Stored(at, ty) = &spec.columns[filter.column]
                && let Some(kind) = filter.filter.predicate()
                && let Some(rows) = self.bitmap_rows(*at, ty, kind)?
            {
                picked = Some(picked.map_or(rows.clone(), |p| p & rows));
            }
        }
        Ok(picked.map(Arc::new))
    }

    /// Starts a scan of a row range.
    pub fn scan(self: &Arc<Self>, spec: Arc<ScanSpec>, rows: Range<u32>) -> Result<SegmentScan> {
        for column in &spec.columns {
            if let ScanColumn::Stored(at, _) | ScanColumn::Computed { from: at, .. } = column {
                ensure!(*at < self.stored().len(), Internal, "segment has {} columns, not {}", self.stored().len(), at + 1);
            }
        }
        let width = spec.columns.len();
        let cost = |column: usize| match &spec.columns[column] {
            ScanColumn::Constant(..) => 0.01,
            ScanColumn::Computed { .. } => 50.0,
            ScanColumn::Stored(at, ty) => match self.stored()[*at].kind {
                crate::column::meta::Kind::Integer | crate::column::meta::Kind::Dictionary => 1.0,
                crate::column::meta::Kind::Plain if ty.fixed_width().is_some() => 1.5,
                crate::column::meta::Kind::Plain => 10.0,
                crate::column::meta::Kind::FlatJson => 100.0,
            },
        };
        let filters = spec.filters.iter().map(|f| FilterState::new(f.clone(), cost(f.column), false)).collect();
        let dynamic = spec
            .dynamic
            .iter()
            .map(|(column, source)| DynamicState { column: *column, source: source.clone(), current: None })
            .collect();
        let picked = match spec.picked.get() {
            Some(known) => known.clone(),
            None => {
                let found = self.pick(&spec)?;
                spec.picked.get_or_init(|| found).clone()
            }
        };
        if let Some(live) = &spec.live {
            ensure!(live.len() == self.rows() as usize, Internal, "{} live bits for a segment of {} rows", live.len(), self.rows());
        }
        Ok(SegmentScan {
            next_row: rows.start as usize,
            end_row: rows.end.min(self.rows()) as usize,
            filters,
            dynamic,
            ahead: (0..width).map(|_| ReadAhead::default()).collect(),
            last_page: vec![usize::MAX; width],
            current: None,
            small: Vec::new(),
            small_rows: 0,
            picked,
            segment: self.clone(),
            spec,
        })
    }
}

impl SegmentScan {
    /// The next chunk; `None` at the end.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        loop {
            while let Some(chunk) = self.emit()? {
                self.spec.metrics.rows_returned.fetch_add(chunk.rows() as u64, Ordering::Relaxed);
                if chunk.rows() >= SMALL && self.small.is_empty() {
                    return Ok(Some(chunk));
                }
                if self.small_rows + chunk.rows() > CHUNK_ROWS {
                    let full = self.take_small();
                    self.keep_small(chunk);
                    return Ok(full);
                }
                self.keep_small(chunk);
                if self.small_rows >= CHUNK_ROWS / 2 {
                    return Ok(self.take_small());
                }
            }
            if self.next_row >= self.end_row {
                return Ok(self.take_small());
            }
            let page_rows = self.segment.page_rows();
            let page = self.next_row / page_rows;
            let start = self.next_row - page * page_rows;
            let end = (self.end_row - page * page_rows).min(page_rows);
            self.next_row = page * page_rows + end;
            self.current = self.select(page, start..end)?;
        }
    }

    fn keep_small(&mut self, chunk: Chunk) {
        self.small_rows += chunk.rows();
        self.small.push(chunk);
    }

    fn take_small(&mut self) -> Option<Chunk> {
        let rows = std::mem::take(&mut self.small_rows);
        let parts = std::mem::take(&mut self.small);
        match parts.len() {
            0 => None,
            _ if self.spec.output.is_empty() => Some(Chunk::new(Vec::new(), rows)),
            _ => Some(Chunk::concat(&parts)),
        }
    }

    fn zone(&self, column: usize, page: usize) -> Zone {
        let rows = self.segment.rows_of_page(page);
        match &self.spec.columns[column] {
            ScanColumn::Constant(value, _) => {
                let nulls = if value.is_null() { rows as u64 } else { 0 };
                Zone { min: value.clone(), max: value.clone(), nulls, rows: rows as u64 }
            }
            ScanColumn::Stored(at, _) => self.segment.stored()[*at].zone(page, rows),
            ScanColumn::Computed { .. } => Zone::unknown(),
        }
    }

    /// What the zone map says of a filter: false when no row of the page can pass.
    fn judge(&self, state: &mut FilterState, page: usize) -> bool {
        let zone = self.zone(state.scan.column, page);
        state.all_pass = state.scan.filter.all_match(&zone);
        state.scan.filter.may_match(&zone)
    }

    /// Finds the wanted rows of a window of a page; `None` when there are none.
    fn select(&mut self, page: usize, window: Range<usize>) -> Result<Option<CurrentPage>> {
        let metrics = self.spec.metrics.clone();
        self.refresh_dynamic();
        let mut filters = std::mem::take(&mut self.filters);
        let mut dynamic = std::mem::take(&mut self.dynamic);
        let alive = filters.iter_mut().chain(dynamic.iter_mut().filter_map(|d| d.current.as_mut())).all(|f| self.judge(f, page));
        self.filters = filters;
        self.dynamic = dynamic;
        if !alive {
            metrics.pages_pruned.fetch_add(1, Ordering::Relaxed);
            metrics.rows_pruned.fetch_add(window.len() as u64, Ordering::Relaxed);
            return Ok(None);
        }
        if let Some(by) = self.ruled_out(page)? {
            let counter = if by == Pruned::Bloom { &metrics.bloom_rows } else { &metrics.ngram_rows };
            counter.fetch_add(window.len() as u64, Ordering::Relaxed);
            return Ok(None);
        }
        let Some(selected) = self.live_rows(page, &window) else { return Ok(None) };
        metrics.rows_read.fetch_add(window.len() as u64, Ordering::Relaxed);
        let mut current = CurrentPage { page, columns: vec![None; self.spec.columns.len()], selected, emitted: 0 };
        let mut filters = std::mem::take(&mut self.filters);
        filters.sort_by(|a, b| a.rank().total_cmp(&b.rank()));
        let mut outcome = self.run_filters(&mut filters, &mut current, &window);
        self.filters = filters;
        if outcome.as_ref().is_ok_and(|alive| *alive) {
            let mut dynamic = std::mem::take(&mut self.dynamic);
            for state in dynamic.iter_mut().filter_map(|d| d.current.as_mut()).filter(|s| !s.is_idle()) {
                if !matches!(outcome, Ok(true)) {
                    break;
                }
                outcome = self.run_filters(std::slice::from_mut(state), &mut current, &window);
            }
            self.dynamic = dynamic;
        }
        if !outcome? {
            return Ok(None);
        }
        for i in 0..self.spec.residuals.len() {
            if !self.run_residual(i, &mut current)? {
                return Ok(None);
            }
        }
        Ok(Some(current))
    }

    /// What an index says of the page, if it holds no wanted row.
    fn ruled_out(&self, page: usize) -> Result<Option<Pruned>> {
        for state in &self.filters {
            if let ScanColumn::Stored(at, ty) = &self.spec.columns[state.scan.column]
                && let Some(kind) = state.scan.filter.predicate().filter(|_| !state.all_pass)
                && let Some(by) = self.segment.ruled_out(*at, ty, page, kind)?
            {
                return Ok(Some(by));
            }
        }
        Ok(None)
    }

    /// The rows of a window of a page that are not deleted and that bitmap indexes leave; `None` when there are none.
    fn live_rows(&self, page: usize, window: &Range<usize>) -> Option<Selected> {
        let first = page * self.segment.page_rows();
        if let Some(picked) = &self.picked {
            let (start, end) = ((first + window.start) as u32, (first + window.end) as u32);
            let live = |row: &u32| self.spec.live.as_ref().is_none_or(|live| live.value(*row as usize));
            let rows: Vec<u32> = picked.range(start..end).filter(live).map(|row| row - first as u32).collect();
            self.spec.metrics.bitmap_rows.fetch_add((window.len() - rows.len()) as u64, Ordering::Relaxed);
            return (!rows.is_empty()).then_some(Selected::Rows(rows));
        }
        let Some(live) = &self.spec.live else { return Some(Selected::Range(window.clone())) };
        let mask = live.slice(first + window.start, window.len());
        let count = mask.count_set_bits();
        if count == window.len() {
            return Some(Selected::Range(window.clone()));
        }
        if count == 0 {
            return None;
        }
        let mut rows = mask_to_indices(&mask, count);
        let start = window.start as u32;
        if start > 0 {
            rows.iter_mut().for_each(|r| *r += start);
        }
        Some(Selected::Rows(rows))
    }

    fn refresh_dynamic(&mut self) {
        for state in &mut self.dynamic {
            let Some(now) = state.source.current() else {
                state.current = None;
                continue;
            };
            if state.current.as_ref().is_none_or(|known| !Arc::ptr_eq(&known.scan.filter, &now)) {
                state.current = Some(FilterState::new(ScanFilter::new(state.column, now), 1.0, true));
            }
        }
    }

    /// Narrows the selection filter by filter; false when no row is left.
    fn run_filters(&mut self, filters: &mut [FilterState], current: &mut CurrentPage, window: &Range<usize>) -> Result<bool> {
        for state in filters.iter_mut().filter(|s| !s.all_pass) {
            let column = self.load(current, state.scan.column)?;
            let run = |column: &Column| filter::run(&*state.scan.filter, &state.scan.verdicts, column, self.segment.rows() as usize);
            let before;
            let after = match &mut current.selected {
                Selected::Range(range) => {
                    before = range.len();
                    let mask = run(&column.slice(range.start, range.len()))?;
                    let count = mask.count_set_bits();
                    if count > 0 && count < before {
                        let mut rows = mask_to_indices(&mask, count);
                        let start = range.start as u32;
                        if start > 0 {
                            rows.iter_mut().for_each(|r| *r += start);
                        }
                        current.selected = Selected::Rows(rows);
                    }
                    count
                }
                Selected::Rows(rows) => {
                    before = rows.len();
                    let (mut at, mut kept) = (0, 0);
                    // Few rows are picked out first; many are tested in place.
                    if rows.len() * 4 < window.len() {
                        let mask = run(&column.gather(rows))?;
                        while at < rows.len() {
                            rows[kept] = rows[at];
                            kept += usize::from(mask.value(at));
                            at += 1;
                        }
                    } else {
                        let mask = run(&column.slice(window.start, window.len()))?;
                        while at < rows.len() {
                            let row = rows[at];
                            rows[kept] = row;
                            kept += usize::from(mask.value(row as usize - window.start));
                            at += 1;
                        }
                    }
                    rows.truncate(kept);
                    kept
                }
            };
            state.seen += before as u64;
            state.passed += after as u64;
            if after == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn run_residual(&mut self, i: usize, current: &mut CurrentPage) -> Result<bool> {
        let spec = self.spec.clone();
        let residual = &spec.residuals[i];
        let columns = residual.columns.iter().map(|c| self.load(current, *c)).collect::<Result<Vec<_>>>()?;
        let total = match &current.selected {
            Selected::Range(range) => range.len(),
            Selected::Rows(rows) => rows.len(),
        };
        let mut kept: Vec<u32> = Vec::new();
        for at in (0..total).step_by(CHUNK_ROWS) {
            let len = (total - at).min(CHUNK_ROWS);
            let (piece, row_of): (Vec<Column>, Box<dyn Fn(u32) -> u32>) = match &current.selected {
                Selected::Range(range) => {
                    let start = range.start + at;
                    (columns.iter().map(|c| c.slice(start, len)).collect(), Box::new(move |i| start as u32 + i))
                }
                Selected::Rows(rows) => {
                    let rows = &rows[at..at + len];
                    (columns.iter().map(|c| c.gather(rows)).collect(), Box::new(move |i| rows[i as usize]))
                }
            };
            match residual.filter.select(&Chunk::new(piece, len))? {
                Selection::All(_) => kept.extend((0..len as u32).map(row_of)),
                Selection::Rows(rows) => kept.extend(rows.into_iter().map(row_of)),
            }
        }
        if kept.len() < total {
            current.selected = Selected::Rows(kept);
        }
        Ok(match &current.selected {
            Selected::Range(range) => !range.is_empty(),
            Selected::Rows(rows) => !rows.is_empty(),
        })
    }

    /// A whole column of the current page.
    fn load(&mut self, current: &mut CurrentPage, column: usize) -> Result<Column> {
        if let Some(loaded) = &current.columns[column] {
            return Ok(loaded.clone());
        }
        let page = current.page;
        let spec = self.spec.clone();
        let loaded = match &spec.columns[column] {
            ScanColumn::Constant(value, ty) => Column::constant(value.clone(), ty.clone(), self.segment.rows_of_page(page)),
            ScanColumn::Stored(at, ty) => relabel(self.stored_page(column, *at, page)?, ty)?,
            ScanColumn::Computed { from, nulls, compute, .. } => {
                let (values, nulls) = self.computed_from(column, *from, *nulls, page)?;
                compute.compute(&values, nulls.as_ref())?
            }
        };
        current.columns[column] = Some(loaded.clone());
        Ok(loaded)
    }

    fn stored_page(&mut self, column: usize, at: usize, page: usize) -> Result<Column> {
        // Read ahead when this column is read page after page (or is the first thing read).
        let sequential = self.last_page[column] == usize::MAX || self.last_page[column] + 1 == page;
        let end = if sequential { self.end_row.div_ceil(self.segment.page_rows()) } else { page + 1 };
        self.last_page[column] = page;
        self.spec.metrics.bytes_read.fetch_add(self.segment.stored_bytes_of(at, page), Ordering::Relaxed);
        self.segment.page_ahead(at, page, end, &mut self.ahead[column])
    }

    fn computed_from(&mut self, column: usize, from: usize, nulls: Option<usize>, page: usize) -> Result<(Column, Option<Column>)> {
        let values = self.stored_page(column, from, page)?;
        Ok((values, nulls.map(|at| self.segment.page(at, page)).transpose()?))
    }

    /// A column of the selected rows `emitted..emitted + len` of the current page. What is computed is computed for these alone.
    fn selected(&mut self, current: &mut CurrentPage, column: usize, len: usize) -> Result<Column> {
        let spec = self.spec.clone();
        let (from, selected) = (current.emitted, &current.selected);
        let cut = |page: &Column| match selected {
            Selected::Range(range) => page.slice(range.start + from, len),
            Selected::Rows(rows) => page.gather(&rows[from..from + len]),
        };
        if let (ScanColumn::Computed { from: at, nulls, compute, .. }, None) = (&spec.columns[column], &current.columns[column]) {
            let (values, nulls) = self.computed_from(column, *at, *nulls, current.page)?;
            return compute.compute(&cut(&values), nulls.as_ref().map(&cut).as_ref());
        }
        let loaded = self.load(current, column)?;
        Ok(match &current.selected {
            Selected::Range(range) => loaded.slice(range.start + from, len),
            Selected::Rows(rows) => loaded.gather(&rows[from..from + len]),
        })
    }

    /// The next chunk of the current page; `None` when it is used up.
    fn emit(&mut self) -> Result<Option<Chunk>> {
        let Some(mut current) = self.current.take() else { return Ok(None) };
        let total = match &current.selected {
            Selected::Range(range) => range.len(),
            Selected::Rows(rows) => rows.len(),
        };
        let len = (total - current.emitted).min(CHUNK_ROWS);
        if len == 0 {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(self.spec.output.len());
        let spec = self.spec.clone();
        for &column in &spec.output {
            columns.push(self.selected(&mut current, column, len)?);
        }
        current.emitted += len;
        self.current = Some(current);
        Ok(Some(Chunk::new(columns, len)))
    }
}

impl Iterator for SegmentScan {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk().transpose()
    }
}

/// The same values under the type the table has now: widened integers and longer strings cost nothing.
pub fn relabel(column: Column, ty: &LogicalType) -> Result<Column> {
    if column.ty() == ty {
        return Ok(column);
    }
    let widens = column.ty().is_integer() && ty.is_integer();
    Ok(match column.repr() {
        Repr::Const(Scalar::Null) => Column::null(ty.clone(), column.len()),
        Repr::Const(value) if widens => match value.as_i128().and_then(|v| Scalar::from_i128(ty, v)) {
            Some(value) => Column::constant(value, ty.clone(), column.len()),
            None => bail!(Internal, "column of {} read as {ty}", column.ty()),
        },
        Repr::Narrow { ints, bounds } if widens => Column::narrow(ints.clone(), *bounds, ty.clone()),
        _ if column.ty().same_kind(ty) => column.with_type(ty.clone()),
        _ => bail!(NotSupported, "reading a column stored as {} as {ty} is not supported yet", column.ty()),
    })
}
