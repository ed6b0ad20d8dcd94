//! Running a plan on a checkpoint folder.

use std::collections::BTreeMap;
use std::path::Path;

use lockstep::engine::{Architecture, SyntheticSpec, generate_checkpoint};
use lockstep::lock::folder_digest;
use lockstep::terms::Digest;
use lockstep::verdict::Verdict;
use safetensors::SafeTensors;
use serde_json::json;

use crate::project::{Ledger, PlanText, Project, Run};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("a_plan_runs_on_checkpoints_of_every_shape_one_file_or_sharded", Needs::Nothing, shapes),
    Named("a_text_prompt_becomes_the_tokenizers_ids", Needs::Nothing, text_prompt),
    Named("a_shape_that_is_not_known_is_refused_by_name", Needs::Nothing, unknown_shape),
    Named("a_checkpoint_of_another_engine_is_for_the_lanes_that_run_it", Needs::Nothing, of_another_engine),
    Named("an_incomplete_or_unfit_checkpoint_is_refused", Needs::Nothing, unfit),
    Named("a_run_on_a_checkpoint_is_resumed_on_that_checkpoint_alone", Needs::Nothing, resumed),
    Named("a_plan_that_pins_another_digest_is_refused", Needs::Nothing, other_digest),
];

/// A tiny checkpoint of generated weights.
pub fn checkpoint(folder: &Path, architecture: Architecture) {
    let kv_heads = if architecture == Architecture::Gpt2 { 4 } else { 2 };
    let spec = SyntheticSpec {
        architecture,
        hidden_size: 16,
        intermediate_size: 32,
        layers: 1,
        heads: 4,
        kv_heads,
        vocab_size: 96,
        max_positions: 64,
        seed: 3,
        dtype: Default::default(),
        tied_embeddings: false,
        rope_theta: 10_000,
    };
    generate_checkpoint(&spec, folder).expect("a tiny model can be generated");
}

/// The same checkpoint with its weights in two files and their index.
fn shard(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    std::fs::copy(from.join("config.json"), to.join("config.json")).expect("a file can be copied");
    let bytes = std::fs::read(from.join("model.safetensors")).expect("the weights can be read");
    let tensors = SafeTensors::deserialize(&bytes).expect("the weights are safetensors").tensors();
    let mut map = BTreeMap::new();
    for (number, part) in tensors.chunks(tensors.len().div_ceil(2)).enumerate() {
        let file = format!("model-{:05}-of-00002.safetensors", number + 1);
        let views = part.iter().map(|(name, view)| (name.clone(), view));
        safetensors::serialize_to_file(views, None, &to.join(&file)).expect("a shard can be written");
        map.extend(part.iter().map(|(name, _)| (name.clone(), file.clone())));
    }
    let index = json!({"metadata": {"total_size": bytes.len()}, "weight_map": map});
    std::fs::write(to.join("model.safetensors.index.json"), index.to_string()).expect("an index can be written");
}

/// The output of every cell, by what was asked.
fn outputs(verdict: &Verdict) -> BTreeMap<String, Digest> {
    let name = |cell: &lockstep::verdict::CellVerdict| format!("{} {}", cell.workload, cell.phase);
    let output =
        |cell: &lockstep::verdict::CellVerdict| cell.lanes[0].tokens_sha256.expect("the lane agrees with itself");
    verdict.cells.iter().map(|cell| (name(cell), output(cell))).collect()
}

fn shapes() {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["native", "native-nocache"]));
    let mut seen = Vec::new();
    for architecture in [Architecture::Gpt2, Architecture::Qwen2, Architecture::Llama] {
        let name = format!("{architecture:?}").to_lowercase();
        let whole = project.file(&format!("models/{name}"));
        let sharded = project.file(&format!("models/{name}-sharded"));
        checkpoint(&whole, architecture);
        shard(&whole, &sharded);
        let mut by_layout = Vec::new();
        for folder in [&whole, &sharded] {
            let run = project.run(&["run", "tiny", "--model", &folder.to_string_lossy()]);
            run.exits(0);
            let ledger = Ledger::of(&run.path);
            ledger.is_complete();
            let file = folder.file_name().expect("it has a name").to_string_lossy();
            assert_eq!(ledger.plan.name, format!("tiny+{file}"), "its snapshots are not the plan's own");
            assert_eq!(ledger.plan.model.sha256, folder_digest(folder).expect("it can be hashed").digest);
            by_layout.push(outputs(&run.verdict()));
        }
        assert_eq!(by_layout[0], by_layout[1], "{name}: one file and shards give other tokens");
        seen.push(by_layout.remove(0));
    }
    assert!(seen[0] != seen[1] && seen[1] != seen[2], "different models gave the same tokens");
}

