use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::engine::error::{Error, Result};

fn gpt2() -> Value {
    json!({
        "model_type": "gpt2", "activation_function": "gelu_new", "attn_pdrop": 0.1, "bos_token_id": 50256,
        "eos_token_id": 50256, "layer_norm_epsilon": 1e-5, "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12,
        "n_positions": 1024, "vocab_size": 50257
    })
}

/// As published with Qwen2.5-0.5B-Instruct.
fn qwen2() -> Value {
    json!({
        "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645,
        "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864,
        "max_position_embeddings": 32768, "max_window_layers": 21, "model_type": "qwen2", "num_attention_heads": 14,
        "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
        "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_cache": true,
        "use_sliding_window": false, "vocab_size": 151936
    })
}

/// As published with Llama-3.2-1B-Instruct.
fn llama() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_act": "silu",
        "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false,
        "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
        "pretraining_tp": 1, "rms_norm_eps": 1e-05,
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                         "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "rope_theta": 500000.0, "tie_word_embeddings": true, "vocab_size": 128256
    })
}

fn parse(config: &Value) -> Result<ModelConfig> {
    ModelConfig::from_json(config.to_string().as_bytes())
}

/// The config with some fields replaced.
fn with(mut config: Value, changes: Value) -> Value {
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    config
}

#[test]
fn published_configs_give_the_published_shapes() {
    let config = parse(&gpt2()).unwrap();
    assert_eq!((config.hidden_size, config.intermediate_size, config.head_dim), (768, 3072, 64));
    assert!(config.tied_embeddings && config.rope.is_none() && config.qkv_bias && config.mlp_bias);
    assert_eq!(config.parameters(), 124_439_808);

    let config = parse(&qwen2()).unwrap();
    assert_eq!((config.heads, config.kv_heads, config.head_dim), (14, 2, 64));
    assert!(config.qkv_bias && !config.attention_output_bias && !config.mlp_bias);
    assert_eq!(config.rope, Some(Rope { theta: 1e6, scaling: None }));
    assert_eq!(config.eos_token_ids, [151_645]);
    assert_eq!(config.parameters(), 494_032_768);

    let config = parse(&llama()).unwrap();
    assert_eq!(config.eos_token_ids, [128_001, 128_008, 128_009]);
    let scaling = config.rope.as_ref().unwrap().scaling.as_ref().unwrap();
    assert_eq!((scaling.factor, scaling.original_max_positions), (32.0, 8192));
    assert_eq!(config.parameters(), 1_235_814_400);
}

#[test]
fn written_configs_read_back_equal() {
    let biased =
        with(llama(), json!({"attention_bias": true, "mlp_bias": true, "head_dim": 128, "eos_token_id": null}));
    for config in [gpt2(), qwen2(), llama(), biased] {
        let config = parse(&config).unwrap();
        assert_eq!(parse(&config.to_json()).unwrap(), config);
    }
}

#[test]
fn newer_nested_rope_parameters_mean_the_same_as_the_older_fields() {
    let mut newer = llama();
    let fields = newer.as_object_mut().unwrap();
    let mut rope = fields.remove("rope_scaling").unwrap();
    rope["rope_theta"] = fields.remove("rope_theta").unwrap();
    fields.insert("rope_parameters".to_owned(), rope);
    assert_eq!(parse(&newer).unwrap(), parse(&llama()).unwrap());

    let plain =
        with(qwen2(), json!({"rope_theta": null, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}));
    assert_eq!(parse(&plain).unwrap(), parse(&qwen2()).unwrap());
}

#[test]
fn other_families_are_refused_by_name() {
    for name in ["mistral", "gemma2", "mamba", ""] {
        let error = parse(&with(llama(), json!({"model_type": name}))).unwrap_err();
        assert!(matches!(&error, Error::UnsupportedModelType { found } if found == name), "{error}");
    }
    for config in [json!({}), json!({"model_type": 7})] {
        assert!(matches!(parse(&config).unwrap_err(), Error::UnsupportedModelType { .. }));
    }
}

