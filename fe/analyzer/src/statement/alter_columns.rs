//! ALTER TABLE on columns: the columns a table will have, where the values of each come from, and whether stored rows have to be
//! rewritten for it. Pure: a draft of the column list that each clause changes in turn.

use common_base::{Result, bail, err, ids::ColumnUid};
use common_expr::expr::Expr;
use common_types::{LogicalType, Scalar};
use fe_catalog::model::{Aggregation, Column, ColumnSource, DefaultValue, Distribution, IndexColumn, KeysModel, OlapTable, PartitionInfo, Table};
use fe_parser::{
    ParseOptions,
    ast::{AlterTableClause, ColumnDef, ColumnPosition, SortKey, sql},
};

use super::{
    columns::analyze_column,
    create_table::short_key_count,
    qualify,
    struct_fields::{self, FieldChange},
};
use crate::{
    AnalyzeContext,
    binder::Binder,
    types::datatype::{debug_text, logical_type},
};

/// What clauses about columns make of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnsChange {
    pub columns: Vec<IndexColumn>,
    pub sort_key: Vec<ColumnUid>,
    pub short_key_columns: u32,
    pub next_column_uid: u64,
    /// Stored rows must be written anew.
    pub rewrite: bool,
}

impl ColumnsChange {
    /// The columns alone.
    pub fn plain_columns(&self) -> Vec<Column> {
        self.columns.iter().map(|c| c.column.clone()).collect()
    }
}

/// Whether a clause is one about columns: [`analyze_alter_columns`] takes it, or `analyze_alter_rollup` when it names a rollup.
pub fn changes_columns(clause: &AlterTableClause) -> bool {
    use AlterTableClause as C;
    matches!(
        clause,
        C::AddColumn { .. } | C::AddField { .. } | C::DropField { .. } | C::AddColumns { .. } | C::DropColumn { .. } | C::ModifyColumn { .. } | C::ModifyColumnComment { .. } | C::OrderBy { .. }
    )
}

/// The rollup whose columns a clause changes.
pub fn rollup_of(clause: &AlterTableClause) -> Option<&sql::Ident> {
    use AlterTableClause as C;
    match clause {
        C::AddColumn { rollup, .. } | C::AddColumns { rollup, .. } | C::DropColumn { rollup, .. } | C::ModifyColumn { rollup, .. } | C::OrderBy { rollup, .. } => {
            rollup.as_ref()
        }
        _ => None,
    }
}

/// Analyzes clauses that change the table's own columns, together.
pub fn analyze_alter_columns(ctx: &AnalyzeContext<'_>, table: &Table, clauses: &[AlterTableClause]) -> Result<ColumnsChange> {
    let olap = super::stored_only(table, "ALTER TABLE")?;
    let column = |c: &Column| IndexColumn { column: c.clone(), source: ColumnSource::Column(c.uid) };
    let mut draft = Draft {
        ctx,
        table,
        olap,
        columns: table.columns.iter().map(column).collect(),
        sort_key: olap.sort_key.clone(),
        next_uid: olap.next_column_uid,
        rewrite: false,
        resorted: false,
    };
    for clause in clauses {
        draft.apply(clause)?;
    }
    draft.finish()
}

struct Draft<'a> {
    ctx: &'a AnalyzeContext<'a>,
    table: &'a Table,
    olap: &'a OlapTable,
    columns: Vec<IndexColumn>,
    sort_key: Vec<ColumnUid>,
    next_uid: u64,
    rewrite: bool,
    /// The rows' order changes.
    resorted: bool,
}

