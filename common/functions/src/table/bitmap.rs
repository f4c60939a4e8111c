//! `unnest_bitmap(b)`: a row per value. `subdivide_bitmap(b, len)`: a row per part of at most `len` values.

use std::sync::Arc;

use arrow::array::Int64Array;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    table_fn::{TableFunction, TableFunctionOutput, TableFunctionTypes},
};
use common_types::{Column, LogicalType as T, bitmap::Bitmap};

use crate::kernels::strings::{IntArg, StrWriter, strs};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_table(TableFunction { names: &["unnest_bitmap"], resolve: resolve_unnest, kernel: unnest, pieces: None });
    r.add_table(TableFunction { names: &["subdivide_bitmap"], resolve: resolve_subdivide, kernel: subdivide, pieces: None });
}

fn resolve_unnest(args: &[T]) -> Result<TableFunctionTypes> {
    match args {
        [T::Bitmap | T::Null] => {
            Ok(TableFunctionTypes { args: vec![T::Bitmap], columns: vec![("unnest_bitmap".to_owned(), T::BigInt)] })
        }
        _ => bail!(Analysis, "unnest_bitmap takes one BITMAP"),
    }
}

fn resolve_subdivide(args: &[T]) -> Result<TableFunctionTypes> {
    match args {
        [T::Bitmap | T::Null, size] if size.is_integer() || size.is_null_type() => Ok(TableFunctionTypes {
            args: vec![T::Bitmap, T::BigInt],
            columns: vec![("subdivide_bitmap".to_owned(), T::Bitmap)],
        }),
        _ => bail!(Analysis, "subdivide_bitmap takes a BITMAP and the size of the parts"),
    }
}

fn unnest(args: &[Column], rows: usize, results: &[T]) -> Result<TableFunctionOutput> {
    let sets = strs(&args[0]);
    let nulls = args[0].nulls();
    let mut values = Vec::new();
    let mut source_rows = Vec::new();
    for row in 0..rows {
        if nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
            values.extend(Bitmap::deserialize(sets.get(row))?.iter().map(|v| v as i64));
            source_rows.resize(values.len(), row as u32);
        }
    }
    let column = Column::flat(Arc::new(Int64Array::from(values)), results[0].clone());
    Ok(TableFunctionOutput { columns: vec![column], source_rows })
}

fn subdivide(args: &[Column], rows: usize, results: &[T]) -> Result<TableFunctionOutput> {
    let (sets, size) = (strs(&args[0]), IntArg::new(&args[1])?);
    let mut parts = StrWriter::new(rows);
    let mut source_rows = Vec::new();
    for row in 0..rows {
        if args.iter().any(|c| c.is_null(row)) || size.get(row) <= 0 {
            continue;
        }
        let set = Bitmap::deserialize(sets.get(row))?;
        let mut part = Bitmap::new();
        for value in set.iter() {
            part.insert(value);
            if part.len() as i64 == size.get(row) {
                parts.push(&std::mem::take(&mut part).serialize());
                source_rows.push(row as u32);
            }
        }
        if !part.is_empty() {
            parts.push(&part.serialize());
            source_rows.push(row as u32);
        }
    }
    Ok(TableFunctionOutput { columns: vec![parts.finish(&results[0])], source_rows })
}
