//! Parts are sorted, encrypted, of one page per chunk, and hold what came in.

use super::*;
use crate::codec::testing::{id, key, object, page, parts, row};
use crate::codec::{CsvFault, check_part, part_rows};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::RowGroupMetaData;
use proptest::prelude::*;

/// All rows of a part in one batch.
fn decode(part: &Part) -> RecordBatch {
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(true)
        .with_file_decryption_properties(key().decryption().unwrap());
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(part.bytes.clone(), options).unwrap();
    builder.with_batch_size(1 << 20).build().unwrap().next().unwrap().unwrap()
}

fn small() -> Settings {
    Settings { group_rows: 100, batch_rows: 30, ..Settings::default() }
}

#[test]
fn a_page_in_any_order_becomes_a_sorted_part() {
    let rows: Vec<_> = (0..250_u32).map(|n| row(n * 77 % 250, &format!("Name {n}"))).collect();
    let parts = parts(&page(&rows), small());
    let [part] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!(
        part.facts,
        PartFacts {
            rows: 250,
            row_groups: 3,
            min_id: Some(id(0)),
            max_id: Some(id(249)),
            bytes: part.bytes.len() as u64,
            ..PartFacts::default()
        }
    );
    assert_eq!(part_rows(part.bytes.clone(), Some(&key())).unwrap(), 250);
    let checked = check_part(part.bytes.clone(), Some(&key())).unwrap();
    assert_eq!((checked.rows, checked.deletes), (250, 0));
    let names: Vec<String> = decode(part).schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names[..7], ["_op", "_hash", "_hash_derived", "_raw", "Id", "SystemModstamp", "Name"]);
}

#[test]
fn chunks_have_one_page_and_no_dictionary() {
    let rows: Vec<_> = (0..20_000).map(|n| row(n, &"long text ".repeat(40))).collect();
    let parts = parts(&page(&rows), Settings::default());
    let options = ArrowReaderOptions::new()
        .with_encoding_stats_as_mask(false)
        .with_file_decryption_properties(key().decryption().unwrap());
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(parts[0].bytes.clone(), options).unwrap();
    let groups: Vec<RowGroupMetaData> = builder.metadata().row_groups().to_vec();
    assert_eq!(groups.len(), 2);
    for chunk in groups.iter().flat_map(RowGroupMetaData::columns) {
        assert!(chunk.dictionary_page_offset().is_none());
        let pages: i32 = chunk.page_encoding_stats().unwrap().iter().map(|stats| stats.count).sum();
        assert_eq!(pages, 1, "{}", chunk.column_path());
        let name = chunk.column_path().string();
        assert_eq!(chunk.statistics().is_some(), ["Id", "SystemModstamp"].contains(&name.as_str()), "{name}");
    }
}

#[test]
fn without_the_key_nothing_is_read() {
    let parts = parts(&page(&[row(1, "Secret name")]), small());
    let bytes = &parts[0].bytes;
    assert!(bytes.starts_with(b"PARE") && bytes.ends_with(b"PARE"));
    assert!(
        memchr::memmem::find(bytes, b"Secret").is_none() && memchr::memmem::find(bytes, b"Name").is_none()
    );
    assert!(memchr::memmem::find(bytes, b"keyMaterialType").is_some());
    assert!(matches!(
        part_rows(bytes.clone(), Some(&PartKey::new(&[8; 32], *b""))),
        Err(CodecError::Parquet(_))
    ));
    assert!(part_rows(bytes.clone(), None).is_err());
    // A bent byte is told, or harmless (the plaintext key material, lengths that are known from elsewhere).
    let rows = decode(&parts[0]);
    for at in (4..bytes.len() - 8).step_by(7) {
        let mut bent = bytes.to_vec();
        bent[at] ^= 1;
        let bent = Part { index: None, bytes: bent.into(), facts: parts[0].facts };
        if check_part(bent.bytes.clone(), Some(&key())).is_ok() {
            assert_eq!(decode(&bent), rows, "byte {at}");
        }
    }
}

