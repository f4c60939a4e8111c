//! One evaluation: a program over the rows of a chunk, over some rows of an outer frame, or over the entries of a dictionary.

use std::cell::RefCell;

use common_base::{Result, bail, err};
use common_types::{Chunk, Column};

use super::{
    call::run_kernel,
    case, dict, in_list, junction,
    program::{Node, NodeId, NodeKind, Program},
    tri::Tri,
};
use crate::{cast::cast_column, scalar_fn::EvalContext};

/// Where the columns come from.
enum Input<'a> {
    Chunk(&'a Chunk),
    Rows { outer: &'a Frame<'a>, rows: &'a [u32] },
    /// One column node stands for the entries of a dictionary; no other column is read.
    Entries { node: NodeId, column: Column },
}

/// A program with its input rows and the results remembered so far.
pub(crate) struct Frame<'a> {
    pub(crate) ctx: &'a EvalContext,
    pub(crate) program: &'a Program,
    input: Input<'a>,
    rows: usize,
    /// Whether casts or overflow may raise errors, so that nothing may be computed ahead of need.
    careful: bool,
    memo: RefCell<Vec<Option<Column>>>,
}

impl<'a> Frame<'a> {
    /// Over all rows of a chunk.
    pub(crate) fn new(ctx: &'a EvalContext, program: &'a Program, chunk: &'a Chunk) -> Self {
        Self::with(ctx, program, Input::Chunk(chunk), chunk.rows())
    }

    /// Over some rows of this frame.
    pub(crate) fn narrow<'b>(&'b self, rows: &'b [u32]) -> Frame<'b>
    where
        'a: 'b,
    {
        Frame::with(self.ctx, self.program, Input::Rows { outer: self, rows }, rows.len())
    }

    /// Over dictionary entries in place of one column.
    pub(crate) fn over_entries(&self, node: NodeId, column: Column) -> Frame<'a> {
        let rows = column.len();
        Frame::with(self.ctx, self.program, Input::Entries { node, column }, rows)
    }

    fn with(ctx: &'a EvalContext, program: &'a Program, input: Input<'a>, rows: usize) -> Self {
        let careful = ctx.throws() || ctx.overflow_is_error();
        Self { ctx, program, input, rows, careful, memo: RefCell::new(Vec::new()) }
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Whether a node may be computed for rows that might not need it.
    pub(crate) fn cheap(&self, id: NodeId) -> bool {
        self.program.nodes[id].cheap && !self.careful
    }

    /// The column of a node.
    pub(crate) fn eval(&self, id: NodeId) -> Result<Column> {
        let node = &self.program.nodes[id];
        match &node.kind {
            NodeKind::Literal(value) => return Ok(Column::constant(value.clone(), node.ty.clone(), self.rows)),
            NodeKind::Column(at) => return self.column(id, *at),
            _ => {}
        }
        if self.rows == 0 {
            return Ok(Column::null(node.ty.clone(), 0));
        }
        if node.constant {
            return self.constant(id, node);
        }
        if node.shared
            && let Some(known) = self.recall(id)
        {
            return Ok(known);
        }
        let column = match dict::eval_by_entry(self, node, id)? {
            Some(column) => column,
            None => self.compute(node)?,
        };
        if node.shared {
            self.remember(id, &column);
        }
        Ok(column)
    }

    /// A condition's truth.
    pub(crate) fn truth(&self, id: NodeId) -> Result<Tri> {
        if self.rows > 0 {
            let node = &self.program.nodes[id];
            if !node.shared && !node.constant && node.dict_source.is_none() {
                match &node.kind {
                    NodeKind::And(items) => return junction::eval(self, items, true),
                    NodeKind::Or(items) => return junction::eval(self, items, false),
                    NodeKind::Not(e) => return Ok(self.truth(*e)?.negate()),
                    _ => {}
                }
            }
        }
        Tri::of(&self.eval(id)?)
    }

    /// Computes a node that is neither a literal nor a column.
    pub(crate) fn compute(&self, node: &Node) -> Result<Column> {
        match &node.kind {
            NodeKind::Literal(_) | NodeKind::Column(_) => bail!(Internal, "leaves are not computed"),
            NodeKind::Call { function, args } => {
                let args = args.iter().map(|a| self.eval(*a)).collect::<Result<Vec<_>>>()?;
                run_kernel(self.ctx, function, &args, self.rows)
            }
            NodeKind::HigherOrder(lambda) => lambda.eval(self),
            NodeKind::And(items) => Ok(junction::eval(self, items, true)?.into_column()),
            NodeKind::Or(items) => Ok(junction::eval(self, items, false)?.into_column()),
            NodeKind::Not(e) => Ok(self.truth(*e)?.negate().into_column()),
            NodeKind::Case { branches, otherwise } => case::eval_case(self, &node.ty, branches, *otherwise),
            NodeKind::Coalesce(items) => case::eval_coalesce(self, &node.ty, items),
            NodeKind::Cast(e) => cast_column(self.ctx, &self.eval(*e)?, &node.ty),
            NodeKind::IsNull { input, negated } => Ok(in_list::is_null(&self.eval(*input)?, *negated)),
            NodeKind::InSet { input, set, has_null, negated } => {
                Ok(in_list::eval_set(&self.eval(*input)?, set, *has_null, *negated))
            }
            NodeKind::InList { input, list, negated } => {
                let input = self.eval(*input)?;
                let list = list.iter().map(|e| self.eval(*e)).collect::<Result<Vec<_>>>()?;
                Ok(in_list::eval_list(&input, &list, *negated))
            }
        }
    }

    /// The column of a column node.
    pub(crate) fn column(&self, id: NodeId, at: usize) -> Result<Column> {
        match &self.input {
            Input::Chunk(chunk) => chunk
                .columns()
                .get(at)
                .cloned()
                .ok_or_else(|| err!(Internal, "expression reads column {at} of a chunk of {}", chunk.columns().len())),
            Input::Rows { outer, rows } => {
                if let Some(known) = self.own(id) {
                    return Ok(known);
                }
                let column = outer.column(id, at)?.gather(rows);
                self.remember(id, &column);
                Ok(column)
            }
            Input::Entries { node, column } if *node == id => Ok(column.clone()),
            Input::Entries { .. } => bail!(Internal, "expression over one column reads another"),
        }
    }

    fn constant(&self, id: NodeId, node: &Node) -> Result<Column> {
        let value = match node.constant_value.get() {
            Some(value) => value,
            None => {
                let empty = Chunk::new(Vec::new(), 1);
                let column = Frame::new(self.ctx, self.program, &empty).compute(&self.program.nodes[id])?;
                let value = column.scalar(0);
                node.constant_value.get_or_init(|| value)
            }
        };
        Ok(Column::constant(value.clone(), node.ty.clone(), self.rows))
    }

    /// A remembered result, if need be the rows of an outer frame's.
    fn recall(&self, id: NodeId) -> Option<Column> {
        if let Some(known) = self.own(id) {
            return Some(known);
        }
        let Input::Rows { outer, rows } = &self.input else { return None };
        let column = outer.recall(id)?.gather(rows);
        self.remember(id, &column);
        Some(column)
    }

    fn own(&self, id: NodeId) -> Option<Column> {
        self.memo.borrow().get(id).cloned().flatten()
    }

    fn remember(&self, id: NodeId, column: &Column) {
        let mut memo = self.memo.borrow_mut();
        if memo.is_empty() {
            memo.resize(self.program.nodes.len(), None);
        }
        memo[id] = Some(column.clone());
    }
}
