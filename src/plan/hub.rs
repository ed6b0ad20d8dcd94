//! A checkpoint of a model hub, pinned by commit and file by file.

use serde::{Deserialize, Serialize};

use super::check_plan::unique;
use super::document::Document;
use super::{Error, ModelSpec};
use crate::terms::{Digest, is_name};

/// A checkpoint that is downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// The repository, `OWNER/NAME`.
    pub repository: String,
    /// The commit, 40 hex digits: branches and tags move.
    pub revision: String,
    /// The checkpoint's files; their digests give the model's.
    pub files: Vec<HubFile>,
}

/// A file of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubFile {
    /// Its name; it stands directly in the repository.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
}

/// The largest file that a pin may name: more than any host of today stores.
const LARGEST_FILE_BYTES: u64 = 1 << 50;

impl Hub {
    /// Whether `text` can be a repository: one or two names with `/` between them.
    #[must_use]
    pub fn is_repository(text: &str) -> bool {
        text.split('/').count() <= 2 && text.split('/').all(|part| is_name(part) && !part.contains('+'))
    }

    /// Whether `text` is a commit in full.
    #[must_use]
    pub fn is_commit(text: &str) -> bool {
        text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    }

    /// Whether `text` can name a file of a checkpoint, on any file system and in any URL.
    #[must_use]
    pub fn is_file(text: &str) -> bool {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        text.chars().all(good) && !text.is_empty() && !text.starts_with('.') && text.len() <= 120
    }
}

impl ModelSpec {
    /// The name, and for a checkpoint of a hub that its weights are published ones, and where.
    #[must_use]
    pub fn told(&self) -> String {
        match &self.hub {
            Some(Hub { repository, revision, .. }) => {
                format!("{} (published weights of {repository} at revision {revision})", self.name)
            }
            None => self.name.clone(),
        }
    }

    /// Where the weights come from: what is measured with them speaks of no others.
    #[must_use]
    pub fn weights(&self) -> String {
        match (&self.synthetic, &self.hub) {
            (Some(synthetic), _) => {
                format!("generated from seed {}, and say nothing of published ones", synthetic.seed)
            }
            (None, Some(Hub { repository, revision, .. })) => format!("published, {repository}@{revision}"),
            (None, None) => "those of a checkpoint that was given".to_owned(),
        }
    }
}

pub(super) fn check(document: &Document<'_>, model: &ModelSpec) -> Result<(), Error> {
    let Some(hub) = &model.hub else { return Ok(()) };
    let fault = |key: &str, message: String, hint: &str| {
        Err(document.fault(&format!("model.hub{key}"), message, Some(hint.to_owned())))
    };
    let pin = "`lockstep model pin REPOSITORY` prints the table";
    if model.synthetic.is_some() {
        return fault("", "the model is generated too".to_owned(), "take out [model.synthetic] or [model.hub]");
    }
    if !Hub::is_repository(&hub.repository) {
        return fault(".repository", format!("{:?} is no repository", hub.repository), "write OWNER/NAME");
    }
    if !Hub::is_commit(&hub.revision) {
        let message = format!("{:?} is no commit: expected 40 hex digits", hub.revision);
        return fault(".revision", message, "branches and tags move; `lockstep model pin` finds their commit");
    }
    if hub.files.is_empty() {
        return fault(".files", "no file is named".to_owned(), pin);
    }
    unique(document, "model.hub.files", hub.files.iter().map(|file| file.name.as_str()))?;
    for (index, HubFile { name, bytes, sha256: _ }) in hub.files.iter().enumerate() {
        if !Hub::is_file(name) {
            let message = format!("{name:?} is no file that stands directly in a repository");
            return fault(&format!(".files[{index}].name"), message, pin);
        }
        if !(1..=LARGEST_FILE_BYTES).contains(bytes) {
            let message = format!("{bytes} is out of range: expected 1 to {LARGEST_FILE_BYTES}");
            return fault(&format!(".files[{index}].bytes"), message, pin);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    const COMMIT: &str = "d2c5d8223fd00ab5ce469d8fdd93a7de78fb8b4a";

    /// A plan whose model is a hub's, with this in place of a part of it.
    fn parsed(from: &str, to: &str) -> Result<Plan, String> {
        let digest = Digest::of(b"");
        let text = format!(
            "schema = 1\nname = \"p\"\nseed = 1\n[model]\nname = \"m\"\nsha256 = \"{digest}\"\nvocab_size = 16\n\
             [model.hub]\nrepository = \"org/model\"\nrevision = \"{COMMIT}\"\nfiles = [\n\
             {{ name = \"config.json\", bytes = 2, sha256 = \"{digest}\" }},\n\
             {{ name = \"model.safetensors\", bytes = 7, sha256 = \"{digest}\" }},\n]\n\
             [run]\nlaunches = 3\nrepetitions = 1\nwarmup = 0\n[[workload]]\nname = \"w\"\nprompt = [1]\nnew_tokens = 1\n\
             phases = [\"prefill\"]\n[[lane]]\nname = \"native\"\n"
        );
        assert!(text.contains(from), "{from}");
        Plan::parse("f", &text.replacen(from, to, 1)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_plan_with_a_hubs_checkpoint_tells_which_weights_they_are() {
        let plan = parsed("seed", "seed").unwrap();
        let told = format!("m (published weights of org/model at revision {COMMIT})");
        assert_eq!(plan.model.told(), told);
        assert_eq!(plan.model.hub.unwrap().files.len(), 2);
    }

    #[test]
    fn a_pin_that_leaves_something_open_is_refused_with_its_key() {
        let synthetic = "[model.synthetic]\narchitecture = \"gpt2\"\nseed = 1\nhidden_size = 8\nintermediate_size = 8\n\
                         layers = 1\nheads = 1\nkv_heads = 1\nmax_positions = 8\n[run]";
        for (from, to, expected) in [
            ("[run]", synthetic, "model.hub: the model is generated too; take out"),
            ("org/model", "org/model/main", "f:9: model.hub.repository: \"org/model/main\" is no repository"),
            ("org/model", "../model", "is no repository; write OWNER/NAME"),
            (COMMIT, "main", "f:10: model.hub.revision: \"main\" is no commit: expected 40 hex digits; branches"),
            (COMMIT, &COMMIT.to_uppercase(), "is no commit"),
            ("config.json", "../config.json", "f:12: model.hub.files[0].name: \"../config.json\" is no file"),
            ("config.json", ".config.json", "is no file"),
            ("config.json", "model.safetensors", "model.hub.files[1].name: \"model.safetensors\" stands twice"),
            ("bytes = 7", "bytes = 0", "f:13: model.hub.files[1].bytes: 0 is out of range"),
            ("bytes = 7, ", "", "model.hub.files[1]: missing key `bytes`"),
        ] {
            let error = parsed(from, to).unwrap_err();
            assert!(error.contains(expected), "{to:?}: {error}");
        }
        let named = format!(
            "{{ name = \"config.json\", bytes = 2, sha256 = \"{0}\" }},\n{{ name = \"model.safetensors\", bytes = 7, sha256 = \"{0}\" }},\n",
            Digest::of(b"")
        );
        let error = parsed(&format!("files = [\n{named}"), "files = [").unwrap_err();
        assert!(error.contains("f:11: model.hub.files: no file is named"), "{error}");
    }
}
