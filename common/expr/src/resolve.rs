//! Overload resolution (types.md §11): the first signature that fits at the best level. Levels: identical types, polymorphic
//! patterns, lossless implicit casts, any implicit cast. Registration order decides inside a level.

use common_base::{Result, bail};
use common_types::{
    DecimalWidth, LogicalType, StateType,
    coercion::{can_implicit_cast, common_super_type, lossless_cast},
};

use crate::signature::{ResultRule, Signature, TypePattern};

/// How far arguments may be bent to fit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Level {
    Identical,
    Polymorphic,
    Lossless,
    AnyCast,
}

/// Chooses the overload: the types the arguments must be cast to, and the result type. `None` when nothing fits.
pub fn resolve_signatures(signatures: &[Signature], args: &[LogicalType]) -> Result<Option<(Vec<LogicalType>, LogicalType)>> {
    for level in [Level::Identical, Level::Polymorphic, Level::Lossless, Level::AnyCast] {
        for signature in signatures {
            if let Some((types, bound)) = fit(signature, args, level) {
                let result = result_type(&signature.result, &types, &bound)?;
                return Ok(Some((types, result)));
            }
        }
    }
    Ok(None)
}

/// Types bound to `Same(n)`, by n.
type Bound = Vec<(u8, LogicalType)>;

fn fit(signature: &Signature, args: &[LogicalType], level: Level) -> Option<(Vec<LogicalType>, Bound)> {
    let patterns = &signature.args;
    let arity_fits = if signature.variadic { args.len() >= patterns.len() } else { args.len() == patterns.len() };
    if !arity_fits {
        return None;
    }
    let pattern = |i: usize| &patterns[i.min(patterns.len() - 1)];
    if level == Level::Identical && (0..args.len()).any(|i| !matches!(pattern(i), TypePattern::Exact(_) | TypePattern::Function)) {
        return None;
    }
    let mut bound = Bound::new();
    for (i, arg) in args.iter().enumerate() {
        bind(pattern(i), arg, level, &mut bound)?;
    }
    for (_, ty) in &mut bound {
        if *ty == LogicalType::Null {
            *ty = LogicalType::Boolean;
        }
    }
    let types = args.iter().enumerate().map(|(i, arg)| accept(pattern(i), arg, level, &bound)).collect::<Option<Vec<_>>>()?;
    Some((types, bound))
}

/// Widens what `Same(n)` patterns are bound to by one argument.
fn bind(pattern: &TypePattern, arg: &LogicalType, level: Level, bound: &mut Bound) -> Option<()> {
    let mut widen = |n: u8, ty: &LogicalType| -> Option<()> {
        match bound.iter_mut().find(|(m, _)| *m == n) {
            Some((_, old)) => {
                if !same_shape(old, ty) {
                    *old = common_super_type(old, ty)?;
                } else if *old != *ty {
                    *old = common_super_type(old, ty).unwrap_or_else(|| old.clone());
                }
            }
            None => bound.push((n, ty.clone())),
        }
        Some(())
    };
    match (pattern, arg) {
        (TypePattern::Same(n), _) => widen(*n, arg),
        (TypePattern::ArrayOf(n), LogicalType::Array(item)) => widen(*n, item),
        (TypePattern::ArrayOf(n), LogicalType::Null) => widen(*n, &LogicalType::Null),
        (TypePattern::ArrayOf(n), LogicalType::Json) if level == Level::AnyCast => widen(*n, &LogicalType::Json),
        (TypePattern::ArrayOf(_), _) => None,
        (TypePattern::MapOf(k, v), LogicalType::Map(key, value)) => {
            widen(*k, key)?;
            widen(*v, value)
        }
        (TypePattern::MapOf(k, v), LogicalType::Null) => {
            widen(*k, &LogicalType::Null)?;
            widen(*v, &LogicalType::Null)
        }
        (TypePattern::MapOf(..), _) => None,
        _ => Some(()),
    }
}

