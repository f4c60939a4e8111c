//! Reading a tablet at a version: which segments, which rows of them, under which conditions.

pub mod delete_predicates;
pub(crate) mod hidden_rows;
pub mod json_path;
pub(crate) mod merged;
pub mod residual;
pub mod split;
pub mod tablet_reader;

pub use json_path::JsonPathRead;
pub use residual::residual;
pub use tablet_reader::{Morsel, MorselScan, ReadColumn, ReadSpec, TabletRead};
