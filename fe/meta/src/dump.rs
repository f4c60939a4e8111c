//! Log and images of a stopped frontend as text, for people.

use std::{fmt::Write as _, path::Path};

use common_base::{Result, fs::SharedFs, kv::SharedKv};
use fe_catalog::image;
use openraft::EntryPayload;

use crate::{batch, log_store::LogStore, state_machine};

/// Entries of the log, one a line: index, term, what it changes.
pub fn log(log: &SharedKv, from: u64, most: usize, out: &mut dyn FnMut(String)) -> Result<()> {
    let store = LogStore::new(log.clone(), Default::default());
    if let Some(identity) = store.identity()? {
        out(format!("# frontend {} of cluster {}", identity.node_id, identity.cluster_id));
    }
    if let Some(vote) = store.vote()? {
        out(format!("# vote {vote}"));
    }
    for entry in store.entries_from(from)?.into_iter().take(most) {
        let text = match entry.payload {
            EntryPayload::Blank => "a leader begins its term".to_owned(),
            EntryPayload::Membership(members) => format!("members {members}"),
            EntryPayload::Normal(record) => match batch::split(&record.0) {
                Ok((ops, _)) => {
                    let text = |op: &[u8]| image::decode_op(op).map_or_else(|e| format!("DAMAGED {e}"), |op| format!("{op:?}"));
                    ops.into_iter().map(text).collect::<Vec<_>>().join("; ")
                }
                Err(e) => format!("DAMAGED {e}"),
            },
        };
        out(format!("{}\tterm {}\t{text}", entry.log_id.index, entry.log_id.leader_id.term));
    }
    Ok(())
}

/// The images of a directory, one a line: index, size, members, how much it holds; or what is wrong with it.
pub fn images(fs: &SharedFs, dir: &Path, out: &mut dyn FnMut(String)) -> Result<()> {
    for (index, path) in state_machine::images(fs, dir)? {
        let size = fs.read(&path)?.len();
        out(match state_machine::read_image(fs, &path) {
            Ok((position, state)) => format!(
                "{index}\t{size} bytes\t{}\tcluster {}, {} databases, {} tables, {} tablets, {} frontends, {} backends, {} transactions",
                position.membership.membership(),
                state.cluster_id,
                state.databases.len(),
                state.tables.len(),
                state.tablets.len(),
                state.frontends.len(),
                state.backends.len(),
                state.txns.len()
            ),
            Err(e) => format!("DAMAGED {}: {e}", path.display()),
        });
    }
    Ok(())
}

/// The newest readable image in full.
pub fn image(fs: &SharedFs, dir: &Path, out: &mut dyn FnMut(String)) -> Result<()> {
    for (index, path) in state_machine::images(fs, dir)?.into_iter().rev() {
        let Ok((_, state)) = state_machine::read_image(fs, &path) else { continue };
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write!(text, "{state:#?}");
        out(format!("# image {index}"));
        out(text);
        return Ok(());
    }
    out("# no image".to_owned());
    Ok(())
}
