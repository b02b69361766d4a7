//! The rows of a row group, as a search looks at them: which have the terms, and what is told of one that has.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::DataType;

use super::query::{Query, Term};
use crate::codec::file::PartFile;
use crate::codec::key::key_of;
use crate::codec::{CodecError, raw};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 4096;
/// Fields that name a record, the first that an object has.
const NAMES: [&str; 11] = [
    "Name",
    "Subject",
    "Title",
    "CaseNumber",
    "ContractNumber",
    "OrderNumber",
    "SolutionName",
    "DeveloperName",
    "MasterLabel",
    "Label",
    "PathOnClient",
];
/// Fields that tell when a record was changed, the first that an object has.
const DATES: [&str; 3] = ["LastModifiedDate", "SystemModstamp", "CreatedDate"];
/// Characters of an excerpt before what was found, and from there on.
const EXCERPT: (usize, usize) = (30, 60);

/// A search's terms and filters, as rows are held against them.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) terms: Vec<Term>,
    created_by: Option<String>,
    updated_by: Option<String>,
    /// Sorted.
    pub(super) ids: Vec<u128>,
    from: Option<i64>,
    to: Option<i64>,
    pub(super) include_deleted: bool,
}

impl Wanted {
    pub(super) fn new(query: &Query, terms: Vec<Term>) -> Self {
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_ascii_lowercase());
        let mut ids: Vec<u128> = query.ids.iter().map(|id| key_of(id.as_bytes())).collect();
        ids.sort_unstable();
        ids.dedup();
        Self {
            terms,
            created_by: lower(&query.created_by),
            updated_by: lower(&query.updated_by),
            ids,
            from: query.from.map(jiff::Timestamp::as_millisecond),
            to: query.to.map(jiff::Timestamp::as_millisecond),
            include_deleted: query.include_deleted,
        }
    }
}

/// What a search knows of a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// The row deletes the record.
    pub(super) deletes: bool,
    pub(super) hashes: (Option<u128>, Option<u128>),
    /// It is in the org's recycle bin.
    pub(super) in_bin: bool,
    pub(super) id: String,
    pub(super) name: String,
    /// Milliseconds since 1970.
    pub(super) date: Option<i64>,
    /// Whether the filters let it through.
    pub(super) passes: bool,
    /// Fields that have it, for each term, with an excerpt.
    pub(super) found: Vec<Vec<(String, String)>>,
}

/// A decoded row group.
pub(super) struct Group {
    batches: Vec<RecordBatch>,
}

impl Group {
    /// Reads the columns that a search looks at.
    pub(super) fn read(file: &PartFile, group: usize) -> Result<Self, CodecError> {
        let wanted = |name: &str, kind: &DataType| {
            *kind == DataType::Utf8
                || ["_hash", "_hash_derived", "IsDeleted"].contains(&name)
                || DATES.contains(&name)
        };
        let names: Vec<String> = file
            .schema()
            .fields()
            .iter()
            .filter(|field| wanted(field.name(), field.data_type()))
            .map(|field| field.name().as_str().to_owned())
            .collect();
        let mask = file.mask(names.iter().map(String::as_str));
        let batches = file.read_group(group, &mask, BATCH_ROWS)?.collect::<Result<_, _>>()?;
        Ok(Self { batches })
    }

