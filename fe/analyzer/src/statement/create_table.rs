//! CREATE TABLE and CREATE TABLE AS: legality, defaults filled in, values of the catalog model out.

use common_base::{Result, bail, err, ids::ColumnUid};
use common_types::{LogicalType, STRING_DDL_LENGTH};
use fe_catalog::model::{Column, DefaultValue, Distribution, KeysModel, PartitionInfo, PartitionItem};
use fe_parser::ast::{self, CreateTable, CreateTableAsSelect, DistributionKind, KeyModel, RollupDef, sql};

use super::{columns::finish_column, create_view::target, secondary_index};
use crate::{AnalyzeContext, AnalyzedQuery, binder::Binder, error, types::datatype::debug_text};

/// Leading columns of an implicit key, and bytes they may take.
const SHORT_KEY_COLUMNS: usize = 3;
const SHORT_KEY_BYTES: u32 = 36;

/// Cluster settings DDL depends on.
#[derive(Clone, Copy, Debug)]
pub struct DdlDefaults {
    pub replication_num: u16,
    pub max_buckets: u32,
    pub max_partitions_in_batch: usize,
    pub max_columns: usize,
}

impl Default for DdlDefaults {
    fn default() -> Self {
        Self { replication_num: 3, max_buckets: 1024, max_partitions_in_batch: 4096, max_columns: 10_000 }
    }
}

/// A partition to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionSpec {
    pub name: String,
    pub if_not_exists: bool,
    pub item: PartitionItem,
    /// Overrides of the table's values.
    pub buckets: Option<u32>,
    pub replication_num: Option<u16>,
    pub properties: Vec<(String, String)>,
}

/// A table to be made. Column uids are 1..n in declaration order.
#[derive(Clone, Debug)]
pub struct CreateTableSpec {
    pub db_name: String,
    pub name: String,
    pub if_not_exists: bool,
    pub temporary: bool,
    pub comment: String,
    pub columns: Vec<Column>,
    pub keys: KeysModel,
    pub partition_info: PartitionInfo,
    /// One named like the table when it is not partitioned; possibly none for expression partitions.
    pub partitions: Vec<PartitionSpec>,
    /// `buckets` 0 = automatic.
    pub distribution: Distribution,
    /// ORDER BY columns when they differ from the key.
    pub sort_key: Vec<ColumnUid>,
    pub short_key_columns: u32,
    pub replication_num: u16,
    pub colocate_group: Option<String>,
    /// Normalised, defaults filled in.
    pub properties: Vec<(String, String)>,
    /// `INDEX …` clauses as SHOW CREATE TABLE prints them.
    pub indexes_ddl: Vec<String>,
    pub rollups: Vec<RollupDef>,
}

/// CREATE TABLE AS: the table and the query that fills it.
#[derive(Clone, Debug)]
pub struct AnalyzedCtas {
    pub spec: CreateTableSpec,
    pub query: AnalyzedQuery,
}

/// Analyzes CREATE TABLE.
pub fn analyze_create_table(
    ctx: &AnalyzeContext<'_>,
    create: &CreateTable,
    defaults: &DdlDefaults,
) -> Result<CreateTableSpec> {
    error::wrap(|| {
        let mut binder = Binder::new(ctx);
        let mut columns = Vec::with_capacity(create.columns.len());
        for (i, def) in create.columns.iter().enumerate() {
            let mut column = binder.column(def, ColumnUid(i as u64 + 1))?;
            // As it was written, where that reads back the same.
            if let Some(expr) = &def.generated {
                let bare = fe_parser::print::expr_text(expr);
                let quoted = fe_parser::print::expr_sql(expr);
                let again = fe_parser::parse_expr(&bare, &fe_parser::ParseOptions::default()).map(|e| fe_parser::print::expr_sql(&e));
                column.generated = Some(if again.is_ok_and(|a| a == quoted) { bare } else { quoted });
            }
            columns.push(column);
        }
        binder.create_table(create, columns, defaults)
    })
}

