//! Rules of standard objects.

use super::*;

const SCHEMA: &str = r"
objects:
  Account:
    fields:
      LastName: {type: string, length: 80}
      FirstName: {type: string, length: 40}
      PersonEmail: {type: email}
      IsPersonAccount: {type: boolean, readOnly: true}
      PersonContactId: {type: reference, to: [Contact], readOnly: true}
  Contact:
    fields:
      AccountId: {type: reference, to: [Account], children: Contacts}
      LastName: {type: string, length: 80}
      FirstName: {type: string, length: 40}
      Email: {type: email}
      IsPersonAccount: {type: boolean, readOnly: true}
  Opportunity:
    fields:
      Pricebook2Id: {type: reference, to: [Pricebook2]}
      StageName: {type: picklist, values: [Open, Closed Won, Closed Lost]}
      IsClosed: {type: boolean, readOnly: true}
      IsWon: {type: boolean, readOnly: true}
      HasOpportunityLineItem: {type: boolean, readOnly: true}
  Case: {fields: {Status: {type: picklist, values: [New, Closed]}, IsClosed: {type: boolean, readOnly: true}}}
  Product2: {}
  Pricebook2: {}
  PricebookEntry: {}
  Campaign: {}
  CampaignMemberStatus: {}
  AccountContactRelation: {}
  Contract: {}
  Order: {}
  OrderItem: {}
  OpportunityLineItem: {}
  Task: {}
  Event: {}
  EmailMessage: {fields: {Tag__c: {type: string, length: 20}}}
  ContentVersion: {}
";

fn world() -> World {
    org_with(&[("schema.yaml", SCHEMA)], &[]).unwrap().into_parts().1
}

fn make(world: &mut World, name: &str, given: &[(&str, String)]) -> Result<Id, Refusal> {
    let given: Vec<(&str, &str)> = given.iter().map(|(field, text)| (*field, text.as_str())).collect();
    insert(world, name, &given)
}

fn set(world: &mut World, id: Id, given: &[(&str, &str)]) -> Result<(), Refusal> {
    let name = world.schema.object(world.schema.find_prefix(id.prefix()).unwrap()).name.clone();
    let cells = cells(world, &name, given);
    change(world, AT + 1_000).update(id, cells)
}

fn all(world: &World, name: &str) -> Vec<Id> {
    world.database.table(object(world, name)).stored_ids().collect()
}

fn shown(world: &World, id: Id, field: &str) -> String {
    let object = world.schema.find_prefix(id.prefix()).unwrap();
    let row = world.database.find(object, id).unwrap();
    let field = world.schema.object(object).find(field).unwrap();
    crate::store::plain(world.database.cell(&world.schema, object, row, field, &mut String::new()))
}

/// The standard price book, a custom one, a product with a standard price and a price in the custom one.
fn prices(world: &mut World) -> (Id, Id, Id, Id) {
    let standard = all(world, "Pricebook2")[0];
    assert_eq!(text(world, standard, "IsStandard"), "true");
    let custom = insert(world, "Pricebook2", &[("Name", "Partners")]).unwrap();
    let product = insert(world, "Product2", &[("Name", "Lamp")]).unwrap();
    let price = |book: Id| {
        [
            ("Pricebook2Id", book.to_string()),
            ("Product2Id", product.to_string()),
            ("UnitPrice", "5".to_owned()),
        ]
    };
    let refusal = make(world, "PricebookEntry", &price(custom)).unwrap_err();
    let words = "STANDARD_PRICE_NOT_DEFINED: Before creating a custom price, create a standard price.";
    assert_eq!(refusal.to_string(), words);
    let entry = make(world, "PricebookEntry", &price(standard)).unwrap();
    let own = make(world, "PricebookEntry", &price(custom)).unwrap();
    assert_eq!(make(world, "PricebookEntry", &price(custom)).unwrap_err().code, "DUPLICATE_VALUE");
    (standard, custom, entry, own)
}

