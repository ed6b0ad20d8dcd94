//! The engine of this binary as a backend.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Backend, Error, Finished, LoadOrder, Pulse, Signals};
use crate::engine::{FinishReason, Generation, KvCacheKind, Model, Sampler, Sampling, Session, Stop};
use crate::terms::{Axes, Phase, SamplingSpec, SignalValue, Stage, StopReason};
use crate::wire::Work;

/// What its greeting calls it, and a manifest as `runner`.
pub const NATIVE: &str = "native";
const DTYPE: &str = "f32";

/// Axes that this backend has one value of; a lane that declares another is mistaken about what it measures.
const FIXED_AXES: [(&str, &[&str]); 7] = [
    ("attention", &["eager"]),
    ("compile_mode", &["none", "eager"]),
    ("cuda_graphs", &["none"]),
    ("device", &["cpu"]),
    ("dtype", &[DTYPE]),
    ("dynamic", &["none"]),
    ("quantization", &["none"]),
];

/// The engine, before and after `load`.
#[derive(Debug, Default)]
pub struct NativeBackend {
    loaded: Option<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    model: &'static Model,
    cache: KvCacheKind,
    /// Positions of a static cache.
    capacity: usize,
    threads: usize,
    /// The sequence of the last repetition, kept for the memory of its static cache.
    idle: Option<Session<'static>>,
}

/// A repetition on the engine.
#[derive(Debug)]
pub struct NativeJob {
    session: Session<'static>,
    sampler: Sampler,
    stop: Stop,
    phase: Phase,
    prompt: Vec<u32>,
    count: usize,
    /// t0 of `kv_decode`.
    first: Option<u32>,
    output: Generation,
    /// Forward passes of the timed part: each gives one token.
    forward_passes: u64,
}

impl Backend for NativeBackend {
    type Job = NativeJob;

