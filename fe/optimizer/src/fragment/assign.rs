//! Where instances run: scans next to a replica of their tablets, gathering fragments on one backend, the rest everywhere.

use std::collections::BTreeMap;

use common_base::{Error, Result, bail, err, fail_point, ids::{NodeId, QueryId, TabletId}};
use fe_catalog::model::{Partition, Replica, Tablet};
use fe_plan::{
    PhysicalNode, PhysicalOp,
    files::FilesScan,
    physical::{ExchangePartitioning, PhysicalScan},
    props::BucketLayout,
};
use proto_messages::fragment as pb;

use super::{Assignment, ExchangeTo, Fragment, FragmentSink, FragmentedPlan, RootSink, build, hash_exprs, late_readers, split::layout_of};
use crate::context::{BackendView, ClusterView};

/// Smallest part of a file that a backend gets for itself.
const FILE_PART_BYTES: u64 = 32 << 20;

/// Replicas that are not read.
type Avoid = std::collections::BTreeSet<(NodeId, TabletId)>;

/// Where one fragment runs.
struct Placement {
    /// Backends, one instance each, in instance order.
    nodes: Vec<NodeId>,
    /// Per scan node, per instance: what it reads.
    scans: Vec<(u32, Vec<Vec<pb::ScanRange>>)>,
    /// Per layout its scans follow: the instance of each bucket.
    buckets: Vec<(BucketLayout, Vec<u32>)>,
}

/// One request per backend that has work.
pub fn assign(plan: &FragmentedPlan, cluster: &ClusterView, query: QueryId, options: &pb::QueryOptions) -> Result<Vec<Assignment>> {
    if cluster.backends.is_empty() {
        bail!(Unavailable, "Backend node not found. Check if any backend node is down.");
    }
    let mut load: BTreeMap<NodeId, usize> = cluster.backends.iter().map(|b| (b.id, 0)).collect();
    let mut placements = Vec::with_capacity(plan.fragments.len());
    for fragment in &plan.fragments {
        placements.push(place(fragment, cluster, query, &mut load)?);
    }
    let mut requests: BTreeMap<NodeId, Vec<pb::FragmentInstance>> = BTreeMap::new();
    let late = late_readers::of(&plan.fragments);
    for (fragment, placement) in plan.fragments.iter().zip(&placements) {
        let node = build::plan_node(&plan.columns, fragment)?;
        let mut sink = sink(fragment, &placements, cluster)?;
        mark_late(&mut sink, &late);
        let senders = senders(fragment, plan, &placements);
        let count = placement.nodes.len() as u32;
        for (i, at) in placement.nodes.iter().enumerate() {
            let scan_ranges = placement
                .scans
                .iter()
                .map(|(id, per)| pb::ScanRanges { plan_node_id: *id, ranges: per[i].clone() })
                .collect();
            requests.entry(*at).or_default().push(pb::FragmentInstance {
                fragment_id: fragment.id,
                instance: i as u32,
                instance_count: count,
                plan: Some(node.clone()),
                sink: Some(sink.clone()),
                scan_ranges,
                senders: senders.clone(),
            });
        }
    }
    let routes = routes(plan, &placements, cluster)?;
    let query_id = pb::QueryId { high: (query.0 >> 64) as u64, low: query.0 as u64 };
    requests
        .into_iter()
        .map(|(id, instances)| {
            let backend = backend(cluster, id)?;
            let request = pb::ExecuteRequest {
                query_id: Some(query_id),
                instances,
                options: Some(options.clone()),
                runtime_filters: routes.clone(),
            };
            Ok(Assignment { node: id, host: backend.host.clone(), port: backend.brpc_port, request })
        })
        .collect()
}

fn backend(cluster: &ClusterView, id: NodeId) -> Result<&BackendView> {
    cluster.backends.iter().find(|b| b.id == id).ok_or_else(|| err!(Internal, "backend {id} is not in the cluster view"))
}

fn destination(cluster: &ClusterView, id: NodeId, instance: usize) -> Result<pb::Destination> {
    let b = backend(cluster, id)?;
    Ok(pb::Destination { host: b.host.clone(), port: u32::from(b.brpc_port), instance: instance as u32 })
}

/// A scan node: its id, what it reads, and whose buckets it follows.
struct Reader<'p> {
    id: u32,
    scan: &'p PhysicalScan,
    layout: Option<&'p BucketLayout>,
}

fn readers(node: &PhysicalNode) -> Vec<Reader<'_>> {
    let mut out = Vec::new();
    node.visit(&mut |n| {
        if let PhysicalOp::Scan(scan) = &n.op {
            out.push(Reader { id: n.id, scan, layout: layout_of(&n.distribution) });
        }
    });
    out
}

