//! The process's standard output, kept for the wire alone.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

/// Takes standard output away from everything else in the process: the file that comes back is where the wire goes,
/// and whatever prints to standard output from now on lands on standard error.
///
/// # Errors
/// A file descriptor could not be duplicated.
pub fn take_stdout() -> io::Result<File> {
    let wire = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(wire))
}
