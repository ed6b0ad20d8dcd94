//! Small images made byte for byte the same each time, and their way into a registry by our own requests.

use std::io::{Read as _, Write as _};

use flate2::{Compression, GzBuilder};
use lockstep::launch::ImageArchive;
use lockstep::terms::Digest;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

pub type Result<T, E = String> = std::result::Result<T, E>;

/// Which of the two families of media types an image is written in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Docker,
    Oci,
}

impl Family {
    fn types(self) -> [&'static str; 4] {
        match self {
            Self::Docker => [
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.docker.distribution.manifest.list.v2+json",
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
            ],
            Self::Oci => [
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.image.index.v1+json",
                "application/vnd.oci.image.config.v1+json",
                "application/vnd.oci.image.layer.v1.tar+gzip",
            ],
        }
    }
}

/// A document with its media type.
pub struct Document {
    pub media_type: &'static str,
    pub text: String,
}

impl Document {
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

/// An image of one platform.
pub struct Image {
    pub manifest: Document,
    pub config: Digest,
    pub diff_ids: Vec<Digest>,
    platform: Value,
    blobs: Vec<Vec<u8>>,
}

impl Image {
    /// An image with two layers, each of one file that says `content`.
    pub fn new(family: Family, platform: &str, content: &str) -> Self {
        let [manifest_type, _, config_type, layer_type] = family.types();
        Self::of([manifest_type, config_type, layer_type], gzip, platform, content)
    }

    /// The same with its layers packed by zstd, for which the older family has no name.
    pub fn packed_by_zstd(platform: &str, content: &str) -> Self {
        let [manifest_type, _, config_type, _] = Family::Oci.types();
        let layer_type = "application/vnd.oci.image.layer.v1.tar+zstd";
        Self::of([manifest_type, config_type, layer_type], zstd, platform, content)
    }

    fn of(types: [&'static str; 3], pack: fn(&[u8]) -> Vec<u8>, platform: &str, content: &str) -> Self {
        let [manifest_type, config_type, layer_type] = types;
        let tars = ["lower", "upper"].map(|name| tar(name, content));
        let layers = tars.each_ref().map(|tar| pack(tar));
        let diff_ids: Vec<Digest> = tars.iter().map(|tar| Digest::of(tar)).collect();
        let platform = platform_of(platform);
        let mut config = platform.clone();
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        config["config"] = json!({"Cmd": ["/none"]});
        config["created"] = "2026-01-01T00:00:00Z".into();
        let config = config.to_string().into_bytes();
        let descriptor =
            |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": Digest::of(bytes), "size": bytes.len()});
        let text = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": descriptor(config_type, &config),
            "layers": layers.each_ref().map(|layer| descriptor(layer_type, layer)),
        });
        Self {
            manifest: Document { media_type: manifest_type, text: text.to_string() },
            config: Digest::of(&config),
            diff_ids,
            platform,
            blobs: layers.into_iter().chain([config]).collect(),
        }
    }
}

/// An index over images.
pub fn index(family: Family, images: &[&Image]) -> Document {
    let [_, index_type, _, _] = family.types();
    let entries: Vec<Value> = images
        .iter()
        .map(|image| {
            let Document { media_type, text } = &image.manifest;
            json!({"mediaType": media_type, "digest": image.manifest.digest(), "size": text.len(),
                "platform": image.platform})
        })
        .collect();
    let text = json!({"schemaVersion": 2, "mediaType": index_type, "manifests": entries}).to_string();
    Document { media_type: index_type, text }
}

fn platform_of(platform: &str) -> Value {
    let mut parts = platform.split('/');
    let mut value = json!({"os": parts.next(), "architecture": parts.next()});
    if let Some(variant) = parts.next() {
        value["variant"] = variant.into();
    }
    value
}

fn tar(name: &str, content: &str) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, content.as_bytes()).expect("a vector takes every write");
    archive.into_inner().expect("a vector takes every write")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).expect("a vector takes every write");
    encoder.finish().expect("a vector takes every write")
}

