//! Primary-key tablets against a model: random loads, deletes, partial and conditional updates, compactions, crashes and restarts;
//! every readable version gives exactly the rows it had.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common_base::Rng;
use common_base::fs::{Fault, FaultRule, FileSystem, FsOp};
use common_base::ids::{TabletId, TxnId};
use common_types::{Chunk, LogicalType, Scalar};
use proto_messages::tablet as pb;

use crate::StorageEngine;
use crate::testkit::{Machine, column, create_request, publish, spec};

pub(crate) const TABLET: u64 = 7;

pub(crate) type Row = (Option<String>, Option<i128>);
pub(crate) type Model = BTreeMap<i32, Row>;

pub(crate) fn create(sort_key: Vec<u32>) -> pb::CreateTablet {
    let mut request = create_request(TABLET);
    let schema = request.schema.as_mut().unwrap();
    schema.keys = pb::KeysModel::Primary.into();
    schema.columns[0].nullable = false;
    schema.short_key_columns = 1;
    schema.sort_key = sort_key;
    request
}

fn text(v: &Option<String>) -> Scalar {
    v.as_ref().map_or(Scalar::Null, |s| Scalar::string(s.clone()))
}

fn decimal(v: Option<i128>) -> Scalar {
    v.map_or(Scalar::Null, |d| Scalar::Decimal(d, 10, 2))
}

/// One row of a load: key, operation, values.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    key: i32,
    delete: bool,
    v: Option<String>,
    d: Option<i128>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    Whole,
    WithOp,
    /// `k, v` only.
    Partial { update_only: bool },
    /// Whole rows, applied if `d` is not smaller.
    Merge,
}

fn load_of(form: Form) -> Option<pb::PrimaryLoad> {
    match form {
        Form::Whole => None,
        Form::WithOp => Some(pb::PrimaryLoad { has_op: true, ..Default::default() }),
        Form::Partial { update_only } => Some(pb::PrimaryLoad { column_uids: vec![1, 2], update_only, ..Default::default() }),
        Form::Merge => Some(pb::PrimaryLoad { merge_column: 3, ..Default::default() }),
    }
}

fn chunk_of(form: Form, changes: &[Change]) -> Chunk {
    let mut columns = vec![
        column(&LogicalType::Int, changes.iter().map(|c| Scalar::Int(c.key))),
        column(&LogicalType::varchar(), changes.iter().map(|c| text(&c.v))),
    ];
    if !matches!(form, Form::Partial { .. }) {
        columns.push(column(&LogicalType::decimal(10, 2), changes.iter().map(|c| decimal(c.d))));
    }
    if form == Form::WithOp {
        columns.push(column(&LogicalType::TinyInt, changes.iter().map(|c| Scalar::TinyInt(i8::from(c.delete)))));
    }
    Chunk::new(columns, changes.len())
}

pub(crate) fn expect(model: &mut Model, form: Form, changes: &[Change]) {
    for c in changes {
        match form {
            Form::WithOp if c.delete => drop(model.remove(&c.key)),
            Form::Whole | Form::WithOp => drop(model.insert(c.key, (c.v.clone(), c.d))),
            Form::Partial { update_only } => match model.get_mut(&c.key) {
                Some(row) => row.0 = c.v.clone(),
                None if update_only => {}
                None => drop(model.insert(c.key, (c.v.clone(), None))),
            },
            Form::Merge => {
                if model.get(&c.key).is_none_or(|old| c.d >= old.1) {
                    model.insert(c.key, (c.v.clone(), c.d));
                }
            }
        }
    }
}

fn write(engine: &StorageEngine, txn: u64, form: Form, changes: &[Change], per_chunk: usize) -> common_base::Result<()> {
    write_to(engine, TABLET, txn, form, changes, per_chunk)
}