#[test]
fn a_vault_without_encryption_writes_plain_parquet() {
    let mut writer = PartWriter::new(&object(), None, small()).unwrap();
    writer.push_csv(&page(&[row(1, "Plain")])).unwrap();
    let parts = writer.finish().unwrap();
    assert!(parts[0].bytes.starts_with(b"PAR1"));
    assert_eq!(check_part(parts[0].bytes.clone(), None).unwrap().rows, 1);
    assert!(matches!(part_rows(parts[0].bytes.clone(), Some(&key())), Err(CodecError::Format(_))));
}

#[test]
fn bulk_and_rest_rows_are_the_same_row() {
    let mut bulk = row(1, "Acmé");
    bulk[9] = "1.0E-7".into(); // does not fit three digits behind the point
    let csv = parts(&page(&[bulk]), small());
    let mut writer = PartWriter::new(&object(), Some(&key()), small()).unwrap();
    writer
        .push_row(&[
            Some(&id(1).as_str()[..15]),
            Some("Acmé"),
            Some("350000000.00"),
            Some("7"),
            Some("9007199254740993"),
            Some("false"),
            Some("2026-01-31"),
            Some("2026-01-31T10:11:12.000+0000"),
            None,
            Some("1e-7"),
        ])
        .unwrap();
    let rest = writer.finish().unwrap();
    let (csv, rest) = (decode(&csv[0]), decode(&rest[0]));
    for name in ["_hash", "_hash_derived", "Id", "AnnualRevenue", "SystemModstamp", "Score__c"] {
        assert_eq!(csv.column_by_name(name), rest.column_by_name(name), "{name}");
    }
    assert_eq!(csv.column_by_name("_raw").unwrap().as_string::<i32>().value(0), r#"{"Score__c":"1.0E-7"}"#);
}

#[test]
fn only_what_users_change_moves_the_hash() {
    let of = |change: &dyn Fn(&mut Vec<String>)| {
        let mut cells = row(1, "A");
        change(&mut cells);
        let batch = decode(&parts(&page(&[cells]), small())[0]);
        let hash = |name| batch.column_by_name(name).unwrap().as_fixed_size_binary().value(0).to_vec();
        (hash("_hash"), hash("_hash_derived"))
    };
    let before = of(&|_| ());
    assert_eq!(of(&|cells| cells[8].clear()), before);
    let formula = of(&|cells| cells[9] = "2".into());
    assert!(formula.0 == before.0 && formula.1 != before.1);
    let name = of(&|cells| cells[1] = "B".into());
    assert!(name.0 != before.0 && name.1 == before.1);
}

#[test]
fn what_does_not_fit_is_kept_as_text() {
    let mut cells = row(1, "A");
    for (at, text) in
        [(2, "1.005"), (3, "2147483648"), (4, "1E30"), (5, "maybe"), (6, "2026-02-30"), (7, "now")]
    {
        cells[at] = text.into();
    }
    let parts = parts(&page(&[cells]), small());
    assert_eq!(parts[0].facts.raw_cells, 6);
    check_part(parts[0].bytes.clone(), Some(&key())).unwrap();
    let batch = decode(&parts[0]);
    let json: serde_json::Value =
        serde_json::from_str(batch.column_by_name("_raw").unwrap().as_string::<i32>().value(0)).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"AnnualRevenue": "1.005", "Count__c": "2147483648", "Big__c": "1E30",
            "IsDeleted": "maybe", "Founded__c": "2026-02-30", "SystemModstamp": "now"})
    );
    assert!(batch.column_by_name("Count__c").unwrap().is_null(0));
}

