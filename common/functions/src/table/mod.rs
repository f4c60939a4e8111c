//! Table functions: one input row to zero or more output rows.

mod bitmap;
mod generate_series;
mod json_each;
mod unnest;

#[cfg(test)]
mod tests;

use common_expr::registry::FunctionRegistry;

/// Adds every table function.
pub fn register(r: &mut FunctionRegistry) {
    bitmap::register(r);
    generate_series::register(r);
    json_each::register(r);
    unnest::register(r);
}
