//! Table of the string functions.

mod case;
mod compare;
mod concat;
mod field;
mod length;
mod locate;
mod ngram;
mod pad;
mod regexp;
mod replace;
mod split;
mod str_to_map;
mod substr;
mod text;
mod trim;
mod url;

#[cfg(test)]
mod tests;

use common_expr::registry::FunctionRegistry;

/// Adds the functions of this folder.
pub fn register(r: &mut FunctionRegistry) {
    case::register(r);
    compare::register(r);
    concat::register(r);
    field::register(r);
    length::register(r);
    locate::register(r);
    ngram::register(r);
    pad::register(r);
    regexp::register(r);
    replace::register(r);
    split::register(r);
    str_to_map::register(r);
    substr::register(r);
    text::register(r);
    trim::register(r);
    url::register(r);
}
