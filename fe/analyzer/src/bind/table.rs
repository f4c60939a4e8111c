//! Relations by name: CTEs, stored tables, system tables, views.

use std::{rc::Rc, sync::Arc};

use common_base::{Result, bail, err, ids::TabletId};
use fe_catalog::model::{Database, ExpressionKey, OlapTable, PartitionInfo, Table, TableKind, View};
use fe_parser::{
    ParseOptions,
    ast::{
        Statement, encoding,
        sql::{Ident, ObjectName, TableAlias},
    },
};
use fe_plan::{
    ColumnInfo, LogicalNode, LogicalOp,
    logical::{LogicalScan, LogicalValues},
};

use crate::{
    TableUse,
    binder::{Binder, BoundQuery},
    names,
    scope::{Field, Scope},
    statement::{bind_partition_exprs, bind_stored_exprs},
};

use super::from::{Relation, relation_name, rename_columns};

/// Views inside views.
const MAX_VIEW_DEPTH: usize = 32;

impl Binder<'_> {
    /// The target of UPDATE or DELETE as a relation.
    pub(crate) fn bind_target(&mut self, name: &ObjectName, alias: Option<&Ident>, partitions: &[Ident]) -> Result<Relation> {
        let alias = alias.map(|name| TableAlias { explicit: true, name: name.clone(), columns: Vec::new(), at: None });
        self.bind_table(name, alias.as_ref(), partitions, &encoding::TableHints::default())
    }

    pub(super) fn bind_table(
        &mut self,
        name: &ObjectName,
        alias: Option<&TableAlias>,
        partitions: &[Ident],
        hints: &encoding::TableHints,
    ) -> Result<Relation> {
        let parts = names::table_name(name)?;
        if parts.db.is_none() {
            if let Some(bound) = self.bind_cte_reference(&parts.table) {
                return self.named(bound, None, &parts.table, alias);
            }
        }
        if hints.names.iter().any(|h| h.eq_ignore_ascii_case("_SYNC_MV_")) {
            return self.bind_sync_view(parts.db, &parts.table, alias);
        }
        let (db, table) = self.find_table(parts.db, &parts.table)?;
        if let Some(hint) =
            hints.names.iter().find(|h| h.eq_ignore_ascii_case("_META_") || h.eq_ignore_ascii_case("_BINLOG_"))
        {
            bail!(NotSupported, "Table hint [{hint}] is not supported");
        }
        let source = self.use_table(&db.name, &table);
        match &table.kind {
            TableKind::Olap(olap) => {
                let scan = self.scan(&db, &table, olap, alias, partitions, hints)?;
                self.stored(scan, &db, &table, alias, source)
            }
            TableKind::System => {
                let rows = self.system_rows(&table)?;
                self.stored(rows, &db, &table, alias, source)
            }
            TableKind::View(view) => {
                let bound = self.bind_view(&db, &table, view)?;
                let mut relation = self.named(bound, Some(db.name.clone()), &table.name, alias)?;
                relation.scope.fields.iter_mut().for_each(|f| f.source = Some(source));
                Ok(relation)
            }
        }
    }

    /// `FROM mv [_SYNC_MV_]`: a rollup or synchronous materialized view, read as a table.
    fn bind_sync_view(&mut self, db: Option<String>, name: &str, alias: Option<&TableAlias>) -> Result<Relation> {
        let db_name = match db {
            Some(db) => db,
            None => self.current_database()?,
        };
        let Some(db) = self.ctx.view.database(&db_name) else { bail!(UnknownDatabase, "Unknown database '{db_name}'") };
        let Some(table) = self.ctx.view.sync_view(&db_name, name) else { bail!(UnknownTable, "Unknown table '{name}'") };
        let Some(olap) = table.as_olap() else { bail!(Internal, "materialized view '{name}' stores nothing") };
        let source = self.use_table(&db.name, &table);
        let mut scan = self.scan(&db, &table, olap, alias, &[], &encoding::TableHints::default())?;
        if let LogicalOp::Scan(scan) = &mut scan.op {
            scan.rollup = Some(name.to_owned());
        }
        let named = Table { name: name.to_owned(), ..Table::clone(&table) };
        self.stored(scan, &db, &named, alias, source)
    }

    /// The database and table a name stands for.
    pub(crate) fn find_table(&self, db: Option<String>, table: &str) -> Result<(Arc<Database>, Arc<Table>)> {
        let mut db_name = match db {
            Some(db) => db,
            None => self.current_database()?,
        };
        let system = names::is_system_database(&db_name);
        if system {
            db_name.make_ascii_lowercase();
        }
        let Some(db) = self.ctx.view.database(&db_name) else { bail!(UnknownDatabase, "Unknown database '{db_name}'") };
        let found = match self.ctx.view.table(&db_name, table) {
            None if system => self.ctx.view.table(&db_name, &table.to_ascii_lowercase()),
            found => found,
        };
        match found {
            Some(table) => Ok((db, table)),
            None => Err(err!(UnknownTable, "Unknown table '{table}'")),
        }
    }

    /// Notes the use of a table; the index is for its fields.
    pub(crate) fn use_table(&mut self, db: &str, table: &Table) -> usize {
        self.tables.push(TableUse {
            db: db.to_owned(),
            table: table.name.clone(),
            is_view: matches!(table.kind, TableKind::View(_)),
            columns: Vec::new(),
            through_view: self.view_depth > 0,
        });
        self.tables.len() - 1
    }

    fn scan(
        &mut self,
        db: &Database,
        table: &Arc<Table>,
        olap: &OlapTable,
        alias: Option<&TableAlias>,
        partitions: &[Ident],
        hints: &encoding::TableHints,
    ) -> Result<LogicalNode> {
        let columns: Vec<(u32, common_base::ids::ColumnUid)> = table
            .columns
            .iter()
            .map(|c| {
                let info = ColumnInfo {
                    name: c.name.clone(),
                    ty: c.ty.clone(),
                    nullable: c.nullable,
                    source: Some((table.id, c.uid)),
                };
                (self.columns.add(info), c.uid)
            })
            .collect();
        let partitions = if partitions.is_empty() {
            None
        } else {
            let mut ids = Vec::with_capacity(partitions.len());
            for p in partitions {
                match olap.partition_by_name(&p.value, hints.temporary_partitions) {
                    Some(found) => ids.push(found.id),
                    None => bail!(UnknownPartition, "Unknown partition '{}' in table '{}'", p.value, table.name),
                }
            }
            Some(ids)
        };
        let tablets =
            (!hints.tablets.is_empty()).then(|| hints.tablets.iter().map(|id| TabletId(*id as u64)).collect());
        let computed = matches!(olap.partition_info, PartitionInfo::Expression { key: ExpressionKey::Value | ExpressionKey::Tuple, .. });
        // Without them everything is read.
        let keys = if computed { bind_partition_exprs(self.ctx, table).unwrap_or_default() } else { Vec::new() };
        let id = |ordinal: u32| columns.get(ordinal as usize).map_or(ordinal, |(id, _)| *id);
        let partition_keys = keys.into_iter().map(|key| key.map_columns(&mut |ordinal| id(ordinal))).collect();
        Ok(LogicalNode::leaf(LogicalOp::Scan(LogicalScan {
            table: Arc::clone(table),
            db_name: db.name.clone(),
            alias: alias.map_or_else(|| table.name.clone(), |a| a.name.value.clone()),
            columns,
            json_paths: Vec::new(),
            predicates: Vec::new(),
            partitions,
            tablets,
            files: None,
            partition_keys,
            rollup: None,
            stored: bind_stored_exprs(self.ctx, table),
        })))
    }

    fn system_rows(&mut self, table: &Table) -> Result<LogicalNode> {
        let chunks = self.ctx.view.system_rows(table, &self.system_hints)?;
        let columns = table
            .columns
            .iter()
            .map(|c| {
                self.columns.add(ColumnInfo {
                    name: c.name.clone(),
                    ty: c.ty.clone(),
                    nullable: c.nullable,
                    source: None,
                })
            })
            .collect();
        Ok(LogicalNode::leaf(LogicalOp::Values(LogicalValues { columns, rows: Vec::new(), chunks })))
    }

    /// A leaf whose output is the table's columns in order.
    fn stored(
        &mut self,
        plan: LogicalNode,
        db: &Database,
        table: &Table,
        alias: Option<&TableAlias>,
        source: usize,
    ) -> Result<Relation> {
        let name = relation_name(Some(db.name.clone()), &table.name, alias);
        let fields = plan
            .output()
            .into_iter()
            .zip(&table.columns)
            .map(|(id, c)| Field { relation: Some(Rc::clone(&name)), name: c.name.clone(), id, source: Some(source) })
            .collect();
        let mut scope = Scope { fields, relations: vec![name] };
        if let Some(alias) = alias {
            rename_columns(&mut scope, alias)?;
        }
        Ok(Relation { plan, scope })
    }

    fn named(
        &mut self,
        bound: BoundQuery,
        db: Option<String>,
        table: &str,
        alias: Option<&TableAlias>,
    ) -> Result<Relation> {
        let name = relation_name(db, table, alias);
        let fields = bound
            .output
            .iter()
            .map(|c| Field { relation: Some(Rc::clone(&name)), name: c.name.clone(), id: c.id, source: None })
            .collect();
        let mut scope = Scope { fields, relations: vec![name] };
        if let Some(alias) = alias {
            rename_columns(&mut scope, alias)?;
        }
        Ok(Relation { plan: bound.plan, scope })
    }

    /// A view's query, bound from its text as it stands today.
    fn bind_view(&mut self, db: &Database, table: &Table, view: &View) -> Result<BoundQuery> {
        if self.view_depth >= MAX_VIEW_DEPTH {
            bail!(Analysis, "View '{}' is nested too deeply", table.name);
        }
        // What was taken when the view was made is taken again.
        let options = ParseOptions { sql_mode: view.sql_mode, max_chain: usize::MAX, ..ParseOptions::default() };
        let parsed = fe_parser::parse_one(&view.definition, &options)?;
        let Statement::Query(query) = parsed.stmt else {
            bail!(Analysis, "The definition of view '{}' is no query", table.name)
        };
        let floor = std::mem::replace(&mut self.frame_floor, self.frames.len());
        let ctes = std::mem::take(&mut self.ctes);
        let database = self.database.replace(db.name.clone());
        let hints = std::mem::take(&mut self.system_hints);
        self.view_depth += 1;
        let bound = self.bind_query(&query.query);
        self.view_depth -= 1;
        self.system_hints = hints;
        self.database = database;
        self.ctes = ctes;
        self.frame_floor = floor;
        let mut bound = bound?;
        if bound.output.len() != table.columns.len() {
            bail!(
                Analysis,
                "View '{}' references invalid table(s) or column(s): its query has {} columns instead of {}",
                table.name,
                bound.output.len(),
                table.columns.len()
            );
        }
        for (output, column) in bound.output.iter_mut().zip(&table.columns) {
            output.name.clone_from(&column.name);
        }
        Ok(bound)
    }
}
