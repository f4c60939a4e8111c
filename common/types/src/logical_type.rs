//! The SQL type of a value: what the catalog, the planner and the executor agree on. Physical form is decided elsewhere
//! (`arrow_map` for the canonical array, `column` for the other representations).

use std::fmt::{self, Write};

/// Byte length written for STRING and TEXT in DDL and CAST.
pub const STRING_DDL_LENGTH: u32 = 65533;
/// Greatest declarable length of VARCHAR and VARBINARY.
pub const MAX_VARCHAR_LENGTH: u32 = 1_048_576;
/// Greatest nesting depth of complex types.
pub const MAX_NESTING_DEPTH: usize = 15;

/// Physical width of a decimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DecimalWidth {
    W32,
    W64,
    W128,
    W256,
}

impl DecimalWidth {
    /// The greatest precision this width holds.
    pub const fn max_precision(self) -> u8 {
        match self {
            Self::W32 => 9,
            Self::W64 => 18,
            Self::W128 => 38,
            Self::W256 => 76,
        }
    }
    /// The narrowest width that holds a precision.
    pub const fn for_precision(precision: u8) -> Self {
        match precision {
            0..=9 => Self::W32,
            10..=18 => Self::W64,
            19..=38 => Self::W128,
            _ => Self::W256,
        }
    }
    /// Bytes of one value.
    pub const fn bytes(self) -> usize {
        match self {
            Self::W32 => 4,
            Self::W64 => 8,
            Self::W128 => 16,
            Self::W256 => 32,
        }
    }
}

/// One field of a STRUCT.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StructField {
    pub name: String,
    pub ty: LogicalType,
}

impl StructField {
    /// A field.
    pub fn new(name: impl Into<String>, ty: LogicalType) -> Self {
        Self { name: name.into(), ty }
    }
}

/// Whose states a column of states holds: an aggregate function and the types of its arguments.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StateType {
    /// Lower case, the canonical name.
    pub function: String,
    pub args: Vec<LogicalType>,
}

/// As DDL declares it: `avg(int(11))`.
impl fmt::Display for StateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<String> = self.args.iter().map(LogicalType::sql_name).collect();
        write!(f, "{}({})", self.function, args.join(", "))
    }
}

/// A SQL type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum LogicalType {
    Null,
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    LargeInt,
    Float,
    Double,
    /// Fixed point; `0 <= scale <= precision <= width.max_precision()`.
    Decimal {
        width: DecimalWidth,
        precision: u8,
        scale: i8,
    },
    /// Days since 1970-01-01, proleptic Gregorian.
    Date,
    /// Microseconds since 1970-01-01 00:00:00, no zone.
    Datetime,
    /// Seconds as a double; only in queries.
    Time,
    /// CHAR(n), n in bytes.
    Char(u32),
    /// VARCHAR(n) in bytes; `None` = unbounded.
    Varchar(Option<u32>),
    Varbinary(Option<u32>),
    Json,
    Bitmap,
    Hll,
    Percentile,
    Array(Box<LogicalType>),
    Map(Box<LogicalType>, Box<LogicalType>),
    Struct(Vec<StructField>),
    /// States of an aggregate function as stored: opaque bytes.
    State(Box<StateType>),
    /// A lambda; only inside function calls.
    Function,
}

use LogicalType as T;

impl LogicalType {
    /// The unbounded VARCHAR of function results.
    pub const fn varchar() -> Self {
        T::Varchar(None)
    }
    /// STRING as written in DDL and CAST.
    pub const fn string() -> Self {
        T::Varchar(Some(STRING_DDL_LENGTH))
    }
    /// Generic DECIMAL(p, s): 64, 128 or 256 bits by precision.
    pub const fn decimal(precision: u8, scale: i8) -> Self {
        let width = match DecimalWidth::for_precision(precision) {
            DecimalWidth::W32 => DecimalWidth::W64,
            w => w,
        };
        T::Decimal { width, precision, scale }
    }
    /// DECIMAL(p, s) of the narrowest width, 32 bits included: literals and derived types.
    pub const fn decimal_narrowest(precision: u8, scale: i8) -> Self {
        T::Decimal { width: DecimalWidth::for_precision(precision), precision, scale }
    }
    /// A decimal of a stated width.
    pub const fn decimal_of(width: DecimalWidth, precision: u8, scale: i8) -> Self {
        T::Decimal { width, precision, scale }
    }
    /// ARRAY<element>.
    pub fn array(element: LogicalType) -> Self {
        T::Array(Box::new(element))
    }
    /// MAP<key, value>.
    pub fn map(key: LogicalType, value: LogicalType) -> Self {
        T::Map(Box::new(key), Box::new(value))
    }