#[test]
fn a_page_larger_than_the_buffer_becomes_several_parts() {
    let rows: Vec<_> = (0..500).map(|n| row(499 - n, "some name")).collect();
    let settings = Settings { buffer_bytes: 20_000, ..small() };
    let mut writer = PartWriter::new(&object(), Some(&key()), settings).unwrap();
    writer.push_csv(&page(&rows)).unwrap();
    assert_eq!(writer.end_page().unwrap(), 500);
    writer.push_csv(&page(&[row(1000, "next page")])).unwrap();
    let parts = writer.finish().unwrap();
    assert!(parts.len() > 2);
    assert_eq!(parts.iter().map(|part| part.facts.rows).sum::<u64>(), 501);
    for part in &parts {
        check_part(part.bytes.clone(), Some(&key())).unwrap();
    }
}

#[test]
fn long_texts_make_small_groups() {
    let long = "x".repeat(131_072);
    let rows: Vec<_> = (0..250).map(|n| row(n, &long)).collect();
    let parts = parts(&page(&rows), Settings::default());
    assert_eq!((parts.len(), parts[0].facts.rows, parts[0].facts.row_groups), (1, 250, 3));
    check_part(parts[0].bytes.clone(), Some(&key())).unwrap();
}

#[test]
fn equal_ids_keep_the_row_that_came_last_but_nobody_is_many() {
    let nobody = |name: &str| {
        let mut cells = row(0, name);
        cells[0] = "000000000000000AAA".into();
        cells
    };
    let rows = [row(5, "old"), row(4, "x"), row(5, "new"), nobody("a"), nobody("b")];
    let parts = parts(&page(&rows), small());
    assert_eq!((parts[0].facts.rows, parts[0].facts.duplicates), (4, 1));
    let batch = decode(&parts[0]);
    let names = batch.column_by_name("Name").unwrap().as_string::<i32>();
    assert_eq!(names.iter().flatten().collect::<Vec<_>>(), ["a", "b", "x", "new"]);
    check_part(parts[0].bytes.clone(), Some(&key())).unwrap();
}

#[test]
fn misuse_and_bad_rows_are_told() {
    let mut writer = PartWriter::new(&object(), None, small()).unwrap();
    assert!(matches!(writer.push_row(&[None]), Err(CodecError::Cells { row: 1, expected: 10, found: 1 })));
    assert!(matches!(writer.push_row(&[None; 10]), Err(CodecError::Id { row: 1, .. })));
    writer.push_delete(&id(3)).unwrap();
    writer.push_csv(b"\"Id\"").unwrap();
    assert!(matches!(writer.push_delete(&id(3)), Err(CodecError::Misuse(_))));
    let Err(CodecError::Csv(error)) = writer.finish() else { panic!("taken") };
    assert_eq!(error.fault, CsvFault::Truncated);
}

#[test]
fn an_object_without_an_id_keeps_its_order() {
    let object: ObjectSchema = serde_json::from_value(serde_json::json!({"name": "X", "fields": [
        {"name": "DurableId", "type": "string"},
    ]}))
    .unwrap();
    let mut writer = PartWriter::new(&object, None, small()).unwrap();
    for name in ["b", "a", "b"] {
        writer.push_row(&[Some(name)]).unwrap();
    }
    assert!(writer.push_delete(&id(1)).is_err());
    let part = writer.finish().unwrap().remove(0);
    assert_eq!((part.facts.rows, part.facts.min_id), (3, None));
    assert_eq!(check_part(part.bytes, None).unwrap().rows, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn text_survives(names in prop::collection::vec("\\PC{0,20}", 1..60)) {
        let rows: Vec<_> = names.iter().enumerate().map(|(n, name)| row(n as u32, name)).collect();
        let parts = parts(&page(&rows), small());
        let batch = decode(&parts[0]);
        let column = batch.column_by_name("Name").unwrap().as_string::<i32>();
        let found: Vec<&str> = column.iter().map(Option::unwrap_or_default).collect();
        prop_assert_eq!(found, names);
        check_part(parts[0].bytes.clone(), Some(&key())).unwrap();
    }
}
