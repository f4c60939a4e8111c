//! The typed scalar expression tree.
//!
//! Invariants: every node carries its result type; arguments of a call already have the exact types of the chosen overload
//! (casts are explicit nodes); aggregates, windows and subqueries never appear here — plan operators compute them and
//! expressions refer to their output columns.

use std::sync::Arc;

use common_types::{LogicalType, Scalar};

use crate::scalar_fn::ScalarOverload;

/// A column: in the FE the id of a plan column, on the BE the ordinal in the input chunk.
pub type ColumnId = u32;

/// An expression with its type.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: LogicalType,
    /// False only when the value is proven never NULL.
    pub nullable: bool,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    Literal(Scalar),
    Column(ColumnId),
    /// A resolved scalar function; every operator that is not a special form is one.
    Call { function: Arc<ScalarOverload>, args: Vec<Expr> },
    /// Three-valued AND of two or more BOOLEANs.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// First `when` that is TRUE gives its `then`; later branches see only the rows left.
    Case { branches: Vec<(Expr, Expr)>, otherwise: Option<Box<Expr>> },
    /// Conversion of the input to `ty`; what cannot be converted is NULL.
    Cast(Box<Expr>),
    IsNull { input: Box<Expr>, negated: bool },
    /// Members have the input's type.
    InList { input: Box<Expr>, list: Vec<Expr>, negated: bool },
    Coalesce(Vec<Expr>),
    /// Argument of a higher-order function. Parameters are columns `first_param..` of an extended chunk.
    Lambda { params: Vec<(ColumnId, LogicalType)>, body: Box<Expr> },
}

impl Expr {
    /// A literal of the scalar's own type.
    pub fn literal(value: Scalar) -> Self {
        let ty = value.ty();
        let nullable = value.is_null();
        Self { kind: ExprKind::Literal(value), ty, nullable }
    }

    /// A literal with a given type (typed NULLs, decimals of a wanted width).
    pub fn typed_literal(value: Scalar, ty: LogicalType) -> Self {
        let nullable = value.is_null();
        Self { kind: ExprKind::Literal(value), ty, nullable }
    }

    /// A typed NULL.
    pub fn null(ty: LogicalType) -> Self {
        Self { kind: ExprKind::Literal(Scalar::Null), ty, nullable: true }
    }

    /// A BOOLEAN literal.
    pub fn boolean(value: bool) -> Self {
        Self::literal(Scalar::Boolean(value))
    }

    /// A column reference.
    pub fn column(id: ColumnId, ty: LogicalType, nullable: bool) -> Self {
        Self { kind: ExprKind::Column(id), ty, nullable }
    }

    /// A call of a resolved overload.
    pub fn call(function: Arc<ScalarOverload>, args: Vec<Expr>) -> Self {
        let ty = function.result.clone();
        let nullable = function.result_nullable(&args);
        Self { kind: ExprKind::Call { function, args }, ty, nullable }
    }

    /// Conjunction; flattens nested ANDs, empty = TRUE, one = itself.
    pub fn and(parts: Vec<Expr>) -> Self {
        Self::junction(parts, true)
    }

    /// Disjunction; flattens nested ORs, empty = FALSE, one = itself.
    pub fn or(parts: Vec<Expr>) -> Self {
        Self::junction(parts, false)
    }

