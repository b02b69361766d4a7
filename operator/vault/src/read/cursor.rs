//! One part as the merge sees it: blocks of rows in the order of their keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::adapt::Adapter;
use super::keys::Keys;
use crate::codec::CodecError;
use crate::codec::file::PartFile;
use crate::codec::key::key_of;

/// Rows that are decoded at once, at most.
pub(crate) const BLOCK_ROWS: usize = 1024;
/// Bytes of cells that are decoded at once, about: of each part over a key so many are held.
const BLOCK_BYTES: u64 = 2 << 20;

/// Number of the next block of this process.
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(0);

/// What a reading wants of each part.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Columns in the order in which blocks hold them; what a file lacks is `None` there.
    pub(crate) names: Arc<[String]>,
    /// Whether blocks hold the Ids as text, too.
    pub(crate) ids: bool,
    /// Rows of a block, at most.
    pub(crate) block_rows: usize,
    /// Makes columns and hashes what another schema would have made them.
    pub(crate) adapter: Option<Arc<Adapter>>,
}

/// Decoded rows of a part.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Tells blocks apart.
    pub(crate) serial: u64,
    /// Keys of the rows, ascending; zeros for an object without Ids.
    pub(crate) keys: Vec<u128>,
    /// Rows that delete, unless there is none.
    pub(crate) deletes: Option<Vec<bool>>,
    /// The Ids, if they are wanted.
    pub(crate) ids: Option<StringArray>,
    /// The wanted columns.
    pub(crate) columns: Vec<Option<ArrayRef>>,
}

/// A part that is being read, at one of its rows.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// Its place in the state: of equal keys the higher one counts.
    pub(crate) order: usize,
    pub(crate) path: Arc<str>,
    file: PartFile,
    mask: ProjectionMask,
    groups: std::vec::IntoIter<usize>,
    reader: Option<ParquetRecordBatchReader>,
    /// Where the wanted columns are in what the reader yields; found with the first batch.
    places: Option<Places>,
    wanted: Wanted,
    keys: Keys,
    has_id: bool,
    needs_ops: bool,
    plan: Option<super::adapt::Plan>,
    pub(crate) block: Block,
    pub(crate) at: usize,
    end: usize,
}

#[derive(Debug)]
struct Places {
    id: Option<usize>,
    op: Option<usize>,
    columns: Vec<Option<usize>>,
}

impl Cursor {
    /// A cursor at the first row that is looked for; `None` if there is none.
    pub(crate) fn open(
        order: usize,
        path: &str,
        file: PartFile,
        wanted: &Wanted,
        keys: &Keys,
        has_id: bool,
    ) -> Result<Option<Self>, CodecError> {
        let needs_ops = file.deletes() != Some(0);
        let plan = match &wanted.adapter {
            Some(adapter) => adapter.plan(&file, &wanted.names)?,
            None => None,
        };
        let own = needs_ops.then_some("_op").into_iter().chain(has_id.then_some("Id"));
        for name in own.clone() {
            if file.schema().index_of(name).is_err() {
                return Err(CodecError::Format(format!("no column {name}")));
            }
        }
        let more = plan.as_ref().map(super::adapt::Plan::reads).unwrap_or_default();
        let names = own.chain(wanted.names.iter().map(String::as_str)).chain(more.iter().map(String::as_str));
        let mask = file.mask(names);
        let groups: Vec<usize> = (0..file.groups())
            .filter(|group| file.keys(*group).is_none_or(|(least, greatest)| keys.touch(least, greatest)))
            .collect();
        let mut cursor = Self {
            order,
            path: path.into(),
            file,
            mask,
            groups: groups.into_iter(),
            reader: None,
            places: None,
            wanted: wanted.clone(),
            keys: keys.clone(),
            has_id,
            needs_ops,
            plan,
            block: Block::default(),
            at: 0,
            end: 0,
        };
        Ok(cursor.next_block()?.then_some(cursor))
    }

