//! Short constructors for the rows of the aggregate table, and common signatures.

use common_base::Result;
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction, AggregateOverload},
    scalar_fn::EvalContext,
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{LogicalType, Scalar, StructField};

/// How an accumulator is made.
pub type Create = fn(&AggregateOverload, &EvalContext, &[Option<Scalar>]) -> Result<Box<dyn Accumulator>>;

/// An aggregate that is NULL over nothing.
pub fn aggregate(
    names: &'static [&'static str],
    signatures: Vec<Signature>,
    state_type: fn(&[LogicalType], &LogicalType) -> LogicalType,
    create: Create,
) -> AggregateFunction {
    AggregateFunction { names, signatures, state_type, nullable: true, distinct_matters: true, create }
}

/// Marks an aggregate that is never NULL.
pub fn total(mut f: AggregateFunction) -> AggregateFunction {
    f.nullable = false;
    f
}

/// Marks an aggregate for which DISTINCT changes nothing.
pub fn idempotent(mut f: AggregateFunction) -> AggregateFunction {
    f.distinct_matters = false;
    f
}

/// The state is the result.
pub fn state_is_result(_: &[LogicalType], result: &LogicalType) -> LogicalType {
    result.clone()
}

/// Opaque state bytes.
pub fn opaque_state(_: &[LogicalType], _: &LogicalType) -> LogicalType {
    LogicalType::Varbinary(None)
}

/// Any one type, kept.
pub fn any_to_same() -> Vec<Signature> {
    vec![Signature::new(vec![TypePattern::Any], ResultRule::Arg(0))]
}

/// Any one type to a fixed result.
pub fn any_to(result: LogicalType) -> Vec<Signature> {
    vec![Signature::new(vec![TypePattern::Any], ResultRule::Exact(result))]
}

/// A STRUCT of named fields.
pub fn struct_of(fields: &[(&str, LogicalType)]) -> LogicalType {
    LogicalType::Struct(fields.iter().map(|(n, t)| StructField::new(*n, t.clone())).collect())
}
