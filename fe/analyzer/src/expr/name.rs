//! Column names: lambda parameters, then the query's own fields and aliases, then enclosing queries.

use std::rc::Rc;

use common_base::{Result, bail, err};
use common_expr::expr::{ColumnId, Expr};
use common_types::LogicalType;

use crate::{
    binder::{Binder, Clause},
    scope::unresolved,
};

impl Binder<'_> {
    /// Resolves `[catalog.][db.][table.]column[.field…]`.
    pub fn bind_name(&mut self, parts: &[&str]) -> Result<Expr> {
        if let Some(param) = self.lambda_params.iter().rev().find(|p| p.name.eq_ignore_ascii_case(parts[0])) {
            let base = Expr::column(param.id, param.ty.clone(), true);
            return self.struct_fields(base, &parts[1..]);
        }
        let Some(top) = self.frames.len().checked_sub(1).filter(|t| *t >= self.frame_floor) else {
            return Err(unresolved(parts));
        };
        if self.aliases_first(top) {
            if let Some(found) = self.bind_alias(top, parts)? {
                return Ok(found);
            }
        }
        for level in (self.frame_floor..=top).rev() {
            if let Some(found) = self.bind_field(level, top, parts)? {
                return Ok(found);
            }
            if level == top {
                if let Some(found) = self.bind_alias(top, parts)? {
                    return Ok(found);
                }
            }
        }
        Err(unresolved(parts))
    }

    fn aliases_first(&self, level: usize) -> bool {
        let frame = &self.frames[level];
        match frame.clause {
            Clause::OrderBy => true,
            Clause::GroupBy | Clause::Having => frame.alias_first,
            _ => false,
        }
    }

    fn aliases_visible(clause: Clause) -> bool {
        !matches!(clause, Clause::Where | Clause::On | Clause::Values)
    }

    /// A field of the FROM clause at one level, with what follows as struct fields.
    fn bind_field(&mut self, level: usize, top: usize, parts: &[&str]) -> Result<Option<Expr>> {
        for qualifier in (0..parts.len().min(4)).rev() {
            let scope = &self.frames[level].scope;
            let found = scope.find(&parts[..qualifier], parts[qualifier]).map_err(|e| {
                if qualifier == 0 { e } else { err!(Analysis, "Column '{}' is ambiguous", parts[qualifier]) }
            })?;
            let Some(field) = found else { continue };
            let (id, source, name) = (field.id, field.source, field.name.clone());
            let fields = &parts[qualifier + 1..];
            if !fields.is_empty() && !matches!(self.columns.info(id).ty, LogicalType::Struct(_)) {
                if qualifier == 0 && parts.len() == 2 {
                    // `a.b` where a is a plain column: most likely a wrong table prefix.
                    continue;
                }
                bail!(
                    Analysis,
                    "{} must be a struct type, check if you are using `{}`",
                    parts[qualifier],
                    parts.join(".")
                );
            }
            self.note_use(source, &name);
            self.note_correlation(id, level, top);
            let base = self.columns.reference(id);
            return self.struct_fields(base, fields).map(Some);
        }
        Ok(None)
    }

    /// Records that a column of the frame at `level` is used in the frame `top`.
    fn note_correlation(&mut self, id: ColumnId, level: usize, top: usize) {
        for frame in &mut self.frames[level + 1..=top] {
            if !frame.correlated.contains(&id) {
                frame.correlated.push(id);
            }
        }
    }

    /// Records the use of a table's column, for privileges.
    pub fn note_use(&mut self, source: Option<usize>, column: &str) {
        let Some(at) = source else { return };
        let used = &mut self.tables[at].columns;
        if !used.iter().any(|c| c.eq_ignore_ascii_case(column)) {
            used.push(column.to_ascii_lowercase());
        }
    }

    /// A SELECT alias (in ORDER BY also a plain output column).
    fn bind_alias(&mut self, level: usize, parts: &[&str]) -> Result<Option<Expr>> {
        let frame = &self.frames[level];
        let clause = frame.clause;
        if !Self::aliases_visible(clause) || frame.items.is_empty() {
            return Ok(None);
        }
        let name = parts[0];
        let outputs_too = clause == Clause::OrderBy && parts.len() == 1;
        let found: Vec<usize> = frame
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| {
                let named = item.alias.as_deref().is_some_and(|a| a.eq_ignore_ascii_case(name));
                named
                    || outputs_too
                        && item.alias.is_none()
                        && item.name.eq_ignore_ascii_case(name)
                        && item.is_plain_column()
            })
            .map(|(i, _)| i)
            .collect();
        let Some(&first) = found.first() else { return Ok(None) };
        let value = self.bind_item(level, first)?;
        for &other in &found[1..] {
            if self.bind_item(level, other)? != value {
                if clause == Clause::OrderBy {
                    bail!(Analysis, "Column '{name}' is ambiguous");
                }
                bail!(Analysis, "Column {name} is ambiguous");
            }
        }
        if parts.len() > 1 && !matches!(value.ty, LogicalType::Struct(_)) {
            return Ok(None);
        }
        self.struct_fields(value, &parts[1..]).map(Some)
    }

    /// A select item's expression, bound on first use.
    pub fn bind_item(&mut self, level: usize, index: usize) -> Result<Expr> {
        let item = &mut self.frames[level].items[index];
        if let Some(bound) = &item.bound {
            return Ok(bound.clone());
        }
        if item.binding {
            bail!(Analysis, "Cyclic aliases: {}", item.alias.as_deref().unwrap_or(&item.name));
        }
        item.binding = true;
        let syntax = Rc::clone(item.syntax.as_ref().expect("an item without syntax is bound from the start"));
        let former = std::mem::replace(&mut self.frames[level].clause, Clause::Select);
        let bound = self.bind_expr(&syntax);
        self.frames[level].clause = former;
        let bound = bound?;
        let item = &mut self.frames[level].items[index];
        item.binding = false;
        item.bound = Some(bound.clone());
        Ok(bound)
    }
}

impl crate::binder::SelectItem {
    /// Whether the item is just a column.
    pub fn is_plain_column(&self) -> bool {
        match self.syntax.as_deref() {
            None => true,
            Some(fe_parser::ast::sql::Expr::Identifier(_) | fe_parser::ast::sql::Expr::CompoundIdentifier(_)) => true,
            Some(_) => false,
        }
    }
}
