//! Syntax of types → types, and the text of types in messages.

use common_base::{Result, bail};
use common_types::{DecimalWidth, LogicalType, MAX_NESTING_DEPTH, MAX_VARCHAR_LENGTH, StructField};
use fe_parser::ast::sql::{self, ArrayElemTypeDef, BinaryLength, CharacterLength, DataType, ExactNumberInfo};

/// The type a type name stands for, in DDL and CAST alike.
pub fn logical_type(ty: &DataType) -> Result<LogicalType> {
    let out = convert(ty)?;
    if out.nesting_depth() > MAX_NESTING_DEPTH {
        bail!(Analysis, "Type exceeds the maximum nesting depth of {MAX_NESTING_DEPTH}");
    }
    Ok(out)
}

fn convert(ty: &DataType) -> Result<LogicalType> {
    use LogicalType as T;
    Ok(match ty {
        DataType::Boolean | DataType::Bool => T::Boolean,
        DataType::TinyInt(_) => T::TinyInt,
        DataType::SmallInt(_) | DataType::Int2(_) => T::SmallInt,
        DataType::Int(_)
        | DataType::Integer(_)
        | DataType::Int4(_)
        | DataType::IntUnsigned(_)
        | DataType::IntegerUnsigned(_)
        | DataType::Signed
        | DataType::SignedInteger
        | DataType::Unsigned
        | DataType::UnsignedInteger => T::Int,
        DataType::BigInt(_) | DataType::Int8(_) => T::BigInt,
        DataType::HugeInt => T::LargeInt,
        DataType::Float(_) | DataType::Float4 => T::Float,
        DataType::Double(_) | DataType::DoublePrecision | DataType::Float8 => T::Double,
        DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info) => match decimal_args(info)? {
            Some((p, s)) => decimal(p, s)?,
            None => T::decimal(10, 0),
        },
        DataType::Date => T::Date,
        DataType::Datetime(_) => T::Datetime,
        DataType::Time(..) => T::Time,
        DataType::Char(n) | DataType::Character(n) => match length(n.as_ref())? {
            None => T::Char(1),
            Some(n) if (1..=255).contains(&n) => T::Char(n as u32),
            Some(n) => bail!(Analysis, "Char size must be <= 255: {n}"),
        },
        DataType::Varchar(n) | DataType::CharacterVarying(n) | DataType::CharVarying(n) => match length(n.as_ref())? {
            None => T::varchar(),
            Some(n) => varchar(n)?,
        },
        DataType::String(_) | DataType::Text => T::string(),
        DataType::Binary(n) => T::Varbinary(n.map(|n| n.min(u64::from(MAX_VARCHAR_LENGTH)) as u32)),
        DataType::Varbinary(n) => T::Varbinary(match n {
            Some(BinaryLength::IntegerLength { length }) => Some((*length).min(u64::from(MAX_VARCHAR_LENGTH)) as u32),
            _ => None,
        }),
        DataType::JSON | DataType::JSONB => T::Json,
        DataType::Array(element) => match element {
            ArrayElemTypeDef::AngleBracket(e)
            | ArrayElemTypeDef::SquareBracket(e, _)
            | ArrayElemTypeDef::Parenthesis(e)
            | ArrayElemTypeDef::Qualified(e, _) => T::array(convert(e)?),
            ArrayElemTypeDef::None => bail!(Analysis, "ARRAY needs an element type"),
        },
        DataType::Map(k, v, _) => {
            let key = convert(k)?;
            check_map_key(&key)?;
            T::map(key, convert(v)?)
        }
        DataType::Struct(fields, _) | DataType::Tuple(fields) => T::Struct(struct_fields(fields)?),
        DataType::Custom(name, args) => custom(name, args)?,
        other => bail!(Analysis, "Unsupported type specification: {other}"),
    })
}

/// Names that are types of the dialect but not of the syntax library.
fn custom(name: &sql::ObjectName, args: &[String]) -> Result<LogicalType> {
    use LogicalType as T;
    let text = crate::names::function_name(name);
    let numbers = || -> Result<Vec<u64>> {
        args.iter()
            .map(|a| {
                a.trim().parse().map_err(|_| {
                    common_base::err!(Analysis, "Unsupported type specification: {name}({})", args.join(","))
                })
            })
            .collect()
    };
    let wide = |width: DecimalWidth, p: u64, s: u64| -> Result<T> {
        let (p, s) = match numbers()?.as_slice() {
            [] => (p, s),
            [p] => (*p, 0),
            [p, s, ..] => (*p, *s),
        };
        check_decimal(p, s as i64, u64::from(width.max_precision()))?;
        Ok(T::decimal_of(width, p as u8, s as i8))
    };
    Ok(match text.as_str() {
        "boolean" => T::Boolean,
        "tinyint" => T::TinyInt,
        "smallint" => T::SmallInt,
        "int" | "integer" | "signed" | "unsigned" => T::Int,
        "bigint" => T::BigInt,
        "largeint" => T::LargeInt,
        "float" => T::Float,
        "double" => T::Double,
        "date" => T::Date,
        "datetime" => T::Datetime,
        "time" => T::Time,
        "string" | "text" => T::string(),
        "varchar" => varchar(numbers()?.first().copied().unwrap_or(1))?,
        "json" => T::Json,
        "hll" => T::Hll,
        "bitmap" => T::Bitmap,
        "percentile" => T::Percentile,
        "binary" | "varbinary" => {
            T::Varbinary(numbers()?.first().map(|n| (*n).min(u64::from(MAX_VARCHAR_LENGTH)) as u32))
        }
        "decimalv2" => T::decimal_of(DecimalWidth::W128, 27, 9),
        "decimal32" => wide(DecimalWidth::W32, 9, 3)?,
        "decimal64" => wide(DecimalWidth::W64, 18, 6)?,
        "decimal128" => wide(DecimalWidth::W128, 38, 9)?,
        "decimal256" => wide(DecimalWidth::W256, 76, 12)?,
        "decimal" | "numeric" | "number" => match numbers()?.as_slice() {
            [] => T::decimal(10, 0),
            [p] => decimal(*p, 0)?,
            [p, s, ..] => decimal(*p, *s as i64)?,
        },
        "variant" => bail!(NotSupported, "VARIANT type is not supported"),
        _ => bail!(Analysis, "Unsupported type specification: {name}"),
    })
}

