//! CASE and COALESCE: every branch sees only the rows that reach it, results are put together at the end.

use arrow::buffer::BooleanBuffer;
use common_base::Result;
use common_types::{Column, LogicalType, mask_to_indices};

use super::{
    frame::Frame,
    program::NodeId,
    scatter::{Piece, assemble},
};

pub(super) fn eval_case(frame: &Frame<'_>, ty: &LogicalType, branches: &[(NodeId, NodeId)], otherwise: Option<NodeId>) -> Result<Column> {
    let total = frame.rows();
    let mut pieces: Vec<Piece> = Vec::with_capacity(branches.len() + 1);
    // `None` = all rows are still open.
    let mut open: Option<Vec<u32>> = None;
    for (when, then) in branches {
        let (taken, rest) = match &open {
            None => {
                let yes = frame.truth(*when)?.yes;
                let count = yes.count_set_bits();
                (mask_to_indices(&yes, count), mask_to_indices(&!&yes, total - count))
            }
            Some(rows) if frame.cheap(*when) && rows.len() * 4 > total => {
                let yes = frame.truth(*when)?.yes;
                rows.iter().partition(|row| yes.value(**row as usize))
            }
            Some(rows) => {
                let yes = frame.narrow(rows).truth(*when)?.yes;
                split(rows, &yes)
            }
        };
        if !taken.is_empty() {
            pieces.push(value(frame, *then, taken)?);
        }
        let done = rest.is_empty();
        open = Some(rest);
        if done {
            break;
        }
    }
    let rest = open.unwrap_or_else(|| (0..total as u32).collect());
    if let (Some(otherwise), false) = (otherwise, rest.is_empty()) {
        pieces.push(value(frame, otherwise, rest)?);
    }
    assemble(ty, total, pieces)
}

fn split(rows: &[u32], yes: &BooleanBuffer) -> (Vec<u32>, Vec<u32>) {
    let count = yes.count_set_bits();
    let (mut taken, mut rest) = (Vec::with_capacity(count), Vec::with_capacity(rows.len() - count));
    for (k, row) in rows.iter().enumerate() {
        if yes.value(k) { taken.push(*row) } else { rest.push(*row) }
    }
    (taken, rest)
}

/// The value of a branch for the rows that take it.
fn value(frame: &Frame<'_>, node: NodeId, rows: Vec<u32>) -> Result<Piece> {
    if rows.len() == frame.rows() || frame.cheap(node) && rows.len() * 2 > frame.rows() {
        let column = frame.eval(node)?;
        return Ok(Piece { rows, column, whole: true });
    }
    let column = frame.narrow(&rows).eval(node)?;
    Ok(Piece { rows, column, whole: false })
}

pub(super) fn eval_coalesce(frame: &Frame<'_>, ty: &LogicalType, items: &[NodeId]) -> Result<Column> {
    let total = frame.rows();
    let mut pieces: Vec<Piece> = Vec::with_capacity(items.len());
    let mut open: Option<Vec<u32>> = None;
    for item in items {
        let column = match &open {
            None => frame.eval(*item)?,
            Some(rows) => frame.narrow(rows).eval(*item)?,
        };
        let present = match column.nulls() {
            None => BooleanBuffer::new_set(column.len()),
            Some(valid) => valid.inner().clone(),
        };
        let count = present.count_set_bits();
        let (taken, rest) = match &open {
            None if count == total => return Ok(column.with_type(ty.clone())),
            None => (mask_to_indices(&present, count), mask_to_indices(&!&present, total - count)),
            Some(rows) => split(rows, &present),
        };
        if !taken.is_empty() {
            let whole = open.is_none();
            let column = if whole || count == column.len() { column } else { column.filter(&present) };
            pieces.push(Piece { rows: taken, column, whole });
        }
        let done = rest.is_empty();
        open = Some(rest);
        if done {
            break;
        }
    }
    assemble(ty, total, pieces)
}
