//! The corpus of each fuzz target, and every input that once broke a promise, without the fuzzer.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use fuzz_targets::TARGETS;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The files of a folder, none where there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn folders(name: &str) -> BTreeSet<String> {
    let name_of = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files(&fuzz().join(name)).into_iter().filter(|path| path.is_dir()).map(name_of).collect()
}

#[test]
fn every_folder_belongs_to_a_target() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let programs = files(&fuzz().join("fuzz_targets")).into_iter();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    assert_eq!(programs.map(stem).collect::<BTreeSet<_>>(), targets);
    assert_eq!(folders("corpus"), targets, "a corpus for each");
    assert!(folders("regressions").is_subset(&targets));
}

#[test]
fn every_promise_is_kept() {
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        let corpus = files(&fuzz().join("corpus").join(name));
        assert!(corpus.len() >= 10, "{name}: a corpus of {} files proves little", corpus.len());
        let former = files(&fuzz().join("regressions").join(name));
        for file in corpus.into_iter().chain(former) {
            let bytes = fs::read(&file).unwrap();
            if catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_err() {
                broken.push(file);
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
