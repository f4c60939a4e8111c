//! Random loads, deletes, compactions, restarts and reads of small tables, compared with a model that is a map in memory. The
//! seed of a failing run is in its message; `MODEL_SEED=n` runs one seed.

use std::collections::BTreeMap;

use common_base::Rng;
use common_base::ids::{TabletId, TxnId};
use common_expr::expr::Expr;
use common_expr::predicate::{ColumnPredicate, CompareOp, PredicateKind};
use common_types::{Chunk, LogicalType, Scalar, wire};
use proto_messages::tablet as pb;
use proto_messages::tablet::KeysModel;

use crate::StorageEngine;
use crate::read::{ReadColumn, ReadSpec};
use crate::testkit::{Machine, column, delete, publish};

const TABLET: u64 = 1;

/// Keys `k`, `t` and values with the aggregation of each.
fn columns() -> Vec<(&'static str, LogicalType, &'static str)> {
    vec![
        ("k", LogicalType::Int, ""),
        ("t", LogicalType::varchar(), ""),
        ("total", LogicalType::BigInt, "SUM"),
        ("low", LogicalType::Int, "MIN"),
        ("high", LogicalType::varchar(), "MAX"),
        ("latest", LogicalType::varchar(), "REPLACE"),
        ("known", LogicalType::Int, "REPLACE_IF_NOT_NULL"),
        ("exact", LogicalType::decimal(20, 2), "SUM"),
    ]
}

type Row = Vec<Scalar>;

/// The rows of one version.
#[derive(Clone, Default)]
struct Model {
    rows: Vec<Row>,
}

fn combine(how: &str, old: &Scalar, new: &Scalar) -> Scalar {
    let least = |greatest: bool| match (old.is_null(), new.is_null()) {
        (true, _) => new.clone(),
        (_, true) => old.clone(),
        _ => {
            let order = common_types::compare::compare_scalars(new, old);
            if (greatest && order.is_gt()) || (!greatest && order.is_lt()) { new.clone() } else { old.clone() }
        }
    };
    match (how, old, new) {
        ("SUM", Scalar::BigInt(a), Scalar::BigInt(b)) => Scalar::BigInt(a.wrapping_add(*b)),
        ("SUM", Scalar::Decimal(a, p, s), Scalar::Decimal(b, ..)) => Scalar::Decimal(a + b, *p, *s),
        ("SUM" | "REPLACE_IF_NOT_NULL", _, Scalar::Null) => old.clone(),
        ("MIN", ..) => least(false),
        ("MAX", ..) => least(true),
        _ => new.clone(),
    }
}

impl Model {
    fn load(&mut self, keys: KeysModel, rows: &[Row]) {
        if keys == KeysModel::Duplicate {
            self.rows.extend_from_slice(rows);
            return;
        }
        let columns = columns();
        for row in rows {
            match self.rows.iter_mut().find(|r| r[..2] == row[..2]) {
                None => self.rows.push(row.clone()),
                Some(old) => {
                    for i in 2..columns.len() {
                        let how = if keys == KeysModel::Unique { "REPLACE" } else { columns[i].2 };
                        old[i] = combine(how, &old[i], &row[i]);
                    }
                }
            }
        }
    }
}

fn text(row: &[Scalar]) -> String {
    format!("{row:?}")
}

struct Run {
    machine: Machine,
    engine: std::sync::Arc<StorageEngine>,
    keys: KeysModel,
    rng: Rng,
    /// What each version holds, from version 1.
    history: BTreeMap<i64, Model>,
    txn: u64,
}

