//! Shared loops: the one place with type-list instantiation and the only files of this crate that may use `unsafe`.

pub mod arith;
pub mod bitmap;
pub mod bools;
pub mod civil;
pub mod compare;
pub mod def;
pub mod elements;
pub mod group;
pub mod hll;
pub mod ints;
pub mod like;
pub mod lists;
pub mod maps;
pub mod num;
pub mod regexes;
pub mod simple_regex;
pub mod strings;
pub mod tdigest;
#[cfg(test)]
pub mod testing;
pub mod temporal;
pub mod text;
pub mod time_format;
pub mod time_parse;
pub mod utf8;
pub mod zone;
