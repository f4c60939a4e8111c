//! Our batch as RocksDB's.

use common_base::kv::{Batch, KvOp};
use rocksdb::WriteBatch;

pub(crate) fn to_rocks(batch: &Batch) -> WriteBatch {
    let mut out = WriteBatch::default();
    for op in batch.ops() {
        match op {
            KvOp::Put(key, value) => out.put(key, value),
            KvOp::Delete(key) => out.delete(key),
            // RocksDB calls a reversed range an error; for us it is empty.
            KvOp::DeleteRange(start, end) if start < end => out.delete_range(start, end),
            KvOp::DeleteRange(..) => {}
        }
    }
    out
}
