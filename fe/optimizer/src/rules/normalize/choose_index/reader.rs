//! What of a query over a table can be computed from the rows of one of its indexes.

use std::sync::Arc;

use common_base::ids::ColumnUid;
use common_expr::{
    expr::{ColumnId, Expr, ExprKind},
    walk::for_each_child_mut,
};
use common_types::LogicalType;
use fe_catalog::model::{Aggregation, Column, IndexColumn, KeysModel, Table, TableIndex};
use fe_plan::logical::{IndexExprs, LogicalScan};

use super::{Rank, base_order, index_order, prefix};
use crate::{
    context::Context,
    rules::normalize::{implication::implies, push_filter::prepare, stored_form::{Forms, foreign}},
};

/// An index as the scan of a query sees it.
pub(super) struct Reader<'a> {
    scan: &'a LogicalScan,
    index: &'a TableIndex,
    exprs: &'a IndexExprs,
    pub forms: Forms,
    /// What each column is made of; none where nothing may be read from it.
    columns: Vec<Option<Expr>>,
    /// Its WHERE clause.
    clause: Vec<Expr>,
    /// Columns read so far.
    read: Vec<(ColumnId, ColumnUid)>,
}

/// The conditions of a query over an index.
pub(super) struct Conditions {
    /// To be tested on the index's rows.
    pub tested: Vec<Expr>,
    pub rank: Rank,
    /// How much the table's own order would help.
    pub base_prefix: usize,
}

impl<'a> Reader<'a> {
    /// None when the index answers no query.
    pub fn new(scan: &'a LogicalScan, index: &'a TableIndex, exprs: &'a IndexExprs, ctx: &Context<'_>) -> Option<Self> {
        let keys = scan.table.as_olap()?.keys;
        let forms = Forms::of(scan, ctx.eval);
        let form = |expr: Expr| forms.of_stored(expr, ctx.eval);
        let columns = index.columns.iter().zip(&exprs.columns);
        let columns: Vec<Option<Expr>> = columns.map(|(c, e)| Some(form(e.clone()?)).filter(|e| combines(keys, &scan.table, c, e))).collect();
        let clause = exprs.predicate.clone().map(|p| prepare(vec![p], ctx)).unwrap_or_default();
        let clause: Vec<Expr> = clause.into_iter().map(form).collect();
        if keys != KeysModel::Duplicate && !clause.iter().all(|e| of_keys(&scan.table, e)) {
            return None;
        }
        Some(Self { scan, index, exprs, forms, columns, clause, read: Vec::new() })
    }

    /// The conditions of the scan; none when the index lacks rows that pass them, or columns they need.
    pub fn conditions(&mut self, ctx: &mut Context<'_>) -> Option<Conditions> {
        let wanted: Vec<Expr> = self.scan.predicates.iter().map(|p| self.forms.of_query(p, ctx.eval)).collect();
        if !self.clause.iter().all(|p| implies(&wanted, p)) {
            return None;
        }
        let (mut tested, mut of_base) = (Vec::new(), Vec::new());
        for (condition, form) in self.scan.predicates.iter().zip(&wanted) {
            let implied = !self.clause.is_empty() && implies(&self.clause, form);
            match self.rebuild(condition, ctx) {
                // Tested even where it is known: partitions are pruned by it.
                Some(rebuilt) => tested.push(rebuilt),
                None if implied => {}
                None => return None,
            }
            if !implied {
                of_base.push(condition.clone());
            }
        }
        let olap = self.scan.table.as_olap()?;
        let rank = Rank {
            prefix: prefix(&index_order(self.index), &self.read, &tested),
            rows: self.expected_rows(ctx),
            part: !self.clause.is_empty(),
            columns: self.index.columns.len(),
        };
        let base_prefix = prefix(&base_order(self.scan, olap), &self.scan.columns, &of_base);
        Some(Conditions { tested, rank, base_prefix })
    }

    /// Rows of the index: as many as the table, unless its keys have fewer combinations.
    fn expected_rows(&self, ctx: &Context<'_>) -> f64 {
        let table = &self.scan.table;
        let partitions = table.as_olap().map(|o| o.partitions.keys().copied().collect::<Vec<_>>()).unwrap_or_default();
        let rows = partitions.into_iter().map(|p| ctx.provider.partition_rows(table, p)).sum::<Option<f64>>().unwrap_or(f64::INFINITY);
        if self.index.keys != KeysModel::Aggregate {
            return rows;
        }
        let values = |c: &IndexColumn| ctx.provider.column(table, c.column.uid).map_or(f64::INFINITY, |s| s.ndv.max(1.0));
        self.index.columns.iter().filter(|c| c.column.key).map(values).product::<f64>().min(rows)
    }