#[test]
fn options_that_change_the_mathematics_are_refused_by_name() {
    let window = json!({"use_sliding_window": true, "sliding_window": 4096});
    let cases = [
        (gpt2(), json!({"activation_function": "relu"}), "activation_function"),
        (gpt2(), json!({"activation_function": "gelu"}), "activation_function"),
        (gpt2(), json!({"scale_attn_weights": false}), "scale_attn_weights"),
        (gpt2(), json!({"scale_attn_by_inverse_layer_idx": true}), "scale_attn_by_inverse_layer_idx"),
        (gpt2(), json!({"add_cross_attention": true}), "add_cross_attention"),
        (qwen2(), json!({"hidden_act": "gelu"}), "hidden_act"),
        (qwen2(), window, "use_sliding_window"),
        (qwen2(), json!({"layer_types": ["full_attention", "sliding_attention"]}), "layer_types"),
        (qwen2(), json!({"quantization_config": {"quant_method": "awq"}}), "quantization_config"),
        (llama(), json!({"rope_scaling": {"type": "linear", "factor": 2.0}}), "rope_scaling.type"),
        (llama(), json!({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}), "rope_scaling.rope_type"),
        (llama(), json!({"rope_scaling": {"factor": 2.0}}), "rope_scaling.factor"),
        (llama(), json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor"),
        (
            llama(),
            json!({"rope_scaling": null, "rope_parameters": {"full_attention": {"rope_type": "default"}}}),
            "rope_parameters.full_attention",
        ),
    ];
    for (config, change, named) in cases {
        let error = parse(&with(config, change)).unwrap_err();
        assert!(matches!(&error, Error::UnsupportedOption { option, .. } if option == named), "{named}: {error}");
    }
}

#[test]
fn options_that_change_nothing_are_let_through() {
    for change in [
        json!({"use_sliding_window": true, "sliding_window": 32768}),
        json!({"use_sliding_window": true, "sliding_window": 4096, "max_window_layers": 24}),
        json!({"use_sliding_window": false, "sliding_window": 16}),
        json!({"partial_rotary_factor": 1.0}),
        json!({"rope_scaling": {"type": "default"}}),
        json!({"layer_types": vec!["full_attention"; 24]}),
    ] {
        assert_eq!(parse(&with(qwen2(), change.clone())).unwrap(), parse(&qwen2()).unwrap(), "{change}");
    }
}

#[test]
fn missing_and_impossible_values_are_named() {
    let mut config = llama();
    config.as_object_mut().unwrap().remove("num_hidden_layers");
    let error = parse(&config).unwrap_err();
    assert!(matches!(&error, Error::MissingField { field, .. } if field == "num_hidden_layers"), "{error}");

    let cases = [
        (gpt2(), json!({"n_head": 0}), "n_head"),
        (gpt2(), json!({"n_head": 7}), "n_head"),
        (gpt2(), json!({"n_embd": u64::MAX}), "n_head"),
        (gpt2(), json!({"n_embd": u64::MAX, "n_head": 1}), "n_embd"),
        (gpt2(), json!({"n_layer": -1}), "n_layer"),
        (gpt2(), json!({"vocab_size": 1.5}), "vocab_size"),
        (gpt2(), json!({"vocab_size": 0}), "vocab_size"),
        (gpt2(), json!({"n_positions": 1e9 as u64}), "max_positions"),
        (llama(), json!({"num_key_value_heads": 5}), "kv_heads"),
        (llama(), json!({"num_key_value_heads": 0}), "kv_heads"),
        (llama(), json!({"num_attention_heads": 0, "head_dim": null}), "num_attention_heads"),
        (llama(), json!({"head_dim": 63}), "head_dim"),
        (llama(), json!({"hidden_size": "wide"}), "hidden_size"),
        (llama(), json!({"rms_norm_eps": 0.0}), "norm_eps"),
        (llama(), json!({"rope_theta": 0.0}), "rope_theta"),
        (llama(), json!({"rope_scaling": []}), "rope_scaling"),
        (llama(), json!({"rope_parameters": {"rope_type": "default"}}), "rope_parameters"),
        (llama(), json!({"eos_token_id": -1}), "eos_token_id"),
        (llama(), json!({"eos_token_id": [1, "two"]}), "eos_token_id"),
        (llama(), json!({"tie_word_embeddings": "yes"}), "tie_word_embeddings"),
    ];
    for (config, change, named) in cases {
        let error = parse(&with(config, change)).unwrap_err();
        assert!(matches!(&error, Error::InvalidField { field, .. } if field == named), "{named}: {error}");
    }
    let mut scaling = llama();
    scaling["rope_scaling"]["high_freq_factor"] = json!(1.0);
    assert!(parse(&scaling).unwrap_err().to_string().contains("high_freq_factor"));
    scaling["rope_scaling"].as_object_mut().unwrap().remove("factor");
    assert!(parse(&scaling).unwrap_err().to_string().contains("rope_scaling.factor"));
}

#[test]
fn the_folder_is_read_and_generation_settings_name_the_end_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let error = ModelConfig::load(dir.path()).unwrap_err();
    assert!(matches!(&error, Error::Read { path, .. } if path.ends_with("config.json")), "{error}");
    std::fs::write(dir.path().join("config.json"), qwen2().to_string()).unwrap();
    assert_eq!(ModelConfig::load(dir.path()).unwrap().eos_token_ids, [151_645]);
    let path = dir.path().join("generation_config.json");
    std::fs::write(&path, r#"{"eos_token_id": [151645, 151643]}"#).unwrap();
    assert_eq!(ModelConfig::load(dir.path()).unwrap().eos_token_ids, [151_645, 151_643]);
    std::fs::write(&path, "{}").unwrap();
    assert_eq!(ModelConfig::load(dir.path()).unwrap().eos_token_ids, [151_645]);
    std::fs::write(&path, "[").unwrap();
    assert!(matches!(ModelConfig::load(dir.path()).unwrap_err(), Error::Json { .. }));
}

#[test]
fn the_sizes_of_what_another_engine_runs_are_read_and_nothing_that_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = |config: &Value| {
        std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        ModelSizes::load(dir.path())
    };
    let of = |vocab_size, max_positions| ModelSizes { vocab_size, max_positions };
    let known = parse(&qwen2()).unwrap();
    let quantized = json!({"quantization_config": {"quant_method": "awq", "bits": 4}});
    for config in [qwen2(), with(qwen2(), quantized), with(qwen2(), json!({"model_type": "qwen3"}))] {
        assert_eq!(sizes(&config).unwrap(), of(known.vocab_size, known.max_positions), "{config}");
    }
    let pictures = json!({"model_type": "other", "text_config": {"vocab_size": 7, "max_position_embeddings": 9}});
    assert_eq!(sizes(&pictures).unwrap(), of(7, 9));
    assert_eq!(sizes(&json!({"model_type": "other", "vocab_size": 7, "n_positions": 5})).unwrap(), of(7, 5));
    let in_both =
        json!({"model_type": "other", "vocab_size": 7, "n_positions": 9, "text_config": {"vocab_size": null}});
    assert_eq!(sizes(&in_both).unwrap(), of(7, 9));
    for (config, named) in [
        (json!({"model_type": 7, "vocab_size": 7, "n_positions": 5}), "model_type"),
        (json!({"vocab_size": 7, "n_positions": 5}), "model_type"),
        (json!({"model_type": "other", "vocab_size": 7}), "`max_position_embeddings` or `n_positions` is absent"),
        (json!({"model_type": "other", "vocab_size": 0, "n_positions": 5}), "`vocab_size` is 0"),
        (json!({"model_type": "other", "vocab_size": u64::MAX, "n_positions": 5}), "`vocab_size`"),
        (
            json!({"model_type": "other", "text_config": {"vocab_size": "x", "n_positions": 5}}),
            "`text_config.vocab_size`",
        ),
        (with(qwen2(), json!({"num_attention_heads": "many"})), "num_attention_heads"),
    ] {
        let error = sizes(&config).unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
}

/// Any JSON value, nested a little, with numbers of all sizes.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0u64..70).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![
            Just("llama3"),
            Just("default"),
            Just("silu"),
            Just("gelu_new"),
            Just("full_attention"),
            Just("é\u{0}")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,12}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(ModelConfig::from_json(&bytes).is_err());
    }

    #[test]
    fn random_values_in_published_configs_give_a_checked_config_or_an_error(
        family in 0usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4),
        scaling in prop::option::of((any::<prop::sample::Index>(), any_json())),
    ) {
        let mut config = [gpt2(), qwen2(), llama()][family].clone();
        let fields = config.as_object_mut().unwrap();
        let names: Vec<String> = fields.keys().cloned().collect();
        for (name, value) in changes {
            fields.insert(name.get(&names).clone(), value);
        }
        if let (Some((name, value)), Some(rope)) = (scaling, fields.get_mut("rope_scaling").and_then(Value::as_object_mut)) {
            let names: Vec<String> = rope.keys().cloned().collect();
            if !names.is_empty() {
                rope.insert(name.get(&names).clone(), value);
            }
        }
        if let Ok(parsed) = parse(&config) {
            prop_assert!(parsed.check().is_ok());
            prop_assert!(parsed.heads % parsed.kv_heads == 0);
            let again = parse(&parsed.to_json()).unwrap();
            // JSON numbers may lose their last bit on the way.
            prop_assert_eq!(&again, &ModelConfig { norm_eps: again.norm_eps, rope: again.rope.clone(), ..parsed });
        }
    }

    #[test]
    fn truncated_and_overwritten_configs_never_panic(
        family in 0usize..3,
        cut in any::<prop::sample::Index>(),
        spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = [gpt2(), qwen2(), llama()][family].to_string().into_bytes();
        for (spot, byte) in spots {
            let spot = spot.index(bytes.len());
            bytes[spot] = byte;
        }
        let cut = cut.index(bytes.len());
        prop_assert!(ModelConfig::from_json(&bytes[..cut]).is_err());
        if let Ok(parsed) = ModelConfig::from_json(&bytes) {
            prop_assert!(parsed.check().is_ok());
        }
    }
}