fn tokenizer() -> String {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "the": 11, "cat": 22, "sat": 33}, "unk_token": "[UNK]"}
    })
    .to_string()
}

fn text_prompt() {
    let project = Project::new();
    let plan = PlanText::new("told", &["native", "native-nocache"]).text();
    let told = plan.replace("prompt_tokens = 5\nprompt_seed = 1", "prompt_text = \"the cat sat\"");
    assert_ne!(plan, told);
    project.write("plans/told.toml", told);
    let model = project.file("model");
    checkpoint(&model, Architecture::Qwen2);
    let folder = model.to_string_lossy().into_owned();
    project.lockstep(&["run", "told", "--model", &folder]).exits(2).tells(&["text prompt", "tokenizer"]);
    project.lockstep(&["run", "told"]).exits(2).tells(&["text prompt", "tokenizer"]);
    assert!(project.runs().is_empty(), "a refused plan left a run behind");
    project.write("model/tokenizer.json", tokenizer());
    let run = project.run(&["run", "told", "--model", &folder]);
    run.exits(0);
    let ledger = Ledger::of(&run.path);
    let cells = ledger.plan.cells().expect("the run's plan has token ids");
    assert!(cells.iter().all(|cell| cell.prompt == [11, 22, 33]), "{cells:?}");
    let header = ledger.journal.segments().next().expect("a segment").header;
    let digest = Digest::of(tokenizer().as_bytes()).to_string();
    assert_eq!(header.lanes[0].declared.get("tokenizer"), Some(&digest));
    // The run's own plan holds the ids, so it is judged without a tokenizer.
    let (plan, journal) = (run.file("plan.toml"), run.file("journal.jsonl"));
    let judged = project.lockstep(&["judge", &plan.to_string_lossy(), &journal.to_string_lossy()]);
    assert_eq!(judged.status.code(), run.ended.status.code());
    project.write("model/tokenizer.json", "{\"not\": \"a tokenizer\"}");
    project.lockstep(&["run", "told", "--model", &folder]).exits(2).tells(&["tokenizer.json"]);
}

fn unknown_shape() {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["native"]));
    let model = project.file("model");
    checkpoint(&model, Architecture::Llama);
    let config = project.read("model/config.json");
    let edit = |from: &str, to: &str| {
        let edited = config.replace(from, to);
        assert_ne!(config, edited, "{from} is not in the config");
        project.write("model/config.json", edited);
        project.lockstep(&["run", "tiny", "--model", "model"])
    };
    edit("\"llama\"", "\"mamba\"").exits(2).tells(&["`mamba`", "`gpt2`, `qwen2` and `llama`"]);
    edit("\"llama\"", "7").exits(2).tells(&["model_type"]);
    edit("\"silu\"", "\"relu\"").exits(2).tells(&["hidden_act", "relu"]);
    project.write("model/config.json", &config[..config.len() / 2]);
    project.lockstep(&["run", "tiny", "--model", "model"]).exits(2).tells(&["config"]);
    assert!(project.runs().is_empty(), "a refused model left a run behind");
}

