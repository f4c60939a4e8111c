//! `unnest(a1[, a2…])`: one row per element, shorter arrays padded with NULL.

use common_base::{Result, bail, ensure};
use common_expr::{
    registry::FunctionRegistry,
    table_fn::{TableFunction, TableFunctionOutput, TableFunctionTypes},
};
use common_types::{ArrayParts, Column, LogicalType as T};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_table(TableFunction { names: &["unnest"], resolve, kernel, pieces: None });
}

fn resolve(args: &[T]) -> Result<TableFunctionTypes> {
    ensure!(!args.is_empty(), Analysis, "unnest takes at least one array");
    let mut columns = Vec::with_capacity(args.len());
    let mut types = Vec::with_capacity(args.len());
    for (i, ty) in args.iter().enumerate() {
        let array = match ty {
            T::Array(_) => ty.clone(),
            T::Null => T::array(T::Boolean),
            T::Json => T::array(T::Json),
            other => bail!(Analysis, "unnest takes arrays, not {other}"),
        };
        let T::Array(element) = &array else { bail!(Internal, "an array was just made") };
        let name = if i == 0 { "unnest".to_owned() } else { format!("unnest_{i}") };
        columns.push((name, (**element).clone()));
        types.push(array);
    }
    Ok(TableFunctionTypes { args: types, columns })
}

fn kernel(args: &[Column], rows: usize, results: &[T]) -> Result<TableFunctionOutput> {
    let parts: Vec<ArrayParts> = args.iter().filter_map(Column::array_parts).collect();
    ensure!(parts.len() == results.len(), Internal, "unnest of {} arrays into {} columns", parts.len(), results.len());
    let len = |p: &ArrayParts, row: usize| match &p.nulls {
        Some(nulls) if nulls.is_null(row) => 0,
        _ => (p.offsets[row + 1] - p.offsets[row]) as usize,
    };
    let longest: Vec<usize> = (0..rows).map(|row| parts.iter().map(|p| len(p, row)).max().unwrap_or(0)).collect();
    let total = longest.iter().sum();
    let mut source_rows = Vec::with_capacity(total);
    for (row, n) in longest.iter().enumerate() {
        source_rows.resize(source_rows.len() + n, row as u32);
    }
    let columns = parts
        .iter()
        .zip(results)
        .map(|(part, ty)| {
            let start = part.offsets[0] as usize;
            if part.nulls.is_none() && (part.offsets[rows] as usize - start) == total {
                // Every array is as long as the longest of its row: the elements are the answer.
                return part.values.slice(start, total).with_type(ty.clone());
            }
            let mut picks = Vec::with_capacity(total);
            for (row, n) in longest.iter().enumerate() {
                let from = part.offsets[row] as u32;
                let have = len(part, row);
                picks.extend(from..from + have as u32);
                picks.resize(picks.len() + n - have, u32::MAX);
            }
            part.values.gather_opt(&picks).with_type(ty.clone())
        })
        .collect();
    Ok(TableFunctionOutput { columns, source_rows })
}
