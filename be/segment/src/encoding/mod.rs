//! Values ⇄ bytes. A page body is one [`node`]; every kind of node has its file.

pub mod alp;
pub mod array;
pub mod binary;
pub mod bitpack;
pub mod fsst;
pub mod ints;
pub mod node;
pub mod words;

pub use node::Encoding;

#[cfg(test)]
mod laws;
