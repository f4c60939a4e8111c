//! Function calls: which kind of function a name is, and the plain scalar case.

use std::sync::Arc;

use common_base::{Result, bail};
use common_expr::expr::Expr;
use common_types::LogicalType;
use fe_parser::ast::sql::{self, FunctionArg, FunctionArgExpr, FunctionArguments};

use crate::{
    binder::{Binder, Clause},
    error, names,
    types::datatype::type_text,
};

/// The plain argument expressions of a call; `*` and named arguments are refused.
pub(super) fn plain_args(f: &sql::Function) -> Result<Vec<&sql::Expr>> {
    let FunctionArguments::List(list) = &f.args else { return Ok(Vec::new()) };
    list.args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Ok(e),
            FunctionArg::Unnamed(_) => bail!(Analysis, "Cannot pass '*' to scalar function."),
            _ => bail!(Analysis, "Named arguments are only supported in table functions"),
        })
        .collect()
}

/// Whether the call is written `f(*)`.
pub(super) fn is_star(f: &sql::Function) -> bool {
    matches!(&f.args, FunctionArguments::List(list) if matches!(list.args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]))
}

impl Binder<'_> {
    pub(super) fn bind_function(&mut self, f: &sql::Function, whole: &sql::Expr) -> Result<Expr> {
        let bound = self.bind_any_function(f, whole).map_err(|e| {
            let name = names::function_name(&f.name);
            if f.uses_odbc_syntax && error::is_no_match(&e) && !self.ctx.registry.is_scalar(canonical(&name)) {
                return common_base::err!(Analysis, "Invalid odbc scalar function '{name}'");
            }
            e
        });
        bound.map_err(|e| error::at(e, whole))
    }

    fn bind_any_function(&mut self, f: &sql::Function, whole: &sql::Expr) -> Result<Expr> {
        let written = names::function_name(&f.name);
        let name = canonical(&written);
        if f.over.is_some() {
            return self.bind_window(name, f, whole);
        }
        let registry = self.ctx.registry;
        if matches!(name, "grouping" | "grouping_id") {
            return self.bind_grouping(name, f);
        }
        if registry.is_aggregate(name) || super::aggregate::is_sugar(name) {
            return self.bind_aggregate(name, f, whole);
        }
        if let Some((of, filtered)) = self.conditional(name, f)? {
            return self.bind_aggregate(&of, &filtered, whole);
        }
        if f.filter.is_some() {
            bail!(Analysis, "FILTER is only allowed on aggregate functions: {name}");
        }
        if registry.is_window(name) {
            bail!(Analysis, "{name}() only used in analytic function");
        }
        if let FunctionArguments::List(list) = &f.args {
            if list.duplicate_treatment == Some(sql::DuplicateTreatment::Distinct) {
                bail!(Analysis, "DISTINCT is only allowed in aggregate functions: {name}");
            }
        }
        let args = plain_args(f)?;
        if let Some(value) = self.session_function(name, &args)? {
            return Ok(value);
        }
        if let Some(value) = self.bind_special(name, &args)? {
            return Ok(value);
        }
        if args.iter().any(|a| matches!(a, sql::Expr::Lambda(_))) {
            return self.bind_higher_order(name, &args);
        }
        let bound = self.bind_exprs(args.iter().copied())?;
        self.scalar_call(name, bound)
    }

    /// `f_if(args, condition)` as `f(args) FILTER (WHERE condition)`.
    fn conditional(&self, name: &str, f: &sql::Function) -> Result<Option<(String, sql::Function)>> {
        let Some(of) = name.strip_suffix("_if").filter(|of| self.ctx.registry.is_aggregate(of)) else { return Ok(None) };
        if matches!(of, "group_concat" | "string_agg" | "window_funnel" | "approx_top_k") || f.filter.is_some() {
            return Ok(None);
        }
        let mut plain = f.clone();
        let FunctionArguments::List(list) = &mut plain.args else { return Ok(None) };
        let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(condition))) = list.args.pop() else { return Ok(None) };
        if list.args.is_empty() && of != "count" {
            return Ok(None);
        }
        plain.filter = Some(Box::new(condition));
        plain.name = sql::ObjectName::from(vec![sql::Ident::new(of)]);
        Ok(Some((of.to_owned(), plain)))
    }

    /// A scalar call over bound arguments, with the rewrites that depend on their values.
    pub(super) fn scalar_call(&self, name: &str, args: Vec<Expr>) -> Result<Expr> {
        if let Some(value) = self.rewrite_call(name, &args)? {
            return Ok(value);
        }
        check_array_args(name, &args)?;
        if !self.ctx.registry.is_scalar(name) {
            if self.ctx.registry.table(name).is_some() {
                bail!(Analysis, "Table function cannot be used in expression");
            }
            return Err(super::call::no_match(name, &super::call::types_of(&args)));
        }
        let mut overload = self.overload(name, &args)?;
        if let Some(result) = super::rewrite::result_type(name, &overload, &args)? {
            Arc::make_mut(&mut overload).result = result;
        }
        self.call_overload(overload, args)
    }

    /// Whether the clause being bound may hold aggregates.
    pub(super) fn aggregates_allowed(&self) -> bool {
        let Some(frame) = self.frames.last() else { return false };
        !matches!(
            frame.clause,
            Clause::Where | Clause::On | Clause::GroupBy | Clause::Values | Clause::Lambda | Clause::Aggregate
        )
    }
}

/// Argument rules of array functions that have messages of their own.
fn check_array_args(name: &str, args: &[Expr]) -> Result<()> {
    let array_like = |e: &Expr| matches!(e.ty, LogicalType::Array(_) | LogicalType::Null | LogicalType::Json);
    match name {
        "any_match" | "all_match" if args.len() != 1 || !array_like(&args[0]) => {
            bail!(Analysis, "{name} should have a input array")
        }
        "array_avg" | "array_sum" | "array_min" | "array_max" if args.len() != 1 => {
            bail!(Analysis, "{name} should have only one input")
        }
        "array_contains_all" | "array_contains_seq" if args.len() == 2 => {
            if let Some(i) = args.iter().position(|e| !array_like(e)) {
                bail!(
                    Analysis,
                    "{}-th input of {name} should be an array, rather than {}",
                    i + 1,
                    type_text(&args[i].ty)
                );
            }
        }
        "array_difference" if args.len() == 1 => {
            if let LogicalType::Array(e) = &args[0].ty {
                if !(e.is_numeric() || matches!(**e, LogicalType::Boolean | LogicalType::Null) || e.is_nested()) {
                    bail!(Analysis, "array_difference function only support numeric array types");
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// The name a call goes by: names the grammar turns into something else.
fn canonical(name: &str) -> &str {
    match name {
        "transform" => "array_map",
        "struct" => "row",
        "boolor_agg" => "bool_or",
        "approx_count_distinct_hll_sketch" => "ds_hll_count_distinct",
        "rlike" => "regexp",
        "bitshiftleft" => "bit_shift_left",
        "bitshiftright" => "bit_shift_right",
        "bitshiftrightlogical" => "bit_shift_right_logical",
        "encode_row_id" => "encode_fingerprint_sha256",
        other => other,
    }
}
