//! Users, roles, GRANT and REVOKE.

use sqlparser::ast::ObjectName;
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{
    AlterRole, AlterUser, AlterUserAction, AuthOption, CreateRole, CreateUser, DropRole, DropUser, ExecuteAs,
    FunctionSignature, GrantObject, GrantPrivilege, GrantRole, GrantScope, GrantTarget, ObjectKind, Statement,
    UserIdentity,
};
use crate::error::PResult;

impl Parser<'_> {
    /// `u`, `'u'@'host'`, `u@['domain']`
    pub(super) fn user_identity(&mut self) -> PResult<UserIdentity> {
        let user = match self.peek() {
            // A name such as `user-1` is only legal quoted; CURRENT_USER() names the session's user.
            Token::Word(_) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => {
                self.ident_or_string_any()?
            }
            _ => return Err(self.unexpected(&["a user"])),
        };
        let mut identity = UserIdentity { user, host: "%".to_string(), domain: false };
        if self.accept(&Token::AtSign) {
            if self.accept(&Token::LBracket) {
                identity.host = self.ident_or_string()?;
                identity.domain = true;
                self.expect(&Token::RBracket)?;
            } else {
                identity.host = self.ident_or_string_any()?;
            }
        }
        Ok(identity)
    }

    fn ident_or_string_any(&mut self) -> PResult<String> {
        if self.is_string() { self.string() } else { Ok(self.ident_after_dot()?.value) }
    }

    fn auth_option(&mut self) -> PResult<Option<AuthOption>> {
        if !self.accept_kw("IDENTIFIED") {
            return Ok(None);
        }
        if self.accept_kw("BY") {
            let hash = self.accept_kw("PASSWORD");
            let text = self.string()?;
            return Ok(Some(if hash { AuthOption::Hash(text) } else { AuthOption::Password(text) }));
        }
        self.expect_kw("WITH")?;
        let plugin = self.ident_or_string()?;
        let by = if self.accept_kw("BY") { Some(self.string()?) } else { None };
        let auth_string = if by.is_none() && self.accept_kw("AS") { Some(self.string()?) } else { None };
        Ok(Some(AuthOption::Plugin { plugin, by, auth_string }))
    }

    /// After `CREATE USER`.
    pub(super) fn create_user(&mut self) -> PResult<Statement> {
        let if_not_exists = self.accept_if_not_exists();
        let user = self.user_identity()?;
        let auth = self.auth_option()?;
        let default_roles =
            if self.accept_kws(&["DEFAULT", "ROLE"]) { self.comma_list(Self::ident_or_string)? } else { vec![] };
        let properties = self.properties()?;
        Ok(Statement::CreateUser(CreateUser { user, if_not_exists, auth, default_roles, properties }))
    }

    /// After `ALTER USER`.
    pub(super) fn alter_user(&mut self) -> PResult<Statement> {
        let if_exists = self.accept_if_exists();
        let user = self.user_identity()?;
        let action = if let Some(auth) = self.auth_option()? {
            AlterUserAction::Auth(auth)
        } else if self.accept_kws(&["DEFAULT", "ROLE"]) {
            AlterUserAction::DefaultRole(self.role_choice()?)
        } else if self.accept_kws(&["SET", "PROPERTIES"]) {
            AlterUserAction::SetProperties(self.property_list()?)
        } else {
            return Err(self.unexpected(&["IDENTIFIED", "DEFAULT", "SET"]));
        };
        Ok(Statement::AlterUser(AlterUser { user, if_exists, action }))
    }

    /// After `DROP USER`.
    pub(super) fn drop_user(&mut self) -> PResult<Statement> {
        let if_exists = self.accept_if_exists();
        Ok(Statement::DropUser(DropUser { user: self.user_identity()?, if_exists }))
    }

    /// After `CREATE ROLE`.
    pub(super) fn create_role(&mut self) -> PResult<Statement> {
        let if_not_exists = self.accept_if_not_exists();
        let roles = self.comma_list(Self::ident_or_string)?;
        Ok(Statement::CreateRole(CreateRole { roles, if_not_exists, comment: self.comment()? }))
    }

    /// After `ALTER ROLE`.
    pub(super) fn alter_role(&mut self) -> PResult<Statement> {
        let if_exists = self.accept_if_exists();
        let roles = self.comma_list(Self::ident_or_string)?;
        self.expect_kw("SET")?;
        let comment = self.comment()?.ok_or_else(|| self.unexpected(&["COMMENT"]))?;
        Ok(Statement::AlterRole(AlterRole { roles, if_exists, comment }))
    }

    /// After `DROP ROLE`.
    pub(super) fn drop_role(&mut self) -> PResult<Statement> {
        let if_exists = self.accept_if_exists();
        Ok(Statement::DropRole(DropRole { roles: self.comma_list(Self::ident_or_string)?, if_exists }))
    }

    /// `[USER] u | ROLE r | EXTERNAL GROUP g`
    pub(super) fn grant_target(&mut self) -> PResult<GrantTarget> {
        let named = |p: &Self| {
            matches!(p.peek_at(1), Token::Word(_) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
        };
        if self.is_kw("ROLE") && named(self) {
            self.pos += 1;
            return self.ident_or_string().map(GrantTarget::Role);
        }
        if self.accept_kws(&["EXTERNAL", "GROUP"]) {
            return self.ident_or_string().map(GrantTarget::ExternalGroup);
        }
        if self.is_kw("USER") && named(self) {
            self.pos += 1;
        }
        self.user_identity().map(GrantTarget::User)
    }

    /// After GRANT or REVOKE.
    pub(super) fn grant(&mut self, revoke: bool) -> PResult<Statement> {
        let direction = if revoke { "FROM" } else { "TO" };
        if !self.has_on_before(direction) {
            let roles = self.comma_list(Self::ident_or_string)?;
            self.expect_kw(direction)?;
            let role = GrantRole { roles, target: self.grant_target()? };
            return Ok(if revoke { Statement::RevokeRole(role) } else { Statement::GrantRole(role) });
        }
        let privileges = self.comma_list(Self::privilege)?;
        self.expect_kw("ON")?;
        let object = self.grant_object()?;
        self.expect_kw(direction)?;
        let target = self.grant_target()?;
        let with_grant_option = self.accept_kws(&["WITH", "GRANT", "OPTION"]);
        let grant = GrantPrivilege { privileges, object, target, with_grant_option };
        Ok(if revoke { Statement::Revoke(grant) } else { Statement::Grant(grant) })
    }

    fn has_on_before(&self, direction: &str) -> bool {
        let word = |at: usize| match self.token_at(at) {
            Token::Word(w) if w.quote_style.is_none() => Some(w.value.as_str()),
            _ => None,
        };
        (self.pos..self.end)
            .map_while(|at| Some(word(at)).filter(|w| !w.is_some_and(|w| w.eq_ignore_ascii_case(direction))))
            .flatten()
            .any(|w| w.eq_ignore_ascii_case("ON"))
    }

    /// One privilege: words up to a comma or ON.
    fn privilege(&mut self) -> PResult<String> {
        let mut words = Vec::new();
        while let Some(w) = self.word_at(0) {
            if w.eq_ignore_ascii_case("ON") {
                break;
            }
            words.push(w.to_ascii_uppercase());
            self.pos += 1;
        }
        if words.is_empty() {
            return Err(self.unexpected(&["a privilege"]));
        }
        let privilege = words.join(" ");
        Ok(if matches!(privilege.as_str(), "ALL PRIVILEGES") { "ALL".to_string() } else { privilege })
    }

    fn object_kind(&mut self, plural: bool) -> PResult<Option<ObjectKind>> {
        let kinds: &[(&[&str], &[&str], ObjectKind)] = &[
            (&["TABLE"], &["TABLES"], ObjectKind::Table),
            (&["VIEW"], &["VIEWS"], ObjectKind::View),
            (&["MATERIALIZED", "VIEW"], &["MATERIALIZED", "VIEWS"], ObjectKind::MaterializedView),
            (&["DATABASE"], &["DATABASES"], ObjectKind::Database),
            (&["CATALOG"], &["CATALOGS"], ObjectKind::Catalog),
            (&["RESOURCE", "GROUP"], &["RESOURCE", "GROUPS"], ObjectKind::ResourceGroup),
            (&["RESOURCE"], &["RESOURCES"], ObjectKind::Resource),
            (&["GLOBAL", "FUNCTION"], &["GLOBAL", "FUNCTIONS"], ObjectKind::GlobalFunction),
            (&["FUNCTION"], &["FUNCTIONS"], ObjectKind::Function),
            (&["USER"], &["USERS"], ObjectKind::User),
            (&["PIPE"], &["PIPES"], ObjectKind::Pipe),
            (&["STORAGE", "VOLUME"], &["STORAGE", "VOLUMES"], ObjectKind::StorageVolume),
            (&["WAREHOUSE"], &["WAREHOUSES"], ObjectKind::Warehouse),
        ];
        for (one, many, kind) in kinds {
            let words = if plural { many } else { one };
            if self.accept_kws(words) {
                return Ok(Some(*kind));
            }
        }
        Ok(None)
    }

    fn grant_object(&mut self) -> PResult<GrantObject> {
        if self.is_kw("SYSTEM") && (self.is_kw_at(1, "TO") || self.is_kw_at(1, "FROM")) {
            self.pos += 1;
            return Ok(GrantObject::System);
        }
        if self.accept_kw("ALL") {
            let kind = self.object_kind(true)?.ok_or_else(|| {
                self.unexpected(&["TABLES", "VIEWS", "DATABASES", "MATERIALIZED", "FUNCTIONS", "USERS"])
            })?;
            let scope = if self.accept_kws(&["IN", "ALL", "DATABASES"]) {
                GrantScope::AllDatabases
            } else if self.accept_kws(&["IN", "DATABASE"]) {
                GrantScope::Database(self.name()?)
            } else {
                GrantScope::Global
            };
            return Ok(GrantObject::All { kind, scope });
        }
        match self.object_kind(false)? {
            Some(ObjectKind::User) => self.comma_list(Self::user_identity).map(GrantObject::Users),
            Some(kind @ (ObjectKind::Function | ObjectKind::GlobalFunction)) => {
                let functions = self.comma_list(|p| Ok((p.name()?, p.function_signature()?)))?;
                Ok(GrantObject::Functions { global: kind == ObjectKind::GlobalFunction, functions })
            }
            kind => self.named_objects(kind.unwrap_or(ObjectKind::Table)),
        }
    }

    fn named_objects(&mut self, kind: ObjectKind) -> PResult<GrantObject> {
        // `*.*`, `db.*`, `*`
        let all = |scope| GrantObject::All { kind, scope };
        if self.accept(&Token::Mul) {
            if self.accept(&Token::Period) {
                self.expect(&Token::Mul)?;
            }
            return Ok(all(GrantScope::AllDatabases));
        }
        if matches!(self.peek(), Token::Word(_)) && *self.peek_at(1) == Token::Period && *self.peek_at(2) == Token::Mul
        {
            let db = self.ident()?;
            self.pos += 2;
            return Ok(all(GrantScope::Database(ObjectName::from(vec![db]))));
        }
        let names = self.comma_list(|p| {
            if p.is_string() { Ok(ObjectName::from(vec![p.ident_or_string_ident()?])) } else { p.name() }
        })?;
        Ok(GrantObject::Named { kind, names })
    }

    /// `( [name] type, .. [, ...] )`
    pub(super) fn function_signature(&mut self) -> PResult<FunctionSignature> {
        let mut signature = FunctionSignature { args: vec![], variadic: false };
        self.expect(&Token::LParen)?;
        while !self.is(&Token::RParen) {
            if self.accept(&Token::Period) {
                // `...` comes as periods.
                while self.accept(&Token::Period) {}
                signature.variadic = true;
                break;
            }
            let named = matches!(self.peek(), Token::Word(_)) && matches!(self.peek_at(1), Token::Word(_));
            let name = if named { Some(self.ident()?) } else { None };
            signature.args.push((name, self.data_type()?));
            if !self.accept(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::RParen)?;
        Ok(signature)
    }

    /// After `EXECUTE AS`.
    pub(super) fn execute_as(&mut self) -> PResult<Statement> {
        let user = self.user_identity()?;
        let no_revert = self.accept_kws(&["WITH", "NO", "REVERT"]);
        Ok(Statement::ExecuteAs(ExecuteAs { user, no_revert }))
    }
}