fn place(fragment: &Fragment, cluster: &ClusterView, query: QueryId, load: &mut BTreeMap<NodeId, usize>) -> Result<Placement> {
    let readers = readers(&fragment.root);
    let anywhere = || cluster.backends[(query.0 % cluster.backends.len() as u128) as usize].id;
    if readers.is_empty() {
        let nodes = if fragment.single { vec![anywhere()] } else { cluster.backends.iter().map(|b| b.id).collect() };
        return Ok(Placement { nodes, scans: Vec::new(), buckets: Vec::new() });
    }
    let mut layouts: Vec<(&BucketLayout, Vec<Option<NodeId>>)> = Vec::new();
    for (layout, scans) in by_layout(&readers) {
        layouts.push((layout, choose_buckets(layout, &scans, load, cluster)?));
    }
    let mut chosen: Vec<(u32, Vec<(NodeId, pb::ScanRange)>)> = Vec::with_capacity(readers.len());
    for Reader { id, scan, layout } in &readers {
        let schema_version = scan.table.as_olap().map_or(0, |t| t.schema_version);
        let places = layouts.iter().find(|(l, _)| Some(*l) == *layout).map(|(_, places)| places.as_slice()).unwrap_or_default();
        let mut ranges = Vec::new();
        if let Some(files) = &scan.files {
            ranges.extend(file_ranges(files, cluster));
        }
        for selected in &scan.partitions {
            let partition = &selected.partition;
            for (bucket, tablet_id) in &selected.tablets {
                let tablet = tablet(partition, *bucket)?;
                let at = match places.get(*bucket as usize).copied().flatten() {
                    Some(at) => at,
                    None => choose(tablet, partition, load, cluster)?,
                };
                ranges.push((at, pb::ScanRange {
                    tablet_id: tablet_id.0,
                    version: partition.visible_version,
                    bucket: *bucket,
                    partition_id: partition.id.0,
                    schema_version,
                    file: None,
                }));
            }
        }
        chosen.push((*id, ranges));
    }
    let mut nodes: Vec<NodeId> = chosen.iter().flat_map(|(_, r)| r.iter().map(|(at, _)| *at)).collect();
    nodes.sort();
    nodes.dedup();
    if nodes.is_empty() {
        nodes.push(anywhere());
    }
    let index = |at: &NodeId| nodes.binary_search(at).unwrap_or(0);
    let scans = chosen
        .into_iter()
        .map(|(id, ranges)| {
            let mut per = vec![Vec::new(); nodes.len()];
            for (at, range) in ranges {
                per[index(&at)].push(range);
            }
            (id, per)
        })
        .collect();
    let buckets = layouts
        .into_iter()
        .map(|(layout, places)| (layout.clone(), places.iter().map(|at| at.as_ref().map_or(0, |at| index(at) as u32)).collect()))
        .collect();
    Ok(Placement { nodes, scans, buckets })
}

/// Parts of files for backends, each about as many bytes. Only columnar files can be read from their middle.
fn file_ranges(files: &FilesScan, cluster: &ClusterView) -> Vec<(NodeId, pb::ScanRange)> {
    let mut given: Vec<(u64, NodeId)> = cluster.backends.iter().map(|b| (0, b.id)).collect();
    let kind = files.table.format.as_ref().map_or("", |f| f.kind.as_str());
    let apart = matches!(kind, "parquet" | "orc") && given.len() > 1;
    let part = if apart { (files.bytes() / given.len() as u64 / 2).max(FILE_PART_BYTES) } else { u64::MAX };
    let mut out = Vec::new();
    for (path, size) in &files.files {
        let mut offset = 0;
        while offset < *size {
            // A small rest is not worth opening the file for.
            let length = if *size - offset < part.saturating_add(part / 2) { *size - offset } else { part };
            let Some(least) = given.iter_mut().min_by_key(|(bytes, _)| *bytes) else { return out };
            least.0 += length;
            let file = pb::FileRange { path: path.clone(), size: *size, offset, length };
            out.push((least.1, pb::ScanRange { file: Some(file), ..pb::ScanRange::default() }));
            offset += length;
        }
    }
    out
}

/// The scans that follow each layout.
fn by_layout<'p>(readers: &[Reader<'p>]) -> Vec<(&'p BucketLayout, Vec<&'p PhysicalScan>)> {
    let mut out: Vec<(&BucketLayout, Vec<&PhysicalScan>)> = Vec::new();
    for (layout, scan) in readers.iter().filter_map(|r| Some((r.layout?, r.scan))) {
        match out.iter_mut().find(|(l, _)| *l == layout) {
            Some((_, scans)) => scans.push(scan),
            None => out.push((layout, vec![scan])),
        }
    }
    out
}

