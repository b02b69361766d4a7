//! The table of reasons in docs/troubleshooting.md is that of the code: each one there, none that is not, and the
//! same advice.

use std::collections::BTreeMap;
use std::error::Error;

use orgkeep_conventions::{markdown, repository};
use orgkeep_core::reason::Reason;

const PAGE: &str = "docs/troubleshooting.md";

/// Reason → what to do, of the rows `| `Reason` | what it means | what to do |`.
fn rows(page: &str) -> BTreeMap<String, String> {
    let rows = markdown::split(page).1.into_iter().filter_map(|(_, line)| markdown::cells(line));
    rows.filter_map(|cells| match cells.as_slice() {
        [reason, _, advice] => {
            Some((reason.strip_prefix('`')?.strip_suffix('`')?.to_owned(), advice.to_owned()))
        }
        _ => None,
    })
    .collect()
}

/// Without what differs for the eye only: code marks and a capital at the beginning.
fn plain(text: &str) -> String {
    text.replace('`', "").to_lowercase()
}

#[test]
fn every_reason_is_explained() -> Result<(), Box<dyn Error>> {
    let page = std::fs::read_to_string(repository::root().join(PAGE))?;
    let rows = rows(&page);
    let mut wrong = Vec::new();
    for &reason in Reason::ALL {
        match rows.get(reason.as_str()) {
            None => wrong.push(format!("{reason} is missing")),
            Some(advice) if !plain(advice).contains(&plain(reason.advice())) => {
                wrong.push(format!("{reason} says {advice:?}, the code {:?}", reason.advice()));
            }
            Some(_) => {}
        }
    }
    let strangers =
        rows.keys().filter(|word| !Reason::ALL.iter().any(|reason| reason.as_str() == word.as_str()));
    wrong.extend(strangers.map(|word| format!("{word} is no reason")));
    assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
    Ok(())
}
