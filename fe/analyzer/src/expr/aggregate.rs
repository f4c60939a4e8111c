//! Aggregate calls: legality, sugar, arguments. The call goes to the frame; the expression is its output column.

use common_base::{Result, bail};
use common_expr::{expr::Expr, scalar_fn::sql_mode};
use common_types::{DecimalWidth, LogicalType, Scalar};
use fe_parser::ast::sql::{self, DuplicateTreatment, FunctionArgumentClause, FunctionArguments, OrderByExpr, Value};
use fe_parser::print::expr_text;
use fe_plan::logical::{AggregateCall, SortKey};

use crate::{
    binder::{Binder, Clause},
    types::datatype::debug_text,
};

use super::{
    call::{no_match, types_of},
    function::{is_star, plain_args},
};

/// Scale beyond which sums and averages of decimals drop digits.
const MAX_SUM_SCALE: i8 = 18;

/// Aggregates that exist only as other aggregates.
pub(super) fn is_sugar(name: &str) -> bool {
    matches!(name, "string_agg" | "array_agg_distinct" | "count_if" | "multi_distinct_count" | "multi_distinct_sum")
}

/// The clauses inside an aggregate's parentheses.
#[derive(Default)]
struct Inner<'e> {
    order_by: &'e [OrderByExpr],
    separator: Option<&'e Value>,
}

fn inner_clauses(f: &sql::Function) -> (bool, Inner<'_>) {
    let FunctionArguments::List(list) = &f.args else { return (false, Inner::default()) };
    let mut inner = Inner::default();
    for clause in &list.clauses {
        match clause {
            FunctionArgumentClause::OrderBy(keys) => inner.order_by = keys,
            FunctionArgumentClause::Separator(value) => inner.separator = Some(&value.value),
            _ => {}
        }
    }
    (list.duplicate_treatment == Some(DuplicateTreatment::Distinct), inner)
}

