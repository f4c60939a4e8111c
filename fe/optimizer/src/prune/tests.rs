//! Pruning never loses a row: random rows in their partitions, random conditions, whatever time zones loads and queries have.

use std::collections::HashSet;

use common_base::ids::ColumnUid;
use common_expr::{eval::eval_constant, expr::Expr, predicate::{extract_all, order::compare_scalars}, scalar_fn::EvalContext};
use common_types::Scalar;
use fe_catalog::model::{ExpressionKey, PartitionBound, PartitionInfo, PartitionItem};
use fe_plan::{LogicalNode, LogicalOp, logical::LogicalScan};

use super::partitions;
use crate::testkit::Kit;

const ZONES: &[&str] = &["UTC", "Asia/Shanghai", "America/New_York", "+14:00", "-12:00", "Europe/London"];
/// 2024-11-03 06:00 UTC, when clocks in New York go back an hour.
const CLOCKS_BACK: i64 = 1_730_613_600;
const COLUMNS: usize = 4;

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }

    /// Seconds since 1970: mostly about the change of clocks, some far off.
    fn seconds(&mut self) -> i64 {
        match self.below(10) {
            0 => self.below(100_000) as i64 - 50_000,
            1 => 253_402_300_799 - self.below(100_000) as i64,
            2 | 3 => CLOCKS_BACK - 60 * 86_400 + self.below(120 * 86_400) as i64,
            _ => CLOCKS_BACK - 86_400 + self.below(2 * 86_400) as i64,
        }
    }

    fn text(&mut self) -> String {
        match self.below(8) {
            0 => self.pick(&["", "x", "Oslo", "oslo", "2024-13-01", "2024-2-3", "20240101"]).to_owned(),
            _ => format!("{}-{:02}-{:02}", 2022 + self.below(3), 1 + self.below(12), 1 + self.below(30)),
        }
    }

    /// ts BIGINT, dt DATETIME, d DATE, s VARCHAR.
    fn row(&mut self) -> Vec<Scalar> {
        let moment = (CLOCKS_BACK - self.below(700 * 86_400) as i64) * 1_000_000 + self.below(3) as i64;
        let mut row = vec![
            Scalar::BigInt(self.seconds()),
            Scalar::Datetime(moment),
            Scalar::Date((moment / 86_400_000_000) as i32),
            Scalar::String(self.text().into_bytes().into()),
        ];
        for value in &mut row {
            if self.below(8) == 0 {
                *value = Scalar::Null;
            }
        }
        row
    }

    /// Fills in a condition's literals.
    fn fill(&mut self, condition: &str) -> String {
        let mut out = condition.to_owned();
        while let Some(at) = out.find('{') {
            let end = out[at..].find('}').expect("closed") + at;
            let literal = match &out[at + 1..end] {
                "ts" => self.seconds().to_string(),
                "dt" => format!("'{}-{:02}-{:02} {:02}:00:00'", 2022 + self.below(3), 1 + self.below(12), 1 + self.below(28), self.below(24)),
                "d" => format!("'{}-{:02}-{:02}'", 2022 + self.below(3), 1 + self.below(12), 1 + self.below(28)),
                "month" => format!("'{}-{:02}-01'", 2022 + self.below(3), 1 + self.below(12)),
                "hour" => format!("'2024-11-{:02} {:02}'", 2 + self.below(2), self.below(24)),
                "s" => format!("'{}'", self.text()),
                other => panic!("unknown literal {other}"),
            };
            out.replace_range(at..=end, &literal);
        }
        out
    }
}

fn scan_of(node: &LogicalNode) -> Option<LogicalScan> {
    if let LogicalOp::Scan(scan) = &node.op {
        return Some(scan.clone());
    }
    node.children.iter().find_map(scan_of)
}

fn put(expr: &Expr, scan: &LogicalScan, row: &[Scalar]) -> Expr {
    expr.clone().transform(&mut |e| match e.as_column() {
        Some(id) => {
            let uid = scan.columns.iter().find(|(c, _)| *c == id).expect("of the table").1;
            Expr::typed_literal(row[uid.0 as usize - 1].clone(), e.ty.clone())
        }
        None => e,
    })
}

fn kit() -> Kit {
    let mut kit = Kit::new(1);
    kit.load("CREATE TABLE t (ts BIGINT, dt DATETIME, d DATE, s VARCHAR(40)) DISTRIBUTED BY HASH(ts) BUCKETS 6");
    kit
}

fn by_exprs(exprs: &[&str], key: ExpressionKey) -> PartitionInfo {
    let columns = (1..=COLUMNS as u64).map(ColumnUid).collect();
    PartitionInfo::Expression { columns, exprs: exprs.iter().map(|e| (*e).to_owned()).collect(), key }
}