pub(crate) fn write_to(engine: &StorageEngine, tablet: u64, txn: u64, form: Form, changes: &[Change], per_chunk: usize) -> common_base::Result<()> {
    let writer = engine.open_writer_as(TabletId(tablet), TxnId(txn), None, load_of(form))?;
    for part in changes.chunks(per_chunk) {
        writer.write(chunk_of(form, part))?;
    }
    engine.commit(vec![writer.close()?])?;
    Ok(())
}

fn rows(engine: &StorageEngine, version: i64) -> common_base::Result<Vec<(i32, Row)>> {
    rows_of(engine, TABLET, version)
}

pub(crate) fn rows_of(engine: &StorageEngine, tablet: u64, version: i64) -> common_base::Result<Vec<(i32, Row)>> {
    let mut out = Vec::new();
    for morsel in engine.tablet(TabletId(tablet))?.read(version, &spec())?.morsels {
        for chunk in morsel.scan()? {
            let chunk = chunk?;
            for row in 0..chunk.rows() {
                let Scalar::Int(k) = chunk.column(0).scalar(row) else { panic!("keys are integers") };
                let v = chunk.column(1).scalar(row).as_str().map(str::to_owned);
                let d = if let Scalar::Decimal(d, ..) = chunk.column(2).scalar(row) { Some(d) } else { None };
                out.push((k, (v, d)));
            }
        }
    }
    out.sort();
    Ok(out)
}

fn check(engine: &StorageEngine, version: i64, model: &Model, what: &str) {
    let got = rows(engine, version).unwrap();
    let want: Vec<(i32, Row)> = model.iter().map(|(k, r)| (*k, r.clone())).collect();
    assert_eq!(got.len(), want.len(), "rows at version {version} {what}");
    assert!(got == want, "rows at version {version} {what}");
}

pub(crate) fn random_changes(rng: &mut Rng, keys: u64) -> Vec<Change> {
    (0..rng.range(1..400))
        .map(|_| Change {
            key: rng.range(0..keys) as i32,
            delete: rng.chance(0.3),
            v: rng.chance(0.9).then(|| format!("v{}", rng.range(0..1000))),
            d: rng.chance(0.9).then(|| i128::from(rng.range(0..1000))),
        })
        .collect()
}

#[test]
fn random_histories_match_a_map() {
    for seed in 1..=12u64 {
        println!("seed {seed}");
        let mut rng = Rng::from_seed(seed);
        let mut machine = Machine::new();
        // Some loads have several segments.
        machine.settings.memtable_bytes = if seed % 2 == 0 { 2000 } else { 64 << 20 };
        // Some have no memory for the primary index.
        machine.settings.primary_index_bytes = if seed % 4 == 0 { 0 } else { 1 << 30 };
        let mut engine = machine.start();
        engine.create_tablets(&[create(if seed % 3 == 0 { vec![1, 2] } else { Vec::new() })]).unwrap();
        let mut history: BTreeMap<i64, Model> = BTreeMap::from([(1, Model::new())]);
        let mut version = 1;
        for step in 0..40 {
            let what = format!("(seed {seed}, step {step})");
            match rng.range(0..10) {
                0 => {
                    machine.crash();
                    engine = machine.start();
                    // Rowsets replaced by a compaction are gone with the restart, and what only they could answer.
                    history.retain(|v, _| *v == version || rows(&engine, *v).is_ok());
                }
                1 => drop(engine.compact_fully(TabletId(TABLET)).unwrap()),
                2 => {
                    machine.clock.advance(Duration::from_secs(if rng.chance(0.3) { 1900 } else { 1 }));
                    engine.tablet(TabletId(TABLET)).unwrap().drop_index();
                    engine.collect_garbage();
                    history.retain(|v, _| *v == version || rows(&engine, *v).is_ok());
                }
                _ => {
                    let form = match rng.range(0..8) {
                        0..3 => Form::Whole,
                        3..5 => Form::WithOp,
                        5 => Form::Partial { update_only: false },
                        6 => Form::Partial { update_only: true },
                        _ => Form::Merge,
                    };
                    let changes = random_changes(&mut rng, 600);
                    let mut model = history[&version].clone();
                    expect(&mut model, form, &changes);
                    let txn = 1000 + step;
                    write(&engine, txn, form, &changes, 50).unwrap();
                    version += 1;
                    publish(&engine, TABLET, txn, version).unwrap();
                    publish(&engine, TABLET, txn, version).unwrap();
                    history.insert(version, model);
                }
            }
            check(&engine, version, &history[&version], &what);
            let old = *rng.pick(&history.keys().copied().collect::<Vec<_>>()).unwrap();
            check(&engine, old, &history[&old], &what);
            assert_eq!(engine.report_tablet(TabletId(TABLET), false).unwrap().rows, history[&version].len() as u64, "{what}");
        }
        engine.collect_garbage();
        let model = &history[&version];
        check(&engine, version, model, "after garbage collection");
    }
}