    /// TINYINT to LARGEINT.
    pub const fn is_integer(&self) -> bool {
        matches!(self, T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::LargeInt)
    }
    /// FLOAT or DOUBLE.
    pub const fn is_float(&self) -> bool {
        matches!(self, T::Float | T::Double)
    }
    /// Any decimal.
    pub const fn is_decimal(&self) -> bool {
        matches!(self, T::Decimal { .. })
    }
    /// Integers, floats and decimals (not BOOLEAN).
    pub const fn is_numeric(&self) -> bool {
        self.is_integer() || self.is_float() || self.is_decimal()
    }
    /// CHAR or VARCHAR.
    pub const fn is_string(&self) -> bool {
        matches!(self, T::Char(_) | T::Varchar(_))
    }
    /// VARBINARY.
    pub const fn is_binary(&self) -> bool {
        matches!(self, T::Varbinary(_))
    }
    /// Everything whose canonical array is a BinaryView.
    pub const fn is_bytes_like(&self) -> bool {
        matches!(self, T::Char(_) | T::Varchar(_) | T::Varbinary(_) | T::Json | T::Bitmap | T::Hll | T::Percentile | T::State(_))
    }
    /// DATE or DATETIME.
    pub const fn is_date_like(&self) -> bool {
        matches!(self, T::Date | T::Datetime)
    }
    /// DATE, DATETIME or TIME.
    pub const fn is_temporal(&self) -> bool {
        matches!(self, T::Date | T::Datetime | T::Time)
    }
    /// ARRAY, MAP or STRUCT.
    pub const fn is_nested(&self) -> bool {
        matches!(self, T::Array(_) | T::Map(..) | T::Struct(_))
    }
    /// HLL, BITMAP, PERCENTILE and states of aggregates: opaque sketches.
    pub const fn is_metric(&self) -> bool {
        matches!(self, T::Hll | T::Bitmap | T::Percentile | T::State(_))
    }
    /// The type of a bare NULL.
    pub const fn is_null_type(&self) -> bool {
        matches!(self, T::Null)
    }
    /// Types whose values are integers of at most 128 bits, possibly scaled: these may travel narrow.
    pub const fn is_integer_backed(&self) -> bool {
        match self {
            T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::LargeInt | T::Date | T::Datetime => true,
            T::Decimal { width, .. } => !matches!(width, DecimalWidth::W256),
            _ => false,
        }
    }
    /// Precision and scale of a decimal.
    pub const fn decimal_parts(&self) -> Option<(DecimalWidth, u8, i8)> {
        match self {
            T::Decimal { width, precision, scale } => Some((*width, *precision, *scale)),
            _ => None,
        }
    }
    /// Scale of a decimal, 0 for everything else.
    pub const fn scale(&self) -> i8 {
        match self {
            T::Decimal { scale, .. } => *scale,
            _ => 0,
        }
    }
    /// Bytes of one value in the canonical array; `None` for variable length.
    pub const fn fixed_width(&self) -> Option<usize> {
        Some(match self {
            T::Null | T::Boolean | T::TinyInt => 1,
            T::SmallInt => 2,
            T::Int | T::Float | T::Date => 4,
            T::BigInt | T::Double | T::Datetime | T::Time => 8,
            T::LargeInt => 16,
            T::Decimal { width, .. } => width.bytes(),
            _ => return None,
        })
    }
    /// Levels of complex types: 0 for scalars.
    pub fn nesting_depth(&self) -> usize {
        match self {
            T::Array(e) => 1 + e.nesting_depth(),
            T::Map(k, v) => 1 + k.nesting_depth().max(v.nesting_depth()),
            T::Struct(fs) => 1 + fs.iter().map(|f| f.ty.nesting_depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
    /// Whether the type or any type nested in it satisfies the test.
    pub fn any(&self, test: &dyn Fn(&LogicalType) -> bool) -> bool {
        test(self)
            || match self {
                T::Array(e) => e.any(test),
                T::Map(k, v) => k.any(test) || v.any(test),
                T::Struct(fs) => fs.iter().any(|f| f.ty.any(test)),
                _ => false,
            }
    }
    /// GROUP BY, DISTINCT, join keys, IN.
    pub fn is_groupable(&self) -> bool {
        !self.any(&|t| matches!(t, T::Json | T::Function) || t.is_metric())
    }
    /// ORDER BY.
    pub fn is_orderable(&self) -> bool {
        !self.any(&|t| matches!(t, T::Json | T::Function | T::Map(..)) || t.is_metric())
    }
    /// Equality that ignores declared string lengths and struct field names: the same values, physically interchangeable.
    pub fn same_kind(&self, other: &LogicalType) -> bool {
        match (self, other) {
            (a, b) if a.is_string() && b.is_string() => true,
            (T::Varbinary(_), T::Varbinary(_)) => true,
            (T::Array(a), T::Array(b)) => a.same_kind(b),
            (T::Map(a, b), T::Map(c, d)) => a.same_kind(c) && b.same_kind(d),
            (T::Struct(a), T::Struct(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.ty.same_kind(&y.ty)),
            (T::State(a), T::State(b)) => {
                a.function == b.function && a.args.len() == b.args.len() && a.args.iter().zip(&b.args).all(|(x, y)| x.same_kind(y))
            }
            (a, b) => a == b,
        }
    }

    /// Text in DDL: `int(11)`, `decimal(10, 2)`, `array<varchar(20)>`.
    pub fn sql_name(&self) -> String {
        let mut out = String::new();
        self.write_sql(&mut out).expect("writing to a String cannot fail");
        out
    }

    fn write_sql(&self, out: &mut String) -> fmt::Result {
        match self {
            T::TinyInt => out.push_str("tinyint(4)"),
            T::SmallInt => out.push_str("smallint(6)"),
            T::Int => out.push_str("int(11)"),
            T::BigInt => out.push_str("bigint(20)"),
            T::LargeInt => out.push_str("largeint(40)"),
            T::Decimal { precision, scale, .. } => write!(out, "decimal({precision}, {scale})")?,
            T::Char(n) => write!(out, "char({n})")?,
            T::Varchar(n) => write!(out, "varchar({})", n.unwrap_or(MAX_VARCHAR_LENGTH))?,
            T::Varbinary(Some(n)) => write!(out, "varbinary({n})")?,
            T::Array(e) => {
                out.push_str("array<");
                e.write_sql(out)?;
                out.push('>');
            }
            T::Map(k, v) => {
                out.push_str("map<");
                k.write_sql(out)?;
                out.push(',');
                v.write_sql(out)?;
                out.push('>');
            }
            T::Struct(fields) => {
                out.push_str("struct<");
                for (i, f) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    write!(out, "{} ", f.name)?;
                    f.ty.write_sql(out)?;
                }
                out.push('>');
            }
            other => write!(out, "{other}")?,
        }
        Ok(())
    }
}

/// The text of `typeof()` and of error messages: `int`, `decimal64(10, 2)`, `varchar`, `array<int>`.
impl fmt::Display for LogicalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            T::Null => "null_type",
            T::Boolean => "boolean",
            T::TinyInt => "tinyint",
            T::SmallInt => "smallint",
            T::Int => "int",
            T::BigInt => "bigint",
            T::LargeInt => "largeint",
            T::Float => "float",
            T::Double => "double",
            T::Decimal { width, precision, scale } => {
                let name = match width {
                    DecimalWidth::W32 => "decimal32",
                    DecimalWidth::W64 => "decimal64",
                    DecimalWidth::W128 => "decimal128",
                    DecimalWidth::W256 => "decimal256",
                };
                return write!(f, "{name}({precision}, {scale})");
            }
            T::Date => "date",
            T::Datetime => "datetime",
            T::Time => "time",
            T::Char(_) => "char",
            T::Varchar(_) => "varchar",
            T::Varbinary(_) => "varbinary",
            T::Json => "json",
            T::Bitmap => "bitmap",
            T::Hll => "hll",
            T::Percentile => "percentile",
            T::State(_) => "varbinary",
            T::Function => "function",
            T::Array(e) => return write!(f, "array<{e}>"),
            T::Map(k, v) => return write!(f, "map<{k},{v}>"),
            T::Struct(fields) => {
                f.write_str("struct<")?;
                for (i, field) in fields.iter().enumerate() {
                    write!(f, "{}{} {}", if i > 0 { ", " } else { "" }, field.name, field.ty)?;
                }
                return f.write_str(">");
            }
        })
    }
}
