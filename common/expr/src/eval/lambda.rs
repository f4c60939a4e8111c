//! Higher-order calls: the lambda's body is a program of its own over captured columns followed by parameters.

use std::sync::Arc;

use common_base::{Result, bail};
use common_types::{Chunk, Column, LogicalType};

use super::{
    call::run_with,
    frame::Frame,
    program::{Builder, NodeId, Program},
};
use crate::{
    expr::{Expr, ExprKind},
    scalar_fn::{LambdaBody, ScalarOverload},
};

/// A call with a lambda among its arguments.
pub(crate) struct LambdaNode {
    function: Arc<ScalarOverload>,
    /// The other arguments.
    args: Vec<NodeId>,
    /// Columns of the enclosing frame the body uses.
    captured: Vec<NodeId>,
    params: usize,
    body: Program,
    root: NodeId,
    deterministic: bool,
}

impl LambdaNode {
    /// Compiles a call whose argument `at` is a lambda.
    pub(super) fn build(builder: &mut Builder, function: &Arc<ScalarOverload>, args: &[Expr], at: usize) -> Self {
        let ExprKind::Lambda { params, body } = &args[at].kind else { unreachable!("the caller found a lambda there") };
        let mut used: Vec<&Expr> = Vec::new();
        body.visit(&mut |e| {
            if let ExprKind::Column(id) = e.kind
                && !params.iter().any(|(p, _)| *p == id)
                && !used.iter().any(|u| u.as_column() == Some(id))
            {
                used.push(e);
            }
        });
        // Parameters of lambdas nested in the body are bound further in, not captured here.
        let outer: Vec<u32> = args[at].columns();
        used.retain(|e| e.as_column().is_some_and(|id| outer.contains(&id)));
        let position: Vec<u32> =
            used.iter().filter_map(|e| e.as_column()).chain(params.iter().map(|(id, _)| *id)).collect();
        let first_free = position.len() as u32;
        let body = (**body).clone().map_columns(&mut |id| match position.iter().position(|p| *p == id) {
            Some(i) => i as u32,
            // A nested lambda's own parameter: any number no column of this program has.
            None => first_free + 1 + id,
        });
        let deterministic = function.is_deterministic() && body.is_deterministic();
        let (program, roots) = Program::compile(&[body]);
        let captured = used.iter().map(|e| builder.add(e)).collect();
        let plain = args.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, a)| builder.add(a)).collect();
        Self { function: function.clone(), args: plain, captured, params: params.len(), body: program, root: roots[0], deterministic }
    }

    pub(super) fn is_deterministic(&self) -> bool {
        self.deterministic
    }

    /// The nodes read.
    pub(super) fn inputs(&self) -> Vec<NodeId> {
        self.args.iter().chain(&self.captured).copied().collect()
    }

    pub(super) fn eval(&self, frame: &Frame<'_>) -> Result<Column> {
        let Some(form) = self.function.function.lambda_kernel else {
            bail!(Analysis, "function {} takes no lambda", self.function.name());
        };
        let args = self.args.iter().map(|a| frame.eval(*a)).collect::<Result<Vec<_>>>()?;
        let captured = self.captured.iter().map(|c| frame.eval(*c)).collect::<Result<Vec<_>>>()?;
        let body = BoundBody { node: self, frame, captured };
        let foldable = self.captured.is_empty() && self.deterministic;
        run_with(&self.function, &args, frame.rows(), foldable, &mut |args, rows| (form.eval)(frame.ctx, &self.function, &body, args, rows))
    }
}

/// A lambda with the enclosing rows it captures.
struct BoundBody<'a> {
    node: &'a LambdaNode,
    frame: &'a Frame<'a>,
    captured: Vec<Column>,
}

impl LambdaBody for BoundBody<'_> {
    fn params(&self) -> usize {
        self.node.params
    }

    fn result(&self) -> &LogicalType {
        self.node.body.ty(self.node.root)
    }

    fn eval(&self, params: &[Column], source_rows: &[u32]) -> Result<Column> {
        if params.len() != self.node.params {
            bail!(Analysis, "lambda of {} parameters called with {}", self.node.params, params.len());
        }
        let columns = self.captured.iter().map(|c| c.gather(source_rows)).chain(params.iter().cloned()).collect();
        let chunk = Chunk::new(columns, source_rows.len());
        Frame::new(self.frame.ctx, &self.node.body, &chunk).eval(self.node.root)
    }
}
