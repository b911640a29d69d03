//! Model directories: finding one by name, keeping to it, and checking its files.
//!
//! Everything that is opened on behalf of SQL goes through here. A name is one path component; a
//! directory or file whose real path leaves its entry of the model path is refused, symbolic links
//! included. Messages name files by model, never by their place on the machine: any user may read them.

use crate::cancel::Cancel;
use crate::checksum::{self, Checksums};
use crate::manifest::{self, Manifest};
use crate::sentence_transformers;
use protocol::{Fault, FaultCode};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Longest model name in bytes.
const MAX_NAME: usize = 128;

/// A model's directory on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    name: String,
    /// The entry of the model path that holds it, resolved.
    root: PathBuf,
    path: PathBuf,
}

/// Identity of every file of a directory; equal stamps mean that none was touched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stamp(Vec<(PathBuf, String)>);

impl Directory {
    /// Finds the model `name` under the first entry of `model_path` that has it.
    pub fn find(model_path: &[PathBuf], name: &str) -> Result<Self, Fault> {
        check_name(name)?;
        for entry in model_path {
            let Ok(root) = entry.canonicalize() else { continue };
            let Ok(path) = root.join(name).canonicalize() else { continue };
            if !path.starts_with(&root) || path == root {
                return Err(outside(name, "its directory"));
            }
            if path.is_dir() {
                return Ok(Self { name: name.to_owned(), root, path });
            }
        }
        Err(unknown(model_path, name))
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the directory is; for opening files, never for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the files of the directory itself, sorted.
    pub fn names(&self) -> Vec<String> {
        let files = entries(&self.path).into_iter().filter(|path| path.is_file());
        let names = files.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The files as they are now: of the directory and of its folders.
    pub fn stamp(&self) -> Stamp {
        let mut files = Vec::new();
        for path in entries(&self.path) {
            match fs::metadata(&path) {
                Ok(found) if found.is_dir() => files.extend(entries(&path)),
                _ => files.push(path),
            }
        }
        files.sort_unstable();
        let identify = |path: PathBuf| {
            let identity = fs::metadata(&path).map(|found| checksum::identity(&found));
            (path, identity.unwrap_or_default())
        };
        Stamp(files.into_iter().map(identify).collect())
    }

    /// Reads the manifest, or derives one from a sentence-transformers layout.
    pub fn manifest(&self, checksums: &Checksums, cancel: &Cancel) -> Result<Manifest, Fault> {
        // A link that leads nowhere is a broken manifest, not a missing one.
        if fs::symlink_metadata(self.path.join(manifest::FILE_NAME)).is_ok() {
            let text = self.read_text(manifest::FILE_NAME, manifest::MAX_BYTES)?;
            return Manifest::parse(&self.name, &text);
        }
        sentence_transformers::derive(self, checksums, cancel)
    }

    /// The real path of a file of the model.
    pub fn file(&self, relative: &str) -> Result<PathBuf, Fault> {
        let path = self
            .path
            .join(relative)
            .canonicalize()
            .map_err(|error| self.unreadable(relative, &error))?;
        if !path.starts_with(&self.root) {
            return Err(outside(&self.name, &format!("file {relative:?}")));
        }
        if !path.is_file() {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            return Err(self.unreadable(relative, &error));
        }
        Ok(path)
    }

    /// A small UTF-8 file of the model.
    pub fn read_text(&self, relative: &str, max_bytes: u64) -> Result<String, Fault> {
        let path = self.file(relative)?;
        let size = fs::metadata(&path).map_err(|error| self.unreadable(relative, &error))?.len();
        if size > max_bytes {
            return Err(self
                .broken(&format!("file {relative:?} is too large"))
                .detail(format!("It has {size} bytes; at most {max_bytes} are read.")));
        }
        let bytes = fs::read(&path).map_err(|error| self.unreadable(relative, &error))?;
        String::from_utf8(bytes).map_err(|error| {
            self.broken(&format!("file {relative:?} is not UTF-8 text"))
                .detail(format!("After {} valid bytes.", error.utf8_error().valid_up_to()))
        })
    }

    /// sha256 of a file of the model.
    pub fn sha256(
        &self,
        relative: &str,
        checksums: &Checksums,
        cancel: &Cancel,
    ) -> Result<String, Fault> {
        let path = self.file(relative)?;
        checksums.sha256(&path, cancel)?.map_err(|error| self.unreadable(relative, &error))
    }

    /// Files in the folder of `graph` that it may read as external data, by path inside the directory.
    ///
    /// Exporters name them as they like, so anything counts but graphs and what is plainly text.
    pub fn data_beside(&self, graph: &str) -> Vec<String> {
        const NO_DATA: [&str; 5] = ["onnx", "json", "toml", "md", "txt"];
        let folder = Path::new(graph).parent().unwrap_or(Path::new(""));
        let files = entries(&self.path.join(folder)).into_iter().filter(|path| path.is_file());
        let named = files.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        let data = named.filter(|name| {
            let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
            !name.starts_with('.') && name != "LICENSE" && !NO_DATA.contains(&extension)
        });
        data.filter_map(|name| folder.join(name).into_os_string().into_string().ok()).collect()
    }

    /// Compares every file with its checksum in the manifest.
    pub fn verify(
        &self,
        manifest: &Manifest,
        checksums: &Checksums,
        cancel: &Cancel,
    ) -> Result<(), Fault> {
        for data in manifest.graphs().flat_map(|graph| self.data_beside(graph)) {
            if !manifest.files.contains_key(&data) {
                return Err(self
                    .broken(&format!("file {data:?} has no checksum"))
                    .detail("It lies beside the graph, which may read it, and [files] lacks it."));
            }
        }
        for (relative, expected) in &manifest.files {
            let found = self.sha256(relative, checksums, cancel)?;
            if !found.eq_ignore_ascii_case(expected) {
                return Err(self
                    .broken(&format!("file {relative:?} does not match its checksum"))
                    .detail(format!("sha256 is {found}, the manifest has {expected}.")));
            }
        }
        Ok(())
    }

    /// Bytes of all files of the model; a missing one counts as nothing.
    pub fn bytes(&self, manifest: &Manifest) -> u64 {
        let sizes =
            manifest.files.keys().filter_map(|file| fs::metadata(self.path.join(file)).ok());
        sizes.map(|metadata| metadata.len()).sum()
    }

    /// A fault of this model's files.
    pub fn broken(&self, what: &str) -> Fault {
        Fault::new(FaultCode::ConfigFile, format!("model {:?} is damaged: {what}", self.name)).hint(
            format!(
                "Make the model again (make model MODEL={} FORCE=1) or restore its files; \
                 then repeat the call, also in this session.",
                self.name
            ),
        )
    }

    fn unreadable(&self, relative: &str, error: &io::Error) -> Fault {
        if error.kind() == io::ErrorKind::NotFound {
            return self
                .broken(&format!("file {relative:?} is missing"))
                .detail("The model needs it, and its directory does not have it.");
        }
        // Says nothing of the file: out of descriptors, or of memory.
        const OF_THE_SYSTEM: [i32; 3] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM];
        if error.raw_os_error().is_some_and(|code| OF_THE_SYSTEM.contains(&code)) {
            let message = format!("a file of model {:?} cannot be opened", self.name);
            return Fault::new(FaultCode::InsufficientResources, message)
                .detail(format!("The server's user gets: {error}."))
                .hint("Raise the limits of the server's processes, or use fewer sessions.");
        }
        self.broken(&format!("file {relative:?} cannot be read"))
            .detail(format!("The server's user gets: {error}."))
    }
}

/// What a directory holds; nothing where it cannot be read.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    found.map(|entry| entry.path()).collect()
}

