//! Builds the index of a part while the part is written: the keys of its texts and Ids, by row group.
//!
//! Holds the different keys of one row group, and those of a section: at most [`SECTION_KEYS`] and one group's.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::filter::{BITS, SECTION_KEYS, SEGMENT_KEYS, encode, segment_of};
use super::keys::{self, Scratch};
use super::words;
use crate::codec::file::PartFile;
use crate::codec::{CodecError, raw};

/// Version of the form of indexes.
pub(crate) const VERSION: u32 = 1;
/// Rows of a written part that are read at once.
const BATCH_ROWS: usize = 1024;
/// Cells of a row group whose texts are remembered: what repeats is not taken apart again.
const KNOWN: usize = 1 << 13;

/// What an index is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directory {
    /// Version of the form.
    pub(crate) version: u32,
    /// Version of the rules that make words of text.
    pub(crate) words: u32,
    /// Bits of a number in a segment.
    pub(crate) bits: u32,
    /// The sections, in the order of the row groups.
    pub(crate) sections: Vec<Section>,
}

/// Row groups that share segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Section {
    /// How many.
    pub(crate) groups: u32,
    /// Bytes of each segment, before it is sealed.
    pub(crate) segments: Vec<u32>,
}

/// A finished index, not sealed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    pub(crate) directory: Directory,
    pub(crate) segments: Vec<Vec<u8>>,
}

impl Index {
    /// Bytes of its segments.
    pub fn size(&self) -> usize {
        self.segments.iter().map(Vec::len).sum()
    }
}

/// The index of a part that is written already: the same that was made with it.
pub(crate) fn index_of(file: &PartFile) -> Result<Index, CodecError> {
    let texts = file.schema().fields().iter().filter(|field| *field.data_type() == DataType::Utf8);
    let mask = file.mask(texts.map(|field| field.name().as_str()));
    let mut builder = Builder::new();
    for group in 0..file.groups() {
        for batch in file.read_group(group, &mask, BATCH_ROWS)? {
            builder.add(&batch?)?;
        }
        builder.end_group();
    }
    Ok(builder.finish())
}

/// Takes what is written to a part.
#[derive(Debug)]
pub(crate) struct Builder {
    index: Index,
    /// Keys of the section with their row groups in it.
    section: Vec<(u64, u32)>,
    groups: u32,
    seen: Seen,
    known: Vec<u64>,
    scratch: Scratch,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let directory =
            Directory { version: VERSION, words: words::VERSION, bits: BITS, sections: Vec::new() };
        Self {
            index: Index { directory, segments: Vec::new() },
            section: Vec::new(),
            groups: 0,
            seen: Seen::default(),
            known: vec![0; KNOWN],
            scratch: Scratch::default(),
        }
    }

    /// Rows of the row group that is open.
    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<(), CodecError> {
        for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
            if *field.data_type() != DataType::Utf8 {
                continue;
            }
            let texts = column.as_string::<i32>();
            match field.name().as_str() {
                "Id" => texts.iter().flatten().for_each(|id| self.seen.insert(keys::id(id.as_bytes()))),
                "_raw" => {
                    for text in texts.iter().flatten() {
                        for (_, text) in raw::decode(text)? {
                            self.text(&text);
                        }
                    }
                }
                own if own.starts_with('_') => {}
                _ if texts.null_count() == texts.len() => {}
                _ => texts.iter().flatten().for_each(|text| self.text(text)),
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        let hash = xxh3_64(text.as_bytes()).max(1);
        let place = hash as usize % KNOWN;
        if std::mem::replace(&mut self.known[place], hash) == hash {
            return;
        }
        let seen = &mut self.seen;
        keys::each_key(text, &mut self.scratch, |key| seen.insert(key));
    }

    /// Ends a row group.
    pub(crate) fn end_group(&mut self) {
        let group = self.groups;
        self.seen.drain(|key| self.section.push((key, group)));
        self.known.fill(0);
        self.groups += 1;
        if self.section.len() >= SECTION_KEYS {
            self.end_section();
        }
    }

    fn end_section(&mut self) {
        if self.groups == 0 {
            return;
        }
        let many = self.section.len().div_ceil(SEGMENT_KEYS).max(1);
        self.section.sort_unstable();
        let (mut lengths, mut numbers) = (Vec::with_capacity(many), Vec::new());
        let mut rest = self.section.as_slice();
        for segment in 0..many {
            // keys are sorted, and so are their segments
            let (own, after) =
                rest.split_at(rest.partition_point(|(key, _)| segment_of(*key, many) == segment));
            rest = after;
            let bytes = encode(own, &mut numbers);
            lengths.push(bytes.len() as u32);
            self.index.segments.push(bytes);
        }
        self.index.directory.sections.push(Section { groups: self.groups, segments: lengths });
        self.section.clear();
        self.groups = 0;
    }

    /// The index; a row group must not be open.
    pub(crate) fn finish(mut self) -> Index {
        self.end_section();
        self.index
    }
}

/// Different keys: a table with open places, of keys that are hashes already.
#[derive(Debug, Default)]
struct Seen {
    slots: Vec<u64>,
    many: usize,
}

impl Seen {
    #[inline]
    fn insert(&mut self, key: u64) {
        // 0 is an empty place
        let key = key.max(1);
        if self.many * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = key as usize & mask;
        loop {
            match self.slots[at] {
                0 => break,
                held if held == key => return,
                _ => at = (at + 1) & mask,
            }
        }
        self.slots[at] = key;
        self.many += 1;
    }

    fn grow(&mut self) {
        let wider = vec![0; (self.slots.len() * 2).max(1 << 12)];
        let old = std::mem::replace(&mut self.slots, wider);
        let mask = self.slots.len() - 1;
        for key in old.into_iter().filter(|key| *key != 0) {
            let mut at = key as usize & mask;
            while self.slots[at] != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = key;
        }
    }

    fn drain(&mut self, each: impl FnMut(u64)) {
        self.slots.iter().copied().filter(|key| *key != 0).for_each(each);
        self.many = 0;
        // one large group must not make all later ones slow
        if self.slots.len() > 1 << 21 {
            self.slots = Vec::new();
        }
        self.slots.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_held_once() {
        let mut seen = Seen::default();
        for key in (0..10_000_u64).chain(0..10_000) {
            seen.insert(key.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        }
        let mut all = Vec::new();
        seen.drain(|key| all.push(key));
        assert_eq!(all.len(), 10_000);
        seen.insert(5);
        assert_eq!(seen.many, 1);
    }
}
