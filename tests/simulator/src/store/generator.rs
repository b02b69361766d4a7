//! Generated rows: every cell is a pure function of the seed, the row's number and the field, so that any
//! number of rows costs no memory and the same directory always gives the same org.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::index::{hash, same};
use super::recipe::{ALWAYS, Recipe, recipe_for};
use super::words::{
    CITIES, COMPANY, COMPANY_END, COUNTRIES, FIRST_NAMES, LAST_NAMES, STATES, STREETS, WORDS,
};
use crate::schema::{FieldType, Object};
use crate::value::calendar::DAY_MS;
use crate::value::{Cell, Decimal, Id};

/// 2015-01-01T00:00:00Z in seconds: generated rows were created from then …
const CREATED_FROM: u64 = 1_420_070_400;
/// … and last changed before 2026-01-01T00:00:00Z.
const CHANGED_UNTIL: u64 = 1_767_225_600;

/// Rows of an object at most for which it is worth the memory (8 bytes a row) to know which ones have a value.
const MOST_INDEXED: u64 = 16_000_000;

/// Where a generated reference may point.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Pool {
    /// Rows of this list.
    Ids(Vec<Id>),
    /// Generated rows of another object: key prefix and count.
    Generated([u8; 3], u64),
    /// Earlier rows of the same object.
    Earlier,
}

/// One field's plan.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Column {
    pub(super) recipe: Recipe,
    /// Of 256 rows, how many have a value.
    pub(super) fill: u16,
    pub(super) salt: u64,
    /// What decides whether there is a value: the same for all parts of an address.
    pub(super) group_salt: u64,
    /// Characters that the text may have.
    pub(super) length: usize,
    /// Lower half of the values' hashes, and row numbers, sorted: made when it is first asked which rows have a value.
    #[serde(skip)]
    index: OnceLock<Box<[(u32, u32)]>>,
}

/// Makes the rows of one object.
#[derive(Debug)]
pub struct Generator {
    seed: u64,
    prefix: [u8; 3],
    count: u64,
    columns: Vec<Arc<Column>>,
}

/// A generator as it is saved.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Kept<C> {
    seed: u64,
    prefix: [u8; 3],
    count: u64,
    columns: Vec<C>,
}

impl<C> Kept<C> {
    /// How many fields it knows.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }
}

impl Generator {
    /// The serial number of the first generated row; loaded rows stay below it.
    pub const FIRST_SERIAL: u64 = 62 * 62 * 62 * 62 * 62;

    /// A generator of `count` rows of an object. `pool_of` tells where references to an object may point.
    pub fn new(
        object: &Object,
        prefix: [u8; 3],
        count: u64,
        seed: u64,
        pool_of: impl Fn(&str) -> Option<Pool>,
    ) -> Self {
        let columns = object
            .fields
            .iter()
            .map(|field| {
                let (recipe, fill) = recipe_for(object, field, &pool_of);
                let group = field.compound.as_deref().unwrap_or(&field.name);
                let (salt, group_salt) = (hash_name(&field.name), hash_name(group));
                Arc::new(Column {
                    recipe,
                    fill,
                    salt,
                    group_salt,
                    length: field.length,
                    index: OnceLock::new(),
                })
            })
            .collect();
        Self { seed: mix(seed ^ hash_name(&object.name)), prefix, count, columns }
    }

    /// The same rows with other fields: `old_of` has for each new field the number that it had. Fields that are
    /// new are empty in every generated row.
    pub(super) fn renumbered(&self, object: &Object, old_of: &[Option<usize>]) -> Self {
        let column = |(new, old): (usize, &Option<usize>)| match old {
            Some(old) => self.columns[*old].clone(),
            None => {
                let boolean = object.fields[new].kind == FieldType::Boolean;
                let (recipe, fill) = if boolean { (Recipe::Boolean(0), ALWAYS) } else { (Recipe::Null, 0) };
                let index = OnceLock::new();
                Arc::new(Column { recipe, fill, salt: 0, group_salt: 0, length: 0, index })
            }
        };
        Self { columns: old_of.iter().enumerate().map(column).collect(), ..*self }
    }

