use super::*;
use crate::org::tests::org_with;
use crate::store::World;
use crate::store::transaction::{Actor, Assignment, Cells, Doubts, Options, Refusal, Transaction};
use crate::value::{Id, Value};

const AT: i64 = 1_700_000_000_000;
const SCHEMA: &str = r"
objects:
  Account:
    fields:
      Phone: {type: phone}
      Email__c: {type: email}
      Level__c: {type: string, length: 20}
      Note__c: {type: string, length: 80}
      Count__c: {type: double, precision: 9, scale: 0}
      Lines__c: {type: double, precision: 9, scale: 0, rollUp: {of: Line__c, by: Account__c}}
  Line__c:
    fields:
      Account__c: {type: masterdetail, to: [Account], children: Lines__r}
      Text__c: {type: string, length: 40}
  Case:
    nameField: None
    fields:
      Subject: {type: string, length: 80}
";

fn declared(automations: &str) -> World {
    let org = "name: Acme\nautomation: automation.yaml\nusers:\n  - {username: admin@acme.example, permissions: [ApiEnabled, ViewAllData]}\n  - {username: desk@acme.example}\n";
    let automations = format!("automations:\n{automations}");
    let files = [("org.yaml", org), ("schema.yaml", SCHEMA), ("automation.yaml", automations.as_str())];
    org_with(&files, &[]).unwrap().into_parts().1
}

fn begin(world: &mut World) -> Transaction<'_> {
    Transaction::new(world, Actor::platform(Id::new(*b"005", 1)), AT, Doubts::default())
}

fn cells(transaction: &Transaction<'_>, object: &str, given: &[(&str, &str)]) -> (usize, Cells) {
    let object = transaction.world().schema.find(object).unwrap();
    let described = transaction.world().schema.object(object);
    let cell = |(name, text): &(&str, &str)| {
        let field = described.find(name).unwrap();
        (field, Value::parse(described.fields[field].kind, text).unwrap())
    };
    (object, given.iter().map(cell).collect())
}

fn insert(transaction: &mut Transaction<'_>, object: &str, given: &[(&str, &str)]) -> Result<Id, Refusal> {
    let (object, cells) = cells(transaction, object, given);
    transaction.insert(object, cells)
}

fn update(transaction: &mut Transaction<'_>, id: Id, given: &[(&str, &str)]) -> Result<(), Refusal> {
    let object = transaction.object_of(id).unwrap();
    let name = transaction.world().schema.object(object).name.clone();
    let (_, cells) = cells(transaction, &name, given);
    transaction.update(id, cells)
}

fn text(world: &World, id: Id, field: &str) -> String {
    let object = world.schema.find_prefix(id.prefix()).unwrap();
    let row = world.database.find(object, id).unwrap();
    let field = world.schema.object(object).find(field).unwrap();
    crate::store::plain(world.database.cell(&world.schema, object, row, field, &mut String::new()))
}

fn count(world: &World, object: &str) -> u64 {
    world.database.table(world.schema.find(object).unwrap()).count(false)
}

fn switch(world: &mut World, kind: Kind, name: &str, active: bool) {
    let mut automations = Automations::clone(&world.automations);
    automations.set_active(kind, name, active, AT).unwrap();
    world.automations = automations.into();
}

#[test]
fn validation_rules_refuse_and_do_not_when_they_are_off() {
    let mut world = declared(
        "  - {kind: ValidationRule, object: Account, name: Phone, when: ISBLANK(Phone), message: A phone is needed, field: Phone}\n",
    );
    let refusal = insert(&mut begin(&mut world), "Account", &[("Name", "A")]).unwrap_err();
    let expected = Refusal::field("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Phone", "A phone is needed");
    assert_eq!(refusal, expected);
    let id = insert(&mut begin(&mut world), "Account", &[("Name", "A"), ("Phone", "1")]).unwrap();
    assert_eq!(update(&mut begin(&mut world), id, &[("Phone", "")]), Err(expected));
    assert_eq!(text(&world, id, "Phone"), "1");
    switch(&mut world, Kind::ValidationRule, "Account.Phone", false);
    update(&mut begin(&mut world), id, &[("Phone", "")]).unwrap();
    let mut transaction = begin(&mut world);
    insert(&mut transaction, "Account", &[("Name", "B")]).unwrap();
    assert_eq!(transaction.tally().told(Kind::ValidationRule, "Account.Phone"), Told::default());
}

