//! What a decode step costs the engine with each kind of KV cache: `RAYON_NUM_THREADS=1 cargo bench --bench decode`.
//!
//! Kinds take turns in every round, so that a drift of the machine falls on all alike; what is printed is the ratio to
//! `dynamic` within the round, with its median and a percentile-bootstrap interval of its mean.

use std::time::Instant;

use lockstep::engine::{
    Architecture, KvCacheKind, Model, Sampler, Sampling, Session, Stop, SyntheticSpec, generate_checkpoint,
};
use lockstep::stats::{Bootstrap, Confidence, Percent, Replicates, Sample, bootstrap_mean_interval, percentile};

const ROUNDS: usize = 30;
const PROMPT: usize = 32;
const NEW_TOKENS: usize = 32;
const KINDS: [KvCacheKind; 3] = [KvCacheKind::Dynamic, KvCacheKind::Static, KvCacheKind::None];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test --benches` asks for a quick look, not for figures.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 2 };
    let folder = std::env::temp_dir().join(format!("lockstep-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let spec = SyntheticSpec {
        architecture: Architecture::Qwen2,
        hidden_size: 128,
        intermediate_size: 384,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        vocab_size: 512,
        max_positions: 1024,
        seed: 7,
        dtype: Default::default(),
        tied_embeddings: false,
        rope_theta: 10_000,
    };
    generate_checkpoint(&spec, &folder)?;
    let model = Model::load(&folder)?;
    std::fs::remove_dir_all(&folder)?;
    let prompt: Vec<u32> = (0..PROMPT as u32).map(|position| position * 7 % 512).collect();
    let mut per_token_us: Vec<Vec<f64>> = vec![Vec::new(); KINDS.len()];
    for _ in 0..rounds {
        for (kind, times) in KINDS.iter().zip(&mut per_token_us) {
            times.push(decode_us(&model, *kind, &prompt)?);
        }
    }
    let dynamic = per_token_us.first().cloned().unwrap_or_default();
    for (kind, times) in KINDS.iter().zip(per_token_us) {
        let ratios: Vec<f64> = times.iter().zip(&dynamic).map(|(time, base)| time / base).collect();
        let median_us = percentile(&Sample::new(times)?, Percent::P50);
        let median_ratio = percentile(&Sample::new(ratios.clone())?, Percent::P50);
        let interval = bootstrap_mean_interval(&Replicates::new(ratios)?, Bootstrap::new(42, Confidence::new(0.95)?));
        let interval = interval.map_or_else(|_| String::new(), |i| format!(" [{:.2}, {:.2}]", i.low, i.high));
        println!(
            "decode {kind:>8}: {median_us:>8.1} us a token, {median_ratio:>6.2} x dynamic{interval}, {rounds} rounds"
        );
    }
    Ok(())
}

/// Time of one token in a decode loop, in microseconds; the prefill before it is not timed.
fn decode_us(model: &Model, kind: KvCacheKind, prompt: &[u32]) -> Result<f64, Box<dyn std::error::Error>> {
    let mut session = Session::new(model, kind, prompt.len() + NEW_TOKENS + 1)?;
    let mut sampler = Sampler::new(&Sampling::Greedy)?;
    let first = sampler.sample(&session.prefill(prompt)?)?;
    let started = Instant::now();
    let output = session.decode(first, NEW_TOKENS, &mut sampler, &Stop::at_length(), &mut |_| {})?;
    let elapsed = started.elapsed();
    assert_eq!(output.tokens.len(), NEW_TOKENS, "a decode that did less work has no time");
    Ok(elapsed.as_secs_f64() * 1.0e6 / NEW_TOKENS as f64)
}