/// Whether each bucket that fragments rely on has a backend with all its tablets. A tablet that nobody can read does not count: no
/// other plan could read it either.
pub fn buckets_meet(plan: &FragmentedPlan, cluster: &ClusterView) -> bool {
    let mut load: BTreeMap<NodeId, usize> = cluster.backends.iter().map(|b| (b.id, 0)).collect();
    plan.fragments.iter().all(|fragment| {
        by_layout(&readers(&fragment.root)).iter().all(|(layout, scans)| {
            scans.iter().map(|s| s.partitions.len()).sum::<usize>() < 2 || choose_buckets(layout, scans, &mut load, cluster).is_ok()
        })
    })
}

/// A backend for each bucket of a layout that has every tablet of that bucket.
fn choose_buckets(layout: &BucketLayout, scans: &[&PhysicalScan], load: &mut BTreeMap<NodeId, usize>, cluster: &ClusterView) -> Result<Vec<Option<NodeId>>> {
    let mut out = vec![None; layout.buckets as usize];
    for (bucket, place) in out.iter_mut().enumerate() {
        let mut candidates: Option<Vec<NodeId>> = None;
        for selected in scans.iter().flat_map(|s| &s.partitions) {
            let Some((b, _)) = selected.tablets.iter().find(|(b, _)| *b as usize == bucket) else { continue };
            let tablet = tablet(&selected.partition, *b)?;
            let here: Vec<NodeId> = readable(tablet, &selected.partition, load, &cluster.avoid).map(|r| r.node).collect();
            if here.is_empty() {
                return Err(unreadable(tablet, &selected.partition, load, cluster));
            }
            candidates = Some(match candidates {
                None => here,
                Some(before) => before.into_iter().filter(|n| here.contains(n)).collect(),
            });
        }
        if let Some(candidates) = candidates {
            let Some(at) = candidates.into_iter().min_by_key(|n| load.get(n).copied().unwrap_or(usize::MAX)) else {
                bail!(Unavailable, "no backend has a readable replica of every tablet of bucket {bucket}");
            };
            if let Some(n) = load.get_mut(&at) {
                *n += 1;
            }
            *place = Some(at);
        }
    }
    Ok(out)
}

fn tablet(partition: &Partition, bucket: u32) -> Result<&Tablet> {
    let index = partition.indexes.first().ok_or_else(|| err!(Internal, "partition {} has no index", partition.name))?;
    index.tablets.get(bucket as usize).ok_or_else(|| err!(Internal, "partition {} has no bucket {bucket}", partition.name))
}

fn readable<'t>(tablet: &'t Tablet, partition: &'t Partition, load: &'t BTreeMap<NodeId, usize>, avoid: &'t Avoid) -> impl Iterator<Item = &'t Replica> {
    let lagging = matches!(fail_point!("planted.read.lagging"), Ok(Some(_)));
    let whole = move |r: &&Replica| !r.bad && (r.version >= partition.visible_version || lagging) && load.contains_key(&r.node);
    tablet.replicas.iter().filter(move |r| whole(r) && !avoid.contains(&(r.node, tablet.id)))
}

/// Says of each replica why it cannot be read.
fn unreadable(tablet: &Tablet, partition: &Partition, load: &BTreeMap<NodeId, usize>, cluster: &ClusterView) -> Error {
    let why = |r: &Replica| match cluster.damages.get(&(r.node, tablet.id)) {
        Some(damage) if r.bad => damage.clone(),
        _ if r.bad => "is bad".to_owned(),
        _ if !load.contains_key(&r.node) => "is not alive".to_owned(),
        _ if r.version < partition.visible_version => format!("has version {} only", r.version),
        _ => "could not read it".to_owned(),
    };
    let replicas: Vec<String> = tablet.replicas.iter().map(|r| format!("backend {}: {}", r.node, why(r))).collect();
    err!(
        Unavailable,
        "Failed to get scan range, no queryable replica found in tablet: {}, visible version: {}, replicas: [{}]",
        tablet.id,
        partition.visible_version,
        replicas.join("; ")
    )
}

/// The least loaded backend with a readable replica.
fn choose(tablet: &Tablet, partition: &Partition, load: &mut BTreeMap<NodeId, usize>, cluster: &ClusterView) -> Result<NodeId> {
    let best = readable(tablet, partition, load, &cluster.avoid).map(|r| r.node).min_by_key(|n| load.get(n).copied().unwrap_or(usize::MAX));
    let Some(at) = best else {
        return Err(unreadable(tablet, partition, load, cluster));
    };
    if let Some(n) = load.get_mut(&at) {
        *n += 1;
    }
    Ok(at)
}

