//! Asking the org what was made since: after a lost answer, nothing is sent again before this has found nothing.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use orgkeep_core::problem::Reaction;

use super::row::{Cell, Column, Kind};
use crate::blob::BlobSource;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::ingest::{org_time, same_id};
use crate::soql::{Select, literal};

/// What `Date` may be behind by, and what a row's time is cut to: both whole seconds.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);
/// Rows that are looked through; where a user makes more at once, nobody can tell which is whose.
const LOOK_LIMIT: usize = 10_000;

/// A file's content by which its record is known.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    /// The binary field.
    pub(crate) field: String,
    /// The field with its length, and the length.
    pub(crate) length: Option<(String, u64)>,
    /// The field with its MD5, where the object has one.
    pub(crate) md5_field: Option<String>,
    /// MD5, hexadecimal.
    pub(crate) md5: String,
}

/// What is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) object: String,
    /// What was sent.
    pub(crate) cells: Vec<(Column, Cell)>,
    /// A column whose value is another in each record.
    pub(crate) key: Option<String>,
    pub(crate) content: Option<Content>,
}

/// A record that this user made since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    /// Whether it has all that was sent.
    pub(crate) same: bool,
}

/// What the candidates say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// This one record is it.
    One(String),
    /// One of these may be it.
    Several(Vec<String>),
    /// It was not made, or is not there yet.
    None,
}

/// Decides: pure. One record with the same content is it; several, or records of other content (automation changes
/// what it likes), are for a person; records that the journal knows are other rows'.
pub(crate) fn judge(candidates: &[Candidate], known: &BTreeSet<String>) -> Found {
    let open: Vec<&Candidate> = candidates.iter().filter(|one| !known.contains(&one.id)).collect();
    let same: Vec<&&Candidate> = open.iter().filter(|one| one.same).collect();
    match (same.as_slice(), open.as_slice()) {
        ([one], _) => Found::One(one.id.clone()),
        ([], []) => Found::None,
        ([], others) => Found::Several(others.iter().map(|one| one.id.clone()).collect()),
        (several, _) => Found::Several(several.iter().map(|one| one.id.clone()).collect()),
    }
}

/// Asks the org for records like this that this user made since.
pub(crate) async fn look(client: &Client, wanted: &Look, since: Timestamp) -> Result<Vec<Candidate>> {
    let plain: Vec<&(Column, Cell)> = wanted
        .cells
        .iter()
        .filter(|(column, cell)| *cell != Cell::Absent && !column.name.contains('.'))
        .collect();
    let mut columns: Vec<&str> = vec!["Id"];
    columns.extend(plain.iter().map(|(column, _)| column.name.as_str()));
    if let Some(content) = &wanted.content {
        columns.extend(content.length.as_ref().map(|(field, _)| field.as_str()));
        columns.extend(content.md5_field.as_deref());
        let blob = columns.iter().position(|name| name.eq_ignore_ascii_case(&content.field));
        blob.map(|at| columns.remove(at));
    }
    let rows = match read(client, wanted, &columns, since).await {
        Ok(rows) => rows,
        // A field that may be written and not be read: then only that there is something can be told.
        Err(error) if error.reaction() == Reaction::GiveUpObject => {
            tracing::info!(object = wanted.object, %error, "what was made since cannot be compared");
            let ids = read(client, wanted, &["Id"], since).await?;
            let id = |row: Vec<Option<String>>| row.into_iter().next().flatten().unwrap_or_default();
            return Ok(ids.into_iter().map(|row| Candidate { id: id(row), same: false }).collect());
        }
        Err(error) => return Err(error),
    };
    let mut candidates = Vec::with_capacity(rows.len());
    for row in rows {
        let got = |name: &str| {
            let at = columns.iter().position(|column| column.eq_ignore_ascii_case(name))?;
            row.get(at)?.as_deref()
        };
        let id = got("Id").unwrap_or_default().to_owned();
        let mut same = plain.iter().all(|(column, cell)| is_same(column.kind, cell, got(&column.name)));
        if let Some(content) = wanted.content.as_ref().filter(|_| same) {
            same = is_content(client, &wanted.object, &id, content, got).await?;
        }
        candidates.push(Candidate { id, same });
    }
    Ok(candidates)
}

