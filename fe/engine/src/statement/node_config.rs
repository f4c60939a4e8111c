//! `UPDATE information_schema.be_configs SET value = … WHERE name = … [AND be_id = …]`: settings of backends that run.

use common_base::{Result, bail, err, ids::NodeId};
use common_rpc::status;
use fe_parser::ast::{Update, sql};
use proto_services::be_service::SetConfigRequest;

use super::names;
use crate::{cluster::heartbeat, result::StatementResult, session::Session};

/// Whether it is such a statement.
pub fn is_for(session: &Session, statement: &Update) -> bool {
    names::qualified(session, &statement.table)
        .is_ok_and(|(db, table)| db.eq_ignore_ascii_case("information_schema") && table.eq_ignore_ascii_case("be_configs"))
}

/// Changes the setting on every backend that is alive, or on the one that is named.
pub async fn update(session: &Session, statement: &Update) -> Result<StatementResult> {
    let engine = &session.engine;
    let (name, only, value) = understand(statement)?;
    let catalog = engine.meta.snapshot();
    let backends: Vec<_> = engine.nodes.alive(&catalog).into_iter().filter(|b| only.is_none_or(|id| b.id == id)).collect();
    if backends.is_empty() {
        bail!(Unavailable, "no such backend is alive");
    }
    let mut changed = 0;
    for backend in backends {
        let address = backend.be_address();
        let mut request = tonic::Request::new(SetConfigRequest { name: name.clone(), value: value.clone() });
        request.set_timeout(engine.options.heartbeat_timeout);
        let reply = engine.pool.be(&address)?.set_config(request).await.map_err(|e| status::from_grpc(&e, &address))?.into_inner();
        status::from_message(reply.status).map_err(|e| {
            let text = format!("{} (backend {})", e.message(), backend.id);
            e.with_message(text)
        })?;
        changed += 1;
    }
    // The new value is in the next heartbeat's answer: it is shown at once.
    heartbeat::beat_all(engine).await;
    Ok(StatementResult::Done { affected_rows: changed, info: String::new() })
}

/// The setting's name, the backend if one is named, and the value.
fn understand(statement: &Update) -> Result<(String, Option<NodeId>, String)> {
    let shape = || err!(NotSupported, "be_configs takes UPDATE ... SET value = '...' WHERE name = '...' [AND be_id = ...] only");
    let [assignment] = statement.assignments.as_slice() else { return Err(shape()) };
    let plain = statement.with.is_none() && statement.from.is_empty() && assignment.column.value.eq_ignore_ascii_case("value");
    let value = literal(&assignment.value).filter(|_| plain).ok_or_else(shape)?;
    let mut conditions = vec![statement.selection.as_ref().ok_or_else(shape)?];
    let (mut name, mut only) = (None, None);
    while let Some(condition) = conditions.pop() {
        match condition {
            sql::Expr::Nested(inner) => conditions.push(inner),
            sql::Expr::BinaryOp { left, op: sql::BinaryOperator::And, right } => conditions.extend([&**left, &**right]),
            sql::Expr::BinaryOp { left, op: sql::BinaryOperator::Eq, right } => {
                let (sql::Expr::Identifier(column), Some(text)) = (&**left, literal(right)) else { return Err(shape()) };
                match column.value.to_ascii_lowercase().as_str() {
                    "name" if name.is_none() => name = Some(text),
                    "be_id" if only.is_none() => only = Some(NodeId(text.parse().map_err(|_| shape())?)),
                    _ => return Err(shape()),
                }
            }
            _ => return Err(shape()),
        }
    }
    Ok((name.ok_or_else(shape)?, only, value))
}

fn literal(expr: &sql::Expr) -> Option<String> {
    let sql::Expr::Value(value) = expr else { return None };
    match &value.value {
        sql::Value::Number(text, _) | sql::Value::SingleQuotedString(text) | sql::Value::DoubleQuotedString(text) => Some(text.clone()),
        sql::Value::Boolean(v) => Some(v.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fe_parser::{ParseOptions, ast::Statement};

    #[test]
    fn plain_conditions_are_understood() {
        let check = |text: &str| {
            let parsed = fe_parser::parse_one(text, &ParseOptions::default()).unwrap();
            let Statement::Update(update) = parsed.stmt else { panic!("{text}") };
            understand(&update).ok()
        };
        let of = |id: Option<u64>| Some(("k".to_owned(), id.map(NodeId), "7".to_owned()));
        assert_eq!(check("UPDATE be_configs SET value = '7' WHERE name = 'k'"), of(None));
        assert_eq!(check("UPDATE be_configs SET VALUE = 7 WHERE (be_id = 10001 AND NAME = 'k')"), of(Some(10001)));
        for bad in ["SET value = 7", "SET name = 7 WHERE name = 'k'", "SET value = 7 WHERE name LIKE 'k'", "SET value = 7 WHERE name = 'k' OR name = 'l'", "SET value = 1 + 6 WHERE name = 'k'"] {
            assert_eq!(check(&format!("UPDATE be_configs {bad}")), None, "{bad}");
        }
    }
}
