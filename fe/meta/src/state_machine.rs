//! Applies committed entries to the catalog, publishes each new state to readers, and keeps images.
//!
//! Images are files `image.<index>` under the metadata directory, written whole, synced and renamed; the newest two are kept. The
//! catalog itself is memory: at start the newest readable image is loaded and the log behind it replayed.

use std::{io::Cursor, path::{Path, PathBuf}, sync::Arc};

use common_base::{Result, fs::SharedFs};
use fe_catalog::{CatalogState, image};
use openraft::{
    Entry, EntryPayload, ErrorSubject, ErrorVerb, LogId, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageError, StorageIOError,
    StoredMembership, storage::RaftStateMachine,
};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{metrics::MetaMetrics, types::{Answer, TypeConfig}};

const IMAGES_KEPT: usize = 2;

/// What readers see; shared with the handle.
pub struct Published {
    state: RwLock<Arc<CatalogState>>,
    index: watch::Sender<u64>,
}

impl Published {
    /// The newest state.
    pub fn snapshot(&self) -> Arc<CatalogState> {
        self.state.read().clone()
    }

    /// Follows the applied index.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.index.subscribe()
    }

    /// Highest log index applied.
    pub fn applied(&self) -> u64 {
        *self.index.borrow()
    }
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Position {
    last_applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, openraft::BasicNode>,
}

#[derive(Serialize, Deserialize)]
struct ImageFile {
    position: Position,
    #[serde(with = "serde_bytes")]
    catalog: Vec<u8>,
}

struct Inner {
    fs: SharedFs,
    dir: PathBuf,
    published: Arc<Published>,
    position: Mutex<Position>,
    metrics: MetaMetrics,
}

/// The state machine; clones share it.
#[derive(Clone)]
pub struct StateMachine {
    inner: Arc<Inner>,
}

fn failed(verb: ErrorVerb, e: &common_base::Error) -> StorageError<u64> {
    StorageError::from(StorageIOError::new(ErrorSubject::StateMachine, verb, openraft::AnyError::new(e)))
}

impl StateMachine {
    /// Opens the newest readable image of a directory, or starts empty.
    pub fn open(fs: SharedFs, dir: &Path, metrics: MetaMetrics) -> Result<Self> {
        fs.mkdir_all(dir)?;
        let mut position = Position::default();
        let mut state = CatalogState::default();
        for (index, path) in images(&fs, dir)?.into_iter().rev() {
            match read_image(&fs, &path) {
                Ok((found, catalog)) => {
                    info!(index, "catalog image loaded");
                    (position, state) = (found, catalog);
                    break;
                }
                Err(e) => warn!("catalog image {} is unusable: {e}", path.display()),
            }
        }
        let applied = position.last_applied.map_or(0, |id| id.index);
        let published = Arc::new(Published { state: RwLock::new(Arc::new(state)), index: watch::Sender::new(applied) });
        Ok(Self { inner: Arc::new(Inner { fs, dir: dir.to_owned(), published, position: Mutex::new(position), metrics }) })
    }

    /// What readers see.
    pub fn published(&self) -> Arc<Published> {
        self.inner.published.clone()
    }

    fn publish(&self, state: Arc<CatalogState>, position: Position) {
        let index = position.last_applied.map_or(0, |id| id.index);
        *self.inner.published.state.write() = state;
        *self.inner.position.lock() = position;
        self.inner.published.index.send_replace(index);
    }

    fn build(&self) -> Result<Snapshot<TypeConfig>> {
        // Both are replaced together by the one task that applies; this runs on the same task.
        let position = self.inner.position.lock().clone();
        let state = self.inner.published.snapshot();
        let catalog = image::encode(&state)?;
        let bytes = encode_file(&ImageFile { position: position.clone(), catalog })?;
        let index = position.last_applied.map_or(0, |id| id.index);
        self.inner.fs.write_atomic(&self.inner.dir.join(format!("image.{index:020}")), &bytes)?;
        self.inner.metrics.image_written.inc();
        let all = images(&self.inner.fs, &self.inner.dir)?;
        for (_, old) in all.iter().take(all.len().saturating_sub(IMAGES_KEPT)) {
            self.inner.fs.remove(old)?;
        }
        Ok(snapshot_of(position, bytes))
    }
}

