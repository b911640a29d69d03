//! `modules.json` and the pooling's configuration: what happens behind the transformer.

use super::json::{self, Object, unsupported};
use crate::directory::Directory;
use crate::manifest::Pooling;
use protocol::Fault;
use serde_json::Value;

pub const FILE_NAME: &str = "modules.json";

/// What follows the transformer.
pub struct Modules {
    pub pooling: Pooling,
    pub normalize: bool,
    /// The width that the pooling expects, where it says so.
    pub dimensions: Option<usize>,
}

impl Modules {
    /// Transformer, Pooling and perhaps Normalize, in this order and nothing else.
    pub fn read(directory: &Directory) -> Result<Self, Fault> {
        let refuse = |what: &str| unsupported(directory, FILE_NAME, what);
        let list = json::required(directory, FILE_NAME)?;
        let list = list.as_array().ok_or_else(|| refuse("anything but a list"))?;
        let modules: Vec<(&str, &str)> = list
            .iter()
            .map(|module| part(module).ok_or_else(|| refuse("a module without type and path")))
            .collect::<Result<_, Fault>>()?;
        let (folder, normalize) = match modules.as_slice() {
            [("Transformer", ""), ("Pooling", folder)] => (folder, false),
            [("Transformer", ""), ("Pooling", folder), ("Normalize", _)] => (folder, true),
            other => {
                let names: Vec<&str> = other.iter().map(|(name, _)| *name).collect();
                return Err(refuse(&format!("the sequence of modules {}", names.join(", "))));
            }
        };
        let config = Object::required(directory, &format!("{folder}/config.json"))?;
        if !matches!(config.flag("include_prompt")?, None | Some(true)) {
            return Err(config.unsupported("include_prompt"));
        }
        let dimensions = config.number("word_embedding_dimension")?;
        Ok(Self { pooling: pooling(&config)?, normalize, dimensions })
    }
}

/// Class name and path of a module.
fn part(module: &Value) -> Option<(&str, &str)> {
    let class = module.get("type")?.as_str()?;
    Some((class.rsplit('.').next()?, module.get("path")?.as_str()?))
}

/// All that the configuration says, in whichever way, must be one and the same.
fn pooling(config: &Object) -> Result<Pooling, Fault> {
    const FLAG: &str = "pooling_mode_";
    let mut said = config.flags_on(FLAG)?;
    said.extend(config.text("pooling_mode")?.map(str::to_owned));
    let known = |name: &String| match name.as_str() {
        "mean_tokens" | "mean" => Some(Pooling::Mean),
        "cls_token" | "cls" => Some(Pooling::Cls),
        "lasttoken" => Some(Pooling::LastToken),
        _ => None,
    };
    let refuse = || config.unsupported(&format!("pooling by {:?}", said.join(" + ")));
    let first = said.first().and_then(known).ok_or_else(refuse)?;
    if said.iter().all(|name| known(name) == Some(first)) { Ok(first) } else { Err(refuse()) }
}
