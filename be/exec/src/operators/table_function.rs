//! Table functions: each input row gives zero or more rows beside the kept input columns.

use std::sync::Arc;

use common_base::{Result, err};
use common_expr::{
    eval::CompiledExprs,
    expr::Expr,
    table_fn::{PieceCursor, TableFunctionOutput, TableFunctionRef},
};
use common_types::{Chunk, Column, LogicalType, wire};
use proto_messages::plan::{PlanNode, TableFunctionNode};

use crate::{
    operator::{Transform, TransformFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
    runtime::QueryContext,
};

/// Adds the function to the child's chain.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &TableFunctionNode) -> Result<OpenChain> {
    let chain = b.build_child(node)?;
    let function = b.query.env.registry.table(&op.function);
    let function = function.ok_or_else(|| err!(UnknownFunction, "Unknown table function '{}'", op.function))?;
    let factory = TableFunctionFactory {
        query: b.query.clone(),
        function,
        args: b.exprs(&op.args)?,
        keep: op.keep_columns.iter().map(|c| *c as usize).collect(),
        outer: op.outer,
        results: op.result_types.iter().map(wire::type_from_proto).collect::<Result<_>>()?,
    };
    Ok(b.transform(node, chain, Arc::new(factory)))
}

struct TableFunctionFactory {
    query: Arc<QueryContext>,
    function: TableFunctionRef,
    args: Vec<Expr>,
    keep: Vec<usize>,
    outer: bool,
    results: Vec<LogicalType>,
}

impl TransformFactory for TableFunctionFactory {
    fn name(&self) -> &'static str {
        "TABLE_FUNCTION"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(TableFunction {
            query: self.query.clone(),
            function: self.function.clone(),
            args: CompiledExprs::compile(&self.args),
            keep: self.keep.clone(),
            outer: self.outer,
            results: self.results.clone(),
            input: None,
            batch: None,
            output: None,
        }))
    }
}

/// Input rows expanded per kernel call: bounds the memory of one expansion.
const BATCH_ROWS: usize = 256;
/// Rows a function that works piece by piece makes at a time.
const PIECE_ROWS: usize = 16 * OUT_ROWS;
/// Rows of one output chunk.
const OUT_ROWS: usize = common_types::chunk::CHUNK_ROWS;

struct TableFunction {
    query: Arc<QueryContext>,
    function: TableFunctionRef,
    args: CompiledExprs,
    keep: Vec<usize>,
    outer: bool,
    results: Vec<LogicalType>,
    /// The chunk being expanded and the next row of it.
    input: Option<(Chunk, usize)>,
    /// The rows of it that are being expanded.
    batch: Option<Batch>,
    /// Expanded rows not yet handed out and how many were.
    output: Option<(Chunk, usize)>,
}

/// Input rows with their arguments, expanded up to `from`.
struct Batch {
    chunk: Chunk,
    args: Vec<Column>,
    from: PieceCursor,
}

impl TableFunction {
    /// The rows of a batch from a cursor on, and where to go on. A function that makes its rows at once makes all of them.
    fn expand(&self, batch: &Batch) -> Result<(Chunk, Option<PieceCursor>)> {
        let rows = batch.chunk.rows();
        // With OUTER a row without results shows only once all are known.
        let (made, rest) = match self.function.0.pieces.filter(|_| !self.outer) {
            Some(pieces) => pieces(&batch.args, rows, &self.results, batch.from, PIECE_ROWS)?,
            None => ((self.function.0.kernel)(&batch.args, rows, &self.results)?, None),
        };
        Ok((self.with_kept(&batch.chunk, made), rest))
    }

    fn with_kept(&self, input: &Chunk, made: TableFunctionOutput) -> Chunk {
        let (sources, picks) = if self.outer { with_unmatched(&made.source_rows, input.rows()) } else { (made.source_rows, None) };
        let mut columns: Vec<_> = self.keep.iter().map(|i| input.column(*i).gather(&sources)).collect();
        columns.extend(made.columns.into_iter().map(|c| match &picks {
            Some(picks) => c.gather_opt(picks),
            None => c,
        }));
        Chunk::new(columns, sources.len())
    }
}

/// Adds a row for each input row without a result: the source rows, and for each the result row (`u32::MAX` = NULLs).
fn with_unmatched(matched: &[u32], rows: usize) -> (Vec<u32>, Option<Vec<u32>>) {
    let mut sources = Vec::with_capacity(matched.len() + rows);
    let mut picks = Vec::with_capacity(matched.len() + rows);
    let mut at = 0;
    for row in 0..rows as u32 {
        let start = at;
        while at < matched.len() && matched[at] == row {
            sources.push(row);
            picks.push(at as u32);
            at += 1;
        }
        if at == start {
            sources.push(row);
            picks.push(u32::MAX);
        }
    }
    (sources, Some(picks))
}

impl Transform for TableFunction {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.input = Some((chunk, 0));
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Chunk>> {
        loop {
            if let Some((chunk, at)) = &mut self.output {
                let len = OUT_ROWS.min(chunk.rows() - *at);
                if len > 0 {
                    let out = chunk.slice(*at, len);
                    *at += len;
                    return Ok(Some(out));
                }
                self.output = None;
            }
            if let Some(mut batch) = self.batch.take() {
                let (out, rest) = self.expand(&batch)?;
                self.output = Some((out, 0));
                if let Some(from) = rest {
                    batch.from = from;
                    self.batch = Some(batch);
                }
                continue;
            }
            let Some((chunk, at)) = &mut self.input else { return Ok(None) };
            let len = BATCH_ROWS.min(chunk.rows() - *at);
            if len == 0 {
                self.input = None;
                return Ok(None);
            }
            let chunk_rows = chunk.slice(*at, len);
            *at += len;
            let args = self.args.eval(&self.query.eval, &chunk_rows)?;
            self.batch = Some(Batch { chunk: chunk_rows, args, from: PieceCursor::default() });
        }
    }
}
