//! Chunks of a WebP file (WebP Container Specification).

use super::bytes;

/// The chunks of a list: name and data; ends where a chunk is cut off.
pub struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Chunks<'a> {
    /// Of the body of a file or of a frame.
    pub fn of(list: &'a [u8]) -> Self {
        Self { rest: list }
    }

    /// Of a file, as far as it says it goes; none where it is cut off.
    pub fn of_file(file: &'a [u8]) -> Option<Self> {
        let size = bytes::u32_le(file, 4)? as usize;
        Some(Self::of(bytes::part(file, 12, size.checked_sub(4)?)?))
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = ([u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let name = bytes::array(self.rest, 0)?;
        let length = bytes::u32_le(self.rest, 4)? as usize;
        let data = bytes::part(self.rest, 8, length)?;
        let end = 8 + length + length % 2;
        self.rest = self.rest.get(end..).unwrap_or_default();
        Some((name, data))
    }
}

/// The first chunk of a name.
pub fn chunk<'a>(file: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    Chunks::of_file(file)?.find(|(found, _)| found == name).map(|(_, data)| data)
}

/// A chunk as it stands in a file.
pub fn write(out: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(&(data.len() as u32).to_le_bytes());
    out.extend_from_slice(data);
    if data.len() % 2 == 1 {
        out.push(0);
    }
}
