//! One fragment instance: its pipelines, started in dependency order, and its end.

use std::sync::Arc;

use common_base::{Error, Result};
use parking_lot::Mutex;
use proto_messages::fragment::FragmentInstance;

use super::{QueryContext, driver::Driver, pool::QueryClock};
use crate::{
    operator::FinalizeTask,
    operators,
    pipeline::{Pipeline, PipelineId, builder::PipelineBuilder},
    profile::OperatorProfile,
};

/// Called once, when every pipeline has ended or one has failed and all its drivers are gone.
pub type OnDone = Box<dyn FnOnce(Result<()>) + Send>;

struct Run {
    waiting_for: usize,
    /// Drivers still running, then finalize tasks still running.
    active: usize,
    started: bool,
    finalizing: bool,
}

/// A built instance; shared by its drivers.
pub struct FragmentRun {
    query: Arc<QueryContext>,
    clock: Arc<QueryClock>,
    pipelines: Vec<Arc<Pipeline>>,
    dependents: Vec<Vec<PipelineId>>,
    runs: Mutex<Vec<Run>>,
    state: Mutex<End>,
    /// Operators of this instance, in build order.
    pub profiles: Vec<Arc<OperatorProfile>>,
    /// Which fragment and instance.
    pub fragment_id: u32,
    /// Index within the fragment.
    pub instance: u32,
}

struct End {
    unfinished: usize,
    active: usize,
    failure: Option<Error>,
    on_done: Option<OnDone>,
}

impl FragmentRun {
    /// Builds pipelines; nothing runs yet.
    pub fn build(query: Arc<QueryContext>, clock: Arc<QueryClock>, instance: &FragmentInstance, on_done: OnDone) -> Result<Arc<Self>> {
        let mut builder = PipelineBuilder::new(query.clone(), instance);
        operators::build_instance(&mut builder, instance)?;
        let (pipelines, profiles) = builder.finish();
        let mut dependents = vec![Vec::new(); pipelines.len()];
        let mut runs = Vec::with_capacity(pipelines.len());
        for (id, pipeline) in pipelines.iter().enumerate() {
            for below in &pipeline.depends_on {
                dependents[*below].push(id);
            }
            runs.push(Run { waiting_for: pipeline.depends_on.len(), active: 0, started: false, finalizing: false });
        }
        Ok(Arc::new(Self {
            clock,
            state: Mutex::new(End { unfinished: pipelines.len(), active: 0, failure: None, on_done: Some(on_done) }),
            pipelines: pipelines.into_iter().map(Arc::new).collect(),
            dependents,
            runs: Mutex::new(runs),
            profiles,
            fragment_id: instance.fragment_id,
            instance: instance.instance,
            query,
        }))
    }

    /// Starts every pipeline that waits for nothing.
    pub fn start(self: &Arc<Self>) {
        let ready: Vec<PipelineId> = {
            let mut runs = self.runs.lock();
            let ready: Vec<_> = runs.iter().enumerate().filter(|(_, r)| r.waiting_for == 0 && !r.started).map(|(i, _)| i).collect();
            ready.iter().for_each(|i| runs[*i].started = true);
            ready
        };
        // Held while starting so that a pipeline that ends at once does not end the instance early.
        self.enter(1);
        for id in ready {
            self.start_pipeline(id);
        }
        self.leave();
    }

    fn start_pipeline(self: &Arc<Self>, id: PipelineId) {
        let pipeline = self.pipelines[id].clone();
        let count = pipeline.source.factory.max_drivers().min(pipeline.max_drivers).min(self.query.parallelism).max(1);
        let drivers: Result<Vec<Driver>> = (0..count).map(|i| Driver::new(self.query.clone(), pipeline.clone(), i)).collect();
        let drivers = match drivers {
            Ok(drivers) => drivers,
            Err(e) => return self.fail(e),
        };
        self.runs.lock()[id].active = count;
        self.enter(count);
        for driver in drivers {
            let run = self.clone();
            self.query.env.spawner.spawn(
                self.clock.clone(),
                Box::pin(async move {
                    let result = driver.await;
                    run.task_ended(id, result);
                }),
            );
        }
    }

    /// A driver or finalize task of pipeline `id` has ended.
    fn task_ended(self: &Arc<Self>, id: PipelineId, result: Result<()>) {
        match result {
            Err(e) => self.fail(e),
            Ok(()) => {
                let (last, finalizing) = {
                    let mut runs = self.runs.lock();
                    runs[id].active -= 1;
                    (runs[id].active == 0, runs[id].finalizing)
                };
                if last && !finalizing {
                    self.finalize(id);
                } else if last {
                    self.pipeline_ended(id);
                }
            }
        }
        self.leave();
    }

    fn finalize(self: &Arc<Self>, id: PipelineId) {
        let tasks = match self.pipelines[id].sink.factory.finalize() {
            Ok(tasks) => tasks,
            Err(e) => return self.fail(e),
        };
        if tasks.is_empty() {
            return self.pipeline_ended(id);
        }
        {
            let mut runs = self.runs.lock();
            runs[id].finalizing = true;
            runs[id].active = tasks.len();
        }
        self.enter(tasks.len());
        for task in tasks {
            self.spawn_task(id, task);
        }
    }

    fn spawn_task(self: &Arc<Self>, id: PipelineId, task: FinalizeTask) {
        let run = self.clone();
        self.query.env.spawner.spawn(
            self.clock.clone(),
            Box::pin(async move {
                let result = run.query.check().and_then(|()| task());
                run.task_ended(id, result);
            }),
        );
    }

    fn pipeline_ended(self: &Arc<Self>, id: PipelineId) {
        self.state.lock().unfinished -= 1;
        let ready: Vec<PipelineId> = {
            let mut runs = self.runs.lock();
            let mut ready = Vec::new();
            for dependent in &self.dependents[id] {
                runs[*dependent].waiting_for -= 1;
                if runs[*dependent].waiting_for == 0 && !runs[*dependent].started {
                    runs[*dependent].started = true;
                    ready.push(*dependent);
                }
            }
            ready
        };
        for dependent in ready {
            self.start_pipeline(dependent);
        }
    }

    /// The instance has failed: cancel the rest of the query here; the end comes when the last task has left.
    fn fail(&self, error: Error) {
        self.state.lock().failure.get_or_insert(error.clone());
        self.query.cancel.cancel(error);
    }

    fn enter(&self, tasks: usize) {
        self.state.lock().active += tasks;
    }

    fn leave(&self) {
        let done = {
            let mut state = self.state.lock();
            state.active -= 1;
            if state.active == 0 && (state.unfinished == 0 || state.failure.is_some()) {
                let result = state.failure.clone().map_or(Ok(()), Err);
                state.on_done.take().map(|on_done| (on_done, result))
            } else {
                None
            }
        };
        if let Some((on_done, result)) = done {
            on_done(result);
        }
    }
}
