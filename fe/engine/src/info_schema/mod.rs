//! information_schema, sys and _statistics_: tables whose rows the FE makes out of the catalog when a query reads them.
//!
//! Each table is a [`Provider`]: its columns and a function that makes its rows. A new table is one file and one line in [`PROVIDERS`].

mod accounts;
mod be_compactions;
mod be_tablets;
mod character_sets;
mod column_statistics;
mod columns;
mod constraints;
mod empty;
mod keywords;
mod loads;
mod node_facts;
mod node_work;
mod partitions_meta;
mod recycle_bin;
mod schemata;
mod statistics;
mod tables;
mod tables_config;
mod tablet_schedules;
mod variables;
mod views;

use std::sync::{Arc, LazyLock};

use common_base::{Error, ErrorCode, Result, bail, ids::{ColumnUid, DbId, TableId}};
use common_types::{Chunk, LogicalType, Scalar};
use fe_catalog::{
    CatalogSnapshot,
    model::{Column, Database, DefaultValue, Table, TableKind},
};

use crate::{
    engine::Engine,
    result::{ResultColumn, rows_to_chunk},
};

/// The system databases.
const DATABASES: &[(&str, u64)] = &[("information_schema", 1), ("sys", 2), ("_statistics_", 3)];

/// Ids of system tables start here, far below the first id of user objects.
const FIRST_TABLE_ID: u64 = 100;

/// The type of a system column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ty {
    /// VARCHAR of this length.
    Text(u32),
    BigInt,
    Datetime,
    Double,
}

/// Tables about what only the leader knows: what backends have reported, and the work on replicas.
const OF_LEADER: &[&str] = &["be_tablets", "fe_tablet_schedules"];

/// What the error of a statement says that has to be run on the leader.
const ASKS_LEADER: &str = "is known to the leading frontend only";

/// Whether a statement failed because only the leader can answer it.
pub fn is_for_leader(error: &Error) -> bool {
    error.code() == ErrorCode::NotLeader && error.message().contains(ASKS_LEADER)
}

/// Most text columns.
pub(crate) const TEXT: Ty = Ty::Text(2048);

/// What a provider may look at.
pub(crate) struct Context<'a> {
    pub engine: &'a Engine,
    pub catalog: &'a CatalogSnapshot,
    /// Equality conditions of the query (column, text); rows that fail them need not be made.
    hints: &'a [(String, String)],
    /// What the backends have answered, for tables that ask them.
    pub asked: &'a [(common_base::ids::NodeId, proto_services::be_service::InspectReply)],
}

impl Context<'_> {
    /// Whether rows with this value of a column are wanted.
    pub fn wants(&self, column: &str, value: &str) -> bool {
        self.hints.iter().filter(|(c, _)| c.eq_ignore_ascii_case(column)).all(|(_, v)| v == value)
    }

    /// Every database, the system's too, by name.
    pub fn databases(&self) -> Vec<Arc<Database>> {
        let mut all: Vec<_> = self.catalog.databases.values().cloned().collect();
        all.extend(databases());
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Tables and views of every wanted database.
    pub fn tables(&self, schema_column: &str, table_column: &str) -> Vec<(Arc<Database>, Arc<Table>)> {
        let mut found = Vec::new();
        for db in self.databases().into_iter().filter(|d| self.wants(schema_column, &d.name)) {
            let tables_of = if is_system_database(&db.name) { tables(&db.name) } else { self.catalog.tables_of(db.id).cloned().collect() };
            found.extend(tables_of.into_iter().filter(|t| self.wants(table_column, &t.name)).map(|t| (db.clone(), t)));
        }
        found
    }
}

/// One system table.
pub(crate) struct Provider {
    pub db: &'static str,
    pub name: &'static str,
    pub columns: &'static [(&'static str, Ty)],
    pub rows: fn(&Context<'_>) -> Vec<Vec<Scalar>>,
    /// Its rows come from the backends when they are read.
    pub asks_backends: bool,
}

/// Every system table.
static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    let mut all = vec![
        schemata::SCHEMATA,
        tables::TABLES,
        tables::TEMP_TABLES,
        columns::COLUMNS,
        views::VIEWS,
        partitions_meta::PARTITIONS_META,
        recycle_bin::RECYCLEBIN_CATALOGS,
        tables_config::TABLES_CONFIG,
        constraints::TABLE_CONSTRAINTS,
        constraints::KEY_COLUMN_USAGE,
        statistics::STATISTICS,
        character_sets::CHARACTER_SETS,
        character_sets::COLLATIONS,
        character_sets::ENGINES,
        variables::SESSION_VARIABLES,
        variables::GLOBAL_VARIABLES,
        variables::VERBOSE_SESSION_VARIABLES,
        accounts::USER_PRIVILEGES,
        accounts::SCHEMA_PRIVILEGES,
        accounts::TABLE_PRIVILEGES,
        accounts::APPLICABLE_ROLES,
        accounts::ROLE_EDGES,
        loads::LOADS,
        loads::STREAM_LOADS,
        be_compactions::BE_COMPACTIONS,
        be_tablets::BE_TABLETS,
        keywords::KEYWORDS,
        node_facts::BE_CONFIGS,
        node_facts::BE_METRICS,
        node_facts::FE_METRICS,
        node_work::BE_THREADS,
        node_work::BE_TXNS,
        node_work::BE_LOGS,
        node_work::FE_THREADS,
        tablet_schedules::FE_TABLET_SCHEDULES,
    ];
    all.extend(column_statistics::providers());
    all.extend(empty::providers());
    all
});

