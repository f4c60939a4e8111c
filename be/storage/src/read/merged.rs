//! Reading tables whose model combines rows of equal key. Segments whose key ranges touch nobody else's are read on their own,
//! as in a table without such a model; the others are merged. Below a merge only conditions on keys apply: the others see the
//! combined values.

use std::sync::Arc;

use be_segment::{ScanResidual, ScanSpec, Segment};
use common_base::{MemTracker, Result};
use common_expr::predicate::ColumnPredicate;
use common_types::Chunk;

use super::delete_predicates::DeletePredicate;
use super::tablet_reader::{Opening, ReadColumn, ReadSpec, TabletRead, filters_of};
pub(crate) use super::tablet_reader::SegmentPart;
use crate::merge::{Combine, RunMerger, SortedRun};
use crate::rowset::Rowset;
use crate::tablet::{Tablet, TabletSchema};

/// Segments to merge and what follows the merge.
#[derive(Debug)]
pub(super) struct MergePlan {
    /// Sorted runs in version order, each of parts in key order.
    runs: Vec<Vec<SegmentPart>>,
    keys: Vec<usize>,
    combines: Vec<Combine>,
    after: Arc<After>,
    memory: Option<Arc<MemTracker>>,
}

/// What is done with combined rows.
#[derive(Debug)]
struct After {
    predicates: Vec<ColumnPredicate>,
    residuals: Vec<ScanResidual>,
    output: Vec<usize>,
}

impl MergePlan {
    /// Rows that go into it.
    pub fn rows(&self) -> usize {
        self.runs.iter().flatten().map(|p| p.rows.len()).sum()
    }

    /// Starts it.
    pub fn scan(&self) -> Result<MergeScan> {
        let runs = self.runs.iter().map(|parts| run_of(parts.clone(), None)).collect();
        let memory = self.memory.as_ref().map(|m| m.empty_guard());
        Ok(MergeScan { merger: RunMerger::new(runs, self.keys.clone(), self.combines.clone(), memory), after: self.after.clone() })
    }
}

/// Chunks of parts that follow each other in key order, with other output columns on demand; a part is opened when the one before
/// is read.
pub(crate) fn run_of(mut parts: Vec<SegmentPart>, output: Option<&[usize]>) -> SortedRun {
    if let Some(output) = output {
        for part in &mut parts {
            part.spec = Arc::new(ScanSpec { output: output.to_vec(), ..(*part.spec).clone() });
        }
    }
    let mut parts = parts.into_iter();
    let mut open = None;
    Box::new(std::iter::from_fn(move || {
        loop {
            if open.is_none() {
                let part = parts.next()?;
                match part.segment.scan(part.spec.clone(), part.rows.clone()) {
                    Ok(scan) => open = Some((scan, part)),
                    Err(e) => return Some(Err(e)),
                }
            }
            match open.as_mut().map(|(scan, _)| scan.next_chunk()) {
                Some(Ok(Some(chunk))) => return Some(Ok(chunk)),
                Some(Err(e)) => return Some(Err(e)),
                _ => open = None,
            }
        }
    }))
}

/// A running merge with the conditions that follow it.
pub(super) struct MergeScan {
    merger: RunMerger,
    after: Arc<After>,
}

impl MergeScan {
    /// The next rows; `None` at the end.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        while let Some(chunk) = self.merger.next_chunk()? {
            let chunk = self.after.apply(chunk)?;
            if chunk.rows() > 0 {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }
}

impl After {
    fn apply(&self, mut chunk: Chunk) -> Result<Chunk> {
        for predicate in &self.predicates {
            let mask = predicate.mask(chunk.column(predicate.column as usize));
            chunk = chunk.filter(&mask);
        }
        for residual in &self.residuals {
            if chunk.rows() == 0 {
                break;
            }
            let selection = residual.filter.select(&chunk.project(&residual.columns))?;
            chunk = selection.apply(&chunk);
        }
        Ok(chunk.project(&self.output))
    }
}

