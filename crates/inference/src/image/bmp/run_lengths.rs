//! Run-length compression of BMP (RLE4, RLE8).

use super::super::bytes;
use super::info::Info;

/// One byte a pixel, rows from the bottom; none where the file has fewer pixels than it says.
pub fn unpack(file: &[u8], info: &Info, nibbles: bool) -> Option<Vec<u8>> {
    let (width, wanted) = (info.width, info.width * info.height);
    let mut out = Vec::with_capacity(wanted);
    let mut at = info.data;
    let mut x = 0;
    while out.len() < wanted {
        let [count, value] = bytes::array(file, at)?;
        at += 2;
        match (count, value) {
            (0, 0) => {
                out.resize(out.len().next_multiple_of(width), 0);
                x = 0;
            }
            (0, 1) => return None,
            (0, 2) => {
                let [right, up] = bytes::array::<2>(file, at)?.map(usize::from);
                at += 2;
                out.resize(wanted.min(out.len() + right + up * width), 0);
                x = out.len() % width;
            }
            (0, literal) => {
                let count = usize::from(literal).min(wanted - out.len());
                let packed =
                    bytes::part(file, at, if nibbles { count.div_ceil(2) } else { count })?;
                match nibbles {
                    true => out.extend(packed.iter().flat_map(|b| [b >> 4, b & 15]).take(count)),
                    false => out.extend_from_slice(packed),
                }
                // Literal pixels are padded to two bytes.
                at = (at + packed.len()).next_multiple_of(2);
                x += usize::from(literal);
            }
            (count, value) => {
                // A run ends at the edge of its row.
                let count = usize::from(count).min(width.saturating_sub(x));
                let pair = if nibbles { [value >> 4, value & 15] } else { [value; 2] };
                out.extend(pair.into_iter().cycle().take(count));
                x += count;
            }
        }
    }
    out.truncate(wanted);
    Some(out)
}
