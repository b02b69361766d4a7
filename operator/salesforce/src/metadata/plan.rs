//! How much is retrieved at once: every member exactly once, in packages below Salesforce's limits, what shapes each
//! other together. Pure.

use std::collections::BTreeMap;

use super::describe::Described;
use super::list::FileProperties;
use super::package::Members;
use super::standard::{SHAPED, SHAPES_PROFILES};

/// Files that a bundle is taken to have, as its list does not tell.
const FILES_OF_A_BUNDLE: usize = 8;

/// A member and the files that it is taken to have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Type.
    pub type_name: String,
    /// Name.
    pub name: String,
    /// Files.
    pub files: usize,
}

/// What is retrieved at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// Members that this package is for.
    pub members: Vec<Member>,
    /// Profiles and permission sets that are for another package, and come along so that they tell of these
    /// members, too; their files are to be joined ([`super::merge_shaped`]).
    pub companions: Vec<Member>,
}

impl Planned {
    /// Members by type, companions included.
    pub fn all(&self) -> Members {
        let mut members = Members::new();
        for member in self.members.iter().chain(&self.companions) {
            members.entry(member.type_name.clone()).or_default().insert(member.name.clone());
        }
        members
    }

    /// Files that it is taken to have.
    pub fn files(&self) -> usize {
        self.members.iter().chain(&self.companions).map(|member| member.files).sum()
    }

    /// Two halves with the members' order kept, or `None` for what cannot be halved. A single member loses its
    /// companions first.
    pub(super) fn halves(mut self) -> Option<(Self, Option<Self>)> {
        if self.members.len() < 2 {
            if self.companions.is_empty() {
                return None;
            }
            self.companions.clear();
            return Some((self, None));
        }
        let right = self.members.split_off(self.members.len() / 2);
        let right = Self { members: right, companions: self.companions.clone() };
        Some((self, Some(right)))
    }
}

/// The bounds of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// Files, as far as they can be told before: below Salesforce's 10,000, with room for bundles that have more
    /// than most. What has too many in spite of that, or too many bytes, is halved when the org says so.
    pub files: usize,
}

impl Default for PlanLimits {
    fn default() -> Self {
        Self { files: 5_000 }
    }
}

/// Divides components into packages.
pub fn plan(components: &[FileProperties], described: &Described, limits: PlanLimits) -> Vec<Planned> {
    let members: BTreeMap<(&str, &str), usize> = components
        .iter()
        .map(|component| {
            let key = (component.type_name.as_str(), component.full_name.as_str());
            (key, files_of(described, &component.type_name))
        })
        .collect();
    let members = members.into_iter().map(|((type_name, name), files)| Member {
        type_name: type_name.to_owned(),
        name: name.to_owned(),
        files,
    });
    let (mut shaped, mut shaping, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for member in members {
        if SHAPED.contains(&member.type_name.as_str()) {
            shaped.push(member);
        } else if SHAPES_PROFILES.contains(&member.type_name.as_str()) {
            shaping.push(member);
        } else {
            others.push(member);
        }
    }
    let weigh = |members: &[Member]| members.iter().map(|member| member.files).sum::<usize>();
    let most = limits.files.max(1);
    let mut packages = Vec::new();
    if shaping.is_empty() || shaped.is_empty() || weigh(&shaped) + weigh(&shaping) <= most {
        let all = shaped.into_iter().chain(shaping).chain(others);
        fill(all, &[], most, &mut packages);
        return packages;
    }
    // each profile is for one package, and comes along with all others that shape it
    let mut room = most / 2;
    let fits = |member: &&Member| {
        let fits = member.files <= room;
        room = room.saturating_sub(member.files);
        fits
    };
    let companions: Vec<Member> = shaped.iter().take_while(fits).cloned().collect();
    fill(shaping.into_iter(), &companions, most - weigh(&companions), &mut packages);
    let alone = shaped.split_off(companions.len());
    if let Some(first) = packages.first_mut() {
        first.members.extend(std::mem::take(&mut first.companions));
    }
    fill(alone.into_iter().chain(others), &[], most, &mut packages);
    packages
}

/// Fills packages in order.
fn fill(
    members: impl Iterator<Item = Member>,
    companions: &[Member],
    most: usize,
    packages: &mut Vec<Planned>,
) {
    let (mut package, mut files) = (Planned::default(), 0);
    let begun = |members| Planned { members, companions: companions.to_vec() };
    for member in members {
        if files + member.files > most && !package.members.is_empty() {
            packages.push(begun(std::mem::take(&mut package.members)));
            files = 0;
        }
        files += member.files;
        package.members.push(member);
    }
    if !package.members.is_empty() {
        packages.push(begun(package.members));
    }
}

/// Files that a component of a type is taken to have.
fn files_of(described: &Described, type_name: &str) -> usize {
    match described.find(type_name) {
        Some(known) if known.meta_file => 2,
        Some(known) if known.suffix.is_none() && !known.in_folder => FILES_OF_A_BUNDLE,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::describe::MetadataType;
    use super::*;

    fn described() -> Described {
        let known = |name: &str, suffix: Option<&str>, meta_file| MetadataType {
            name: name.to_owned(),
            directory: name.to_lowercase(),
            suffix: suffix.map(str::to_owned),
            meta_file,
            ..MetadataType::default()
        };
        let types = vec![
            known("ApexClass", Some("cls"), true),
            known("CustomObject", Some("object"), false),
            known("Profile", Some("profile"), false),
            known("PermissionSet", Some("permissionset"), false),
            known("LightningComponentBundle", None, false),
            known("Report", Some("report"), false),
        ];
        Described { types, ..Described::default() }
    }

    fn components(counts: &[usize]) -> Vec<FileProperties> {
        let types = described().types;
        let of = |(known, count): (&MetadataType, &usize)| {
            let name = known.name.clone();
            (0..*count).map(move |n| FileProperties {
                type_name: name.clone(),
                full_name: format!("M{n}"),
                ..FileProperties::default()
            })
        };
        types.iter().zip(counts).flat_map(of).collect()
    }

    #[test]
    fn a_small_org_is_one_package() {
        let packages = plan(&components(&[3, 4, 2, 1, 2, 9]), &described(), PlanLimits::default());
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].files(), 6 + 4 + 3 + 16 + 9);
        assert!(packages[0].companions.is_empty());
    }

    #[test]
    fn profiles_come_along_with_every_part_that_shapes_them() {
        let packages = plan(&components(&[0, 100, 5, 0, 0, 20]), &described(), PlanLimits { files: 45 });
        let with_objects: Vec<_> =
            packages.iter().filter(|p| p.members.iter().any(|m| m.type_name == "CustomObject")).collect();
        assert_eq!(with_objects.len(), 3);
        assert!(with_objects.iter().all(|package| package.all()["Profile"].len() == 5));
    }

    proptest! {
        #[test]
        fn every_member_is_in_exactly_one_package_below_the_limit(
            counts in proptest::collection::vec(0usize..60, 6), files in 8usize..90,
        ) {
            let given = components(&counts);
            let packages = plan(&given, &described(), PlanLimits { files });
            let mut seen = BTreeSet::new();
            for package in &packages {
                prop_assert!(package.files() <= files.max(FILES_OF_A_BUNDLE * 2), "{} of {files}", package.files());
                prop_assert!(!package.members.is_empty());
                for member in &package.members {
                    prop_assert!(seen.insert((member.type_name.clone(), member.name.clone())));
                }
            }
            prop_assert_eq!(seen.len(), given.len());
        }
    }
}
