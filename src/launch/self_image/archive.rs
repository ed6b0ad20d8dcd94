//! The image as one archive that every engine can load: an OCI layout and a `docker save` archive in one.
//!
//! An engine with the classic store reads `manifest.json` and takes the configuration's digest for the image's id; one
//! with the containerd store reads `index.json` and takes the manifest's. Both digests are fixed here.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::layout::{self, CREATED, EXECUTABLE_INSIDE};
use super::libraries::{Closure, closure};
use crate::launch::Error;
use crate::launch::tar_stream::TarStream;
use crate::terms::{Digest, canonical_value};

/// What the names of self images begin with.
pub(super) const REPOSITORY: &str = "lockstep/self:";

/// The image made from one executable, with its digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageArchive {
    /// Digest of the configuration.
    pub config: Digest,
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Digests of the layers, lowest first.
    pub diff_ids: Vec<Digest>,
    /// The name that it is loaded under: `lockstep/self:` and the first 12 digits of the configuration's digest.
    pub reference: String,
    stream: TarStream,
}

impl ImageArchive {
    /// Finds what `executable` needs and fixes every byte of its image. Reads the files once, to hash them.
    ///
    /// # Errors
    /// The executable is no ELF file of a known machine, a library is missing, or a file cannot be read.
    pub fn of(executable: &Path) -> Result<Self, Error> {
        let closure = closure(executable, Path::new(EXECUTABLE_INSIDE))?;
        let unknown = || Error::Elf { path: executable.to_owned(), found: "it is for an unknown machine".to_owned() };
        let architecture = closure.machine.image_architecture().ok_or_else(unknown)?;
        Self::assemble(executable, &closure, architecture)
    }

    fn assemble(executable: &Path, closure: &Closure, architecture: &str) -> Result<Self, Error> {
        let layers = layout::layers(executable, closure)?;
        let hash = |layer: &TarStream| layer.digest().map_err(Error::file("hash the image layer with", executable));
        let diff_ids = layers.iter().map(hash).collect::<Result<Vec<_>, _>>()?;
        let config = canonical_value(&configuration(architecture, &diff_ids));
        let config_digest = Digest::of(config.as_bytes());
        let manifest = canonical_value(&manifest(&config, &layers, &diff_ids));
        let manifest_digest = Digest::of(manifest.as_bytes());
        let reference = format!("{REPOSITORY}{}", config_digest.short());
        let mut stream = TarStream::default();
        stream.folder("blobs", 0o755)?;
        stream.folder("blobs/sha256", 0o755)?;
        for (layer, digest) in layers.iter().zip(&diff_ids) {
            stream.archive(&blob(digest), layer)?;
        }
        stream.bytes(&blob(&config_digest), config.as_bytes())?;
        stream.bytes(&blob(&manifest_digest), manifest.as_bytes())?;
        let index = index(&manifest_digest, manifest.len(), &reference);
        stream.bytes("index.json", canonical_value(&index).as_bytes())?;
        let listing = json!([{
            "Config": blob(&config_digest),
            "RepoTags": [reference],
            "Layers": diff_ids.iter().map(blob).collect::<Vec<_>>(),
        }]);
        stream.bytes("manifest.json", canonical_value(&listing).as_bytes())?;
        stream.bytes("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let (config, manifest) = (config_digest, manifest_digest);
        Ok(Self { config, manifest, diff_ids, reference, stream: stream.finish() })
    }

    /// Length of the archive in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.stream.len()
    }

    /// Writes the archive, for `docker load` or a bundle.
    ///
    /// # Errors
    /// A file changed since its digest was taken, or `out` takes no more.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        self.stream.copy_to(out)
    }
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn configuration(architecture: &str, diff_ids: &[Digest]) -> Value {
    let step = |what: &str| json!({ "created": CREATED, "created_by": what });
    json!({
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        "config": layout::container_config(),
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": [step("lockstep: loader and libraries"), step("lockstep: executable")],
    })
}

fn manifest(config: &str, layers: &[TarStream], diff_ids: &[Digest]) -> Value {
    let layer = |(layer, digest): (&TarStream, &Digest)| json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": layer.len() });
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(config.as_bytes()),
            "size": config.len(),
        },
        "layers": layers.iter().zip(diff_ids).map(layer).collect::<Vec<_>>(),
    })
}

fn index(manifest: &Digest, bytes: usize, reference: &str) -> Value {
    let tag = reference.rsplit_once(':').map_or(reference, |(_, tag)| tag);
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest,
            "size": bytes,
            "annotations": {
                "io.containerd.image.name": format!("docker.io/{reference}"),
                "org.opencontainers.image.ref.name": tag,
            },
        }],
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;

    fn files(archive: &ImageArchive) -> BTreeMap<String, Vec<u8>> {
        let mut bytes = Vec::new();
        archive.write_to(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, archive.bytes());
        entries(&bytes)
    }

    fn entries(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for entry in tar::Archive::new(tar).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            assert!(found.insert(path.clone(), content).is_none(), "{path} stands twice in the archive");
        }
        found
    }

    #[test]
    fn every_digest_is_that_of_the_bytes_it_names() {
        let archive = ImageArchive::of(Path::new("/bin/sh")).unwrap();
        let files = files(&archive);
        for (path, content) in &files {
            if let Some(hex) = path.strip_prefix("blobs/sha256/").filter(|hex| !hex.is_empty()) {
                assert_eq!(Digest::of(content).hex(), hex);
            }
        }
        let json = |path: &str| serde_json::from_slice::<Value>(&files[path]).unwrap();
        assert_eq!(json("index.json")["manifests"][0]["digest"], json!(archive.manifest));
        assert_eq!(json(&blob(&archive.manifest))["config"]["digest"], json!(archive.config));
        assert_eq!(json(&blob(&archive.config))["rootfs"]["diff_ids"], json!(archive.diff_ids));
        assert_eq!(json("manifest.json")[0]["Config"], json!(blob(&archive.config)));
        let base = entries(&files[&blob(&archive.diff_ids[0])]);
        assert!(base.keys().any(|path| path.ends_with("libc.so.6")), "{:?}", base.keys());
        let top = entries(&files[&blob(&archive.diff_ids[1])]);
        assert_eq!(top.keys().collect::<Vec<_>>(), ["lockstep"]);
        assert_eq!(top["lockstep"], std::fs::read("/bin/sh").unwrap());
    }

    #[test]
    fn the_same_executable_gives_the_same_bytes_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        std::fs::copy("/bin/sh", &copy).unwrap();
        let (one, two) = (ImageArchive::of(Path::new("/bin/sh")).unwrap(), ImageArchive::of(&copy).unwrap());
        assert_eq!(files(&one), files(&two));
        assert_eq!((one.config, one.manifest, &one.reference), (two.config, two.manifest, &two.reference));
        assert_ne!(ImageArchive::of(Path::new("/bin/cat")).unwrap().config, one.config);
    }
}
