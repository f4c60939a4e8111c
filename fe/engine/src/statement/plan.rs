//! From syntax to running fragments: the steps every statement with a query shares.

use std::time::Duration;

use common_base::{Result, bail, err, ids::{ColumnUid, NodeId, QueryId, TabletId}};
use common_expr::expr::{ColumnId, Expr};
use common_types::{LogicalType, Scalar};
use fe_analyzer::{AnalyzeContext, AnalyzedQuery, analyze_query, statement::lost_mark};
use fe_catalog::CatalogState;
use fe_optimizer::{BackendView, ClusterView, FragmentedPlan, OptimizeInput, Options, RootSink, fragment::explain::{Level, explain}};
use fe_parser::ast::{ExplainMode, QueryStatement, sql};
use fe_plan::{ColumnFactory, LogicalNode};
use proto_messages::fragment::{ExecuteRequest, FileSink, QueryOptions, TableSink};

use super::{query::result_column, transaction};
use crate::{
    cluster::unusable,
    load::primary,
    coordinator::{self, QueryControl, QueryStream, Target},
    engine::Engine,
    result::ResultColumn,
    session::{Session, facts::Facts},
    statistics::SnapshotStatistics,
    view::SnapshotView,
};

/// A query ready to run.
pub struct Planned {
    pub columns: Vec<ResultColumn>,
    pub fragments: FragmentedPlan,
    cluster: ClusterView,
    addresses: Vec<(NodeId, String)>,
    options: QueryOptions,
}

/// What analysis needs of a session.
pub fn analyze_context<'a>(session: &'a Session, view: &'a SnapshotView<'a>, facts: &'a Facts, parameters: &'a [(Scalar, LogicalType)]) -> AnalyzeContext<'a> {
    AnalyzeContext { view, registry: &session.engine.registry, session: facts, columns: ColumnFactory::default(), parameters }
}

/// Plans a SELECT.
pub fn query(session: &Session, query: &sql::Query, parameters: &[(Scalar, LogicalType)]) -> Result<Planned> {
    let facts = Facts::of(session);
    let view = SnapshotView { engine: &session.engine, catalog: session.catalog() };
    let ctx = analyze_context(session, &view, &facts, parameters);
    let analyzed = analyze_query(&ctx, query)?;
    transaction::check_reads(session, &analyzed.tables)?;
    let columns = analyzed.output.iter().map(|c| result_column(&c.name, &c.ty)).collect();
    let output = analyzed.output.iter().map(|c| c.id).collect();
    plan(session, &view.catalog, &facts, columns, analyzed.plan, output, analyzed.columns, RootSink::Result)
}

/// The result columns of a query.
pub fn result_columns(session: &Session, query: &sql::Query, parameters: &[(Scalar, LogicalType)]) -> Result<Vec<ResultColumn>> {
    let facts = Facts::of(session);
    let view = SnapshotView { engine: &session.engine, catalog: session.catalog() };
    let analyzed = analyze_query(&analyze_context(session, &view, &facts, parameters), query)?;
    Ok(analyzed.output.iter().map(|c| result_column(&c.name, &c.ty)).collect())
}

/// Plans the query of an INSERT into a sink. Columns of the table come in the sink's order.
pub fn load(session: &Session, logical: LogicalNode, written: &[(ColumnUid, ColumnId)], columns: ColumnFactory, sink: TableSink) -> Result<Planned> {
    let facts = Facts::of(session);
    let catalog = session.catalog();
    let output = sink_output(&sink, written)?;
    plan(session, &catalog, &facts, Vec::new(), logical, output, columns, RootSink::Table(Box::new(sink)))
}

/// Plans a query whose rows become files.
pub fn unload(session: &Session, analyzed: AnalyzedQuery, sink: FileSink) -> Result<Planned> {
    let facts = Facts::of(session);
    let catalog = session.catalog();
    let output = analyzed.output.iter().map(|c| c.id).collect();
    plan(session, &catalog, &facts, Vec::new(), analyzed.plan, output, analyzed.columns, RootSink::Files(Box::new(sink)))
}

