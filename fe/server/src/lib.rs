//! The edges of a frontend: MySQL, HTTP, gRPC, configuration, and the composition of its parts.

pub mod app;
pub mod config;
pub mod http;
mod join;
mod member;
pub mod metrics;
pub mod mysql;
pub mod role;
pub mod rpc;
pub mod tool;
