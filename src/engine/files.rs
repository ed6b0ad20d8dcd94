//! Reading the small text files of a checkpoint, with a bound on their size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::{Error, Result};

/// No config or index comes near this; anything larger is the wrong file.
const TEXT_LIMIT_BYTES: u64 = 256 << 20;

/// Reads a whole file of at most 256 MiB.
///
/// # Errors
/// [`Error::Read`] when it cannot be read, [`Error::FileTooLarge`] when it is larger.
pub(super) fn read_bounded(path: &Path, what: &'static str) -> Result<Vec<u8>> {
    let read_error = |source| Error::Read { what, path: path.to_owned(), source };
    let file = File::open(path).map_err(read_error)?;
    let found_bytes = file.metadata().map_err(read_error)?.len();
    if found_bytes > TEXT_LIMIT_BYTES {
        return Err(Error::FileTooLarge { what, path: path.to_owned(), found_bytes, limit_bytes: TEXT_LIMIT_BYTES });
    }
    let mut bytes = Vec::new();
    // The length may be a lie (a pipe, a growing file), so the read itself is bounded too.
    file.take(TEXT_LIMIT_BYTES).read_to_end(&mut bytes).map_err(read_error)?;
    Ok(bytes)
}
