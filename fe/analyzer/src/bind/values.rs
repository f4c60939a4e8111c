//! VALUES lists.

use common_base::{Result, bail};
use fe_parser::ast::sql;
use fe_plan::{LogicalNode, LogicalOp, logical::LogicalValues};
use std::sync::Arc;

use crate::{
    OutputColumn,
    binder::{Binder, BoundQuery, Clause},
    scope::Scope,
    types::{coerce, datatype::type_text},
};

/// One row without columns: SELECT without FROM.
pub(crate) fn one_row() -> LogicalNode {
    LogicalNode::leaf(LogicalOp::Values(LogicalValues {
        columns: Vec::new(),
        rows: vec![Vec::new()],
        chunks: Arc::new(Vec::new()),
    }))
}

impl Binder<'_> {
    /// Rows of scalar expressions brought to common types; columns are called column_0, column_1, …
    pub(crate) fn bind_values(&mut self, rows: &[&Vec<sql::Expr>]) -> Result<BoundQuery> {
        let width = rows.first().map_or(0, |r| r.len());
        let (bound, frame) = self.with_frame(Scope::default(), Clause::Values, |b| {
            let mut bound = Vec::with_capacity(rows.len());
            for row in rows {
                if row.len() != width {
                    bail!(Analysis, "Values have unequal number of columns");
                }
                bound.push(b.bind_exprs(*row)?);
            }
            Ok(bound)
        })?;
        if !frame.applies.is_empty() {
            bail!(NotSupported, "Subqueries in VALUES are not supported");
        }
        let mut columns = Vec::with_capacity(width);
        let mut output = Vec::with_capacity(width);
        let mut types = Vec::with_capacity(width);
        for i in 0..width {
            let ty = coerce::common_type_of(bound.iter().map(|r| &r[i].ty)).map_err(|(a, b)| {
                common_base::err!(Analysis, "Incompatible return types '{}' and '{}'", type_text(&a), type_text(&b))
            })?;
            let nullable = bound.iter().any(|r| r[i].nullable || r[i].ty != ty);
            let name = format!("column_{i}");
            let id = self.columns.computed(name.clone(), ty.clone(), nullable);
            columns.push(id);
            output.push(OutputColumn { name, id, ty: ty.clone(), nullable });
            types.push(ty);
        }
        let mut cast = Vec::with_capacity(bound.len());
        for row in bound {
            cast.push(
                row.into_iter().zip(&types).map(|(e, ty)| self.implicit_cast(e, ty)).collect::<Result<Vec<_>>>()?,
            );
        }
        let plan =
            LogicalNode::leaf(LogicalOp::Values(LogicalValues { columns, rows: cast, chunks: Arc::new(Vec::new()) }));
        Ok(BoundQuery { plan, output })
    }
}
