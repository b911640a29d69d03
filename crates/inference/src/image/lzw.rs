//! The compressed data of a GIF picture.

use super::bytes;
use weezl::{BitOrder, LzwStatus, decode::Decoder};

/// Decodes sub-blocks from a place of a file into `out`; whether it was filled.
///
/// `bits` is the size of the smallest code, from the file.
pub fn decode(file: &[u8], mut at: usize, bits: u8, out: &mut [u8]) -> bool {
    if !(1..=8).contains(&bits) {
        return false;
    }
    let mut decoder = Decoder::new(BitOrder::Lsb, bits);
    let mut rest = out;
    while let Some(mut block) = sub_block(file, at) {
        at += 1 + block.len();
        while !block.is_empty() && !rest.is_empty() {
            let result = decoder.decode_bytes(block, rest);
            block = block.get(result.consumed_in..).unwrap_or_default();
            rest = rest.get_mut(result.consumed_out..).unwrap_or_default();
            match result.status {
                Ok(LzwStatus::Ok) => {}
                Ok(LzwStatus::NoProgress) => break,
                Ok(LzwStatus::Done) | Err(_) => return rest.is_empty(),
            }
        }
        if rest.is_empty() {
            return true;
        }
    }
    // What the decoder still holds comes out without new bytes.
    while !rest.is_empty() {
        let result = decoder.decode_bytes(&[], rest);
        rest = rest.get_mut(result.consumed_out..).unwrap_or_default();
        if result.consumed_out == 0 || result.status.is_err() {
            break;
        }
    }
    rest.is_empty()
}

/// The data of a sub-block; none for the empty one that ends the list, and at the end of the file.
pub fn sub_block(file: &[u8], at: usize) -> Option<&[u8]> {
    match usize::from(*file.get(at)?) {
        0 => None,
        length => bytes::part(file, at + 1, length),
    }
}
