//! ALTER TABLE on the columns of a rollup (ADD COLUMN … TO r, DROP COLUMN … FROM r, MODIFY COLUMN … FROM r, ORDER BY … FROM r): the
//! columns the rollup will have, and those of the table when it gets new ones with them. Pure.
//!
//! A rollup is always made anew, of the table's rows. A column it gets is the table's, too: until the rollup is complete no row of
//! the table has the column, and then all that are there have its `before`. That holds only for columns that the table gets without
//! its own rows being rewritten; others are refused.

use common_base::{Result, bail, err, ids::IndexId};
use fe_catalog::model::{Aggregation, Column, ColumnSource, IndexColumn, KeysModel, OlapTable, Table, TableIndex};
use fe_parser::ast::{AlterTableClause, ColumnDef, ColumnPosition, SortKey};

use super::{
    alter_columns::{ColumnsChange, analyze_alter_columns, rollup_of},
    rollup::{check_replaced, sorted_prefix},
    stored_only,
};
use crate::AnalyzeContext;

/// What clauses about the columns of a rollup make of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RollupChange {
    pub rollup: IndexId,
    pub columns: Vec<IndexColumn>,
    pub short_key_columns: u32,
    /// The table's columns, when it gets new ones.
    pub table: Option<ColumnsChange>,
}

/// Analyzes clauses that change the columns of one rollup, together.
pub fn analyze_alter_rollup(ctx: &AnalyzeContext<'_>, table: &Table, clauses: &[AlterTableClause]) -> Result<RollupChange> {
    let olap = stored_only(table, "ALTER TABLE")?;
    let Some(name) = clauses.first().and_then(rollup_of) else { bail!(Internal, "not a clause about a rollup") };
    if clauses.iter().any(|c| rollup_of(c).is_none_or(|other| !other.value.eq_ignore_ascii_case(&name.value))) {
        bail!(NotSupported, "changing the columns of several indexes in one statement is not supported; change one after the other");
    }
    let name = &name.value;
    if name.eq_ignore_ascii_case(&table.name) {
        bail!(User, "Do not need to assign base index[{name}] to do schema change");
    }
    let index = olap.index_by_name(name).filter(|i| i.replaces.is_none());
    let index = index.ok_or_else(|| err!(User, "Index[{name}] does not exist in table[{}]", table.name))?;
    if index.definition.is_some() {
        bail!(NotSupported, "changing the columns of materialized view [{name}] is not supported; drop it and create it again");
    }
    let wider = with_added(ctx, table, clauses)?;
    let table_columns = wider.as_ref().map_or_else(|| table.columns.clone(), ColumnsChange::plain_columns);
    let mut draft = Draft { ctx, table, olap, index, table_columns, columns: index.columns.clone() };
    for clause in clauses {
        draft.apply(clause)?;
    }
    draft.check()?;
    Ok(RollupChange { rollup: index.id, short_key_columns: sorted_prefix(&draft.columns), columns: draft.columns, table: wider })
}

/// The table with the columns that clauses add.
fn with_added(ctx: &AnalyzeContext<'_>, table: &Table, clauses: &[AlterTableClause]) -> Result<Option<ColumnsChange>> {
    use AlterTableClause as C;
    let to_table = |clause: &C| match clause {
        C::AddColumn { column, position, properties, .. } => {
            Some(C::AddColumn { column: column.clone(), position: position.clone(), rollup: None, properties: properties.clone() })
        }
        C::AddColumns { columns, properties, .. } => Some(C::AddColumns { columns: columns.clone(), rollup: None, properties: properties.clone() }),
        _ => None,
    };
    let added: Vec<C> = clauses.iter().filter_map(to_table).collect();
    if added.is_empty() {
        return Ok(None);
    }
    let change = analyze_alter_columns(ctx, table, &added)?;
    if change.rewrite {
        bail!(NotSupported, "adding a column to a rollup is not supported when the rows of the table are rewritten for it: only value columns with a constant default are");
    }
    Ok(Some(change))
}

struct Draft<'a> {
    ctx: &'a AnalyzeContext<'a>,
    table: &'a Table,
    olap: &'a OlapTable,
    index: &'a TableIndex,
    /// The table's columns, with those that come.
    table_columns: Vec<Column>,
    columns: Vec<IndexColumn>,
}