#[test]
fn what_rules_know_of_a_change() {
    let mut world = declared(
        "  - {kind: ValidationRule, object: Account, name: Fixed, message: fixed, when: 'ISCHANGED(Level__c) && PRIORVALUE(Level__c) = \"gold\" || ISNEW() && Level__c = \"old\"'}\n",
    );
    let id = insert(&mut begin(&mut world), "Account", &[("Name", "A"), ("Level__c", "gold")]).unwrap();
    assert!(insert(&mut begin(&mut world), "Account", &[("Name", "A"), ("Level__c", "old")]).is_err());
    update(&mut begin(&mut world), id, &[("Phone", "1"), ("Level__c", "gold")]).unwrap();
    assert!(update(&mut begin(&mut world), id, &[("Level__c", "old")]).is_err());
}

#[test]
fn triggers_set_make_and_refuse_in_their_order() {
    let mut world = declared(
        r#"  - kind: ApexTrigger
    object: Account
    name: AccountTrigger
    on: [before insert, before update]
    do: [{set: Level__c, to: 'UPPER(Name)'}, {set: Count__c, to: 'BLANKVALUE(Count__c, 0) + 1'}]
  - {kind: Flow, object: Account, name: First, on: [before insert], do: [{set: Name, to: 'Name & "!"'}]}
  - {kind: ApexTrigger, object: Account, name: Lines, on: [after insert], do: [{insert: Line__c, fields: {Account__c: Id, Name: '"of " & Name'}}]}
  - {kind: ApexTrigger, object: Account, name: NoDelete, on: [before delete], when: 'Lines__c > 1', do: [{refuse: in use}]}
  - {kind: ValidationRule, object: Account, name: V, when: 'Level__c <> UPPER(Name)', message: never}
"#,
    );
    let id = insert(&mut begin(&mut world), "Account", &[("Name", "a"), ("Level__c", "x")]).unwrap();
    // the flow came before the trigger, and both before the validation rule
    assert_eq!((text(&world, id, "Name"), text(&world, id, "Level__c")), ("a!".to_owned(), "A!".to_owned()));
    assert_eq!((count(&world, "Line__c"), text(&world, id, "Lines__c").as_str()), (1, "1.0"));
    update(&mut begin(&mut world), id, &[("Name", "b")]).unwrap();
    assert_eq!(
        (text(&world, id, "Level__c"), text(&world, id, "Count__c").as_str()),
        ("B".to_owned(), "2.0")
    );
    let account = id.to_string();
    insert(&mut begin(&mut world), "Line__c", &[("Name", "2"), ("Account__c", &account)]).unwrap();
    let refusal = begin(&mut world).delete(id).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "in use"));
    switch(&mut world, Kind::ApexTrigger, "NoDelete", false);
    begin(&mut world).delete(id).unwrap();
    assert_eq!((count(&world, "Account"), count(&world, "Line__c")), (0, 0));
}