fn struct_fields(fields: &[sql::StructField]) -> Result<Vec<StructField>> {
    let mut out: Vec<StructField> = Vec::with_capacity(fields.len());
    for (i, field) in fields.iter().enumerate() {
        let name = field.field_name.as_ref().map_or_else(|| format!("col{}", i + 1), |n| n.value.clone());
        if out.iter().any(|f| f.name.eq_ignore_ascii_case(&name)) {
            bail!(Analysis, "struct contains duplicate subfield name {name}");
        }
        out.push(StructField::new(name, convert(&field.field_type)?));
    }
    Ok(out)
}

/// Map keys are scalars.
pub(crate) fn check_map_key(key: &LogicalType) -> Result<()> {
    if key.is_nested() || key.is_metric() || matches!(key, LogicalType::Json | LogicalType::Function) {
        bail!(Analysis, "Map key don't supported type: {}", debug_text(key));
    }
    Ok(())
}

fn length(n: Option<&CharacterLength>) -> Result<Option<u64>> {
    match n {
        None => Ok(None),
        Some(CharacterLength::IntegerLength { length, .. }) => Ok(Some(*length)),
        Some(CharacterLength::Max) => Ok(Some(u64::from(MAX_VARCHAR_LENGTH))),
    }
}

fn varchar(n: u64) -> Result<LogicalType> {
    if n == 0 || n > u64::from(MAX_VARCHAR_LENGTH) {
        bail!(Analysis, "Varchar size must be <= {MAX_VARCHAR_LENGTH}: {n}");
    }
    Ok(LogicalType::Varchar(Some(n as u32)))
}

fn decimal_args(info: &ExactNumberInfo) -> Result<Option<(u64, i64)>> {
    Ok(match info {
        ExactNumberInfo::None => None,
        ExactNumberInfo::Precision(p) => Some((*p, 0)),
        ExactNumberInfo::PrecisionAndScale(p, s) => Some((*p, *s)),
    })
}

fn check_decimal(p: u64, s: i64, max: u64) -> Result<()> {
    if p == 0 || p > max {
        bail!(Analysis, "DECIMAL's precision should range from 1 to {max}");
    }
    if s < 0 || s as u64 > p {
        bail!(Analysis, "DECIMAL(P[,S]) type P must be greater than or equal to the value of S");
    }
    Ok(())
}

fn decimal(p: u64, s: i64) -> Result<LogicalType> {
    check_decimal(p, s, 76)?;
    Ok(LogicalType::decimal(p as u8, s as i8))
}

/// The type as messages spell it: `tinyint(4)`, `varchar(20)`, `varchar`, `DECIMAL128(26,2)`, `array<bigint(20)>`.
pub fn type_text(ty: &LogicalType) -> String {
    use LogicalType as T;
    match ty {
        T::Varchar(None) => "varchar".to_owned(),
        T::Time => "TIME".to_owned(),
        T::Varbinary(_) => "varbinary".to_owned(),
        T::Decimal { width, precision, scale } => {
            let bits = 8 * width.bytes();
            format!("DECIMAL{bits}({precision},{scale})")
        }
        T::Array(e) => format!("array<{}>", type_text(e)),
        T::Map(k, v) => format!("map<{},{}>", type_text(k), type_text(v)),
        T::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|f| format!("{} {}", f.name, type_text(&f.ty))).collect();
            format!("struct<{}>", fields.join(", "))
        }
        other => other.sql_name(),
    }
}

/// The type as DDL spells it: [`type_text`] with `decimal(16, 3)`.
pub(crate) fn ddl_text(ty: &LogicalType) -> String {
    use LogicalType as T;
    match ty {
        T::Decimal { .. } => ty.sql_name(),
        T::Array(e) => format!("array<{}>", ddl_text(e)),
        T::Map(k, v) => format!("map<{},{}>", ddl_text(k), ddl_text(v)),
        T::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|f| format!("{} {}", f.name, ddl_text(&f.ty))).collect();
            format!("struct<{}>", fields.join(", "))
        }
        other => type_text(other),
    }
}

/// The type as a bare upper-case name with its arguments: `ARRAY<NULL_TYPE>`, `VARCHAR(20)`.
pub(crate) fn debug_text(ty: &LogicalType) -> String {
    use LogicalType as T;
    match ty {
        T::Char(n) => format!("CHAR({n})"),
        T::Varchar(Some(n)) => format!("VARCHAR({n})"),
        T::Array(e) => format!("ARRAY<{}>", debug_text(e)),
        T::Map(k, v) => format!("MAP<{},{}>", debug_text(k), debug_text(v)),
        T::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|f| format!("{} {}", f.name, type_text(&f.ty))).collect();
            format!("struct<{}>", fields.join(", "))
        }
        T::Decimal { .. } => type_text(ty),
        other => other.to_string().to_uppercase(),
    }
}