/// A segment on its way into a merge.
struct Source<'a> {
    rowset: usize,
    segment: Arc<Segment>,
    min_key: &'a [u8],
    max_key: &'a [u8],
}

impl Tablet {
    /// The rows of rowsets that follow each other, without those that deletes among them or the delete vectors of `version` name:
    /// sorted runs in version order, of all columns.
    pub(crate) fn sorted_runs(self: &Arc<Self>, rowsets: &[Arc<Rowset>], version: i64) -> Result<Vec<Vec<SegmentPart>>> {
        let schema = self.schema();
        let spec = ReadSpec {
            columns: schema.columns.iter().map(|c| ReadColumn::new(c.uid, c.ty.clone())).collect(),
            output: (0..schema.columns.len()).collect(),
            ..Default::default()
        };
        let mut runs: Vec<Vec<SegmentPart>> = Vec::new();
        for (i, rowset) in rowsets.iter().enumerate().filter(|(_, r)| r.meta().rows > 0) {
            let deletes: Vec<&DeletePredicate> = rowsets[i + 1..].iter().filter_map(|r| r.delete_predicate()).collect();
            let mut of_rowset = Vec::new();
            for s in 0..rowset.segment_count() {
                let segment = rowset.segment(s)?;
                let Some(mut opened) = self.open_segment(rowset, &segment, &schema, &spec, &[], &deletes)? else { continue };
                opened.spec.live = rowset.deletes(s).live_at(version);
                of_rowset.push(SegmentPart { _rowset: rowset.clone(), segment, spec: Arc::new(opened.spec), rows: opened.rows });
            }
            if rowset.meta().overlapping {
                runs.extend(of_rowset.into_iter().map(|part| vec![part]));
            } else if !of_rowset.is_empty() {
                runs.push(of_rowset);
            }
        }
        Ok(runs)
    }

    /// Opens rowsets that follow each other, rows of equal key combined.
    pub(crate) fn read_merged(self: &Arc<Self>, rowsets: &[Arc<Rowset>], spec: &ReadSpec) -> Result<TabletRead> {
        let schema = self.schema();
        let mut sources = Vec::new();
        for (i, rowset) in rowsets.iter().enumerate().filter(|(_, r)| r.meta().rows > 0) {
            for (s, meta) in rowset.meta().segments.iter().enumerate() {
                sources.push(Source { rowset: i, segment: rowset.segment(s)?, min_key: &meta.min_key, max_key: &meta.max_key });
            }
        }
        let below = Below::of(spec, &schema, self)?;
        let (own_filters, below_filters) = (filters_of(spec), filters_of(&below.spec));
        let mut opening = Opening::new(spec);
        for group in overlapping(sources) {
            // Rows are removed by deletes of later versions only.
            let deletes_of = |rowset: usize| -> Vec<&DeletePredicate> { rowsets[rowset + 1..].iter().filter_map(|r| r.delete_predicate()).collect() };
            if let [only] = group.as_slice() {
                let rowset = &rowsets[only.rowset];
                if let Some(opened) = self.open_segment(rowset, &only.segment, &schema, spec, &own_filters, &deletes_of(only.rowset))? {
                    opening.add_segment(self, rowset, only.segment.clone(), opened);
                }
                continue;
            }
            let mut runs: Vec<Vec<SegmentPart>> = Vec::new();
            let mut of_rowset = None;
            for source in group {
                let rowset = &rowsets[source.rowset];
                let Some(opened) = self.open_segment(rowset, &source.segment, &schema, &below.spec, &below_filters, &deletes_of(source.rowset))? else {
                    continue;
                };
                opening.count(&source.segment, &opened);
                let part = SegmentPart { _rowset: rowset.clone(), segment: source.segment, spec: Arc::new(opened.spec), rows: opened.rows };
                // Segments of a rowset that do not overlap are one run.
                match runs.last_mut() {
                    Some(run) if of_rowset == Some(source.rowset) && !rowset.meta().overlapping => run.push(part),
                    _ => runs.push(vec![part]),
                }
                of_rowset = Some(source.rowset);
            }
            if runs.is_empty() {
                continue;
            }
            for (i, combine) in below.combines.iter().enumerate().take(spec.columns.len()) {
                if matches!(combine, Combine::Sum) {
                    opening.forget_bounds(i);
                }
            }
            let plan = MergePlan {
                runs,
                keys: below.keys.clone(),
                combines: below.combines.clone(),
                after: below.after.clone(),
                memory: spec.memory.clone(),
            };
            opening.add_merge(self, plan);
        }
        Ok(opening.finish())
    }
}

