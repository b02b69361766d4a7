//! Which objects a backup reads: the user's lists against what the org offers.

use std::collections::BTreeSet;

/// Objects that say `queryable` and yet answer no plain `SELECT`: each needs a filter that a full read cannot
/// give, repeats other objects, or is a stream.
///
/// Source: Salesforce's SOQL limits page and the lists that other backup and sync tools publish.
const NEVER_READ: &[&str] = &[
    "ActivityHistory",
    "AggregateResult",
    "AttachedContentDocument",
    "AttachedContentNote",
    "CombinedAttachment",
    "ContentBody",
    "ContentHubItem",
    "DataType",
    "DatacloudAddress",
    "EmailStatus",
    "EntityParticle",
    "FeedSignal",
    "FeedTrackedChange",
    "FieldDefinition",
    "FlexQueueItem",
    "FolderedContentDocument",
    "IdeaComment",
    "ListViewChartInstance",
    "LookedUpFromActivity",
    "Name",
    "NewsFeed",
    "NoteAndAttachment",
    "OpenActivity",
    "OutgoingEmail",
    "OutgoingEmailRelation",
    "OwnedContentDocument",
    "OwnerChangeOptionInfo",
    "PicklistValueInfo",
    "ProcessInstanceHistory",
    "RecentlyViewed",
    "RelationshipDomain",
    "RelationshipInfo",
    "SearchLayout",
    "SiteDetail",
    "UserEntityAccess",
    "UserFieldAccess",
    "UserProfileFeed",
    "UserRecordAccess",
    "Vote",
];

/// What describeGlobal says of an object, as far as the choice goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// API name.
    pub name: String,
    /// May be selected from.
    pub queryable: bool,
    /// May be read by id.
    pub retrieveable: bool,
    /// Is on its way out.
    pub deprecated_and_hidden: bool,
}

/// The user's lists: API names in which `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRule {
    /// Read these.
    pub include: Vec<String>,
    /// But not these.
    pub exclude: Vec<String>,
}

/// Outcome of the choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Objects to read, sorted.
    pub selected: Vec<String>,
    /// Names in `include` without a wildcard that the org does not offer: an error of the user or a hidden object.
    pub unknown: Vec<String>,
    /// Names in `include` without a wildcard that exist and cannot be read.
    pub unreadable: Vec<String>,
}

/// Chooses the objects to read.
pub fn select(rule: &ScopeRule, offered: &[Offered]) -> Selection {
    let readable = |object: &Offered| {
        object.queryable
            && object.retrieveable
            && !object.deprecated_and_hidden
            && !NEVER_READ.contains(&object.name.as_str())
            && !has_suffix(&object.name, &["__e", "ChangeEvent", "__x", "EventStream", "__dlm", "__dll"])
    };
    let mut selected = BTreeSet::new();
    let mut selection = Selection::default();
    for pattern in &rule.include {
        let wild = pattern.contains('*');
        let mut found = false;
        for object in offered.iter().filter(|object| matches(pattern, &object.name)) {
            found = true;
            if readable(object) {
                selected.insert(object.name.clone());
            } else if !wild {
                selection.unreadable.push(object.name.clone());
            }
        }
        if !found && !wild {
            selection.unknown.push(pattern.clone());
        }
    }
    selection.selected = selected
        .into_iter()
        .filter(|name| !rule.exclude.iter().any(|pattern| matches(pattern, name)))
        .collect();
    selection
}

fn has_suffix(name: &str, suffixes: &[&str]) -> bool {
    suffixes.iter().any(|suffix| name.ends_with(suffix))
}

/// Whether `name` fits `pattern`, letters in any case, as Salesforce compares API names.
pub fn matches(pattern: &str, name: &str) -> bool {
    fn fits(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=name.len()).any(|skip| fits(rest, &name[skip..])),
            (Some((p, rest)), Some((n, tail))) => p.eq_ignore_ascii_case(n) && fits(rest, tail),
            _ => false,
        }
    }
    fits(pattern.as_bytes(), name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(names: &[&str]) -> Vec<Offered> {
        names
            .iter()
            .map(|name| Offered {
                name: (*name).into(),
                queryable: *name != "Hidden",
                retrieveable: true,
                deprecated_and_hidden: *name == "Old",
            })
            .collect()
    }

    fn rule(include: &[&str], exclude: &[&str]) -> ScopeRule {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        ScopeRule { include: own(include), exclude: own(exclude) }
    }

    #[test]
    fn everything_leaves_out_what_cannot_be_read() {
        let all = offered(&["Account", "Vote", "Old", "Hidden", "Order__e", "AccountChangeEvent", "Contact"]);
        assert_eq!(select(&rule(&["*"], &[]), &all).selected, ["Account", "Contact"]);
    }

    #[test]
    fn patterns_and_exclusions() {
        let all = offered(&["Account", "AccountHistory", "Invoice__c", "Line__c"]);
        assert_eq!(select(&rule(&["*__c", "account"], &["line*"]), &all).selected, ["Account", "Invoice__c"]);
    }

    #[test]
    fn a_name_that_is_not_there_is_said() {
        let selection = select(&rule(&["Acount", "Vote", "Nope*"], &[]), &offered(&["Account", "Vote"]));
        assert_eq!(selection.unknown, ["Acount"]);
        assert_eq!(selection.unreadable, ["Vote"]);
        assert!(selection.selected.is_empty());
    }
}
