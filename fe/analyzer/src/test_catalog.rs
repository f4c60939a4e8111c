//! A catalog in memory made from CREATE TABLE texts, and a session with defaults: what the tests analyze against.

use std::{collections::BTreeMap, sync::Arc};

use common_base::{
    Result,
    ids::{ColumnUid, DbId, IndexId, TableId},
};
use common_expr::{registry::FunctionRegistry, scalar_fn::EvalContext};
use common_types::{Chunk, LogicalType, Scalar};
use fe_catalog::model::{
    Column, Database, DefaultValue, KeysModel, OlapTable, Table, TableKind, View,
};
use fe_parser::{
    ParseOptions,
    ast::{self, Statement, VariableScope},
};
use fe_plan::ColumnFactory;

use crate::{AnalyzeContext, CatalogView, SessionFacts, types::datatype::logical_type};

#[derive(Default)]
pub struct TestCatalog {
    dbs: BTreeMap<String, Arc<Database>>,
    tables: BTreeMap<(String, String), Arc<Table>>,
}

impl TestCatalog {
    pub fn new() -> Self {
        let mut c = Self::default();
        for (i, name) in ["test", "other", "information_schema"].iter().enumerate() {
            let db =
                Database { id: DbId(i as u64 + 1), name: (*name).to_owned(), properties: Vec::new(), created_ms: 0 };
            c.dbs.insert((*name).to_owned(), Arc::new(db));
        }
        let column = |name: &str, uid: u64| Column {
            uid: ColumnUid(uid),
            name: name.to_owned(),
            ty: LogicalType::varchar(),
            nullable: true,
            key: false,
            aggregation: None,
            default: DefaultValue::None,
            before: common_types::Scalar::Null,
            auto_increment: false,
            generated: None,
            comment: String::new(),
        };
        let tables = table(
            "information_schema",
            99,
            "tables",
            vec![column("TABLE_SCHEMA", 1), column("TABLE_NAME", 2)],
            TableKind::System,
        );
        c.tables.insert(("information_schema".to_owned(), "tables".to_owned()), tables);
        c
    }

    /// Adds every CREATE TABLE and CREATE VIEW of a text.
    pub fn load(&mut self, text: &str) {
        for parsed in fe_parser::parse(text, &ParseOptions::default()).expect("schema parses") {
            match parsed.stmt {
                Statement::CreateTable(t) => self.create(&t),
                Statement::CreateView(v) => {
                    let name = ast::encoding::name_parts(&v.name).last().unwrap().value.clone();
                    let definition = v.query_text.clone();
                    let registry = common_functions::registry();
                    let session = TestSession::default();
                    let ctx = context(self, &registry, &session);
                    let q = crate::analyze_query(&ctx, &v.query).expect("view query");
                    let columns = q.output.iter().enumerate().map(|(i, c)| Column {
                        uid: ColumnUid(i as u64 + 1),
                        name: v.columns.get(i).map_or_else(|| c.name.clone(), |n| n.name.value.clone()),
                        ty: c.ty.clone(),
                        nullable: true,
                        key: false,
                        aggregation: None,
                        default: DefaultValue::None,
                        before: common_types::Scalar::Null,
                        auto_increment: false,
                        generated: None,
                        comment: String::new(),
                    });
                    let kind = TableKind::View(Arc::new(View { definition, sql_mode: 32 }));
                    let t = table("test", 500 + self.tables.len() as u64, &name, columns.collect(), kind);
                    self.tables.insert(("test".to_owned(), name), t);
                }
                other => panic!("unexpected statement in schema: {other:?}"),
            }
        }
    }

    pub fn add_database(&mut self, name: &str) {
        let db = Database {
            id: DbId(100 + self.dbs.len() as u64),
            name: name.to_owned(),
            properties: Vec::new(),
            created_ms: 0,
        };
        self.dbs.entry(name.to_owned()).or_insert_with(|| Arc::new(db));
    }

    pub fn drop(&mut self, db: &str, name: &str) {
        self.tables.remove(&(db.to_owned(), name.to_owned()));
    }

    pub fn store_view(&mut self, spec: crate::statement::CreateViewSpec) {
        let t = table(
            &spec.db_name,
            500 + self.tables.len() as u64,
            &spec.name,
            spec.columns,
            TableKind::View(Arc::new(spec.view)),
        );
        self.tables.insert((spec.db_name, spec.name), t);
    }

    pub fn store_table(&mut self, spec: crate::statement::CreateTableSpec) {
        let partitions = spec.partitions.iter().enumerate().map(|(i, p)| {
            let id = common_base::ids::PartitionId(i as u64 + 10);
            let p = fe_catalog::model::Partition { item: p.item.clone(), ..fe_catalog::model::Partition::new(id, p.name.clone(), Vec::new()) };
            (id, Arc::new(p))
        });
        let olap = OlapTable {
            partition_info: spec.partition_info.clone(),
            distribution: spec.distribution.clone(),
            sort_key: spec.sort_key.clone(),
            schema_version: 1,
            short_key_columns: spec.short_key_columns,
            partitions: partitions.collect(),
            properties: spec.properties.clone(),
            next_column_uid: spec.columns.len() as u64 + 1,
            ..OlapTable::new(spec.keys, IndexId(1))
        };
        let t = table(
            &spec.db_name,
            1000 + self.tables.len() as u64,
            &spec.name,
            spec.columns,
            TableKind::Olap(Arc::new(olap)),
        );
        self.tables.insert((spec.db_name, spec.name), t);
    }

