//! A registry on loopback that serves one image archive; an engine pulls from there without a certificate.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use lockstep::launch::ImageArchive;

/// Serves until the test's process ends.
pub struct Registry {
    address: SocketAddr,
}

/// Content by digest, with its media type.
type Blobs = BTreeMap<String, (&'static str, Vec<u8>)>;

impl Registry {
    /// Starts to serve the blobs of `archive`.
    pub fn serve(archive: &ImageArchive) -> Self {
        let blobs = Arc::new(blobs(archive));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the port is known");
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let blobs = Arc::clone(&blobs);
                std::thread::spawn(move || drop(answer(connection, &blobs)));
            }
        });
        Self { address }
    }

    pub fn reference(&self) -> String {
        format!("{}/lockstep-test/image:latest", self.address)
    }
}

fn blobs(archive: &ImageArchive) -> Blobs {
    let mut bytes = Vec::new();
    archive.write_to(&mut bytes).expect("the archive is written");
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().expect("the archive is read") {
        let mut entry = entry.expect("the archive is read");
        let path = entry.path().expect("paths are text").display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("the archive is read");
        if let Some(hex) = path.strip_prefix("blobs/sha256/").filter(|hex| !hex.is_empty()) {
            let digest = format!("sha256:{hex}");
            let kind = if digest == archive.manifest.to_string() {
                "application/vnd.oci.image.manifest.v1+json"
            } else {
                "application/octet-stream"
            };
            found.insert(digest, (kind, content));
        }
    }
    found
}

fn answer(connection: TcpStream, blobs: &Blobs) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while reader.read_line(&mut header)? > 2 {
            header.clear();
        }
        let mut words = request.split_ascii_whitespace();
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let digest = path.rsplit('/').next().unwrap_or_default();
        let (status, kind, content): (_, _, &[u8]) = match (path, blobs.get(digest)) {
            ("/v2/", _) => ("200 OK", "application/json", b"{}"),
            (_, Some((kind, content))) => ("200 OK", kind, content),
            // No tag leads anywhere: what is not asked for by digest does not exist.
            (_, None) => ("404 Not Found", "application/json", br#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Docker-Content-Digest: {digest}\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\r\n",
            content.len()
        );
        writer.write_all(head.as_bytes())?;
        if method != "HEAD" {
            writer.write_all(content)?;
        }
    }
}
