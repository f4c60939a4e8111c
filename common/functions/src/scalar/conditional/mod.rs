//! Table of the conditional functions. The analyzer lowers most calls to special forms; these serve what reaches the registry.

mod choose;
mod extremes;

use common_expr::registry::FunctionRegistry;

/// Adds the conditional functions.
pub fn register(r: &mut FunctionRegistry) {
    choose::functions().into_iter().chain(extremes::functions()).for_each(|f| r.add_scalar(f));
}