    fn create(&mut self, t: &ast::CreateTable) {
        let parts: Vec<String> = ast::encoding::name_parts(&t.name).into_iter().map(|i| i.value.clone()).collect();
        let (db, name) =
            if parts.len() == 2 { (parts[0].clone(), parts[1].clone()) } else { ("test".to_owned(), parts[0].clone()) };
        let columns: Vec<Column> = t
            .columns
            .iter()
            .enumerate()
            .map(|(i, c)| Column {
                uid: ColumnUid(i as u64 + 1),
                name: c.name.value.clone(),
                ty: logical_type(&c.data_type).expect("type"),
                nullable: c.nullable.unwrap_or(true),
                key: i == 0,
                aggregation: None,
                default: match &c.default {
                    Some(ast::ColumnDefault::Literal(s)) => DefaultValue::Literal(Scalar::string(s)),
                    Some(ast::ColumnDefault::CurrentTimestamp(p)) => DefaultValue::CurrentTimestamp(p.unwrap_or(0)),
                    Some(ast::ColumnDefault::Expr(e)) => DefaultValue::Expression(e.to_string()),
                    _ => DefaultValue::None,
                },
                before: Scalar::Null,
                auto_increment: c.auto_increment,
                generated: c.generated.as_ref().map(ToString::to_string),
                comment: String::new(),
            })
            .collect();
        let partition = fe_catalog::model::Partition::new(common_base::ids::PartitionId(7), "p1", Vec::new());
        let keys = match t.key.as_ref().map(|k| k.model) {
            Some(ast::KeyModel::Primary) => KeysModel::Primary,
            _ => KeysModel::Duplicate,
        };
        let olap = OlapTable {
            schema_version: 1,
            short_key_columns: 1,
            partitions: [(partition.id, Arc::new(partition))].into_iter().collect(),
            next_column_uid: columns.len() as u64 + 1,
            ..OlapTable::new(keys, IndexId(1))
        };
        let id = 1000 + self.tables.len() as u64;
        let t = table(&db, id, &name, columns, TableKind::Olap(Arc::new(olap)));
        self.tables.insert((db, name), t);
    }
}

fn table(db: &str, id: u64, name: &str, columns: Vec<Column>, kind: TableKind) -> Arc<Table> {
    let db_id = DbId(db.len() as u64);
    Arc::new(Table::new(TableId(id), db_id, name.to_owned(), columns, kind))
}

impl CatalogView for TestCatalog {
    fn database(&self, name: &str) -> Option<Arc<Database>> {
        self.dbs.get(name).cloned()
    }
    fn table(&self, db: &str, name: &str) -> Option<Arc<Table>> {
        self.tables.get(&(db.to_owned(), name.to_owned())).cloned()
    }
    fn databases(&self) -> Vec<Arc<Database>> {
        self.dbs.values().cloned().collect()
    }
    fn system_rows(&self, table: &Table, _hints: &[(String, String)]) -> Result<Arc<Vec<Chunk>>> {
        let columns = table.columns.iter().map(|c| Scalar::string("x").to_column(&c.ty, 1)).collect();
        Ok(Arc::new(vec![Chunk::new(columns, 1)]))
    }
}

pub struct TestSession {
    pub database: String,
    pub eval: EvalContext,
    pub variables: Vec<(String, Scalar)>,
    pub user_variables: Vec<(String, Scalar)>,
}

impl Default for TestSession {
    fn default() -> Self {
        let eval = EvalContext { now_us: 1_700_000_000_000_000, ..EvalContext::default() };
        Self {
            database: "test".to_owned(),
            eval,
            variables: Vec::new(),
            user_variables: vec![("n".to_owned(), Scalar::TinyInt(3))],
        }
    }
}

impl SessionFacts for TestSession {
    fn current_database(&self) -> Option<String> {
        Some(self.database.clone())
    }
    fn variable(&self, _: Option<VariableScope>, name: &str) -> Option<(Scalar, LogicalType)> {
        let all = self.variables.iter().cloned().chain([("autocommit".to_owned(), Scalar::Boolean(true))]);
        all.into_iter().find(|(n, _)| n == name).map(|(_, v)| (v.clone(), v.ty()))
    }
    fn user_variable(&self, name: &str) -> Option<(Scalar, LogicalType)> {
        self.user_variables.iter().find(|(n, _)| n == name).map(|(_, v)| (v.clone(), v.ty()))
    }
    fn eval(&self) -> &EvalContext {
        &self.eval
    }
    fn user(&self) -> String {
        "'root'@'%'".to_owned()
    }
}

pub fn context<'a>(
    view: &'a TestCatalog,
    registry: &'a FunctionRegistry,
    session: &'a TestSession,
) -> AnalyzeContext<'a> {
    AnalyzeContext { view, registry, session, columns: ColumnFactory::default(), parameters: &[] }
}
