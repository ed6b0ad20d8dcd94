//! An OCI image layout in a folder, with the `manifest.json` that older engines load it by.
//!
//! What an engine saves holds an image in one of several forms, with names and times that differ from engine to engine.
//! Here only what its digests stand for is kept: configuration and layers, each under its digest, and a manifest that is
//! written anew. The same image gives the same layout, whichever engine saved it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Error;
use super::tar_stream::TarStream;
use crate::terms::{Digest, canonical_value};

/// What the names of images that come from a bundle begin with, but for those made from an executable.
pub(super) const BUNDLED: &str = "lockstep/bundle";
/// Configurations and manifests are read whole.
const LARGEST_JSON_BYTES: u64 = 16 << 20;

/// A layout that is being filled.
#[derive(Debug)]
pub struct ImageLayout {
    folder: PathBuf,
    images: Vec<(LaidImage, Value)>,
}

/// An image of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaidImage {
    /// The name that it is loaded under.
    pub reference: String,
    /// Digest of its configuration.
    pub config: Digest,
    /// Digest of its manifest in the layout.
    pub manifest: Digest,
    /// Digests of the uncompressed layers, lowest first.
    pub diff_ids: Vec<Digest>,
}

impl ImageLayout {
    /// An empty layout in `folder`, which is made.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).map_err(Error::file("create", &blobs))?;
        Ok(Self { folder: folder.to_owned(), images: Vec::new() })
    }

    /// Takes in the one image of an archive that an engine saved. It is loaded under `reference`, or without one under a
    /// name made of its digest.
    ///
    /// # Errors
    /// The archive holds no or several images, or something in it does not have the digest that it is named by.
    pub fn add_saved(&mut self, archive: &Path, reference: Option<&str>) -> Result<LaidImage, Error> {
        let mut saved = Saved::open(archive)?;
        let listing = saved.json("manifest.json")?;
        let [listed] = listing.as_array().map(Vec::as_slice).unwrap_or_default() else {
            return Err(saved.wrong("its manifest.json lists not exactly one image"));
        };
        let config_name = listed["Config"].as_str().ok_or_else(|| saved.wrong("it names no configuration"))?.to_owned();
        let layer_names: Vec<String> = texts(&listed["Layers"]);
        let config = saved.bytes(&config_name)?;
        let config_digest = Digest::of(&config);
        let document: Value =
            serde_json::from_slice(&config).map_err(|error| saved.wrong(&format!("its configuration: {error}")))?;
        let diff_ids: Vec<Digest> = texts(&document["rootfs"]["diff_ids"])
            .iter()
            .map(|text| text.parse().map_err(|_| saved.wrong(&format!("{text:?} is no layer's digest"))))
            .collect::<Result<_, _>>()?;
        if diff_ids.len() != layer_names.len() || diff_ids.is_empty() {
            let found = format!("{} layers, and its configuration names {}", layer_names.len(), diff_ids.len());
            return Err(saved.wrong(&found));
        }
        let mut layers = Vec::with_capacity(diff_ids.len());
        for (name, diff_id) in layer_names.iter().zip(&diff_ids) {
            layers.push(self.add_layer(&mut saved, name, diff_id)?);
        }
        self.put(&config_digest, &config)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config_digest,
                "size": config.len(),
            },
            "layers": layers,
        });
        let text = canonical_value(&manifest);
        let manifest_digest = Digest::of(text.as_bytes());
        self.put(&manifest_digest, text.as_bytes())?;
        let reference = reference.map_or_else(|| format!("{BUNDLED}:{}", config_digest.short()), str::to_owned);
        let image = LaidImage { reference, config: config_digest, manifest: manifest_digest, diff_ids };
        if !self.images.iter().any(|(known, _)| *known == image) {
            self.images.push((image.clone(), manifest));
        }
        Ok(image)
    }

    /// Ends the layout: writes its index in both forms.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(self) -> Result<(), Error> {
        let Self { folder, mut images } = self;
        images.sort_by(|a, b| a.0.reference.cmp(&b.0.reference));
        for (name, text) in indexes(&images) {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
        Ok(())
    }

    /// Copies a layer and gives its descriptor.
    fn add_layer(&self, saved: &mut Saved, name: &str, diff_id: &Digest) -> Result<Value, Error> {
        let partial = self.folder.join("blobs/.layer");
        let mut layer = saved.reader(name)?;
        let mut out = File::create(&partial).map_err(Error::file("create", &partial))?;
        std::io::copy(&mut layer, &mut out).map_err(Error::file("copy a layer to", &partial))?;
        drop((layer, out));
        let open = || File::open(&partial).map_err(Error::file("open", &partial));
        let digest = Digest::of_reader(&mut open()?).map_err(Error::file("hash", &partial))?;
        let mut head = [0; 4];
        let read = open()?.read(&mut head).map_err(Error::file("read", &partial))?;
        let (ending, uncompressed) = match head.get(..read).unwrap_or_default() {
            [0x1f, 0x8b, ..] => {
                let mut plain = flate2::read::MultiGzDecoder::new(open()?);
                ("+gzip", Some(Digest::of_reader(&mut plain).map_err(Error::file("unpack", &partial))?))
            }
            // The engine unpacks and compares it when it is loaded.
            [0x28, 0xb5, 0x2f, 0xfd] => ("+zstd", None),
            _ => ("", Some(digest)),
        };
        if let Some(found) = uncompressed.filter(|found| found != diff_id) {
            return Err(
                saved.wrong(&format!("layer {name} has the digest {found}, and its configuration says {diff_id}"))
            );
        }
        let size = partial.metadata().map_err(Error::file("read", &partial))?.len();
        let target = self.folder.join(blob(&digest));
        std::fs::rename(&partial, &target).map_err(Error::file("move into place", &target))?;
        Ok(
            json!({ "mediaType": format!("application/vnd.oci.image.layer.v1.tar{ending}"), "digest": digest, "size": size }),
        )
    }

    fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(blob(digest));
        std::fs::write(&path, bytes).map_err(Error::file("write", &path))
    }
}

