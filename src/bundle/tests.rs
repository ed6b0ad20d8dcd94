//! What a bundle holds, and that nothing else gets through.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};

use super::contents::NAME;
use super::*;
use crate::terms::Digest;

fn contents() -> Contents {
    Contents {
        schema: Contents::SCHEMA,
        plan: "toy".into(),
        plan_sha256: Digest::of(b"plan"),
        platform: "linux/amd64".into(),
        made_by: MadeBy { version: "0".into() },
        executable: Executable { path: "bin/lockstep".into(), sha256: Digest::of(b"#!exe") },
        model: Model { folder: "models/toy".into(), sha256: Digest::of(b"model") },
        lanes: vec![Lane { name: "one".into(), image: None, left_out: None, from_host: Vec::new() }],
        snapshots: Vec::new(),
        files: Vec::new(),
        digest: Digest::of(b""),
    }
}

fn sources() -> BTreeMap<String, Source> {
    let bytes = |text: &str| Source::Bytes(text.as_bytes().to_vec());
    let all = [
        ("bin/lockstep", bytes("#!exe")),
        ("lanes/one.toml", bytes("name = \"one\"")),
        ("models/toy/config.json", bytes("{}")),
        ("models/toy/model.safetensors", Source::Bytes(vec![7; 600])),
        ("plans/toy.toml", bytes("name = \"toy\"")),
    ];
    all.map(|(path, source)| (path.to_owned(), source)).into()
}

fn about() -> About {
    About {
        description: "A toy".into(),
        published: "2026-01-02".into(),
        authors: vec!["A. Author".into()],
        license: Some("MIT".into()),
    }
}

fn archive() -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, contents(), &sources(), &about()).unwrap();
    out
}

struct Bench(tempfile::TempDir);

