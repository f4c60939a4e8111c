//! Opens a tablet at a version: whole segments are skipped by their extremes, rows by the short-key index; what is left is cut
//! into morsels that any thread can scan on its own.

use std::ops::Range;
use std::sync::Arc;

use be_segment::{DynamicFilter, ScanColumn, ScanFilter, ScanMetrics, ScanResidual, ScanSpec, Segment, SegmentScan, Zone};
use common_base::{MemTracker, Result, ResultExt, bail, err, fail_point};
use common_expr::predicate::{Bound, ColumnPredicate};
use common_types::{Bounds, Chunk, LogicalType, Scalar, key_codec};

use super::json_path::JsonPathRead;
use super::delete_predicates::{DeletePredicate, KeepRows, keep_column};
use super::merged::{MergePlan, MergeScan};
use super::split::split;
use crate::memtable::flush::SHORT_KEY_BYTES;
use crate::merge::combines_rows;
use crate::rowset::Rowset;
use crate::tablet::{Tablet, TabletSchema};

/// One column to read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadColumn {
    pub uid: u64,
    pub ty: LogicalType,
    /// What rows written before the column existed have; `None` = what the tablet's schema says.
    pub before: Option<Scalar>,
    /// Read this instead of the column itself; `ty` is its type.
    pub path: Option<Arc<JsonPathRead>>,
}

impl ReadColumn {
    /// A column the tablet's schema knows.
    pub fn new(uid: u64, ty: LogicalType) -> Self {
        Self { uid, ty, before: None, path: None }
    }
}

/// What to read of a tablet.
#[derive(Clone, Debug, Default)]
pub struct ReadSpec {
    pub columns: Vec<ReadColumn>,
    /// Ordinals of `columns` that leave the scan, in order.
    pub output: Vec<usize>,
    /// Conditions on single columns; their column is an ordinal of `columns`.
    pub predicates: Vec<ColumnPredicate>,
    /// Conditions over several columns.
    pub residuals: Vec<ScanResidual>,
    /// Ordinal of `columns` and a condition that may appear while the scan runs.
    pub dynamic: Vec<(usize, Arc<dyn DynamicFilter>)>,
    /// Where the scans count.
    pub metrics: Arc<ScanMetrics>,
    /// Rows of equal key may come out one by one although the table's model combines them: whoever reads combines them.
    pub unmerged: bool,
    /// Pays for what a merge holds.
    pub memory: Option<Arc<MemTracker>>,
}

/// Rows that one thread reads.
#[derive(Clone, Debug)]
pub struct Morsel {
    tablet: Arc<Tablet>,
    work: Work,
}

#[derive(Clone, Debug)]
enum Work {
    /// Some rows of one segment.
    Segment(SegmentPart),
    /// Segments whose rows of equal key become one.
    Merge(Arc<MergePlan>),
}

/// Rows of one segment under its conditions.
#[derive(Clone, Debug)]
pub(crate) struct SegmentPart {
    /// Keeps the files while they are read.
    pub _rowset: Arc<Rowset>,
    pub segment: Arc<Segment>,
    pub spec: Arc<ScanSpec>,
    pub rows: Range<u32>,
}

/// A tablet opened for reading.
#[derive(Debug)]
pub struct TabletRead {
    pub morsels: Vec<Morsel>,
    /// Rows of the morsels: no more than these come out.
    pub rows: u64,
    /// Bounds of each column of the spec over all morsels, when every segment knows them.
    pub bounds: Vec<Option<Bounds>>,
    /// Whether delete predicates can remove rows: then metadata does not answer counts and extremes.
    pub has_deletes: bool,
}

impl Morsel {
    /// Rows it looks at.
    pub fn rows(&self) -> usize {
        match &self.work {
            Work::Segment(part) => part.rows.len(),
            Work::Merge(plan) => plan.rows(),
        }
    }

    /// Starts the scan.
    pub fn scan(&self) -> Result<MorselScan> {
        let scan = match &self.work {
            Work::Segment(part) => Scan::Segment(Box::new(part.segment.scan(part.spec.clone(), part.rows.clone())?)),
            Work::Merge(plan) => Scan::Merge(Box::new(plan.scan()?)),
        };
        Ok(MorselScan { morsel: self.clone(), scan })
    }
}

enum Scan {
    Segment(Box<SegmentScan>),
    Merge(Box<MergeScan>),
}