impl Draft<'_> {
    fn apply(&mut self, clause: &AlterTableClause) -> Result<()> {
        use AlterTableClause as C;
        match clause {
            clause if rollup_of(clause).is_some() => bail!(Internal, "not a clause about the table's own columns"),
            C::AddColumn { column, position, .. } => self.add(column, position.as_ref()),
            C::AddColumns { columns, .. } => {
                let generated = columns.iter().filter(|c| c.generated.is_some()).count();
                if generated > 0 && generated < columns.len() {
                    bail!(Analysis, "Getting analyzing error. Detail message: Can not add normal column and Generated Column in the same time.");
                }
                columns.iter().try_for_each(|c| self.add(c, None))
            }
            C::DropColumn { name, .. } => self.drop(&name.value),
            C::ModifyColumn { column, position, .. } => self.modify(column, position.as_ref()),
            C::ModifyColumnComment { name, comment } => {
                let at = self.position(&name.value)?;
                self.columns[at].column.comment.clone_from(comment);
                Ok(())
            }
            C::OrderBy { columns, .. } => self.order_by(columns),
            C::AddField { column, path, data_type, position } => {
                let ty = logical_type(data_type)?;
                self.field(&column.value, path, &FieldChange::Add { ty, position: position.as_ref() })
            }
            C::DropField { column, path } => self.field(&column.value, path, &FieldChange::Drop),
            _ => bail!(Internal, "not a clause about columns"),
        }
    }

    fn position(&self, name: &str) -> Result<usize> {
        let found = self.columns.iter().position(|c| c.column.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| err!(Analysis, "Column[{name}] does not exists"))
    }

    fn plain(&self) -> Vec<Column> {
        self.columns.iter().map(|c| c.column.clone()).collect()
    }

    fn add(&mut self, def: &ColumnDef, position: Option<&ColumnPosition>) -> Result<()> {
        if def.auto_increment {
            bail!(Analysis, "Getting syntax error. Detail message: Column '{}' can not be AUTO_INCREMENT when ADD COLUMN.", def.name.value);
        }
        if def.generated.is_some() && def.is_key {
            bail!(Analysis, "Getting syntax error. Detail message: Generated Column can not be KEY.");
        }
        if def.generated.is_some() && position.is_some() {
            bail!(Analysis, "Getting syntax error. Detail message: AFTER can not be set when ADD GENERATED COLUMN.");
        }
        let keys = self.olap.keys;
        let is_key = def.is_key || (keys == KeysModel::Aggregate && def.aggregate.is_none());
        if is_key && keys == KeysModel::Primary {
            bail!(Analysis, "Can not add key column for primary key table");
        }
        let uid = ColumnUid(self.next_uid);
        let mut column = analyze_column(self.ctx, def, keys, is_key, uid, &self.plain())?;
        if let Some(old) = self.columns.iter().find(|c| c.column.name.eq_ignore_ascii_case(&column.name)) {
            bail!(Analysis, "Can not add column which already exists in base table: {}", old.column.name);
        }
        // Sets and sketches begin empty.
        let empty = matches!(column.ty, LogicalType::Bitmap | LogicalType::Hll) && !column.nullable && column.default == DefaultValue::None;
        if !column.nullable && !empty && column.generated.is_none() && column.default == DefaultValue::None {
            bail!(User, "Column[{}] is NOT NULL and has no default value", column.name);
        }
        self.next_uid += 1;
        let source = match (&column.generated, &column.default) {
            (Some(text), _) | (None, DefaultValue::Expression(text)) => ColumnSource::Expr(text.clone()),
            _ => {
                column.before = if empty { Scalar::Binary(Default::default()) } else { self.before(&column)? };
                ColumnSource::Default
            }
        };
        // Rows of one key that are still apart would each add the value they had before.
        let adds_up = column.aggregation == Some(Aggregation::Sum) && !is_zero(&column.before);
        self.rewrite |= column.key || adds_up || matches!(source, ColumnSource::Expr(_));
        self.resorted |= column.key;
        if column.key && !self.sort_key.is_empty() && matches!(keys, KeysModel::Aggregate | KeysModel::Unique) {
            // Rows of one key are found next to each other: all key columns sort.
            self.sort_key.push(column.uid);
        }
        let at = match position {
            Some(ColumnPosition::First) => 0,
            Some(ColumnPosition::After(name)) => {
                let after = self.columns.iter().position(|c| c.column.name.eq_ignore_ascii_case(&name.value));
                let after = after.ok_or_else(|| err!(Analysis, "Column[{}] does not found", name.value))?;
                if self.columns[after].column.generated.is_some() {
                    bail!(Analysis, "Can not add column after Generated Column");
                }
                after + 1
            }
            None if column.key => self.columns.iter().filter(|c| c.column.key).count(),
            None if column.generated.is_some() => self.columns.len(),
            // Generated columns stay last.
            None => self.columns.iter().position(|c| c.column.generated.is_some()).unwrap_or(self.columns.len()),
        };
        self.columns.insert(at, IndexColumn { column, source });
        Ok(())
    }

    /// What rows that exist have in a new column.
    fn before(&self, column: &Column) -> Result<Scalar> {
        match &column.default {
            DefaultValue::None => Ok(Scalar::Null),
            DefaultValue::Literal(value) => Ok(value.clone()),
            _ => {
                let mut binder = Binder::new(self.ctx);
                let value = binder.default_of(column)?.unwrap_or_else(|| Expr::null(column.ty.clone()));
                common_expr::eval::eval_constant(self.ctx.session.eval(), &value)
            }
        }
    }

    fn drop(&mut self, name: &str) -> Result<()> {
        let Some(at) = self.columns.iter().position(|c| c.column.name.eq_ignore_ascii_case(name)) else {
            bail!(Analysis, "Column does not exists: {name}");
        };
        let column = self.columns[at].column.clone();
        self.check_not_placing(&column, "drop")?;
        if let Some(user) = self.generated_from(&column) {
            bail!(
                Analysis,
                "Getting analyzing error. Detail message: Column: {} can not be dropped, because expression of Generated Column: {user} will refer to it.",
                column.name
            );
        }
        if let Some(index) = self.index_from(&column) {
            bail!(Analysis, "Can not drop column {}: materialized view {index} uses it; drop that first", column.name);
        }
        if column.key {
            if self.olap.keys == KeysModel::Primary {
                bail!(Analysis, "Can not drop key column for primary key table");
            }
            let replaces = |a: Option<fe_catalog::model::Aggregation>| {
                matches!(a, Some(fe_catalog::model::Aggregation::Replace | fe_catalog::model::Aggregation::ReplaceIfNotNull))
            };
            if self.olap.keys == KeysModel::Unique {
                bail!(Analysis, "Can not drop key column in Unique data model table");
            }
            if self.olap.keys == KeysModel::Aggregate && self.columns.iter().any(|c| replaces(c.column.aggregation)) {
                bail!(Analysis, "Can not drop key column when table has value column with REPLACE aggregation method: {}", column.name);
            }
            if self.columns.iter().filter(|c| c.column.key).count() == 1 {
                bail!(Analysis, "No key column left. index[{}]", self.table.name);
            }
        }
        let sorts = self.sort_key.contains(&column.uid);
        self.rewrite |= column.key || sorts;
        self.resorted |= column.key || sorts;
        self.sort_key.retain(|u| *u != column.uid);
        self.columns.remove(at);
        if self.columns.is_empty() {
            bail!(Analysis, "No column left in table {}", self.table.name);
        }
        Ok(())
    }

    /// Rows are placed by partition and bucket columns: these stay as they are.
    fn check_not_placing(&self, column: &Column, what: &str) -> Result<()> {
        let partition = match &self.olap.partition_info {
            PartitionInfo::Unpartitioned => &[][..],
            PartitionInfo::Range { columns } | PartitionInfo::List { columns } | PartitionInfo::Expression { columns, .. } => columns,
        };
        if partition.contains(&column.uid) {
            bail!(Analysis, "Partition column[{}] cannot be {what}{}", column.name, if what == "drop" { "ped" } else { "" });
        }
        if matches!(&self.olap.distribution, Distribution::Hash { columns, .. } if columns.contains(&column.uid)) {
            bail!(Analysis, "Distribution column[{}] cannot be {what}{}", column.name, if what == "drop" { "ped" } else { "" });
        }
        Ok(())
    }

    /// A generated column whose expression names the column.
    fn generated_from(&self, column: &Column) -> Option<String> {
        let uses = |c: &&IndexColumn| c.column.generated.as_deref().is_some_and(|text| names_column(text, &column.name));
        self.columns.iter().find(uses).map(|c| c.column.name.clone())
    }

    /// A further index that takes the column.
    fn index_from(&self, column: &Column) -> Option<String> {
        let takes = |source: &ColumnSource| match source {
            ColumnSource::Column(uid) => *uid == column.uid,
            ColumnSource::Expr(text) => names_column(text, &column.name),
            ColumnSource::Default => false,
        };
        let uses = |i: &&std::sync::Arc<fe_catalog::model::TableIndex>| {
            i.columns.iter().any(|c| takes(&c.source)) || i.predicate.as_deref().is_some_and(|p| names_column(p, &column.name))
        };
        self.olap.further.iter().find(uses).map(|i| i.name.clone())
    }

    fn modify(&mut self, def: &ColumnDef, position: Option<&ColumnPosition>) -> Result<()> {
        if def.generated.is_some() && def.is_key {
            bail!(Analysis, "Getting syntax error. Detail message: Generated Column can not be KEY.");
        }
        if def.auto_increment {
            bail!(Analysis, "Getting syntax error. Detail message: Column '{}' can not be AUTO_INCREMENT when MODIFY COLUMN.", def.name.value);
        }
        let at = self.position(&def.name.value)?;
        let old = self.columns[at].column.clone();
        if old.auto_increment {
            bail!(Analysis, "Can't not modify a AUTO_INCREMENT column");
        }
        match (&old.generated, &def.generated) {
            (Some(_), None) => bail!(Analysis, "Can not modify a generated column to a non-generated column"),
            (None, Some(_)) => bail!(Analysis, "Can not modify a non-generated column to a generated column"),
            _ => {}
        }
        if self.generated_from(&old).is_some() {
            bail!(Analysis, "Do not support modify column: {}, because it associates with the generated column", old.name);
        }
        let mut def = def.clone();
        if def.nullable.is_none() && !old.nullable && old.key && self.olap.keys == KeysModel::Primary {
            def.nullable = Some(false);
        }
        if def.aggregate.is_none() && !old.key && self.olap.keys == KeysModel::Unique {
            // The model's own.
        } else if old.key && def.aggregate.is_some() {
            bail!(Analysis, "Can not change key column to value column: {}", old.name);
        }
        let others: Vec<Column> = self.plain().into_iter().filter(|c| c.uid != old.uid).collect();
        let mut new = analyze_column(self.ctx, &def, self.olap.keys, old.key, old.uid, &others)?;
        if new.key != old.key {
            bail!(Analysis, "Can not change the key of column: {}", old.name);
        }
        if new.aggregation != old.aggregation {
            bail!(Analysis, "Can not change aggregation type of column: {}", old.name);
        }
        new.name.clone_from(&old.name);
        new.before = old.before.clone();
        if def.comment.is_none() {
            new.comment.clone_from(&old.comment);
        }
        if !new.nullable && old.nullable {
            bail!(Analysis, "Can not change from nullable to non-nullable. Column: {}", old.name);
        }
        let mut source = self.columns[at].source.clone();
        if new.ty != old.ty {
            self.check_not_placing(&old, "modified")?;
            if let Some(index) = self.index_from(&old) {
                bail!(Analysis, "Can not modify column {}: materialized view {index} uses it; drop that first", old.name);
            }
            let gin = format!("(`{}`) USING GIN", old.name).to_lowercase();
            if !new.ty.is_string() && self.olap.indexes_ddl.iter().any(|ddl| ddl.to_lowercase().contains(&gin)) {
                bail!(Analysis, "Cannot modify a column with GIN into non-string type");
            }
            // What is computed anew is not converted.
            let computed = new.generated.is_some() && new.generated != old.generated;
            if !computed && !convertible(&old.ty, &new.ty) {
                bail!(Analysis, "Can not change {} to {}", debug_text(&old.ty), debug_text(&new.ty));
            }
            if !only_wider(&old.ty, &new.ty) {
                // Other values: another column for everything that knows columns by number. Every file that knows it has it.
                new.uid = ColumnUid(self.next_uid);
                new.before = Scalar::Null;
                self.next_uid += 1;
                for uid in self.sort_key.iter_mut().filter(|u| **u == old.uid) {
                    *uid = new.uid;
                }
                self.rewrite = true;
            }
        }
        if new.generated != old.generated {
            if let Some(text) = &new.generated {
                source = ColumnSource::Expr(text.clone());
                new.uid = ColumnUid(self.next_uid);
                self.next_uid += 1;
                self.rewrite = true;
            }
        }
        self.columns[at] = IndexColumn { column: new, source };
        self.move_to(at, position)
    }

    /// A STRUCT column gets or loses a field: other values, so another column.
    fn field(&mut self, name: &str, path: &[String], change: &FieldChange<'_>) -> Result<()> {
        let at = self.position(name)?;
        let old = self.columns[at].column.clone();
        if let Some(index) = self.index_from(&old) {
            bail!(Analysis, "Can not modify column {}: materialized view {index} uses it; drop that first", old.name);
        }
        if old.generated.is_some() || !matches!(self.columns[at].source, ColumnSource::Column(_)) {
            bail!(Analysis, "Can not change fields of column {}", old.name);
        }
        let (ty, text) = struct_fields::change(&old.ty, path, change, &format!("`{}`", old.name))?;
        let column = Column { uid: ColumnUid(self.next_uid), ty, before: Scalar::Null, default: DefaultValue::None, ..old };
        self.next_uid += 1;
        self.rewrite = true;
        self.columns[at] = IndexColumn { column, source: ColumnSource::Expr(text) };
        Ok(())
    }

    fn move_to(&mut self, at: usize, position: Option<&ColumnPosition>) -> Result<()> {
        let Some(position) = position else { return Ok(()) };
        let moved = self.columns.remove(at);
        let to = match position {
            ColumnPosition::First => 0,
            ColumnPosition::After(name) => {
                let after = self.columns.iter().position(|c| c.column.name.eq_ignore_ascii_case(&name.value));
                let after = after.ok_or_else(|| err!(Analysis, "Column[{}] does not found", name.value))?;
                if self.columns[after].column.generated.is_some() && moved.column.generated.is_none() {
                    bail!(Analysis, "Getting analyzing error. Detail message: Can not modify column after Generated Column.");
                }
                after + 1
            }
        };
        if moved.column.key && to != at {
            (self.rewrite, self.resorted) = (true, true);
        }
        self.columns.insert(to, moved);
        Ok(())
    }

    /// All columns = their new order; some = the new sort key.
    fn order_by(&mut self, keys: &[SortKey]) -> Result<()> {
        let mut at = Vec::with_capacity(keys.len());
        for key in keys {
            let found = self.position(&key.column.value)?;
            if at.contains(&found) {
                bail!(Analysis, "Duplicate column name '{}' in ORDER BY", key.column.value);
            }
            at.push(found);
        }
        let all = at.len() == self.columns.len();
        if all && self.olap.sort_key.is_empty() && self.olap.keys != KeysModel::Primary {
            let key_order = |order: &[usize]| order.iter().filter(|i| self.columns[**i].column.key).copied().collect::<Vec<_>>();
            let before: Vec<usize> = (0..self.columns.len()).collect();
            let changes_keys = key_order(&before) != key_order(&at);
            self.rewrite |= changes_keys;
            self.resorted |= changes_keys;
            self.columns = at.iter().map(|i| self.columns[*i].clone()).collect();
            return Ok(());
        }
        if matches!(self.olap.keys, KeysModel::Aggregate | KeysModel::Unique) {
            let key_count = self.columns.iter().filter(|c| c.column.key).count();
            if at.len() != key_count || at.iter().any(|i| !self.columns[*i].column.key) {
                bail!(Analysis, "Sort columns of an {:?} table must be its key columns", self.olap.keys);
            }
        }
        for i in &at {
            let column = &self.columns[*i].column;
            if column.ty.is_float() || column.ty.is_nested() || column.ty.is_metric() || column.ty == LogicalType::Json {
                bail!(Analysis, "Type {} of column {} can not be in the sort key", debug_text(&column.ty), column.name);
            }
        }
        let sort_key: Vec<ColumnUid> = at.iter().map(|i| self.columns[*i].column.uid).collect();
        if sort_key != self.sort_key {
            self.sort_key = sort_key;
            (self.rewrite, self.resorted) = (true, true);
        }
        Ok(())
    }

    fn finish(self) -> Result<ColumnsChange> {
        let first_value = self.columns.iter().position(|c| !c.column.key).unwrap_or(self.columns.len());
        if self.columns[first_value..].iter().any(|c| c.column.key) {
            bail!(Analysis, "Invalid column order. value should be after key. index[{}]", self.table.name);
        }
        if let Some(i) = self.columns.iter().position(|c| c.column.generated.is_some()) {
            if self.columns[i..].iter().any(|c| c.column.generated.is_none()) {
                bail!(Analysis, "Generated columns must follow the ordinary columns");
            }
        }
        let short_key_columns = if self.resorted {
            let sorted: Vec<&Column> = if self.sort_key.is_empty() {
                self.columns.iter().map(|c| &c.column).filter(|c| c.key).collect()
            } else {
                self.sort_key.iter().filter_map(|uid| self.columns.iter().map(|c| &c.column).find(|c| c.uid == *uid)).collect()
            };
            short_key_count(&sorted)
        } else {
            self.olap.short_key_columns
        };
        Ok(ColumnsChange {
            columns: self.columns,
            sort_key: self.sort_key,
            short_key_columns,
            next_column_uid: self.next_uid,
            rewrite: self.rewrite,
        })
    }
}

