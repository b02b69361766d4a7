//! The YAML that users are shown: in files, in fenced blocks, and in what Helm prints after an installation.

use serde::Deserialize;
use serde_json::Value;

use crate::markdown;
use crate::repository::TextFile;

/// Our API group, as `apiVersion` begins with it.
const GROUP: &str = "orgkeep.dev/";

/// One of our objects, as a page or an example shows it.
#[derive(Debug)]
pub struct Manifest {
    /// File, and in a page the line of its block.
    pub place: String,
    /// The object.
    pub object: Value,
}

/// Our objects in a file; an error names the place of what is not YAML.
pub fn manifests(file: &TextFile) -> Result<Vec<Manifest>, String> {
    let mut found = Vec::new();
    for (place, text) in blocks(file) {
        let documents = documents(&text).map_err(|error| format!("{place}: {error}"))?;
        let ours = documents.into_iter().filter(is_ours);
        found.extend(ours.map(|object| Manifest { place: place.clone(), object }));
    }
    Ok(found)
}

fn is_ours(object: &Value) -> bool {
    object["apiVersion"].as_str().is_some_and(|version| version.starts_with(GROUP))
}

fn blocks(file: &TextFile) -> Vec<(String, String)> {
    if file.ends_with(&[".yaml", ".yml"]) {
        return vec![(file.path.clone(), file.text.clone())];
    }
    if file.ends_with(&[".md"]) {
        let fences = markdown::split(&file.text).0.into_iter().filter(|fence| fence.language == "yaml");
        return fences.map(|fence| (format!("{}:{}", file.path, fence.line), fence.text)).collect();
    }
    if file.ends_with(&["NOTES.txt"]) {
        return heredocs(file);
    }
    Vec::new()
}

/// What stands between `<<'YAML'` and `YAML`, without the common indentation.
fn heredocs(file: &TextFile) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = file.text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if !line.trim_end().ends_with("<<'YAML'") {
            continue;
        }
        let indentation = line.len() - line.trim_start().len();
        let body = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "YAML");
        let body: Vec<&str> = body.map(|line| line.get(indentation..).unwrap_or_default()).collect();
        found.push((format!("{}:{}", file.path, index + 1), body.join("\n")));
    }
    found
}

fn documents(text: &str) -> Result<Vec<Value>, serde_yaml::Error> {
    serde_yaml::Deserializer::from_str(text).map(Value::deserialize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        manifests(&file).unwrap().into_iter().map(|manifest| manifest.place).collect()
    }

    #[test]
    fn objects_are_found_where_users_are_shown_them() {
        let object = "apiVersion: orgkeep.dev/v1alpha1\nkind: X\n";
        assert_eq!(places("a.yaml", &format!("kind: Y\n---\n{object}")), ["a.yaml"]);
        assert_eq!(places("a.md", &format!("x\n```yaml\n{object}```\n```sh\n{object}```\n")), ["a.md:2"]);
        let notes = "  apply <<'YAML'\n  apiVersion: orgkeep.dev/v1\n  spec:\n    a: 1\n  YAML\n";
        assert_eq!(places("NOTES.txt", notes), ["NOTES.txt:1"]);
    }

    #[test]
    fn what_is_not_yaml_is_named() {
        let file = TextFile { path: "a.yaml".to_owned(), text: "a: [".to_owned() };
        assert!(manifests(&file).unwrap_err().starts_with("a.yaml: "));
    }
}
