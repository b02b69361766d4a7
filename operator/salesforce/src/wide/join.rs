//! Rows of several parts put together by their id.

use std::collections::HashMap;

use super::Row;
use crate::soql::Select;

/// Rows that may wait for their other parts. Parts are read evenly and in the same order, so only rows that were
/// made or deleted meanwhile wait for longer than a page.
const WAITING_LIMIT: usize = 20_000;

/// Why rows cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoinFault {
    /// A part gave a row without an id.
    #[error("a row without an Id")]
    NoId,
    /// A part gave a row twice, or not in its place.
    #[error("the row {0} came twice or out of order")]
    Order(String),
    /// Too many rows wait.
    #[error("{0} rows wait for their other parts")]
    Waiting(usize),
}

/// The joiner.
#[derive(Debug)]
pub(crate) struct Join {
    /// For each column of the whole select: the part that has it, and where.
    places: Vec<(usize, usize)>,
    stamped: bool,
    waiting: HashMap<String, Vec<Option<Row>>>,
    given: Vec<Given>,
}

/// What a part has given.
#[derive(Debug, Default, Clone)]
struct Given {
    rows: u64,
    last: String,
    /// Whether the ids came in the order of their bytes, and of their letters without case: which of them an org
    /// sorts by is not promised, that it sorts is.
    by_bytes: bool,
    by_letters: bool,
}

impl Join {
    /// A joiner of the parts into which a select was split.
    pub(crate) fn new(select: &Select, parts: &[Select]) -> Self {
        let place = |column: &String| {
            parts.iter().enumerate().find_map(|(part, select)| {
                select.columns().iter().position(|name| name == column).map(|at| (part, at))
            })
        };
        let second = parts.first().and_then(|part| part.columns().get(1));
        let given = Given { by_bytes: true, by_letters: true, ..Given::default() };
        Self {
            places: select.columns().iter().filter_map(place).collect(),
            // Every part has the stamp in the second place, or none has it.
            stamped: parts.len() > 1 && parts.iter().all(|part| part.columns().get(1) == second),
            waiting: HashMap::new(),
            given: vec![given; parts.len()],
        }
    }

    /// The part that is behind the others, of those that are not at their end.
    pub(crate) fn behind(&self, ended: impl Fn(usize) -> bool) -> Option<usize> {
        (0..self.given.len()).filter(|&part| !ended(part)).min_by_key(|&part| self.given[part].rows)
    }

    /// Takes a row of a part, and gives the whole one if this was the last of its parts.
    pub(crate) fn put(&mut self, part: usize, row: Row) -> Result<Joined, JoinFault> {
        let id = row.first().cloned().flatten().ok_or(JoinFault::NoId)?;
        if !self.given[part].next(&id) {
            return Err(JoinFault::Order(id));
        }
        let width = self.given.len();
        let parts = self.waiting.entry(id.clone()).or_insert_with(|| vec![None; width]);
        if parts[part].replace(row).is_some() {
            return Err(JoinFault::Order(id));
        }
        if parts.iter().any(Option::is_none) {
            if self.waiting.len() > WAITING_LIMIT {
                return Err(JoinFault::Waiting(self.waiting.len()));
            }
            return Ok(Joined::Waits);
        }
        let parts = self.waiting.remove(&id).unwrap_or_default();
        Ok(self.whole(parts).map_or(Joined::Changed(id), Joined::Whole))
    }

