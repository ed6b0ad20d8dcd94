//! A committed file that follows from others. `LOCKSTEP_WRITE_COMMITTED=1 cargo test --test NAME` writes it anew where it
//! differs; whoever changes what the judge says reads the difference before committing it. CI writes nothing.

use std::path::Path;

/// That the file at `path` holds `again`.
pub fn follows(path: &Path, again: &str) {
    if std::env::var_os("LOCKSTEP_WRITE_COMMITTED").is_some() && std::env::var_os("CI").is_none() {
        std::fs::write(path, again).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == again, "{} is not what follows from its inputs", path.display());
}
