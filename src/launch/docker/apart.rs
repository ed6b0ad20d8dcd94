//! Removal when a value is dropped.

use std::future::Future;
use std::thread;

use super::Engine;

/// Does `removal` by the engine at `host` before it returns. The runtime that the caller runs on may be ending, so this
/// brings its own. What it cannot do is left to the sweep at the next start.
pub(super) fn remove_apart<R: Future>(host: String, removal: impl FnOnce(Engine) -> R + Send + 'static) {
    let removing = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            if let Ok(engine) = Engine::connect(Some(&host)).await {
                removal(engine).await;
            }
        });
    });
    let _ = removing.join();
}
