//! When which parts are written anew: the rule of compaction, as a pure function of sizes and ranges.
//!
//! A state is base parts, which cover disjoint ranges of keys, and deltas over them, oldest first. A run adds a delta
//! over all ranges. What that costs is files and reading; what it costs to be rid of them is writing again. The rule
//! keeps both within bounds:
//!
//! 1. **Layers.** Base parts that overlap (pages of a full backup that came in no order) are merged into disjoint
//!    ones once more than [`Rule::layers`] lie over one key. A full backup is left so, too: what a reader holds in
//!    memory goes with the parts over one key.
//! 2. **Fold.** Deltas that cross the borders of base parts are *wide*. When there are more than [`Rule::wide`] of
//!    them, they are merged into one and cut at the borders: *pieces*, each over one base part.
//! 3. **Rewrite.** A base part whose pieces come to more than [`Rule::share`] percent of its bytes is written anew
//!    with them. So a range that nobody changes is never written again, and one that changes much pays for itself.
//! 4. **Join.** Where pieces over one base part are more than [`Rule::pieces`], the younger ones, as far as they
//!    come to as much as the next older one, are merged into one: sizes grow geometrically, so each change is
//!    written again a few times in a year, not each time.
//!
//! A delta may be folded only if no older one that stays lies over the same keys: steps take deltas from the oldest
//! on, and the merged one stands where they stood. Base parts up to [`Rule::span`] bytes that lie side by side count
//! as one, so that an object does not consist of a thousand small files.

use std::collections::BTreeMap;

/// What compaction goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Base parts that may overlap.
    pub layers: usize,
    /// Wide deltas that may stand.
    pub wide: usize,
    /// Percent of a base part's bytes that its pieces may come to.
    pub share: u64,
    /// Pieces that may stand over a base part.
    pub pieces: usize,
    /// Bytes of a base part, about.
    pub span: u64,
    /// Bytes of pieces below which a base part is not written anew.
    pub least: u64,
    /// Deltas that are merged at once.
    pub fan_in: usize,
    /// Layers of base parts that are merged at once: fewer, since their row groups are larger.
    pub base_fan_in: usize,
    /// As [`crate::codec::Settings::index_from`], for the files that compaction writes.
    pub index_from: Option<u64>,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            layers: 4,
            wide: 14,
            share: 25,
            pieces: 8,
            span: 32 << 20,
            least: 256 << 10,
            fan_in: 24,
            base_fan_in: 6,
            index_from: None,
        }
    }
}

/// A part, as far as the rule looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sized {
    /// Base part, not delta.
    pub base: bool,
    /// Least key.
    pub min: u128,
    /// Greatest key.
    pub max: u128,
    /// Bytes.
    pub bytes: u64,
}

/// A step of compaction: parts, by their places in the state, that are merged into one or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The parts.
    pub parts: Vec<usize>,
    /// They become base parts: deletions have nothing left to delete.
    pub base: bool,
    /// Keys at which a new file begins.
    pub cuts: Vec<u128>,
}

/// Base parts that count as one: those that overlap, and small neighbours. From the first key up to before `end`.
#[derive(Debug)]
struct Span {
    parts: Vec<usize>,
    end: u128,
    max: u128,
    bytes: u64,
    layers: usize,
}

impl Rule {
    /// For a full backup: layers are merged, and nothing else is to do.
    pub fn full() -> Self {
        Self { wide: usize::MAX, share: u64::MAX, pieces: usize::MAX, span: 12 << 20, ..Self::default() }
    }

    /// The next step, or none: the state is as it should be. `parts` in the order of the state.
    pub fn next(&self, parts: &[Sized]) -> Option<Step> {
        let spans = self.spans(parts);
        let deltas: Vec<usize> = (0..parts.len()).filter(|at| !parts[*at].base).collect();
        let span_of = |key: u128| spans.partition_point(|span| span.end <= key);
        let is_wide = |at: &usize| span_of(parts[*at].min) != span_of(parts[*at].max);
        if let Some(span) = spans.iter().find(|span| span.layers > self.layers) {
            return Some(self.merge_layers(parts, span));
        }
        let first_wide = deltas.iter().position(is_wide).unwrap_or(deltas.len());
        if deltas.iter().filter(|at| is_wide(at)).count() > self.wide {
            let cuts = spans.iter().map(|span| span.end).filter(|end| *end != u128::MAX).collect();
            let oldest = deltas[first_wide..].iter().copied().take(self.fan_in);
            return Some(Step { parts: oldest.collect(), base: false, cuts });
        }
        // A piece after a wide delta has to wait for it.
        let pieces = &deltas[..first_wide];
        for (number, span) in spans.iter().enumerate() {
            let over: Vec<usize> =
                pieces.iter().copied().filter(|at| span_of(parts[*at].min) == number).collect();
            let bytes: u64 = over.iter().map(|at| parts[*at].bytes).sum();
            if bytes >= self.least && bytes.saturating_mul(100) > span.bytes.saturating_mul(self.share) {
                let all = span.parts.iter().copied().chain(over).collect();
                return Some(Step { parts: all, base: true, cuts: Vec::new() });
            }
            if over.len() > self.pieces {
                return Some(Step { parts: self.youngest(parts, &over), base: false, cuts: Vec::new() });
            }
        }
        None
    }