/// Plan columns in the order of the sink's columns.
fn sink_output(sink: &TableSink, written: &[(ColumnUid, ColumnId)]) -> Result<Vec<ColumnId>> {
    let of = |uid: u64| written.iter().find(|(u, _)| u.0 == uid).map(|(_, id)| *id);
    sink.columns.iter().map(|c| of(c.uid).ok_or_else(|| err!(Internal, "column {} of the table is not written", c.name))).collect()
}

#[allow(clippy::too_many_arguments)]
fn plan(
    session: &Session,
    catalog: &CatalogState,
    facts: &Facts,
    columns: Vec<ResultColumn>,
    logical: LogicalNode,
    output: Vec<ColumnId>,
    factory: ColumnFactory,
    sink: RootSink,
) -> Result<Planned> {
    use fe_analyzer::SessionFacts;
    let engine = &session.engine;
    let (cluster, addresses) = cluster_view(engine, catalog, session);
    let options = Options::from_variables(&|name| Some(session.variables.get_text(name)));
    let statistics = SnapshotStatistics { catalog };
    let input = OptimizeInput {
        plan: logical,
        output,
        columns: factory,
        stats: &statistics,
        registry: &engine.registry,
        cluster: &cluster,
        options: &options,
        eval: facts.eval(),
        // One instance writes: a transaction has one writer per tablet and backend.
        spread_output: matches!(sink, RootSink::Table(_)) && cluster.backends.len() <= 1,
    };
    let fragments = fe_optimizer::plan_fragments(input, sink)?;
    Ok(Planned { columns, fragments, cluster, addresses, options: query_options(session, facts) })
}

fn cluster_view(engine: &Engine, catalog: &CatalogState, session: &Session) -> (ClusterView, Vec<(NodeId, String)>) {
    let alive = engine.nodes.alive(catalog);
    let addresses = alive.iter().map(|b| (b.id, b.be_address())).collect();
    let backends = alive.into_iter().map(|b| BackendView { id: b.id, host: b.host, be_port: b.be_port, brpc_port: b.brpc_port }).collect();
    let parallelism = session.variables.get_int("pipeline_dop").max(0) as u32;
    (ClusterView { backends, parallelism, avoid: Default::default(), damages: engine.damages.known() }, addresses)
}

fn query_options(session: &Session, facts: &Facts) -> QueryOptions {
    use fe_analyzer::SessionFacts;
    let eval = facts.eval();
    let variables = &session.variables;
    QueryOptions {
        memory_limit: variables.get_int("query_mem_limit").max(0) as u64,
        timeout_ms: variables.get_int("query_timeout").max(1) as u64 * 1000,
        parallelism: variables.get_int("pipeline_dop").max(0) as u32,
        time_zone: eval.time_zone.clone(),
        now_us: eval.now_us,
        sql_mode: eval.sql_mode,
        profile: variables.get_bool("enable_profile"),
        runtime_filter_wait_ms: variables.get_int("runtime_filter_scan_wait_time").max(0) as u64,
        user: eval.user.clone(),
        database: eval.database.clone(),
        connection_id: eval.connection_id,
        variables: eval.variables.iter().cloned().collect(),
        load_bytes_hint: 0,
    }
}

impl Planned {
    /// The backends it may run on; none when it runs in this process.
    pub fn backends(&self) -> Vec<NodeId> {
        if self.fragments.is_local() { Vec::new() } else { self.cluster.backends.iter().map(|b| b.id).collect() }
    }

    /// Runs elsewhere from now on.
    pub fn avoid(&mut self, nodes: &[NodeId]) {
        self.cluster.backends.retain(|b| !nodes.contains(&b.id));
    }

    /// Reads other replicas from now on.
    pub fn avoid_replicas(&mut self, replicas: Vec<(NodeId, TabletId)>) {
        self.cluster.avoid.extend(replicas);
    }

