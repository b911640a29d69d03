//! Query and candidate in one sequence to one score: "does the Document meet the requirements?"

use super::chat::{Chat, Content};
use super::towers::{Row, Towers, images, plan, too_long};
use super::vision::{Features, Picture};
use crate::batch::{self, WINDOW};
use crate::cancel::Cancel;
use crate::family::{Family, Model};
use crate::manifest::{Manifest, pair_parts};
use crate::place::Place;
use crate::scores;
use crate::text::TextEncoder;
use protocol::{Fault, Input, Rerank, TokenCount};

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
    pictures: Vec<Picture<'a>>,
    /// Of each picture.
    features: Vec<usize>,
}

/// What goes around both sides.
struct Prompt<'a> {
    chat: Chat,
    instruction: &'a str,
    /// Ids that are never cut.
    special: Vec<u32>,
}

impl Family for Qwen3VlReranker {
    fn device(&self) -> Option<&str> {
        self.towers.device()
    }

    fn count_tokens(
        &mut self,
        model: &Model,
        text: &str,
        cancel: &Cancel,
    ) -> Result<TokenCount, Fault> {
        let tokens = images(model)?.tokens;
        let instruction = model.manifest.pair_instruction(None)?;
        let encoder = self.towers.encoder(model, cancel)?;
        let prompt = Prompt::new(model.manifest, instruction, encoder);
        let sides = [content(None, &[]), content(Some(text), &[])];
        let all =
            encoder.encode_all_segments(&prompt.chat.segments(instruction, &sides, tokens))?;
        let total = all.len();
        let used = cut(all, model.manifest.max_tokens, &prompt.special).map_or(0, |ids| ids.len());
        Ok(TokenCount { tokens: total, used })
    }

    fn rerank(
        &mut self,
        model: &Model,
        request: &Rerank,
        cancel: &Cancel,
    ) -> Result<Vec<Option<f32>>, Fault> {
        let instruction = model.manifest.pair_instruction(request.instruction.as_deref())?;
        let total = request.candidates.len();
        let mut found = vec![None; total];
        if request.query.is_null() {
            return Ok(found);
        }
        let (pictures, features) = plan(model, &request.query, Place::Query)?;
        let query = Query { text: request.query.text.as_deref(), pictures, features };
        let mut shared = None;
        for (number, window) in request.candidates.chunks(WINDOW).enumerate() {
            let encoder = self.towers.encoder(model, cancel)?;
            let prompt = Prompt::new(model.manifest, instruction, encoder);
            let mut rows = Vec::new();
            for (row, input) in window.iter().enumerate() {
                cancel.check()?;
                if !input.is_null() {
                    let place = (number * WINDOW + row, total);
                    rows.push(pair(encoder, &prompt, model, &query, input, place)?);
                }
            }
            self.score(model, &query, &rows, &mut shared, &mut found, cancel)?;
        }
        Ok(found)
    }
}

impl Qwen3VlReranker {
    /// `shared` are the features of the query's pictures, once they are computed.
    fn score(
        &mut self,
        model: &Model,
        query: &Query,
        rows: &[Row],
        shared: &mut Option<Features>,
        found: &mut [Option<f32>],
        cancel: &Cancel,
    ) -> Result<(), Fault> {
        if rows.is_empty() {
            return Ok(());
        }
        let batching = self.towers.batching(model, OUTPUT, cancel)?;
        if shared.is_none() && !query.pictures.is_empty() {
            *shared = Some(self.towers.features(model, &query.pictures, cancel)?);
        }
        let scores = batch::run(
            rows,
            |row| row.ids.len(),
            batching,
            |members| {
                let logits = self.towers.run(model, members, shared.as_ref(), OUTPUT, cancel)?;
                scores::finish(&logits, members.len(), model)
            },
        )?;
        for (row, score) in rows.iter().zip(scores) {
            found[row.index] = Some(score);
        }
        Ok(())
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
fn pair<'a>(
    encoder: &TextEncoder,
    prompt: &Prompt,
    model: &Model,
    query: &Query,
    candidate: &'a Input,
    (index, total): (usize, usize),
) -> Result<Row<'a>, Fault> {
    let place = Place::Candidate(index, total);
    let (pictures, features) = plan(model, candidate, place)?;
    let sides =
        [content(query.text, &query.features), content(candidate.text.as_deref(), &features)];
    let segments = prompt.chat.segments(prompt.instruction, &sides, images(model)?.tokens);
    let all = encoder.encode_all_segments(&segments)?;
    let Some(ids) = cut(all, model.manifest.max_tokens, &prompt.special) else {
        let wanted = features.iter().chain(&query.features).sum();
        return Err(too_long(model, format!("{place}, with the query,"), wanted));
    };
    let grids = query.pictures.iter().chain(&pictures).map(|picture| picture.grid).collect();
    Ok(Row { index, ids, grids, pictures })
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
