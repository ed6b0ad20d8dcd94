//! The output: answers from the working thread, beats from a thread of their own.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Error, Pulse};
use crate::wire::{self, Reply};

/// Four beats a second. The wire asks for one.
const BEAT_EVERY: Duration = Duration::from_millis(250);

/// The output and whether work is under way. A beat is written under the same lock that ends the work, so that none
/// can follow its answer.
pub(super) struct Speaker<W> {
    state: Mutex<State<W>>,
    changed: Condvar,
}

struct State<W> {
    output: W,
    working: bool,
    closed: bool,
    broken: Option<io::Error>,
}

impl<W: Write> Speaker<W> {
    pub(super) fn new(output: W) -> Self {
        let state = State { output, working: false, closed: false, broken: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// From now on beats are sent, until the next [`Speaker::say`].
    pub(super) fn begin_work(&self) {
        self.lock().working = true;
        self.changed.notify_all();
    }

    /// Ends the work, if there was any, and sends the message.
    pub(super) fn say(&self, reply: &Reply) -> Result<(), Error> {
        let mut state = self.lock();
        state.working = false;
        self.changed.notify_all();
        if let Some(source) = state.broken.take() {
            return Err(Error::Output { source });
        }
        let line = wire::encode(reply)?;
        write_line(&mut state.output, &line).map_err(|source| Error::Output { source })
    }

    /// Ends the beating thread.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Sends beats while there is work. Returns after [`Speaker::close`].
    pub(super) fn beat(&self, pulse: &Pulse) {
        let mut state = self.lock();
        while !state.closed {
            if !state.working || state.broken.is_some() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (woken, waited) = self.changed.wait_timeout(state, BEAT_EVERY).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if waited.timed_out() && state.working {
                state.broken = send_beat(&mut state.output, pulse).err();
            }
        }
    }

    /// A panic while the lock was held leaves an output that still takes lines.
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send_beat(output: &mut impl Write, pulse: &Pulse) -> io::Result<()> {
    let line = wire::encode(&Reply::Progress(pulse.read())).map_err(io::Error::other)?;
    write_line(output, &line)
}

/// In one call, so that a line never lies in two buffers.
fn write_line(output: &mut impl Write, line: &[u8]) -> io::Result<()> {
    output.write_all(line)?;
    output.flush()
}
