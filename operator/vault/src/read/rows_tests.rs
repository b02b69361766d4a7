//! What is read back is what came in, merged.

use super::*;
use crate::codec::testing::{id, key, object, page, parts, row};
use crate::codec::{PartCheck, PartWriter, Settings, check_part};
use crate::read::{write_csv, write_json, write_json_lines};
use bytes::Bytes;
use proptest::prelude::*;

/// A state of parts held in memory, by their place.
fn read<'a>(
    files: &'a [(Option<u32>, Bytes)],
    fields: Option<&[&str]>,
) -> Rows<impl FnMut(&PartRef) -> Opened + 'a> {
    let refs = files
        .iter()
        .enumerate()
        .map(|(at, (min, _))| PartRef { path: at.to_string(), min_id: min.map(id), max_id: None })
        .collect();
    let fields: Option<Vec<String>> =
        fields.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Rows::new(&object(), fields.as_deref(), refs, |part: &PartRef| {
        Ok((files[part.path.parse::<usize>()?].1.clone().into(), Some(key())))
    })
    .unwrap()
}

fn file(rows: &[(u32, Option<&str>)]) -> Bytes {
    let mut writer = PartWriter::new(&object(), Some(&key()), Settings::default()).unwrap();
    for (number, name) in rows {
        if let Some(name) = name {
            let cells = row(*number, name);
            let cells: Vec<Option<&str>> = cells.iter().map(|cell| Some(cell.as_str())).collect();
            writer.push_row(&cells).unwrap();
        } else {
            writer.push_delete(&id(*number)).unwrap();
        }
    }
    writer.finish().unwrap().remove(0).bytes
}

#[test]
fn csv_comes_back_as_it_went_in() {
    let mut second = row(2, "say \"hi\",\nthen go");
    second[2] = "0.005".into();
    second[3] = String::new();
    let files = [(None, parts(&page(&[second, row(1, "Acmé")]), Settings::default())[0].bytes.clone())];
    let mut out = Vec::new();
    assert_eq!(write_csv(&mut read(&files, None), &mut out).unwrap(), 2);
    let expected = [
        "\"Id\",\"Name\",\"AnnualRevenue\",\"Count__c\",\"Big__c\",\"IsDeleted\",\"Founded__c\",\"SystemModstamp\",\"LastViewedDate\",\"Score__c\"\n",
        &format!("\"{}\",\"Acmé\",\"350000000\",\"7\",\"9007199254740993\",\"false\",\"2026-01-31\",\"2026-01-31T10:11:12.000Z\",\"2026-02-01T00:00:00.000Z\",\"1.5\"\n", id(1)),
        &format!("\"{}\",\"say \"\"hi\"\",\nthen go\",\"0.005\",\"\",\"9007199254740993\",\"false\",\"2026-01-31\",\"2026-01-31T10:11:12.000Z\",\"2026-02-01T00:00:00.000Z\",\"1.5\"\n", id(2)),
    ]
    .concat();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn json_has_exact_numbers_and_nulls() {
    let mut cells = row(1, "a\"b");
    cells[2] = "0.005".into();
    cells[3] = String::new();
    cells[9] = "NaN".into();
    let files = [(None, parts(&page(&[cells]), Settings::default())[0].bytes.clone())];
    let fields = ["name", "AnnualRevenue", "Count__c", "Big__c", "IsDeleted", "Founded__c", "Score__c"];
    let mut out = Vec::new();
    write_json_lines(&mut read(&files, Some(&fields)), &mut out).unwrap();
    let line = "{\"Name\":\"a\\\"b\",\"AnnualRevenue\":0.005,\"Count__c\":null,\"Big__c\":9007199254740993,\
                \"IsDeleted\":false,\"Founded__c\":\"2026-01-31\",\"Score__c\":\"NaN\"}\n";
    assert_eq!(String::from_utf8(out).unwrap(), line);
    let mut out = Vec::new();
    write_json(&mut read(&files, Some(&fields)), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), format!("[\n{line}]\n"));
    let mut out = Vec::new();
    write_json(&mut read(&[], None), &mut out).unwrap();
    assert_eq!(out, b"[\n]\n");
}

#[test]
fn parts_are_opened_when_their_ids_come_up() {
    let files = [(Some(10), file(&[(10, Some("b")), (19, Some("c"))])), (Some(0), file(&[(0, Some("a"))]))];
    let opened = std::cell::RefCell::new(Vec::new());
    let refs = vec![
        PartRef { path: "0".into(), min_id: Some(id(10)), max_id: None },
        PartRef { path: "1".into(), min_id: Some(id(0)), max_id: None },
    ];
    let mut rows = Rows::new(&object(), None, refs, |part: &PartRef| {
        opened.borrow_mut().push(part.path.clone());
        Ok((files[part.path.parse::<usize>()?].1.clone().into(), Some(key())))
    })
    .unwrap();
    assert_eq!(rows.next().unwrap().unwrap().id(), id(0).as_str());
    assert_eq!(*opened.borrow(), ["1"]);
    assert_eq!(rows.next().unwrap().unwrap().id(), id(10).as_str());
    assert_eq!(rows.next().unwrap().unwrap().id(), id(19).as_str());
    assert!(rows.next().unwrap().is_none() && rows.next().unwrap().is_none());
}

#[test]
fn a_part_of_version_1_is_read_for_ever() {
    let part = Bytes::from_static(include_bytes!("golden/account-1.parquet"));
    assert_eq!(check_part(part.clone(), Some(&key())).unwrap(), PartCheck { rows: 4, deletes: 1 });
    let files = [(None, part)];
    let mut out = Vec::new();
    write_csv(&mut read(&files, None), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), include_str!("golden/account-1.csv"));
}

#[test]
fn faults_name_the_part() {
    let unknown = Rows::new(&object(), Some(&["Nope".into()]), Vec::new(), |_: &PartRef| Err("no".into()));
    assert_eq!(unknown.err().unwrap().to_string(), "Account has no field Nope");
    let part = || vec![PartRef { path: "p".into(), ..PartRef::default() }];
    let mut rows = Rows::new(&object(), None, part(), |_: &PartRef| Err("gone".into())).unwrap();
    assert_eq!(rows.next().err().unwrap().to_string(), "p: gone");
    let mut rows =
        Rows::new(&object(), None, part(), |_: &PartRef| Ok((Bytes::from_static(b"PAR1").into(), None)))
            .unwrap();
    assert!(matches!(rows.next(), Err(ReadError::Part { path, .. }) if path == "p"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn later_parts_win_and_deletions_drop(
        layers in prop::collection::vec(
            prop::collection::btree_map(0_u32..30, prop::option::of("[a-z]{1,4}"), 1..20), 1..5),
        known in any::<bool>(),
    ) {
        let files: Vec<(Option<u32>, Bytes)> = layers
            .iter()
            .map(|layer| {
                let rows: Vec<(u32, Option<&str>)> =
                    layer.iter().map(|(number, name)| (*number, name.as_deref())).collect();
                (known.then(|| rows[0].0), file(&rows))
            })
            .collect();
        let mut expected = BTreeMap::new();
        for layer in &layers {
            for (number, name) in layer {
                expected.insert(*number, name.clone());
            }
        }
        let expected: Vec<(String, String)> = expected
            .into_iter()
            .filter_map(|(number, name)| Some((id(number).as_str().to_owned(), name?)))
            .collect();
        let mut rows = read(&files, Some(&["Name"]));
        let mut found = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let name = row.texts().unwrap().remove(0).unwrap();
            found.push((row.id().to_owned(), name));
        }
        prop_assert_eq!(found, expected);
    }
}