/// A running scan of a morsel.
pub struct MorselScan {
    morsel: Morsel,
    scan: Scan,
}

impl MorselScan {
    /// The next chunk; `None` at the end. A damaged file is named and takes its tablet out of use.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let tablet = &self.morsel.tablet;
        let next = match &mut self.scan {
            Scan::Segment(scan) => SegmentScan::next_chunk(scan),
            Scan::Merge(scan) => scan.next_chunk(),
        };
        next.with_context(|| format!("scanning tablet {}", tablet.id()))
            .inspect_err(|e| tablet.note_failure(e))
    }
}

impl Iterator for MorselScan {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk().transpose()
    }
}

impl Tablet {
    /// Opens the tablet at a version.
    pub fn read(self: &Arc<Self>, version: i64, spec: &ReadSpec) -> Result<TabletRead> {
        self.check()?;
        self.open(version, spec)
            .with_context(|| format!("reading tablet {} at version {version}", self.id()))
            .inspect_err(|e| self.note_failure(e))
    }

    fn open(self: &Arc<Self>, version: i64, spec: &ReadSpec) -> Result<TabletRead> {
        let known = if fail_point!("planted.read.lagging")?.is_some() { version.min(self.versions().max()) } else { version };
        let rowsets = self.versions().at(known)?;
        if combines_rows(self.schema().keys) && !spec.unmerged {
            return self.read_merged(&rowsets, spec);
        }
        self.read_rowsets(&rowsets, version, spec)
    }

    /// Opens rowsets that follow each other; deletes among them apply to those before. Rows that a primary key's delete vectors of
    /// `version` name are left out. Rows of equal key stay apart.
    pub(crate) fn read_rowsets(self: &Arc<Self>, rowsets: &[Arc<Rowset>], version: i64, spec: &ReadSpec) -> Result<TabletRead> {
        let schema = self.schema();
        let filters = filters_of(spec);
        let mut opening = Opening::new(spec);
        for (i, rowset) in rowsets.iter().enumerate() {
            if rowset.meta().rows == 0 {
                continue;
            }
            // Deletes of later versions only: rows loaded afterwards stay.
            let deletes: Vec<&DeletePredicate> = rowsets[i + 1..].iter().filter_map(|r| r.delete_predicate()).collect();
            for s in 0..rowset.segment_count() {
                let segment = rowset.segment(s)?;
                let Some(mut opened) = self.open_segment(rowset, &segment, &schema, spec, &filters, &deletes)? else { continue };
                opened.spec.live = rowset.deletes(s).live_at(version);
                opened.deletes |= opened.spec.live.is_some();
                opening.add_segment(self, rowset, segment, opened);
            }
        }
        Ok(opening.finish())
    }

    /// The scan of one segment; `None` when no row of it can be wanted.
    pub(super) fn open_segment(
        &self,
        rowset: &Rowset,
        segment: &Segment,
        schema: &TabletSchema,
        spec: &ReadSpec,
        filters: &[ScanFilter],
        deletes: &[&DeletePredicate],
    ) -> Result<Option<OpenedSegment>> {
        let mut columns = spec
            .columns
            .iter()
            .map(|c| self.scan_column(segment, schema, c))
            .collect::<Result<Vec<_>>>()?;
        for predicate in &spec.predicates {
            let Some(column) = columns.get(predicate.column as usize) else {
                bail!(Internal, "predicate on column {} of {}", predicate.column, columns.len())
            };
            let zone = zone_of(segment, column);
            if !predicate.may_match(&zone.min, &zone.max, zone.nulls, zone.rows) {
                spec.metrics.rows_pruned.fetch_add(segment.rows().into(), std::sync::atomic::Ordering::Relaxed);
                return Ok(None);
            }
        }
        let mut filters = filters.to_vec();
        let mut residuals = spec.residuals.clone();
        let mut has_deletes = false;
        for delete in deletes {
            let mut conjuncts = Vec::new();
            let mut touches = true;
            for (uid, predicate) in delete.conjuncts() {
                let read = ReadColumn::new(uid, predicate.ty.clone());
                let column = self.scan_column(segment, schema, &read)?;
                let zone = zone_of(segment, &column);
                touches &= predicate.may_match(&zone.min, &zone.max, zone.nulls, zone.rows);
                conjuncts.push((column, predicate));
            }
            if !touches {
                continue;
            }
            has_deletes = true;
            let mut at = Vec::with_capacity(conjuncts.len());
            for (column, _) in &conjuncts {
                columns.push(column.clone());
                at.push(columns.len() - 1);
            }
            if let [(_, predicate)] = conjuncts.as_slice() {
                filters.push(ScanFilter::new(at[0], keep_column(predicate)));
            } else {
                let predicates = conjuncts.iter().map(|(_, p)| (*p).clone()).collect();
                residuals.push(ScanResidual { columns: at, filter: Arc::new(KeepRows(predicates)) });
            }
        }
        let rows = key_range(segment, &columns, &spec.predicates)?;
        if rows.is_empty() {
            return Ok(None);
        }
        spec.metrics.rows_pruned.fetch_add((segment.rows() as usize - rows.len()) as u64, std::sync::atomic::Ordering::Relaxed);
        let scan = ScanSpec {
            columns,
            output: spec.output.clone(),
            filters,
            residuals,
            dynamic: spec.dynamic.clone(),
            live: None,
            picked: Default::default(),
            metrics: spec.metrics.clone(),
        };
        debug_assert!(rowset.meta().rows > 0, "empty rowsets have no segments");
        Ok(Some(OpenedSegment { spec: scan, rows, deletes: has_deletes }))
    }

