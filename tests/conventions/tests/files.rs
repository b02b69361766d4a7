//! Rules for every committed file: small sources, no path of somebody's machine, no secret.

use std::error::Error;

use orgkeep_conventions::repository::{self, TextFile};

/// A source file with more lines is about more than one thing.
const MAX_LINES: usize = 600;

/// Directories of a machine that a committed file has no business to name. Split, so that this file passes.
const LOCAL_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

/// How secrets begin.
const SECRETS: &[&str] = &[
    concat!("PRIVATE ", "KEY-----"),
    concat!("AGE-SECRET-", "KEY-1"),
    concat!("AK", "IA"),
    concat!("gh", "p_"),
    concat!("xo", "xb-"),
];

/// Keys made for tests, which open nothing.
const TEST_KEYS: &[&str] = &["tests/simulator/tests/data/app.key"];

/// Where `words` stand as a word of their own.
fn lines_with<'a>(file: &'a TextFile, words: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    file.text.lines().enumerate().filter(|(_, line)| words.iter().any(|word| has_word(line, word))).map(
        |(index, line)| {
            format!("{}:{}: {}", file.path, index + 1, line.trim().chars().take(100).collect::<String>())
        },
    )
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+'))
    })
}

#[test]
fn sources_are_small() -> Result<(), Box<dyn Error>> {
    let sources = repository::text_files()?.into_iter().filter(|file| file.ends_with(&[".rs"]));
    let large = sources.filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > MAX_LINES).then(|| format!("{}: {lines} lines, at most {MAX_LINES}: split it", file.path))
    });
    let large: Vec<String> = large.collect();
    assert!(large.is_empty(), "{}", large.join("\n"));
    Ok(())
}

#[test]
fn no_file_names_a_path_of_this_machine() -> Result<(), Box<dyn Error>> {
    let files = repository::text_files()?;
    let found: Vec<String> = files.iter().flat_map(|file| lines_with(file, LOCAL_PATHS)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

#[test]
fn no_file_holds_a_secret() -> Result<(), Box<dyn Error>> {
    let files = repository::text_files()?;
    let found: Vec<String> = files
        .iter()
        .filter(|file| !TEST_KEYS.contains(&file.path.as_str()))
        .flat_map(|file| {
            file.text.lines().enumerate().filter(|(_, line)| is_secret(line)).map(|(index, line)| {
                let beginning: String = line.trim().chars().take(40).collect();
                format!("{}:{}: {beginning}…", file.path, index + 1)
            })
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// A secret's beginning with at least a dozen of its characters after it; a key's armour line alone is enough.
fn is_secret(line: &str) -> bool {
    SECRETS.iter().any(|secret| {
        line.match_indices(secret).any(|(at, _)| {
            let after = &line[at + secret.len()..];
            let length = after.chars().take_while(char::is_ascii_alphanumeric).count();
            let armour = secret.ends_with("-----") && line.trim_start().starts_with("-----BEGIN");
            armour || (length >= 12 && !after.contains("EXAMPLE"))
        })
    })
}

#[test]
fn the_rules_see_what_they_are_for() {
    let file = TextFile {
        path: "a".to_owned(),
        text: format!("see {}x\nhttps://a.b{}x", LOCAL_PATHS[0], LOCAL_PATHS[0]),
    };
    assert_eq!(lines_with(&file, LOCAL_PATHS).count(), 1);
    assert!(is_secret(&format!("id = {}IOSFODNN7ABCDEF01", SECRETS[2])));
    assert!(is_secret(&format!("-----BEGIN RSA {}", SECRETS[0])));
    assert!(!is_secret("how an AWS key begins"));
}