/// Analyzes CREATE TABLE AS.
pub fn analyze_ctas(
    ctx: &AnalyzeContext<'_>,
    ctas: &CreateTableAsSelect,
    defaults: &DdlDefaults,
) -> Result<AnalyzedCtas> {
    let query = crate::analyze_query(ctx, &ctas.query)?;
    error::wrap(|| {
        let mut binder = Binder::new(ctx);
        if let Some(names) = &ctas.columns {
            if names.len() != query.output.len() {
                bail!(Analysis, "Number of column names is not equal to the number of columns of the query");
            }
        }
        let mut columns = Vec::with_capacity(query.output.len());
        for (i, out) in query.output.iter().enumerate() {
            let name = ctas.columns.as_ref().map_or_else(|| out.name.clone(), |n| n[i].value.clone());
            columns.push(Column {
                uid: ColumnUid(i as u64 + 1),
                name,
                ty: stored_type(&out.ty)?,
                nullable: out.nullable,
                key: false,
                aggregation: None,
                default: DefaultValue::None,
                before: common_types::Scalar::Null,
                auto_increment: false,
                generated: None,
                comment: String::new(),
            });
        }
        let spec = binder.create_table(&ctas.table, columns, defaults)?;
        Ok(AnalyzedCtas { spec, query })
    })
}

/// The column type that keeps a query's values.
fn stored_type(ty: &LogicalType) -> Result<LogicalType> {
    Ok(match ty {
        LogicalType::Null => LogicalType::Boolean,
        LogicalType::Char(_) | LogicalType::Varchar(_) => LogicalType::Varchar(Some(STRING_DDL_LENGTH)),
        LogicalType::Varbinary(None) => LogicalType::Varbinary(Some(common_types::MAX_VARCHAR_LENGTH)),
        LogicalType::Array(e) => LogicalType::array(stored_type(e)?),
        LogicalType::Map(k, v) => LogicalType::map(stored_type(k)?, stored_type(v)?),
        LogicalType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|f| Ok(common_types::StructField::new(f.name.clone(), stored_type(&f.ty)?)))
                .collect::<Result<_>>()?;
            LogicalType::Struct(fields)
        }
        // Declared decimals are never 32 bits wide.
        LogicalType::Decimal { precision, scale, .. } => LogicalType::decimal(*precision, *scale),
        LogicalType::Time => bail!(Analysis, "Type:TIME of column does not support"),
        other => other.clone(),
    })
}

