//! Whether a file is a whole root file system, asked before an engine is given it: an engine says of a broken one only that
//! it ended, and of which file it does not know.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;

use super::Error;

/// What stands at the top of an archive that `docker save`, or a tool for OCI layouts, wrote.
const SAVED: [&str; 3] = ["manifest.json", "index.json", "oci-layout"];

/// Reads `archive`, the bytes of the file at `path`, to its end: a tar archive, or one packed by gzip or xz.
///
/// # Errors
/// It is empty, packed otherwise, no tar archive, cut short or damaged, or a saved image in place of a root file system.
pub fn check_root_archive(path: &Path, archive: &[u8]) -> Result<(), Error> {
    let fault = |found: String, remedy: &'static str| Err(Error::RootArchive { path: path.to_owned(), found, remedy });
    const AGAIN: &str = "make it or fetch it again, as by `containers/cpython/base.sh`";
    const UNPACKED: &str = "unpack it first, or pack it by gzip or xz";
    let names = match archive {
        [] => return fault("it is empty".into(), AGAIN),
        [b'B', b'Z', b'h', ..] => return fault("it is packed by bzip2, which is not read here".into(), UNPACKED),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => return fault("it is packed by zstd, which is not read here".into(), UNPACKED),
        [0x1f, 0x8b, ..] => names(MultiGzDecoder::new(archive)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => names(XzReader::new(archive, true)),
        _ => names(archive),
    };
    let tops = match names {
        Ok(tops) => tops,
        Err(found) => return fault(found, AGAIN),
    };
    if tops.is_empty() {
        return fault("it holds no file".into(), AGAIN);
    }
    if let Some(saved) = SAVED.iter().find(|name| tops.contains(**name)) {
        let found =
            format!("it holds {saved} and so is an image as an engine saves it, with its files packed in layers");
        return fault(found, "load it, make a container of it and export that: `docker export CONTAINER -o FILE.tar`");
    }
    Ok(())
}

/// What stands at the archive's top, every entry read to its end; or what is wrong with it.
fn names(archive: impl Read) -> Result<BTreeSet<String>, String> {
    let mut archive = tar::Archive::new(Ended { inner: archive, ended: false });
    let mut tops = BTreeSet::new();
    let (mut count, mut last) = (0_u64, String::new());
    let after = |count: u64, last: &str, problem: String| match count {
        0 => format!("it is no tar archive ({problem})"),
        _ => format!("it breaks off or is damaged at entry {count}, {last} ({problem})"),
    };
    for entry in archive.entries().map_err(|error| after(0, "", error.to_string()))? {
        let mut entry = entry.map_err(|error| after(count, &last, error.to_string()))?;
        count += 1;
        last = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let size = entry.size();
        let read = io::copy(&mut entry, &mut io::sink()).map_err(|error| after(count, &last, error.to_string()))?;
        if read < size {
            return Err(after(count, &last, format!("{read} of its {size} bytes are there")));
        }
        tops.extend(last.split('/').find(|part| !matches!(*part, "" | ".")).map(str::to_owned));
    }
    // An archive ends with empty blocks. One that was cut between two entries has none, and every entry in it is whole.
    match archive.into_inner().ended {
        true if count > 0 => Err(after(count, &last, "its end is missing".to_owned())),
        _ => Ok(tops),
    }
}

/// A reader that remembers whether more was asked of it than it had.
struct Ended<R> {
    inner: R,
    ended: bool,
}

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.ended |= read == 0 && !buffer.is_empty();
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for name in names {
            let content = [b'x'; 700];
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, content.as_slice()).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    fn said(bytes: &[u8]) -> String {
        check_root_archive(Path::new("base.tar"), bytes).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_whole_root_file_system_is_taken_plain_and_packed() {
        let whole = archive(&["./etc/passwd", "usr/bin/tool"]);
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
        xz.write_all(&whole).unwrap();
        let xz = xz.finish().unwrap();
        for bytes in [&whole, &gzip(&whole), &xz] {
            assert_eq!(said(bytes), "");
        }
        for packed in [gzip(&whole), xz] {
            let cut = said(&packed[..packed.len() / 2]);
            assert!(cut.contains("base.tar") && cut.contains("again"), "{cut}");
        }
    }

    #[test]
    fn wherever_it_is_cut_the_place_is_named() {
        let whole = archive(&["etc/passwd", "usr/bin/tool"]);
        for (bytes, place) in [
            (0, "it is empty"),
            (100, "it is no tar archive"),
            (512 + 300, "at entry 1, etc/passwd"),
            (1536, "at entry 1, etc/passwd (its end is missing)"),
            (1536 + 100, "at entry 1, etc/passwd"),
            (2048 + 100, "at entry 2, usr/bin/tool"),
            (3072, "at entry 2, usr/bin/tool (its end is missing)"),
        ] {
            let said = said(&whole[..bytes]);
            assert!(
                said.starts_with("base.tar is no root file system that can be taken in: ") && said.contains(place),
                "{bytes}: {said}"
            );
        }
        let mut damaged = whole;
        damaged[1536 + 20] ^= 1;
        assert!(said(&damaged).contains("damaged at entry 1"), "{}", said(&damaged));
    }

    #[test]
    fn what_is_something_else_is_told_by_its_kind() {
        assert!(said(b"#!/bin/sh\n").contains("it is no tar archive"));
        assert!(said(&[0; 1024]).contains("it holds no file"));
        assert!(said(b"BZh91AY&SY").contains("packed by bzip2"));
        assert!(
            said(&[0x28, 0xb5, 0x2f, 0xfd, 0]).contains("packed by zstd")
                && said(&[0x28, 0xb5, 0x2f, 0xfd, 0]).contains("unpack it first")
        );
        for saved in SAVED {
            let said = said(&archive(&["blobs/sha256/00", saved]));
            assert!(said.contains(saved) && said.contains("docker export"), "{said}");
        }
        assert_eq!(said(&archive(&["srv/manifest.json"])), "");
    }
}
