//! Table of session, information and utility functions.

mod assert_true;
mod bar;
mod session;
mod sleep;
#[cfg(test)]
mod tests;
mod type_of;
mod uuid;

use common_expr::registry::FunctionRegistry;

/// Adds the utility functions.
pub fn register(r: &mut FunctionRegistry) {
    for function in [assert_true::function(), bar::function(), sleep::function(), type_of::function()] {
        r.add_scalar(function);
    }
    session::functions().into_iter().chain(uuid::functions()).for_each(|f| r.add_scalar(f));
}