impl Binder<'_> {
    fn create_table(
        &mut self,
        create: &CreateTable,
        mut columns: Vec<Column>,
        defaults: &DdlDefaults,
    ) -> Result<CreateTableSpec> {
        let (db_name, name) = target(self.ctx, &create.name)?;
        if !create.if_not_exists && !create.temporary && self.ctx.view.table(&db_name, &name).is_some() {
            bail!(TableExists, "Table '{name}' already exists");
        }
        if let Some(engine) = &create.engine {
            if !engine.eq_ignore_ascii_case("olap") {
                bail!(NotSupported, "ENGINE={engine} is not supported");
            }
        }
        if create.external {
            bail!(NotSupported, "External tables are not supported");
        }
        if columns.is_empty() {
            bail!(User, "A table must have at least 1 column");
        }
        if columns.len() > defaults.max_columns {
            bail!(User, "Table cannot have more than {} columns", defaults.max_columns);
        }
        for (i, c) in columns.iter().enumerate() {
            if columns[..i].iter().any(|o| o.name.eq_ignore_ascii_case(&c.name)) {
                bail!(DuplicateColumn, "Duplicate column name '{}'", c.name);
            }
        }
        if columns.iter().filter(|c| c.auto_increment).count() > 1 {
            bail!(Analysis, "More than one AUTO_INCREMENT column defined in CREATE TABLE Statement");
        }
        let sort_columns = self.sort_columns(create, &columns)?;
        let keys = self.mark_keys(create, &mut columns, !sort_columns.is_empty())?;
        // A key given as ORDER BY of a duplicate table may be any columns; of the others a permutation of the key.
        for (i, def) in create.columns.iter().enumerate() {
            finish_column(&mut columns[i], def, keys)?;
        }
        self.check_all_generated(create, &columns, keys)?;
        if matches!(keys, KeysModel::Aggregate | KeysModel::Unique) && !sort_columns.is_empty() {
            let key_count = columns.iter().filter(|c| c.key).count();
            if sort_columns.len() != key_count || sort_columns.iter().any(|i| !columns[*i].key) {
                bail!(
                    User,
                    "The sort columns of {} table must be same with key columns",
                    if keys == KeysModel::Unique { "unique" } else { "aggregate" }
                );
            }
        }
        let (partition_info, partitions) = self.partitions(create, &name, &columns, keys, defaults)?;
        let distribution = distribution(create, &columns, keys, defaults)?;
        let properties = super::properties::table_properties(&create.properties, keys, &columns, defaults)?;
        let sort_key: Vec<ColumnUid> = sort_columns.iter().map(|i| columns[*i].uid).collect();
        let prefix: Vec<&Column> = if sort_columns.is_empty() {
            columns.iter().filter(|c| c.key).collect()
        } else {
            sort_columns.iter().map(|i| &columns[*i]).collect()
        };
        let short_key_columns = short_key_count(&prefix);
        let indexes_ddl = indexes(create, &columns, keys)?;
        let mut normalised = properties.normalised;
        secondary_index::adjust_properties(&indexes_ddl, &mut normalised);
        Ok(CreateTableSpec {
            db_name,
            name,
            if_not_exists: create.if_not_exists,
            rollups: create.rollups.clone(),
            temporary: create.temporary,
            comment: create.comment.clone().unwrap_or_default(),
            keys,
            partition_info,
            partitions,
            distribution,
            sort_key,
            short_key_columns,
            replication_num: properties.replication_num,
            colocate_group: properties.colocate_group,
            properties: normalised,
            indexes_ddl,
            columns,
        })
    }

    fn sort_columns(&self, create: &CreateTable, columns: &[Column]) -> Result<Vec<usize>> {
        let Some(keys) = &create.order_by else { return Ok(Vec::new()) };
        let mut out: Vec<usize> = Vec::with_capacity(keys.len());
        for key in keys {
            let at = position(columns, &key.column, |n| err!(User, "Unknown column '{n}' does not exist"))?;
            if out.contains(&at) {
                bail!(User, "Duplicate sort key column {} is not allowed.", key.column.value);
            }
            let ty = &columns[at].ty;
            if ty.is_float() || ty.is_nested() || ty.is_metric() || *ty == LogicalType::Json {
                bail!(User, "Sort key column[{}] type not supported: {}", columns[at].name, debug_text(ty));
            }
            out.push(at);
        }
        Ok(out)
    }

    /// Decides the key model and marks the key columns.
    fn mark_keys(&self, create: &CreateTable, columns: &mut [Column], sorted: bool) -> Result<KeysModel> {
        if let Some(key) = &create.key {
            let keys = match key.model {
                KeyModel::Duplicate => KeysModel::Duplicate,
                KeyModel::Aggregate => KeysModel::Aggregate,
                KeyModel::Unique => KeysModel::Unique,
                KeyModel::Primary => KeysModel::Primary,
            };
            columns.iter_mut().for_each(|c| c.key = false);
            if key.columns.len() > columns.len() {
                bail!(User, "The number of key columns is greater than the number of columns");
            }
            for (i, name) in key.columns.iter().enumerate() {
                if !columns.iter().any(|c| c.name.eq_ignore_ascii_case(&name.value)) {
                    bail!(User, "Key column({}) doesn't exist.", name.value);
                }
                if !columns[i].name.eq_ignore_ascii_case(&name.value) {
                    bail!(
                        User,
                        "Key columns must be the first few columns of the schema and the order  of the key columns must be consistent with the order of the schema"
                    );
                }
                columns[i].key = true;
            }
            return Ok(keys);
        }
        if columns.iter().any(|c| c.aggregation.is_some()) {
            for c in columns.iter_mut() {
                c.key = c.aggregation.is_none() && c.generated.is_none();
            }
            let values_first = columns.windows(2).any(|w| !w[0].key && w[1].key);
            if values_first {
                bail!(User, "Key columns should be a ordered prefix of the schema.");
            }
            return Ok(KeysModel::Aggregate);
        }
        if columns.iter().any(|c| c.key) {
            // KEY written at columns.
            return Ok(KeysModel::Duplicate);
        }
        if sorted {
            return Ok(KeysModel::Duplicate);
        }
        let refs: Vec<&Column> = columns.iter().collect();
        let count = implicit_key_count(&refs);
        if count == 0 {
            let first = &columns[0];
            bail!(
                User,
                "Data type of first column cannot be {}. If you want to create a table with such a first column, use ORDER BY or a key clause",
                debug_text(&first.ty)
            );
        }
        columns.iter_mut().take(count).for_each(|c| c.key = true);
        Ok(KeysModel::Duplicate)
    }

    fn check_all_generated(&mut self, create: &CreateTable, columns: &[Column], keys: KeysModel) -> Result<()> {
        let first = columns.iter().position(|c| c.generated.is_some());
        let Some(first) = first else { return Ok(()) };
        if keys == KeysModel::Aggregate {
            bail!(Analysis, "Generated Column does not support AGG table");
        }
        if columns[first..].iter().any(|c| c.generated.is_none()) {
            bail!(Analysis, "All generated columns must be defined after ordinary columns");
        }
        for (column, def) in columns.iter().zip(&create.columns) {
            self.check_generated(column, def, columns)?;
        }
        Ok(())
    }
}

