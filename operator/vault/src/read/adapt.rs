//! A part as another schema than that of its time would have made it: columns of the types of that schema, hashes
//! over its fields.
//!
//! The row hash is a sum over cells, so a field that is gone is taken out of it without reading the others, and one
//! whose type changed is taken out in its old and put in in its new form. A field that is new is null in the part.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use orgkeep_core::schema::ObjectSchema;

use super::cell;
use super::cursor::Block;
use crate::codec::arena::{Arena, Op};
use crate::codec::columns::{Batch, RawCell};
use crate::codec::file::PartFile;
use crate::codec::kind::{Column, Kind, Role};
use crate::codec::{CodecError, hash, raw};

/// The schema that parts are read by.
#[derive(Debug)]
pub(crate) struct Adapter {
    columns: HashMap<String, Column>,
    has_derived: bool,
}

/// What one part needs for it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Wanted columns to be cast, by their place.
    casts: Vec<(usize, Column)>,
    /// Fields that the part's hashes hold otherwise.
    odd: Vec<Odd>,
    has_derived: bool,
}

#[derive(Debug)]
struct Odd {
    old: Column,
    old_type: DataType,
    new: Option<Column>,
}

/// Types whose cells have the same canonical bytes.
fn family(of: &DataType) -> u8 {
    match of {
        DataType::Decimal128(..) | DataType::Int32 | DataType::Int64 => 1,
        DataType::Boolean => 2,
        DataType::Date32 => 3,
        DataType::Timestamp(..) => 4,
        _ => 0,
    }
}

impl Adapter {
    pub(crate) fn new(schema: &ObjectSchema) -> Self {
        let columns: HashMap<String, Column> =
            schema.columns().map(|field| (field.name.clone(), Column::of(field))).collect();
        let has_derived = columns.values().any(|column| column.role == Role::Derived);
        Self { columns, has_derived }
    }

    /// Whether rows have a hash of derived fields.
    pub(crate) fn has_derived(&self) -> bool {
        self.has_derived
    }

    /// What a part needs so that its wanted columns are of the schema; `None` where they are.
    pub(super) fn plan(&self, file: &PartFile, wanted: &[String]) -> Result<Option<Plan>, CodecError> {
        let (mut casts, mut odd) = (Vec::new(), Vec::new());
        for (at, name) in wanted.iter().enumerate() {
            if let (Some(column), Ok(field)) = (self.columns.get(name), file.schema().field_with_name(name))
                && *field.data_type() != column.kind.data_type()
            {
                casts.push((at, column.clone()));
            }
        }
        if wanted.iter().any(|name| name == "_hash") {
            let derived = file.derived()?;
            for field in file.schema().fields().iter().filter(|field| !field.name().starts_with('_')) {
                let name = field.name();
                let role = Role::of(name, derived.contains(name));
                let new = self.columns.get(name);
                let same = new.is_some_and(|new| {
                    new.role == role && family(&new.kind.data_type()) == family(field.data_type())
                });
                if !same && (role != Role::Viewed || new.is_some_and(|new| new.role != Role::Viewed)) {
                    let old = Column { name: name.clone(), kind: Kind::Text, role, seed: hash::seed(name) };
                    odd.push(Odd { old, old_type: field.data_type().clone(), new: new.cloned() });
                }
            }
        }
        let needed = !casts.is_empty() || !odd.is_empty();
        Ok(needed.then_some(Plan { casts, odd, has_derived: self.has_derived }))
    }
}

impl Plan {
    /// Columns that are needed besides those wanted.
    pub(super) fn reads(&self) -> Vec<String> {
        self.odd.iter().map(|odd| odd.old.name.clone()).chain(["_raw".to_owned()]).collect()
    }

    /// Puts a block's columns right.
    pub(super) fn apply(
        &self,
        batch: &RecordBatch,
        wanted: &[String],
        block: &mut Block,
    ) -> Result<(), CodecError> {
        let raws = batch
            .column_by_name("_raw")
            .and_then(|raws| raws.as_string_opt::<i32>())
            .ok_or_else(|| CodecError::Format("_raw is no text".into()))?;
        let mut texts: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
        for row in (0..raws.len()).filter(|row| raws.is_valid(*row)) {
            texts.insert(row, raw::decode(raws.value(row))?);
        }
        let at = |name: &str| wanted.iter().position(|known| known == name);
        if let Some(place) = at("_hash").filter(|_| !self.odd.is_empty()) {
            let derived = at("_hash_derived");
            self.rehash(batch, &texts, block, (place, derived))?;
        }
        let mut moved = false;
        for (place, column) in &self.casts {
            let Some(old) = &block.columns[*place] else { continue };
            let (new, unfit) = cast(old, column)?;
            block.columns[*place] = Some(new);
            for (row, text) in unfit {
                moved = true;
                texts.entry(row).or_default().push((column.name.clone(), text));
            }
        }
        if let Some(place) = at("_raw").filter(|_| moved) {
            let mut builder = StringBuilder::new();
            for row in 0..batch.num_rows() {
                match texts.get(&row) {
                    Some(cells) => builder.append_value(raw::encode(
                        cells.iter().map(|(name, text)| (name.as_str(), text.as_str())),
                    )),
                    None => builder.append_null(),
                }
            }
            block.columns[place] = Some(Arc::new(builder.finish()));
        }
        Ok(())
    }

