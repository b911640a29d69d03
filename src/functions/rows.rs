//! SQL arguments to rows, shared by the functions that embed and rerank.

use crate::postgres::array::{ByteaArray, TextArray};
use crate::postgres::text::Text;
use protocol::{Fault, FaultCode, Input};

/// What the arguments of rows to embed are called.
pub const INPUTS: [&str; 2] = ["inputs", "images"];

/// One row.
pub fn one(text: Option<Text>, image: Option<&[u8]>) -> Input {
    let images = image.map(<[u8]>::to_vec).into_iter().collect();
    Input { text: text.map(Text::into_string), images }
}

/// Rows of texts alone.
pub fn texts(texts: TextArray) -> Vec<Input> {
    texts.0.into_iter().map(|text| Input { text, images: Vec::new() }).collect()
}

/// Rows from texts and images of the same length; `None` where both arrays are NULL.
///
/// The arrays have `names`, for messages.
pub fn pair(
    texts: Option<TextArray>,
    images: Option<ByteaArray>,
    names: [&str; 2],
) -> Result<Option<Vec<Input>>, Fault> {
    let (texts, images) = (texts.map(|texts| texts.0), images.map(|images| images.0));
    let rows = match (&texts, &images) {
        (None, None) => return Ok(None),
        (Some(texts), Some(images)) if texts.len() != images.len() => {
            let message = format!("{} and {} differ in length", names[0], names[1]);
            let (texts, images) = (texts.len(), images.len());
            return Err(Fault::new(FaultCode::InvalidParameter, message)
                .detail(format!("There are {texts} {} and {images} {}.", names[0], names[1]))
                .hint("Give one image a row, NULL where a row has none."));
        }
        (Some(texts), _) => texts.len(),
        (None, Some(images)) => images.len(),
    };
    let texts = texts.unwrap_or_else(|| vec![None; rows]);
    let images = images.unwrap_or_else(|| vec![None; rows]);
    let row = |(text, image): (_, Option<_>)| Input { text, images: image.into_iter().collect() };
    Ok(Some(texts.into_iter().zip(images).map(row).collect()))
}

/// `dimensions =>` as a size.
pub fn positive(dimensions: i32) -> Result<usize, Fault> {
    usize::try_from(dimensions).ok().filter(|n| *n > 0).ok_or_else(|| {
        Fault::new(FaultCode::InvalidParameter, "dimensions must be positive")
            .detail(format!("It is {dimensions}."))
            .hint("Leave dimensions out for the model's own size.")
    })
}
