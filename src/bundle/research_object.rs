//! `ro-crate-metadata.json`: the bundle as an RO-Crate 1.1, by which archives of publications understand what is in it.
//!
//! <https://www.researchobject.org/ro-crate/specification/1.1/root-data-entity>. Flattened JSON-LD: one entity for the
//! bundle, one for each file. `sha256` is a term of the profile Workflow Run Crate; RO-Crate 1.1 has none of its own.

use serde_json::{Value, json};

use super::contents::{Contents, File, NAME};

/// The name of the description.
pub const METADATA: &str = "ro-crate-metadata.json";

/// What the files do not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// What the plan is about, in a sentence.
    pub description: String,
    /// The day of publication, `YYYY-MM-DD`.
    pub published: String,
    /// Who made it.
    pub authors: Vec<String>,
    /// An SPDX identifier or an address.
    pub license: Option<String>,
}

/// The text of the description.
pub(super) fn metadata(contents: &Contents, files: &[File], about: &About) -> String {
    let own = File { path: NAME.to_owned(), sha256: contents.digest, bytes: 0, executable: false };
    let mut paths: Vec<&File> = files.iter().chain([&own]).collect();
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    let parts: Vec<Value> = paths.iter().map(|file| json!({ "@id": id(&file.path) })).collect();
    let mut root = json!({
        "@id": "./",
        "@type": "Dataset",
        "name": format!("Lockstep bundle of plan {}", contents.plan),
        "description": about.description,
        "datePublished": about.published,
        "identifier": contents.plan_sha256.to_string(),
        "hasPart": parts,
    });
    let people: Vec<Value> = (0..about.authors.len()).map(|at| json!({ "@id": format!("#author-{at}") })).collect();
    let license = about.license.as_deref().map(license_id);
    if let Some(object) = root.as_object_mut() {
        if !people.is_empty() {
            object.insert("author".to_owned(), Value::Array(people));
        }
        if let Some(license) = &license {
            object.insert("license".to_owned(), json!({ "@id": license }));
        }
    }
    let mut graph = vec![
        json!({
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": { "@id": "https://w3id.org/ro/crate/1.1" },
            "about": { "@id": "./" },
        }),
        root,
    ];
    graph.extend(paths.iter().map(|file| entity(file)));
    let author =
        |(at, name): (usize, &String)| json!({ "@id": format!("#author-{at}"), "@type": "Person", "name": name });
    graph.extend(about.authors.iter().enumerate().map(author));
    if let (Some(id), Some(name)) = (license, &about.license) {
        graph.push(
            json!({ "@id": id, "@type": "CreativeWork", "name": name, "description": "The license of the bundle" }),
        );
    }
    let context = json!([
        "https://w3id.org/ro/crate/1.1/context",
        { "sha256": "https://w3id.org/ro/terms/workflow-run#sha256" },
    ]);
    let document = json!({ "@context": context, "@graph": graph });
    let text = serde_json::to_string_pretty(&document).expect("JSON made of texts, lists and maps has a text");
    format!("{text}\n")
}

fn entity(file: &File) -> Value {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    if file.path == NAME {
        // It holds this file's digest, so that this one cannot hold its.
        return json!({
            "@id": id(&file.path),
            "@type": "File",
            "name": name,
            "description": "Every file of the bundle with its SHA-256",
            "encodingFormat": "application/json",
        });
    }
    json!({
        "@id": id(&file.path),
        "@type": "File",
        "name": name,
        "contentSize": file.bytes.to_string(),
        "encodingFormat": format_of(&file.path),
        "sha256": file.sha256.hex(),
    })
}

/// The media type of a file.
fn format_of(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("toml" | "lock") => "application/toml",
        Some("json") => "application/json",
        Some("gz") => "application/gzip",
        Some("xz") => "application/x-xz",
        Some("py") => "text/x-python",
        Some("txt" | "in" | "md" | "patch") => "text/plain",
        Some("jinja") => "text/x-jinja2",
        _ => "application/octet-stream",
    }
}

/// A path as a relative reference.
fn id(path: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/+=@,".contains(byte);
    let spell = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.bytes().map(spell).collect()
}

fn license_id(license: &str) -> String {
    let address = license.starts_with("https://") || license.starts_with("http://");
    if address { license.to_owned() } else { format!("http://spdx.org/licenses/{}", id(license)) }
}
