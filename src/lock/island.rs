//! Where asynchronous work is done, so that callers need not know of it.

use super::Error;

/// Runs `work` to its end on a thread and a runtime of its own, since a caller may already be inside a runtime.
pub(super) fn block_on<T: Send>(work: impl Future<Output = Result<T, Error>> + Send) -> Result<T, Error> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|problem| Error::Client {
            problem: problem.to_string(),
            hint: "check the limits on open files and threads",
        })?;
        let result = runtime.block_on(work);
        // A name that is still being looked up must not keep the caller waiting.
        runtime.shutdown_background();
        result
    };
    // The work has nothing that panics; were that to change, its panic would go on here instead of being lost.
    std::thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}
