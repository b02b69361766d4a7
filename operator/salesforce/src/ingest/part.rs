//! Rows cut into parts: CSV below the limits of an upload, and beside it what Bulk cannot carry.

use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::error::{Error, Result};
use crate::write::{Cell, InputRow, Operation, RowError, Target};

/// The most that an upload may have, bytes: Salesforce takes 150 MB after its own base64, which adds about half (D).
pub const UPLOAD_LIMIT: usize = 100_000_000;
/// Characters of a field, and of a row, that Bulk takes (D).
const BULK_FIELD_LIMIT: usize = 32_000;
const BULK_ROW_LIMIT: usize = 400_000;
/// Characters of the longest text that a field can have.
const FIELD_LIMIT: usize = 131_072;
/// What stands for null in Bulk; a text of just that cannot be told from it.
const NULL: &str = "#N/A";

/// How large parts are. A part is held in memory until the outcome of its last row is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartLimits {
    /// Bytes of CSV, at most [`UPLOAD_LIMIT`].
    pub bytes: usize,
    /// Rows. Salesforce works in batches of 10,000.
    pub rows: usize,
}

impl Default for PartLimits {
    fn default() -> Self {
        Self { bytes: 24_000_000, rows: 200_000 }
    }
}

impl PartLimits {
    pub(crate) fn check(self) -> Result<()> {
        if (1..=UPLOAD_LIMIT).contains(&self.bytes) && (1..=10_000_000).contains(&self.rows) {
            return Ok(());
        }
        Err(Error::Options {
            detail: format!(
                "a part of {} bytes and {} rows: at most {UPLOAD_LIMIT} bytes",
                self.bytes, self.rows
            ),
        })
    }
}

/// Rows that are written together.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// From 0.
    pub(crate) number: u32,
    header: Bytes,
    csv: Bytes,
    ends: Vec<u32>,
    keys: String,
    key_ends: Vec<u32>,
    /// Hash of each row's whole content, as results are joined by it.
    pub(crate) contents: Vec<u128>,
    /// Hash of each row's key; empty without a key column.
    pub(crate) key_hashes: Vec<u128>,
    /// Hash of each row's parents; empty without such columns.
    pub(crate) parents: Vec<u64>,
    /// Which rows have line breaks of CR and LF: they go in jobs of their own, whose lines end so, too, as an org may
    /// refuse a load whose values and lines break differently (K).
    pub(crate) crlf: Vec<bool>,
    /// Rows that Bulk cannot carry and REST can.
    pub(crate) diverted: Vec<InputRow>,
    /// Rows that nothing can carry.
    pub(crate) refused: Vec<(String, RowError)>,
}

impl Part {
    /// Rows in the CSV.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether rows go by Bulk.
    pub(crate) fn has_csv(&self) -> bool {
        !self.ends.is_empty()
    }

    /// Whether it has no rows of any kind.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.diverted.is_empty() && self.refused.is_empty()
    }

    /// The caller's name of a row.
    pub(crate) fn key(&self, row: u32) -> &str {
        &self.keys[span(&self.key_ends, row)]
    }

    fn row(&self, row: u32) -> &[u8] {
        &self.csv[span(&self.ends, row)]
    }

    /// Bytes of an upload of these rows.
    pub(crate) fn upload_length(&self, rows: &[u32], crlf: bool) -> u64 {
        let more = if crlf { rows.len() as u64 + 1 } else { 0 };
        rows.iter().map(|&row| self.row(row).len() as u64).sum::<u64>() + self.header.len() as u64 + more
    }

    /// An upload of these rows in this order, in pieces; with `crlf` its lines end so.
    pub(crate) fn upload(&self, rows: Vec<u32>, crlf: bool) -> Upload {
        Upload {
            header: Some(self.header.clone()),
            crlf,
            csv: self.csv.clone(),
            spans: Box::new({
                let ends = self.ends.clone();
                rows.into_iter().map(move |row| span(&ends, row))
            }),
        }
    }

    /// The CSV of these rows, whole: for rows that go by REST after all.
    pub(crate) fn csv_of(&self, rows: &[u32]) -> Vec<u8> {
        let mut csv = self.header.to_vec();
        for &row in rows {
            csv.extend_from_slice(self.row(row));
        }
        csv
    }

    /// Hash of the content of these rows in their order.
    pub(crate) fn hash_of(&self, rows: &[u32]) -> String {
        let bytes: Vec<u8> = rows.iter().flat_map(|&row| self.contents[row as usize].to_le_bytes()).collect();
        format!("{:032x}", xxh3_128(&bytes))
    }

    /// Hash of all that the part has.
    pub(crate) fn hash(&self) -> String {
        let mut bytes: Vec<u8> = self.contents.iter().flat_map(|hash| hash.to_le_bytes()).collect();
        for key in self.diverted.iter().map(|row| &row.key).chain(self.refused.iter().map(|(key, _)| key)) {
            bytes.extend_from_slice(key.as_bytes());
            bytes.push(0);
        }
        format!("{:032x}", xxh3_128(&bytes))
    }
}