/// Half-open ranges between values, with open ends.
fn ranges(mut values: Vec<Scalar>) -> Vec<PartitionItem> {
    values.retain(|v| !v.is_null());
    values.sort_by(|a, b| compare_scalars(a, b).expect("of one type"));
    values.dedup();
    let mut bounds = vec![PartitionBound::Min];
    bounds.extend(values.into_iter().map(|v| PartitionBound::Values(vec![v])));
    bounds.push(PartitionBound::Max);
    bounds.windows(2).map(|w| PartitionItem::Range { lower: w[0].clone(), upper: w[1].clone() }).collect()
}

/// The range a key lives in; NULL in the lowest.
fn range_of(items: &[PartitionItem], key: &Scalar) -> usize {
    let starts_after = |item: &PartitionItem| match item {
        PartitionItem::Range { lower: PartitionBound::Values(v), .. } => key.is_null() || compare_scalars(key, &v[0]).is_some_and(|o| o.is_lt()),
        _ => false,
    };
    items.iter().position(starts_after).unwrap_or(items.len()) - 1
}

/// Rows, and for each the partition it is in.
struct Data {
    rows: Vec<Vec<Scalar>>,
    places: Vec<usize>,
}

fn load(kit: &mut Kit, rng: &mut Rng, info: PartitionInfo) -> Data {
    let rows: Vec<Vec<Scalar>> = (0..120).map(|_| rng.row()).collect();
    kit.partition_by("t", info.clone(), Vec::new());
    let scan = scan_of(&kit.analyze("SELECT * FROM t").expect("a query").plan).expect("a scan");
    let keys: Vec<Vec<Scalar>> = rows
        .iter()
        .map(|row| {
            let eval = EvalContext { time_zone: rng.pick(ZONES).to_owned(), ..kit.eval.clone() };
            match &info {
                PartitionInfo::Range { columns } | PartitionInfo::List { columns } => columns.iter().map(|c| row[c.0 as usize - 1].clone()).collect(),
                _ => scan.partition_keys.iter().map(|k| eval_constant(&eval, &put(k, &scan, row)).expect("a key")).collect(),
            }
        })
        .collect();
    assert!(keys.iter().all(|k| !k.is_empty()), "keys of {info:?}");
    let items: Vec<PartitionItem> = if info.is_list() {
        let mut distinct: Vec<Vec<Scalar>> = Vec::new();
        keys.iter().for_each(|k| if !distinct.contains(k) { distinct.push(k.clone()) });
        distinct.into_iter().map(|tuple| PartitionItem::List(vec![tuple])).collect()
    } else {
        ranges(keys.iter().step_by(7).map(|k| k[0].clone()).collect())
    };
    let place = |key: &Vec<Scalar>| {
        if info.is_list() { items.iter().position(|i| matches!(i, PartitionItem::List(t) if t[0] == *key)).expect("listed") } else { range_of(&items, &key[0]) }
    };
    let places = keys.iter().map(place).collect();
    kit.partition_by("t", info, items);
    Data { rows, places }
}

/// Partitions read of all, over all conditions; panics when a row that passes would not be read.
fn check(info: &PartitionInfo, conditions: &[&str]) -> Vec<(usize, usize)> {
    let mut rng = Rng(42);
    let mut kit = kit();
    let mut read = vec![(0, 0); conditions.len()];
    for _ in 0..12 {
        let data = load(&mut kit, &mut rng, info.clone());
        for (template, read) in conditions.iter().zip(&mut read) {
            let condition = rng.fill(template);
            kit.eval.time_zone = rng.pick(ZONES).to_owned();
            let query = kit.analyze(&format!("SELECT * FROM t WHERE {condition}")).unwrap_or_else(|e| panic!("{condition}: {e}"));
            let (plan, _) = crate::normalize(kit.input(query)).expect("a plan");
            let table = kit.table("t");
            let olap = table.as_olap().expect("a table of tablets");
            let all: Vec<_> = olap.partitions.keys().copied().collect();
            let (scan, chosen): (_, HashSet<_>) = match scan_of(&plan) {
                Some(scan) => {
                    let predicates = extract_all(&scan.predicates).0;
                    let chosen = partitions(&scan, olap, &predicates, &kit.eval).iter().map(|p| p.id).collect();
                    (scan, chosen)
                }
                // Nothing passes, says the plan.
                None => continue,
            };
            read.0 += chosen.len();
            read.1 += all.len();
            for (row, place) in data.rows.iter().zip(&data.places) {
                let passes = scan.predicates.iter().all(|p| eval_constant(&kit.eval, &put(p, &scan, row)).expect("a condition") == Scalar::Boolean(true));
                assert!(!passes || chosen.contains(&all[*place]), "{info:?}\nWHERE {condition}\nin {} loses {row:?} of {:?}", kit.eval.time_zone, olap.partitions[&all[*place]].item);
            }
        }
    }
    read
}

