//! As much Markdown as the pages of this repository use: fences, headings, links, rows of tables.

/// A fenced block of code.
#[derive(Debug, PartialEq, Eq)]
pub struct Fence {
    /// What follows the opening fence, such as `yaml`.
    pub language: String,
    /// Line of the opening fence, from 1.
    pub line: usize,
    /// What is between the fences.
    pub text: String,
}

/// The fenced blocks, and the lines outside of them with their numbers.
pub fn split(page: &str) -> (Vec<Fence>, Vec<(usize, &str)>) {
    let (mut fences, mut prose) = (Vec::new(), Vec::new());
    let mut open: Option<Fence> = None;
    for (index, line) in page.lines().enumerate() {
        if let Some(after) = line.trim_start().strip_prefix("```") {
            match open.take() {
                Some(fence) => fences.push(fence),
                None => {
                    open = Some(Fence {
                        language: after.trim().to_owned(),
                        line: index + 1,
                        text: String::new(),
                    });
                }
            }
        } else if let Some(fence) = &mut open {
            fence.text.push_str(line);
            fence.text.push('\n');
        } else {
            prose.push((index + 1, line));
        }
    }
    (fences, prose)
}

/// Targets of the links `[text](target)` in a line; code between backticks has none.
pub fn links(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (index, part) in line.split('`').enumerate() {
        // a link's text may hold code, so that its `](` begins a part of its own
        if index % 2 == 1 {
            continue;
        }
        let mut rest = part;
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            found.push(rest[..end].trim());
            rest = &rest[end..];
        }
    }
    found
}

/// Anchors of the headings, as GitHub makes them.
pub fn anchors(page: &str) -> Vec<String> {
    let headings = split(page).1.into_iter().filter(|(_, line)| line.starts_with('#'));
    headings.map(|(_, line)| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

/// The cells of a table's row, `\|` in one read as `|`; `None` for a line that is none.
pub fn cells(line: &str) -> Option<Vec<String>> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let mut cells = vec![String::new()];
    for part in row.split('|') {
        let escaped = part.strip_suffix('\\');
        if let Some(cell) = cells.last_mut() {
            cell.push_str(escaped.unwrap_or(part));
            if escaped.is_some() {
                cell.push('|');
            }
        }
        if escaped.is_none() {
            cells.push(String::new());
        }
    }
    // the last part ended a cell and began none
    cells.pop();
    Some(cells.iter().map(|cell| cell.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_and_prose_are_told_apart() {
        let (fences, prose) = split("a\n```yaml\nkind: X\n```\nb\n");
        assert_eq!(fences, [Fence { language: "yaml".into(), line: 2, text: "kind: X\n".into() }]);
        assert_eq!(prose, [(1, "a"), (5, "b")]);
    }

    #[test]
    fn links_are_found_outside_of_code() {
        assert_eq!(links("see [a](b.md#c), [`x`](y) and `[no](no)`"), ["b.md#c", "y"]);
    }

    #[test]
    fn anchors_are_those_of_github() {
        assert_eq!(
            anchors("## What it says, and why\n# `kubectl` now"),
            ["what-it-says-and-why", "kubectl-now"]
        );
    }

    #[test]
    fn rows_have_cells() {
        assert_eq!(cells("| a | `b` |"), Some(vec!["a".to_owned(), "`b`".to_owned()]));
        assert_eq!(cells(r"| a \| b | |"), Some(vec!["a | b".to_owned(), String::new()]));
        assert_eq!(cells("text"), None);
    }
}
