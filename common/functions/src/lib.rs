//! The function library: every scalar, aggregate, window and table function of the product.
//!
//! Only the two servers link this crate; everybody else sees the [`FunctionRegistry`] it fills. One function (with its type
//! variants) per file, one row in that folder's table, shared loops in `kernels`.

pub mod aggregate;
pub mod kernels;
pub mod scalar;
pub mod table;
pub mod window;

use std::sync::{Arc, OnceLock};

use common_expr::registry::FunctionRegistry;

/// Adds every function of the product to a registry.
pub fn register_all(registry: &mut FunctionRegistry) {
    scalar::register(registry);
    aggregate::register(registry);
    window::register(registry);
    table::register(registry);
}

/// The process-wide registry, built on first use.
pub fn registry() -> Arc<FunctionRegistry> {
    static REGISTRY: OnceLock<Arc<FunctionRegistry>> = OnceLock::new();
    REGISTRY
        .get_or_init(|| {
            let mut registry = FunctionRegistry::default();
            register_all(&mut registry);
            Arc::new(registry)
        })
        .clone()
}

#[cfg(test)]
mod law_tests;
#[cfg(test)]
pub(crate) mod testkit;
