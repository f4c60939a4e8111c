//! Parameters of COM_STMT_EXECUTE → typed values.

use common_base::{Result, bail};
use common_types::{LogicalType, Scalar};

use super::packet::Reader;

/// Values of the parameters. `types` keeps the codes of the last execution that sent them.
pub fn decode(payload: &mut Reader<'_>, count: usize, types: &mut Vec<u16>) -> Result<Vec<(Scalar, LogicalType)>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let nulls = payload.bytes(count.div_ceil(8))?.to_vec();
    if payload.int(1)? == 1 {
        types.clear();
        for _ in 0..count {
            types.push(payload.int(2)? as u16);
        }
    }
    if types.len() != count {
        bail!(InvalidArgument, "Malformed communication packet.");
    }
    let mut values = Vec::with_capacity(count);
    for (i, code) in types.iter().enumerate() {
        if nulls[i / 8] & (1 << (i % 8)) != 0 {
            values.push((Scalar::Null, LogicalType::Null));
        } else {
            values.push(value(payload, (*code & 0xff) as u8, *code & 0x8000 != 0)?);
        }
    }
    Ok(values)
}

fn value(payload: &mut Reader<'_>, code: u8, unsigned: bool) -> Result<(Scalar, LogicalType)> {
    let text = |s: String| (Scalar::string(s), LogicalType::varchar());
    Ok(match code {
        1 => {
            let raw = payload.int(1)?;
            if unsigned { (Scalar::SmallInt(raw as i16), LogicalType::SmallInt) } else { (Scalar::TinyInt(raw as i8), LogicalType::TinyInt) }
        }
        2 => {
            let raw = payload.int(2)?;
            if unsigned { (Scalar::Int(raw as i32), LogicalType::Int) } else { (Scalar::SmallInt(raw as i16), LogicalType::SmallInt) }
        }
        3 | 9 => {
            let raw = payload.int(4)?;
            if unsigned { (Scalar::BigInt(raw as i64), LogicalType::BigInt) } else { (Scalar::Int(raw as i32), LogicalType::Int) }
        }
        8 => {
            let raw = payload.int(8)?;
            if unsigned { (Scalar::LargeInt(i128::from(raw)), LogicalType::LargeInt) } else { (Scalar::BigInt(raw as i64), LogicalType::BigInt) }
        }
        4 => (Scalar::Double(f64::from(f32::from_bits(payload.int(4)? as u32))), LogicalType::Double),
        5 => (Scalar::Double(f64::from_bits(payload.int(8)?)), LogicalType::Double),
        7 | 10 | 12 => text(datetime(payload)?),
        11 => text(time(payload)?),
        0 | 15 | 246 | 247 | 249..=254 => (Scalar::string(payload.lenenc_bytes()?), LogicalType::varchar()),
        6 => (Scalar::Null, LogicalType::Null),
        other => bail!(Analysis, "unknown mysql type code {other}"),
    })
}

/// DATE, DATETIME, TIMESTAMP: 0, 4, 7 or 11 bytes.
fn datetime(payload: &mut Reader<'_>) -> Result<String> {
    let len = payload.int(1)?;
    if len == 0 {
        return Ok("0000-00-00".to_owned());
    }
    let (year, month, day) = (payload.int(2)?, payload.int(1)?, payload.int(1)?);
    let mut text = format!("{year:04}-{month:02}-{day:02}");
    if len >= 7 {
        let (hour, minute, second) = (payload.int(1)?, payload.int(1)?, payload.int(1)?);
        text += &format!(" {hour:02}:{minute:02}:{second:02}");
    }
    if len >= 11 {
        text += &format!(".{:06}", payload.int(4)?);
    }
    Ok(text)
}

/// TIME: 0, 8 or 12 bytes.
fn time(payload: &mut Reader<'_>) -> Result<String> {
    let len = payload.int(1)?;
    if len == 0 {
        return Ok("00:00:00".to_owned());
    }
    let negative = payload.int(1)? != 0;
    let days = payload.int(4)?;
    let (hour, minute, second) = (payload.int(1)?, payload.int(1)?, payload.int(1)?);
    if len >= 12 {
        payload.int(4)?;
    }
    Ok(format!("{}{:02}:{minute:02}:{second:02}", if negative { "-" } else { "" }, days * 24 + hour))
}
