//! The FROM clause: comma joins, relations of every kind, aliases.

use std::rc::Rc;

use common_base::{Result, bail};
use fe_parser::ast::encoding;
use fe_parser::ast::sql::{TableAlias, TableFactor, TableWithJoins};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{JoinHint, JoinKind},
};

use super::files::is_files;
use crate::{
    binder::{Binder, BoundQuery},
    scope::{Field, RelationName, Scope},
};

/// A bound relation: plan and the names it offers.
pub(crate) struct Relation {
    pub plan: LogicalNode,
    pub scope: Scope,
}

/// A join without condition.
pub(crate) fn cross_join(left: Relation, right: Relation) -> Result<Relation> {
    left.scope.check_unique(&right.scope)?;
    let op = LogicalOp::Join { kind: JoinKind::Cross, on: Vec::new(), hint: JoinHint::None };
    Ok(Relation { plan: LogicalNode::binary(op, left.plan, right.plan), scope: left.scope.join(right.scope) })
}

impl Binder<'_> {
    pub(crate) fn bind_from(&mut self, from: &[TableWithJoins]) -> Result<Relation> {
        let mut left: Option<Relation> = None;
        for item in from {
            left = Some(self.bind_table_with_joins(item, left)?);
        }
        match left {
            Some(relation) => Ok(relation),
            None => Ok(Relation { plan: super::values::one_row(), scope: Scope::default() }),
        }
    }

    /// One comma-separated item, joined to what stands left of it.
    fn bind_table_with_joins(&mut self, item: &TableWithJoins, left: Option<Relation>) -> Result<Relation> {
        let (mut current, mut outer) = match (is_table_function(&item.relation), left) {
            // A table function sees the columns left of it.
            (true, left) => (self.bind_lateral(&item.relation, left, false)?, None),
            (false, left) => (self.bind_factor(&item.relation)?, left),
        };
        for (i, join) in item.joins.iter().enumerate() {
            if is_table_function(&join.relation) {
                let first = i == 0 || item.joins[..i].iter().all(|j| is_table_function(&j.relation));
                if let (true, Some(before)) = (first, outer.take()) {
                    current = cross_join(before, current)?;
                }
                current = self.bind_function_join(current, join)?;
            } else {
                let right = self.bind_factor(&join.relation)?;
                current = self.bind_join(current, right, join)?;
            }
        }
        match outer {
            Some(before) => cross_join(before, current),
            None => Ok(current),
        }
    }

    /// A relation that depends on nothing left of it.
    pub(crate) fn bind_factor(&mut self, factor: &TableFactor) -> Result<Relation> {
        self.nested(|b| b.bind_factor_here(factor))
    }

    fn bind_factor_here(&mut self, factor: &TableFactor) -> Result<Relation> {
        match factor {
            TableFactor::Table { name, alias, version, partitions, .. } => {
                if version.is_some() {
                    bail!(NotSupported, "Time travel queries are not supported");
                }
                self.bind_table(name, alias.as_ref(), partitions, &encoding::table_hints(factor))
            }
            TableFactor::Derived { subquery, alias, lateral, .. } => {
                if *lateral {
                    bail!(NotSupported, "LATERAL subqueries are not supported");
                }
                let Some(alias) = alias else {
                    bail!(DerivedTableAlias, "Every derived table must have its own alias")
                };
                let bound = self.bind_query(subquery)?;
                self.aliased(bound, alias)
            }
            TableFactor::Function { name, args, alias, .. } if is_files(name) => self.bind_files(args, alias.as_ref()),
            TableFactor::Function { .. } | TableFactor::TableFunction { .. } | TableFactor::UNNEST { .. } => {
                self.bind_lateral(factor, None, false)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let relation = self.bind_table_with_joins(table_with_joins, None)?;
                match alias {
                    None => Ok(relation),
                    Some(alias) => {
                        let name = Rc::new(RelationName { db: None, table: alias.name.value.clone() });
                        let fields = relation
                            .scope
                            .fields
                            .into_iter()
                            .map(|f| Field { relation: Some(Rc::clone(&name)), ..f })
                            .collect();
                        Ok(Relation { plan: relation.plan, scope: Scope { fields, relations: vec![name] } })
                    }
                }
            }
            TableFactor::Pivot { .. } => self.bind_pivot(factor),
            other => bail!(NotSupported, "Unsupported relation: {other}"),
        }
    }

    /// A query as a relation under an alias.
    pub(crate) fn aliased(&mut self, bound: BoundQuery, alias: &TableAlias) -> Result<Relation> {
        let name = Rc::new(RelationName { db: None, table: alias.name.value.clone() });
        let fields: Vec<Field> = bound
            .output
            .iter()
            .map(|c| Field { relation: Some(Rc::clone(&name)), name: c.name.clone(), id: c.id, source: None })
            .collect();
        let mut scope = Scope { fields, relations: vec![name] };
        rename_columns(&mut scope, alias)?;
        Ok(Relation { plan: bound.plan, scope })
    }

    /// Runs with the given names in sight and hands them back.
    pub(crate) fn in_scope<T>(
        &mut self,
        scope: Scope,
        clause: crate::binder::Clause,
        run: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<(T, Scope)> {
        let former = std::mem::replace(&mut self.frame().scope, scope);
        let out = self.in_clause(clause, run);
        let scope = std::mem::replace(&mut self.frame().scope, former);
        Ok((out?, scope))
    }
}

/// `AS t(a, b)`
pub(crate) fn rename_columns(scope: &mut Scope, alias: &TableAlias) -> Result<()> {
    if alias.columns.is_empty() {
        return Ok(());
    }
    if alias.columns.len() != scope.fields.len() {
        bail!(
            Analysis,
            "The column alias list of '{}' has {} names, but the relation has {} columns",
            alias.name.value,
            alias.columns.len(),
            scope.fields.len()
        );
    }
    for (field, column) in scope.fields.iter_mut().zip(&alias.columns) {
        field.name.clone_from(&column.name.value);
    }
    Ok(())
}

/// A function of the columns left of it.
pub(crate) fn is_table_function(factor: &TableFactor) -> bool {
    if matches!(factor, TableFactor::Function { name, .. } if is_files(name)) {
        return false;
    }
    matches!(factor, TableFactor::Function { .. } | TableFactor::TableFunction { .. } | TableFactor::UNNEST { .. })
}

/// A relation name written in FROM.
pub(crate) fn relation_name(db: Option<String>, table: &str, alias: Option<&TableAlias>) -> Rc<RelationName> {
    Rc::new(match alias {
        Some(alias) => RelationName { db: None, table: alias.name.value.clone() },
        None => RelationName { db, table: table.to_owned() },
    })
}