    /// What it takes to make the same rows again, for an org that is saved.
    pub(crate) fn kept(&self) -> Kept<&Column> {
        let columns = self.columns.iter().map(|column| &**column).collect();
        Kept { seed: self.seed, prefix: self.prefix, count: self.count, columns }
    }

    /// The generator of an org that was saved.
    pub(crate) fn of(kept: Kept<Column>) -> Self {
        let columns = kept.columns.into_iter().map(Arc::new).collect();
        Self { seed: kept.seed, prefix: kept.prefix, count: kept.count, columns }
    }

    /// Key prefix of its ids.
    pub fn prefix(&self) -> [u8; 3] {
        self.prefix
    }

    /// How many rows it makes.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The id of a row.
    pub fn id(&self, index: u64) -> Id {
        Id::new(self.prefix, Self::FIRST_SERIAL + index)
    }

    /// Whether a field is joined from others, which [`Generator::cell`] leaves to the caller.
    pub fn joins(&self, field: usize) -> bool {
        matches!(self.columns[field].recipe, Recipe::Joined)
    }

    /// One cell; text is written to `scratch` (which is cleared).
    pub fn cell<'a>(&'a self, index: u64, field: usize, scratch: &'a mut String) -> Cell<'a> {
        let column = &self.columns[field];
        if column.fill == 0 {
            return Cell::Null;
        }
        let place = index.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut drawn = mix((self.seed ^ column.group_salt).wrapping_add(place));
        if (drawn >> 56) as u16 >= column.fill {
            return Cell::Null;
        }
        if column.salt != column.group_salt {
            drawn = mix((self.seed ^ column.salt).wrapping_add(place));
        }
        let random = drawn;
        match &column.recipe {
            Recipe::Null | Recipe::Joined => Cell::Null,
            Recipe::OwnId => Cell::Id(self.id(index)),
            Recipe::Boolean(of_256) => Cell::Bool((random >> 8 & 0xFF) < u64::from(*of_256)),
            Recipe::Created => Cell::DateTime(seconds(self.created(index))),
            Recipe::Modified => Cell::DateTime(seconds(self.modified(index))),
            Recipe::Stamped => Cell::DateTime(seconds(self.stamped(index))),
            Recipe::Reference(pool) => self.reference(pool, index, random),
            Recipe::Picklist(values) => Cell::Text(zipf(values, random)),
            Recipe::Number { scale, digits } => {
                Cell::Number(Decimal::new(log_number(random, *digits), *scale))
            }
            Recipe::Degrees(most) => {
                let span = 2 * most * 1_000_000;
                Cell::Number(Decimal::new((random % span) as i64 - (span / 2) as i64, 6))
            }
            Recipe::Int(digits) => Cell::Int(log_number(random, *digits)),
            Recipe::Date => Cell::Date((CREATED_FROM / 86_400 + random % 4_000) as i32),
            Recipe::DateTime => {
                Cell::DateTime(seconds(CREATED_FROM + random % (CHANGED_UNTIL - CREATED_FROM)))
            }
            Recipe::Time => Cell::Time((random % (DAY_MS as u64 / 60_000) * 60_000) as i32),
            recipe => {
                scratch.clear();
                write_text(recipe, column, index, random, scratch);
                cut(scratch, column.length);
                Cell::Text(scratch)
            }
        }
    }

