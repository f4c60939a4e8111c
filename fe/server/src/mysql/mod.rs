//! The MySQL protocol.
//!
//! Flow: [`listener`] accepts; [`handshake`] authenticates; [`connection`] reads commands and answers each with packets of
//! [`encode`]; errors pass [`errno`] exactly once.
//!
//! The command loop is ours: opensrv-mysql answers unknown commands with OK, has no multi-statements, no COM_RESET_CONNECTION,
//! COM_CHANGE_USER, COM_STMT_RESET or COM_STATISTICS, no error numbers outside MySQL's own and no column lengths. Its protocol
//! constants are used, so that the numbers have one source.

pub mod connection;
pub mod encode;
pub mod errno;
pub mod handshake;
pub mod listener;
pub mod packet;
pub mod params;
