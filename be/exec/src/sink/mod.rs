//! What the executor needs to write rows into tables. The server adapts tablet writers, here or on peers, to it.

use std::{ops::Range, sync::Arc, task::{Context, Poll}};

use common_base::Result;
use common_types::{Chunk, Scalar};
use futures::future::BoxFuture;
use proto_messages::{chunk::{LoadCounters, TabletCommit}, fragment::{FileSink, PartitionTarget, QueryId, TableSink}};

/// Opens writers for a load.
pub trait TableSinkProvider: Send + Sync {
    /// One writer per driver; all writers of one transaction on this BE may share state below.
    fn open(&self, query: QueryId, sink: &TableSink, driver: u32) -> Result<Box<dyn TableWriter>>;

    /// Partitions for rows that have none yet, one for each tuple of partition values. Partitions that exist by now are named too.
    fn create_partitions(&self, _sink: &TableSink, _values: Vec<Vec<Scalar>>) -> BoxFuture<'static, Result<Vec<PartitionTarget>>> {
        Box::pin(async { Err(common_base::err!(Internal, "this process makes no partitions")) })
    }

    /// Numbers for rows of the sink's numbered column, in ascending ranges.
    fn take_numbers(&self, _sink: &TableSink, _rows: usize) -> BoxFuture<'static, Result<Vec<Range<i64>>>> {
        Box::pin(async { Err(common_base::err!(Internal, "this process gives no numbers")) })
    }
}

/// Takes rows that are already routed.
pub trait TableWriter: Send {
    /// Room for another chunk.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;
    /// Row `i`, in the columns of index `index` of the sink, goes to tablet `tablets[i]`.
    fn write(&mut self, index: usize, chunk: Chunk, tablets: &[u64]) -> Result<()>;
    /// Learns of partitions made since it was opened.
    fn add_partitions(&mut self, _targets: &[PartitionTarget]) {}
    /// Makes everything written durable on a quorum of replicas and names it; or drops it.
    fn poll_finish(&mut self, cx: &mut Context<'_>, abort: bool) -> Poll<Result<(Vec<TabletCommit>, LoadCounters)>>;
}

/// Rows of a load from outside: a stream-load body, files.
pub trait FileSourceProvider: Send + Sync {
    /// The named source, split so that up to `parallelism` drivers parse it at once.
    fn open(&self, query: QueryId, node: &proto_messages::plan::FileScanNode, parallelism: usize) -> Result<Box<dyn FileSource>>;

    /// Files that a query writes here.
    fn target(&self, _query: QueryId, _sink: &FileSink) -> Result<Arc<dyn FileTarget>> {
        Err(common_base::err!(Internal, "this process writes no files"))
    }
}

/// An opened file source.
pub trait FileSource: Send + Sync {
    /// How many readers make sense.
    fn readers(&self) -> usize;
    /// A reader for one driver.
    fn reader(&self, driver: usize) -> Result<Box<dyn FileReader>>;
}

/// One parser.
pub trait FileReader: Send {
    /// The next chunk of parsed rows.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>>;
}

/// Counts and samples of rows a load refused; shared by all operators of a load on one BE.
pub trait BadRows: Send + Sync {
    /// A row that does not fit, with why and the row's text.
    fn report(&self, reason: &str, row: &str);
    /// Rows refused so far.
    fn count(&self) -> u64;
    /// Rows a WHERE of the load left out.
    fn add_unselected(&self, rows: u64);
}

/// Files that a query writes: they appear under their names all together when everything is written, or not at all.
pub trait FileTarget: Send + Sync {
    /// A writer for one driver.
    fn writer(&self, driver: usize) -> Result<Box<dyn FileRows>>;
    /// Every writer has finished: gives the files their names. What was written.
    fn commit(&self) -> Result<LoadCounters>;
}

/// Takes rows for files.
pub trait FileRows: Send {
    /// Room for another chunk.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;
    /// Writes rows.
    fn write(&mut self, chunk: Chunk) -> Result<()>;
    /// No more rows: files are complete and durable.
    fn finish(&mut self) -> Result<()>;
}
