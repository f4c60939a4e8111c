//! What higher-order functions share: arrays flattened into parameter columns.

use arrow::buffer::{NullBuffer, OffsetBuffer};
use common_base::{Result, bail};
use common_expr::{
    scalar_fn::{EvalContext, LambdaKernel, NullRule, ScalarFunction, ScalarOverload, Volatility},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{ArrayParts, Column, LogicalType as T};

/// Arrays of equal shape, element by element.
pub struct Flattened {
    /// Of the compacted elements: starts at 0, NULL rows are empty.
    pub offsets: OffsetBuffer<i32>,
    /// One column per array.
    pub params: Vec<Column>,
    /// The row each element belongs to.
    pub source_rows: Vec<u32>,
}

/// The arrays of a row are NULL together: a row with any NULL array has no elements.
pub fn flatten(name: &str, arrays: &[Column], rows: usize) -> Result<(Flattened, Option<NullBuffer>)> {
    let parts: Vec<ArrayParts> = arrays.iter().filter_map(Column::array_parts).collect();
    if parts.len() != arrays.len() || parts.is_empty() {
        bail!(Analysis, "{name} works on arrays");
    }
    let nulls = parts.iter().fold(None, |acc: Option<NullBuffer>, p| NullBuffer::union(acc.as_ref(), p.nulls.as_ref()));
    let mut lengths = Vec::with_capacity(rows);
    for row in 0..rows {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            lengths.push(0);
            continue;
        }
        let len = |p: &ArrayParts| (p.offsets[row + 1] - p.offsets[row]) as usize;
        let first = len(&parts[0]);
        if parts.iter().any(|p| len(p) != first) {
            bail!(InvalidArgument, "Input arrays' size are not equal in {name}.");
        }
        lengths.push(first);
    }
    let offsets = OffsetBuffer::<i32>::from_lengths(lengths.iter().copied());
    let total = offsets[rows] as usize;
    let params = parts.iter().map(|p| compact(p, &lengths, total)).collect();
    let mut source_rows = Vec::with_capacity(total);
    for (row, len) in lengths.iter().enumerate() {
        source_rows.resize(source_rows.len() + len, row as u32);
    }
    Ok((Flattened { offsets, params, source_rows }, nulls))
}

/// The used elements of an array column, in order.
fn compact(parts: &ArrayParts, lengths: &[usize], total: usize) -> Column {
    let (first, last) = (parts.offsets[0] as usize, parts.offsets[lengths.len()] as usize);
    if last - first == total {
        return parts.values.slice(first, total);
    }
    let mut picks = Vec::with_capacity(total);
    for (row, len) in lengths.iter().enumerate() {
        let start = parts.offsets[row] as u32;
        picks.extend(start..start + *len as u32);
    }
    parts.values.gather(&picks)
}

/// Signatures of `f(lambda, array, …)` and `f(array, …, lambda)`.
pub fn lambda_signatures(arrays_max: usize) -> Vec<Signature> {
    let result = || ResultRule::Exact(T::Null);
    let mut signatures = vec![Signature::new(vec![TypePattern::Function, TypePattern::AnyArray], result())];
    if arrays_max > 1 {
        signatures[0] = signatures[0].clone().variadic();
    }
    for arrays in 1..=arrays_max {
        let mut args = vec![TypePattern::AnyArray; arrays];
        args.push(TypePattern::Function);
        signatures.push(Signature::new(args, result()));
    }
    signatures
}

/// A function that exists only with a lambda.
pub fn lambda_only(
    names: &'static [&'static str],
    signatures: Vec<Signature>,
    nulls: NullRule,
    form: LambdaKernel,
) -> ScalarFunction {
    ScalarFunction {
        names,
        signatures,
        nulls,
        volatility: Volatility::Immutable,
        kernel: needs_lambda,
        lambda_kernel: Some(form),
    }
}

fn needs_lambda(_: &EvalContext, call: &ScalarOverload, _: &[Column], _: usize) -> Result<Column> {
    bail!(Analysis, "There are no lambda functions in high-order function {}", call.name())
}

/// Adds a higher-order form to a function.
pub fn with_lambda(mut f: ScalarFunction, arrays_max: usize, form: LambdaKernel) -> ScalarFunction {
    f.signatures.extend(lambda_signatures(arrays_max));
    f.lambda_kernel = Some(form);
    f
}

/// Refuses a lambda body that is no condition.
pub fn must_be_boolean(name: &str, body: &T) -> Result<()> {
    if matches!(body, T::Boolean | T::Null) {
        return Ok(());
    }
    bail!(Analysis, "The lambda of {name} must give BOOLEAN, not {body}")
}
