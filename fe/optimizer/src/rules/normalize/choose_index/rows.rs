//! Projections and bare scans over an index that has rows as they are: read when its order serves the conditions better than the
//! table's, or when it has fewer rows.

use common_expr::expr::{ColumnId, Expr};
use fe_catalog::model::{KeysModel, TableIndex};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{IndexExprs, LogicalScan},
};

use super::{Rank, reader::Reader};
use crate::context::Context;

/// The projection (or all columns of the scan) over an index.
pub(super) fn over(
    project: Option<&[(ColumnId, Expr)]>,
    scan: &LogicalScan,
    index: &TableIndex,
    exprs: &IndexExprs,
    ctx: &mut Context<'_>,
) -> Option<(Rank, LogicalNode)> {
    scan.table.as_olap().filter(|o| o.keys == KeysModel::Duplicate)?;
    let mut reader = Reader::new(scan, index, exprs, ctx)?;
    let conditions = reader.conditions(ctx)?;
    let helps = conditions.rank.prefix > conditions.base_prefix || conditions.rank.part && conditions.rank.prefix == conditions.base_prefix;
    if !helps {
        return None;
    }
    let columns: Vec<(ColumnId, Expr)>;
    let wanted = match project {
        Some(exprs) => exprs,
        None => {
            columns = scan.columns.iter().map(|(id, _)| (*id, ctx.column(*id))).collect();
            &columns
        }
    };
    let exprs = wanted.iter().map(|(id, e)| Some((*id, reader.rebuild(e, ctx)?))).collect::<Option<Vec<_>>>()?;
    let scan = LogicalNode::leaf(LogicalOp::Scan(reader.scan(conditions.tested)?));
    let bare = project.is_none() && exprs.iter().all(|(id, e)| e.as_column() == Some(*id));
    let node = if bare { scan } else { LogicalNode::unary(LogicalOp::Project { exprs }, scan) };
    Some((conditions.rank, node))
}
