//! Query ids numbered in order of appearance: their bytes end to end, and a table of numbers.

use hashbrown::HashTable;
use std::hash::{BuildHasher, RandomState};

/// Distinct byte strings, numbered from 0. Some 16 bytes each, besides their own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    table: HashTable<u32>,
    hasher: RandomState,
    /// The number that was given out last.
    last: usize,
}

impl Keys {
    /// The number of `key`, which is a new one where it equals the count before;
    /// `None` where all numbers are taken.
    pub fn number(&mut self, key: &[u8]) -> Option<usize> {
        if self.last < self.ends.len() && self.get(self.last) == key {
            return Some(self.last); // rows of a query mostly come together
        }
        self.last = self.find_or_insert(key)?;
        Some(self.last)
    }

    fn find_or_insert(&mut self, key: &[u8]) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        if let Some(number) = self.table.find(hash, |number| self.get(*number as usize) == key) {
            return Some(*number as usize);
        }
        let number = u32::try_from(self.ends.len()).ok()?;
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        let Self { bytes, ends, table, hasher, .. } = self;
        table.insert_unique(hash, number, |other| {
            hasher.hash_one(slice(bytes, ends, *other as usize))
        });
        Some(number as usize)
    }

    pub fn get(&self, number: usize) -> &[u8] {
        slice(&self.bytes, &self.ends, number)
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes that were allocated.
    pub fn allocated(&self) -> usize {
        let ends = self.ends.capacity() * size_of::<usize>();
        self.bytes.capacity() + ends + self.table.allocation_size()
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], number: usize) -> &'a [u8] {
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &bytes[start..ends[number]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_distinct_keys_in_order_of_appearance() {
        let mut keys = Keys::default();
        let names: Vec<String> = (0..1000).map(|n| format!("질의{n}")).collect();
        for _ in 0..2 {
            for (number, name) in names.iter().enumerate() {
                assert_eq!(keys.number(name.as_bytes()), Some(number));
            }
        }
        assert_eq!(keys.number(b""), Some(1000));
        assert_eq!(keys.number(b""), Some(1000));
        assert_eq!(keys.get(999), names[999].as_bytes());
        assert_eq!(keys.len(), 1001);
    }
}
