//! Calls of registry functions, and casts.

use std::sync::Arc;

use common_base::{Result, bail, err};
use common_expr::{
    expr::{Expr, ExprKind},
    scalar_fn::ScalarOverload,
};
use common_types::{DecimalWidth, LogicalType, Scalar, coercion::can_cast};
use fe_parser::ast::sql;

use crate::{
    binder::Binder,
    types::{coerce::bad_cast, datatype::type_text},
};

/// The error for a call no overload fits.
pub(crate) fn no_match(name: &str, args: &[LogicalType]) -> common_base::Error {
    let types: Vec<String> = args.iter().map(type_text).collect();
    err!(Analysis, "No matching function with signature: {name}({})", types.join(", "))
}

/// An exact number that is a value of another exact type as it stands: no need to evaluate the cast.
fn exact_literal(expr: &Expr, ty: &LogicalType) -> Option<Scalar> {
    let value = expr.as_literal()?;
    let scale = match value {
        Scalar::TinyInt(_) | Scalar::SmallInt(_) | Scalar::Int(_) | Scalar::BigInt(_) | Scalar::LargeInt(_) => 0,
        Scalar::Decimal(_, _, scale) => *scale,
        _ => return None,
    };
    match ty {
        LogicalType::Decimal { width, precision, scale: wanted }
            if *width != DecimalWidth::W256 && *wanted >= scale =>
        {
            let factor = 10i128.checked_pow(u32::from((*wanted - scale).unsigned_abs()))?;
            let unscaled = value.as_i128()?.checked_mul(factor)?;
            let limit = 10i128.checked_pow(u32::from(*precision)).unwrap_or(i128::MAX);
            (unscaled.abs() < limit).then_some(Scalar::Decimal(unscaled, *precision, *wanted))
        }
        t if t.is_integer() && scale == 0 && !expr.ty.is_decimal() => Scalar::from_i128(t, value.as_i128()?),
        _ => None,
    }
}

/// The types of expressions.
pub(crate) fn types_of(args: &[Expr]) -> Vec<LogicalType> {
    args.iter().map(|e| e.ty.clone()).collect()
}