    fn rehash(
        &self,
        batch: &RecordBatch,
        texts: &BTreeMap<usize, Vec<(String, String)>>,
        block: &mut Block,
        (hash_at, derived_at): (usize, Option<usize>),
    ) -> Result<(), CodecError> {
        let rows = batch.num_rows();
        let mut sums = [vec![0_u128; rows], vec![0_u128; rows]];
        for odd in &self.odd {
            let Some(column) = batch.column_by_name(&odd.old.name) else { continue };
            let mut old = vec![0; rows];
            hash::add_column(odd.old.seed, column, &mut old)?;
            let mut new = vec![0; rows];
            if let Some(to) = &odd.new {
                let (cells, unfit) = cast(column, to)?;
                hash::add_column(to.seed, &cells, &mut new)?;
                for (row, text) in unfit {
                    new[row] = new[row].wrapping_add(hash::raw(to.seed, &to.kind.data_type(), &text));
                }
            }
            for (row, cells) in texts {
                for (_, text) in cells.iter().filter(|(name, _)| *name == odd.old.name) {
                    old[*row] = old[*row].wrapping_add(hash::raw(odd.old.seed, &odd.old_type, text));
                    if let Some(to) = &odd.new {
                        let again = hash::raw(to.seed, &to.kind.data_type(), text);
                        new[*row] = new[*row].wrapping_add(again);
                    }
                }
            }
            if let Some(which) = which(odd.old.role) {
                sums[which].iter_mut().zip(&old).for_each(|(sum, old)| *sum = sum.wrapping_sub(*old));
            }
            if let Some(which) = odd.new.as_ref().and_then(|new| which(new.role)) {
                sums[which].iter_mut().zip(&new).for_each(|(sum, new)| *sum = sum.wrapping_add(*new));
            }
        }
        let places = [(Some(hash_at), true), (derived_at, self.has_derived)];
        for ((place, wanted), sums) in places.into_iter().zip(&sums) {
            let Some(place) = place else { continue };
            let stored = block.columns[place].as_ref().and_then(|column| column.as_fixed_size_binary_opt());
            let deleted = |row: usize| block.deletes.as_ref().is_some_and(|deletes| deletes[row]);
            let mut builder = FixedSizeBinaryBuilder::with_capacity(rows, 16);
            for (row, sum) in sums.iter().enumerate() {
                if deleted(row) || !wanted {
                    builder.append_null();
                    continue;
                }
                let before = stored.filter(|stored| stored.is_valid(row)).map_or(0, |s| number(s.value(row)));
                builder.append_value(before.wrapping_add(*sum).to_le_bytes())?;
            }
            block.columns[place] = Some(Arc::new(builder.finish()));
        }
        Ok(())
    }
}

fn which(role: Role) -> Option<usize> {
    match role {
        Role::Compared => Some(0),
        Role::Derived => Some(1),
        Role::Viewed => None,
    }
}

/// A stored hash as the number that it is.
#[inline]
pub(crate) fn number(bytes: &[u8]) -> u128 {
    <[u8; 16]>::try_from(bytes).map_or(0, u128::from_le_bytes)
}

/// Cells that are not null, as another type has them, by way of their text; those that do not fit it by row.
fn cast(column: &ArrayRef, to: &Column) -> Result<(ArrayRef, Vec<(usize, String)>), CodecError> {
    let mut arena = Arena::new(1);
    let mut text = Vec::new();
    for row in 0..column.len() {
        if column.is_valid(row) {
            text.clear();
            cell::write_text(column, row, &mut text)?;
            arena.extend(&text);
        }
        arena.end_cell();
        arena.end_row(Op::Upsert);
    }
    let rows: Vec<u32> = (0..column.len() as u32).collect();
    let batch = Batch { arena: &arena, rows: &rows };
    let mut unfit: Vec<RawCell> = Vec::new();
    let new = batch.column(0, to, &mut unfit)?;
    let unfit = unfit.iter().map(|cell| Ok((cell.row, batch.cell(cell.row, 0)?.to_owned())));
    Ok((new, unfit.collect::<Result<_, CodecError>>()?))
}
