//! Every option of `orgkeep` that a page or an example shows is one that the command line declares.

use std::collections::BTreeSet;
use std::error::Error;

use orgkeep_conventions::repository::{self, TextFile};

const COMMAND_LINE: &str = "operator/orgkeep/src/cli.rs";
/// Where arguments are that do not fit into it.
const COMMANDS: [&str; 5] = [
    "operator/orgkeep/src/cli/",
    "operator/orgkeep/src/vault/collect.rs",
    "operator/orgkeep/src/vault/erase.rs",
    "operator/orgkeep/src/vault/hold.rs",
    "operator/orgkeep/src/vault/search.rs",
];

/// What `clap` makes options and subcommands of: names of fields and variants, and names given in attributes.
fn declared(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in source.lines().map(str::trim) {
        let item = line.strip_prefix("pub(crate) ").unwrap_or(line);
        let end = item.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(item.len());
        let (name, rest) = item.split_at(end);
        if !name.is_empty() && rest.starts_with([':', '(', '{', ' ', ',']) {
            names.insert(name.to_lowercase().replace('_', "-"));
        }
        if let Some((_, rest)) = line.split_once("long = \"") {
            names.extend(rest.split('"').next().map(str::to_owned));
        }
    }
    names
}

/// The words after each `orgkeep` that is a command: up to the end of the line, of the code, or of the pipe's part.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    for line in text.lines() {
        for (at, name) in line.match_indices("orgkeep ") {
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| !matches!(c, ' ' | '`' | '/')) {
                continue;
            }
            let rest = &line[at + name.len()..];
            let end = rest.find(['`', '|', '#', ';']).unwrap_or(rest.len());
            found.push(rest[..end].split_whitespace().collect());
        }
    }
    found
}

/// Subcommands whose options are looked at; other words after `orgkeep` are prose, or another program's.
const SUBCOMMANDS: &[&str] = &["operator", "worker", "run", "vault", "crds"];

fn undeclared(file: &TextFile, declared: &BTreeSet<String>) -> Vec<String> {
    // a backslash at the end of a line goes on with the next one
    let text = file.text.replace("\\\n", " ");
    let commands =
        commands(&text).into_iter().filter(|words| SUBCOMMANDS.contains(words.first().unwrap_or(&"")));
    let options = commands.flatten().filter_map(|word| word.strip_prefix("--"));
    options
        .map(|option| option.split('=').next().unwrap_or(option))
        .filter(|option| !option.is_empty() && !declared.contains(*option))
        .map(|option| format!("{}: --{option}", file.path))
        .collect()
}

#[test]
fn options_in_pages_are_declared() -> Result<(), Box<dyn Error>> {
    let files = repository::text_files()?;
    let is_command_line = |file: &&TextFile| {
        file.path == COMMAND_LINE || COMMANDS.iter().any(|place| file.path.starts_with(place))
    };
    let sources: Vec<&str> = files.iter().filter(is_command_line).map(|file| file.text.as_str()).collect();
    let declared = declared(&sources.join("\n"));
    assert!(declared.contains("key-file"), "{COMMAND_LINE} is not read right: {declared:?}");
    let pages = files.iter().filter(|file| file.ends_with(&[".md", ".yaml", ".sh", ".txt"]));
    let wrong: Vec<String> = pages.flat_map(|file| undeclared(file, &declared)).collect();
    assert!(wrong.is_empty(), "{COMMAND_LINE} does not declare\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn an_option_that_is_gone_is_seen() {
    let declared = declared(
        "    Vault(X),\n    pub(crate) key_file: Option<PathBuf>,\n    /// Its limit: rows.\n    files: bool,",
    );
    let page = |text: &str| TextFile { path: "a.md".to_owned(), text: text.to_owned() };
    assert_eq!(undeclared(&page("`orgkeep vault show --key-file K --files`"), &declared), [""; 0]);
    assert_eq!(undeclared(&page("orgkeep vault show \\\n  --keyfile K"), &declared), ["a.md: --keyfile"]);
    assert_eq!(undeclared(&page("helm install orgkeep charts/orgkeep --set a=b"), &declared), [""; 0]);
}
