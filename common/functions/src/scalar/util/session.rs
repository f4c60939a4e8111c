//! Facts of the session: version, database, user, role, connection.
//!
//! What the evaluation context has no field for travels among its variables under the names used here.

use arrow::buffer::BooleanBuffer;
use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{
    def::{custom, sig, stable},
    num::{from_bools, null_shortcut, union_nulls},
    text::test_rows,
};

/// Version of the MySQL protocol family that is announced when no variable says otherwise.
const MYSQL_VERSION: &str = "8.0.33";

macro_rules! text {
    ($($names:expr => $f:expr;)+) => {
        vec![$(custom($names, vec![sig([], T::varchar())], |ctx, call, _, rows| text(call, rows, $f(ctx))),)+]
    };
}

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let mut all = text! {
        &["version"] => |c: &EvalContext| some(c, "version", MYSQL_VERSION);
        &["current_version"] => |c: &EvalContext| some(c, "current_version", env!("CARGO_PKG_VERSION"));
        &["database", "schema"] => |c: &EvalContext| (!c.database.is_empty()).then(|| c.database.clone());
        &["catalog"] => |c: &EvalContext| some(c, "catalog", "default_catalog");
        &["user", "session_user", "current_user"] => |c: &EvalContext| Some(c.user.clone());
        &["current_role"] => |c: &EvalContext| some(c, "current_role", "NONE");
        &["current_group"] => |c: &EvalContext| some(c, "current_group", "NONE");
        &["current_warehouse"] => |c: &EvalContext| some(c, "warehouse", "default_warehouse");
        &["session_id"] => |c: &EvalContext| some(c, "session_id", "");
        &["last_query_id"] => |c: &EvalContext| c.variable("last_query_id").map(str::to_owned);
        &["host_name"] => |c: &EvalContext| some(c, "hostname", "localhost");
        &["current_timezone"] => |c: &EvalContext| Some(c.time_zone.clone());
    };
    all.push(custom(&["connection_id"], vec![sig([], T::BigInt)], |ctx, call, _, rows| {
        Ok(Column::constant(Scalar::BigInt(ctx.connection_id as i64), call.result.clone(), rows))
    }));
    all.push(custom(&["is_role_in_session"], vec![sig([T::varchar()], T::Boolean)], is_role_in_session));
    all.into_iter().map(stable).collect()
}

fn some(ctx: &EvalContext, name: &str, default: &str) -> Option<String> {
    Some(ctx.variable(name).unwrap_or(default).to_owned())
}

fn text(call: &ScalarOverload, rows: usize, value: Option<String>) -> Result<Column> {
    Ok(Column::constant(value.map_or(Scalar::Null, Scalar::from), call.result.clone(), rows))
}

fn is_role_in_session(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let roles = ctx.variable("current_role").unwrap_or("");
    let held = test_rows(&args[0], rows, |role| roles.split(',').any(|r| r.trim().as_bytes() == role));
    Ok(from_bools(held.unwrap_or_else(|| BooleanBuffer::new_unset(rows)), union_nulls(args)))
}