    /// The younger pieces, as far as they come to as much as the next older one; at least two.
    fn youngest(&self, parts: &[Sized], over: &[usize]) -> Vec<usize> {
        let mut many = 0;
        let mut sum = 0;
        for at in over.iter().rev() {
            if many >= 2 && parts[*at].bytes > sum {
                break;
            }
            many += 1;
            sum += parts[*at].bytes;
        }
        over[over.len() - many.min(self.fan_in)..].to_vec()
    }

    /// As many layers as are merged at once, side by side in the order of the state, of these the smallest: so layers
    /// of about one size are merged, and a row is written anew some log(layers) times.
    fn merge_layers(&self, parts: &[Sized], span: &Span) -> Step {
        let mut in_order = span.parts.clone();
        in_order.sort_unstable();
        let runs = runs(parts, &in_order);
        let many = self.base_fan_in.max(2).min(runs.len());
        let bytes = |runs: &[Vec<usize>]| -> u64 { runs.iter().flatten().map(|at| parts[*at].bytes).sum() };
        let smallest = runs.windows(many).min_by_key(|some| bytes(some)).unwrap_or_default();
        Step { parts: smallest.concat(), base: true, cuts: Vec::new() }
    }

    fn spans(&self, parts: &[Sized]) -> Vec<Span> {
        let mut bases: Vec<usize> = (0..parts.len()).filter(|at| parts[*at].base).collect();
        bases.sort_by_key(|at| (parts[*at].min, *at));
        let mut spans: Vec<Span> = Vec::new();
        for at in bases {
            let part = parts[at];
            match spans.last_mut() {
                Some(span) if part.min <= span.max || span.bytes + part.bytes <= self.span => {
                    span.parts.push(at);
                    span.max = span.max.max(part.max);
                    span.bytes += part.bytes;
                }
                _ => {
                    if let Some(last) = spans.last_mut() {
                        last.end = part.min;
                    }
                    let parts = vec![at];
                    spans.push(Span { parts, end: u128::MAX, max: part.max, bytes: part.bytes, layers: 1 });
                }
            }
        }
        for span in &mut spans {
            span.layers = layers(parts, &span.parts);
        }
        if spans.is_empty() {
            spans.push(Span { parts: Vec::new(), end: u128::MAX, max: 0, bytes: 0, layers: 0 });
        }
        spans
    }
}

/// Parts split, in their order, into runs in which none lies over another.
fn runs(parts: &[Sized], of: &[usize]) -> Vec<Vec<usize>> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    // greatest keys of the run's parts by their least ones
    let mut ranges: BTreeMap<u128, u128> = BTreeMap::new();
    for &at in of {
        let part = parts[at];
        let overlaps = ranges.range(..=part.max).next_back().is_some_and(|(_, max)| *max >= part.min);
        match runs.last_mut() {
            Some(run) if !overlaps => run.push(at),
            _ => {
                ranges.clear();
                runs.push(vec![at]);
            }
        }
        ranges.insert(part.min, part.max);
    }
    runs
}

/// Whether any base part lies over another, so that both may have rows of one key.
pub(super) fn overlap(parts: &[Sized]) -> bool {
    let bases: Vec<usize> = (0..parts.len()).filter(|at| parts[*at].base).collect();
    runs(parts, &bases).len() > 1
}

/// The most parts that lie over one key. The parts are sorted by their least keys.
fn layers(parts: &[Sized], of: &[usize]) -> usize {
    let mut ends: Vec<u128> = Vec::new();
    let mut most = 0;
    for at in of {
        ends.retain(|end| *end >= parts[*at].min);
        ends.push(parts[*at].max);
        most = most.max(ends.len());
    }
    most
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
