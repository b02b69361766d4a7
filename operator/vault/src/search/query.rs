//! What is looked for: the words of a query as terms, each with the keys that an index is asked for.

use jiff::Timestamp;
use orgkeep_core::id::SalesforceId;

use super::SearchError;
use super::keys;
use super::words::{self, NUMBER, each_address, each_number, each_word};

/// What to look for, and where.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Words, all of which a record must have, in any of its fields; words in `"…"` one after another in one field.
    /// Empty: all records that the rest lets through.
    pub text: String,
    /// The text may be a part of a word; no index helps then, and all text is read.
    pub within_words: bool,
    /// API names of objects, and names of trees (`metadata`), in any case; empty: all.
    pub objects: Vec<String>,
    /// Part of the Id of the user who made the record.
    pub created_by: Option<String>,
    /// Part of the Id of the user who changed it last.
    pub updated_by: Option<String>,
    /// Only these records.
    pub ids: Vec<SalesforceId>,
    /// Changed at this time or later: `LastModifiedDate`, or where an object has none `SystemModstamp`, or
    /// `CreatedDate`.
    pub from: Option<Timestamp>,
    /// Changed before this time.
    pub to: Option<Timestamp>,
    /// Records, too, that were deleted by then, as they last were, and those in the org's recycle bin.
    pub include_deleted: bool,
    /// Every version that a snapshot holds, not only the one of the newest snapshot.
    pub all_versions: bool,
    /// Hits at most, or a few more: versions of one record are told together. `None`: all.
    pub limit: Option<u64>,
    /// Where an earlier search of the same query over the same snapshots stopped.
    pub after: Option<String>,
}

impl Query {
    /// Whether something is asked that only records have.
    pub(crate) fn is_of_records(&self) -> bool {
        self.created_by.is_some()
            || self.updated_by.is_some()
            || !self.ids.is_empty()
            || self.from.is_some()
            || self.to.is_some()
    }

    /// Whether an object or tree is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.objects.is_empty() || self.objects.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    }
}

/// One thing that must be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Term {
    /// Words one after another; whether each is a character of an unspaced script.
    Phrase(Vec<(String, bool)>),
    /// An Id, written with 15 or 18 characters, folded.
    Id { short: String, long: String, id: SalesforceId },
    /// An e-mail address.
    Address(String),
    /// A number by its last digits; as one word, too, if it was written so.
    Number { digits: String, word: Option<String> },
    /// Text within words, folded.
    Within(String),
}

/// Takes the text of a query apart.
pub(crate) fn terms(text: &str, within: bool) -> Result<Vec<Term>, SearchError> {
    if within {
        let folded = words::fold(text.trim());
        return Ok(if folded.is_empty() { Vec::new() } else { vec![Term::Within(folded)] });
    }
    let mut found = Vec::new();
    for (at, piece) in text.split('"').enumerate() {
        if at % 2 == 1 { phrase(piece, &mut found) } else { loose(piece, &mut found) }
    }
    if found.is_empty() && !text.trim().is_empty() {
        return Err(SearchError::NoWords);
    }
    Ok(found)
}

fn phrase(text: &str, found: &mut Vec<Term>) {
    let (mut all, mut word) = (Vec::new(), String::new());
    each_word(text, &mut word, |word, _, unspaced| all.push((word.to_owned(), unspaced)));
    if !all.is_empty() {
        found.push(Term::Phrase(all));
    }
}

/// Text outside of quotation marks: addresses, numbers, Ids, and the rest by its words.
fn loose(text: &str, found: &mut Vec<Term>) {
    let mut wholes = Vec::new();
    each_address(text, |address, range| wholes.push((range, Term::Address(address.to_owned()))));
    each_number(text, &mut String::new(), |number| {
        let digits = number.digits.trim_start_matches('0');
        let taken =
            wholes.iter().any(|(range, _)| range.start < number.range.end && number.range.start < range.end);
        // an Id may be of digits alone
        let is_id = !number.spaced && SalesforceId::parse(number.digits).is_ok();
        if digits.len() >= NUMBER && !taken && !is_id {
            let word = (!number.spaced).then(|| number.digits.to_owned());
            wholes.push((number.range.clone(), Term::Number { digits: digits.to_owned(), word }));
        }
    });
    wholes.sort_by_key(|(range, _)| range.start);
    let mut at = 0;
    for (range, term) in wholes {
        plain(&text[at..range.start], found);
        found.push(term);
        at = range.end;
    }
    plain(&text[at..], found);
}

