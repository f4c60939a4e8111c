//! `a REGEXP p`: whether the pattern is found anywhere in the text.

use arrow::buffer::{BooleanBuffer, NullBuffer};
use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType};

use crate::kernels::{
    def::{partial, sig},
    num::{from_bools, null_shortcut, union_nulls},
    regexes::compile,
    text::{TextArg, const_text, test_rows},
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    let signature = sig([LogicalType::varchar(), LogicalType::varchar()], LogicalType::Boolean);
    partial(&["regexp", "rlike"], vec![signature], regexp)
}

fn regexp(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let nulls = union_nulls(args);
    if let Some(pattern) = const_text(&args[1]) {
        let regex = compile(pattern)?;
        let answer = test_rows(&args[0], rows, |v| regex.is_match(v));
        return Ok(from_bools(answer.unwrap_or_else(|| BooleanBuffer::new_unset(rows)), nulls));
    }
    let (text, patterns) = (TextArg::new(&args[0]), TextArg::new(&args[1]));
    let answers: Vec<Option<bool>> =
        (0..rows).map(|i| Some(compile(patterns.get(i)?).ok()?.is_match(text.get(i)?))).collect();
    let valid = NullBuffer::from_iter(answers.iter().map(Option::is_some));
    let values = BooleanBuffer::from_iter(answers.iter().map(|a| a.unwrap_or(false)));
    Ok(from_bools(values, NullBuffer::union(nulls.as_ref(), Some(&valid))))
}
