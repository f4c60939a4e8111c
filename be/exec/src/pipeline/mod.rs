//! Pipelines: chains of a source, transforms and a sink, and how a plan becomes a set of them.

pub mod builder;

use std::sync::Arc;

use crate::{
    operator::{SinkFactory, SourceFactory, TransformFactory},
    profile::OperatorProfile,
};

/// Number of a pipeline within its fragment instance.
pub type PipelineId = usize;

/// One stage with its profile.
pub struct Stage<F: ?Sized> {
    pub factory: Arc<F>,
    pub profile: Arc<OperatorProfile>,
}

impl<F: ?Sized> Clone for Stage<F> {
    fn clone(&self) -> Self {
        Self { factory: self.factory.clone(), profile: self.profile.clone() }
    }
}

/// A chain that runs as several drivers at once.
pub struct Pipeline {
    pub source: Stage<dyn SourceFactory>,
    pub transforms: Vec<Stage<dyn TransformFactory>>,
    pub sink: Stage<dyn SinkFactory>,
    /// Pipelines that must have finished (sink finalized) before this one starts.
    pub depends_on: Vec<PipelineId>,
    /// Upper bound on drivers (1 where order or a shared state demands it).
    pub max_drivers: usize,
}
