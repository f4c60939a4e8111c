//! Data types. Names the library has no variant for become `Custom(name, modifiers)`, upper case.

use sqlparser::ast::{
    ArrayElemTypeDef, BinaryLength, CharacterLength, DataType, ExactNumberInfo, Ident, MapBracketKind, ObjectName,
    StructBracketKind, StructField, TimezoneInfo,
};
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::error::PResult;

impl Parser<'_> {
    /// One type, nested types included.
    pub fn data_type(&mut self) -> PResult<DataType> {
        self.nested(Self::data_type_inner)
    }

    fn data_type_inner(&mut self) -> PResult<DataType> {
        let Some(word) = self.word_at(0) else { return Err(self.unexpected(&["a type"])) };
        let upper = word.to_ascii_uppercase();
        let start = self.pos;
        self.pos += 1;
        Ok(match upper.as_str() {
            "BOOLEAN" | "BOOL" => DataType::Boolean,
            "TINYINT" => DataType::TinyInt(self.width()?),
            "SMALLINT" => DataType::SmallInt(self.width()?),
            "INT" | "INTEGER" => {
                let width = self.width()?;
                self.accept_kw("SIGNED");
                DataType::Int(width)
            }
            "BIGINT" => DataType::BigInt(self.width()?),
            "SIGNED" => {
                let _ = self.accept_kw("INT") || self.accept_kw("INTEGER");
                DataType::Signed
            }
            "UNSIGNED" => {
                let _ = self.accept_kw("INT") || self.accept_kw("INTEGER");
                DataType::Unsigned
            }
            "FLOAT" => DataType::Float(self.number_info()?),
            "DOUBLE" => {
                self.accept_kw("PRECISION");
                DataType::Double(self.number_info()?)
            }
            "DECIMAL" | "NUMERIC" | "NUMBER" | "DEC" => DataType::Decimal(self.number_info()?),
            "DATE" => DataType::Date,
            "DATETIME" | "TIMESTAMP" => DataType::Datetime(self.width()?),
            "TIME" => DataType::Time(self.width()?, TimezoneInfo::None),
            "CHAR" | "CHARACTER" => DataType::Char(self.char_length()?),
            "VARCHAR" => DataType::Varchar(self.char_length()?),
            "STRING" => {
                self.char_length()?;
                DataType::String(None)
            }
            "TEXT" => {
                self.char_length()?;
                DataType::Text
            }
            "BINARY" | "VARBINARY" => {
                DataType::Varbinary(self.width()?.map(|length| BinaryLength::IntegerLength { length }))
            }
            "JSON" => DataType::JSON,
            "ARRAY" => {
                self.expect(&Token::Lt)?;
                let element = self.data_type()?;
                self.expect(&Token::Gt)?;
                DataType::Array(ArrayElemTypeDef::AngleBracket(Box::new(element)))
            }
            "MAP" => {
                self.expect(&Token::Lt)?;
                let key = self.data_type()?;
                self.expect(&Token::Comma)?;
                let value = self.data_type()?;
                self.expect(&Token::Gt)?;
                DataType::Map(Box::new(key), Box::new(value), MapBracketKind::AngleBrackets)
            }
            "STRUCT" => {
                self.expect(&Token::Lt)?;
                let fields = self.comma_list(Self::struct_field)?;
                self.expect(&Token::Gt)?;
                DataType::Struct(fields, StructBracketKind::AngleBrackets)
            }
            "LARGEINT" | "DECIMALV2" | "DECIMAL32" | "DECIMAL64" | "DECIMAL128" | "DECIMAL256" | "BITMAP" | "HLL"
            | "PERCENTILE" | "VARIANT" => {
                let modifiers = self.type_modifiers()?;
                DataType::Custom(ObjectName::from(vec![Ident::new(upper)]), modifiers)
            }
            _ => {
                self.pos = start;
                return Err(self.unexpected(&["a type"]));
            }
        })
    }

    fn struct_field(&mut self) -> PResult<StructField> {
        let name = self.ident_after_dot()?;
        self.accept(&Token::Colon);
        let field_type = self.data_type()?;
        if self.accept_kw("COMMENT") {
            self.string()?;
        }
        Ok(StructField { field_name: Some(name), field_type, options: None })
    }

    /// `[(n)]`
    fn width(&mut self) -> PResult<Option<u64>> {
        if !self.is(&Token::LParen) {
            return Ok(None);
        }
        self.pos += 1;
        let n = self.integer()?;
        self.expect(&Token::RParen)?;
        Ok(u64::try_from(n).ok())
    }

    /// `[(n)]`, `[(*)]`; the star is "as long as possible", like no length.
    fn char_length(&mut self) -> PResult<Option<CharacterLength>> {
        if self.is(&Token::LParen) && *self.peek_at(1) == Token::Mul {
            self.pos += 2;
            self.expect(&Token::RParen)?;
            return Ok(Some(CharacterLength::Max));
        }
        Ok(self.width()?.map(|length| CharacterLength::IntegerLength { length, unit: None }))
    }

    fn number_info(&mut self) -> PResult<ExactNumberInfo> {
        let numbers: Vec<i64> = self.type_modifiers()?.iter().filter_map(|m| m.parse().ok()).collect();
        Ok(match numbers[..] {
            [] => ExactNumberInfo::None,
            [p] => ExactNumberInfo::Precision(p as u64),
            [p, s, ..] => ExactNumberInfo::PrecisionAndScale(p as u64, s),
        })
    }

    fn type_modifiers(&mut self) -> PResult<Vec<String>> {
        if !self.is(&Token::LParen) {
            return Ok(vec![]);
        }
        let numbers = self.paren_list(Self::integer)?;
        Ok(numbers.iter().map(i64::to_string).collect())
    }
}
