//! Patterns of argument and result types, and how a list of argument types is matched against them.

use common_base::Result;
use common_types::LogicalType;

/// What one argument accepts.
#[derive(Clone, Debug, PartialEq)]
pub enum TypePattern {
    /// Exactly this type (reached by an implicit cast if need be). Lengths of strings do not matter.
    Exact(LogicalType),
    /// Any decimal, kept as it is.
    AnyDecimal,
    /// Any type, kept as it is.
    Any,
    /// Any type; all arguments with the same number are brought to one common type.
    Same(u8),
    AnyArray,
    AnyMap,
    AnyStruct,
    /// ARRAY whose element is `Same(n)`.
    ArrayOf(u8),
    /// ARRAY of any decimal, kept as it is.
    ArrayOfDecimal,
    /// MAP with key `Same(k)` and value `Same(v)`.
    MapOf(u8, u8),
    /// States of the aggregate function of this name.
    StateOf(&'static str),
    /// A lambda.
    Function,
}

/// How the result type follows from the (already coerced) argument types.
#[derive(Clone)]
pub enum ResultRule {
    Exact(LogicalType),
    /// The type of argument n.
    Arg(usize),
    /// The common type bound to `Same(n)`.
    Bound(u8),
    /// ARRAY of the type bound to `Same(n)`.
    ArrayOf(u8),
    /// The element type of array argument n.
    ElementOf(usize),
    /// States of the aggregate function of this name over the arguments.
    StateOf(&'static str),
    /// What the aggregate function with these overloads gives for the states in the first argument.
    OfState(std::sync::Arc<Vec<Signature>>),
    /// Computed from the argument types.
    Compute(fn(&[LogicalType]) -> Result<LogicalType>),
}

/// One overload.
#[derive(Clone)]
pub struct Signature {
    pub args: Vec<TypePattern>,
    /// The last pattern repeats zero or more further times.
    pub variadic: bool,
    pub result: ResultRule,
}

impl Signature {
    /// A fixed-arity overload over exact types.
    pub fn exact(args: impl IntoIterator<Item = LogicalType>, result: LogicalType) -> Self {
        Self { args: args.into_iter().map(TypePattern::Exact).collect(), variadic: false, result: ResultRule::Exact(result) }
    }

    /// Any patterns and rule.
    pub fn new(args: Vec<TypePattern>, result: ResultRule) -> Self {
        Self { args, variadic: false, result }
    }

    /// The same with the last pattern repeating.
    #[must_use]
    pub fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }
}
