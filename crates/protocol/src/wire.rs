//! How fields look in a frame where serde's own way is slow or unbounded: for `#[serde(with = …)]`.
//!
//! Images and vectors are byte strings, copied at once rather than byte by byte; rows are counted.
//! For paths see `paths`.

use crate::MAX_ROWS;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};
use std::fmt;

/// Bytes that a list reserves before its elements are seen.
const RESERVED: usize = 1 << 20;

/// `Vec<Input>`: counted, with their images.
pub(crate) mod inputs {
    use super::*;
    use crate::Input;

    pub(crate) fn serialize<S: Serializer>(inputs: &[Input], to: S) -> Result<S::Ok, S::Error> {
        check(inputs.iter().map(weight).sum())?;
        to.collect_seq(inputs)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Input>, D::Error> {
        counted(from, weight)
    }

    fn weight(input: &Input) -> usize {
        1 + input.images.len()
    }
}

/// `Vec<Vec<u8>>`.
pub(crate) mod images {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(images: &[Vec<u8>], to: S) -> Result<S::Ok, S::Error> {
        check(images.len())?;
        to.collect_seq(images.iter().map(|image| Bytes::new(image)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Vec<u8>>, D::Error> {
        let images = counted(from, |_: &ByteBuf| 1)?;
        Ok(images.into_iter().map(ByteBuf::into_vec).collect())
    }
}

/// `Vec<Option<Vec<f32>>>`.
pub(crate) mod vectors {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        vectors: &[Option<Vec<f32>>],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        check(vectors.len())?;
        to.collect_seq(vectors.iter().map(|vector| vector.as_deref().map(Floats)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Option<Vec<f32>>>, D::Error> {
        let vectors = counted(from, |_: &Option<Floats<Vec<f32>>>| 1)?;
        Ok(vectors.into_iter().map(|vector| vector.map(|floats| floats.0)).collect())
    }
}

/// `Vec<Option<f32>>`.
pub(crate) mod scores {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        scores: &[Option<f32>],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        check(scores.len())?;
        to.collect_seq(scores)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Option<f32>>, D::Error> {
        counted(from, |_| 1)
    }
}

/// A vector as one string of little-endian bytes.
struct Floats<T>(T);

impl Serialize for Floats<&[f32]> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut bytes = vec![0; size_of_val(self.0)];
        for (bytes, float) in bytes.as_chunks_mut().0.iter_mut().zip(self.0) {
            *bytes = float.to_le_bytes();
        }
        to.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Floats<Vec<f32>> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_bytes(FloatsVisitor).map(Floats)
    }
}

struct FloatsVisitor;

impl Visitor<'_> for FloatsVisitor {
    type Value = Vec<f32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("floats of four bytes each")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<f32>, E> {
        match bytes.as_chunks() {
            (floats, []) => Ok(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
            _ => Err(E::invalid_length(bytes.len(), &self)),
        }
    }
}

/// Refuses more rows than a message may have, before they are written.
fn check<E: serde::ser::Error>(rows: usize) -> Result<(), E> {
    if rows <= MAX_ROWS { Ok(()) } else { Err(E::custom("too many rows")) }
}

/// A list whose elements weigh at most [`MAX_ROWS`] together.
fn counted<'de, D, T>(from: D, weight: fn(&T) -> usize) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    from.deserialize_seq(Counted(weight))
}

/// What an element counts for.
struct Counted<T>(fn(&T) -> usize);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Counted<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX_ROWS} rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        // As serde does it: the length that is claimed reserves 1 MiB at most.
        let cautious = RESERVED / size_of::<T>().max(1);
        let mut rows = Vec::with_capacity(elements.size_hint().unwrap_or(0).min(cautious));
        let mut count = 0;
        while let Some(element) = elements.next_element()? {
            count += (self.0)(&element);
            if count > MAX_ROWS {
                return Err(A::Error::invalid_length(count, &self));
            }
            rows.push(element);
        }
        Ok(rows)
    }
}