/// Names of the directories under `model_path`, sorted; those of earlier entries hide later ones.
pub fn list(model_path: &[PathBuf]) -> Vec<String> {
    let found = model_path.iter().flat_map(|entry| entries(entry)).filter(|path| path.is_dir());
    let names = found.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
    names.filter(|name| check_name(name).is_ok()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn check_name(name: &str) -> Result<(), Fault> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.') {
        return Ok(());
    }
    Err(Fault::new(FaultCode::InvalidParameter, format!("model name {name:?} is not valid"))
        .detail(format!(
            "A name is that of a directory: 1 to {MAX_NAME} letters, digits, '-', '_' and '.', \
             not starting with '.'."
        ))
        .hint("SELECT name FROM models() lists the installed models."))
}

fn unknown(model_path: &[PathBuf], name: &str) -> Fault {
    let installed = list(model_path);
    let detail = if installed.is_empty() {
        "No model is installed.".to_owned()
    } else {
        format!("Installed: {}.", installed.join(", "))
    };
    Fault::new(FaultCode::UndefinedObject, format!("model {name:?} is not installed"))
        .detail(detail)
        .hint(format!(
            "Install it under itembank_embed.model_path: make model MODEL={name} \
             FROM=/folder/of/its/checkpoint (models/README.md).",
        ))
}

fn outside(name: &str, what: &str) -> Fault {
    Fault::new(FaultCode::ConfigFile, format!("model {name:?} leaves the model path"))
        .detail(format!("By a symbolic link, {what} lies outside of itembank_embed.model_path."))
        .hint("Copy the files into the model's directory, or add their real place to the path.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn names_are_single_plain_components() {
        for name in ["..", ".hidden", "a/b", "/etc", "", "a\0b", "한글", &"x".repeat(129)] {
            let fault = Directory::find(&[], name).unwrap_err();
            assert_eq!(fault.code, FaultCode::InvalidParameter, "{name:?}");
        }
        let fault = Directory::find(&[], "e5").unwrap_err();
        assert_eq!(fault.code, FaultCode::UndefinedObject);
    }

    #[test]
    fn links_out_of_the_path_are_refused_and_unknown_names_list_the_known() {
        let tmp = tempfile::tempdir().unwrap();
        let (root, elsewhere) = (tmp.path().join("models"), tmp.path().join("elsewhere"));
        fs::create_dir_all(root.join("good")).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        fs::write(elsewhere.join("secret"), "x").unwrap();
        symlink(&elsewhere, root.join("evil")).unwrap();
        symlink(elsewhere.join("secret"), root.join("good/model.onnx")).unwrap();
        let path = [root];
        assert_eq!(Directory::find(&path, "evil").unwrap_err().code, FaultCode::ConfigFile);
        let good = Directory::find(&path, "good").unwrap();
        assert!(good.file("model.onnx").unwrap_err().message.contains("leaves"));
        assert!(good.file("../../elsewhere/secret").unwrap_err().message.contains("leaves"));
        let fault = Directory::find(&path, "other").unwrap_err();
        assert_eq!(fault.detail.as_deref(), Some("Installed: evil, good."));
    }
}
