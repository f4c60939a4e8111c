//! Table of the mathematical functions.

mod abs;
mod bin;
mod binary;
mod bucket;
mod ceil_floor;
mod constants;
mod conv;
mod negative;
pub mod rand;
mod round;
mod sign;
#[cfg(test)]
mod tests;
mod unary;
mod vector;

use common_expr::registry::FunctionRegistry;

/// Adds the mathematical functions.
pub fn register(r: &mut FunctionRegistry) {
    for function in [abs::function(), sign::function(), rand::function(), bin::function(), conv::function(), bucket::function()] {
        r.add_scalar(function);
    }
    let groups = [
        constants::functions(),
        unary::functions(),
        binary::functions(),
        ceil_floor::functions(),
        round::functions(),
        negative::functions(),
        vector::functions(),
    ];
    groups.into_iter().flatten().for_each(|f| r.add_scalar(f));
}
