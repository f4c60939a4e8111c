//! JSON as loads define it: objects one after another, or the elements of one array; members by name or by path.

mod parse;
mod split;
#[cfg(test)]
mod tests;
mod text;

pub use parse::JsonParser;
pub use split::JsonSplitter;
pub(crate) use text::{skip_space as skip_blank, value_end};

use common_base::Result;
use common_types::{LogicalType, json::JsonPath};
use proto_messages::plan::FileFormat;

/// How documents become rows.
#[derive(Clone, Debug)]
pub struct JsonOptions {
    pub columns: Vec<String>,
    pub types: Vec<LogicalType>,
    /// In the order of `columns`; empty = members by name.
    pub paths: Vec<JsonPath>,
    pub root: Option<JsonPath>,
    pub strip_outer_array: bool,
}

impl JsonOptions {
    /// From the plan's description.
    pub fn from_proto(format: &FileFormat, types: Vec<LogicalType>) -> Result<Self> {
        let mut types = types;
        types.resize(format.columns.len(), LogicalType::varchar());
        Ok(Self {
            columns: format.columns.clone(),
            types,
            paths: format.jsonpaths.iter().map(|p| JsonPath::parse(p)).collect::<Result<_>>()?,
            root: if format.json_root.is_empty() { None } else { Some(JsonPath::parse(&format.json_root)?) },
            strip_outer_array: format.strip_outer_array,
        })
    }
}
