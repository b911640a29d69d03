//! From the samples of each colour mode to RGB, by Pillow's rules and with its rounding.

/// Colours of a palette; an index beyond it is black.
pub fn palette(entries: impl Iterator<Item = [u8; 3]>) -> [[u8; 3]; 256] {
    let mut colours = [[0; 3]; 256];
    for (colour, entry) in colours.iter_mut().zip(entries) {
        *colour = entry;
    }
    colours
}

/// Greys of samples with fewer than 8 bits, spread over 0 to 255; `depth` is 1, 2, 4 or 8.
pub fn greys(depth: u8) -> [[u8; 3]; 256] {
    let largest = ((1u32 << depth.clamp(1, 8)) - 1) as usize;
    std::array::from_fn(|n| [(n.min(largest) * 255 / largest) as u8; 3])
}

/// One row of samples of 1, 2, 4 or 8 bits through a table, the first in the highest bits.
pub fn indexed(row: &[u8], depth: u8, colours: &[[u8; 3]; 256], out: &mut [u8]) {
    let per_byte = usize::from(8 / depth.clamp(1, 8));
    let mask = ((1u32 << depth.clamp(1, 8)) - 1) as u8;
    if per_byte == 1 {
        for (pixel, &sample) in out.as_chunks_mut::<3>().0.iter_mut().zip(row) {
            *pixel = colours[usize::from(sample)];
        }
        return;
    }
    let groups = out.chunks_mut(3 * per_byte);
    for (group, &byte) in groups.zip(row) {
        for (n, pixel) in group.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let shift = 8 - depth * (n as u8 + 1);
            *pixel = colours[usize::from(byte >> shift & mask)];
        }
    }
}

/// Every `step` bytes are a pixel, of which the first is its grey.
pub fn grey(row: &[u8], step: usize, out: &mut [u8]) {
    for (pixel, sample) in out.as_chunks_mut::<3>().0.iter_mut().zip(row.chunks_exact(step)) {
        *pixel = [sample[0]; 3];
    }
}

/// Pillow squeezes 16 bits of grey by cutting, unlike those of colours.
pub fn grey16(row: &[u8], out: &mut [u8]) {
    for (pixel, &sample) in out.as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks::<2>().0) {
        *pixel = [u16::from_be_bytes(sample).min(255) as u8; 3];
    }
}

/// Six bytes are a pixel, of whose samples the high bytes remain.
pub fn rgb16(row: &[u8], out: &mut [u8]) {
    for (pixel, &[r, _, g, _, b, _]) in out.as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks().0)
    {
        *pixel = [r, g, b];
    }
}

/// Red, green, blue, opacity: laid on white.
pub fn rgba(row: &[u8], out: &mut [u8]) {
    for (pixel, &rgba) in out.as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks::<4>().0) {
        *pixel = on_white(rgba);
    }
}

/// As [`rgba`], of the high bytes of 16-bit samples.
pub fn rgba16(row: &[u8], out: &mut [u8]) {
    let pixels = out.as_chunks_mut::<3>().0.iter_mut();
    for (pixel, &[r, _, g, _, b, _, a, _]) in pixels.zip(row.as_chunks().0) {
        *pixel = on_white([r, g, b, a]);
    }
}

/// As [`rgba16`], of one grey: Pillow has no mode for it but RGBA.
pub fn grey_alpha16(row: &[u8], out: &mut [u8]) {
    for (pixel, &[l, _, a, _]) in out.as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks().0) {
        *pixel = on_white([l, l, l, a]);
    }
}

/// Four inks, 255 for none, as Adobe's JPEG files have them.
pub fn inverted_cmyk(row: &[u8], out: &mut [u8]) {
    for (pixel, &[c, m, y, k]) in out.as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks().0) {
        let paper = u32::from(k);
        let ink = |left: u8| (paper - over_255(u32::from(255 - left) * paper)) as u8;
        *pixel = [ink(c), ink(m), ink(y)];
    }
}

/// `Image.paste` with the opacity as its mask, on white.
pub fn on_white([r, g, b, a]: [u8; 4]) -> [u8; 3] {
    let (opacity, rest) = (u32::from(a), u32::from(255 - a));
    [r, g, b].map(|sample| over_255(u32::from(sample) * opacity + 255 * rest) as u8)
}

/// Pillow's rounded division by 255 of a number up to 255², which is exact.
fn over_255(product: u32) -> u32 {
    let sum = product + 128;
    (sum + (sum >> 8)) >> 8
}

/// Red, green, blue, and a fourth that counts for nothing.
pub fn drop_alpha(row: &[u8], out: &mut [u8]) {
    for (pixel, &[r, g, b, _]) in out.as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks().0) {
        *pixel = [r, g, b];
    }
}
