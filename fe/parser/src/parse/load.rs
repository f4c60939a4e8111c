//! Broker load, routine load, export, and the column lists they share with stream load.

use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{
    AlterRoutineLoad, BrokerDesc, BrokerLoad, CancelJob, CreateRoutineLoad, DataDescription, Export, ImportColumn,
    Property, RoutineLoadDesc, Statement,
};
use crate::error::PResult;

impl Parser<'_> {
    /// `c` or `c = expr`
    pub fn import_column(&mut self) -> PResult<ImportColumn> {
        let name = self.ident_or_string_ident()?;
        let expr = if self.accept(&Token::Eq) { Some(self.expr()?) } else { None };
        Ok(ImportColumn { name, expr })
    }

    /// The `columns` header of stream load: the list with or without its parentheses.
    pub fn import_columns(&mut self) -> PResult<Vec<ImportColumn>> {
        let whole = self.is(&Token::LParen) && self.closing(self.pos).is_some_and(|c| c + 1 == self.end);
        if whole { self.paren_list(Self::import_column) } else { self.comma_list(Self::import_column) }
    }

    /// After `LOAD LABEL`.
    pub(super) fn broker_load(&mut self) -> PResult<Statement> {
        let label = self.name()?;
        let data = self.paren_list(Self::data_description)?;
        let mut load = BrokerLoad { label, data, broker: None, resource: None, properties: vec![] };
        if self.is_kws(&["WITH", "BROKER"]) {
            load.broker = self.broker_desc()?;
        } else if self.accept_kws(&["WITH", "RESOURCE"]) {
            let name = self.ident_or_string()?;
            let properties = if self.is(&Token::LParen) { self.property_list()? } else { vec![] };
            load.resource = Some((name, properties));
        }
        load.properties = self.properties()?;
        Ok(Statement::BrokerLoad(load))
    }

    /// `[WITH BROKER ["name"] [(kv)]]`
    fn broker_desc(&mut self) -> PResult<Option<BrokerDesc>> {
        if !self.accept_kws(&["WITH", "BROKER"]) {
            return Ok(None);
        }
        let name = if self.is_string() || self.is_ident() && !self.is_kw("PROPERTIES") {
            Some(self.ident_or_string()?)
        } else {
            None
        };
        let properties = if self.is(&Token::LParen) { self.property_list()? } else { vec![] };
        Ok(Some(BrokerDesc { name, properties }))
    }

    fn data_description(&mut self) -> PResult<DataDescription> {
        self.expect_kw("DATA")?;
        let (mut files, mut source_table) = (vec![], None);
        if self.accept_kws(&["FROM", "TABLE"]) {
            source_table = Some(self.name()?);
        } else {
            self.expect_kw("INFILE")?;
            files = self.paren_list(Self::string)?;
        }
        let negative = self.accept_kw("NEGATIVE");
        self.expect_kws(&["INTO", "TABLE"])?;
        let table = self.ident()?;
        let partitions = self.partition_names()?;
        let mut d = DataDescription {
            files,
            source_table,
            negative,
            table,
            partitions,
            column_separator: None,
            row_delimiter: None,
            format: None,
            format_options: vec![],
            columns: vec![],
            columns_from_path: vec![],
            set: vec![],
            selection: None,
        };
        loop {
            if self.is_kws(&["COLUMNS", "TERMINATED", "BY"]) {
                self.pos += 3;
                d.column_separator = Some(self.string()?);
            } else if self.is_kws(&["ROWS", "TERMINATED", "BY"]) {
                self.pos += 3;
                d.row_delimiter = Some(self.string()?);
            } else if self.is_kws(&["FORMAT", "AS"]) {
                self.pos += 2;
                d.format = Some(self.ident_or_string()?);
            } else if self.is_kws(&["COLUMNS", "FROM", "PATH", "AS"]) {
                self.pos += 4;
                d.columns_from_path = self.ident_list()?;
            } else if self.is(&Token::LParen) {
                if *self.peek_at(2) == Token::Eq {
                    d.format_options = self.format_options()?
                } else {
                    d.columns = self.paren_list(Self::ident_or_string_ident)?
                }
            } else if self.accept_kw("SET") {
                d.set = self.paren_list(Self::import_column)?;
            } else if self.accept_kw("WHERE") {
                d.selection = Some(self.expr()?);
            } else {
                return Ok(d);
            }
        }
    }

    /// `(skip_header = 1 trim_space = true …)`: commas optional.
    fn format_options(&mut self) -> PResult<Vec<Property>> {
        self.expect(&Token::LParen)?;
        let mut options = Vec::new();
        while !self.accept(&Token::RParen) {
            options.push(self.property()?);
            self.accept(&Token::Comma);
        }
        Ok(options)
    }

    fn routine_load_desc(&mut self) -> PResult<RoutineLoadDesc> {
        let mut desc = RoutineLoadDesc::default();
        loop {
            if self.is_kws(&["COLUMNS", "TERMINATED", "BY"]) {
                self.pos += 3;
                desc.column_separator = Some(self.string()?);
            } else if self.is_kws(&["ROWS", "TERMINATED", "BY"]) {
                self.pos += 3;
                desc.row_delimiter = Some(self.string()?);
            } else if self.is_kw("COLUMNS") && *self.peek_at(1) == Token::LParen {
                self.pos += 1;
                desc.columns = self.paren_list(Self::import_column)?;
            } else if self.accept_kw("WHERE") {
                desc.selection = Some(self.expr()?);
            } else if self.is_any_kw(&["PARTITION", "TEMPORARY"]) {
                desc.partitions = self.partition_names()?;
            } else {
                return Ok(desc);
            }
            self.accept(&Token::Comma);
        }
    }

    fn routine_load_source(&mut self) -> PResult<Option<(String, Vec<Property>)>> {
        if !self.accept_kw("FROM") {
            return Ok(None);
        }
        let source = self.ident()?.value.to_ascii_uppercase();
        Ok(Some((source, self.property_list()?)))
    }

    /// After `CREATE ROUTINE LOAD`.
    pub(super) fn create_routine_load(&mut self) -> PResult<Statement> {
        let name = self.name()?;
        self.expect_kw("ON")?;
        let table = self.ident()?;
        let desc = self.routine_load_desc()?;
        let properties = self.properties()?;
        let (source, source_properties) = self.routine_load_source()?.ok_or_else(|| self.unexpected(&["FROM"]))?;
        Ok(Statement::CreateRoutineLoad(Box::new(CreateRoutineLoad {
            name,
            table,
            desc,
            properties,
            source,
            source_properties,
        })))
    }

    /// After `ALTER ROUTINE LOAD FOR`.
    pub(super) fn alter_routine_load(&mut self) -> PResult<Statement> {
        let name = self.name()?;
        let desc = self.routine_load_desc()?;
        let properties = self.properties()?;
        let (source, source_properties) = self.routine_load_source()?.map_or((None, vec![]), |(s, p)| (Some(s), p));
        Ok(Statement::AlterRoutineLoad(Box::new(AlterRoutineLoad {
            name,
            desc,
            properties,
            source,
            source_properties,
        })))
    }

    /// After `CANCEL {LOAD|EXPORT}`.
    pub(super) fn cancel_job(&mut self) -> PResult<CancelJob> {
        let db = self.in_db()?;
        let selection = if self.accept_kw("WHERE") { Some(self.expr()?) } else { None };
        Ok(CancelJob { db, selection })
    }

    /// After `EXPORT TABLE`.
    pub(super) fn export(&mut self) -> PResult<Statement> {
        let table = self.name()?;
        let partitions = self.partition_names()?;
        let columns = if self.is(&Token::LParen) { self.ident_list()? } else { vec![] };
        self.expect_kw("TO")?;
        let path = self.string()?;
        let sync = self.sync_mode()?;
        let properties = self.properties()?;
        let broker = self.broker_desc()?;
        Ok(Statement::Export(Export { table, partitions, columns, path, sync, properties, broker }))
    }
}
