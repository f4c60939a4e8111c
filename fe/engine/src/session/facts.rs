//! What the analyzer may know of a session, as a value taken at the statement's start.

use std::{collections::HashMap, sync::Arc};

use common_base::{Error, Result, err};
use common_expr::scalar_fn::EvalContext;
use common_types::{LogicalType, Scalar};
use fe_analyzer::{FilesTable, SessionFacts};
use fe_parser::ast::{Properties, VariableScope};

use crate::{engine::Engine, files::FileTables};

use super::{Session, variables::Variables};

/// The session's facts during one statement.
pub struct Facts {
    database: Option<String>,
    variables: Variables,
    user_variables: HashMap<String, (Scalar, LogicalType)>,
    eval: EvalContext,
    user: String,
    current_user: String,
    engine: Arc<Engine>,
    last_query_id: Option<String>,
    files: Arc<FileTables>,
    role: &'static str,
}

impl Facts {
    /// A copy of what the session knows now.
    pub fn of(session: &Session) -> Self {
        Self {
            database: session.database.clone(),
            variables: session.variables.clone(),
            user_variables: session.user_variables.clone(),
            eval: session.eval_context(),
            user: format!("'{}'@'{}'", session.user, session.client_host),
            current_user: format!("'{}'@'{}'", session.user, session.account_host),
            engine: session.engine.clone(),
            last_query_id: session.last_query_id.map(|id| id.to_string()),
            files: session.files.clone(),
            role: session.role(),
        }
    }
}

impl SessionFacts for Facts {
    fn current_database(&self) -> Option<String> {
        self.database.clone()
    }

    fn variable(&self, scope: Option<VariableScope>, name: &str) -> Option<(Scalar, LogicalType)> {
        match scope {
            Some(VariableScope::Global) => Variables::of_session(&self.engine).get(name),
            _ => self.variables.get(name),
        }
    }

    fn user_variable(&self, name: &str) -> Option<(Scalar, LogicalType)> {
        self.user_variables.get(name).cloned()
    }

    fn eval(&self) -> &EvalContext {
        &self.eval
    }

    fn user(&self) -> String {
        self.user.clone()
    }

    fn current_user(&self) -> String {
        self.current_user.clone()
    }

    fn current_role(&self) -> String {
        self.role.to_owned()
    }

    fn server_version(&self) -> String {
        self.variables.get_text("version")
    }

    fn varchar_length_max(&self) -> u32 {
        u32::try_from(self.engine.setting_count("max_varchar_length")).unwrap_or(u32::MAX)
    }

    fn last_query_id(&self) -> Option<String> {
        self.last_query_id.clone()
    }

    fn files(&self, properties: &Properties) -> Result<Arc<FilesTable>> {
        self.files.get(properties)
    }

    fn unknown_variable(&self, name: &str) -> Error {
        let similar = self.variables.most_similar(name);
        err!(UnknownVariable, "Unknown system variable '{name}', the most similar variables are {{{similar}}}")
    }
}
