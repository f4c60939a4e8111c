//! The schema of a tablet, unpacked from its message.

use be_segment::{ColumnSpec, Compression, FlatJson, IndexSpec};
use common_base::{Result, ensure, err};
use common_types::{LogicalType, Scalar};
use proto_messages::tablet as pb;

/// Share of values a bloom filter lets pass wrongly when nothing is said.
const FALSE_POSITIVES: f64 = 0.05;

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct TabletColumn {
    pub uid: u64,
    pub name: String,
    pub ty: LogicalType,
    pub nullable: bool,
    pub key: bool,
    /// What rows written before the column existed have; NULL when it has none.
    pub default: Scalar,
    pub aggregation: String,
    pub indexes: Vec<IndexSpec>,
}

/// Columns, keys and storage properties.
#[derive(Clone, Debug, PartialEq)]
pub struct TabletSchema {
    pub version: u32,
    pub keys: pb::KeysModel,
    pub columns: Vec<TabletColumn>,
    /// Ordinals the rows of a segment are sorted by.
    pub sort_key: Vec<usize>,
    /// Leading sort columns in the short-key index.
    pub short_key_columns: usize,
    pub compression: Compression,
    /// How JSON columns are taken apart; `None` = they stay whole.
    pub flat_json: Option<FlatJson>,
}

fn index_spec(index: &pb::ColumnIndex) -> Result<IndexSpec> {
    use pb::column_index::Kind;
    let kind = Kind::try_from(index.kind).map_err(|_| err!(InvalidArgument, "unknown kind of index {}", index.kind))?;
    let false_positives = if index.false_positives > 0.0 { index.false_positives } else { FALSE_POSITIVES };
    Ok(match kind {
        Kind::Bloom => IndexSpec::Bloom { false_positives },
        Kind::Ngram => IndexSpec::Ngram { len: index.gram.max(1), false_positives, ignore_case: index.ignore_case },
        Kind::Bitmap => IndexSpec::Bitmap,
    })
}

impl TabletSchema {
    /// Checks and unpacks a message; `flat_json` is for tables that do not say.
    pub fn from_proto(schema: &pb::TabletSchema, flat_json: Option<FlatJson>) -> Result<Self> {
        let columns = schema
            .columns
            .iter()
            .map(|c| {
                let ty = c.r#type.as_ref().ok_or_else(|| err!(InvalidArgument, "column {} has no type", c.name))?;
                Ok(TabletColumn {
                    uid: c.uid,
                    name: c.name.clone(),
                    ty: common_types::wire::type_from_proto(ty)?,
                    nullable: c.nullable,
                    key: c.key,
                    default: c.default_value.as_ref().map(common_types::wire::scalar_from_proto).transpose()?.unwrap_or_default(),
                    aggregation: c.aggregation.clone(),
                    indexes: c.indexes.iter().map(index_spec).collect::<Result<_>>()?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        ensure!(!columns.is_empty(), InvalidArgument, "tablet schema has no column");
        let sort_key: Vec<usize> = if schema.sort_key.is_empty() {
            (0..columns.len()).filter(|i| columns[*i].key).collect()
        } else {
            schema.sort_key.iter().map(|i| *i as usize).collect()
        };
        ensure!(sort_key.iter().all(|i| *i < columns.len()), InvalidArgument, "sort key names a column that does not exist");
        let keys = pb::KeysModel::try_from(schema.keys).map_err(|_| err!(InvalidArgument, "unknown keys model {}", schema.keys))?;
        Ok(Self {
            version: schema.version,
            keys,
            short_key_columns: (schema.short_key_columns as usize).min(sort_key.len()),
            sort_key,
            compression: Compression::parse(&schema.compression)?,
            flat_json: schema.flat_json.as_ref().map_or(flat_json, |own| {
                let how = FlatJson { nulls_max: own.nulls_max, share_min: own.share_min, paths_max: own.paths_max as usize };
                own.enable.then_some(how)
            }),
            columns,
        })
    }

    /// The columns rows are merged by: the sort columns, then keys that are none of them where keys are unique.
    pub fn merge_keys(&self) -> Vec<usize> {
        let unique = self.keys != pb::KeysModel::Duplicate && self.keys != pb::KeysModel::Primary;
        let rest = (0..self.columns.len()).filter(|i| unique && self.columns[*i].key && !self.sort_key.contains(i));
        self.sort_key.iter().copied().chain(rest).collect()
    }

    /// Position of a column by its number.
    pub fn position_of(&self, uid: u64) -> Option<usize> {
        self.columns.iter().position(|c| c.uid == uid)
    }

    /// The columns as segments name them.
    pub fn specs(&self) -> Vec<ColumnSpec> {
        self.columns
            .iter()
            .map(|c| ColumnSpec { uid: c.uid, name: c.name.clone(), ty: c.ty.clone(), nullable: c.nullable, indexes: c.indexes.clone() })
            .collect()
    }
}