#[test]
fn items_come_from_the_price_book_of_what_they_belong_to() {
    let mut world = world();
    let (_, custom, entry, own) = prices(&mut world);
    let sale = insert(&mut world, "Opportunity", &[("Name", "o"), ("StageName", "Open")]).unwrap();
    let item = |entry: Id, more: &[(&'static str, &str)]| {
        let mut item = vec![("OpportunityId", sale.to_string()), ("PricebookEntryId", entry.to_string())];
        item.extend(more.iter().map(|(field, text)| (*field, (*text).to_owned())));
        item
    };
    let plain = [("Quantity", "3"), ("UnitPrice", "5")];
    let refusal = make(&mut world, "OpportunityLineItem", &item(own, &plain)).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.fields),
        ("FIELD_INTEGRITY_EXCEPTION", vec!["OpportunityId".to_owned()])
    );
    set(&mut world, sale, &[("Pricebook2Id", &custom.to_string())]).unwrap();
    let refusal = make(&mut world, "OpportunityLineItem", &item(entry, &plain)).unwrap_err();
    assert!(refusal.message.contains("different pricebook"), "{refusal}");
    let both = [("Quantity", "3"), ("UnitPrice", "5"), ("TotalPrice", "15")];
    let refusal = make(&mut world, "OpportunityLineItem", &item(own, &both)).unwrap_err();
    assert_eq!(refusal.code, "INVALID_FIELD_FOR_INSERT_UPDATE");
    let made = make(&mut world, "OpportunityLineItem", &item(own, &plain)).unwrap();
    assert_eq!(shown(&world, made, "TotalPrice"), "15.0");
    assert_eq!(text(&world, sale, "HasOpportunityLineItem"), "true");
    set(&mut world, made, &[("TotalPrice", "20")]).unwrap();
    assert_eq!(shown(&world, made, "UnitPrice"), "6.67");
}

#[test]
fn orders_and_contracts_are_drafts_first() {
    let mut world = world();
    let (_, custom, _, own) = prices(&mut world);
    let account = insert(&mut world, "Account", &[("Name", "a")]).unwrap();
    let contract = |status: &str| [("AccountId", account.to_string()), ("Status", status.to_owned())];
    let refusal = make(&mut world, "Contract", &contract("Activated")).unwrap_err();
    assert_eq!(refusal.code, "FAILED_ACTIVATION");
    assert!(refusal.message.starts_with("Choose a valid contract status"), "{refusal}");
    let made = make(&mut world, "Contract", &contract("Draft")).unwrap();
    assert_eq!(text(&world, made, "ContractNumber"), "00000001");
    set(&mut world, made, &[("Status", "Activated")]).unwrap();
    assert_eq!(text(&world, made, "StatusCode"), "Activated");
    assert_eq!(change(&mut world, AT).delete(account).unwrap_err().code, "DELETE_FAILED");
    assert!(set(&mut world, made, &[("Status", "Draft")]).is_err());

    let order = |status: &str| {
        [
            ("AccountId", account.to_string()),
            ("EffectiveDate", "2024-01-01".to_owned()),
            ("Status", status.to_owned()),
            ("Pricebook2Id", custom.to_string()),
        ]
    };
    assert_eq!(make(&mut world, "Order", &order("Activated")).unwrap_err().code, "FAILED_ACTIVATION");
    let made = make(&mut world, "Order", &order("Draft")).unwrap();
    let refusal = set(&mut world, made, &[("Status", "Activated")]).unwrap_err();
    assert_eq!(refusal.to_string(), "FAILED_ACTIVATION: An order must have at least one product.");
    let item = [
        ("OrderId", made.to_string()),
        ("PricebookEntryId", own.to_string()),
        ("Quantity", "1".to_owned()),
        ("UnitPrice", "5".to_owned()),
    ];
    let lamp = make(&mut world, "OrderItem", &item).unwrap();
    set(&mut world, made, &[("Status", "Activated")]).unwrap();
    assert_eq!(make(&mut world, "OrderItem", &item).unwrap_err().code, "FIELD_INTEGRITY_EXCEPTION");
    assert!(set(&mut world, lamp, &[("Quantity", "2")]).is_err());
    assert!(change(&mut world, AT).delete(lamp).is_err());
    assert_eq!(change(&mut world, AT).delete(made).unwrap_err().code, "DELETE_FAILED");
    set(&mut world, made, &[("Status", "Draft")]).unwrap();
    change(&mut world, AT).delete(made).unwrap();
    assert!(deleted(&world, lamp));
}

