//! Pinning and downloading a checkpoint from hubs that break off, refuse, lead elsewhere and send something else.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::super::checkpoint::folder_digest;
use super::super::faulty_registry::{Body, FaultyRegistry, Reply, Seen};
use super::super::{Error, HubOptions, RegistryOptions, fetch_checkpoint, pin_checkpoint, pinned_digest};
use crate::plan::{Hub, HubFile};
use crate::terms::Digest;

const COMMIT: &str = "d2c5d8223fd00ab5ce469d8fdd93a7de78fb8b4a";
const TOKEN: &str = "hf_secret";
const CONFIG: &str = "{\"vocab_size\": 96}";

fn weights() -> Vec<u8> {
    (0..1000_u32).map(|index| (index % 251) as u8).collect()
}

fn file(name: &str, bytes: &[u8]) -> HubFile {
    HubFile { name: name.into(), bytes: bytes.len() as u64, sha256: Digest::of(bytes) }
}

fn hub() -> Hub {
    let files = vec![file("config.json", CONFIG.as_bytes()), file("model.safetensors", &weights())];
    Hub { repository: "org/model".into(), revision: COMMIT.into(), files }
}

fn options(server: &FaultyRegistry) -> HubOptions {
    let http = RegistryOptions {
        attempts: 3,
        first_wait_s: 0.001,
        longest_wait_s: 1.0,
        request_s: 20.0,
        ..RegistryOptions::default()
    };
    HubOptions { endpoint: format!("http://{}", server.address), token: Some(TOKEN.into()), http }
}

