//! `aes_encrypt`, `aes_decrypt`: `(s, key[, iv, mode[, aad]])`, AES_128_ECB unless told otherwise.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use super::aes_modes::{BlockCipher, Mode, decrypt, encrypt};
use crate::kernels::{
    def::{custom, sig},
    strings::{StrWriter, strs, utf8},
};

/// Vector used where none is given.
const DEFAULT_IV: &[u8] = b"STARROCKS_16BYTE";

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let signatures = || vec![sig([s(), s()], s()), sig([s(), s(), s(), s()], s()), sig([s(), s(), s(), s(), s()], s())];
    r.add_scalar(custom(&["aes_encrypt"], signatures(), |_, call, args, rows| run(call, args, rows, true)));
    r.add_scalar(custom(&["aes_decrypt"], signatures(), |_: &EvalContext, call, args, rows| {
        run(call, args, rows, false)
    }));
}

/// Key bytes and mode of a name such as `AES_256_CBC`.
fn parse_mode(name: &[u8]) -> Option<(usize, Mode)> {
    let name = utf8(name).to_ascii_uppercase();
    let (bits, mode) = name.strip_prefix("AES_")?.split_once('_')?;
    let bytes = match bits {
        "128" => 16,
        "192" => 24,
        "256" => 32,
        _ => return None,
    };
    let mode = match mode {
        "ECB" => Mode::Ecb,
        "CBC" => Mode::Cbc,
        "CFB" | "CFB128" => Mode::Cfb128,
        "CFB1" => Mode::Cfb1,
        "CFB8" => Mode::Cfb8,
        "OFB" => Mode::Ofb,
        "CTR" => Mode::Ctr,
        "GCM" => Mode::Gcm,
        _ => return None,
    };
    Some((bytes, mode))
}

/// The key XOR-ed over itself into the wanted number of bytes.
fn fold_key(key: &[u8], bytes: usize) -> Vec<u8> {
    let mut folded = vec![0; bytes];
    key.iter().enumerate().for_each(|(i, b)| folded[i % bytes] ^= b);
    folded
}

fn run(call: &ScalarOverload, args: &[Column], rows: usize, sealing: bool) -> Result<Column> {
    let views: Vec<_> = args.iter().map(|c| (strs(c), c.nulls())).collect();
    let get = |arg: usize, row: usize| {
        let (view, nulls) = views.get(arg)?;
        nulls.as_ref().is_none_or(|n| n.is_valid(row)).then(|| view.get(row))
    };
    let mut prepared: Option<(Vec<u8>, usize, BlockCipher)> = None;
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let (Some(message), Some(key)) = (get(0, row), get(1, row)) else {
            out.end_null();
            continue;
        };
        let mode_name = get(3, row).unwrap_or(b"AES_128_ECB");
        let Some((bytes, mode)) = parse_mode(mode_name) else {
            bail!(InvalidArgument, "unknown AES mode {}", utf8(mode_name));
        };
        if args.len() == 5 && mode != Mode::Gcm {
            bail!(InvalidArgument, "additional authenticated data goes with GCM only");
        }
        if !prepared.as_ref().is_some_and(|(k, b, _)| k == key && *b == bytes) {
            let Some(cipher) = BlockCipher::new(&fold_key(key, bytes)) else {
                bail!(Internal, "an AES key of {bytes} bytes")
            };
            prepared = Some((key.to_vec(), bytes, cipher));
        }
        let Some((.., cipher)) = &prepared else { bail!(Internal, "the cipher was just prepared") };
        let iv = get(2, row).unwrap_or(DEFAULT_IV);
        let aad = get(4, row).unwrap_or_default();
        let done = if sealing {
            encrypt(cipher, mode, iv, aad, message, out.buf());
            true
        } else {
            decrypt(cipher, mode, iv, aad, message, out.buf())
        };
        if done { out.end_row() } else { out.end_null() }
    }
    Ok(out.finish(&call.result))
}
