//! One repetition of one cell: the only place where the measuring clock is read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::{Backend, Error, Finished, Pulse};
use crate::terms::{Phase, SamplingSpec};
use crate::wire::Work;

/// A repetition that was done.
#[derive(Debug)]
pub(super) struct Timed {
    /// Time of [`Backend::measure`], in nanoseconds.
    pub(super) wall_ns: u64,
    pub(super) finished: Finished,
}

/// Prepares, measures and finishes; an error or a panic of the backend comes back as an error.
///
/// # Errors
/// [`Error::InvalidWork`], [`Error::Panicked`], or what the backend says.
pub(super) fn repetition<B: Backend>(
    backend: &mut B,
    work: &Work,
    slowdown_pct: Option<f64>,
    max_positions: u32,
    pulse: &Pulse,
) -> Result<Timed, Error> {
    check(work, max_positions)?;
    check_slowdown(slowdown_pct)?;
    catching("running a cell", || {
        let mut job = backend.prepare(work, pulse)?;
        let start = Instant::now();
        backend.measure(&mut job, pulse)?;
        if let Some(pct) = slowdown_pct {
            let until = start.elapsed().mul_f64(1.0 + pct / 100.0);
            while start.elapsed() < until {
                std::hint::spin_loop();
            }
        }
        let wall = start.elapsed();
        let finished = backend.finish(job)?;
        Ok(Timed { wall_ns: nanoseconds(wall), finished })
    })
}

/// Runs something with its clock time.
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let start = Instant::now();
    let value = work();
    (nanoseconds(start.elapsed()), value)
}

fn nanoseconds(wall: std::time::Duration) -> u64 {
    u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX)
}

/// Turns a panic into an error. What the backend held may be half changed after it; the supervisor replaces the
/// process after any failure, so nothing is measured with it.
pub(super) fn catching<T>(doing: &'static str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a message".to_owned());
        Err(Error::Panicked { doing, message })
    })
}

fn check_slowdown(pct: Option<f64>) -> Result<(), Error> {
    match pct {
        Some(pct) if !(0.0..=1_000.0).contains(&pct) => Err(Error::InvalidWork {
            field: "slowdown_pct",
            found: pct.to_string(),
            expected: "from 0 to 1000".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Checks what needs no model to check.
fn check(work: &Work, max_positions: u32) -> Result<(), Error> {
    let invalid =
        |field, found: String, expected: &str| Err(Error::InvalidWork { field, found, expected: expected.to_owned() });
    if work.prompt.is_empty() {
        return invalid("prompt", "empty".to_owned(), "at least one token");
    }
    match (work.phase, work.new_tokens) {
        (_, 0) => return invalid("new_tokens", "0".to_owned(), "at least 1"),
        (Phase::Prefill, more @ 2..) => return invalid("new_tokens", more.to_string(), "1 for prefill"),
        _ => {}
    }
    let positions = (work.prompt.len() as u64).saturating_add(u64::from(work.new_tokens));
    if positions > u64::from(max_positions) {
        return Err(Error::InvalidWork {
            field: "new_tokens",
            found: format!("{} after a prompt of {}", work.new_tokens, work.prompt.len()),
            expected: format!("at most {max_positions} positions in all, as `load` announced"),
        });
    }
    let SamplingSpec::Seeded { temperature, top_k, top_p, .. } = &work.sampling else { return Ok(()) };
    if !(temperature.is_finite() && *temperature > 0.0) {
        return invalid("sampling.temperature", temperature.to_string(), "a finite number above 0");
    }
    if *top_k == Some(0) {
        return invalid("sampling.top_k", "0".to_owned(), "at least 1, or no top_k");
    }
    match top_p {
        Some(top_p) if !(*top_p > 0.0 && *top_p <= 1.0) => {
            invalid("sampling.top_p", top_p.to_string(), "above 0 and at most 1, or no top_p")
        }
        _ => Ok(()),
    }
}
