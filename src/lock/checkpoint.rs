//! The digest of a checkpoint folder.
//!
//! The rule. A file counts when it stands directly in the folder, is a regular file or a link to one (Hugging Face's
//! caches are folders of links), and its name is
//! - `config.json`, `generation_config.json` or one of the quantisation descriptions (`quantize_config.json`,
//!   `hf_quant_config.json`),
//! - a tokenizer's: `tokenizer.json`, `tokenizer_config.json`, `tokenizer.model`, `special_tokens_map.json`,
//!   `added_tokens.json`, `vocab.json`, `vocab.txt`, `merges.txt`, `spiece.model`, `tekken.json`,
//!   `chat_template.json`, `chat_template.jinja`, or ends in `.tiktoken`,
//! - weights: ends in `.safetensors` or `.safetensors.index.json`,
//! - or code that loaders execute for the model: ends in `.py`.
//!
//! Everything else says nothing about what is computed from safetensors, and changes nothing here: hidden files,
//! READMEs and licences, other weight formats (`.bin`, `.gguf`, `.pth`), subfolders.
//!
//! The digest is SHA-256 over one line a file, `NAME sha256:HEX\n`, sorted by the bytes of the name. Where the file
//! came from, its time and its owner are no part of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;

use super::Error;
use super::change::changes;
use crate::terms::{Digest, Hasher};

const NAMES: &[&str] = &[
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    "hf_quant_config.json",
    "merges.txt",
    "quantize_config.json",
    "special_tokens_map.json",
    "spiece.model",
    "tekken.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
];
const ENDINGS: &[&str] = &[".safetensors", ".safetensors.index.json", ".tiktoken", ".py"];
const WEIGHTS_ENDING: &str = ".safetensors";
const INDEX_ENDING: &str = ".safetensors.index.json";
/// An index names each tensor once; the largest published ones have some 10 MB.
const LARGEST_INDEX_BYTES: u64 = 256 << 20;
/// Reading ahead from one disk gains nothing beyond this.
const MOST_THREADS: usize = 8;

/// A checkpoint folder's digest and what it was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderDigest {
    /// Digest over the sorted list of names and digests; what a plan's `model.sha256` holds.
    pub digest: Digest,
    /// Each file's digest, by name.
    pub files: BTreeMap<String, Digest>,
    /// Total size in bytes.
    pub bytes: u64,
    /// Each file's stamp, taken from the file as it was hashed.
    pub stamps: BTreeMap<String, FileStamp>,
}

/// What the file system says about a file without its content being read. Two equal stamps mean an unchanged file,
/// short of someone who sets the clock back and of an edit within the same tick of the kernel's clock (some
/// milliseconds). The change time cannot be set by `touch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Size in bytes.
    pub bytes: u64,
    /// Device number.
    pub device: u64,
    /// Inode number; of the file itself where the name is a link.
    pub inode: u64,
    /// Last change of the content, in nanoseconds since 1970.
    pub modified_ns: i128,
    /// Last change of content or attributes, in nanoseconds since 1970.
    pub changed_ns: i128,
}

