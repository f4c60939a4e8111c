//! The compiled form: nodes in one vector, children before parents, equal deterministic subtrees stored once.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock},
};

use common_types::{LogicalType, Scalar};

use super::{dict::DictCache, lambda::LambdaNode};
use crate::{
    expr::{Expr, ExprKind},
    predicate::{order::conform, set::ValueSet},
    scalar_fn::ScalarOverload,
};

/// Position of a node.
pub(crate) type NodeId = usize;

/// What a node does with its children's columns.
pub(crate) enum NodeKind {
    Literal(Scalar),
    Column(usize),
    Call { function: Arc<ScalarOverload>, args: Vec<NodeId> },
    HigherOrder(Box<LambdaNode>),
    And(Vec<NodeId>),
    Or(Vec<NodeId>),
    Not(NodeId),
    Case { branches: Vec<(NodeId, NodeId)>, otherwise: Option<NodeId> },
    Cast(NodeId),
    IsNull { input: NodeId, negated: bool },
    /// Against literals.
    InSet { input: NodeId, set: ValueSet, has_null: bool, negated: bool },
    /// Against computed members.
    InList { input: NodeId, list: Vec<NodeId>, negated: bool },
    Coalesce(Vec<NodeId>),
}

/// Columns a node reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sources {
    None,
    One(NodeId),
    Many,
}

/// One node and what is known about it.
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) ty: LogicalType,
    /// Worth remembering within a frame: used more than once, deterministic, not trivial.
    pub(crate) shared: bool,
    /// Reads no column and is deterministic: computed once per statement.
    pub(crate) constant: bool,
    /// Cheap and unable to fail (outside the throwing modes): may be computed for rows that turn out not to need it.
    pub(crate) cheap: bool,
    /// The only column read, if it is of a string type and the node is worth computing per dictionary entry.
    pub(crate) dict_source: Option<NodeId>,
    pub(crate) constant_value: OnceLock<Scalar>,
    pub(crate) dict_cache: Mutex<DictCache>,
    deterministic: bool,
    sources: Sources,
}

/// A graph of nodes.
pub(crate) struct Program {
    pub(crate) nodes: Vec<Node>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Program of {} nodes", self.nodes.len())
    }
}

/// Functions so cheap that computing them for all rows beats selecting the rows that need them; none can fail.
const CHEAP: [&str; 17] = [
    "add", "subtract", "multiply", "negative", "bitand", "bitor", "bitxor", "bitnot", "eq", "ne", "lt", "le", "gt", "ge", "null_safe_eq",
    "abs", "sign",
];

impl Program {
    /// Compiles several expressions; returns their roots.
    pub(crate) fn compile(exprs: &[Expr]) -> (Self, Vec<NodeId>) {
        let mut builder = Builder { nodes: Vec::new(), index: HashMap::new() };
        let roots = exprs.iter().map(|e| builder.add(e)).collect();
        (Self { nodes: builder.nodes }, roots)
    }

    /// The type of a node.
    pub(crate) fn ty(&self, id: NodeId) -> &LogicalType {
        &self.nodes[id].ty
    }
}

pub(super) struct Builder {
    nodes: Vec<Node>,
    index: HashMap<String, NodeId>,
}

impl Builder {
    /// The node of an expression, a new one unless an equal one exists.
    pub(super) fn add(&mut self, expr: &Expr) -> NodeId {
        let (kind, key) = match &expr.kind {
            ExprKind::Literal(value) => {
                // Kernels take a constant's value at its word, so it must have the type's variant and scale.
                let value = conform(value, &expr.ty).unwrap_or_else(|| value.clone());
                let key = format!("literal {value:?}");
                (NodeKind::Literal(value), key)
            }
            ExprKind::Column(id) => (NodeKind::Column(*id as usize), format!("column {id}")),
            ExprKind::Call { function, args } => match args.iter().position(|a| matches!(a.kind, ExprKind::Lambda { .. })) {
                Some(at) => {
                    let node = LambdaNode::build(self, function, args, at);
                    // Lambdas are rare: each stays its own node.
                    (NodeKind::HigherOrder(Box::new(node)), format!("lambda {}", self.nodes.len()))
                }
                None => {
                    let args = self.add_all(args);
                    let key = format!("call {} {args:?} {:?}", function.name(), function.args);
                    (NodeKind::Call { function: function.clone(), args }, key)
                }
            },
            ExprKind::And(items) => {
                let items = self.add_all(items);
                let key = format!("and {items:?}");
                (NodeKind::And(items), key)
            }
            ExprKind::Or(items) => {
                let items = self.add_all(items);
                let key = format!("or {items:?}");
                (NodeKind::Or(items), key)
            }
            ExprKind::Coalesce(items) => {
                let items = self.add_all(items);
                let key = format!("coalesce {items:?}");
                (NodeKind::Coalesce(items), key)
            }
            ExprKind::Not(e) => {
                let e = self.add(e);
                (NodeKind::Not(e), format!("not {e}"))
            }
            ExprKind::Cast(e) => {
                let e = self.add(e);
                (NodeKind::Cast(e), format!("cast {e}"))
            }
            ExprKind::IsNull { input, negated } => {
                let input = self.add(input);
                (NodeKind::IsNull { input, negated: *negated }, format!("is null {input} {negated}"))
            }
            ExprKind::Case { branches, otherwise } => {
                let branches: Vec<_> = branches.iter().map(|(w, t)| (self.add(w), self.add(t))).collect();
                let otherwise = otherwise.as_ref().map(|e| self.add(e));
                let key = format!("case {branches:?} {otherwise:?}");
                (NodeKind::Case { branches, otherwise }, key)
            }
            ExprKind::InList { input, list, negated } => {
                let values: Option<Vec<Scalar>> = list.iter().map(|e| conform(e.as_literal()?, &input.ty)).collect();
                match values {
                    Some(values) => {
                        let ty = &input.ty;
                        let input = self.add(input);
                        let key = format!("in {input} {values:?} {negated}");
                        let has_null = values.iter().any(Scalar::is_null);
                        let set = ValueSet::new(ty, &values);
                        (NodeKind::InSet { input, set, has_null, negated: *negated }, key)
                    }
                    None => {
                        let input = self.add(input);
                        let list = self.add_all(list);
                        let key = format!("in {input} {list:?} {negated}");
                        (NodeKind::InList { input, list, negated: *negated }, key)
                    }
                }
            }
            // A lambda outside a higher-order call has no value; evaluating it reports that.
            ExprKind::Lambda { .. } => (NodeKind::Column(usize::MAX), "free lambda".to_owned()),
        };
        let key = format!("{key} -> {:?}", expr.ty);
        let deterministic = self.deterministic(&kind);
        if deterministic && let Some(&id) = self.index.get(&key) {
            let node = &mut self.nodes[id];
            node.shared = !matches!(node.kind, NodeKind::Literal(_) | NodeKind::Column(_));
            return id;
        }
        let id = self.nodes.len();
        let node = self.describe(kind, expr.ty.clone(), deterministic, id);
        self.nodes.push(node);
        if deterministic {
            self.index.insert(key, id);
        }
        id
    }

