//! `[prompts]`: what stands around a text, by task.

use super::Manifest;
use protocol::{Fault, FaultCode, Task};
use serde::Deserialize;

/// Stands for the instruction in a prompt.
const INSTRUCTION: &str = "{instruction}";
/// Stands for the images and the text; a prompt without it stands before them.
const INPUT: &str = "{input}";
/// In a pair, for those of the query and those of the candidate.
const SIDES: [&str; 2] = ["{query}", "{document}"];

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
    /// Around query and candidate, of a reranker that reads both: `{query}` and `{document}` stand
    /// for images and text of each.
    pub pair: Option<String>,
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
    /// Where images and text go: of the only input or the query (0), of the candidate (1).
    Input(usize),
}

/// The pieces of a template, in order; the last is [`Part::Input`] where the template has none.
///
/// Every place is found before anything is filled in, so that a text which holds `{input}` itself
/// stays what it is.
pub fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = split(template, &[INPUT]);
    if !parts.contains(&Part::Input(0)) {
        parts.push(Part::Input(0));
    }
    parts
}

/// The pieces of a template for query and candidate.
pub fn pair_parts(template: &str) -> Vec<Part<'_>> {
    split(template, &SIDES)
}

/// Cuts at `{instruction}` and at the first of each of `inputs`.
fn split<'a>(template: &'a str, inputs: &[&str]) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, tail) = rest.split_at(at);
        let input = inputs.iter().position(|input| tail.starts_with(input));
        let input = input.filter(|n| !parts.contains(&Part::Input(*n)));
        let (part, skip) = match input {
            Some(n) => (Part::Input(n), inputs[n].len()),
            None if tail.starts_with(INSTRUCTION) => (Part::Instruction, INSTRUCTION.len()),
            None => (Part::Text(&tail[..1]), 1),
        };
        parts.extend([Part::Text(before), part]);
        rest = &tail[skip..];
    }
    parts.push(Part::Text(rest));
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
        let what = format!("for task {:?}", task.as_str());
        self.instruction_in(template, &what, instruction)
    }

    /// As [`Manifest::instruction`], for the prompt around query and candidate.
    pub fn pair_instruction<'a>(&'a self, instruction: Option<&'a str>) -> Result<&'a str, Fault> {
        let template = self.prompts.pair.as_deref().unwrap_or_default();
        self.instruction_in(template, "for query and candidate", instruction)
    }

    fn instruction_in<'a>(
        &'a self,
        template: &str,
        what: &str,
        instruction: Option<&'a str>,
    ) -> Result<&'a str, Fault> {
        if instruction.is_none() || template.contains(INSTRUCTION) {
            return Ok(instruction.or(self.prompts.instruction.as_deref()).unwrap_or_default());
        }
        let message = format!("model {:?} takes no instruction {what}", self.name);
        Err(Fault::new(FaultCode::InvalidParameter, message)
            .detail(match template {
                "" => format!("It has no prompt {what}."),
                template => format!("Its prompt {what} is {template:?}."),
            })
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
                Part::Input(_) => "",
            });
            texts.collect::<String>()
        };
        let input = parts.iter().position(|part| *part == Part::Input(0)).unwrap_or(parts.len());
        let (before, after) = parts.split_at(input);
        Ok(Prompt { before: fill(before), after: fill(after) })
    }
}
