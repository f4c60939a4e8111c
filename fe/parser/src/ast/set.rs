//! SET in its forms, and prepared statements.

use super::{Statement, UserIdentity, sql};

/// `SET item, item, …`, in the order written.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    pub items: Vec<SetItem>,
}

/// The scope a system variable is named with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariableScope {
    Session,
    Global,
    /// `SHOW VERBOSE VARIABLES` has its own flag; this is `LOCAL`, an alias of SESSION.
    Local,
}

/// One assignment of SET.
#[derive(Clone, Debug, PartialEq)]
pub enum SetItem {
    /// `[GLOBAL|SESSION] name = value`; an identifier value is `Expr::Identifier`, DEFAULT as `encoding::is_default`.
    Variable { scope: Option<VariableScope>, name: String, value: sql::Expr },
    /// `@name = expr`.
    UserVariable { name: String, value: sql::Expr },
    /// `NAMES cs [COLLATE c]`; no charset is DEFAULT.
    Names { charset: Option<String>, collation: Option<String> },
    /// `CHARACTER SET cs`.
    Charset(Option<String>),
    /// `[GLOBAL|SESSION] TRANSACTION …`, its text.
    Transaction { scope: Option<VariableScope>, text: String },
    /// `PASSWORD [FOR u] = PASSWORD('x') | '*HEX'`.
    Password { user: Option<UserIdentity>, password: PasswordValue },
    /// `SESSION WAREHOUSE w`.
    Warehouse(String),
}

/// The right side of SET PASSWORD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordValue {
    Plain(String),
    Hash(String),
}

/// `PREPARE p FROM …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepare {
    pub name: sql::Ident,
    pub statement: Box<Statement>,
    /// The text of the prepared statement.
    pub text: String,
    /// How many `?` it has.
    pub parameters: usize,
}

/// `EXECUTE p [USING @a, ..]`: names of user variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Execute {
    pub name: sql::Ident,
    pub using: Vec<String>,
}