/// The type an argument is brought to, if the pattern takes it at this level.
fn accept(pattern: &TypePattern, arg: &LogicalType, level: Level, bound: &Bound) -> Option<LogicalType> {
    let of = |n: &u8| bound.iter().find(|(m, _)| m == n).map(|(_, ty)| ty.clone());
    match pattern {
        TypePattern::Exact(want) => {
            if *arg == LogicalType::Null || nulls_inside(arg) && can_implicit_cast(arg, want) {
                return Some(want.clone());
            }
            if same_shape(arg, want) {
                return Some(arg.clone());
            }
            let ok = match level {
                Level::Identical | Level::Polymorphic => false,
                Level::Lossless => lossless_cast(arg, want),
                Level::AnyCast => can_implicit_cast(arg, want),
            };
            ok.then(|| want.clone())
        }
        TypePattern::AnyDecimal => any_decimal(arg, level),
        TypePattern::Any => (*arg != LogicalType::Function).then(|| arg.clone()),
        TypePattern::Same(n) => of(n).map(|want| if same_shape(arg, &want) { arg.clone() } else { want }),
        TypePattern::AnyArray => match arg {
            LogicalType::Array(_) => Some(arg.clone()),
            LogicalType::Null => Some(LogicalType::Array(Box::new(LogicalType::Boolean))),
            LogicalType::Json if level == Level::AnyCast => Some(LogicalType::Array(Box::new(LogicalType::Json))),
            _ => None,
        },
        TypePattern::ArrayOfDecimal => match arg {
            LogicalType::Array(item) => any_decimal(item, level).map(|item| LogicalType::Array(Box::new(item))),
            LogicalType::Null => Some(LogicalType::Array(Box::new(LogicalType::decimal(1, 0)))),
            _ => None,
        },
        TypePattern::AnyMap => match arg {
            LogicalType::Map(..) => Some(arg.clone()),
            LogicalType::Null => Some(LogicalType::Map(Box::new(LogicalType::Boolean), Box::new(LogicalType::Boolean))),
            _ => None,
        },
        TypePattern::AnyStruct => matches!(arg, LogicalType::Struct(_)).then(|| arg.clone()),
        TypePattern::ArrayOf(n) => of(n).map(|item| {
            let want = LogicalType::Array(Box::new(item));
            if same_shape(arg, &want) { arg.clone() } else { want }
        }),
        TypePattern::MapOf(k, v) => match (of(k), of(v)) {
            (Some(k), Some(v)) => {
                let want = LogicalType::Map(Box::new(k), Box::new(v));
                Some(if same_shape(arg, &want) { arg.clone() } else { want })
            }
            _ => None,
        },
        TypePattern::StateOf(function) => matches!(arg, LogicalType::State(s) if s.function == *function).then(|| arg.clone()),
        TypePattern::Function => (*arg == LogicalType::Function).then(|| arg.clone()),
    }
}

fn any_decimal(arg: &LogicalType, level: Level) -> Option<LogicalType> {
    let wide = |precision, scale| LogicalType::Decimal { width: DecimalWidth::W128, precision, scale };
    match arg {
        LogicalType::Decimal { .. } => Some(arg.clone()),
        LogicalType::Null => Some(LogicalType::decimal(1, 0)),
        _ if level < Level::Lossless => None,
        LogicalType::Boolean => Some(LogicalType::decimal(1, 0)),
        LogicalType::TinyInt => Some(LogicalType::decimal(3, 0)),
        LogicalType::SmallInt => Some(LogicalType::decimal(5, 0)),
        LogicalType::Int => Some(LogicalType::decimal(10, 0)),
        LogicalType::BigInt => Some(wide(19, 0)),
        LogicalType::LargeInt => Some(wide(38, 0)),
        _ if level == Level::AnyCast && (arg.is_numeric() || arg.is_string() || *arg == LogicalType::Json) => Some(wide(38, 9)),
        _ => None,
    }
}

/// Whether two types differ in nothing but lengths of strings (and CHAR against VARCHAR).
pub fn same_shape(a: &LogicalType, b: &LogicalType) -> bool {
    use LogicalType as T;
    match (a, b) {
        (T::Char(_) | T::Varchar(_), T::Char(_) | T::Varchar(_)) | (T::Varbinary(_), T::Varbinary(_)) => true,
        (T::Array(x), T::Array(y)) => same_shape(x, y),
        (T::Map(k, v), T::Map(l, w)) => same_shape(k, l) && same_shape(v, w),
        (T::Struct(x), T::Struct(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(f, g)| f.name.eq_ignore_ascii_case(&g.name) && same_shape(&f.ty, &g.ty))
        }
        (T::State(x), T::State(y)) => {
            x.function == y.function && x.args.len() == y.args.len() && x.args.iter().zip(&y.args).all(|(a, b)| same_shape(a, b))
        }
        _ => a == b,
    }
}

