//! DESCRIBE: the columns of a table as clients' schema browsers want them.

use common_base::{Result, bail};
use fe_catalog::model::IndexState;
use fe_parser::ast::{Describe, DescribeTarget};

use super::names;
use crate::{
    result::{ResultColumn, StatementResult, TableField, text, text_columns},
    session::Session,
    show::columns::{column_type_text, default_scalar, extra_text},
};
use common_types::Scalar;

/// Runs DESC.
pub async fn run(session: &Session, statement: &Describe) -> Result<StatementResult> {
    if let DescribeTarget::Files(properties) = &statement.target {
        return crate::files::describe(session, properties).await;
    }
    let DescribeTarget::Table(name) = &statement.target else {
        bail!(NotSupported, "DESC of anything but tables is not supported yet");
    };
    let (db, name) = names::qualified(session, name)?;
    let table = names::find_table(&session.catalog(), &db, &name)?;
    let row = |c: &fe_catalog::model::Column| -> Vec<Scalar> {
        vec![
            text(c.name.clone()),
            text(column_type_text(&c.ty)),
            text(if c.nullable { "YES" } else { "NO" }),
            text(if c.key { "true" } else { "false" }),
            default_scalar(c),
            text(extra_text(c)),
        ]
    };
    let fields = ["Field", "Type", "Null", "Key", "Default", "Extra"];
    if !statement.all {
        let rows: Vec<_> = table.columns.iter().map(row).collect();
        return StatementResult::table(text_columns(&fields), &rows);
    }
    let names: Vec<&str> = ["IndexName", "IndexKeysType"].into_iter().chain(fields).collect();
    let keys = table.as_olap().map_or("", |o| crate::show::columns::keys_name(o.keys));
    let first = |i: usize, value: &str| text(if i == 0 { value } else { "" });
    let of_index = |name: &str, keys: &str, columns: Vec<&fe_catalog::model::Column>| -> Vec<Vec<Scalar>> {
        columns.into_iter().enumerate().map(|(i, c)| [first(i, name), first(i, keys)].into_iter().chain(row(c)).collect()).collect()
    };
    let mut rows = of_index(&table.name, keys, table.columns.iter().collect());
    let further = table.as_olap().iter().flat_map(|o| &o.further).filter(|i| i.state == IndexState::Normal && i.replaces.is_none()).cloned().collect::<Vec<_>>();
    for index in further {
        // An empty line between indexes.
        rows.push(vec![text(""); names.len()]);
        let columns = index.columns.iter().map(|c| &c.column).collect();
        rows.extend(of_index(&index.name, crate::show::columns::keys_name(index.keys), columns));
    }
    StatementResult::table(text_columns(&names), &rows)
}

impl Session {
    /// The columns of a table of the current database (COM_FIELD_LIST).
    pub fn table_columns(&self, table: &str) -> Result<Vec<TableField>> {
        let Some(db) = &self.database else { bail!(NoDatabaseSelected, "No database selected") };
        let table = names::find_table(&self.catalog(), db, table)?;
        let field = |c: &fe_catalog::model::Column| TableField {
            column: ResultColumn { name: c.name.clone(), ty: c.ty.clone() },
            default: Some(default_scalar(c)).filter(|d| !d.is_null()).map(|d| d.to_string()),
        };
        Ok(table.columns.iter().map(field).collect())
    }
}