impl Binder<'_> {
    pub(super) fn bind_aggregate(&mut self, name: &str, f: &sql::Function, whole: &sql::Expr) -> Result<Expr> {
        self.refuse_in_lambda("aggregate functions")?;
        let clause = self.frames.last().map_or(Clause::Values, |frame| frame.clause);
        match clause {
            Clause::Aggregate => bail!(Analysis, "Unsupported nest aggregation function inside aggregation"),
            Clause::Values => bail!(Analysis, "Aggregate function {name} is not allowed here"),
            _ if !self.aggregates_allowed() => bail!(Analysis, "{} clause cannot contain aggregations", clause.text()),
            _ => {}
        }
        let call = self.in_clause(Clause::Aggregate, |b| b.aggregate_call(name, f))?;
        self.check_not_nested(&call)?;
        Ok(self.add_aggregate(call, expr_text(whole)))
    }

    /// The output column of a call; equal calls share one.
    fn add_aggregate(&mut self, call: AggregateCall, text: String) -> Expr {
        if let Some((id, ..)) = self.frame().aggregates.iter().find(|(_, other, _)| *other == call) {
            let id = *id;
            return self.columns.reference(id);
        }
        let id = self.columns.computed(text.clone(), call.function.result.clone(), call.function.function.nullable);
        self.frame().aggregates.push((id, call, text));
        self.columns.reference(id)
    }

    fn check_not_nested(&mut self, call: &AggregateCall) -> Result<()> {
        let frame = self.frames.last().expect("aggregates are bound inside a frame");
        for arg in call.args.iter().chain(&call.filter).chain(call.order_by.iter().map(|k| &k.expr)) {
            for id in arg.columns() {
                if frame.aggregates.iter().any(|(a, ..)| *a == id) {
                    bail!(Analysis, "Unsupported nest aggregation function inside aggregation");
                }
                if frame.windows.iter().any(|w| w.id == id) {
                    bail!(Analysis, "Unsupported nest window function inside aggregation");
                }
            }
        }
        Ok(())
    }

    /// The call itself, arguments bound in the current clause.
    pub(crate) fn aggregate_call(&mut self, name: &str, f: &sql::Function) -> Result<AggregateCall> {
        let (mut distinct, inner) = inner_clauses(f);
        let bare_count = name == "count" && !distinct && plain_args(f).is_ok_and(|a| a.is_empty());
        if is_star(f) || bare_count {
            if name != "count" {
                bail!(Analysis, "'*' can only be used in conjunction with COUNT: {name}(*)");
            }
            if distinct {
                bail!(Analysis, "Not support count(distinct *)");
            }
            let function = self.ctx.registry.aggregate("count", &[])?;
            let filter = self.bind_filter(f)?;
            return Ok(AggregateCall { function, args: Vec::new(), distinct: false, order_by: Vec::new(), filter });
        }
        let syntax = plain_args(f)?;
        let mut args = self.bind_exprs(syntax.iter().copied())?;
        let mut order_by = self.aggregate_order(inner.order_by, &args)?;
        if args.is_empty() {
            return Err(no_match(name, &[]));
        }
        let name = match name {
            "count_if" if !self.ctx.registry.is_aggregate("count_if") => {
                let condition = self.to_boolean(args.swap_remove(0))?;
                let one = Expr::literal(Scalar::TinyInt(1));
                args = vec![self.case(vec![condition], vec![one], None)?];
                "count"
            }
            "multi_distinct_count" if !self.ctx.registry.is_aggregate(name) => {
                distinct = true;
                "count"
            }
            "multi_distinct_sum" if !self.ctx.registry.is_aggregate(name) => {
                distinct = true;
                "sum"
            }
            "array_agg_distinct" => {
                distinct = true;
                "array_agg"
            }
            "group_concat" | "string_agg" => {
                self.group_concat_args(name, &mut args, inner.separator)?;
                "group_concat"
            }
            other => other,
        };
        if name == "count" && args.len() > 1 && !distinct {
            bail!(
                Analysis,
                "COUNT must have DISTINCT for multiple arguments: {}",
                expr_text(&sql::Expr::Function(f.clone()))
            );
        }
        self.check_aggregate_args(name, &mut args, distinct, f)?;
        let types = types_of(&args);
        let function = self.resolve_aggregate(name, &types)?;
        let mut cast = Vec::with_capacity(args.len());
        for (arg, ty) in args.into_iter().zip(&function.args) {
            cast.push(self.implicit_cast(arg, ty)?);
        }
        if distinct && !function.function.distinct_matters {
            distinct = false;
        }
        let filter = self.bind_filter(f)?;
        if filter.is_some() && distinct && name == "count" {
            bail!(Analysis, "Aggregation filter does not support COUNT DISTINCT.");
        }
        if !matches!(name, "array_agg" | "group_concat") {
            order_by.clear();
        }
        Ok(AggregateCall { function, args: cast, distinct, order_by, filter })
    }

    /// count(DISTINCT a, b) has one signature per argument: the registry knows the one-argument form.
    fn resolve_aggregate(
        &self,
        name: &str,
        types: &[LogicalType],
    ) -> Result<std::sync::Arc<common_expr::aggregate_fn::AggregateOverload>> {
        let registry = self.ctx.registry;
        match registry.aggregate(name, types) {
            Ok(found) => Ok(found),
            Err(_) if name == "count" && types.len() > 1 => {
                let one = registry.aggregate(name, &types[..1])?;
                let mut many = (*one).clone();
                many.args = types.to_vec();
                Ok(std::sync::Arc::new(many))
            }
            Err(e) => Err(self.resolution_error(e, name, types)),
        }
    }

    fn bind_filter(&mut self, f: &sql::Function) -> Result<Option<Expr>> {
        let Some(filter) = &f.filter else { return Ok(None) };
        let condition = self.bind_expr(filter)?;
        self.to_boolean(condition).map(Some)
    }

    /// ORDER BY inside the parentheses; a number is the position of an argument.
    fn aggregate_order(&mut self, keys: &[OrderByExpr], args: &[Expr]) -> Result<Vec<SortKey>> {
        let mut out = Vec::with_capacity(keys.len());
        for key in keys {
            let expr = match super::literal::number_text(&key.expr).and_then(|t| t.parse::<usize>().ok()) {
                Some(n) if (1..=args.len()).contains(&n) => args[n - 1].clone(),
                Some(n) => bail!(Analysis, "ORDER BY position {n} is not in group_concat output list."),
                None => self.bind_expr(&key.expr)?,
            };
            let (descending, nulls_first) = self.sort_direction(key);
            out.push(SortKey { expr, descending, nulls_first });
        }
        Ok(out)
    }

    /// One text argument and the separator.
    fn group_concat_args(&self, name: &str, args: &mut Vec<Expr>, separator: Option<&Value>) -> Result<()> {
        let legacy = self.ctx.session.eval().sql_mode & sql_mode::GROUP_CONCAT_LEGACY != 0;
        let separator = match separator {
            Some(Value::SingleQuotedString(s) | Value::DoubleQuotedString(s)) => Expr::literal(Scalar::string(s)),
            Some(other) => bail!(Analysis, "group_concat requires separator to be a string literal: {other}"),
            None if args.len() == 2 && (name == "string_agg" || legacy) => args.pop().expect("two arguments"),
            None if legacy => Expr::literal(Scalar::string(", ")),
            None => Expr::literal(Scalar::string(",")),
        };
        for arg in args.iter_mut() {
            if arg.ty.is_nested() || arg.ty.is_metric() {
                bail!(
                    Analysis,
                    "No matching function with signature: group_concat({})",
                    crate::types::datatype::type_text(&arg.ty)
                );
            }
            *arg = self.implicit_cast(arg.clone(), &LogicalType::varchar())?;
        }
        let text = if args.len() == 1 { args.swap_remove(0) } else { self.call("concat", std::mem::take(args))? };
        *args = vec![text, separator];
        Ok(())
    }

    fn check_aggregate_args(&self, name: &str, args: &mut [Expr], distinct: bool, f: &sql::Function) -> Result<()> {
        for arg in args.iter_mut() {
            let ty = &arg.ty;
            match name {
                "sum" | "avg" => {
                    if ty.is_temporal()
                        || ty.is_nested()
                        || ty.is_metric()
                        || matches!(ty, LogicalType::Json | LogicalType::Varbinary(_))
                    {
                        bail!(
                            Analysis,
                            "{name} requires a numeric parameter: {}",
                            expr_text(&sql::Expr::Function(f.clone()))
                        );
                    }
                    if let LogicalType::Decimal { width, scale, .. } = ty {
                        if *width != DecimalWidth::W256 && *scale > MAX_SUM_SCALE {
                            *arg = arg.clone().cast_to(&LogicalType::decimal_of(DecimalWidth::W128, 38, MAX_SUM_SCALE));
                        }
                    }
                }
                "min" | "max" | "ndv" | "approx_count_distinct" => {
                    let binary_ok = name != "min" && name != "max";
                    if ty.is_nested() || ty.is_metric() || *ty == LogicalType::Json || ty.is_binary() && !binary_ok {
                        bail!(
                            Analysis,
                            "Type (nested) percentile/hll/bitmap/json/struct/map not support this aggregation function"
                        );
                    }
                }
                _ => {}
            }
            if distinct && !arg.ty.is_groupable() {
                bail!(Analysis, "DISTINCT can only be applied to comparable types : {}", debug_text(&arg.ty));
            }
        }
        Ok(())
    }

    /// `(descending, nulls first)` of an ordering key.
    pub fn sort_direction(&self, key: &OrderByExpr) -> (bool, bool) {
        self.direction(&key.options)
    }

    /// The same of bare options.
    pub fn direction(&self, options: &sql::OrderByOptions) -> (bool, bool) {
        let descending = matches!(options.sort, Some(sql::OrderBySort::Desc));
        let nulls_last = self.ctx.session.eval().sql_mode & crate::names::SORT_NULLS_LAST != 0;
        let by_default = if nulls_last { descending } else { !descending };
        (descending, options.nulls_first.unwrap_or(by_default))
    }

    /// `GROUPING(c)` and `GROUPING_ID(c, …)`.
    pub(super) fn bind_grouping(&mut self, name: &str, f: &sql::Function) -> Result<Expr> {
        let clause = self.frame().clause;
        if !matches!(clause, Clause::Select | Clause::Window | Clause::OrderBy | Clause::Having) {
            bail!(Analysis, "{} clause cannot contain grouping", clause.text());
        }
        if !self.frame().has_grouping_sets {
            bail!(Analysis, "cannot use GROUPING functions without [grouping sets|rollup|cube] clause");
        }
        let syntax = plain_args(f)?;
        if syntax.is_empty() {
            bail!(Analysis, "GROUPING functions required at least one parameters");
        }
        let args = self.bind_exprs(syntax.iter().copied())?;
        if let Some(found) = self.frame().groupings.iter().find(|g| g.args == args).map(|g| g.id) {
            return Ok(self.columns.reference(found));
        }
        let texts: Vec<String> = syntax.iter().map(|e| expr_text(e)).collect();
        let id = self.columns.computed(format!("{name}({})", texts.join(", ")), LogicalType::BigInt, false);
        self.frame().groupings.push(crate::binder::PendingGrouping { id, args, arg_texts: texts });
        Ok(self.columns.reference(id))
    }
}
