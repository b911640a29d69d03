//! `[image]`: how a picture becomes the pixels that a model's image tower takes.

use crate::image::{Filter, SmartResize};
use serde::Deserialize;

/// Larger than any published model's; bounds what one image can cost.
const MAX_SIDE: usize = 4096;
const MAX_FACTOR: usize = 256;
const MAX_PIXELS: usize = MAX_SIDE * MAX_SIDE;
const MAX_DEEPSTACK: usize = 64;
const MAX_FEATURE_SIZE: usize = 65_536;

/// The image tower and what it wants.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Table")]
pub struct ImageFiles {
    /// The ONNX graph, by path inside the directory.
    pub graph: String,
    /// The filter of Pillow's `resize`.
    pub resample: Filter,
    /// Whether pictures are turned as their EXIF orientation says.
    pub exif_orientation: bool,
    /// To which size pictures are brought.
    pub sizing: Sizing,
}

/// To which size pictures are brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sizing {
    /// All to one size, whatever their shape (SigLIP).
    Fixed {
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
    },
    /// Near their own size and shape (Qwen-VL), as many tokens as that takes.
    Smart {
        /// The sizes allowed.
        rule: SmartResize,
        /// How many layers of the text tower get features of their own.
        deepstack: usize,
        /// What stands for a picture among a text's tokens.
        tokens: ImageTokens,
        /// Numbers of one feature; the model's dimensions where it has such.
        feature_size: Option<usize>,
    },
}

/// Token ids that stand for a picture: start, one pad for each feature, end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageTokens {
    /// Before a picture.
    pub start: u32,
    /// In the place of one feature.
    pub pad: u32,
    /// Behind a picture.
    pub end: u32,
}

/// The table as written: one of two sets of keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    graph: String,
    resample: Resample,
    #[serde(default)]
    exif_orientation: bool,
    width: Option<usize>,
    height: Option<usize>,
    factor: Option<usize>,
    min_pixels: Option<usize>,
    max_pixels: Option<usize>,
    max_aspect_ratio: Option<usize>,
    deepstack: Option<usize>,
    feature_size: Option<usize>,
    start_token_id: Option<u32>,
    pad_token_id: Option<u32>,
    end_token_id: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Resample {
    Bilinear,
    Bicubic,
}

impl TryFrom<Table> for ImageFiles {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        Ok(Self {
            sizing: match (table.fixed()?, table.smart()?) {
                (Some(sizing), None) | (None, Some(sizing)) => sizing,
                _ => return Err("image needs either width and height or factor".to_owned()),
            },
            graph: table.graph,
            resample: match table.resample {
                Resample::Bilinear => Filter::Bilinear,
                Resample::Bicubic => Filter::Bicubic,
            },
            exif_orientation: table.exif_orientation,
        })
    }
}

impl Table {
    fn fixed(&self) -> Result<Option<Sizing>, String> {
        let (Some(width), Some(height)) = (self.width, self.height) else {
            return match self.width.or(self.height) {
                Some(_) => Err("image has only one of width and height".to_owned()),
                None => Ok(None),
            };
        };
        within("width", width, 1, MAX_SIDE)?;
        within("height", height, 1, MAX_SIDE)?;
        Ok(Some(Sizing::Fixed { width, height }))
    }

    fn smart(&self) -> Result<Option<Sizing>, String> {
        let Some(factor) = self.factor else { return Ok(None) };
        within("factor", factor, 1, MAX_FACTOR)?;
        let max_pixels = needed("max_pixels", self.max_pixels)?;
        let min_pixels = needed("min_pixels", self.min_pixels)?;
        // At least one block; Pillow and the position tables know no smaller picture.
        within("max_pixels", max_pixels, factor * factor, MAX_PIXELS)?;
        within("min_pixels", min_pixels, 1, max_pixels)?;
        let max_aspect_ratio = needed("max_aspect_ratio", self.max_aspect_ratio)?;
        within("max_aspect_ratio", max_aspect_ratio, 1, MAX_SIDE)?;
        let deepstack = needed("deepstack", self.deepstack)?;
        within("deepstack", deepstack, 1, MAX_DEEPSTACK)?;
        let tokens = ImageTokens {
            start: needed("start_token_id", self.start_token_id)?,
            pad: needed("pad_token_id", self.pad_token_id)?,
            end: needed("end_token_id", self.end_token_id)?,
        };
        if tokens.pad == tokens.start || tokens.pad == tokens.end {
            return Err("image has one id for pad and for start or end".to_owned());
        }
        if let Some(size) = self.feature_size {
            within("feature_size", size, 1, MAX_FEATURE_SIZE)?;
        }
        let rule = SmartResize { factor, min_pixels, max_pixels, max_aspect_ratio };
        let feature_size = self.feature_size;
        Ok(Some(Sizing::Smart { rule, deepstack, tokens, feature_size }))
    }
}

fn needed<T>(key: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("image has no {key}, which belongs to factor"))
}

fn within(key: &str, value: usize, least: usize, most: usize) -> Result<(), String> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("image {key} is {value}, expected {least} to {most}"))
}

impl ImageFiles {
    /// All that decides pixels and tokens, as one line.
    pub(super) fn fingerprint(&self) -> String {
        let Self { graph, resample, exif_orientation, sizing } = self;
        let resample = match resample {
            Filter::Bilinear => "bilinear",
            Filter::Bicubic => "bicubic",
        };
        let sizing = match sizing {
            Sizing::Fixed { width, height } => format!("{width}x{height}"),
            Sizing::Smart { rule, deepstack, tokens, feature_size } => format!(
                "factor {} pixels {}..{} aspect {} deepstack {deepstack} tokens {} {} {}{}",
                rule.factor,
                rule.min_pixels,
                rule.max_pixels,
                rule.max_aspect_ratio,
                tokens.start,
                tokens.pad,
                tokens.end,
                feature_size.map_or_else(String::new, |size| format!(" feature_size {size}")),
            ),
        };
        format!("{graph:?} {resample} exif_orientation {exif_orientation} {sizing}")
    }
}
