//! Texts and images to vectors.

use super::chat::{Chat, Content, instruction};
use super::towers::{Row, Towers, bytes, decode, images, plan, too_long};
use crate::cancel::Cancel;
use crate::family::{Family, Spec};
use crate::manifest::parts;
use crate::place::Place;
use crate::text::TextEncoder;
use crate::vectors;
use crate::work::{COMMON, Outcomes, Plan, Planned, window};
use protocol::{Embed, Fault, Input, Task, TokenCount};

const OUTPUT: &str = "sentence_embedding";

/// A Qwen3-VL embedder.
#[derive(Default)]
pub struct Qwen3VlEmbedder {
    towers: Towers,
}

impl Family for Qwen3VlEmbedder {
    /// With the dimensions of the vector that was asked for.
    type Row = (Row, usize);

    fn device(&self) -> Option<String> {
        self.towers.device()
    }

    fn load(&self, spec: &Spec, cancel: &Cancel) -> Result<(), Fault> {
        self.towers.load(spec, OUTPUT, cancel)
    }

    fn count_tokens(&self, spec: &Spec, text: &str, cancel: &Cancel) -> Result<TokenCount, Fault> {
        let tokens = images(spec)?.tokens;
        let instruction = spec.manifest.instruction(Task::Document, None)?;
        let encoder = self.towers.encoder(spec, cancel)?;
        let chat = chat(&encoder, spec, Task::Document);
        let content = Content { images: &[], text };
        Ok(encoder.encode_segments(&chat.segments(instruction, &[content], tokens))?.count())
    }

    fn embed_rows(
        &self,
        spec: &Spec,
        request: &Embed,
        dimensions: usize,
        from: usize,
        cancel: &Cancel,
    ) -> Result<Plan<Self::Row>, Fault> {
        let given = request.instruction.as_deref().and_then(instruction);
        let instruction = spec.manifest.instruction(request.task, given.as_deref())?;
        let total = request.inputs.len();
        self.load(spec, cancel)?;
        let encoder = self.towers.encoder(spec, cancel)?;
        let chat = chat(&encoder, spec, request.task);
        window(&request.inputs, from, |index, input| {
            cancel.check()?;
            if input.is_null() {
                return Ok(None);
            }
            let place = Place::Input(index, total);
            let row = row(&encoder, &chat, instruction, spec, input, place)?;
            let (tokens, pixels) = (row.ids.len(), bytes(&row.pictures));
            let row = (row, dimensions);
            Ok(Some((Planned { index, tokens, class: COMMON, row }, pixels)))
        })
    }

    fn run(&self, spec: &Spec, rows: &[&Self::Row], cancel: &Cancel) -> Result<Outcomes, Fault> {
        let members: Vec<&Row> = rows.iter().map(|(row, _)| row).collect();
        let found = self.towers.run(spec, &members, None, OUTPUT, cancel)?;
        let dimensions: Vec<usize> = rows.iter().map(|(_, dimensions)| *dimensions).collect();
        vectors::finish(found, &dimensions, spec)
    }
}

fn chat(encoder: &TextEncoder, spec: &Spec, task: Task) -> Chat {
    Chat::new(parts(spec.manifest.template(task)), &encoder.special_tokens())
}

/// Tokens and pictures of one input.
fn row(
    encoder: &TextEncoder,
    chat: &Chat,
    instruction: &str,
    spec: &Spec,
    input: &Input,
    place: Place,
) -> Result<Row, Fault> {
    let tokens = images(spec)?.tokens;
    let (pictures, features) = plan(spec, input, place)?;
    let wanted: usize = features.iter().sum();
    let text = input.text.as_deref().unwrap_or_default();
    let content = Content { images: &features, text };
    let encoded = encoder.encode_segments(&chat.segments(instruction, &[content], tokens))?;
    if encoded.ids.iter().filter(|id| **id == tokens.pad).count() != wanted {
        return Err(too_long(spec, place, wanted));
    }
    let grids = pictures.iter().map(|picture| picture.grid).collect();
    Ok(Row { ids: encoded.ids, grids, pictures: decode(&pictures, spec)? })
}
