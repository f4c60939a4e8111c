//! The filter every SHOW shares: LIKE on one column, WHERE over all, ORDER BY, LIMIT.

use std::cmp::Ordering;

use common_base::{Result, bail};
use common_expr::eval::CompiledExpr;
use common_types::{Chunk, Column, Scalar, compare::compare_rows};
use fe_analyzer::{NamedColumn, SessionFacts, bind_scalar_expr};
use fe_parser::ast::{ShowFilter, sql};

use super::Table;
use crate::{
    result::rows_to_chunk,
    session::{Session, facts::Facts},
    statement::plan::analyze_context,
    view::SnapshotView,
};

/// Keeps, orders and cuts the rows as the statement asks.
pub fn apply(session: &Session, filter: &ShowFilter, mut table: Table) -> Result<Table> {
    if let Some(pattern) = &filter.like {
        let (column, sensitive) = (table.like, table.case_sensitive);
        table.rows.retain(|row| row.get(column).and_then(Scalar::as_str).is_some_and(|value| like(value, pattern, sensitive)));
    }
    if filter.selection.is_some() || !filter.order_by.is_empty() {
        let evaluator = Evaluator::new(session, &table)?;
        if let Some(selection) = &filter.selection {
            let keep = evaluator.eval(selection)?;
            let mut index = 0;
            table.rows.retain(|_| {
                index += 1;
                matches!(keep.scalar(index - 1), Scalar::Boolean(true))
            });
        }
        if !filter.order_by.is_empty() {
            order(session, &mut table, &filter.order_by)?;
        }
    }
    if let Some(limit) = &filter.limit {
        let (offset, count) = bounds(limit)?;
        let rows = std::mem::take(&mut table.rows);
        table.rows = rows.into_iter().skip(offset).take(count).collect();
    }
    Ok(table)
}

/// Evaluates expressions over the rows of a table, columns by their names.
struct Evaluator<'a> {
    session: &'a Session,
    names: Vec<NamedColumn>,
    chunk: Chunk,
}

impl<'a> Evaluator<'a> {
    fn new(session: &'a Session, table: &Table) -> Result<Self> {
        let column = |(i, c): (usize, &crate::ResultColumn)| NamedColumn { name: c.name.clone(), id: i as u32, ty: c.ty.clone(), nullable: true };
        let mut names: Vec<NamedColumn> = table.columns.iter().enumerate().map(column).collect();
        let alias = |(name, i): &(&str, usize)| NamedColumn { name: (*name).to_owned(), ..names[*i].clone() };
        let aliases: Vec<NamedColumn> = table.aliases.iter().map(alias).collect();
        names.extend(aliases);
        Ok(Self { session, names, chunk: rows_to_chunk(&table.columns, &table.rows)? })
    }

    fn eval(&self, expr: &sql::Expr) -> Result<Column> {
        let facts = Facts::of(self.session);
        let view = SnapshotView { engine: &self.session.engine, catalog: self.session.engine.meta.snapshot() };
        let mut ctx = analyze_context(self.session, &view, &facts, &[]);
        for name in self.names.iter().take(self.chunk.width()) {
            ctx.columns.computed(name.name.clone(), name.ty.clone(), true);
        }
        let bound = bind_scalar_expr(&ctx, expr, &self.names)?;
        CompiledExpr::compile(&bound).eval(facts.eval(), &self.chunk)
    }
}

fn order(session: &Session, table: &mut Table, keys: &[sql::OrderByExpr]) -> Result<()> {
    let evaluator = Evaluator::new(session, table)?;
    let mut columns = Vec::with_capacity(keys.len());
    for key in keys {
        let descending = match key.options.sort {
            None | Some(sql::OrderBySort::Asc) => false,
            Some(sql::OrderBySort::Desc) => true,
            _ => bail!(NotSupported, "ORDER BY USING is not supported"),
        };
        let nulls_first = key.options.nulls_first.unwrap_or(!descending);
        let column = match position(&key.expr, table.columns.len())? {
            Some(i) => evaluator.chunk.column(i).clone(),
            None => evaluator.eval(&key.expr)?,
        };
        columns.push((column, nulls_first, descending));
    }
    let mut permutation: Vec<usize> = (0..table.rows.len()).collect();
    permutation.sort_by(|a, b| {
        let by = |(column, nulls_first, descending): &(Column, bool, bool)| compare_rows(column, *a, column, *b, *nulls_first, *descending);
        columns.iter().map(by).find(|o| *o != Ordering::Equal).unwrap_or(Ordering::Equal)
    });
    let mut rows: Vec<Option<Vec<Scalar>>> = std::mem::take(&mut table.rows).into_iter().map(Some).collect();
    table.rows = permutation.into_iter().filter_map(|i| rows[i].take()).collect();
    Ok(())
}

/// `ORDER BY 2` names a column by its position.
fn position(expr: &sql::Expr, columns: usize) -> Result<Option<usize>> {
    match number(expr) {
        None => Ok(None),
        Some(n) if (1..=columns).contains(&n) => Ok(Some(n - 1)),
        Some(n) => bail!(Analysis, "Getting analyzing error. Detail message: ORDER BY position {n} is not in select list."),
    }
}

fn number(expr: &sql::Expr) -> Option<usize> {
    match expr {
        sql::Expr::Value(sql::ValueWithSpan { value: sql::Value::Number(n, _), .. }) => n.to_string().parse().ok(),
        _ => None,
    }
}

fn bounds(limit: &sql::LimitClause) -> Result<(usize, usize)> {
    let (limit, offset) = match limit {
        sql::LimitClause::LimitOffset { limit, offset, .. } => (limit.as_ref(), offset.as_ref().map(|o| &o.value)),
        sql::LimitClause::OffsetCommaLimit { offset, limit } => (Some(limit), Some(offset)),
    };
    let value = |e: Option<&sql::Expr>, default: usize| match e {
        None => Ok(default),
        Some(e) => number(e).ok_or_else(|| common_base::err!(Analysis, "Getting analyzing error. Detail message: LIMIT of SHOW takes a number.")),
    };
    Ok((value(offset, 0)?, value(limit, usize::MAX)?))
}

/// SQL LIKE with `%`, `_` and backslash.
pub fn like(value: &str, pattern: &str, case_sensitive: bool) -> bool {
    let fold = |s: &str| -> Vec<char> { if case_sensitive { s.chars().collect() } else { s.to_lowercase().chars().collect() } };
    let (value, pattern) = (fold(value), fold(pattern));
    // After a mismatch the last `%` takes one more character.
    let (mut v, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while v < value.len() {
        let (matches, width) = match pattern.get(p) {
            Some('%') => {
                retry = Some((p, v));
                p += 1;
                continue;
            }
            Some('_') => (true, 1),
            Some('\\') if p + 1 < pattern.len() => (pattern[p + 1] == value[v], 2),
            Some(c) => (*c == value[v], 1),
            None => (false, 0),
        };
        if matches {
            (v, p) = (v + 1, p + width);
        } else if let Some((star, from)) = retry {
            retry = Some((star, from + 1));
            (v, p) = (from + 1, star + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn like_patterns() {
        assert!(like("version_comment", "%version%", false));
        assert!(like("lower_case_table_names", "lower_case_%", false));
        assert!(like("aXbXc", "a%b%c", true));
        assert!(like("abc", "ABC", false));
        assert!(!like("abc", "ABC", true));
        assert!(like("gtid_mode", "gtid\\_mode", false));
        assert!(!like("gtidxmode", "gtid\\_mode", false));
        assert!(like("", "%", true));
        assert!(!like("abcd", "abc", true));
    }
}