/// Checks conditions; of those after `prunes` some partitions must not be read.
fn prunes(info: &PartitionInfo, prunes: &[&str], others: &[&str]) {
    let all: Vec<&str> = prunes.iter().chain(others).copied().collect();
    for ((chosen, of), condition) in check(info, &all).into_iter().zip(prunes) {
        assert!(chosen < of, "{info:?}\nWHERE {condition}: {chosen} of {of} partitions are read");
    }
}

#[test]
fn tuples_of_units_and_columns() {
    for expr in ["date_trunc('month', dt)", "time_slice(dt, INTERVAL 7 day)", "date_trunc('hour', dt)"] {
        prunes(
            &by_exprs(&[expr, "s"], ExpressionKey::Tuple),
            &[
                "dt >= {dt}", "dt = {dt}", "dt < {dt} AND s = {s}", "dt > {dt} AND dt < {month}", "dt BETWEEN {dt} AND {dt}", "dt IN ({dt}, {dt})", "NOT (dt > {dt})", "s = {s}", "upper(s) = upper({s})",
                "s > {s} OR s IS NULL AND length(s) = 3", "date_trunc('month', dt) >= {month} AND dt < {dt}", "s LIKE '2023%'", "coalesce(s, 'Oslo') = 'Oslo'",
            ],
            &["dt IS NULL", "s IS NULL", "dt IS NOT NULL", "dt <=> NULL", "s NOT IN ('x', 'Oslo')", "dt > {dt} OR s = {s}", "s <> {s}", "dt <> {dt}", "s = concat(s, '')", "ts > {ts} AND d = {d}"],
        );
    }
    prunes(&by_exprs(&["date_trunc('month', dt)", "s"], ExpressionKey::Tuple), &["date_trunc('month', dt) = {month}", "date_trunc('month', dt) IN ({month}, {month})"], &["date_trunc('month', dt) IS NULL", "date_trunc('day', dt) = {d}"]);
}

/// The months of these conditions' partitions, of January to April in two cities.
fn months_read(condition: &str) -> Vec<usize> {
    const MONTHS: [i64; 4] = [1_704_067_200, 1_706_745_600, 1_709_251_200, 1_711_929_600];
    let mut kit = kit();
    let items = MONTHS.iter().flat_map(|at| ["Oslo", "Rome"].map(|city| vec![Scalar::Datetime(at * 1_000_000), Scalar::String(city.as_bytes().to_vec().into())]));
    kit.partition_by("t", by_exprs(&["date_trunc('month', dt)", "s"], ExpressionKey::Tuple), items.map(|tuple| PartitionItem::List(vec![tuple])).collect());
    let query = kit.analyze(&format!("SELECT * FROM t WHERE {condition}")).expect("a query");
    let (plan, _) = crate::normalize(kit.input(query)).expect("a plan");
    let scan = scan_of(&plan).expect("a scan");
    let table = kit.table("t");
    let olap = table.as_olap().expect("a table of tablets");
    let chosen = partitions(&scan, olap, &extract_all(&scan.predicates).0, &kit.eval);
    chosen.iter().map(|p| olap.partitions.keys().position(|id| *id == p.id).expect("a partition") / 2 + 1).collect()
}

#[test]
fn the_end_that_an_interval_leaves_out_is_not_read() {
    assert_eq!(months_read("dt >= '2024-01-01' AND dt < '2024-02-01'"), [1, 1]);
    assert_eq!(months_read("dt >= '2024-02-01' AND dt < '2024-04-01' AND s = 'Oslo'"), [2, 3]);
    assert_eq!(months_read("dt > '2024-01-31 23:59:59.999999' AND dt <= '2024-03-01'"), [2, 2, 3, 3]);
}

#[test]
fn parsed_dates_and_parts_of_texts() {
    let conditions = ["s = {s}", "s IN ({s}, {s})", "s = {s} AND ts > {ts}"];
    prunes(&by_exprs(&["str2date(s, '%Y-%m-%d')"], ExpressionKey::Tuple), &[&conditions[..], &["str2date(s, '%Y-%m-%d') >= {d}", "str2date(s, '%Y-%m-%d') = {d}"]].concat(), &["s > {s}", "s IS NULL", "s LIKE '2023-0%'", "str2date(s, '%Y-%m-%d') IS NULL", "str2date(s, '%d') > {d}"]);
    prunes(&by_exprs(&["substr(s, 1, 7)"], ExpressionKey::Tuple), &[&conditions[..], &["substr(s, 1, 7) = '2023-04'", "substr(s, 1, 7) > '2023-04'"]].concat(), &["s > {s}", "s < {s}", "s IS NULL", "substr(s, 1, 4) = '2023'", "NOT (s = {s})"]);
    prunes(&by_exprs(&["upper(s)", "d"], ExpressionKey::Tuple), &["d = {d}", "d > {d} AND s = {s}", "month(d) = 3"], &["upper(s) = 'OSLO'", "s = {s}", "d IS NULL"]);
}