/// The archive of one image of the layout in `folder`, as every engine can load it.
pub(super) fn stream_of(folder: &Path, image: &LaidImage) -> Result<TarStream, Error> {
    let wrong = |found: &str| Error::Answer {
        doing: format!("reading {} in {}", image.reference, folder.display()),
        found: found.to_owned(),
    };
    let path = folder.join(blob(&image.manifest));
    let text = std::fs::read(&path).map_err(Error::file("read", &path))?;
    let manifest: Value = serde_json::from_slice(&text).map_err(|error| wrong(&error.to_string()))?;
    if Digest::of(&text) != image.manifest || manifest["config"]["digest"] != json!(image.config) {
        return Err(wrong("its manifest is another image's"));
    }
    let mut stream = TarStream::default();
    stream.folder("blobs", 0o755)?;
    stream.folder("blobs/sha256", 0o755)?;
    let listed = manifest["layers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut digests: BTreeSet<Digest> = BTreeSet::from([image.config, image.manifest]);
    for layer in listed {
        let digest = layer["digest"].as_str().and_then(|text| text.parse().ok());
        digests.insert(digest.ok_or_else(|| wrong("its manifest names a layer by no digest"))?);
    }
    for digest in &digests {
        stream.file(&blob(digest), &folder.join(blob(digest)), 0o644)?;
    }
    for (name, text) in indexes(&[(image.clone(), manifest)]) {
        stream.bytes(name, text.as_bytes())?;
    }
    Ok(stream.finish())
}

/// The files by which engines find the images.
fn indexes(images: &[(LaidImage, Value)]) -> [(&'static str, String); 3] {
    let listed = |(image, manifest): &(LaidImage, Value)| {
        let tag = image.reference.rsplit_once(':').map_or(image.reference.as_str(), |(_, tag)| tag);
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": image.manifest,
            "size": canonical_value(manifest).len(),
            "annotations": {
                "io.containerd.image.name": format!("docker.io/{}", image.reference),
                "org.opencontainers.image.ref.name": tag,
            },
        })
    };
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": images.iter().map(listed).collect::<Vec<_>>(),
    });
    let named = |(image, manifest): &(LaidImage, Value)| {
        let layers = manifest["layers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let hex = |layer: &Value| {
            layer["digest"].as_str().map(|text| format!("blobs/sha256/{}", text.trim_start_matches("sha256:")))
        };
        json!({
            "Config": blob(&image.config),
            "RepoTags": [image.reference],
            "Layers": layers.iter().filter_map(hex).collect::<Vec<_>>(),
        })
    };
    let listing = Value::Array(images.iter().map(named).collect());
    [
        ("index.json", canonical_value(&index)),
        ("manifest.json", canonical_value(&listing)),
        ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#.to_owned()),
    ]
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// An archive that an engine saved, by what stands where.
struct Saved {
    path: PathBuf,
    file: File,
    entries: BTreeMap<String, Place>,
}

