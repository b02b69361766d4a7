//! The splitter against the csv crate on random pages, random chunks, and against pages that are not well formed.

use super::*;
use proptest::prelude::*;

/// All cells of a page, split by us in chunks of these sizes.
fn split(page: &[u8], columns: &[&str], chunk: usize) -> Result<Vec<Vec<String>>, CsvError> {
    let names = columns.iter().map(|name| (*name).to_owned()).collect();
    let mut splitter = Splitter::new(names, None);
    let mut arena = Arena::new(columns.len());
    let mut out = Vec::new();
    let take = |arena: &mut Arena, out: &mut Vec<Vec<String>>| {
        for row in 0..arena.rows() {
            let cell = |column| String::from_utf8(arena.cell(row, column).to_vec()).unwrap();
            out.push((0..columns.len()).map(cell).collect());
        }
        arena.clear();
    };
    for mut part in page.chunks(chunk.max(1)) {
        loop {
            let taken = splitter.push(part, &mut arena, 200)?;
            part = &part[taken..];
            if part.is_empty() {
                break;
            }
            take(&mut arena, &mut out);
        }
    }
    let rows = splitter.end_page()?;
    take(&mut arena, &mut out);
    assert_eq!(rows, out.len() as u64);
    Ok(out)
}

fn fault(page: &[u8]) -> (u64, u64, CsvFault) {
    let error = split(page, &["A", "B"], 3).unwrap_err();
    (error.row, error.offset, error.fault)
}

#[test]
fn forms_that_are_taken() {
    let expected = vec![vec!["1,\"x\"".to_owned(), "a\r\nb".to_owned()], vec![String::new(), String::new()]];
    for page in [
        "\"A\",\"B\"\n\"1,\"\"x\"\"\",\"a\r\nb\"\n\"\",\"\"\n",
        "\u{feff}\"A\",\"B\"\r\n\"1,\"\"x\"\"\",\"a\r\nb\"\r\n,\r\n",
        "A,B\n\"1,\"\"x\"\"\",\"a\r\nb\"\n\"\",\n",
        "\"B\",\"a\"\n\"a\r\nb\",\"1,\"\"x\"\"\"\n\"\",\"\"\n",
    ] {
        for chunk in 1..page.len() {
            assert_eq!(split(page.as_bytes(), &["A", "B"], chunk).unwrap(), expected, "{page}");
        }
    }
    assert_eq!(split(b"\"A\",\"B\"\n", &["A", "B"], 9).unwrap(), Vec::<Vec<String>>::new());
}

#[test]
fn what_is_not_well_formed_is_named_with_its_place() {
    assert_eq!(fault(b""), (0, 0, CsvFault::Empty));
    assert_eq!(fault(b"\"A\",\"B"), (0, 6, CsvFault::Truncated));
    assert_eq!(fault(b"\"A\",\"B\"\n\"1\",\"2\""), (1, 15, CsvFault::Truncated));
    assert_eq!(fault(b"\"A\",\"B\"\n\"1\",\"2"), (1, 14, CsvFault::Truncated));
    assert_eq!(fault(b"\"A\",\"B\"\n\"1\"x,\"2\"\n"), (1, 11, CsvFault::AfterQuote(b'x')));
    assert_eq!(fault(b"\"A\",\"B\"\n1\"x,\"2\"\n"), (1, 9, CsvFault::StrayQuote));
    assert_eq!(fault(b"\"A\",\"B\"\n\"1\",\"2\"\rx"), (1, 16, CsvFault::LoneCarriageReturn));
    let cells = |found| CsvFault::Cells { expected: 2, found };
    assert_eq!(fault(b"\"A\",\"B\"\n\"1\",\"2\"\n\"1\"\n"), (2, 19, cells(1)));
    assert_eq!(fault(b"\"A\",\"B\"\n\"1\",\"2\",\"3\"\n"), (1, 19, cells(3)));
    assert_eq!(fault(b"\"A\",\"B\"\n\n"), (1, 8, cells(1)));
    assert_eq!(fault(b"\"A\",\"B\"\n\"\xc3\",\"\xa9\"\n"), (1, 15, CsvFault::Utf8));
    assert_eq!(fault(b"\"A\"\n\"1\"\n").2, CsvFault::MissingColumn("B".into()));
    assert_eq!(fault(b"\"A\",\"C\"\n").2, CsvFault::UnexpectedColumn("C".into()));
    assert_eq!(fault(b"\"A\",\"A\"\n").2, CsvFault::UnexpectedColumn("A".into()));
}

#[test]
fn an_id_is_checked_where_it_stands() {
    let mut splitter = Splitter::new(vec!["Id".into()], Some(0));
    let mut arena = Arena::new(1);
    let page = b"\"Id\"\n\"0019H00000H28uBQAR\"\n\"0019h00000h28ubQAR\"\n";
    let error = splitter.push(page, &mut arena, 1000).unwrap_err();
    assert_eq!((error.row, error.offset), (2, 46));
    assert!(matches!(error.fault, CsvFault::Id(_)), "{error}");
}

proptest! {
    #[test]
    fn splits_as_the_csv_crate_does(
        rows in prop::collection::vec(prop::collection::vec("[a-c\"\n\r,éß ]{0,12}", 3), 0..20),
        chunk in 1_usize..64,
        crlf in any::<bool>(),
    ) {
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Always)
            .terminator(terminator)
            .from_writer(Vec::new());
        writer.write_record(["A", "B", "C"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let page = writer.into_inner().unwrap();
        let ours = split(&page, &["A", "B", "C"], chunk).unwrap();
        let theirs: Vec<Vec<String>> = csv::Reader::from_reader(page.as_slice())
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(&ours, &rows);
    }

    #[test]
    fn never_panics(page in prop::collection::vec(prop::sample::select(b"\"\",\r\nAB\xef\xbb\xbf\xc3".to_vec()), 0..60)) {
        let _ = split(&page, &["A", "B"], 7);
    }
}
