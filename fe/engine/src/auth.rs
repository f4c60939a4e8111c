//! mysql_native_password: what is stored and how an answer is checked.

use sha1::{Digest, Sha1};

/// What is stored for a password: SHA1(SHA1(password)); nothing for the empty one.
pub fn stored_hash(password: &str) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    Sha1::digest(Sha1::digest(password.as_bytes())).to_vec()
}

/// The stored form of `*HEX` text.
pub fn hash_of_hex(text: &str) -> Option<Vec<u8>> {
    let hex = text.strip_prefix('*')?;
    if hex.len() != 40 || !hex.is_ascii() {
        return None;
    }
    (0..20).map(|i| u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).ok()).collect()
}

/// Checks the client's answer to a challenge: SHA1(password) XOR SHA1(challenge ++ SHA1(SHA1(password))).
pub fn check_native(stored: &[u8], challenge: &[u8], answer: &[u8]) -> bool {
    if stored.is_empty() {
        return answer.is_empty();
    }
    if answer.len() != 20 {
        return false;
    }
    let mask = Sha1::new().chain_update(challenge).chain_update(stored).finalize();
    let first: Vec<u8> = answer.iter().zip(mask.iter()).map(|(a, m)| a ^ m).collect();
    same(Sha1::digest(first).as_slice(), stored)
}

/// Checks a password sent in clear over an authenticated channel (HTTP basic).
pub fn check_plain(stored: &[u8], password: &str) -> bool {
    same(&stored_hash(password), stored)
}

/// Equality that takes the same time whatever differs.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}
