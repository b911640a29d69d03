//! What makes a column's vectors: one model, or two whose vectors are joined as `combined_embed` does.
//!
//! `KURE-v1+siglip-base-patch16-224` stands for the text by the first and the image by the second.

use crate::columns::worker::time;
use crate::engine;
use protocol::{Embed, Embeddings, Fault, FaultCode, Input, Task, Urgency};
use std::cell::RefCell;
use std::collections::HashMap;

/// Between the names of two models.
const AND: char = '+';

/// The models of a column, by its name of them.
enum Models<'a> {
    One(&'a str),
    Both(&'a str, &'a str),
}

impl<'a> Models<'a> {
    fn of(model: &'a str) -> Self {
        match model.split_once(AND) {
            Some((text, image)) if !text.is_empty() && !image.is_empty() => Self::Both(text, image),
            _ => Self::One(model),
        }
    }
}

/// Embeds rows as the column does; the fingerprint is of all models that were needed.
///
/// # Errors
/// Those of the models; `InvalidParameter` where two are to be cut to `dimensions`.
pub fn embed(request: Embed, urgency: Option<Urgency>) -> Result<Embeddings, Fault> {
    let (text, image) = match Models::of(&request.model) {
        Models::One(_) => return engine::embed_rows(request, urgency),
        Models::Both(text, image) => (text.to_owned(), image.to_owned()),
    };
    if request.dimensions.is_some() {
        return Err(joined_and_cut());
    }
    let half = |model: &str, inputs| Embed { model: model.to_owned(), inputs, ..request.clone() };
    let texts = request.inputs.iter().map(|i| Input { text: i.text.clone(), images: Vec::new() });
    let images = request.inputs.iter().map(|i| Input { text: None, images: i.images.clone() });
    let (texts, images) = (half(&text, texts.collect()), half(&image, images.collect()));
    let made_by: RefCell<Vec<(String, String)>> = RefCell::default();
    let vectors = engine::embed_joined(texts, images, |request: Embed| {
        let model = request.model.clone();
        let made = engine::embed_rows(request, urgency)?;
        made_by.borrow_mut().push((model, made.fingerprint));
        Ok(made.vectors)
    });
    let vectors = vectors.map_err(|(fault, _)| fault)?;
    let made_by = made_by.into_inner();
    let of = |model: &str| match made_by.iter().find(|(name, _)| name == model) {
        Some((_, fingerprint)) if !fingerprint.is_empty() => Ok(fingerprint.clone()),
        _ => fingerprint(model),
    };
    Ok(Embeddings { vectors, fingerprint: format!("{}{AND}{}", of(&text)?, of(&image)?) })
}

/// The vector of what is searched with.
pub fn embed_query(
    model: &str,
    dimensions: Option<usize>,
    input: Input,
    instruction: Option<String>,
) -> Result<Option<Vec<f32>>, Fault> {
    let (model, inputs) = (model.to_owned(), vec![input]);
    let request = Embed { model, task: Task::Query, instruction, dimensions, inputs };
    let vectors = match Models::of(&request.model) {
        // By way of the session's recent ones.
        Models::One(_) => engine::embed(request)?,
        Models::Both(..) => embed(request, None)?.vectors,
    };
    Ok(vectors.into_iter().next().flatten())
}

/// The fingerprint of what is installed under a column's name of its model.
///
/// # Errors
/// `UndefinedObject` where it is not installed, `ConfigFile` where it is no good.
pub fn fingerprint(model: &str) -> Result<String, Fault> {
    time::of_look_up(|| match Models::of(model) {
        Models::One(model) => fingerprint_of_one(model),
        Models::Both(text, image) => {
            Ok(format!("{}{AND}{}", fingerprint_of_one(text)?, fingerprint_of_one(image)?))
        }
    })
}

/// How many elements the vectors have.
pub fn dimensions(model: &str) -> Result<usize, Fault> {
    match Models::of(model) {
        Models::One(model) => engine::dimensions(model),
        Models::Both(text, image) => Ok(engine::dimensions(text)? + engine::dimensions(image)?),
    }
}

thread_local! {
    /// Of models that were asked for, with the version that has it; of the main thread.
    static KNOWN: RefCell<HashMap<String, (u64, String)>> = RefCell::default();
}

/// Reading all manifests takes milliseconds, a look at the files' stamps none.
fn fingerprint_of_one(model: &str) -> Result<String, Fault> {
    // Taken before: where the files change meanwhile, nobody asks for this version again.
    let version = engine::version(model)?;
    let known = KNOWN.with_borrow(|known| known.get(model).cloned());
    if let (Some(version), Some((known, fingerprint))) = (version, known)
        && known == version
    {
        return Ok(fingerprint);
    }
    let fingerprint = installed_fingerprint(model)?;
    if let Some(version) = version {
        let entry = (version, fingerprint.clone());
        KNOWN.with_borrow_mut(|known| known.insert(model.to_owned(), entry));
    }
    Ok(fingerprint)
}

fn installed_fingerprint(model: &str) -> Result<String, Fault> {
    let installed = engine::models()?;
    match installed.iter().find(|status| status.name == model) {
        Some(status) => status.fingerprint.clone().ok_or_else(|| damaged(model, &status.problem)),
        // Says which are, and where they were looked for.
        None => match engine::dimensions(model) {
            Err(fault) => Err(fault),
            Ok(_) => Err(damaged(model, &None)),
        },
    }
}

fn damaged(model: &str, problem: &Option<String>) -> Fault {
    let problem = problem.as_deref().unwrap_or("it is being replaced");
    Fault::new(FaultCode::ConfigFile, format!("model {model:?} cannot be used"))
        .detail(format!("{problem}."))
        .hint("models() says what is installed.")
}

fn joined_and_cut() -> Fault {
    Fault::new(FaultCode::InvalidParameter, "joined vectors cannot be cut to fewer dimensions")
        .detail("The first elements are the text's alone.")
        .hint("Leave dimensions out.")
}
