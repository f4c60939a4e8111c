//! The dialects, and that it does not matter where the bytes are cut.

use common_types::{Scalar, display};

use super::*;
use crate::reader::{Block, BlockParser, Splitter};

fn options(columns: usize) -> CsvOptions {
    CsvOptions {
        column_separator: Bytes::from_static(b"\t"),
        row_delimiter: Bytes::from_static(b"\n"),
        enclose: None,
        escape: None,
        skip_header: 0,
        trim_space: false,
        columns,
    }
}

/// Rows as texts (`NULL` for NULL) and the bad rows, with blocks and pieces of some size.
fn load(options: &CsvOptions, file: &[u8], block: usize, piece: usize) -> (Vec<Vec<String>>, Vec<String>) {
    let mut splitter = CsvSplitter::with_block_bytes(options.clone(), block);
    let mut blocks: Vec<Block> = Vec::new();
    for piece in file.chunks(piece) {
        splitter.push(piece, &mut blocks).unwrap();
    }
    splitter.finish(&mut blocks).unwrap();
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    let mut parser = CsvParser::new(options.clone());
    for block in blocks {
        let chunks = parser.parse(block, &mut |reason, row| bad.push(format!("{reason}: {}", String::from_utf8_lossy(row)))).unwrap();
        for chunk in chunks {
            for row in 0..chunk.rows() {
                let text = |c: &common_types::Column| {
                    if c.scalar(row) == Scalar::Null {
                        return "NULL".to_owned();
                    }
                    let mut out = Vec::new();
                    display::append_text(c, row, &mut out);
                    String::from_utf8(out).unwrap()
                };
                rows.push(chunk.columns().iter().map(text).collect());
            }
        }
    }
    (rows, bad)
}

/// The same answer for every way to cut.
fn check(options: &CsvOptions, file: &str, expected: &[&[&str]], bad: &[&str]) {
    for block in [1, 2, 3, 7, 16, 1 << 20] {
        for piece in [1, 2, 5, 1 << 20] {
            let (rows, refused) = load(options, file.as_bytes(), block, piece);
            assert_eq!(rows, expected, "block {block}, piece {piece}");
            assert_eq!(refused, bad, "block {block}, piece {piece}");
        }
    }
}

#[test]
fn plain_rows() {
    let file = "1\tone\tx\n\\N\t\tlonger than twelve bytes\n\n2\tb\n3\tc\td\te\n4\t\\N\tlast";
    check(
        &options(3),
        file,
        &[&["1", "one", "x"], &["NULL", "", "longer than twelve bytes"], &["4", "NULL", "last"]],
        &[
            "Value count does not match column count. Expect 3, but got 2: 2\tb",
            "Value count does not match column count. Expect 3, but got 4: 3\tc\td\te",
        ],
    );
}

#[test]
fn separators_of_several_bytes_header_and_spaces() {
    let dialect = CsvOptions {
        column_separator: Bytes::from_static(b"||"),
        row_delimiter: Bytes::from_static(b"\r\n"),
        skip_header: 2,
        trim_space: true,
        ..options(2)
    };
    check(&dialect, "h||h\r\nx\r\n 1 || a b \r\n2||\\N\r\n", &[&["1", "a b"], &["2", "NULL"]], &[]);
}

#[test]
fn enclosed_and_escaped_fields() {
    let dialect = CsvOptions { column_separator: Bytes::from_static(b","), enclose: Some(b'"'), escape: Some(b'\\'), skip_header: 1, ..options(3) };
    let file = "a,\"b\nstill header\",c\n1,\"a,b\nc\",\"say \"\"hi\"\"\"\n2,x\\,y,\"q\\\"q\"\n\\N,\"\\N\",\"\"\n5,6\n";
    check(
        &dialect,
        file,
        &[&["1", "a,b\nc", "say \"hi\""], &["2", "x,y", "q\"q"], &["NULL", "N", ""]],
        &["Value count does not match column count. Expect 3, but got 2: 5,6"],
    );
}

#[test]
fn many_rows_become_several_chunks() {
    let file: String = (0..10_000).map(|i| format!("{i}\tvalue number {i}\n")).collect();
    let (rows, bad) = load(&options(2), file.as_bytes(), 1 << 20, 1 << 16);
    assert_eq!((rows.len(), bad.len()), (10_000, 0));
    assert_eq!(rows[9_999], ["9999", "value number 9999"]);
}