/// Segments whose key ranges are connected, each group in version order.
fn overlapping(mut sources: Vec<Source<'_>>) -> Vec<Vec<Source<'_>>> {
    // Without known keys anything may overlap.
    if sources.iter().any(|s| s.max_key.is_empty()) {
        return if sources.is_empty() { Vec::new() } else { vec![sources] };
    }
    let mut numbered: Vec<(usize, Source<'_>)> = sources.drain(..).enumerate().collect();
    numbered.sort_by(|a, b| a.1.min_key.cmp(b.1.min_key));
    let mut groups: Vec<Vec<(usize, Source<'_>)>> = Vec::new();
    let mut end: &[u8] = &[];
    for entry in numbered {
        match groups.last_mut() {
            // Keys are cut at a length: equal ones may differ.
            Some(group) if entry.1.min_key <= end => {
                end = end.max(entry.1.max_key);
                group.push(entry);
            }
            _ => {
                end = entry.1.max_key;
                groups.push(vec![entry]);
            }
        }
    }
    groups
        .into_iter()
        .map(|mut group| {
            group.sort_by_key(|(i, _)| *i);
            group.into_iter().map(|(_, s)| s).collect()
        })
        .collect()
}

/// What is read below a merge, and what follows it.
struct Below {
    spec: ReadSpec,
    /// Positions of the key columns.
    keys: Vec<usize>,
    combines: Vec<Combine>,
    after: Arc<After>,
}

impl Below {
    fn of(spec: &ReadSpec, schema: &TabletSchema, tablet: &Tablet) -> Result<Self> {
        let mut columns = spec.columns.clone();
        let mut keys = Vec::new();
        for ordinal in schema.merge_keys() {
            let key = &schema.columns[ordinal];
            let at = columns.iter().position(|c| c.uid == key.uid).unwrap_or_else(|| {
                columns.push(ReadColumn::new(key.uid, key.ty.clone()));
                columns.len() - 1
            });
            keys.push(at);
        }
        let combines = columns
            .iter()
            .map(|c| match schema.position_of(c.uid) {
                Some(at) => Combine::of(&schema.columns[at], schema.keys, &tablet.shared().functions),
                // A column no load has brought here: every row has the same value.
                None => Ok(Combine::Last),
            })
            .collect::<Result<Vec<_>>>()?;
        let is_key = |column: usize| keys.contains(&column);
        let (key_predicates, predicates) = spec.predicates.iter().cloned().partition(|p| is_key(p.column as usize));
        let (key_residuals, residuals) = spec.residuals.iter().cloned().partition(|r| r.columns.iter().all(|c| is_key(*c)));
        let below = ReadSpec {
            output: (0..columns.len()).collect(),
            columns,
            predicates: key_predicates,
            residuals: key_residuals,
            dynamic: spec.dynamic.iter().filter(|(c, _)| is_key(*c)).cloned().collect(),
            metrics: spec.metrics.clone(),
            unmerged: true,
            memory: None,
        };
        Ok(Self { spec: below, keys, combines, after: Arc::new(After { predicates, residuals, output: spec.output.clone() }) })
    }
}