#[test]
fn what_is_refused_late_leaves_nothing() {
    let mut world = declared(
        r#"  - {kind: ApexTrigger, object: Account, name: A, on: [after insert], do: [{insert: Line__c, fields: {Account__c: Id, Name: Name}}, {email: '"ops@acme.example"', subject: made}]}
  - {kind: Flow, object: Account, name: B, on: [after insert], when: 'Name = "bad"', do: [{refuse: No such account, throws: true}]}
  - {kind: ApexTrigger, object: Line__c, name: C, on: [before insert], when: 'Name = "worse"', do: [{refuse: Null pointer, throws: true}]}
"#,
    );
    let mut transaction = begin(&mut world);
    let refusal = insert(&mut transaction, "Account", &[("Name", "bad")]).unwrap_err();
    assert_eq!(refusal.code, "CANNOT_EXECUTE_FLOW_TRIGGER");
    assert!(refusal.message.contains("“B” process failed") && refusal.message.contains("No such account"));
    assert!(transaction.tally().mails().is_empty());
    assert_eq!(transaction.tally().told(Kind::Flow, "B").refused, 1);
    let refusal = insert(&mut transaction, "Account", &[("Name", "worse")]).unwrap_err();
    assert_eq!(refusal.code, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
    assert!(
        refusal
            .message
            .starts_with("A: execution of AfterInsert\n\ncaused by: System.DmlException: Insert failed.")
    );
    insert(&mut transaction, "Account", &[("Name", "good")]).unwrap();
    assert_eq!(transaction.tally().mails().len(), 1);
    assert_eq!((count(&world, "Account"), count(&world, "Line__c")), (1, 1));
}

#[test]
fn workflow_rules_update_fields_and_fire_triggers_once_more() {
    let mut world = declared(
        r#"  - {kind: WorkflowRule, object: Account, name: Gold, where: [{field: Level__c, operation: equals, value: Gold}], onlyWhenItBegins: true,
     do: [{set: Note__c, to: '"golden"'}, {email: Email__c, subject: You are gold}]}
  - {kind: ApexTrigger, object: Account, name: Counts, on: [before insert, before update], do: [{set: Count__c, to: 'BLANKVALUE(Count__c, 0) + 1'}]}
  - {kind: ValidationRule, object: Account, name: NoNote, when: 'Note__c = "golden"', message: not looked at again}
"#,
    );
    let id =
        insert(&mut begin(&mut world), "Account", &[("Name", "A"), ("Email__c", "a@x.example")]).unwrap();
    assert_eq!(text(&world, id, "Count__c"), "1.0");
    let mut transaction = begin(&mut world);
    update(&mut transaction, id, &[("Level__c", "gold")]).unwrap();
    assert_eq!(transaction.tally().mails()[0].to, "a@x.example");
    assert_eq!(
        (text(&world, id, "Note__c").as_str(), text(&world, id, "Count__c").as_str()),
        ("golden", "3.0")
    );
    switch(&mut world, Kind::ValidationRule, "Account.NoNote", false);
    let mut transaction = begin(&mut world);
    update(&mut transaction, id, &[("Phone", "1")]).unwrap();
    assert_eq!(transaction.tally().told(Kind::WorkflowRule, "Account.Gold"), Told::default());
}

#[test]
fn duplicates_are_refused_unless_the_call_allows_them() {
    let rule = |blocks: bool| {
        format!(
            "  - {{kind: DuplicateRule, object: Account, name: Same, matching: [Email__c, Name], blocks: {blocks}}}\n"
        )
    };
    let first = [("Name", "A"), ("Email__c", "a@x.example")];
    let again = [("Name", "a"), ("Email__c", "A@x.example")];
    let allowed = Options { allow_duplicates: true, ..Options::default() };
    for blocks in [false, true] {
        let mut world = declared(&rule(blocks));
        let id = insert(&mut begin(&mut world), "Account", &first).unwrap();
        // a record is no duplicate of itself
        update(&mut begin(&mut world), id, &[("Phone", "1")]).unwrap();
        insert(&mut begin(&mut world), "Account", &[("Name", "A")]).unwrap();
        let refusal = insert(&mut begin(&mut world), "Account", &again).unwrap_err();
        assert_eq!(refusal, Refusal::new("DUPLICATES_DETECTED", "Use one of these records?"));
        let mut transaction = begin(&mut world).with(&allowed);
        assert_eq!(insert(&mut transaction, "Account", &again).is_ok(), !blocks);
        switch(&mut world, Kind::DuplicateRule, "Account.Same", false);
        insert(&mut begin(&mut world), "Account", &again).unwrap();
    }
}

