//! Redactions: their signatures, their numbers without gaps, and that each was made after the one before.

use super::Checks;
use super::lines::{is_finding, words};
use crate::erase::{Overlay, missing};
use crate::error::Result;
use crate::layout;
use crate::line::Line;
use crate::manifest::Manifest;

impl Checks<'_> {
    /// Reads the redactions of a line; those that are as they were written are laid over its manifests.
    pub(super) async fn redactions(&mut self, line: &Line) -> Result<Overlay> {
        let numbers = self.vault.redaction_numbers(line.id()).await?;
        let touched = if numbers.is_empty() {
            Vec::new()
        } else {
            line.numbers().await?.into_iter().map(|seq| format!("{}/{seq}", line.id())).collect()
        };
        let mut good = Vec::new();
        for number in 1..=numbers.last().copied().unwrap_or(0) {
            match self.vault.redaction(line.id(), number).await {
                Ok(redaction) => {
                    let before = good.last().map(|before: &crate::erase::Redaction| &before.digest);
                    let named = redaction.parent.as_ref().map(|parent| &parent.digest);
                    // one before it that cannot be read was told already
                    let follows = good.len() as u64 + 1 == number;
                    if follows && before != named {
                        let path = layout::redaction(line.id(), number);
                        self.problem(
                            &path,
                            touched.clone(),
                            "it was made after another one than the one before it",
                        );
                    }
                    good.push(redaction);
                }
                Err(error) if is_finding(&error) => {
                    let path = layout::redaction(line.id(), number);
                    self.problem(&path, touched.clone(), words(&error));
                }
                Err(error) => return Err(error),
            }
        }
        self.report.redactions += good.iter().filter(|redaction| redaction.kind != "void").count() as u64;
        Ok(Overlay::new(good))
    }

    /// Whether the redaction that a manifest was made after is there.
    pub(super) fn redaction_of(&mut self, name: &str, manifest: &Manifest, overlay: &Overlay) {
        let Some(named) = manifest.redaction.as_ref().filter(|named| !overlay.has(named)) else { return };
        let error = missing(manifest, named);
        self.problem(&layout::redaction(&manifest.line_id, named.seq), [name.to_owned()], words(&error));
    }
}