#[test]
fn moments_of_any_time_zone() {
    let conditions = ["ts > {ts}", "ts = {ts}", "ts BETWEEN {ts} AND {ts}", "ts IN ({ts}, {ts})", "ts < {ts}", "ts >= {ts} AND ts < {ts}"];
    let others = ["ts IS NULL", "from_unixtime(ts, '%Y-%m-%d %H') = {hour}", "from_unixtime(ts) < {dt}", "from_unixtime(ts, '%Y%m%d') = '20241103'", "ts <> {ts}", "ts > {ts} OR s = {s}", "hour_from_unixtime(ts) = 3"];
    for expr in ["from_unixtime(ts, '%Y%m%d')", "from_unixtime(ts, '%Y-%m-%d %H')", "from_unixtime(ts)", "date_trunc('day', from_unixtime(ts))", "to_datetime(ts)", "from_unixtime(ts, '%d')", "from_unixtime(ts, '%Y', 'America/New_York')"] {
        // Of the others nothing is known but points; an hour without minutes is no moment.
        let ordered = !["from_unixtime(ts, '%Y-%m-%d %H')", "to_datetime(ts)", "from_unixtime(ts, '%d')", "from_unixtime(ts, '%Y', 'America/New_York')"].contains(&expr);
        let (first, rest): (&[&str], &[&str]) = if ordered { (&conditions, &[]) } else { (&[], &conditions) };
        prunes(&by_exprs(&[expr], ExpressionKey::Tuple), first, &[rest, &others].concat());
    }
    for expr in ["CAST(from_unixtime(ts) AS DATETIME)", "CAST(from_unixtime_ms(ts) AS DATETIME)", "date_trunc('day', from_unixtime(ts))"] {
        prunes(&by_exprs(&[expr], ExpressionKey::Value), &conditions, &others);
    }
    prunes(&by_exprs(&["str2date(s, '%Y-%m-%d')"], ExpressionKey::Value), &["s = {s}", "str2date(s, '%Y-%m-%d') >= {d}"], &["s > {s}", "s IS NULL", "str2date(s, '%Y-%m-%d') IS NULL"]);
}

#[test]
fn functions_of_ranges_columns() {
    prunes(
        &PartitionInfo::Range { columns: vec![ColumnUid(2)] },
        &["date(dt) = {d}", "year(dt) = 2023", "days_add(dt, 3) > {dt}", "date_trunc('month', dt) >= {month} AND date_trunc('month', dt) < {month}", "to_days(dt) < to_days({d})", "last_day(dt) = '2023-04-30'", "date_trunc('week', dt) IN ({d}, {d})", "hours_sub(dt, 30) BETWEEN {dt} AND {dt}", "dt > {dt}"],
        &["month(dt) = 4", "dt IS NULL", "date(dt) IS NULL", "year(dt) <> 2023", "year(dt) = 2023 OR dt IS NULL", "date(dt) = d", "coalesce(date(dt), {d}) = {d}", "NOT (date(dt) = {d})", "date_trunc('year', dt) = {d} OR date_trunc('day', dt) = {d}"],
    );
    prunes(
        &PartitionInfo::Range { columns: vec![ColumnUid(1)] },
        &["from_unixtime(ts, '%Y-%m-%d %H') = {hour}", "from_unixtime(ts, '%Y-%m-%d %H') > {hour}", "from_unixtime(ts, '%Y') = '2024'", "from_unixtime(ts, '%Y-%m-%d') < {d}", "date(from_unixtime(ts)) = '2024-11-03'"],
        &["from_unixtime(ts, '%H') = '05'", "from_unixtime(ts) IS NULL", "ts + 1 > {ts}", "unix_timestamp(from_unixtime(ts)) = {ts}", "from_unixtime(ts) <> {dt}"],
    );
    prunes(&PartitionInfo::Range { columns: vec![ColumnUid(3)] }, &["date_trunc('month', d) = {month}", "d >= {d}", "weeks_add(d, 2) < {d}", "cast(d AS DATETIME) > {dt}"], &["d IS NULL", "dayofweek(d) = 1"]);
    prunes(&PartitionInfo::List { columns: vec![ColumnUid(4), ColumnUid(3)] }, &["substr(s, 1, 4) = '2023'", "s = {s}", "year(d) = 2023 AND s > {s}", "concat(s, d) LIKE '2023%'"], &["s IS NULL OR d IS NULL", "ts = {ts}", "rand() < 0.5 AND s <> {s}"]);
}