#[test]
fn a_failed_publication_changes_nothing_and_can_be_tried_again() {
    let machine = Machine::new();
    let mut engine = machine.start();
    engine.create_tablets(&[create(Vec::new())]).unwrap();
    let mut rng = Rng::from_seed(3);
    let mut model = Model::new();
    let mut version = 1;
    for (step, op) in [FsOp::Create, FsOp::Append, FsOp::Sync, FsOp::SyncDir, FsOp::OpenRead].into_iter().enumerate() {
        let changes = random_changes(&mut rng, 100);
        write(&engine, 10 + step as u64 * 2, Form::Whole, &changes, 1000).unwrap();
        version += 1;
        publish(&engine, TABLET, 10 + step as u64 * 2, version).unwrap();
        expect(&mut model, Form::Whole, &changes);
        let changes = random_changes(&mut rng, 100);
        let txn = 11 + step as u64 * 2;
        write(&engine, txn, Form::Partial { update_only: false }, &changes, 1000).unwrap();
        machine.faults.add(FaultRule::new(op, Fault::Io).times(1));
        let failed = publish(&engine, TABLET, txn, version + 1);
        machine.faults.heal();
        if failed.is_err() {
            check(&engine, version, &model, "after a failure");
            if step % 2 == 0 {
                machine.crash();
                engine = machine.start();
                check(&engine, version, &model, "after a failure and a crash");
            }
        }
        version += 1;
        publish(&engine, TABLET, txn, version).unwrap();
        expect(&mut model, Form::Partial { update_only: false }, &changes);
        check(&engine, version, &model, "after another try");
    }
    engine.collect_garbage();
    let dir = engine.tablet(TabletId(TABLET)).unwrap().dir().tablet_path(TabletId(TABLET));
    let known: usize = engine.tablet(TabletId(TABLET)).unwrap().versions().current().iter().map(|r| r.segment_count()).sum();
    assert_eq!(machine.disk.list(&dir).unwrap().len(), known, "files of failed tries are collected");
    machine.crash();
    check(&machine.start(), version, &model, "after all");
}

#[test]
fn loads_during_a_compaction_are_not_lost() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create(Vec::new())]).unwrap();
    let mut rng = Rng::from_seed(9);
    let mut model = Model::new();
    let mut version = 1;
    let one = |engine: &Arc<StorageEngine>, model: &mut Model, version: &mut i64, rng: &mut Rng| {
        let changes = random_changes(rng, 3000);
        write(engine, 100 + *version as u64, Form::WithOp, &changes, 1000).unwrap();
        *version += 1;
        publish(engine, TABLET, 99 + *version as u64, *version).unwrap();
        expect(model, Form::WithOp, &changes);
    };
    for _ in 0..5 {
        one(&engine, &mut model, &mut version, &mut rng);
    }
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| (0..20).filter(|_| engine.compact_fully(TabletId(TABLET)).unwrap()).count());
        for _ in 0..20 {
            one(&engine, &mut model, &mut version, &mut rng);
            check(&engine, version, &model, "while compactions run");
        }
        busy.join().unwrap();
    });
    check(&engine, version, &model, "after compactions");
    machine.crash();
    check(&machine.start(), version, &model, "after a restart");
}