enum Place {
    At {
        offset: u64,
        bytes: u64,
    },
    /// A layer that stands elsewhere in the archive, as older engines write it.
    Link(String),
}

impl Saved {
    fn open(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::File { doing: "read the archive", path: path.to_owned(), source };
        let mut archive = tar::Archive::new(File::open(path).map_err(read)?);
        let mut entries = BTreeMap::new();
        for entry in archive.entries_with_seek().map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = plain(&String::from_utf8_lossy(&entry.path_bytes()));
            let target = entry.link_name_bytes().map(|target| String::from_utf8_lossy(&target).into_owned());
            let place = match (target, entry.header().entry_type().is_symlink()) {
                (Some(target), true) => {
                    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                    Place::Link(plain(&format!("{folder}/{target}")))
                }
                (Some(target), false) => Place::Link(plain(&target)),
                (None, _) => Place::At { offset: entry.raw_file_position(), bytes: entry.size() },
            };
            entries.insert(name, place);
        }
        let file = File::open(path).map_err(read)?;
        Ok(Self { path: path.to_owned(), file, entries })
    }

    fn wrong(&self, found: &str) -> Error {
        let doing = format!("reading the saved image {}", self.path.display());
        Error::Answer { doing, found: found.to_owned() }
    }

    fn reader(&mut self, name: &str) -> Result<impl Read + '_, Error> {
        let missing = self.wrong(&format!("it names {name}, and does not hold it"));
        let (offset, bytes) = match self.entries.get(&plain(name)) {
            Some(Place::At { offset, bytes }) => (*offset, *bytes),
            Some(Place::Link(target)) => match self.entries.get(target) {
                Some(Place::At { offset, bytes }) => (*offset, *bytes),
                _ => return Err(missing),
            },
            None => return Err(missing),
        };
        self.file.seek(SeekFrom::Start(offset)).map_err(Error::file("read", &self.path))?;
        Ok((&mut self.file).take(bytes))
    }

    fn bytes(&mut self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.path.clone();
        let mut bytes = Vec::new();
        let mut reader = self.reader(name)?.take(LARGEST_JSON_BYTES);
        reader.read_to_end(&mut bytes).map_err(Error::file("read", path))?;
        Ok(bytes)
    }

    fn json(&mut self, name: &str) -> Result<Value, Error> {
        let bytes = self.bytes(name)?;
        serde_json::from_slice(&bytes).map_err(|error| self.wrong(&format!("{name}: {error}")))
    }
}

