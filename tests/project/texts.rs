//! Plans and lanes of the tests: a model of a few thousand weights, and plans that depend on no timing.

use std::sync::OnceLock;

use lockstep::engine::{Architecture, SyntheticSpec, generate_checkpoint};
use lockstep::lock::folder_digest;

/// The model's name in every plan.
pub const MODEL: &str = "tiny-qwen2";

/// The digest that plans pin, of the checkpoint that [`PlanText`] describes.
pub fn model_digest() -> &'static str {
    static DIGEST: OnceLock<String> = OnceLock::new();
    DIGEST.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let spec = SyntheticSpec {
            architecture: Architecture::Qwen2,
            hidden_size: 32,
            intermediate_size: 64,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            vocab_size: 128,
            max_positions: 256,
            seed: 7,
            dtype: Default::default(),
            tied_embeddings: false,
            rope_theta: 10_000,
        };
        generate_checkpoint(&spec, folder.path()).expect("a tiny model can be generated");
        folder_digest(folder.path()).expect("a generated model can be hashed").digest.to_string()
    })
}

/// A plan of two cells.
#[derive(Debug, Clone)]
pub struct PlanText {
    pub name: &'static str,
    pub launches: u32,
    pub repetitions: u32,
    pub warmup: u32,
    pub new_tokens: u32,
    /// Name, and what else stands in its table.
    pub lanes: Vec<(&'static str, &'static str)>,
    /// Whether the plan expects the same tokens of all lanes.
    pub same_tokens: bool,
    /// Whatever else is to stand at the end.
    pub rest: &'static str,
}

impl PlanText {
    pub fn new(name: &'static str, lanes: &[&'static str]) -> Self {
        Self {
            name,
            launches: 3,
            repetitions: 2,
            warmup: 0,
            new_tokens: 4,
            lanes: lanes.iter().map(|lane| (*lane, "")).collect(),
            same_tokens: lanes.len() > 1,
            rest: "",
        }
    }

    pub fn text(&self) -> String {
        let Self { name, launches, repetitions, warmup, new_tokens, lanes, same_tokens, rest } = self;
        let digest = model_digest();
        let mut text = format!(
            "schema = 1\nname = \"{name}\"\nseed = 5\n\n[model]\nname = \"{MODEL}\"\nsha256 = \"{digest}\"\n\
             vocab_size = 128\n\n[model.synthetic]\narchitecture = \"qwen2\"\nseed = 7\nhidden_size = 32\n\
             intermediate_size = 64\nlayers = 2\nheads = 4\nkv_heads = 2\nmax_positions = 256\n\n\
             [run]\nlaunches = {launches}\nrepetitions = {repetitions}\nwarmup = {warmup}\nbusy_limit_pct = 99.9\n\
             floor_ns_per_forward = 100\n\n[[workload]]\nname = \"w\"\nprompt_tokens = 5\nprompt_seed = 1\n\
             new_tokens = {new_tokens}\nphases = [\"prefill\", \"e2e_kv\"]\n"
        );
        for (lane, settings) in lanes {
            text.push_str(&format!("\n[[lane]]\nname = \"{lane}\"\n{settings}\n"));
        }
        if *same_tokens {
            text.push_str(
                "\n[[hypothesis]]\nname = \"tokens\"\nkind = \"tokens_identical\"\nexpect = [\"identical\"]\n",
            );
        }
        text.push_str(rest);
        text
    }
}

/// A lane of the scripted runner.
#[derive(Debug, Clone)]
pub struct Lane {
    pub name: &'static str,
    /// The script that starts it, in which `"$@"` stands for the arguments.
    pub script: String,
    /// Arguments of `faulty_runner`.
    pub arguments: Vec<String>,
    /// Name and seconds, beside the defaults of these tests.
    pub limits: Vec<(&'static str, f64)>,
}

impl Lane {
    /// A lane that starts `faulty_runner` with `arguments`, separated by blanks, and notes its process id.
    pub fn faulty(name: &'static str, arguments: &str) -> Self {
        Self {
            name,
            script: format!("echo $$ >> {name}.pids; exec faulty_runner \"$@\""),
            arguments: arguments.split_whitespace().map(str::to_owned).collect(),
            limits: Vec::new(),
        }
    }

    pub fn limit(mut self, name: &'static str, seconds: f64) -> Self {
        self.limits.push((name, seconds));
        self
    }

    pub fn script(mut self, script: &str) -> Self {
        script.clone_into(&mut self.script);
        self
    }

    pub fn text(&self) -> String {
        let Self { name, script, arguments, limits } = self;
        let words: Vec<String> =
            ["-c", script, "sh"].into_iter().chain(arguments.iter().map(String::as_str)).map(quoted).collect();
        let mut text = format!(
            "schema = 1\nname = \"{name}\"\nlauncher = \"process\"\nrunner = \"faulty\"\n\n[process]\nprogram = \"sh\"\n\
             arguments = [{}]\n\n[axes]\ncache = \"dynamic\"\ndtype = \"f32\"\n\n[limits]\n",
            words.join(", ")
        );
        // Generous where a busy machine only costs time, since nothing is to hang there.
        let mut shown = vec![("load_s", 20.0), ("compile_s", 20.0), ("warmup_s", 20.0), ("measure_s", 20.0)];
        shown.extend([("wall_s", 60.0), ("grace_s", 1.0)]);
        for (limit, default) in shown {
            let seconds = limits.iter().find(|(name, _)| *name == limit).map_or(default, |(_, seconds)| *seconds);
            text.push_str(&format!("{limit} = {seconds:?}\n"));
        }
        text
    }
}

/// A TOML string. Scripts hold quotes and dollars, and no control characters.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}
