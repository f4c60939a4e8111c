//! Partition clauses.

use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{
    AddPartition, BatchPartitions, IntervalUnit, ListPartition, NewPartition, PartitionBy, PartitionNames,
    PartitionStep, PartitionValue, RangeBound, RangePartition, RangePartitionItem,
};
use crate::error::PResult;

impl Parser<'_> {
    /// `[[TEMPORARY] PARTITION[S] {(p, ..)|p}]`
    pub(super) fn partition_names(&mut self) -> PResult<Option<PartitionNames>> {
        let temporary = self.is_kw("TEMPORARY") && self.is_any_kw_at(1, &["PARTITION", "PARTITIONS"]);
        self.pos += usize::from(temporary);
        if self.accept_any_kw(&["PARTITION", "PARTITIONS"]).is_none() {
            return Ok(None);
        }
        self.partition_name_list(temporary).map(Some)
    }

    pub(super) fn partition_name_list(&mut self, temporary: bool) -> PResult<PartitionNames> {
        let names = if self.is(&Token::LParen) {
            self.paren_list(Self::ident_or_string_ident)?
        } else {
            vec![self.ident_or_string_ident()?]
        };
        Ok(PartitionNames { temporary, names })
    }

    /// `[PARTITION BY ..]`
    pub(super) fn partition_by(&mut self) -> PResult<Option<PartitionBy>> {
        if !self.accept_kws(&["PARTITION", "BY"]) {
            return Ok(None);
        }
        if self.is_kw("RANGE") && *self.peek_at(1) == Token::LParen {
            self.pos += 1;
            let exprs = self.paren_list(Self::expr)?;
            let items = if self.is(&Token::LParen) { self.range_items()? } else { vec![] };
            return Ok(Some(PartitionBy::Range { exprs, items }));
        }
        if self.is_kw("LIST") && *self.peek_at(1) == Token::LParen {
            self.pos += 1;
            let exprs = self.paren_list(Self::expr)?;
            let mut items = Vec::new();
            if self.accept(&Token::LParen) {
                if !self.is(&Token::RParen) {
                    items = self.comma_list(Self::list_partition)?;
                }
                self.expect(&Token::RParen)?;
            }
            return Ok(Some(PartitionBy::List { exprs, items }));
        }
        let exprs = self.partition_exprs()?;
        let items = if self.is(&Token::LParen) { self.range_items()? } else { vec![] };
        Ok(Some(PartitionBy::Expr { exprs, items }))
    }

    /// `(e, ..)` or `e, ..`
    pub(super) fn partition_exprs(&mut self) -> PResult<Vec<Expr>> {
        let list = |e: Expr| match e {
            Expr::Nested(inner) => vec![*inner],
            Expr::Tuple(items) => items,
            other => vec![other],
        };
        Ok(self.comma_list(Self::expr)?.into_iter().flat_map(list).collect())
    }

    fn range_items(&mut self) -> PResult<Vec<RangePartitionItem>> {
        self.expect(&Token::LParen)?;
        let mut items = Vec::new();
        if !self.is(&Token::RParen) {
            items = self.comma_list(|p| {
                Ok(if p.is_kw("START") {
                    RangePartitionItem::Batch(p.batch_partitions()?)
                } else {
                    RangePartitionItem::Single(p.range_partition()?)
                })
            })?;
        }
        self.expect(&Token::RParen)?;
        Ok(items)
    }

    fn range_partition(&mut self) -> PResult<RangePartition> {
        self.expect_kw("PARTITION")?;
        let if_not_exists = self.accept_if_not_exists();
        let name = self.ident_or_string_ident()?;
        let bound = self.range_bound()?;
        let properties = self.partition_properties()?;
        Ok(RangePartition { name, if_not_exists, bound, properties })
    }

    fn partition_properties(&mut self) -> PResult<Vec<crate::ast::Property>> {
        if self.is(&Token::LParen) { self.property_list() } else { Ok(vec![]) }
    }

    fn range_bound(&mut self) -> PResult<RangeBound> {
        self.expect_kw("VALUES")?;
        if self.accept_kws(&["LESS", "THAN"]) {
            if self.accept_kw("MAXVALUE") {
                return Ok(RangeBound::LessThan(vec![PartitionValue::MaxValue]));
            }
            return Ok(RangeBound::LessThan(self.partition_values()?));
        }
        self.expect(&Token::LBracket)?;
        let lower = self.partition_values()?;
        self.expect(&Token::Comma)?;
        let upper = self.partition_values()?;
        self.expect(&Token::RParen)?;
        Ok(RangeBound::Fixed { lower, upper })
    }

    pub(super) fn partition_values(&mut self) -> PResult<Vec<PartitionValue>> {
        self.paren_list(Self::partition_value)
    }

    fn partition_value(&mut self) -> PResult<PartitionValue> {
        Ok(if self.accept_kw("MAXVALUE") {
            PartitionValue::MaxValue
        } else if self.accept_kw("MINVALUE") {
            PartitionValue::MinValue
        } else if self.accept_kw("NULL") {
            PartitionValue::Null
        } else {
            if self.is_any_kw(&["DATE", "DATETIME"]) {
                self.pos += 1;
            }
            PartitionValue::Literal(self.literal_text()?)
        })
    }

    /// The text of a literal: a string's value, a number with its sign, TRUE or FALSE.
    pub(super) fn literal_text(&mut self) -> PResult<String> {
        if self.is_string() {
            return self.string();
        }
        let sign = if self.accept(&Token::Minus) { "-" } else { "" };
        match self.peek() {
            Token::Number(n, _) => {
                self.pos += 1;
                Ok(format!("{sign}{n}"))
            }
            Token::Word(w)
                if sign.is_empty()
                    && (w.value.eq_ignore_ascii_case("true") || w.value.eq_ignore_ascii_case("false")) =>
            {
                self.pos += 1;
                Ok(w.value.to_ascii_lowercase())
            }
            _ => Err(self.unexpected(&["a literal"])),
        }
    }

    /// `START ("a") END ("b") [EVERY (..)]`
    pub(super) fn batch_partitions(&mut self) -> PResult<BatchPartitions> {
        let bound = |p: &mut Self| -> PResult<String> {
            p.expect(&Token::LParen)?;
            let text = p.literal_text()?;
            p.expect(&Token::RParen)?;
            Ok(text)
        };
        self.expect_kw("START")?;
        let start = bound(self)?;
        self.expect_kw("END")?;
        let end = bound(self)?;
        let every = if self.accept_kw("EVERY") { self.partition_step()? } else { PartitionStep::None };
        Ok(BatchPartitions { start, end, every })
    }

    fn partition_step(&mut self) -> PResult<PartitionStep> {
        self.expect(&Token::LParen)?;
        let step = if self.accept_kw("INTERVAL") {
            let count = self.integer_or_string()?;
            PartitionStep::Interval { count, unit: self.interval_unit()? }
        } else {
            PartitionStep::Number(self.integer_or_string()?)
        };
        self.expect(&Token::RParen)?;
        Ok(step)
    }

    fn integer_or_string(&mut self) -> PResult<i64> {
        if self.is_string() {
            let at = self.location();
            let text = self.string()?;
            return text.parse().map_err(|_| {
                crate::error::SyntaxError::new(
                    at,
                    format!("Unexpected input '{text}', the most similar input is {{an integer}}."),
                )
            });
        }
        self.integer()
    }

    pub(super) fn interval_unit(&mut self) -> PResult<IntervalUnit> {
        match self.word_at(0).and_then(IntervalUnit::from_word) {
            Some(unit) => {
                self.pos += 1;
                Ok(unit)
            }
            None => Err(self.unexpected(&["YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"])),
        }
    }

    /// `(INTERVAL n unit)`
    pub(super) fn every_interval(&mut self) -> PResult<(i64, IntervalUnit)> {
        self.expect(&Token::LParen)?;
        self.expect_kw("INTERVAL")?;
        let count = self.integer_or_string()?;
        let unit = self.interval_unit()?;
        self.expect(&Token::RParen)?;
        Ok((count, unit))
    }

    fn list_partition(&mut self) -> PResult<ListPartition> {
        self.expect_kw("PARTITION")?;
        let if_not_exists = self.accept_if_not_exists();
        let name = self.ident_or_string_ident()?;
        self.expect_kws(&["VALUES", "IN"])?;
        let tuples = self.list_tuples()?;
        let properties = self.partition_properties()?;
        Ok(ListPartition { name, if_not_exists, tuples, properties })
    }

    /// `("a", "b")` of one column, or `(("a", "x"), ..)` of several.
    pub(super) fn list_tuples(&mut self) -> PResult<Vec<Vec<PartitionValue>>> {
        self.paren_list(|p| if p.is(&Token::LParen) { p.partition_values() } else { Ok(vec![p.partition_value()?]) })
    }

    /// `ADD [TEMPORARY] PARTITION[S] ..`, after ADD.
    pub(super) fn add_partition(&mut self) -> PResult<AddPartition> {
        let temporary = self.accept_kw("TEMPORARY");
        let partition = if self.accept_kw("PARTITIONS") {
            NewPartition::Batch(self.batch_partitions()?)
        } else {
            let list = {
                // PARTITION [IF NOT EXISTS] p VALUES IN
                let name = if self.is_kw_at(1, "IF") { 4 } else { 1 };
                self.is_kw_at(name + 1, "VALUES") && self.is_kw_at(name + 2, "IN")
            };
            if list { NewPartition::List(self.list_partition()?) } else { NewPartition::Range(self.range_partition()?) }
        };
        let distribution = self.distribution()?;
        let mut properties = self.properties()?;
        if properties.is_empty() {
            properties = self.partition_properties()?;
        }
        Ok(AddPartition { temporary, partition, distribution, properties })
    }
}
