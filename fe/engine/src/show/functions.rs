//! SHOW FUNCTIONS: built-in functions by name; there are no user-defined ones yet.

use common_base::{Result, bail};

use super::Table;
use crate::{result::text, session::Session};

/// SHOW [FULL] [BUILTIN] FUNCTIONS.
pub fn functions(session: &Session, full: bool, builtin: bool) -> Result<Table> {
    if full && builtin {
        bail!(NotSupported, "SHOW FULL BUILTIN FUNCTIONS is not supported yet");
    }
    if full {
        return Ok(Table::empty(&["Signature", "Return Type", "Function Type", "Intermediate Type", "Properties"]));
    }
    let mut names: Vec<&str> = Vec::new();
    if builtin {
        names.extend(session.engine.registry.scalar_names());
        names.extend(session.engine.registry.aggregate_names());
        names.sort_unstable();
        names.dedup();
    }
    Ok(Table::new(&["Function Name"], names.into_iter().map(|n| vec![text(n)]).collect()))
}