fn span(ends: &[u32], row: u32) -> std::ops::Range<usize> {
    let at = row as usize;
    let start = at.checked_sub(1).map_or(0, |before| ends[before] as usize);
    start..ends[at] as usize
}

/// Pieces of an upload: rows gathered, so that the network is not asked row by row.
pub(crate) struct Upload {
    header: Option<Bytes>,
    crlf: bool,
    csv: Bytes,
    spans: Box<dyn Iterator<Item = std::ops::Range<usize>> + Send>,
}

/// Bytes of a piece.
const PIECE: usize = 64 << 10;

impl Iterator for Upload {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut piece = Vec::with_capacity(PIECE + 1024);
        if let Some(header) = self.header.take() {
            line(&header, self.crlf, &mut piece);
        }
        while piece.len() < PIECE
            && let Some(span) = self.spans.next()
        {
            line(&self.csv[span], self.crlf, &mut piece);
        }
        Some(Bytes::from(piece)).filter(|piece| !piece.is_empty())
    }
}

/// A line with the end that is wanted.
fn line(line: &[u8], crlf: bool, piece: &mut Vec<u8>) {
    match line.strip_suffix(b"\n").filter(|_| crlf) {
        None => piece.extend_from_slice(line),
        Some(content) => {
            piece.extend_from_slice(content);
            piece.extend_from_slice(b"\r\n");
        }
    }
}

/// Makes parts of rows.
#[derive(Debug)]
pub(crate) struct PartBuilder<'a> {
    target: &'a Target,
    limits: PartLimits,
    header: Bytes,
    key_place: Option<usize>,
    parent_places: Vec<usize>,
    operation_key: Option<usize>,
    next: u32,
    csv: Vec<u8>,
    part: Part,
    diverted_bytes: usize,
    scratch: Vec<u8>,
}

impl<'a> PartBuilder<'a> {
    /// Checks target and limits.
    pub(crate) fn new(target: &'a Target, limits: PartLimits) -> Result<Self> {
        target.check()?;
        limits.check()?;
        let names: Vec<String> = target.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        Ok(Self {
            target,
            limits,
            header: Bytes::from(names.join(",") + "\n"),
            key_place: target.key_place(),
            parent_places: target.parents.iter().filter_map(|name| target.place(name)).collect(),
            operation_key: target.operation.key_column().and_then(|name| target.place(name)),
            next: 0,
            csv: Vec::new(),
            part: Part::default(),
            diverted_bytes: 0,
            scratch: Vec::new(),
        })
    }

    /// Takes a row; gives the part before it when that is full.
    pub(crate) fn push(&mut self, row: InputRow) -> Result<Option<Part>> {
        if row.cells.len() != self.target.columns.len() {
            return Err(Error::InputRefused {
                what: format!("row {:?} of {}", row.key, self.target.object),
                detail: format!(
                    "it has {} cells, there are {} columns",
                    row.cells.len(),
                    self.target.columns.len()
                ),
            });
        }
        let size =
            row.cells.iter().map(|cell| cell.as_text().map_or(5, |text| text.len() + 3)).sum::<usize>();
        let full = self.part.len() + self.part.diverted.len() + self.part.refused.len() >= self.limits.rows
            || self.csv.len() + self.diverted_bytes + self.header.len() + size > self.limits.bytes;
        let before = if full { self.take() } else { None };
        match judge(self.operation_key, &row) {
            Way::Bulk { crlf } => {
                self.part.crlf.push(crlf);
                self.write(&row);
            }
            Way::Rest if self.target.operation == Operation::HardDelete => {
                let error = RowError::own("IdInvalid", "an Id is no text that Bulk cannot carry");
                self.part.refused.push((row.key, error));
            }
            Way::Rest => {
                self.diverted_bytes += size;
                self.part.diverted.push(row);
            }
            Way::None(error) => self.part.refused.push((row.key, error)),
        }
        Ok(before)
    }

    /// The last part, if there is one.
    pub(crate) fn take(&mut self) -> Option<Part> {
        let mut part = std::mem::take(&mut self.part);
        part.csv = std::mem::take(&mut self.csv).into();
        self.diverted_bytes = 0;
        if part.is_empty() {
            return None;
        }
        part.number = self.next;
        part.header = self.header.clone();
        self.next += 1;
        Some(part)
    }

