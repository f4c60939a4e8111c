//! `generate_series(start, end[, step])`: integers from start to end, both included.

use std::sync::Arc;

use arrow::array::{Decimal128Array, Int32Array, Int64Array};
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    table_fn::{PieceCursor, TableFunction, TableFunctionOutput, TableFunctionTypes},
};
use common_types::{Column, LogicalType as T, coercion};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_table(TableFunction { names: &["generate_series"], resolve, kernel, pieces: Some(pieces) });
}

fn resolve(args: &[T]) -> Result<TableFunctionTypes> {
    if !(2..=3).contains(&args.len()) {
        bail!(Analysis, "generate_series takes a start, an end and maybe a step");
    }
    let mut widest = T::Int;
    for ty in args {
        match ty {
            T::Null | T::Boolean | T::TinyInt | T::SmallInt | T::Int => {}
            T::BigInt if widest == T::Int => widest = T::BigInt,
            T::BigInt => {}
            T::LargeInt => widest = T::LargeInt,
            other if coercion::can_implicit_cast(other, &T::BigInt) && widest == T::Int => widest = T::BigInt,
            other if coercion::can_implicit_cast(other, &T::BigInt) => {}
            other => bail!(Analysis, "generate_series takes integers, not {other}"),
        }
    }
    Ok(TableFunctionTypes {
        args: vec![widest.clone(); args.len()],
        columns: vec![("generate_series".to_owned(), widest)],
    })
}

/// Most rows one chunk of arguments may give at once.
const ROWS_MAX: usize = 1 << 31;

fn kernel(args: &[Column], rows: usize, results: &[T]) -> Result<TableFunctionOutput> {
    match pieces(args, rows, results, PieceCursor::default(), ROWS_MAX)? {
        (output, None) => Ok(output),
        _ => bail!(InvalidArgument, "generate_series makes more than {ROWS_MAX} rows at once"),
    }
}

fn pieces(args: &[Column], rows: usize, results: &[T], from: PieceCursor, max: usize) -> Result<(TableFunctionOutput, Option<PieceCursor>)> {
    let mut source_rows: Vec<u32> = Vec::new();
    let mut wide: Vec<i128> = Vec::new();
    let mut narrow: Vec<i64> = Vec::new();
    let is_wide = results[0] == T::LargeInt;
    let mut rest = None;
    for row in from.row..rows {
        let value = |i: usize| args.get(i).and_then(|c| c.scalar(row).as_i128());
        let (Some(start), Some(end)) = (value(0), value(1)) else { continue };
        let step = if args.len() == 3 { value(2) } else { Some(1) };
        let Some(step) = step else { continue };
        if step == 0 {
            bail!(InvalidArgument, "step size cannot equal zero");
        }
        if (step > 0 && start > end) || (step < 0 && start < end) {
            continue;
        }
        let made = if row == from.row { from.made } else { 0 };
        let left = start.abs_diff(end) / step.unsigned_abs() + 1 - made;
        let room = (max - source_rows.len()) as u128;
        let count = left.min(room);
        source_rows.resize(source_rows.len() + count as usize, row as u32);
        let first = start.wrapping_add((made as i128).wrapping_mul(step));
        if is_wide {
            wide.extend((0..count as i128).map(|n| first + n * step));
        } else {
            let (first, step) = (first as i64, step as i64);
            narrow.extend((0..count as i64).map(|n| first.wrapping_add(n.wrapping_mul(step))));
        }
        if count < left {
            rest = Some(PieceCursor { row, made: made + count });
            break;
        }
    }
    let ty = results[0].clone();
    let column = match ty {
        T::LargeInt => {
            let array = Decimal128Array::from(wide).with_precision_and_scale(38, 0).expect("the form of LARGEINT");
            Column::flat(Arc::new(array), ty)
        }
        T::BigInt => Column::flat(Arc::new(Int64Array::from(narrow)), ty),
        T::Int => Column::flat(Arc::new(narrow.into_iter().map(|v| v as i32).collect::<Int32Array>()), ty),
        other => bail!(Internal, "generate_series of {other}"),
    };
    Ok((TableFunctionOutput { columns: vec![column], source_rows }, rest))
}