impl Draft<'_> {
    fn apply(&mut self, clause: &AlterTableClause) -> Result<()> {
        use AlterTableClause as C;
        match clause {
            C::AddColumn { column, position, .. } => self.add(column, position.as_ref()),
            C::AddColumns { columns, .. } => columns.iter().try_for_each(|c| self.add(c, None)),
            C::DropColumn { name, .. } => self.drop(&name.value),
            C::ModifyColumn { column, position, .. } => self.modify(column, position.as_ref()),
            C::OrderBy { columns, .. } => self.order_by(columns),
            _ => bail!(Internal, "not a clause about a rollup"),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.column.name.eq_ignore_ascii_case(name))
    }

    fn place(&self, position: &ColumnPosition) -> Result<usize> {
        match position {
            ColumnPosition::First => Ok(0),
            ColumnPosition::After(name) => {
                let after = self.position(&name.value);
                after.map(|at| at + 1).ok_or_else(|| err!(Analysis, "Column[{}] does not found", name.value))
            }
        }
    }

    fn add(&mut self, def: &ColumnDef, position: Option<&ColumnPosition>) -> Result<()> {
        let name = &def.name.value;
        let column = self.table_columns.iter().find(|c| c.name.eq_ignore_ascii_case(name)).cloned();
        let column = column.ok_or_else(|| err!(Internal, "the table does not get column {name}"))?;
        let at = position.map_or(Ok(self.columns.len()), |p| self.place(p))?;
        self.columns.insert(at, IndexColumn { column, source: ColumnSource::Default });
        Ok(())
    }

    fn drop(&mut self, name: &str) -> Result<()> {
        if self.olap.keys == KeysModel::Unique && self.table.column(name).is_some_and(|c| c.key) {
            bail!(Analysis, "Can not drop key column in Unique data model table");
        }
        let at = self.position(name).ok_or_else(|| err!(Analysis, "Column does not exists: {name}"))?;
        let replaces = |c: &IndexColumn| matches!(c.column.aggregation, Some(Aggregation::Replace | Aggregation::ReplaceIfNotNull));
        if self.olap.keys == KeysModel::Aggregate && self.columns[at].column.key && self.columns.iter().any(replaces) {
            bail!(Analysis, "Can not drop key column when rollup has value column with REPLACE aggregation method");
        }
        self.columns.remove(at);
        Ok(())
    }

    /// Only its place: what a column is, it is in the table and all its rollups.
    fn modify(&mut self, def: &ColumnDef, position: Option<&ColumnPosition>) -> Result<()> {
        let name = &def.name.value;
        let at = self.position(name).ok_or_else(|| err!(Analysis, "Column[{name}] does not exists"))?;
        let same = AlterTableClause::ModifyColumn { column: def.clone(), position: None, rollup: None, properties: Vec::new() };
        let alone = analyze_alter_columns(self.ctx, self.table, std::slice::from_ref(&same))?;
        if alone.rewrite || alone.plain_columns() != self.table.columns {
            bail!(NotSupported, "changing more than the place of column {name} in rollup [{}] is not supported; drop the rollup, change the table and add it again", self.index.name);
        }
        let Some(position) = position else { return Ok(()) };
        let moved = self.columns.remove(at);
        let to = self.place(position)?;
        self.columns.insert(to, moved);
        Ok(())
    }

    /// All columns in their new order.
    fn order_by(&mut self, order: &[SortKey]) -> Result<()> {
        let mut at = Vec::with_capacity(order.len());
        for key in order {
            let name = &key.column.value;
            let found = self.position(name).ok_or_else(|| err!(Analysis, "Column[{name}] not exists"))?;
            if at.contains(&found) {
                bail!(Analysis, "Duplicated column[{name}]");
            }
            at.push(found);
        }
        if at.len() != self.columns.len() {
            bail!(Analysis, "Reorder stmt should contains all columns");
        }
        self.columns = at.into_iter().map(|i| self.columns[i].clone()).collect();
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let first_value = self.columns.iter().position(|c| !c.column.key).unwrap_or(self.columns.len());
        if self.columns[first_value..].iter().any(|c| c.column.key) {
            bail!(Analysis, "Invalid column order. value should be after key. index[{}]", self.index.name);
        }
        if first_value == 0 {
            bail!(Analysis, "No key column left. index[{}]", self.index.name);
        }
        if self.olap.keys != KeysModel::Duplicate {
            check_replaced(self.table, self.columns.iter().map(|c| &c.column))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use common_base::ids::{ColumnUid, DbId, TableId};
    use common_expr::expr::Expr;
    use fe_catalog::model::{IndexState, TableKind};
    use fe_parser::{ParseOptions, ast::Statement};

    use super::*;
    use crate::{
        statement::{DdlDefaults, RowsAre, analyze_create_table, analyze_rollup, bind_index_rows},
        test_catalog::{TestCatalog, TestSession, context},
    };

    const DUPLICATE: &str = "create table t (k int, v int, s varchar(20)) duplicate key (k) distributed by hash (k) rollup (r (v, k, s))";
    const AGGREGATE: &str = "create table t (k int, d date, n bigint sum, last int replace) aggregate key (k, d) distributed by hash (k) rollup (r (d, k, n, last), some (d, n))";
    const UNIQUE: &str = "create table t (a int, b int, v int, w int) unique key (a, b) distributed by hash (a) rollup (r (b, a, v))";

    /// The table of a CREATE TABLE with its rollups, and what a function finds out about it and the clauses of an ALTER TABLE.
    fn with<T>(create: &str, alter: &str, f: impl FnOnce(&AnalyzeContext<'_>, &Table, &[AlterTableClause]) -> T) -> T {
        let (catalog, registry, session) = (TestCatalog::new(), common_functions::registry(), TestSession::default());
        let ctx = context(&catalog, &registry, &session);
        let parse = |text: &str| fe_parser::parse(text, &ParseOptions::default()).unwrap().remove(0).stmt;
        let Statement::CreateTable(create) = parse(create) else { panic!("not CREATE TABLE") };
        let spec = analyze_create_table(&ctx, &create, &DdlDefaults::default()).unwrap();
        let olap = OlapTable { next_column_uid: spec.columns.len() as u64 + 1, ..OlapTable::new(spec.keys, IndexId(1)) };
        let mut table = Table::new(TableId(1), DbId(1), spec.name, spec.columns, TableKind::Olap(Arc::new(olap.clone())));
        let further = spec.rollups.iter().zip(10..).map(|(def, id)| {
            let built = analyze_rollup(&table, def).unwrap().into_index(IndexId(id), 0);
            Arc::new(TableIndex { state: IndexState::Normal, ..built })
        }).collect();
        table.kind = TableKind::Olap(Arc::new(OlapTable { further, ..olap }));
        let Statement::AlterTable(alter) = parse(&format!("alter table t {alter}")) else { panic!("not ALTER TABLE") };
        f(&ctx, &table, &alter.clauses)
    }

    fn columns(columns: &[IndexColumn]) -> String {
        let text = |c: &IndexColumn| {
            let new = if c.source == ColumnSource::Default { "+" } else { "" };
            format!("{new}{}{}", c.column.name, if c.column.key { " key" } else { "" })
        };
        columns.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    /// The columns of the rollup, and those of the table when it gets more; or the error.
    fn check(create: &str, alter: &str, expected: &str) {
        let outcome = with(create, alter, |ctx, table, clauses| match clauses {
            [AlterTableClause::AddRollup(rollups)] => {
                let drafts = rollups.iter().map(|def| Ok(columns(&analyze_rollup(table, def)?.columns)));
                drafts.collect::<Result<Vec<_>>>().map(|d| d.join("; "))
            }
            _ => analyze_alter_rollup(ctx, table, clauses).map(|change| {
                let table = change.table.map(|t| t.columns.into_iter().map(|c| c.column.name).collect::<Vec<_>>().join(", "));
                columns(&change.columns) + &table.map(|t| format!(" | {t}")).unwrap_or_default()
            }),
        });
        assert_eq!(outcome.unwrap_or_else(|e| e.message().to_owned()), expected, "{alter}");
    }

    #[test]
    fn columns_are_added_to_the_rollup_and_the_table() {
        check(DUPLICATE, "add column c int default '5' to r", "v key, k key, s key, +c | k, v, s, c");
        check(DUPLICATE, "add column c int after s to r, add column d int after c in r", "v key, k key, s key, +c, +d | k, v, s, c, d");
        check(DUPLICATE, "add column (c int, d datetime default current_timestamp) to r", "v key, k key, s key, +c, +d | k, v, s, c, d");
        check(AGGREGATE, "add column m int max to some", "d key, n, +m | k, d, n, last, m");
        check(AGGREGATE, "add column m int replace to r", "d key, k key, n, last, +m | k, d, n, last, m");
        check(UNIQUE, "add column x int after v to r", "b key, a key, v, +x | a, b, v, x, w");
    }

    #[test]
    fn columns_that_rollups_do_not_get() {
        check(DUPLICATE, "add column s int to r", "Can not add column which already exists in base table: s");
        check(DUPLICATE, "add column c int after nosuch to r", "Column[nosuch] does not found");
        check(UNIQUE, "add column x int after w to r", "Column[w] does not found");
        check(AGGREGATE, "add column m int replace to some", "Rollup should contains all keys if there is a REPLACE value");
        let rewritten = "adding a column to a rollup is not supported when the rows of the table are rewritten for it: only value columns with a constant default are";
        check(DUPLICATE, "add column c int key default '1' to r", rewritten);
        check(AGGREGATE, "add column c int to r", rewritten);
        check(AGGREGATE, "add column c int sum default '1' to r", rewritten);
        check(DUPLICATE, "add column c bigint as k + v to r", rewritten);
    }

    #[test]
    fn columns_are_dropped_from_the_rollup_alone() {
        check(DUPLICATE, "drop column v from r", "k key, s key");
        check(DUPLICATE, "drop column nosuch from r", "Column does not exists: nosuch");
        check(DUPLICATE, "drop column v from r, drop column k from r, drop column s from r", "No key column left. index[r]");
        check(AGGREGATE, "drop column last from r, drop column k from r", "d key, n");
        check(AGGREGATE, "drop column k from r", "Can not drop key column when rollup has value column with REPLACE aggregation method");
        check(UNIQUE, "drop column v from r", "b key, a key");
        check(UNIQUE, "drop column b from r", "Can not drop key column in Unique data model table");
    }

    #[test]
    fn columns_of_a_rollup_change_places() {
        check(DUPLICATE, "order by (s, k, v) from r", "s key, k key, v key");
        check(AGGREGATE, "order by (k, d, last, n) from r", "k key, d key, last, n");
        check(AGGREGATE, "order by (k, n, d, last) from r", "Invalid column order. value should be after key. index[r]");
        check(AGGREGATE, "order by (k, d) from r", "Reorder stmt should contains all columns");
        check(AGGREGATE, "order by (k, d, d, n) from r", "Duplicated column[d]");
        check(AGGREGATE, "order by (k, d, x, n) from r", "Column[x] not exists");
        check(DUPLICATE, "modify column v int after k from r", "k key, v key, s key");
        check(AGGREGATE, "modify column last int replace after k from r", "d key, k key, last, n");
        check(DUPLICATE, "modify column v bigint from r", "Can not modify column v: materialized view r uses it; drop that first");
        check(
            DUPLICATE,
            "modify column v int comment 'x' from r",
            "changing more than the place of column v in rollup [r] is not supported; drop the rollup, change the table and add it again",
        );
    }

    #[test]
    fn one_rollup_of_the_table_is_named() {
        check(DUPLICATE, "drop column v from nosuch", "Index[nosuch] does not exist in table[t]");
        check(DUPLICATE, "drop column v from t", "Do not need to assign base index[t] to do schema change");
        let several = "changing the columns of several indexes in one statement is not supported; change one after the other";
        check(AGGREGATE, "drop column n from r, drop column n from some", several);
        check(DUPLICATE, "drop column v from r, add column c int", several);
    }

    #[test]
    fn rollups_are_made_of_rollups() {
        check(DUPLICATE, "add rollup a (s, v) from r, b (v)", "s key, v; v key");
        check(AGGREGATE, "add rollup a (d, n) from some", "d key, n");
        check(AGGREGATE, "add rollup a (k, n) from some", "Column[k] does not exist in index[some]");
        check(DUPLICATE, "add rollup a (v) from nosuch", "Base index[nosuch] does not exist");
    }

    #[test]
    fn rows_that_come_while_the_rollup_is_made_have_of_its_new_columns_what_stored_rows_have() {
        with(DUPLICATE, "add column c datetime default current_timestamp to r", |ctx, table, clauses| {
            let change = analyze_alter_rollup(ctx, table, clauses).unwrap();
            let old = table.as_olap().unwrap().further[0].as_ref().clone();
            let coming = TableIndex { columns: change.columns, replaces: Some(old.id), state: IndexState::Building, ..old };
            let new = coming.columns.last().unwrap().column.clone();
            assert_eq!(new.uid, ColumnUid(4));
            for rows in [RowsAre::Loaded, RowsAre::Stored] {
                let bound = bind_index_rows(ctx, table, &coming, rows).unwrap();
                assert_eq!(bound.exprs.last(), Some(&Expr::literal(new.before.clone()).cast_to(&new.ty)));
                assert!(!new.before.is_null());
            }
        });
    }
}
