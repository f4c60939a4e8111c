//! Small shared pieces of the executor.

pub mod channel;
