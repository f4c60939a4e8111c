//! `FILES(...)` in FROM: files as a table without a name in the catalog.

use std::{rc::Rc, sync::Arc};

use common_base::{Result, err, ids::{ColumnUid, DbId, TableId}};
use common_types::{LogicalType, Scalar};
use fe_catalog::model::{Column, DefaultValue, Table, TableKind};
use fe_parser::ast::{
    encoding,
    sql::{FunctionArg, ObjectName, TableAlias},
};
use fe_plan::{
    ColumnInfo, LogicalNode, LogicalOp,
    logical::{LogicalScan, LogicalValues},
};

use super::from::{Relation, relation_name, rename_columns};
use crate::{
    FilesRows, FilesTable,
    binder::Binder,
    names,
    scope::{Field, Scope},
};

const NAME: &str = "FILES";

/// Whether a table function is FILES.
pub(crate) fn is_files(name: &ObjectName) -> bool {
    names::function_name(name) == "files"
}

impl Binder<'_> {
    /// The files the session has found for these arguments.
    pub(super) fn bind_files(&mut self, args: &[FunctionArg], alias: Option<&TableAlias>) -> Result<Relation> {
        let properties = encoding::property_args(args).ok_or_else(|| err!(Analysis, "FILES() takes \"key\" = \"value\" pairs"))?;
        let files = self.ctx.session.files(&properties)?;
        let ids: Vec<_> = files
            .columns
            .iter()
            .map(|(name, ty)| self.columns.add(ColumnInfo { name: name.clone(), ty: ty.clone(), nullable: true, source: None }))
            .collect();
        let op = match &files.rows {
            FilesRows::Made(chunks) => LogicalOp::Values(LogicalValues { columns: ids.clone(), rows: Vec::new(), chunks: Arc::clone(chunks) }),
            FilesRows::Scan(scan) => {
                let table = Arc::new(table(&files));
                let columns = ids.iter().copied().zip(table.columns.iter().map(|c| c.uid)).collect();
                LogicalOp::Scan(LogicalScan {
                    db_name: String::new(),
                    alias: alias.map_or_else(|| NAME.to_owned(), |a| a.name.value.clone()),
                    columns,
                    json_paths: Vec::new(),
                    predicates: Vec::new(),
                    partitions: None,
                    tablets: None,
                    files: Some(Arc::clone(scan)),
                    partition_keys: Vec::new(),
                    rollup: None,
                    stored: Arc::default(),
                    table,
                })
            }
        };
        let name = relation_name(None, NAME, alias);
        let field = |(id, column): (_, &(String, LogicalType))| Field { relation: Some(Rc::clone(&name)), name: column.0.clone(), id, source: None };
        let fields = ids.into_iter().zip(&files.columns).map(field).collect();
        let mut scope = Scope { fields, relations: vec![Rc::clone(&name)] };
        if let Some(alias) = alias {
            rename_columns(&mut scope, alias)?;
        }
        Ok(Relation { plan: LogicalNode::leaf(op), scope })
    }
}

/// A table of the files' columns, which the catalog does not know.
fn table(files: &FilesTable) -> Table {
    let column = |(i, (name, ty)): (usize, &(String, LogicalType))| Column {
        uid: ColumnUid(i as u64 + 1),
        name: name.clone(),
        ty: ty.clone(),
        nullable: true,
        key: false,
        aggregation: None,
        default: DefaultValue::None,
        before: Scalar::Null,
        auto_increment: false,
        generated: None,
        comment: String::new(),
    };
    Table {
        id: TableId(0),
        db_id: DbId(0),
        name: NAME.to_owned(),
        comment: String::new(),
        created_ms: 0,
        updated_ms: 0,
        columns: files.columns.iter().enumerate().map(column).collect(),
        kind: TableKind::System,
    }
}
