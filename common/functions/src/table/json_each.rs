//! `json_each(json)`: a row per member of an object.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    table_fn::{TableFunction, TableFunctionOutput, TableFunctionTypes},
};
use common_types::{
    Column, LogicalType as T,
    json::{self, Json},
};

use crate::kernels::strings::{StrWriter, strs};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_table(TableFunction { names: &["json_each"], resolve, kernel, pieces: None });
}

fn resolve(args: &[T]) -> Result<TableFunctionTypes> {
    match args {
        [T::Json | T::Null | T::Varchar(_) | T::Char(_)] => Ok(TableFunctionTypes {
            args: vec![T::Json],
            columns: vec![("key".to_owned(), T::varchar()), ("value".to_owned(), T::Json)],
        }),
        _ => bail!(Analysis, "json_each takes one JSON value"),
    }
}

fn kernel(args: &[Column], rows: usize, results: &[T]) -> Result<TableFunctionOutput> {
    let docs = strs(&args[0]);
    let nulls = args[0].nulls();
    let (mut keys, mut values) = (StrWriter::new(rows), StrWriter::new(rows));
    let mut source_rows = Vec::new();
    for row in 0..rows {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            continue;
        }
        if let Some(Json::Object(members)) = json::parse(docs.get(row)) {
            for (key, value) in members {
                keys.push(key.as_bytes());
                value.print(values.buf());
                values.end_row();
                source_rows.push(row as u32);
            }
        }
    }
    Ok(TableFunctionOutput { columns: vec![keys.finish(&results[0]), values.finish(&results[1])], source_rows })
}