/// Whether adding a value changes nothing.
fn is_zero(value: &Scalar) -> bool {
    match value {
        Scalar::Null => true,
        Scalar::Float(v) => *v == 0.0,
        Scalar::Double(v) => *v == 0.0,
        other => other.as_i128() == Some(0),
    }
}

/// Whether the text of an expression names a column.
pub fn names_column(text: &str, column: &str) -> bool {
    let Ok(expr) = fe_parser::parse_expr(text, &ParseOptions::default()) else { return false };
    let mut found = false;
    qualify::walk(&expr, &mut |e| match e {
        sql::Expr::Identifier(i) => found |= i.value.eq_ignore_ascii_case(column),
        sql::Expr::CompoundIdentifier(parts) => found |= parts.iter().any(|i| i.value.eq_ignore_ascii_case(column)),
        _ => {}
    });
    found
}

/// The text of an expression with a column under another name. Works on words, so that all else stays as the user wrote it.
pub fn rename_in_text(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len() + to.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = match c {
            '\'' | '"' | '`' => rest[1..].find(c).map_or(rest.len(), |i| i + 2),
            c if c.is_alphanumeric() || c == '_' => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        let is_call = after.trim_start().starts_with('(');
        if c == '`' && token.trim_matches('`').eq_ignore_ascii_case(from) {
            out.extend(["`", to, "`"]);
        } else if !is_call && token.eq_ignore_ascii_case(from) {
            out.push_str(to);
        } else {
            out.push_str(token);
        }
        rest = after;
    }
    out
}