    /// Key of the row.
    #[inline]
    pub(crate) fn key(&self) -> u128 {
        self.block.keys[self.at]
    }

    /// Whether the row deletes.
    #[inline]
    pub(crate) fn deletes(&self) -> bool {
        self.block.deletes.as_ref().is_some_and(|deletes| deletes[self.at])
    }

    /// Moves on by so many rows of the block; false at the end of the part.
    #[inline]
    pub(crate) fn skip(&mut self, rows: usize) -> Result<bool, CodecError> {
        self.at += rows;
        if self.at < self.end { Ok(true) } else { self.next_block() }
    }

    /// Rows from here whose keys are less than `bound` and that do not delete.
    pub(crate) fn run(&self, bound: u128) -> usize {
        let keys = &self.block.keys[self.at..self.end];
        // Runs are short where changes are many, and blocks long where there are none.
        let mut many = 1;
        while many < keys.len() && keys[many] < bound {
            many *= 2;
        }
        let low = (many / 2).max(1).min(keys.len());
        many = low + keys[low..many.min(keys.len())].partition_point(|key| *key < bound);
        match &self.block.deletes {
            Some(deletes) => {
                deletes[self.at..self.at + many].iter().position(|delete| *delete).unwrap_or(many)
            }
            None => many,
        }
    }

    fn next_block(&mut self) -> Result<bool, CodecError> {
        loop {
            let batch = match self.reader.as_mut().and_then(Iterator::next) {
                Some(batch) => batch?,
                None => {
                    let Some(group) = self.groups.next() else { return Ok(false) };
                    let (rows, bytes) = self.file.extent(group, &self.mask);
                    let fitting = BLOCK_BYTES.saturating_mul(rows) / bytes.max(1);
                    let rows =
                        self.wanted.block_rows.min(usize::try_from(fitting).unwrap_or(usize::MAX)).max(1);
                    self.reader = Some(self.file.read_group(group, &self.mask, rows)?);
                    continue;
                }
            };
            if batch.num_rows() == 0 {
                continue;
            }
            let places = self.places.get_or_insert_with(|| {
                let schema = batch.schema();
                let place = |name: &str| schema.index_of(name).ok();
                Places {
                    id: place("Id"),
                    op: place("_op"),
                    columns: self.wanted.names.iter().map(|name| place(name)).collect(),
                }
            });
            let text = |place: Option<usize>| {
                place
                    .and_then(|at| batch.column(at).as_string_opt::<i32>())
                    .ok_or_else(|| CodecError::Format("Id or _op is no text".into()))
            };
            let ids = if self.has_id { Some(text(places.id)?) } else { None };
            self.block.keys.clear();
            match ids {
                Some(ids) => {
                    if ids.null_count() > 0 {
                        return Err(CodecError::Format("a row without an Id".into()));
                    }
                    let values = ids.value_data();
                    self.block.keys.extend(
                        ids.value_offsets().windows(2).map(|w| key_of(&values[w[0] as usize..w[1] as usize])),
                    );
                }
                None => self.block.keys.resize(batch.num_rows(), 0),
            }
            self.block.deletes = if self.needs_ops {
                let ops = text(places.op)?;
                let deletes: Vec<bool> = ops.iter().map(|op| op == Some("delete")).collect();
                deletes.contains(&true).then_some(deletes)
            } else {
                None
            };
            let columns = places.columns.iter().map(|at| at.map(|at| batch.column(at).clone())).collect();
            self.block.columns = columns;
            self.block.ids = if self.wanted.ids { ids.cloned() } else { None };
            if let Some(plan) = &self.plan {
                plan.apply(&batch, &self.wanted.names, &mut self.block)?;
            }
            self.block.serial = NEXT_SERIAL.fetch_add(1, Ordering::Relaxed);
            (self.at, self.end) = self.keys.bounds(&self.block.keys);
            if self.at < self.end {
                return Ok(true);
            }
        }
    }
}