impl Binder<'_> {
    /// A call of a scalar function by its registry name.
    pub fn call(&self, name: &str, args: Vec<Expr>) -> Result<Expr> {
        let overload = self.overload(name, &args)?;
        self.call_overload(overload, args)
    }

    /// The overload for bound arguments.
    pub(super) fn overload(&self, name: &str, args: &[Expr]) -> Result<Arc<ScalarOverload>> {
        let types = types_of(args);
        self.ctx.registry.scalar(name, &types).map_err(|e| self.resolution_error(e, name, &types))
    }

    /// Resolution failures in the words of the dialect; failures of result rules as they are.
    pub(super) fn resolution_error(
        &self,
        e: common_base::Error,
        name: &str,
        types: &[LogicalType],
    ) -> common_base::Error {
        if crate::error::is_no_match(&e) {
            no_match(name, types)
        } else {
            e
        }
    }

    /// A call of a chosen overload: arguments cast to its types.
    pub(super) fn call_overload(&self, overload: Arc<ScalarOverload>, args: Vec<Expr>) -> Result<Expr> {
        let mut cast = Vec::with_capacity(args.len());
        for (arg, ty) in args.into_iter().zip(&overload.args) {
            cast.push(if matches!(arg.kind, ExprKind::Lambda { .. }) { arg } else { self.argument_cast(arg, ty)? });
        }
        Ok(Expr::call(overload, cast))
    }

    /// An argument brought to a parameter's type; a constant that does not fit an integer is refused at once.
    fn argument_cast(&self, arg: Expr, ty: &LogicalType) -> Result<Expr> {
        let wide_constant =
            matches!(arg.as_literal(), Some(Scalar::BigInt(_) | Scalar::LargeInt(_))) && matches!(ty, LogicalType::Int);
        if wide_constant {
            let value = arg.as_literal().and_then(Scalar::as_i128).unwrap_or_default();
            if i32::try_from(value).is_err() {
                bail!(Analysis, "Cast argument {value} to int type failed.");
            }
        }
        self.implicit_cast(arg, ty)
    }

    /// A cast nobody wrote.
    pub fn implicit_cast(&self, expr: Expr, ty: &LogicalType) -> Result<Expr> {
        if expr.ty == *ty || expr.ty.is_string() && ty.is_string() {
            return Ok(expr);
        }
        if let Some(converted) = self.convert_states(&expr, ty)? {
            return Ok(converted);
        }
        if !can_cast(&expr.ty, ty) {
            return Err(bad_cast(&expr.ty, ty, &self.display(&expr)));
        }
        self.cast(expr, ty)
    }

    /// States over other types of arguments, brought to those of a column.
    fn convert_states(&self, expr: &Expr, ty: &LogicalType) -> Result<Option<Expr>> {
        let (LogicalType::State(from), LogicalType::State(to)) = (&expr.ty, ty) else { return Ok(None) };
        if expr.ty.same_kind(ty) {
            return Ok(Some(Expr { ty: ty.clone(), ..expr.clone() }));
        }
        let registry = self.ctx.registry;
        let state = |s: &common_types::StateType| Ok::<_, common_base::Error>(registry.aggregate(&s.function, &s.args)?.state_type());
        let convert = registry.scalar_function("agg_state_convert");
        let Some(function) = convert.filter(|_| from.function == to.function) else {
            bail!(Analysis, "states of {from} are not states of {to}");
        };
        if !can_cast(&state(from)?, &state(to)?) {
            bail!(Analysis, "states of {from} are not states of {to}");
        }
        let overload = ScalarOverload { function: function.clone(), args: vec![expr.ty.clone()], result: ty.clone() };
        Ok(Some(Expr::call(Arc::new(overload), vec![expr.clone()])))
    }

    /// `CAST(x AS ty)`.
    pub(super) fn explicit_cast(&self, expr: Expr, ty: &LogicalType, syntax: &sql::Expr) -> Result<Expr> {
        if !can_cast(&expr.ty, ty) {
            return Err(bad_cast(&expr.ty, ty, &fe_parser::print::expr_text(syntax)));
        }
        // Lengths of strings are never enforced by a cast.
        if expr.ty.is_string() && ty.is_string() {
            return Ok(Expr { ty: ty.clone(), ..expr });
        }
        let throws = self.ctx.session.eval().sql_mode & common_expr::scalar_fn::sql_mode::FORBID_INVALID_DATE != 0;
        let check = (throws && ty.is_date_like()).then(|| expr.as_literal().cloned()).flatten();
        let cast = self.cast(expr, ty)?;
        if let Some(value) = check.filter(|v| !v.is_null()) {
            if self.fold(cast.clone()).as_literal().is_some_and(Scalar::is_null) {
                bail!(
                    InvalidDate,
                    "Incorrect {} value '{value}'",
                    if *ty == LogicalType::Date { "date" } else { "datetime" }
                );
            }
        }
        Ok(cast)
    }

    /// The cast node; constructors of nested values cast their elements.
    fn cast(&self, expr: Expr, ty: &LogicalType) -> Result<Expr> {
        if let Some(value) = exact_literal(&expr, ty) {
            return Ok(Expr::typed_literal(value, ty.clone()));
        }
        Ok(match self.cast_constructor(&expr, ty)? {
            Some(cast) => cast,
            None => expr.cast_to(ty),
        })
    }

    /// The text of a bound expression, for messages.
    pub fn display(&self, expr: &Expr) -> String {
        common_expr::sql::to_sql(expr, &|id| {
            if (id as usize) < self.columns.len() { self.columns.info(id).name.clone() } else { format!("#{id}") }
        })
    }
}