    /// What each backend reads when it runs under this id.
    pub fn reads(&self, id: QueryId) -> unusable::Reads {
        let mut reads = unusable::Reads::new();
        for assigned in fe_optimizer::assign(&self.fragments, &self.cluster, id, &self.options).unwrap_or_default() {
            let Some((node, address)) = self.addresses.iter().find(|(node, _)| *node == assigned.node) else { continue };
            let ranges = assigned.request.instances.iter().flat_map(|i| &i.scan_ranges).flat_map(|r| &r.ranges).filter(|r| r.tablet_id != 0);
            let tablets: Vec<_> = ranges.map(|r| (TabletId(r.tablet_id), r.version)).collect();
            if !tablets.is_empty() {
                reads.entry(*node).or_insert_with(|| (address.clone(), Vec::new())).1.extend(tablets);
            }
        }
        reads
    }
}

/// Starts a planned query.
pub fn start(session: &Session, planned: &Planned, id: QueryId) -> Result<QueryStream> {
    let engine = &session.engine;
    let timeout = Duration::from_millis(planned.options.timeout_ms);
    let requests = requests(planned, id)?;
    let control = QueryControl { timeout, kill: session.info.kill_signal(), seed: engine.rng.next_u64() };
    coordinator::start(&engine.pool, &engine.local, requests, control)
}

fn requests(planned: &Planned, id: QueryId) -> Result<Vec<(Target, ExecuteRequest)>> {
    let wire_id = be_exec::runtime::query::query_id_to_proto(id);
    if planned.fragments.is_local() {
        let request = ExecuteRequest {
            query_id: Some(wire_id),
            instances: vec![planned.fragments.local_instance()?],
            options: Some(planned.options.clone()),
            runtime_filters: Vec::new(),
        };
        return Ok(vec![(Target::Local, request)]);
    }
    if planned.cluster.backends.is_empty() {
        bail!(Unavailable, "Backend node not found. Check if any backend node is down.");
    }
    let assigned = fe_optimizer::assign(&planned.fragments, &planned.cluster, id, &planned.options)?;
    Ok(assigned
        .into_iter()
        .map(|a| {
            let known = planned.addresses.iter().find(|(node, _)| *node == a.node).map(|(_, address)| address.clone());
            (Target::Backend(known.unwrap_or_else(|| format!("{}:{}", a.host, a.port))), a.request)
        })
        .collect())
}

/// The plan of a query as text lines joined by newlines.
pub fn explain_text(session: &Session, statement: &QueryStatement, mode: ExplainMode, parameters: &[(Scalar, LogicalType)]) -> Result<String> {
    let planned = query(session, &statement.query, parameters)?;
    let level = match mode {
        ExplainMode::Verbose => Level::Verbose,
        ExplainMode::Costs => Level::Costs,
        _ => Level::Normal,
    };
    Ok(explain(&planned.fragments, level).join("\n"))
}

