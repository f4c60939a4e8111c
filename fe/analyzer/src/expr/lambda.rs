//! Higher-order functions: lambdas get their parameter types from the collections beside them.

use common_base::{Result, bail};
use common_expr::expr::{Expr, ExprKind};
use common_types::LogicalType;
use fe_parser::ast::sql::{self, LambdaFunction, OneOrManyWithParens};

use crate::binder::{Binder, Clause, LambdaParam};

use super::call::types_of;

/// Functions over maps: the lambda takes key and value.
fn over_map(name: &str) -> bool {
    matches!(name, "map_apply" | "map_filter" | "transform_keys" | "transform_values")
}

impl Binder<'_> {
    pub(super) fn bind_higher_order(&mut self, name: &str, args: &[&sql::Expr]) -> Result<Expr> {
        let lambdas: Vec<usize> =
            args.iter().enumerate().filter(|(_, a)| matches!(a, sql::Expr::Lambda(_))).map(|(i, _)| i).collect();
        let [at] = lambdas.as_slice() else {
            bail!(
                Analysis,
                "A high-order function should have only 1 lambda function, but there are {} lambda functions",
                lambdas.len()
            );
        };
        let sql::Expr::Lambda(lambda) = args[*at] else { bail!(Internal, "the argument is a lambda") };
        let known = matches!(
            name,
            "array_map"
                | "array_filter"
                | "array_sort"
                | "array_sortby"
                | "array_sort_lambda"
                | "any_match"
                | "all_match"
                | "map_apply"
                | "map_filter"
                | "transform_keys"
                | "transform_values"
        );
        if !known {
            bail!(
                Analysis,
                "{name} can't use lambda functions, only array_map, array_filter, array_sort, array_sortby, any_match, all_match, map_apply, map_filter, transform_keys, transform_values support it"
            );
        }
        let mut inputs = Vec::with_capacity(args.len() - 1);
        for (i, arg) in args.iter().enumerate() {
            if i != *at {
                inputs.push(self.bind_expr(arg)?);
            }
        }
        if inputs.is_empty() {
            bail!(Analysis, "{name} should have a input array");
        }
        let params = self.parameter_types(name, &mut inputs)?;
        let wanted = if name == "array_sort" { 2 } else { params.len() };
        let params: Vec<LogicalType> =
            if name == "array_sort" { vec![params[0].clone(), params[0].clone()] } else { params };
        let body = self.bind_lambda(name, lambda, params, wanted)?;
        let name = if name == "array_sort" { "array_sort_lambda" } else { name };
        self.higher_order_call(name, *at, body, inputs)
    }

    /// The types the lambda's parameters have; untyped NULL inputs become empty collections' types.
    fn parameter_types(&self, name: &str, inputs: &mut [Expr]) -> Result<Vec<LogicalType>> {
        if over_map(name) {
            if inputs[0].ty == LogicalType::Null {
                inputs[0] = Expr::null(LogicalType::map(LogicalType::Boolean, LogicalType::Boolean));
            }
            return match &inputs[0].ty {
                LogicalType::Map(k, v) => Ok(vec![(**k).clone(), (**v).clone()]),
                other => bail!(
                    Analysis,
                    "{name} should have a input map, rather than {}",
                    crate::types::datatype::type_text(other)
                ),
            };
        }
        let mut params = Vec::new();
        for (i, input) in inputs.iter_mut().enumerate() {
            if input.ty == LogicalType::Null {
                *input = Expr::null(LogicalType::array(LogicalType::Boolean));
            }
            match &input.ty {
                LogicalType::Array(element) => {
                    params.push(if **element == LogicalType::Null { LogicalType::Boolean } else { (**element).clone() })
                }
                other => bail!(
                    Analysis,
                    "{}-th input of {name} should be an array, rather than {}",
                    i + 1,
                    crate::types::datatype::type_text(other)
                ),
            }
            if let LogicalType::Array(element) = &input.ty {
                if **element == LogicalType::Null {
                    *input = self.implicit_cast(input.clone(), &LogicalType::array(LogicalType::Boolean))?;
                }
            }
        }
        Ok(params)
    }

    fn bind_lambda(
        &mut self,
        name: &str,
        lambda: &LambdaFunction,
        types: Vec<LogicalType>,
        wanted: usize,
    ) -> Result<Expr> {
        let names: Vec<&str> = match &lambda.params {
            OneOrManyWithParens::One(p) => vec![&p.name.value],
            OneOrManyWithParens::Many(many) => many.iter().map(|p| p.name.value.as_str()).collect(),
        };
        if names.len() != wanted {
            bail!(Analysis, "Lambda arguments should equal to lambda input arrays");
        }
        for (i, n) in names.iter().enumerate() {
            if names[..i].iter().any(|m| m.eq_ignore_ascii_case(n)) {
                bail!(Analysis, "Lambda argument: {n} is duplicated");
            }
        }
        let mut params = Vec::with_capacity(names.len());
        let base = self.lambda_params.len();
        for (n, ty) in names.iter().zip(types) {
            let id = self.columns.computed(*n, ty.clone(), true);
            params.push((id, ty.clone()));
            self.lambda_params.push(LambdaParam { name: (*n).to_owned(), id, ty });
        }
        let body = self.in_clause(Clause::Lambda, |b| match (&*lambda.body, name) {
            (sql::Expr::Tuple(pair), "map_apply") if pair.len() == 2 => {
                let key = b.bind_expr(&pair[0])?;
                let value = b.bind_expr(&pair[1])?;
                crate::types::datatype::check_map_key(&key.ty)?;
                b.struct_of(vec!["key".to_owned(), "value".to_owned()], vec![key, value])
            }
            (_, "map_apply") => bail!(Analysis, "The body of map_apply's lambda must be a pair: (k, v) -> (k2, v2)"),
            (body, _) => b.bind_expr(body),
        });
        self.lambda_params.truncate(base);
        let mut body = body?;
        match name {
            "array_filter" | "map_filter" | "any_match" | "all_match" => body = self.to_boolean(body)?,
            "array_sort" => {
                let used = body.columns();
                if params.iter().any(|(id, _)| !used.contains(id)) || used.len() != 2 || !body.is_deterministic() {
                    bail!(
                        Analysis,
                        "Lambda function in sort_array should only depend on both two arguments and contain no non-deterministic functions"
                    );
                }
                if !body.ty.is_numeric() {
                    body = self.to_boolean(body)?;
                }
            }
            _ if body.ty == LogicalType::Null => body = body.cast_to(&LogicalType::Boolean),
            _ => {}
        }
        Ok(Expr { ty: LogicalType::Function, nullable: true, kind: ExprKind::Lambda { params, body: Box::new(body) } })
    }

    /// The call with the lambda in the place the function wants it; functions without a lambda form get it applied beforehand.
    fn higher_order_call(&self, name: &str, at: usize, lambda: Expr, inputs: Vec<Expr>) -> Result<Expr> {
        let ExprKind::Lambda { body, .. } = &lambda.kind else { bail!(Internal, "a lambda was bound") };
        let body_type = body.ty.clone();
        if matches!(name, "transform_keys" | "transform_values") {
            return self.transform_map(name, lambda, inputs);
        }
        let direct = self.ctx.registry.scalar_function(name).is_some_and(|f| f.lambda_kernel.is_some());
        if direct {
            let mut last = None;
            for place in [at, 0, inputs.len()] {
                let mut args = inputs.clone();
                args.insert(place.min(args.len()), lambda.clone());
                match self.ctx.registry.scalar_with_lambda(name, &types_of(&args), &body_type) {
                    Ok(overload) => return self.call_overload(overload, args),
                    Err(e) => last = Some(self.resolution_error(e, name, &types_of(&args))),
                }
            }
            return Err(last.expect("at least one place was tried"));
        }
        // f(lambda, a, …) = f(a, array_map(lambda, a, …))
        let source = inputs[0].clone();
        let mapped = self.higher_order_call("array_map", 0, lambda, inputs)?;
        match name {
            "array_map" => bail!(Analysis, "No matching function with signature: array_map"),
            "any_match" | "all_match" => self.call(name, vec![mapped]),
            _ => self.call(name, vec![source, mapped]),
        }
    }

    /// `transform_keys((k, v) -> e, m)` is map_apply with the other half kept.
    fn transform_map(&self, name: &str, lambda: Expr, inputs: Vec<Expr>) -> Result<Expr> {
        let ExprKind::Lambda { params, body } = lambda.kind else { bail!(Internal, "a lambda was bound") };
        let param = |i: usize| Expr::column(params[i].0, params[i].1.clone(), true);
        let (key, value) = if name == "transform_keys" { (*body, param(1)) } else { (param(0), *body) };
        let pair = self.struct_of(vec!["key".to_owned(), "value".to_owned()], vec![key, value])?;
        let lambda =
            Expr { ty: LogicalType::Function, nullable: true, kind: ExprKind::Lambda { params, body: Box::new(pair) } };
        self.higher_order_call("map_apply", 0, lambda, inputs)
    }

    /// Parameters in sight belong to enclosing lambdas; queries inside lambdas are refused.
    pub(super) fn refuse_in_lambda(&self, what: &str) -> Result<()> {
        if !self.lambda_params.is_empty() {
            bail!(Analysis, "Lambda expression doesn't support {what}");
        }
        Ok(())
    }
}
