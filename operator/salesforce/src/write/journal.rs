//! A write's journal at work: each step appended, then followed.

use std::sync::Arc;

use super::intents::{Entry, Intents, Step};
use super::state::WriteState;
use crate::error::Result;

/// The journal of one write with what it says.
pub(crate) struct Journal {
    intents: Arc<dyn Intents>,
    write: String,
    pub(crate) state: WriteState,
}

impl Journal {
    /// Reads what the journal says of the write.
    pub(crate) async fn open(intents: Arc<dyn Intents>, write: &str) -> Result<Self> {
        let state = WriteState::of(&intents.load().await?, write);
        Ok(Self { intents, write: write.to_owned(), state })
    }

    /// Writes a step down.
    pub(crate) async fn append(&mut self, step: Step) -> Result<()> {
        self.intents.append(Entry { write: self.write.clone(), step: step.clone() }).await?;
        self.state.take(&step);
        Ok(())
    }
}
