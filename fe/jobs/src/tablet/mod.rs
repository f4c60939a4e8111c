//! Replicas: what is wrong with each tablet, and what to do about it.
//!
//! Flow: [`health::judge`] looks at one tablet of the catalog → [`scheduler::Scheduler`] orders what was found, picks sources and
//! targets ([`place`]) within slots per disk, and returns effects → the runner in `fe_engine` copies or proposes and says what came
//! of it. When nothing is wrong, [`balance`] moves replicas from loaded backends to others. [`colocate`] says where the buckets of
//! groups are to be. Everything but the catalog is memory of the leader: a new one looks again and finds the same.

pub mod balance;
pub mod cluster;
pub mod colocate;
pub mod health;
pub mod place;
pub mod report;
pub mod scheduler;
#[cfg(test)]
mod tests;

pub use cluster::{BackendView, Cluster, DiskView, Facts, Policy};
pub use health::{Health, Priority};
pub use scheduler::{Effect, Scheduler, Task, TaskKind, TaskState, Work};