fn plain(text: &str, found: &mut Vec<Term>) {
    for run in text.split_whitespace() {
        // a word that only looks like an Id has no digit
        match SalesforceId::parse(run) {
            Ok(id) if run.bytes().any(|byte| byte.is_ascii_digit()) => {
                let long = id.as_str().to_ascii_lowercase();
                found.push(Term::Id { short: long[..15].to_owned(), long, id });
            }
            _ => phrase(run, found),
        }
    }
}

impl Term {
    /// Keys of which an index must have all of one list; `None`: it cannot tell.
    pub(crate) fn keys(&self) -> Option<Vec<Vec<u64>>> {
        Some(match self {
            Self::Phrase(words) => {
                let mut all: Vec<u64> = words.iter().map(|(word, _)| keys::word(word)).collect();
                let pairs = words.windows(2).filter(|pair| pair[0].1 && pair[1].1);
                all.extend(pairs.map(|pair| keys::pair(&pair[0].0, &pair[1].0)));
                all.sort_unstable();
                all.dedup();
                vec![all]
            }
            Self::Id { short, long, id } => {
                vec![vec![keys::word(short)], vec![keys::word(long)], vec![keys::id(id.as_bytes())]]
            }
            Self::Address(address) => vec![vec![keys::address(address)]],
            Self::Number { digits, word } => {
                let mut any = vec![vec![keys::number(digits)]];
                any.extend(word.iter().map(|word| vec![keys::word(word)]));
                any
            }
            Self::Within(_) => return None,
        })
    }

    /// ASCII text that every ASCII cell with the term has in it, in lower case; `None`: there is none.
    pub(crate) fn needle(&self) -> Option<&str> {
        let needle = match self {
            Self::Phrase(words) => {
                words.iter().map(|(word, _)| word.as_str()).max_by_key(|word| word.len()).unwrap_or_default()
            }
            Self::Id { short, .. } => short,
            Self::Address(address) => address,
            Self::Number { .. } => return None,
            Self::Within(text) => text,
        };
        (needle.is_ascii() && !needle.is_empty()).then_some(needle)
    }

    /// Whether no ASCII cell can have it.
    pub(crate) fn is_foreign(&self) -> bool {
        match self {
            Self::Phrase(words) => words.iter().any(|(word, _)| !word.is_ascii()),
            Self::Address(text) | Self::Within(text) => !text.is_ascii(),
            Self::Id { .. } | Self::Number { .. } => false,
        }
    }

    /// Whether a record's own Id can have it: an index holds that as an Id only, and not by its words.
    pub(crate) fn is_of_ids(&self) -> bool {
        matches!(self, Self::Id { .. } | Self::Within(_))
    }

    /// Where the text has the term; the range is of the text's bytes, for an excerpt.
    pub(crate) fn find(&self, text: &str) -> Option<std::ops::Range<usize>> {
        let mut found = None;
        let mut room = String::new();
        match self {
            Self::Phrase(wanted) => return find_phrase(wanted, text),
            Self::Id { short, long, .. } => each_word(text, &mut room, |word, range, _| {
                if found.is_none() && (word == short || word == long) {
                    found = Some(range);
                }
            }),
            Self::Address(wanted) => each_address(text, |address, range| {
                if found.is_none() && address == wanted {
                    found = Some(range);
                }
            }),
            Self::Number { digits, word } => {
                each_number(text, &mut room, |number| {
                    let ends = number.digits.ends_with(digits.as_str());
                    if found.is_none() && ends && (number.spaced || word.is_none()) {
                        found = Some(number.range.clone());
                    }
                });
                if let (None, Some(wanted)) = (&found, word) {
                    each_word(text, &mut room, |word, range, _| {
                        if found.is_none() && word == wanted {
                            found = Some(range);
                        }
                    });
                }
            }
            Self::Within(wanted) => {
                let folded = words::fold(text);
                let at = folded.find(wanted.as_str())?;
                // folding keeps the place only where it keeps the length
                found = Some(if folded.len() == text.len() { at..at + wanted.len() } else { 0..0 });
            }
        }
        found
    }
}

