//! AES block-cipher modes over whole messages: ECB and CBC with PKCS#7 padding, CFB, OFB, CTR and GCM without.

use ::aes::{
    Aes128, Aes192, Aes256,
    cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};

const BLOCK: usize = 16;
type Block = [u8; BLOCK];

/// Bytes of the authentication tag behind a GCM ciphertext.
const TAG: usize = 16;

/// How blocks are chained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Ecb,
    Cbc,
    Cfb1,
    Cfb8,
    Cfb128,
    Ofb,
    Ctr,
    Gcm,
}

/// A keyed block cipher.
pub enum BlockCipher {
    K128(Box<Aes128>),
    K192(Box<Aes192>),
    K256(Box<Aes256>),
}

impl BlockCipher {
    /// The cipher for a key folded to 16, 24 or 32 bytes.
    pub fn new(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            16 => Self::K128(Box::new(Aes128::new_from_slice(key).ok()?)),
            24 => Self::K192(Box::new(Aes192::new_from_slice(key).ok()?)),
            32 => Self::K256(Box::new(Aes256::new_from_slice(key).ok()?)),
            _ => return None,
        })
    }

    fn encrypt(&self, block: Block) -> Block {
        let mut block = Array::from(block);
        match self {
            Self::K128(c) => c.encrypt_block(&mut block),
            Self::K192(c) => c.encrypt_block(&mut block),
            Self::K256(c) => c.encrypt_block(&mut block),
        }
        block.into()
    }

    fn decrypt(&self, block: Block) -> Block {
        let mut block = Array::from(block);
        match self {
            Self::K128(c) => c.decrypt_block(&mut block),
            Self::K192(c) => c.decrypt_block(&mut block),
            Self::K256(c) => c.decrypt_block(&mut block),
        }
        block.into()
    }
}

fn xor(a: Block, b: &[u8]) -> Block {
    let mut out = a;
    out.iter_mut().zip(b).for_each(|(x, y)| *x ^= y);
    out
}

fn block_of(bytes: &[u8]) -> Block {
    bytes.try_into().expect("16 bytes")
}

/// Encrypts a message.
pub fn encrypt(cipher: &BlockCipher, mode: Mode, iv: &[u8], aad: &[u8], message: &[u8], out: &mut Vec<u8>) {
    match mode {
        Mode::Ecb | Mode::Cbc => {
            let padding = BLOCK - message.len() % BLOCK;
            let mut padded = message.to_vec();
            padded.resize(message.len() + padding, padding as u8);
            let mut previous = if mode == Mode::Cbc { first_block(iv) } else { [0; BLOCK] };
            for block in padded.chunks_exact(BLOCK) {
                let sealed = cipher.encrypt(xor(previous, block));
                out.extend_from_slice(&sealed);
                if mode == Mode::Cbc {
                    previous = sealed;
                }
            }
        }
        Mode::Gcm => {
            let gcm = Gcm::new(cipher, iv);
            let start = out.len();
            gcm.apply(message, out);
            let tag = gcm.tag(aad, &out[start..]);
            out.extend_from_slice(&tag);
        }
        _ => stream(cipher, mode, first_block(iv), message, true, out),
    }
}

/// Decrypts a message; false when it cannot be one.
pub fn decrypt(cipher: &BlockCipher, mode: Mode, iv: &[u8], aad: &[u8], sealed: &[u8], out: &mut Vec<u8>) -> bool {
    match mode {
        Mode::Ecb | Mode::Cbc => {
            if sealed.is_empty() || !sealed.len().is_multiple_of(BLOCK) {
                return false;
            }
            let start = out.len();
            let mut previous = first_block(iv);
            for block in sealed.chunks_exact(BLOCK) {
                let block = block_of(block);
                let plain = cipher.decrypt(block);
                out.extend_from_slice(&if mode == Mode::Cbc { xor(plain, &previous) } else { plain });
                previous = block;
            }
            let padding = usize::from(*out.last().expect("at least one block"));
            let valid =
                (1..=BLOCK).contains(&padding) && out[out.len() - padding..].iter().all(|b| usize::from(*b) == padding);
            out.truncate(if valid { out.len() - padding } else { start });
            valid
        }
        Mode::Gcm => {
            let Some(body) = sealed.len().checked_sub(TAG) else { return false };
            let (body, tag) = sealed.split_at(body);
            let gcm = Gcm::new(cipher, iv);
            if gcm.tag(aad, body) != tag {
                return false;
            }
            gcm.apply(body, out);
            true
        }
        _ => {
            stream(cipher, mode, first_block(iv), sealed, false, out);
            true
        }
    }
}

/// The first 16 bytes of the vector, zero-filled.
fn first_block(iv: &[u8]) -> Block {
    xor([0; BLOCK], &iv[..iv.len().min(BLOCK)])
}

