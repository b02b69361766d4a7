//! Takes the zip out of an answer while it comes: what is within `<zipFile>` is decoded and handed on, all else is
//! kept. Pure; knows no more of XML than it must to find that element.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of an answer beside the zip: 10,000 files are told of in about 6 MB.
const KEPT_LIMIT: usize = 32 << 20;
/// The longest tag that is looked at.
const TAG_LIMIT: usize = 1_024;

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {detail}")]
pub(super) struct SplitError {
    /// Where in the answer.
    pub(super) offset: u64,
    /// What.
    pub(super) detail: &'static str,
}

/// The splitter.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// The answer without the zip.
    kept: Vec<u8>,
    /// Base64 that does not make a group of four yet.
    open: Vec<u8>,
    inside: bool,
    /// Padding was seen: nothing may follow.
    padded: bool,
    /// Whether there was a zip.
    seen: bool,
    offset: u64,
}

impl Splitter {
    /// Takes a piece of the answer, and appends the zip's bytes in it.
    pub(super) fn push(&mut self, mut piece: &[u8], zip: &mut Vec<u8>) -> Result<(), SplitError> {
        while !piece.is_empty() {
            let end = if self.inside { b'<' } else { b'>' };
            let at = piece.iter().position(|byte| *byte == end);
            let (head, rest) = match at {
                // the tag's end belongs to what is kept, its beginning to what follows
                Some(at) if !self.inside => piece.split_at(at + 1),
                Some(at) => piece.split_at(at),
                None => (piece, &[][..]),
            };
            if self.inside {
                self.decode(head, zip)?;
                if at.is_some() {
                    self.finish_zip(zip)?;
                }
            } else {
                if self.kept.len() + head.len() > KEPT_LIMIT {
                    return Err(self.wrong("it is larger than 32 MiB beside the zip"));
                }
                self.kept.extend_from_slice(head);
                if at.is_some() && self.begins_zip() {
                    if self.seen {
                        return Err(self.wrong("it has two zips"));
                    }
                    (self.inside, self.seen) = (true, true);
                }
            }
            self.offset += head.len() as u64;
            piece = rest;
        }
        Ok(())
    }

    /// The answer without the zip's content, and whether there was a zip.
    pub(super) fn finish(self) -> Result<(Vec<u8>, bool), SplitError> {
        if self.inside {
            return Err(self.wrong("it ends within the zip"));
        }
        Ok((self.kept, self.seen))
    }

    /// Whether what is kept ends with the opening tag of the zip.
    fn begins_zip(&self) -> bool {
        let from = self.kept.len().saturating_sub(TAG_LIMIT);
        let Some(start) = self.kept[from..].iter().rposition(|byte| *byte == b'<') else { return false };
        let tag = &self.kept[from + start + 1..self.kept.len() - 1];
        if tag.ends_with(b"/") || tag.starts_with(b"/") {
            return false; // an empty element, or an end
        }
        let name = tag.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let local = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
        local == b"zipFile"
    }

    fn decode(&mut self, text: &[u8], zip: &mut Vec<u8>) -> Result<(), SplitError> {
        for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
            if self.padded && (*byte != b'=' || self.open.len() == 4) {
                return Err(self.wrong("the zip goes on after its end"));
            }
            self.padded |= *byte == b'=';
            self.open.push(*byte);
        }
        let whole = if self.padded { 0 } else { self.open.len() / 4 * 4 };
        if whole > 0 {
            let decoded = STANDARD.decode(&self.open[..whole]);
            zip.extend(decoded.map_err(|_| self.wrong("the zip is not base64"))?);
            self.open.drain(..whole);
        } else if self.padded && self.open.len() > 4 {
            let full = (self.open.len() - 1) / 4 * 4;
            let decoded = STANDARD.decode(&self.open[..full]);
            zip.extend(decoded.map_err(|_| self.wrong("the zip is not base64"))?);
            self.open.drain(..full);
        }
        Ok(())
    }

    fn finish_zip(&mut self, zip: &mut Vec<u8>) -> Result<(), SplitError> {
        let decoded = STANDARD.decode(&self.open).map_err(|_| self.wrong("the zip's base64 is cut"))?;
        zip.extend(decoded);
        self.open.clear();
        self.inside = false;
        Ok(())
    }

    fn wrong(&self, detail: &'static str) -> SplitError {
        SplitError { offset: self.offset, detail }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, Vec<u8>, bool), SplitError> {
        let mut splitter = Splitter::default();
        let mut zip = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().map(|cut| cut % (text.len() + 1)).chain([text.len()]) {
            let to = cut.max(from);
            splitter.push(&text[from..to], &mut zip)?;
            from = to;
        }
        let (kept, seen) = splitter.finish()?;
        Ok((kept, zip, seen))
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for text in [
            "<a><zipFile>QUJD",
            "<a><zipFile>QUJ</zipFile></a>",
            "<a><zipFile>Q?JD</zipFile></a>",
            "<a><zipFile>QQ==QUJD</zipFile></a>",
        ] {
            assert!(split(text.as_bytes(), &[]).is_err(), "{text}");
        }
        let (kept, zip, seen) = split(b"<a><zipFile xsi:nil=\"true\"/><b>zipFile></b></a>", &[]).unwrap();
        assert_eq!((kept.len(), zip.len(), seen), (47, 0, false));
    }

    proptest! {
        #[test]
        fn any_division_into_pieces_gives_the_same(
            content: Vec<u8>, mut cuts in proptest::collection::vec(0usize..2_000, 0..8), wrap in 1usize..90, prefix: bool,
        ) {
            cuts.sort_unstable();
            let encoded = STANDARD.encode(&content);
            let lines: Vec<&str> =
                encoded.as_bytes().chunks(wrap).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let tag = if prefix { "m:zipFile" } else { "zipFile" };
            let text = format!("<r><zip>no</zip><{tag}>{}</{tag}><done>true</done></r>", lines.join("\r\n"));
            let (kept, zip, seen) = split(text.as_bytes(), &cuts).unwrap();
            prop_assert_eq!(zip, content);
            prop_assert!(seen);
            prop_assert_eq!(
                String::from_utf8(kept).unwrap(),
                format!("<r><zip>no</zip><{tag}></{tag}><done>true</done></r>")
            );
        }
    }
}
