//! Table of the digest, cipher and text-encoding functions.

mod aes;
mod aes_modes;
pub mod base64;
mod digest;
mod encode;
mod hex;

#[cfg(test)]
mod tests;

use common_expr::registry::FunctionRegistry;

/// Adds the functions of this folder.
pub fn register(r: &mut FunctionRegistry) {
    aes::register(r);
    base64::register(r);
    digest::register(r);
    encode::register(r);
    hex::register(r);
}
