//! An aggregation over an index whose rows are added up already: its keys give the groups and the conditions, its values are added up
//! further. Calls that do not mind repeated rows are computed from keys as well.

use std::{collections::HashMap, sync::Arc};

use common_base::Result;
use common_expr::{
    aggregate_fn::AggregateOverload,
    expr::{ColumnId, Expr, ExprKind},
    fold::fold,
    walk::substitute,
};
use common_types::{LogicalType, Scalar};
use fe_catalog::model::{Aggregation, TableIndex};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{AggregateCall, IndexExprs, LogicalScan, SortKey},
};

use super::{Rank, reader::Reader};
use crate::context::Context;

/// The calls that stand for one call, and its value over them; none = the first call's.
struct Answer {
    calls: Vec<(ColumnId, AggregateCall)>,
    value: Option<Expr>,
}

/// The aggregation over an index, if the index has all it needs.
pub(super) fn over(
    group_by: &[ColumnId],
    calls: &[(ColumnId, AggregateCall)],
    project: &[(ColumnId, Expr)],
    scan: &LogicalScan,
    index: &TableIndex,
    exprs: &IndexExprs,
    ctx: &mut Context<'_>,
) -> Result<Option<(Rank, LogicalNode)>> {
    let Some(reader) = Reader::new(scan, index, exprs, ctx) else { return Ok(None) };
    let below = project.iter().filter(|(id, e)| e.as_column() != Some(*id)).cloned().collect();
    let mut made = Restated { reader, below, project: Vec::new(), bare: group_by.is_empty() };
    let Some(conditions) = made.reader.conditions(ctx) else { return Ok(None) };
    // Equalities on more of the table's leading columns find its few rows; a range leaves more than are added up already.
    if conditions.base_prefix / 2 > conditions.rank.prefix / 2 {
        return Ok(None);
    }
    for id in group_by {
        let key = made.source(&ctx.column(*id));
        let Some(rebuilt) = made.reader.rebuild(&key, ctx) else { return Ok(None) };
        made.project.push((*id, rebuilt));
    }
    let (mut rewritten, mut output) = (Vec::with_capacity(calls.len()), Vec::new());
    for (id, call) in calls {
        let Some(answer) = made.answer(*id, call, ctx)? else { return Ok(None) };
        rewritten.extend(answer.calls);
        output.push((*id, answer.value));
    }
    let Restated { reader, project, .. } = made;
    let Some(scan) = reader.scan(conditions.tested) else { return Ok(None) };
    let below = LogicalNode::unary(LogicalOp::Project { exprs: project }, LogicalNode::leaf(LogicalOp::Scan(scan)));
    let mut node = LogicalNode::unary(LogicalOp::Aggregate { group_by: group_by.to_vec(), calls: rewritten }, below);
    if output.iter().any(|(_, value)| value.is_some()) {
        let keys = group_by.iter().map(|id| (*id, ctx.column(*id)));
        let values = output.into_iter().map(|(id, value)| (id, value.unwrap_or_else(|| ctx.column(id))));
        node = LogicalNode::unary(LogicalOp::Project { exprs: keys.chain(values).collect() }, node);
    }
    Ok(Some((conditions.rank, node)))
}

struct Restated<'a> {
    reader: Reader<'a>,
    /// What the columns below the aggregation are made of, where they are not the scan's.
    below: HashMap<ColumnId, Expr>,
    /// What the aggregation gets of the index.
    project: Vec<(ColumnId, Expr)>,
    /// There are no groups: no rows give a row.
    bare: bool,
}

