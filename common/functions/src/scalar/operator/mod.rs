//! Table of the operators: every one is a named function (special forms excepted).

mod add;
mod bitwise;
mod divide;
mod eq;
mod ge;
mod gt;
mod int_divide;
mod le;
mod like;
mod lt;
mod modulo;
mod multiply;
mod ne;
mod null_safe_eq;
mod regexp;
mod shift;
mod subtract;
#[cfg(test)]
mod tests;
pub mod typing;

pub use divide::half_away;

use common_expr::registry::FunctionRegistry;

/// Adds the operators.
pub fn register(r: &mut FunctionRegistry) {
    for function in [
        add::function(),
        subtract::function(),
        multiply::function(),
        divide::function(),
        int_divide::function(),
        modulo::function(),
        eq::function(),
        ne::function(),
        lt::function(),
        le::function(),
        gt::function(),
        ge::function(),
        null_safe_eq::function(),
        regexp::function(),
    ] {
        r.add_scalar(function);
    }
    let groups = [bitwise::functions(), shift::functions(), like::functions()];
    groups.into_iter().flatten().for_each(|f| r.add_scalar(f));
}
