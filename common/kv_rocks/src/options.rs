//! How RocksDB is opened: small memory (it holds metadata, not data) and strict recovery.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, LogLevel, Options};

/// What an owner may choose; the rest is fixed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RocksOptions {
    /// Bytes of the block cache.
    pub block_cache_bytes: usize,
    /// Bytes of one memtable; two can exist.
    pub write_buffer_bytes: usize,
    /// Files kept open.
    pub open_files_max: i32,
    /// Bytes of write-ahead log after which memtables are flushed.
    pub wal_bytes_max: u64,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self { block_cache_bytes: 8 << 20, write_buffer_bytes: 16 << 20, open_files_max: 256, wal_bytes_max: 64 << 20 }
    }
}

impl RocksOptions {
    pub(crate) fn build(&self) -> Options {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&Cache::new_lru_cache(self.block_cache_bytes));
        table.set_bloom_filter(10.0, false);

        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&table);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_write_buffer_size(self.write_buffer_bytes);
        options.set_max_write_buffer_number(2);
        options.set_max_total_wal_size(self.wal_bytes_max);
        options.set_max_open_files(self.open_files_max);
        options.set_max_background_jobs(2);
        options.set_paranoid_checks(true);
        // A crash may tear the last record, which was never acknowledged. Point-in-time recovery would also stop silently
        // at damage in the middle and so forget acknowledged writes; absolute consistency would refuse a torn tail.
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        options.set_log_level(LogLevel::Warn);
        options.set_keep_log_file_num(3);
        options.set_max_log_file_size(4 << 20);
        options
    }
}
