//! Paths of a call: compiled once when constant.

use common_base::Result;
use common_types::{Column, StrView, json::JsonPath};

use crate::kernels::strings::{strs, utf8};

/// The path argument of a call.
pub enum Paths<'a> {
    Const(JsonPath),
    /// The last text compiled is kept: neighbours are often equal.
    Rows(StrView<'a>, Option<(&'a [u8], Option<JsonPath>)>),
}

impl<'a> Paths<'a> {
    /// The paths of a column; a constant one that is invalid is an error.
    pub fn new(column: &'a Column) -> Result<Self> {
        Ok(match column.as_const() {
            Some(value) => Self::Const(JsonPath::parse(utf8(value.as_bytes().unwrap_or(b"$")))?),
            None => Self::Rows(strs(column), None),
        })
    }

    /// The path that is the same document.
    pub fn root() -> Result<Self> {
        Ok(Self::Const(JsonPath::parse("$")?))
    }

    /// The path of a row; `None` when it is invalid.
    #[inline]
    pub fn get(&mut self, row: usize) -> Option<&JsonPath> {
        match self {
            Self::Const(path) => Some(path),
            Self::Rows(texts, last) => {
                let text = texts.get(row);
                if last.as_ref().is_none_or(|(t, _)| *t != text) {
                    *last = Some((text, JsonPath::parse(utf8(text)).ok()));
                }
                last.as_ref().and_then(|(_, path)| path.as_ref())
            }
        }
    }
}