async fn read(
    client: &Client,
    wanted: &Look,
    columns: &[&str],
    since: Timestamp,
) -> Result<Vec<Vec<Option<String>>>> {
    let mut rows = Vec::new();
    let mut query = client.query(&select(wanted, columns, since, client.transport().user()), false);
    while let Some(page) = query.next_page().await? {
        rows.extend(page.rows);
        if rows.len() > LOOK_LIMIT {
            break;
        }
    }
    Ok(rows)
}

/// Rows that were made since by us. Who sets `CreatedDate` or `CreatedById` by permission is looked for by what it
/// cannot set.
fn select(wanted: &Look, columns: &[&str], since: Timestamp, user: Option<&str>) -> Select {
    let text = |name: &str| {
        let found = wanted.cells.iter().find(|(column, _)| column.name.eq_ignore_ascii_case(name));
        found.and_then(|(_, cell)| cell.as_text())
    };
    let stamp = if text("CreatedDate").is_some() { "SystemModstamp" } else { "CreatedDate" };
    let since = since.checked_sub(MARGIN).unwrap_or(since).strftime("%Y-%m-%dT%H:%M:%SZ");
    let mut select = Select::new(&wanted.object, columns).filter(format!("{stamp} >= {since}"));
    if let Some(by) = text("CreatedById").or(user) {
        select = select.filter(format!("CreatedById = {}", literal(by)));
    }
    if let Some((name, value)) = wanted.key.as_deref().and_then(|name| Some((name, text(name)?)))
        && value.len() <= 255
    {
        select = select.filter(format!("{name} = {}", literal(value)));
    }
    select
}

/// Whether what came back is what was sent, in whichever form: numbers are rounded to the field's scale, text is
/// trimmed, times are cut to seconds, ids get 18 characters.
fn is_same(kind: Kind, sent: &Cell, got: Option<&str>) -> bool {
    let (sent, got) = match (sent.as_text(), got) {
        (None, None) => return true,
        (Some(sent), None) => return sent.trim().is_empty() || kind == Kind::Boolean && sent == "false",
        (None, Some(got)) => return kind == Kind::Boolean && got == "false",
        (Some(sent), Some(got)) => (sent, got),
    };
    let plain = |text: &str| text.replace('\r', "").trim().to_owned();
    let seconds = |text: &str| org_time(text).map(jiff::Timestamp::as_second);
    sent == got
        || plain(sent) == plain(got)
        || (kind == Kind::Number && is_near(sent, got))
        || (kind == Kind::Boolean && sent.eq_ignore_ascii_case(got))
        || seconds(sent).is_some_and(|time| seconds(got) == Some(time))
        || (matches!(sent.len(), 15 | 18) && same_id(sent, got))
}

fn is_near(sent: &str, got: &str) -> bool {
    let (Ok(sent), Ok(number)) = (sent.trim().parse::<f64>(), got.trim().parse::<f64>()) else {
        return false;
    };
    let decimals = got.split_once('.').map_or(0, |(_, decimals)| decimals.len().min(18)) as i32;
    (sent - number).abs() <= 0.5 * 10_f64.powi(-decimals) + sent.abs() * 1e-14
}

async fn is_content<'a>(
    client: &Client,
    object: &str,
    id: &str,
    content: &Content,
    got: impl Fn(&str) -> Option<&'a str>,
) -> Result<bool> {
    if let Some((field, length)) = &content.length
        && got(field).and_then(|text| text.trim_end_matches(".0").parse::<u64>().ok()) != Some(*length)
    {
        return Ok(false);
    }
    if let Some(field) = &content.md5_field {
        return Ok(got(field).is_some_and(|md5| md5.eq_ignore_ascii_case(&content.md5)));
    }
    Ok(md5_of(client, object, id, &content.field).await?.1 == content.md5)
}

