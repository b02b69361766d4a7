//! Pages of a REST query with something wrong in how they follow each other. (Pages of Bulk results are made wrong
//! where they are made.)

use bytes::Bytes;

use super::plan::BadPage;

/// Whether a call reads a page of a REST query.
pub(crate) fn sees_rest_page(resource: &str) -> bool {
    matches!(resource, "Query" | "QueryAll" | "QueryMore")
}

/// The page with that fault, or nothing where there is no page to do it to. `path` is that of the call, `first` the
/// first page of the same query, for a page that comes twice.
pub(crate) fn rest_page(page: &Bytes, bad: BadPage, path: &str, first: Option<&Bytes>) -> Option<Bytes> {
    let text = std::str::from_utf8(page).ok()?;
    match bad {
        BadPage::Duplicate => {
            let (_, own) = split(path)?;
            let first = std::str::from_utf8(first.filter(|_| own > 0)?).ok()?;
            let head = text.get(..text.find(RECORDS)?)?;
            Some(format!("{head}{}", first.get(first.find(RECORDS)?..)?).into())
        }
        BadPage::Drop => {
            let (url, base, next) = next(text)?;
            let rows = next - split(path).map_or(0, |(_, own)| own);
            let total: u64 =
                text.get(text.find(TOTAL)? + TOTAL.len()..)?.split([',', '}']).next()?.trim().parse().ok()?;
            // there is a page behind the one that is left out
            (next + rows < total).then(|| text.replace(url, &format!("{base}-{}", next + rows)).into())
        }
        BadPage::Repeat => {
            let (url, base, _) = next(text)?;
            let own = split(path).map_or(0, |(_, own)| own);
            Some(text.replace(url, &format!("{base}-{own}")).into())
        }
    }
}

/// The path of the first page of the query that this page is of.
pub(crate) fn first_path(path: &str) -> Option<String> {
    split(path).map(|(base, _)| format!("{base}-0"))
}

const RECORDS: &str = "\"records\":";
const TOTAL: &str = "\"totalSize\":";
const NEXT: &str = "\"nextRecordsUrl\":\"";

/// `…/query/01g…-2000` in its parts.
fn split(path: &str) -> Option<(&str, u64)> {
    let (base, row) = path.rsplit_once('-')?;
    Some((base, row.parse().ok()?))
}

fn next(text: &str) -> Option<(&str, &str, u64)> {
    let url = text.get(text.find(NEXT)? + NEXT.len()..)?.split('"').next()?;
    let (base, row) = split(url)?;
    Some((url, base, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_wrongly() {
        let page = Bytes::from_static(
            b"{\"totalSize\":9,\"done\":false,\"nextRecordsUrl\":\"/q/query/01gA-4\",\"records\":[3,4]}",
        );
        let first = Bytes::from_static(b"{\"totalSize\":9,\"done\":false,\"records\":[1,2]}");
        let bad =
            |bad| String::from_utf8(rest_page(&page, bad, "/q/query/01gA-2", Some(&first)).unwrap().to_vec());
        assert!(bad(BadPage::Drop).unwrap().contains("01gA-6\""));
        assert!(bad(BadPage::Repeat).unwrap().contains("01gA-2\""));
        let twice = bad(BadPage::Duplicate).unwrap();
        assert!(twice.contains("01gA-4\"") && twice.ends_with("\"records\":[1,2]}"), "{twice}");
        assert_eq!(first_path("/q/query/01gA-2").unwrap(), "/q/query/01gA-0");
        assert!(rest_page(&first, BadPage::Drop, "/q/query", None).is_none());
    }
}
