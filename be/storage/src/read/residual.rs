//! Conditions that are more than a test of one column, evaluated inside the scan.

use std::fmt;
use std::sync::Arc;

use be_segment::{ChunkFilter, ScanResidual};
use common_base::Result;
use common_expr::eval::{Conjuncts, Selection};
use common_expr::expr::Expr;
use common_expr::scalar_fn::EvalContext;
use common_types::Chunk;
use parking_lot::Mutex;

/// Conjuncts over the columns of a read, as a condition of its scans; `None` when there are none. Scans on several threads
/// share it: each borrows a compiled copy.
pub fn residual(conjuncts: &[Expr], eval: &Arc<EvalContext>) -> Option<ScanResidual> {
    if conjuncts.is_empty() {
        return None;
    }
    let mut used: Vec<u32> = Vec::new();
    for column in conjuncts.iter().flat_map(|e| e.columns()) {
        if !used.contains(&column) {
            used.push(column);
        }
    }
    let position = |column: u32| used.iter().position(|c| *c == column).map_or(column, |at| at as u32);
    let exprs = conjuncts.iter().map(|e| e.clone().map_columns(&mut |c| position(c))).collect();
    let filter = ExprFilter { exprs, eval: eval.clone(), idle: Mutex::default() };
    Some(ScanResidual { columns: used.iter().map(|c| *c as usize).collect(), filter: Arc::new(filter) })
}

struct ExprFilter {
    exprs: Vec<Expr>,
    eval: Arc<EvalContext>,
    idle: Mutex<Vec<Conjuncts>>,
}

impl fmt::Debug for ExprFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.exprs).finish()
    }
}

impl ChunkFilter for ExprFilter {
    fn select(&self, chunk: &Chunk) -> Result<Selection> {
        let idle = self.idle.lock().pop();
        let mut conjuncts = idle.unwrap_or_else(|| Conjuncts::compile(self.exprs.clone()));
        let selection = conjuncts.select(&self.eval, chunk);
        self.idle.lock().push(conjuncts);
        selection
    }
}
