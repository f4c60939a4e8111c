//! The storage engine: opens the data directories, owns the tablets, and is the door for everything outside this crate.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use be_segment::PageCache;
use common_base::fs::SharedFs;
use common_base::ids::{TabletId, TxnId};
use common_base::{Error, MemTracker, Result, ensure, err, fail_point};
use parking_lot::{Mutex, MutexGuard, RwLock};
use proto_messages::tablet::{CreateTablet, PrimaryLoad, RowsetMeta};

use crate::data_dir::DataDir;
use crate::ingest::{DeltaWriter, LoadMemory};
use crate::meta_store::MetaBatch;
use crate::options::{DirConfig, KvFactory, Shared, StorageOptions};
use crate::room::Purpose;
use crate::rowset::{Rowset, id::RowsetId};
use crate::tablet::manager::TabletManager;
use crate::tablet::versions::Versions;
use crate::tablet::{Tablet, TabletReport, TabletSchema};

/// The storage engine of a backend.
pub struct StorageEngine {
    shared: Arc<Shared>,
    fs: SharedFs,
    kv: KvFactory,
    dirs: RwLock<Vec<Arc<DataDir>>>,
    tablets: TabletManager,
    /// Creation and dropping take turns.
    admin: Mutex<()>,
}

impl std::fmt::Debug for StorageEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageEngine").field("dirs", &self.dirs).field("tablets", &self.tablets).finish_non_exhaustive()
    }
}

impl StorageEngine {
    /// Opens every directory and loads what it holds. A directory that does not open is reported, the others serve.
    pub fn open(options: &StorageOptions) -> Result<Arc<Self>> {
        let shared = Shared::new(options);
        let (fs, kv) = (options.fs.clone(), options.kv.clone());
        let engine = Self { shared, fs, kv, dirs: RwLock::default(), tablets: TabletManager::default(), admin: Mutex::new(()) };
        *engine.dirs.write() = options.dirs.iter().map(|config| Arc::new(engine.open_dir(config))).collect();
        for dir in engine.dirs().iter().filter(|d| d.is_open()) {
            // What was loaded before the failure stays listed and is bad with its directory.
            if let Err(e) = engine.load(dir) {
                dir.mark_broken(format!("its metadata does not load: {e}"));
            }
        }
        Ok(Arc::new(engine))
    }

    pub(crate) fn open_dir(&self, config: &DirConfig) -> DataDir {
        DataDir::open(config, &self.fs, &self.kv, &self.shared.watermarks)
    }

    /// Puts an opened directory in the place of the one it was.
    pub(crate) fn replace_dir(&self, old: &Arc<DataDir>, new: Arc<DataDir>) {
        if let Some(slot) = self.dirs.write().iter_mut().find(|d| Arc::ptr_eq(d, old)) {
            *slot = new;
        }
    }

