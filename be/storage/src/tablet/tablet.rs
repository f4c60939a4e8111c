//! A tablet in memory. Readers take a snapshot of its versions and never wait for writers; writers take turns.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common_base::ids::{TabletId, TxnId};
use common_base::{Result, bail, ensure, err};
use parking_lot::{Mutex, RwLock};
use proto_messages::tablet::{CreateTablet, KeysModel, TabletMeta};

use super::report::TabletReport;
use super::schema::TabletSchema;
use super::versions::Versions;
use crate::compaction::CompactionTimes;
use crate::data_dir::DataDir;
use crate::options::Shared;
use crate::primary::PrimaryState;
use crate::rowset::{Rowset, RowsetStatistics};

/// A tablet.
#[derive(Debug)]
pub struct Tablet {
    id: TabletId,
    dir: Arc<DataDir>,
    shared: Arc<Shared>,
    create: RwLock<Arc<CreateTablet>>,
    schema: RwLock<Arc<TabletSchema>>,
    versions: RwLock<Arc<Versions>>,
    /// Rowsets that wait for their publication. Held while the versions change.
    pub(crate) pending: Mutex<HashMap<TxnId, Arc<Rowset>>>,
    /// Why it cannot be read, if so.
    bad: Mutex<Option<String>>,
    dropped: AtomicBool,
    compacting: AtomicBool,
    compaction_times: Mutex<CompactionTimes>,
    statistics: Mutex<Option<(i64, Arc<RowsetStatistics>)>>,
    /// The primary index; held while the versions of a primary-key tablet change, and taken before `pending`.
    primary: Option<Mutex<PrimaryState>>,
}

impl Tablet {
    pub(crate) fn new(create: CreateTablet, dir: Arc<DataDir>, shared: Arc<Shared>) -> Result<Arc<Self>> {
        let schema = create.schema.as_ref().ok_or_else(|| err!(InvalidArgument, "tablet {} has no schema", create.tablet_id))?;
        let initial = create.initial_version.max(1);
        let primary = schema.keys == i32::from(KeysModel::Primary);
        let parsed = TabletSchema::from_proto(schema, shared.settings.flat_json)?;
        Ok(Arc::new(Self {
            id: TabletId(create.tablet_id),
            dir,
            shared,
            schema: RwLock::new(Arc::new(parsed)),
            create: RwLock::new(Arc::new(create)),
            versions: RwLock::new(Arc::new(Versions::new(initial))),
            pending: Mutex::default(),
            bad: Mutex::default(),
            dropped: AtomicBool::new(false),
            compacting: AtomicBool::new(false),
            compaction_times: Mutex::default(),
            statistics: Mutex::default(),
            primary: primary.then(Mutex::default),
        }))
    }

    /// Its id.
    pub fn id(&self) -> TabletId {
        self.id
    }
    /// Its data directory.
    pub fn dir(&self) -> &Arc<DataDir> {
        &self.dir
    }
    /// The request it was created by, with the present schema.
    pub fn create_request(&self) -> Arc<CreateTablet> {
        self.create.read().clone()
    }
    /// Whether its history is still to come.
    pub fn is_converting(&self) -> bool {
        self.create.read().converting
    }
    /// Its schema.
    pub fn schema(&self) -> Arc<TabletSchema> {
        self.schema.read().clone()
    }
    /// Its versions now.
    pub fn versions(&self) -> Arc<Versions> {
        self.versions.read().clone()
    }
    pub(crate) fn set_versions(&self, versions: Versions) {
        *self.versions.write() = Arc::new(versions);
    }
    pub(crate) fn set_schema(&self, create: CreateTablet, schema: TabletSchema) {
        *self.schema.write() = Arc::new(schema);
        *self.create.write() = Arc::new(create);
    }

    /// The header as it is stored. That it is bad is not: a restart looks at its files anew.
    pub(crate) fn header(&self) -> TabletMeta {
        let create = (**self.create.read()).clone();
        TabletMeta { create: Some(create), data_dir: self.dir.path().display().to_string(), oldest_version: self.versions().oldest(), ..Default::default() }
    }

    /// Why it cannot be used, if so.
    pub fn bad(&self) -> Option<String> {
        self.bad.lock().clone().or_else(|| self.dir.broken())
    }

