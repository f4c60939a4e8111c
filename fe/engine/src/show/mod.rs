//! SHOW in all its forms: each kind makes its rows in memory; LIKE, WHERE, ORDER BY and LIMIT are applied here for all of them.

pub mod accounts;
pub mod alter_jobs;
pub mod analyze;
pub mod charset;
pub mod cluster_balance;
pub mod columns;
pub mod create_table;
pub mod create_view;
pub mod data;
pub mod databases;
pub mod empty;
pub mod filter;
pub mod frontend_config;
pub mod functions;
pub mod index;
pub mod loads;
pub mod materialized_views;
pub mod nodes;
pub mod partitions;
pub mod proc;
pub mod recycle_bin;
pub mod processlist;
pub mod statistic;
pub mod tables;
pub mod tablets;
pub mod time;
pub mod variables;

use common_base::{Result, bail, ids::QueryId};
use common_types::Scalar;
use fe_catalog::model::CollectedKind;
use fe_parser::ast::{Show, ShowKind};

use crate::{
    result::{ResultColumn, StatementResult, text_columns},
    session::Session,
};

/// Rows of a SHOW before its filter.
pub struct Table {
    pub columns: Vec<ResultColumn>,
    pub rows: Vec<Vec<Scalar>>,
    /// The column LIKE looks at.
    pub like: usize,
    /// Whether LIKE tells cases apart.
    pub case_sensitive: bool,
    /// Further names WHERE and ORDER BY may use for columns.
    pub aliases: &'static [(&'static str, usize)],
}

impl Table {
    /// A table of VARCHAR columns whose LIKE is for the first, cases alike.
    pub fn new(names: &[&str], rows: Vec<Vec<Scalar>>) -> Self {
        Self { columns: text_columns(names), rows, like: 0, case_sensitive: false, aliases: &[] }
    }

    /// A table without rows.
    pub fn empty(names: &[&str]) -> Self {
        Self::new(names, Vec::new())
    }

    /// LIKE tells cases apart, as names of databases and tables do.
    pub fn case_sensitive(mut self) -> Self {
        self.case_sensitive = true;
        self
    }
}

/// Runs SHOW.
pub async fn run(session: &mut Session, statement: &Show, _id: QueryId) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let table = filter::apply(session, &statement.filter, table(session, &statement.kind).await?)?;
    StatementResult::table(table.columns, &table.rows)
}

async fn table(session: &Session, kind: &ShowKind) -> Result<Table> {
    if let Some(names) = empty::columns(kind) {
        return Ok(Table::empty(names));
    }
    match kind {
        ShowKind::Databases { catalog } => databases::databases(session, catalog.as_ref()),
        ShowKind::Catalogs => Ok(databases::catalogs()),
        ShowKind::CreateCatalog(name) => databases::create_catalog(&name.value),
        ShowKind::CreateDatabase(name) => databases::create_database(session, name),
        ShowKind::Tables { full, temporary, db } => tables::tables(session, *full, *temporary, db.as_ref()),
        ShowKind::TableStatus { db } => tables::status(session, db.as_ref()),
        ShowKind::Columns { full, table, db } => columns::columns(session, *full, table, db.as_ref()),
        ShowKind::Index { table, db } => index::index(session, table, db.as_ref()),
        ShowKind::Partitions { temporary, table } => partitions::partitions(session, *temporary, table),
        ShowKind::DynamicPartitionTables { db } => partitions::dynamic(session, db.as_ref()),
        ShowKind::Tablet(id) => tablets::tablet(session, *id),
        ShowKind::Tablets { table, partitions } => tablets::tablets(session, table, partitions.as_ref()),
        ShowKind::ReplicaDistribution { table, partitions } => tablets::distribution(session, table, partitions.as_ref()),
        ShowKind::ReplicaStatus { table, partitions } => tablets::status(session, table, partitions.as_ref()),
        ShowKind::CreateTable(name) => create_table::create_table(session, name),
        ShowKind::CreateView(name) => create_view::create_view(session, name),
        ShowKind::Data { table } => data::data(session, table.as_ref()),
        ShowKind::DataDistribution { table, partitions } => data::distribution(session, table, partitions.as_ref()),
        ShowKind::AlterJobs { kind, db } => alter_jobs::jobs(session, *kind, db.as_ref()),
        ShowKind::MaterializedViews { db } => materialized_views::views(session, db.as_ref()),
        ShowKind::Variables { scope, verbose } => Ok(variables::variables(session, *scope, *verbose)),
        ShowKind::ProcessList { full, user } => Ok(processlist::processlist(session, *full, user.as_deref()).await),
        ShowKind::RunningQueries => Ok(processlist::running(session).await),
        ShowKind::Engines => Ok(charset::engines()),
        ShowKind::Authors => Ok(charset::authors()),
        ShowKind::Charset => Ok(charset::charset()),
        ShowKind::Collation => Ok(charset::collation()),
        ShowKind::Plugins => Ok(charset::plugins()),
        ShowKind::Grants { target } => accounts::grants(session, target.as_ref()),
        ShowKind::Users => Ok(accounts::users(session)),
        ShowKind::Authentication { all, user } => accounts::authentication(session, *all, user.as_ref()),
        ShowKind::Property { user } => accounts::property(session, user.as_deref()),
        ShowKind::Roles => Ok(accounts::roles()),
        ShowKind::Privileges => Ok(accounts::privileges()),
        ShowKind::Frontends => Ok(nodes::frontends(session)),
        ShowKind::Backends => Ok(nodes::backends(session)),
        ShowKind::CatalogRecycleBin => Ok(recycle_bin::recycle_bin(session)),
        ShowKind::Proc(path) => proc::proc(session, path).await,
        ShowKind::Load { db, all } => loads::load(session, db.as_ref(), *all),
        ShowKind::StreamLoad { label, db, all } => loads::stream_load(session, label.as_ref(), db.as_ref(), *all),
        ShowKind::Transaction { db } => loads::transaction(session, db.as_ref()),
        ShowKind::Delete { db } => loads::delete(session, db.as_ref()),
        ShowKind::Functions { full, builtin, .. } => functions::functions(session, *full, *builtin),
        ShowKind::AnalyzeStatus => Ok(analyze::status(session)),
        ShowKind::AnalyzeJob => Ok(analyze::jobs(session)),
        ShowKind::StatsMeta => Ok(analyze::stats_meta(session)),
        ShowKind::HistogramMeta => Ok(analyze::entries_meta(session, CollectedKind::Histogram)),
        ShowKind::MultiColumnStatsMeta => Ok(analyze::entries_meta(session, CollectedKind::Together)),
        ShowKind::FrontendConfig => Ok(frontend_config::frontend_config(session)),
        other => bail!(NotSupported, "SHOW {} is not supported yet", kind_name(other)),
    }
}

/// The kind as words: `RoutineLoad { .. }` → `ROUTINE LOAD`.
fn kind_name(kind: &ShowKind) -> String {
    let debug = format!("{kind:?}");
    let mut name = String::new();
    for c in debug.chars().take_while(|c| c.is_alphanumeric()) {
        if c.is_uppercase() && !name.is_empty() {
            name.push(' ');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}
