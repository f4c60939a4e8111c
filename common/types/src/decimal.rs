//! Fixed-point numbers on i128 and i256: parsing, text, rescaling and division, always rounding half away from zero.
//! Only physical overflow fails; declared precision is enforced on load, not in expressions.

use arrow::datatypes::i256;

use crate::logical_type::DecimalWidth;

/// Powers of ten up to 10^38.
pub const POW10: [i128; 39] = {
    let mut out = [1_i128; 39];
    let mut i = 1;
    while i < 39 {
        out[i] = out[i - 1] * 10;
        i += 1;
    }
    out
};

/// 10^n; `None` above 10^76.
pub fn pow10_i256(n: u32) -> Option<i256> {
    match n {
        0..=38 => Some(i256::from_i128(POW10[n as usize])),
        39..=76 => i256::from_i128(POW10[38]).checked_mul(i256::from_i128(POW10[n as usize - 38])),
        _ => None,
    }
}

/// Whether an unscaled value fits the physical integer of a width.
pub const fn fits_width(v: i128, width: DecimalWidth) -> bool {
    match width {
        DecimalWidth::W32 => v as i32 as i128 == v,
        DecimalWidth::W64 => v as i64 as i128 == v,
        _ => true,
    }
}

/// Whether an unscaled value has at most `precision` digits (precision up to 38).
pub fn fits_precision(v: i128, precision: u8) -> bool {
    match POW10.get(precision as usize) {
        Some(limit) => v.unsigned_abs() < limit.unsigned_abs(),
        None => true,
    }
}

/// Quotient rounded half away from zero; `None` for a zero divisor or overflow.
#[inline]
pub fn div_round_i128(a: i128, b: i128) -> Option<i128> {
    // 64-bit division is several times cheaper and nearly always enough.
    if let (Ok(x), Ok(y)) = (i64::try_from(a), i64::try_from(b)) {
        let (q, r) = (x.checked_div(y)?, x.checked_rem(y)?);
        let away = i64::from(r.unsigned_abs() >= y.unsigned_abs() - r.unsigned_abs());
        return Some(i128::from(q) + i128::from(if (x < 0) != (y < 0) { -away } else { away }));
    }
    let (q, r) = (a.checked_div(b)?, a.checked_rem(b)?);
    let away = i128::from(r.unsigned_abs() >= b.unsigned_abs() - r.unsigned_abs());
    q.checked_add(if (a < 0) != (b < 0) { -away } else { away })
}

/// Quotient rounded half away from zero; `None` for a zero divisor or overflow.
pub fn div_round_i256(a: i256, b: i256) -> Option<i256> {
    let (q, r) = (a.checked_div(b)?, a.checked_rem(b)?);
    // |r| >= |b| - |r| without overflow: compare negatives, which always exist.
    let neg = |v: i256| if v.is_negative() { v } else { v.wrapping_neg() };
    let (nr, nb) = (neg(r), neg(b));
    let away = nr <= nb.wrapping_sub(nr);
    if !away {
        return Some(q);
    }
    if a.is_negative() != b.is_negative() { q.checked_sub(i256::ONE) } else { q.checked_add(i256::ONE) }
}

/// Unscaled value at another scale.
#[inline]
pub fn rescale_i128(v: i128, from: i8, to: i8) -> Option<i128> {
    let delta = i32::from(to) - i32::from(from);
    if delta == 0 || v == 0 {
        return Some(v);
    }
    let factor = POW10.get(delta.unsigned_abs() as usize).copied();
    if delta > 0 {
        v.checked_mul(factor?)
    } else {
        match factor {
            Some(f) => div_round_i128(v, f),
            None => Some(0),
        }
    }
}

/// Unscaled value at another scale.
pub fn rescale_i256(v: i256, from: i8, to: i8) -> Option<i256> {
    let delta = i32::from(to) - i32::from(from);
    if delta == 0 || v == i256::ZERO {
        return Some(v);
    }
    let factor = pow10_i256(delta.unsigned_abs());
    if delta > 0 {
        v.checked_mul(factor?)
    } else {
        match factor {
            Some(f) => div_round_i256(v, f),
            None => Some(i256::ZERO),
        }
    }
}

