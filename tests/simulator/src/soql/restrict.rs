//! Objects that Salesforce reads only through a filter.

use super::SoqlError;
use super::ast::{Condition, Operator, Query};
use crate::schema::{Object, View};

/// Object, the fields of which one must be filtered by `=` or `IN`, and the words of the refusal.
const RESTRICTED: [(&str, &[&str], &str); 6] = [
    (
        "ContentDocumentLink",
        &["Id", "ContentDocumentId", "LinkedEntityId"],
        "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or \
         LinkedEntityId using the equals operator or multiple Id's using the IN operator.",
    ),
    (
        "ContentFolderItem",
        &["Id", "ParentContentFolderId"],
        "Implementation restriction: ContentFolderItem requires a filter by Id or ParentContentFolderId using the \
         equals operator.",
    ),
    (
        "ContentFolderMember",
        &["Id", "ParentContentFolderId", "ChildRecordId"],
        "Implementation restriction: ContentFolderMember requires a filter by Id, ParentContentFolderId or \
         ChildRecordId using the equals operator.",
    ),
    (
        "ContentHubItem",
        &["Id", "ExternalId", "ContentHubRepositoryId"],
        "Implementation restriction: ContentHubItem requires a filter by Id, ExternalId or ContentHubRepositoryId using \
         the equals operator.",
    ),
    (
        "Vote",
        &["Id", "ParentId", "Parent.Type"],
        "Implementation restriction: When querying the Vote object, you must filter using the following syntax: \
         ParentId = [single ID], Parent.Type = [Parent Type], Id = [single ID], or Id IN [list of ID's].",
    ),
    (
        "IdeaComment",
        &["Id", "CommunityId", "IdeaId"],
        "Implementation restriction: When querying the IdeaComment object, you must filter using the following syntax: \
         CommunityId = [single ID], Id = [single ID], IdeaId = [single ID], or IdeaId IN [list of ID's].",
    ),
];

/// Refuses a query of such an object without the filter; who may query all files is not held to it for links.
pub(super) fn check(object: &Object, view: &View, query: &Query) -> Result<(), SoqlError> {
    let Some((name, fields, message)) = RESTRICTED.iter().find(|(name, ..)| *name == object.name) else {
        return Ok(());
    };
    let free = view.query_all_files && *name == "ContentDocumentLink";
    if free || query.condition.as_ref().is_some_and(|condition| filters(condition, fields)) {
        return Ok(());
    }
    Err(SoqlError::malformed(*message))
}

fn filters(condition: &Condition, fields: &[&str]) -> bool {
    match condition {
        Condition::And(all) => all.iter().any(|condition| filters(condition, fields)),
        Condition::Or(any) => any.iter().all(|condition| filters(condition, fields)),
        Condition::Compare(name, Operator::Equal | Operator::In, _) | Condition::Join(name, false, _) => {
            let name = name.joined();
            fields.iter().any(|field| field.eq_ignore_ascii_case(&name))
        }
        _ => false,
    }
}