impl Bench {
    /// In memory where the system has such a folder: thousands of archives are written.
    fn new() -> Self {
        Self(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn target(&self) -> PathBuf {
        self.0.path().join("deep/inside/extracted")
    }

    /// Extracts, and checks that a refusal leaves nothing, here or beside.
    fn extract(&self, archive: &[u8]) -> Result<Bundle, Error> {
        let file = self.0.path().join("bundle.tar");
        std::fs::write(&file, archive).unwrap();
        let into = self.target();
        let parent = into.parent().unwrap();
        std::fs::create_dir_all(parent).unwrap();
        let extracted = extract(&file, &into);
        if extracted.is_err() {
            assert!(!into.exists(), "what was refused was left behind");
            assert_eq!(std::fs::read_dir(parent).unwrap().count(), 0, "something was written outside");
            assert_eq!(std::fs::read_dir(self.0.path()).unwrap().count(), 2, "something was written outside");
        }
        extracted
    }

    fn refusal(&self, archive: &[u8]) -> String {
        self.extract(archive).expect_err("it has to be refused").to_string()
    }
}

/// Where each entry's header begins, by path.
fn headers(archive: &[u8]) -> Vec<(String, usize)> {
    let mut tar = tar::Archive::new(archive);
    let place = |entry: tar::Entry<'_, &[u8]>| {
        let at = usize::try_from(entry.raw_header_position()).unwrap();
        (entry.path().unwrap().display().to_string(), at)
    };
    tar.entries().unwrap().map(|entry| place(entry.unwrap())).collect()
}

/// The archive with the header of `path` changed by `edit`, and its checksum right again.
fn with_header(path: &str, edit: impl Fn(&mut Header)) -> Vec<u8> {
    let mut archive = archive();
    let (_, at) = headers(&archive).into_iter().find(|(found, _)| found == path).unwrap();
    let mut header = Header::from_byte_slice(&archive[at..at + 512]).clone();
    edit(&mut header);
    header.set_cksum();
    archive[at..at + 512].copy_from_slice(header.as_bytes());
    archive
}

fn raw_name(header: &mut Header, name: &str) {
    let field = &mut header.as_old_mut().name;
    field.fill(0);
    field[..name.len()].copy_from_slice(name.as_bytes());
}

/// The archive of a list that says what a stranger wants, with its digest right.
fn with_listed(path: &str) -> Vec<u8> {
    let file = |path: &str| File { path: path.into(), sha256: Digest::of(b""), bytes: 0, executable: false };
    let mut files: Vec<File> = sources().keys().map(|path| file(path)).collect();
    files.extend([file(METADATA), file(path)]);
    let text = contents().finished(files).text();
    let mut out = header::of(NAME, text.len() as u64, false).unwrap().to_vec();
    out.extend(text.as_bytes());
    out.resize(out.len().next_multiple_of(512) + 4096, 0);
    out
}

#[test]
fn what_was_packed_comes_out_again_and_the_same_files_give_the_same_bytes() {
    let bench = Bench::new();
    assert_eq!(archive(), archive());
    let bundle = bench.extract(&archive()).unwrap();
    for (path, source) in sources() {
        let Source::Bytes(bytes) = source else { panic!("all sources are bytes") };
        assert_eq!(std::fs::read(bundle.path(&path)).unwrap(), bytes, "{path}");
    }
    assert_eq!(check(&bundle.folder).unwrap(), bundle);
    let error = extract(&bench.0.path().join("bundle.tar"), &bundle.folder).unwrap_err().to_string();
    assert!(error.contains("making the folder"), "a folder that is there is never extracted into: {error}");
}

#[test]
fn another_tar_reads_it_too() {
    let archive = archive();
    let mut paths: Vec<String> = sources().into_keys().collect();
    paths.push(METADATA.to_owned());
    paths.sort();
    paths.insert(0, NAME.to_owned());
    assert_eq!(headers(&archive).into_iter().map(|(path, _)| path).collect::<Vec<_>>(), paths);
}

/// Whether a refusal says where the damage is: by the entry's name; by what a changed name became, which an empty block at the
/// end may have too by then; or that the archive does not end where it has to.
fn says_where(said: &str, entry: &str, inside: usize, at_the_end: bool) -> bool {
    let renamed = (inside < 100 || at_the_end) && said.contains("the bundle's entry");
    said.contains(entry) || renamed || at_the_end && said.contains("its end")
}

#[test]
fn a_change_of_any_byte_is_refused_by_the_name_of_its_entry() {
    let bench = Bench::new();
    let mut archive = archive();
    let headers = headers(&archive);
    let last_content = archive.len() - 1024;
    for at in 0..archive.len() {
        let entry =
            headers.iter().rev().find(|(_, header)| *header <= at).expect("the first header starts the archive");
        // One bit, another with each byte; of headers, which are read before they are hashed, all bits at once besides.
        let in_header = at < entry.1 + 512;
        for mask in [1 << (at % 8), 0xFF].into_iter().take(if in_header { 2 } else { 1 }) {
            archive[at] ^= mask;
            let said = bench.refusal(&archive);
            archive[at] ^= mask;
            let found = says_where(&said, &entry.0, at - entry.1, at >= last_content);
            assert!(found, "byte {at} (^{mask:02x}) of {}: {said}", entry.0);
        }
    }
}

#[test]
fn a_list_whose_header_was_rewritten_is_refused_by_its_name_or_as_no_bundle() {
    let bench = Bench::new();
    let listed = contents_bytes(&archive());
    for size in [0, 1, listed - 1, listed + 1, listed + 512, 1 << 33] {
        let said = bench.refusal(&with_header(NAME, |header| header.set_size(size)));
        assert!(said.contains(NAME), "{size} bytes: {said}");
    }
    for name in ["bundle.jso", "bundle.json.bak", "BUNDLE.JSON", "plans/toy.toml"] {
        let said = bench.refusal(&with_header(NAME, |header| raw_name(header, name)));
        let told = said.contains("is no bundle of lockstep") && said.contains("does not begin with bundle.json");
        assert!(told || said.contains(&format!("the bundle's entry {name:?}")), "{name}: {said}");
    }
}

/// How long the list of an archive is.
fn contents_bytes(archive: &[u8]) -> u64 {
    Header::from_byte_slice(&archive[..512]).entry_size().unwrap()
}

#[test]
fn an_archive_that_was_cut_says_so() {
    let bench = Bench::new();
    let archive = archive();
    for length in [0, 100, 512, 3000, archive.len() - 1024, archive.len() - 1] {
        let said = bench.refusal(&archive[..length]);
        assert!(said.contains("cut") || said.contains("ends here") || said.contains("has at most"), "{length}: {said}");
    }
    let mut longer = archive.clone();
    longer.push(0);
    assert!(bench.refusal(&longer).contains("something stands behind it"));
}

#[test]
fn paths_that_lead_outside_are_refused_in_header_and_list() {
    let bench = Bench::new();
    let long = format!("models/{}", "n".repeat(256));
    let evil = [
        ("/etc/passwd", "absolute"),
        ("../outside", "out of its folder"),
        ("models/../../outside", "out of its folder"),
        ("models/toy/..", "out of its folder"),
        ("models//x", "empty name"),
        ("./models/x", "empty name"),
        ("models/toy\\..\\x", "not safe"),
        ("models/C:x", "not safe"),
        ("models/a\nb", "not safe"),
        ("models/\u{e9}", "not safe"),
        ("etc/passwd", "no folder that a bundle has"),
        ("runs/x", "no folder that a bundle has"),
        ("README.md", "no folder that a bundle has"),
    ];
    for (path, expected) in evil {
        let said = bench.refusal(&with_header("lanes/one.toml", |header| raw_name(header, path)));
        assert!(said.contains(expected), "in a header, {path:?}: {said}");
        let said = bench.refusal(&with_listed(path));
        assert!(said.contains(expected), "in the list, {path:?}: {said}");
    }
    assert!(bench.refusal(&with_listed(&long)).contains("255 bytes"));
}

#[test]
fn links_devices_folders_and_pipes_are_refused_by_name() {
    let bench = Bench::new();
    let kinds = [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::Directory, "a folder"),
        (EntryType::GNUSparse, "no regular file"),
        (EntryType::XHeader, "no regular file"),
        (EntryType::GNULongName, "no regular file"),
    ];
    for (kind, expected) in kinds {
        let archive = with_header("models/toy/config.json", |header| {
            header.set_entry_type(kind);
            header.set_link_name("/etc").unwrap();
        });
        let said = bench.refusal(&archive);
        assert!(said.contains("models/toy/config.json") && said.contains(expected), "{kind:?}: {said}");
    }
}