    pub(super) fn scan_column(&self, segment: &Segment, schema: &TabletSchema, column: &ReadColumn) -> Result<ScanColumn> {
        if let Some(path) = &column.path {
            let whole = ReadColumn { ty: LogicalType::Json, path: None, ..column.clone() };
            return path.scan_column(segment, self.scan_column(segment, schema, &whole)?);
        }
        if let Some(at) = segment.position_of(column.uid) {
            return Ok(ScanColumn::Stored(at, column.ty.clone()));
        }
        // The catalog may know columns that no load has brought here yet.
        if let Some(before) = &column.before {
            return Ok(ScanColumn::Constant(before.clone(), column.ty.clone()));
        }
        let at = schema
            .position_of(column.uid)
            .ok_or_else(|| err!(UnknownColumn, "tablet {} has no column {} (schema version {})", self.id(), column.uid, schema.version))?;
        Ok(ScanColumn::Constant(schema.columns[at].default.clone(), column.ty.clone()))
    }
}

pub(super) struct OpenedSegment {
    pub spec: ScanSpec,
    pub rows: Range<u32>,
    pub deletes: bool,
}

/// The conditions on single columns, with verdicts on dictionaries shared by all segments.
pub(super) fn filters_of(spec: &ReadSpec) -> Vec<ScanFilter> {
    spec.predicates.iter().map(|p| ScanFilter::new(p.column as usize, Arc::new(p.clone()))).collect()
}

/// A read being put together.
pub(super) struct Opening {
    read: TabletRead,
    known: Vec<BoundsState>,
}

impl Opening {
    pub fn new(spec: &ReadSpec) -> Self {
        let width = spec.columns.len();
        let read = TabletRead { morsels: Vec::new(), rows: 0, bounds: vec![None; width], has_deletes: false };
        Self { read, known: vec![BoundsState::Empty; width] }
    }

    /// A segment read on its own, in as many morsels as it takes.
    pub fn add_segment(&mut self, tablet: &Arc<Tablet>, rowset: &Arc<Rowset>, segment: Arc<Segment>, opened: OpenedSegment) {
        self.count(&segment, &opened);
        let target = tablet.shared().settings.morsel_rows;
        let scan = Arc::new(opened.spec);
        self.read.morsels.extend(split(opened.rows, segment.page_rows() as u32, target).into_iter().map(|rows| Morsel {
            tablet: tablet.clone(),
            work: Work::Segment(SegmentPart { _rowset: rowset.clone(), segment: segment.clone(), spec: scan.clone(), rows }),
        }));
    }

    /// What a segment adds to the figures of the read.
    pub fn count(&mut self, segment: &Segment, opened: &OpenedSegment) {
        self.read.has_deletes |= opened.deletes;
        for (state, column) in self.known.iter_mut().zip(&opened.spec.columns) {
            state.add(segment, column);
        }
        self.read.rows += opened.rows.len() as u64;
    }

