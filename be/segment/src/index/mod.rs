//! Structures that say which rows of a segment need reading, beside the zone maps of the columns.

pub mod short_key;
