//! Resource groups and external resources.

use sqlparser::ast::Expr;

use super::Parser;
use crate::ast::{AlterResourceGroup, AlterResourceGroupAction as Action, CreateResourceGroup, Statement};
use crate::error::PResult;

impl Parser<'_> {
    /// After `CREATE RESOURCE GROUP`.
    pub(super) fn create_resource_group(&mut self) -> PResult<Statement> {
        let mut if_not_exists = self.accept_if_not_exists();
        let or_replace = self.accept_kws(&["OR", "REPLACE"]);
        if_not_exists |= self.accept_if_not_exists();
        let name = self.ident()?;
        let classifiers = if self.accept_kw("TO") { self.comma_list(Self::classifier)? } else { vec![] };
        let properties = if self.accept_kw("WITH") { self.property_list()? } else { vec![] };
        Ok(Statement::CreateResourceGroup(CreateResourceGroup {
            name,
            or_replace,
            if_not_exists,
            classifiers,
            properties,
        }))
    }

    /// `(user = 'u', query_type in ('select'), ..)`
    fn classifier(&mut self) -> PResult<Vec<Expr>> {
        self.paren_list(Self::expr)
    }

    /// After `ALTER RESOURCE GROUP`.
    pub(super) fn alter_resource_group(&mut self) -> PResult<Statement> {
        let name = self.ident()?;
        let action = if self.accept_kw("ADD") {
            Action::AddClassifiers(self.comma_list(Self::classifier)?)
        } else if self.accept_kws(&["DROP", "ALL"]) {
            Action::DropAllClassifiers
        } else if self.accept_kw("DROP") {
            Action::DropClassifiers(self.paren_list(Self::integer)?)
        } else {
            self.expect_kw("WITH")?;
            Action::SetProperties(self.property_list()?)
        };
        Ok(Statement::AlterResourceGroup(AlterResourceGroup { name, action }))
    }

    /// After `CREATE [EXTERNAL] RESOURCE`.
    pub(super) fn create_resource(&mut self, external: bool) -> PResult<Statement> {
        let name = self.ident_or_string()?;
        Ok(Statement::CreateResource { name, external, properties: self.properties()? })
    }

    /// After `ALTER RESOURCE`.
    pub(super) fn alter_resource(&mut self) -> PResult<Statement> {
        let name = self.ident_or_string()?;
        self.expect_kw("SET")?;
        Ok(Statement::AlterResource { name, properties: self.properties()? })
    }
}
