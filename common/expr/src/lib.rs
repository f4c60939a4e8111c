//! One typed expression tree and one function registry, used by the FE (typing, folding) and the BE (evaluation).
//!
//! Flow: the analyzer resolves a name through [`registry::FunctionRegistry`] and builds [`expr::Expr`]; the FE folds constants
//! with the same kernels the BE runs; the fragment builder remaps column ids to ordinals; the BE evaluates over chunks.

pub mod aggregate_fn;
pub mod calls;
pub mod cast;
pub mod eval;
pub mod expr;
pub mod fold;
pub mod laws;
pub mod predicate;
pub mod registry;
pub mod resolve;
pub mod scalar_fn;
pub mod signature;
pub mod sql;
pub mod table_fn;
#[cfg(test)]
mod test_support;
pub mod walk;
pub mod window_fn;
pub mod wire;

pub use calls::{AggregateCall, Frame, FrameBound, FrameUnit, SortKey, WindowCall, WindowFunctionRef};
pub use eval::{CompiledExpr, CompiledExprs, Conjuncts, Selection};
pub use expr::{ColumnId, Expr, ExprKind};
pub use predicate::{ColumnPredicate, RuntimeFilter};
pub use registry::FunctionRegistry;
pub use scalar_fn::EvalContext;
