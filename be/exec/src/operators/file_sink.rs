//! Writes rows into files. They appear under their names when the last driver has written its last row.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use common_base::Result;
use common_types::Chunk;
use proto_messages::fragment::FileSink as FileSinkNode;

use crate::{
    operator::{FinalizeTask, Sink, SinkFactory},
    pipeline::builder::PipelineBuilder,
    runtime::{QueryContext, query::query_id_to_proto},
    sink::{FileRows, FileTarget},
};

/// The sink of a query that writes files.
pub fn make(b: &PipelineBuilder<'_>, node: &FileSinkNode) -> Result<Arc<dyn SinkFactory>> {
    let target = b.query.env.files.target(query_id_to_proto(b.query.id), node)?;
    Ok(Arc::new(FileSinkFactory { query: b.query.clone(), target }))
}

struct FileSinkFactory {
    query: Arc<QueryContext>,
    target: Arc<dyn FileTarget>,
}

impl SinkFactory for FileSinkFactory {
    fn name(&self) -> &'static str {
        "FILE_SINK"
    }

    fn make(&self, driver: usize) -> Result<Box<dyn Sink>> {
        Ok(Box::new(FileSink { rows: self.target.writer(driver)? }))
    }

    fn finalize(&self) -> Result<Vec<FinalizeTask>> {
        let (query, target) = (self.query.clone(), self.target.clone());
        let task: FinalizeTask = Box::new(move || {
            let written = target.commit()?;
            query.load.add(Vec::new(), &written);
            Ok(())
        });
        Ok(vec![task])
    }
}

struct FileSink {
    rows: Box<dyn FileRows>,
}

impl Sink for FileSink {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.rows.poll_ready(cx)
    }

    fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.rows.write(chunk)
    }

    fn poll_finish(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.rows.finish())
    }
}
