//! Expressions and calls ⇄ `proto_messages::expr`.
//!
//! Calls travel by function name, argument types and result type: the receiver takes the function from its registry and trusts
//! the types the planner chose (some results depend on literal arguments, so they cannot be derived again).

use std::sync::Arc;

use common_base::{Result, bail, err};
use common_types::{LogicalType, Scalar, wire as types_wire};
use proto_messages::expr as pb;

use crate::{
    aggregate_fn::AggregateOverload,
    calls::{AggregateCall, Frame, FrameBound, FrameUnit, SortKey, WindowCall, WindowFunctionRef},
    expr::{Expr, ExprKind},
    registry::FunctionRegistry,
    scalar_fn::ScalarOverload,
    window_fn::WindowOverload,
};

/// Deepest tree accepted from the wire; deeper ones are refused instead of overflowing the stack.
const MAX_DEPTH: usize = 10_500;

/// Calls and casts nested deeper than this travel as a chain.
const CHAIN_FROM: usize = 8;

/// The first argument of a call, the operand of a cast.
fn inner(expr: &Expr) -> Option<&Expr> {
    match &expr.kind {
        ExprKind::Call { args, .. } => args.first(),
        ExprKind::Cast(e) => Some(e),
        _ => None,
    }
}

/// An expression whose first arguments nest deeply, without recursion along them.
fn chain_to_proto(expr: &Expr) -> Result<Option<pb::Chain>> {
    let spine: Vec<&Expr> = std::iter::successors(Some(expr), |e| inner(e)).collect();
    let Some((first, outer)) = spine.split_last().filter(|(_, outer)| outer.len() > CHAIN_FROM) else { return Ok(None) };
    let step = |e: &&Expr| {
        let (function, rest) = match &e.kind {
            ExprKind::Call { function, args } => (function.name().to_owned(), list_to_proto(&args[1..])?),
            _ => (String::new(), Vec::new()),
        };
        Ok(pb::Step { function, rest, r#type: Some(types_wire::type_to_proto(&e.ty)), nullable: e.nullable })
    };
    let steps = outer.iter().rev().map(step).collect::<Result<_>>()?;
    Ok(Some(pb::Chain { first: Some(Box::new(to_proto(first)?)), steps }))
}

/// An expression as a message. Fails on lambdas whose parameters are not numbered consecutively.
pub fn to_proto(expr: &Expr) -> Result<pb::Expr> {
    use pb::expr::Kind;
    let many = |items: &[Expr]| -> Result<pb::ExprList> { Ok(pb::ExprList { items: list_to_proto(items)? }) };
    let boxed = |e: &Expr| -> Result<Box<pb::Expr>> { Ok(Box::new(to_proto(e)?)) };
    if let Some(chain) = chain_to_proto(expr)? {
        return Ok(pb::Expr { r#type: Some(types_wire::type_to_proto(&expr.ty)), nullable: expr.nullable, kind: Some(Kind::Chain(Box::new(chain))) });
    }
    let kind = match &expr.kind {
        ExprKind::Literal(value) => Kind::Literal(types_wire::scalar_to_proto(value, &expr.ty)),
        ExprKind::Column(id) => Kind::Column(*id),
        ExprKind::Call { function, args } => {
            Kind::Call(pb::Call { function: function.name().to_owned(), args: list_to_proto(args)? })
        }
        ExprKind::And(items) => Kind::And(many(items)?),
        ExprKind::Or(items) => Kind::Or(many(items)?),
        ExprKind::Not(e) => Kind::Not(boxed(e)?),
        ExprKind::Case { branches, otherwise } => Kind::Case(Box::new(pb::Case {
            when: branches.iter().map(|(w, _)| to_proto(w)).collect::<Result<_>>()?,
            then: branches.iter().map(|(_, t)| to_proto(t)).collect::<Result<_>>()?,
            otherwise: otherwise.as_deref().map(boxed).transpose()?,
        })),
        ExprKind::Cast(e) => Kind::Cast(boxed(e)?),
        ExprKind::IsNull { input, negated } => {
            Kind::IsNull(Box::new(pb::IsNull { input: Some(boxed(input)?), negated: *negated }))
        }
        ExprKind::InList { input, list, negated } => Kind::InList(Box::new(pb::InList {
            input: Some(boxed(input)?),
            list: list_to_proto(list)?,
            negated: *negated,
        })),
        ExprKind::Coalesce(items) => Kind::Coalesce(many(items)?),
        ExprKind::Lambda { params, body } => {
            let first = params.first().map_or(0, |(id, _)| *id);
            if params.iter().zip(first..).any(|((id, _), want)| *id != want) {
                bail!(Internal, "lambda parameters are not numbered consecutively");
            }
            Kind::Lambda(Box::new(pb::Lambda {
                first_param: first,
                params: params.iter().map(|(_, ty)| types_wire::type_to_proto(ty)).collect(),
                body: Some(boxed(body)?),
            }))
        }
    };
    Ok(pb::Expr { r#type: Some(types_wire::type_to_proto(&expr.ty)), nullable: expr.nullable, kind: Some(kind) })
}

/// Several expressions.
pub fn list_to_proto(exprs: &[Expr]) -> Result<Vec<pb::Expr>> {
    exprs.iter().map(to_proto).collect()
}

/// An expression from a message; functions come from the registry.
pub fn from_proto(message: &pb::Expr, registry: &FunctionRegistry) -> Result<Expr> {
    decode(message, registry, 0)
}

/// Several expressions.
pub fn list_from_proto(messages: &[pb::Expr], registry: &FunctionRegistry) -> Result<Vec<Expr>> {
    messages.iter().map(|m| from_proto(m, registry)).collect()
}

fn decode(message: &pb::Expr, registry: &FunctionRegistry, depth: usize) -> Result<Expr> {
    use pb::expr::Kind;
    if depth > MAX_DEPTH {
        bail!(NotSupported, "the expression is nested deeper than {MAX_DEPTH} levels");
    }
    let one = |m: &Option<Box<pb::Expr>>| -> Result<Box<Expr>> {
        let m = m.as_ref().ok_or_else(|| err!(Internal, "an expression message lacks its operand"))?;
        Ok(Box::new(decode(m, registry, depth + 1)?))
    };
    let only = |m: &pb::Expr| -> Result<Box<Expr>> { Ok(Box::new(decode(m, registry, depth + 1)?)) };
    let many = |ms: &[pb::Expr]| -> Result<Vec<Expr>> { ms.iter().map(|m| decode(m, registry, depth + 1)).collect() };
    let ty = decode_type(message.r#type.as_ref())?;
    let kind = match message.kind.as_ref().ok_or_else(|| err!(Internal, "an expression message lacks its kind"))? {
        Kind::Literal(value) => ExprKind::Literal(types_wire::scalar_from_proto(value)?),
        Kind::Column(id) => ExprKind::Column(*id),
        Kind::Call(call) => {
            call_of(&call.function, many(&call.args)?, &ty, registry)?
        }
        Kind::Chain(chain) => {
            let mut acc = *one(&chain.first)?;
            for step in &chain.steps {
                let ty = decode_type(step.r#type.as_ref())?;
                let kind = match step.function.as_str() {
                    "" => ExprKind::Cast(Box::new(acc)),
                    name => {
                        let mut args = vec![acc];
                        args.extend(many(&step.rest)?);
                        call_of(name, args, &ty, registry)?
                    }
                };
                acc = Expr { kind, ty, nullable: step.nullable };
            }
            return Ok(acc);
        }
        Kind::And(items) => ExprKind::And(many(&items.items)?),
        Kind::Or(items) => ExprKind::Or(many(&items.items)?),
        Kind::Not(e) => ExprKind::Not(only(e)?),
        Kind::Case(case) => {
            if case.when.len() != case.then.len() {
                bail!(Internal, "a CASE message has {} conditions and {} results", case.when.len(), case.then.len());
            }
            let branches = many(&case.when)?.into_iter().zip(many(&case.then)?).collect();
            let otherwise = case.otherwise.as_ref().map(|e| only(e)).transpose()?;
            ExprKind::Case { branches, otherwise }
        }
        Kind::Cast(e) => ExprKind::Cast(only(e)?),
        Kind::IsNull(m) => ExprKind::IsNull { input: one(&m.input)?, negated: m.negated },
        Kind::InList(m) => ExprKind::InList { input: one(&m.input)?, list: many(&m.list)?, negated: m.negated },
        Kind::Coalesce(items) => ExprKind::Coalesce(many(&items.items)?),
        Kind::Lambda(m) => {
            let types = m.params.iter().map(|t| decode_type(Some(t))).collect::<Result<Vec<_>>>()?;
            ExprKind::Lambda { params: (m.first_param..).zip(types).collect(), body: one(&m.body)? }
        }
    };
    Ok(Expr { kind, ty, nullable: message.nullable })
}

fn call_of(name: &str, args: Vec<Expr>, ty: &LogicalType, registry: &FunctionRegistry) -> Result<ExprKind> {
    let function = registry
        .scalar_function(name)
        .ok_or_else(|| err!(UnknownFunction, "No matching function with signature: {name}."))?;
    let types = args.iter().map(|a| a.ty.clone()).collect();
    let function = Arc::new(ScalarOverload { function: function.clone(), args: types, result: ty.clone() });
    Ok(ExprKind::Call { function, args })
}

fn decode_type(message: Option<&proto_messages::types::LogicalType>) -> Result<LogicalType> {
    types_wire::type_from_proto(message.ok_or_else(|| err!(Internal, "a message lacks its type"))?)
}

/// A sort key as a message.
pub fn sort_key_to_proto(key: &SortKey) -> Result<pb::SortKey> {
    Ok(pb::SortKey { expr: Some(to_proto(&key.expr)?), descending: key.descending, nulls_first: key.nulls_first })
}

/// A sort key from a message.
pub fn sort_key_from_proto(message: &pb::SortKey, registry: &FunctionRegistry) -> Result<SortKey> {
    let expr = message.expr.as_ref().ok_or_else(|| err!(Internal, "a sort key message lacks its expression"))?;
    Ok(SortKey { expr: from_proto(expr, registry)?, descending: message.descending, nulls_first: message.nulls_first })
}

/// An aggregate call as a message.
pub fn aggregate_to_proto(call: &AggregateCall) -> Result<pb::AggregateCall> {
    Ok(pb::AggregateCall {
        function: call.function.name().to_owned(),
        args: list_to_proto(&call.args)?,
        arg_types: call.function.args.iter().map(types_wire::type_to_proto).collect(),
        result_type: Some(types_wire::type_to_proto(&call.function.result)),
        distinct: call.distinct,
        order_by: call.order_by.iter().map(sort_key_to_proto).collect::<Result<_>>()?,
        filter: call.filter.as_ref().map(to_proto).transpose()?,
    })
}

/// An aggregate call from a message.
pub fn aggregate_from_proto(message: &pb::AggregateCall, registry: &FunctionRegistry) -> Result<AggregateCall> {
    let args = message.arg_types.iter().map(|t| decode_type(Some(t))).collect::<Result<_>>()?;
    let result = decode_type(message.result_type.as_ref())?;
    Ok(AggregateCall {
        function: aggregate_overload(&message.function, args, result, registry)?,
        args: list_from_proto(&message.args, registry)?,
        distinct: message.distinct,
        order_by: message.order_by.iter().map(|k| sort_key_from_proto(k, registry)).collect::<Result<_>>()?,
        filter: message.filter.as_ref().map(|e| from_proto(e, registry)).transpose()?,
    })
}

fn aggregate_overload(
    name: &str,
    args: Vec<LogicalType>,
    result: LogicalType,
    registry: &FunctionRegistry,
) -> Result<Arc<AggregateOverload>> {
    let function =
        registry.aggregate_function(name).ok_or_else(|| err!(UnknownFunction, "No matching function with signature: {name}."))?;
    Ok(Arc::new(AggregateOverload { function: function.clone(), args, result }))
}

/// A window call as a message.
pub fn window_to_proto(call: &WindowCall) -> Result<pb::WindowCall> {
    Ok(pb::WindowCall {
        function: call.function.name().to_owned(),
        aggregate: matches!(call.function, WindowFunctionRef::Aggregate(_)),
        args: list_to_proto(&call.args)?,
        result_type: Some(types_wire::type_to_proto(call.function.result())),
        ignore_nulls: call.ignore_nulls,
    })
}

/// A window call from a message.
pub fn window_from_proto(message: &pb::WindowCall, registry: &FunctionRegistry) -> Result<WindowCall> {
    let args = list_from_proto(&message.args, registry)?;
    let types = args.iter().map(|a| a.ty.clone()).collect();
    let result = decode_type(message.result_type.as_ref())?;
    let function = if message.aggregate {
        WindowFunctionRef::Aggregate(aggregate_overload(&message.function, types, result, registry)?)
    } else {
        let function = registry
            .window_function(&message.function)
            .ok_or_else(|| err!(UnknownFunction, "No matching function with signature: {}.", message.function))?;
        WindowFunctionRef::Window(Arc::new(WindowOverload { function: function.clone(), args: types, result }))
    };
    Ok(WindowCall { function, args, ignore_nulls: message.ignore_nulls })
}

/// A frame as a message.
pub fn frame_to_proto(frame: &Frame) -> pb::Frame {
    let bound = |b: FrameBound| {
        let (kind, offset) = match b {
            FrameBound::UnboundedPreceding => (pb::BoundKind::UnboundedPreceding, 0),
            FrameBound::Preceding(n) => (pb::BoundKind::Preceding, n),
            FrameBound::CurrentRow => (pb::BoundKind::CurrentRow, 0),
            FrameBound::Following(n) => (pb::BoundKind::Following, n),
            FrameBound::UnboundedFollowing => (pb::BoundKind::UnboundedFollowing, 0),
        };
        pb::FrameBound { kind: kind.into(), offset }
    };
    let unit = match frame.unit {
        FrameUnit::Rows => pb::FrameUnit::Rows,
        FrameUnit::Range => pb::FrameUnit::Range,
    };
    pb::Frame { unit: unit.into(), start: Some(bound(frame.start)), end: Some(bound(frame.end)) }
}

/// A frame from a message.
pub fn frame_from_proto(message: &pb::Frame) -> Result<Frame> {
    let bound = |b: &Option<pb::FrameBound>| -> Result<FrameBound> {
        let b = b.as_ref().ok_or_else(|| err!(Internal, "a frame message lacks a bound"))?;
        Ok(match b.kind() {
            pb::BoundKind::UnboundedPreceding => FrameBound::UnboundedPreceding,
            pb::BoundKind::Preceding => FrameBound::Preceding(b.offset),
            pb::BoundKind::CurrentRow => FrameBound::CurrentRow,
            pb::BoundKind::Following => FrameBound::Following(b.offset),
            pb::BoundKind::UnboundedFollowing => FrameBound::UnboundedFollowing,
        })
    };
    let unit = match message.unit() {
        pb::FrameUnit::Rows => FrameUnit::Rows,
        pb::FrameUnit::Range => FrameUnit::Range,
    };
    Ok(Frame { unit, start: bound(&message.start)?, end: bound(&message.end)? })
}

/// The literal inside a message, if it is one; for callers that only look at constants.
pub fn literal_from_proto(message: &pb::Expr) -> Option<Result<Scalar>> {
    match &message.kind {
        Some(pb::expr::Kind::Literal(value)) => Some(types_wire::scalar_from_proto(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sql::to_sql,
        test_support::{big, call, col, registry, text},
    };

    #[test]
    fn round_trip_and_text() {
        let sum = call("add", vec![col(0, LogicalType::BigInt), big(1)]);
        let condition = Expr::or(vec![
            Expr::and(vec![call("gt", vec![sum.clone(), big(5)]), col(1, LogicalType::varchar()).is_not_null()]),
            call("like", vec![col(1, LogicalType::varchar()), text("it's%")]).negate(),
        ]);
        let list = ExprKind::InList { input: Box::new(col(0, LogicalType::Int).cast_to(&LogicalType::BigInt)), list: vec![big(1), big(2)], negated: true };
        let list = Expr { kind: list, ty: LogicalType::Boolean, nullable: true };
        let lambda = ExprKind::Lambda { params: vec![(4, LogicalType::BigInt)], body: Box::new(call("add", vec![col(4, LogicalType::BigInt), big(1)])) };
        let lambda = Expr { kind: lambda, ty: LogicalType::Function, nullable: false };
        let case = ExprKind::Case { branches: vec![(condition.clone(), sum)], otherwise: Some(Box::new(big(0))) };
        let case = Expr { kind: case, ty: LogicalType::BigInt, nullable: true };
        let registry = registry();
        for e in [&condition, &list, &lambda, &case] {
            assert_eq!(from_proto(&to_proto(e).expect("encodes"), &registry).expect("decodes"), *e);
        }
        for n in [CHAIN_FROM - 1, CHAIN_FROM, CHAIN_FROM + 1, 2000] {
            let deep = (0..n).fold(col(0, LogicalType::Int).cast_to(&LogicalType::BigInt), |acc, i| call("add", vec![acc, big(i as i64)]));
            let sent = to_proto(&deep).expect("encodes");
            assert_eq!(matches!(sent.kind, Some(pb::expr::Kind::Chain(_))), n >= CHAIN_FROM);
            assert_eq!(from_proto(&sent, &registry).expect("decodes"), deep);
        }
        let name = |id| format!("c{id}");
        assert_eq!(to_sql(&condition, &name), "c0 + 1 > 5 AND c1 IS NOT NULL OR NOT c1 LIKE 'it''s%'");
        assert_eq!(to_sql(&list, &name), "CAST(c0 AS BIGINT) NOT IN (1, 2)");
        assert_eq!(to_sql(&lambda, &name), "c4 -> c4 + 1");
    }
}
