//! Partition descriptions, shared by CREATE TABLE, ALTER TABLE and materialized views.

use super::{Distribution, Properties, sql};

/// `[TEMPORARY] PARTITION[S] (p, ..)`.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionNames {
    pub temporary: bool,
    pub names: Vec<sql::Ident>,
}

/// `PARTITION BY …`.
#[derive(Clone, Debug, PartialEq)]
pub enum PartitionBy {
    /// `RANGE(c, ..) (items)`; a column may be a wrapping function such as `str2date(c, f)`.
    Range { exprs: Vec<sql::Expr>, items: Vec<RangePartitionItem> },
    /// `LIST(c, ..) (items)`.
    List { exprs: Vec<sql::Expr>, items: Vec<ListPartition> },
    /// `PARTITION BY date_trunc(..) | c, d | (c, d)`: automatic partitions. Some forms also list initial ranges.
    Expr { exprs: Vec<sql::Expr>, items: Vec<RangePartitionItem> },
}

/// A bound value: text as in `"2020-01-01"`, a number, MAXVALUE or MINVALUE, NULL.
#[derive(Clone, Debug, PartialEq)]
pub enum PartitionValue {
    /// A literal as its text.
    Literal(String),
    MaxValue,
    MinValue,
    Null,
}

/// One entry of a range partition list.
#[derive(Clone, Debug, PartialEq)]
pub enum RangePartitionItem {
    Single(RangePartition),
    Batch(BatchPartitions),
}

/// `PARTITION [IF NOT EXISTS] p VALUES … [(props)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct RangePartition {
    pub name: sql::Ident,
    pub if_not_exists: bool,
    pub bound: RangeBound,
    pub properties: Properties,
}

/// The VALUES clause of a range partition.
#[derive(Clone, Debug, PartialEq)]
pub enum RangeBound {
    /// `VALUES LESS THAN ("v", ..)`; a bare MAXVALUE is one `MaxValue`.
    LessThan(Vec<PartitionValue>),
    /// `VALUES [("lo"), ("hi"))`: closed below, open above.
    Fixed { lower: Vec<PartitionValue>, upper: Vec<PartitionValue> },
}

/// `START ("a") END ("b") EVERY (INTERVAL n unit | n)`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchPartitions {
    pub start: String,
    pub end: String,
    pub every: PartitionStep,
}

/// The step of batch partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionStep {
    Interval {
        count: i64,
        unit: IntervalUnit,
    },
    Number(i64),
    /// No EVERY: only legal where the step follows from the table.
    None,
}

/// Units of time of INTERVAL, EVERY and refresh schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntervalUnit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

impl IntervalUnit {
    /// The unit named by a word, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        let units = [
            Self::Year,
            Self::Quarter,
            Self::Month,
            Self::Week,
            Self::Day,
            Self::Hour,
            Self::Minute,
            Self::Second,
            Self::Millisecond,
            Self::Microsecond,
        ];
        units.into_iter().find(|u| u.as_str().eq_ignore_ascii_case(word))
    }

    /// Upper-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Year => "YEAR",
            Self::Quarter => "QUARTER",
            Self::Month => "MONTH",
            Self::Week => "WEEK",
            Self::Day => "DAY",
            Self::Hour => "HOUR",
            Self::Minute => "MINUTE",
            Self::Second => "SECOND",
            Self::Millisecond => "MILLISECOND",
            Self::Microsecond => "MICROSECOND",
        }
    }
}

/// `PARTITION p VALUES IN (..) [(props)]`: each tuple has one value per partition column.
#[derive(Clone, Debug, PartialEq)]
pub struct ListPartition {
    pub name: sql::Ident,
    pub if_not_exists: bool,
    pub tuples: Vec<Vec<PartitionValue>>,
    pub properties: Properties,
}

/// What `ADD PARTITION[S]` adds.
#[derive(Clone, Debug, PartialEq)]
pub enum NewPartition {
    Range(RangePartition),
    List(ListPartition),
    Batch(BatchPartitions),
}

/// `ADD [TEMPORARY] PARTITION[S] …`.
#[derive(Clone, Debug, PartialEq)]
pub struct AddPartition {
    pub temporary: bool,
    pub partition: NewPartition,
    pub distribution: Option<Distribution>,
    pub properties: Properties,
}

/// Which partitions an ALTER TABLE clause names.
#[derive(Clone, Debug, PartialEq)]
pub enum PartitionSelection {
    Names(Vec<sql::Ident>),
    Batch(BatchPartitions),
    Where(Box<sql::Expr>),
    /// `(*)`, or all temporary partitions.
    All,
}
