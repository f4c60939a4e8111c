//! Joins: kinds, ON, USING, NATURAL, hints; subqueries in ON.

use common_base::{Result, bail, err};
use common_expr::expr::Expr;
use fe_parser::ast::{
    encoding,
    sql::{Join, JoinConstraint, JoinOperator},
};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{ApplyKind, JoinHint, JoinKind},
};

use crate::{
    binder::{Binder, Clause, PendingApply},
    names,
    scope::{Field, Scope},
};

use super::{asof, from::Relation, with_applies, with_filter};

/// The kind and its name in messages.
pub(super) fn kind_of(operator: &JoinOperator) -> Result<(JoinKind, &'static str, &JoinConstraint)> {
    Ok(match operator {
        JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::StraightJoin(c) => {
            (JoinKind::Inner, "INNER JOIN", c)
        }
        JoinOperator::CrossJoin(c) => (JoinKind::Cross, "CROSS JOIN", c),
        JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (JoinKind::LeftOuter, "LEFT OUTER JOIN", c),
        JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (JoinKind::RightOuter, "RIGHT OUTER JOIN", c),
        JoinOperator::FullOuter(c) => (JoinKind::FullOuter, "FULL OUTER JOIN", c),
        JoinOperator::Semi(c) | JoinOperator::LeftSemi(c) => (JoinKind::LeftSemi, "LEFT SEMI JOIN", c),
        JoinOperator::RightSemi(c) => (JoinKind::RightSemi, "RIGHT SEMI JOIN", c),
        JoinOperator::Anti(c) | JoinOperator::LeftAnti(c) => (JoinKind::LeftAnti, "LEFT ANTI JOIN", c),
        JoinOperator::RightAnti(c) => (JoinKind::RightAnti, "RIGHT ANTI JOIN", c),
        JoinOperator::AsOf { match_condition, constraint } => match encoding::asof_is_left(match_condition) {
            true => (JoinKind::AsofLeft, "ASOF LEFT OUTER JOIN", constraint),
            false => (JoinKind::AsofInner, "ASOF INNER JOIN", constraint),
        },
        _ => bail!(NotSupported, "Unsupported join type"),
    })
}

impl Binder<'_> {
    pub(super) fn bind_join(&mut self, left: Relation, right: Relation, join: &Join) -> Result<Relation> {
        left.scope.check_unique(&right.scope)?;
        let (kind, text, constraint) = kind_of(&join.join_operator)?;
        let hint = match encoding::join_hint(&join.relation) {
            Some("BROADCAST") => JoinHint::Broadcast,
            Some("SHUFFLE") => JoinHint::Shuffle,
            Some("BUCKET") => JoinHint::Bucket,
            Some("COLOCATE") => JoinHint::Colocate,
            Some("UNREORDER") => JoinHint::Unreorder,
            _ => JoinHint::None,
        };
        match constraint {
            JoinConstraint::On(condition) => {
                let (on, applies, left, right) = self.bind_on(left, right, condition)?;
                self.join(left, right, kind, hint, on, applies)
            }
            JoinConstraint::Using(columns) => {
                let columns: Vec<String> = columns.iter().filter_map(|c| names::parts(c).pop()).collect();
                self.join_using(left, right, kind, hint, &columns)
            }
            JoinConstraint::Natural => {
                let columns: Vec<String> = left
                    .scope
                    .fields
                    .iter()
                    .filter(|l| right.scope.fields.iter().any(|r| r.name.eq_ignore_ascii_case(&l.name)))
                    .map(|f| f.name.clone())
                    .collect();
                self.join_using(left, right, kind, hint, &columns)
            }
            JoinConstraint::None => match kind {
                JoinKind::Inner | JoinKind::Cross => {
                    self.join(left, right, JoinKind::Cross, hint, Vec::new(), Vec::new())
                }
                _ => bail!(Analysis, "{text} requires an ON or USING clause."),
            },
        }
    }

    /// The condition's conjuncts and the subqueries in it.
    fn bind_on(
        &mut self,
        left: Relation,
        right: Relation,
        condition: &fe_parser::ast::sql::Expr,
    ) -> Result<(Vec<Expr>, Vec<PendingApply>, Relation, Relation)> {
        let split = left.scope.fields.len();
        let relations = left.scope.relations.len();
        let outer_applies = std::mem::take(&mut self.frame().applies);
        let bound = self.in_scope(left.scope.join(right.scope), Clause::On, |b| {
            let condition = b.bind_expr(condition)?;
            b.to_boolean(condition)
        });
        let applies = std::mem::replace(&mut self.frame().applies, outer_applies);
        let (condition, mut scope) = bound?;
        let right_scope =
            Scope { fields: scope.fields.split_off(split), relations: scope.relations.split_off(relations) };
        Ok((
            condition.into_conjuncts(),
            applies,
            Relation { plan: left.plan, scope },
            Relation { plan: right.plan, scope: right_scope },
        ))
    }

    fn join(
        &mut self,
        left: Relation,
        right: Relation,
        kind: JoinKind,
        hint: JoinHint,
        on: Vec<Expr>,
        applies: Vec<PendingApply>,
    ) -> Result<Relation> {
        for e in &on {
            check_join_key(e)?;
        }
        if matches!(kind, JoinKind::AsofInner | JoinKind::AsofLeft) {
            asof::check(&on, &left, &right)?;
        }
        self.mark_nullable(&left, &right, kind);
        let (left_plan, right_plan, on, above, filter) = place_applies(left.plan, right.plan, kind, on, applies)?;
        let kind = if kind == JoinKind::Cross && !on.is_empty() { JoinKind::Inner } else { kind };
        let kind = if kind == JoinKind::Inner && on.is_empty() { JoinKind::Cross } else { kind };
        let plan = LogicalNode::binary(LogicalOp::Join { kind, on, hint }, left_plan, right_plan);
        let plan = with_filter(with_applies(plan, above), filter);
        let scope = match kind {
            JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::NullAwareLeftAnti => left.scope,
            JoinKind::RightSemi | JoinKind::RightAnti => right.scope,
            _ => left.scope.join(right.scope),
        };
        Ok(Relation { plan, scope })
    }

    /// Columns an outer join may fill with NULLs.
    fn mark_nullable(&mut self, left: &Relation, right: &Relation, kind: JoinKind) {
        let mut mark = |r: &Relation| r.plan.output().into_iter().for_each(|id| self.columns.make_nullable(id));
        if matches!(kind, JoinKind::LeftOuter | JoinKind::AsofLeft | JoinKind::FullOuter) {
            mark(right);
        }
        if matches!(kind, JoinKind::RightOuter | JoinKind::FullOuter) {
            mark(left);
        }
    }

    fn join_using(
        &mut self,
        left: Relation,
        right: Relation,
        kind: JoinKind,
        hint: JoinHint,
        columns: &[String],
    ) -> Result<Relation> {
        let mut on = Vec::with_capacity(columns.len());
        let mut pairs: Vec<(Field, Field)> = Vec::with_capacity(columns.len());
        for name in columns {
            let (Some(l), Some(r)) = (left.scope.find(&[], name)?.cloned(), right.scope.find(&[], name)?.cloned())
            else {
                bail!(Analysis, "USING column '{name}' not found in both tables");
            };
            self.note_use(l.source, &l.name);
            self.note_use(r.source, &r.name);
            let (le, re) = (self.columns.reference(l.id), self.columns.reference(r.id));
            on.push(self.compare("eq", le, re)?);
            pairs.push((l, r));
        }
        let left_scope = left.scope.clone();
        let right_scope = right.scope.clone();
        let kind = if kind == JoinKind::Cross { JoinKind::Inner } else { kind };
        let joined = self.join(left, right, kind, hint, on, Vec::new())?;
        if matches!(kind, JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::RightSemi | JoinKind::RightAnti) {
            return Ok(joined);
        }
        let mut plan = joined.plan;
        let mut computed = Vec::new();
        let mut fields = Vec::with_capacity(left_scope.fields.len() + right_scope.fields.len());
        for (l, r) in &pairs {
            // The column of the preserved side goes on under that side's name; a merged one has no table.
            let (id, source, relation) = match kind {
                JoinKind::RightOuter => (r.id, r.source, r.relation.clone()),
                JoinKind::FullOuter => {
                    let value = self.bind_coalesce(vec![self.columns.reference(l.id), self.columns.reference(r.id)])?;
                    let id = self.columns.computed(l.name.clone(), value.ty.clone(), value.nullable);
                    computed.push((id, value));
                    (id, None, None)
                }
                _ => (l.id, l.source, l.relation.clone()),
            };
            fields.push(Field { relation, name: l.name.clone(), id, source });
        }
        plan = self.project_more(plan, computed);
        let merged = |f: &&Field, left: bool| {
            !pairs.iter().any(|(l, r)| (if left { l.id } else { r.id }) == f.id && f.name.eq_ignore_ascii_case(&l.name))
        };
        fields.extend(left_scope.fields.iter().filter(|f| merged(f, true)).cloned());
        fields.extend(right_scope.fields.iter().filter(|f| merged(f, false)).cloned());
        let mut relations = left_scope.relations;
        relations.extend(right_scope.relations);
        Ok(Relation { plan, scope: Scope { fields, relations } })
    }
}