    /// Ids of rows that not all parts gave, once all parts are at their end; in their order.
    pub(crate) fn left(&mut self) -> Vec<String> {
        let mut ids: Vec<String> = self.waiting.drain().map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    /// The row in the select's own order, if all parts are there and of one stamp.
    pub(crate) fn whole(&self, parts: Vec<Option<Row>>) -> Option<Row> {
        let mut rows: Vec<Row> = parts.into_iter().collect::<Option<_>>()?;
        if self.stamped && rows.iter().any(|row| row.get(1) != rows[0].get(1)) {
            return None;
        }
        let cells = self.places.iter().map(|&(part, at)| rows.get_mut(part)?.get_mut(at).map(Option::take));
        cells.collect()
    }
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Joined {
    /// Other parts have not given it yet.
    Waits,
    /// It is whole.
    Whole(Row),
    /// It changed between its parts; its id.
    Changed(String),
}

impl Given {
    /// Whether the id may come next.
    fn next(&mut self, id: &str) -> bool {
        if self.rows > 0 {
            self.by_bytes &= *self.last < *id;
            let fold = |text: &str| text.to_ascii_lowercase();
            self.by_letters &= self.last != id && fold(&self.last) <= fold(id);
        }
        self.rows += 1;
        id.clone_into(&mut self.last);
        self.by_bytes || self.by_letters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn parts() -> (Select, Vec<Select>) {
        let select = Select::new("X", &["B", "Id", "A", "SystemModstamp"]);
        let part = |name: &str| Select::new("X", &["Id", "SystemModstamp", name]);
        (select, vec![part("A"), part("B")])
    }

    fn row(id: &str, stamp: &str, value: &str) -> Row {
        vec![cell(id), cell(stamp), cell(value)]
    }

    #[test]
    fn a_row_is_whole_when_all_parts_gave_it_with_one_stamp() {
        let (select, parts) = parts();
        let mut join = Join::new(&select, &parts);
        assert_eq!(join.put(0, row("1", "t", "a")), Ok(Joined::Waits));
        let whole = vec![cell("b"), cell("1"), cell("a"), cell("t")];
        assert_eq!(join.put(1, row("1", "t", "b")), Ok(Joined::Whole(whole)));
        assert_eq!(join.put(0, row("2", "t", "a")), Ok(Joined::Waits));
        assert_eq!(join.put(1, row("2", "u", "b")), Ok(Joined::Changed("2".to_owned())));
        assert_eq!(join.put(1, row("3", "u", "b")), Ok(Joined::Waits));
        assert_eq!(join.left(), ["3"]);
    }

    #[test]
    fn a_row_twice_is_a_fault_and_so_is_one_without_an_id() {
        let (select, parts) = parts();
        let mut join = Join::new(&select, &parts);
        join.put(0, row("2", "t", "a")).unwrap();
        join.put(1, row("2", "t", "b")).unwrap();
        assert_eq!(join.put(0, row("2", "t", "a")), Err(JoinFault::Order("2".to_owned())));
        let mut join = Join::new(&select, &parts);
        join.put(0, row("2", "t", "a")).unwrap();
        assert_eq!(join.put(0, row("1", "t", "a")), Err(JoinFault::Order("1".to_owned())));
        assert_eq!(join.put(1, vec![None, None, None]), Err(JoinFault::NoId));
    }

    #[test]
    fn both_orders_of_letters_are_orders() {
        for ids in [["0A", "0a", "0b"], ["0a", "0A", "0B"]] {
            let (select, parts) = parts();
            let mut join = Join::new(&select, &parts);
            for id in ids {
                assert_eq!(join.put(0, row(id, "t", "a")), Ok(Joined::Waits));
            }
        }
    }

    #[test]
    fn without_a_stamp_the_ids_alone_join() {
        let select = Select::new("X", &["Id", "A", "B"]);
        let parts = [Select::new("X", &["Id", "A"]), Select::new("X", &["Id", "B"])];
        let mut join = Join::new(&select, &parts);
        join.put(0, vec![cell("1"), cell("a")]).unwrap();
        let whole = vec![cell("1"), cell("a"), cell("b")];
        assert_eq!(join.put(1, vec![cell("1"), cell("b")]), Ok(Joined::Whole(whole)));
    }

    proptest! {
        /// Rows that are missing from a part, or changed between parts, are named; all others come whole, once.
        #[test]
        fn every_id_is_joined_named_or_gone(kinds in proptest::collection::vec(0_u8..5, 0..60)) {
            let (select, parts) = parts();
            let mut join = Join::new(&select, &parts);
            let id = |n: usize| format!("{n:04}");
            let given = |part: usize| -> Vec<Row> {
                kinds.iter().enumerate().filter_map(|(n, kind)| match (kind, part) {
                    (0, 1) | (1, 0) => None,
                    (2, 1) => Some(row(&id(n), "later", "x")),
                    _ => Some(row(&id(n), "t", "x")),
                }).collect()
            };
            let mut rest = [given(0).into_iter(), given(1).into_iter()];
            let (mut whole, mut named) = (Vec::new(), Vec::new());
            while let Some(part) = join.behind(|part| rest[part].len() == 0) {
                let Some(row) = rest[part].next() else { break };
                match join.put(part, row).unwrap() {
                    Joined::Waits => {}
                    Joined::Whole(row) => whole.extend(row[1].clone()),
                    Joined::Changed(id) => named.push(id),
                }
            }
            named.extend(join.left());
            named.sort_unstable();
            whole.sort_unstable();
            let ids = |wanted: &[u8]| -> Vec<String> {
                kinds.iter().enumerate().filter(|(_, kind)| wanted.contains(kind)).map(|(n, _)| id(n)).collect()
            };
            prop_assert_eq!(named, ids(&[0, 1, 2]));
            prop_assert_eq!(whole, ids(&[3, 4]));
        }
    }
}
