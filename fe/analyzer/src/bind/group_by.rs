//! GROUP BY: keys by position, alias or expression; ROLLUP, CUBE and GROUPING SETS as lists of key sets.

use common_base::{Result, bail};
use common_expr::expr::Expr;
use fe_parser::ast::sql::{self, GroupByExpr};

use crate::binder::{Binder, Clause};

use super::order_by::ordinal;

/// CUBE of more keys makes too many sets.
const MAX_CUBE_KEYS: usize = 16;

/// A bound GROUP BY.
#[derive(Default)]
pub(crate) struct GroupBy {
    /// Whether there is one at all.
    pub present: bool,
    /// Distinct key expressions in order.
    pub keys: Vec<Expr>,
    /// Indices of keys per grouping set; None for a plain list.
    pub sets: Option<Vec<Vec<usize>>>,
}

/// Whether the clause has grouping sets of any form.
pub(crate) fn has_sets(clause: &GroupByExpr) -> bool {
    match clause {
        GroupByExpr::All(_) => false,
        GroupByExpr::Expressions(items, modifiers) => {
            !modifiers.is_empty()
                || items
                    .iter()
                    .any(|e| matches!(e, sql::Expr::Rollup(_) | sql::Expr::Cube(_) | sql::Expr::GroupingSets(_)))
        }
    }
}

impl Binder<'_> {
    pub(crate) fn bind_group_by(&mut self, clause: &GroupByExpr) -> Result<GroupBy> {
        let GroupByExpr::Expressions(items, modifiers) = clause else {
            bail!(NotSupported, "GROUP BY ALL is not supported")
        };
        if !modifiers.is_empty() {
            bail!(NotSupported, "GROUP BY … WITH ROLLUP is not supported, use GROUP BY ROLLUP(…)");
        }
        if items.is_empty() {
            return Ok(GroupBy::default());
        }
        let mut group = GroupBy { present: true, ..GroupBy::default() };
        self.in_clause(Clause::GroupBy, |b| match items.as_slice() {
            [sql::Expr::Rollup(sets)] => {
                let elements = b.key_sets(sets, &mut group)?;
                let all = (0..=elements.len()).rev().map(|n| flatten(&elements[..n])).collect();
                group.sets = Some(all);
                Ok(())
            }
            [sql::Expr::Cube(sets)] => {
                let elements = b.key_sets(sets, &mut group)?;
                if elements.len() > MAX_CUBE_KEYS {
                    bail!(Analysis, "CUBE of {} columns exceeds the limit of {MAX_CUBE_KEYS}", elements.len());
                }
                let all = (0..1u32 << elements.len())
                    .rev()
                    .map(|mask| {
                        let kept: Vec<Vec<usize>> = elements
                            .iter()
                            .enumerate()
                            .filter(|(i, _)| mask & (1 << (elements.len() - 1 - i)) != 0)
                            .map(|(_, e)| e.clone())
                            .collect();
                        flatten(&kept)
                    })
                    .collect();
                group.sets = Some(all);
                Ok(())
            }
            [sql::Expr::GroupingSets(sets)] => {
                group.sets = Some(b.key_sets(sets, &mut group)?);
                Ok(())
            }
            plain => {
                for e in plain {
                    b.group_keys(e, &mut group)?;
                }
                Ok(())
            }
        })?;
        self.check_keys(&group)?;
        Ok(group)
    }

    /// The keys of each element; keys are added to the group as they appear.
    fn key_sets(&mut self, sets: &[Vec<sql::Expr>], group: &mut GroupBy) -> Result<Vec<Vec<usize>>> {
        let mut out = Vec::with_capacity(sets.len());
        for set in sets {
            let mut keys = Vec::new();
            for e in set {
                for key in self.group_keys(e, group)? {
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
            }
            out.push(keys);
        }
        Ok(out)
    }

    /// Indices of the keys one item stands for.
    fn group_keys(&mut self, item: &sql::Expr, group: &mut GroupBy) -> Result<Vec<usize>> {
        match item {
            sql::Expr::Tuple(items) => {
                let mut out = Vec::new();
                for e in items {
                    out.extend(self.group_keys(e, group)?);
                }
                return Ok(out);
            }
            sql::Expr::Rollup(_) | sql::Expr::Cube(_) | sql::Expr::GroupingSets(_) => {
                bail!(NotSupported, "Mixing plain keys with ROLLUP, CUBE or GROUPING SETS is not supported")
            }
            _ => {}
        }
        let level = self.frames.len() - 1;
        let key = match ordinal(item) {
            Some(text) => {
                let items = self.frames[level].items.len();
                match text.parse::<usize>() {
                    Ok(n) if (1..=items).contains(&n) => self.bind_item(level, n - 1)?,
                    _ => bail!(Analysis, "Group by position {text} is not in select list"),
                }
            }
            None => self.bind_expr(item)?,
        };
        let at = match group.keys.iter().position(|k| *k == key) {
            Some(at) => at,
            None => {
                group.keys.push(key);
                group.keys.len() - 1
            }
        };
        Ok(vec![at])
    }

    fn check_keys(&mut self, group: &GroupBy) -> Result<()> {
        let frame = self.frame();
        for key in &group.keys {
            for id in key.columns() {
                if frame.aggregates.iter().any(|(a, ..)| *a == id) {
                    bail!(Analysis, "GROUP BY clause cannot contain aggregations");
                }
                if frame.windows.iter().any(|w| w.id == id) {
                    bail!(Analysis, "GROUP BY clause cannot contain window function");
                }
            }
            if !key.ty.is_groupable() {
                bail!(Analysis, "Type (nested) percentile/hll/bitmap/json not support group-by");
            }
        }
        Ok(())
    }
}

fn flatten(elements: &[Vec<usize>]) -> Vec<usize> {
    let mut out: Vec<usize> = Vec::new();
    for key in elements.iter().flatten() {
        if !out.contains(key) {
            out.push(*key);
        }
    }
    out
}
