//! How far the work is: written by the working thread, read by the beating one.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::wire::{Progress, Step};

/// The step under way and the units done in it. Writing costs a relaxed store: no lock, no call into the kernel.
#[derive(Debug)]
pub struct Pulse {
    step: AtomicU8,
    done: AtomicU64,
}

/// In the order of their codes.
const STEPS: [Step; 4] = [Step::Load, Step::Compile, Step::Warmup, Step::Measure];

impl Pulse {
    /// A pulse at the begin of a step.
    #[must_use]
    pub fn new(step: Step) -> Self {
        let pulse = Self { step: AtomicU8::new(0), done: AtomicU64::new(0) };
        pulse.enter(step);
        pulse
    }

    /// Begins a step; nothing of it is done.
    pub fn enter(&self, step: Step) {
        let code = STEPS.iter().zip(0u8..).find(|(known, _)| **known == step).map_or(0, |(_, code)| code);
        self.done.store(0, Ordering::Relaxed);
        self.step.store(code, Ordering::Relaxed);
    }

    /// Adds units: tokens, tensors, bytes.
    pub fn advance(&self, units: u64) {
        // One writer at a time, so that a load and a store do, and the timed loop needs no locked instruction.
        self.done.store(self.done.load(Ordering::Relaxed).wrapping_add(units), Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Progress {
        let step = STEPS.get(usize::from(self.step.load(Ordering::Relaxed))).copied().unwrap_or(Step::Load);
        Progress { step, done: self.done.load(Ordering::Relaxed) }
    }
}
