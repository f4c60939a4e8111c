//! Dynamic partitions and partitions that live for a time: which ones a table lacks now, and which have had their time.
//!
//! Everything is said by properties of the table. The moment is given in local time, microseconds since 1970.

use common_base::{Result, bail, ids::PartitionId};
use common_types::LogicalType;
use fe_catalog::{
    calendar::{self, DAY_US, Unit},
    model::{ExpressionKey, OlapTable, Partition, PartitionBound, PartitionInfo, PartitionItem, Table},
};

/// The prefix of the properties.
pub const PREFIX: &str = "dynamic_partition.";

/// What `dynamic_partition.*` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub enabled: bool,
    pub unit: Unit,
    /// Partitions that end before this many units from now go; `None` = none do.
    pub start: Option<i64>,
    pub end: i64,
    pub prefix: String,
    pub buckets: Option<u32>,
    pub replication_num: Option<u16>,
    pub time_zone: Option<String>,
    /// 1 = Monday.
    pub start_day_of_week: i64,
    pub start_day_of_month: i64,
    pub history: i64,
}

/// A partition to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub name: String,
    pub item: PartitionItem,
}

impl Rule {
    /// The rule of a table with these properties; `None` when it has none.
    pub fn of(properties: &[(String, String)]) -> Result<Option<Self>> {
        let get = |key: &str| {
            let value = properties.iter().find(|(k, _)| k.strip_prefix(PREFIX) == Some(key)).map(|(_, v)| v.trim());
            value.filter(|v| !v.is_empty())
        };
        if !properties.iter().any(|(k, _)| k.starts_with(PREFIX)) {
            return Ok(None);
        }
        let Some(unit) = get("time_unit") else { bail!(User, "Must assign dynamic_partition.time_unit properties") };
        let unit = match Unit::from_word(unit) {
            Some(unit @ (Unit::Hour | Unit::Day | Unit::Week | Unit::Month | Unit::Year)) => unit,
            _ => bail!(User, "Unsupported time unit {unit}. Expect HOUR, DAY, WEEK, MONTH, YEAR."),
        };
        let number = |key: &str| -> Result<Option<i64>> {
            match get(key).map(str::parse::<i64>) {
                None => Ok(None),
                Some(Ok(n)) => Ok(Some(n)),
                Some(Err(_)) => bail!(User, "Invalid {PREFIX}{key}: {}", get(key).unwrap_or_default()),
            }
        };
        let Some(end) = number("end")? else { bail!(User, "Must assign dynamic_partition.end properties") };
        if end <= 0 {
            bail!(User, "Dynamic partition end must greater than 0");
        }
        let start = number("start")?.filter(|n| *n != i64::from(i32::MIN));
        if start.is_some_and(|n| n >= 0) {
            bail!(User, "Dynamic partition start must less than 0");
        }
        let within = |key: &str, most: i64| -> Result<i64> {
            match number(key)? {
                None => Ok(1),
                Some(n) if (1..=most).contains(&n) => Ok(n),
                Some(_) => bail!(User, "{PREFIX}{key} should between 1 and {most}"),
            }
        };
        let history = number("history_partition_num")?.unwrap_or(0);
        if history < 0 {
            bail!(User, "Dynamic history partition num must greater than or equal to 0");
        }
        let buckets = match number("buckets")? {
            Some(n) if n < 0 => bail!(User, "Dynamic partition buckets must greater than 0"),
            n => n.filter(|n| *n > 0).and_then(|n| u32::try_from(n).ok()),
        };
        Ok(Some(Self {
            enabled: !get("enable").is_some_and(|v| v.eq_ignore_ascii_case("false")),
            unit,
            start,
            end,
            prefix: get("prefix").unwrap_or("p").to_owned(),
            buckets,
            replication_num: number("replication_num")?.and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0),
            time_zone: get("time_zone").map(str::to_owned),
            start_day_of_week: within("start_day_of_week", 7)?,
            start_day_of_month: within("start_day_of_month", 28)?,
            history,
        }))
    }

    /// Refuses tables the rule makes no sense for, and rules that ask for too much.
    pub fn check(&self, table: &Table, olap: &OlapTable, most: i64) -> Result<()> {
        let Some(ty) = range_column(table, olap) else { bail!(User, "Dynamic partition only support single-column range partition") };
        let dated = matches!(ty, LogicalType::Date | LogicalType::Datetime);
        if !dated && !matches!(ty, LogicalType::Int | LogicalType::BigInt | LogicalType::LargeInt) {
            bail!(User, "Dynamic Partition Column type must be DATE, DATETIME or INT");
        }
        if self.unit == Unit::Hour && *ty != LogicalType::Datetime {
            bail!(User, "HOUR could not be a partition time unit for a {} column", ty.to_string().to_uppercase());
        }
        if self.end + self.history.min(self.start.map_or(i64::MAX, |s| -s)) + 1 > most {
            bail!(User, "Too many dynamic partitions. Limit: {most}");
        }
        Ok(())
    }

    /// How far the axis is shifted so that units begin where the rule says.
    fn axis(&self) -> i64 {
        match self.unit {
            Unit::Week => (self.start_day_of_week - 1) * DAY_US,
            Unit::Month => (self.start_day_of_month - 1) * DAY_US,
            _ => 0,
        }
    }

    /// The start of the unit `offset` away from the one a moment lies in.
    fn border(&self, now_us: i64, offset: i64) -> i64 {
        let axis = self.axis();
        calendar::advance(calendar::floor(now_us - axis, self.unit), offset, self.unit) + axis
    }

    fn name(&self, start_us: i64) -> String {
        match self.unit {
            Unit::Week => format!("{}{:04}_{:02}", self.prefix, calendar::year_month(start_us).0, calendar::week_of_year(start_us)),
            unit => format!("{}{}", self.prefix, calendar::suffix(start_us, unit)),
        }
    }

    /// The partitions that should be there now.
    pub fn wanted(&self, ty: &LogicalType, now_us: i64) -> Vec<Wanted> {
        let first = if self.history == 0 { 0 } else { -self.history.min(self.start.map_or(i64::MAX, |s| -s)) };
        let bound = |us: i64| calendar::value_at(ty, us).map(|v| PartitionBound::Values(vec![v]));
        let of = |offset: i64| {
            let (from, to) = (self.border(now_us, offset), self.border(now_us, offset + 1));
            Some(Wanted { name: self.name(from), item: PartitionItem::Range { lower: bound(from)?, upper: bound(to)? } })
        };
        (first..=self.end).filter_map(of).collect()
    }

    /// The partitions whose time is over.
    pub fn expired(&self, olap: &OlapTable, now_us: i64) -> Vec<PartitionId> {
        let Some(start) = self.start else { return Vec::new() };
        ended_by(olap, self.border(now_us, start))
    }
}

