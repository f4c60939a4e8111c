//! SET, and the SET_VAR hints that hold for one statement.

use common_base::{Result, bail, err, ids::QueryId};
use common_expr::scalar_fn::EvalContext;
use common_types::{LogicalType, Scalar};
use fe_catalog::Op;
use fe_parser::{Hint, ast::{PasswordValue, Set, SetItem, VariableScope, encoding, sql}};

use super::plan;
use crate::{
    auth, dispatch,
    result::StatementResult,
    session::{Session, facts::Facts, variables::Variables},
    view::SnapshotView,
};

/// Runs SET; items take effect left to right.
pub async fn run(session: &mut Session, statement: &Set, _id: QueryId) -> Result<StatementResult> {
    for item in &statement.items {
        apply(session, item).await?;
    }
    Ok(StatementResult::ok())
}

/// Applies the hints of a statement; the caller restores the variables after it.
pub fn apply_hints(session: &mut Session, hints: &[Hint]) -> Result<()> {
    for hint in hints {
        match hint {
            Hint::SetVar { name, value } => {
                let text = value_text(session, value)?;
                let (definition, value) = Variables::check(name, &text, false)?;
                session.variables.set(definition, value);
            }
            Hint::SetUserVariable { name, value } => {
                let (value, ty) = constant(session, value, &session.eval_context())?;
                session.set_user_variable(name, value, ty);
            }
        }
    }
    Ok(())
}

async fn apply(session: &mut Session, item: &SetItem) -> Result<()> {
    match item {
        SetItem::Variable { scope, name, value } => {
            let global = *scope == Some(VariableScope::Global);
            if encoding::is_default(value) {
                let definition = crate::session::variables::definition(name).ok_or_else(|| unknown(session, name))?;
                if global {
                    let op = Op::SetGlobalVariable { name: definition.name.to_owned(), value: definition.default.to_owned() };
                    session.change(op).await?;
                } else {
                    session.variables.set_default(definition);
                }
                return Ok(());
            }
            if crate::session::variables::definition(name).is_none() {
                return Err(unknown(session, name));
            }
            let text = match value {
                sql::Expr::Subquery(_) => text_of(&evaluate(session, value).await?.0),
                _ => value_text(session, value)?,
            };
            let (definition, text) = Variables::check(name, &text, global)?;
            if global {
                session.change(Op::SetGlobalVariable { name: definition.name.to_owned(), value: text }).await?;
            } else {
                session.variables.set(definition, text);
            }
        }
        SetItem::UserVariable { name, value } => {
            if name.len() > 64 {
                bail!(Analysis, "User variable name '{name}' is illegal");
            }
            let (value, ty) = evaluate(session, value).await?;
            session.set_user_variable(name, value, ty);
        }
        SetItem::Names { charset, .. } | SetItem::Charset(charset) => {
            // Everything is UTF-8 here; the names are kept because clients read them back.
            let charset = charset.clone().unwrap_or_else(|| "utf8".to_owned());
            for name in ["character_set_client", "character_set_connection", "character_set_results"] {
                let (definition, value) = Variables::check(name, &charset, false)?;
                session.variables.set(definition, value);
            }
        }
        SetItem::Transaction { .. } => {}
        SetItem::Password { user, password } => {
            let (name, host) = match user {
                Some(user) => (user.user.clone(), user.host.clone()),
                None => (session.user.clone(), session.account_host.clone()),
            };
            let password_hash = match password {
                PasswordValue::Plain(text) => auth::stored_hash(text),
                PasswordValue::Hash(text) => auth::hash_of_hex(text).ok_or_else(|| err!(User, "Password hash should be a 41-digit hexadecimal number"))?,
            };
            session.change(Op::SetPassword { name, host, password_hash }).await?;
        }
        SetItem::Warehouse(name) => {
            let (definition, value) = Variables::check("warehouse", name, false)?;
            session.variables.set(definition, value);
        }
    }
    Ok(())
}

fn unknown(session: &Session, name: &str) -> common_base::Error {
    err!(UnknownVariable, "Unknown system variable '{name}', the most similar variables are {{{}}}", session.variables.most_similar(name))
}

/// The text of a variable's value: an identifier is its own name, anything else is computed.
fn value_text(session: &Session, value: &sql::Expr) -> Result<String> {
    if let sql::Expr::Identifier(ident) = value {
        return Ok(ident.value.clone());
    }
    constant(session, value, &session.eval_context()).map(|(value, _)| text_of(&value))
}

fn text_of(value: &Scalar) -> String {
    match value {
        Scalar::Boolean(v) => v.to_string(),
        Scalar::Null => String::new(),
        other => other.to_string(),
    }
}

/// A value that needs no table.
fn constant(session: &Session, expr: &sql::Expr, eval: &EvalContext) -> Result<(Scalar, LogicalType)> {
    let facts = Facts::of(session);
    let view = SnapshotView { engine: &session.engine, catalog: session.engine.meta.snapshot() };
    let ctx = plan::analyze_context(session, &view, &facts, &[]);
    let bound = fe_analyzer::bind_scalar_expr(&ctx, expr, &[])?;
    let ty = bound.ty.clone();
    let value = common_expr::eval::eval_constant(eval, &bound)?;
    Ok((value, ty))
}

/// A value that may hold a subquery: computed as a query of one row.
async fn evaluate(session: &mut Session, expr: &sql::Expr) -> Result<(Scalar, LogicalType)> {
    let is_subquery = matches!(expr, sql::Expr::Subquery(_));
    if !is_subquery {
        let eval = session.eval_context();
        let value = constant(session, expr, &eval)?;
        if let Some(pause) = eval.pauses.take() {
            tokio::time::sleep(pause).await;
        }
        return Ok(value);
    }
    let text = format!("SELECT {expr}");
    let parsed = fe_parser::parse_one(&text, &session.parse_options())?;
    let id = session.engine.new_query_id();
    // As any other query: some are for the leader.
    let StatementResult::Rows(mut rows) = Box::pin(dispatch::run(session, &parsed, &[], id)).await? else { bail!(Internal, "a subquery did not parse as one") };
    let ty = rows.columns.first().map_or(LogicalType::Null, |c| c.ty.clone());
    let mut value = Scalar::Null;
    while let Some(chunk) = rows.next().await? {
        if chunk.rows() > 0 {
            value = Scalar::from_column(chunk.column(0), 0);
        }
    }
    Ok((value, ty))
}
