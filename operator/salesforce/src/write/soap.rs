//! What only SOAP can: undelete, merge, and emptying the recycle bin.

use super::headers::WriteOptions;
use super::row::{Outcome, RowError};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::transport::{Call, Envelope, Flaw, Piece, Resource};
use crate::xml::{Element, escape, parse};

const NAMESPACE: &str = "urn:partner.soap.sforce.com";
/// Ids in one call (K).
const IDS_LIMIT: usize = 200;
/// Records that one merge takes beside the master (K).
const LOSERS_LIMIT: usize = 2;
/// Times that a call is sent whose answer was lost.
const TRIES: u32 = 5;

impl Client {
    /// Takes records out of the recycle bin, with what went there with them; outcomes come in the ids' order. After a
    /// lost answer the ids are sent again: one that is back already says so and counts as a success.
    pub async fn undelete(&self, ids: &[String]) -> Result<Vec<Outcome>> {
        self.by_ids("undelete", ids, |error, repeated| {
            repeated && error.code == "UNDELETE_FAILED" && error.message.contains("not in recycle bin")
                || repeated && error.message.contains("Entity is not in the recycle bin")
        })
        .await
    }

    /// Removes records from the recycle bin for good; outcomes come in the ids' order.
    pub async fn empty_recycle_bin(&self, ids: &[String]) -> Result<Vec<Outcome>> {
        self.by_ids("emptyRecycleBin", ids, |error, repeated| {
            repeated
                && matches!(error.code.as_str(), "INVALID_ID_FIELD" | "ENTITY_IS_DELETED" | "DELETE_FAILED")
        })
        .await
    }

    /// Merges one or two records into a master of the same object. Not sent again after a lost answer: whether the
    /// losers are gone is asked by the caller, which knows the object.
    pub async fn merge(&self, object: &str, master: &str, losers: &[String]) -> Result<Outcome> {
        if losers.is_empty() || losers.len() > LOSERS_LIMIT {
            return Err(Error::InputRefused {
                what: format!("merge into {master}"),
                detail: format!("{} records; a merge takes one or two", losers.len()),
            });
        }
        let ids: String =
            losers.iter().map(|id| format!("<recordToMergeIds>{}</recordToMergeIds>", escape(id))).collect();
        let body = format!(
            "<merge><request><masterRecord><type xmlns=\"urn:sobject.partner.soap.sforce.com\">{}</type>\
             <Id xmlns=\"urn:sobject.partner.soap.sforce.com\">{}</Id></masterRecord>{ids}</request></merge>",
            escape(object),
            escape(master)
        );
        let call = self.soap("merge", &body).once();
        let mut results = match self.results(&call, "mergeResponse").await {
            Ok(results) => results,
            Err(error) if error.may_have_worked() => {
                let why = "the answer to the merge was lost; look whether the records are merged";
                return Ok(Outcome::Unknown { why: why.into(), candidates: losers.to_vec() });
            }
            Err(error) => return Err(error),
        };
        match (results.pop(), results.is_empty()) {
            (Some(Ok(id)), true) => {
                Ok(Outcome::Succeeded { id: id.unwrap_or_else(|| master.to_owned()), created: Some(false) })
            }
            (Some(Err(error)), true) => Ok(Outcome::Failed(error)),
            _ => Err(Error::WrongAnswer { what: call.what(), detail: "not one result".into() }),
        }
    }

    async fn by_ids(
        &self,
        operation: &str,
        ids: &[String],
        done_already: impl Fn(&RowError, bool) -> bool,
    ) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(IDS_LIMIT) {
            let listed: String = chunk.iter().map(|id| format!("<ids>{}</ids>", escape(id))).collect();
            let call = self.soap(operation, &format!("<{operation}>{listed}</{operation}>")).once();
            let mut lost = 0;
            let results = loop {
                match self.results(&call, &format!("{operation}Response")).await {
                    Ok(results) => break results,
                    Err(error) if error.may_have_worked() && lost < TRIES => {
                        lost += 1;
                        tokio::time::sleep(self.transport().pause(lost)).await;
                    }
                    Err(error) => return Err(error),
                }
            };
            if results.len() != chunk.len() {
                return Err(Error::WrongAnswer {
                    what: call.what(),
                    detail: format!("{} results for {} ids", results.len(), chunk.len()),
                });
            }
            for (id, result) in chunk.iter().zip(results) {
                outcomes.push(match result {
                    Ok(told) => {
                        Outcome::Succeeded { id: told.unwrap_or_else(|| id.clone()), created: Some(false) }
                    }
                    Err(error) if done_already(&error, lost > 0) => {
                        Outcome::Succeeded { id: id.clone(), created: Some(false) }
                    }
                    Err(error) => Outcome::Failed(error),
                });
            }
        }
        Ok(outcomes)
    }

    fn soap(&self, operation: &str, body: &str) -> Call {
        let path = format!("/services/Soap/u/{}", self.org().api_version);
        let headers = WriteOptions::default().soap();
        let pieces = vec![Piece::Text(body.to_owned().into())];
        Call::soap(Resource::Soap, path, Envelope::new(NAMESPACE, &headers, pieces)).about(operation)
    }

    async fn results(
        &self,
        call: &Call,
        response: &str,
    ) -> Result<Vec<std::result::Result<Option<String>, RowError>>> {
        let read = |body: &[u8]| {
            let text =
                std::str::from_utf8(body).map_err(|error| Flaw::new(error.valid_up_to(), "not UTF-8"))?;
            let root = parse(text).map_err(|error| Flaw::new(error.offset as usize, error.detail))?;
            let answer = root.child("Body").and_then(|body| body.child(response));
            let answer = answer.ok_or_else(|| Flaw::new(body.len(), format!("there is no {response}")))?;
            Ok(answer.all("result").map(result).collect())
        };
        self.transport().fetch_as(call, |whole| read(&whole.body)).await
    }
}

/// One result: the id, or the first error.
fn result(element: &Element) -> std::result::Result<Option<String>, RowError> {
    if element.flag("success") {
        return Ok(element.text("id").map(str::to_owned));
    }
    Err(match element.child("errors") {
        None => RowError::own("UNKNOWN", "the org gave no reason"),
        Some(error) => RowError {
            code: error.text("statusCode").unwrap_or("UNKNOWN").to_owned(),
            message: error.text("message").unwrap_or_default().to_owned(),
            fields: error.texts("fields"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_as_the_partner_wsdl_has_them() {
        let text = r#"<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
            xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><undeleteResponse>
            <result><id>001a</id><success>true</success></result>
            <result><errors><fields>A</fields><message>no &amp; no</message><statusCode>UNDELETE_FAILED</statusCode></errors>
            <id xsi:nil="true"/><success>false</success></result></undeleteResponse></soapenv:Body></soapenv:Envelope>"#;
        let root = parse(text).unwrap();
        let answer = root.child("Body").unwrap().child("undeleteResponse").unwrap();
        let results: Vec<_> = answer.all("result").map(result).collect();
        assert_eq!(results[0], Ok(Some("001a".to_owned())));
        let error = results[1].clone().unwrap_err();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("UNDELETE_FAILED", "no & no"));
    }
}