fn encode_file(file: &ImageFile) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(file).map_err(|e| common_base::err!(Internal, "cannot encode an image: {e}"))
}

fn decode_file(bytes: &[u8]) -> Result<ImageFile> {
    rmp_serde::from_slice(bytes).map_err(|e| common_base::err!(Corruption, "image file does not parse: {e}"))
}

fn read_image(fs: &SharedFs, path: &Path) -> Result<(Position, CatalogState)> {
    let file = decode_file(&fs.read(path)?)?;
    Ok((file.position, image::decode(&file.catalog)?))
}

/// Image files of a directory, oldest first.
fn images(fs: &SharedFs, dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs.list(dir)? {
        let path = dir.join(&entry.name);
        let index = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_prefix("image.")).and_then(|n| n.parse().ok());
        if let Some(index) = index {
            found.push((index, path));
        }
    }
    found.sort();
    Ok(found)
}

fn snapshot_of(position: Position, bytes: Vec<u8>) -> Snapshot<TypeConfig> {
    let snapshot_id = position.last_applied.map_or_else(|| "empty".to_owned(), |id| format!("{}-{}", id.leader_id, id.index));
    let meta = SnapshotMeta { last_log_id: position.last_applied, last_membership: position.membership, snapshot_id };
    Snapshot { meta, snapshot: Box::new(Cursor::new(bytes)) }
}

impl RaftSnapshotBuilder<TypeConfig> for StateMachine {
    async fn build_snapshot(&mut self) -> std::result::Result<Snapshot<TypeConfig>, StorageError<u64>> {
        self.build().map_err(|e| failed(ErrorVerb::Write, &e))
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> std::result::Result<(Option<LogId<u64>>, StoredMembership<u64, openraft::BasicNode>), StorageError<u64>> {
        let position = self.inner.position.lock().clone();
        Ok((position.last_applied, position.membership))
    }

    async fn apply<I>(&mut self, entries: I) -> std::result::Result<Vec<Answer>, StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut state = self.inner.published.snapshot();
        let mut position = self.inner.position.lock().clone();
        let mut answers = Vec::new();
        for entry in entries {
            position.last_applied = Some(entry.log_id);
            answers.push(match entry.payload {
                EntryPayload::Blank => Answer::None,
                EntryPayload::Normal(record) => {
                    // An op this binary cannot read must stop the node: skipping it would make its state differ from the others'.
                    let op = image::decode_op(&record.0).map_err(|e| failed(ErrorVerb::Read, &e))?;
                    Answer::of(Arc::make_mut(&mut state).apply(op))
                }
                EntryPayload::Membership(membership) => {
                    position.membership = StoredMembership::new(Some(entry.log_id), membership);
                    Answer::None
                }
            });
        }
        self.publish(state, position);
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> std::result::Result<Box<Cursor<Vec<u8>>>, StorageError<u64>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, openraft::BasicNode>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> std::result::Result<(), StorageError<u64>> {
        let install = || -> Result<CatalogState> {
            let bytes = snapshot.get_ref();
            let file = decode_file(bytes)?;
            let state = image::decode(&file.catalog)?;
            let index = meta.last_log_id.map_or(0, |id| id.index);
            self.inner.fs.write_atomic(&self.inner.dir.join(format!("image.{index:020}")), bytes)?;
            Ok(state)
        };
        let state = install().map_err(|e| failed(ErrorVerb::Write, &e))?;
        let position = Position { last_applied: meta.last_log_id, membership: meta.last_membership.clone() };
        self.publish(Arc::new(state), position);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> std::result::Result<Option<Snapshot<TypeConfig>>, StorageError<u64>> {
        let read = || -> Result<Option<Snapshot<TypeConfig>>> {
            let Some((_, path)) = images(&self.inner.fs, &self.inner.dir)?.pop() else { return Ok(None) };
            let bytes = self.inner.fs.read(&path)?;
            let file = decode_file(&bytes)?;
            Ok(Some(snapshot_of(file.position, bytes)))
        };
        read().map_err(|e| failed(ErrorVerb::Read, &e))
    }
}
