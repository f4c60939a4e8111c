//! WITH: each CTE is bound once where it is defined. When the query is done, a CTE read once is inlined, one read more often is
//! anchored above the query, one never read vanishes.

use common_base::{Result, bail};
use fe_parser::ast::sql;
use fe_plan::{LogicalNode, LogicalOp};

use crate::{
    binder::{Binder, BoundQuery, CteDef},
    plan_util,
};

/// A statement with more CTEs than this, those of its views counted, is refused: a chain of them makes a plan as deep as it is long.
const MAX_CTES: u32 = 500;

/// A bound CTE waiting for its place in the plan.
pub(crate) struct Producer {
    id: u32,
    name: String,
    plan: LogicalNode,
}

impl Binder<'_> {
    pub(crate) fn bind_with(&mut self, with: &sql::With) -> Result<Vec<Producer>> {
        let mut producers: Vec<Producer> = Vec::with_capacity(with.cte_tables.len());
        for cte in &with.cte_tables {
            let name = &cte.alias.name.value;
            if producers.iter().any(|p| p.name.eq_ignore_ascii_case(name)) {
                bail!(NotUniqueTableOrAlias, "Not unique table/alias: '{name}'");
            }
            let floor = std::mem::replace(&mut self.frame_floor, self.frames.len());
            let bound = self.bind_query(&cte.query);
            self.frame_floor = floor;
            let bound = bound.map_err(|e| if with.recursive { recursive(e) } else { e })?;
            let mut output = bound.output;
            if !cte.alias.columns.is_empty() {
                if cte.alias.columns.len() != output.len() {
                    bail!(
                        Analysis,
                        "Column alias list of '{name}' has {} names for {} columns",
                        cte.alias.columns.len(),
                        output.len()
                    );
                }
                for (column, alias) in output.iter_mut().zip(&cte.alias.columns) {
                    column.name.clone_from(&alias.name.value);
                }
            }
            let id = self.next_cte;
            self.next_cte += 1;
            if self.next_cte > MAX_CTES {
                bail!(Analysis, "The number of common table expressions exceeds the limit of {MAX_CTES}");
            }
            self.ctes.push(CteDef { name: name.clone(), id, output });
            producers.push(Producer { id, name: name.clone(), plan: bound.plan });
        }
        Ok(producers)
    }

    /// A reader of a CTE in sight.
    pub(crate) fn bind_cte_reference(&mut self, name: &str) -> Option<BoundQuery> {
        let def = self.ctes.iter().rev().find(|c| c.name.eq_ignore_ascii_case(name))?;
        let (cte, cte_name) = (def.id, def.name.clone());
        let made = def.output.clone();
        let mut output = Vec::with_capacity(made.len());
        let mut columns = Vec::with_capacity(made.len());
        for mut column in made {
            let producer = column.id;
            let own =
                self.columns.computed(column.name.clone(), column.ty.clone(), self.columns.info(producer).nullable);
            columns.push((own, producer));
            column.id = own;
            output.push(column);
        }
        Some(BoundQuery { plan: LogicalNode::leaf(LogicalOp::CteConsume { cte, name: cte_name, columns }), output })
    }

    /// Puts the producers where they belong around the finished query, last defined first.
    pub(crate) fn place_ctes(&self, mut plan: LogicalNode, producers: Vec<Producer>) -> LogicalNode {
        for p in producers.into_iter().rev() {
            match plan_util::count_consumers(&plan, p.id) {
                0 => {}
                1 => plan_util::inline_cte(&mut plan, p.id, &mut Some(p.plan), &self.columns),
                _ => plan = LogicalNode::binary(LogicalOp::CteAnchor { cte: p.id, name: p.name }, p.plan, plan),
            }
        }
        plan
    }
}

fn recursive(e: common_base::Error) -> common_base::Error {
    if e.code() == common_base::ErrorCode::UnknownTable || e.code() == common_base::ErrorCode::NoDatabaseSelected {
        return common_base::Error::not_supported("Recursive CTEs are not supported");
    }
    e
}