/// Integer part (truncated) of an unscaled value.
pub fn trunc_to_int(v: i128, scale: i8) -> i128 {
    POW10.get(scale.max(0) as usize).map_or(0, |f| v / f)
}

/// A decimal as double.
#[inline]
pub fn to_f64(v: i128, scale: i8) -> f64 {
    // Both sides exact up to 2^53 and 10^22: one correctly rounded division.
    if v.unsigned_abs() <= (1 << 53) && scale <= 22 {
        return v as f64 / POW10[scale.max(0) as usize] as f64;
    }
    let mut text = Vec::new();
    append_i128(v, scale, &mut text);
    std::str::from_utf8(&text).ok().and_then(|s| s.parse().ok()).unwrap_or(f64::NAN)
}

/// A 256-bit decimal as double.
pub fn to_f64_256(v: i256, scale: i8) -> f64 {
    let mut text = Vec::new();
    append_i256(v, scale, &mut text);
    std::str::from_utf8(&text).ok().and_then(|s| s.parse().ok()).unwrap_or(f64::NAN)
}

/// A double at a scale, rounded half away from zero; `None` when not finite or beyond 128 bits.
pub fn from_f64(v: f64, scale: i8) -> Option<i128> {
    let scaled = v * 10_f64.powi(i32::from(scale));
    let rounded = scaled.round();
    (rounded.is_finite() && rounded.abs() < 1.701_411_834_604_692_3e38).then_some(rounded as i128)
}

/// Decimal text taken apart: sign, the digits without the point, and the power of ten of the last digit.
struct Number<'a> {
    negative: bool,
    int: &'a [u8],
    frac: &'a [u8],
    exponent: i64,
}

fn split(text: &[u8]) -> Option<Number<'_>> {
    let t = text.trim_ascii();
    let (negative, t) = match t.first()? {
        b'-' => (true, &t[1..]),
        b'+' => (false, &t[1..]),
        _ => (false, t),
    };
    let run = |t: &[u8]| t.iter().take_while(|c| c.is_ascii_digit()).count();
    let n = run(t);
    let (int, mut rest) = t.split_at(n);
    let mut frac: &[u8] = &[];
    let mut point = false;
    if let [b'.', after @ ..] = rest {
        point = true;
        let n = run(after);
        (frac, rest) = after.split_at(n);
    }
    if int.is_empty() && frac.is_empty() && !point {
        return None;
    }
    let mut exponent = 0_i64;
    if let [b'e' | b'E', after @ ..] = rest {
        let (neg, after) = match after.first()? {
            b'-' => (true, &after[1..]),
            b'+' => (false, &after[1..]),
            _ => (false, after),
        };
        if after.is_empty() || run(after) != after.len() {
            return None;
        }
        for &c in after {
            exponent = (exponent * 10 + i64::from(c - b'0')).min(1_000_000);
        }
        if neg {
            exponent = -exponent;
        }
        rest = &[];
    }
    rest.is_empty().then_some(Number { negative, int, frac, exponent })
}

/// Text → unscaled value at a scale; extra fraction digits round half away from zero. `None` when not a number or beyond 128 bits.
#[inline]
pub fn parse_i128(text: &[u8], scale: i8) -> Option<i128> {
    if let Some(v) = parse_short(text, scale) {
        return Some(v);
    }
    let n = split(text)?;
    let mut v: i128 = 0;
    // Digits to take: those before position `scale` after the (shifted) point.
    let take = n.int.len() as i64 + n.exponent + i64::from(scale);
    let all = n.int.iter().chain(n.frac);
    let total = (n.int.len() + n.frac.len()) as i64;
    let mut round = 0;
    for (i, &c) in all.enumerate() {
        let i = i as i64;
        if i < take {
            v = v.checked_mul(10)?.checked_sub(i128::from(c - b'0'))?;
        } else {
            if i == take {
                round = i128::from(c >= b'5');
            }
            break;
        }
    }
    if take < 0 {
        round = 0;
    }
    v = v.checked_sub(round)?;
    if v != 0 {
        for _ in total..take {
            v = v.checked_mul(10)?;
        }
    }
    if n.negative { Some(v) } else { v.checked_neg() }
}

