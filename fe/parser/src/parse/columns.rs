//! The pieces of table definitions: columns, keys, indexes, distribution, sort keys, rollups.

use sqlparser::ast::{DataType, Ident};
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{
    AggregateType, ColumnDef, ColumnDefault, ColumnPosition, Distribution, DistributionKind, IndexDef, IndexKind,
    KeyDesc, KeyModel, RollupDef, SortKey,
};
use crate::error::{PResult, SyntaxError};

impl Parser<'_> {
    /// `name type [charset] [KEY] [agg] [NULL|NOT NULL] [DEFAULT v | AUTO_INCREMENT | AS e] [COMMENT s]`
    pub(super) fn column_def(&mut self) -> PResult<ColumnDef> {
        let start = self.pos;
        let name = self.ident()?;
        let mut column = ColumnDef {
            name,
            data_type: DataType::Unspecified,
            is_key: false,
            aggregate: None,
            nullable: None,
            default: None,
            auto_increment: false,
            generated: None,
            comment: None,
        };
        if let Some(state) = self.aggregate_state()? {
            column.aggregate = Some(state);
        } else {
            column.data_type = self.data_type()?;
        }
        self.skip_charset()?;
        column.is_key = self.accept_kw("KEY") || self.accept_kws(&["PRIMARY", "KEY"]);
        if column.aggregate.is_none() && (self.is_ident() || self.is_kw("REPLACE")) {
            column.aggregate = self.aggregate_type()?;
        }
        self.skip_charset()?;
        column.nullable = self.nullability();
        if self.accept_kw("DEFAULT") {
            column.default = Some(self.column_default()?);
        } else if self.accept_kw("AUTO_INCREMENT") {
            column.auto_increment = true;
        } else if self.accept_kw("AS") {
            column.generated = Some(self.expr()?);
        }
        if column.nullable.is_none() && column.generated.is_none() {
            column.nullable = self.nullability();
        }
        column.comment = self.comment()?;
        self.check_column(&column, start)?;
        Ok(column)
    }

    /// What the reference refuses while it builds the tree.
    fn check_column(&self, column: &ColumnDef, start: usize) -> PResult<()> {
        if column.auto_increment && column.nullable == Some(true) {
            let at = self.lexed.tokens.get(start).map(|t| t.span.start);
            return Err(SyntaxError::new(at, format!("AUTO_INCREMENT column {} must be NOT NULL.", column.name.value)));
        }
        if column.generated.is_some() && column.is_key {
            return Err(SyntaxError::new(None, "Generated Column can not be KEY."));
        }
        if column.generated.is_some() && column.nullable == Some(false) {
            return Err(SyntaxError::new(None, "Generated Column must be nullable column."));
        }
        Ok(())
    }

    fn nullability(&mut self) -> Option<bool> {
        if self.accept_kws(&["NOT", "NULL"]) { Some(false) } else { self.accept_kw("NULL").then_some(true) }
    }

    fn skip_charset(&mut self) -> PResult<()> {
        loop {
            if self.is_kw("CHARSET") || self.is_kws(&["CHARACTER", "SET"]) {
                self.pos += if self.is_kw("CHARSET") { 1 } else { 2 };
            } else if !self.accept_kw("COLLATE") {
                return Ok(());
            }
            self.accept(&Token::Eq);
            self.ident_or_string()?;
        }
    }

    fn aggregate_type(&mut self) -> PResult<Option<AggregateType>> {
        let simple = [
            ("SUM", AggregateType::Sum),
            ("MIN", AggregateType::Min),
            ("MAX", AggregateType::Max),
            ("REPLACE", AggregateType::Replace),
            ("REPLACE_IF_NOT_NULL", AggregateType::ReplaceIfNotNull),
            ("HLL_UNION", AggregateType::HllUnion),
            ("BITMAP_UNION", AggregateType::BitmapUnion),
            ("PERCENTILE_UNION", AggregateType::PercentileUnion),
        ];
        if *self.peek_at(1) != Token::LParen {
            for (word, aggregate) in simple {
                if self.accept_kw(word) {
                    return Ok(Some(aggregate));
                }
            }
            return Ok(None);
        }
        self.aggregate_state()
    }

    /// `avg(int)`, `array_agg(varchar(20))`: a state column. Types look alike (`varchar(20)`), so known type names are no state.
    fn aggregate_state(&mut self) -> PResult<Option<AggregateType>> {
        let Some(word) = self.word_at(0) else { return Ok(None) };
        if *self.peek_at(1) != Token::LParen || crate::dialect::is_reserved(word) || is_type_word(word) {
            return Ok(None);
        }
        let function = self.any_word().value.to_ascii_lowercase();
        self.expect(&Token::LParen)?;
        let mut args = Vec::new();
        if !self.is(&Token::RParen) {
            args = self.comma_list(|p| {
                let t = p.data_type()?;
                let _ = p.accept_kws(&["NOT", "NULL"]) || p.accept_kw("NULL");
                Ok(t)
            })?;
        }
        self.expect(&Token::RParen)?;
        Ok(Some(AggregateType::State { function, args }))
    }

    fn column_default(&mut self) -> PResult<ColumnDefault> {
        if self.accept_kw("NULL") {
            return Ok(ColumnDefault::Null);
        }
        if self.accept_kw("CURRENT_TIMESTAMP") {
            let mut precision = None;
            if self.accept(&Token::LParen) {
                if !self.is(&Token::RParen) {
                    precision = u8::try_from(self.integer()?).ok();
                }
                self.expect(&Token::RParen)?;
            }
            return Ok(ColumnDefault::CurrentTimestamp(precision));
        }
        if self.is_string() {
            return Ok(ColumnDefault::Literal(self.string()?));
        }
        let negative = matches!(self.peek(), Token::Minus) && matches!(self.peek_at(1), Token::Number(..));
        if negative || matches!(self.peek(), Token::Number(..)) {
            self.pos += usize::from(negative);
            let digits = self.property_word(false)?;
            return Ok(ColumnDefault::Literal(if negative { format!("-{digits}") } else { digits }));
        }
        for (word, text) in [("TRUE", "true"), ("FALSE", "false")] {
            if self.accept_kw(word) {
                return Ok(ColumnDefault::Literal(text.to_string()));
            }
        }
        // At operand strength, so that NOT NULL or COMMENT after it is not taken into the expression.
        self.default_expr().map(ColumnDefault::Expr)
    }

    /// `[FIRST | AFTER c]`
    pub(super) fn column_position(&mut self) -> PResult<Option<ColumnPosition>> {
        Ok(if self.accept_kw("FIRST") {
            Some(ColumnPosition::First)
        } else if self.accept_kw("AFTER") {
            Some(ColumnPosition::After(self.ident()?))
        } else {
            None
        })
    }

    /// `INDEX i (c, ..) [USING kind [(kv)]] [COMMENT s]`, after the word INDEX.
    pub(super) fn index_def(&mut self) -> PResult<IndexDef> {
        let name = self.ident()?;
        let columns = self.ident_list()?;
        self.index_rest(name, columns)
    }

    pub(super) fn index_rest(&mut self, name: Ident, columns: Vec<Ident>) -> PResult<IndexDef> {
        let mut kind = IndexKind::Bitmap;
        let mut properties = vec![];
        if self.accept_kw("USING") {
            kind = match self.expect_any_kw(&["BITMAP", "NGRAMBF", "GIN", "VECTOR"])? {
                "BITMAP" => IndexKind::Bitmap,
                "NGRAMBF" => IndexKind::NgramBf,
                "GIN" => IndexKind::Gin,
                _ => IndexKind::Vector,
            };
            if self.is(&Token::LParen) {
                properties = self.property_list()?;
            }
        }
        let comment = self.comment()?;
        Ok(IndexDef { name, columns, kind, properties, comment })
    }

    /// `[{DUPLICATE|AGGREGATE|UNIQUE|PRIMARY} KEY (c, ..)]`
    pub(super) fn key_desc(&mut self) -> PResult<Option<KeyDesc>> {
        let models = [
            ("DUPLICATE", KeyModel::Duplicate),
            ("AGGREGATE", KeyModel::Aggregate),
            ("UNIQUE", KeyModel::Unique),
            ("PRIMARY", KeyModel::Primary),
        ];
        for (word, model) in models {
            if self.is_kw(word) && self.is_kw_at(1, "KEY") {
                self.pos += 2;
                let columns = self.ident_list()?;
                return Ok(Some(KeyDesc { model, columns }));
            }
        }
        Ok(None)
    }

    /// `[DISTRIBUTED BY {HASH(c, ..)|RANDOM} [BUCKETS n]]`
    pub(super) fn distribution(&mut self) -> PResult<Option<Distribution>> {
        if !self.accept_kws(&["DISTRIBUTED", "BY"]) {
            return Ok(None);
        }
        let kind = match self.expect_any_kw(&["HASH", "RANDOM"])? {
            "HASH" => DistributionKind::Hash(self.ident_list()?),
            _ => DistributionKind::Random,
        };
        Ok(Some(Distribution { kind, buckets: self.buckets()? }))
    }

    pub(super) fn buckets(&mut self) -> PResult<Option<u32>> {
        if !self.accept_kw("BUCKETS") {
            return Ok(None);
        }
        if self.accept_kw("AUTO") {
            return Ok(None);
        }
        let at = self.location();
        let n = self.integer()?;
        u32::try_from(n).map(Some).map_err(|_| SyntaxError::new(at, format!("Numeric overflow {n}")))
    }

    /// `[ORDER BY (c [ASC|DESC], ..)]`
    pub(super) fn sort_keys(&mut self) -> PResult<Option<Vec<SortKey>>> {
        if !self.accept_kws(&["ORDER", "BY"]) {
            return Ok(None);
        }
        let parens = self.accept(&Token::LParen);
        let keys = self.comma_list(|p| {
            let column = p.ident()?;
            let asc = p.accept_any_kw(&["ASC", "DESC"]) != Some("DESC");
            if p.accept_kw("NULLS") {
                p.expect_any_kw(&["FIRST", "LAST"])?;
            }
            Ok(SortKey { column, asc })
        })?;
        if parens {
            self.expect(&Token::RParen)?;
        }
        Ok(Some(keys))
    }

    /// `r (c, ..) [DUPLICATE KEY (..)] [FROM r0] [PROPERTIES(..)]`
    pub(super) fn rollup_def(&mut self) -> PResult<RollupDef> {
        let name = self.ident()?;
        let columns = self.ident_list()?;
        let duplicate_key = if self.accept_kws(&["DUPLICATE", "KEY"]) { Some(self.ident_list()?) } else { None };
        let from = if self.accept_kw("FROM") { Some(self.ident()?) } else { None };
        let properties = self.properties()?;
        Ok(RollupDef { name, columns, duplicate_key, from, properties })
    }
}

fn is_type_word(word: &str) -> bool {
    ["DATETIME", "TIME", "STRING", "BINARY", "VARBINARY", "NUMERIC", "NUMBER", "DEC", "TIMESTAMP", "BOOLEAN"]
        .iter()
        .any(|t| word.eq_ignore_ascii_case(t))
}