    fn write(&mut self, row: &InputRow) {
        let start = self.csv.len();
        for (at, cell) in row.cells.iter().enumerate() {
            if at > 0 {
                self.csv.push(b',');
            }
            match cell {
                // a row of one empty cell would be an empty line, which a reader may pass over
                Cell::Absent if row.cells.len() == 1 => self.csv.extend_from_slice(b"\"\""),
                Cell::Absent => {}
                cell => match cell.as_text() {
                    None => self.csv.extend_from_slice(NULL.as_bytes()),
                    Some(text) => quote(text, &mut self.csv),
                },
            }
        }
        self.csv.push(b'\n');
        debug_assert!(self.csv.len() > start);
        let part = &mut self.part;
        part.ends.push(self.csv.len() as u32);
        part.keys.push_str(&row.key);
        part.key_ends.push(part.keys.len() as u32);
        part.contents.push(content_hash(row.cells.iter().map(Cell::as_text), &mut self.scratch));
        if let Some(place) = self.key_place {
            part.key_hashes
                .push(content_hash(std::iter::once(row.cells[place].as_text()), &mut self.scratch));
        }
        if !self.parent_places.is_empty() {
            let text = |place: &usize| row.cells[*place].as_text().unwrap_or_default();
            let parents: Vec<&str> = self.parent_places.iter().map(text).collect();
            part.parents.push(xxh3_64(parents.join("\n").as_bytes()));
        }
    }
}

/// How a row can go.
enum Way {
    Bulk { crlf: bool },
    Rest,
    None(RowError),
}

fn judge(operation_key: Option<usize>, row: &InputRow) -> Way {
    if operation_key.is_some_and(|place| row.cells[place].as_text().is_none()) {
        // An upsert without the external id's value would make a record that cannot be found again.
        return Way::None(RowError::own("KeyMissing", "the column by which the record is found is empty"));
    }
    let mut characters = 0;
    let mut bulk = true;
    let (mut lf, mut crlf) = (false, false);
    for text in row.cells.iter().filter_map(Cell::as_text) {
        // characters are counted only where bytes do not settle it
        let length = if text.len() <= BULK_FIELD_LIMIT { text.len() } else { text.chars().count() };
        if length > FIELD_LIMIT {
            let message = format!("a value of {length} characters; no field takes more than {FIELD_LIMIT}");
            return Way::None(RowError::own("FieldTooLong", message));
        }
        characters += length;
        bulk &= length <= BULK_FIELD_LIMIT && text != NULL && !text.bytes().any(is_control);
        if text.contains(['\n', '\r']) {
            let plain = text.replace("\r\n", "");
            crlf |= plain.len() < text.len();
            lf |= plain.contains('\n');
            bulk &= !plain.contains('\r');
        }
    }
    // no load has lines of both ends
    let bulk = bulk && characters <= BULK_ROW_LIMIT && !(lf && crlf);
    if bulk { Way::Bulk { crlf } } else { Way::Rest }
}

/// Control characters that CSV readers take differently.
fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')
}

fn quote(text: &str, csv: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    let special = bytes.iter().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r'));
    if !special && !edge(bytes.first()) && !edge(bytes.last()) {
        return csv.extend_from_slice(bytes);
    }
    csv.push(b'"');
    for &byte in bytes {
        if byte == b'"' {
            csv.push(b'"');
        }
        csv.push(byte);
    }
    csv.push(b'"');
}

