//! Which models stand behind the SQL functions that name none.

use super::string;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use protocol::Fault;
use std::ffi::CString;

static QWEN_MODEL: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"Qwen3-VL-Embedding-2B"));
static KURE_MODEL: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"KURE-v1"));
static SIGLIP_MODEL: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"siglip-base-patch16-224"));
static RERANK_MODEL: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"multilingual-e5-small"));

/// A model that has SQL functions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedModel {
    /// Behind `qwen_embed`.
    Qwen,
    /// Behind `kure_embed` and the text half of `combined_embed`.
    Kure,
    /// Behind `siglip_embed_text`, `siglip_embed_image` and the image half of `combined_embed`.
    Siglip,
    /// Behind `rerank`, `rerank_score` and `rerank_batch` where the call names none.
    Rerank,
}

impl NamedModel {
    /// The setting's name, without the prefix.
    pub fn setting(self) -> &'static str {
        match self {
            NamedModel::Qwen => "qwen_model",
            NamedModel::Kure => "kure_model",
            NamedModel::Siglip => "siglip_model",
            NamedModel::Rerank => "rerank_model",
        }
    }
}

pub(super) fn define() {
    let model = |name, what, setting| {
        let more = c"A directory under itembank_embed.model_path.";
        let (context, flags) = (GucContext::Suset, GucFlags::default());
        GucRegistry::define_string_guc(name, what, more, setting, context, flags);
    };
    model(c"itembank_embed.qwen_model", c"The model of qwen_embed.", &QWEN_MODEL);
    model(
        c"itembank_embed.kure_model",
        c"The model of kure_embed, and of combined_embed's text.",
        &KURE_MODEL,
    );
    model(
        c"itembank_embed.siglip_model",
        c"The model of siglip_embed_text, siglip_embed_image, and of combined_embed's image.",
        &SIGLIP_MODEL,
    );
    model(
        c"itembank_embed.rerank_model",
        c"The model of rerank, rerank_score and rerank_batch where a call names none.",
        &RERANK_MODEL,
    );
}

/// The name of the model behind a function.
pub fn model_name(model: NamedModel) -> Result<String, Fault> {
    let setting = match model {
        NamedModel::Qwen => &QWEN_MODEL,
        NamedModel::Kure => &KURE_MODEL,
        NamedModel::Siglip => &SIGLIP_MODEL,
        NamedModel::Rerank => &RERANK_MODEL,
    };
    string(setting, model.setting())
}