    fn junction(parts: Vec<Expr>, is_and: bool) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part.kind {
                ExprKind::And(items) if is_and => flat.extend(items),
                ExprKind::Or(items) if !is_and => flat.extend(items),
                _ => flat.push(part),
            }
        }
        match flat.len() {
            0 => Self::boolean(is_and),
            1 => flat.swap_remove(0),
            _ => {
                let nullable = flat.iter().any(|e| e.nullable);
                let kind = if is_and { ExprKind::And(flat) } else { ExprKind::Or(flat) };
                Self { kind, ty: LogicalType::Boolean, nullable }
            }
        }
    }

    /// Logical negation.
    pub fn negate(self) -> Self {
        let nullable = self.nullable;
        Self { kind: ExprKind::Not(Box::new(self)), ty: LogicalType::Boolean, nullable }
    }

    /// Conversion to `ty`; the expression itself when it already has that type.
    pub fn cast_to(self, ty: &LogicalType) -> Self {
        if self.ty == *ty {
            return self;
        }
        if let ExprKind::Literal(Scalar::Null) = self.kind {
            return Self::null(ty.clone());
        }
        Self { kind: ExprKind::Cast(Box::new(self)), ty: ty.clone(), nullable: true }
    }

    /// `IS NULL`.
    pub fn is_null(self) -> Self {
        Self { kind: ExprKind::IsNull { input: Box::new(self), negated: false }, ty: LogicalType::Boolean, nullable: false }
    }

    /// `IS NOT NULL`.
    pub fn is_not_null(self) -> Self {
        Self { kind: ExprKind::IsNull { input: Box::new(self), negated: true }, ty: LogicalType::Boolean, nullable: false }
    }

    /// The literal value, if this is one.
    pub fn as_literal(&self) -> Option<&Scalar> {
        match &self.kind {
            ExprKind::Literal(v) => Some(v),
            _ => None,
        }
    }

    /// The column id, if this is a plain reference.
    pub fn as_column(&self) -> Option<ColumnId> {
        match self.kind {
            ExprKind::Column(id) => Some(id),
            _ => None,
        }
    }

    /// The call, if this is a call of the named function.
    pub fn as_call(&self, name: &str) -> Option<&[Expr]> {
        match &self.kind {
            ExprKind::Call { function, args } if function.name() == name => Some(args),
            _ => None,
        }
    }

    /// The conjuncts of a condition: the parts of a top-level AND, else itself.
    pub fn into_conjuncts(self) -> Vec<Expr> {
        match self.kind {
            ExprKind::And(items) => items.into_iter().flat_map(Expr::into_conjuncts).collect(),
            _ => vec![self],
        }
    }

    /// Direct children, left to right.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Literal(_) | ExprKind::Column(_) => Vec::new(),
            ExprKind::Call { args, .. } | ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Coalesce(args) => args.iter().collect(),
            ExprKind::Not(e) | ExprKind::Cast(e) | ExprKind::IsNull { input: e, .. } | ExprKind::Lambda { body: e, .. } => vec![e],
            ExprKind::Case { branches, otherwise } => {
                branches.iter().flat_map(|(w, t)| [w, t]).chain(otherwise.as_deref()).collect()
            }
            ExprKind::InList { input, list, .. } => std::iter::once(&**input).chain(list).collect(),
        }
    }

    /// Rebuilds the tree bottom-up: children first, then `f` on the node.
    pub fn transform(self, f: &mut impl FnMut(Expr) -> Expr) -> Expr {
        let Expr { kind, ty, nullable } = self;
        let mut many = |items: Vec<Expr>| items.into_iter().map(|e| e.transform(f)).collect::<Vec<_>>();
        let kind = match kind {
            k @ (ExprKind::Literal(_) | ExprKind::Column(_)) => k,
            ExprKind::Call { function, args } => ExprKind::Call { function, args: many(args) },
            ExprKind::And(items) => ExprKind::And(many(items)),
            ExprKind::Or(items) => ExprKind::Or(many(items)),
            ExprKind::Coalesce(items) => ExprKind::Coalesce(many(items)),
            ExprKind::Not(e) => ExprKind::Not(Box::new(e.transform(f))),
            ExprKind::Cast(e) => ExprKind::Cast(Box::new(e.transform(f))),
            ExprKind::IsNull { input, negated } => ExprKind::IsNull { input: Box::new(input.transform(f)), negated },
            ExprKind::Lambda { params, body } => ExprKind::Lambda { params, body: Box::new(body.transform(f)) },
            ExprKind::Case { branches, otherwise } => ExprKind::Case {
                branches: branches.into_iter().map(|(w, t)| (w.transform(f), t.transform(f))).collect(),
                otherwise: otherwise.map(|e| Box::new(e.transform(f))),
            },
            ExprKind::InList { input, list, negated } => {
                let input = Box::new(input.transform(f));
                ExprKind::InList { input, list: list.into_iter().map(|e| e.transform(f)).collect(), negated }
            }
        };
        f(Expr { kind, ty, nullable })
    }

    /// Calls `f` on every node, parents first.
    pub fn visit<'a>(&'a self, f: &mut impl FnMut(&'a Expr)) {
        f(self);
        for child in self.children() {
            child.visit(f);
        }
    }

    /// The ids of the columns used, in order of first use; lambda parameters are not among them.
    pub fn columns(&self) -> Vec<ColumnId> {
        let mut used = Vec::new();
        let mut params = Vec::new();
        self.visit(&mut |e| match &e.kind {
            ExprKind::Column(id) if !used.contains(id) => used.push(*id),
            ExprKind::Lambda { params: p, .. } => params.extend(p.iter().map(|(id, _)| *id)),
            _ => {}
        });
        used.retain(|id| !params.contains(id));
        used
    }

    /// The same expression with every column id replaced.
    pub fn map_columns(self, f: &mut impl FnMut(ColumnId) -> ColumnId) -> Expr {
        self.transform(&mut |mut e| {
            match &mut e.kind {
                ExprKind::Column(id) => *id = f(*id),
                ExprKind::Lambda { params, .. } => params.iter_mut().for_each(|(id, _)| *id = f(*id)),
                _ => {}
            }
            e
        })
    }

    /// Whether every call below gives the same answer for the same input (no rand(), uuid(), sleep()).
    pub fn is_deterministic(&self) -> bool {
        let mut yes = true;
        self.visit(&mut |e| {
            if let ExprKind::Call { function, .. } = &e.kind {
                yes &= function.is_deterministic();
            }
        });
        yes
    }
}