/// Length and MD5 of what the org has as a record's content, read whole.
pub(crate) async fn md5_of(client: &Client, object: &str, id: &str, field: &str) -> Result<(u64, String)> {
    let mut blob = client.blob(BlobSource::new(object, id, field));
    while blob.next_chunk().await?.is_some() {}
    let summary = blob.summary().ok_or_else(|| Error::WrongAnswer {
        what: format!("{object} {id}"),
        detail: "its content has no end".into(),
    })?;
    Ok((summary.length, summary.md5.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, same: bool) -> Candidate {
        Candidate { id: id.to_owned(), same }
    }

    #[test]
    fn one_is_taken_several_are_told_and_nothing_is_guessed() {
        let known = BTreeSet::from(["k".to_owned()]);
        let several = |ids: &[&str]| Found::Several(ids.iter().map(|id| (*id).to_owned()).collect());
        for (candidates, want) in [
            (vec![], Found::None),
            (vec![candidate("a", true)], Found::One("a".into())),
            (vec![candidate("a", true), candidate("b", false)], Found::One("a".into())),
            (vec![candidate("a", true), candidate("k", true)], Found::One("a".into())),
            (vec![candidate("k", true)], Found::None),
            (vec![candidate("a", true), candidate("b", true)], several(&["a", "b"])),
            // a trigger may have changed it
            (vec![candidate("a", false)], several(&["a"])),
        ] {
            assert_eq!(judge(&candidates, &known), want, "{candidates:?}");
        }
    }

    #[test]
    fn the_same_value_in_another_form() {
        let text = |text: &str| Cell::Text(text.to_owned());
        for (kind, sent, got, want) in [
            (Kind::Text, text("a"), Some("a"), true),
            (Kind::Text, text(" a\r\nb "), Some("a\nb"), true),
            (Kind::Text, text("a"), Some("b"), false),
            (Kind::Text, text("a"), None, false),
            (Kind::Text, Cell::Null, None, true),
            (Kind::Text, Cell::Null, Some("a"), false),
            (Kind::Number, text("10.504"), Some("10.5"), true),
            (Kind::Number, text("10.6"), Some("10.5"), false),
            (Kind::Number, text("1e3"), Some("1000.00"), true),
            (Kind::Boolean, Cell::Null, Some("false"), true),
            (Kind::Text, text("2026-01-31T10:11:12.345Z"), Some("2026-01-31T10:11:12.000+0000"), true),
            (Kind::Text, text("001000000000001"), Some("001000000000001AAA"), true),
        ] {
            assert_eq!(is_same(kind, &sent, got), want, "{sent:?} {got:?}");
        }
    }

    #[test]
    fn the_question_to_the_org() {
        let text = |name: &str, value: &str| (Column::text(name), Cell::Text(value.to_owned()));
        let mut wanted = Look {
            object: "Order".into(),
            cells: vec![text("Name", "a"), text("Key__c", "k'1")],
            key: None,
            content: None,
        };
        let since: Timestamp = "2026-01-31T10:11:12Z".parse().unwrap();
        assert_eq!(
            select(&wanted, &["Id"], since, Some("005a")).to_soql(),
            "SELECT Id FROM Order WHERE (CreatedDate >= 2026-01-31T10:11:10Z) AND (CreatedById = '005a')"
        );
        wanted.key = Some("Key__c".into());
        wanted.cells.push(text("CreatedDate", "2019-01-01T00:00:00Z"));
        wanted.cells.push(text("CreatedById", "005b"));
        assert_eq!(
            select(&wanted, &["Id"], since, Some("005a")).to_soql(),
            "SELECT Id FROM Order WHERE (SystemModstamp >= 2026-01-31T10:11:10Z) AND (CreatedById = '005b') AND (Key__c = 'k\\'1')"
        );
    }
}
