//! The cluster as the FE keeps it: who is alive, tablets on backends, and publishing of committed loads.

pub mod alter;
pub mod heartbeat;
pub mod nodes;
pub mod publish;
pub mod report;
pub mod tablets;