    /// Rows that have all terms somewhere and pass the filters, and their keys (0 without an Id).
    pub(super) fn matches(&self, wanted: &Wanted) -> Result<Vec<(usize, u128)>, CodecError> {
        let mut found = Vec::new();
        let mut first = 0;
        let mut lower = Vec::new();
        for batch in &self.batches {
            let many = batch.num_rows();
            let mut passing: Vec<bool> = vec![true; many];
            if !wanted.terms.is_empty() {
                let mut has = vec![vec![false; many]; wanted.terms.len()];
                for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                    let Some(texts) = column.as_string_opt::<i32>() else { continue };
                    match field.name().as_str() {
                        "_raw" => look_in_raw(texts, &wanted.terms, &mut has)?,
                        own if own.starts_with('_') => {}
                        name => look_in(texts, name == "Id", &wanted.terms, &mut lower, &mut has),
                    }
                }
                for has in &has {
                    passing.iter_mut().zip(has).for_each(|(all, has)| *all &= has);
                }
            }
            let ids = text_column(batch, "Id");
            for row in (0..many).filter(|row| passing[*row]) {
                let key = ids.map_or(0, |ids| key_of(ids.value(row).as_bytes()));
                if !is_delete(batch, row) && passes(batch, row, key, wanted) {
                    found.push((first + row, key));
                }
            }
            first += many;
        }
        Ok(found)
    }

    /// The row of a key.
    pub(super) fn row_of(&self, key: u128) -> Option<usize> {
        let mut first = 0;
        for batch in &self.batches {
            if let Some(ids) = text_column(batch, "Id") {
                let at = partition(ids.len(), |row| key_of(ids.value(row).as_bytes()) < key);
                if at < ids.len() {
                    return (key_of(ids.value(at).as_bytes()) == key).then_some(first + at);
                }
            }
            first += batch.num_rows();
        }
        None
    }

    /// All that is told of a row.
    pub(super) fn facts(&self, row: usize, wanted: &Wanted) -> Result<Facts, CodecError> {
        let (mut batches, mut at) = (self.batches.iter(), row);
        let batch = loop {
            let batch = batches.next().ok_or(CodecError::Misuse("a row beyond the row group"))?;
            if at < batch.num_rows() {
                break batch;
            }
            at -= batch.num_rows();
        };
        let ids = text_column(batch, "Id");
        let text =
            |name: &str| text_column(batch, name).filter(|texts| texts.is_valid(at)).map(|t| t.value(at));
        let hash = |name: &str| {
            let column = batch.column_by_name(name)?.as_fixed_size_binary_opt()?;
            let bytes = column.is_valid(at).then(|| column.value(at))?;
            <[u8; 16]>::try_from(bytes).ok().map(u128::from_le_bytes)
        };
        let key = ids.map_or(0, |ids| key_of(ids.value(at).as_bytes()));
        Ok(Facts {
            deletes: is_delete(batch, at),
            hashes: (hash("_hash"), hash("_hash_derived")),
            in_bin: in_bin(batch, at),
            id: text("Id").unwrap_or_default().to_owned(),
            name: NAMES.iter().find_map(|name| text(name)).unwrap_or_default().to_owned(),
            date: date_of(batch, at),
            passes: passes(batch, at, key, wanted),
            found: found_in(batch, at, &wanted.terms)?,
        })
    }
}

fn partition(many: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, many);
    while low < high {
        let middle = low.midpoint(high);
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

fn text_column<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_string_opt::<i32>()
}

fn is_delete(batch: &RecordBatch, row: usize) -> bool {
    text_column(batch, "_op").is_some_and(|ops| ops.is_valid(row) && ops.value(row) == "delete")
}

fn in_bin(batch: &RecordBatch, row: usize) -> bool {
    let column = batch.column_by_name("IsDeleted").and_then(|column| column.as_boolean_opt());
    column.is_some_and(|column| column.is_valid(row) && column.value(row))
}

fn date_of(batch: &RecordBatch, row: usize) -> Option<i64> {
    DATES.iter().find_map(|name| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<TimestampMillisecondType>()?;
        column.is_valid(row).then(|| column.value(row))
    })
}

/// Whether the filters beside the text let a row through.
fn passes(batch: &RecordBatch, row: usize, key: u128, wanted: &Wanted) -> bool {
    let by = |field: &str, part: &Option<String>| match part {
        None => true,
        Some(part) => text_column(batch, field).is_some_and(|ids| {
            ids.is_valid(row) && ids.value(row).to_ascii_lowercase().contains(part.as_str())
        }),
    };
    if !by("CreatedById", &wanted.created_by) || !by("LastModifiedById", &wanted.updated_by) {
        return false;
    }
    if !wanted.ids.is_empty() && wanted.ids.binary_search(&key).is_err() {
        return false;
    }
    if wanted.from.is_some() || wanted.to.is_some() {
        let Some(date) = date_of(batch, row) else { return false };
        if wanted.from.is_some_and(|from| date < from) || wanted.to.is_some_and(|to| date >= to) {
            return false;
        }
    }
    wanted.include_deleted || !in_bin(batch, row)
}

