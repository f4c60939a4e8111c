//! Applies committed entries to the catalog, publishes each new state to readers, and keeps images.
//!
//! Images are files `image.<index>` under the metadata directory, versioned and with a checksum, written whole, synced and renamed; the
//! newest ones are kept; that work is done off the async threads, from a state nothing changes any more, so that the log goes on. The
//! catalog itself is memory: at start the newest readable image is loaded and the log behind it replayed.

use std::{io::Cursor, path::{Path, PathBuf}, sync::Arc, time::Duration};

use common_base::{Error, Result, fs::SharedFs, runtime::blocking};
use fe_catalog::{CatalogState, image};
use openraft::{
    Entry, EntryPayload, ErrorSubject, ErrorVerb, LogId, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageError, StorageIOError,
    StoredMembership, storage::RaftStateMachine,
};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use crate::{batch, metrics::MetaMetrics, types::{Answer, TypeConfig}};

/// An image that could not be written is tried again after this time.
const IMAGE_PAUSE: Duration = Duration::from_secs(10);

/// What readers see; shared with the handle.
pub struct Published {
    state: RwLock<Arc<CatalogState>>,
    index: watch::Sender<u64>,
    /// Why the last image could not be written; none when it was.
    image_problem: watch::Sender<Option<Error>>,
    /// An image that could not be written is tried again at once.
    image_again: Notify,
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

    /// Tries again at once to write an image that could not be written; what has become of it, from then on.
    pub fn retry_image(&self) -> watch::Receiver<Option<Error>> {
        let outcome = self.image_problem.subscribe();
        self.image_again.notify_one();
        outcome
    }
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    pub last_applied: Option<LogId<u64>>,
    pub membership: StoredMembership<u64, openraft::BasicNode>,
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
    kept: usize,
    metrics: MetaMetrics,
}

/// The state at one moment, on its way into an image.
#[derive(Clone)]
pub struct ImageBuilder {
    inner: Arc<Inner>,
    position: Position,
    state: Arc<CatalogState>,
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
    pub fn open(fs: SharedFs, dir: &Path, kept: usize, metrics: MetaMetrics) -> Result<Self> {
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
        let (index, image_problem) = (watch::Sender::new(applied), watch::Sender::new(None));
        let published = Arc::new(Published { state: RwLock::new(Arc::new(state)), index, image_problem, image_again: Notify::new() });
        Ok(Self { inner: Arc::new(Inner { fs, dir: dir.to_owned(), published, position: Mutex::new(position), kept: kept.max(1), metrics }) })
    }

    /// What readers see.
    pub fn published(&self) -> Arc<Published> {
        self.inner.published.clone()
    }

    fn publish(&self, state: Arc<CatalogState>, position: Position) {
        let index = position.last_applied.map_or(0, |id| id.index);
        let before = std::mem::replace(&mut *self.inner.published.state.write(), state);
        *self.inner.position.lock() = position;
        self.inner.published.index.send_replace(index);
        // After the lock: a whole catalog may go with it.
        drop(before);
    }

    /// What an image begins with: where the log stood.
    pub(crate) fn position(&self) -> Position {
        self.inner.position.lock().clone()
    }

    /// The state as it is now: the builder is made by the one task that applies, so that state and position belong together.
    pub(crate) fn builder(&self) -> ImageBuilder {
        ImageBuilder { inner: self.inner.clone(), position: self.position(), state: self.inner.published.snapshot() }
    }

    /// Replaces state and position (recovery only: nothing runs yet).
    pub(crate) fn replace(&self, state: Arc<CatalogState>, position: Position) {
        self.publish(state, position);
    }
}

impl ImageBuilder {
    pub(crate) fn build(&self) -> Result<Snapshot<TypeConfig>> {
        let catalog = image::encode(&self.state)?;
        let bytes = encode_file(&ImageFile { position: self.position.clone(), catalog })?;
        let index = self.position.last_applied.map_or(0, |id| id.index);
        self.inner.keep(index, &bytes)?;
        self.inner.metrics.image_written.inc();
        Ok(snapshot_of(self.position.clone(), bytes))
    }
}