#[test]
fn cases_are_assigned_as_the_call_wants_it() {
    let mut world = declared(
        "  - {kind: AssignmentRule, object: Case, name: Desk, entries: [{where: [{field: Subject, operation: contains, value: help}], owner: desk@acme.example}]}\n",
    );
    let desk = Id::new(*b"005", 2).to_string();
    let me = Id::new(*b"005", 1).to_string();
    let rule = world.automations.find(Kind::AssignmentRule, "Case.Desk").unwrap().id;
    for (assignment, subject, owner) in [
        (Assignment::Active, "Help!", &desk),
        (Assignment::Active, "Other", &me),
        (Assignment::None, "Help!", &me),
        (Assignment::Rule(rule), "Help!", &desk),
    ] {
        let options = Options { assignment, ..Options::default() };
        let mut transaction = begin(&mut world).with(&options);
        let id = insert(&mut transaction, "Case", &[("Subject", subject)]).unwrap();
        assert_eq!(&text(&world, id, "OwnerId"), owner, "{options:?}");
    }
}

#[test]
fn automations_that_call_each_other_end() {
    let mut world = declared(
        r#"  - {kind: ApexTrigger, object: Account, name: Ring, on: [after insert], do: [{insert: Account, fields: {Name: Name}}]}
  - {kind: ApexTrigger, object: Case, name: Set, on: [after insert, after update], do: [{set: Subject, to: '"done"'}]}
  - {kind: ApexTrigger, object: Line__c, name: Grow, on: [after update], do: [{set: Text__c, to: 'Text__c & "x"'}]}
"#,
    );
    let refusal = insert(&mut begin(&mut world), "Account", &[("Name", "A")]).unwrap_err();
    assert!(refusal.message.contains("maximum trigger depth exceeded"), "{refusal}");
    assert_eq!(count(&world, "Account"), 0);
    let id = insert(&mut begin(&mut world), "Case", &[("Subject", "a")]).unwrap();
    assert_eq!(text(&world, id, "Subject"), "done");
    switch(&mut world, Kind::ApexTrigger, "Ring", false);
    let account = insert(&mut begin(&mut world), "Account", &[("Name", "A")]).unwrap().to_string();
    let line = insert(&mut begin(&mut world), "Line__c", &[("Name", "1"), ("Account__c", &account)]).unwrap();
    assert!(update(&mut begin(&mut world), line, &[("Text__c", "x")]).is_err());
    assert_eq!(text(&world, line, "Text__c"), "");
}

#[test]
fn deletion_and_return_fire() {
    let mut world = declared(
        r#"  - {kind: ApexTrigger, object: Line__c, name: Gone, on: [after delete], do: [{email: '"ops@acme.example"', subject: gone}]}
  - {kind: ApexTrigger, object: Line__c, name: Back, on: [after undelete], do: [{set: Text__c, to: '"back"'}]}
  - {kind: ApexTrigger, object: Line__c, name: Stays, on: [after undelete], when: 'Name = "stays"', do: [{refuse: stays gone}]}
"#,
    );
    let account = insert(&mut begin(&mut world), "Account", &[("Name", "A")]).unwrap().to_string();
    let line = |world: &mut World, name: &str| {
        insert(&mut begin(world), "Line__c", &[("Name", name), ("Account__c", &account)]).unwrap()
    };
    let (first, stays) = (line(&mut world, "1"), line(&mut world, "stays"));
    let mut transaction = begin(&mut world);
    assert!(transaction.delete_all(&[first, stays]).iter().all(Result::is_ok));
    assert_eq!(transaction.tally().mails().len(), 2);
    begin(&mut world).undelete(first).unwrap();
    assert_eq!(text(&world, first, "Text__c"), "back");
    assert!(begin(&mut world).undelete(stays).is_err());
    assert_eq!(count(&world, "Line__c"), 1);
}

#[test]
fn roll_ups_move_the_stamp_of_their_master_or_do_not() {
    for roll_ups_stamp in [true, false] {
        let mut world = declared("  []\n");
        let account = insert(&mut begin(&mut world), "Account", &[("Name", "A")]).unwrap();
        let doubts = Doubts { roll_ups_stamp, ..Doubts::default() };
        let later = |world: &mut World, work: &dyn Fn(&mut Transaction<'_>) -> Option<Id>| {
            let actor = Actor::platform(Id::new(*b"005", 1));
            work(&mut Transaction::new(world, actor, AT + 60_000, doubts))
        };
        let before = text(&world, account, "SystemModstamp");
        let named = account.to_string();
        let made = later(&mut world, &|transaction| {
            insert(transaction, "Line__c", &[("Name", "1"), ("Account__c", &named)]).ok()
        });
        assert_eq!(text(&world, account, "Lines__c"), "1.0");
        assert_eq!(text(&world, account, "SystemModstamp") != before, roll_ups_stamp);
        later(&mut world, &|transaction| transaction.delete(made?).ok().map(|()| account));
        assert_eq!(text(&world, account, "Lines__c"), "0.0");
    }
}

