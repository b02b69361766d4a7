//! PK chunking, asked for by a header: a query over ranges of ids, each a batch of its own.

use std::sync::Arc;

use super::{Call, Refusal};
use crate::schema::Object;
use crate::soql::{Condition, Literal, Name, Operator, Plan, Query, Selected, SoqlError};
use crate::value::Id;

/// Records of a chunk unless the header says otherwise, and at most.
const USUAL: u64 = 100_000;
const MOST: u64 = 250_000;

/// Standard objects that can be chunked, beside custom ones (the documentation's list, and those that later pages add).
const STANDARD: [&str; 34] = [
    "Account",
    "AccountContactRelation",
    "AccountTeamMember",
    "AiVisitSummary",
    "Asset",
    "B2BMktActivity",
    "Campaign",
    "CampaignMember",
    "CampaignMemberStatus",
    "CaseArticle",
    "Case",
    "CaseHistory",
    "CaseTeamMember",
    "Contact",
    "ContractLineItem",
    "Event",
    "EventRelation",
    "Lead",
    "LeadHistory",
    "LoginHistory",
    "Opportunity",
    "OpportunityContactRole",
    "OpportunityHistory",
    "OpportunityLineItem",
    "OpportunitySplit",
    "OpportunityTeamMember",
    "Pricebook2",
    "PricebookEntry",
    "Product2",
    "QuoteLineItem",
    "Task",
    "TaskRelation",
    "User",
    "UserRole",
];

/// What the header asks for.
#[derive(Clone, Debug)]
pub(super) struct Chunking {
    size: u64,
    start: Option<Id>,
}

impl Chunking {
    /// Reads `true`, `false`, or `chunkSize=1000; startRow=001…; parent=Account`.
    pub(super) fn read(header: &str, object: &Object) -> Result<Option<Self>, Refusal> {
        let (mut size, mut start, mut parent) = (USUAL, None, None);
        for part in header.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                None if part.eq_ignore_ascii_case("true") => {}
                None if part.eq_ignore_ascii_case("false") => return Ok(None),
                Some((name, value)) if name.eq_ignore_ascii_case("chunkSize") => {
                    let wrong = || Refusal::bad("InvalidJob", format!("chunkSize must be from 1 to {MOST}"));
                    size = value.parse().ok().filter(|size| (1..=MOST).contains(size)).ok_or_else(wrong)?;
                }
                Some((name, value)) if name.eq_ignore_ascii_case("startRow") => {
                    let wrong = || Refusal::bad("InvalidJob", format!("startRow {value} is not an id"));
                    start = Some(Id::parse(value).ok_or_else(wrong)?);
                }
                Some((name, value)) if name.eq_ignore_ascii_case("parent") => parent = Some(value),
                _ => {
                    return Err(Refusal::bad("InvalidJob", format!("PK chunking: {part} is not understood")));
                }
            }
        }
        // shares and histories go by the object that they belong to
        let name = parent.unwrap_or(&object.name);
        if !name.ends_with("__c") && !STANDARD.contains(&name) {
            let message = format!("PK chunking is not supported for the object {}", object.name);
            return Err(Refusal::bad("InvalidJob", message));
        }
        Ok(Some(Self { size, start }))
    }

    /// Refuses what cannot be chunked: conditions other than WHERE.
    pub(super) fn check(&self, query: &Query) -> Result<(), &'static str> {
        if query.order.is_empty() && query.limit.is_none() {
            return Ok(());
        }
        Err("PK chunking works only with queries that have no conditions other than WHERE")
    }

    /// The queries of the ranges, as they are told and as they are run. Deleted rows count in the ranges, too.
    pub(super) fn parts(&self, call: &Call<'_>, query: &Query) -> Result<Vec<(String, Plan)>, SoqlError> {
        let schema = &call.world.schema;
        let from_start = self.start.map(|start| compare(Operator::GreaterOrEqual, start));
        let all = Query { select: vec![Selected::Field(id_name())], condition: from_start, ..query.clone() };
        let ids = Arc::new(Plan::new(schema, &call.view, &all)?).open(call.world.database.clone(), true);
        let mut bounds = Vec::new();
        let mut at = 0;
        while at < ids.total() || bounds.is_empty() {
            match ids.rows(at, 1).next() {
                Some(row) => bounds.push(ids.id(row)),
                // no rows at all: one range without any
                None => bounds.push(self.start.unwrap_or(Id::LOWEST)),
            }
            at += self.size;
        }
        let range = |number: usize| {
            let low = bounds[number];
            let high = bounds.get(number + 1).copied();
            let mut all: Vec<Condition> = query.condition.iter().cloned().collect();
            let mut told = String::new();
            if low != Id::LOWEST {
                all.push(compare(Operator::GreaterOrEqual, low));
                told = format!("Id >= {}", low.short());
            }
            if let Some(high) = high {
                all.push(compare(Operator::Less, high));
                told = format!("{told} AND Id < {}", high.short());
            }
            let condition = (!all.is_empty()).then_some(Condition::And(all));
            let plan = Plan::new(schema, &call.view, &Query { condition, ..query.clone() })?;
            let joined = if query.condition.is_some() { "AND" } else { "WHERE" };
            let text =
                if told.is_empty() { query.text.clone() } else { format!("{} {joined} {told}", query.text) };
            Ok((text, plan))
        };
        (0..bounds.len()).map(range).collect()
    }
}

fn compare(operator: Operator, id: Id) -> Condition {
    Condition::Compare(id_name(), operator, vec![Literal::Text(id.to_string())])
}

fn id_name() -> Name {
    Name { parts: vec!["Id".to_owned()], at: 0 }
}