    /// An expression over the scan's columns as one over the index's; none when the index does not have what it takes.
    pub fn rebuild(&mut self, expr: &Expr, ctx: &mut Context<'_>) -> Option<Expr> {
        if expr.is_deterministic() { self.rebuild_part(&self.forms.over_ordinals(expr), ctx) } else { None }
    }

    /// The same for an expression over ordinals.
    fn rebuild_part(&mut self, expr: &Expr, ctx: &mut Context<'_>) -> Option<Expr> {
        let form = self.forms.of_stored(expr.clone(), ctx.eval);
        if !form.columns().is_empty()
            && let Some(at) = (0..self.columns.len()).find(|at| self.holds_rows_of(*at) && self.columns[*at].as_ref() == Some(&form))
        {
            let id = self.column(at, ctx);
            return Some(Expr { ty: expr.ty.clone(), ..ctx.column(id) });
        }
        if let Some(id) = expr.as_column() {
            if let Some(parameter) = foreign(id) {
                return Some(Expr { kind: ExprKind::Column(parameter), ..expr.clone() });
            }
            let made_of = self.forms.made_of(id)?.clone();
            return Some(Expr { ty: expr.ty.clone(), ..self.rebuild_part(&made_of, ctx)? });
        }
        let (mut copy, mut whole) = (expr.clone(), true);
        if let ExprKind::Lambda { params, .. } = &mut copy.kind {
            params.iter_mut().for_each(|(id, _)| *id = foreign(*id).unwrap_or(*id));
        }
        for_each_child_mut(&mut copy, &mut |child| match self.rebuild_part(child, ctx) {
            Some(new) => *child = new,
            None => whole = false,
        });
        whole.then_some(copy)
    }

    /// Whether a column has the values of rows, not of many rows added up.
    fn holds_rows_of(&self, at: usize) -> bool {
        self.index.keys == KeysModel::Duplicate || self.index.columns[at].column.key
    }

    /// The column that combines, in one way, what passes a test.
    pub fn combined(&self, by: Aggregation, test: impl Fn(&Expr) -> bool) -> Option<usize> {
        let fits = |at: &usize| {
            let column = &self.index.columns[*at].column;
            !column.key && column.aggregation == Some(by) && self.columns[*at].as_ref().is_some_and(&test)
        };
        (0..self.columns.len()).find(fits)
    }

    /// Whether a column's set has every value of the table's column.
    pub fn loses_nothing(&self, at: usize, of: ColumnId) -> bool {
        self.exprs.kept.iter().any(|(from, to)| *from == of && *to as usize == at)
    }

    /// The type of a column.
    pub fn ty(&self, at: usize) -> &LogicalType {
        &self.index.columns[at].column.ty
    }

    /// Reads a column; one that is the table's keeps its id.
    pub fn column(&mut self, at: usize, ctx: &mut Context<'_>) -> ColumnId {
        let column = &self.index.columns[at].column;
        if let Some((id, _)) = self.read.iter().find(|(_, uid)| *uid == column.uid) {
            return *id;
        }
        let as_it_is = self.columns[at].as_ref().is_some_and(|e| e.as_column().is_some());
        let own = self.scan.columns.iter().find(|(_, uid)| as_it_is && *uid == column.uid).map(|(id, _)| *id);
        let id = own.unwrap_or_else(|| ctx.new_column(&column.name, column.ty.clone(), column.nullable));
        self.read.push((id, column.uid));
        id
    }

    /// The scan of the index.
    pub fn scan(self, predicates: Vec<Expr>) -> Option<LogicalScan> {
        let table = self.scan.table.index_as_table(self.index)?;
        Some(LogicalScan {
            table: Arc::new(table),
            rollup: Some(self.index.name.clone()),
            columns: self.read,
            predicates,
            stored: Arc::default(),
            ..self.scan.clone()
        })
    }
}

/// Whether a column of an index is right for queries of a table with these keys.
fn combines(keys: KeysModel, table: &Table, column: &IndexColumn, made_of: &Expr) -> bool {
    match keys {
        KeysModel::Duplicate => true,
        KeysModel::Aggregate => {
            let value = made_of.as_column().map(|at| &table.columns[at as usize]).filter(|c: &&Column| !c.key);
            match (column.column.aggregation, value) {
                (Some(by), Some(of)) => of.aggregation == Some(by),
                // Rows of one key come again and again.
                (Some(by), None) => {
                    matches!(by, Aggregation::Min | Aggregation::Max | Aggregation::BitmapUnion | Aggregation::HllUnion) && of_keys(table, made_of)
                }
                (None, _) => of_keys(table, made_of),
            }
        }
        KeysModel::Unique | KeysModel::Primary => false,
    }
}

/// Whether an expression over ordinals uses key columns only.
fn of_keys(table: &Table, expr: &Expr) -> bool {
    expr.columns().into_iter().all(|at| table.columns.get(at as usize).is_some_and(|c| c.key))
}