#[test]
fn entries_that_stand_twice_in_any_case_are_refused() {
    let bench = Bench::new();
    // A later entry under an earlier one's name, as an archiver that appends would write.
    let twice = |name: &'static str| with_header("plans/toy.toml", move |header| raw_name(header, name));
    assert!(bench.refusal(&twice("lanes/one.toml")).contains("\"lanes/one.toml\" stands twice"));
    assert!(bench.refusal(&twice("LANES/one.toml")).contains("no folder that a bundle has"));
    assert!(bench.refusal(&twice("lanes/ONE.toml")).contains("\"lanes/ONE.toml\" stands twice"));
    assert!(bench.refusal(&with_listed("lanes/ONE.toml")).contains("stands twice, in the same or in another case"));
    assert!(bench.refusal(&with_listed("lanes/one.toml/x")).contains("lies below another entry"));
    assert!(bench.refusal(&with_header("lanes/one.toml", |h| raw_name(h, "plans/toy.toml"))).contains("out of order"));
}

#[test]
fn sizes_are_those_of_the_list_and_a_list_cannot_promise_more_than_there_is() {
    let bench = Bench::new();
    for size in [0, 1, 1 << 40, u64::MAX >> 2] {
        let said = bench.refusal(&with_header("models/toy/config.json", |header| header.set_size(size)));
        assert!(said.contains(&format!("says that it has {size} bytes, and the list says 2")), "{said}");
    }
    let said = bench.refusal(&with_header(NAME, |header| header.set_size(1 << 40)));
    assert!(said.contains("a list has at most"), "{said}");
    let mut files =
        vec![File { path: "plans/toy.toml".into(), sha256: Digest::of(b""), bytes: u64::MAX - 5, executable: false }];
    files.extend(sources().keys().filter(|path| *path != "plans/toy.toml").map(|path| File {
        path: path.clone(),
        sha256: Digest::of(b""),
        bytes: 0,
        executable: false,
    }));
    files.push(File { path: METADATA.into(), sha256: Digest::of(b""), bytes: 0, executable: false });
    let text = contents().finished(files).text();
    let mut evil = header::of(NAME, text.len() as u64, false).unwrap().to_vec();
    evil.extend(text.as_bytes());
    evil.resize(evil.len().next_multiple_of(512) + 4096, 0);
    assert!(bench.refusal(&evil).contains("it was cut"));
}

#[test]
fn an_entry_beside_the_list_is_refused_by_name() {
    let bench = Bench::new();
    let mut longer = archive();
    longer.truncate(longer.len() - 1024);
    longer.extend(header::of("lanes/two.toml", 0, false).unwrap());
    longer.resize(longer.len() + 1024, 0);
    assert!(bench.refusal(&longer).contains("\"lanes/two.toml\" is not in the bundle's list"));
    let mut twice = archive();
    twice.truncate(twice.len() - 1024);
    twice.extend(header::of("lanes/one.toml", 0, false).unwrap());
    twice.resize(twice.len() + 1024, 0);
    assert!(bench.refusal(&twice).contains("\"lanes/one.toml\" stands twice"));
}

