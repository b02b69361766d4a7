//! The page on Salesforce's errors is the table of the code. `ORGKEEP_BLESS=1` writes it anew.

use std::error::Error;
use std::fmt::Write as _;

use orgkeep_conventions::repository;
use orgkeep_core::problem::{At, Fate, Pace, ROW_TABLE, Reaction, Row, RowRule, Status, TABLE};

const PAGE: &str = "docs/salesforce-errors.md";

const HEAD: &str = "# What Orgkeep does about each error of Salesforce's\n\n\
    One table in the code (`operator/core/src/problem/table.rs`) says it; this page is made from it. The first row that fits\n\
    holds. Where it is known from: R a recorded answer, D Salesforce's documentation and issues found in public, W the code\n\
    list of the Partner WSDL, C a client's source, K knowledge that nothing of these confirms.\n\n\
    *Try again* means up to 7 tries with pauses that double from half a second to 30 s, each drawn at random below that bound,\n\
    within five minutes; *patiently*: pauses from four seconds to a minute; *a few times*: 3 tries. What `Retry-After` asks for\n\
    is kept. A worker whose tries are over reads the object again, up to three times, before it names it as failed.\n";

fn reaction(then: Reaction) -> String {
    match then {
        Reaction::Retry { pace: Pace::Quick, .. } => "try again".to_owned(),
        Reaction::Retry { pace: Pace::Patient, .. } => "try again, patiently".to_owned(),
        Reaction::Retry { pace: Pace::Few, .. } => "try again a few times".to_owned(),
        Reaction::RenewToken => "sign in again, once for all tasks, and once more".to_owned(),
        Reaction::ReadAgain => "read the object again from its beginning".to_owned(),
        Reaction::FallBackToRest => "read the object by REST".to_owned(),
        Reaction::GiveUpObject => "give up this object".to_owned(),
        Reaction::EndRun(reason) => format!("end the run: `{reason}`"),
    }
}

fn status(of: Status) -> Option<String> {
    match of {
        Status::Any => None,
        Status::None => Some("no answer".to_owned()),
        Status::Of(first, last) if first == last => Some(format!("HTTP {first}")),
        Status::Of(first, last) => Some(format!("HTTP {first}–{last}")),
    }
}

fn line(row: &Row) -> String {
    let marked = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let mut what: Vec<String> = status(row.status).into_iter().collect();
    if !row.codes.is_empty() {
        what.push(marked(row.codes));
    }
    if !row.words.is_empty() {
        what.push(format!("with {} in the message", marked(row.words)));
    }
    let what = if what.is_empty() { "anything else".to_owned() } else { what.join(" ") };
    format!("| {what} | {} | {} |\n", reaction(row.then), row.why.replace('|', "\\|"))
}

fn fate(then: Fate) -> &'static str {
    match then {
        Fate::Again => "write it again, apart, a few rounds",
        Fate::Present => "look for the record that is there; write no second",
        Fate::Reference => "write or map what it points to first",
        Fate::Data => "leave the row out and name it",
        Fate::Permission => "name the permission that the user lacks",
        Fate::Automation => "name the automation; a person decides",
        Fate::Full => "stop writing and say what is full",
    }
}

fn row_line(rule: &RowRule) -> String {
    let marked = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let what = match (rule.codes, rule.words) {
        ([], []) => "anything else".to_owned(),
        ([], words) => format!("with {} in the message", marked(words)),
        (codes, []) => marked(codes),
        (codes, words) => format!("{} with {} in the message", marked(codes), marked(words)),
    };
    format!("| {what} | {} | {} |\n", fate(rule.then), rule.why.replace('|', "\\|"))
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (at, title) in [
        (At::Token, "Signing in"),
        (At::Call, "Calls"),
        (At::Job, "Bulk jobs that failed, by what they say"),
        (At::Own, "What Orgkeep finds wrong itself"),
    ] {
        let _ = write!(page, "\n## {title}\n\n| what | what Orgkeep does | why |\n|---|---|---|\n");
        TABLE.iter().filter(|row| row.at == at).for_each(|row| page.push_str(&line(row)));
    }
    page.push_str(
        "\n## Rows that the org does not write\n\nThe org's own words stay with the row; this says what follows.\n\n\
         | what | what Orgkeep does | why |\n|---|---|---|\n",
    );
    for rule in ROW_TABLE {
        page.push_str(&row_line(rule));
    }
    page
}

#[test]
fn the_page_is_the_table() -> Result<(), Box<dyn Error>> {
    let path = repository::root().join(PAGE);
    let page = page();
    if std::env::var_os("ORGKEEP_BLESS").is_some() {
        std::fs::write(&path, &page)?;
    }
    let written = std::fs::read_to_string(&path)?;
    let differs = page.lines().zip(written.lines()).find(|(made, written)| made != written);
    assert!(page == written, "{PAGE} is not what ORGKEEP_BLESS=1 makes of the table; first: {differs:?}");
    Ok(())
}
