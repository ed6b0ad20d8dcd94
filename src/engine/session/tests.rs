use super::*;
use crate::engine::config::Architecture;
use crate::engine::error::Error;
use crate::engine::generate::{SyntheticSpec, generate_checkpoint};
use crate::engine::sampling::Sampling;

fn model(architecture: Architecture) -> Model {
    let spec = SyntheticSpec {
        architecture,
        hidden_size: 32,
        intermediate_size: 64,
        layers: 2,
        heads: 4,
        kv_heads: if architecture == Architecture::Gpt2 { 4 } else { 1 },
        vocab_size: 96,
        max_positions: 64,
        seed: 21,
        dtype: Default::default(),
        tied_embeddings: false,
        rope_theta: 10_000,
    };
    let dir = tempfile::tempdir().unwrap();
    generate_checkpoint(&spec, dir.path()).unwrap();
    Model::load(dir.path()).unwrap()
}

fn samplings() -> [Sampling; 3] {
    [
        Sampling::Greedy,
        Sampling::Seeded { seed: 42, temperature: 1.5, top_k: None, top_p: None },
        Sampling::Seeded { seed: 43, temperature: 3.0, top_k: Some(40), top_p: Some(0.95) },
    ]
}

fn sampler(sampling: &Sampling) -> Sampler {
    Sampler::new(sampling).unwrap()
}

fn silent(_: usize) {}

fn generate(model: &Model, kind: KvCacheKind, sampling: &Sampling, stop: &Stop, count: usize) -> Generation {
    let mut session = Session::new(model, kind, 64).unwrap();
    session.generate(&[3, 1, 4, 1, 5], count, &mut sampler(sampling), stop, &mut silent).unwrap()
}

#[test]
fn every_cache_gives_the_same_tokens_in_every_family_greedy_and_seeded() {
    for architecture in Architecture::ALL {
        let model = model(architecture);
        for sampling in samplings() {
            let [none, dynamic, fixed] =
                KvCacheKind::ALL.map(|kind| generate(&model, kind, &sampling, &Stop::at_length(), 48));
            assert_eq!((none.tokens.len(), none.finish), (48, FinishReason::Length));
            assert_eq!(none, dynamic, "{architecture} {sampling:?}");
            assert_eq!(none, fixed, "{architecture} {sampling:?}");
        }
    }
}

