//! One member goes on alone with its copy of the catalog (`metadata_failure_recovery`): the others are lost, or this is a copy of a
//! member's directory on which an upgrade is rehearsed.
//!
//! Everything in the copy counts, also what no majority has confirmed: nobody is left to ask. The result is an image whose membership
//! is this member alone; the log behind it is gone.

use std::{collections::{BTreeMap, BTreeSet}, path::Path, sync::Arc};

use common_base::{Result, ensure, fs::SharedFs, kv::SharedKv};
use fe_catalog::image;
use openraft::{BasicNode, EntryPayload, LogId, Membership, StoredMembership};
use tracing::{info, warn};

use crate::{batch, log_store::LogStore, metrics::MetaMetrics, state_machine::{Position, StateMachine}};

/// Makes a member the only one of its group. `address`: where it is now.
pub fn go_alone(fs: SharedFs, image_dir: &Path, images_kept: usize, log: &SharedKv, node_id: u64, address: &str) -> Result<()> {
    let store = LogStore::new(log.clone(), MetaMetrics::default());
    // One more is kept: the image of before is a way back.
    let machine = StateMachine::open(fs, image_dir, images_kept + 1, MetaMetrics::default())?;
    let mut position = machine.position();
    let mut state = machine.published().snapshot();
    let first = position.last_applied.map_or(0, |id| id.index + 1);
    let mut count = 0;
    for entry in store.entries_from(first)? {
        let expected = position.last_applied.map_or(0, |id| id.index + 1);
        ensure!(entry.log_id.index == expected, Corruption, "the log lacks entry {expected}; the next one is {}", entry.log_id.index);
        if let EntryPayload::Normal(record) = entry.payload {
            for op in batch::split(&record.0)?.0 {
                // A refused op is part of history.
                if let Err(e) = Arc::make_mut(&mut state).apply(image::decode_op(op)?) {
                    tracing::debug!(index = entry.log_id.index, "refused: {e}");
                }
            }
        }
        position.last_applied = Some(entry.log_id);
        count += 1;
    }
    ensure!(state.cluster_id != 0, InvalidArgument, "metadata_failure_recovery: there is no catalog in {}", image_dir.display());
    let last: LogId<u64> = position.last_applied.unwrap_or_default();
    let alone = Membership::new(vec![BTreeSet::from([node_id])], BTreeMap::from([(node_id, BasicNode::new(address.to_owned()))]));
    let position = Position { last_applied: Some(last), membership: StoredMembership::new(Some(last), alone) };
    machine.replace(state, position);
    machine.builder().build().map_err(|e| e.context("recovering the catalog"))?;
    store.drop_up_to(last)?;
    warn!(index = last.index, "this frontend goes on alone with its copy of the catalog");
    info!(replayed = count, "log entries were taken from the copy");
    Ok(())
}