    /// Numbers of the rows that have a value, whose hash is given, in a field; `None` if only reading all of them can
    /// tell.
    pub(super) fn rows_with(
        &self,
        field: usize,
        hash: u64,
        case_sensitive: bool,
        value: Cell<'_>,
    ) -> Option<Vec<u64>> {
        let column = &self.columns[field];
        let mut scratch = String::new();
        let mut has = |index: &u64| same(case_sensitive, self.cell(*index, field, &mut scratch), value);
        match (&column.recipe, value) {
            (Recipe::Joined, _) => return None,
            (Recipe::Null, _) => return Some(Vec::new()),
            (Recipe::Reference(Pool::Generated(prefix, _)), Cell::Id(id)) if id.prefix() != *prefix => {
                return Some(Vec::new());
            }
            (Recipe::Reference(Pool::Ids(ids)), Cell::Id(id)) if !ids.contains(&id) => {
                return Some(Vec::new());
            }
            (Recipe::Reference(Pool::Earlier), Cell::Id(id)) if id.prefix() != self.prefix => {
                return Some(Vec::new());
            }
            (Recipe::Key, Cell::Text(text)) if !self.cuts_keys(column) => {
                let number = text.get(..2).filter(|head| head.eq_ignore_ascii_case("K-"));
                let number = number.and_then(|_| text[2..].parse::<u64>().ok()?.checked_sub(1));
                return Some(number.filter(|n| *n < self.count).filter(|n| has(n)).into_iter().collect());
            }
            _ if column.fill == 0 => return Some(Vec::new()),
            _ if self.count > MOST_INDEXED => return None,
            _ => {}
        }
        let entries = column.index.get_or_init(|| self.indexed(field));
        let start = entries.partition_point(|(known, _)| *known < hash as u32);
        let candidates = entries[start..].iter().take_while(|(known, _)| *known == hash as u32);
        Some(candidates.map(|(_, index)| u64::from(*index)).filter(|index| has(index)).collect())
    }

    /// Whether the highest numbers are cut off keys, which are then not told from the number alone.
    fn cuts_keys(&self, column: &Column) -> bool {
        column.length > 0 && "K-".len() + self.count.to_string().len() > column.length
    }

    fn indexed(&self, field: usize) -> Box<[(u32, u32)]> {
        let mut scratch = String::new();
        let entry = |index: u64| Some((hash(self.cell(index, field, &mut scratch))? as u32, index as u32));
        let mut entries: Vec<(u32, u32)> = (0..self.count).filter_map(entry).collect();
        entries.sort_unstable();
        entries.into_boxed_slice()
    }

    fn created(&self, index: u64) -> u64 {
        let span = CHANGED_UNTIL - CREATED_FROM - 86_400;
        let step = u128::from(index) * u128::from(span) / u128::from(self.count.max(1));
        CREATED_FROM + step as u64
    }

    fn modified(&self, index: u64) -> u64 {
        let created = self.created(index);
        let random = mix(self.seed ^ index ^ 0x6D6F_6469);
        // three in ten rows were never touched again
        if random % 10 < 3 { created } else { created + random / 10 % (CHANGED_UNTIL - created) }
    }

    fn stamped(&self, index: u64) -> u64 {
        let modified = self.modified(index);
        let random = mix(self.seed ^ index ^ 0x7374_616D);
        // one in eight rows was touched later by automation, which moves SystemModstamp alone
        if random.is_multiple_of(8) { modified + random / 8 % (CHANGED_UNTIL - modified) } else { modified }
    }

    fn reference(&self, pool: &Pool, index: u64, random: u64) -> Cell<'static> {
        match pool {
            Pool::Ids(ids) => {
                ids.get((random % ids.len().max(1) as u64) as usize).map_or(Cell::Null, |i| Cell::Id(*i))
            }
            Pool::Generated(_, 0) => Cell::Null,
            Pool::Generated(prefix, count) => Cell::Id(Id::new(*prefix, Self::FIRST_SERIAL + random % count)),
            Pool::Earlier => Cell::Id(self.id(random % (index + 1))),
        }
    }
}