#[test]
fn a_seed_repeats_its_tokens_and_another_seed_gives_others() {
    let model = model(Architecture::Llama);
    let run = |seed| {
        let sampling = Sampling::Seeded { seed, temperature: 2.0, top_k: None, top_p: None };
        generate(&model, KvCacheKind::Dynamic, &sampling, &Stop::at_length(), 32)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn the_phases_are_pieces_of_one_sequence() {
    let model = model(Architecture::Qwen2);
    for sampling in samplings() {
        let whole = generate(&model, KvCacheKind::Static, &sampling, &Stop::at_length(), 9);

        let mut session = Session::new(&model, KvCacheKind::Static, 64).unwrap();
        let mut sampler = sampler(&sampling);
        let first = sampler.sample(&session.prefill(&[3, 1, 4, 1, 5]).unwrap()).unwrap();
        let mut heard = Vec::new();
        let rest = session.decode(first, 8, &mut sampler, &Stop::at_length(), &mut |done| heard.push(done)).unwrap();
        assert_eq!([vec![first], rest.tokens].concat(), whole.tokens);
        assert_eq!(heard, [1, 2, 3, 4, 5, 6, 7, 8]);
        // The prompt, the first token and all but the last that decoding gave went through the model.
        assert_eq!(session.tokens(), [&[3, 1, 4, 1, 5], &whole.tokens[..8]].concat());
    }
}

#[test]
fn generation_makes_one_pass_fewer_than_tokens_and_tells_of_each() {
    let model = model(Architecture::Gpt2);
    for count in [0, 1, 4] {
        let mut session = Session::new(&model, KvCacheKind::Dynamic, 0).unwrap();
        let mut heard = Vec::new();
        let made = session
            .generate(&[7, 8], count, &mut sampler(&Sampling::Greedy), &Stop::at_length(), &mut |n| heard.push(n))
            .unwrap();
        assert_eq!(made.tokens.len(), count);
        assert_eq!(heard, (1..=count).collect::<Vec<_>>());
        assert_eq!(session.tokens().len(), if count == 0 { 0 } else { 2 + count - 1 });
    }
}

#[test]
fn a_reset_session_repeats_its_tokens() {
    let model = model(Architecture::Llama);
    for kind in KvCacheKind::ALL {
        let mut session = Session::new(&model, kind, 20).unwrap();
        let mut run = || {
            session.reset();
            session.generate(&[2, 9], 10, &mut sampler(&Sampling::Greedy), &Stop::at_length(), &mut silent).unwrap()
        };
        assert_eq!(run(), run(), "{kind}");
    }
}

#[test]
fn an_end_token_ends_the_sequence_unless_it_is_ignored() {
    let model = model(Architecture::Qwen2);
    let whole = generate(&model, KvCacheKind::Dynamic, &Sampling::Greedy, &Stop::at_length(), 12).tokens;
    // The first place of some token that is not the first of the output.
    let (place, &end) = whole.iter().enumerate().skip(3).find(|(i, id)| !whole[..*i].contains(id)).unwrap();
    let stop = Stop { ignore_eos: false, eos_token_ids: vec![end, 95_000] };

    let made = generate(&model, KvCacheKind::Dynamic, &Sampling::Greedy, &stop, 12);
    assert_eq!(made, Generation { tokens: whole[..=place].to_vec(), finish: FinishReason::Eos });
    let exact = generate(&model, KvCacheKind::Dynamic, &Sampling::Greedy, &stop, place + 1);
    assert_eq!(exact.finish, FinishReason::Eos);
    let shorter = generate(&model, KvCacheKind::Dynamic, &Sampling::Greedy, &stop, place);
    assert_eq!(shorter, Generation { tokens: whole[..place].to_vec(), finish: FinishReason::Length });
    let ignored = Stop { ignore_eos: true, ..stop };
    let made = generate(&model, KvCacheKind::Dynamic, &Sampling::Greedy, &ignored, 12);
    assert_eq!(made, Generation { tokens: whole.clone(), finish: FinishReason::Length });

    let at_once = Stop { ignore_eos: false, eos_token_ids: vec![whole[0]] };
    let made = generate(&model, KvCacheKind::Dynamic, &Sampling::Greedy, &at_once, 12);
    assert_eq!(made, Generation { tokens: vec![whole[0]], finish: FinishReason::Eos });
}

#[test]
fn sequences_that_outgrow_their_room_are_typed_errors() {
    let model = model(Architecture::Llama);
    let mut greedy = sampler(&Sampling::Greedy);
    let stop = Stop::at_length();
    let mut session = Session::new(&model, KvCacheKind::Static, 8).unwrap();
    let error = session.generate(&[1, 2, 3], 7, &mut greedy, &stop, &mut silent).unwrap_err();
    assert!(matches!(error, Error::CacheOverflow { capacity: 8, held: 8, adding: 1 }), "{error}");
    session.reset();
    assert_eq!(session.generate(&[1, 2, 3], 6, &mut greedy, &stop, &mut silent).unwrap().tokens.len(), 6);

    for kind in [KvCacheKind::None, KvCacheKind::Dynamic] {
        let mut session = Session::new(&model, kind, 8).unwrap();
        let error = session.generate(&[1; 60], 6, &mut greedy, &stop, &mut silent).unwrap_err();
        assert!(matches!(error, Error::PositionsExceeded { held: 64, adding: 1, max_positions: 64 }), "{error}");
    }
    let error = session.prefill(&[]).unwrap_err();
    assert!(matches!(error, Error::EmptyPrompt), "{error}");
}
