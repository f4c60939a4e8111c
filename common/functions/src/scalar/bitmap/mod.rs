//! Table of the bitmap functions.

mod algebra;
mod construct;
mod convert;
mod inspect;
mod portable;
mod subset;
mod support;

#[cfg(test)]
mod tests;

use common_expr::registry::FunctionRegistry;

/// Adds the functions of this folder.
pub fn register(r: &mut FunctionRegistry) {
    algebra::register(r);
    construct::register(r);
    convert::register(r);
    inspect::register(r);
    subset::register(r);
}