    /// Segments read together.
    pub fn add_merge(&mut self, tablet: &Arc<Tablet>, plan: MergePlan) {
        self.read.has_deletes = true;
        self.read.morsels.push(Morsel { tablet: tablet.clone(), work: Work::Merge(Arc::new(plan)) });
    }

    /// Values of this column come out that no segment holds.
    pub fn forget_bounds(&mut self, column: usize) {
        if let Some(state) = self.known.get_mut(column) {
            *state = BoundsState::Unknown;
        }
    }

    pub fn finish(mut self) -> TabletRead {
        self.read.bounds = self.known.into_iter().map(|s| if let BoundsState::Known(b) = s { Some(b) } else { None }).collect();
        self.read
    }
}

#[derive(Clone)]
enum BoundsState {
    /// No value yet.
    Empty,
    Known(Bounds),
    Unknown,
}

impl BoundsState {
    fn add(&mut self, segment: &Segment, column: &ScanColumn) {
        let found = match column {
            ScanColumn::Constant(value, _) if value.is_null() => return,
            ScanColumn::Constant(value, ty) if ty.is_integer_backed() => value.as_i64().map(|v| Bounds::new(v, v)),
            ScanColumn::Constant(..) | ScanColumn::Computed { .. } => None,
            ScanColumn::Stored(at, _) => {
                let meta = &segment.stored()[*at];
                if meta.nulls == u64::from(segment.rows()) {
                    return;
                }
                meta.bounds
            }
        };
        *self = match (&*self, found) {
            (_, None) | (Self::Unknown, _) => Self::Unknown,
            (Self::Empty, Some(b)) => Self::Known(b),
            (Self::Known(a), Some(b)) => Self::Known(a.union(b)),
        };
    }
}

/// Extremes of a whole column of a segment.
pub(super) fn zone_of(segment: &Segment, column: &ScanColumn) -> Zone {
    let rows = u64::from(segment.rows());
    match column {
        ScanColumn::Constant(value, _) => {
            Zone { min: value.clone(), max: value.clone(), nulls: if value.is_null() { rows } else { 0 }, rows }
        }
        ScanColumn::Computed { .. } => Zone::unknown(),
        ScanColumn::Stored(at, _) => {
            let meta = &segment.stored()[*at];
            Zone { min: meta.min.clone().unwrap_or_default(), max: meta.max.clone().unwrap_or_default(), nulls: meta.nulls, rows }
        }
    }
}

/// The rows a prefix of equalities and one interval on the sort columns leave.
fn key_range(segment: &Segment, columns: &[ScanColumn], predicates: &[ColumnPredicate]) -> Result<Range<u32>> {
    let all = 0..segment.rows();
    let on_sort_column = |position: u32| {
        let ty = segment.columns()[position as usize].ty();
        let found = predicates.iter().find(|p| {
            matches!(&columns[p.column as usize], ScanColumn::Stored(at, _) if *at == position as usize) && p.ty.same_kind(ty)
        })?;
        Some((found, ty))
    };
    let sort = segment.sort_columns();
    if sort.first().is_none_or(|c| on_sort_column(*c).is_none()) {
        return Ok(all);
    }
    let Some((index, width)) = segment.short_keys()? else { return Ok(all) };
    let (mut prefix, mut low, mut high) = (Vec::<(Scalar, LogicalType)>::new(), None, None);
    for position in sort.iter().take(width as usize) {
        let Some((predicate, ty)) = on_sort_column(*position) else { break };
        match predicate.points().as_deref() {
            Some([value]) if !value.is_null() => prefix.push((value.clone(), ty.clone())),
            _ => {
                let (from, to) = predicate.interval();
                let with_type = |b: Option<Bound>| b.map(|b| (b.value, ty.clone()));
                (low, high) = (with_type(from), with_type(to));
                break;
            }
        }
    }
    let encode = |end: &Option<(Scalar, LogicalType)>| -> Result<Option<Vec<u8>>> {
        if prefix.is_empty() && end.is_none() {
            return Ok(None);
        }
        let mut key = Vec::new();
        key_codec::encode_scalars(prefix.iter().chain(end).map(|(v, t)| (v, t)), &mut key)?;
        key.truncate(SHORT_KEY_BYTES);
        Ok(Some(key))
    };
    Ok(index.seek(encode(&low)?.as_deref(), encode(&high)?.as_deref(), segment.rows()))
}
