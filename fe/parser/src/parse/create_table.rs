//! CREATE TABLE, CREATE TABLE AS, CREATE TABLE LIKE.

use sqlparser::ast::DataType;
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{ColumnDef, CreateTable, CreateTableAsSelect, CreateTableLike, Statement};
use crate::error::PResult;

impl Parser<'_> {
    /// After `CREATE [EXTERNAL|TEMPORARY] TABLE`.
    pub(super) fn create_table(&mut self, temporary: bool, external: bool) -> PResult<Statement> {
        let if_not_exists = self.accept_if_not_exists();
        let name = self.name()?;
        let mut table = CreateTable {
            name,
            temporary,
            external,
            if_not_exists,
            columns: vec![],
            indexes: vec![],
            engine: None,
            charset: None,
            key: None,
            comment: None,
            partition_by: None,
            distribution: None,
            order_by: None,
            rollups: vec![],
            properties: vec![],
        };
        let has_list = self.is(&Token::LParen) && !self.paren_is_query(self.pos);
        if has_list {
            self.table_elements(&mut table)?;
        }
        self.table_clauses(&mut table)?;
        if self.is_kw("LIKE") && table.columns.is_empty() {
            self.pos += 1;
            let source = self.name()?;
            return Ok(Statement::CreateTableLike(Box::new(CreateTableLike {
                name: table.name,
                temporary,
                external,
                if_not_exists,
                partition_by: table.partition_by,
                distribution: table.distribution,
                properties: table.properties,
                source,
            })));
        }
        if self.accept_kw("AS") || self.is_query_start() {
            let query = self.query()?;
            if let Some(typed) = table.columns.iter().find(|c| c.data_type != DataType::Unspecified) {
                return Err(self
                    .error(format!("Create table as select does not allow a type for column '{}'", typed.name.value)));
            }
            let names: Vec<_> = table.columns.drain(..).map(|c| c.name).collect();
            let columns = if names.is_empty() { None } else { Some(names) };
            return Ok(Statement::CreateTableAsSelect(Box::new(CreateTableAsSelect { table, columns, query })));
        }
        if !has_list {
            return Err(self.unexpected(&["'('", "AS", "LIKE"]));
        }
        if let Some(untyped) =
            table.columns.iter().find(|c| c.data_type == DataType::Unspecified && c.aggregate.is_none())
        {
            return Err(self.error(format!("No viable statement for input '{}'.", untyped.name.value)));
        }
        Ok(Statement::CreateTable(Box::new(table)))
    }

    /// `( column | name | INDEX .., .. )`
    fn table_elements(&mut self, table: &mut CreateTable) -> PResult<()> {
        self.expect(&Token::LParen)?;
        loop {
            let is_key = self.key_desc()?;
            if let Some(key) = is_key {
                table.key = Some(key);
            } else if self.accept_kw("INDEX") {
                table.indexes.push(self.index_def()?);
            } else if matches!(self.peek_at(1), Token::Comma | Token::RParen) {
                table.columns.push(bare_column(self.ident()?));
            } else {
                table.columns.push(self.column_def()?);
            }
            if !self.accept(&Token::Comma) {
                break;
            }
        }
        if self.accept(&Token::RParen) { Ok(()) } else { Err(self.unexpected(&["','", "')'"])) }
    }

    /// The clauses after the column list. Their order is the grammar's.
    fn table_clauses(&mut self, table: &mut CreateTable) -> PResult<()> {
        if self.accept_kw("ENGINE") {
            self.accept(&Token::Eq);
            table.engine = Some(self.ident_or_string()?);
        }
        loop {
            self.accept_kw("DEFAULT");
            if self.is_kw("CHARSET") || self.is_kws(&["CHARACTER", "SET"]) {
                self.pos += if self.is_kw("CHARSET") { 1 } else { 2 };
                self.accept(&Token::Eq);
                table.charset = Some(self.ident_or_string()?);
            } else if self.accept_kw("COLLATE") {
                self.accept(&Token::Eq);
                self.ident_or_string()?;
            } else {
                break;
            }
        }
        if let Some(key) = self.key_desc()? {
            table.key = Some(key);
        }
        table.comment = self.comment()?;
        table.partition_by = self.partition_by()?;
        table.distribution = self.distribution()?;
        table.order_by = self.sort_keys()?;
        if self.accept_kw("ROLLUP") {
            table.rollups = self.paren_list(Self::rollup_def)?;
        }
        table.properties = self.properties()?;
        if self.is_kw("BROKER") {
            // External file tables: their credentials are properties too.
            self.pos += 1;
            self.expect_kw("PROPERTIES")?;
            table.properties.extend(self.property_list()?);
        }
        Ok(())
    }
}

fn bare_column(name: sqlparser::ast::Ident) -> ColumnDef {
    ColumnDef {
        name,
        data_type: DataType::Unspecified,
        is_key: false,
        aggregate: None,
        nullable: None,
        default: None,
        auto_increment: false,
        generated: None,
        comment: None,
    }
}