impl FileStamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            bytes: metadata.len(),
            device: metadata.dev(),
            inode: metadata.ino(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Digest of a checkpoint folder, by the rule of this file. Large files are read in pieces, several at a time.
///
/// # Errors
/// The folder or a file cannot be read; `config.json` or the weights are missing, or a shard that the index names;
/// a file changed while it was read.
pub fn folder_digest(folder: &Path) -> Result<FolderDigest, Error> {
    let names = model_files(folder)?;
    check_complete(folder, &names)?;
    let hashed = hash_all(folder, &names)?;
    let files: BTreeMap<String, Digest> = hashed.iter().map(|(name, hash)| (name.clone(), hash.0)).collect();
    let stamps: BTreeMap<String, FileStamp> = hashed.into_iter().map(|(name, hash)| (name, hash.1)).collect();
    let bytes = stamps.values().map(|stamp| stamp.bytes).sum();
    Ok(FolderDigest { digest: list_digest(&files), files, bytes, stamps })
}

/// Stamps of the files that [`folder_digest`] counts, by name. Reads no content.
///
/// # Errors
/// The folder or a file cannot be read.
pub fn file_stamps(folder: &Path) -> Result<BTreeMap<String, FileStamp>, Error> {
    let stamp = |name: String| {
        let path = folder.join(&name);
        let metadata = std::fs::metadata(&path).map_err(|problem| Error::Io { action: "looking at", path, problem })?;
        Ok((name, FileStamp::of(&metadata)))
    };
    model_files(folder)?.into_iter().map(stamp).collect()
}

/// Whether the folder still is what `known` says: cheap as long as the stamps are equal, and only files with another
/// stamp are read again.
///
/// # Errors
/// [`Error::Changed`] with every file that differs, is new or gone; or a file cannot be read.
pub fn verify_folder(folder: &Path, known: &FolderDigest) -> Result<(), Error> {
    let stamps = file_stamps(folder)?;
    let mut now = BTreeMap::new();
    for (name, stamp) in &stamps {
        let digest = match (known.stamps.get(name), known.files.get(name)) {
            (Some(before), Some(digest)) if before == stamp => *digest,
            _ => hash_file(&folder.join(name))?.0,
        };
        now.insert(name.clone(), digest);
    }
    let changes = changes(&known.files, &now);
    if changes.is_empty() { Ok(()) } else { Err(Error::Changed { folder: folder.to_owned(), changes }) }
}

pub(super) fn list_digest(files: &BTreeMap<String, Digest>) -> Digest {
    let mut hasher = Hasher::default();
    for (name, digest) in files {
        hasher.update(format!("{name} {digest}\n").as_bytes());
    }
    hasher.finish()
}

/// Names of the files that count, sorted.
fn model_files(folder: &Path) -> Result<Vec<String>, Error> {
    let unreadable = |problem| Error::Io { action: "listing the folder", path: folder.to_owned(), problem };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        if !counts(&shown) {
            continue;
        }
        let path = entry.path();
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(problem) => return Err(Error::Io { action: "following the file", path, problem }),
        };
        if !metadata.is_file() {
            continue;
        }
        match name.to_str() {
            Some(name) if !name.chars().any(char::is_control) => names.push(name.to_owned()),
            _ => {
                let problem = "the name has a control character or is not UTF-8".to_owned();
                return Err(Error::File { path, problem, hint: "rename the file" });
            }
        }
    }
    names.sort();
    Ok(names)
}

