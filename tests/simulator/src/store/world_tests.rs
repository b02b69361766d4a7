//! Whatever becomes of the schema, the content of what stays stays.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::transaction::{Actor, Doubts, Transaction};
use super::{Bounds, World, plain};
use crate::org::tests::org_with;
use crate::schema::SchemaChange;
use crate::schema::short::{ShortField, ShortObject};
use crate::value::{Id, Value};

const SCHEMA: &str = r"
objects:
  Account:
    fields:
      A__c: {type: string, length: 40}
      B__c: {type: double, precision: 10, scale: 2}
      C__c: {type: reference, to: [Account], children: Cs__r}
  Middle__c:
    fields:
      A__c: {type: date}
      B__c: {type: boolean}
";

const AT: i64 = 1_700_000_000_000;

fn world() -> World {
    let rows = ("data/Account.csv", "Id,Name,A__c,B__c,C__c\na,First,x,1.5,\nb,Second,,2,a\nc,Third,z,,b\n");
    let middle = ("data/Middle__c.csv", "Name,A__c,B__c\nm,2020-02-29,true\n");
    org_with(&[("schema.yaml", SCHEMA), rows, middle], &[("Account", 5), ("Middle__c", 5)])
        .unwrap()
        .into_parts()
        .1
}

/// The content of every cell, by object, id and field name.
fn content(world: &World) -> BTreeMap<(String, Id, String), String> {
    let mut all = BTreeMap::new();
    for (number, object) in world.schema.objects().iter().enumerate() {
        let table = world.database.table(number);
        for row in table.scan(Bounds::ALL, true) {
            for (field, described) in object.fields.iter().enumerate() {
                let mut scratch = String::new();
                let cell = world.database.cell(&world.schema, number, row, field, &mut scratch);
                let key = (object.name.clone(), table.id_of(row), described.name.clone());
                all.insert(key, plain(cell));
            }
        }
    }
    all
}

fn definition(kind: &str) -> ShortField {
    ShortField {
        r#type: kind.to_owned(),
        to: if kind == "reference" { vec!["Account".to_owned()] } else { Vec::new() },
        ..ShortField::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn content_follows_its_fields(steps in proptest::collection::vec((0u8..6, 0usize..2, 0usize..5, 0usize..5), 1..12)) {
        let mut world = world();
        for (kind, object, field, to) in steps {
            let objects = ["Account", "Middle__c"];
            let fields = ["A__c", "B__c", "C__c", "D__c", "E__c"];
            let (object, field, to) = (objects[object].to_owned(), fields[field].to_owned(), fields[to].to_owned());
            let change = match kind {
                0 => SchemaChange::AddField { object: object.clone(), field: field.clone(), definition: definition("boolean") },
                1 => SchemaChange::AddField { object: object.clone(), field: field.clone(), definition: definition("reference") },
                2 => SchemaChange::RemoveField { object: object.clone(), field: field.clone() },
                3 => SchemaChange::RenameField { object: object.clone(), field: field.clone(), to: to.clone() },
                4 => SchemaChange::AddObject { object: format!("A{to}"), definition: ShortObject::default() },
                _ => SchemaChange::RemoveObject { object: format!("A{field}") },
            };
            let (before, snapshot) = (content(&world), world.clone());
            let done = world.change_schema(&change, AT);
            prop_assert_eq!(&content(&snapshot), &before);
            let mut expected = before;
            match (&done, kind) {
                (Err(_), _) | (_, 4 | 5) => {}
                (_, 2) => expected.retain(|(o, _, f), _| *o != object || *f != field),
                (_, 3) => {
                    expected = expected
                        .into_iter()
                        .map(|((o, id, f), text)| {
                            let renamed = o == object && f == field;
                            ((o, id, if renamed { to.clone() } else { f }), text)
                        })
                        .collect();
                }
                (_, kind) => {
                    let ids: Vec<(String, Id)> = expected.keys().map(|(o, id, _)| (o.clone(), *id)).collect();
                    for (o, id) in ids.into_iter().filter(|(o, _)| *o == object) {
                        let text = if kind == 0 { "false" } else { "" };
                        expected.insert((o, id, field.clone()), text.to_owned());
                    }
                }
            }
            prop_assert_eq!(content(&world), expected);
            // children of a parent are those that point to it
            for (number, described) in world.schema.objects().iter().enumerate() {
                for relation in world.schema.relations_to(number) {
                    let target = &world.schema.object(relation.child).fields[relation.field].reference_to;
                    prop_assert!(target.contains(&described.name));
                }
            }
        }
    }
}

#[test]
fn a_retyped_field_keeps_what_the_type_can_hold() {
    let mut world = world();
    let change = |definition: ShortField| SchemaChange::RetypeField {
        object: "Account".to_owned(),
        field: "A__c".to_owned(),
        definition,
    };
    let account = world.schema.find("Account").unwrap();
    let id = Id::new(*b"001", 1);
    let shown = |world: &World| content(world)[&("Account".to_owned(), id, "A__c".to_owned())].clone();
    let cells = vec![(world.schema.object(account).find("A__c").unwrap(), Some(Value::Text("12.50".into())))];
    let actor = Actor::new(Id::new(*b"005", 1), |_| false);
    Transaction::new(&mut world, actor, AT, Doubts::default()).update(id, cells).unwrap();
    world.change_schema(&change(definition("double")), AT).unwrap();
    assert_eq!(shown(&world), "12.5");
    assert_eq!(world.schema.object(account).changed, AT);
    world.change_schema(&change(definition("date")), AT).unwrap();
    assert_eq!(shown(&world), "");
    let unknown = world.change_schema(&change(definition("hologram")), AT).unwrap_err();
    assert!(unknown.contains("`type: hologram`"), "{unknown}");
}

#[test]
fn a_renamed_reference_leaves_a_field_of_that_name_at_its_parent_alone() {
    let mut world = world();
    let (object, field, to) = ("Middle__c".to_owned(), "D__c".to_owned(), "C__c".to_owned());
    let definition = definition("reference");
    let add = SchemaChange::AddField { object: object.clone(), field: field.clone(), definition };
    world.change_schema(&add, AT).unwrap();
    let parents =
        |world: &World| content(world).into_iter().filter(|((o, ..), _)| o == "Account").collect::<Vec<_>>();
    let before = parents(&world);
    world.change_schema(&SchemaChange::RenameField { object, field, to }, AT).unwrap();
    assert_eq!(parents(&world), before);
}
