//! Product-wide bounds in one place, with the relations between them asserted at compile time.

/// Rows of a chunk in the executor.
pub const CHUNK_ROWS: usize = 4096;
/// Longest SQL text accepted.
pub const SQL_TEXT_BYTES_MAX: usize = 64 << 20;
/// Deepest nesting of expressions and subqueries.
pub const EXPR_DEPTH_MAX: usize = 3000;
/// Longest VARCHAR.
pub const VARCHAR_BYTES_MAX: u32 = 1_048_576;
/// Longest CHAR.
pub const CHAR_BYTES_MAX: u32 = 255;
/// Columns of a table.
pub const TABLE_COLUMNS_MAX: usize = 10_000;
/// Length of names of databases, tables, columns, partitions.
pub const NAME_CHARS_MAX: usize = 1024;
/// Longest label of a load.
pub const LABEL_CHARS_MAX: usize = 128;
/// Buckets of a partition.
pub const BUCKETS_MAX: usize = 1024 * 10;
/// Rowset versions of a tablet before loads are refused.
pub const TABLET_VERSIONS_MAX: usize = 1000;
/// One message of an internal RPC.
pub const RPC_MESSAGE_BYTES_MAX: usize = 1 << 30;
/// One MySQL packet; longer payloads are split.
pub const MYSQL_PACKET_BYTES_MAX: usize = (1 << 24) - 1;
/// Rows of one segment file.
pub const SEGMENT_ROWS_MAX: u32 = u32::MAX - 1;

const _: () = assert!(CHUNK_ROWS.is_power_of_two());
const _: () = assert!(CHUNK_ROWS <= u16::MAX as usize, "row numbers inside a chunk fit 16 bits");
const _: () = assert!(SQL_TEXT_BYTES_MAX < RPC_MESSAGE_BYTES_MAX, "a statement can be forwarded to the leader");
const _: () = assert!((VARCHAR_BYTES_MAX as usize) < MYSQL_PACKET_BYTES_MAX);
