//! Query and candidate in one sequence to one score: "does the Document meet the requirements?"

use super::chat::{Chat, Content};
use super::towers::{Row, Towers, bytes, decode, images, plan, too_long};
use super::vision::{Features, Picture};
use crate::cancel::Cancel;
use crate::family::{Family, Spec};
use crate::lazy::Lazy;
use crate::manifest::{Manifest, pair_parts};
use crate::place::Place;
use crate::scores;
use crate::text::TextEncoder;
use crate::work::{COMMON, Outcomes, Plan, Planned, class_of_its_own, window};
use protocol::{Fault, Input, Rerank, TokenCount};
use std::sync::Arc;

const OUTPUT: &str = "logits";
/// What stands for a side that has nothing.
const NOTHING: &str = "NULL";
/// Tokens at the end that are never cut: the turn's end and the beginning of the answer.
const TAIL: usize = 5;

/// A Qwen3-VL reranker.
#[derive(Default)]
pub struct Qwen3VlReranker {
    towers: Towers,
}

/// The side that all pairs share.
struct Query<'a> {
    text: Option<&'a str>,
    /// How many features each of its pictures has.
    features: Vec<usize>,
    /// Its pictures, where it has any.
    shared: Option<Arc<Shared>>,
}

/// The pictures of a query; their features are computed once.
pub struct Shared {
    pictures: Vec<Picture>,
    features: Lazy<Features>,
}

/// A pair that is ready to run.
pub struct Pair {
    row: Row,
    /// What rows of one class have in common.
    shared: Option<Arc<Shared>>,
}

/// What goes around both sides.
struct Prompt<'a> {
    chat: Chat,
    instruction: &'a str,
    /// Ids that are never cut.
    special: Vec<u32>,
}

impl Family for Qwen3VlReranker {
    type Row = Pair;

    fn device(&self) -> Option<String> {
        self.towers.device()
    }

    fn load(&self, spec: &Spec, cancel: &Cancel) -> Result<(), Fault> {
        self.towers.load(spec, OUTPUT, cancel)
    }

    fn count_tokens(&self, spec: &Spec, text: &str, cancel: &Cancel) -> Result<TokenCount, Fault> {
        let tokens = images(spec)?.tokens;
        let instruction = spec.manifest.pair_instruction(None)?;
        let encoder = self.towers.encoder(spec, cancel)?;
        let prompt = Prompt::new(spec.manifest, instruction, &encoder);
        let sides = [content(None, &[]), content(Some(text), &[])];
        let all =
            encoder.encode_all_segments(&prompt.chat.segments(instruction, &sides, tokens))?;
        let total = all.len();
        let used = cut(all, spec.manifest.max_tokens, &prompt.special).map_or(0, |ids| ids.len());
        Ok(TokenCount { tokens: total, used })
    }

    fn rerank_rows(
        &self,
        spec: &Spec,
        request: &Rerank,
        from: usize,
        cancel: &Cancel,
    ) -> Result<Plan<Pair>, Fault> {
        let instruction = spec.manifest.pair_instruction(request.instruction.as_deref())?;
        let total = request.candidates.len();
        if request.query.is_null() {
            return Ok((Vec::new(), total));
        }
        self.load(spec, cancel)?;
        let encoder = self.towers.encoder(spec, cancel)?;
        let prompt = Prompt::new(spec.manifest, instruction, &encoder);
        let query = Query::of(&request.query, spec)?;
        let class = query.shared.as_ref().map_or(COMMON, |_| class_of_its_own());
        window(&request.candidates, from, |index, input| {
            cancel.check()?;
            if input.is_null() {
                return Ok(None);
            }
            let row = pair(&encoder, &prompt, spec, &query, input, (index, total))?;
            let (tokens, pixels) = (row.ids.len(), bytes(&row.pictures));
            let row = Pair { row, shared: query.shared.clone() };
            Ok(Some((Planned { index, tokens, class, row }, pixels)))
        })
    }

    fn run(&self, spec: &Spec, rows: &[&Pair], cancel: &Cancel) -> Result<Outcomes, Fault> {
        let shared = match rows.first().and_then(|pair| pair.shared.as_ref()) {
            Some(shared) => Some(shared.features.get_or_load(|| {
                let pictures: Vec<&Picture> = shared.pictures.iter().collect();
                self.towers.features(spec, &pictures, cancel)
            })?),
            None => None,
        };
        let members: Vec<&Row> = rows.iter().map(|pair| &pair.row).collect();
        let logits = self.towers.run(spec, &members, shared.as_deref(), OUTPUT, cancel)?;
        scores::finish(&logits, members.len(), spec)
    }
}