/// A tablet under conversion gets the loads of another, its history at some moment, and has the same rows in the end.
#[test]
fn loads_wait_for_the_history_they_change() {
    const OTHER: u64 = 8;
    for seed in 1..=10u64 {
        println!("seed {seed}");
        let mut rng = Rng::from_seed(seed);
        let mut machine = Machine::new();
        machine.settings.memtable_bytes = if seed % 2 == 0 { 2000 } else { 64 << 20 };
        let mut engine = machine.start();
        engine.create_tablets(&[create(Vec::new())]).unwrap();
        let mut model = Model::new();
        let (before, during) = (rng.range(0..4) as i64, rng.range(0..6) as i64);
        let converted_at = 1 + before + rng.range(0..during as u64 + 1) as i64;
        let mut at_conversion = Model::new();
        let one = |engine: &StorageEngine, rng: &mut Rng, model: &mut Model, version: i64, tablets: &[u64]| {
            let form = *rng.pick(&[Form::Whole, Form::WithOp, Form::Partial { update_only: false }, Form::Partial { update_only: true }, Form::Merge]).unwrap();
            let changes = random_changes(rng, 300);
            expect(model, form, &changes);
            for tablet in tablets {
                write_to(engine, *tablet, version as u64, form, &changes, 50).unwrap();
                publish(engine, *tablet, version as u64, version).unwrap();
                publish(engine, *tablet, version as u64, version).unwrap();
            }
        };
        for version in 2..2 + before {
            one(&engine, &mut rng, &mut model, version, &[TABLET]);
        }
        let mut request = create(vec![1, 2]);
        (request.tablet_id, request.converting) = (OTHER, true);
        engine.create_tablets(&[request]).unwrap();
        for version in 2 + before..2 + before + during {
            if version == converted_at + 1 {
                at_conversion.clone_from(&model);
            }
            one(&engine, &mut rng, &mut model, version, &[TABLET, OTHER]);
        }
        let mut version = 1 + before + during;
        if version == converted_at {
            at_conversion.clone_from(&model);
        }
        let columns = spec().columns;
        let exprs = columns.iter().enumerate().map(|(i, c)| common_expr::expr::Expr::column(i as u32, c.ty.clone(), true)).collect();
        let conversion = crate::convert::Conversion {
            from: TabletId(TABLET),
            to: TabletId(OTHER),
            version: converted_at,
            columns,
            exprs,
            predicate: None,
            kept: Vec::new(),
            eval: common_expr::scalar_fn::EvalContext::default(),
        };
        if seed % 3 == 0 {
            machine.crash();
            engine = machine.start();
        }
        assert_eq!(engine.report_tablet(TabletId(OTHER), false).unwrap().version, if during > 0 { version } else { 1 }, "what is published is reported");
        if seed % 4 == 0 {
            // It fails somewhere on its way, and goes on from there.
            machine.faults.add(FaultRule::new(FsOp::OpenRead, Fault::Io).times(1));
            let _ = engine.convert(&conversion);
            machine.faults.heal();
            machine.crash();
            engine = machine.start();
        }
        engine.convert(&conversion).unwrap();
        engine.convert(&conversion).unwrap();
        assert!(!engine.tablet(TabletId(OTHER)).unwrap().is_converting());
        assert!(engine.pending_txns().is_empty(), "seed {seed}");
        let want = |model: &Model| model.iter().map(|(k, r)| (*k, r.clone())).collect::<Vec<_>>();
        assert!(rows_of(&engine, OTHER, version).unwrap() == want(&model), "rows after the conversion, seed {seed}");
        assert!(rows_of(&engine, OTHER, converted_at).unwrap() == want(&at_conversion), "rows of the version converted, seed {seed}");
        for _ in 0..3 {
            version += 1;
            one(&engine, &mut rng, &mut model, version, &[TABLET, OTHER]);
        }
        machine.crash();
        let engine = machine.start();
        assert!(rows_of(&engine, OTHER, version).unwrap() == want(&model), "rows after a restart, seed {seed}");
    }
}
