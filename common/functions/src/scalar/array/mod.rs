//! Table of the array functions, higher-order ones included.

pub mod concat;
mod difference;
mod element_at;
pub mod filter;
mod flatten;
mod generate;
mod join;
pub mod lambda;
mod length;
mod literal;
mod map;
mod matches;
mod min_max;
mod repeat;
pub mod reverse;
mod search;
mod sets;
mod slice;
mod sort;
mod sort_lambda;
mod sum;
mod zip;

#[cfg(test)]
mod tests;

use common_expr::registry::FunctionRegistry;

/// Adds the functions of this folder.
pub fn register(r: &mut FunctionRegistry) {
    concat::register(r);
    difference::register(r);
    element_at::register(r);
    filter::register(r);
    flatten::register(r);
    generate::register(r);
    join::register(r);
    length::register(r);
    literal::register(r);
    map::register(r);
    matches::register(r);
    min_max::register(r);
    repeat::register(r);
    search::register(r);
    sets::register(r);
    slice::register(r);
    sort::register(r);
    sum::register(r);
    zip::register(r);
}