/// Plans rows that a reader makes (a stream load): file fields → the table's columns, through a source named `source`.
pub fn file_load(request: FileLoad<'_>) -> Result<ExecuteRequest> {
    let FileLoad { analyzed, format, source, mut sink, options, id } = request;
    // The reader makes text (JSON documents for JSON columns); what a field is typed as is a conversion of it.
    let file_types: Vec<LogicalType> = format.types.iter().map(common_types::wire::type_from_proto).collect::<Result<_>>()?;
    let raw = |i: usize| Expr::column(i as u32, file_types[i].clone(), true);
    let remap = |e: Expr| {
        e.transform(&mut |node| match node.as_column().and_then(|id| analyzed.fields.iter().position(|f| f.id == id)) {
            Some(i) => raw(i).cast_to(&analyzed.fields[i].ty),
            None => node,
        })
    };
    let field_schema = schema(analyzed.fields.iter().zip(&file_types).map(|(f, ty)| (f.name.clone(), ty.clone(), true)));
    let mut node = proto_messages::plan::PlanNode {
        id: 0,
        children: Vec::new(),
        output: Some(field_schema.clone()),
        estimated_rows: 0.0,
        op: Some(proto_messages::plan::plan_node::Op::FileScan(proto_messages::plan::FileScanNode { source: source.to_owned(), format: Some(format) })),
    };
    if !analyzed.conjuncts.is_empty() {
        let conjuncts = analyzed.conjuncts.iter().cloned().map(remap).map(|e| common_expr::wire::to_proto(&e)).collect::<Result<_>>()?;
        let filter = proto_messages::plan::FilterNode { conjuncts, runtime_filters: Vec::new() };
        node = proto_messages::plan::PlanNode {
            id: 1,
            children: vec![node],
            output: Some(field_schema),
            estimated_rows: 0.0,
            op: Some(proto_messages::plan::plan_node::Op::Filter(filter)),
        };
    }
    let exprs = sink
        .columns
        .iter()
        .map(|c| {
            let found = analyzed.columns.iter().find(|(uid, _)| uid.0 == c.uid).map(|(_, e)| e);
            let op = analyzed.op.as_ref().filter(|_| c.uid == primary::OP.0);
            let expr = found.or(op).ok_or_else(|| err!(Internal, "column {} of the table is not written", c.name))?;
            common_expr::wire::to_proto(&remap(expr.clone()))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut exprs = exprs;
    let mut further = Vec::new();
    if sink.strict_mode {
        // Only what a column takes over from a field: an expression may well give NULL.
        let taken = analyzed.fields.iter().enumerate().filter_map(|(i, f)| {
            let (uid, converted) = analyzed.columns.iter().find(|(uid, _)| Some(*uid) == f.column)?;
            Some((*uid, raw(i), remap(converted.clone())))
        });
        exprs.push(common_expr::wire::to_proto(&lost_mark(taken))?);
        further.push((String::new(), LogicalType::BigInt, false));
        sink.lost_mark = true;
    }
    for (i, field) in analyzed.fields.iter().enumerate() {
        exprs.push(common_expr::wire::to_proto(&raw(i))?);
        further.push((field.name.clone(), file_types[i].clone(), true));
        sink.source_fields.push(field.name.clone());
    }
    let types = sink.columns.iter().map(|c| c.r#type.as_ref().map_or(Ok(LogicalType::Null), common_types::wire::type_from_proto)).collect::<Result<Vec<_>>>()?;
    let output = schema(types.into_iter().map(|ty| (String::new(), ty, true)).chain(further));
    let project = proto_messages::plan::PlanNode {
        id: 2,
        children: vec![node],
        output: Some(output),
        estimated_rows: 0.0,
        op: Some(proto_messages::plan::plan_node::Op::Project(proto_messages::plan::ProjectNode { exprs })),
    };
    let instance = proto_messages::fragment::FragmentInstance {
        fragment_id: 0,
        instance: 0,
        instance_count: 1,
        plan: Some(project),
        sink: Some(proto_messages::fragment::Sink { kind: Some(proto_messages::fragment::sink::Kind::Table(sink)) }),
        scan_ranges: Vec::new(),
        senders: Vec::new(),
    };
    Ok(ExecuteRequest {
        query_id: Some(be_exec::runtime::query::query_id_to_proto(id)),
        instances: vec![instance],
        options: Some(options),
        runtime_filters: Vec::new(),
    })
}

/// What [`file_load`] plans.
pub struct FileLoad<'a> {
    pub analyzed: &'a fe_analyzer::statement::AnalyzedLoad,
    pub format: proto_messages::plan::FileFormat,
    pub source: &'a str,
    pub sink: TableSink,
    pub options: QueryOptions,
    pub id: QueryId,
}

fn schema(fields: impl Iterator<Item = (String, LogicalType, bool)>) -> proto_messages::types::Schema {
    let field = |(name, ty, nullable): (String, LogicalType, bool)| proto_messages::types::Field { name, r#type: Some(common_types::wire::type_to_proto(&ty)), nullable };
    proto_messages::types::Schema { fields: fields.map(field).collect() }
}
