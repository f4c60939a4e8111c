//! Replicas that missed loads: the frontend names tablets, versions and other replicas; the rowsets come over from there.
//!
//! One tablet after the other, one piece in memory at a time. A copy that breaks off leaves nothing, and the frontend asks again.

use std::sync::Arc;

use be_storage::{StorageEngine, copy::{History, TabletCopy}};
use common_base::{Result, bail, err, ids::TabletId, runtime::blocking};
use common_rpc::status;
use futures::{Stream, StreamExt, stream};
use proto_services::be_peer::{DeadRows, FetchTabletHead, FetchTabletPiece, FetchTabletRequest, FilePiece, fetch_tablet_piece::Kind};
use proto_services::be_service::{CatchUpReply, CatchUpRequest, CatchUpTablet, CaughtUpTablet};
use tonic::Status;

use crate::app::Parts;

/// Bytes of a file in one message.
const PIECE_BYTES: usize = 1 << 20;

/// A step of sending: a rowset, the deleted rows of a segment, or a piece of a file.
#[derive(Clone, Copy)]
enum Step {
    Rowset(usize),
    Dead { rowset: usize, at: usize },
    File { rowset: usize, segment: usize, offset: u64 },
    End,
}

/// What a replica lacks, as a stream.
pub fn send(storage: Arc<StorageEngine>, request: FetchTabletRequest) -> impl Stream<Item = std::result::Result<FetchTabletPiece, Status>> {
    let pieces = async move {
        let history = storage.tablet(TabletId(request.tablet_id)).and_then(|t| t.history_after(request.after, request.version));
        match history {
            Err(e) => stream::iter([failed(&e)]).left_stream(),
            Ok(history) => {
                let head = Kind::Head(FetchTabletHead { whole: history.whole, schema: Some(history.schema.clone()), create: Some(history.create.clone()) });
                let rest = stream::unfold(Some((Arc::new(history), Step::Rowset(0))), |state| async move {
                    let (history, step) = state?;
                    let reading = history.clone();
                    match blocking("read a tablet's files", move || read(&reading, step)).await {
                        Ok((kind, next)) => Some((piece(kind), next.map(|next| (history, next)))),
                        Err(e) => Some((failed(&e), None)),
                    }
                });
                stream::iter([piece(head)]).chain(rest).right_stream()
            }
        }
    };
    stream::once(pieces).flatten().map(Ok)
}

fn piece(kind: Kind) -> FetchTabletPiece {
    FetchTabletPiece { status: None, kind: Some(kind) }
}

fn failed(e: &common_base::Error) -> FetchTabletPiece {
    FetchTabletPiece { status: Some(status::to_message(e)), kind: None }
}

/// Carries out one step; the next one, if any.
fn read(history: &History, step: Step) -> Result<(Kind, Option<Step>)> {
    let rowsets = &history.rowsets;
    let after_dead = |rowset: usize, at: usize| history.dead.get(rowset).is_some_and(|d| at < d.len()).then_some(Step::Dead { rowset, at });
    let after_file = |rowset: usize, segment: usize| match rowsets.get(rowset).is_some_and(|r| segment < r.segment_count()) {
        true => Step::File { rowset, segment, offset: 0 },
        false if rowset + 1 < rowsets.len() => Step::Rowset(rowset + 1),
        false => Step::End,
    };
    Ok(match step {
        Step::Rowset(i) => match rowsets.get(i) {
            Some(rowset) => (Kind::Rowset(rowset.counted_meta()), after_dead(i, 0).or_else(|| Some(after_file(i, 0)))),
            None => (Kind::Complete(true), None),
        },
        Step::Dead { rowset, at } => {
            let (segment, rows) = &history.dead[rowset][at];
            let message = DeadRows { segment: *segment as u32, rows: rows.clone().into() };
            (Kind::Dead(message), after_dead(rowset, at + 1).or_else(|| Some(after_file(rowset, 0))))
        }
        Step::File { rowset, segment, offset } => {
            let file = rowsets[rowset].open_file(segment)?;
            let left = file.len()?.saturating_sub(offset);
            let data = file.read_vec_at(offset, (left as usize).min(PIECE_BYTES))?;
            let end = data.len() as u64 == left;
            let next = if end { after_file(rowset, segment + 1) } else { Step::File { rowset, segment, offset: offset + data.len() as u64 } };
            (Kind::File(FilePiece { data: data.into(), end }), Some(next))
        }
        Step::End => (Kind::Complete(true), None),
    })
}

