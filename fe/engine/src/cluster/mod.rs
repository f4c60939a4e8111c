//! The cluster as the FE keeps it: who is alive, tablets on backends, publishing of committed loads, repair of replicas.

pub mod alter;
pub mod colocate;
pub mod dynamic_partition;
pub mod frontends;
pub mod heartbeat;
pub mod inspect;
mod node_states;
pub mod nodes;
pub mod publish;
pub mod recycle;
pub mod repair;
pub mod report;
pub mod sessions;
pub mod tablets;
pub mod unusable;
