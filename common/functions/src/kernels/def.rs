//! Short constructors for the rows of function tables.

use common_base::Result;
use common_expr::{
    scalar_fn::{NullRule, ScalarFunction, ScalarKernel, Volatility},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::LogicalType;

/// A function that gives NULL only for NULL arguments.
pub fn strict(names: &'static [&'static str], signatures: Vec<Signature>, kernel: ScalarKernel) -> ScalarFunction {
    ScalarFunction { names, signatures, nulls: NullRule::PropagateStrict, volatility: Volatility::Immutable, kernel, lambda_kernel: None }
}

/// A function that gives NULL for NULL arguments and for some other values.
pub fn partial(names: &'static [&'static str], signatures: Vec<Signature>, kernel: ScalarKernel) -> ScalarFunction {
    ScalarFunction { names, signatures, nulls: NullRule::Propagate, volatility: Volatility::Immutable, kernel, lambda_kernel: None }
}

/// A function that looks at NULLs itself.
pub fn custom(names: &'static [&'static str], signatures: Vec<Signature>, kernel: ScalarKernel) -> ScalarFunction {
    ScalarFunction { names, signatures, nulls: NullRule::Custom, volatility: Volatility::Immutable, kernel, lambda_kernel: None }
}

/// A function that never gives NULL.
pub fn never_null(names: &'static [&'static str], signatures: Vec<Signature>, kernel: ScalarKernel) -> ScalarFunction {
    ScalarFunction { names, signatures, nulls: NullRule::Never, volatility: Volatility::Immutable, kernel, lambda_kernel: None }
}

/// Marks a function as fixed within a statement.
pub fn stable(mut f: ScalarFunction) -> ScalarFunction {
    f.volatility = Volatility::Stable;
    f
}

/// Marks a function as different from row to row.
pub fn volatile(mut f: ScalarFunction) -> ScalarFunction {
    f.volatility = Volatility::Volatile;
    f
}

/// An overload over exact types.
pub fn sig<const N: usize>(args: [LogicalType; N], result: LogicalType) -> Signature {
    Signature::exact(args, result)
}

/// Patterns whose result type is computed from the coerced arguments.
pub fn computed<const N: usize>(args: [TypePattern; N], rule: fn(&[LogicalType]) -> Result<LogicalType>) -> Signature {
    Signature::new(args.into(), ResultRule::Compute(rule))
}

/// One overload `(T, …, T) -> T` with `arity` arguments for each type.
pub fn same(types: &[LogicalType], arity: usize) -> Vec<Signature> {
    types.iter().map(|t| Signature::exact(vec![t.clone(); arity], t.clone())).collect()
}

/// TINYINT to LARGEINT, narrowest first.
pub const INTEGERS: [LogicalType; 5] =
    [LogicalType::TinyInt, LogicalType::SmallInt, LogicalType::Int, LogicalType::BigInt, LogicalType::LargeInt];