fn sink(fragment: &Fragment, placements: &[Placement], cluster: &ClusterView) -> Result<pb::Sink> {
    use pb::sink::Kind;
    let output = &fragment.root.output;
    let kind = match &fragment.sink {
        FragmentSink::Root(RootSink::Result) => return Ok(super::result_sink()),
        FragmentSink::Root(RootSink::Table(table)) => Kind::Table((**table).clone()),
        FragmentSink::Root(RootSink::Files(files)) => Kind::File((**files).clone()),
        FragmentSink::Exchange(to) => Kind::Exchange(exchange(to, output, placements, cluster)?),
        FragmentSink::MultiCast(list) => Kind::MultiCast(pb::MultiCastSink {
            sinks: list.iter().map(|to| exchange(to, output, placements, cluster)).collect::<Result<_>>()?,
        }),
    };
    Ok(pb::Sink { kind: Some(kind) })
}

/// Says of each reader of a CTE whether rows may have to wait for it.
fn mark_late(sink: &mut pb::Sink, late: &[u32]) {
    if let Some(pb::sink::Kind::MultiCast(readers)) = &mut sink.kind {
        readers.sinks.iter_mut().for_each(|reader| reader.late_reader = late.contains(&reader.exchange_id));
    }
}

fn exchange(to: &ExchangeTo, output: &[u32], placements: &[Placement], cluster: &ClusterView) -> Result<pb::ExchangeSink> {
    let target = &placements[to.fragment as usize];
    let destinations = target.nodes.iter().enumerate().map(|(i, n)| destination(cluster, *n, i)).collect::<Result<_>>()?;
    let partitioning = match &to.partitioning {
        ExchangePartitioning::Gather => pb::Partitioning::Gather,
        ExchangePartitioning::Broadcast => pb::Partitioning::Broadcast,
        ExchangePartitioning::Hash(_) => pb::Partitioning::Hash,
        ExchangePartitioning::Bucket(_) => pb::Partitioning::BucketHash,
        ExchangePartitioning::Random => pb::Partitioning::Random,
    };
    let bucket_to_destination: Vec<u32> =
        target.buckets.iter().find(|(l, _)| Some(l) == to.layout.as_ref()).map(|(_, b)| b.clone()).unwrap_or_default();
    if partitioning == pb::Partitioning::BucketHash && bucket_to_destination.is_empty() {
        bail!(Internal, "exchange {} follows buckets nobody in fragment {} has", to.exchange, to.fragment);
    }
    Ok(pb::ExchangeSink {
        exchange_id: to.exchange,
        destinations,
        partitioning: partitioning.into(),
        hash_exprs: build::exprs_over(output, hash_exprs(&to.partitioning))?,
        bucket_to_destination,
        output_columns: build::ordinals_of(output, &to.columns)?,
        output_all: false,
        late_reader: false,
    })
}

/// How many instances feed each exchange of the fragment.
fn senders(fragment: &Fragment, plan: &FragmentedPlan, placements: &[Placement]) -> Vec<pb::ExchangeSenders> {
    let mut out = Vec::new();
    for (from, placement) in plan.fragments.iter().zip(placements) {
        let list: &[ExchangeTo] = match &from.sink {
            FragmentSink::Exchange(to) => std::slice::from_ref(to),
            FragmentSink::MultiCast(list) => list,
            FragmentSink::Root(_) => &[],
        };
        for to in list.iter().filter(|to| to.fragment == fragment.id) {
            out.push(pb::ExchangeSenders { exchange_id: to.exchange, count: placement.nodes.len() as u32 });
        }
    }
    out
}

/// Remote runtime filters: merged at the first instance of the building fragment, sent to every instance of those that test them.
fn routes(plan: &FragmentedPlan, placements: &[Placement], cluster: &ClusterView) -> Result<Vec<pb::RuntimeFilterRoute>> {
    let mut out = Vec::new();
    for (fragment, placement) in plan.fragments.iter().zip(placements) {
        let mut remote: Vec<(u32, bool)> = Vec::new();
        fragment.root.visit(&mut |n| {
            if let PhysicalOp::HashJoin { runtime_filters, .. } = &n.op {
                remote.extend(runtime_filters.iter().filter(|f| f.remote).map(|f| (f.id, f.broadcast_build)));
            }
        });
        for (id, broadcast_build) in remote {
            let mut targets = Vec::new();
            for (other, at) in plan.fragments.iter().zip(placements) {
                let tests = readers(&other.root).iter().any(|r| r.scan.runtime_filters.iter().any(|f| f.id == id));
                if tests {
                    for (i, node) in at.nodes.iter().enumerate() {
                        targets.push(destination(cluster, *node, i)?);
                    }
                }
            }
            out.push(pb::RuntimeFilterRoute {
                filter_id: id,
                merge_node: Some(destination(cluster, placement.nodes[0], 0)?),
                builders: if broadcast_build { 1 } else { placement.nodes.len() as u32 },
                targets,
            });
        }
    }
    Ok(out)
}