/// Hash of a row's cells as the org gives them back: nobody says whether `#N/A` comes back as that or as nothing, and
/// whether a line's end within a text stays as it is, so neither counts (K).
pub(crate) fn content_hash<'a>(cells: impl Iterator<Item = Option<&'a str>>, scratch: &mut Vec<u8>) -> u128 {
    scratch.clear();
    for cell in cells {
        let start = scratch.len();
        scratch.extend_from_slice(&[0; 4]);
        let text = cell.filter(|text| *text != NULL).unwrap_or_default();
        if text.contains('\r') {
            scratch.extend(text.bytes().filter(|byte| *byte != b'\r'));
        } else {
            scratch.extend_from_slice(text.as_bytes());
        }
        let length = (scratch.len() - start) as u32;
        scratch[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }
    xxh3_128(scratch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::Column;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    fn target() -> Target {
        Target::new("Contact", Operation::Insert, vec![Column::text("LastName"), Column::text("AccountId")])
            .parent("AccountId")
    }

    fn row(key: usize, cells: Vec<Cell>) -> InputRow {
        InputRow { key: format!("k{key}"), cells }
    }

    #[test]
    fn values_as_csv() {
        let target = target();
        let mut builder = PartBuilder::new(&target, PartLimits::default()).unwrap();
        for (key, cells) in [
            vec![text("O\"Neil"), text("001a")],
            vec![text(" a "), Cell::Null],
            vec![text("x,y\nz"), Cell::Absent],
            vec![text(""), text("N/A")],
            vec![text("#N/A"), Cell::Absent],
            vec![text(&"ä".repeat(32_001)), Cell::Absent],
            vec![text(&"x".repeat(131_073)), Cell::Absent],
            vec![text("a\u{1}"), Cell::Absent],
        ]
        .into_iter()
        .enumerate()
        {
            assert!(builder.push(row(key, cells)).unwrap().is_none());
        }
        let part = builder.take().unwrap();
        let csv: Vec<u8> = part.upload(vec![1, 0, 2, 3], false).flatten().collect();
        assert_eq!(
            String::from_utf8(csv).unwrap(),
            "\"LastName\",\"AccountId\"\n\" a \",#N/A\n\"O\"\"Neil\",001a\n\"x,y\nz\",\n#N/A,N/A\n"
        );
        let diverted: Vec<_> = part.diverted.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(diverted, ["k4", "k5", "k7"]);
        assert_eq!((part.refused[0].0.as_str(), part.refused[0].1.code.as_str()), ("k6", "FieldTooLong"));
        assert_eq!((part.key(0), part.key(3)), ("k0", "k3"));
        assert_eq!(
            part.upload_length(&[0], false),
            "\"LastName\",\"AccountId\"\n\"O\"\"Neil\",001a\n".len() as u64
        );
    }

    #[test]
    fn line_breaks_of_two_kinds_go_two_ways() {
        let target = target();
        let mut builder = PartBuilder::new(&target, PartLimits::default()).unwrap();
        for (key, value) in ["a\nb", "a\r\nb", "a\r\nb\nc", "a\rb", "ab"].into_iter().enumerate() {
            builder.push(row(key, vec![text(value), Cell::Absent])).unwrap();
        }
        let part = builder.take().unwrap();
        assert_eq!(part.crlf, [false, true, false]);
        assert_eq!(part.diverted.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["k2", "k3"]);
        let csv: Vec<u8> = part.upload(vec![1], true).flatten().collect();
        assert_eq!(csv, b"\"LastName\",\"AccountId\"\r\n\"a\r\nb\",\r\n");
        assert_eq!(part.upload_length(&[1], true), csv.len() as u64);
    }

    #[test]
    fn parts_stay_below_their_limits_and_have_every_row_once() {
        let target = target();
        for limits in [PartLimits { bytes: 120, rows: 1000 }, PartLimits { bytes: 10_000, rows: 7 }] {
            let mut builder = PartBuilder::new(&target, limits).unwrap();
            let mut parts = Vec::new();
            for key in 0..100 {
                parts.extend(
                    builder.push(row(key, vec![text(&format!("name {key}")), Cell::Absent])).unwrap(),
                );
            }
            parts.extend(builder.take());
            let mut keys = Vec::new();
            for (number, part) in parts.iter().enumerate() {
                let rows: Vec<u32> = (0..part.len() as u32).collect();
                assert!(part.upload_length(&rows, false) <= limits.bytes as u64 && part.len() <= limits.rows);
                assert_eq!(part.number, number as u32);
                keys.extend(rows.iter().map(|row| part.key(*row).to_owned()));
            }
            assert_eq!(keys, (0..100).map(|key| format!("k{key}")).collect::<Vec<_>>());
        }
        assert!(PartBuilder::new(&target, PartLimits { bytes: UPLOAD_LIMIT + 1, rows: 1 }).is_err());
    }

    #[test]
    fn an_upsert_without_its_key_is_refused_before_it_makes_a_record() {
        let operation = Operation::Upsert { external_id: "Ext__c".to_owned() };
        let target = Target::new("Account", operation, vec![Column::text("Ext__c"), Column::text("Name")]);
        let mut builder = PartBuilder::new(&target, PartLimits::default()).unwrap();
        builder.push(row(0, vec![Cell::Null, text("a")])).unwrap();
        let part = builder.take().unwrap();
        assert_eq!((part.len(), part.refused[0].1.code.as_str()), (0, "KeyMissing"));
        let mut builder = PartBuilder::new(&target, PartLimits::default()).unwrap();
        assert!(builder.push(row(0, vec![])).is_err());
    }
}
