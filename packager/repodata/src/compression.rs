//! Compression of metadata files: written as gzip or zstd, read as those, xz or plain, never more than a limit.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::GzBuilder;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

/// What xz may take for its dictionary: twice what the strongest preset needs.
const XZ_MEMORY_MAX: u64 = 128 << 20;

/// zstd's window, as a power of two: what its own programs accept without being told.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How metadata is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Read by every yum and dnf.
    #[default]
    Gzip,
    /// Smaller and faster; read from EL 8 and openEuler 22.03 on.
    Zstd,
    /// Read only.
    Xz,
    /// Read only.
    Plain,
}

impl Compression {
    /// What file names end with after `.xml`.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
            Compression::Xz => ".xz",
            Compression::Plain => "",
        }
    }

    /// A name without the ending of a compression, and that compression; plain when it has none.
    #[must_use]
    pub fn split(name: &str) -> (&str, Compression) {
        let stem = |compression: Compression| {
            let stem = name.strip_suffix(compression.suffix()).filter(|stem| !stem.is_empty())?;
            Some((stem, compression))
        };
        let packed = [Compression::Gzip, Compression::Zstd, Compression::Xz];
        packed.into_iter().find_map(stem).unwrap_or((name, Compression::Plain))
    }

    /// From the name of one of the lists.
    #[must_use]
    pub fn of(name: &str) -> Option<Compression> {
        [Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Plain]
            .into_iter()
            .find(|compression| name.ends_with(&format!(".xml{}", compression.suffix())))
    }
}

/// What a compressor is given at a time. What it makes of a text depends on that.
const BLOCK_BYTES: usize = 64 << 10;

/// Writes compressed. The same text gives the same bytes, however it is cut into pieces: no names, no times, one thread, and blocks of one size.
pub struct Encoder<W: Write> {
    to: Compressor<W>,
    block: Vec<u8>,
}

enum Compressor<W: Write> {
    Gzip(GzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
    Plain(W),
}

impl<W: Write> Encoder<W> {
    /// Over a writer. xz is never written; asking for it writes plain text, whose name says so too.
    pub fn new(to: W, compression: Compression) -> io::Result<Encoder<W>> {
        let to = match compression {
            Compression::Gzip => Compressor::Gzip(GzBuilder::new().write(to, flate2::Compression::default())),
            Compression::Zstd => {
                Compressor::Zstd(zstd::stream::write::Encoder::new(to, zstd::DEFAULT_COMPRESSION_LEVEL)?)
            }
            Compression::Xz | Compression::Plain => Compressor::Plain(to),
        };
        Ok(Encoder { to, block: Vec::with_capacity(BLOCK_BYTES) })
    }

    /// Writes what is left and returns the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.give()?;
        match self.to {
            Compressor::Gzip(encoder) => encoder.finish(),
            Compressor::Zstd(encoder) => encoder.finish(),
            Compressor::Plain(to) => Ok(to),
        }
    }

    fn give(&mut self) -> io::Result<()> {
        match &mut self.to {
            Compressor::Gzip(encoder) => encoder.write_all(&self.block)?,
            Compressor::Zstd(encoder) => encoder.write_all(&self.block)?,
            Compressor::Plain(to) => to.write_all(&self.block)?,
        }
        self.block.clear();
        Ok(())
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() == BLOCK_BYTES {
            self.give()?;
        }
        let taken = bytes.len().min(BLOCK_BYTES - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// What is not a whole block stays: handing it on would change what comes out.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads decompressed; an error at the byte after `limit`.
pub fn decoder<'r>(from: impl BufRead + 'r, compression: Compression, limit: u64) -> io::Result<impl BufRead + 'r> {
    let plain: Box<dyn Read + 'r> = match compression {
        Compression::Gzip => Box::new(MultiGzDecoder::new(from)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(from)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
        Compression::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY_MAX, liblzma::stream::CONCATENATED)?;
            Box::new(XzDecoder::new_stream(from, stream))
        }
        Compression::Plain => Box::new(from),
    };
    Ok(BufReader::with_capacity(1 << 16, Limited { from: plain, left: limit }))
}

/// A reader that refuses to go past a limit, instead of pretending that there is no more.
struct Limited<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(block)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "it decompresses to more than metadata may have")
        })?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::{BLOCK_BYTES, Compression, Encoder, decoder};

    fn packed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new(), compression).expect("encoder");
        encoder.write_all(bytes).expect("written");
        encoder.finish().expect("finished")
    }

    fn unpacked(compression: Compression, bytes: &[u8], limit: u64) -> std::io::Result<Vec<u8>> {
        let mut text = Vec::new();
        decoder(bytes, compression, limit)?.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn names_end_in_their_compression() {
        assert_eq!(Compression::split("comps.xml.gz"), ("comps.xml", Compression::Gzip));
        assert_eq!(Compression::split("icons.tar.zst"), ("icons.tar", Compression::Zstd));
        assert_eq!(Compression::split("a.xz"), ("a", Compression::Xz));
        assert_eq!(Compression::split(".gz"), (".gz", Compression::Plain));
        assert_eq!(Compression::split("productid.pem"), ("productid.pem", Compression::Plain));
    }

    #[test]
    fn what_is_written_is_read_and_never_more_than_the_limit() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for compression in [Compression::Gzip, Compression::Zstd, Compression::Plain] {
            let bytes = packed(compression, &text);
            assert_eq!(bytes, packed(compression, &text), "{compression:?} is stable");
            assert_eq!(unpacked(compression, &bytes, 400_000).expect("read"), text);
            unpacked(compression, &bytes, 399_999).expect_err("one byte less");
        }
    }

    #[test]
    fn how_a_text_is_cut_into_pieces_does_not_matter() {
        let text: Vec<u8> = (0..300_000_u32)
            .flat_map(|number| format!("<entry name=\"{}\"/>\n", number * 7919 % 5000).into_bytes())
            .collect();
        for compression in [Compression::Gzip, Compression::Zstd, Compression::Plain] {
            let whole = packed(compression, &text);
            for size in [1, 7, 1000, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 1 << 20] {
                let text = if size == 1 { &text[..100_000] } else { &text };
                let whole = if size == 1 { packed(compression, text) } else { whole.clone() };
                let mut encoder = Encoder::new(Vec::new(), compression).expect("an encoder");
                for piece in text.chunks(size) {
                    encoder.write_all(piece).expect("written");
                    encoder.flush().expect("nothing to do");
                }
                assert!(encoder.finish().expect("written") == whole, "{compression:?}, {size}");
            }
        }
    }

    #[test]
    fn xz_is_read() {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
        encoder.write_all(b"metadata").expect("written");
        let bytes = encoder.finish().expect("finished");
        assert_eq!(unpacked(Compression::Xz, &bytes, 8).expect("read"), b"metadata");
        unpacked(Compression::Xz, &bytes, 7).expect_err("one byte less");
        unpacked(Compression::Xz, b"metadata", 8).expect_err("no xz");
    }

    #[test]
    fn names_say_how_a_file_is_compressed() {
        for (name, compression) in [
            ("a-primary.xml.gz", Some(Compression::Gzip)),
            ("primary.xml.zst", Some(Compression::Zstd)),
            ("primary.xml.xz", Some(Compression::Xz)),
            ("primary.xml", Some(Compression::Plain)),
            ("primary.xml.bz2", None),
            ("primary.sqlite.gz", None),
        ] {
            assert_eq!(Compression::of(name), compression, "{name}");
        }
    }
}