#[test]
fn managed_ones_are_not_switched_and_ids_stay() {
    let mut world = declared(
        "  - {kind: ValidationRule, object: Account, name: Theirs, namespace: npsp, when: 'FALSE', message: m}\n  - {kind: ApexTrigger, object: Account, name: Ours, on: [after insert], do: [{email: Name}]}\n",
    );
    let mut automations = Automations::clone(&world.automations);
    let managed = automations.set_active(Kind::ValidationRule, "Account.Theirs", false, AT);
    assert!(matches!(managed, Err(AutomationError::Managed(..))));
    assert!(matches!(
        automations.set_active(Kind::Flow, "Nope", false, AT),
        Err(AutomationError::Unknown(..))
    ));
    let known = automations.find(Kind::ApexTrigger, "ours").unwrap().clone();
    // a deployed trigger tells when it fires, not what it does
    let rule = Rule { on: vec![Moment::BeforeInsert], ..Rule::default() };
    let deployed = Automation { id: Id::LOWEST, active: false, rule, ..known.clone() };
    assert_eq!(automations.replace(deployed), Ok(known.id));
    let now = automations.find(Kind::ApexTrigger, "Ours").unwrap();
    assert!(!now.active && now.rule.effects == known.rule.effects && now.rule.on == [Moment::BeforeInsert]);
    assert_eq!(automations.remove(Kind::ApexTrigger, "Ours"), Ok(true));
    world.automations = automations.into();
    insert(&mut begin(&mut world), "Account", &[("Name", "A")]).unwrap();
}

#[test]
fn metadata_tells_of_automations() {
    use crate::metadata::{File, Key, Stamp};
    let mut world = declared("  []\n");
    let stamp = Stamp { at: AT, by: Id::LOWEST };
    let mut put = |kind: &str, name: &str, files: &[(&str, &str)]| {
        let files: Vec<File> =
            files.iter().map(|(path, text)| File::new(*path, text.as_bytes().to_vec())).collect();
        world.metadata.put(Key::new(kind, name), files, stamp);
    };
    put(
        "ValidationRule",
        "Account.V",
        &[(
            "objects/Account.object",
            "<ValidationRule><fullName>V</fullName><active>true</active><errorConditionFormula>ISBLANK(Phone) &amp;&amp; Name = $Label.Bad</errorConditionFormula><errorDisplayField>Phone</errorDisplayField><errorMessage>no phone</errorMessage></ValidationRule>",
        )],
    );
    put(
        "CustomLabel",
        "Bad",
        &[(
            "labels/CustomLabels.labels",
            "<CustomLabel><fullName>Bad</fullName><value>bad</value></CustomLabel>",
        )],
    );
    put(
        "WorkflowFieldUpdate",
        "Account.U",
        &[(
            "workflows/Account.workflow",
            "<WorkflowFieldUpdate><fullName>U</fullName><field>Count__c</field><operation>Literal</operation><literalValue>7</literalValue></WorkflowFieldUpdate>",
        )],
    );
    put(
        "WorkflowRule",
        "Account.W",
        &[(
            "workflows/Account.workflow",
            "<WorkflowRule><fullName>W</fullName><actions><name>U</name><type>FieldUpdate</type></actions><active>true</active><criteriaItems><field>Account.Level__c</field><operation>equals</operation><value>x,y</value></criteriaItems><triggerType>onAllChanges</triggerType></WorkflowRule>",
        )],
    );
    put(
        "ApexTrigger",
        "T",
        &[
            ("triggers/T.trigger", "trigger T on Account (before insert) {}"),
            ("triggers/T.trigger-meta.xml", "<ApexTrigger><status>Inactive</status></ApexTrigger>"),
        ],
    );
    put(
        "Flow",
        "F",
        &[(
            "flows/F.flow",
            "<Flow><start><object>Account</object><recordTriggerType>Create</recordTriggerType><triggerType>RecordAfterSave</triggerType></start><status>Active</status></Flow>",
        )],
    );
    put(
        "ValidationRule",
        "Account.Odd",
        &[(
            "x",
            "<ValidationRule><active>true</active><errorConditionFormula>VLOOKUP(1,2,3)</errorConditionFormula></ValidationRule>",
        )],
    );
    let wrong = world.automate();
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].0, "ValidationRule Account.Odd");
    assert!(wrong[0].1.contains("Unknown function VLOOKUP"));
    let active: Vec<(Kind, bool)> = world.automations.all().map(|one| (one.kind, one.active)).collect();
    assert_eq!(active.len(), 4);
    assert!(active.contains(&(Kind::ApexTrigger, false)) && active.contains(&(Kind::Flow, true)));
    let refusal = insert(&mut begin(&mut world), "Account", &[("Name", "bad")]).unwrap_err();
    assert_eq!(refusal, Refusal::field("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Phone", "no phone"));
    let id = insert(&mut begin(&mut world), "Account", &[("Name", "good"), ("Level__c", "Y")]).unwrap();
    assert_eq!(text(&world, id, "Count__c"), "7.0");
}

