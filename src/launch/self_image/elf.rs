//! What one ELF file asks its loader for.

use std::fs::File;
use std::path::{Path, PathBuf};

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use object::read::{ReadCache, ReadRef, StringTable};
use object::{Endianness, FileKind};

use crate::launch::Error;

/// The parts of an ELF file that a loader acts upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needs {
    /// Machine and class; a loader skips libraries of another.
    pub machine: Machine,
    /// The loader that the file names, when it is dynamically linked.
    pub interpreter: Option<PathBuf>,
    /// Names of the libraries that it needs, in order.
    pub needed: Vec<String>,
    /// Its own name, as others need it.
    pub soname: Option<String>,
    /// Folders of `DT_RUNPATH`, unexpanded; they count for this file's own libraries.
    pub runpath: Vec<String>,
    /// Folders of `DT_RPATH`, unexpanded; they count for all below, unless the file has a `DT_RUNPATH`.
    pub rpath: Vec<String>,
}

/// ELF machine number and class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Machine {
    number: u16,
    is_64: bool,
}

impl Machine {
    /// The name that images use, for example `amd64`.
    pub(super) fn image_architecture(self) -> Option<&'static str> {
        match (self.number, self.is_64) {
            (elf::EM_X86_64, true) => Some("amd64"),
            (elf::EM_AARCH64, true) => Some("arm64"),
            (elf::EM_RISCV, true) => Some("riscv64"),
            (elf::EM_PPC64, true) => Some("ppc64le"),
            (elf::EM_S390, true) => Some("s390x"),
            (elf::EM_386, false) => Some("386"),
            (elf::EM_ARM, false) => Some("arm"),
            _ => None,
        }
    }

    /// Debian's name of the folder for libraries of this machine.
    pub(super) fn library_folder(self) -> Option<&'static str> {
        match (self.number, self.is_64) {
            (elf::EM_X86_64, true) => Some("x86_64-linux-gnu"),
            (elf::EM_AARCH64, true) => Some("aarch64-linux-gnu"),
            (elf::EM_RISCV, true) => Some("riscv64-linux-gnu"),
            (elf::EM_PPC64, true) => Some("powerpc64le-linux-gnu"),
            (elf::EM_S390, true) => Some("s390x-linux-gnu"),
            (elf::EM_386, false) => Some("i386-linux-gnu"),
            (elf::EM_ARM, false) => Some("arm-linux-gnueabihf"),
            _ => None,
        }
    }
}

/// Reads the file at `path`.
///
/// # Errors
/// It cannot be read, or is no well-formed ELF file.
pub(super) fn needs(path: &Path) -> Result<Needs, Error> {
    let file = File::open(path).map_err(Error::file("open", path))?;
    // Reads only the pieces that are asked for; an executable may have hundreds of megabytes.
    let data = ReadCache::new(file);
    let malformed = |found: &dyn std::fmt::Display| Error::Elf { path: path.to_owned(), found: found.to_string() };
    match FileKind::parse(&data).map_err(|error| malformed(&error))? {
        FileKind::Elf32 => read::<FileHeader32<Endianness>, _>(&data).map_err(|Malformed(found)| malformed(&found)),
        FileKind::Elf64 => read::<FileHeader64<Endianness>, _>(&data).map_err(|Malformed(found)| malformed(&found)),
        other => Err(malformed(&format!("it is no ELF executable or library ({other:?})"))),
    }
}

/// What is wrong with a file.
struct Malformed(String);

impl From<object::read::Error> for Malformed {
    fn from(error: object::read::Error) -> Self {
        Self(error.to_string())
    }
}

