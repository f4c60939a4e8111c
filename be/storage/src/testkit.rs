//! An engine on an in-memory disk that can crash, and small helpers to fill and read tablets.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common_base::fs::{FaultyFs, MemFs, SharedFs};
use common_base::ids::{TabletId, TxnId};
use common_base::kv::{Batch, KvIter, KvRange, KvRead, KvSnapshot, KvStore, MemKv, SharedKv};
use common_base::{ManualClock, MemTracker, Result, SharedRng, ensure};
use common_expr::expr::{Expr, ExprKind};
use common_expr::registry::FunctionRegistry;
use common_types::{Chunk, Column, ColumnBuilder, LogicalType, Scalar, wire};
use parking_lot::Mutex;
use proto_messages::tablet as pb;

use crate::offline::OfflineDir;
use crate::read::{ReadColumn, ReadSpec};
use crate::{DirConfig, KvFactory, PublishItem, StorageEngine, StorageOptions, StorageSettings};

/// A machine: its disk, its metadata stores and its clock outlive an engine.
pub struct Machine {
    pub disk: MemFs,
    pub faults: FaultyFs,
    pub clock: Arc<ManualClock>,
    pub settings: StorageSettings,
    pub dirs: Vec<DirConfig>,
    /// While set, metadata stores write nothing and say so.
    pub kv_fails: Arc<AtomicBool>,
    /// While set, metadata stores write and say that they could not: what is on the disk after an error is open.
    pub kv_lies: Arc<AtomicBool>,
    kvs: Arc<Mutex<HashMap<std::path::PathBuf, Arc<MemKv>>>>,
    rng: SharedRng,
}

impl Machine {
    pub fn new() -> Self {
        let disk = MemFs::new();
        Self {
            faults: FaultyFs::new(Arc::new(disk.clone())),
            disk,
            clock: ManualClock::new(1_700_000_000_000),
            settings: StorageSettings { page_cache_bytes: 64 << 20, compaction_min_rowsets: 3, ..Default::default() },
            dirs: vec![DirConfig::new("/data0")],
            kv_fails: Arc::default(),
            kv_lies: Arc::default(),
            kvs: Arc::default(),
            rng: SharedRng::from_seed(11),
        }
    }

    pub fn start(&self) -> Arc<StorageEngine> {
        let (kvs, fails, lies) = (self.kvs.clone(), self.kv_fails.clone(), self.kv_lies.clone());
        let kv: KvFactory = Arc::new(move |path: &Path| {
            let inner = kvs.lock().entry(path.to_owned()).or_default().clone();
            Ok(Arc::new(SickKv { inner, fails: fails.clone(), lies: lies.clone() }) as SharedKv)
        });
        let fs: SharedFs = Arc::new(self.faults.clone());
        StorageEngine::open(&StorageOptions {
            settings: self.settings,
            dirs: self.dirs.clone(),
            fs,
            kv,
            clock: self.clock.clone(),
            rng: self.rng.clone(),
            tracker: MemTracker::root("process", 0),
            functions: Arc::new(FunctionRegistry::default()),
        })
        .unwrap()
    }

    /// Its disk as a tool sees it while no engine runs.
    pub fn offline(&self) -> OfflineDir {
        let fs: SharedFs = Arc::new(self.faults.clone());
        let path = &self.dirs[0].path;
        let kv = self.kvs.lock().entry(path.join("meta")).or_default().clone();
        OfflineDir::open(path, &fs, kv).unwrap()
    }

    /// The metadata store of a directory.
    pub fn kv(&self, dir: &str) -> Arc<MemKv> {
        self.kvs.lock().entry(Path::new(dir).join("meta")).or_default().clone()
    }

    /// Power off: what was not synced is gone.
    pub fn crash(&self) {
        self.disk.crash();
        for kv in self.kvs.lock().values() {
            kv.crash();
        }
    }
}

/// A store whose writes fail on demand.
#[derive(Debug)]
struct SickKv {
    inner: Arc<MemKv>,
    fails: Arc<AtomicBool>,
    lies: Arc<AtomicBool>,
}

impl KvRead for SickKv {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.inner.get(key)
    }
    fn scan(&self, range: &KvRange) -> Result<KvIter<'_>> {
        self.inner.scan(range)
    }
    fn scan_rev(&self, range: &KvRange) -> Result<KvIter<'_>> {
        self.inner.scan_rev(range)
    }
}

impl KvStore for SickKv {
    fn write(&self, batch: Batch, sync: bool) -> Result<()> {
        ensure!(!self.fails.load(Ordering::SeqCst), IoError, "injected: the store does not write");
        self.inner.write(batch, sync)?;
        ensure!(!self.lies.load(Ordering::SeqCst), IoError, "injected: the store does not know whether it has written");
        Ok(())
    }
    fn snapshot(&self) -> Result<Box<dyn KvSnapshot + '_>> {
        self.inner.snapshot()
    }
    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
}