/// A frame of zstd whose one block is stored as it is (RFC 8878, 3.1.1).
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let size = u32::try_from(bytes.len()).expect("a toy's layer is small");
    assert!(size < 1 << 17, "one block has no room for more");
    let (single_segment_with_four_size_bytes, last_raw_block) = (0xa0, 1 | size << 3);
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, single_segment_with_four_size_bytes];
    frame.extend(size.to_le_bytes());
    frame.extend(&last_raw_block.to_le_bytes()[..3]);
    frame.extend(bytes);
    frame
}

/// Writes to one repository of one registry.
pub struct Pusher {
    client: reqwest::Client,
    base: String,
    credentials: Option<(&'static str, &'static str)>,
}

impl Pusher {
    pub fn new(host: &str, repository: &str, credentials: Option<(&'static str, &'static str)>) -> Result<Self> {
        // No CA certificates: everything here is plain HTTP on this machine.
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build();
        let client = client.map_err(|error| error.to_string())?;
        Ok(Self { client, base: format!("http://{host}/v2/{repository}"), credentials })
    }

    /// Pushes an image under a tag, or under its digest alone.
    pub async fn image(&self, image: &Image, tag: Option<&str>) -> Result<()> {
        for blob in &image.blobs {
            self.blob(blob).await?;
        }
        let digest = image.manifest.digest().to_string();
        self.document(&image.manifest, tag.unwrap_or(&digest)).await
    }

    /// Pushes every blob of `archive`; its manifest, which is given back, is still to be put under a tag.
    pub async fn archive(&self, archive: &ImageArchive) -> Result<Document> {
        let mut bytes = Vec::new();
        archive.write_to(&mut bytes).map_err(|error| error.to_string())?;
        let mut manifest = None;
        let mut entries = tar::Archive::new(bytes.as_slice());
        for entry in entries.entries().map_err(|error| error.to_string())? {
            let mut entry = entry.map_err(|error| error.to_string())?;
            let path = entry.path().map_err(|error| error.to_string())?.display().to_string();
            let Some(hex) = path.strip_prefix("blobs/sha256/").filter(|hex| !hex.is_empty()) else { continue };
            let is_manifest = format!("sha256:{hex}") == archive.manifest.to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(|error| error.to_string())?;
            if is_manifest {
                let text = String::from_utf8(content).map_err(|error| error.to_string())?;
                manifest = Some(Document { media_type: "application/vnd.oci.image.manifest.v1+json", text });
            } else {
                self.blob(&content).await?;
            }
        }
        manifest.ok_or_else(|| "the archive has no manifest".to_owned())
    }

    /// Puts a manifest or an index under a tag or digest.
    pub async fn document(&self, document: &Document, selector: &str) -> Result<()> {
        let request = self.request(Method::PUT, &format!("{}/manifests/{selector}", self.base));
        let request = request.header("Content-Type", document.media_type).body(document.text.clone());
        expect(request, 201).await.map(|_| ())
    }

    /// Pushes one blob.
    pub async fn blob(&self, bytes: &[u8]) -> Result<()> {
        let started = expect(self.request(Method::POST, &format!("{}/blobs/uploads/", self.base)), 202).await?;
        let location = started.headers().get("Location").and_then(|value| value.to_str().ok());
        let location = location.ok_or("an upload without a location")?;
        let mut url = started.url().join(location).map_err(|error| error.to_string())?;
        url.query_pairs_mut().append_pair("digest", &Digest::of(bytes).to_string());
        let request = self.request(Method::PUT, url.as_str());
        let request = request.header("Content-Type", "application/octet-stream").body(bytes.to_vec());
        expect(request, 201).await.map(|_| ())
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.client.request(method, url);
        match self.credentials {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        }
    }
}

async fn expect(request: RequestBuilder, status: u16) -> Result<Response> {
    let response = request.send().await.map_err(|error| format!("pushing: {error:?}"))?;
    if response.status().as_u16() == status {
        return Ok(response);
    }
    let (found, url) = (response.status(), response.url().clone());
    Err(format!("pushing to {url}: {found}, expected {status}: {}", response.text().await.unwrap_or_default()))
}
