//! Background jobs as pure step functions: `step(catalog, job, observations) -> effects`.
//!
//! A job's record is part of the catalog, so a new leader goes on where the last one was: what was seen but not recorded is simply
//! seen again, and every effect may be done twice. The runner in `fe_engine` performs the effects and collects the observations.
//! Each job has exactly one state, a reason, a deadline and a way to cancel it.

pub mod alter;
pub mod dynamic_partition;
pub mod recycle;
pub mod tablet;
