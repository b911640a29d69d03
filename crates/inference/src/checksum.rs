//! sha256 of a model's files, computed once and remembered.
//!
//! Hashing gigabytes at every load would cost seconds, so a result is kept in a small note beside
//! the database and holds as long as the file's identity (device, inode, size, modification and
//! change time) does. Without a place for notes every load hashes again.

use crate::cancel::Cancel;
use protocol::Fault;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Read at a time; a stop is heard this often.
const CHUNK: usize = 1 << 20;

/// Computes checksums and remembers them under a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checksums {
    notes: Option<PathBuf>,
}

impl Checksums {
    /// Remembers under `notes`, which is made when first needed; forgets everything on `None`.
    pub fn new(notes: Option<PathBuf>) -> Self {
        Self { notes }
    }

    /// sha256 of the file at `path` as 64 hexadecimal digits.
    pub fn sha256(&self, path: &Path, cancel: &Cancel) -> Result<io::Result<String>, Fault> {
        let identity = match fs::metadata(path) {
            Ok(metadata) => identity(&metadata),
            Err(error) => return Ok(Err(error)),
        };
        if let Some(known) = self.recall(path, &identity) {
            return Ok(Ok(known));
        }
        let computed = hash(path, cancel)?;
        if let Ok(sha256) = &computed
            && settled(path)
        {
            // Best effort: a lost note costs time at the next load, nothing else.
            let _ = self.note(path, &identity, sha256);
        }
        Ok(computed)
    }

    fn recall(&self, path: &Path, identity: &str) -> Option<String> {
        let note = fs::read_to_string(self.note_of(path)?).ok()?;
        let (known, sha256) = note.trim_end().rsplit_once(' ')?;
        (known == identity && sha256.len() == 64).then(|| sha256.to_owned())
    }

    fn note(&self, path: &Path, identity: &str, sha256: &str) -> io::Result<()> {
        let Some(note) = self.note_of(path) else { return Ok(()) };
        if let Some(directory) = note.parent() {
            fs::create_dir_all(directory)?;
        }
        // Written aside and renamed: a reader sees the old note or the new one, never half of it.
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let aside = note.with_extension(format!("{}-{number}", std::process::id()));
        fs::write(&aside, format!("{identity} {sha256}\n"))?;
        fs::rename(&aside, &note)
    }

    fn note_of(&self, path: &Path) -> Option<PathBuf> {
        let name = Sha256::digest(path.as_os_str().as_encoded_bytes());
        Some(self.notes.as_ref()?.join(format!("{name:x}")))
    }
}

/// Whether the file was left alone for longer than a clock tick of the file system: within one,
/// a second change would not show in its identity.
fn settled(path: &Path) -> bool {
    const TICK: Duration = Duration::from_millis(20);
    let changed = fs::metadata(path).and_then(|found| {
        let since_1970 = Duration::new(
            found.ctime().try_into().unwrap_or(0),
            found.ctime_nsec().try_into().unwrap_or(0),
        );
        Ok(found.modified()?.max(SystemTime::UNIX_EPOCH + since_1970))
    });
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > TICK))
}

/// What changes when a file's content may have.
pub fn identity(m: &fs::Metadata) -> String {
    format!(
        "{} {} {} {}.{} {}.{}",
        m.dev(),
        m.ino(),
        m.len(),
        m.mtime(),
        m.mtime_nsec(),
        m.ctime(),
        m.ctime_nsec()
    )
}

/// `Err` where the caller asked to stop, `Ok(Err)` where the file cannot be read.
fn hash(path: &Path, cancel: &Cancel) -> Result<io::Result<String>, Fault> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        cancel.check()?;
        match file.read(&mut chunk) {
            Ok(0) => return Ok(Ok(format!("{:x}", hasher.finalize()))),
            Ok(n) => hasher.update(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_and_notices_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("weights");
        fs::write(&file, b"abc").unwrap();
        let sums = Checksums::new(Some(dir.path().join("notes")));
        let sum = |sums: &Checksums| sums.sha256(&file, &Cancel::default()).unwrap().unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sum(&sums), abc);
        assert!(!sums.note_of(&file).unwrap().exists(), "too fresh to be remembered");
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(sum(&sums), abc);
        let note = sums.note_of(&file).unwrap();
        let written = fs::read_to_string(&note).unwrap();
        fs::write(&note, written.replace("ba78", "0000")).unwrap();
        assert!(sum(&sums).starts_with("0000"), "the note is used");
        fs::write(&file, b"abcd").unwrap();
        assert_ne!(sum(&sums), abc);
        assert!(!sum(&sums).starts_with("0000"), "a changed file is read again");
    }

    #[test]
    fn a_missing_file_and_a_stop_are_told_apart() {
        let sums = Checksums::default();
        assert!(sums.sha256(Path::new("/nowhere"), &Cancel::default()).unwrap().is_err());
        let cancel = Cancel::default();
        cancel.request();
        assert!(sums.sha256(Path::new("/proc/self/exe"), &cancel).is_err());
    }
}
