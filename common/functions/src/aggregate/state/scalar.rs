//! The scalar functions over states: `f_state`, `f_state_union`, `f_state_merge`, and the conversion between states over
//! different types of arguments that an INSERT needs.

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::AggregateFunction,
    cast::cast_column,
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, Scalar};

use super::{call_of, codec, literals, names};
use crate::kernels::def::{custom, never_null};

/// Adds the scalar functions of an aggregate.
pub fn register(r: &mut FunctionRegistry, f: &AggregateFunction, over_args: Vec<Signature>) {
    let state = || TypePattern::StateOf(f.names[0]);
    r.add_scalar(never_null(names(f, "state"), over_args, state_of_rows));
    let union = vec![Signature::new(vec![state(), state()], ResultRule::Arg(0))];
    r.add_scalar(custom(names(f, "state_union"), union, union_of_two));
    let result = ResultRule::OfState(std::sync::Arc::new(f.signatures.clone()));
    r.add_scalar(custom(names(f, "state_merge"), vec![Signature::new(vec![state()], result)], result_of_one));
}

/// Nobody writes this call: it has no overloads, and analysis makes it where states meet a column of other states.
pub fn register_convert(r: &mut FunctionRegistry) {
    r.add_scalar(custom(&["agg_state_convert"], Vec::new(), convert));
}

fn each_its_own(rows: usize) -> Vec<u32> {
    (0..rows as u32).collect()
}

/// Every row is a group of its own.
fn state_of_rows(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let of = call_of(&call.result)?;
    let constants = literals(&of, |at| args[at].as_const().cloned())?;
    let mut states = (of.function.create)(&of, ctx, &constants)?;
    states.resize(rows);
    states.update(&each_its_own(rows), args)?;
    codec::encode(&of, &constants, &states.state(0..rows)?, &call.result)
}

fn union_of_two(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let of = call_of(&call.result)?;
    if call_of(args[1].ty())?.state_type() != of.state_type() {
        bail!(Analysis, "states of {} over different types have no union", of.name());
    }
    let parts = [codec::decode(&of, &args[0])?, codec::decode(&of, &args[1])?];
    let constants = parts.iter().find_map(|p| p.constants.clone()).unwrap_or_default();
    let states = if parts.iter().all(|p| p.rows.is_empty()) {
        Column::null(of.state_type(), rows)
    } else {
        let mut states = (of.function.create)(&of, ctx, &constants)?;
        states.resize(rows);
        for part in parts.iter().filter(|p| !p.rows.is_empty()) {
            states.merge(&part.rows, &part.states)?;
        }
        states.state(0..rows)?
    };
    let out = codec::encode(&of, &constants, &states, &call.result)?;
    let neither: Vec<bool> = (0..rows).map(|row| args[0].is_null(row) && args[1].is_null(row)).collect();
    Ok(null_where(out, &neither))
}

fn result_of_one(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let of = call_of(&call.args[0])?;
    let part = codec::decode(&of, &args[0])?;
    let missing: Vec<bool> = (0..rows).map(|row| args[0].is_null(row)).collect();
    let needs = codec::constant_arguments(of.name()).iter().any(|at| *at < of.args.len());
    if needs && part.constants.is_none() {
        return Ok(Column::null(call.result.clone(), rows));
    }
    let mut states = (of.function.create)(&of, ctx, &part.constants.unwrap_or_default())?;
    states.resize(rows);
    if !part.rows.is_empty() {
        states.merge(&part.rows, &part.states)?;
    }
    Ok(null_where(states.finish(0..rows)?, &missing))
}

fn convert(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (from, to) = (call_of(&call.args[0])?, call_of(&call.result)?);
    let part = codec::decode(&from, &args[0])?;
    let cast = cast_column(ctx, &part.states, &to.state_type())?;
    let mut constants: Vec<Option<Scalar>> = part.constants.unwrap_or_default();
    for (at, value) in constants.iter_mut().enumerate() {
        if let (Some(v), Some(from), Some(to)) = (&value, from.args.get(at), to.args.get(at)) {
            *value = Some(common_expr::cast::cast_scalar(ctx, v, from, to)?);
        }
    }
    let mut source = vec![u32::MAX; rows];
    for (i, row) in part.rows.iter().enumerate() {
        source[*row as usize] = i as u32;
    }
    let out = codec::encode(&to, &constants, &cast.gather_opt(&source), &call.result)?;
    Ok(null_where(out, &(0..rows).map(|row| args[0].is_null(row)).collect::<Vec<_>>()))
}

fn null_where(column: Column, null: &[bool]) -> Column {
    if !null.contains(&true) {
        return column;
    }
    column.gather_opt(&null.iter().enumerate().map(|(row, null)| if *null { u32::MAX } else { row as u32 }).collect::<Vec<_>>())
}
