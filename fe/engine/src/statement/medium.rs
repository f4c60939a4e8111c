//! On which medium the data of a new partition lies, and until when: what the partition says itself, else what its table says.

use common_base::{Result, bail, err};
use fe_catalog::{calendar::{self, Unit}, model::{OlapTable, PartitionBound, PartitionItem}};

use crate::show::time;

/// What holds for a partition to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// `SSD` or `HDD`; empty = as the table says.
    pub medium: String,
    /// When data on SSD is to move to HDD, in milliseconds since 1970; 0 = never.
    pub cooldown_ms: i64,
}

/// A medium as a user writes it.
pub fn medium(value: &str) -> Result<String> {
    match value.trim().to_ascii_uppercase() {
        known if known == "SSD" || known == "HDD" => Ok(known),
        _ => bail!(User, "Invalid storage medium: {value}"),
    }
}

/// A moment as a user writes it in a time zone.
pub fn cooldown_time(value: &str, zone: &str) -> Result<i64> {
    time::parse(value, zone).ok_or_else(|| err!(User, "Invalid storage cooldown time: {value}. It should be like 'yyyy-MM-dd HH:mm:ss'"))
}

/// A time after the end of a partition, like `1 DAY`.
pub fn cooldown_ttl(value: &str) -> Result<(i64, Unit)> {
    fe_jobs::dynamic_partition::parse_span(value).ok_or_else(|| err!(User, "Invalid storage_cooldown_ttl: {value}. It should be like '1 DAY'"))
}

/// Of a new partition, with properties of its own.
pub fn of_new(olap: &OlapTable, item: &PartitionItem, own: &[(String, String)], zone: &str) -> Result<Placed> {
    let mine = |key: &str| own.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    let mut placed = Placed { medium: mine("storage_medium").or(olap.property("default.storage_medium")).map(medium).transpose()?.unwrap_or_default(), cooldown_ms: 0 };
    let own_end = mine("storage_cooldown_time").or(mine("storage_cooldown_ttl")).is_some();
    let said = |key: &str| if own_end { mine(key) } else { olap.property(key) };
    if let Some(at) = said("storage_cooldown_time") {
        placed.cooldown_ms = cooldown_time(at, zone)?;
    } else if let Some(text) = said("storage_cooldown_ttl") {
        let (count, unit) = cooldown_ttl(text)?;
        placed.cooldown_ms = end_of(item).map_or(0, |end| time::of_local_us(calendar::shift(end, count, unit), zone));
    }
    if placed.cooldown_ms > 0 {
        match mine("storage_medium").or(olap.property("default.storage_medium")).or(olap.property("storage_medium")) {
            // Whoever wants data to move to HDD some day wants it on SSD before.
            None => "SSD".clone_into(&mut placed.medium),
            Some(wanted) if wanted.trim().eq_ignore_ascii_case("SSD") => {}
            Some(_) => bail!(User, "Can not assign cooldown time to storage medium HDD"),
        }
    }
    Ok(placed)
}

/// When a range of time ends, in microseconds of local time.
fn end_of(item: &PartitionItem) -> Option<i64> {
    match item {
        PartitionItem::Range { upper: PartitionBound::Values(values), .. } => match values.as_slice() {
            [end] => calendar::micros_of(end),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use common_base::ids::IndexId;
    use common_types::Scalar;
    use fe_catalog::model::KeysModel;

    use super::*;

    #[test]
    fn what_is_said_of_the_partition_counts_before_what_is_said_of_its_table() {
        const DAY_MS: i64 = 86_400_000;
        let bound = |days: i32| PartitionBound::Values(vec![Scalar::Date(days)]);
        let item = PartitionItem::Range { lower: bound(9), upper: bound(10) };
        let of = |table: &[(&str, &str)], own: &[(&str, &str)], item: &PartitionItem, zone: &str| {
            let owned = |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
            let olap = OlapTable { properties: owned(table), ..OlapTable::new(KeysModel::Duplicate, IndexId(1)) };
            of_new(&olap, item, &owned(own), zone).map(|p| (p.medium, p.cooldown_ms)).map_err(|e| e.message().to_owned())
        };
        let ok = |medium: &str, ms: i64| Ok((medium.to_owned(), ms));
        // What is said of partitions to come.
        assert_eq!(of(&[("storage_medium", "HDD"), ("default.storage_medium", "ssd")], &[], &item, "UTC"), ok("SSD", 0));
        assert_eq!(of(&[("default.storage_medium", "ssd")], &[("storage_medium", "hdd")], &item, "UTC"), ok("HDD", 0));
        assert_eq!(of(&[], &[], &item, "UTC"), ok("", 0));
        assert_eq!(of(&[], &[("storage_medium", "ssd")], &item, "UTC"), ok("SSD", 0));
        assert_eq!(of(&[("storage_medium", "SSD"), ("storage_cooldown_ttl", "1 DAY")], &[], &item, "UTC"), ok("", 11 * DAY_MS));
        assert_eq!(of(&[("storage_cooldown_ttl", "1 DAY")], &[], &item, "+01:00"), ok("SSD", 11 * DAY_MS - 3_600_000));
        let table = [("storage_cooldown_ttl", "1 DAY")];
        assert_eq!(of(&table, &[("storage_cooldown_time", "1970-02-01 00:00:00")], &item, "UTC"), ok("SSD", 31 * DAY_MS));
        let endless = PartitionItem::Range { lower: bound(9), upper: PartitionBound::Max };
        assert_eq!(of(&table, &[], &endless, "UTC"), ok("", 0));
        assert!(of(&[("storage_medium", "HDD")], &[("storage_cooldown_ttl", "1 DAY")], &item, "UTC").unwrap_err().contains("HDD"));
        assert!(of(&[], &[("storage_cooldown_ttl", "soon")], &item, "UTC").is_err() && of(&[], &[("storage_medium", "tape")], &item, "UTC").is_err());
    }
}
