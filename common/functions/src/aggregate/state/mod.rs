//! States of aggregate functions as values (functions.md §21). For a function `f` there are `f_state(args)`, the state of one row,
//! `f_state_union(s, s)` and `f_state_merge(s)`, which are scalar, and the aggregates `f_combine(args)` and `f_union(s)`, which give
//! states, and `f_merge(s)`, which gives what `f` does. A state travels in its stored form (`codec`), whose type names `f`.

mod codec;
mod scalar;
#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction, AggregateOverload},
    registry::FunctionRegistry,
    scalar_fn::EvalContext,
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, Scalar, StateType};

use codec::Constants;

/// Functions without states: they need their order, a session's settings or constants of any number, or work on states anyway.
const WITHOUT: [&str; 16] = [
    "group_concat", "count_if", "hll_raw", "window_funnel", "approx_top_k", "intersect_count", "map_agg", "sum_map", "array_agg_distinct",
    "bitmap_union", "bitmap_intersect", "bitmap_union_count", "hll_union_agg", "hll_union", "percentile_union", "percentile_disc_lc",
];

/// Adds the functions over states of each of `functions`.
pub fn register(r: &mut FunctionRegistry, functions: &[AggregateFunction]) {
    scalar::register_convert(r);
    for f in functions.iter().filter(|f| !WITHOUT.contains(&f.names[0])) {
        let name = f.names[0];
        let of_args = |s: &Signature| Signature { result: ResultRule::StateOf(name), ..s.clone() };
        let over_args: Vec<Signature> = f.signatures.iter().filter(|s| !s.args.is_empty()).map(of_args).collect();
        let state = || TypePattern::StateOf(name);
        let result = ResultRule::OfState(Arc::new(f.signatures.clone()));
        let aggregate = |suffix: &str, signatures, nullable, create| AggregateFunction {
            names: names(f, suffix),
            signatures,
            state_type,
            nullable,
            distinct_matters: f.distinct_matters,
            create,
        };
        scalar::register(r, f, over_args.clone());
        r.add_aggregate(aggregate("combine", over_args, false, |call, ctx, constants| create(call, &call.result, ctx, Some(constants), false)));
        let union = vec![Signature::new(vec![state()], ResultRule::Arg(0))];
        r.add_aggregate(aggregate("union", union, false, |call, ctx, _| create(call, &call.args[0], ctx, None, false)));
        let merge = vec![Signature::new(vec![state()], result)];
        r.add_aggregate(aggregate("merge", merge, f.nullable, |call, ctx, _| create(call, &call.args[0], ctx, None, true)));
    }
}

/// `f_suffix` for each name of a function. They live as long as the process, which builds its registry once.
fn names(f: &AggregateFunction, suffix: &str) -> &'static [&'static str] {
    let usable = f.names.iter().filter(|n| !WITHOUT.contains(*n));
    let names: Vec<&'static str> = usable.map(|n| &*Box::leak(format!("{n}_{suffix}").into_boxed_str())).collect();
    Box::leak(names.into_boxed_slice())
}

/// Exchanged in the stored form: it brings the constants along.
fn state_type(args: &[T], result: &T) -> T {
    match result {
        T::State(_) => result.clone(),
        _ => args[0].clone(),
    }
}

/// The call whose states a type holds.
fn call_of(ty: &T) -> Result<Arc<AggregateOverload>> {
    match ty {
        T::State(state) => overload(state),
        other => bail!(Internal, "{other} is no type of states"),
    }
}

fn overload(state: &StateType) -> Result<Arc<AggregateOverload>> {
    crate::registry().aggregate(&state.function, &state.args)
}

/// The literals among arguments, those that have to be there checked.
fn literals(call: &AggregateOverload, of: impl Fn(usize) -> Option<Scalar>) -> Result<Constants> {
    let mut out = vec![None; call.args.len()];
    for &at in codec::constant_arguments(call.name()).iter().filter(|at| **at < call.args.len()) {
        out[at] = of(at);
        if out[at].is_none() {
            bail!(Analysis, "argument {} of {} must be a constant", at + 1, call.name());
        }
    }
    Ok(out)
}