    /// Takes it out of use; the first reason stays.
    pub fn mark_bad(&self, reason: &str) {
        let mut bad = self.bad.lock();
        if bad.is_none() {
            tracing::error!(tablet = %self.id, reason, "tablet is bad");
            *bad = Some(reason.to_owned());
            self.shared.damages.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Fails when it is bad, dropped, or its directory is broken.
    pub fn check(&self) -> Result<()> {
        ensure!(!self.is_dropped(), NotFound, "tablet {} was dropped", self.id);
        if let Some(reason) = self.bad() {
            bail!(Corruption, "tablet {} is bad: {reason}", self.id);
        }
        Ok(())
    }

    /// Whether it was dropped while somebody still holds it.
    pub fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::SeqCst)
    }
    pub(crate) fn set_dropped(&self) {
        self.dropped.store(true, Ordering::SeqCst);
    }

    /// The primary index, when the tablet has a primary key.
    pub(crate) fn primary(&self) -> Option<&Mutex<PrimaryState>> {
        self.primary.as_ref()
    }

    /// Takes the right to compact; false when somebody has it.
    pub(crate) fn begin_compaction(&self) -> bool {
        !self.compacting.swap(true, Ordering::SeqCst)
    }
    pub(crate) fn is_compacting(&self) -> bool {
        self.compacting.load(Ordering::SeqCst)
    }
    pub(crate) fn end_compaction(&self) {
        self.compacting.store(false, Ordering::SeqCst);
    }

    /// When it was compacted last.
    pub fn compaction_times(&self) -> CompactionTimes {
        *self.compaction_times.lock()
    }
    pub(crate) fn note_compaction(&self, base: bool, success: bool) {
        let now = self.shared.clock.now_ms();
        let mut times = self.compaction_times.lock();
        *match (base, success) {
            (true, true) => &mut times.base_success_ms,
            (true, false) => &mut times.base_failure_ms,
            (false, true) => &mut times.cumulative_success_ms,
            (false, false) => &mut times.cumulative_failure_ms,
        } = now;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Figures of all its columns at its newest version. Rows a delete predicate removes still count.
    pub fn statistics(&self) -> Result<Arc<RowsetStatistics>> {
        let versions = self.versions();
        if let Some((version, known)) = &*self.statistics.lock()
            && *version == versions.max()
        {
            return Ok(known.clone());
        }
        let mut total = RowsetStatistics::default();
        for rowset in versions.current() {
            total.merge(&*rowset.statistics()?);
        }
        let total = Arc::new(total);
        *self.statistics.lock() = Some((versions.max(), total.clone()));
        Ok(total)
    }

    /// What the FE is told; statistics on demand, and with them what new delete predicates hide, where that takes no reading.
    pub fn report(&self, with_statistics: bool) -> TabletReport {
        let versions = self.versions();
        // Published, though not applied before its history has come.
        let waiting = if self.is_converting() { self.pending.lock().values().map(|r| r.versions().1).max().unwrap_or(0) } else { 0 };
        let sum = |f: fn(&proto_messages::tablet::RowsetMeta) -> u64| versions.current().iter().map(|r| f(r.meta())).sum();
        let counted = || self.count_hidden_by_extremes().and_then(|()| self.statistics()).inspect_err(|e| self.note_failure(e)).ok();
        let statistics = with_statistics.then(counted).flatten();
        let bad = self.bad();
        TabletReport {
            tablet_id: self.id.0,
            version: versions.max().max(waiting),
            rows: sum(|m| m.rows) - versions.current().iter().map(|r| r.deleted_rows()).sum::<u64>(),
            bytes: sum(|m| m.bytes),
            rowsets: versions.current().len() as u32,
            bad: bad.is_some(),
            bad_reason: bad.unwrap_or_default(),
            converting: self.is_converting(),
            schema_version: self.schema().version,
            dir: self.dir.path().display().to_string(),
            statistics: statistics.map(|s| (*s).clone()),
        }
    }

    /// A failure to read its files takes it out of use when the files are to blame.
    pub fn note_failure(&self, error: &common_base::Error) {
        use common_base::ErrorCode::{Corruption, DiskFull, IoError, NotFound};
        match error.code() {
            Corruption => self.mark_bad(&error.to_string()),
            NotFound if !self.is_dropped() => self.mark_bad(&error.to_string()),
            // The disk may be gone: one probe decides for all its tablets.
            IoError | DiskFull => {
                if let Err(e) = self.dir.probe() {
                    tracing::error!(tablet = %self.id, error = %e, "data directory does not answer");
                }
            }
            _ => {}
        }
    }
}
