//! Adding NULLs to a column whatever its physical form.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray},
    buffer::NullBuffer,
    compute::nullif,
};
use common_base::{Result, err};
use common_types::{Column, Repr};

/// The NULLs of all arguments together; `None` when there are none.
pub fn merged_nulls(args: &[Column]) -> Option<NullBuffer> {
    args.iter().fold(None, |acc, arg| NullBuffer::union(acc.as_ref(), arg.nulls().as_ref()))
}

/// The column with the rows that are unset in `valid` made NULL.
pub fn with_nulls(column: Column, valid: &NullBuffer) -> Result<Column> {
    if valid.null_count() == 0 {
        return Ok(column);
    }
    if valid.null_count() == valid.len() {
        return Ok(Column::null(column.ty().clone(), column.len()));
    }
    let ty = column.ty().clone();
    Ok(match column.repr() {
        Repr::Const(value) if value.is_null() => column,
        Repr::Const(_) => Column::flat(hide(&column.to_flat(), valid)?, ty),
        Repr::Flat(array) => Column::flat(hide(array, valid)?, ty),
        Repr::Dict { codes, dict } => Column::dict(hide(codes, valid)?, dict.clone(), ty),
        Repr::Narrow { ints, bounds } => Column::narrow(hide(ints, valid)?, *bounds, ty),
    })
}

fn hide(array: &ArrayRef, valid: &NullBuffer) -> Result<ArrayRef> {
    let mask = BooleanArray::new(!valid.inner(), None);
    nullif(array, &mask).map(|a| Arc::from(a)).map_err(|e| err!(Internal, "{e}"))
}