impl Inner {
    /// Writes an image and removes those that are one too many.
    fn keep(&self, index: u64, bytes: &[u8]) -> Result<()> {
        self.fs.write_atomic(&self.dir.join(format!("image.{index:020}")), bytes)?;
        let all = images(&self.fs, &self.dir)?;
        for (_, old) in all.iter().take(all.len().saturating_sub(self.kept)) {
            self.fs.remove(old)?;
        }
        Ok(())
    }
}

fn encode_file(file: &ImageFile) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(file).map_err(|e| common_base::err!(Internal, "cannot encode an image: {e}"))
}

fn decode_file(bytes: &[u8]) -> Result<ImageFile> {
    rmp_serde::from_slice(bytes).map_err(|e| common_base::err!(Corruption, "image file does not parse: {e}"))
}

pub(crate) fn read_image(fs: &SharedFs, path: &Path) -> Result<(Position, CatalogState)> {
    let file = decode_file(&fs.read(path)?)?;
    Ok((file.position, image::decode(&file.catalog)?))
}

/// Image files of a directory, oldest first.
pub(crate) fn images(fs: &SharedFs, dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
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

impl RaftSnapshotBuilder<TypeConfig> for ImageBuilder {
    async fn build_snapshot(&mut self) -> std::result::Result<Snapshot<TypeConfig>, StorageError<u64>> {
        // A full disk must not end the log: until there is an image the log is kept and grows.
        loop {
            let builder = self.clone();
            let outcome = blocking("building an image", move || builder.build()).await;
            let problem = &self.inner.published.image_problem;
            match outcome {
                Ok(snapshot) => {
                    problem.send_replace(None);
                    return Ok(snapshot);
                }
                Err(e) => {
                    warn!("an image of the catalog could not be written and is tried again: {e}");
                    problem.send_replace(Some(e));
                }
            }
            let _ = tokio::time::timeout(IMAGE_PAUSE, self.inner.published.image_again.notified()).await;
        }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = ImageBuilder;

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
                    let (ops, several) = batch::split(&record.0).map_err(|e| failed(ErrorVerb::Read, &e))?;
                    let mut of_ops = Vec::with_capacity(ops.len());
                    for op in ops {
                        let op = image::decode_op(op).map_err(|e| failed(ErrorVerb::Read, &e))?;
                        of_ops.push(Answer::of(Arc::make_mut(&mut state).apply(op)));
                    }
                    if several { Answer::Several(of_ops) } else { of_ops.pop().unwrap_or(Answer::None) }
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
        self.builder()
    }

    async fn begin_receiving_snapshot(&mut self) -> std::result::Result<Box<Cursor<Vec<u8>>>, StorageError<u64>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, openraft::BasicNode>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> std::result::Result<(), StorageError<u64>> {
        let (machine, bytes) = (self.clone(), snapshot.into_inner());
        let position = Position { last_applied: meta.last_log_id, membership: meta.last_membership.clone() };
        let install = move || {
            let file = decode_file(&bytes)?;
            let state = image::decode(&file.catalog)?;
            machine.inner.keep(position.last_applied.map_or(0, |id| id.index), &bytes)?;
            machine.publish(Arc::new(state), position);
            Ok(())
        };
        blocking("installing an image", install).await.map_err(|e| failed(ErrorVerb::Write, &e))
    }

    async fn get_current_snapshot(&mut self) -> std::result::Result<Option<Snapshot<TypeConfig>>, StorageError<u64>> {
        let inner = self.inner.clone();
        let read = move || {
            for (_, path) in images(&inner.fs, &inner.dir)?.into_iter().rev() {
                let bytes = inner.fs.read(&path)?;
                // Applying waits for this: a checksum is enough.
                match decode_file(&bytes).and_then(|file| image::check(&file.catalog).map(|_| file.position)) {
                    Ok(position) => return Ok(Some(snapshot_of(position, bytes))),
                    Err(e) => warn!("catalog image {} is unusable: {e}", path.display()),
                }
            }
            Ok(None)
        };
        blocking("reading an image", read).await.map_err(|e| failed(ErrorVerb::Read, &e))
    }
}
