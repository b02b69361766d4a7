//! Which columns go into which part.

use crate::error::{Error, Result};
use crate::soql::Select;

/// What tells that a row has changed, best first. An object with none of them (history rows, which never change)
/// is joined by its ids alone.
const STAMPS: [&str; 2] = ["SystemModstamp", "LastModifiedDate"];

/// Splits a select into parts that fit; `None` if it fits as it is.
///
/// `fits` says whether a select is short enough, `fits_part` the same of a part, which must leave room for a
/// condition on ids. Each part selects `Id` first, the stamp second where there is one, then its own columns.
pub(crate) fn split(
    select: &Select,
    fits: impl Fn(&Select) -> bool,
    fits_part: impl Fn(&Select) -> bool,
) -> Result<Option<Vec<Select>>> {
    if fits(select) {
        return Ok(None);
    }
    let too_long = |detail: &str| Error::QueryTooLong {
        object: select.object().to_owned(),
        detail: format!("the query is longer than the org takes, and {detail}"),
        by_rest: false,
    };
    let has = |name: &str| select.columns().iter().any(|column| column == name);
    if !has("Id") {
        return Err(too_long("its parts cannot be joined without Id among the columns"));
    }
    if select.is_limited() {
        return Err(too_long("a query with a limit cannot be read in parts"));
    }
    let mut keys = vec!["Id".to_owned()];
    keys.extend(STAMPS.iter().find(|stamp| has(stamp)).map(|&stamp| stamp.to_owned()));
    let part = |columns: &[String]| {
        select.with_columns(keys.iter().chain(columns).cloned().collect()).order_by("Id")
    };
    let mut rest: Vec<String> =
        select.columns().iter().filter(|column| !keys.contains(column)).cloned().collect();
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let counts: Vec<usize> = (1..=rest.len()).collect();
        // The length grows with each column, so the last count that fits is found by bisection.
        let count = counts.partition_point(|&count| fits_part(&part(&rest[..count])));
        if count == 0 {
            return Err(too_long("its conditions alone are too long"));
        }
        parts.push(part(&rest[..count]));
        rest.drain(..count);
    }
    Ok(Some(parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn select(names: impl IntoIterator<Item = String>) -> Select {
        let names: Vec<String> = names.into_iter().collect();
        Select::new("Wide__c", &names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn wide(columns: usize) -> Select {
        let keys = ["Id", "SystemModstamp"].into_iter().map(str::to_owned);
        select(keys.chain((0..columns).map(|n| format!("Some_Quite_Long_Custom_Field_Name_{n}__c"))))
    }

    fn by_length(limit: usize) -> impl Fn(&Select) -> bool {
        move |select| select.to_soql().len() <= limit
    }

    fn split_at(select: &Select, limit: usize) -> Result<Option<Vec<Select>>> {
        split(select, by_length(limit), by_length(limit.saturating_sub(50)))
    }

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(split_at(&wide(50), 16_000).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_joined_is_said() {
        let keyless = wide(800).with_columns(wide(800).columns()[2..].to_vec());
        assert!(split_at(&keyless, 16_000).unwrap_err().to_string().contains("without Id"));
        assert!(split_at(&wide(800).limit(5), 16_000).unwrap_err().to_string().contains("limit"));
        let long = wide(800).filter("x".repeat(20_000));
        assert!(split_at(&long, 16_000).unwrap_err().to_string().contains("conditions alone"));
    }

    #[test]
    fn the_stamp_is_the_best_there_is() {
        let keys = |names: &[&str]| {
            let others = (0..30).map(|n| format!("Field_{n}__c"));
            let select = select(names.iter().map(|&name| name.to_owned()).chain(others));
            split_at(&select, 300).unwrap().unwrap()[0].columns()[..2].to_vec()
        };
        assert_eq!(keys(&["LastModifiedDate", "SystemModstamp", "Id"]), ["Id", "SystemModstamp"]);
        assert_eq!(keys(&["LastModifiedDate", "Id"]), ["Id", "LastModifiedDate"]);
        assert_eq!(keys(&["Id"]), ["Id", "Field_0__c"]);
    }

    proptest! {
        #[test]
        fn each_part_fits_and_together_they_have_every_column_once(
            lengths in proptest::collection::vec(3_usize..80, 1..200), limit in 200_usize..3_000,
        ) {
            let names = lengths.iter().enumerate().map(|(n, length)| format!("F{n}_{}", "x".repeat(*length)));
            let select = select(["Id".to_owned(), "SystemModstamp".to_owned()].into_iter().chain(names));
            if let Some(parts) = split_at(&select, limit).unwrap() {
                let mut columns = select.columns()[..2].to_vec();
                for part in &parts {
                    prop_assert!(part.to_soql().len() <= limit - 50);
                    prop_assert!(part.to_soql().ends_with(" ORDER BY Id"));
                    prop_assert_eq!(&part.columns()[..2], &select.columns()[..2]);
                    columns.extend(part.columns()[2..].iter().cloned());
                }
                prop_assert_eq!(columns, select.columns());
            } else {
                prop_assert!(select.to_soql().len() <= limit);
            }
        }
    }
}
