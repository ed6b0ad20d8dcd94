//! One sequence from prompt to last token, in pieces that a caller can time apart.
//!
//! The measured phases are made of these pieces:
//! - `prefill`: [`Session::prefill`] over the prompt, then one [`Sampler::sample`] → `t0`.
//! - `kv_decode` of `n`: after that, [`Session::decode`] from `t0` with `n` passes → `t1..=tn`.
//! - `e2e_kv` of `n`: [`Session::generate`] over the prompt → `t0..t(n-1)`, one prefill and `n - 1` decode passes.

use super::cache::{DecodeState, KvCacheKind};
use super::error::Result;
use super::model::{Logits, Model};
use super::sampling::Sampler;

/// When generation ends before its length is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Go on past end-of-sequence tokens.
    pub ignore_eos: bool,
    /// The end-of-sequence tokens.
    pub eos_token_ids: Vec<u32>,
}

impl Stop {
    /// Runs to the full length, whatever comes.
    #[must_use]
    pub fn at_length() -> Self {
        Self { ignore_eos: true, eos_token_ids: Vec::new() }
    }

    /// Stops at the end-of-sequence tokens of a model.
    #[must_use]
    pub fn at_eos_of(model: &Model) -> Self {
        Self { ignore_eos: false, eos_token_ids: model.config().eos_token_ids.clone() }
    }

    /// Whether generation ends with this token.
    #[must_use]
    pub fn ends_with(&self, token: u32) -> bool {
        !self.ignore_eos && self.eos_token_ids.contains(&token)
    }
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The requested count was reached.
    Length,
    /// An end-of-sequence token came.
    Eos,
}

/// What was generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The output ids, the end-of-sequence token included where one came.
    pub tokens: Vec<u32>,
    /// Why there are no more.
    pub finish: FinishReason,
}

/// A sequence on a model.
#[derive(Debug)]
pub struct Session<'m> {
    model: &'m Model,
    state: DecodeState,
}

impl<'m> Session<'m> {
    /// An empty sequence. `capacity` counts positions, prompt included; it binds a static cache alone.
    ///
    /// # Errors
    /// As [`DecodeState::new`].
    pub fn new(model: &'m Model, kind: KvCacheKind, capacity: usize) -> Result<Self> {
        Ok(Self { model, state: DecodeState::new(model.config(), kind, capacity)? })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &'m Model {
        self.model
    }

    /// The kind of cache.
    #[must_use]
    pub fn cache_kind(&self) -> KvCacheKind {
        self.state.kind()
    }

    /// Tokens that went through the model so far.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        self.state.tokens()
    }

    /// Forgets the sequence and keeps the memory of a static cache, for the next repetition.
    pub fn reset(&mut self) {
        self.state.reset();
    }

    /// One forward pass over a prompt, behind whatever the sequence holds already. Returns the last logits.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn prefill(&mut self, prompt: &[u32]) -> Result<Logits> {
        self.model.forward(prompt, &mut self.state)
    }

    /// One forward pass over one token. Returns its logits.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn step(&mut self, token: u32) -> Result<Logits> {
        self.model.forward(&[token], &mut self.state)
    }

    /// Up to `passes` forward passes, the first over `first`, each next one over the token that the one before gave.
    /// Returns the tokens that the passes gave, without `first`. Where `first` itself ends the sequence, no pass is
    /// made. `on_token` hears the count of tokens after each.
    ///
    /// # Errors
    /// As [`Model::forward`] and [`Sampler::sample`].
    pub fn decode(
        &mut self,
        first: u32,
        passes: usize,
        sampler: &mut Sampler,
        stop: &Stop,
        on_token: &mut dyn FnMut(usize),
    ) -> Result<Generation> {
        let mut tokens = Vec::new();
        let mut last = first;
        while tokens.len() < passes {
            if stop.ends_with(last) {
                return Ok(Generation { tokens, finish: FinishReason::Eos });
            }
            last = sampler.sample(&self.step(last)?)?;
            tokens.push(last);
            on_token(tokens.len());
        }
        let finish = if stop.ends_with(last) { FinishReason::Eos } else { FinishReason::Length };
        Ok(Generation { tokens, finish })
    }

    /// A prefill over the prompt and decode passes after it: up to `count` tokens, the first from the prefill.
    /// `on_token` hears the count of tokens after each. A `count` of 0 makes no pass.
    ///
    /// # Errors
    /// As [`Model::forward`] and [`Sampler::sample`].
    pub fn generate(
        &mut self,
        prompt: &[u32],
        count: usize,
        sampler: &mut Sampler,
        stop: &Stop,
        on_token: &mut dyn FnMut(usize),
    ) -> Result<Generation> {
        let Some(passes) = count.checked_sub(1) else {
            return Ok(Generation { tokens: Vec::new(), finish: FinishReason::Length });
        };
        let first = sampler.sample(&self.prefill(prompt)?)?;
        on_token(1);
        let rest = self.decode(first, passes, sampler, stop, &mut |done| on_token(done + 1))?;
        let mut tokens = vec![first];
        tokens.extend(rest.tokens);
        Ok(Generation { tokens, finish: rest.finish })
    }
}

#[cfg(test)]
mod tests;
