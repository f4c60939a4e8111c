//! Window calls: legality, frames, normalised arguments. The call goes to the frame; the expression is its output column.

use common_base::{Result, bail};
use common_expr::expr::Expr;
use common_types::{LogicalType, Scalar, coercion::lossless_cast};
use fe_parser::ast::sql::{self, NullTreatment, WindowFrameUnits, WindowType};
use fe_parser::print::expr_text;
use fe_plan::logical::{Frame, FrameBound, FrameUnit, SortKey, WindowCall, WindowFunctionRef};

use crate::{
    binder::{Binder, Clause, PendingWindow},
    types::datatype::debug_text,
};

use super::{
    call::types_of,
    function::{is_star, plain_args},
};

const WHOLE_PARTITION: Frame =
    Frame { unit: FrameUnit::Range, start: FrameBound::UnboundedPreceding, end: FrameBound::UnboundedFollowing };

impl Binder<'_> {
    pub(super) fn bind_window(&mut self, name: &str, f: &sql::Function, whole: &sql::Expr) -> Result<Expr> {
        self.refuse_in_lambda("window functions")?;
        let clause = self.frames.last().map_or(Clause::Values, |frame| frame.clause);
        match clause {
            Clause::Select | Clause::OrderBy | Clause::Qualify => {}
            Clause::Window => bail!(Analysis, "Nesting of analytic expressions is not allowed: {}", expr_text(whole)),
            Clause::Aggregate => bail!(Analysis, "Unsupported nest window function inside aggregation"),
            other => bail!(Analysis, "{} clause cannot contain window function", other.text()),
        }
        if let Some(average) = self.average_distinct(name, f)? {
            return Ok(average);
        }
        let Some(WindowType::WindowSpec(spec)) = &f.over else {
            bail!(NotSupported, "Named windows are not supported")
        };
        let registry = self.ctx.registry;
        let is_window = registry.is_window(name);
        if !is_window && !registry.is_aggregate(name) && !super::aggregate::is_sugar(name) {
            bail!(Analysis, "Function '{name}' not supported with OVER clause.");
        }
        let (function, args, distinct_aggregate, partition_by, order_by) = self.in_clause(Clause::Window, |b| {
            let (function, args, distinct) =
                if is_window { b.window_function(name, f)? } else { b.window_aggregate(name, f, whole)? };
            let mut partition_by = Vec::new();
            for e in &spec.partition_by {
                let key = b.bind_expr(e)?;
                if key.columns().is_empty() {
                    bail!(Analysis, "Expressions in the PARTITION BY clause must not be constant: {}", expr_text(e));
                }
                if !key.ty.is_groupable()
                    || matches!(key.ty, LogicalType::Struct(_) | LogicalType::Map(..) | LogicalType::Varbinary(_))
                {
                    bail!(Analysis, "{} type can't as partition by column", debug_text(&key.ty));
                }
                if !partition_by.contains(&key) {
                    partition_by.push(key);
                }
            }
            let mut order_by: Vec<SortKey> = Vec::new();
            for key in &spec.order_by {
                let expr = b.bind_expr(&key.expr)?;
                if expr.columns().is_empty() {
                    bail!(
                        Analysis,
                        "Expressions in the ORDER BY clause must not be constant: {}",
                        expr_text(&key.expr)
                    );
                }
                if !expr.ty.is_orderable() {
                    bail!(Analysis, "{} type can't as order by column", debug_text(&expr.ty));
                }
                let (descending, nulls_first) = b.sort_direction(key);
                if !order_by.iter().any(|k| k.expr == expr) {
                    order_by.push(SortKey { expr, descending, nulls_first });
                }
            }
            Ok((function, args, distinct, partition_by, order_by))
        })?;
        check_metric_args(&function, &args)?;
        let frame = self.window_frame(&function, spec, whole, distinct_aggregate)?;
        let ignore_nulls = f.null_treatment == Some(NullTreatment::IgnoreNulls);
        let call = WindowCall { function, args, ignore_nulls, frame };
        self.refuse_nested_windows(&call, &partition_by, &order_by, whole)?;
        if let Some(found) = self
            .frame()
            .windows
            .iter()
            .find(|w| w.call == call && w.partition_by == partition_by && w.order_by == order_by)
        {
            let id = found.id;
            return Ok(self.columns.reference(id));
        }
        let (ty, nullable) = match &call.function {
            WindowFunctionRef::Window(w) => (w.result.clone(), w.function.nullable),
            WindowFunctionRef::Aggregate(a) => (a.result.clone(), a.function.nullable),
        };
        let id = self.columns.computed(expr_text(whole), ty, nullable);
        self.frame().windows.push(PendingWindow { id, partition_by, order_by, call });
        Ok(self.columns.reference(id))
    }

    /// `avg(DISTINCT x) OVER w` is `sum(DISTINCT x) OVER w / count(DISTINCT x) OVER w`.
    fn average_distinct(&mut self, name: &str, f: &sql::Function) -> Result<Option<Expr>> {
        let sql::FunctionArguments::List(list) = &f.args else { return Ok(None) };
        if name != "avg" || list.duplicate_treatment != Some(sql::DuplicateTreatment::Distinct) {
            return Ok(None);
        }
        let mut part = |name: &str| {
            let call = sql::Expr::Function(sql::Function {
                name: sql::ObjectName::from(vec![sql::Ident::new(name)]),
                ..f.clone()
            });
            self.bind_expr(&call)
        };
        let (sum, count) = (part("sum")?, part("count")?);
        self.arithmetic("divide", sum, count).map(Some)
    }

    fn refuse_nested_windows(
        &mut self,
        call: &WindowCall,
        partition_by: &[Expr],
        order_by: &[SortKey],
        whole: &sql::Expr,
    ) -> Result<()> {
        let frame = self.frame();
        let used = call.args.iter().chain(partition_by).chain(order_by.iter().map(|k| &k.expr)).flat_map(Expr::columns);
        for id in used {
            if frame.windows.iter().any(|w| w.id == id) {
                bail!(Analysis, "Nesting of analytic expressions is not allowed: {}", expr_text(whole));
            }
        }
        Ok(())
    }

    fn window_function(&mut self, name: &str, f: &sql::Function) -> Result<(WindowFunctionRef, Vec<Expr>, bool)> {
        let syntax = plain_args(f)?;
        let mut args = self.bind_exprs(syntax.iter().copied())?;
        if let sql::FunctionArguments::List(list) = &f.args {
            if list.duplicate_treatment == Some(sql::DuplicateTreatment::Distinct) {
                bail!(
                    Analysis,
                    "DISTINCT not allowed in analytic function: {}",
                    expr_text(&sql::Expr::Function(f.clone()))
                );
            }
        }
        match name {
            "lead" | "lag" => self.lead_lag_args(name, &mut args, f)?,
            "ntile" => {
                let n = args.first().map(|a| self.fold(a.clone()));
                match n.as_ref().and_then(Expr::as_literal).and_then(Scalar::as_i64) {
                    Some(v) if v > 0 && args.len() == 1 => args = vec![Expr::literal(Scalar::BigInt(v))],
                    _ => bail!(
                        Analysis,
                        "The num_buckets parameter of NTILE must be a constant positive integer: {}",
                        expr_text(&sql::Expr::Function(f.clone()))
                    ),
                }
            }
            _ => {}
        }
        let types = types_of(&args);
        let function = self.ctx.registry.window(name, &types).map_err(|e| self.resolution_error(e, name, &types))?;
        let args =
            args.into_iter().zip(&function.args).map(|(a, t)| self.implicit_cast(a, t)).collect::<Result<Vec<_>>>()?;
        Ok((WindowFunctionRef::Window(function), args, false))
    }

    /// `lead(x[, offset[, default]])` with all three arguments.
    fn lead_lag_args(&mut self, name: &str, args: &mut Vec<Expr>, f: &sql::Function) -> Result<()> {
        if args.is_empty() || args.len() > 3 {
            return Err(super::call::no_match(name, &types_of(args)));
        }
        let value_type = if args[0].ty == LogicalType::Null { LogicalType::Boolean } else { args[0].ty.clone() };
        args[0] = args[0].clone().cast_to(&value_type);
        let offset = match args.get(1) {
            None => 1,
            Some(e) => match self.fold(e.clone()).as_literal().and_then(Scalar::as_i64) {
                Some(n) if n > 0 => n,
                _ => bail!(
                    Analysis,
                    "The offset parameter of LEAD/LAG must be a constant positive integer: {}",
                    expr_text(&sql::Expr::Function(f.clone()))
                ),
            },
        };
        let default = match args.get(2) {
            None => Expr::null(value_type.clone()),
            Some(e) => {
                let mismatch = || {
                    common_base::err!(
                        Analysis,
                        "The type of the third parameter of LEAD/LAG not match the type {}",
                        debug_text(&value_type)
                    )
                };
                if !e.columns().is_empty() && e.ty != value_type && !lossless_cast(&e.ty, &value_type) {
                    return Err(mismatch());
                }
                let cast = self.implicit_cast(e.clone(), &value_type).map_err(|_| mismatch())?;
                if let (Some(v), false) = (self.fold(e.clone()).as_literal(), e.ty == LogicalType::Null) {
                    if !v.is_null() && self.fold(cast.clone()).as_literal().is_some_and(Scalar::is_null) {
                        return Err(mismatch());
                    }
                }
                cast
            }
        };
        args.truncate(1);
        args.push(Expr::literal(Scalar::BigInt(offset)));
        args.push(default);
        Ok(())
    }

    fn window_aggregate(
        &mut self,
        name: &str,
        f: &sql::Function,
        whole: &sql::Expr,
    ) -> Result<(WindowFunctionRef, Vec<Expr>, bool)> {
        if f.filter.is_some() {
            bail!(Analysis, "FILTER is not supported in analytic function: {}", expr_text(whole));
        }
        let call = if is_star(f) || plain_args(f).is_ok() {
            self.aggregate_call(name, f)?
        } else {
            bail!(Analysis, "Cannot pass '*' to scalar function.")
        };
        if !call.distinct {
            return Ok((WindowFunctionRef::Aggregate(call.function), call.args, false));
        }
        let distinct_form = match call.function.name() {
            "count" if call.args.len() == 1 => "multi_distinct_count",
            "sum" => "multi_distinct_sum",
            "array_agg" => "array_agg_distinct",
            _ => bail!(Analysis, "DISTINCT not allowed in analytic function: {}", expr_text(whole)),
        };
        if !self.ctx.registry.is_aggregate(distinct_form) {
            bail!(NotSupported, "DISTINCT in analytic functions is not supported: {}", expr_text(whole));
        }
        let types = types_of(&call.args);
        let function = self.ctx.registry.aggregate(distinct_form, &types)?;
        Ok((WindowFunctionRef::Aggregate(function), call.args, true))
    }

    fn window_frame(
        &mut self,
        function: &WindowFunctionRef,
        spec: &sql::WindowSpec,
        whole: &sql::Expr,
        distinct: bool,
    ) -> Result<Frame> {
        let (name, uses_frame) = match function {
            WindowFunctionRef::Window(w) => (w.name(), w.function.uses_frame),
            WindowFunctionRef::Aggregate(a) => (a.name(), true),
        };
        let ordered = !spec.order_by.is_empty();
        let Some(clause) = &spec.window_frame else {
            let frame =
                if ordered { Frame { end: FrameBound::CurrentRow, ..WHOLE_PARTITION } } else { WHOLE_PARTITION };
            return Ok(settle(name, uses_frame, frame));
        };
        if !uses_frame {
            bail!(Analysis, "Windowing clause not allowed with '{}'", expr_text(whole));
        }
        if !ordered {
            bail!(Analysis, "Windowing clause requires ORDER BY clause: {}", expr_text(whole));
        }
        let unit = match clause.units {
            WindowFrameUnits::Rows => FrameUnit::Rows,
            WindowFrameUnits::Range => FrameUnit::Range,
            WindowFrameUnits::Groups => bail!(NotSupported, "GROUPS frames are not supported"),
        };
        let start = self.frame_bound(&clause.start_bound)?;
        let end = match &clause.end_bound {
            Some(bound) => self.frame_bound(bound)?,
            None => FrameBound::CurrentRow,
        };
        if unit == FrameUnit::Range {
            let legal = matches!(
                (start, end),
                (FrameBound::UnboundedPreceding, FrameBound::CurrentRow | FrameBound::UnboundedFollowing)
                    | (FrameBound::CurrentRow, FrameBound::UnboundedFollowing)
            );
            if !legal {
                bail!(
                    Analysis,
                    "RANGE is only supported with both the lower and upper bounds UNBOUNDED or one UNBOUNDED and the other CURRENT ROW."
                );
            }
        } else if distinct {
            bail!(Analysis, "DISTINCT in analytic function only supports RANGE frames: {}", expr_text(whole));
        }
        if start == FrameBound::UnboundedFollowing {
            bail!(Analysis, "UNBOUNDED FOLLOWING is only allowed for upper bound of BETWEEN");
        }
        if end == FrameBound::UnboundedPreceding {
            bail!(Analysis, "UNBOUNDED PRECEDING is only allowed for lower bound of BETWEEN");
        }
        if rank_of(start) > rank_of(end) {
            bail!(Analysis, "Offset boundaries are in the wrong order");
        }
        Ok(settle(name, uses_frame, Frame { unit, start, end }))
    }

    fn frame_bound(&mut self, bound: &sql::WindowFrameBound) -> Result<FrameBound> {
        let mut offset = |e: &sql::Expr| -> Result<u64> {
            let bound = self.bind_expr(e)?;
            match self.fold(bound).as_literal().and_then(Scalar::as_i64) {
                Some(n) if n >= 0 => Ok(n as u64),
                _ => bail!(
                    Analysis,
                    "For ROWS window, the value of a PRECEDING/FOLLOWING offset must be a constant positive integer: {}",
                    expr_text(e)
                ),
            }
        };
        Ok(match bound {
            sql::WindowFrameBound::CurrentRow => FrameBound::CurrentRow,
            sql::WindowFrameBound::Preceding(None) => FrameBound::UnboundedPreceding,
            sql::WindowFrameBound::Following(None) => FrameBound::UnboundedFollowing,
            sql::WindowFrameBound::Preceding(Some(e)) => FrameBound::Preceding(offset(e)?),
            sql::WindowFrameBound::Following(Some(e)) => FrameBound::Following(offset(e)?),
        })
    }
}