fn read<'data, Elf, R>(data: R) -> Result<Needs, Malformed>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = Elf::parse(data)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, data)?;
    let mut needs = Needs {
        machine: Machine { number: header.e_machine(endian), is_64: header.is_type_64() },
        interpreter: None,
        needed: Vec::new(),
        soname: None,
        runpath: Vec::new(),
        rpath: Vec::new(),
    };
    for segment in segments {
        if let Some(bytes) = segment.interpreter(endian, data)? {
            needs.interpreter = Some(PathBuf::from(text(bytes)));
        }
        if let Some(entries) = segment.dynamic(endian, data)? {
            dynamic::<Elf, R>(&mut needs, entries, endian, segments, data)?;
        }
    }
    Ok(needs)
}

fn dynamic<'data, Elf, R>(
    needs: &mut Needs,
    entries: &[Elf::Dyn],
    endian: Endianness,
    segments: &[Elf::ProgramHeader],
    data: R,
) -> Result<(), Malformed>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let value = |tag| entries.iter().find(|entry| entry.tag(endian) == tag).map(|entry| entry.val(endian));
    let strings = match value(elf::DT_STRTAB).zip(value(elf::DT_STRSZ)) {
        Some((address, length)) => strings::<Elf, R>(address, length, endian, segments, data),
        None => StringTable::default(),
    };
    let string = |entry: &Elf::Dyn| entry.val32(endian).and_then(|offset| strings.get(offset).ok()).map(text);
    let folders = |entry: &Elf::Dyn| -> Vec<String> {
        let all = string(entry).unwrap_or_default();
        all.split(':').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let unnamed = || Malformed("it needs a library whose name lies outside of its string table".to_owned());
    for entry in entries {
        match entry.tag(endian) {
            elf::DT_NULL => break,
            elf::DT_NEEDED => needs.needed.push(string(entry).ok_or_else(unnamed)?),
            elf::DT_SONAME => needs.soname = string(entry),
            elf::DT_RUNPATH => needs.runpath = folders(entry),
            elf::DT_RPATH => needs.rpath = folders(entry),
            _ => {}
        }
    }
    Ok(())
}

/// The dynamic string table, whose address in memory a `PT_LOAD` segment turns into an offset in the file.
fn strings<'data, Elf, R>(
    address: u64,
    length: u64,
    endian: Endianness,
    segments: &[Elf::ProgramHeader],
    data: R,
) -> StringTable<'data, R>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let offset = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD).find_map(|segment| {
        let within = address.checked_sub(segment.p_vaddr(endian).into())?;
        (within < segment.p_filesz(endian).into()).then(|| within.checked_add(segment.p_offset(endian).into()))?
    });
    match offset.and_then(|start| Some((start, start.checked_add(length)?))) {
        Some((start, end)) => StringTable::new(data, start, end),
        None => StringTable::default(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_executable_names_its_loader_and_the_c_library() {
        let needs = needs(&std::env::current_exe().unwrap()).unwrap();
        assert!(needs.interpreter.is_some_and(|path| path.is_absolute()));
        assert!(needs.needed.iter().any(|name| name.starts_with("libc.")), "{:?}", needs.needed);
        assert!(needs.machine.image_architecture().is_some());
    }

    #[test]
    fn what_is_no_elf_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let executable = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let header = &executable[..512];
        for (name, bytes) in [
            ("empty", &b""[..]),
            ("script", b"#!/bin/sh\necho this is a longer text than a header is\n"),
            ("cut", &header[..40]),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(needs(&path), Err(Error::Elf { .. })), "{name} was taken for an ELF file");
        }
        assert!(matches!(needs(&folder.path().join("absent")), Err(Error::File { .. })));
    }

    #[test]
    fn a_damaged_elf_file_never_panics() {
        let executable = std::fs::read("/bin/sh").unwrap();
        let path = tempfile::NamedTempFile::new().unwrap();
        // Every byte of the header and of the program headers, one at a time.
        for at in 0..1024.min(executable.len()) {
            let mut damaged = executable.clone();
            damaged[at] ^= 0xFF;
            std::fs::write(path.path(), &damaged).unwrap();
            let _ = needs(path.path()).map(|needs| needs.needed.len());
        }
        assert!(needs(Path::new("/bin/sh")).unwrap().interpreter.is_some());
    }
}