/// Marks the rows of a column that have each term.
fn look_in(texts: &StringArray, is_id: bool, terms: &[Term], lower: &mut Vec<u8>, has: &mut [Vec<bool>]) {
    let offsets = texts.value_offsets();
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return };
    let bytes = &texts.value_data()[*first as usize..*last as usize];
    if bytes.is_empty() {
        return;
    }
    lower.clear();
    lower.extend_from_slice(bytes);
    lower.make_ascii_lowercase();
    let plain = lower.is_ascii();
    for (term, has) in terms.iter().zip(has).filter(|(term, _)| !is_id || term.is_of_ids()) {
        let mut try_row = |row: usize| {
            if !has[row] && texts.is_valid(row) && term.find(texts.value(row)).is_some() {
                has[row] = true;
            }
        };
        match term.needle() {
            Some(needle) => {
                let finder = memchr::memmem::Finder::new(needle);
                let mut at = 0;
                while let Some(more) = finder.find(&lower[at..]) {
                    let place = first + (at + more) as i32;
                    let row = offsets.partition_point(|offset| *offset <= place) - 1;
                    try_row(row);
                    // the rest of that cell was looked at, too
                    at = (offsets[row + 1] - first) as usize;
                }
            }
            None if term.is_foreign() => {}
            None => (0..texts.len()).for_each(&mut try_row),
        }
        if !plain && (term.needle().is_some() || term.is_foreign()) {
            for row in 0..texts.len() {
                let cell = &lower[(offsets[row] - first) as usize..(offsets[row + 1] - first) as usize];
                if !cell.is_ascii() {
                    try_row(row);
                }
            }
        }
    }
}

fn look_in_raw(texts: &StringArray, terms: &[Term], has: &mut [Vec<bool>]) -> Result<(), CodecError> {
    for row in (0..texts.len()).filter(|row| texts.is_valid(*row)) {
        for (_, text) in raw::decode(texts.value(row))? {
            for (term, has) in terms.iter().zip(has.iter_mut()) {
                has[row] |= term.find(&text).is_some();
            }
        }
    }
    Ok(())
}

/// Fields of a row that have each term.
fn found_in(
    batch: &RecordBatch,
    row: usize,
    terms: &[Term],
) -> Result<Vec<Vec<(String, String)>>, CodecError> {
    let mut found = vec![Vec::new(); terms.len()];
    let mut look = |field: &str, text: &str| {
        for (term, found) in
            terms.iter().zip(&mut found).filter(|(term, _)| field != "Id" || term.is_of_ids())
        {
            if let Some(range) = term.find(text) {
                found.push((field.to_owned(), excerpt(text, range)));
            }
        }
    };
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let Some(texts) = column.as_string_opt::<i32>().filter(|texts| texts.is_valid(row)) else { continue };
        match field.name().as_str() {
            "_raw" => raw::decode(texts.value(row))?.iter().for_each(|(field, text)| look(field, text)),
            own if own.starts_with('_') => {}
            name => look(name, texts.value(row)),
        }
    }
    Ok(found)
}

/// Some characters around what was found, on one line.
pub(super) fn excerpt(text: &str, range: Range<usize>) -> String {
    let start = range.start.min(text.len());
    let (before, after) = text.split_at_checked(start).unwrap_or(("", text));
    let from = before.char_indices().rev().take(EXCERPT.0).last().map_or(start, |(at, _)| at);
    let to = after.char_indices().nth(EXCERPT.1).map_or(text.len(), |(at, _)| before.len() + at);
    let mut out = String::new();
    if from > 0 {
        out.push('…');
    }
    let mut space = false;
    for c in text.get(from..to).unwrap_or_default().chars() {
        let blank = c.is_whitespace() || c.is_control();
        if !(blank && space) {
            out.push(if blank { ' ' } else { c });
        }
        space = blank;
    }
    if to < text.len() {
        out.push('…');
    }
    out
}

/// Names of the fields that have each term, for a schema that has only some of them.
pub(super) fn counts(found: &[Vec<(String, String)>], fields: &BTreeSet<String>) -> bool {
    found.iter().all(|found| found.iter().any(|(field, _)| fields.contains(field)))
}