#[test]
fn a_contact_is_related_to_its_account() {
    let mut world = world();
    let [a, b] = ["a", "b"].map(|name| insert(&mut world, "Account", &[("Name", name)]).unwrap());
    let contact = [("LastName", "Ann"), ("Name", "Ann"), ("AccountId", &*a.to_string())];
    let contact = insert(&mut world, "Contact", &contact).unwrap();
    let relations = |world: &World| {
        let alive = all(world, "AccountContactRelation");
        alive
            .iter()
            .map(|id| (text(world, *id, "AccountId"), text(world, *id, "IsDirect")))
            .collect::<Vec<_>>()
    };
    assert_eq!(relations(&world), [(a.to_string(), "true".to_owned())]);
    let pair = |account: Id| [("AccountId", account.to_string()), ("ContactId", contact.to_string())];
    let refusal = make(&mut world, "AccountContactRelation", &pair(a)).unwrap_err();
    assert_eq!(refusal.code, "DUPLICATE_VALUE");
    make(&mut world, "AccountContactRelation", &pair(b)).unwrap();
    let direct = all(&world, "AccountContactRelation")[0];
    assert_eq!(change(&mut world, AT).delete(direct).unwrap_err().code, "DELETE_FAILED");
    set(&mut world, contact, &[("AccountId", &b.to_string())]).unwrap();
    assert_eq!(relations(&world), [(b.to_string(), "true".to_owned())]);
    change(&mut world, AT).delete(contact).unwrap();
    assert!(relations(&world).is_empty());
}

#[test]
fn a_campaign_has_its_statuses() {
    let mut world = world();
    let campaign = insert(&mut world, "Campaign", &[("Name", "c")]).unwrap();
    let statuses = all(&world, "CampaignMemberStatus");
    let labels: Vec<String> = statuses.iter().map(|id| text(&world, *id, "Label")).collect();
    assert_eq!(labels, ["Sent", "Responded"]);
    let again = [("CampaignId", campaign.to_string()), ("Label", "Sent".to_owned())];
    assert_eq!(make(&mut world, "CampaignMemberStatus", &again).unwrap_err().code, "DUPLICATE_VALUE");
    change(&mut world, AT).delete(campaign).unwrap();
    assert!(statuses.iter().all(|id| deleted(&world, *id)));
}

#[test]
fn a_person_account_has_its_contact_where_there_are_such() {
    let mut world = world();
    let cells = cells(
        &world,
        "Account",
        &[("FirstName", "Ann"), ("LastName", "Lee"), ("PersonEmail", "a@b.example")],
    );
    let accounts = object(&world, "Account");
    let refusal = change(&mut world, AT).insert(accounts, cells.clone()).unwrap_err();
    assert_eq!(refusal.code, "INVALID_PERSON_ACCOUNT_OPERATION");
    let allowance = Allowance { person_accounts: true, ..Allowance::default() };
    let person = change(&mut world, AT).within(allowance.clone()).insert(accounts, cells).unwrap();
    assert_eq!(text(&world, person, "Name"), "Ann Lee");
    let contact = all(&world, "Contact")[0];
    assert_eq!(text(&world, person, "PersonContactId"), contact.to_string());
    assert_eq!(text(&world, contact, "Email"), "a@b.example");
    let name = super::cells(&world, "Account", &[("LastName", "Li")]);
    change(&mut world, AT).within(allowance).update(person, name).unwrap();
    assert_eq!(text(&world, contact, "LastName"), "Li");
    assert_eq!(all(&world, "Contact").len(), 1);
    change(&mut world, AT).delete(person).unwrap();
    assert!(deleted(&world, contact));
    change(&mut world, AT).undelete(person).unwrap();
    assert_eq!(text(&world, contact, "AccountId"), person.to_string());
}