/// The type of the one column whose ranges partitions are.
pub fn range_column<'t>(table: &'t Table, olap: &OlapTable) -> Option<&'t LogicalType> {
    match &olap.partition_info {
        PartitionInfo::Range { columns } | PartitionInfo::Expression { columns, key: ExpressionKey::Unit, .. } => match columns.as_slice() {
            [uid] => table.column_by_uid(*uid).map(|c| &c.ty),
            _ => None,
        },
        _ => None,
    }
}

/// How long partitions of a table live, beside dynamic partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// So many of the newest stay; those of the future do not count.
    pub newest: Option<usize>,
    /// Those that ended longer ago go.
    pub ttl: Option<(i64, Unit)>,
}

impl Lifetime {
    /// What the properties say.
    pub fn of(properties: &[(String, String)]) -> Result<Self> {
        let get = |key: &str| properties.iter().find(|(k, _)| k == key).map(|(_, v)| v.trim()).filter(|v| !v.is_empty());
        let newest = match get("partition_live_number").map(str::parse::<i64>) {
            None | Some(Ok(-1)) => None,
            Some(Ok(n)) if n > 0 => usize::try_from(n).ok(),
            Some(Ok(_)) => bail!(Analysis, "Partition live number should be -1, which means no limit, or larger than 0"),
            Some(Err(_)) => bail!(Analysis, "Partition live number: {} is not a number", get("partition_live_number").unwrap_or_default()),
        };
        let ttl = match get("partition_ttl") {
            None => None,
            Some(text) => match parse_span(text) {
                Some(span) => Some(span),
                None => bail!(Analysis, "illegal partition_ttl: {text}, it should be like \"2 MONTH\""),
            },
        };
        Ok(Self { newest, ttl })
    }

