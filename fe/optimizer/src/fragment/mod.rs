//! Physical plan → fragments → messages per backend.
//!
//! A fragment is what lies between exchanges. [`build_fragments`] cuts the plan; [`assign`] decides where instances run and writes
//! one request per backend; [`explain`] prints what was cut.

mod assign;
mod build;
pub mod explain;
mod late_readers;
mod split;

use common_base::{Result, ids::NodeId};
use common_expr::expr::{ColumnId, Expr};
use common_types::LogicalType;
use fe_plan::{ColumnFactory, PhysicalNode, physical::ExchangePartitioning, props::BucketLayout};
use proto_messages::fragment::{ExecuteRequest, FileSink, TableSink};

use crate::{ColumnEstimate, Optimized};

pub use assign::{assign, buckets_meet};

/// Where the rows of the whole plan go.
#[derive(Clone, Debug)]
pub enum RootSink {
    /// Back to the FE.
    Result,
    /// Into a table.
    Table(Box<TableSink>),
    /// Into files of a backend.
    Files(Box<FileSink>),
}

/// The plan in pieces. Fragment 0 is the root.
#[derive(Debug)]
pub struct FragmentedPlan {
    pub fragments: Vec<Fragment>,
    pub output: Vec<ColumnId>,
    pub columns: ColumnFactory,
    pub estimates: Vec<Option<ColumnEstimate>>,
}

/// One piece.
#[derive(Debug)]
pub struct Fragment {
    pub id: u32,
    /// Exchanges in it have no children: their input is another fragment.
    pub root: PhysicalNode,
    pub sink: FragmentSink,
    /// Types of columns that hold aggregation states, by exchange.
    pub states: Vec<(u32, Vec<(ColumnId, LogicalType)>)>,
    /// One instance only.
    pub single: bool,
}

/// Where the rows of a fragment go.
#[derive(Debug)]
pub enum FragmentSink {
    Root(RootSink),
    Exchange(ExchangeTo),
    /// A CTE's readers.
    MultiCast(Vec<ExchangeTo>),
}

/// One exchange as its sender sees it.
#[derive(Clone, Debug)]
pub struct ExchangeTo {
    /// The exchange node's id.
    pub exchange: u32,
    pub fragment: u32,
    pub partitioning: ExchangePartitioning,
    /// Whose buckets a bucket partitioning follows.
    pub layout: Option<BucketLayout>,
    /// Columns sent, in order.
    pub columns: Vec<ColumnId>,
}

/// A request for one backend.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub node: NodeId,
    pub host: String,
    pub port: u16,
    pub request: ExecuteRequest,
}

/// Cuts a plan into fragments.
pub fn build_fragments(plan: Optimized, sink: RootSink) -> Result<FragmentedPlan> {
    let Optimized { physical, output, columns, estimates } = plan;
    let fragments = split::split(physical, sink)?;
    Ok(FragmentedPlan { fragments, output, columns, estimates })
}

impl FragmentedPlan {
    /// Whether the FE can run it by itself: one fragment whose leaves are values.
    pub fn is_local(&self) -> bool {
        matches!(self.fragments.as_slice(), [only] if only.root.is_local() && matches!(only.sink, FragmentSink::Root(RootSink::Result)))
    }

    /// The only instance of a plan the FE runs by itself.
    pub fn local_instance(&self) -> Result<proto_messages::fragment::FragmentInstance> {
        let Some(fragment) = self.fragments.first().filter(|_| self.is_local()) else {
            common_base::bail!(Internal, "the plan needs a backend");
        };
        Ok(proto_messages::fragment::FragmentInstance {
            fragment_id: 0,
            instance: 0,
            instance_count: 1,
            plan: Some(build::plan_node(&self.columns, fragment)?),
            sink: Some(result_sink()),
            scan_ranges: Vec::new(),
            senders: Vec::new(),
        })
    }
}

fn result_sink() -> proto_messages::fragment::Sink {
    use proto_messages::fragment::{ResultSink, Sink, sink::Kind};
    Sink { kind: Some(Kind::Result(ResultSink {})) }
}

/// The expressions an exchange hashes by.
fn hash_exprs(partitioning: &ExchangePartitioning) -> &[Expr] {
    match partitioning {
        ExchangePartitioning::Hash(exprs) | ExchangePartitioning::Bucket(exprs) => exprs,
        _ => &[],
    }
}