/// Where the subqueries of an ON clause go: above an inner join, else beside the only input they concern. Gives the inputs, the
/// join's conditions, and what stands above the join.
#[allow(clippy::type_complexity)]
fn place_applies(
    mut left: LogicalNode,
    mut right: LogicalNode,
    kind: JoinKind,
    on: Vec<Expr>,
    applies: Vec<PendingApply>,
) -> Result<(LogicalNode, LogicalNode, Vec<Expr>, Vec<PendingApply>, Vec<Expr>)> {
    if applies.is_empty() {
        return Ok((left, right, on, Vec::new(), Vec::new()));
    }
    if matches!(kind, JoinKind::Inner | JoinKind::Cross) {
        let outputs: Vec<_> = applies.iter().map(|a| a.output).collect();
        let (above, on) = on.into_iter().partition(|e| e.columns().iter().any(|c| outputs.contains(c)));
        return Ok((left, right, on, applies, above));
    }
    let (left_columns, right_columns) = (left.output(), right.output());
    for a in applies {
        let mut used = a.correlated.clone();
        if let ApplyKind::In { left, .. } = &a.kind {
            used.extend(left.iter().flat_map(Expr::columns));
        }
        used.retain(|c| left_columns.contains(c) || right_columns.contains(c));
        if used.iter().all(|c| right_columns.contains(c)) {
            right = with_applies(right, vec![a]);
        } else if used.iter().all(|c| left_columns.contains(c)) {
            left = with_applies(left, vec![a]);
        } else {
            bail!(NotSupported, "Not support the subquery! It uses both sides of an outer join in its ON clause");
        }
    }
    Ok((left, right, on, Vec::new(), Vec::new()))
}

/// Keys of types that cannot be hashed are refused.
fn check_join_key(e: &Expr) -> Result<()> {
    for name in ["eq", "null_safe_eq"] {
        if let Some(args) = e.as_call(name) {
            if args.iter().any(|a| !a.ty.is_groupable()) && args.iter().all(|a| !a.columns().is_empty()) {
                return Err(err!(Analysis, "Type (nested) percentile/hll/bitmap/json not support join"));
            }
        }
    }
    Ok(())
}
