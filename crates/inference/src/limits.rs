//! What one request may ask for, checked before anything is computed.

use crate::place::Place;
use protocol::{Embed, Fault, FaultCode, Input, Options, Rerank};
use std::fmt::Display;

/// PostgreSQL cannot build a larger value (MaxAllocSize), so a larger reply would be lost.
const MAX_REPLY_BYTES: usize = (1 << 30) - 1;
/// Of a vector in PostgreSQL: varlena header, size, unused.
const VECTOR_HEADER: usize = 8;

/// Checks the texts, the instruction and the size of the reply.
pub fn check_embed(request: &Embed, dimensions: usize, options: &Options) -> Result<(), Fault> {
    check_instruction(request.instruction.as_deref(), options)?;
    let rows = request.inputs.len();
    let reply = rows.saturating_mul(VECTOR_HEADER + dimensions * size_of::<f32>());
    if reply > MAX_REPLY_BYTES {
        return Err(Fault::new(FaultCode::LimitExceeded, "too many inputs for one call")
            .detail(format!(
                "{rows} vectors of {dimensions} dimensions take {reply} bytes; \
                 a value holds at most {MAX_REPLY_BYTES}."
            ))
            .hint("Embed in several calls; a few thousand rows a call are as fast."));
    }
    check_inputs(&request.inputs, Place::Input, options)
}

/// Checks the texts of both sides and the instruction.
pub fn check_rerank(request: &Rerank, options: &Options) -> Result<(), Fault> {
    check_instruction(request.instruction.as_deref(), options)?;
    check_inputs(std::slice::from_ref(&request.query), |_, _| Place::Query, options)?;
    check_inputs(&request.candidates, Place::Candidate, options)
}

fn check_inputs(
    inputs: &[Input],
    place: impl Fn(usize, usize) -> Place,
    options: &Options,
) -> Result<(), Fault> {
    for (row, input) in inputs.iter().enumerate() {
        if let Some(text) = &input.text {
            check_text(place(row, inputs.len()), text, options)?;
        }
    }
    Ok(())
}

fn check_instruction(instruction: Option<&str>, options: &Options) -> Result<(), Fault> {
    instruction.map_or(Ok(()), |text| check_text("The instruction", text, options))
}

/// Checks the length of one text; `what` begins the detail.
pub fn check_text(what: impl Display, text: &str, options: &Options) -> Result<(), Fault> {
    let (size, limit) = (text.len(), options.max_input_bytes);
    if size <= limit {
        return Ok(());
    }
    Err(Fault::new(FaultCode::LimitExceeded, "input text is too long")
        .detail(format!("{what} has {size} bytes; the limit is {limit}."))
        .hint(
            "Shorten or split the text, or raise itembank_embed.max_input_bytes; \
             the model reads max_tokens tokens in any case.",
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Device, ImageLimits, Task};

    fn options() -> Options {
        Options {
            model_path: Vec::new(),
            runtime: "libonnxruntime.so".into(),
            device: Device::Cpu,
            intra_op_threads: 1,
            max_input_bytes: 10,
            image_limits: ImageLimits { max_bytes: 1, max_pixels: 1 },
            max_batch_tokens: None,
            checksums: None,
            gpu_memory_limit: None,
        }
    }

    fn request(rows: usize, text: &str, instruction: Option<&str>) -> Embed {
        let input = Input { text: Some(text.to_owned()), images: Vec::new() };
        Embed {
            model: "m".to_owned(),
            task: Task::Query,
            instruction: instruction.map(str::to_owned),
            dimensions: None,
            inputs: vec![input; rows],
        }
    }

    #[test]
    fn texts_instructions_and_replies_have_a_size() {
        let check = |request, dimensions| check_embed(&request, dimensions, &options());
        assert!(check(request(3, "0123456789", Some("short")), 384).is_ok());
        let long = check(request(3, "0123456789a", None), 384).unwrap_err();
        assert_eq!(long.detail.as_deref(), Some("Input 1 of 3 has 11 bytes; the limit is 10."));
        assert!(check(request(1, "", Some("far too long")), 384).is_err());
        assert!(check(request(20_000, "", None), 16_000).is_err(), "over 1 GB of vectors");
    }
}
