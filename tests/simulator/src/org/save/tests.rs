use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use proptest::prelude::*;

use super::super::tests::{ACCOUNTS, CONTACTS, SCHEMA, org_with};
use super::*;
use crate::metadata::{File, Key, Stamp};
use crate::org::Org;
use crate::schema::SchemaChange;
use crate::store::transaction::{Actor, Doubts, Transaction};
use crate::store::{Bounds, plain};
use crate::value::{Id, Value};

const ORG: &str = "
name: Acme
sessionMinutes: 2.5
limits: {dailyApiRequests: 5000, lagSeconds: 3}
users:
  - {username: admin@acme.example, password: secret, securityToken: token, permissions: [ApiEnabled, ViewAllData]}
  - {username: clerk@acme.example, hiddenFields: [Account.Industry], hiddenObjects: [Contact], active: false}
connectedApps:
  - {clientId: app, clientSecret: app-secret, flows: [ClientCredentials], runAs: admin@acme.example}
activity: {changesPerDay: 0.5}
doubts: {undeleteRefills: false}
";

/// All that a call could see of an org, as text.
fn told(world: &World) -> String {
    let mut text = String::new();
    for (number, object) in world.schema.objects().iter().enumerate() {
        let table = world.database.table(number);
        let _ = writeln!(text, "== {} {} {:?}", object.name, object.changed, object.fields);
        let _ = writeln!(text, "{}", serde_json::to_string(&object.describe).unwrap());
        let _ = writeln!(text, "{} of {}", table.count(false), table.count(true));
        let prefix = object.key_prefix.unwrap_or(*b"000");
        let _ = writeln!(text, "next {}", table.upcoming_id(prefix));
        for row in table.scan(Bounds::ALL, true) {
            let deleted = matches!(row, crate::store::RowRef::Stored(row) if row.deleted);
            let _ = write!(text, "{} {deleted}", table.id_of(row));
            for field in 0..object.fields.len() {
                let mut scratch = String::new();
                let cell = world.database.cell(&world.schema, number, row, field, &mut scratch);
                let _ = write!(text, "|{}", plain(cell));
            }
            text.push('\n');
        }
        for gone in table.all_gone() {
            let _ = writeln!(text, "{gone:?}");
        }
        let numbers: Vec<_> = (0..object.fields.len()).map(|field| table.last_number(field)).collect();
        let _ = writeln!(text, "{numbers:?}");
    }
    for (key, component) in world.metadata.all() {
        let _ = writeln!(text, "{key:?} {component:?}");
    }
    let _ = writeln!(text, "{:?} {:?}", world.schema.changed(), world.hidden);
    text
}

fn start(generated: u64) -> (Site, World) {
    let files = [
        ("org.yaml", ORG),
        ("schema.yaml", SCHEMA),
        ("data/Account.csv", ACCOUNTS),
        ("data/Contacts.json", CONTACTS),
    ];
    org_with(&files, &[("Contact", generated)]).unwrap().into_parts()
}

fn again(site: &Site, world: &World) -> (Site, World) {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("saved");
    save_world(world, site, site.settings.users.clone(), &directory).unwrap();
    let names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["saved"]);
    Org::load(&directory, &[]).unwrap().into_parts()
}

#[test]
fn settings_come_back_with_passwords_and_what_is_hidden() {
    let (site, mut world) = start(0);
    std::sync::Arc::make_mut(&mut world.hidden)[0].fields.insert("Account.Description".to_owned());
    let (back, world_back) = again(&site, &world);
    assert_eq!(world_back.hidden, world.hidden);
    let text = |settings: &Settings| {
        let mut settings = settings.clone();
        settings.users[0].hidden_fields.clear();
        serde_yaml::to_string(&settings).unwrap()
    };
    assert_eq!(text(&back.settings), text(&site.settings));
    assert!(text(&back.settings).contains("app-secret"));
}

