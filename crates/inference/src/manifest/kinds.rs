//! The closed lists of the manifest: architectures, precisions, poolings.

use serde::Deserialize;

/// Which graph contract a model's files follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// BERT-type encoders: multilingual-e5, MiniLM.
    Bert,
    /// XLM-RoBERTa-type encoders: BGE-M3, KURE-v1.
    XlmRoberta,
    /// Any other encoder whose graph takes token ids and a mask.
    Encoder,
    /// SigLIP: a text tower and an image tower in one space.
    Siglip,
    /// SigLIP 2 at a fixed resolution: the same towers, another tokenizer.
    Siglip2,
    /// Qwen3-VL as an embedder: text and images in one sequence.
    #[serde(rename = "qwen3_vl")]
    Qwen3Vl,
    /// An encoder that reads query and candidate as one sequence and gives a score.
    CrossEncoder,
    /// Qwen3-VL as a reranker: texts and images of both sides in one sequence, a score.
    #[serde(rename = "qwen3_vl_reranker")]
    Qwen3VlReranker,
}

impl Architecture {
    /// The name used in manifests and in `models()`.
    pub fn as_str(self) -> &'static str {
        match self {
            Architecture::Bert => "bert",
            Architecture::XlmRoberta => "xlm-roberta",
            Architecture::Encoder => "encoder",
            Architecture::Siglip => "siglip",
            Architecture::Siglip2 => "siglip2",
            Architecture::Qwen3Vl => "qwen3_vl",
            Architecture::CrossEncoder => "cross-encoder",
            Architecture::Qwen3VlReranker => "qwen3_vl_reranker",
        }
    }

    /// Whether the model gives scores of pairs and no vectors.
    pub fn gives_scores(self) -> bool {
        matches!(self, Architecture::CrossEncoder | Architecture::Qwen3VlReranker)
    }
}

/// How a model's weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    Fp32,
    /// 16-bit floating point.
    Fp16,
    /// 8-bit blocks with scales.
    Int8,
    /// 4-bit blocks with scales.
    Int4,
}

impl Precision {
    /// The name used in manifests and in `models()`.
    pub fn as_str(self) -> &'static str {
        match self {
            Precision::Fp32 => "fp32",
            Precision::Fp16 => "fp16",
            Precision::Int8 => "int8",
            Precision::Int4 => "int4",
        }
    }
}

/// How the states of a text's tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Mean over the attended tokens.
    Mean,
    /// The first token.
    Cls,
    /// The last attended token.
    LastToken,
}

impl Pooling {
    /// The name used in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Pooling::Mean => "mean",
            Pooling::Cls => "cls",
            Pooling::LastToken => "last_token",
        }
    }
}

/// What makes a reranker's output a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// The output as it is: any number.
    Identity,
    /// The logistic function: 0 to 1.
    Sigmoid,
}

impl Activation {
    /// The name used in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Sigmoid => "sigmoid",
        }
    }

    /// The score of a raw output.
    pub fn of(self, logit: f32) -> f32 {
        match self {
            Activation::Identity => logit,
            Activation::Sigmoid => (1.0 / (1.0 + (-f64::from(logit)).exp())) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Activation::{Identity, Sigmoid};

    #[test]
    fn activations() {
        assert_eq!((Identity.of(-3.5), Sigmoid.of(0.0)), (-3.5, 0.5));
        // torch.sigmoid in float32, and no overflow far out
        assert!((Sigmoid.of(1.5) - 0.817_574_5).abs() < 1e-7);
        assert_eq!((Sigmoid.of(-1000.0), Sigmoid.of(1000.0)), (0.0, 1.0));
    }
}