/// Brings tablets to their versions.
pub async fn catch_up(parts: &Parts, request: CatchUpRequest) -> CatchUpReply {
    let mut reply = CatchUpReply::default();
    for tablet in request.tablets {
        match parts.metrics.clone_tablet.count(reach(parts, &tablet).await) {
            Ok(version) => reply.tablets.push(CaughtUpTablet { tablet_id: tablet.tablet_id, version }),
            Err(e) => {
                tracing::debug!(tablet = tablet.tablet_id, version = tablet.version, "a replica does not catch up: {e}");
                if reply.problem.is_empty() {
                    reply.problem = e.to_string();
                }
            }
        }
    }
    reply
}

async fn reach(parts: &Parts, wanted: &CatchUpTablet) -> Result<i64> {
    let id = TabletId(wanted.tablet_id);
    let mut failure = err!(Unavailable, "tablet {id} has no other replica with version {}", wanted.version);
    if wanted.renew {
        if let Some(tablet) = parts.storage.tablets().find(id).filter(|t| t.check().is_ok()) {
            tablet.mark_bad("the cluster has it made again");
        }
    }
    // A replica that is lost or bad has nothing, and is made anew as soon as a source answers.
    let newest = || parts.storage.tablets().find(id).filter(|t| t.check().is_ok() && !t.is_converting()).map_or(0, |t| t.versions().max());
    for source in &wanted.sources {
        let have = newest();
        if have >= wanted.version {
            return Ok(have);
        }
        match fetch(parts, FetchTabletRequest { tablet_id: id.0, after: have, version: wanted.version }, source, &wanted.dir).await {
            Ok(version) => {
                tracing::info!(tablet = %id, from = have, to = version, source, "a replica has caught up");
                return Ok(version);
            }
            Err(e) => failure = e,
        }
    }
    let have = newest();
    if have >= wanted.version { Ok(have) } else { Err(failure) }
}

async fn fetch(parts: &Parts, request: FetchTabletRequest, source: &str, dir: &str) -> Result<i64> {
    let id = TabletId(request.tablet_id);
    let lost = |e: Status| status::from_grpc(&e, source);
    let mut pieces = parts.pool.be_peer(source)?.fetch_tablet(request).await.map_err(lost)?.into_inner();
    let mut copy: Option<TabletCopy> = None;
    while let Some(piece) = pieces.message().await.map_err(lost)? {
        status::from_message(piece.status)?;
        let (storage, mut taken) = (parts.storage.clone(), copy.take());
        copy = match piece.kind {
            Some(Kind::Complete(_)) => {
                let Some(complete) = taken else { bail!(Internal, "the copy of tablet {id} has no head") };
                return blocking("install a tablet's copy", move || storage.install_copy(complete)).await;
            }
            Some(Kind::Head(head)) => {
                let dir = dir.to_owned();
                let begun = blocking("begin a tablet's copy", move || {
                    head.create.iter().filter(|_| head.whole).try_for_each(|create| storage.renew_tablet(create, &dir))?;
                    storage.begin_copy(id, head.whole, head.schema.as_ref())
                });
                Some(begun.await?)
            }
            Some(kind) => {
                let written = blocking("write a tablet's copy", move || {
                    let copy = taken.as_mut().ok_or_else(|| err!(Internal, "the copy of tablet {id} has no head"))?;
                    match kind {
                        Kind::Rowset(meta) => copy.begin_rowset(meta)?,
                        Kind::Dead(dead) => copy.add_dead(dead.segment as usize, &dead.rows)?,
                        Kind::File(file) => copy.append(&file.data, file.end)?,
                        Kind::Head(_) | Kind::Complete(_) => {}
                    }
                    Ok(taken)
                });
                written.await?
            }
            None => taken,
        };
    }
    bail!(Unavailable, "{source} broke off the copy of tablet {id}")
}
