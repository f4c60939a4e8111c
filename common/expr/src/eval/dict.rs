//! Expressions over one dictionary column: computed once per entry, then mapped over the codes.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, UInt32Array, cast::AsArray},
    buffer::BooleanBuffer,
};
use common_base::Result;
use common_types::{Column, Dict, LogicalType, Repr, for_codes};

use super::{
    frame::Frame,
    mask::mask_of,
    program::{Node, NodeId, NodeKind},
    tri::Tri,
};

/// What one node knows about the dictionary it sees.
#[derive(Default)]
pub(crate) struct DictCache {
    dict: u64,
    rows_seen: usize,
    state: State,
}

#[derive(Default)]
enum State {
    /// Not worth it yet.
    #[default]
    Counting,
    /// Computing entries failed (one that no row may hold); rows are computed one by one.
    Failed,
    /// TRUE and FALSE per entry, the last element standing for NULL; whether any entry but that gives NULL.
    Truth { yes: Vec<bool>, no: Vec<bool>, nullable: bool },
    /// The value per entry, the last row standing for NULL.
    Values(Column),
}

/// The node's column by way of the dictionary, when that is possible and pays.
pub(super) fn eval_by_entry(frame: &Frame<'_>, node: &Node, id: NodeId) -> Result<Option<Column>> {
    let Some(source) = node.dict_source else { return Ok(None) };
    let NodeKind::Column(at) = frame.program.nodes[source].kind else { return Ok(None) };
    let column = frame.column(source, at)?;
    let Repr::Dict { codes, dict } = column.repr() else { return Ok(None) };
    let mut cache = node.dict_cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if cache.dict != dict.id() {
        *cache = DictCache { dict: dict.id(), ..DictCache::default() };
    }
    cache.rows_seen = cache.rows_seen.saturating_add(column.len());
    if matches!(cache.state, State::Counting) {
        if dict.len() >= cache.rows_seen {
            return Ok(None);
        }
        cache.state = compute(frame, id, source, &column, dict).unwrap_or(State::Failed);
    }
    Ok(match &cache.state {
        State::Counting | State::Failed => None,
        State::Truth { yes, no, nullable } => Some(map_truth(codes, yes, no, *nullable)),
        State::Values(values) if values.is_const() => Some(values.slice(0, 1).gather(&vec![0; column.len()])),
        State::Values(values) => Some(values.gather(&entry_numbers(codes, dict.len()))),
    })
}

fn compute(frame: &Frame<'_>, id: NodeId, source: NodeId, column: &Column, dict: &Arc<Dict>) -> Result<State> {
    let entries = dict.len();
    let index: Vec<u32> = (0..entries as u32).chain([u32::MAX]).collect();
    let values = Column::flat(Arc::new(dict.values().clone()), column.ty().clone()).gather_opt(&index);
    let result = frame.over_entries(source, values).compute(&frame.program.nodes[id])?;
    if *result.ty() == LogicalType::Boolean {
        let truth = Tri::of(&result)?;
        let no = truth.is_false();
        let yes: Vec<bool> = truth.yes.iter().collect();
        let no: Vec<bool> = no.iter().collect();
        let nullable = yes[..entries].iter().zip(&no).any(|(y, n)| !y && !n);
        return Ok(State::Truth { yes, no, nullable });
    }
    if result.ty().is_bytes_like() && !result.is_const() {
        return Ok(State::Values(as_dict(&result)));
    }
    Ok(State::Values(result))
}

/// The entry of each row, `entries` for NULL.
fn entry_numbers(codes: &ArrayRef, entries: usize) -> Vec<u32> {
    let view = common_types::CodeView::new(codes);
    let mut out: Vec<u32> = for_codes!(view, c => c.iter().map(|&v| v as u32).collect());
    if let Some(nulls) = codes.nulls().filter(|n| n.null_count() > 0) {
        for (row, slot) in out.iter_mut().enumerate() {
            if nulls.is_null(row) {
                *slot = entries as u32;
            }
        }
    }
    out
}

fn map_truth(codes: &ArrayRef, yes: &[bool], no: &[bool], nullable: bool) -> Column {
    let entries = yes.len() - 1;
    let lookup = |table: &[bool]| -> BooleanBuffer {
        let view = common_types::CodeView::new(codes);
        // Codes of NULL rows may be anything; they are put right below.
        for_codes!(view, c => mask_of(c, |code| table.get(code as usize).copied().unwrap_or(false)))
    };
    let nulls = codes.nulls().filter(|n| n.null_count() > 0);
    let spread = |table: &[bool]| -> BooleanBuffer {
        let bits = lookup(table);
        match nulls {
            None => bits,
            Some(valid) if table[entries] => &bits | &!valid.inner(),
            Some(valid) => &bits & valid.inner(),
        }
    };
    let truth = spread(yes);
    let null_gives_null = !yes[entries] && !no[entries];
    if nullable || nulls.is_some() && null_gives_null { Tri::exact(truth, spread(no)).into_column() } else { Tri::masked(truth, None).into_column() }
}

/// The same strings as codes into a dictionary of the distinct ones.
fn as_dict(column: &Column) -> Column {
    let flat = column.to_flat();
    let view = flat.as_binary_view();
    let mut numbers: HashMap<&[u8], u32> = HashMap::with_capacity(view.len());
    let mut firsts: Vec<u32> = Vec::new();
    let codes: UInt32Array = (0..view.len())
        .map(|row| {
            view.is_valid(row).then(|| {
                *numbers.entry(view.value(row)).or_insert_with(|| {
                    firsts.push(row as u32);
                    firsts.len() as u32 - 1
                })
            })
        })
        .collect();
    let values = Column::flat(flat.clone(), column.ty().clone()).gather(&firsts).to_flat();
    let dict = Dict::new(values.as_binary_view().clone(), false);
    Column::dict(Arc::new(codes), dict, column.ty().clone())
}