#[test]
fn contents_certificates_and_components_come_along() {
    let (site, mut world) = start(0);
    let stamp = Stamp { at: 1_700_000_000_000, by: Id::new(*b"005", 1) };
    for (kind, name, path) in [
        ("ApexClass", "A", "classes/A.cls"),
        ("CustomField", "Account.Level__c", "objects/Account.object"),
        ("CustomField", "Account.Other__c", "objects/Account.object"),
        ("CustomObject", "Account", "objects/Account.object"),
        ("Layout", "Account-Account %28Sales%29", "layouts/Account-Account %28Sales%29.layout"),
    ] {
        let files = vec![File::new(path, format!("content of {name}"))];
        world.metadata.put(Key::new(kind, name), files, stamp);
    }
    world.metadata.put(Key::new("Profile", "Nothing"), Vec::new(), stamp);
    let (_, back) = again(&site, &world);
    let list = |world: &World| format!("{:?}", world.metadata.all().collect::<Vec<_>>());
    assert_eq!(list(&back), list(&world));
    assert_eq!(back.metadata.len(), 6);
}

#[test]
fn automations_and_labels_come_along() {
    let (site, mut world) = start(0);
    let declared = "labels: {Bad: bad}\nautomations:\n  - {kind: ValidationRule, object: Account, name: V, when: 'Name = $Label.Bad', message: m, active: false}\n  - {kind: Flow, object: Account, name: F, on: [after insert], do: [{email: Name, subject: s}]}\n";
    let mut declared = crate::automation::Declared::parse(declared).unwrap();
    world.database.surroundings_mut().labels = declared.take_labels();
    let mut automations = crate::automation::Automations::default();
    declared.add_to(&mut automations, &world.schema, &world.database).unwrap();
    world.automations = automations.into();
    let (_, back) = again(&site, &world);
    assert_eq!(back.automations, world.automations);
    assert_eq!(back.automations.all().count(), 2);
    assert_eq!(back.database.surroundings().labels, world.database.surroundings().labels);
}

#[test]
fn what_is_there_is_not_written_over_and_a_failure_leaves_nothing() {
    let (site, world) = start(0);
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine"), "mine").unwrap();
    let users = || site.settings.users.clone();
    assert!(matches!(save_world(&world, &site, users(), &full), Err(SaveError::Exists(_))));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    save_world(&world, &site, users(), &empty).unwrap();
    let mut broken = site.clone();
    broken.settings.connected_apps[0].certificate = Some(full.clone());
    let target = folder.path().join("target");
    assert!(matches!(save_world(&world, &broken, users(), &target), Err(SaveError::File { .. })));
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["empty", "full"]);
}

/// A change, drawn at random.
#[derive(Clone, Debug)]
enum Step {
    Insert(String, Option<u8>),
    Update(u8, String),
    Delete(u8),
    Undelete(u8),
    Purge(u8),
    Content(Vec<u8>),
    AddField(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let text = || "[ -~\\n\\r\"\u{e4}\u{1f600}]{1,12}".prop_map(|text| format!("x{text}x"));
    prop_oneof![
        4 => (text(), any::<Option<u8>>()).prop_map(|(name, parent)| Step::Insert(name, parent)),
        3 => (any::<u8>(), text()).prop_map(|(n, text)| Step::Update(n, text)),
        2 => any::<u8>().prop_map(Step::Delete),
        1 => any::<u8>().prop_map(Step::Undelete),
        1 => any::<u8>().prop_map(Step::Purge),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Step::Content),
        1 => (0u8..3).prop_map(Step::AddField),
    ]
}