/// The first place where these words stand one after another.
fn find_phrase(wanted: &[(String, bool)], text: &str) -> Option<std::ops::Range<usize>> {
    let mut room = String::new();
    let mut found = None;
    if let [(only, _)] = wanted {
        each_word(text, &mut room, |word, range, _| {
            if found.is_none() && word == only {
                found = Some(range);
            }
        });
        return found;
    }
    // lengths that are matched so far, each with where it began
    let mut open: Vec<(usize, usize)> = Vec::new();
    each_word(text, &mut room, |word, range, _| {
        if found.is_some() {
            return;
        }
        open.push((0, range.start));
        open.retain_mut(|(many, _)| {
            let goes_on = wanted.get(*many).is_some_and(|(next, _)| next == word);
            *many += 1;
            goes_on
        });
        if let Some((_, start)) = open.iter().find(|(many, _)| *many == wanted.len()) {
            found = Some(*start..range.end);
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str, text: &str) -> bool {
        let terms = terms(query, false).unwrap();
        assert!(!terms.is_empty());
        let all = terms.iter().all(|term| {
            let found = term.find(text);
            assert!(found.as_ref().is_none_or(|range| text.get(range.clone()).is_some()));
            found.is_some()
        });
        // what is found, an index must admit
        if all {
            let mut held = std::collections::HashSet::new();
            keys::each_key(text, &mut keys::Scratch::default(), |key| {
                held.insert(key);
            });
            for term in &terms {
                let any = term.keys().unwrap();
                assert!(any.iter().any(|all| all.iter().all(|key| held.contains(key))), "{query} in {text}");
            }
            for needle in terms.iter().filter_map(Term::needle).filter(|_| text.is_ascii()) {
                assert!(text.to_ascii_lowercase().contains(needle));
            }
        }
        all
    }

    #[test]
    fn words_and_phrases() {
        assert!(finds("muller", "Hans MÜLLER-Meier"));
        assert!(finds("meier hans", "Hans Müller-Meier"));
        assert!(!finds("\"meier hans\"", "Hans Müller-Meier"));
        assert!(finds("\"müller meier\"", "Hans Müller-Meier"));
        assert!(finds("\"a a b\"", "a a a b"));
        assert!(!finds("mull", "Müller"));
        assert!(finds("example", "x@example.com") && finds("x@Example.com", "to x@example.com."));
        assert!(!finds("x@example.com", "yx@example.com") && !finds("a.x@example.com", "x@example.com"));
        assert!(finds("INV-00012", "inv 00012") && !finds("INV-00012", "00012 inv"));
    }

    #[test]
    fn numbers_and_ids_and_unspaced_scripts() {
        assert!(finds("089 1234567", "+49 (0)89 / 123-4567") && finds("+49 89 1234567", "+49891234567"));
        assert!(
            finds("1234567", "no 1234567")
                && !finds("1234567", "991234567")
                && finds("1234567", "99-1234567")
        );
        assert!(finds("2024-01-05", "on 2024-01-05."));
        assert!(
            finds("001xx000003DGb0", "see 001xx000003DGb0AAG")
                && finds("001xx000003DGb0AAG", "001xx000003DGb0")
        );
        assert!(finds("京都", "東京都") && !finds("東都", "東京都") && finds("都", "東京都"));
        assert!(finds("東京", "東 京"));
    }

    #[test]
    fn text_within_words() {
        let terms = terms("ÜLL", true).unwrap();
        assert!(terms[0].find("Müller").is_some() && terms[0].find("Maier").is_none());
        assert!(terms[0].keys().is_none());
        assert!(matches!(super::terms("--", false), Err(SearchError::NoWords)));
        assert!(super::terms(" ", false).unwrap().is_empty());
    }
}
