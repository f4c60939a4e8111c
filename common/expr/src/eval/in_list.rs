//! IN lists and IS NULL.

use std::sync::Arc;

use arrow::{array::BooleanArray, buffer::BooleanBuffer};
use common_types::{Column, LogicalType, Scalar, compare};

use super::{mask::mask_by, tri::Tri};
use crate::predicate::set::ValueSet;

/// `input IN (literals)`.
pub(super) fn eval_set(input: &Column, set: &ValueSet, has_null: bool, negated: bool) -> Column {
    if let Some(value) = input.as_const() {
        let verdict = match value {
            Scalar::Null => Scalar::Null,
            _ if set.mask(&input.slice(0, 1)).value(0) => Scalar::Boolean(!negated),
            _ if has_null => Scalar::Null,
            _ => Scalar::Boolean(negated),
        };
        return Column::constant(verdict, LogicalType::Boolean, input.len());
    }
    let truth = Tri::masked(set.mask(input), input.nulls().as_ref());
    finish(truth, has_null.then(|| BooleanBuffer::new_unset(input.len())), negated)
}

/// `input IN (computed members)`.
pub(super) fn eval_list(input: &Column, list: &[Column], negated: bool) -> Column {
    let rows = input.len();
    let hit = mask_by(rows, |row| {
        list.iter().any(|member| !member.is_null(row) && compare::compare_rows(input, row, member, row, true, false).is_eq())
    });
    let null_member = list.iter().any(Column::has_nulls).then(|| mask_by(rows, |row| !list.iter().any(|m| m.is_null(row))));
    finish(Tri::masked(hit, input.nulls().as_ref()), null_member, negated)
}

/// A row that is not found is FALSE only where `may_be_false` says so (no NULL member).
fn finish(truth: Tri, may_be_false: Option<BooleanBuffer>, negated: bool) -> Column {
    let truth = match may_be_false {
        None => truth,
        Some(allowed) if allowed.count_set_bits() == 0 => truth.never_false(),
        Some(allowed) => truth.limit_false(&allowed),
    };
    if negated { truth.negate().into_column() } else { truth.into_column() }
}

/// `input IS [NOT] NULL`; a JSON `null` counts as NULL.
pub(super) fn is_null(input: &Column, negated: bool) -> Column {
    let rows = input.len();
    let json = matches!(input.ty(), LogicalType::Json);
    if let Some(value) = input.as_const() {
        let null = value.is_null() || json && value.as_bytes() == Some(b"null");
        return Column::constant(Scalar::Boolean(null != negated), LogicalType::Boolean, rows);
    }
    let present = if json {
        match input.str_view() {
            Some(view) => mask_by(rows, |row| !input.is_null(row) && view.get(row) != b"null"),
            None => BooleanBuffer::new_unset(rows),
        }
    } else {
        match input.nulls() {
            None => return Column::constant(Scalar::Boolean(negated), LogicalType::Boolean, rows),
            Some(valid) => valid.inner().clone(),
        }
    };
    let bits = if negated { present } else { !&present };
    Column::flat(Arc::new(BooleanArray::new(bits, None)), LogicalType::Boolean)
}
