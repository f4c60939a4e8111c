//! The select list: `*`, `t.*`, EXCEPT lists, items with their headers.

use std::rc::Rc;

use common_base::{Result, bail, err};
use fe_parser::ast::sql::{self, ExcludeSelectItem, SelectItemQualifiedWildcardKind, WildcardAdditionalOptions};
use fe_parser::print::expr_header as item_header;

use crate::{
    binder::{Binder, SelectItem},
    names,
    scope::Field,
};

impl Binder<'_> {
    /// The items of a select list after expansion of stars.
    pub(crate) fn select_items(&mut self, projection: &[sql::SelectItem]) -> Result<Vec<SelectItem>> {
        let mut items = Vec::with_capacity(projection.len());
        for item in projection {
            match item {
                sql::SelectItem::UnnamedExpr(e) => items.push(SelectItem {
                    name: item_header(e),
                    alias: None,
                    syntax: Some(Rc::new(e.clone())),
                    bound: None,
                    binding: false,
                }),
                sql::SelectItem::ExprWithAlias { expr, alias } => items.push(SelectItem {
                    name: alias.value.clone(),
                    alias: Some(alias.value.clone()),
                    syntax: Some(Rc::new(expr.clone())),
                    bound: None,
                    binding: false,
                }),
                sql::SelectItem::Wildcard(options) => {
                    let fields = self.frame().scope.fields.clone();
                    if fields.is_empty() {
                        bail!(NoTablesUsed, "No tables used");
                    }
                    self.push_star(fields, options, "*", &mut items)?;
                }
                sql::SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    let parts = names::parts(name);
                    let qualifier: Vec<&str> = parts.iter().map(String::as_str).collect();
                    let fields: Vec<Field> = self
                        .frame()
                        .scope
                        .of_relation(&qualifier)
                        .ok_or_else(|| err!(UnknownTable, "Unknown table '{}'", parts.join(".")))?
                        .into_iter()
                        .cloned()
                        .collect();
                    self.push_star(fields, options, &format!("{}.*", parts.join(".")), &mut items)?;
                }
                other => bail!(Analysis, "Unsupported select item '{other}'"),
            }
        }
        Ok(items)
    }

    fn push_star(
        &mut self,
        mut fields: Vec<Field>,
        options: &WildcardAdditionalOptions,
        text: &str,
        items: &mut Vec<SelectItem>,
    ) -> Result<()> {
        let mut excluded: Vec<String> = Vec::new();
        if let Some(except) = &options.opt_except {
            excluded.push(except.first_element.value.clone());
            excluded.extend(except.additional_elements.iter().map(|i| i.value.clone()));
        }
        match &options.opt_exclude {
            Some(ExcludeSelectItem::Single(name)) => excluded.extend(names::parts(name).pop()),
            Some(ExcludeSelectItem::Multiple(many)) => {
                excluded.extend(many.iter().filter_map(|n| names::parts(n).pop()))
            }
            None => {}
        }
        if !excluded.is_empty() {
            let missing: Vec<&str> = excluded
                .iter()
                .filter(|e| !fields.iter().any(|f| f.name.eq_ignore_ascii_case(e)))
                .map(String::as_str)
                .collect();
            if !missing.is_empty() {
                bail!(Analysis, "Column(s) [{}] do not exist in {text}", missing.join(", "));
            }
            fields.retain(|f| !excluded.iter().any(|e| f.name.eq_ignore_ascii_case(e)));
            if fields.is_empty() {
                bail!(Analysis, "EXCLUDE clause removes all columns from {text}");
            }
        }
        if let (Some(stars), 0) = (&mut self.stars, self.view_depth) {
            let columns =
                fields.iter().map(|f| (f.relation.as_ref().map(|r| r.table.clone()), f.name.clone())).collect();
            stars.insert(crate::statement::star_place(options), columns);
        }
        for field in fields {
            self.note_use(field.source, &field.name);
            items.push(SelectItem {
                name: field.name,
                alias: None,
                syntax: None,
                bound: Some(self.columns.reference(field.id)),
                binding: false,
            });
        }
        Ok(())
    }
}
