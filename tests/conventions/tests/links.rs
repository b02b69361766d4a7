//! Every relative link in a page leads to a file (and a heading) that is there.

use std::collections::BTreeMap;
use std::error::Error;

use orgkeep_conventions::{markdown, repository};

/// `target` as seen from the page `from`, below the root; `None` if it leads out of the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[test]
fn links_lead_somewhere() -> Result<(), Box<dyn Error>> {
    let root = repository::root();
    let files = repository::text_files()?;
    let pages: BTreeMap<&str, &str> = files
        .iter()
        .filter(|file| file.ends_with(&[".md"]))
        .map(|file| (file.path.as_str(), file.text.as_str()))
        .collect();
    let mut wrong = Vec::new();
    for (page, text) in &pages {
        for (line, content) in markdown::split(text).1 {
            for link in markdown::links(content) {
                if link.contains("://") || link.starts_with("mailto:") {
                    continue;
                }
                let (target, heading) = link.split_once('#').unwrap_or((link, ""));
                let path = if target.is_empty() { Some((*page).to_owned()) } else { resolve(page, target) };
                let Some(path) = path.filter(|path| root.join(path).exists()) else {
                    wrong.push(format!("{page}:{line}: {link}"));
                    continue;
                };
                let headings =
                    pages.get(path.as_str()).map(|text| markdown::anchors(text)).unwrap_or_default();
                if !heading.is_empty() && !headings.iter().any(|anchor| anchor == heading) {
                    wrong.push(format!("{page}:{line}: {link}: no such heading"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn targets_are_resolved_from_the_page() {
    assert_eq!(resolve("docs/a.md", "../README.md").as_deref(), Some("README.md"));
    assert_eq!(resolve("docs/a.md", "adr").as_deref(), Some("docs/adr"));
    assert_eq!(resolve("a.md", "../b.md"), None);
}
