//! The chat template around images and text.
//!
//! The template is cut at its special tokens before anything is put in, and what callers give is
//! tokenized as plain text: an `<|image_pad|>` or `<|im_end|>` in an item's text can neither stand
//! for a picture nor end a turn.

use crate::manifest::{ImageTokens, Part};
use crate::text::Segment;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// A template cut into tokens, texts and places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Token(u32),
    Text(String),
    Instruction,
    /// Images and text of the n-th input.
    Input(usize),
}

/// What stands in a place for images and text.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// How many features each picture has.
    pub images: &'a [usize],
    /// Behind the pictures.
    pub text: &'a str,
}

impl Chat {
    /// Cuts a template at the special tokens given by id and spelling.
    pub fn new(template: Vec<Part>, special_tokens: &[(u32, String)]) -> Self {
        let mut pieces = Vec::new();
        for part in template {
            match part {
                Part::Text(text) => cut(text, special_tokens, &mut pieces),
                Part::Instruction => pieces.push(Piece::Instruction),
                Part::Input(n) => pieces.push(Piece::Input(n)),
            }
        }
        Self(pieces)
    }

    /// The segments of one row; `contents` has one for each place of the template.
    pub fn segments(
        &self,
        instruction: &str,
        contents: &[Content],
        tokens: ImageTokens,
    ) -> Vec<Segment> {
        let mut sequence = Sequence::default();
        for piece in &self.0 {
            match piece {
                Piece::Token(id) => sequence.token(*id, 1),
                Piece::Text(fixed) => sequence.text.push_str(fixed),
                Piece::Instruction => sequence.text.push_str(instruction),
                Piece::Input(n) => {
                    if let Some(content) = contents.get(*n) {
                        sequence.content(content, tokens);
                    }
                }
            }
        }
        sequence.end()
    }
}

/// Neighbouring texts are tokenized as one, as they are in the reference.
#[derive(Default)]
struct Sequence {
    segments: Vec<Segment>,
    text: String,
}

impl Sequence {
    fn token(&mut self, id: u32, times: usize) {
        self.close_text();
        self.segments.push(Segment::Token { id, times });
    }

    fn content(&mut self, content: &Content, tokens: ImageTokens) {
        for features in content.images {
            self.token(tokens.start, 1);
            self.token(tokens.pad, *features);
            self.token(tokens.end, 1);
        }
        self.text.push_str(content.text);
    }

    fn close_text(&mut self) {
        if !self.text.is_empty() {
            self.segments.push(Segment::Text(std::mem::take(&mut self.text)));
        }
    }

    fn end(mut self) -> Vec<Segment> {
        self.close_text();
        self.segments
    }
}

fn cut(text: &str, special_tokens: &[(u32, String)], pieces: &mut Vec<Piece>) {
    let mut rest = text;
    while !rest.is_empty() {
        let found =
            special_tokens.iter().filter_map(|(id, name)| Some((rest.find(name)?, name, id)));
        // The first, and of several that begin there the longest.
        let first = found.min_by_key(|(at, name, _)| (*at, std::cmp::Reverse(name.len())));
        let Some((at, name, id)) = first else { break };
        if at > 0 {
            pieces.push(Piece::Text(rest[..at].to_owned()));
        }
        pieces.push(Piece::Token(*id));
        rest = &rest[at + name.len()..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
}

/// A caller's instruction as the reference takes it: stripped, and closed by a full stop unless it
/// ends in punctuation; `None` where nothing is left.
pub fn instruction(given: &str) -> Option<String> {
    // Python's idea of white space has four separators more than Unicode's.
    let blank = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    let given = given.trim_matches(blank);
    let last = given.chars().next_back()?;
    let closed = last.general_category_group() == GeneralCategoryGroup::Punctuation;
    Some(if closed { given.to_owned() } else { format!("{given}.") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{pair_parts, parts};

    const TOKENS: ImageTokens = ImageTokens { start: 7, pad: 8, end: 9 };

    fn chat() -> Chat {
        let special = [(1, "<|a|>".to_owned()), (2, "<|b|>".to_owned())];
        let template = "<|a|>system\n{instruction}<|b|>\n<|a|>user\n{input}<|b|>\n";
        Chat::new(parts(template), &special)
    }

    fn segments(instruction: &str, text: &str, images: &[usize]) -> Vec<Segment> {
        chat().segments(instruction, &[Content { images, text }], TOKENS)
    }

    fn text(text: &str) -> Segment {
        Segment::Text(text.to_owned())
    }

    fn token(id: u32) -> Segment {
        Segment::Token { id, times: 1 }
    }

    #[test]
    fn only_the_template_has_special_tokens() {
        let segments = segments("Do <|b|>.", "x {instruction} <|a|>", &[]);
        let expected = [
            token(1),
            text("system\nDo <|b|>."),
            token(2),
            text("\n"),
            token(1),
            text("user\nx {instruction} <|a|>"),
            token(2),
            text("\n"),
        ];
        assert_eq!(segments, expected);
    }

    #[test]
    fn pictures_come_first() {
        let segments = segments("", "x", &[3, 2]);
        let pads = |times| Segment::Token { id: 8, times };
        let expected =
            [text("user\n"), token(7), pads(3), token(9), token(7), pads(2), token(9), text("x")];
        assert_eq!(segments[5..13], expected);
    }

    #[test]
    fn two_inputs_have_a_place_each() {
        let template = pair_parts("<|a|>{instruction}<Q>:{query}\n<D>:{document}{query}<|a|>");
        let chat = Chat::new(template, &[(1, "<|a|>".to_owned())]);
        let query = Content { images: &[2], text: "{document}" };
        let document = Content { images: &[], text: "d" };
        let segments = chat.segments("i", &[query, document], TOKENS);
        let pads = Segment::Token { id: 8, times: 2 };
        let head = [token(1), text("i<Q>:"), token(7), pads, token(9)];
        assert_eq!(segments[..5], head);
        assert_eq!(segments[5..], [text("{document}\n<D>:d{query}"), token(1)]);
    }

    #[test]
    fn the_empty_text_is_empty() {
        assert_eq!(segments("", "", &[])[5], text("user\n"));
        assert_eq!(segments("", "", &[1])[9], token(2), "a picture alone");
    }

    #[test]
    fn instructions_end_in_punctuation() {
        for (given, taken) in [
            ("  Find items\n", "Find items."),
            ("찾아라.", "찾아라."),
            ("찾아라。", "찾아라。"),
            ("Which?\u{1f}", "Which?"),
            ("a + b = $", "a + b = $."),
            ("(a)", "(a)"),
        ] {
            assert_eq!(instruction(given).as_deref(), Some(taken), "{given:?}");
        }
        for nothing in ["", " \n\t", "\u{3000}\u{1c}"] {
            assert_eq!(instruction(nothing), None);
        }
    }
}