impl Restated<'_> {
    /// An expression of the aggregation over the scan's columns.
    fn source(&self, expr: &Expr) -> Expr {
        substitute(expr.clone(), &self.below)
    }

    fn form(&self, expr: &Expr, ctx: &Context<'_>) -> Expr {
        self.reader.forms.of_query(expr, ctx.eval)
    }

    /// The call over the index; none when it cannot be told from it.
    fn answer(&mut self, id: ColumnId, call: &AggregateCall, ctx: &mut Context<'_>) -> Result<Option<Answer>> {
        let args: Vec<Expr> = call.args.iter().map(|a| self.source(a)).collect();
        let filter = match &call.filter {
            Some(f) => {
                let f = self.source(f);
                let Some(rebuilt) = self.reader.rebuild(&f, ctx) else { return Ok(None) };
                Some(self.argument(rebuilt, ctx))
            }
            None => None,
        };
        let stored = if call.order_by.is_empty() { self.from_values(id, call, &args, filter.as_ref(), ctx)? } else { None };
        match stored {
            Some(answer) => Ok(Some(answer)),
            None => Ok(self.from_keys(id, call, &args, filter, ctx)),
        }
    }

    /// The call as it is, over keys: when it does not matter how many rows have them.
    fn from_keys(&mut self, id: ColumnId, call: &AggregateCall, args: &[Expr], filter: Option<Expr>, ctx: &mut Context<'_>) -> Option<Answer> {
        if !call.distinct && call.function.function.distinct_matters || args.is_empty() {
            return None;
        }
        let rebuilt = args.iter().map(|a| self.reader.rebuild(a, ctx)).collect::<Option<Vec<Expr>>>()?;
        let args = rebuilt.into_iter().map(|a| self.argument(a, ctx)).collect();
        let mut order_by = Vec::with_capacity(call.order_by.len());
        for key in &call.order_by {
            let by = self.source(&key.expr);
            let by = self.reader.rebuild(&by, ctx)?;
            order_by.push(SortKey { expr: self.argument(by, ctx), ..key.clone() });
        }
        Some(Answer { calls: vec![(id, AggregateCall { args, filter, order_by, ..call.clone() })], value: None })
    }

    /// An expression over the index as one over the projection below the aggregation.
    fn argument(&mut self, expr: Expr, ctx: &mut Context<'_>) -> Expr {
        if expr.as_literal().is_some() {
            return expr;
        }
        if let Some((id, _)) = self.project.iter().find(|(_, e)| *e == expr) {
            return Expr { ty: expr.ty, ..ctx.column(*id) };
        }
        let id = expr.as_column().filter(|id| !self.project.iter().any(|(made, _)| made == id));
        let id = id.unwrap_or_else(|| ctx.new_column("expr", expr.ty.clone(), expr.nullable));
        let reference = Expr { ty: expr.ty.clone(), ..ctx.column(id) };
        self.project.push((id, expr));
        reference
    }

    /// The call over a column of values that are added up.
    fn from_values(&mut self, id: ColumnId, call: &AggregateCall, args: &[Expr], filter: Option<&Expr>, ctx: &mut Context<'_>) -> Result<Option<Answer>> {
        let name = call.function.name();
        if call.distinct {
            let [arg] = args else { return Ok(None) };
            let set = if name == "count" { self.whole_set(arg, ctx) } else { None };
            return set.map_or(Ok(None), |at| self.further("bitmap_union_count", at, id, call, filter, ctx));
        }
        match (name, args) {
            ("count", []) => self.counted(None, id, call, filter, ctx),
            ("count", [e]) => self.counted(Some(e), id, call, filter, ctx),
            ("avg", [e]) if matches!(uncast(e).ty, LogicalType::TinyInt | LogicalType::SmallInt | LogicalType::Int) => {
                match self.average(uncast(e), call, filter, ctx)? {
                    Some(answer) => Ok(Some(answer)),
                    None => self.over_states(args, id, call, filter, ctx),
                }
            }
            ("percentile_approx", [e, point]) if call.function.result == LogicalType::Double => self.quantile(e, point, id, call, filter, ctx),
            (_, [e]) => match self.column_for(name, e, ctx) {
                Some((function, at)) => self.further(function, at, id, call, filter, ctx),
                None => self.over_states(args, id, call, filter, ctx),
            },
            _ => self.over_states(args, id, call, filter, ctx),
        }
    }

    /// The column of a call of one argument, and what adds it up.
    fn column_for(&self, name: &str, arg: &Expr, ctx: &Context<'_>) -> Option<(&'static str, usize)> {
        let form = self.form(arg, ctx);
        let same = |by: Aggregation| self.reader.combined(by, |e| uncast(e) == uncast(&form));
        // What is made of a value for the column: `to_bitmap(x)` for x.
        let made_by = |function: &str, by: Aggregation| {
            let of_same = |e: &Expr| matches!(e.as_call(function), Some([x]) if untext(x) == untext(&form));
            self.reader.combined(by, of_same)
        };
        match name {
            "sum" => Some(("sum", same(Aggregation::Sum)?)),
            "min" => Some(("min", same(Aggregation::Min)?)),
            "max" => Some(("max", same(Aggregation::Max)?)),
            "bitmap_union" => Some(("bitmap_union", same(Aggregation::BitmapUnion)?)),
            "bitmap_union_count" => Some(("bitmap_union_count", same(Aggregation::BitmapUnion)?)),
            "bitmap_union_int" => Some(("bitmap_union_count", self.reader.combined(Aggregation::BitmapUnion, |e| e.as_call("to_bitmap") == Some(std::slice::from_ref(&form)))?)),
            // Of rows with values that no set holds it would be the empty set, not NULL.
            "bitmap_agg" => Some(("bitmap_union", self.whole_set(arg, ctx)?)),
            "hll_union" => Some(("hll_union", same(Aggregation::HllUnion)?)),
            "hll_union_agg" => Some(("hll_union_agg", same(Aggregation::HllUnion)?)),
            // Equal numbers have equal texts, except for -0.
            "approx_count_distinct" if !untext(&form).ty.is_float() => Some(("hll_union_agg", made_by("hll_hash", Aggregation::HllUnion)?)),
            "percentile_union" => Some(("percentile_union", same(Aggregation::PercentileUnion)?)),
            _ => None,
        }
    }

    /// The column with the set of all values of a column.
    fn whole_set(&self, arg: &Expr, ctx: &Context<'_>) -> Option<usize> {
        let form = self.form(arg, ctx);
        let of = uncast(&form).as_column()?;
        self.reader.combined(Aggregation::BitmapUnion, |e| matches!(e.as_call("to_bitmap"), Some([x]) if x.as_column() == Some(of)))
            .filter(|at| self.reader.loses_nothing(*at, of))
    }

    /// A call of a function that adds up a column.
    fn call_on(&mut self, function: &str, at: usize, filter: Option<&Expr>, ctx: &mut Context<'_>) -> Result<AggregateCall> {
        let function: Arc<AggregateOverload> = ctx.aggregate(function, std::slice::from_ref(self.reader.ty(at)))?;
        let column = self.reader.column(at, ctx);
        let arg = self.argument(ctx.column(column), ctx);
        Ok(AggregateCall { function, args: vec![arg], distinct: false, order_by: Vec::new(), filter: filter.cloned() })
    }

    fn further(&mut self, function: &str, at: usize, id: ColumnId, call: &AggregateCall, filter: Option<&Expr>, ctx: &mut Context<'_>) -> Result<Option<Answer>> {
        let new = self.call_on(function, at, filter, ctx)?;
        let same = new.function.result == call.function.result;
        Ok(same.then(|| Answer { calls: vec![(id, new)], value: None }))
    }

    /// The column that counts the values of an argument, or rows.
    fn count_column(&self, arg: Option<&Expr>, ctx: &Context<'_>) -> Option<usize> {
        let of_values = |arg: &Expr| {
            let form = self.form(arg, ctx);
            self.reader.combined(Aggregation::Sum, |e| counted(uncast(e)).is_some_and(|of| uncast(of) == uncast(&form)))
        };
        let rows = || self.reader.combined(Aggregation::Sum, |e| uncast(e).as_literal().and_then(Scalar::as_i128) == Some(1));
        match arg {
            Some(arg) if arg.nullable => of_values(arg),
            Some(arg) => rows().or_else(|| of_values(arg)),
            None => rows(),
        }
    }

    fn counted(&mut self, arg: Option<&Expr>, id: ColumnId, call: &AggregateCall, filter: Option<&Expr>, ctx: &mut Context<'_>) -> Result<Option<Answer>> {
        let Some(at) = self.count_column(arg, ctx) else { return Ok(None) };
        let new = self.call_on("sum", at, filter, ctx)?;
        if new.function.result != call.function.result {
            return Ok(None);
        }
        if !self.bare && filter.is_none() {
            return Ok(Some(Answer { calls: vec![(id, new)], value: None }));
        }
        // Of no rows the sum is NULL, the count 0.
        let sum = ctx.new_column("sum", new.function.result.clone(), true);
        let value = ctx.call("ifnull", vec![ctx.column(sum), Expr::literal(Scalar::BigInt(0))])?;
        Ok(Some(Answer { calls: vec![(sum, new)], value: Some(value) }))
    }

    /// Sum by count: exact for integers whose sums are.
    fn average(&mut self, arg: &Expr, call: &AggregateCall, filter: Option<&Expr>, ctx: &mut Context<'_>) -> Result<Option<Answer>> {
        let (Some((_, sum)), Some(count)) = (self.column_for("sum", arg, ctx), self.count_column(Some(arg), ctx)) else { return Ok(None) };
        if call.function.result != LogicalType::Double || *self.reader.ty(sum) != LogicalType::BigInt {
            return Ok(None);
        }
        let mut calls = Vec::with_capacity(2);
        let mut operands = Vec::with_capacity(2);
        for (name, at) in [("sum", sum), ("count", count)] {
            let new = self.call_on("sum", at, filter, ctx)?;
            let id = ctx.new_column(name, new.function.result.clone(), true);
            operands.push(ctx.column(id).cast_to(&LogicalType::Double));
            calls.push((id, new));
        }
        let value = ctx.call("divide", operands)?;
        Ok((value.ty == LogicalType::Double).then_some(Answer { calls, value: Some(value) }))
    }

    /// `percentile_approx(x, p)` from sketches of x.
    fn quantile(&mut self, arg: &Expr, point: &Expr, id: ColumnId, call: &AggregateCall, filter: Option<&Expr>, ctx: &mut Context<'_>) -> Result<Option<Answer>> {
        let form = self.form(arg, ctx);
        let sketch = self.reader.combined(Aggregation::PercentileUnion, |e| e.as_call("percentile_hash") == Some(std::slice::from_ref(&form)));
        let point = fold(point.clone(), ctx.eval);
        // Another point is an error, which the call itself gives.
        let known = point.as_literal().and_then(Scalar::as_f64).is_some_and(|p| (0.0..=1.0).contains(&p));
        let Some(at) = sketch.filter(|_| known) else { return self.over_states(&[arg.clone(), point], id, call, filter, ctx) };
        let new = self.call_on("percentile_union", at, filter, ctx)?;
        let united = ctx.new_column("percentile", new.function.result.clone(), true);
        let value = ctx.call("percentile_approx_raw", vec![ctx.column(united), point])?;
        Ok(Some(Answer { calls: vec![(united, new)], value: Some(value) }))
    }

    /// The call over a column of states: of the call, or what a call on states is given.
    fn over_states(&mut self, args: &[Expr], id: ColumnId, call: &AggregateCall, filter: Option<&Expr>, ctx: &mut Context<'_>) -> Result<Option<Answer>> {
        let forms: Vec<Expr> = args.iter().map(|a| self.form(a, ctx)).collect();
        let name = call.function.name();
        let (function, found) = match forms.as_slice() {
            [] => return Ok(None),
            [state] if matches!(state.ty, LogicalType::State(_)) => {
                (name.to_owned(), self.reader.combined(Aggregation::StateUnion, |e| e == state))
            }
            args => {
                let made = format!("{name}_state");
                let of = |e: &Expr| e.as_call(&made).is_some_and(|of| of.len() == args.len() && of.iter().zip(args).all(|(a, b)| uncast(a) == uncast(b)));
                (format!("{name}_merge"), self.reader.combined(Aggregation::StateUnion, of))
            }
        };
        found.map_or(Ok(None), |at| self.further(&function, at, id, call, filter, ctx))
    }
}

