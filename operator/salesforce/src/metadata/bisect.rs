//! Which members make a retrieve fail: the package is halved until they are alone. Pure.

use super::error::MetadataError;
use super::plan::{Member, Planned};

/// A member that no retrieve gave.
#[derive(Debug)]
pub struct BadMember {
    /// Type.
    pub type_name: String,
    /// Name.
    pub name: String,
    /// Why: the code and words of the smallest retrieve that it failed.
    pub code: String,
    /// The words.
    pub reason: String,
}

/// Packages that wait, and what is known to be bad.
#[derive(Debug)]
pub(super) struct Bisect {
    waiting: Vec<Planned>,
    bad: Vec<BadMember>,
    /// Failures that may still be halved.
    left: usize,
}

impl Bisect {
    /// Begins; after so many failures what fails is not halved any more.
    pub(super) fn new(mut packages: Vec<Planned>, failures: usize) -> Self {
        packages.reverse();
        Self { waiting: packages, bad: Vec::new(), left: failures }
    }

    /// The next package to be retrieved.
    pub(super) fn next(&mut self) -> Option<Planned> {
        self.waiting.pop()
    }

    /// A package's retrieve failed for a reason that lies in its members.
    pub(super) fn failed(&mut self, package: Planned, error: &MetadataError) {
        if self.left == 0 {
            let why = format!("not looked for further after many failures; last: {error}");
            self.give_up(package.members, error.code(), &why);
            return;
        }
        self.left -= 1;
        let members = package.members.clone();
        match package.halves() {
            Some((left, right)) => {
                self.waiting.extend(right);
                self.waiting.push(left);
            }
            None => self.give_up(members, error.code(), &error.to_string()),
        }
    }

    /// Members that were found to be bad.
    pub(super) fn into_bad(self) -> Vec<BadMember> {
        self.bad
    }

    fn give_up(&mut self, members: Vec<Member>, code: &str, reason: &str) {
        self.bad.extend(members.into_iter().map(|member| BadMember {
            type_name: member.type_name,
            name: member.name,
            code: code.to_owned(),
            reason: reason.to_owned(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn failure() -> MetadataError {
        MetadataError::RetrieveFailed {
            id: "09S".to_owned(),
            members: 1,
            code: "UNKNOWN_EXCEPTION".to_owned(),
            message: "An unexpected error occurred".to_owned(),
        }
    }

    fn run(count: usize, bad: &BTreeSet<usize>, failures: usize) -> (BTreeSet<usize>, Vec<BadMember>, usize) {
        let member = |n: usize| Member { type_name: "T".to_owned(), name: n.to_string(), files: 1 };
        let package = Planned { members: (0..count).map(member).collect(), companions: vec![member(count)] };
        let mut bisect = Bisect::new(vec![package], failures);
        let (mut got, mut retrieves) = (BTreeSet::new(), 0);
        while let Some(package) = bisect.next() {
            retrieves += 1;
            let names: Vec<usize> = package.members.iter().map(|m| m.name.parse().unwrap()).collect();
            if names.iter().any(|name| bad.contains(name)) {
                bisect.failed(package, &failure());
            } else {
                got.extend(names);
            }
        }
        (got, bisect.into_bad(), retrieves)
    }

    #[test]
    fn one_bad_of_many_costs_few_retrieves() {
        let (got, bad, retrieves) = run(4_096, &BTreeSet::from([1_234]), 1_000);
        assert_eq!((got.len(), bad.len(), bad[0].name.as_str()), (4_095, 1, "1234"));
        assert!(retrieves <= 2 * 12 + 2, "{retrieves}");
    }

    #[test]
    fn an_org_that_fails_everything_ends() {
        let all: BTreeSet<usize> = (0..5_000).collect();
        let (got, bad, retrieves) = run(5_000, &all, 50);
        assert_eq!((got.len(), bad.len()), (0, 5_000));
        assert!(retrieves <= 102, "{retrieves}");
    }

    proptest! {
        #[test]
        fn exactly_the_bad_are_bad(count in 1usize..200, bad in proptest::collection::btree_set(0usize..200, 0..9)) {
            let bad: BTreeSet<usize> = bad.into_iter().filter(|n| *n < count).collect();
            let (got, found, _) = run(count, &bad, 10_000);
            let found: BTreeSet<usize> = found.iter().map(|m| m.name.parse().unwrap()).collect();
            prop_assert_eq!(&found, &bad);
            prop_assert_eq!(got.len() + bad.len(), count);
            prop_assert!(got.is_disjoint(&bad));
        }
    }
}
