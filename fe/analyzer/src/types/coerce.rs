//! Typing decisions of analysis that build on `common_types::coercion`: lists, messages.

use common_base::{Result, err};
use common_types::{
    LogicalType,
    coercion::{self, CompareClass, EqualityBase},
};

use super::datatype::{ddl_text, debug_text, type_text};

use LogicalType as T;

/// The common super type (§10).
pub(crate) fn common_type(a: &LogicalType, b: &LogicalType) -> Option<LogicalType> {
    if a == b {
        return Some(a.clone());
    }
    coercion::common_super_type(a, b)
}

/// The common super type of many; NULL when all are.
pub(crate) fn common_type_of<'t>(
    types: impl IntoIterator<Item = &'t LogicalType>,
) -> std::result::Result<LogicalType, (LogicalType, LogicalType)> {
    let mut common = T::Null;
    for ty in types {
        common = match common_type(&common, ty) {
            Some(t) => t,
            None => return Err((common, ty.clone())),
        };
    }
    Ok(common)
}

/// The type two operands are compared in; None when they cannot be.
pub(crate) fn comparison(a: &LogicalType, b: &LogicalType, range: bool, base: EqualityBase) -> Option<LogicalType> {
    let class = if range { CompareClass::Range } else { CompareClass::Equality };
    coercion::comparison_type_with(a, b, class, base)
}

/// The error for operands that cannot be compared.
pub(crate) fn not_comparable(a: &LogicalType, b: &LogicalType) -> common_base::Error {
    err!(Analysis, "Column type {} does not support binary predicate operation with type {}", ddl_text(a), ddl_text(b))
}

/// The type BETWEEN and IN bring all their operands to; NULL members do not count.
pub(crate) fn list_comparison(types: &[LogicalType], is_in: bool, base: EqualityBase) -> Result<LogicalType> {
    let mut known = types.iter().filter(|t| **t != T::Null);
    let Some(first) = known.next() else { return Ok(T::Boolean) };
    let textual = |t: &T| t.is_string() || t.is_date_like();
    let mut common = first.clone();
    for ty in known {
        common = if common == *ty {
            common
        } else if textual(&common) && textual(ty) {
            if common.is_date_like() && ty.is_date_like() { T::Datetime } else { T::varchar() }
        } else {
            match comparison(&common, ty, !is_in, base) {
                Some(t) => t,
                None => return Err(not_comparable(&common, ty)),
            }
        };
    }
    if first.is_date_like() && common.is_string() {
        return Ok(first.clone());
    }
    Ok(common)
}

/// The error for a cast that is not defined.
pub(crate) fn bad_cast(from: &LogicalType, to: &LogicalType, text: &str) -> common_base::Error {
    err!(Analysis, "Invalid type cast from {} to {} in sql `{text}`", type_text(from), debug_text(to).to_lowercase())
}
