//! Expression → column over a chunk.
//!
//! Flow: [`CompiledExprs`] turns trees into a graph of nodes in which equal deterministic subtrees are one node; evaluation walks
//! the graph in a frame (a chunk, or some rows of an outer frame) and remembers the results of shared nodes. Special forms narrow
//! the frame so that later branches see only the rows that need them. Invariants: a node's column has the frame's row count and
//! the node's type; errors of rows nobody asks for do not arise.

mod call;
mod case;
mod conjunct;
mod dict;
mod frame;
mod in_list;
mod junction;
mod lambda;
pub mod mask;
pub mod nulls;
mod program;
mod scatter;
mod selection;
mod tri;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use common_base::Result;
use common_types::{Chunk, Column, LogicalType};

use self::{
    frame::Frame,
    program::{NodeId, Program},
};
use crate::{expr::Expr, scalar_fn::EvalContext};

pub use call::run_kernel;
pub use conjunct::Conjuncts;
pub use scatter::{Piece, assemble};
pub use selection::Selection;

/// One expression ready to run. Compile once per driver: it keeps caches (results per dictionary entry, folded constants).
#[derive(Debug)]
pub struct CompiledExpr(CompiledExprs);

impl CompiledExpr {
    /// Compiles; never fails, what cannot be evaluated fails when it is.
    pub fn compile(expr: &Expr) -> Self {
        Self(CompiledExprs::compile(std::slice::from_ref(expr)))
    }

    /// The result type.
    pub fn ty(&self) -> &LogicalType {
        self.0.program.ty(self.0.roots[0])
    }

    /// One result per row of the chunk.
    pub fn eval(&self, ctx: &EvalContext, chunk: &Chunk) -> Result<Column> {
        Frame::new(ctx, &self.0.program, chunk).eval(self.0.roots[0])
    }
}

/// Several expressions that share common subexpressions: a projection, the keys of a join or an aggregation.
#[derive(Debug)]
pub struct CompiledExprs {
    program: Program,
    roots: Vec<NodeId>,
}

impl CompiledExprs {
    /// Compiles all of them into one program.
    pub fn compile(exprs: &[Expr]) -> Self {
        let (program, roots) = Program::compile(exprs);
        Self { program, roots }
    }

    /// Number of expressions.
    pub fn len(&self) -> usize {
        self.roots.len()
    }

    /// Whether there are no expressions.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// The result types.
    pub fn types(&self) -> impl Iterator<Item = &LogicalType> {
        self.roots.iter().map(|root| self.program.ty(*root))
    }

    /// One column per expression.
    pub fn eval(&self, ctx: &EvalContext, chunk: &Chunk) -> Result<Vec<Column>> {
        let frame = Frame::new(ctx, &self.program, chunk);
        self.roots.iter().map(|root| frame.eval(*root)).collect()
    }

    /// The results as a chunk of as many rows.
    pub fn eval_chunk(&self, ctx: &EvalContext, chunk: &Chunk) -> Result<Chunk> {
        Ok(Chunk::new(self.eval(ctx, chunk)?, chunk.rows()))
    }
}

/// Evaluates once over one row of no columns: constants.
pub fn eval_constant(ctx: &EvalContext, expr: &Expr) -> Result<common_types::Scalar> {
    let column = CompiledExpr::compile(expr).eval(ctx, &Chunk::new(Vec::new(), 1))?;
    Ok(column.scalar(0))
}

/// The canonical array of a result; a convenience for callers outside the executor.
pub fn eval_flat(ctx: &EvalContext, expr: &Expr, chunk: &Chunk) -> Result<Arc<dyn arrow::array::Array>> {
    Ok(CompiledExpr::compile(expr).eval(ctx, chunk)?.to_flat())
}