/// The position of a named column.
pub(super) fn position(
    columns: &[Column],
    name: &sql::Ident,
    missing: impl Fn(&str) -> common_base::Error,
) -> Result<usize> {
    columns.iter().position(|c| c.name.eq_ignore_ascii_case(&name.value)).ok_or_else(|| missing(&name.value))
}

fn index_size(ty: &LogicalType) -> u32 {
    match ty {
        LogicalType::Char(n) => *n,
        LogicalType::Varchar(n) => n.unwrap_or(u32::MAX).min(20),
        LogicalType::Datetime => 8,
        LogicalType::Date => 3,
        other => other.fixed_width().unwrap_or(0) as u32,
    }
}

/// Leading columns that become the key of a duplicate table without a key clause.
fn implicit_key_count(columns: &[&Column]) -> usize {
    let mut bytes = 0;
    let mut count = 0;
    for c in columns {
        if count == SHORT_KEY_COLUMNS
            || c.ty.is_float()
            || c.ty.is_nested()
            || c.ty.is_metric()
            || c.generated.is_some()
            || matches!(c.ty, LogicalType::Json | LogicalType::Varbinary(_))
        {
            break;
        }
        bytes += index_size(&c.ty);
        if bytes > SHORT_KEY_BYTES {
            if count == 0 && c.ty.is_string() {
                count = 1;
            }
            break;
        }
        count += 1;
        if matches!(c.ty, LogicalType::Varchar(_)) {
            break;
        }
    }
    count
}

