//! Texts and images to vectors.

use super::chat::{Chat, Content, instruction};
use super::towers::{Row, Towers, images, plan, too_long};
use crate::batch::{self, WINDOW};
use crate::cancel::Cancel;
use crate::family::{Family, Model};
use crate::manifest::parts;
use crate::place::Place;
use crate::text::TextEncoder;
use crate::vectors;
use protocol::{Embed, Fault, Input, Task, TokenCount};

const OUTPUT: &str = "sentence_embedding";

/// A Qwen3-VL embedder.
#[derive(Default)]
pub struct Qwen3VlEmbedder {
    towers: Towers,
}

impl Family for Qwen3VlEmbedder {
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
        let instruction = model.manifest.instruction(Task::Document, None)?;
        let encoder = self.towers.encoder(model, cancel)?;
        let chat = chat(encoder, model, Task::Document);
        let content = Content { images: &[], text };
        Ok(encoder.encode_segments(&chat.segments(instruction, &[content], tokens))?.count())
    }

    fn embed(
        &mut self,
        model: &Model,
        request: &Embed,
        dimensions: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Option<Vec<f32>>>, Fault> {
        let given = request.instruction.as_deref().and_then(instruction);
        let instruction = model.manifest.instruction(request.task, given.as_deref())?;
        let total = request.inputs.len();
        let mut vectors = vec![None; total];
        for (number, window) in request.inputs.chunks(WINDOW).enumerate() {
            let encoder = self.towers.encoder(model, cancel)?;
            let chat = chat(encoder, model, request.task);
            let mut rows = Vec::new();
            for (row, input) in window.iter().enumerate() {
                cancel.check()?;
                if !input.is_null() {
                    let index = number * WINDOW + row;
                    let place = Place::Input(index, total);
                    rows.push(self::row(encoder, &chat, instruction, model, input, index, place)?);
                }
            }
            self.embed_rows(model, &rows, dimensions, &mut vectors, cancel)?;
        }
        Ok(vectors)
    }
}

impl Qwen3VlEmbedder {
    fn embed_rows(
        &mut self,
        model: &Model,
        rows: &[Row],
        dimensions: usize,
        vectors: &mut [Option<Vec<f32>>],
        cancel: &Cancel,
    ) -> Result<(), Fault> {
        if rows.is_empty() {
            return Ok(());
        }
        let batching = self.towers.batching(model, OUTPUT, cancel)?;
        let found = batch::run(
            rows,
            |row| row.ids.len(),
            batching,
            |members| {
                let found = self.towers.run(model, members, None, OUTPUT, cancel)?;
                vectors::finish(found, members.len(), model, dimensions)
            },
        )?;
        for (row, vector) in rows.iter().zip(found) {
            vectors[row.index] = Some(vector);
        }
        Ok(())
    }
}

fn chat(encoder: &TextEncoder, model: &Model, task: Task) -> Chat {
    Chat::new(parts(model.manifest.template(task)), &encoder.special_tokens())
}

/// Tokens and pictures of one input.
fn row<'a>(
    encoder: &TextEncoder,
    chat: &Chat,
    instruction: &str,
    model: &Model,
    input: &'a Input,
    index: usize,
    place: Place,
) -> Result<Row<'a>, Fault> {
    let tokens = images(model)?.tokens;
    let (pictures, features) = plan(model, input, place)?;
    let wanted: usize = features.iter().sum();
    let text = input.text.as_deref().unwrap_or_default();
    let content = Content { images: &features, text };
    let encoded = encoder.encode_segments(&chat.segments(instruction, &[content], tokens))?;
    if encoded.ids.iter().filter(|id| **id == tokens.pad).count() != wanted {
        return Err(too_long(model, place, wanted));
    }
    let grids = pictures.iter().map(|picture| picture.grid).collect();
    Ok(Row { index, ids: encoded.ids, grids, pictures })
}
