//! One field's metadata in the short form that `schema.yaml` has.

use std::collections::BTreeMap;
use std::path::Path;

use roxmltree::Node;
use serde_json::{Value as Json, json};

use super::LocalName as _;
use super::xml::{child, flag, number, text};
use crate::formula::{Criterion, RollUp};
use crate::org::error::LoadError;
use crate::schema::short::ShortField;

/// Values of a picklist: active ones, and the default.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    names: Vec<String>,
    default: Option<String>,
}

impl Values {
    /// Adds a value; inactive ones are not offered.
    pub(super) fn add(&mut self, value: Node<'_, '_>) {
        let Some(name) = text(value, "fullName") else { return };
        if text(value, "isActive").is_some_and(|active| active.trim() == "false") {
            return;
        }
        // names are percent-encoded where XML names could not hold them
        let name = url::form_urlencoded::parse(format!("n={}", name.replace('+', "%2B")).as_bytes())
            .next()
            .map_or_else(|| name.to_owned(), |(_, name)| name.into_owned());
        if flag(value, "default") {
            self.default = Some(name.clone());
        }
        self.names.push(name);
    }
}

/// The field that an element describes, by its API name; none for what the data API does not show.
pub(super) fn read_field(
    node: Node<'_, '_>,
    file: &Path,
    sets: &BTreeMap<String, Values>,
) -> Result<Option<(String, ShortField)>, LoadError> {
    // standard fields of an object file have no type
    let Some(kind) = text(node, "type") else { return Ok(None) };
    let name = text(node, "fullName").unwrap_or("Name").to_owned();
    let owned = |name: &str| text(node, name).map(str::to_owned);
    let mut field = ShortField {
        label: owned("label"),
        length: number(node, "length"),
        precision: number(node, "precision"),
        scale: number(node, "scale"),
        required: flag(node, "required"),
        unique: flag(node, "unique"),
        case_sensitive: flag(node, "caseSensitive"),
        external_id: flag(node, "externalId"),
        formula: owned("formula"),
        blank_as_zero: text(node, "formulaTreatBlanksAs").is_some_and(|as_what| as_what == "BlankAsZero"),
        help: owned("inlineHelpText"),
        display_format: owned("displayFormat"),
        ..ShortField::default()
    };
    let short = match kind {
        "Text" => "string",
        "TextArea" => "textarea",
        "LongTextArea" => "textarea",
        "Html" => {
            field.html = true;
            "textarea"
        }
        "EncryptedText" => "encryptedstring",
        "Checkbox" => "boolean",
        "Number" => "double",
        "Currency" => "currency",
        "Percent" => "percent",
        "Date" => "date",
        "DateTime" => "datetime",
        "Time" => "time",
        "Email" => "email",
        "Phone" => "phone",
        "Url" => "url",
        "Location" => "location",
        "AutoNumber" => "autonumber",
        "Picklist" | "MultiselectPicklist" => {
            picklist(node, &mut field, sets);
            if kind == "Picklist" { "picklist" } else { "multipicklist" }
        }
        "Summary" => {
            field.read_only = true;
            field.summary = true;
            field.roll_up = roll_up(node);
            "double"
        }
        "Lookup"
        | "MasterDetail"
        | "MetadataRelationship"
        | "Hierarchy"
        | "ExternalLookup"
        | "IndirectLookup" => {
            reference(node, kind, &name, &mut field);
            if kind == "MasterDetail" { "masterdetail" } else { "reference" }
        }
        other => {
            let message = format!(
                "{name}: a field of type {other} is not known; take the file out of the org directory"
            );
            return Err(LoadError::file(file, message));
        }
    };
    short.clone_into(&mut field.r#type);
    if field.default.is_none() {
        field.default = text(node, "defaultValue").and_then(literal);
    }
    if field.formula.is_some() {
        field.required = false;
        // a formula's text is as long as Salesforce lets it become
        field.length = (short == "string").then_some(1_300);
    }
    Ok(Some((name, field)))
}

/// What a roll-up is made of; none if it is not told whole.
fn roll_up(node: Node<'_, '_>) -> Option<RollUp> {
    let (of, by) = text(node, "summaryForeignKey")?.split_once('.')?;
    let operation = json!(text(node, "summaryOperation").unwrap_or("count"));
    let field = text(node, "summarizedField").and_then(|path| Some(path.split_once('.')?.1.to_owned()));
    let items = node.children().filter(|child| child.has_tag_name_local("summaryFilterItems"));
    let criterion = |item: Node<'_, '_>| {
        let field = text(item, "field")?;
        Some(Criterion {
            field: field.strip_prefix(of).and_then(|rest| rest.strip_prefix('.')).unwrap_or(field).to_owned(),
            operation: serde_json::from_value(json!(text(item, "operation")?)).ok()?,
            value: text(item, "value").unwrap_or_default().to_owned(),
        })
    };
    Some(RollUp {
        of: of.to_owned(),
        by: by.to_owned(),
        operation: serde_json::from_value(operation).ok()?,
        field,
        filter: items.map(criterion).collect::<Option<_>>()?,
    })
}

fn picklist(node: Node<'_, '_>, field: &mut ShortField, sets: &BTreeMap<String, Values>) {
    // `picklist` is how API versions before 38.0 wrote it
    let set = child(node, "valueSet").or_else(|| child(node, "picklist"));
    let Some(set) = set else { return };
    field.restricted = flag(set, "restricted");
    let values = match text(set, "valueSetName").and_then(|name| sets.get(name)) {
        Some(global) => global.clone(),
        None => {
            let mut values = Values::default();
            let holder = child(set, "valueSetDefinition").unwrap_or(set);
            let listed = holder.children();
            let listed =
                listed.filter(|n| n.has_tag_name_local("value") || n.has_tag_name_local("picklistValues"));
            listed.for_each(|value| values.add(value));
            values
        }
    };
    field.values = values.names;
    field.default = values.default.map(Json::String);
}

fn reference(node: Node<'_, '_>, kind: &str, name: &str, field: &mut ShortField) {
    field.to = vec![
        text(node, "referenceTo")
            .unwrap_or(if kind == "Hierarchy" { "User" } else { "EntityDefinition" })
            .to_owned(),
    ];
    field.relationship =
        Some(name.strip_suffix("__c").map_or_else(|| name.to_owned(), |stem| format!("{stem}__r")));
    field.children = text(node, "relationshipName").map(|children| format!("{children}__r"));
    field.delete = text(node, "deleteConstraint").map(str::to_owned);
    field.order = number(node, "relationshipOrder");
    field.reparentable = flag(node, "reparentableMasterDetail");
}

/// A default that is a constant; formulas are for the server to compute, and this one does not.
fn literal(text: &str) -> Option<Json> {
    let text = text.trim();
    if let Some(quoted) = text.strip_prefix(['"', '\'']).and_then(|rest| rest.strip_suffix(['"', '\''])) {
        return Some(json!(quoted));
    }
    match text {
        "true" | "TRUE" => Some(json!(true)),
        "false" | "FALSE" => Some(json!(false)),
        number => serde_json::from_str::<serde_json::Number>(number).ok().map(Json::Number),
    }
}