#[test]
fn what_is_no_bundle_is_told_from_a_damaged_one() {
    let bench = Bench::new();
    assert!(bench.refusal(&vec![b'x'; 4096]).contains("is no bundle of lockstep"));
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(1);
    header.set_cksum();
    tar.append_data(&mut header, "models/x", b"y".as_slice()).unwrap();
    assert!(bench.refusal(&tar.into_inner().unwrap()).contains("does not begin with bundle.json"));
    let text = contents().finished(Vec::new()).text().replace("\"schema\": 1", "\"schema\": 2");
    let mut newer = header::of(NAME, text.len() as u64, false).unwrap().to_vec();
    newer.extend(text.as_bytes());
    newer.resize(newer.len().next_multiple_of(512) + 1024, 0);
    assert!(bench.refusal(&newer).contains("its format is 2"));
    assert!(extract(Path::new("/nowhere/x"), &bench.target()).unwrap_err().to_string().contains("opening the bundle"));
}

#[test]
fn a_list_that_names_what_it_does_not_hold_is_not_written() {
    for missing in ["bin/lockstep", "lanes/one.toml", "plans/toy.toml"] {
        let mut fewer = sources();
        fewer.remove(missing);
        let error = write(&mut Vec::new(), contents(), &fewer, &about()).unwrap_err().to_string();
        assert!(error.contains(missing), "{error}");
    }
    let mut evil = sources();
    evil.insert("../x".into(), Source::Bytes(Vec::new()));
    assert!(matches!(write(&mut Vec::new(), contents(), &evil, &about()), Err(Error::Path { .. })));
}

#[test]
fn a_folder_that_was_changed_afterwards_is_refused_by_name() {
    use std::os::unix::fs::PermissionsExt as _;
    let change = |edit: &dyn Fn(&Path)| {
        let bench = Bench::new();
        let bundle = bench.extract(&archive()).unwrap();
        edit(&bundle.folder);
        check(&bundle.folder).expect_err("it has to be refused").to_string()
    };
    let edited = change(&|folder| {
        let path = folder.join("models/toy/config.json");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(path, "[]").unwrap();
    });
    assert!(edited.contains("models/toy/config.json") && edited.contains("digest"), "{edited}");
    let gone = change(&|folder| std::fs::remove_file(folder.join("plans/toy.toml")).unwrap());
    assert!(gone.contains("plans/toy.toml: is missing"), "{gone}");
    let added = change(&|folder| std::fs::write(folder.join("lanes/two.toml"), "").unwrap());
    assert!(added.contains("\"lanes/two.toml\"") && added.contains("not in the bundle's list"), "{added}");
    let linked = change(&|folder| std::os::unix::fs::symlink("/etc", folder.join("containers")).unwrap());
    assert!(linked.contains("\"containers\""), "{linked}");
}

#[test]
fn the_research_object_lists_every_file_with_its_digest() {
    let bench = Bench::new();
    let bundle = bench.extract(&archive()).unwrap();
    let text = std::fs::read(bundle.path(METADATA)).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let graph = document["@graph"].as_array().unwrap();
    let entity = |id: &str| graph.iter().find(|entity| entity["@id"] == id).unwrap_or_else(|| panic!("{id}"));
    assert_eq!(entity(METADATA)["about"]["@id"], "./");
    assert_eq!(entity(METADATA)["conformsTo"]["@id"], "https://w3id.org/ro/crate/1.1");
    let root = entity("./");
    assert_eq!((&root["@type"], &root["datePublished"]), (&"Dataset".into(), &"2026-01-02".into()));
    assert_eq!(entity(root["license"]["@id"].as_str().unwrap())["name"], "MIT");
    assert_eq!(entity(root["author"][0]["@id"].as_str().unwrap())["name"], "A. Author");
    let parts: Vec<&str> =
        root["hasPart"].as_array().unwrap().iter().map(|part| part["@id"].as_str().unwrap()).collect();
    let expected = bundle.contents.files.iter().map(|file| file.path.as_str()).filter(|path| *path != METADATA);
    let mut expected: Vec<&str> = expected.chain([NAME]).collect();
    expected.sort_unstable();
    assert_eq!(parts, expected);
    for file in bundle.contents.files.iter().filter(|file| file.path != METADATA) {
        let entity = entity(&file.path);
        assert_eq!(entity["@type"], "File");
        assert_eq!(entity["sha256"], file.sha256.hex());
        assert_eq!(entity["contentSize"], file.bytes.to_string());
        assert!(entity["encodingFormat"].as_str().unwrap().contains('/'));
    }
}
