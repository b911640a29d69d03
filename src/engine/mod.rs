//! Answers requests. Today by models inside this backend; an engine process for the whole server
//! is to stand behind the same functions.

mod backend;
mod cache;
mod combined;
mod repeats;

use crate::postgres::settings;
use combined::Side;
use inference::Options;
use protocol::{
    CountTokens, Embed, Embeddings, Fault, FaultCode, Input, ModelStatus, Reply, Request, Rerank,
    Scores, TokenCount,
};
use repeats::Repeats;

/// Embeds rows; a row alone is looked up among this backend's recent ones first.
///
/// `SELECT 1 - (e <=> embed(…)) … ORDER BY e <=> embed(…)` calls with the same text twice or more.
pub fn embed(request: Embed) -> Result<Vec<Option<Vec<f32>>>, Fault> {
    if request.inputs.iter().all(Input::is_null) {
        return Ok(vec![None; request.inputs.len()]);
    }
    let options = settings::options()?;
    let key = match request.inputs.as_slice() {
        [input] => cache::Key::of(&request, input),
        _ => None,
    };
    let Some(key) = key else { return run_embed(request, options).map(|reply| reply.vectors) };
    if let Some(load) = backend::load_number(&request.model, &options)
        && let Some(vector) = cache::get(load, &key)
    {
        return Ok(vec![Some(vector)]);
    }
    let model = request.model.clone();
    let reply = run_embed(request, options.clone())?;
    if let [Some(vector)] = reply.vectors.as_slice()
        && let Some(load) = backend::load_number(&model, &options)
    {
        cache::put(load, key, vector);
    }
    Ok(reply.vectors)
}

/// Embeds the texts by one model and the images by another, each row into one vector.
///
/// The fault says whether it is the image model's.
pub fn embed_combined(texts: Embed, images: Embed) -> Result<Vec<Option<Vec<f32>>>, Side> {
    combined::embed_combined(texts, images, embed, dimensions)
}

/// One score a candidate; none where there is nothing to compare.
pub fn rerank(mut request: Rerank) -> Result<Vec<Option<f32>>, Fault> {
    if request.query.is_null() || request.candidates.iter().all(Input::is_null) {
        return Ok(vec![None; request.candidates.len()]);
    }
    let repeats = Repeats::take_out(&mut request.candidates);
    match backend::ask(Request::Rerank(request), settings::options()?)? {
        Reply::Scores(Scores { mut scores, .. }) => {
            repeats.put_back(&mut scores);
            Ok(scores)
        }
        other => Err(mismatch(&other)),
    }
}

/// How many elements the vectors of a model have.
fn dimensions(model: &str) -> Result<usize, Fault> {
    match backend::ask(Request::Dimensions(model.to_owned()), settings::options()?)? {
        Reply::Dimensions(dimensions) => Ok(dimensions),
        other => Err(mismatch(&other)),
    }
}

/// Counts the tokens of one text.
pub fn count_tokens(request: CountTokens) -> Result<TokenCount, Fault> {
    match backend::ask(Request::CountTokens(request), settings::options()?)? {
        Reply::TokenCount(count) => Ok(count),
        other => Err(mismatch(&other)),
    }
}

/// Lists the installed models.
pub fn models() -> Result<Vec<ModelStatus>, Fault> {
    match backend::ask(Request::Models, settings::options()?)? {
        Reply::Models(models) => Ok(models),
        other => Err(mismatch(&other)),
    }
}

fn run_embed(request: Embed, options: Options) -> Result<Embeddings, Fault> {
    match backend::ask(Request::Embed(request), options)? {
        Reply::Embeddings(embeddings) => Ok(embeddings),
        other => Err(mismatch(&other)),
    }
}

fn mismatch(reply: &Reply) -> Fault {
    Fault::new(FaultCode::Internal, "the engine answered another question")
        .detail(format!("Reply: {reply:.100?}."))
        .hint("This is a bug; please report it.")
}