/// Stored values are values of the new type as they are.
fn only_wider(from: &LogicalType, to: &LogicalType) -> bool {
    matches!((from, to), (LogicalType::Varchar(Some(a)), LogicalType::Varchar(Some(b))) if a <= b)
}

/// The conversions a schema change may do.
fn convertible(from: &LogicalType, to: &LogicalType) -> bool {
    use LogicalType as T;
    let decimal = |t: &T| if let T::Decimal { precision, scale, .. } = t { Some((*precision, *scale)) } else { None };
    match (from, to) {
        (T::TinyInt, T::SmallInt | T::Int | T::BigInt | T::LargeInt | T::Double | T::Varchar(_)) => true,
        (T::SmallInt, T::Int | T::BigInt | T::LargeInt | T::Double | T::Varchar(_)) => true,
        (T::Int, T::BigInt | T::LargeInt | T::Double | T::Date | T::Varchar(_)) => true,
        (T::BigInt, T::LargeInt | T::Double | T::Varchar(_)) => true,
        (T::LargeInt | T::Double | T::Json, T::Varchar(_)) => true,
        (T::Float, T::Double | T::Varchar(_)) => true,
        (T::Char(a), T::Char(b)) => a <= b,
        (T::Char(a), T::Varchar(Some(b))) | (T::Varchar(Some(a)), T::Varchar(Some(b))) => a <= b,
        (T::Char(_) | T::Varchar(_), T::Varchar(None)) => true,
        (T::Varchar(_), T::Json | T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::LargeInt | T::Float | T::Double | T::Date) => true,
        (T::Date, T::Datetime) | (T::Datetime, T::Date) => true,
        (T::Decimal { .. }, T::Varchar(_)) => true,
        (a, b) => match (decimal(a), decimal(b)) {
            (Some((p, s)), Some((q, r))) => q >= p && r >= s && i16::from(q) - i16::from(r) >= i16::from(p) - i16::from(s),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_widen() {
        use LogicalType as T;
        assert!(convertible(&T::Int, &T::BigInt) && convertible(&T::Int, &T::Date) && convertible(&T::varchar(), &T::Json));
        assert!(!convertible(&T::BigInt, &T::Int) && !convertible(&T::Int, &T::Float) && !convertible(&T::Boolean, &T::Int));
        assert!(convertible(&T::decimal(10, 2), &T::decimal(20, 4)) && !convertible(&T::decimal(10, 2), &T::decimal(10, 4)));
        assert!(only_wider(&T::Varchar(Some(3)), &T::Varchar(Some(9))) && !only_wider(&T::Char(3), &T::Char(9)));
    }

    #[test]
    fn columns_in_texts_are_names() {
        assert!(names_column("date_trunc('day', `dt`)", "DT"));
        assert_eq!(rename_in_text("date_trunc('day', dt) + dt(`DT`) + dt2", "dt", "d"), "date_trunc('day', d) + dt(`d`) + dt2");
        assert_eq!(rename_in_text("concat('dt', \"dt\")", "dt", "x"), "concat('dt', \"dt\")");
        assert!(!names_column("date_trunc('day', `dt2`)", "dt") && !names_column("concat('dt', a)", "dt"));
    }
}
