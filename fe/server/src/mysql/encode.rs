//! Answers: OK, ERR, EOF, column definitions, and rows in the text and the binary form.

use common_base::{Error, Result};
use common_types::{Chunk, Column, LogicalType, display::TextEncoder, for_ints};
use fe_engine::{ResultColumn, TableField};
use opensrv_mysql::ColumnType;
use tokio::io::AsyncWrite;

use super::{
    errno,
    packet::{PacketWriter, put_lenenc, put_lenenc_bytes},
};

/// utf8_general_ci.
pub const CHARSET_UTF8: u8 = 33;
const CHARSET_BINARY: u8 = 63;
/// The only status a server of this kind ever reports.
const STATUS_MORE_RESULTS: u16 = 8;
/// Length shown for strings without one.
const UNKNOWN_STRING_LENGTH: u32 = 64;

fn status(more: bool) -> u16 {
    if more { STATUS_MORE_RESULTS } else { 0 }
}

/// An OK packet; `more`: another result follows.
pub async fn ok<W: AsyncWrite + Unpin>(writer: &mut PacketWriter<W>, affected_rows: u64, info: &str, more: bool) -> Result<()> {
    writer
        .packet(|out| {
            out.push(0);
            put_lenenc(out, affected_rows);
            put_lenenc(out, 0);
            out.extend_from_slice(&status(more).to_le_bytes());
            out.extend_from_slice(&[0, 0]);
            if !info.is_empty() {
                // Clients read it with a length, whatever the protocol's description says.
                put_lenenc_bytes(out, info.as_bytes());
            }
        })
        .await
}

/// An ERR packet.
pub async fn error<W: AsyncWrite + Unpin>(writer: &mut PacketWriter<W>, error: &Error) -> Result<()> {
    let (number, state) = errno::number_of(error);
    writer
        .packet(|out| {
            out.push(0xff);
            out.extend_from_slice(&number.to_le_bytes());
            out.push(b'#');
            out.extend_from_slice(state.as_bytes());
            out.extend_from_slice(error.message().as_bytes());
        })
        .await
}

/// An EOF packet.
pub async fn eof<W: AsyncWrite + Unpin>(writer: &mut PacketWriter<W>, more: bool) -> Result<()> {
    writer
        .packet(|out| {
            out.extend_from_slice(&[0xfe, 0, 0]);
            out.extend_from_slice(&status(more).to_le_bytes());
        })
        .await
}

/// The head of a result set: column count, definitions, EOF.
pub async fn columns<W: AsyncWrite + Unpin>(writer: &mut PacketWriter<W>, columns: &[ResultColumn]) -> Result<()> {
    writer.packet(|out| put_lenenc(out, columns.len() as u64)).await?;
    definitions(writer, columns).await
}

/// Column definitions and EOF.
pub async fn definitions<W: AsyncWrite + Unpin>(writer: &mut PacketWriter<W>, columns: &[ResultColumn]) -> Result<()> {
    for column in columns {
        writer.packet(|out| definition(out, column, None)).await?;
    }
    eof(writer, false).await
}

/// The answer to COM_FIELD_LIST for one column: its definition with where it is from, and its default value.
pub fn field(out: &mut Vec<u8>, database: &str, table: &str, column: &TableField) {
    definition(out, &column.column, Some((database, table)));
    match &column.default {
        Some(text) => put_lenenc_bytes(out, text.as_bytes()),
        None => out.push(0xfb),
    }
}

/// One ColumnDefinition41. Only COM_FIELD_LIST says which database and table a column is from.
fn definition(out: &mut Vec<u8>, column: &ResultColumn, origin: Option<(&str, &str)>) {
    let meta = Meta::of(&column.ty);
    let (database, table) = origin.unwrap_or_default();
    put_lenenc_bytes(out, b"def");
    put_lenenc_bytes(out, database.as_bytes());
    put_lenenc_bytes(out, table.as_bytes());
    put_lenenc_bytes(out, table.as_bytes());
    put_lenenc_bytes(out, column.name.as_bytes());
    put_lenenc_bytes(out, column.name.as_bytes());
    out.push(0x0c);
    out.extend_from_slice(&[meta.charset, 0]);
    out.extend_from_slice(&meta.length.to_le_bytes());
    out.push(meta.code as u8);
    out.extend_from_slice(&[0, 0]); // flags: none, as the reference sends
    out.push(meta.decimals);
    out.extend_from_slice(&[0, 0]);
}

