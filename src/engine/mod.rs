//! Answers requests: by the engine process that all sessions share, or by models inside this backend.

mod backend;
mod cache;
mod client;
mod combined;
mod connection;
mod repeats;
mod status;
mod summary;
pub mod supervisor;

pub use status::{engine_state, reset_statistics};
pub use summary::{failures, padding_share, summary};

use crate::postgres::settings::{self, EngineChoice};
use crate::postgres::shared;
use combined::Side;
use inference::Options;
use protocol::{
    CountTokens, Embed, Embeddings, Fault, FaultCode, Input, ModelStatus, Reply, Request, Rerank,
    Scores, TokenCount, Urgency,
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
    let Some(key) = key.filter(|_| settings::cache_bytes() > 0) else {
        return run_embed(request, options).map(|reply| reply.vectors);
    };
    // Taken before the call: where the model changes meanwhile, nobody asks for this version again.
    let version = inference::version(&request.model, &options);
    if let Some(vector) = version.and_then(|version| cache::get(version, &key)) {
        return Ok(vec![Some(vector)]);
    }
    let reply = run_embed(request, options)?;
    if let (Some(version), [Some(vector)]) = (version, reply.vectors.as_slice()) {
        cache::put(version, key, vector);
    }
    Ok(reply.vectors)
}

/// Embeds rows, with the fingerprint of the model that did, and nothing kept for the next time.
///
/// `urgency` says who may wait for whom; where it is not given, the number of rows decides.
pub fn embed_rows(request: Embed, urgency: Option<Urgency>) -> Result<Embeddings, Fault> {
    embeddings(ask_with(Request::Embed(request), settings::options()?, urgency)?)
}

/// Embeds the texts by one model and the images by another, each row into one vector.
///
/// The fault says whether it is the image model's.
pub fn embed_combined(texts: Embed, images: Embed) -> Result<Vec<Option<Vec<f32>>>, Side> {
    embed_joined(texts, images, embed)
}

/// The same, each half by `embed`.
pub fn embed_joined(
    texts: Embed,
    images: Embed,
    embed: impl Fn(Embed) -> Result<Vec<Option<Vec<f32>>>, Fault>,
) -> Result<Vec<Option<Vec<f32>>>, Side> {
    combined::embed_combined(texts, images, embed, dimensions)
}

/// One score a candidate; none where there is nothing to compare.
pub fn rerank(mut request: Rerank) -> Result<Vec<Option<f32>>, Fault> {
    if request.query.is_null() || request.candidates.iter().all(Input::is_null) {
        return Ok(vec![None; request.candidates.len()]);
    }
    let repeats = Repeats::take_out(&mut request.candidates);
    match ask(Request::Rerank(request), settings::options()?)? {
        Reply::Scores(Scores { mut scores, .. }) => {
            repeats.put_back(&mut scores);
            Ok(scores)
        }
        other => Err(mismatch(&other)),
    }
}

/// Loads a model, all of it; says whether anything was loaded.
pub fn load_model(name: String) -> Result<bool, Fault> {
    change(Request::Load(name))
}

/// Lets a model go; says whether it was held.
pub fn unload_model(name: String) -> Result<bool, Fault> {
    change(Request::Unload(name))
}

fn change(request: Request) -> Result<bool, Fault> {
    match ask(request, settings::options()?)? {
        Reply::Changed(changed) => Ok(changed),
        other => Err(mismatch(&other)),
    }
}

/// How many elements the vectors of a model have.
pub fn dimensions(model: &str) -> Result<usize, Fault> {
    match ask(Request::Dimensions(model.to_owned()), settings::options()?)? {
        Reply::Dimensions(dimensions) => Ok(dimensions),
        other => Err(mismatch(&other)),
    }
}

/// Counts the tokens of one text.
pub fn count_tokens(request: CountTokens) -> Result<TokenCount, Fault> {
    match ask(Request::CountTokens(request), settings::options()?)? {
        Reply::TokenCount(count) => Ok(count),
        other => Err(mismatch(&other)),
    }
}

/// Which version of a model is installed, by its files' stamps: the same number, the same model. `None` where there is none.
pub fn version(model: &str) -> Result<Option<u64>, Fault> {
    Ok(inference::version(model, &settings::options()?))
}

/// Lists the installed models.
pub fn models() -> Result<Vec<ModelStatus>, Fault> {
    match ask(Request::Models, settings::options()?)? {
        Reply::Models(models) => Ok(models),
        other => Err(mismatch(&other)),
    }
}

fn run_embed(request: Embed, options: Options) -> Result<Embeddings, Fault> {
    embeddings(ask(Request::Embed(request), options)?)
}

fn embeddings(reply: Reply) -> Result<Embeddings, Fault> {
    match reply {
        Reply::Embeddings(embeddings) => Ok(embeddings),
        other => Err(mismatch(&other)),
    }
}

/// Asks the engine that the session's settings choose.
fn ask(request: Request, options: Options) -> Result<Reply, Fault> {
    ask_with(request, options, None)
}

fn ask_with(request: Request, options: Options, urgency: Option<Urgency>) -> Result<Reply, Fault> {
    match is_server()? {
        true => client::ask(request, &options, urgency),
        false => backend::ask(request, options),
    }
}

/// Whether the engine process answers, and not this backend.
fn is_server() -> Result<bool, Fault> {
    match (settings::engine_choice(), shared::available()) {
        (EngineChoice::Backend, _) => Ok(false),
        (EngineChoice::Auto, available) => Ok(available),
        (EngineChoice::Server, true) => Ok(true),
        (EngineChoice::Server, false) => {
            Err(Fault::new(FaultCode::NotInPrerequisiteState, "this server keeps no engine process")
                .detail("itembank_embed is not in shared_preload_libraries.")
                .hint("Add it there and restart the server, or set itembank_embed.engine to 'auto' or 'backend'."))
        }
    }
}

fn mismatch(reply: &Reply) -> Fault {
    Fault::new(FaultCode::Internal, "the engine answered another question")
        .detail(format!("Reply: {reply:.100?}."))
        .hint("This is a bug; please report it.")
}
