//! Table of the window functions. (Aggregates over frames run their accumulators.)

mod first_last;
mod lead_lag;
mod ntile;
mod ranking;
mod session_number;
#[cfg(test)]
mod tests;

use common_expr::{
    registry::FunctionRegistry,
    signature::Signature,
    window_fn::{WindowFunction, WindowKernel},
};

/// Adds every window function.
pub fn register(r: &mut FunctionRegistry) {
    r.add_window(ntile::function());
    r.add_window(session_number::function());
    let groups = [ranking::functions(), lead_lag::functions(), first_last::functions()];
    groups.into_iter().flatten().for_each(|f| r.add_window(f));
}

/// A function that takes no frame and is never NULL.
fn ranked(names: &'static [&'static str], signatures: Vec<Signature>, kernel: WindowKernel) -> WindowFunction {
    WindowFunction { names, signatures, uses_frame: false, nullable: false, kernel }
}
