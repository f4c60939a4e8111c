//! Where a new replica goes, and whom it is copied from.

use std::collections::BTreeSet;

use common_base::{Result, bail, ids::NodeId};
use fe_catalog::model::{OlapTable, Partition, Tablet};

use super::{cluster::{BackendView, Cluster}, health::{self, Medium}};

/// Where a table wants its replicas: its `labels.location`. In a colocate group buckets of all tables lie alike, and nobody is asked.
pub fn wanted(olap: &OlapTable) -> &str {
    match olap.colocate_group {
        Some(_) => "",
        None => olap.property("labels.location").unwrap_or_default(),
    }
}

/// Whether a text is a location of a backend: `key:place`.
pub fn is_location(text: &str) -> bool {
    text.split_once(':').is_some_and(|(key, place)| is_word(key) && is_word(place))
}

fn is_word(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// What is wrong with a text that says where a table wants its replicas.
pub fn check_wanted(wanted: &str) -> Result<()> {
    let well_formed = |pattern: &str| pattern.split_once(':').is_some_and(|(key, place)| is_word(key) && (place.trim() == "*" || is_word(place)));
    if wanted.is_empty() || wanted == "*" || wanted.split(',').all(well_formed) {
        return Ok(());
    }
    bail!(User, "Invalid location: {wanted}. It should be like 'key:val', 'key:*', 'key:val1,key:val2' or '*'");
}

/// Whether a location is one of those a table asks for (`*`, `rack:*`, `rack:r1,rack:r2`).
pub fn allowed(wanted: &str, location: &str) -> bool {
    let wanted = wanted.trim();
    if wanted.is_empty() || wanted == "*" {
        return true;
    }
    let alike = |pattern: &str| match pattern.trim().split_once(':') {
        Some((key, place)) if place.trim() == "*" => location.split_once(':').is_some_and(|(k, _)| k.trim() == key.trim()),
        Some((key, place)) => location.split_once(':').is_some_and(|(k, p)| (k.trim(), p.trim()) == (key.trim(), place.trim())),
        None => false,
    };
    wanted.split(',').any(alike)
}

/// What a choice rests on.
pub struct Choice<'a> {
    pub cluster: &'a Cluster,
    pub medium: &'a str,
    /// `labels.location` of the table.
    pub location: &'a str,
    pub load: &'a dyn Fn(NodeId) -> f64,
    /// Whether a disk has a free slot.
    pub has_slot: &'a dyn Fn(NodeId, &str) -> bool,
    pub given_up: &'a dyn Fn(NodeId) -> bool,
}

/// A backend that replicas of a new tablet may go to.
pub struct Home<'a> {
    pub node: NodeId,
    pub host: &'a str,
    pub location: &'a str,
}

/// Where the replicas of a new tablet go: in turn from one of the backends on, first where the table wants them, there on as many racks
/// as can be (or hosts, when nobody says where racks are).
pub fn spread<'a>(homes: &[Home<'a>], turn: usize, count: usize, wanted: &str) -> Vec<NodeId> {
    let located = homes.iter().any(|h| !h.location.is_empty());
    let place = |h: &Home<'a>| -> &'a str { if located { h.location } else { h.host } };
    let mut chosen: Vec<NodeId> = Vec::with_capacity(count);
    let mut used = BTreeSet::new();
    for (only_wanted, only_new) in [(true, true), (true, false), (false, true), (false, false)] {
        for home in (0..homes.len()).map(|i| &homes[(turn + i) % homes.len()]) {
            if chosen.len() == count {
                return chosen;
            }
            let fits = !chosen.contains(&home.node) && (!only_wanted || allowed(wanted, home.location)) && (!only_new || !used.contains(place(home)));
            if fits {
                used.insert(place(home));
                chosen.push(home.node);
            }
        }
    }
    chosen
}

