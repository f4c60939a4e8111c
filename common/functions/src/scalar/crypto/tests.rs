//! Examples of the digest, cipher and encoding functions.

use common_types::{LogicalType as T, Scalar};

use super::register;
use crate::kernels::testing::{call, null, own};

fn check(name: &str, args: &[(T, Scalar)], want: &str) {
    assert_eq!(call(register, name, args), want, "{name}({args:?})");
}

#[test]
fn digests() {
    check("md5", &[own("abc")], "900150983cd24fb0d6963f7d28e17f72");
    check("md5sum", &[null(T::varchar())], "d41d8cd98f00b204e9800998ecf8427e");
    check("md5sum", &[own("a"), null(T::varchar()), own("bc")], "900150983cd24fb0d6963f7d28e17f72");
    check("md5sum_numeric", &[null(T::varchar())], "-58332598431525814501020785164969033090");
    check("sha2", &[own("abc"), own(256)], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check("sha2", &[own("abc"), own(224)], "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
    check("sha2", &[own("abc"), own(1)], "NULL");
    check("sm3", &[own("abc")], "66c7f0f4 62eeedd9 d1f2d46b dc10e4e2 4167c487 5cf2f7a2 297da02b 8f4ba8e0");
}

#[test]
fn text_forms() {
    check("hex", &[own(255)], "FF");
    check("hex", &[own(-1_i64)], "FFFFFFFFFFFFFFFF");
    check("hex", &[own("abc")], "616263");
    check("unhex", &[own("616263")], "abc");
    check("unhex", &[own("61626")], "");
    check("to_base64", &[own("starrocks")], "c3RhcnJvY2tz");
    check("from_base64", &[own("c3RhcnJvY2tz")], "starrocks");
    check("from_base64", &[own("*")], "NULL");
    check("from_binary", &[call_binary("616263"), own("utf8")], "abc");
}

fn call_binary(hex: &str) -> (T, Scalar) {
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
    (T::Varbinary(None), Scalar::Binary(bytes.into()))
}

#[test]
fn aes() {
    let key = "F3229A0B371ED2D9441B830D21A390C3";
    let mut registry = common_expr::registry::FunctionRegistry::default();
    register(&mut registry);
    let run = |name: &str, args: &[Scalar]| {
        let types: Vec<T> = args.iter().map(Scalar::ty).collect();
        let call = registry.scalar(name, &types).unwrap();
        let columns: Vec<_> = args.iter().map(|a| a.to_column(&T::varchar(), 1)).collect();
        common_expr::eval::run_kernel(&Default::default(), &call, &columns, 1).unwrap().scalar(0)
    };
    let sealed = run("aes_encrypt", &["starrocks".into(), key.into()]);
    assert_eq!(run("to_base64", &[sealed.clone()]).to_string(), "uv/Lhzm74syo8JlfWarwKA==");
    assert_eq!(run("aes_decrypt", &[sealed, key.into()]).to_string(), "starrocks");
    let gcm = |name: &str, text: Scalar| {
        run(name, &[text, key.into(), "123456789012".into(), "AES_256_GCM".into(), "aad".into()])
    };
    let sealed = gcm("aes_encrypt", "starrocks".into());
    assert_eq!(gcm("aes_decrypt", sealed).to_string(), "starrocks");
    assert!(gcm("aes_decrypt", "nonsense".into()).is_null());
}
