//! Ctrl-C and TERM: noticed once, seen by everyone who waits.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the run is asked to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    asked: watch::Receiver<bool>,
}

impl Stop {
    /// Begins to listen for INT, TERM and HUP; without the right to, a run can only be killed.
    pub(super) fn listen() -> Self {
        let (sender, asked) = watch::channel(false);
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        for mut stream in kinds.into_iter().filter_map(|kind| signal(kind).ok()) {
            let sender = sender.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    sender.send_replace(true);
                }
            });
        }
        Self { asked }
    }

    /// Whether it was asked.
    pub(super) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns once it is asked.
    pub(super) async fn asked(&mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            // Nobody can ask any more, so this never happens.
            std::future::pending::<()>().await;
        }
    }
}