    fn name(&self) -> &str {
        NATIVE
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn signals(&mut self, _: Stage, _: &Pulse) -> Result<Signals, Error> {
        let mut signals = BTreeMap::from([
            ("runner.name".to_owned(), SignalValue::from(NATIVE)),
            ("runner.version".to_owned(), SignalValue::from(env!("CARGO_PKG_VERSION"))),
            ("threads".to_owned(), whole(threads())),
        ]);
        if let Some(loaded) = &self.loaded {
            signals.extend([
                ("engine.name".to_owned(), SignalValue::from(NATIVE)),
                ("engine.cache".to_owned(), SignalValue::from(loaded.cache.name())),
                ("engine.dtype".to_owned(), SignalValue::from(DTYPE)),
                ("engine.model_type".to_owned(), SignalValue::from(loaded.model.config().architecture.name())),
            ]);
        }
        Ok(signals)
    }

    fn load(&mut self, order: LoadOrder<'_>, pulse: &Pulse) -> Result<(), Error> {
        let cache = check_axes(order.axes)?;
        let model = Model::load_reporting(Path::new(order.model_dir), &mut |bytes| pulse.advance(bytes))
            .map_err(|error| failed("loading the model", error))?;
        let positions = model.config().max_positions;
        let capacity = usize::try_from(order.max_positions).unwrap_or(usize::MAX);
        if capacity > positions {
            return Err(Error::TooFewPositions { needed: order.max_positions, available: positions });
        }
        // A launch loads one model and keeps it until the process ends.
        let model = Box::leak(Box::new(model));
        self.loaded = Some(Loaded { model, cache, capacity, threads: threads(), idle: None });
        Ok(())
    }

    fn prepare(&mut self, work: &Work, pulse: &Pulse) -> Result<NativeJob, Error> {
        let loaded = self.loaded.as_mut().ok_or(Error::NotLoaded { doing: "run a cell" })?;
        check_cell_axes(&work.axes, loaded.cache)?;
        let mut session = match loaded.idle.take() {
            Some(mut session) => {
                session.reset();
                session
            }
            None => Session::new(loaded.model, loaded.cache, loaded.capacity).map_err(preparing)?,
        };
        let mut sampler = Sampler::new(&sampling(&work.sampling)).map_err(preparing)?;
        let mut first = None;
        if work.phase == Phase::KvDecode {
            let logits = session.prefill(&work.prompt).map_err(preparing)?;
            first = Some(sampler.sample(&logits).map_err(preparing)?);
            pulse.advance(1);
        }
        Ok(NativeJob {
            session,
            sampler,
            stop: if work.ignore_eos { Stop::at_length() } else { Stop::at_eos_of(loaded.model) },
            phase: work.phase,
            prompt: work.prompt.clone(),
            count: usize::try_from(work.new_tokens).unwrap_or(usize::MAX),
            first,
            output: Generation { tokens: Vec::new(), finish: FinishReason::Length },
            forward_passes: 0,
        })
    }

    fn measure(&mut self, job: &mut NativeJob, pulse: &Pulse) -> Result<(), Error> {
        let NativeJob { session, sampler, stop, phase, prompt, count, first, output, forward_passes } = job;
        let mut passed = |_| {
            *forward_passes += 1;
            pulse.advance(1);
        };
        *output = match (phase, first) {
            // A prefill is an end-to-end generation of one token: one pass, one pick.
            (Phase::Prefill | Phase::E2eKv, _) => session.generate(prompt, *count, sampler, stop, &mut passed),
            (Phase::KvDecode, Some(first)) => session.decode(*first, *count, sampler, stop, &mut passed),
            (Phase::KvDecode, None) => return Err(Error::NotLoaded { doing: "decode without a prefill" }),
        }
        .map_err(|error| failed("running the timed part", error))?;
        Ok(())
    }

    fn finish(&mut self, job: NativeJob) -> Result<Finished, Error> {
        let loaded = self.loaded.as_mut().ok_or(Error::NotLoaded { doing: "finish a cell" })?;
        let evidence = BTreeMap::from([
            ("cache".to_owned(), SignalValue::from(job.session.cache_kind().name())),
            ("dtype".to_owned(), SignalValue::from(DTYPE)),
            ("forward_passes".to_owned(), SignalValue::Int(i64::try_from(job.forward_passes).unwrap_or(i64::MAX))),
            ("threads".to_owned(), whole(loaded.threads)),
        ]);
        let stop = match job.output.finish {
            FinishReason::Length => StopReason::Length,
            FinishReason::Eos => StopReason::Eos,
        };
        loaded.idle = Some(job.session);
        Ok(Finished { tokens: job.output.tokens, stop, evidence })
    }
}

/// The lane's cache, once it is known that nothing else is declared that this backend cannot honour.
fn check_axes(axes: &Axes) -> Result<KvCacheKind, Error> {
    for (axis, values) in FIXED_AXES {
        if let Some(found) = axes.get(axis).filter(|found| !values.contains(&found.as_str())) {
            return Err(Error::UnsupportedAxis { axis, found: found.clone(), supported: values.join(" or ") });
        }
    }
    let actual = threads();
    if let Some(found) = axes.get("threads").filter(|found| found.parse() != Ok(actual)) {
        let supported = format!("{actual} (the launcher sets it as RAYON_NUM_THREADS)");
        return Err(Error::UnsupportedAxis { axis: "threads", found: found.clone(), supported });
    }
    let Some(cache) = axes.get("cache") else { return Ok(KvCacheKind::Dynamic) };
    cache.parse().map_err(|_| Error::UnsupportedAxis {
        axis: "cache",
        found: cache.clone(),
        supported: KvCacheKind::ALL.map(KvCacheKind::name).join(" or "),
    })
}

/// The values of each axis that a cell may fix in a lane of this backend which declares `axes`: what the lane has anyway.
#[must_use]
pub fn native_cell_axes(axes: &Axes) -> BTreeMap<String, Vec<String>> {
    let fixed = FIXED_AXES.map(|(axis, values)| (axis.to_owned(), values.iter().map(|&value| value.into()).collect()));
    let cache = axes.get("cache").map_or_else(|| KvCacheKind::Dynamic.name().to_owned(), Clone::clone);
    fixed.into_iter().chain([("cache".to_owned(), vec![cache])]).collect()
}

/// A cell may fix what the lane has anyway; this backend changes nothing from cell to cell.
fn check_cell_axes(axes: &Axes, cache: KvCacheKind) -> Result<(), Error> {
    for (axis, found) in axes {
        let supported: &[&str] = match axis.as_str() {
            "cache" => &[cache.name()],
            _ => FIXED_AXES.iter().find(|(name, _)| name == axis).map_or(&[], |(_, values)| values),
        };
        if !supported.contains(&found.as_str()) {
            let expected = if supported.is_empty() { "no such axis".to_owned() } else { supported.join(" or ") };
            return Err(Error::InvalidWork { field: "axes", found: format!("{axis} = {found:?}"), expected });
        }
    }
    Ok(())
}

/// The threads that the engine's matrix products use.
fn threads() -> usize {
    candle_core::utils::get_num_threads()
}

fn preparing(error: crate::engine::Error) -> Error {
    failed("preparing a repetition", error)
}

fn failed(doing: &'static str, error: crate::engine::Error) -> Error {
    Error::Engine { doing, source: Box::new(error) }
}

fn sampling(spec: &SamplingSpec) -> Sampling {
    match *spec {
        SamplingSpec::Greedy => Sampling::Greedy,
        SamplingSpec::Seeded { seed, temperature, top_k, top_p } => {
            Sampling::Seeded { seed, temperature, top_k, top_p }
        }
    }
}

fn whole(number: usize) -> SignalValue {
    SignalValue::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
