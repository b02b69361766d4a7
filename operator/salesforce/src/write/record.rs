//! Single records by REST, and the client's calls that write.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use xxhash_rust::xxh3::xxh3_128;

use super::collections;
use super::headers::WriteOptions;
use super::intents::Intents;
use super::journal::Journal;
use super::json::{members, told};
use super::look::Look;
use super::make::{Make, make, refused};
use super::row::{InputRow, Operation, Outcome, Target};
use crate::client::{Client, encode};
use crate::error::{Error, Result};
use crate::transport::{Call, Resource};

/// The longest that a call may be at work in the org after its answer was lost: Salesforce ends calls after ten
/// minutes (K).
pub const SETTLE: Duration = Duration::from_secs(600);

/// Times that a record is sent that is locked.
const LOCK_TRIES: u32 = 6;

impl Client {
    /// Makes records one by one, for objects and values that Bulk does not take. Each is written into the journal
    /// before it is sent; after a lost answer the org is asked what was made since by this user with this content.
    /// `settle`: see [`SETTLE`]. The same rows with the same journal go on where a crash ended them.
    pub async fn insert_records(
        &self,
        intents: Arc<dyn Intents>,
        write: &str,
        target: &Target,
        rows: &[InputRow],
        options: WriteOptions,
        settle: Duration,
    ) -> Result<Vec<Outcome>> {
        let mut journal = Journal::open(intents, write).await?;
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            outcomes.push(insert(self, &mut journal, target, row, options, settle).await?);
        }
        Ok(outcomes)
    }

    /// Updates, upserts by external id or deletes rows, 200 in a call; outcomes come in the rows' order. All of these
    /// may be sent twice, and are after a lost answer. An insert is refused: [`Self::insert_records`].
    pub async fn write_collection(
        &self,
        target: &Target,
        rows: &[InputRow],
        options: WriteOptions,
    ) -> Result<Vec<Outcome>> {
        collections::write(self, target, rows, options).await
    }

    /// Updates one record by its id; the cells of an `Id` column are left out of the body.
    pub async fn update_record(
        &self,
        target: &Target,
        id: &str,
        row: &InputRow,
        options: WriteOptions,
    ) -> Result<Outcome> {
        let path = format!("{}/sobjects/{}/{}", self.base(), encode(&target.object), encode(id));
        let body = members(target, &row.cells, &["Id"]);
        self.send_record(Method::PATCH, path, Some(serde_json::Value::Object(body)), id, options).await
    }

    /// Puts one record into the recycle bin. One that a lost call has deleted already is a success.
    pub async fn delete_record(&self, object: &str, id: &str) -> Result<Outcome> {
        let path = format!("{}/sobjects/{}/{}", self.base(), encode(object), encode(id));
        self.send_record(Method::DELETE, path, None, id, WriteOptions::default()).await
    }

    /// Sends a call about a record that it names, again after a lost answer.
    async fn send_record(
        &self,
        method: Method,
        path: String,
        body: Option<serde_json::Value>,
        id: &str,
        options: WriteOptions,
    ) -> Result<Outcome> {
        let delete = method == Method::DELETE;
        let mut call = Call::get(Resource::Record, path).method(method).once();
        call.body = body.map(|body| Bytes::from(body.to_string()));
        let call = options.put(call);
        let mut lost = 0;
        loop {
            match self.transport().fetch(&call).await {
                Ok(_) => return Ok(Outcome::Succeeded { id: id.to_owned(), created: Some(false) }),
                Err(error) if error.may_have_worked() && lost < LOCK_TRIES => {
                    lost += 1;
                    tokio::time::sleep(self.transport().pause(lost)).await;
                }
                Err(Error::Refused { symptom, .. })
                    if delete && lost > 0 && symptom.code == "ENTITY_IS_DELETED" =>
                {
                    return Ok(Outcome::Succeeded { id: id.to_owned(), created: Some(false) });
                }
                Err(error) => return refused(error),
            }
        }
    }
}

/// Makes one record; see [`Client::insert_records`].
pub(crate) async fn insert(
    client: &Client,
    journal: &mut Journal,
    target: &Target,
    row: &InputRow,
    options: WriteOptions,
    settle: Duration,
) -> Result<Outcome> {
    if target.operation != Operation::Insert || row.cells.len() != target.columns.len() {
        return Err(Error::InputRefused {
            what: format!("row {:?} of {}", row.key, target.object),
            detail: "an insert has a cell for each column".into(),
        });
    }
    let body = serde_json::Value::Object(members(target, &row.cells, &[])).to_string();
    let path = format!("{}/sobjects/{}", client.base(), encode(&target.object));
    let mut call = Call::get(Resource::Record, path).method(Method::POST).about(row.key.clone()).once();
    let content = format!("{:032x}", xxh3_128(body.as_bytes()));
    call.body = Some(Bytes::from(body));
    let told = told(target, &row.cells);
    let cells = target.columns.iter().cloned().zip(row.cells.iter().cloned());
    let wanted = Look {
        object: target.object.clone(),
        cells: cells.filter(|(column, _)| told.contains(&column.name)).collect(),
        key: target.key.clone(),
        content: None,
    };
    let record = Make { key: row.key.clone(), content, call: options.put(call), wanted };
    let mut tries = 0;
    loop {
        let outcome = make(client, journal, &record, settle).await?;
        tries += 1;
        if !matches!(&outcome, Outcome::Failed(error) if error.passes()) || tries == LOCK_TRIES {
            return Ok(outcome);
        }
        tokio::time::sleep(client.transport().pause(tries)).await;
    }
}
