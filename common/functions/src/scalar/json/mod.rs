//! Table of the JSON functions.

mod build;
mod contains;
mod edit;
mod get;
mod inspect;
mod parse;
mod pretty;
mod raw;
mod support;

#[cfg(test)]
mod tests;

use common_expr::registry::FunctionRegistry;

/// Adds the functions of this folder.
pub fn register(r: &mut FunctionRegistry) {
    build::register(r);
    contains::register(r);
    edit::register(r);
    get::register(r);
    inspect::register(r);
    parse::register(r);
    pretty::register(r);
}
