//! A catalog and statistics from text, and SQL → plan text, for tests.

use std::{collections::HashMap, sync::Arc};

use common_base::{
    Result,
    ids::{ColumnUid, DbId, IndexId, NodeId, PartitionId, QueryId, ReplicaId, TableId, TabletId},
};
use common_expr::{registry::FunctionRegistry, scalar_fn::EvalContext};
use common_types::{Chunk, LogicalType, Scalar};
use fe_analyzer::{AnalyzeContext, AnalyzedQuery, CatalogView, SessionFacts, analyze_query, statement::analyze_sync_view};
use fe_catalog::model::{
    Column, Database, DefaultValue, Distribution, IndexState, KeysModel, OlapTable, Partition, PartitionBound, PartitionInfo, PartitionItem,
    Replica, Table, TableIndex, TableKind, Tablet, TabletIndex,
};
use fe_parser::{
    ParseOptions,
    ast::{self, Statement, VariableScope},
};
use fe_plan::{
    ColumnFactory, ColumnStatistics, StatisticsProvider,
    print::Printer,
};

use crate::{BackendView, ClusterView, FragmentedPlan, OptimizeInput, Optimized, Options, RootSink, fragment::explain, optimize};

/// Tables, statistics, a cluster.
pub struct Kit {
    tables: HashMap<String, Arc<Table>>,
    rows: HashMap<String, f64>,
    columns: HashMap<(String, String), ColumnStatistics>,
    pub cluster: ClusterView,
    pub options: Options,
    pub registry: Arc<FunctionRegistry>,
    pub eval: EvalContext,
    next_id: u64,
}

impl Kit {
    /// An empty catalog on some backends.
    pub fn new(nodes: u64) -> Self {
        let backend = |i| BackendView { id: NodeId(i), host: format!("be{i}"), be_port: 9060, brpc_port: 8060 };
        Self {
            tables: HashMap::new(),
            rows: HashMap::new(),
            columns: HashMap::new(),
            cluster: ClusterView { backends: (1..=nodes).map(backend).collect(), parallelism: 2, ..ClusterView::default() },
            options: Options::default(),
            registry: common_functions::registry(),
            eval: EvalContext { now_us: 1_700_000_000_000_000, sql_mode: 34, ..EvalContext::default() },
            next_id: 1000,
        }
    }

    /// Runs every CREATE TABLE and CREATE MATERIALIZED VIEW of a text.
    pub fn load(&mut self, text: &str) {
        for parsed in fe_parser::parse(text, &ParseOptions::default()).expect("schema parses") {
            match parsed.stmt {
                Statement::CreateTable(t) => self.create(&t),
                Statement::CreateMaterializedView(v) => self.create_view(&v),
                _ => panic!("only CREATE TABLE and CREATE MATERIALIZED VIEW are expected"),
            }
        }
    }