/// Quantized, or of a family that the built-in engine does not have: other lanes may run it, and one that cannot says so by name.
fn of_another_engine() {
    let project = Project::new();
    project.plan(&PlanText::new("of-native", &["native"]));
    project.plan(&PlanText::new("of-python", &["python-reference"]));
    checkpoint(&project.file("model"), Architecture::Qwen2);
    let config = project.read("model/config.json");
    let quantized = config.replacen('{', "{\"quantization_config\": {\"quant_method\": \"awq\", \"bits\": 4},", 1);
    for (changed, named) in [(quantized, "quantization_config"), (config.replace("\"qwen2\"", "\"mamba\""), "mamba")] {
        assert_ne!(config, changed);
        project.write("model/config.json", changed);
        let native = project.lockstep(&["run", "of-native", "--model", "model"]);
        native.exits(2).tells(&["lane native runs the built-in engine", named, "take the lane out of the plan"]);
        assert!(project.runs().is_empty(), "a refused model left a run behind");
        // Another executable may have what this one has not, so that it is asked itself; this copy has no more.
        let other = project.file("lockstep-of-another-day");
        std::fs::copy(env!("CARGO_BIN_EXE_lockstep"), &other).expect("an executable can be copied");
        let own = format!("native={}", other.display());
        let asked = project.lockstep(&["run", "of-native", "--model", "model", "--unlocked", "--executable", &own]);
        asked.exits(4).prints(&["native", named]);
        std::fs::remove_dir_all(project.file("runs")).expect("the run can be removed");
        let python = project.lockstep(&["run", "of-python", "--model", "model", "--unlocked"]);
        python.exits(4).prints(&["python-reference", named]);
        std::fs::remove_dir_all(project.file("runs")).expect("the run can be removed");
    }
}

fn unfit() {
    let project = Project::new();
    project.plan(&PlanText { new_tokens: 100, ..PlanText::new("long", &["native"]) });
    project.plan(&PlanText::new("tiny", &["native"]));
    let model = project.file("model");
    checkpoint(&model, Architecture::Qwen2);
    project.lockstep(&["run", "long", "--model", "model"]).exits(2).tells(&["needs 105 positions", "the model has 64"]);
    let sharded = project.file("sharded");
    shard(&model, &sharded);
    std::fs::remove_file(sharded.join("model-00002-of-00002.safetensors")).expect("it can be removed");
    let missing = project.lockstep(&["run", "tiny", "--model", "sharded"]);
    missing.exits(2).tells(&["model-00002-of-00002.safetensors"]);
    std::fs::remove_file(model.join("model.safetensors")).expect("it can be removed");
    project.lockstep(&["run", "tiny", "--model", "model"]).exits(2).tells(&["safetensors"]);
    std::fs::create_dir(project.file("empty")).expect("a folder can be made");
    project.lockstep(&["run", "tiny", "--model", "empty"]).exits(2).tells(&["config.json"]);
    assert!(project.runs().is_empty(), "a refused model left a run behind");
}

fn resumed() {
    let project = Project::new();
    project.plan(&PlanText { repetitions: 30, new_tokens: 40, ..PlanText::new("tiny", &["native", "native-again"]) });
    let model = project.file("model");
    checkpoint(&model, Architecture::Gpt2);
    let started = project.start(&["run", "tiny", "--model", "model"]);
    started.line_with(" 20 %");
    let run = Run::of(&project, started.kill());
    let weights = std::fs::read(model.join("model.safetensors")).expect("the weights can be read");
    let mut other = weights.clone();
    *other.last_mut().expect("weights have bytes") ^= 1;
    std::fs::write(model.join("model.safetensors"), &other).expect("they can be written");
    project.lockstep(&["resume", "latest"]).exits(2).tells(&["has the digest", "the plan pins"]);
    std::fs::write(model.join("model.safetensors"), &weights).expect("they can be written");
    // The run knows its checkpoint's folder, from wherever it is gone on with.
    let mut command = project.command(&["resume", "latest", "--project", &project.root().to_string_lossy()]);
    command.current_dir("/");
    let resumed = Run { id: run.id, path: run.path, ended: crate::project::Started::of(command).finish() };
    resumed.exits(0);
    Ledger::of(&resumed.path).is_complete();
}

fn other_digest() {
    let project = Project::new();
    let text = PlanText::new("tiny", &["native"]).text();
    let pinned = crate::project::model_digest();
    project.write("plans/tiny.toml", text.replace(pinned, &format!("sha256:{}", "0".repeat(64))));
    project.lockstep(&["run", "tiny"]).exits(2).tells(&[pinned, "model.sha256"]);
    assert!(project.runs().is_empty(), "a refused plan left a run behind");
}
