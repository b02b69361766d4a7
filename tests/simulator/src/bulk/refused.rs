//! What Bulk 2.0 refuses of what REST answers.

use crate::schema::{FieldType, Object};
use crate::soql::{FieldSet, Plan, Query, Selected};
use crate::web::ApiError;

/// Objects that are not supported, as clients have found out.
const UNSUPPORTED: [&str; 46] = [
    "AcceptedEventRelation",
    "AccountBrandShare",
    "AccountFeed",
    "AssetFeed",
    "AttachedContentNote",
    "CaseStatus",
    "CaseTeamMember",
    "CaseTeamRole",
    "CaseTeamTemplate",
    "CaseTeamTemplateMember",
    "CaseTeamTemplateRecord",
    "ChannelProgramLevelShare",
    "ContentFolderItem",
    "ContractStatus",
    "DeclinedEventRelation",
    "EntityParticle",
    "EventWhoRelation",
    "FieldDefinition",
    "FieldSecurityClassification",
    "IdeaComment",
    "KnowledgeArticle",
    "KnowledgeArticleVersion",
    "KnowledgeArticleVersionHistory",
    "KnowledgeArticleViewStat",
    "KnowledgeArticleVoteStat",
    "OrderStatus",
    "PartnerRole",
    "PicklistValueInfo",
    "QuoteTemplateRichTextData",
    "RecentlyViewed",
    "RelationshipDomain",
    "RelationshipInfo",
    "ServiceAppointmentStatus",
    "ShiftStatus",
    "SolutionStatus",
    "TaskPriority",
    "TaskStatus",
    "TaskWhoRelation",
    "UndecidedEventRelation",
    "UserEntityAccess",
    "UserFieldAccess",
    "UserPermissionAccess",
    "UserRecordAccess",
    "Vote",
    "WorkOrderLineItemStatus",
    "WorkOrderStatus",
];

/// What Bulk says of aggregates is not known in its words; the code is that of the others.
const AGGREGATE: &str = "Aggregate functions and GROUP BY are not supported in Bulk V2 Query";

/// The code of every refusal of a construct: seen in public for compound fields and sub-selects.
fn refused(message: impl Into<String>) -> ApiError {
    ApiError::bad("API_ERROR", message)
}

/// What a job that fails tells of a refusal, as clients have seen it.
pub(super) fn later(error: &ApiError) -> String {
    let code = if error.code == "API_ERROR" { "FUNCTIONALITY_NOT_ENABLED" } else { error.code };
    format!("InvalidBatch : Failed to process query: {code}: {}", error.message)
}

/// Refuses constructs by their words, before names are looked up.
pub(super) fn by_text(text: &str) -> Result<(), ApiError> {
    let words = words(text);
    let list_ends = words.iter().position(|word| word.eq_ignore_ascii_case("FROM")).unwrap_or(words.len());
    // the first FROM is the inner one, if the list has a query in it
    if words[..list_ends].windows(2).any(|pair| pair[0] == "(" && pair[1].eq_ignore_ascii_case("SELECT")) {
        // the words of the R client's tests against an org
        return Err(refused("Aggregate Relationships not supported in Bulk V2 Query with CSV content type"));
    }
    if words[..list_ends].iter().any(|word| word.eq_ignore_ascii_case("TYPEOF")) {
        return Err(refused("TYPEOF is not supported in Bulk V2 Query"));
    }
    Ok(())
}

/// Refuses what the query asks for.
pub(crate) fn by_query(query: &Query) -> Result<(), ApiError> {
    if query.count || !query.group.is_empty() {
        return Err(refused(AGGREGATE));
    }
    if query.offset > 0 {
        return Err(refused("OFFSET is not supported in Bulk V2 Query"));
    }
    let wide = |selected: &Selected| matches!(selected, Selected::Fields(FieldSet::All | FieldSet::Custom));
    if query.select.iter().any(wide) {
        return Err(refused("FIELDS(ALL) and FIELDS(CUSTOM) are not supported in Bulk V2 Query"));
    }
    Ok(())
}

/// Refuses objects.
pub(crate) fn by_object(object: &Object) -> Result<(), ApiError> {
    if UNSUPPORTED.contains(&object.name.as_str()) {
        let message = format!("Entity '{}' is not supported by the Bulk API.", object.name);
        return Err(ApiError::bad("INVALIDENTITY", message));
    }
    Ok(())
}

/// Refuses columns.
pub(crate) fn by_plan(plan: &Plan) -> Result<(), ApiError> {
    if plan.aggregate {
        return Err(refused(AGGREGATE));
    }
    if plan.columns.iter().any(|column| column.kind.is_compound()) {
        // clients compare with exactly these words
        return Err(refused("Selecting compound data not supported in Bulk Query"));
    }
    if let Some(column) = plan.columns.iter().find(|column| column.kind == FieldType::Base64) {
        return Err(refused(format!("Selecting base64 data not supported in Bulk Query: {}", column.name)));
    }
    Ok(())
}

/// Words and parentheses outside of texts.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if quoted {
            match c {
                '\\' => drop(chars.next()),
                '\'' => quoted = false,
                _ => {}
            }
            continue;
        }
        if c.is_alphanumeric() || c == '_' || c == '.' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        match c {
            '\'' => quoted = true,
            '(' | ')' => words.push(c.to_string()),
            _ => {}
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constructs_are_seen_outside_of_texts_only() {
        assert!(by_text("SELECT Id FROM Account WHERE Name = 'GROUP BY \\' (SELECT'").is_ok());
        assert!(by_text("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)").is_ok());
        for text in [
            "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
            "SELECT TYPEOF What WHEN Account THEN Name END FROM Task",
        ] {
            assert!(by_text(text).is_err(), "{text}");
        }
    }
}
