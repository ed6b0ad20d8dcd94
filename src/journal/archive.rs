//! The compressed form in which a snapshot keeps a journal.

use std::io::{Read as _, Write as _};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};

use super::Error;

/// `unknown` in RFC 1952, section 2.3.1, so that the archive does not tell where it was made.
const UNKNOWN_SYSTEM: u8 = 255;

/// Compresses a journal as gzip, without a time or a name: the same bytes give the same archive.
#[must_use]
pub fn compress(bytes: &[u8]) -> Vec<u8> {
    let encoder = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
    let mut encoder = encoder.write(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("a Vec takes every byte");
    encoder.finish().expect("a Vec takes every byte")
}

/// Unpacks what [`compress`] made, up to `limit_bytes` of it.
///
/// # Errors
/// [`Error::Archive`] when it is no such archive or is damaged, [`Error::Bomb`] when it holds more than the limit.
pub fn decompress(archive: &[u8], limit_bytes: u64) -> Result<Vec<u8>, Error> {
    let damaged = |message: String| Error::Archive { message };
    let mut decoder = GzDecoder::new(archive);
    let mut bytes = Vec::new();
    let read = (&mut decoder).take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| damaged(error.to_string()))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(Error::Bomb { limit_bytes });
    }
    match decoder.into_inner().len() {
        0 => Ok(bytes),
        more => Err(damaged(format!("{more} bytes follow its end"))),
    }
}

/// Whether the bytes begin as a gzip file does; no journal begins so.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_give_the_same_archive_and_come_back_from_it() {
        let bytes = b"one line\nanother line\n".repeat(1_000);
        let archive = compress(&bytes);
        assert_eq!(archive, compress(&bytes));
        assert!(archive.len() < bytes.len() / 20);
        assert_eq!(archive.get(4..10), Some(&[0, 0, 0, 0, 2, 255][..]), "no time, best compression, no system");
        assert_eq!(decompress(&archive, bytes.len() as u64).unwrap(), bytes);
        assert_eq!(decompress(&compress(b""), 0).unwrap(), b"");
    }

    #[test]
    fn an_archive_that_grows_past_the_limit_is_refused() {
        let archive = compress(&vec![0; 10 << 20]);
        assert!(archive.len() < 16 << 10);
        assert!(matches!(decompress(&archive, 1 << 20), Err(Error::Bomb { limit_bytes }) if limit_bytes == 1 << 20));
        assert!(decompress(&archive, 10 << 20).is_ok());
    }

    #[test]
    fn a_damaged_archive_is_refused_wherever_the_damage_is() {
        let archive = compress(&b"row\n".repeat(100));
        for length in 0..archive.len() {
            assert!(matches!(decompress(&archive[..length], 1 << 20), Err(Error::Archive { .. })), "cut to {length}");
        }
        let longer = [archive.as_slice(), b"x"].concat();
        assert!(matches!(decompress(&longer, 1 << 20), Err(Error::Archive { .. })));
        let mut changed = archive.clone();
        let last = changed.len() - 6;
        changed[last] ^= 1;
        assert!(matches!(decompress(&changed, 1 << 20), Err(Error::Archive { .. })));
        assert!(matches!(decompress(b"no gzip", 1 << 20), Err(Error::Archive { .. })));
    }
}
