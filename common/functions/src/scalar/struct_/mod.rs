//! Table of the struct functions.

mod construct;
mod field;

use common_expr::registry::FunctionRegistry;

/// Adds the functions of this folder.
pub fn register(r: &mut FunctionRegistry) {
    construct::register(r);
    field::register(r);
}
