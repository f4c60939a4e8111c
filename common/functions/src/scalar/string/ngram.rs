//! `ngram_search`, `ngram_search_case_insensitive`: share of the needle's n-grams that occur in the haystack.

use arrow::datatypes::Float64Type;
use common_base::{Result, bail};
use common_expr::{registry::FunctionRegistry, scalar_fn::ScalarOverload};
use common_types::{Column, LogicalType as T};
use hashbrown::HashMap;

use crate::kernels::{
    def::{sig, strict},
    strings::{IntArg, const_str, primitive, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let one = || vec![sig([T::varchar(), T::varchar(), T::Int], T::Double)];
    r.add_scalar(strict(&["ngram_search"], one(), |_, call, args, rows| run(call, args, rows, false)));
    r.add_scalar(strict(&["ngram_search_case_insensitive"], one(), |_, call, args, rows| run(call, args, rows, true)));
}

/// How often each n-gram of bytes occurs.
fn grams(s: &[u8], n: usize) -> HashMap<&[u8], i32> {
    let mut counts = HashMap::new();
    for gram in s.windows(n) {
        *counts.entry(gram).or_insert(0) += 1;
    }
    counts
}

fn score(hay: &[u8], needle: &HashMap<&[u8], i32>, total: usize, n: usize) -> f64 {
    if total == 0 || hay.len() < n {
        return 0.0;
    }
    let hay = grams(hay, n);
    let shared: i32 = needle.iter().map(|(gram, count)| hay.get(gram).map_or(0, |have| *have.min(count))).sum();
    f64::from(shared) / total as f64
}

fn run(call: &ScalarOverload, args: &[Column], rows: usize, fold_case: bool) -> Result<Column> {
    let (hay, needle, n) = (strs(&args[0]), strs(&args[1]), IntArg::new(&args[2])?);
    let fold = |s: &[u8]| if fold_case { s.to_ascii_lowercase() } else { s.to_vec() };
    let constant = const_str(&args[1]).map(fold);
    let mut values = Vec::with_capacity(rows);
    for row in 0..rows {
        let Ok(n @ 1..) = usize::try_from(n.get(row)) else {
            if args.iter().any(|c| c.is_null(row)) {
                values.push(0.0);
                continue;
            }
            bail!(InvalidArgument, "ngram_search's third parameter should be a positive number");
        };
        let needle = match &constant {
            Some(needle) => needle.clone(),
            None => fold(needle.get(row)),
        };
        let total = (needle.len() + 1).saturating_sub(n);
        values.push(score(&fold(hay.get(row)), &grams(&needle, n), total, n));
    }
    Ok(primitive::<Float64Type>(values, None, &call.result))
}