    /// Refuses tables whose partitions have no time.
    pub fn check(&self, table: &Table, olap: &OlapTable) -> Result<()> {
        if (self.newest.is_some() || self.ttl.is_some()) && time_column(table, olap).is_none() {
            bail!(Analysis, "Partition lifetimes need partitions by one DATE or DATETIME column");
        }
        Ok(())
    }

    /// The partitions whose time is over.
    pub fn expired(&self, table: &Table, olap: &OlapTable, now_us: i64) -> Vec<PartitionId> {
        let mut gone = Vec::new();
        if time_column(table, olap).is_none() {
            return gone;
        }
        if let Some((n, unit)) = self.ttl {
            gone = ended_by(olap, calendar::shift(now_us, -n, unit));
        }
        if let Some(newest) = self.newest {
            let mut begun: Vec<(i64, PartitionId)> = formal(olap).filter_map(|p| Some((begin_of(p)?, p.id))).filter(|(at, _)| *at <= now_us).collect();
            begun.sort_unstable_by(|a, b| b.cmp(a));
            gone.extend(begun.into_iter().skip(newest).map(|(_, id)| id));
        }
        gone.sort_unstable();
        gone.dedup();
        gone
    }
}

/// A time like `2 MONTH`.
pub fn parse_span(text: &str) -> Option<(i64, Unit)> {
    let (count, unit) = text.split_once(char::is_whitespace)?;
    let count = count.parse().ok().filter(|n| *n > 0)?;
    Some((count, Unit::from_word(unit.trim())?))
}

fn time_column<'t>(table: &'t Table, olap: &OlapTable) -> Option<&'t LogicalType> {
    let ty = match &olap.partition_info {
        PartitionInfo::List { columns } => match columns.as_slice() {
            [uid] => table.column_by_uid(*uid).map(|c| &c.ty),
            _ => None,
        },
        // Tuples of one value that is a date, which only its values tell.
        PartitionInfo::Expression { columns, exprs, key: ExpressionKey::Tuple } => match (exprs.as_slice(), columns.as_slice()) {
            ([_], [uid]) => table.column_by_uid(*uid).map(|c| &c.ty),
            _ => None,
        },
        _ => range_column(table, olap),
    };
    ty.filter(|ty| matches!(ty, LogicalType::Date | LogicalType::Datetime | LogicalType::Int | LogicalType::BigInt))
}

fn formal(olap: &OlapTable) -> impl Iterator<Item = &Partition> {
    olap.partitions.values().filter(|p| !p.temporary).map(|p| p.as_ref())
}

fn moment(bound: &PartitionBound) -> Option<i64> {
    match bound {
        PartitionBound::Values(values) => values.first().and_then(calendar::micros_of),
        _ => None,
    }
}

/// When a partition begins; the lowest one began always.
fn begin_of(p: &Partition) -> Option<i64> {
    match &p.item {
        PartitionItem::Range { lower: PartitionBound::Min, .. } => Some(i64::MIN),
        PartitionItem::Range { lower, .. } => moment(lower),
        PartitionItem::List(tuples) => tuples.iter().filter_map(|t| t.first().and_then(calendar::micros_of)).max(),
        PartitionItem::All => None,
    }
}

/// Partitions that hold nothing from a moment on.
fn ended_by(olap: &OlapTable, border_us: i64) -> Vec<PartitionId> {
    let ended = |p: &&Partition| match &p.item {
        PartitionItem::Range { upper, .. } => moment(upper).is_some_and(|end| end <= border_us),
        PartitionItem::List(tuples) => !tuples.is_empty() && tuples.iter().all(|t| t.first().and_then(calendar::micros_of).is_some_and(|at| at < border_us)),
        PartitionItem::All => false,
    };
    formal(olap).filter(ended).map(|p| p.id).collect()
}


#[cfg(test)]
mod tests;