#[test]
fn what_is_closed_says_so_and_what_is_long_over_is_archived() {
    let mut world = world();
    let sale = insert(&mut world, "Opportunity", &[("Name", "o"), ("StageName", "Closed Lost")]).unwrap();
    assert_eq!(
        (text(&world, sale, "IsClosed"), text(&world, sale, "IsWon")),
        ("true".into(), "false".into())
    );
    set(&mut world, sale, &[("StageName", "Open")]).unwrap();
    assert_eq!(text(&world, sale, "IsClosed"), "false");
    let task = |status: &str, day: &str| [("Status", status.to_owned()), ("ActivityDate", day.to_owned())];
    let open = make(&mut world, "Task", &task("Not Started", "2020-01-01")).unwrap();
    let old = make(&mut world, "Task", &task("Completed", "2020-01-01")).unwrap();
    let new = make(&mut world, "Task", &task("Completed", "2023-11-01")).unwrap();
    let event = [("EndDateTime", "2022-11-01T00:00:00Z".to_owned())];
    let event = make(&mut world, "Event", &event).unwrap();
    let stamp = text(&world, old, "SystemModstamp");
    assert_eq!(change(&mut world, AT + 60_000).archive_activities(), 2);
    assert_eq!(change(&mut world, AT + 60_000).archive_activities(), 0);
    assert_eq!(all(&world, "Task"), [open, new]);
    assert_eq!((text(&world, old, "IsArchived"), deleted(&world, old)), ("true".into(), false));
    assert_eq!(text(&world, old, "SystemModstamp"), stamp);
    // it is archived, not deleted
    set(&mut world, event, &[("Subject", "s")]).unwrap();
    change(&mut world, AT).delete(event).unwrap();
}

#[test]
fn an_email_that_was_sent_stays_as_it_is() {
    let mut world = world();
    let draft = insert(&mut world, "EmailMessage", &[("Subject", "s"), ("Status", "5")]).unwrap();
    set(&mut world, draft, &[("Subject", "t"), ("Status", "3")]).unwrap();
    let refusal = set(&mut world, draft, &[("Subject", "u")]).unwrap_err();
    assert_eq!(refusal.code, "INSUFFICIENT_ACCESS_OR_READONLY");
    set(&mut world, draft, &[("Tag__c", "x")]).unwrap();
}

#[test]
fn a_document_goes_with_its_versions_and_links_and_is_linked_once() {
    let mut world = world();
    let account = insert(&mut world, "Account", &[("Name", "a")]).unwrap();
    let versions = object(&world, "ContentVersion");
    let file = |world: &mut World, more: &[(&str, String)]| {
        let more: Vec<(&str, &str)> = more.iter().map(|(field, text)| (*field, text.as_str())).collect();
        let mut cells = cells(world, "ContentVersion", &[("PathOnClient", "a.txt")]);
        cells.extend(super::cells(world, "ContentVersion", &more));
        let content = world.schema.object(versions).find("VersionData").unwrap();
        let mut transaction = change(world, AT);
        let kept = transaction.keep_file(bytes::Bytes::from_static(b"hello"));
        cells.push((content, Some(kept)));
        transaction.insert(versions, cells)
    };
    let first = file(&mut world, &[("FirstPublishLocationId", account.to_string())]).unwrap();
    let document = text(&world, first, "ContentDocumentId");
    let links = all(&world, "ContentDocumentLink");
    assert_eq!(links.len(), 2);
    let link = [("ContentDocumentId", document.clone()), ("LinkedEntityId", account.to_string())];
    let refusal = make(&mut world, "ContentDocumentLink", &link).unwrap_err();
    assert!(
        refusal.message.starts_with("duplicate value found: unknown duplicates value on record with id: 06A")
    );
    let second = file(&mut world, &[("ContentDocumentId", document.clone())]).unwrap();
    assert_eq!(
        (text(&world, first, "IsLatest"), text(&world, second, "VersionNumber")),
        ("false".into(), "2".into())
    );
    let id = Id::parse(&document).unwrap();
    change(&mut world, AT).delete(id).unwrap();
    assert!([first, second, id].iter().all(|id| deleted(&world, *id)));
    assert!(links.iter().all(|id| deleted(&world, *id)));
    change(&mut world, AT).undelete(id).unwrap();
    assert!([first, second, links[0], links[1]].iter().all(|id| !deleted(&world, *id)));

    let full = Allowance { file_mb: Some(0), ..Allowance::default() };
    let cells = cells(&world, "ContentVersion", &[("PathOnClient", "a.txt"), ("VersionData", "kept-x-5")]);
    let refusal = change(&mut world, AT).within(full).insert(versions, cells).unwrap_err();
    assert_eq!(refusal.code, "STORAGE_LIMIT_EXCEEDED");
}