fn apply(world: &mut World, at: i64, step: &Step) {
    let actor = Actor::new(Id::new(*b"005", 1), |_| true);
    let (accounts, contacts) = (world.schema.find("Account").unwrap(), world.schema.find("Contact").unwrap());
    let field = |world: &World, object: usize, name: &str| world.schema.object(object).find(name).unwrap();
    let mut ids: Vec<Id> = Vec::new();
    for object in [accounts, contacts] {
        let table = world.database.table(object);
        ids.extend(table.scan(Bounds::ALL, true).map(|row| table.id_of(row)));
    }
    let pick = |n: u8| ids.get(usize::from(n) % ids.len().max(1)).copied().unwrap_or(Id::LOWEST);
    if let Step::AddField(n) = step {
        let text = format!(
            r#"{{"do": "addField", "object": "Account", "field": "F{n}__c", "definition": {{"type": "string", "length": 20}}}}"#
        );
        let change: Result<SchemaChange, _> = serde_json::from_str(&text);
        // the same field twice is refused
        let _ = world.change_schema(&change.unwrap(), at);
        return;
    }
    let (name, description, last, account) = (
        field(world, accounts, "Name"),
        field(world, accounts, "Description"),
        field(world, contacts, "LastName"),
        field(world, contacts, "AccountId"),
    );
    let mut transaction = Transaction::new(world, actor, at, Doubts::default());
    let text = |text: &str| Some(Value::Text(text.into()));
    // a refusal changes nothing, which is as good a step as any
    match step {
        Step::Insert(content, None) => {
            let _ = transaction.insert(accounts, [(name, text(content))].into_iter().collect());
        }
        Step::Insert(content, Some(n)) => {
            let cells = [(last, text(content)), (account, Some(Value::Id(pick(*n))))];
            let _ = transaction.insert(contacts, cells.into_iter().collect());
        }
        Step::Update(n, content) => {
            let id = pick(*n);
            let changed = if id.prefix() == *b"001" { description } else { last };
            let _ = transaction.update(id, [(changed, text(content))].into_iter().collect());
        }
        Step::Delete(n) => drop(transaction.delete(pick(*n))),
        Step::Undelete(n) => drop(transaction.undelete(pick(*n))),
        Step::Purge(n) => drop(transaction.hard_delete(pick(*n))),
        Step::Content(content) => drop(transaction.keep_file(bytes::Bytes::from(content.clone()))),
        Step::AddField(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Random changes, saved and loaded, tell the same; and go on to tell the same after the same further changes.
    #[test]
    fn what_was_saved_is_what_was(
        steps in proptest::collection::vec(step(), 0..40),
        further in proptest::collection::vec(step(), 0..10),
        generated in 0u64..12,
    ) {
        let (site, mut world) = start(generated);
        for (n, step) in steps.iter().enumerate() {
            apply(&mut world, 1_700_000_000_000 + n as i64 * 1_000, step);
        }
        let (site_back, mut back) = again(&site, &world);
        prop_assert_eq!(told(&back), told(&world));
        for (n, step) in further.iter().enumerate() {
            let at = 1_710_000_000_000 + n as i64 * 1_000;
            apply(&mut world, at, step);
            apply(&mut back, at, step);
        }
        prop_assert_eq!(told(&back), told(&world));
        let (_, twice) = again(&site_back, &back);
        prop_assert_eq!(told(&twice), told(&back));
    }
}

#[test]
fn a_contents_file_is_served_after_loading() {
    let files = [
        ("schema.yaml", "objects: {Attachment: {}, Account: {fields: {}}}"),
        ("data/Account.csv", "Id,Name\na,Acme\n"),
        ("data/Attachment.csv", "Id,Name,ParentId,Body\nx,a.txt,a,a.txt\n"),
        ("files/a.txt", "hello"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files.iter().chain(&[("org.yaml", ORG_SMALL)]) {
        let path = folder.path().join("org").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let (site, mut world) = Org::load(&folder.path().join("org"), &[]).unwrap().into_parts();
    let attachments = world.schema.find("Attachment").unwrap();
    let described = world.schema.object(attachments).clone();
    let actor = Actor::new(Id::new(*b"005", 1), |_| true);
    let mut transaction = Transaction::new(&mut world, actor, 1_700_000_000_000, Doubts::default());
    let parent = Id::new(*b"001", 1);
    let body = transaction.keep_file(bytes::Bytes::from_static(b"kept"));
    let cells = [("Name", Value::Text("b".into())), ("ParentId", Value::Id(parent)), ("Body", body)];
    let cells = cells.into_iter().map(|(name, value)| (described.find(name).unwrap(), Some(value)));
    transaction.insert(attachments, cells.collect()).unwrap();
    let directory = folder.path().join("saved");
    let saved = save_world(&world, &site, site.settings.users.clone(), &directory).unwrap();
    assert!(saved.files > 10 && saved.rows > 3);
    let mut contents: BTreeMap<String, String> = BTreeMap::new();
    for entry in fs::read_dir(directory.join("files")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        contents.insert(name, fs::read_to_string(entry.path()).unwrap());
    }
    assert_eq!(contents.values().map(String::as_str).collect::<Vec<_>>(), ["hello", "kept"]);
    let (_, back) = Org::load(&directory, &[]).unwrap().into_parts();
    assert_eq!(told(&back), told(&world));
}

const ORG_SMALL: &str = "{name: A, users: [{username: a@b.example}]}";
