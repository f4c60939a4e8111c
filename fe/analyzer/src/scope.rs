//! Names visible at a point: the fields of a FROM clause.
//!
//! Invariant: field order is the order of `SELECT *`. Column names compare without case; table aliases without case, database
//! names with case.

use std::rc::Rc;

use common_base::{Result, bail};
use common_expr::expr::ColumnId;

use crate::names::quoted;

/// The name a relation is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelationName {
    /// Only for a stored table without alias.
    pub db: Option<String>,
    pub table: String,
}

/// One visible column.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub relation: Option<Rc<RelationName>>,
    pub name: String,
    pub id: ColumnId,
    /// Index into the statement's table uses and the column's name there, for privileges.
    pub source: Option<usize>,
}

/// The fields of a FROM clause.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub fields: Vec<Field>,
    /// Relations of which every column became part of a USING column: their names still exist for `t.*`.
    pub relations: Vec<Rc<RelationName>>,
}

impl Scope {
    /// Looks a column up by its unqualified or qualified name. Ambiguity is an error.
    pub fn find(&self, qualifier: &[&str], name: &str) -> Result<Option<&Field>> {
        let mut found: Option<&Field> = None;
        for field in &self.fields {
            if !field.name.eq_ignore_ascii_case(name) || !matches(field.relation.as_deref(), qualifier) {
                continue;
            }
            match found {
                Some(other) if other.id != field.id || other.relation != field.relation => {
                    bail!(Analysis, "Column '{name}' is ambiguous");
                }
                _ => found = Some(field),
            }
        }
        Ok(found)
    }

    /// The fields of one relation, for `t.*`.
    pub fn of_relation(&self, qualifier: &[&str]) -> Option<Vec<&Field>> {
        let fields: Vec<&Field> =
            self.fields.iter().filter(|f| f.relation.is_some() && matches(f.relation.as_deref(), qualifier)).collect();
        if fields.is_empty() && !self.relations.iter().any(|r| matches(Some(r), qualifier)) {
            return None;
        }
        Some(fields)
    }

    /// The fields of both sides, left first.
    pub fn join(mut self, right: Scope) -> Scope {
        self.fields.extend(right.fields);
        self.relations.extend(right.relations);
        self
    }

    /// Two relations of one FROM clause may not share a name.
    pub fn check_unique(&self, right: &Scope) -> Result<()> {
        for r in &right.relations {
            if self.relations.contains(r) {
                bail!(NotUniqueTableOrAlias, "Not unique table/alias: '{}'", r.table);
            }
        }
        Ok(())
    }
}

fn matches(relation: Option<&RelationName>, qualifier: &[&str]) -> bool {
    match (qualifier, relation) {
        ([], _) => true,
        (_, None) => false,
        ([table], Some(r)) => r.table.eq_ignore_ascii_case(table),
        ([db, table], Some(r)) => r.table.eq_ignore_ascii_case(table) && r.db.as_deref() == Some(*db),
        ([catalog, db, table], Some(r)) => {
            catalog.eq_ignore_ascii_case("default_catalog")
                && r.table.eq_ignore_ascii_case(table)
                && r.db.as_deref() == Some(*db)
        }
        _ => false,
    }
}

/// The error for a name nobody knows.
pub(crate) fn unresolved(parts: &[&str]) -> common_base::Error {
    match parts {
        [one] => common_base::err!(Analysis, "Column '{one}' cannot be resolved"),
        many => common_base::err!(Analysis, "Column '{}' cannot be resolved", quoted(many)),
    }
}