impl Run {
    fn new(keys: KeysModel, seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let mut machine = Machine::new();
        machine.settings.memtable_bytes = 1 << rng.range(8..20);
        machine.settings.compaction_segment_rows = rng.range(5..200) as usize;
        machine.settings.morsel_rows = 64;
        let engine = machine.start();
        let columns = columns()
            .into_iter()
            .enumerate()
            .map(|(i, (name, ty, how))| pb::TabletColumn {
                uid: i as u64 + 1,
                name: name.to_owned(),
                r#type: Some(wire::type_to_proto(&ty)),
                nullable: true,
                key: i < 2,
                aggregation: if keys == KeysModel::Aggregate { how.to_owned() } else { String::new() },
                ..Default::default()
            })
            .collect();
        // Now and then the rows are sorted by the second key first.
        let sort_key = if rng.chance(0.3) { vec![1, 0] } else { Vec::new() };
        let schema = pb::TabletSchema { version: 1, keys: keys.into(), columns, short_key_columns: 1, sort_key, ..Default::default() };
        engine.create_tablets(&[pb::CreateTablet { tablet_id: TABLET, schema: Some(schema), initial_version: 1, ..Default::default() }]).unwrap();
        Self { machine, engine, keys, rng, history: BTreeMap::from([(1, Model::default())]), txn: 10 }
    }

    fn newest(&self) -> i64 {
        *self.history.keys().next_back().unwrap()
    }

    fn row(&mut self, spread: u64) -> Row {
        let rng = &mut self.rng;
        let null = |rng: &mut Rng, v: Scalar| if rng.chance(0.15) { Scalar::Null } else { v };
        let number = rng.range(0..1000) as i32 - 500;
        let k = Scalar::Int(rng.range(0..spread) as i32);
        let t = Scalar::string(format!("t{}", rng.range(0..4)));
        vec![
            null(rng, k),
            null(rng, t),
            null(rng, Scalar::BigInt(i64::from(number) << 40)),
            null(rng, Scalar::Int(number)),
            null(rng, Scalar::string(format!("h{number}"))),
            null(rng, Scalar::string(format!("l{number}"))),
            null(rng, Scalar::Int(number / 7)),
            null(rng, Scalar::Decimal(i128::from(number) * 1_000_000_007, 20, 2)),
        ]
    }

    fn load(&mut self) {
        self.txn += 1;
        let mut model = self.history[&self.newest()].clone();
        let writer = self.engine.open_writer(TabletId(TABLET), TxnId(self.txn)).unwrap();
        let spread = 1 + self.rng.range(0..40);
        for _ in 0..self.rng.range(1..4) {
            let rows: Vec<Row> = (0..self.rng.range(1..60)).map(|_| self.row(spread)).collect();
            let made = columns().iter().enumerate().map(|(i, (_, ty, _))| column(ty, rows.iter().map(|r| r[i].clone()))).collect();
            writer.write(Chunk::new(made, rows.len())).unwrap();
            model.load(self.keys, &rows);
        }
        self.engine.commit(vec![writer.close().unwrap()]).unwrap();
        self.publish(model);
    }

    /// Removes rows whose first or second key is NULL: conditions that need no function.
    fn delete(&mut self) {
        self.txn += 1;
        let (on, negated) = (self.rng.index(2), self.rng.chance(0.2));
        let ty = columns()[on].1.clone();
        let key = Expr::column(0, ty, true);
        let condition = if negated { key.is_not_null() } else { key.is_null() };
        delete(&self.engine, TABLET, self.txn, on as u64 + 1, condition);
        let mut model = self.history[&self.newest()].clone();
        model.rows.retain(|r| r[on].is_null() == negated);
        self.publish(model);
    }

    fn publish(&mut self, model: Model) {
        let version = self.newest() + 1;
        publish(&self.engine, TABLET, self.txn, version).unwrap();
        self.history.insert(version, model);
    }

    fn restart(&mut self) {
        self.machine.crash();
        self.engine = self.machine.start();
        // Versions inside a compacted rowset are gone with the rowsets it replaced.
        let newest = self.newest();
        self.history.retain(|v, _| *v == newest);
    }

    /// Rows in figures: never fewer than there are, and where rows of a key stay apart exactly these once they are counted.
    fn figures(&mut self) {
        let live = self.history[&self.newest()].rows.len() as u64;
        let (apart, reading) = (self.keys == KeysModel::Duplicate, self.rng.chance(0.5));
        let rows = |with_statistics| self.engine.report_tablet(TabletId(TABLET), with_statistics).unwrap().rows;
        let before = rows(reading);
        assert!(before >= live, "{before} rows are said to be {live}");
        if self.rng.chance(0.5) {
            self.engine.count_hidden();
            let counted = rows(false);
            assert!(if apart { counted == live } else { (live..=before).contains(&counted) }, "{counted} rows are counted, {live} are there");
        }
    }

