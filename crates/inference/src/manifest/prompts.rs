//! `[prompts]`: what stands around a text, by task.

use super::Manifest;
use protocol::{Fault, FaultCode, Task};
use serde::Deserialize;

/// Stands for the instruction in a prompt.
const INSTRUCTION: &str = "{instruction}";
/// Stands for the images and the text; a prompt without it stands before them.
const INPUT: &str = "{input}";

/// Templates by task. `{instruction}` stands for the instruction, `{input}` for images and text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompts {
    /// Around a query.
    #[serde(default)]
    pub query: String,
    /// Around a document.
    #[serde(default)]
    pub document: String,
    /// The instruction where the caller gives none.
    pub instruction: Option<String>,
}

/// A prompt with its instruction in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Before the text.
    pub before: String,
    /// Behind the text.
    pub after: String,
}

impl Prompt {
    /// `text` with the prompt around it.
    pub fn around(&self, text: &str) -> String {
        [&self.before, text, &self.after].concat()
    }
}

/// A piece of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// Where the instruction goes.
    Instruction,
    /// Where images and text go.
    Input,
}

/// The pieces of a template, in order; the last is [`Part::Input`] where the template has none.
///
/// Every place is found before anything is filled in, so that a text which holds `{input}` itself
/// stays what it is.
pub fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    let mut input_seen = false;
    while let Some(at) = rest.find('{') {
        let (before, tail) = rest.split_at(at);
        let (part, skip) = if tail.starts_with(INSTRUCTION) {
            (Part::Instruction, INSTRUCTION.len())
        } else if tail.starts_with(INPUT) && !input_seen {
            input_seen = true;
            (Part::Input, INPUT.len())
        } else {
            (Part::Text(&tail[..1]), 1)
        };
        parts.extend([Part::Text(before), part]);
        rest = &tail[skip..];
    }
    parts.push(Part::Text(rest));
    if !input_seen {
        parts.push(Part::Input);
    }
    parts.retain(|part| *part != Part::Text(""));
    parts
}

impl Manifest {
    /// The template of `task`.
    pub fn template(&self, task: Task) -> &str {
        match task {
            Task::Query => &self.prompts.query,
            Task::Document => &self.prompts.document,
        }
    }

    /// The instruction that counts: the caller's, else the model's own.
    ///
    /// An instruction for a model whose prompt takes none is refused: it would change nothing.
    pub fn instruction<'a>(
        &'a self,
        task: Task,
        instruction: Option<&'a str>,
    ) -> Result<&'a str, Fault> {
        let template = self.template(task);
        if instruction.is_none() || template.contains(INSTRUCTION) {
            return Ok(instruction.or(self.prompts.instruction.as_deref()).unwrap_or_default());
        }
        Err(Fault::new(
            FaultCode::InvalidParameter,
            format!("model {:?} takes no instruction for task {:?}", self.name, task.as_str()),
        )
        .detail(format!("Its prompt for this task is {template:?}."))
        .hint("Leave instruction out, or choose a model whose prompt holds {instruction}."))
    }

    /// The prompt of `task`, with the instruction filled in.
    pub fn prompt(&self, task: Task, instruction: Option<&str>) -> Result<Prompt, Fault> {
        let instruction = self.instruction(task, instruction)?;
        let parts = parts(self.template(task));
        let fill = |parts: &[Part]| {
            let texts = parts.iter().map(|part| match part {
                Part::Text(text) => text,
                Part::Instruction => instruction,
                Part::Input => "",
            });
            texts.collect::<String>()
        };
        let input = parts.iter().position(|part| *part == Part::Input).unwrap_or(parts.len());
        let (before, after) = parts.split_at(input);
        Ok(Prompt { before: fill(before), after: fill(after) })
    }
}
