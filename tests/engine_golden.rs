//! The engine runs checkpoints that transformers wrote and gets what transformers got.

use std::path::{Path, PathBuf};

use lockstep::engine::{DecodeState, KvCacheKind, Model, Sampler, Sampling, Session, Stop, Tokenizer};
use serde::Deserialize;

/// Largest distance of a logit. Two f32 implementations of models of this size are up to 1e-5 apart, and the
/// expected values are rounded to six decimals.
const LOGIT_TOLERANCE: f32 = 2e-5;

#[derive(Deserialize)]
struct Expected {
    prompt: Vec<u32>,
    /// Positions of the prompt whose logits are given.
    positions: Vec<usize>,
    logits: Vec<Vec<f32>>,
    greedy_prompt: Vec<u32>,
    greedy_tokens: Vec<u32>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/engine").join(name)
}

fn expected(name: &str) -> Expected {
    serde_json::from_slice(&std::fs::read(folder(name).join("expected.json")).unwrap()).unwrap()
}

#[test]
fn logits_are_those_of_transformers() {
    for name in ["gpt2", "qwen2", "llama"] {
        let model = Model::load(&folder(name)).unwrap();
        let expected = expected(name);
        for kind in KvCacheKind::ALL {
            for (&position, logits) in expected.positions.iter().zip(&expected.logits) {
                let mut state = DecodeState::new(model.config(), kind, 40).unwrap();
                let found = model.forward(&expected.prompt[..=position], &mut state).unwrap();
                assert_eq!(found.as_slice().len(), logits.len());
                for (found, expected) in found.as_slice().iter().zip(logits) {
                    let distance = (found - expected).abs();
                    assert!(distance < LOGIT_TOLERANCE, "{name}, {kind} cache, position {position}: {distance:e}");
                }
            }
        }
    }
}

#[test]
fn greedy_tokens_are_those_of_transformers() {
    for name in ["gpt2", "qwen2", "llama"] {
        let model = Model::load(&folder(name)).unwrap();
        let expected = expected(name);
        for kind in KvCacheKind::ALL {
            let mut session = Session::new(&model, kind, 40).unwrap();
            let mut greedy = Sampler::new(&Sampling::Greedy).unwrap();
            let count = expected.greedy_tokens.len();
            let made =
                session.generate(&expected.greedy_prompt, count, &mut greedy, &Stop::at_length(), &mut |_| ()).unwrap();
            assert_eq!(made.tokens, expected.greedy_tokens, "{name}, {kind} cache");
        }
    }
}

#[derive(Deserialize)]
struct ExpectedText {
    text: String,
    ids: Vec<u32>,
    /// Special tokens are left out.
    decoded: String,
}

#[test]
fn token_ids_are_those_of_the_python_tokenizers() {
    let tokenizer = Tokenizer::load(&folder("qwen2")).unwrap();
    let file = folder("qwen2").join("expected_tokens.json");
    let cases: Vec<ExpectedText> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        assert_eq!(tokenizer.encode(&case.text).unwrap(), case.ids, "{:?}", case.text);
        assert_eq!(tokenizer.decode(&case.ids).unwrap(), case.decoded, "{:?}", case.ids);
    }
}

#[test]
fn a_checkpoint_without_a_tokenizer_says_so() {
    let error = Tokenizer::load(&folder("gpt2")).unwrap_err();
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
}
