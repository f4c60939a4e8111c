//! The catalog as the analyzer sees it: one snapshot plus the system databases.

use std::sync::Arc;

use common_base::Result;
use common_types::Chunk;
use fe_analyzer::CatalogView;
use fe_catalog::{CatalogSnapshot, model::{Database, IndexState, Table}};

use crate::{engine::Engine, info_schema};

/// One statement's view.
pub struct SnapshotView<'a> {
    pub engine: &'a Engine,
    pub catalog: CatalogSnapshot,
}

impl CatalogView for SnapshotView<'_> {
    fn database(&self, name: &str) -> Option<Arc<Database>> {
        info_schema::database(name).or_else(|| self.catalog.database(name).cloned())
    }

    fn table(&self, db: &str, name: &str) -> Option<Arc<Table>> {
        if info_schema::is_system_database(db) {
            return info_schema::table(db, name);
        }
        self.catalog.table(self.catalog.database(db)?.id, name).cloned()
    }

    fn sync_view(&self, db: &str, name: &str) -> Option<Arc<Table>> {
        let db = self.catalog.database(db)?.id;
        let of = |t: &Arc<Table>| {
            let index = t.as_olap()?.index_by_name(name).filter(|i| i.state == IndexState::Normal)?.clone();
            t.index_as_table(&index).map(Arc::new)
        };
        self.catalog.tables_of(db).find_map(of)
    }

    fn databases(&self) -> Vec<Arc<Database>> {
        let mut all: Vec<_> = self.catalog.databases.values().cloned().collect();
        all.extend(info_schema::databases());
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn system_rows(&self, table: &Table, hints: &[(String, String)]) -> Result<Arc<Vec<Chunk>>> {
        info_schema::rows(self.engine, &self.catalog, table, hints)
    }
}