impl<'a> Query<'a> {
    fn of(input: &'a Input, spec: &Spec) -> Result<Self, Fault> {
        let (sketches, features) = plan(spec, input, Place::Query)?;
        let pictures = decode(&sketches, spec)?;
        let shared = (!pictures.is_empty())
            .then(|| Arc::new(Shared { pictures, features: Lazy::default() }));
        Ok(Self { text: input.text.as_deref(), features, shared })
    }

    fn pictures(&self) -> &[Picture] {
        self.shared.as_ref().map_or(&[], |shared| &shared.pictures)
    }
}

impl<'a> Prompt<'a> {
    fn new(manifest: &Manifest, instruction: &'a str, encoder: &TextEncoder) -> Self {
        let special = encoder.special_tokens();
        let template = manifest.prompts.pair.as_deref().unwrap_or_default();
        let chat = Chat::new(pair_parts(template), &special);
        Self { chat, instruction, special: special.into_iter().map(|(id, _)| id).collect() }
    }
}

/// Tokens of one pair, and the pictures of its candidate, which is number `index` of `total`.
fn pair(
    encoder: &TextEncoder,
    prompt: &Prompt,
    spec: &Spec,
    query: &Query,
    candidate: &Input,
    (index, total): (usize, usize),
) -> Result<Row, Fault> {
    let place = Place::Candidate(index, total);
    let (sketches, features) = plan(spec, candidate, place)?;
    let sides =
        [content(query.text, &query.features), content(candidate.text.as_deref(), &features)];
    let segments = prompt.chat.segments(prompt.instruction, &sides, images(spec)?.tokens);
    let all = encoder.encode_all_segments(&segments)?;
    let Some(ids) = cut(all, spec.manifest.max_tokens, &prompt.special) else {
        let wanted = features.iter().chain(&query.features).sum();
        return Err(too_long(spec, format!("{place}, with the query,"), wanted));
    };
    let of_query = query.pictures().iter().map(|picture| picture.grid);
    let grids = of_query.chain(sketches.iter().map(|sketch| sketch.grid)).collect();
    Ok(Row { ids, grids, pictures: decode(&sketches, spec)? })
}

/// An empty side is said to be so.
fn content<'a>(text: Option<&'a str>, images: &'a [usize]) -> Content<'a> {
    let text = text.unwrap_or_default();
    let nothing = text.is_empty() && images.is_empty();
    Content { images, text: if nothing { NOTHING } else { text } }
}

/// Cuts a sequence to `max` tokens before its tail, sparing special tokens; `None` where these
/// alone are too many.
fn cut(mut ids: Vec<u32>, max: usize, special: &[u32]) -> Option<Vec<u32>> {
    let body = ids.len().saturating_sub(TAIL);
    if body <= max {
        return Some(ids);
    }
    let tail = ids.split_off(body);
    let spared = ids.iter().filter(|id| special.contains(id)).count();
    let mut room = max.checked_sub(spared)?;
    ids.retain(|id| {
        let spare = special.contains(id);
        let keep = spare || room > 0;
        room -= usize::from(keep && !spare);
        keep
    });
    ids.extend(tail);
    Some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_what_is_not_special_from_the_right() {
        let ids: Vec<u32> = vec![1, 10, 11, 2, 12, 13, 3, 14, 1, 2, 3, 4, 5];
        let special = [1, 2, 3];
        assert_eq!(cut(ids.clone(), 8, &special), Some(ids.clone()));
        assert_eq!(cut(ids.clone(), 5, &special), Some(vec![1, 10, 11, 2, 3, 1, 2, 3, 4, 5]));
        assert_eq!(cut(ids.clone(), 3, &special), Some(vec![1, 2, 3, 1, 2, 3, 4, 5]));
        assert_eq!(cut(ids, 2, &special), None);
        assert_eq!(cut(vec![1, 2], 1, &special), Some(vec![1, 2]), "shorter than the tail");
    }

    #[test]
    fn an_empty_side_is_null() {
        assert_eq!(content(None, &[]).text, "NULL");
        assert_eq!(content(Some(""), &[]).text, "NULL");
        assert_eq!(content(Some(""), &[4]).text, "");
        assert_eq!(content(Some(" "), &[]).text, " ");
    }
}
