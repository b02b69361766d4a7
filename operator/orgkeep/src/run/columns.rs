//! The columns that `kubectl get` would print, taken from the definitions themselves.

use jiff::Timestamp;
use serde_json::Value;

use crate::table;

/// Renders objects of one kind as `kubectl get` does where several kinds are asked for; with `wide`, the columns
/// that `-o wide` adds, too.
pub(crate) fn render(definition: &Value, objects: &[Value], wide: bool, now: Timestamp) -> String {
    let columns: Vec<Column<'_>> = definition
        .pointer("/spec/versions/0/additionalPrinterColumns")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(Column::read)
        .filter(|column| wide || column.priority == 0)
        .collect();
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let prefix = format!("{}.{}", text("/spec/names/singular"), text("/spec/group"));
    let headings: Vec<String> = std::iter::once("NAME".to_owned())
        .chain(columns.iter().map(|column| column.name.to_uppercase()))
        .collect();
    let rows: Vec<Vec<String>> = objects
        .iter()
        .map(|object| {
            let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            std::iter::once(format!("{prefix}/{name}"))
                .chain(columns.iter().map(|column| column.cell(object, now)))
                .collect()
        })
        .collect();
    table::render(&headings.iter().map(String::as_str).collect::<Vec<_>>(), &rows)
}

struct Column<'a> {
    name: &'a str,
    path: &'a str,
    date: bool,
    priority: i64,
}

impl<'a> Column<'a> {
    fn read(value: &'a Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        Self {
            name: text("name"),
            path: text("jsonPath"),
            date: text("type") == "date",
            priority: value.get("priority").and_then(Value::as_i64).unwrap_or(0),
        }
    }

    fn cell(&self, object: &Value, now: Timestamp) -> String {
        match lookup(object, self.path) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) if self.date => {
                text.parse::<Timestamp>().map_or_else(|_| text.clone(), |then| age(then, now))
            }
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}

/// The two forms of JSONPath that the definitions use: names joined by dots, and one `[?(@.type=="…")]`.
fn lookup<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    match path.split_once(r#"[?(@.type==""#) {
        None => walk(object, path),
        Some((list, rest)) => {
            let (wanted, rest) = rest.split_once(r#"")]"#)?;
            let of_type = |item: &&Value| item.get("type").and_then(Value::as_str) == Some(wanted);
            walk(walk(object, list)?.as_array()?.iter().find(of_type)?, rest)
        }
    }
}

fn walk<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|name| !name.is_empty()).try_fold(value, |value, name| value.get(name))
}

/// As kubectl writes ages: the largest unit, whole.
fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_found_as_the_definition_says() {
        let definition = json!({"spec": {
            "group": "g.dev", "names": {"singular": "thing"},
            "versions": [{"additionalPrinterColumns": [
                {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                {"name": "Rows", "type": "integer", "jsonPath": ".status.rows"},
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                {"name": "Wide", "type": "string", "jsonPath": ".spec.wide", "priority": 1}
            ]}]
        }});
        let object = json!({"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"wide": "w"},
            "status": {"rows": 7, "conditions": [{"type": "X", "status": "no"}, {"type": "Ready", "status": "True"}]}});
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        let narrow = render(&definition, std::slice::from_ref(&object), false, now);
        assert_eq!(narrow, "NAME            READY   ROWS   AGE\nthing.g.dev/a   True    7      5m\n");
        assert!(render(&definition, &[object], true, now).ends_with("5m    w\n"));
        assert!(
            render(&definition, &[json!({"metadata": {"name": "b"}})], false, now).contains("thing.g.dev/b")
        );
    }
}