/// Columns of the prefix index over the sort columns.
pub(super) fn short_key_count(columns: &[&Column]) -> u32 {
    let mut bytes = 0;
    let mut count = 0;
    for c in columns {
        if count == SHORT_KEY_COLUMNS || c.ty.is_float() || c.ty.is_nested() || c.ty.is_metric() {
            break;
        }
        bytes += index_size(&c.ty);
        if bytes > SHORT_KEY_BYTES {
            if c.ty.is_string() {
                count += 1;
            }
            break;
        }
        count += 1;
        if matches!(c.ty, LogicalType::Varchar(_)) {
            break;
        }
    }
    count.max(1) as u32
}

fn distribution(
    create: &CreateTable,
    columns: &[Column],
    keys: KeysModel,
    defaults: &DdlDefaults,
) -> Result<Distribution> {
    let key_columns = || columns.iter().filter(|c| c.key).map(|c| c.uid).collect::<Vec<_>>();
    let Some(dist) = &create.distribution else {
        return Ok(match keys {
            KeysModel::Duplicate => Distribution::Random { buckets: 0 },
            _ => Distribution::Hash { columns: key_columns(), buckets: 0 },
        });
    };
    let buckets = check_buckets(dist, defaults)?;
    match &dist.kind {
        DistributionKind::Random => {
            let replaces = columns.iter().any(|c| {
                matches!(
                    c.aggregation,
                    Some(fe_catalog::model::Aggregation::Replace | fe_catalog::model::Aggregation::ReplaceIfNotNull)
                )
            });
            match keys {
                KeysModel::Duplicate => {}
                KeysModel::Aggregate if !replaces => {}
                KeysModel::Aggregate => {
                    bail!(User, "AGGREGATE KEY table with replace column must use hash distribution")
                }
                KeysModel::Unique => bail!(User, "UNIQUE KEY table must use hash distribution"),
                KeysModel::Primary => bail!(User, "PRIMARY KEY table must use hash distribution"),
            }
            Ok(Distribution::Random { buckets })
        }
        DistributionKind::Hash(names) => {
            let mut uids = Vec::with_capacity(names.len());
            for name in names {
                let at = position(columns, name, |n| err!(User, "Distribution column({n}) doesn't exist."))?;
                let column = &columns[at];
                if column.ty.is_float()
                    || column.ty.is_nested()
                    || column.ty.is_metric()
                    || matches!(column.ty, LogicalType::Json | LogicalType::Varbinary(_))
                {
                    bail!(User, "{} column can not be distribution column", debug_text(&column.ty));
                }
                if keys != KeysModel::Duplicate && !column.key {
                    bail!(User, "Distribution column[{}] is not key column", column.name);
                }
                if uids.contains(&column.uid) {
                    bail!(User, "Duplicated distribution column {}", column.name);
                }
                uids.push(column.uid);
            }
            Ok(Distribution::Hash { columns: uids, buckets })
        }
    }
}

/// The bucket number of a clause; 0 = automatic.
pub(super) fn check_buckets(dist: &ast::Distribution, defaults: &DdlDefaults) -> Result<u32> {
    let buckets = dist.buckets.unwrap_or(0);
    if buckets > defaults.max_buckets {
        bail!(User, "The number of buckets {buckets} exceeds the maximum limit {}", defaults.max_buckets);
    }
    Ok(buckets)
}

fn indexes(create: &CreateTable, columns: &[Column], keys: KeysModel) -> Result<Vec<String>> {
    let mut out: Vec<String> = Vec::with_capacity(create.indexes.len());
    let mut seen: Vec<&str> = Vec::new();
    for index in &create.indexes {
        if seen.iter().any(|n| n.eq_ignore_ascii_case(&index.name.value)) {
            bail!(User, "Duplicate index name '{}'", index.name.value);
        }
        seen.push(&index.name.value);
        out.push(secondary_index::clause(index, columns, keys)?);
    }
    let bloom = create.properties.iter().find(|p| p.key.trim().eq_ignore_ascii_case("bloom_filter_columns"));
    secondary_index::check_together(&out, bloom.map_or("", |p| p.value.as_str()))?;
    Ok(out)
}
