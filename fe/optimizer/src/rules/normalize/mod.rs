//! Normalization, one rule a file, applied in the order of [`RULES`]; `stored_form.rs` and `implication.rs` serve several.
//!
//! A rule walks the whole tree itself: most of them carry something down (conditions, needed columns, limits), which a
//! pattern-by-pattern engine would have to pass through every operator one step at a time.

mod aggregate_distinct;
mod aggregate_keys;
mod aggregate_sum_constant;
mod choose_index;
mod decorrelate;
mod generated_columns;
mod implication;
mod inline_cte;
mod json_paths;
mod merge_projects;
mod or_predicates;
mod prune_columns;
mod push_filter;
mod push_limit;
mod set_operations;
mod simplify_joins;
mod stored_form;
mod unwrap_casts;

use common_base::Result;
use common_expr::expr::ColumnId;
use fe_plan::LogicalNode;

use crate::context::Context;

/// A rule: a whole-tree rewrite that keeps the columns `output` of the root.
type Rule = fn(LogicalNode, &[ColumnId], &mut Context<'_>) -> Result<LogicalNode>;

/// Name and rule, in order.
const RULES: &[(&str, Rule)] = &[
    ("inline_cte", |n, _, c| inline_cte::run(n, c)),
    ("decorrelate", |n, _, c| decorrelate::run(n, c)),
    ("set_operations", |n, _, c| set_operations::run(n, c)),
    ("push_filter", |n, _, c| push_filter::run(n, c)),
    ("generated_columns", |n, _, c| generated_columns::run(n, c)),
    ("prune_columns", prune_columns::run),
    ("merge_projects", |n, _, c| merge_projects::run(n, c)),
    ("aggregate_keys", |n, _, c| aggregate_keys::run(n, c)),
    ("choose_index", |n, _, c| choose_index::run(n, c)),
    ("aggregate_sum_constant", |n, _, c| aggregate_sum_constant::run(n, c)),
    ("aggregate_distinct", |n, _, c| aggregate_distinct::run(n, c)),
    ("prune_columns again", prune_columns::run),
    ("merge_projects again", |n, _, c| merge_projects::run(n, c)),
    ("push_limit", |n, _, c| push_limit::run(n, c)),
    ("merge_projects at last", |n, _, c| merge_projects::run(n, c)),
    ("json_paths", json_paths::run),
];

/// Brings a plan to normal form.
pub fn normalize(mut node: LogicalNode, output: &[ColumnId], ctx: &mut Context<'_>) -> Result<LogicalNode> {
    for (_, rule) in RULES {
        node = rule(node, output, ctx)?;
    }
    Ok(node)
}