struct Meta {
    code: ColumnType,
    length: u32,
    decimals: u8,
    charset: u8,
}

impl Meta {
    /// types.md §4.
    fn of(ty: &LogicalType) -> Self {
        use ColumnType as C;
        let binary = |code, length, decimals| Self { code, length, decimals, charset: CHARSET_BINARY };
        let string = |code, length: u32| Self { code, length: length.saturating_mul(3), decimals: 0, charset: CHARSET_UTF8 };
        match ty {
            LogicalType::Boolean => binary(C::MYSQL_TYPE_TINY, 1, 0),
            LogicalType::TinyInt => binary(C::MYSQL_TYPE_TINY, 4, 0),
            LogicalType::SmallInt => binary(C::MYSQL_TYPE_SHORT, 6, 0),
            LogicalType::Int => binary(C::MYSQL_TYPE_LONG, 11, 0),
            LogicalType::BigInt => binary(C::MYSQL_TYPE_LONGLONG, 20, 0),
            LogicalType::LargeInt => Self { code: C::MYSQL_TYPE_STRING, length: 40, decimals: 0, charset: CHARSET_UTF8 },
            LogicalType::Float => binary(C::MYSQL_TYPE_FLOAT, 12, 31),
            LogicalType::Double => binary(C::MYSQL_TYPE_DOUBLE, 22, 31),
            LogicalType::Decimal { precision, scale, .. } => {
                binary(C::MYSQL_TYPE_NEWDECIMAL, u32::from(*precision) + u32::from(*scale > 0) + 3, *scale as u8)
            }
            LogicalType::Date => binary(C::MYSQL_TYPE_DATE, 10, 0),
            LogicalType::Datetime => binary(C::MYSQL_TYPE_DATETIME, 19, 0),
            LogicalType::Time => binary(C::MYSQL_TYPE_TIME, 60, 0),
            LogicalType::Char(n) => string(C::MYSQL_TYPE_STRING, *n),
            LogicalType::Varchar(n) => string(C::MYSQL_TYPE_VAR_STRING, n.unwrap_or(UNKNOWN_STRING_LENGTH)),
            LogicalType::Varbinary(n) => Self { charset: CHARSET_BINARY, ..string(C::MYSQL_TYPE_BLOB, n.unwrap_or(UNKNOWN_STRING_LENGTH)) },
            _ => Self { code: C::MYSQL_TYPE_STRING, length: 60, decimals: 0, charset: CHARSET_UTF8 },
        }
    }
}

/// Rows of a chunk in the text form.
pub async fn text_rows<W: AsyncWrite + Unpin>(writer: &mut PacketWriter<W>, chunk: &Chunk) -> Result<()> {
    let encoders: Vec<TextEncoder<'_>> = chunk.columns().iter().map(TextEncoder::new).collect();
    let mut cell = Vec::new();
    for row in 0..chunk.rows() {
        writer
            .packet(|out| {
                for (encoder, column) in encoders.iter().zip(chunk.columns()) {
                    if shows_null(column, row) {
                        out.push(0xfb);
                        continue;
                    }
                    cell.clear();
                    encoder.append(row, &mut cell);
                    put_lenenc_bytes(out, &cell);
                }
            })
            .await?;
    }
    Ok(())
}

/// SQL NULL, or a sketch, which has no text.
fn shows_null(column: &Column, row: usize) -> bool {
    column.ty().is_metric() || column.is_null(row)
}

/// Rows of a chunk in the binary form of prepared statements.
pub async fn binary_rows<W: AsyncWrite + Unpin>(writer: &mut PacketWriter<W>, chunk: &Chunk) -> Result<()> {
    let columns: Vec<Column> = chunk.columns().iter().map(Column::flatten).collect();
    let encoders: Vec<TextEncoder<'_>> = columns.iter().map(TextEncoder::new).collect();
    let mut cell = Vec::new();
    for row in 0..chunk.rows() {
        writer
            .packet(|out| {
                out.push(0);
                let bitmap = out.len();
                out.resize(bitmap + (columns.len() + 9) / 8, 0);
                for (i, column) in columns.iter().enumerate() {
                    if shows_null(column, row) {
                        out[bitmap + (i + 2) / 8] |= 1 << ((i + 2) % 8);
                        continue;
                    }
                    if !binary_value(column, row, out) {
                        cell.clear();
                        encoders[i].append(row, &mut cell);
                        put_lenenc_bytes(out, &cell);
                    }
                }
            })
            .await?;
    }
    Ok(())
}