#[test]
fn declared_ones_are_components_of_metadata_and_come_back_the_same() {
    use crate::metadata::{Key, Stamp};
    let mut world = declared(
        r#"  - {kind: ValidationRule, object: Account, name: V, when: 'ISBLANK(Phone)', message: no phone, field: Phone}
  - {kind: ApexTrigger, object: Account, name: T, on: [before insert, after undelete], do: [{set: Level__c, to: '"x"'}]}
  - {kind: Flow, object: Account, name: F, on: [after insert, after update], do: [{email: Name, subject: s}]}
  - {kind: WorkflowRule, object: Account, name: W, where: [{field: Level__c, operation: equals, value: x}], logic: '1', do: [{set: Note__c, to: '"y"'}]}
  - {kind: DuplicateRule, object: Account, name: D, matching: [Name], blocks: true, namespace: theirs}
  - {kind: AssignmentRule, object: Case, name: A, entries: [{when: 'Subject = "a"', owner: desk@acme.example}]}
"#,
    );
    let before = world.automations.clone();
    assert_eq!(before.all().count(), 6);
    for automation in before.all() {
        let key = Key::new(automation.kind.name(), &automation.full_name);
        let component = world.metadata.get(&key).unwrap();
        let around = Around { schema: &world.schema, database: &world.database, metadata: &world.metadata };
        let read = around.read(&key, component).unwrap();
        assert_eq!(
            (read.active, read.namespace.as_deref()),
            (true, automation.namespace.as_deref()),
            "{key:?}"
        );
        assert_eq!((&read.rule.on, &read.rule.entries), (&automation.rule.on, &automation.rule.entries));
        // some types' components have ids, and a flow's is its version's
        if let Some(id) = component.id.filter(|_| automation.kind != Kind::Flow) {
            assert_eq!((automation.id, read.id), (id, id), "{key:?}");
        }
    }
    // what is read again changes nothing, as a deploy of the same
    world.automate();
    let rules = |automations: &Automations| automations.all().map(|one| one.rule.clone()).collect::<Vec<_>>();
    assert_eq!(rules(&world.automations), rules(&before));
    let stamp = Stamp { at: AT, by: Id::LOWEST };
    for (kind, name) in [(Kind::ValidationRule, "Account.V"), (Kind::ApexTrigger, "T"), (Kind::Flow, "F")] {
        world.switch_automation(kind, name, false, stamp).unwrap();
    }
    world.automate();
    assert_eq!(world.automations.all().filter(|automation| automation.active).count(), 3);
    assert!(world.switch_automation(Kind::DuplicateRule, "Account.D", false, stamp).is_err());
}

