//! SHOW INDEX: secondary indexes; primary keys do not appear.

use common_base::Result;
use common_types::Scalar;
use fe_parser::ast::sql;

use super::{Table, columns};
use crate::{result::text, session::Session};

/// One index, out of the clause it was declared with.
pub struct IndexRow {
    pub name: String,
    pub column: String,
    /// `BITMAP`, `NGRAMBF("gram_num" = "4")`.
    pub kind: String,
    pub comment: String,
}

/// SHOW INDEX.
pub fn index(session: &Session, table: &sql::ObjectName, db: Option<&sql::ObjectName>) -> Result<Table> {
    let (db_name, _) = columns::qualified(session, table, db)?;
    let table = columns::find(session, table, db)?;
    let full_name = format!("{db_name}.{}", table.name);
    let declared = table.as_olap().map(|o| o.indexes_ddl.iter().filter_map(|ddl| parse(ddl)).collect::<Vec<_>>()).unwrap_or_default();
    let rows = declared.into_iter().map(|i| -> Vec<Scalar> {
        let blank = || text("");
        vec![
            text(full_name.clone()),
            blank(),
            text(i.name),
            blank(),
            text(i.column),
            blank(),
            blank(),
            blank(),
            blank(),
            blank(),
            text(i.kind),
            text(i.comment),
        ]
    });
    let names = [
        "Table",
        "Non_unique",
        "Key_name",
        "Seq_in_index",
        "Column_name",
        "Collation",
        "Cardinality",
        "Sub_part",
        "Packed",
        "Null",
        "Index_type",
        "Comment",
    ];
    Ok(Table::new(&names, rows.collect()))
}

/// Takes ``INDEX i (`c`) USING KIND COMMENT 'x'`` apart.
pub fn parse(ddl: &str) -> Option<IndexRow> {
    let rest = ddl.strip_prefix("INDEX ")?;
    let (name, rest) = rest.split_once(" (")?;
    let (column, rest) = rest.split_once(") USING ")?;
    let (kind, comment) = rest.split_once(" COMMENT '").unwrap_or((rest, ""));
    Some(IndexRow {
        name: name.trim_matches('`').to_owned(),
        column: column.trim_matches('`').to_owned(),
        kind: kind.trim().to_owned(),
        comment: comment.strip_suffix('\'').unwrap_or(comment).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn index_clauses_come_apart() {
        let i = super::parse("INDEX idx (`v1`) USING NGRAMBF(\"gram_num\" = \"4\") COMMENT 'for search'").expect("an index clause");
        assert_eq!((i.name.as_str(), i.column.as_str()), ("idx", "v1"));
        assert_eq!((i.kind.as_str(), i.comment.as_str()), ("NGRAMBF(\"gram_num\" = \"4\")", "for search"));
    }
}
