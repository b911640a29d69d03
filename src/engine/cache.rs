//! This backend's most recently embedded rows, up to `itembank_embed.cache_size`.
//!
//! Keys hold the whole text, so two texts never share a vector; the version of the model is part of
//! a key, so a changed model, device or setting never serves an old vector.

use crate::postgres::settings;
use lru::LruCache;
use protocol::{Embed, Input, Task};
use std::cell::RefCell;

/// All that decides a vector, but for the model's content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    model: String,
    task: Task,
    instruction: Option<String>,
    dimensions: Option<usize>,
    text: String,
}

impl Key {
    /// The key of a row; `None` for rows with images, which are large and seldom repeated.
    pub fn of(request: &Embed, input: &Input) -> Option<Self> {
        if !input.images.is_empty() {
            return None;
        }
        Some(Self {
            model: request.model.clone(),
            task: request.task,
            instruction: request.instruction.clone(),
            dimensions: request.dimensions,
            text: input.text.clone()?,
        })
    }
}

struct Cache {
    entries: LruCache<(u64, Key), Vec<f32>>,
    bytes: usize,
}

thread_local! {
    /// Only the backend's main thread comes here.
    static CACHE: RefCell<Cache> =
        RefCell::new(Cache { entries: LruCache::unbounded(), bytes: 0 });
}

/// The vector of a recent row.
pub fn get(version: u64, key: &Key) -> Option<Vec<f32>> {
    CACHE.with_borrow_mut(|cache| {
        cache.shrink_to(settings::cache_bytes());
        cache.entries.get(&(version, key.clone())).cloned()
    })
}

/// Remembers a row, and forgets the oldest ones that no longer fit.
pub fn put(version: u64, key: Key, vector: &[f32]) {
    CACHE.with_borrow_mut(|cache| {
        cache.put((version, key), vector.to_vec());
        cache.shrink_to(settings::cache_bytes());
    });
}

impl Cache {
    fn put(&mut self, key: (u64, Key), vector: Vec<f32>) {
        self.bytes += size(&key, &vector);
        if let Some((old_key, old)) = self.entries.push(key, vector) {
            self.bytes -= size(&old_key, &old);
        }
    }

    fn shrink_to(&mut self, limit: usize) {
        while self.bytes > limit {
            let Some((key, vector)) = self.entries.pop_lru() else { break };
            self.bytes -= size(&key, &vector);
        }
    }
}

/// Heap bytes of an entry, with a round sum for the map's own links.
fn size((_, key): &(u64, Key), vector: &[f32]) -> usize {
    const LINKS: usize = 256;
    let instruction = key.instruction.as_ref().map_or(0, String::len);
    LINKS + key.model.len() + instruction + key.text.len() + size_of_val(vector)
}
