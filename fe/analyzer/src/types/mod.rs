//! Types at analysis time: syntax to types, casts, and the typing rules of operators.

pub(crate) mod coerce;
pub(crate) mod datatype;
