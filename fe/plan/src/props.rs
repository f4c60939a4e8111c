//! Physical properties: how rows are spread over instances.

use common_base::ids::TableId;
use common_expr::expr::ColumnId;

/// Columns known to be equal; any of them stands for the position.
pub type EqualColumns = Vec<ColumnId>;

/// How the rows of a node are spread over the instances of its fragment.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Distribution {
    /// One instance has every row.
    #[default]
    Single,
    /// Spread, nothing known.
    Any,
    /// Every instance has every row.
    Replicated,
    /// By the exchange hash of these columns, in order.
    Hash(Vec<EqualColumns>),
    /// By the storage buckets of a table layout.
    Bucket { columns: Vec<EqualColumns>, layout: BucketLayout },
}

/// Tables of one layout put equal bucket keys on the same node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketLayout {
    /// The colocation group, or the one table.
    pub group: LayoutGroup,
    pub buckets: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutGroup {
    Colocate(String),
    Table(TableId),
}

impl Distribution {
    /// The positions of a hash or bucket distribution.
    pub fn columns(&self) -> Option<&[EqualColumns]> {
        match self {
            Distribution::Hash(columns) | Distribution::Bucket { columns, .. } => Some(columns),
            _ => None,
        }
    }

    /// Whether rows equal on `keys` are always together.
    pub fn collocates(&self, keys: &[ColumnId]) -> bool {
        match self {
            Distribution::Single | Distribution::Replicated => true,
            Distribution::Any => false,
            Distribution::Hash(columns) | Distribution::Bucket { columns, .. } => {
                !columns.is_empty() && columns.iter().all(|equal| equal.iter().any(|c| keys.contains(c)))
            }
        }
    }
}