/// The modes that turn the cipher into a key stream.
fn stream(cipher: &BlockCipher, mode: Mode, mut state: Block, input: &[u8], sealing: bool, out: &mut Vec<u8>) {
    match mode {
        Mode::Cfb1 => {
            let mut shifted = u128::from_be_bytes(state);
            for byte in input {
                let mut result = 0u8;
                for bit in (0..8).rev() {
                    let key = cipher.encrypt(shifted.to_be_bytes())[0] >> 7;
                    let from = byte >> bit & 1;
                    let to = from ^ key;
                    result |= to << bit;
                    shifted = shifted << 1 | u128::from(if sealing { to } else { from });
                }
                out.push(result);
            }
        }
        Mode::Cfb8 => {
            let mut shifted = u128::from_be_bytes(state);
            for byte in input {
                let result = byte ^ cipher.encrypt(shifted.to_be_bytes())[0];
                shifted = shifted << 8 | u128::from(if sealing { result } else { *byte });
                out.push(result);
            }
        }
        _ => {
            for block in input.chunks(BLOCK) {
                let key = cipher.encrypt(state);
                let start = out.len();
                out.extend(block.iter().zip(key).map(|(b, k)| b ^ k));
                state = match mode {
                    Mode::Ofb => key,
                    Mode::Ctr => u128::from_be_bytes(state).wrapping_add(1).to_be_bytes(),
                    // A short last block ends the message: its state is never used.
                    _ => first_block(if sealing { &out[start..] } else { block }),
                };
            }
        }
    }
}

/// Galois/counter mode.
struct Gcm<'a> {
    cipher: &'a BlockCipher,
    hash_key: u128,
    counter: Block,
}

impl<'a> Gcm<'a> {
    fn new(cipher: &'a BlockCipher, iv: &[u8]) -> Self {
        let hash_key = u128::from_be_bytes(cipher.encrypt([0; BLOCK]));
        let counter = if iv.len() == 12 {
            let mut counter = first_block(iv);
            counter[15] = 1;
            counter
        } else {
            ghash(hash_key, &[], iv, (0, iv.len())).to_be_bytes()
        };
        Self { cipher, hash_key, counter }
    }

    fn apply(&self, input: &[u8], out: &mut Vec<u8>) {
        let mut counter = self.counter;
        for block in input.chunks(BLOCK) {
            let low = u32::from_be_bytes(counter[12..].try_into().expect("4 bytes")).wrapping_add(1);
            counter[12..].copy_from_slice(&low.to_be_bytes());
            out.extend(block.iter().zip(self.cipher.encrypt(counter)).map(|(b, k)| b ^ k));
        }
    }

    fn tag(&self, aad: &[u8], sealed: &[u8]) -> Block {
        let hash = ghash(self.hash_key, aad, sealed, (aad.len(), sealed.len()));
        xor(self.cipher.encrypt(self.counter), &hash.to_be_bytes())
    }
}

/// GHASH over two zero-padded parts and their lengths in bytes.
fn ghash(key: u128, first: &[u8], second: &[u8], lengths: (usize, usize)) -> u128 {
    let mut state = 0u128;
    for part in [first, second] {
        for block in part.chunks(BLOCK) {
            state = multiply(state ^ u128::from_be_bytes(first_block(block)), key);
        }
    }
    let bits = ((lengths.0 as u128 * 8) << 64) | (lengths.1 as u128 * 8);
    multiply(state ^ bits, key)
}

/// Product in GF(2^128) with the bit order of GCM.
fn multiply(x: u128, y: u128) -> u128 {
    let mut product = 0;
    let mut v = y;
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= v;
        }
        v = if v & 1 == 1 { v >> 1 ^ 0xe1 << 120 } else { v >> 1 };
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    fn check(mode: Mode, key: &str, iv: &str, plain: &str, sealed: &str) {
        let cipher = BlockCipher::new(&bytes(key)).unwrap();
        let mut out = Vec::new();
        encrypt(&cipher, mode, &bytes(iv), b"", &bytes(plain), &mut out);
        assert_eq!(out[..sealed.len() / 2], bytes(sealed)[..], "{mode:?}");
        let mut back = Vec::new();
        assert!(decrypt(&cipher, mode, &bytes(iv), b"", &out, &mut back));
        assert_eq!(back, bytes(plain), "{mode:?}");
    }

    /// Vectors of NIST SP 800-38A and the GCM specification.
    #[test]
    fn published_vectors() {
        let key = "2b7e151628aed2a6abf7158809cf4f3c";
        let iv = "000102030405060708090a0b0c0d0e0f";
        let plain = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
        check(Mode::Ecb, key, "", plain, "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf");
        check(Mode::Cbc, key, iv, plain, "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2");
        check(Mode::Cfb128, key, iv, plain, "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b");
        check(Mode::Cfb8, key, iv, "6bc1bee22e409f96e93d7e117393172aae2d", "3b79424c9c0dd436bace9e0ed4586a4f32b9");
        check(Mode::Cfb1, key, iv, "6bc1", "68b3");
        check(Mode::Ofb, key, iv, plain, "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed825");
        check(
            Mode::Ctr,
            key,
            "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            plain,
            "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff",
        );
        check(
            Mode::Gcm,
            "00000000000000000000000000000000",
            "000000000000000000000000",
            "00000000000000000000000000000000",
            "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
        );
    }
}