fn nulls_inside(ty: &LogicalType) -> bool {
    match ty {
        LogicalType::Null => true,
        LogicalType::Array(item) => nulls_inside(item),
        LogicalType::Map(k, v) => nulls_inside(k) || nulls_inside(v),
        LogicalType::Struct(fields) => fields.iter().any(|f| nulls_inside(&f.ty)),
        _ => false,
    }
}

fn result_type(rule: &ResultRule, args: &[LogicalType], bound: &Bound) -> Result<LogicalType> {
    let of = |n: &u8| match bound.iter().find(|(m, _)| m == n) {
        Some((_, ty)) => Ok(ty.clone()),
        None => Err(common_base::err!(Internal, "result type refers to the unbound pattern Same({n})")),
    };
    Ok(match rule {
        ResultRule::Exact(ty) => ty.clone(),
        ResultRule::Arg(n) => match args.get(*n) {
            Some(ty) => ty.clone(),
            None => bail!(Internal, "result type refers to the missing argument {n}"),
        },
        ResultRule::Bound(n) => of(n)?,
        ResultRule::ArrayOf(n) => LogicalType::Array(Box::new(of(n)?)),
        ResultRule::ElementOf(n) => match args.get(*n) {
            Some(LogicalType::Array(item)) => (**item).clone(),
            _ => bail!(Internal, "result type refers to the element of argument {n}, which is no array"),
        },
        ResultRule::Compute(rule) => rule(args)?,
        ResultRule::StateOf(function) => {
            LogicalType::State(Box::new(StateType { function: (*function).to_owned(), args: args.to_vec() }))
        }
        ResultRule::OfState(signatures) => match args.first() {
            Some(LogicalType::State(state)) => match resolve_signatures(signatures, &state.args)? {
                Some((_, result)) => result,
                None => bail!(Analysis, "No matching function with signature: {state}"),
            },
            _ => bail!(Internal, "result type refers to a state that is no argument"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use LogicalType as T;

    fn pick(signatures: &[Signature], args: &[T]) -> Option<(Vec<T>, T)> {
        resolve_signatures(signatures, args).expect("resolves")
    }

    #[test]
    fn levels_in_order() {
        let signatures = [Signature::exact([T::Double], T::Double), Signature::exact([T::BigInt], T::BigInt), Signature::exact([T::Int], T::Int)];
        assert_eq!(pick(&signatures, &[T::Int]), Some((vec![T::Int], T::Int)));
        assert_eq!(pick(&signatures, &[T::Null]), Some((vec![T::Double], T::Double)));
        let narrow = [Signature::exact([T::Int], T::Int), Signature::exact([T::LargeInt], T::LargeInt)];
        assert_eq!(pick(&narrow, &[T::BigInt]), Some((vec![T::LargeInt], T::LargeInt)));
        assert_eq!(pick(&narrow, &[T::Varchar(Some(3))]), Some((vec![T::Int], T::Int)));
        assert_eq!(pick(&narrow, &[]), None);
    }

    #[test]
    fn strings_keep_their_length_and_same_binds() {
        let s = [Signature::exact([T::varchar()], T::Int)];
        assert_eq!(pick(&s, &[T::Char(3)]), Some((vec![T::Char(3)], T::Int)));
        let same = [Signature::new(vec![TypePattern::Same(0)], ResultRule::Bound(0)).variadic()];
        assert_eq!(pick(&same, &[T::Int, T::Null, T::BigInt]), Some((vec![T::BigInt; 3], T::BigInt)));
        assert_eq!(pick(&same, &[T::Null]), Some((vec![T::Boolean], T::Boolean)));
        let arrays = [Signature::new(vec![TypePattern::ArrayOf(0), TypePattern::Same(0)], ResultRule::Exact(T::Boolean))];
        let ints = T::Array(Box::new(T::Int));
        let bigs = T::Array(Box::new(T::BigInt));
        assert_eq!(pick(&arrays, &[ints, T::BigInt]), Some((vec![bigs, T::BigInt], T::Boolean)));
    }

    #[test]
    fn decimals_keep_precision_and_scale() {
        let s = [Signature::new(vec![TypePattern::AnyDecimal], ResultRule::Arg(0))];
        let d = T::decimal(12, 3);
        assert_eq!(pick(&s, &[d.clone()]), Some((vec![d.clone()], d)));
        assert_eq!(pick(&s, &[T::Int]), Some((vec![T::decimal(10, 0)], T::decimal(10, 0))));
    }
}
