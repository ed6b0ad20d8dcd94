//! The compressed form in which a snapshot keeps a journal.
//!
//! It is xz: what each launch's preflight tells is the same again and again, further apart than the 32 KiB that gzip looks
//! back. Archives by gzip, which is what lockstep wrote before, are read all the same; the first bytes say which it is.

use std::io::{ErrorKind, Read, Write as _};

use flate2::bufread::GzDecoder;
use lzma_rust2::{XzOptions, XzReader, XzWriter};

use super::Error;

const XZ: [u8; 2] = [0xfd, b'7'];
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// `xz`'s own default: a window of 8 MiB, longer than the journals of most runs.
const PRESET: u32 = 6;
/// What the window of `xz -9` takes, and some more.
const MOST_MEMORY_KIB: u32 = 96 << 10;

/// Compresses a journal as xz; the same bytes give the same archive.
#[must_use]
pub fn compress(bytes: &[u8]) -> Vec<u8> {
    let packed = XzWriter::new(Vec::new(), XzOptions::with_preset(PRESET)).and_then(|mut encoder| {
        encoder.write_all(bytes)?;
        encoder.finish()
    });
    packed.expect("a Vec takes every byte")
}

/// Unpacks what [`compress`] made, or a gzip file, up to `limit_bytes` of it.
///
/// # Errors
/// [`Error::Archive`] when it is no such archive or is damaged, [`Error::Bomb`] when it holds more than the limit.
pub fn decompress(archive: &[u8], limit_bytes: u64) -> Result<Vec<u8>, Error> {
    if archive.starts_with(&XZ) {
        let mut decoder = XzReader::new_mem_limit(archive, false, MOST_MEMORY_KIB);
        let bytes = read_all(&mut decoder, limit_bytes)?;
        nothing_follows(decoder.into_inner(), bytes)
    } else if archive.starts_with(&GZIP) {
        let mut decoder = GzDecoder::new(archive);
        let bytes = read_all(&mut decoder, limit_bytes)?;
        nothing_follows(decoder.into_inner(), bytes)
    } else {
        Err(Error::Archive { message: "it begins neither as an xz file nor as a gzip file".to_owned() })
    }
}

fn read_all(decoder: &mut impl Read, limit_bytes: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = decoder.take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| match error.kind() {
        ErrorKind::OutOfMemory => {
            Error::Archive { message: format!("unpacking it takes more than {} MiB of memory", MOST_MEMORY_KIB >> 10) }
        }
        _ => Error::Archive { message: error.to_string() },
    })?;
    if bytes.len() as u64 > limit_bytes { Err(Error::Bomb { limit_bytes }) } else { Ok(bytes) }
}

fn nothing_follows(rest: &[u8], bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    match rest.len() {
        0 => Ok(bytes),
        more => Err(Error::Archive { message: format!("{more} bytes follow its end") }),
    }
}

/// Whether the bytes begin as an archive does; no journal begins so.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&XZ) || bytes.starts_with(&GZIP)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::terms::Digest;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Bytes that do not compress.
    fn noise(bytes: usize) -> Vec<u8> {
        let block = |index: usize| Digest::of(&index.to_le_bytes()).hex().into_bytes();
        (0..bytes / 64).flat_map(block).collect()
    }

    #[test]
    fn the_same_bytes_give_the_same_archive_and_come_back_from_it() {
        let bytes = b"one line\nanother line\n".repeat(1_000);
        let archive = compress(&bytes);
        assert_eq!(archive, compress(&bytes));
        assert!(archive.len() < bytes.len() / 20);
        assert_eq!(decompress(&archive, bytes.len() as u64).unwrap(), bytes);
        assert_eq!(decompress(&compress(b""), 0).unwrap(), b"");
    }

    #[test]
    fn what_repeats_far_apart_is_stored_once() {
        let launch = noise(256 << 10);
        let archive = compress(&launch.repeat(8));
        assert!(archive.len() < launch.len(), "{} bytes", archive.len());
        assert!(gzip(&launch.repeat(8)).len() > 2 * launch.len());
    }

    #[test]
    fn an_archive_by_gzip_is_read_too() {
        let bytes = b"row\n".repeat(1_000);
        assert_eq!(decompress(&gzip(&bytes), bytes.len() as u64).unwrap(), bytes);
        assert!(is_archive(&gzip(&bytes)) && is_archive(&compress(&bytes)) && !is_archive(b"{\"record\""));
    }

    #[test]
    fn an_archive_that_grows_past_the_limit_is_refused() {
        for archive in [compress(&vec![0; 10 << 20]), gzip(&vec![0; 10 << 20])] {
            assert!(archive.len() < 16 << 10);
            let refused = decompress(&archive, 1 << 20);
            assert!(matches!(refused, Err(Error::Bomb { limit_bytes }) if limit_bytes == 1 << 20));
            assert!(decompress(&archive, 10 << 20).is_ok());
        }
    }

    #[test]
    fn an_archive_that_asks_for_much_memory_is_refused_before_it_gets_it() {
        let mut options = XzOptions::with_preset(PRESET);
        options.lzma_options.dict_size = 256 << 20;
        let mut encoder = XzWriter::new(Vec::new(), options).unwrap();
        encoder.write_all(b"row\n").unwrap();
        let refused = decompress(&encoder.finish().unwrap(), 1 << 20).unwrap_err().to_string();
        assert!(refused.contains("more than 96 MiB of memory"), "{refused}");
    }

    #[test]
    fn a_damaged_archive_is_refused_wherever_the_damage_is() {
        let bytes = b"row\n".repeat(100);
        for archive in [compress(&bytes), gzip(&bytes)] {
            for length in 0..archive.len() {
                assert!(
                    matches!(decompress(&archive[..length], 1 << 20), Err(Error::Archive { .. })),
                    "cut to {length}"
                );
            }
            let longer = [archive.as_slice(), b"x"].concat();
            assert!(matches!(decompress(&longer, 1 << 20), Err(Error::Archive { .. })));
            let mut changed = archive.clone();
            let last = changed.len() - 6;
            changed[last] ^= 1;
            assert!(matches!(decompress(&changed, 1 << 20), Err(Error::Archive { .. })));
        }
        let neither = decompress(b"no archive", 1 << 20).unwrap_err().to_string();
        assert!(neither.contains("neither as an xz file nor as a gzip file"), "{neither}");
    }

    #[test]
    fn no_changed_byte_of_an_archive_passes_unseen() {
        let bytes = b"row\n".repeat(100);
        let archive = compress(&bytes);
        for index in 0..archive.len() {
            let mut changed = archive.clone();
            changed[index] ^= 0x10;
            assert!(!matches!(decompress(&changed, 1 << 20), Ok(found) if found != bytes), "byte {index}");
        }
    }
}
