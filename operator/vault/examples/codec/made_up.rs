//! A table that is made up, for a run without files.

use std::fmt::Write as _;

use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;

use crate::Outcome;

/// A table of 60 columns, four in ten cells filled, rows in no order.
pub(crate) fn made_up(rows: u64) -> Outcome<(Vec<u8>, ObjectSchema)> {
    let kinds =
        ["string", "picklist", "reference", "currency", "boolean", "date", "datetime", "int", "textarea"];
    let mut fields = vec![
        serde_json::json!({"name": "Id", "type": "id"}),
        serde_json::json!({"name": "SystemModstamp", "type": "datetime"}),
    ];
    for at in 0..58 {
        fields.push(serde_json::json!({"name": format!("Field{at:02}__c"), "type": kinds[at % kinds.len()],
            "precision": 18, "scale": 2}));
    }
    let schema: ObjectSchema = serde_json::from_value(serde_json::json!({"name": "Made", "fields": fields}))?;
    let names: Vec<String> = schema.columns().map(|field| format!("\"{}\"", field.name)).collect();
    let mut csv = names.join(",") + "\n";
    let mut random = Random(1);
    for row in 0..rows {
        let id = SalesforceId::parse(&format!("a00{:012}", row * 7919 % rows))?;
        write!(
            csv,
            "\"{id}\",\"2026-{:02}-{:02}T10:11:12.000Z\"",
            random.below(12) + 1,
            random.below(28) + 1
        )?;
        for at in 0..58 {
            csv.push_str(",\"");
            if random.below(10) < 4 || kinds[at % kinds.len()] == "boolean" {
                cell(kinds[at % kinds.len()], &mut random, &mut csv)?;
            }
            csv.push('"');
        }
        csv.push('\n');
    }
    Ok((csv.into_bytes(), schema))
}

fn cell(kind: &str, random: &mut Random, csv: &mut String) -> Outcome<()> {
    const WORDS: [&str; 12] = [
        "north",
        "acme",
        "global",
        "media",
        "partner",
        "logistics",
        "energy",
        "prime",
        "river",
        "stone",
        "union",
        "works",
    ];
    let words = match kind {
        "textarea" => 6 + random.below(10),
        "string" => 2,
        "picklist" => 1,
        _ => 0,
    };
    for at in 0..words {
        let space = if at > 0 { " " } else { "" };
        write!(csv, "{space}{}", WORDS[random.below(12) as usize])?;
    }
    match kind {
        "string" => write!(csv, " {}", random.below(1_000_000))?,
        "reference" => write!(csv, "{}", SalesforceId::parse(&format!("005{:012}", random.below(5000)))?)?,
        "currency" => write!(csv, "{}.{:02}", random.below(1_000_000), random.below(100))?,
        "boolean" => write!(csv, "{}", random.below(10) == 0)?,
        "date" => write!(csv, "2025-{:02}-{:02}", random.below(12) + 1, random.below(28) + 1)?,
        "datetime" => write!(csv, "2025-06-{:02}T{:02}:11:12.000Z", random.below(28) + 1, random.below(24))?,
        "int" => write!(csv, "{}", random.below(50_000))?,
        _ => {}
    }
    Ok(())
}

/// xorshift: the same table on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