/// The catalog objects of the providers, in their order.
static TABLES: LazyLock<Vec<Arc<Table>>> = LazyLock::new(|| PROVIDERS.iter().enumerate().map(|(i, p)| Arc::new(table_of(i, p))).collect());

fn table_of(index: usize, provider: &Provider) -> Table {
    let column = |(i, (name, ty)): (usize, &(&str, Ty))| Column {
        uid: ColumnUid(i as u64 + 1),
        name: (*name).to_owned(),
        ty: match ty {
            Ty::Text(length) => LogicalType::Varchar(Some(*length)),
            Ty::BigInt => LogicalType::BigInt,
            Ty::Datetime => LogicalType::Datetime,
            Ty::Double => LogicalType::Double,
        },
        nullable: true,
        key: false,
        aggregation: None,
        default: DefaultValue::None,
        before: Scalar::Null,
        auto_increment: false,
        generated: None,
        comment: String::new(),
    };
    let db = DATABASES.iter().find(|(name, _)| *name == provider.db).map_or(0, |(_, id)| *id);
    let columns = provider.columns.iter().enumerate().map(column).collect();
    Table::new(TableId(FIRST_TABLE_ID + index as u64), DbId(db), provider.name, columns, TableKind::System)
}

/// Whether a name is that of a system database; their names are case-insensitive.
pub fn is_system_database(name: &str) -> bool {
    DATABASES.iter().any(|(db, _)| db.eq_ignore_ascii_case(name))
}

/// A system database by name.
pub fn database(name: &str) -> Option<Arc<Database>> {
    databases().into_iter().find(|db| db.name.eq_ignore_ascii_case(name))
}

/// The system databases.
pub fn databases() -> Vec<Arc<Database>> {
    let make = |(name, id): &(&str, u64)| Arc::new(Database { id: DbId(*id), name: (*name).to_owned(), properties: Vec::new(), created_ms: 0 });
    DATABASES.iter().map(make).collect()
}

/// A system table by name; names are case-insensitive.
pub fn table(db: &str, name: &str) -> Option<Arc<Table>> {
    let found = PROVIDERS.iter().position(|p| p.db.eq_ignore_ascii_case(db) && p.name.eq_ignore_ascii_case(name))?;
    Some(TABLES[found].clone())
}

/// The tables of a system database, by name.
pub fn tables(db: &str) -> Vec<Arc<Table>> {
    let mut all: Vec<_> = PROVIDERS.iter().zip(TABLES.iter()).filter(|(p, _)| p.db.eq_ignore_ascii_case(db)).map(|(_, t)| t.clone()).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// The rows of a system table now.
pub fn rows(engine: &Engine, catalog: &CatalogSnapshot, table: &Table, hints: &[(String, String)]) -> Result<Arc<Vec<Chunk>>> {
    let index = table.id.0.checked_sub(FIRST_TABLE_ID).map(|i| i as usize);
    let Some(provider) = index.and_then(|i| PROVIDERS.get(i)) else { bail!(Internal, "'{}' is not a system table", table.name) };
    // Without a leader there is what this frontend knows.
    if OF_LEADER.contains(&provider.name) && engine.meta.leader_address().is_some() {
        bail!(NotLeader, "{}.{} {ASKS_LEADER}", provider.db, provider.name);
    }
    let asked = match provider.asks_backends {
        true => engine.inspections.get(engine.clock.monotonic())?,
        false => Arc::default(),
    };
    let rows = (provider.rows)(&Context { engine, catalog, hints, asked: &asked });
    let columns: Vec<ResultColumn> = table.columns.iter().map(|c| ResultColumn { name: c.name.clone(), ty: c.ty.clone() }).collect();
    let chunks: Vec<Chunk> = rows.chunks(common_types::CHUNK_ROWS).map(|part| rows_to_chunk(&columns, part)).collect::<Result<_>>()?;
    Ok(Arc::new(chunks))
}

/// A BIGINT cell.
pub(crate) fn number(value: u64) -> Scalar {
    Scalar::BigInt(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        assert!(is_system_database("INFORMATION_SCHEMA"));
        assert_eq!(table("Information_Schema", "TABLES").map(|t| t.name.clone()).as_deref(), Some("tables"));
        assert!(table("sys", "tables").is_none());
    }

    #[test]
    fn tables_have_unique_names_and_their_own_ids() {
        for (i, p) in PROVIDERS.iter().enumerate() {
            assert!(!PROVIDERS[..i].iter().any(|q| q.db == p.db && q.name == p.name), "{} twice", p.name);
            assert_eq!(TABLES[i].id.0, FIRST_TABLE_ID + i as u64);
        }
    }
}