/// Sketches only go where a window can merge them.
fn check_metric_args(function: &WindowFunctionRef, args: &[Expr]) -> Result<()> {
    let name = match function {
        WindowFunctionRef::Window(w) => w.name(),
        WindowFunctionRef::Aggregate(a) => a.name(),
    };
    for arg in args {
        match arg.ty {
            LogicalType::Hll if !matches!(name, "hll_union_agg" | "lead" | "lag") => {
                bail!(Analysis, "hll type could only used for hll_union_agg/lead/lag window function")
            }
            LogicalType::Bitmap if !matches!(name, "bitmap_union_count" | "bitmap_union" | "lead" | "lag") => {
                bail!(
                    Analysis,
                    "bitmap type could only used for bitmap_union_count/bitmap_union/lead/lag window function"
                )
            }
            _ => {}
        }
    }
    Ok(())
}

/// Frames of functions that ignore them are all alike; first_value and last_value count rows, not peers.
fn settle(name: &str, uses_frame: bool, frame: Frame) -> Frame {
    if !uses_frame {
        return WHOLE_PARTITION;
    }
    if matches!(name, "first_value" | "last_value") {
        return Frame { unit: FrameUnit::Rows, ..frame };
    }
    frame
}

fn rank_of(bound: FrameBound) -> i128 {
    match bound {
        FrameBound::UnboundedPreceding => i128::MIN,
        FrameBound::Preceding(n) => -i128::from(n),
        FrameBound::CurrentRow => 0,
        FrameBound::Following(n) => i128::from(n),
        FrameBound::UnboundedFollowing => i128::MAX,
    }
}
