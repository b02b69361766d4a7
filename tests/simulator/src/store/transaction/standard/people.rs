//! Users and owners, contacts of accounts, accounts that are persons, statuses of campaign members.

use super::super::allowance::duplicate_username;
use super::super::{Refusal, Transaction};
use crate::store::Row;
use crate::value::{Cell, Id, Value};

impl Transaction<'_> {
    /// Refuses an owner who is not active, unless the user may leave records with such owners.
    pub(super) fn check_owner(&self, object: usize, row: &Row, before: Option<&Row>) -> Result<(), Refusal> {
        let described = self.described(object);
        let Some(field) = described.stamps.owner.filter(|_| !self.actor.inactive_owners) else {
            return Ok(());
        };
        let Cell::Id(owner) = row.get(field) else { return Ok(()) };
        if owner == self.actor.user || before.is_some_and(|before| before.get(field) == Cell::Id(owner)) {
            return Ok(());
        }
        if self.field_of(owner, "IsActive") != Some(Value::Bool(false)) {
            return Ok(());
        }
        let message = format!(
            "operation performed with inactive user [{}] as owner of {}",
            owner.short(),
            described.name
        );
        Err(Refusal::field("INACTIVE_OWNER_OR_USER", "OwnerId", message))
    }

    /// User names are those of nobody else, in any org.
    pub(super) fn check_user(
        &mut self,
        object: usize,
        row: &Row,
        before: Option<&Row>,
    ) -> Result<(), Refusal> {
        let described = self.described(object);
        let Some(field) = described.find("Username") else { return Ok(()) };
        let Cell::Text(name) = row.get(field) else { return Ok(()) };
        if before.is_some_and(|before| before.get(field) == row.get(field)) {
            return Ok(());
        }
        let others = self.find_by(object, field, row.get(field));
        if others.into_iter().any(|id| id != row.id) {
            return Err(duplicate_username());
        }
        self.check_username(name)
    }

    /// Keeps the relationship between a contact and its own account, where contacts may have several accounts.
    pub(super) fn relate_to_account(&mut self, contacts: usize, id: Id, before: Option<&Row>) {
        let Some(relations) = self.world.schema.find("AccountContactRelation") else { return };
        let Some((_, contact)) = self.find(id) else { return };
        let account = self.parent(contacts, &contact, "AccountId");
        if before.is_some_and(|before| self.parent(contacts, before, "AccountId") == account) {
            return;
        }
        let known = self.children_of("AccountContactRelation", "ContactId", id);
        let mut related = false;
        for relation in known {
            let Some((_, mut row)) = self.find(relation) else { continue };
            let of_account = self.parent(relations, &row, "AccountId");
            let direct = self.named(relations, &row, "IsDirect") == Cell::Bool(true);
            if of_account.is_some() && of_account == account {
                // an indirect relationship with what is its own account now
                related = true;
                self.set(relations, &mut row, "IsDirect", Some(Value::Bool(true)));
                self.stamp(relations, &mut row, true);
                self.write(relations, row);
            } else if direct {
                self.bin_one(relation, relation, Vec::new());
            }
        }
        if let Some(account) = account.filter(|_| !related) {
            let cells = [
                ("AccountId", Some(Value::Id(account))),
                ("ContactId", Some(Value::Id(id))),
                ("IsDirect", Some(Value::Bool(true))),
                ("IsActive", Some(Value::Bool(true))),
            ];
            self.insert_own(relations, &cells);
        }
    }

    /// A new campaign has the statuses "Sent" and "Responded" for its members.
    pub(super) fn make_member_statuses(&mut self, campaign: Id) {
        let Some(statuses) = self.world.schema.find("CampaignMemberStatus") else { return };
        for (order, (label, default, responded)) in
            [("Sent", true, false), ("Responded", false, true)].into_iter().enumerate()
        {
            let cells = [
                ("CampaignId", Some(Value::Id(campaign))),
                ("Label", Some(Value::Text(label.into()))),
                ("SortOrder", Some(Value::Int(order as i64 + 1))),
                ("IsDefault", Some(Value::Bool(default))),
                ("HasResponded", Some(Value::Bool(responded))),
            ];
            self.insert_own(statuses, &cells);
        }
    }

    /// An account with a last name is a person, where accounts can be persons.
    pub(super) fn become_person(&self, object: usize, row: &mut Row) -> Result<(), Refusal> {
        let Cell::Text(last) = self.named(object, row, "LastName") else { return Ok(()) };
        if !self.allowance.person_accounts {
            let message = "person accounts are not enabled for this organization";
            return Err(Refusal::field("INVALID_PERSON_ACCOUNT_OPERATION", "LastName", message));
        }
        let mut name = match self.named(object, row, "FirstName") {
            Cell::Text(first) => format!("{first} "),
            _ => String::new(),
        };
        name.push_str(last);
        self.set(object, row, "Name", Some(Value::Text(name.into())));
        self.set(object, row, "IsPersonAccount", Some(Value::Bool(true)));
        Ok(())
    }

    /// The contact that a person account has by itself: made with it, changed with it.
    pub(super) fn follow_person(&mut self, id: Id) {
        let Some(contacts) = self.world.schema.find("Contact") else { return };
        let Some((accounts, mut account)) = self.find(id) else { return };
        if self.named(accounts, &account, "IsPersonAccount") != Cell::Bool(true) {
            return;
        }
        let value = |field: &str, row: &Row| self.named(accounts, row, field).to_value();
        let mut cells = vec![
            ("AccountId", Some(Value::Id(id))),
            ("IsPersonAccount", Some(Value::Bool(true))),
            ("OwnerId", value("OwnerId", &account)),
        ];
        for (own, of_contact) in [
            ("FirstName", "FirstName"),
            ("LastName", "LastName"),
            ("Salutation", "Salutation"),
            ("PersonEmail", "Email"),
            ("PersonBirthdate", "Birthdate"),
            ("PersonMobilePhone", "MobilePhone"),
            ("PersonTitle", "Title"),
        ] {
            cells.push((of_contact, value(own, &account)));
        }
        match self.parent(accounts, &account, "PersonContactId") {
            Some(contact) => {
                let Some((_, mut row)) = self.find(contact) else { return };
                for (field, value) in cells {
                    self.set(contacts, &mut row, field, value);
                }
                self.stamp(contacts, &mut row, true);
                self.write(contacts, row);
            }
            None => {
                let contact = self.insert_own(contacts, &cells);
                self.set(accounts, &mut account, "PersonContactId", Some(Value::Id(contact)));
                self.write(accounts, account);
            }
        }
    }
}
