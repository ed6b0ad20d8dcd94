//! Manifests, indexes and image configurations: bytes → checked values. Pure; fetches nothing.
//!
//! Sources: OCI image specification 1.1 (`manifest.md`, `image-index.md`, `config.md`) and Docker's image manifest
//! version 2, schema 2. Both are read by one path, since they differ in names of media types alone.

use serde::Deserialize;

use super::Platform;
use crate::terms::Digest;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What is asked for. Without all four, a registry converts to schema 1, whose digest is another one.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Why a document was not taken. The caller adds which one it was and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not the JSON that its kind has.
    Malformed(String),
    /// Schema 1: retired, signed in its body, without a configuration.
    Schema1,
    /// Well formed, but something else than a container image.
    NotAnImage(String),
    /// No entry for the platform.
    NoPlatform { wanted: String, available: Vec<String> },
}

/// A document that a manifest URL may answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Document {
    Manifest(Manifest),
    Index(Index),
}

/// Where a part of an image is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub digest: Digest,
    pub size_bytes: u64,
}

/// One platform's image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub config: Part,
    pub layers: usize,
}

/// Images for several platforms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    entries: Vec<(Option<Platform>, Part)>,
}

/// What an image's configuration says that a lock keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageConfig {
    pub platform: Platform,
    pub diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDocument {
    schema_version: u32,
    media_type: Option<String>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    manifests: Option<Vec<RawDescriptor>>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: Option<String>,
    digest: Digest,
    size: u64,
    platform: Option<RawPlatform>,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

#[derive(Deserialize)]
struct RawConfig {
    os: String,
    architecture: String,
    variant: Option<String>,
    rootfs: RawRootfs,
}

#[derive(Deserialize)]
struct RawRootfs {
    #[serde(rename = "type")]
    kind: String,
    diff_ids: Vec<Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Manifest,
    Index,
}

impl Document {
    /// Reads the body of a manifest URL. `content_type` is the response's header, without parameters.
    ///
    /// A body that could be read as both kinds is refused (CVE-2021-41190: two tools then see two images under one
    /// digest), and so is a body whose own media type differs from the header's.
    pub(super) fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, Refusal> {
        if content_type.is_some_and(is_schema1) {
            return Err(Refusal::Schema1);
        }
        // Looked at first, because a schema 1 body has none of the fields that are read next.
        let raw: RawDocument = serde_json::from_slice(body).map_err(|error| Refusal::Malformed(shorten(&error)))?;
        if raw.schema_version == 1 || raw.fs_layers.is_some() || raw.media_type.as_deref().is_some_and(is_schema1) {
            return Err(Refusal::Schema1);
        }
        if raw.schema_version != 2 {
            return Err(Refusal::Malformed(format!("schemaVersion is {}, expected 2", raw.schema_version)));
        }
        let is_image = raw.config.is_some() || raw.layers.is_some();
        let by_fields = match (is_image, raw.manifests.is_some()) {
            (true, false) => Kind::Manifest,
            (false, true) => Kind::Index,
            (true, true) => return Err(Refusal::Malformed("has both `layers` or `config` and `manifests`".into())),
            (false, false) => return Err(Refusal::NotAnImage("it has neither `config` nor `manifests`".into())),
        };
        for declared in [raw.media_type.as_deref(), content_type].into_iter().flatten() {
            match kind_of(declared) {
                Some(kind) if kind != by_fields => {
                    let message = format!("its media type is {declared:?}, and its fields are those of the other kind");
                    return Err(Refusal::Malformed(message));
                }
                None if Some(declared) == raw.media_type.as_deref() => {
                    return Err(Refusal::NotAnImage(format!("its media type is {declared:?}")));
                }
                // Registries on plain file servers answer with a type of their own; the body's fields decide then.
                Some(_) | None => {}
            }
        }
        match by_fields {
            Kind::Manifest => read_manifest(raw.config, raw.layers).map(Self::Manifest),
            Kind::Index => read_index(raw.manifests.unwrap_or_default()).map(Self::Index),
        }
    }
}

fn read_manifest(config: Option<RawDescriptor>, layers: Option<Vec<RawDescriptor>>) -> Result<Manifest, Refusal> {
    let Some(config) = config else { return Err(Refusal::Malformed("missing field `config`".into())) };
    let Some(layers) = layers else { return Err(Refusal::Malformed("missing field `layers`".into())) };
    match config.media_type.as_deref() {
        None | Some(DOCKER_CONFIG | OCI_CONFIG) => {}
        Some(other) => return Err(Refusal::NotAnImage(format!("its configuration's media type is {other:?}"))),
    }
    Ok(Manifest { config: Part { digest: config.digest, size_bytes: config.size }, layers: layers.len() })
}

fn read_index(manifests: Vec<RawDescriptor>) -> Result<Index, Refusal> {
    let entries = manifests.into_iter().filter_map(|entry| {
        let platform = entry.platform.map(|p| Platform::new(&p.os, &p.architecture, p.variant.as_deref()));
        // Build attestations are listed as images for the platform `unknown/unknown`.
        let is_attestation = platform.as_ref().is_some_and(|p| p.to_string() == "unknown/unknown");
        let is_image = entry.media_type.as_deref().is_none_or(|kind| kind_of(kind) == Some(Kind::Manifest));
        let part = Part { digest: entry.digest, size_bytes: entry.size };
        (is_image && !is_attestation).then_some((platform, part))
    });
    Ok(Index { entries: entries.collect() })
}

impl Index {
    /// The image for `platform`: the first that declares it, as engines choose; or else the only image of an index
    /// that declares no platforms, whose configuration then has to say the right one.
    pub(super) fn choose(&self, platform: &Platform) -> Result<Part, Refusal> {
        if let Some((_, part)) = self.entries.iter().find(|(found, _)| found.as_ref() == Some(platform)) {
            return Ok(*part);
        }
        match self.entries.as_slice() {
            [(None, part)] => Ok(*part),
            entries => {
                let mut available: Vec<String> = entries
                    .iter()
                    .map(|(found, _)| found.as_ref().map_or_else(|| "undeclared".to_owned(), Platform::to_string))
                    .collect();
                available.dedup();
                Err(Refusal::NoPlatform { wanted: platform.to_string(), available })
            }
        }
    }
}

impl ImageConfig {
    /// Reads an image's configuration.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let raw: RawConfig = serde_json::from_slice(body).map_err(|error| Refusal::Malformed(shorten(&error)))?;
        if raw.rootfs.kind != "layers" {
            return Err(Refusal::NotAnImage(format!(
                "its rootfs is of type {:?}, expected \"layers\"",
                raw.rootfs.kind
            )));
        }
        let platform = Platform::new(&raw.os, &raw.architecture, raw.variant.as_deref());
        Ok(Self { platform, diff_ids: raw.rootfs.diff_ids })
    }
}