/// Plain `[-]digits[.digits]` of at most 18 digits in all: the shape of nearly every field of a load.
#[inline]
fn parse_short(text: &[u8], scale: i8) -> Option<i128> {
    let (negative, t) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if t.is_empty() || t.len() > 18 {
        return None;
    }
    let mut v: i64 = 0;
    let mut i = 0;
    while i < t.len() && t[i] != b'.' {
        let d = t[i].wrapping_sub(b'0');
        if d > 9 {
            return None;
        }
        v = v * 10 + i64::from(d);
        i += 1;
    }
    let mut missing = i32::from(scale);
    if i < t.len() {
        let frac = &t[i + 1..];
        if frac.len() > scale.max(0) as usize || (i == 0 && frac.is_empty()) {
            return None;
        }
        for &c in frac {
            let d = c.wrapping_sub(b'0');
            if d > 9 {
                return None;
            }
            v = v * 10 + i64::from(d);
        }
        missing -= frac.len() as i32;
    }
    let v = i128::from(v).checked_mul(*POW10.get(usize::try_from(missing).ok()?)?)?;
    Some(if negative { -v } else { v })
}

/// Text → unscaled 256-bit value at a scale.
pub fn parse_i256(text: &[u8], scale: i8) -> Option<i256> {
    let n = split(text)?;
    let take = n.int.len() as i64 + n.exponent + i64::from(scale);
    let total = (n.int.len() + n.frac.len()) as i64;
    let ten = i256::from_i128(10);
    let mut v = i256::ZERO;
    for (i, &c) in n.int.iter().chain(n.frac).enumerate() {
        let d = i256::from_i128(i128::from(c - b'0'));
        match (i as i64).cmp(&take) {
            std::cmp::Ordering::Less => v = v.checked_mul(ten)?.checked_sub(d)?,
            std::cmp::Ordering::Equal => {
                if c >= b'5' {
                    v = v.checked_sub(i256::ONE)?;
                }
            }
            std::cmp::Ordering::Greater => break,
        }
    }
    if v != i256::ZERO {
        for _ in total..take {
            v = v.checked_mul(ten)?;
        }
    }
    if n.negative { Some(v) } else { v.checked_neg() }
}

/// A numeric literal with exactly its digits: unscaled value, precision and scale. `None` when it needs more than 76 digits.
pub fn parse_literal(text: &[u8]) -> Option<(i256, u8, i8)> {
    let n = split(text)?;
    let scale = (n.frac.len() as i64 - n.exponent).max(0);
    let scale = i8::try_from(scale).ok().filter(|s| *s <= 76)?;
    let v = parse_i256(text, scale)?;
    let mut shown = Vec::new();
    append_i256(if v.is_negative() { v.wrapping_neg() } else { v }, 0, &mut shown);
    let digits = if v == i256::ZERO { 0 } else { shown.len() };
    let precision = digits.max(scale as usize).max(1);
    (precision <= 76).then_some((v, precision as u8, scale))
}

/// Appends a decimal with its full scale.
#[inline]
pub fn append_i128(v: i128, scale: i8, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let text = match u64::try_from(v.unsigned_abs()) {
        Ok(small) => buffer.format(small),
        Err(_) => buffer.format(v.unsigned_abs()),
    };
    append_digits(v < 0, text.as_bytes(), scale, out);
}

/// Appends a decimal of at most 64 bits with its full scale.
#[inline]
pub fn append_i64(v: i64, scale: i8, out: &mut Vec<u8>) {
    append_digits(v < 0, itoa::Buffer::new().format(v.unsigned_abs()).as_bytes(), scale, out);
}

/// Appends a 256-bit decimal with its full scale.
pub fn append_i256(v: i256, scale: i8, out: &mut Vec<u8>) {
    if let Some(v) = v.to_i128() {
        return append_i128(v, scale, out);
    }
    let text = v.to_string();
    let digits = text.strip_prefix('-').unwrap_or(&text);
    append_digits(v.is_negative(), digits.as_bytes(), scale, out);
}

#[inline]
fn append_digits(negative: bool, digits: &[u8], scale: i8, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    let scale = scale.max(0) as usize;
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if digits.len() > scale {
        let (int, frac) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(int);
        out.push(b'.');
        out.extend_from_slice(frac);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}