/// `CASE WHEN x IS NULL THEN 0 ELSE 1 END`: x.
fn counted(expr: &Expr) -> Option<&Expr> {
    let ExprKind::Case { branches, otherwise: Some(otherwise) } = &expr.kind else { return None };
    let [(when, then)] = branches.as_slice() else { return None };
    let is = |e: &Expr, value: i128| uncast(e).as_literal().and_then(Scalar::as_i128) == Some(value);
    match &when.kind {
        ExprKind::IsNull { input, negated: false } if is(then, 0) && is(otherwise, 1) => Some(input),
        ExprKind::IsNull { input, negated: true } if is(then, 1) && is(otherwise, 0) => Some(input),
        _ => None,
    }
}

/// Without casts that keep every value, its order and its sum.
fn uncast(e: &Expr) -> &Expr {
    match &e.kind {
        ExprKind::Cast(inner) if keeps(&inner.ty, &e.ty) => uncast(inner),
        _ => e,
    }
}

/// Without a cast to text, which tells different values apart as well as they are.
fn untext(e: &Expr) -> &Expr {
    match &e.kind {
        ExprKind::Cast(inner) if e.ty.is_string() && (inner.ty.is_integer() || inner.ty.is_date_like() || inner.ty.is_decimal()) => inner,
        _ => e,
    }
}

fn keeps(from: &LogicalType, to: &LogicalType) -> bool {
    let rank = |ty: &LogicalType| match ty {
        LogicalType::Boolean => 1,
        LogicalType::TinyInt => 2,
        LogicalType::SmallInt => 3,
        LogicalType::Int => 4,
        LogicalType::BigInt => 5,
        LogicalType::LargeInt => 6,
        _ => 0,
    };
    match (from, to) {
        (LogicalType::TinyInt | LogicalType::SmallInt | LogicalType::Int | LogicalType::Float, LogicalType::Double) => true,
        (LogicalType::Decimal { precision: p, scale: s, .. }, LogicalType::Decimal { precision: q, scale: t, .. }) => s == t && q >= p,
        _ => rank(from) > 0 && rank(to) >= rank(from),
    }
}