/// Appends a value that has a fixed binary form; false = it travels as text.
fn binary_value(column: &Column, row: usize, out: &mut Vec<u8>) -> bool {
    let int = || column.ints_i64().map_or(0, |v| for_ints!(v, s => i64::from(s[row])));
    match column.ty() {
        LogicalType::Boolean => out.push(u8::from(column.scalar(row).as_bool() == Some(true))),
        LogicalType::TinyInt => out.push(int() as u8),
        LogicalType::SmallInt => out.extend_from_slice(&(int() as i16).to_le_bytes()),
        LogicalType::Int => out.extend_from_slice(&(int() as i32).to_le_bytes()),
        LogicalType::BigInt => out.extend_from_slice(&int().to_le_bytes()),
        LogicalType::Float => out.extend_from_slice(&(column.floats().map_or(0.0, |f| f.get(row)) as f32).to_le_bytes()),
        LogicalType::Double => out.extend_from_slice(&column.floats().map_or(0.0, |f| f.get(row)).to_le_bytes()),
        LogicalType::Date => {
            let (year, month, day) = common_types::date::civil_from_days(int() as i32);
            out.push(4);
            out.extend_from_slice(&(year as u16).to_le_bytes());
            out.extend_from_slice(&[month as u8, day as u8]);
        }
        LogicalType::Datetime => binary_datetime(int(), out),
        LogicalType::Time => binary_time(column.floats().map_or(0.0, |f| f.get(row)), out),
        _ => return false,
    }
    true
}

/// Sign, days, hours, minutes, seconds; the values have no fraction. Zero is an empty value.
fn binary_time(seconds: f64, out: &mut Vec<u8>) {
    let total = seconds.abs() as u64;
    if total == 0 {
        out.push(0);
        return;
    }
    out.push(8);
    out.push(u8::from(seconds < 0.0));
    out.extend_from_slice(&((total / 86_400) as u32).to_le_bytes());
    out.extend_from_slice(&[(total / 3600 % 24) as u8, (total / 60 % 60) as u8, (total % 60) as u8]);
}

fn binary_datetime(micros: i64, out: &mut Vec<u8>) {
    const DAY: i64 = 86_400_000_000;
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let (year, month, day) = common_types::date::civil_from_days(days as i32);
    let (seconds, fraction) = (rest / 1_000_000, (rest % 1_000_000) as u32);
    out.push(if fraction == 0 { 7 } else { 11 });
    out.extend_from_slice(&(year as u16).to_le_bytes());
    out.extend_from_slice(&[month as u8, day as u8, (seconds / 3600) as u8, (seconds / 60 % 60) as u8, (seconds % 60) as u8]);
    if fraction != 0 {
        out.extend_from_slice(&fraction.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_sent_as_sign_days_and_clock() {
        let cases: [(f64, &[u8]); 4] = [
            (0.0, &[0]),
            (3600.0, &[8, 0, 0, 0, 0, 0, 1, 0, 0]),
            (-3723.0, &[8, 1, 0, 0, 0, 0, 1, 2, 3]),
            (838.0 * 3600.0 + 59.0, &[8, 0, 34, 0, 0, 0, 22, 0, 59]),
        ];
        for (seconds, want) in cases {
            let mut out = Vec::new();
            binary_time(seconds, &mut out);
            assert_eq!(out, want, "{seconds}");
        }
    }

    #[test]
    fn fields_carry_their_table_and_default() {
        let column = ResultColumn { name: "a".to_owned(), ty: LogicalType::Int };
        let mut out = Vec::new();
        field(&mut out, "d", "t", &TableField { column: column.clone(), default: Some("5".to_owned()) });
        assert!(out.starts_with(b"\x03def\x01d\x01t\x01t\x01a\x01a\x0c"), "{out:?}");
        assert!(out.ends_with(b"\x015"), "{out:?}");
        out.clear();
        field(&mut out, "d", "t", &TableField { column, default: None });
        assert_eq!(out.last(), Some(&0xfb));
    }
}