pub(super) fn counts(name: &str) -> bool {
    !name.starts_with('.') && (NAMES.contains(&name) || ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

pub(super) fn check_complete(folder: &Path, names: &[String]) -> Result<(), Error> {
    let missing =
        |missing: String, hint: &str| Error::Incomplete { folder: folder.to_owned(), missing, hint: hint.to_owned() };
    let has = |name: &str| names.iter().any(|found| found == name);
    if !has("config.json") {
        return Err(missing("config.json".into(), "give a Hugging Face checkpoint folder"));
    }
    for index in names.iter().filter(|name| name.ends_with(INDEX_ENDING)) {
        for shard in shards(&folder.join(index))? {
            if !has(&shard) {
                let hint = format!("{index} names it: download the checkpoint again");
                return Err(missing(shard, &hint));
            }
        }
    }
    if !names.iter().any(|name| name.ends_with(WEIGHTS_ENDING)) {
        return Err(missing("any *.safetensors file".into(), "convert the weights to safetensors"));
    }
    Ok(())
}

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// The files that an index names, each once.
fn shards(path: &Path) -> Result<Vec<String>, Error> {
    let hint = "download the checkpoint again";
    let fault = |problem: String| Error::File { path: path.to_owned(), problem, hint };
    let unreadable = |problem| Error::Io { action: "reading", path: path.to_owned(), problem };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > LARGEST_INDEX_BYTES {
        return Err(fault(format!("the index has {bytes} bytes, more than {LARGEST_INDEX_BYTES}")));
    }
    let text = std::fs::read(path).map_err(unreadable)?;
    let index: ShardIndex =
        serde_json::from_slice(&text).map_err(|error| fault(format!("the index cannot be read: {error}")))?;
    let mut shards: Vec<String> = index.weight_map.into_values().collect();
    shards.sort();
    shards.dedup();
    match shards.iter().find(|shard| shard.contains('/') || !shard.ends_with(WEIGHTS_ENDING)) {
        Some(other) => Err(fault(format!("the index names {other:?}, expected a *.safetensors file beside it"))),
        None => Ok(shards),
    }
}

type Hashed = (Digest, FileStamp);

/// Hashes the files on a few threads, the largest first so that none is left to run alone at the end.
fn hash_all(folder: &Path, names: &[String]) -> Result<BTreeMap<String, Hashed>, Error> {
    let mut queue: Vec<(&String, PathBuf)> = names.iter().map(|name| (name, folder.join(name))).collect();
    queue.sort_by_cached_key(|(_, path)| std::cmp::Reverse(std::fs::metadata(path).map_or(0, |m| m.len())));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut hashed = Vec::new();
        while let Some((name, path)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            hashed.push(((*name).clone(), hash_file(path)?));
        }
        Ok::<_, Error>(hashed)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(queue.len()).min(MOST_THREADS);
    let results: Vec<Result<Vec<(String, Hashed)>, Error>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // A worker has nothing that panics; were that to change, its panic would go on here instead of being lost.
        workers.into_iter().map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let mut all = BTreeMap::new();
    for result in results {
        all.extend(result?);
    }
    Ok(all)
}

/// A file's digest and stamp, both from the one opened file, and proof that it kept still meanwhile.
fn hash_file(path: &Path) -> Result<Hashed, Error> {
    let unreadable = |problem| Error::Io { action: "reading", path: path.to_owned(), problem };
    let mut file = File::open(path).map_err(unreadable)?;
    let before = FileStamp::of(&file.metadata().map_err(unreadable)?);
    let digest = Digest::of_reader(&mut file).map_err(unreadable)?;
    let after = FileStamp::of(&file.metadata().map_err(unreadable)?);
    if before == after {
        Ok((digest, after))
    } else {
        let problem = "the file changed while it was read".to_owned();
        Err(Error::File { path: path.to_owned(), problem, hint: "wait until nothing writes to it" })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::Change;
    use super::*;

    const INDEX: &str = r#"{"metadata": {}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}"#;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn small() -> tempfile::TempDir {
        folder(&[("config.json", "{}"), ("model.safetensors", "weights"), ("tokenizer.json", "[]")])
    }

    #[test]
    fn the_digest_is_that_of_the_sorted_list() {
        let found = folder_digest(small().path()).unwrap();
        let line = |name: &str, content: &str| format!("{name} {}\n", Digest::of(content.as_bytes()));
        let list = line("config.json", "{}") + &line("model.safetensors", "weights") + &line("tokenizer.json", "[]");
        assert_eq!(found.digest, Digest::of(list.as_bytes()));
        assert_eq!(found.bytes, 11);
        assert_eq!(found.files.len(), 3);
        assert_eq!(found.stamps.keys().collect::<Vec<_>>(), found.files.keys().collect::<Vec<_>>());
    }

    #[test]
    fn what_does_not_define_the_model_changes_nothing() {
        let folder = small();
        let before = folder_digest(folder.path()).unwrap();
        for name in ["README.md", ".gitattributes", ".config.json", "pytorch_model.bin", "m.gguf", "a.safetensors.part"]
        {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::create_dir(folder.path().join("onnx.safetensors")).unwrap();
        assert_eq!(folder_digest(folder.path()).unwrap().digest, before.digest);
        verify_folder(folder.path(), &before).unwrap();
    }

    #[test]
    fn what_defines_the_model_changes_the_digest() {
        for name in ["generation_config.json", "vocab.json", "chat_template.jinja", "modeling_x.py", "z.safetensors"] {
            let folder = small();
            let before = folder_digest(folder.path()).unwrap();
            fs::write(folder.path().join(name), "x").unwrap();
            assert_ne!(folder_digest(folder.path()).unwrap().digest, before.digest, "{name}");
            let changes = vec![Change { name: name.into(), before: None, now: Some(Digest::of(b"x")) }];
            assert!(
                matches!(verify_folder(folder.path(), &before), Err(Error::Changed { changes: c, .. }) if c == changes)
            );
        }
    }

    #[test]
    fn a_folder_of_links_has_the_digest_of_the_files() {
        let files = small();
        let links = tempfile::tempdir().unwrap();
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            symlink(files.path().join(name), links.path().join(name)).unwrap();
        }
        let (files, links) = (folder_digest(files.path()).unwrap(), folder_digest(links.path()).unwrap());
        assert_eq!(files, links);
    }

    #[test]
    fn what_is_missing_is_named_with_its_folder() {
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[("model.safetensors", "w")], "config.json"),
            (&[("config.json", "{}"), ("model.bin", "w")], "safetensors"),
            (
                &[("config.json", "{}"), ("m.safetensors.index.json", INDEX), ("m-1.safetensors", "w")],
                "m-2.safetensors",
            ),
            (&[("config.json", "{}"), ("m.safetensors.index.json", "{}"), ("m-1.safetensors", "w")], "weight_map"),
            (
                &[("config.json", "{}"), ("m.safetensors.index.json", r#"{"weight_map":{"a":"../b.safetensors"}}"#)],
                "../b.safetensors",
            ),
        ];
        for (files, missing) in cases {
            let folder = folder(files);
            let error = folder_digest(folder.path()).unwrap_err().to_string();
            assert!(error.contains(missing) && error.contains(folder.path().to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn a_sharded_checkpoint_is_complete_with_all_its_shards() {
        let folder = folder(&[
            ("config.json", "{}"),
            ("m.safetensors.index.json", INDEX),
            ("m-1.safetensors", "1"),
            ("m-2.safetensors", "2"),
        ]);
        assert_eq!(folder_digest(folder.path()).unwrap().files.len(), 4);
    }

    #[test]
    fn a_link_to_nowhere_and_a_folder_that_is_not_there_are_named() {
        let folder = small();
        symlink("nowhere", folder.path().join("x.safetensors")).unwrap();
        let error = folder_digest(folder.path()).unwrap_err().to_string();
        assert!(error.contains("x.safetensors"), "{error}");
        let error = folder_digest(&folder.path().join("absent")).unwrap_err().to_string();
        assert!(error.contains("absent"), "{error}");
    }

    #[test]
    fn a_name_that_would_forge_a_line_of_the_list_is_refused() {
        let folder = folder(&[("config.json", "{}"), ("a\nb.safetensors", "w")]);
        assert!(matches!(folder_digest(folder.path()), Err(Error::File { .. })));
    }

    #[test]
    fn a_touched_file_is_read_again_and_an_edited_one_is_reported() {
        let folder = small();
        let known = folder_digest(folder.path()).unwrap();
        let path = folder.path().join("model.safetensors");
        let stamps = file_stamps(folder.path()).unwrap();
        assert_eq!(stamps, known.stamps);

        // The clock of file times ticks every few milliseconds, so the times are set.
        let write_at = |text: &str, seconds: u64| {
            fs::write(&path, text).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        write_at("weights", 1_000);
        assert_ne!(file_stamps(folder.path()).unwrap(), stamps);
        verify_folder(folder.path(), &known).unwrap();

        write_at("Weights", 2_000);
        let error = verify_folder(folder.path(), &known).unwrap_err().to_string();
        assert!(error.contains("model.safetensors (from "), "{error}");

        fs::remove_file(&path).unwrap();
        let error = verify_folder(folder.path(), &known).unwrap_err().to_string();
        assert!(error.contains("model.safetensors (gone)"), "{error}");
    }

    #[test]
    fn many_files_hash_as_one_by_one() {
        let folder = small();
        for i in 0..40_usize {
            fs::write(folder.path().join(format!("{i}.safetensors")), vec![b'x'; i * 7_919]).unwrap();
        }
        let found = folder_digest(folder.path()).unwrap();
        assert_eq!(found.files.len(), 43);
        for (name, digest) in &found.files {
            assert_eq!(*digest, Digest::of_file(&folder.path().join(name)).unwrap());
        }
    }
}