/// A path inside the archive without `.` and `..`.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::ImageArchive;

    const LAYER: &[u8] = b"a layer";

    fn config(diff_ids: &[Digest]) -> Vec<u8> {
        serde_json::to_vec(&json!({ "os": "linux", "rootfs": { "type": "layers", "diff_ids": diff_ids } })).unwrap()
    }

    /// An archive in the form of engines before 25: layers in folders of their own, one of them a link.
    fn older(folder: &Path, config: &[u8], layer: &[u8]) -> PathBuf {
        let path = folder.join("older.tar");
        let mut tar = tar::Builder::new(File::create(&path).unwrap());
        let mut add = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mtime(12345);
            header.set_cksum();
            tar.append_data(&mut header, name, bytes).unwrap();
        };
        add("one/layer.tar", layer);
        add("one/VERSION", b"1.0");
        add("config.json", config);
        let listing =
            json!([{ "Config": "config.json", "RepoTags": null, "Layers": ["one/layer.tar", "two/layer.tar"] }]);
        add("manifest.json", listing.to_string().as_bytes());
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        tar.append_link(&mut link, "two/layer.tar", "../one/layer.tar").unwrap();
        tar.finish().unwrap();
        path
    }

    fn layout(folder: &Path) -> ImageLayout {
        ImageLayout::create(&folder.join("images")).unwrap()
    }

    #[test]
    fn a_saved_image_becomes_a_layout_whose_digests_are_those_of_the_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let same = Digest::of(LAYER);
        let saved = older(folder.path(), &config(&[same, same]), LAYER);
        let mut layout = layout(folder.path());
        let image = layout.add_saved(&saved, None).unwrap();
        assert_eq!(image.config, Digest::of(&config(&[same, same])));
        assert_eq!(image.reference, format!("lockstep/bundle:{}", image.config.short()));
        layout.finish().unwrap();
        let images = folder.path().join("images");
        let json =
            |name: &str| -> Value { serde_json::from_slice(&std::fs::read(images.join(name)).unwrap()).unwrap() };
        assert_eq!(json("index.json")["manifests"][0]["digest"], json!(image.manifest));
        assert_eq!(json(&blob(&image.manifest))["layers"][1]["digest"], json!(same));
        assert_eq!(json("manifest.json")[0]["Layers"], json!([blob(&same), blob(&same)]));
        assert_eq!(json("oci-layout")["imageLayoutVersion"], "1.0.0");
        for entry in std::fs::read_dir(images.join("blobs/sha256")).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(Digest::of_file(&path).unwrap().hex(), path.file_name().unwrap().to_str().unwrap());
        }
        let mut bytes = Vec::new();
        stream_of(&images, &image).unwrap().copy_to(&mut bytes).unwrap();
        let again = folder.path().join("again.tar");
        std::fs::write(&again, bytes).unwrap();
        let mut second = ImageLayout::create(&folder.path().join("second")).unwrap();
        assert_eq!(second.add_saved(&again, None).unwrap(), image, "what is sent to an engine is the same image");
    }

    #[test]
    fn the_image_of_an_executable_keeps_its_digests() {
        let folder = tempfile::tempdir().unwrap();
        let archive = ImageArchive::of(Path::new("/bin/sh")).unwrap();
        let saved = folder.path().join("self.tar");
        archive.write_to(&mut File::create(&saved).unwrap()).unwrap();
        let image = layout(folder.path()).add_saved(&saved, Some(&archive.reference)).unwrap();
        let ImageArchive { config, manifest, diff_ids, reference, .. } = archive;
        assert_eq!(image, LaidImage { reference, config, manifest, diff_ids });
    }

    #[test]
    fn a_compressed_layer_stays_as_it_is_and_is_checked_unpacked() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(LAYER).unwrap();
        let packed = packed.finish().unwrap();
        let plain = Digest::of(LAYER);
        let saved = older(folder.path(), &config(&[plain, plain]), &packed);
        let image = layout(folder.path()).add_saved(&saved, None).unwrap();
        let manifest = std::fs::read(folder.path().join("images").join(blob(&image.manifest))).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        assert_eq!(manifest["layers"][0]["digest"], json!(Digest::of(&packed)));
        let wrong = Digest::of(b"another");
        let saved = older(folder.path(), &config(&[wrong, plain]), &packed);
        let error = layout(folder.path()).add_saved(&saved, None).unwrap_err().to_string();
        assert!(error.contains("layer one/layer.tar has the digest"), "{error}");
    }

    #[test]
    fn an_archive_that_lacks_what_it_names_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let same = Digest::of(LAYER);
        let error = |saved: &Path| layout(folder.path()).add_saved(saved, None).unwrap_err().to_string();
        let fewer = older(folder.path(), &config(&[same]), LAYER);
        assert!(error(&fewer).contains("2 layers, and its configuration names 1"));
        let empty = folder.path().join("empty.tar");
        std::fs::write(&empty, [0; 1024]).unwrap();
        assert!(error(&empty).contains("names manifest.json, and does not hold it"));
    }
}
