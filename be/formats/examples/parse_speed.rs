//! How fast a CSV file is split and parsed on one core: `speed FILE COLUMNS`.

use std::io::Write;
use std::time::Instant;

use be_formats::Format;
use common_base::{Result, err};
use proto_messages::plan::FileFormat;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(path), Some(columns)) = (args.next(), args.next()) else { return Err(err!(InvalidArgument, "usage: speed FILE COLUMNS")) };
    let columns: usize = columns.parse().map_err(|e| err!(InvalidArgument, "{e}"))?;
    let file = std::fs::read(path)?;
    let format = Format::from_proto(&FileFormat { kind: "csv".to_owned(), columns: vec![String::new(); columns], ..FileFormat::default() })?;
    let started = Instant::now();
    let (mut splitter, mut blocks) = (format.splitter(), Vec::new());
    for piece in file.chunks(1 << 16) {
        splitter.push(piece, &mut blocks)?;
    }
    splitter.finish(&mut blocks)?;
    let split = started.elapsed();
    let started = Instant::now();
    let (mut parser, mut rows, mut bad) = (format.parser(), 0, 0);
    for block in blocks {
        rows += parser.parse(block, &mut |_, _| bad += 1)?.iter().map(|c| c.rows()).sum::<usize>();
    }
    let parsed = started.elapsed();
    let rate = |t: std::time::Duration| file.len() as f64 / t.as_secs_f64() / 1e6;
    writeln!(std::io::stdout(), "{rows} rows, {bad} bad; split {:.0} MB/s, parse {:.0} MB/s", rate(split), rate(parsed))?;
    Ok(())
}