fn create(
    outer: &AggregateOverload,
    ty: &T,
    ctx: &EvalContext,
    constants: Option<&[Option<Scalar>]>,
    finishes: bool,
) -> Result<Box<dyn Accumulator>> {
    let call = call_of(ty)?;
    let mut states = States {
        ty: ty.clone(),
        result: outer.result.clone(),
        needs_constants: codec::constant_arguments(call.name()).iter().any(|at| *at < call.args.len()),
        call,
        ctx: ctx.clone(),
        constants: Vec::new(),
        inner: None,
        groups: 0,
        finishes,
    };
    // Partial states merge without the arguments: their constants come with them.
    let given = constants.and_then(|c| literals(&states.call, |at| c.get(at).cloned().flatten()).ok());
    match given {
        Some(given) => states.start(given)?,
        None if !states.needs_constants => states.start(Vec::new())?,
        None => {}
    }
    Ok(Box::new(states))
}

/// States of `call` for groups, that come and go in their stored form.
struct States {
    call: Arc<AggregateOverload>,
    /// The type of the states.
    ty: T,
    result: T,
    ctx: EvalContext,
    needs_constants: bool,
    constants: Constants,
    /// Absent while the constants are not known.
    inner: Option<Box<dyn Accumulator>>,
    groups: usize,
    /// Whether results are wanted in the end, not states.
    finishes: bool,
}

impl States {
    fn start(&mut self, constants: Constants) -> Result<()> {
        let mut inner = (self.call.function.create)(&self.call, &self.ctx, &constants)?;
        inner.resize(self.groups);
        self.constants = constants;
        self.inner = Some(inner);
        Ok(())
    }

    fn over_states(&self, args: &[Column]) -> bool {
        args.first().is_some_and(|a| *a.ty() == self.ty)
    }
}

impl Accumulator for States {
    fn resize(&mut self, groups: usize) {
        self.groups = groups;
        if let Some(inner) = &mut self.inner {
            inner.resize(groups);
        }
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        if self.over_states(args) {
            return self.merge(groups, &args[0]);
        }
        match &mut self.inner {
            Some(inner) => inner.update(groups, args),
            None => bail!(Analysis, "{} needs constants", self.call.name()),
        }
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        if self.over_states(args) {
            return self.merge(&vec![group; rows], &args[0]);
        }
        match &mut self.inner {
            Some(inner) => inner.update_all(group, args, rows),
            None => bail!(Analysis, "{} needs constants", self.call.name()),
        }
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        let decoded = codec::decode(&self.call, states)?;
        if let (None, Some(constants)) = (&self.inner, decoded.constants) {
            self.start(constants)?;
        }
        match &mut self.inner {
            Some(inner) if decoded.rows.len() == groups.len() => inner.merge(groups, &decoded.states),
            Some(inner) if !decoded.rows.is_empty() => {
                let groups: Vec<u32> = decoded.rows.iter().map(|row| groups[*row as usize]).collect();
                inner.merge(&groups, &decoded.states)
            }
            None if !decoded.rows.is_empty() => bail!(Corruption, "a state of {} has no constants", self.call.name()),
            _ => Ok(()),
        }
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        let states = match &mut self.inner {
            Some(inner) => inner.state(groups)?,
            None => Column::null(self.call.state_type(), groups.len()),
        };
        codec::encode(&self.call, &self.constants, &states, &self.ty)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        match &mut self.inner {
            _ if !self.finishes => self.state(groups),
            Some(inner) => inner.finish(groups),
            None => Ok(Column::null(self.result.clone(), groups.len())),
        }
    }

    fn memory_size(&self) -> usize {
        self.inner.as_ref().map_or(0, |i| i.memory_size())
    }
}
