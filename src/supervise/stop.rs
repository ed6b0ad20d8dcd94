//! Ctrl-C, TERM and the end of a run's time budget: the first asks whoever waits to stop, the next one, or one that nobody
//! waits for, ends the process.

use std::sync::LazyLock;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tokio::sync::watch;

/// One listener for the whole process: signals are its own, and not a run's.
static ASKED: LazyLock<watch::Sender<bool>> = LazyLock::new(|| {
    let sender = watch::Sender::new(false);
    // Without the right to listen a run can only be killed, which its journal survives.
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) {
        let asked = sender.clone();
        std::thread::spawn(move || {
            for signal in signals.forever() {
                let waited_for = asked.receiver_count() > 0;
                if !waited_for || asked.send_replace(true) {
                    let _ = emulate_default_handler(signal);
                }
            }
        });
    }
    sender
});

/// Whether the run is asked to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    asked: watch::Receiver<bool>,
}

impl Stop {
    /// Begins to listen for INT, TERM and HUP. A signal that comes after the last `Stop` is gone ends the process, as
    /// does a second one.
    pub(super) fn listen() -> Self {
        ASKED.send_replace(false);
        Self { asked: ASKED.subscribe() }
    }

    /// The same, and asks by itself once `budget` is over.
    pub(super) fn listen_for(budget: Option<Duration>) -> Self {
        let stop = Self::listen();
        if let Some(budget) = budget {
            tokio::spawn(async move {
                tokio::time::sleep(budget).await;
                ASKED.send_replace(true);
            });
        }
        stop
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