#[test]
fn criteria_are_joined_as_their_logic_says() {
    let mut world = declared(
        r"  - {kind: ValidationRule, object: Account, name: L, message: m, logic: 1 AND (2 or NOT(3)),
     where: [{field: Phone, operation: equals, value: ''}, {field: Level__c, operation: startsWith, value: a}, {field: Count__c, operation: lessThan, value: '5'}]}
",
    );
    for (given, refused) in [
        (vec![("Level__c", "ab"), ("Count__c", "1")], true),
        (vec![("Level__c", "b"), ("Count__c", "1")], false),
        (vec![("Level__c", "b"), ("Count__c", "9")], true),
        (vec![("Level__c", "ab"), ("Phone", "1")], false),
    ] {
        let given: Vec<(&str, &str)> = [("Name", "A")].into_iter().chain(given).collect();
        assert_eq!(insert(&mut begin(&mut world), "Account", &given).is_err(), refused, "{given:?}");
    }
}

#[test]
fn what_the_documentation_shows_loads() {
    let page = include_str!("../../../../docs/simulator.md");
    let shown = page.split("```yaml\n").find(|block| block.starts_with("labels:")).unwrap();
    let shown = shown.split("```").next().unwrap();
    let schema = "objects:\n  Account: {fields: {Phone: {type: phone}, Industry: {type: picklist, values: [Energy, Food]}, Description: {type: textarea, length: 1000}, AnnualRevenue: {type: currency, precision: 18, scale: 2}}}\n  Contact: {fields: {AccountId: {type: reference, to: [Account]}}}\n  Case: {nameField: None, fields: {Subject: {type: string, length: 80}}}\n";
    let org = "name: Acme\nautomation: automation.yaml\nusers: [{username: admin@acme.example}]\n";
    let files = [("org.yaml", org), ("schema.yaml", schema), ("automation.yaml", shown)];
    let mut world = org_with(&files, &[]).unwrap().into_parts().1;
    let energy = [("Name", "A"), ("Industry", "Energy")];
    assert!(insert(&mut begin(&mut world), "Account", &energy).is_err());
    let mut transaction = begin(&mut world);
    let given = [energy[0], energy[1], ("Phone", "1"), ("AnnualRevenue", "2000000")];
    let id = insert(&mut transaction, "Account", &given).unwrap();
    assert_eq!(transaction.tally().mails().len(), 1);
    assert_eq!((text(&world, id, "Description").as_str(), count(&world, "Contact")), ("Call them", 1));
    assert!(begin(&mut world).delete(id).is_err());
}

#[test]
fn what_is_wrong_with_a_declaration_is_said() {
    for (automation, message) in [
        (
            "{kind: ValidationRule, object: Nope, name: V, when: 'TRUE', message: m}",
            "there is no object Nope",
        ),
        (
            "{kind: ValidationRule, object: Account, name: V, when: 'Nope__c = 1', message: m}",
            "Field Nope__c does not exist",
        ),
        ("{kind: ValidationRule, object: Account, name: V, when: '1 +', message: m}", "Missing an operand"),
        ("{kind: ValidationRule, object: Account, name: V, message: m}", "needs `when` or `where`"),
        ("{kind: Flow, object: Account, name: V, do: [{refuse: m}]}", "`on` says when"),
        (
            "{kind: Flow, object: Account, name: V, on: [before insert], do: [{set: Lines__c, to: '1'}]}",
            "computed",
        ),
        ("{kind: AssignmentRule, object: Account, name: V}", "only cases and leads"),
        ("{kind: DuplicateRule, object: Account, name: V}", "needs `matching`"),
        (
            "{kind: ValidationRule, object: Account, name: V, message: m, where: [{field: Name, operation: equals}], logic: 1 AND 2}",
            "Field 2",
        ),
        ("{kind: Wish, object: Account, name: V}", "unknown variant `Wish`"),
    ] {
        let org = "name: Acme\nautomation: a.yaml\nusers: [{username: a@acme.example}]\n";
        let file = format!("automations:\n  - {automation}\n");
        let error =
            org_with(&[("org.yaml", org), ("schema.yaml", SCHEMA), ("a.yaml", &file)], &[]).unwrap_err();
        assert!(error.to_string().contains(message), "{automation}: {error}");
    }
}
