//! What a scan asks of its conditions, and the verdicts on dictionary entries that several scans of a query share.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;
use common_base::{Result, ensure};
use common_expr::eval::Selection;
use common_expr::eval::mask::mask_of;
use common_expr::predicate::{ColumnPredicate, PredicateKind, RuntimeFilter};
use common_types::{Chunk, Column, Dict, Repr, for_codes};
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::column::meta::Zone;

/// A condition on one column. Rows where it is not TRUE are dropped.
pub trait ColumnFilter: Send + Sync + Debug {
    /// Whether a page of these extremes may hold a row that passes.
    fn may_match(&self, zone: &Zone) -> bool;
    /// Whether every row of such a page passes for sure.
    fn all_match(&self, _zone: &Zone) -> bool {
        false
    }
    /// The condition in a form indexes understand, if it has one.
    fn predicate(&self) -> Option<&PredicateKind> {
        None
    }
    /// One bit per row. Must not depend on the position of a row.
    fn matches(&self, column: &Column) -> Result<BooleanBuffer>;
}

impl ColumnFilter for ColumnPredicate {
    fn may_match(&self, zone: &Zone) -> bool {
        ColumnPredicate::may_match(self, &zone.min, &zone.max, zone.nulls, zone.rows)
    }
    fn all_match(&self, zone: &Zone) -> bool {
        ColumnPredicate::all_match(self, &zone.min, &zone.max, zone.nulls, zone.rows)
    }
    fn predicate(&self) -> Option<&PredicateKind> {
        Some(&self.kind)
    }
    fn matches(&self, column: &Column) -> Result<BooleanBuffer> {
        Ok(self.mask(column))
    }
}

impl ColumnFilter for RuntimeFilter {
    fn may_match(&self, zone: &Zone) -> bool {
        RuntimeFilter::may_match(self, &zone.min, &zone.max, zone.nulls, zone.rows)
    }
    fn matches(&self, column: &Column) -> Result<BooleanBuffer> {
        Ok(self.mask(column))
    }
}

/// A condition on several columns, given as a chunk of exactly those.
pub trait ChunkFilter: Send + Sync + Debug {
    /// The rows that pass.
    fn select(&self, chunk: &Chunk) -> Result<Selection>;
}

/// A condition that appears or sharpens while the scan runs. It may be skipped at will: who made it checks again.
pub trait DynamicFilter: Send + Sync + Debug {
    /// The condition as of now; the same `Arc` as long as it does not change.
    fn current(&self) -> Option<Arc<dyn ColumnFilter>>;
}

/// Which entries of a dictionary pass.
#[derive(Debug)]
pub(crate) struct Verdict {
    pass: Vec<u8>,
    /// The passing codes when they are one range, which sorted dictionaries make common.
    range: Option<(u32, u32)>,
    any: bool,
    all: bool,
    null_passes: bool,
}

/// Verdicts by dictionary, shared by the scans of a query.
#[derive(Debug, Default)]
pub(crate) struct Verdicts(Mutex<HashMap<u64, Arc<Verdict>>>);

impl Verdicts {
    fn get(&self, filter: &dyn ColumnFilter, column: &Column, dict: &Arc<Dict>) -> Result<Arc<Verdict>> {
        if let Some(found) = self.0.lock().get(&dict.id()) {
            return Ok(found.clone());
        }
        let values: ArrayRef = Arc::new(dict.values().clone());
        let mask = checked(filter, &Column::flat(values, column.ty().clone()))?;
        let null_passes = checked(filter, &Column::null(column.ty().clone(), 1))?.value(0);
        let pass: Vec<u8> = mask.iter().map(u8::from).collect();
        let count = mask.count_set_bits();
        let first = pass.iter().position(|p| *p != 0);
        let last = pass.iter().rposition(|p| *p != 0);
        let range = first.zip(last).filter(|(a, b)| b - a + 1 == count).map(|(a, b)| (a as u32, b as u32));
        let verdict = Arc::new(Verdict { any: count > 0, all: count == pass.len(), pass, range, null_passes });
        self.0.lock().insert(dict.id(), verdict.clone());
        Ok(verdict)
    }
}

/// Runs a filter over a column in any form; constants and dictionaries are tested once per value.
pub(crate) fn run(filter: &dyn ColumnFilter, verdicts: &Verdicts, column: &Column, scan_rows: usize) -> Result<BooleanBuffer> {
    let rows = column.len();
    match column.repr() {
        Repr::Const(_) if rows > 0 => {
            let passes = checked(filter, &column.slice(0, 1))?.value(0);
            Ok(if passes { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) })
        }
        // A dictionary much larger than the scan costs more than it saves.
        Repr::Dict { dict, .. } if dict.len() <= scan_rows * 2 => {
            let verdict = verdicts.get(filter, column, dict)?;
            Ok(by_code(&verdict, column))
        }
        _ => checked(filter, column),
    }
}

fn checked(filter: &dyn ColumnFilter, column: &Column) -> Result<BooleanBuffer> {
    let mask = filter.matches(column)?;
    ensure!(mask.len() == column.len(), Internal, "filter gave {} bits for {} rows", mask.len(), column.len());
    Ok(mask)
}

fn by_code(verdict: &Verdict, column: &Column) -> BooleanBuffer {
    let rows = column.len();
    let Some((codes, _)) = column.dict_parts() else { return BooleanBuffer::new_unset(rows) };
    let mask = if verdict.all {
        BooleanBuffer::new_set(rows)
    } else if !verdict.any {
        BooleanBuffer::new_unset(rows)
    } else if let Some((low, high)) = verdict.range {
        for_codes!(codes, s => {
            let (low, span) = (low as _, (high - low) as _);
            mask_of(s, |c| c.wrapping_sub(low) <= span)
        })
    } else {
        let pass = verdict.pass.as_slice();
        for_codes!(codes, s => mask_of(s, |c| pass[c as usize] != 0))
    };
    match column.nulls() {
        None => mask,
        Some(nulls) if verdict.null_passes => &mask | &!nulls.inner(),
        Some(nulls) => &mask & nulls.inner(),
    }
}
