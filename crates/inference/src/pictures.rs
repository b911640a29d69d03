//! From the bytes of a picture to the pixels that a model's image tower takes.

use crate::image::{self, Rgb};
use crate::manifest::ImageFiles;
use crate::place::Place;
use ndarray::Array3;
use protocol::{Fault, FaultCode, Options};

/// Width and height of a picture, from its header alone.
pub fn size(bytes: &[u8], files: &ImageFiles, options: &Options) -> Result<(usize, usize), Fault> {
    image::size(bytes, files.exif_orientation, &options.image_limits)
}

/// The picture brought to `width` × `height`: u8, height × width × 3, RGB.
pub fn pixels(
    bytes: &[u8],
    files: &ImageFiles,
    (width, height): (usize, usize),
    options: &Options,
) -> Result<Array3<u8>, Fault> {
    let picture = image::decode(bytes, files.exif_orientation, &options.image_limits)?;
    let Rgb { pixels, .. } = image::resize(&picture, width, height, files.resample);
    Array3::from_shape_vec((height, width, 3), pixels).map_err(|error| {
        Fault::new(FaultCode::Internal, "a resized image has another size than it should")
            .detail(format!("{error}."))
            .hint("This is a bug; please report it with the image.")
    })
}

/// A fault of one picture, with the row that it belongs to.
pub fn of_row(mut fault: Fault, place: Place) -> Fault {
    if !place.is_only() {
        fault.detail = Some(match fault.detail {
            Some(detail) => format!("{place}: {detail}"),
            None => format!("{place}."),
        });
    }
    fault
}
