//! Typed ids. A table id is not a tablet id; the compiler says so. Catalog ids are one u64 sequence per cluster.

use std::fmt;

macro_rules! id_type {
    ($(#[$doc:meta] $name:ident;)+) => {$(
        #[$doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, concat!(stringify!($name), "({})"), self.0) }
        }
        impl From<u64> for $name {
            fn from(v: u64) -> Self { Self(v) }
        }
    )+};
}

id_type! {
    /// A database.
    DbId;
    /// A table or view.
    TableId;
    /// A partition of a table.
    PartitionId;
    /// A materialized index of a table: base, rollup or synchronous materialized view.
    IndexId;
    /// A tablet: one bucket of one index of one partition.
    TabletId;
    /// One copy of a tablet on one backend.
    ReplicaId;
    /// A load transaction.
    TxnId;
    /// A node of the cluster (FE, BE or broker).
    NodeId;
    /// A background job.
    JobId;
    /// A column of a table, unique within the table for its whole life.
    ColumnUid;
}

/// A query, unique across the cluster; printed as a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct QueryId(pub u128);

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            (v >> 96) as u32,
            (v >> 80) as u16,
            (v >> 64) as u16,
            (v >> 48) as u16,
            v & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueryId({self})")
    }
}