fn kind_of(media_type: &str) -> Option<Kind> {
    match media_type {
        DOCKER_MANIFEST | OCI_MANIFEST => Some(Kind::Manifest),
        DOCKER_LIST | OCI_INDEX => Some(Kind::Index),
        _ => None,
    }
}

fn is_schema1(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.docker.distribution.manifest.v1+")
}

/// The parser's message; it may quote what a registry sent, so it is bounded.
fn shorten(error: &serde_json::Error) -> String {
    error.to_string().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn manifest(media_type: Option<&str>, config_type: &str) -> Value {
        let mut body = json!({
            "schemaVersion": 2,
            "config": {"mediaType": config_type, "digest": digest("config"), "size": 7},
            "layers": [{"mediaType": "x", "digest": digest("layer"), "size": 3}],
        });
        if let Some(media_type) = media_type {
            body["mediaType"] = media_type.into();
        }
        body
    }

    fn index(platforms: &[Option<&str>]) -> Value {
        let manifests: Vec<Value> = platforms
            .iter()
            .enumerate()
            .map(|(i, platform)| {
                let mut entry = json!({"mediaType": OCI_MANIFEST, "digest": digest(&i.to_string()), "size": i});
                if let Some(platform) = platform {
                    let parts: Vec<&str> = platform.split('/').collect();
                    entry["platform"] = json!({"os": parts[0], "architecture": parts[1]});
                    if let Some(variant) = parts.get(2) {
                        entry["platform"]["variant"] = (*variant).into();
                    }
                }
                entry
            })
            .collect();
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests})
    }

    fn parse(content_type: Option<&str>, body: &Value) -> Result<Document, Refusal> {
        Document::parse(content_type, body.to_string().as_bytes())
    }

    fn choose(platforms: &[Option<&str>], wanted: &str) -> Result<Digest, Refusal> {
        match parse(Some(OCI_INDEX), &index(platforms)) {
            Ok(Document::Index(index)) => index.choose(&wanted.parse().unwrap()).map(|part| part.digest),
            other => panic!("no index: {other:?}"),
        }
    }

    #[test]
    fn docker_and_oci_manifests_read_alike() {
        let expected =
            Ok(Document::Manifest(Manifest { config: Part { digest: digest("config"), size_bytes: 7 }, layers: 1 }));
        assert_eq!(parse(Some(DOCKER_MANIFEST), &manifest(Some(DOCKER_MANIFEST), DOCKER_CONFIG)), expected);
        assert_eq!(parse(Some(OCI_MANIFEST), &manifest(None, OCI_CONFIG)), expected);
        assert_eq!(parse(None, &manifest(None, OCI_CONFIG)), expected);
        assert_eq!(parse(Some("application/json"), &manifest(None, OCI_CONFIG)), expected);
    }

    #[test]
    fn the_platform_asked_for_is_chosen_in_any_spelling() {
        let platforms = [Some("linux/arm64/v8"), Some("linux/amd64"), Some("linux/amd64"), Some("unknown/unknown")];
        assert_eq!(choose(&platforms, "linux/arm64"), Ok(digest("0")));
        assert_eq!(choose(&platforms, "linux/x86_64"), Ok(digest("1")));
        assert_eq!(choose(&[None], "linux/amd64"), Ok(digest("0")));
    }

    #[test]
    fn a_missing_platform_lists_those_that_are_there_without_attestations() {
        let available = |platforms: &[Option<&str>]| match choose(platforms, "linux/x86_64") {
            Err(Refusal::NoPlatform { wanted, available }) if wanted == "linux/amd64" => available,
            other => panic!("expected NoPlatform: {other:?}"),
        };
        let platforms = [Some("linux/arm64/v8"), Some("linux/amd64/v3"), Some("unknown/unknown")];
        assert_eq!(available(&platforms), ["linux/arm64", "linux/amd64/v3"]);
        assert_eq!(available(&[None, None]), ["undeclared"]);
        assert!(available(&[]).is_empty());
    }

    #[test]
    fn schema_1_is_known_by_header_by_number_and_by_field() {
        let body = json!({"schemaVersion": 1, "name": "a", "tag": "1", "fsLayers": [], "signatures": []});
        let header = Some("application/vnd.docker.distribution.manifest.v1+prettyjws");
        assert_eq!(parse(header, &json!({})), Err(Refusal::Schema1));
        assert_eq!(parse(None, &body), Err(Refusal::Schema1));
        assert_eq!(parse(None, &json!({"schemaVersion": 2, "fsLayers": []})), Err(Refusal::Schema1));
    }

    #[test]
    fn a_body_that_two_tools_would_read_differently_is_refused() {
        let mut both = manifest(None, OCI_CONFIG);
        both["manifests"] = json!([]);
        assert!(matches!(parse(None, &both), Err(Refusal::Malformed(_))));
        let crossed = manifest(None, OCI_CONFIG);
        assert!(matches!(parse(Some(OCI_INDEX), &crossed), Err(Refusal::Malformed(_))));
        let twice = br#"{"schemaVersion":2,"schemaVersion":2,"manifests":[]}"#;
        assert!(matches!(Document::parse(None, twice), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn what_is_no_image_is_called_so() {
        let chart = manifest(Some(OCI_MANIFEST), "application/vnd.cncf.helm.config.v1+json");
        assert!(matches!(parse(None, &chart), Err(Refusal::NotAnImage(why)) if why.contains("helm")));
        let other = manifest(Some("application/vnd.example+json"), OCI_CONFIG);
        assert!(matches!(parse(None, &other), Err(Refusal::NotAnImage(_))));
        assert!(matches!(parse(None, &json!({"schemaVersion": 2})), Err(Refusal::NotAnImage(_))));
    }

    #[test]
    fn a_configuration_gives_platform_and_diff_ids() {
        let body = json!({"os": "linux", "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": [digest("a"), digest("b")]}, "history": [{"empty_layer": true}]});
        let config = ImageConfig::parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(config.platform.to_string(), "linux/amd64");
        assert_eq!(config.diff_ids, [digest("a"), digest("b")]);
        for broken in ["{}", "[]", "", r#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers"}}"#] {
            assert!(matches!(ImageConfig::parse(broken.as_bytes()), Err(Refusal::Malformed(_))), "{broken}");
        }
    }

    /// A JSON text of the right kind with one byte changed, or a part cut off, or anything at all.
    fn near_misses() -> impl Strategy<Value = Vec<u8>> {
        let good = prop_oneof![
            Just(manifest(Some(DOCKER_MANIFEST), DOCKER_CONFIG).to_string()),
            Just(index(&[Some("linux/amd64"), Some("linux/arm64/v8"), None]).to_string()),
            Just(
                json!({"os": "linux", "architecture": "arm64", "variant": "v8",
                    "rootfs": {"type": "layers", "diff_ids": [digest("a")]}})
                .to_string()
            ),
        ];
        let changed =
            (good, any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(|(text, place, byte, cut)| {
                let mut bytes = text.into_bytes();
                let place = place.index(bytes.len());
                if cut {
                    bytes.truncate(place);
                } else {
                    bytes[place] = byte;
                }
                bytes
            });
        prop_oneof![3 => changed, 1 => prop::collection::vec(any::<u8>(), 0..200)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_body_makes_the_parsers_panic_in_20_000_cases(
            body in near_misses(),
            content_type in prop_oneof![Just(None), Just(Some(OCI_INDEX)), Just(Some(DOCKER_MANIFEST)), Just(Some("x"))],
        ) {
            if let Ok(Document::Index(index)) = Document::parse(content_type, &body) {
                let _ = index.choose(&Platform::host());
            }
            let _ = ImageConfig::parse(&body);
        }
    }
}