    /// A synchronous materialized view, built.
    fn create_view(&mut self, v: &ast::CreateMaterializedView) {
        let (_, table, draft) = analyze_sync_view(&self.context(), v).expect("the view is legal");
        let id = IndexId(self.id());
        let index = TableIndex { state: IndexState::Normal, ..draft.into_index(id, 0) };
        let mut t = (*table).clone();
        let TableKind::Olap(olap) = &mut t.kind else { panic!("a stored table is expected") };
        let olap = Arc::make_mut(olap);
        let parts: Vec<(PartitionId, u32)> = olap.partitions.iter().map(|(id, p)| (*id, p.buckets)).collect();
        for (part, buckets) in parts {
            let tablets = self.tablets(buckets);
            let partition = Arc::make_mut(olap.partitions.get_mut(&part).expect("a partition"));
            partition.indexes.push(Arc::new(TabletIndex { index_id: id, tablets }));
        }
        olap.next_column_uid += index.columns.len() as u64;
        olap.further.push(Arc::new(index));
        self.tables.insert(t.name.to_lowercase(), Arc::new(t));
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn create(&mut self, t: &ast::CreateTable) {
        let name = ast::encoding::name_parts(&t.name).last().expect("a name").value.clone();
        let columns: Vec<Column> = t
            .columns
            .iter()
            .enumerate()
            .map(|(i, c)| Column {
                uid: ColumnUid(i as u64 + 1),
                name: c.name.value.clone(),
                ty: fe_analyzer::logical_type(&c.data_type).expect("type"),
                nullable: c.nullable.unwrap_or(true),
                key: i == 0,
                aggregation: None,
                default: DefaultValue::None,
                before: common_types::Scalar::Null,
                auto_increment: false,
                generated: c.generated.as_ref().map(fe_parser::print::expr_sql),
                comment: String::new(),
            })
            .collect();
        let buckets = 6;
        let distribution = Distribution::Hash { columns: vec![bucket_column(t, &columns)], buckets };
        let property = |key: &str| t.properties.iter().find(|p| p.key.eq_ignore_ascii_case(key)).map(|p| p.value.clone());
        let colocate_group = property("colocate_with");
        let partition = self.partition("p", PartitionItem::All, buckets);
        let olap = OlapTable {
            distribution,
            schema_version: 1,
            short_key_columns: 1,
            partitions: [(partition.id, Arc::new(partition))].into_iter().collect(),
            colocate_group,
            next_column_uid: columns.len() as u64 + 1,
            ..OlapTable::new(KeysModel::Duplicate, IndexId(1))
        };
        let table = Table::new(TableId(self.id()), DbId(1), name.clone(), columns, TableKind::Olap(Arc::new(olap)));
        self.tables.insert(name.to_lowercase(), Arc::new(table));
    }

    fn partition(&mut self, name: &str, item: PartitionItem, buckets: u32) -> Partition {
        let tablets = self.tablets(buckets);
        Partition {
            item,
            buckets,
            visible_version: 2,
            next_version: 3,
            ..Partition::new(PartitionId(self.id()), name, vec![Arc::new(TabletIndex { index_id: IndexId(1), tablets })])
        }
    }

    fn tablets(&mut self, buckets: u32) -> Vec<Tablet> {
        let nodes = self.cluster.backends.len().max(1) as u64;
        let tablet = |b: u32| {
            let replica = Replica::new(ReplicaId(self.id()), NodeId(u64::from(b) % nodes + 1), 2);
            Tablet { id: TabletId(self.id()), replicas: vec![replica] }
        };
        (0..buckets).map(tablet).collect()
    }

    /// A table by name.
    pub fn table(&self, name: &str) -> Arc<Table> {
        self.tables[name].clone()
    }

    /// Splits a table into ranges of one integer-like column: `[..b0), [b0, b1), …`.
    pub fn partition_by_range(&mut self, table: &str, column: &str, bounds: Vec<Scalar>) {
        let mut t = (*self.tables[table]).clone();
        let uid = t.column(column).expect("column").uid;
        let mut ends: Vec<PartitionBound> = vec![PartitionBound::Min];
        ends.extend(bounds.into_iter().map(|b| PartitionBound::Values(vec![b])));
        let parts: Vec<Partition> = ends
            .windows(2)
            .enumerate()
            .map(|(i, w)| self.partition(&format!("p{i}"), PartitionItem::Range { lower: w[0].clone(), upper: w[1].clone() }, 6))
            .collect();
        if let TableKind::Olap(olap) = &mut t.kind {
            let olap = Arc::make_mut(olap);
            olap.partition_info = PartitionInfo::Range { columns: vec![uid] };
            olap.partitions = parts.into_iter().map(|p| (p.id, Arc::new(p))).collect();
        }
        self.tables.insert(table.to_owned(), Arc::new(t));
    }

    /// Gives a table these partitions, one of each item.
    pub fn partition_by(&mut self, table: &str, info: PartitionInfo, items: Vec<PartitionItem>) {
        let mut t = (*self.tables[table]).clone();
        let parts: Vec<Partition> = items.into_iter().enumerate().map(|(i, item)| self.partition(&format!("p{i}"), item, 6)).collect();
        if let TableKind::Olap(olap) = &mut t.kind {
            let olap = Arc::make_mut(olap);
            olap.partition_info = info;
            olap.partitions = parts.into_iter().map(|p| (p.id, Arc::new(p))).collect();
        }
        self.tables.insert(table.to_owned(), Arc::new(t));
    }

    /// Statistics, one item a line: `table rows` or `table.column ndv [min max]`.
    pub fn load_stats(&mut self, text: &str) {
        for line in text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |i: usize| words[i].parse::<f64>().expect("a number");
            match words[0].split_once('.') {
                None => {
                    self.rows.insert(words[0].to_owned(), number(1));
                }
                Some((table, column)) => {
                    let ty = self.tables[table].column(column).expect("column").ty.clone();
                    let value = |i: usize| words.get(i).map_or(Scalar::Null, |w| scalar(w, &ty));
                    let avg_size = crate::stats::type_size(&ty);
                    let s = ColumnStatistics { ndv: number(1), null_fraction: 0.0, min: value(2), max: value(3), avg_size };
                    self.columns.insert((table.to_owned(), column.to_owned()), s);
                }
            }
        }
    }

    /// SQL → analyzed query.
    pub fn analyze(&self, sql: &str) -> Result<AnalyzedQuery> {
        let options = ParseOptions { sql_mode: self.eval.sql_mode, ..ParseOptions::default() };
        let parsed = fe_parser::parse_one(sql, &options).map_err(|e| common_base::err!(Syntax, "{}", e.message()))?;
        let Statement::Query(query) = parsed.stmt else { panic!("a query is expected") };
        analyze_query(&self.context(), &query.query)
    }

