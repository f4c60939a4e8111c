//! Scalar functions by domain; each folder has its own table.

pub mod array;
pub mod bitmap;
pub mod conditional;
pub mod crypto;
pub mod date;
pub mod hash;
pub mod hll;
pub mod json;
pub mod map;
pub mod math;
pub mod operator;
pub mod percentile;
pub mod string;
pub mod struct_;
pub mod util;

use common_expr::registry::FunctionRegistry;

/// Adds every scalar function.
pub fn register(r: &mut FunctionRegistry) {
    operator::register(r);
    math::register(r);
    date::register(r);
    conditional::register(r);
    util::register(r);
    string::register(r);
    json::register(r);
    array::register(r);
    map::register(r);
    struct_::register(r);
    hash::register(r);
    crypto::register(r);
    bitmap::register(r);
    hll::register(r);
    percentile::register(r);
}