    /// Some columns under some conditions, at some version.
    fn read(&mut self) {
        let columns = columns();
        let versions: Vec<i64> = self.history.keys().copied().collect();
        let version = if self.rng.chance(0.6) { self.newest() } else { *self.rng.pick(&versions).unwrap() };
        let mut chosen: Vec<usize> = (0..columns.len()).filter(|_| self.rng.chance(0.6)).collect();
        if chosen.is_empty() {
            chosen.push(self.rng.index(columns.len()));
        }
        self.rng.shuffle(&mut chosen);
        let mut tests: Vec<(usize, PredicateKind)> = Vec::new();
        for (at, i) in chosen.iter().enumerate() {
            let kind = match *i {
                0 if self.rng.chance(0.4) => PredicateKind::Compare {
                    op: [CompareOp::Lt, CompareOp::Ge, CompareOp::Eq][self.rng.index(3)],
                    value: Scalar::Int(self.rng.range(0..30) as i32),
                },
                3 if self.rng.chance(0.4) => PredicateKind::Compare { op: CompareOp::Gt, value: Scalar::Int(self.rng.range(0..600) as i32 - 300) },
                5 if self.rng.chance(0.2) => PredicateKind::NotNull,
                _ => continue,
            };
            tests.push((at, kind));
        }
        let predicates: Vec<_> = tests.iter().map(|(at, kind)| ColumnPredicate::new(*at as u32, columns[chosen[*at]].1.clone(), kind.clone())).collect();
        let spec = ReadSpec {
            columns: chosen.iter().map(|i| ReadColumn::new(*i as u64 + 1, columns[*i].1.clone())).collect(),
            output: (0..chosen.len()).collect(),
            predicates: predicates.clone(),
            ..Default::default()
        };
        let mut expected: Vec<String> = self.history[&version]
            .rows
            .iter()
            .map(|r| chosen.iter().map(|i| r[*i].clone()).collect::<Row>())
            .filter(|r| predicates.iter().all(|p| if r[p.column as usize].is_null() { p.accepts_null() } else { p.matches(&r[p.column as usize]) }))
            .map(|r| text(&r))
            .collect();
        let mut got = Vec::new();
        let read = self.engine.tablet(TabletId(TABLET)).unwrap().read(version, &spec).unwrap();
        for morsel in &read.morsels {
            for chunk in morsel.scan().unwrap() {
                let chunk = chunk.unwrap();
                for row in 0..chunk.rows() {
                    let values: Row = chunk.columns().iter().map(|c| c.scalar(row)).collect();
                    for (i, value) in values.iter().enumerate() {
                        if let (Some(bounds), Some(v)) = (read.bounds[i], value.as_i64()) {
                            assert!(bounds.min <= v && v <= bounds.max, "{v} is outside of the bounds promised");
                        }
                    }
                    got.push(text(&values));
                }
            }
        }
        assert!(got.len() as u64 <= read.rows, "more rows than promised");
        expected.sort();
        got.sort();
        assert_eq!(got, expected, "columns {chosen:?} where {tests:?} at version {version}");
    }

    fn step(&mut self) {
        match self.rng.range(0..100) {
            0..35 => self.load(),
            35..42 => self.delete(),
            42..52 => drop(self.engine.compact_tablet(TabletId(TABLET)).unwrap()),
            52..55 => drop(self.engine.compact_fully(TabletId(TABLET)).unwrap()),
            55..58 => self.restart(),
            58..68 => self.figures(),
            _ => self.read(),
        }
    }
}

fn check(keys: KeysModel) {
    let seeds = match std::env::var("MODEL_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..12u64,
    };
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| {
            let mut run = Run::new(keys, seed);
            (0..120).for_each(|_| run.step());
        });
        if outcome.is_err() {
            panic!("{keys:?} tables differ from the model with seed {seed}");
        }
    }
}

#[test]
fn duplicate_tables_match_the_model() {
    check(KeysModel::Duplicate);
}

#[test]
fn aggregate_tables_match_the_model() {
    check(KeysModel::Aggregate);
}

#[test]
fn unique_tables_match_the_model() {
    check(KeysModel::Unique);
}