/// A backend and disk for one more replica of a tablet: where the table wants it if there is any such, another rack and host than the
/// others have if there is one, then the least loaded.
pub fn target(tablet: &Tablet, choice: &Choice<'_>) -> Option<(NodeId, String)> {
    let others: Vec<&BackendView> = tablet.replicas.iter().filter_map(|r| choice.cluster.backends.get(&r.node)).filter(|b| !b.decommissioned && b.alive).collect();
    let located = choice.cluster.takers().any(|(_, b)| !b.location.is_empty());
    let free = || choice.cluster.takers().filter(|(id, _)| tablet.replica(*id).is_none() && !(choice.given_up)(*id));
    // A replica elsewhere is better than none.
    let anywhere = !free().any(|(_, b)| allowed(choice.location, &b.location));
    let free = free().filter(|(_, b)| anywhere || allowed(choice.location, &b.location));
    let ranked = free.filter_map(|(id, b)| {
        let disk = b.best_disk(choice.medium, |d| (choice.has_slot)(id, &d.path))?;
        let same_rack = located && others.iter().any(|o| o.location == b.location);
        let same_host = others.iter().any(|o| o.host == b.host);
        let wrong_medium = !choice.medium.is_empty() && !disk.medium.eq_ignore_ascii_case(choice.medium);
        Some(((same_rack, same_host, wrong_medium), (choice.load)(id), id, disk.path.clone()))
    });
    let best = ranked.min_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
    best.map(|(_, _, id, path)| (id, path))
}

/// Whether the replica on a disk of a backend should be on another medium; on a disk nobody knows yet it is fine. A backend without a
/// replica (no disk) is `Here` when it has the medium.
pub fn on_wrong_medium(cluster: &Cluster, medium: &str, node: NodeId, disk: Option<&str>) -> Medium {
    let Some(backend) = cluster.backends.get(&node).filter(|_| !medium.is_empty()) else { return Medium::Fine };
    let has = |b: &BackendView| b.disks.iter().any(|d| d.usable && d.medium.eq_ignore_ascii_case(medium));
    let Some(disk) = disk else { return if has(backend) { Medium::Here } else { Medium::Fine } };
    match backend.disks.iter().find(|d| d.path == disk) {
        Some(d) if !d.medium.eq_ignore_ascii_case(medium) => if has(backend) { Medium::Here } else { Medium::Elsewhere },
        _ => Medium::Fine,
    }
}

/// Replicas to copy from, the least busy first.
pub fn sources(tablet: &Tablet, partition: &Partition, cluster: &Cluster, busy: &dyn Fn(NodeId) -> usize) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> = tablet.replicas.iter().filter(|r| health::is_source(r, partition, cluster)).map(|r| r.node).collect();
    nodes.sort_by_key(|n| (busy(*n), *n));
    nodes
}

#[cfg(test)]
mod tests {
    use super::{Home, NodeId, allowed, check_wanted, spread};

    #[test]
    fn locations() {
        for (wanted, location, fits) in [
            ("", "", true),
            ("*", "rack:r1", true),
            ("rack:*", "rack:r1", true),
            ("rack:*", "", false),
            ("rack:r1,rack:r2", "rack:r2", true),
            ("rack:r1, rack:r2", "rack:r3", false),
            ("zone:*", "rack:r1", false),
        ] {
            assert_eq!(allowed(wanted, location), fits, "{wanted} {location}");
            check_wanted(wanted).unwrap();
        }
        for wrong in ["rack", "rack:", ":r1", "rack:r1,", "rack:r 1", "*:r1"] {
            assert!(check_wanted(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn new_replicas_are_spread() {
        let nodes = |homes: &[(u64, &str, &str)], turn, count, wanted: &str| {
            let homes: Vec<Home<'_>> = homes.iter().map(|(id, host, location)| Home { node: NodeId(*id), host, location }).collect();
            spread(&homes, turn, count, wanted).into_iter().map(|n| n.0).collect::<Vec<_>>()
        };
        let hosts = [(1, "a", ""), (2, "a", ""), (3, "b", ""), (4, "c", "")];
        assert_eq!(nodes(&hosts, 0, 3, ""), [1, 3, 4], "another host each");
        assert_eq!(nodes(&hosts, 1, 3, ""), [2, 3, 4]);
        assert_eq!(nodes(&hosts, 3, 4, ""), [4, 1, 3, 2], "all of them");
        let racks = [(1, "a", "rack:x"), (2, "b", "rack:x"), (3, "c", "rack:y"), (4, "d", "rack:z"), (5, "e", "")];
        assert_eq!(nodes(&racks, 0, 3, "*"), [1, 3, 4], "another rack each");
        assert_eq!(nodes(&racks, 0, 2, "rack:x"), [1, 2], "only there");
        assert_eq!(nodes(&racks, 2, 3, "rack:x,rack:y"), [3, 1, 2]);
        assert_eq!(nodes(&racks, 4, 3, "rack:y"), [3, 5, 1], "what does not fit there goes elsewhere");
    }
}