/// `k INT KEY, v VARCHAR, d DECIMAL(10, 2)` with numbers 1, 2, 3.
pub fn create_request(id: u64) -> pb::CreateTablet {
    let column = |uid: u64, name: &str, ty: LogicalType, key: bool| pb::TabletColumn {
        uid,
        name: name.to_owned(),
        r#type: Some(wire::type_to_proto(&ty)),
        nullable: true,
        key,
        ..Default::default()
    };
    pb::CreateTablet {
        tablet_id: id,
        schema: Some(pb::TabletSchema {
            version: 1,
            columns: vec![
                column(1, "k", LogicalType::Int, true),
                column(2, "v", LogicalType::varchar(), false),
                column(3, "d", LogicalType::decimal(10, 2), false),
            ],
            short_key_columns: 1,
            ..Default::default()
        }),
        initial_version: 1,
        ..Default::default()
    }
}

pub fn column(ty: &LogicalType, values: impl ExactSizeIterator<Item = Scalar>) -> Column {
    let mut builder = ColumnBuilder::new(ty, values.len());
    values.for_each(|v| builder.append(&v).unwrap());
    builder.finish()
}

/// Rows whose other columns follow from the key.
pub fn chunk(keys: impl ExactSizeIterator<Item = i32> + Clone) -> Chunk {
    let rows = keys.len();
    Chunk::new(
        vec![
            column(&LogicalType::Int, keys.clone().map(Scalar::Int)),
            column(&LogicalType::varchar(), keys.clone().map(|k| Scalar::string(format!("v{}", k % 10)))),
            column(&LogicalType::decimal(10, 2), keys.map(|k| Scalar::Decimal(i128::from(k) * 5, 10, 2))),
        ],
        rows,
    )
}

/// Writes and commits rows, without publishing.
pub fn load(engine: &StorageEngine, tablet: u64, txn: u64, keys: impl ExactSizeIterator<Item = i32> + Clone) -> Result<()> {
    let writer = engine.open_writer(TabletId(tablet), TxnId(txn))?;
    let all: Vec<i32> = keys.collect();
    for part in all.chunks(1000) {
        writer.write(chunk(part.iter().copied()))?;
    }
    engine.commit(vec![writer.close()?])?;
    Ok(())
}

pub fn publish(engine: &StorageEngine, tablet: u64, txn: u64, version: i64) -> Result<()> {
    let outcomes = engine.publish(TxnId(txn), &[PublishItem { tablet: TabletId(tablet), version }]);
    assert_eq!(outcomes.len(), 1);
    outcomes.into_iter().next().unwrap().result
}

/// That the column of a condition has one of these values. There are no functions here: this and `IS NULL` say it all.
pub fn is_one_of(ty: &LogicalType, values: impl Iterator<Item = Scalar>) -> Expr {
    let input = Box::new(Expr::column(0, ty.clone(), true));
    Expr { kind: ExprKind::InList { input, list: values.map(Expr::literal).collect(), negated: false }, ty: LogicalType::Boolean, nullable: true }
}

/// Writes and commits a delete predicate on one column, without publishing.
pub fn delete(engine: &StorageEngine, tablet: u64, txn: u64, uid: u64, condition: Expr) {
    let conjuncts = common_expr::wire::list_to_proto(&[condition]).unwrap();
    let predicate = pb::DeletePredicate { column_uids: vec![uid], conjuncts, text: "a condition".to_owned() };
    engine.commit(vec![engine.prepare_delete(TxnId(txn), TabletId(tablet), predicate).unwrap()]).unwrap();
}

/// What [`read`] reads when nothing else is said.
pub fn spec() -> ReadSpec {
    let columns = vec![
        ReadColumn::new(1, LogicalType::Int),
        ReadColumn::new(2, LogicalType::varchar()),
        ReadColumn::new(3, LogicalType::decimal(10, 2)),
    ];
    ReadSpec { output: vec![0, 1, 2], columns, ..Default::default() }
}

/// The keys at a version, sorted; checks that the other columns belong to them.
pub fn keys(engine: &StorageEngine, tablet: u64, version: i64, spec: &ReadSpec) -> Result<Vec<i32>> {
    let mut out = Vec::new();
    for morsel in engine.tablet(TabletId(tablet))?.read(version, spec)?.morsels {
        for chunk in morsel.scan()? {
            let chunk = chunk?;
            for row in 0..chunk.rows() {
                let Scalar::Int(k) = chunk.column(0).scalar(row) else { panic!("keys are integers") };
                assert_eq!(chunk.column(1).scalar(row), Scalar::string(format!("v{}", k % 10)));
                assert_eq!(chunk.column(2).scalar(row), Scalar::Decimal(i128::from(k) * 5, 10, 2));
                out.push(k);
            }
        }
    }
    out.sort_unstable();
    Ok(out)
}
