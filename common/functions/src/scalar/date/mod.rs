//! Table of the date and time functions.

mod add;
mod calendar;
mod diff;
mod format;
mod joda;
mod now;
mod parse;
mod parts;
mod slice;
#[cfg(test)]
mod tests;
mod time;
mod trunc;
mod unix;
mod week;

pub use now::session_zone;

use common_expr::registry::FunctionRegistry;

/// Adds the date and time functions.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(trunc::function());
    let groups = [
        parts::functions(),
        week::functions(),
        add::functions(),
        diff::functions(),
        slice::functions(),
        now::functions(),
        format::functions(),
        parse::functions(),
        joda::functions(),
        unix::functions(),
        calendar::functions(),
        time::functions(),
    ];
    groups.into_iter().flatten().for_each(|f| r.add_scalar(f));
}
