//! Reads the rows of a load from a source the server provides: a stream-load body or files, parsed by several drivers at once.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use common_base::Result;
use common_types::Chunk;
use proto_messages::plan::{FileScanNode, PlanNode};

use crate::{
    operator::{Source, SourceFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
    runtime::query::query_id_to_proto,
    sink::{FileReader, FileSource},
};

/// A chain that yields the file's rows.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &FileScanNode) -> Result<OpenChain> {
    let source = b.query.env.files.open(query_id_to_proto(b.query.id), op, b.query.parallelism)?;
    Ok(b.chain(node, Arc::new(FileScanFactory { source })))
}

struct FileScanFactory {
    source: Box<dyn FileSource>,
}

impl SourceFactory for FileScanFactory {
    fn name(&self) -> &'static str {
        "FILE_SCAN"
    }

    fn max_drivers(&self) -> usize {
        self.source.readers()
    }

    fn make(&self, driver: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(FileScan { reader: self.source.reader(driver)? }))
    }
}

struct FileScan {
    reader: Box<dyn FileReader>,
}

impl Source for FileScan {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        self.reader.poll_next(cx)
    }
}
