//! Profiles and permission sets that came in several packages, each telling of what was in its own: joined to one.
//! Pure; what is not understood is an error, and never dropped.

use std::collections::{BTreeSet, HashSet};

use quick_xml::Reader;
use quick_xml::events::Event;

/// Why files cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the files cannot be joined: {0}")]
pub struct MergeError(String);

/// Whether a file of a package is of a kind that is to be joined where it came in several packages.
pub fn is_shaped(name: &str) -> bool {
    [".profile", ".permissionset", ".mutingpermissionset"].iter().any(|suffix| name.ends_with(suffix))
}

/// A child of the root: its tag, and its text with indentation taken off.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
struct Child {
    tag: String,
    text: String,
}

/// Joins files of the same profile or permission set: all children of their roots, each once, in the order of their
/// tags as Salesforce writes them, those of a tag in the order of what they name.
pub fn merge_shaped(files: &[&str]) -> Result<String, MergeError> {
    let [first, others @ ..] = files else { return Err(MergeError("there are none".to_owned())) };
    let (head, mut children, tail) = split(first)?;
    if others.is_empty() {
        return Ok((*first).to_owned());
    }
    let mut seen: HashSet<Child> = children.iter().cloned().collect();
    for other in others {
        let (other_head, more, _) = split(other)?;
        if other_head.trim() != head.trim() {
            return Err(MergeError("their roots differ".to_owned()));
        }
        children.extend(more.into_iter().filter(|child| seen.insert(child.clone())));
    }
    let single: BTreeSet<&str> =
        ["custom", "description", "fullName", "label", "license", "userLicense"].into();
    for tag in single {
        if children.iter().filter(|child| child.tag == tag).count() > 1 {
            return Err(MergeError(format!("their <{tag}> differ")));
        }
    }
    children.sort_by(|left, right| left.tag.cmp(&right.tag).then_with(|| key(left).cmp(&key(right))));
    let mut text = head.to_owned();
    for child in &children {
        text.push_str("\n    ");
        text.push_str(&child.text);
    }
    text.push_str(tail);
    Ok(text)
}

/// What a child is about: its text without tags that differ in their values only would not do, so all of it counts,
/// names first.
fn key(child: &Child) -> (String, &str) {
    let names = [
        "<apexClass>",
        "<field>",
        "<object>",
        "<layout>",
        "<tab>",
        "<name>",
        "<apexPage>",
        "<recordType>",
        "<application>",
        "<flow>",
        "<dataSource>",
        "<customMetadataType>",
        "<customSettingName>",
    ];
    let named = names.iter().find_map(|name| {
        let at = child.text.find(name)? + name.len();
        child.text.get(at..)?.split('<').next()
    });
    (named.unwrap_or_default().to_owned(), &child.text)
}

/// What stands before the first child of the root, the children, and what follows the last one.
fn split(text: &str) -> Result<(&str, Vec<Child>, &str), MergeError> {
    let wrong = |detail: &str| MergeError(detail.to_owned());
    let mut reader = Reader::from_str(text);
    let (mut depth, mut start, mut tag) = (0_usize, 0_usize, String::new());
    let (mut head, mut tail, mut children) = (0, None, Vec::new());
    loop {
        let before = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().map_err(|error| MergeError(error.to_string()))?;
        let after = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match event {
            Event::Start(element) => {
                depth += 1;
                if depth == 1 {
                    head = after;
                } else if depth == 2 {
                    (start, tag) = (before, String::from_utf8_lossy(element.name().as_ref()).into_owned());
                }
            }
            Event::Empty(element) if depth == 1 => {
                let tag = String::from_utf8_lossy(element.name().as_ref()).into_owned();
                let text = text.get(before..after).unwrap_or_default().to_owned();
                children.push(Child { tag, text });
            }
            Event::End(_) => {
                if depth == 2 {
                    let text = text.get(start..after).unwrap_or_default().to_owned();
                    children.push(Child { tag: std::mem::take(&mut tag), text });
                } else if depth == 1 {
                    tail = Some(before);
                }
                depth = depth.checked_sub(1).ok_or_else(|| wrong("an end without beginning"))?;
            }
            Event::Text(content) if depth == 1 && !content.iter().all(u8::is_ascii_whitespace) => {
                return Err(wrong("there is text between the elements"));
            }
            Event::GeneralRef(_) | Event::CData(_) if depth == 1 => {
                return Err(wrong("there is text between the elements"));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let tail = tail.ok_or_else(|| wrong("there is no whole root"))?;
    let parts = (text.get(..head), text.get(tail..));
    let (Some(head), Some(end)) = parts else { return Err(wrong("there is no whole root")) };
    // the end of the last child's line belongs to the end
    let line = text.get(..tail).unwrap_or_default();
    let blank = line.len() - line.trim_end().len();
    Ok((head, children, text.get(tail - blank..).unwrap_or(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Profile xmlns=\"http://soap.sforce.com/2006/04/metadata\">";

    fn profile(children: &[&str]) -> String {
        let children: String = children.iter().map(|child| format!("\n    {child}")).collect();
        format!("{HEAD}{children}\n</Profile>\n")
    }

    #[test]
    fn parts_are_joined_once_and_in_order() {
        let field = |name: &str| {
            format!(
                "<fieldPermissions>\n        <editable>true</editable>\n        <field>{name}</field>\n    </fieldPermissions>"
            )
        };
        let (a, b, c) = (field("Account.A__c"), field("Account.B__c"), field("Case.C__c"));
        let one = profile(&["<custom>false</custom>", &b, "<userLicense>Salesforce</userLicense>"]);
        let two = profile(&["<custom>false</custom>", &a, &c, "<userLicense>Salesforce</userLicense>"]);
        let whole = profile(&["<custom>false</custom>", &a, &b, &c, "<userLicense>Salesforce</userLicense>"]);
        assert_eq!(merge_shaped(&[&one, &two]).unwrap(), whole);
        assert_eq!(merge_shaped(&[&two, &one, &whole]).unwrap(), whole);
        assert_eq!(merge_shaped(&[&one]).unwrap(), one);
    }

    #[test]
    fn what_cannot_be_joined_is_an_error() {
        let one = profile(&["<custom>false</custom>"]);
        for other in
            ["", "<Profile>", "<Other></Other>", &profile(&["<custom>true</custom>"]), &profile(&["text"])]
        {
            assert!(merge_shaped(&[&one, other]).is_err(), "{other}");
        }
        assert!(merge_shaped(&[]).is_err());
    }
}
