//! Table of the map functions.

mod apply;
mod construct;
mod filter;
mod parts;

#[cfg(test)]
mod tests;

use common_expr::registry::FunctionRegistry;

/// Adds the functions of this folder.
pub fn register(r: &mut FunctionRegistry) {
    apply::register(r);
    construct::register(r);
    filter::register(r);
    parts::register(r);
}