/// The finalizer of SplitMix64: spreads every bit of the input over the output.
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// FNV-1a, the same on every machine.
pub(super) fn hash_name(name: &str) -> u64 {
    name.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

fn seconds(seconds: u64) -> i64 {
    (seconds * 1_000) as i64
}

/// Early entries far more often than late ones.
fn zipf<S: AsRef<str>>(values: &[S], random: u64) -> &str {
    let (a, b) = (random & 0xFFFF, random >> 16 & 0xFFFF);
    let at = (a * b * values.len() as u64) >> 32;
    values.get(at as usize).map_or("", AsRef::as_ref)
}

/// Numbers of all sizes up to `digits` digits, small ones more often.
fn log_number(random: u64, digits: u8) -> i64 {
    let size = 1 + (random >> 40) % u64::from(digits.clamp(1, 18));
    (random % 10u64.pow(size as u32)) as i64
}

fn write_text(recipe: &Recipe, column: &Column, index: u64, random: u64, out: &mut String) {
    match recipe {
        Recipe::Company => {
            push(out, &[zipf(&COMPANY, random), " ", zipf(&COMPANY_END, random >> 20), " "]);
            push_number(out, index + 1);
        }
        Recipe::FirstName => out.push_str(zipf(&FIRST_NAMES, random)),
        Recipe::LastName => out.push_str(zipf(&LAST_NAMES, random)),
        Recipe::City => out.push_str(zipf(&CITIES, random)),
        Recipe::Country => out.push_str(zipf(&COUNTRIES, random)),
        Recipe::State => out.push_str(zipf(&STATES, random)),
        Recipe::Street => {
            push_number(out, 1 + random % 4_000);
            push(out, &[" ", zipf(&STREETS, random >> 12)]);
            if random.is_multiple_of(5) {
                out.push_str("\nSuite ");
                push_number(out, 1 + random % 900);
            }
        }
        Recipe::Phone => {
            out.push('(');
            push_number(out, 201 + random % 700);
            out.push_str(") 555-");
            push_number(out, 1_000 + (random >> 20) % 9_000);
        }
        Recipe::Email => {
            out.push_str("user");
            push_number(out, index);
            push(out, &[".", if random.is_multiple_of(2) { "sales" } else { "office" }, "@example.com"]);
        }
        Recipe::Url => {
            out.push_str("https://www.example.com/");
            push_number(out, random % 1_000_000);
        }
        Recipe::Key => {
            out.push_str("K-");
            push_number(out, index + 1);
        }
        Recipe::Digits => push_number(out, random % 10u64.pow(column.length.clamp(1, 9) as u32)),
        Recipe::MultiPicklist(values) => {
            // a run of neighbours, in the order of the picklist, as Salesforce stores them
            let first = (random % values.len().max(1) as u64) as usize;
            let many = 1 + (random >> 32) as usize % 3;
            for (n, value) in values.iter().skip(first).take(many).enumerate() {
                push(out, &[if n == 0 { "" } else { ";" }, value]);
            }
        }
        Recipe::Note(most) => write_note(random, *most, out),
        _ => write_words(random, 1 + random % 4, out),
    }
}

fn write_words(random: u64, count: u64, out: &mut String) {
    let mut state = random;
    for n in 0..count {
        if n > 0 {
            out.push(' ');
        }
        state = mix(state.wrapping_add(0x9E37_79B9_7F4A_7C15));
        out.push_str(zipf(&WORDS, state));
    }
}

fn write_note(random: u64, most: u64, out: &mut String) {
    let words = 4 + (random >> 24) % most.max(1);
    let mut state = random;
    let mut left = words;
    while left > 0 {
        let line = left.min(12);
        state = mix(state);
        write_words(state, line, out);
        left -= line;
        if left > 0 {
            out.push('\n');
        }
    }
}

fn push(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}

fn push_number(out: &mut String, number: u64) {
    let mut divisor = 1u64;
    while number / divisor >= 10 {
        divisor *= 10;
    }
    while divisor > 0 {
        out.push(char::from(b'0' + (number / divisor % 10) as u8));
        divisor /= 10;
    }
}

/// Cuts a text to so many characters; 0 means no limit.
fn cut(text: &mut String, length: usize) {
    if length > 0 && text.len() > length {
        let end = text.char_indices().nth(length).map_or(text.len(), |(at, _)| at);
        text.truncate(end);
        text.truncate(text.trim_end().len());
    }
}