    /// No tablet is created or dropped while this is held.
    pub(crate) fn admin_turn(&self) -> MutexGuard<'_, ()> {
        self.admin.lock()
    }

    pub(crate) fn load(&self, dir: &Arc<DataDir>) -> Result<()> {
        let mut visible: HashMap<u64, Vec<Result<RowsetMeta>>> = HashMap::new();
        for (tablet, rowset) in dir.meta().rowsets()? {
            visible.entry(tablet).or_default().push(rowset);
        }
        let mut delete_vectors = dir.meta().delete_vectors()?;
        for (id, header) in dir.meta().tablets()? {
            let header = match header.and_then(|h| if h.create.is_some() { Ok(h) } else { Err(err!(Corruption, "it has no content")) }) {
                Ok(header) => header,
                // The frontend finds that the tablet is missing; what is left stays for whoever can read it.
                Err(e) => {
                    visible.remove(&id);
                    dir.keep_files(TabletId(id));
                    tracing::error!(tablet = id, path = %dir.path().display(), error = %e, "the header of a tablet is damaged");
                    continue;
                }
            };
            let create = header.create.clone().unwrap_or_default();
            let initial = create.initial_version.max(1);
            let tablet = Tablet::new(create, dir.clone(), self.shared.clone())?;
            let rowsets = visible.remove(&id).unwrap_or_default();
            let loaded = rowsets
                .into_iter()
                .map(|m| {
                    let rowset = Rowset::new(m?, dir.clone(), self.shared.clone())?;
                    crate::primary::del_vector::restore(&rowset, delete_vectors.remove(&(id, rowset.id())))?;
                    Ok(rowset)
                })
                .collect::<Result<Vec<_>>>()
                .and_then(|r| Versions::load(initial, r));
            match loaded {
                Ok(versions) => tablet.set_versions(versions.from_oldest(header.oldest_version)),
                Err(e) => tablet.mark_bad(&e.to_string()),
            }
            // The same tablet on two disks: the copy with more versions is the one in use.
            match self.tablets.find(TabletId(id)) {
                Some(other) if other.bad().is_none() && (tablet.bad().is_some() || other.versions().max() >= tablet.versions().max()) => {
                    tracing::info!(tablet = id, path = %dir.path().display(), kept = %other.dir().path().display(), "a tablet is on two disks");
                    let mut batch = MetaBatch::new();
                    dir.meta().delete_tablet(&mut batch, TabletId(id), &[]);
                    dir.meta().commit(batch)?;
                    continue;
                }
                Some(other) => {
                    other.set_dropped();
                    self.tablets.remove(TabletId(id));
                    let mut batch = MetaBatch::new();
                    other.dir().meta().delete_tablet(&mut batch, TabletId(id), &[]);
                    if let Err(e) = other.dir().meta().commit(batch) {
                        tracing::warn!(tablet = id, error = %e, "the lesser copy of a tablet stays on its disk for now");
                    }
                }
                None => {}
            }
            self.tablets.insert(tablet)?;
        }
        // Left over when a publication met the dropping of its tablet.
        let mut leftovers = MetaBatch::new();
        for meta in visible.into_values().flatten().flatten() {
            dir.meta().delete_rowset(&mut leftovers, &meta)?;
            dir.meta().delete_delete_vectors(&mut leftovers, &meta)?;
        }
        dir.meta().commit(leftovers)?;
        for meta in dir.meta().txns()? {
            let (tablet, txn) = (TabletId(meta.tablet_id), TxnId(meta.txn_id));
            // A load that failed while its files were removed and its metadata was not, or the copy on another disk is in use.
            let whole = || meta.segments.iter().try_fold(true, |all, s| Ok::<_, Error>(all && dir.fs().exists(&RowsetId::parse(&meta.rowset_id)?.segment_path(&dir.tablet_path(tablet), s.ordinal))?));
            match self.tablets.find(tablet).filter(|t| Arc::ptr_eq(t.dir(), dir)) {
                Some(tablet) if whole()? && fail_point!("planted.pending.lost")?.is_none() => {
                    let rowset = Rowset::new(meta, dir.clone(), self.shared.clone())?;
                    tablet.pending.lock().insert(txn, rowset);
                }
                found => {
                    // Usual after an abort that broke off; of a load that was acknowledged it would be a loss.
                    tracing::warn!(txn = %txn, %tablet, here = found.is_some(), rowset = meta.rowset_id, "rows of a load without their files or tablet are dropped");
                    let mut batch = MetaBatch::new();
                    dir.meta().delete_txn(&mut batch, txn, tablet);
                    dir.meta().commit(batch)?;
                }
            }
        }
        Ok(())
    }

    /// The tablets.
    pub fn tablets(&self) -> &TabletManager {
        &self.tablets
    }
    /// A tablet that exists and can be used.
    pub fn tablet(&self, id: TabletId) -> Result<Arc<Tablet>> {
        self.tablets.get(id)
    }
    /// The data directories, broken ones too. One that comes back is another [`DataDir`] from then on.
    pub fn dirs(&self) -> Vec<Arc<DataDir>> {
        self.dirs.read().clone()
    }
    /// The cache of decoded pages.
    pub fn page_cache(&self) -> &Arc<PageCache> {
        &self.shared.segment.cache
    }
    /// Memory of running loads.
    pub fn load_tracker(&self) -> &Arc<MemTracker> {
        self.shared.loads.tracker()
    }
    /// What running loads hold together.
    pub fn loads(&self) -> &LoadMemory {
        &self.shared.loads
    }
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Creates tablets; one that exists already is fine. Durable when it returns.
    pub fn create_tablets(&self, requests: &[CreateTablet]) -> Result<()> {
        self.create_tablets_on(requests, "")
    }

    /// The same on a disk, named by its path, if it is there and has room.
    pub fn create_tablets_on(&self, requests: &[CreateTablet], path: &str) -> Result<()> {
        let _turn = self.admin.lock();
        let mut count: HashMap<*const DataDir, usize> = HashMap::new();
        for tablet in self.tablets.all() {
            *count.entry(Arc::as_ptr(tablet.dir())).or_default() += 1;
        }
        let mut batches: Vec<(Arc<DataDir>, MetaBatch, Vec<Arc<Tablet>>)> = Vec::new();
        for request in requests {
            if self.tablets.find(TabletId(request.tablet_id)).is_some() {
                continue;
            }
            let named = self.dirs().into_iter().find(|d| d.path().as_os_str() == path);
            let dir = match named.filter(|d| d.check().and_then(|()| d.check_room(0, Purpose::Load)).is_ok()) {
                Some(dir) => dir,
                None => self.choose_dir(&request.medium, &count)?,
            };
            *count.entry(Arc::as_ptr(&dir)).or_default() += 1;
            let mut request = request.clone();
            request.initial_version = request.initial_version.max(1);
            let tablet = Tablet::new(request, dir.clone(), self.shared.clone())?;
            let at = match batches.iter().position(|(d, ..)| Arc::ptr_eq(d, &dir)) {
                Some(at) => at,
                None => {
                    batches.push((dir.clone(), MetaBatch::new(), Vec::new()));
                    batches.len() - 1
                }
            };
            let (_, batch, made) = &mut batches[at];
            dir.meta().put_tablet(batch, &tablet.header());
            made.push(tablet);
        }
        for (dir, batch, made) in batches {
            dir.meta().commit(batch)?;
            for tablet in made {
                // The same id twice in one request is one tablet.
                if self.tablets.find(tablet.id()).is_none() {
                    self.tablets.insert(tablet)?;
                }
            }
        }
        Ok(())
    }

    /// The usable directory of the medium (of any, when none has it) with the fewest tablets.
    fn choose_dir(&self, medium: &str, count: &HashMap<*const DataDir, usize>) -> Result<Arc<DataDir>> {
        let dirs = self.dirs();
        let mut problem = err!(Unavailable, "no usable data directory");
        let usable: Vec<_> = dirs.iter().filter(|d| d.check().and_then(|()| d.check_room(0, Purpose::Load)).inspect_err(|e| problem = e.clone()).is_ok()).collect();
        let wanted: Vec<_> = usable.iter().filter(|d| medium.is_empty() || d.medium().eq_ignore_ascii_case(medium)).collect();
        let pool = if wanted.is_empty() { usable.iter().collect() } else { wanted };
        let chosen = pool.into_iter().min_by_key(|d| count.get(&Arc::as_ptr(d)).copied().unwrap_or(0));
        chosen.map(|d| (**d).clone()).ok_or(problem)
    }

    /// Drops tablets: their metadata is gone when it returns, their files are in the trash. Fine when they do not exist.
    pub fn drop_tablets(&self, ids: &[TabletId]) -> Result<()> {
        let _turn = self.admin.lock();
        let mut batches: Vec<(Arc<DataDir>, MetaBatch, Vec<Arc<Tablet>>)> = Vec::new();
        for id in ids {
            let Some(tablet) = self.tablets.find(*id) else { continue };
            let dir = tablet.dir().clone();
            let at = match batches.iter().position(|(d, ..)| Arc::ptr_eq(d, &dir)) {
                Some(at) => at,
                None => {
                    batches.push((dir.clone(), MetaBatch::new(), Vec::new()));
                    batches.len() - 1
                }
            };
            let (_, batch, gone) = &mut batches[at];
            tablet.set_dropped();
            let txns: Vec<TxnId> = tablet.pending.lock().keys().copied().collect();
            dir.meta().delete_tablet(batch, *id, &txns);
            gone.push(tablet);
        }
        for (dir, batch, gone) in batches {
            dir.meta().commit(batch)?;
            for tablet in gone {
                self.tablets.remove(tablet.id());
                if let Err(e) = self.to_trash(&dir, tablet.id()) {
                    tracing::warn!(tablet = %tablet.id(), error = %e, "could not move a dropped tablet to the trash");
                }
            }
        }
        Ok(())
    }

    fn to_trash(&self, dir: &DataDir, id: TabletId) -> Result<()> {
        let path = dir.tablet_path(id);
        if !dir.fs().exists(&path)? {
            return Ok(());
        }
        let target = dir.trash_path().join(format!("{}_{id}", self.shared.clock.now_ms()));
        dir.fs().rename(&path, &target)?;
        dir.fs().sync_dir(&dir.trash_path())?;
        if let Some(parent) = path.parent() {
            dir.fs().sync_dir(parent)?;
        }
        Ok(())
    }

    /// Gives a tablet a new schema of a higher version: columns added, dropped or renamed without touching rows.
    pub fn update_schema(&self, id: TabletId, schema: &proto_messages::tablet::TabletSchema) -> Result<()> {
        let _turn = self.admin.lock();
        let tablet = self.tablets.get(id)?;
        if schema.version <= tablet.schema().version {
            return Ok(());
        }
        let parsed = TabletSchema::from_proto(schema, self.shared.settings.flat_json)?;
        ensure!(parsed.keys == tablet.schema().keys, InvalidArgument, "the keys model of a tablet cannot change");
        let create = CreateTablet { schema: Some(schema.clone()), ..(*tablet.create_request()).clone() };
        let header = proto_messages::tablet::TabletMeta { create: Some(create.clone()), ..tablet.header() };
        let mut batch = MetaBatch::new();
        tablet.dir().meta().put_tablet(&mut batch, &header);
        tablet.dir().meta().commit(batch)?;
        tablet.set_schema(create, parsed);
        Ok(())
    }

    /// Opens a load into a tablet, in the tablet's own schema.
    pub fn open_writer(&self, tablet: TabletId, txn: TxnId) -> Result<DeltaWriter> {
        self.open_writer_as(tablet, txn, None, None)
    }

    /// Opens a load planned against a schema. A tablet that knows only an older one learns it, so that its schema is never older
    /// than any of its rowsets; a load with an older schema than the tablet's writes the columns its plan knew. `load` says what
    /// the rows are when they are not whole rows to upsert (primary keys).
    pub fn open_writer_as(
        &self,
        tablet: TabletId,
        txn: TxnId,
        schema: Option<&proto_messages::tablet::TabletSchema>,
        load: Option<PrimaryLoad>,
    ) -> Result<DeltaWriter> {
        let tablet = self.tablets.get(tablet)?;
        let known = tablet.schema();
        let schema = match schema {
            Some(schema) if schema.version != known.version => {
                if schema.version > known.version {
                    self.update_schema(tablet.id(), schema)?;
                }
                Arc::new(TabletSchema::from_proto(schema, self.shared.settings.flat_json)?)
            }
            _ => known,
        };
        let max = self.shared.settings.max_versions;
        if tablet.versions().current().len() * 10 >= max * 9 {
            // Loads that come faster than compaction pay for it.
            if let Err(e) = self.compact_tablet(tablet.id()) {
                tracing::warn!(tablet = %tablet.id(), error = %e, "compacting a tablet of many versions");
            }
        }
        let versions = tablet.versions().current().len();
        ensure!(
            versions < max,
            TooManyVersions,
            "Failed to load data into tablet {}, because of too many versions, current/limit: {versions}/{}. You can reduce the loading job concurrency, or increase loading data batch size",
            tablet.id(),
            max
        );
        ensure!(!tablet.pending.lock().contains_key(&txn), AlreadyExists, "transaction {txn} has written tablet {} already", tablet.id());
        DeltaWriter::new(&tablet, txn, schema, load)
    }

    /// State of one tablet.
    pub fn report_tablet(&self, id: TabletId, with_statistics: bool) -> Result<TabletReport> {
        Ok(self.tablets.get(id)?.report(with_statistics))
    }

    /// State of every tablet.
    pub fn report(&self, with_statistics: bool) -> Vec<TabletReport> {
        self.tablets.all().iter().map(|t| t.report(with_statistics)).collect()
    }

    /// The directory a path belongs to.
    pub fn dir_of(&self, path: &Path) -> Option<Arc<DataDir>> {
        self.dirs().into_iter().find(|d| path.starts_with(d.path()))
    }
}
