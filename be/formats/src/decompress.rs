//! Streaming decompression by the codec names of loads.

use std::io::Read;

use common_base::{Result, bail};

/// The decompressed bytes of a reader. Concatenated streams count as one, as the command line tools have it.
pub fn reader<R: Read + Send + 'static>(codec: &str, input: R) -> Result<Box<dyn Read + Send>> {
    Ok(match codec {
        "" => Box::new(input),
        "gzip" => Box::new(flate2::read::MultiGzDecoder::new(input)),
        "deflate" => Box::new(flate2::read::ZlibDecoder::new(input)),
        "bzip2" => Box::new(bzip2::read::MultiBzDecoder::new(input)),
        "zstd" => Box::new(zstd::stream::read::Decoder::new(input)?),
        "lz4_frame" | "lz4" => Box::new(lz4_flex::frame::FrameDecoder::new(input)),
        other => bail!(NotSupported, "compression '{other}' is not supported"),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    #[test]
    fn every_codec_reads_back() {
        let text = b"1\tone\n2\ttwo\n".repeat(5000);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&text).unwrap();
        let mut zl = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zl.write_all(&text).unwrap();
        let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bz.write_all(&text).unwrap();
        let mut lz = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz.write_all(&text).unwrap();
        let files = [
            ("gzip", gz.finish().unwrap()),
            ("deflate", zl.finish().unwrap()),
            ("bzip2", bz.finish().unwrap()),
            ("lz4_frame", lz.finish().unwrap()),
            ("zstd", zstd::stream::encode_all(&text[..], 1).unwrap()),
            ("", text.clone()),
        ];
        for (codec, file) in files {
            let mut out = Vec::new();
            reader(codec, Cursor::new(file.clone())).unwrap().read_to_end(&mut out).unwrap();
            assert_eq!(out, text, "{codec}");
            if !codec.is_empty() {
                let cut = file[..file.len() / 2].to_vec();
                assert!(reader(codec, Cursor::new(cut)).unwrap().read_to_end(&mut Vec::new()).is_err(), "{codec}");
            }
        }
        assert!(reader("lzo", Cursor::new(Vec::new())).is_err());
    }
}
