//! Rules against moments: what is made, what goes.

use std::sync::Arc;

use common_base::ids::{ColumnUid, DbId, IndexId, TableId};
use common_types::{Scalar, date};
use fe_catalog::model::{Column, DefaultValue, KeysModel, TableKind};

use super::*;

fn day(y: i32, m: u32, d: u32) -> i64 {
    i64::from(date::days_from_civil(y, m, d)) * DAY_US
}

fn rule(properties: &[(&str, &str)]) -> Result<Option<Rule>> {
    let all: Vec<_> = properties.iter().map(|(k, v)| (format!("{PREFIX}{k}"), (*v).to_owned())).collect();
    Rule::of(&all)
}

fn names(properties: &[(&str, &str)], ty: &LogicalType, now: i64) -> Vec<String> {
    let rule = rule(properties).unwrap().unwrap();
    rule.wanted(ty, now).iter().map(|w| w.name.clone()).collect()
}

fn table(ty: LogicalType, days: &[(i64, i64)]) -> Table {
    let column = Column {
        uid: ColumnUid(1),
        name: "dt".to_owned(),
        ty: ty.clone(),
        nullable: false,
        key: true,
        aggregation: None,
        default: DefaultValue::None,
        before: Scalar::Null,
        auto_increment: false,
        generated: None,
        comment: String::new(),
    };
    let bound = |us| PartitionBound::Values(vec![calendar::value_at(&ty, us).unwrap()]);
    let partition = |(i, (from, to)): (usize, &(i64, i64))| {
        let id = PartitionId(i as u64);
        let p = Partition { item: PartitionItem::Range { lower: bound(*from), upper: bound(*to) }, ..Partition::new(id, format!("p{i}"), Vec::new()) };
        (id, Arc::new(p))
    };
    let olap = OlapTable {
        partition_info: PartitionInfo::Range { columns: vec![ColumnUid(1)] },
        short_key_columns: 1,
        partitions: days.iter().enumerate().map(partition).collect(),
        next_column_uid: 2,
        ..OlapTable::new(KeysModel::Duplicate, IndexId(5))
    };
    Table::new(TableId(1), DbId(1), "t", vec![column], TableKind::Olap(Arc::new(olap)))
}

#[test]
fn partitions_ahead_and_behind() {
    // A Thursday.
    let now = day(2024, 3, 7) + 5 * 3_600_000_000;
    let date = LogicalType::Date;
    assert_eq!(names(&[("time_unit", "DAY"), ("end", "2")], &date, now), ["p20240307", "p20240308", "p20240309"]);
    assert_eq!(names(&[("time_unit", "hour"), ("end", "1")], &LogicalType::Datetime, now), ["p2024030705", "p2024030706"]);
    assert_eq!(names(&[("time_unit", "WEEK"), ("end", "1")], &date, now), ["p2024_10", "p2024_11"]);
    assert_eq!(names(&[("time_unit", "MONTH"), ("end", "1"), ("prefix", "m")], &date, now), ["m202403", "m202404"]);
    assert_eq!(names(&[("time_unit", "MONTH"), ("end", "1"), ("start_day_of_month", "10")], &date, now), ["p202402", "p202403"]);
    assert_eq!(names(&[("time_unit", "DAY"), ("end", "1"), ("start", "-1"), ("history_partition_num", "5")], &date, now), ["p20240306", "p20240307", "p20240308"]);
    let weeks = rule(&[("time_unit", "WEEK"), ("end", "1"), ("start_day_of_week", "3")]).unwrap().unwrap();
    let first = &weeks.wanted(&date, now)[0].item;
    let bound = |us| PartitionBound::Values(vec![Scalar::Date((us / DAY_US) as i32)]);
    assert_eq!(*first, PartitionItem::Range { lower: bound(day(2024, 3, 6)), upper: bound(day(2024, 3, 13)) });
}

#[test]
fn rules_that_make_no_sense() {
    assert_eq!(rule(&[]).unwrap(), None);
    for bad in [&[("end", "1")][..], &[("time_unit", "DAY")], &[("time_unit", "DAY"), ("end", "0")], &[("time_unit", "DAY"), ("end", "1"), ("start", "1")], &[("time_unit", "SECOND"), ("end", "1")]] {
        assert!(rule(bad).is_err(), "{bad:?}");
    }
    let of_hours = rule(&[("time_unit", "HOUR"), ("end", "1")]).unwrap().unwrap();
    let dates = table(LogicalType::Date, &[]);
    assert!(of_hours.check(&dates, dates.as_olap().unwrap(), 500).is_err());
}

#[test]
fn what_ends_before_the_start_goes() {
    let days: Vec<(i64, i64)> = (1..=9).map(|d| (day(2024, 3, d), day(2024, 3, d + 1))).collect();
    for ty in [LogicalType::Date, LogicalType::Datetime, LogicalType::Int] {
        let table = table(ty, &days);
        let olap = table.as_olap().unwrap();
        let now = day(2024, 3, 7) + 1;
        let rule = rule(&[("time_unit", "DAY"), ("end", "1"), ("start", "-3")]).unwrap().unwrap();
        assert_eq!(rule.expired(olap, now), [PartitionId(0), PartitionId(1), PartitionId(2)]);
        let live = |n: &str| Lifetime::of(&[("partition_live_number".to_owned(), n.to_owned())]).unwrap();
        assert_eq!(live("5").expired(&table, olap, now), [PartitionId(0), PartitionId(1)]);
        assert_eq!(live("-1").expired(&table, olap, now), []);
        let ttl = Lifetime::of(&[("partition_ttl".to_owned(), "4 days".to_owned())]).unwrap();
        assert_eq!(ttl.expired(&table, olap, now), [PartitionId(0), PartitionId(1)]);
    }
    assert!(Lifetime::of(&[("partition_ttl".to_owned(), "soon".to_owned())]).is_err());
}
