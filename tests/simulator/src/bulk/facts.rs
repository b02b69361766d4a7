//! What no document and no recording confirms of Bulk, each in the forms that it may take. A client must be
//! right with either.

/// How the simulator is to behave where nobody could confirm what Salesforce does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `bulkPage=short`: pages of Bulk 2.0 results hold fewer rows than asked for, though others follow.
    pub short_pages: bool,
    /// `bulkOrder=shuffled`: rows of a query without ORDER BY come in parts that are not in the order of ids.
    pub shuffled: bool,
    /// `bulkLastPage=empty`: the last rows have a locator behind them, whose page has none.
    pub empty_last_page: bool,
    /// `bulkState=late`: what is told of a job lags behind by as long as a job takes.
    pub late_state: bool,
    /// `bulkCount=late`: a complete job tells its number of records only a while later.
    pub late_count: bool,
    /// `bulkRefusal=later`: what Bulk 2.0 does not read makes the job fail, not its creation.
    pub refused_later: bool,
    /// `bulkPagesKey=nextRecordUrl`: as the documentation's table spells the key of `resultPages`, not as its example.
    pub record_url_key: bool,
    /// `ingestOrder=input`: results of a load have the order of its rows, after all.
    pub ingest_in_order: bool,
    /// `ingestBreaks=refused`: a load fails whose values have line breaks of the other kind than its lines.
    pub ingest_breaks_refused: bool,
    /// `ingestMultipart=open`: a load that was made with its rows in one call waits for `UploadComplete`.
    pub ingest_multipart_open: bool,
    /// `ingestClosed=accepted`: `UploadComplete` may be said again of a load that was told so before.
    pub ingest_closes_again: bool,
    /// `ingestSecondUpload=atClose`: a second upload is taken, and `UploadComplete` refused, as it was in 2018.
    pub ingest_second_upload_taken: bool,
}

/// Names, with the usual and the other form.
const FORMS: [(&str, &str, &str); 12] = [
    ("bulkPage", "full", "short"),
    ("bulkOrder", "id", "shuffled"),
    ("bulkLastPage", "null", "empty"),
    ("bulkState", "prompt", "late"),
    ("bulkCount", "final", "late"),
    ("bulkRefusal", "atCreation", "later"),
    ("bulkPagesKey", "nextRecordsUrl", "nextRecordUrl"),
    ("ingestOrder", "shuffled", "input"),
    ("ingestBreaks", "kept", "refused"),
    ("ingestMultipart", "started", "open"),
    ("ingestClosed", "refused", "accepted"),
    ("ingestSecondUpload", "refused", "atClose"),
];

/// Why a fact cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    /// There is no such fact, or it is not written as name and form.
    #[error("`{0}` is no fact; known are {known}", known = known())]
    Unknown(String),
    /// The fact has no such form.
    #[error("{name} is {usual} or {other}, not `{form}`")]
    Form {
        /// The fact.
        name: &'static str,
        /// Its usual form.
        usual: &'static str,
        /// Its other form.
        other: &'static str,
        /// What was wanted.
        form: String,
    },
}

fn known() -> String {
    FORMS.map(|(name, usual, other)| format!("{name}={usual}|{other}")).join(", ")
}

impl Facts {
    /// Sets one, written as `bulkPage=short`.
    ///
    /// # Errors
    /// When there is no such fact or form.
    pub fn set(&mut self, text: &str) -> Result<(), FactError> {
        let unknown = || FactError::Unknown(text.to_owned());
        let (name, form) = text.split_once('=').ok_or_else(unknown)?;
        let at = FORMS.iter().position(|(known, ..)| *known == name).ok_or_else(unknown)?;
        let (name, usual, other) = FORMS[at];
        if form != usual && form != other {
            return Err(FactError::Form { name, usual, other, form: form.to_owned() });
        }
        let is_other = form == other;
        let fact = match at {
            0 => &mut self.short_pages,
            1 => &mut self.shuffled,
            2 => &mut self.empty_last_page,
            3 => &mut self.late_state,
            4 => &mut self.late_count,
            5 => &mut self.refused_later,
            6 => &mut self.record_url_key,
            7 => &mut self.ingest_in_order,
            8 => &mut self.ingest_breaks_refused,
            9 => &mut self.ingest_multipart_open,
            10 => &mut self.ingest_closes_again,
            _ => &mut self.ingest_second_upload_taken,
        };
        *fact = is_other;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_set_by_name() {
        let mut facts = Facts::default();
        facts.set("bulkOrder=shuffled").unwrap();
        facts.set("bulkPagesKey=nextRecordUrl").unwrap();
        assert!(facts.shuffled && facts.record_url_key && !facts.short_pages);
        facts.set("bulkOrder=id").unwrap();
        assert!(!facts.shuffled);
        let error = facts.set("bulkOrder=none").unwrap_err().to_string();
        assert_eq!(error, "bulkOrder is id or shuffled, not `none`");
        assert!(facts.set("nothing").unwrap_err().to_string().contains("bulkPage=full|short"));
    }
}
