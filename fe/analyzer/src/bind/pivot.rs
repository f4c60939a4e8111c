//! PIVOT: one aggregate per (value, function) over the rows of that value, grouped by the remaining columns.

use std::rc::Rc;

use common_base::{Result, bail};
use common_expr::expr::{ColumnId, Expr};
use fe_parser::ast::sql::{self, ExprWithAlias, PivotValueSource, TableFactor};
use fe_parser::print::expr_text;
use fe_plan::{LogicalNode, LogicalOp, logical::AggregateCall};

use crate::{
    binder::{Binder, Clause},
    names,
    scope::{Field, RelationName, Scope},
};

use super::from::{Relation, rename_columns};

impl Binder<'_> {
    pub(super) fn bind_pivot(&mut self, factor: &TableFactor) -> Result<Relation> {
        let TableFactor::Pivot { table, aggregate_functions, value_column, value_source, alias, .. } = factor else {
            bail!(Internal, "a PIVOT was expected")
        };
        let PivotValueSource::List(values) = value_source else { bail!(NotSupported, "PIVOT needs a list of values") };
        let input = self.bind_factor(table)?;
        let (made, scope) = self
            .in_scope(input.scope, Clause::Aggregate, |b| b.pivot_calls(aggregate_functions, value_column, values))?;
        let (calls, used) = made;
        let mut group_by: Vec<ColumnId> = Vec::new();
        let name = Rc::new(RelationName {
            db: None,
            table: alias.as_ref().map_or_else(String::new, |a| a.name.value.clone()),
        });
        let mut fields = Vec::new();
        for field in scope.fields {
            if !used.contains(&field.id) && !group_by.contains(&field.id) {
                group_by.push(field.id);
                fields.push(Field { relation: Some(Rc::clone(&name)), ..field });
            }
        }
        let mut columns = Vec::with_capacity(calls.len());
        for (header, call) in calls {
            let id =
                self.columns.computed(header.clone(), call.function.result.clone(), call.function.function.nullable);
            fields.push(Field { relation: Some(Rc::clone(&name)), name: header, id, source: None });
            columns.push((id, call));
        }
        let plan = LogicalNode::unary(LogicalOp::Aggregate { group_by, calls: columns }, input.plan);
        let mut scope = Scope { fields, relations: vec![name] };
        if let Some(alias) = alias {
            rename_columns(&mut scope, alias)?;
        }
        Ok(Relation { plan, scope })
    }

    /// The calls with their headers, and the columns they use up.
    #[allow(clippy::type_complexity)]
    fn pivot_calls(
        &mut self,
        functions: &[ExprWithAlias],
        columns: &[sql::Expr],
        values: &[ExprWithAlias],
    ) -> Result<(Vec<(String, AggregateCall)>, Vec<ColumnId>)> {
        let keys = self.bind_exprs(columns)?;
        let mut used: Vec<ColumnId> = keys.iter().flat_map(Expr::columns).collect();
        let mut out = Vec::with_capacity(functions.len() * values.len());
        for value in values {
            let tuple: Vec<&sql::Expr> = match &value.expr {
                sql::Expr::Tuple(items) => items.iter().collect(),
                one => vec![one],
            };
            if tuple.len() != keys.len() {
                bail!(Analysis, "PIVOT value {} does not have {} columns", expr_text(&value.expr), keys.len());
            }
            let mut matches = Vec::with_capacity(keys.len());
            for (key, e) in keys.iter().zip(&tuple) {
                let bound = self.bind_expr(e)?;
                matches.push(self.compare("eq", key.clone(), bound)?);
            }
            let condition = Expr::and(matches);
            let value_name = match &value.alias {
                Some(alias) => alias.value.clone(),
                None => tuple.iter().map(|e| expr_text(e).trim_matches('\'').to_owned()).collect::<Vec<_>>().join("_"),
            };
            for function in functions {
                let sql::Expr::Function(f) = &function.expr else {
                    bail!(Analysis, "PIVOT needs aggregate functions: {}", expr_text(&function.expr))
                };
                let mut call = self.aggregate_call(&names::function_name(&f.name), f)?;
                for arg in &call.args {
                    used.extend(arg.columns());
                }
                call.filter = Some(match call.filter.take() {
                    Some(other) => Expr::and(vec![other, condition.clone()]),
                    None => condition.clone(),
                });
                let header = match &function.alias {
                    Some(alias) => format!("{value_name}_{}", alias.value),
                    None if functions.len() == 1 => value_name.clone(),
                    None => format!("{value_name}_{}", expr_text(&function.expr)),
                };
                out.push((header, call));
            }
        }
        Ok((out, used))
    }
}