    fn add_all(&mut self, exprs: &[Expr]) -> Vec<NodeId> {
        exprs.iter().map(|e| self.add(e)).collect()
    }

    fn deterministic(&self, kind: &NodeKind) -> bool {
        let own = match kind {
            NodeKind::Call { function, .. } => function.is_deterministic(),
            NodeKind::HigherOrder(node) => node.is_deterministic(),
            _ => true,
        };
        own && children(kind).into_iter().all(|c| self.nodes[c].deterministic)
    }

    fn describe(&self, kind: NodeKind, ty: LogicalType, deterministic: bool, id: NodeId) -> Node {
        let below = children(&kind);
        let mut sources = match kind {
            NodeKind::Column(_) => Sources::One(id),
            // The lambda's body reads elements, not rows of one column.
            NodeKind::HigherOrder(_) => Sources::Many,
            _ => Sources::None,
        };
        for child in &below {
            sources = match (sources, self.nodes[*child].sources) {
                (s, Sources::None) => s,
                (Sources::None, s) => s,
                (Sources::One(a), Sources::One(b)) if a == b => Sources::One(a),
                _ => Sources::Many,
            };
        }
        let all_cheap = || below.iter().all(|c| self.nodes[*c].cheap);
        let cheap = match &kind {
            NodeKind::Literal(_) | NodeKind::Column(_) => true,
            NodeKind::Call { function, args } => {
                CHEAP.contains(&function.name()) && args.iter().all(|a| self.nodes[*a].ty.fixed_width().is_some_and(|w| w <= 8)) && all_cheap()
            }
            NodeKind::Cast(e) => ty.fixed_width().is_some_and(|w| w <= 8) && self.nodes[*e].ty.is_integer_backed() && all_cheap(),
            NodeKind::And(_) | NodeKind::Or(_) | NodeKind::Not(_) | NodeKind::IsNull { .. } | NodeKind::InSet { .. } => all_cheap(),
            _ => false,
        };
        let worth_it = !matches!(kind, NodeKind::Literal(_) | NodeKind::Column(_) | NodeKind::IsNull { .. } | NodeKind::HigherOrder(_));
        let dict_source = match sources {
            Sources::One(column) if deterministic && worth_it && self.nodes[column].ty.is_bytes_like() => Some(column),
            _ => None,
        };
        let constant = deterministic && sources == Sources::None && !matches!(kind, NodeKind::Literal(_));
        Node {
            kind,
            ty,
            shared: false,
            constant,
            cheap,
            dict_source,
            constant_value: OnceLock::new(),
            dict_cache: Mutex::default(),
            deterministic,
            sources,
        }
    }
}

/// The nodes a node reads.
fn children(kind: &NodeKind) -> Vec<NodeId> {
    match kind {
        NodeKind::Literal(_) | NodeKind::Column(_) => Vec::new(),
        NodeKind::Call { args, .. } => args.clone(),
        NodeKind::HigherOrder(node) => node.inputs(),
        NodeKind::And(items) | NodeKind::Or(items) | NodeKind::Coalesce(items) => items.clone(),
        NodeKind::Not(e) | NodeKind::Cast(e) | NodeKind::IsNull { input: e, .. } | NodeKind::InSet { input: e, .. } => vec![*e],
        NodeKind::Case { branches, otherwise } => {
            branches.iter().flat_map(|(w, t)| [*w, *t]).chain(*otherwise).collect()
        }
        NodeKind::InList { input, list, .. } => std::iter::once(*input).chain(list.iter().copied()).collect(),
    }
}