    fn context(&self) -> AnalyzeContext<'_> {
        AnalyzeContext { view: self, registry: &self.registry, session: self, columns: ColumnFactory::default(), parameters: &[] }
    }

    /// A filter's conditions as the scan of the table has them.
    pub fn conditions(&self, table: &str, filter: &str) -> Vec<common_expr::expr::Expr> {
        let plan = self.optimize(&format!("select * from {table} where {filter}")).expect("the filter is legal");
        let mut found = Vec::new();
        plan.physical.visit(&mut |n| {
            if let fe_plan::PhysicalOp::Scan(s) = &n.op {
                found.clone_from(&s.predicates);
            }
        });
        found
    }

    /// The input of planning.
    pub fn input(&self, query: AnalyzedQuery) -> OptimizeInput<'_> {
        OptimizeInput {
            output: query.output.iter().map(|c| c.id).collect(),
            plan: query.plan,
            columns: query.columns,
            stats: self,
            registry: &self.registry,
            cluster: &self.cluster,
            options: &self.options,
            eval: &self.eval,
            spread_output: false,
        }
    }

    /// SQL → physical plan.
    pub fn optimize(&self, sql: &str) -> Result<Optimized> {
        optimize(self.input(self.analyze(sql)?))
    }

    /// SQL → plan as an indented tree.
    pub fn plan_text(&self, sql: &str) -> String {
        match self.optimize(sql) {
            Ok(o) => Printer { columns: &o.columns }.physical(&o.physical),
            Err(e) => format!("error: {:?}: {}\n", e.code(), e.message()),
        }
    }

    /// SQL → fragments, assigned.
    pub fn fragments(&self, sql: &str) -> Result<FragmentedPlan> {
        let plan = crate::build_fragments(self.optimize(sql)?, RootSink::Result)?;
        if plan.is_local() {
            plan.local_instance()?;
        } else {
            crate::assign(&plan, &self.cluster, QueryId(7), &Default::default())?;
        }
        Ok(plan)
    }

    /// SQL → EXPLAIN.
    pub fn explain(&self, sql: &str, level: explain::Level) -> String {
        match self.fragments(sql) {
            Ok(plan) => explain::explain(&plan, level).join("\n") + "\n",
            Err(e) => format!("error: {:?}: {}\n", e.code(), e.message()),
        }
    }
}

fn bucket_column(t: &ast::CreateTable, columns: &[Column]) -> ColumnUid {
    let text = format!("{:?}", t.distribution).to_lowercase();
    columns.iter().find(|c| text.contains(&format!("\"{}\"", c.name.to_lowercase()))).map_or(ColumnUid(1), |c| c.uid)
}

fn scalar(text: &str, ty: &LogicalType) -> Scalar {
    match ty {
        LogicalType::Date => common_types::date::parse_strict(text.as_bytes()).map_or(Scalar::Null, Scalar::Date),
        LogicalType::Double | LogicalType::Float => text.parse().map_or(Scalar::Null, Scalar::Double),
        LogicalType::Decimal { .. } => {
            let unscaled = text.parse::<f64>().expect("a number") * 10f64.powi(i32::from(ty.scale()));
            Scalar::from_i128(ty, unscaled as i128).unwrap_or(Scalar::Null)
        }
        _ => text.parse::<i128>().ok().and_then(|v| Scalar::from_i128(ty, v)).unwrap_or(Scalar::Null),
    }
}

impl StatisticsProvider for Kit {
    fn partition_rows(&self, table: &Table, _: PartitionId) -> Option<f64> {
        let parts = table.as_olap()?.partitions.len() as f64;
        self.rows.get(&table.name.to_lowercase()).map(|rows| rows / parts)
    }
    fn column(&self, table: &Table, column: ColumnUid) -> Option<ColumnStatistics> {
        let name = &table.column_by_uid(column)?.name;
        self.columns.get(&(table.name.to_lowercase(), name.to_lowercase())).cloned()
    }
}

impl CatalogView for Kit {
    fn database(&self, name: &str) -> Option<Arc<Database>> {
        Some(Arc::new(Database { id: DbId(1), name: name.to_owned(), properties: Vec::new(), created_ms: 0 }))
    }
    fn table(&self, _: &str, name: &str) -> Option<Arc<Table>> {
        self.tables.get(&name.to_lowercase()).cloned()
    }
    fn databases(&self) -> Vec<Arc<Database>> {
        Vec::new()
    }
    fn system_rows(&self, _: &Table, _: &[(String, String)]) -> Result<Arc<Vec<Chunk>>> {
        Ok(Arc::new(Vec::new()))
    }
}

impl SessionFacts for Kit {
    fn current_database(&self) -> Option<String> {
        Some("test".to_owned())
    }
    fn variable(&self, _: Option<VariableScope>, _: &str) -> Option<(Scalar, LogicalType)> {
        None
    }
    fn user_variable(&self, _: &str) -> Option<(Scalar, LogicalType)> {
        None
    }
    fn eval(&self) -> &EvalContext {
        &self.eval
    }
    fn user(&self) -> String {
        "'root'@'%'".to_owned()
    }
}
