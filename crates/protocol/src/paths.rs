//! Paths in a frame: the bytes that the system knows them by, since they need not be UTF-8. For
//! `#[serde(with = …)]`.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// `PathBuf`.
pub(crate) mod one {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        bytes(path).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        ByteBuf::deserialize(from).map(path)
    }
}

/// `Option<PathBuf>`.
pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        path.as_deref().map(bytes).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<ByteBuf>::deserialize(from)?.map(path))
    }
}

/// `Vec<PathBuf>`.
pub(crate) mod list {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(paths.iter().map(|path| bytes(path)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        Ok(Vec::<ByteBuf>::deserialize(from)?.into_iter().map(path).collect())
    }
}

fn bytes(path: &Path) -> &Bytes {
    Bytes::new(path.as_os_str().as_bytes())
}

fn path(bytes: ByteBuf) -> PathBuf {
    OsString::from_vec(bytes.into_vec()).into()
}