/// A hub that makes no fault with `config.json`, and replies with `weights` for the rest.
fn serving(weights: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> FaultyRegistry {
    FaultyRegistry::start(move |seen| {
        if seen.target == format!("/org/model/resolve/{COMMIT}/config.json") {
            Reply::new(200, CONFIG)
        } else {
            weights(seen)
        }
    })
}

fn fetch(server: &FaultyRegistry, folder: &Path) -> Result<(), Error> {
    fetch_checkpoint(&options(server), &hub(), pinned_digest(&hub()), folder, &mut |_| {})
}

/// What fetching into an empty folder gives, and the names that it leaves.
fn fetched(server: &FaultyRegistry) -> (Result<(), Error>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let result = fetch(server, folder.path());
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    (result, names)
}

fn refusal(server: &FaultyRegistry) -> String {
    let (result, names) = fetched(server);
    let error = result.unwrap_err().to_string();
    assert!(!names.contains(&"model.safetensors".to_owned()), "{error}: {names:?}");
    assert!(!error.contains(TOKEN), "{error}");
    error
}

/// The weights from where the request's range begins; only so many bytes of them where `most` says so.
fn ranged(seen: &Seen, most: Option<usize>) -> Reply {
    let whole = weights();
    let first =
        seen.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let rest = whole[first.unwrap_or(0)..].to_vec();
    let reply = match first {
        Some(first) => Reply::new(206, rest.clone()).with("Content-Range", format!("bytes {first}-999/1000")),
        None => Reply::new(200, rest.clone()),
    };
    let reply = reply.with("ETag", "\"weights\"");
    // As much is promised as twice what comes.
    most.map_or(reply.clone(), |most| {
        assert_eq!(rest.len(), 2 * most);
        reply.body(Body::CutInHalf(rest[..most].to_vec()))
    })
}

fn ranges(server: &FaultyRegistry) -> Vec<(Option<String>, Option<String>)> {
    let header = |seen: &Seen, name: &str| seen.headers.get(name).cloned();
    let of_weights = server.seen_with("model.safetensors");
    of_weights.iter().map(|seen| (header(seen, "range"), header(seen, "if-range"))).collect()
}

#[test]
fn a_download_that_breaks_goes_on_where_it_broke() {
    let count = AtomicUsize::new(0);
    let server = serving(move |seen| match count.fetch_add(1, Ordering::SeqCst) {
        0 => ranged(seen, Some(500)),
        1 => ranged(seen, Some(250)),
        _ => ranged(seen, None),
    });
    let folder = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    let sha256 = pinned_digest(&hub());
    fetch_checkpoint(&options(&server), &hub(), sha256, folder.path(), &mut |news| {
        assert_eq!(news.total_bytes, 1000 + CONFIG.len() as u64);
        told.push(news.done_bytes);
    })
    .unwrap();
    assert_eq!(folder_digest(folder.path()).unwrap().digest, sha256);
    assert!(told.is_sorted() && told.last() == Some(&(1000 + CONFIG.len() as u64)), "{told:?}");
    let etag = Some("\"weights\"".to_owned());
    let expected = [(None, None), (Some("bytes=500-".to_owned()), etag.clone()), (Some("bytes=750-".to_owned()), etag)];
    assert_eq!(ranges(&server), expected);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left in the folder");
}

#[test]
fn a_later_attempt_goes_on_with_what_an_earlier_one_left() {
    let folder = tempfile::tempdir().unwrap();
    let broken =
        serving(|seen| if seen.headers.contains_key("range") { Reply::new(503, "") } else { ranged(seen, Some(500)) });
    let error = fetch(&broken, folder.path()).unwrap_err();
    assert!(matches!(error, Error::Busy { status: 503, attempts: 3, .. }), "{error}");
    let server = serving(|seen| ranged(seen, None));
    fetch(&server, folder.path()).unwrap();
    assert_eq!(ranges(&server), [(Some("bytes=500-".to_owned()), None)]);
    assert!(server.seen_with("config.json").is_empty(), "what is there is not downloaded again");
    assert_eq!(folder_digest(folder.path()).unwrap().digest, pinned_digest(&hub()));
    // A file that was damaged meanwhile is.
    fs::write(folder.path().join("config.json"), "{}").unwrap();
    fetch(&server, folder.path()).unwrap();
    assert_eq!((server.seen_with("config.json").len(), server.seen_with("model.safetensors").len()), (1, 1));
}

#[test]
fn a_server_that_is_gone_is_waited_for_only_where_something_has_come() {
    let gone = options(&serving(|seen| ranged(seen, None)));
    let folder = tempfile::tempdir().unwrap();
    let fetch = || fetch_checkpoint(&gone, &hub(), pinned_digest(&hub()), folder.path(), &mut |_| {});
    assert!(matches!(fetch(), Err(Error::Connect { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing has come, and nothing stays");
    fs::write(folder.path().join("config.json.part"), "{").unwrap();
    assert!(matches!(fetch(), Err(Error::Interrupted { attempts: 3, .. })));
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    for answer in ["ignores", "refuses", "another place"] {
        let count = AtomicUsize::new(0);
        let server = serving(move |seen| match (count.fetch_add(1, Ordering::SeqCst), answer) {
            (0, _) => ranged(seen, Some(500)),
            (1, "refuses") => Reply::new(416, "").with("Content-Range", "bytes */1000"),
            (1, "another place") => Reply::new(206, &weights()[400..]).with("Content-Range", "bytes 400-999/1000"),
            _ => Reply::new(200, weights()),
        });
        let (result, names) = fetched(&server);
        result.unwrap_or_else(|error| panic!("{answer}: {error}"));
        assert_eq!(names, ["config.json", "model.safetensors"], "{answer}");
    }
}

#[test]
fn a_file_other_than_the_pinned_one_is_refused_by_name_and_removed() {
    let mut other = weights();
    other[999] ^= 1;
    let server = serving(move |_| Reply::new(200, other.clone()));
    let (result, names) = fetched(&server);
    let error = result.unwrap_err();
    let expected = Digest::of(&weights());
    assert!(matches!(&error, Error::WrongDigest { by: "the plan", expected: e, .. } if *e == expected), "{error}");
    assert!(error.to_string().contains("model.safetensors of org/model"), "{error}");
    assert_eq!(names, ["config.json"]);
    // So is one whose beginning was damaged here.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.safetensors.part"), [0; 600]).unwrap();
    let good = serving(|seen| ranged(seen, None));
    assert!(matches!(fetch(&good, folder.path()), Err(Error::WrongDigest { .. })));
    fetch(&good, folder.path()).unwrap();
    assert_eq!(ranges(&good), [(Some("bytes=600-".to_owned()), None), (None, None)]);
}

#[test]
fn a_file_of_another_size_is_refused_without_being_read_to_its_end() {
    let shorter = serving(|_| Reply::new(200, &weights()[..999]));
    let longer = serving(|_| Reply::new(200, [weights(), vec![0]].concat()));
    let endless = serving(|_| Reply::new(200, "").body(Body::Endless));
    let resumed = AtomicUsize::new(0);
    let grown = serving(move |seen| match resumed.fetch_add(1, Ordering::SeqCst) {
        0 => ranged(seen, Some(500)),
        _ => Reply::new(206, &weights()[500..]).with("Content-Range", "bytes 500-999/1001"),
    });
    for server in [shorter, longer, endless, grown] {
        let (result, names) = fetched(&server);
        let error = result.unwrap_err();
        assert!(matches!(error, Error::WrongSize { expected_bytes: 1000, .. }), "{error}");
        assert_eq!(names, ["config.json"], "{error}");
    }
}

#[test]
fn the_token_goes_to_the_hub_and_not_where_it_leads() {
    let store = FaultyRegistry::start(|seen| match seen.target.as_str() {
        "/blob?signature=1" => ranged(seen, None),
        _ => Reply::new(404, ""),
    });
    let elsewhere = format!("http://{}/blob?signature=1", store.address);
    let server = serving(move |_| Reply::new(302, "").with("Location", elsewhere.clone()));
    let (result, _) = fetched(&server);
    result.unwrap();
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(server.seen().len(), 2);
    assert!(server.seen().iter().all(|seen| seen.headers.get("authorization") == Some(&bearer)));
    assert_eq!(store.seen().len(), 1);
    assert!(store.seen().iter().all(|seen| !seen.headers.contains_key("authorization")), "{:?}", store.seen());
    assert!(!format!("{:?}", options(&server)).contains(TOKEN));
}

#[test]
fn a_redirect_within_the_hub_keeps_the_token() {
    let server = serving(|seen| match seen.target.as_str() {
        "/cache/model" => ranged(seen, None),
        _ => Reply::new(307, "").with("Location", "/cache/model"),
    });
    fetched(&server).0.unwrap();
    assert!(server.seen_with("/cache/model").iter().all(|seen| seen.headers.contains_key("authorization")));
    assert_eq!(server.seen_with("/cache/model").len(), 1);
}

#[test]
fn a_gated_repository_says_how_to_get_access() {
    for (status, token, expected) in [
        (401, None, "put an access token into the variable HF_TOKEN"),
        (403, None, "put an access token into the variable HF_TOKEN"),
        (401, Some(TOKEN), "does not take the token in HF_TOKEN"),
        (403, Some(TOKEN), "the token in HF_TOKEN may not read it: ask for access on http"),
    ] {
        let server = FaultyRegistry::start(move |_| {
            let words = "Access to model org/model is restricted\u{1b}[2J.";
            Reply::new(status, json!({"error": words}).to_string()).with("X-Error-Code", "GatedRepo")
        });
        let options = HubOptions { token: token.map(str::to_owned), ..options(&server) };
        let folder = tempfile::tempdir().unwrap();
        let error = fetch_checkpoint(&options, &hub(), pinned_digest(&hub()), folder.path(), &mut |_| {}).unwrap_err();
        let pinned = pin_checkpoint(&options, "org/model", "main", folder.path()).unwrap_err();
        for error in [error.to_string(), pinned.to_string()] {
            assert!(error.contains(expected) && error.contains(&format!("HTTP {status}")), "{error}");
            assert!(error.contains("is restricted [2J.") && !error.contains(TOKEN), "{error:?}");
        }
        assert_eq!(server.seen().len(), 2, "a refusal is not asked for again");
    }
}

#[test]
fn what_is_not_there_and_what_stays_busy_is_told() {
    let gone = refusal(&serving(|_| Reply::new(404, "Entry not found")));
    assert!(gone.contains("HTTP 404") && gone.contains("check the names of repository, revision and file"), "{gone}");
    let odd = refusal(&serving(|_| Reply::new(204, "")));
    assert!(odd.contains("HTTP 204") && odd.contains("HF_ENDPOINT"), "{odd}");
    let busy = refusal(&serving(|_| Reply::new(429, "").with("Retry-After", "600")));
    assert!(busy.contains("HTTP 429") && busy.contains("asks to wait 600 s"), "{busy}");
    let count = AtomicUsize::new(0);
    let server = serving(move |seen| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(429, "").with("Retry-After", "0"),
        _ => ranged(seen, None),
    });
    fetched(&server).0.unwrap();
    assert_eq!(server.seen_with("model.safetensors").len(), 2);
}

#[test]
fn a_download_that_would_not_fit_or_not_be_the_model_asks_nobody() {
    let server = serving(|seen| ranged(seen, None));
    let folder = tempfile::tempdir().unwrap();
    let fetch = |hub: &Hub, sha256| fetch_checkpoint(&options(&server), hub, sha256, folder.path(), &mut |_| {});
    let mut large = hub();
    large.files[1].bytes = 1 << 50;
    let error = fetch(&large, pinned_digest(&large)).unwrap_err();
    assert!(matches!(error, Error::NoRoom { needed_bytes, .. } if needed_bytes > 1 << 50), "{error}");
    let error = fetch(&hub(), Digest::of(b"another")).unwrap_err().to_string();
    assert!(error.contains("and model.sha256 is sha256:") && error.contains("lockstep model pin org/model"), "{error}");
    let mut stray = hub();
    stray.files.push(file("README.md", b"words"));
    let error = fetch(&stray, pinned_digest(&stray)).unwrap_err().to_string();
    assert!(error.contains("README.md, which is no part of a model"), "{error}");
    let held = fs::File::create(folder.path().join(".downloading")).unwrap();
    held.lock().unwrap();
    let error = fetch(&hub(), pinned_digest(&hub())).unwrap_err().to_string();
    assert!(error.contains("another lockstep is downloading it"), "{error}");
    assert!(server.seen().is_empty());
    for (endpoint, expected) in
        [("http://hub.example", "with encryption alone"), ("ftp://hub.example", "no scheme"), ("hub", "relative URL")]
    {
        let other = HubOptions { endpoint: endpoint.into(), ..options(&server) };
        let error = pin_checkpoint(&other, "org/model", "main", folder.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{endpoint}: {error}");
    }
}

/// Name and content of a file, and for a large one the bytes whose hash is listed.
type ListedFile = (&'static str, &'static [u8], Option<&'static [u8]>);

/// A hub that lists these files.
fn listing(files: &[ListedFile]) -> FaultyRegistry {
    let files = files.to_vec();
    FaultyRegistry::start(move |seen| {
        if let Some(name) = seen.target.strip_prefix(&format!("/mirror/org/model/resolve/{COMMIT}/")) {
            let file = files.iter().find(|file| file.0 == name);
            return file.map_or_else(|| Reply::new(404, ""), |(_, bytes, _)| Reply::new(200, *bytes));
        }
        let sibling = |(name, bytes, hashed): &ListedFile| {
            let lfs = hashed.map(|hashed| json!({"sha256": Digest::of(hashed).hex(), "size": bytes.len()}));
            json!({"rfilename": name, "size": bytes.len(), "blobId": "x", "lfs": lfs})
        };
        match seen.target.as_str() {
            "/mirror/api/models/org/model/revision/refs%2Fpr%2F1?blobs=true" => {
                let siblings: Vec<_> = files.iter().map(sibling).collect();
                Reply::new(200, json!({"id": "org/model", "sha": COMMIT, "siblings": siblings}).to_string())
            }
            _ => Reply::new(404, "{\"error\": \"Revision Not Found\"}"),
        }
    })
}

fn pin(server: &FaultyRegistry, revision: &str) -> Result<Hub, String> {
    let options = HubOptions { endpoint: format!("http://{}/mirror/", server.address), ..options(server) };
    let scratch = tempfile::tempdir().unwrap();
    pin_checkpoint(&options, "org/model", revision, scratch.path()).map_err(|error| error.to_string())
}

#[test]
fn a_pin_has_the_commit_and_every_file_that_is_part_of_the_model() {
    let server = listing(&[
        ("config.json", CONFIG.as_bytes(), None),
        ("tokenizer.json", b"tokens", Some(b"tokens")),
        ("model.safetensors", b"weights", Some(b"weights")),
        ("README.md", b"words", None),
        ("original/model.safetensors", b"again", Some(b"again")),
        ("pytorch_model.bin", b"pickle", Some(b"pickle")),
    ]);
    let pinned = pin(&server, "refs/pr/1").unwrap();
    assert_eq!((pinned.repository.as_str(), pinned.revision.as_str()), ("org/model", COMMIT));
    let expected = [
        file("config.json", CONFIG.as_bytes()),
        file("model.safetensors", b"weights"),
        file("tokenizer.json", b"tokens"),
    ];
    assert_eq!(pinned.files, expected);
    assert!(server.seen_with("model.safetensors").is_empty(), "weights are pinned by what the hub says of them");
    let unknown = pin(&server, "nowhere").unwrap_err();
    assert!(unknown.contains("Revision Not Found") && unknown.contains("HTTP 404"), "{unknown}");
}

#[test]
fn what_cannot_be_pinned_says_why() {
    let config = ("config.json", CONFIG.as_bytes(), None);
    let weights = ("model.safetensors", &b"weights"[..], Some(&b"weights"[..]));
    let index: &[u8] = br#"{"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}"#;
    for (files, expected) in [
        (vec![config], "has not any *.safetensors file"),
        (vec![weights], "has not config.json"),
        (vec![config, weights, ("model.safetensors.index.json", index, None)], "has not model-2.safetensors"),
        (vec![config, weights, ("tokenizer.json", b"tokens", Some(b"others"))], "and the hub's list says"),
        (vec![config, weights, ("tokenizer.json", b"", None)], "lists tokenizer.json with 0 bytes"),
    ] {
        let error = pin(&listing(&files), "refs/pr/1").unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let server = FaultyRegistry::start(|_| Reply::new(200, json!({"sha": "main", "siblings": []}).to_string()));
    assert!(pin(&server, "main").unwrap_err().contains("\"main\" is no commit"));
    let server = FaultyRegistry::start(|_| Reply::new(200, "<html>"));
    assert!(pin(&server, "main").unwrap_err().contains("the answer cannot be read"));
}
