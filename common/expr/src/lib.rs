//! One typed expression tree and one function registry, used by the FE (typing, folding) and the BE (evaluation).
//!
//! Flow: the analyzer resolves a name through [`registry::FunctionRegistry`] and builds [`expr::Expr`]; the FE folds constants
//! with the same kernels the BE runs; the fragment builder remaps column ids to ordinals; the BE evaluates over chunks.

pub mod aggregate_fn;
pub mod expr;
pub mod registry;
pub mod resolve;
pub mod scalar_fn;
pub mod signature;
pub mod table_fn;
pub mod window_fn;
