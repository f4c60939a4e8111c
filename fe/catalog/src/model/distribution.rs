//! How rows of a partition spread over buckets.

use serde::{Deserialize, Serialize};
use common_base::ids::ColumnUid;

/// DISTRIBUTED BY.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Distribution {
    /// Rows with equal values of these columns share a bucket; `buckets` 0 = automatic.
    Hash { columns: Vec<ColumnUid>, buckets: u32 },
    /// Any bucket.
    Random { buckets: u32 },
}
