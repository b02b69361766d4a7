//! Several queries in one counted call.

use orgkeep_core::problem::Reaction;
use serde::Deserialize;

use crate::client::Client;
use crate::composite::{PARTS_LIMIT, Part, SubRequest, send};
use crate::error::{Error, Result};
use crate::rest::{RestQuery, parts, query_path};
use crate::soql::Select;
use crate::transport::json;

/// A count to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountAsk {
    /// Object API name.
    pub object: String,
    /// Whether deleted and archived rows count, too.
    pub all: bool,
    /// The condition, if not all rows count.
    pub condition: Option<String>,
}

/// `SELECT count()`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Count {
    pub(crate) total_size: u64,
}

impl Client {
    /// Begins several queries, five in one counted call; each has its own query (its first page is there already)
    /// or error, in the order asked. For small objects, whose first page is mostly all.
    ///
    /// What does not fit into such a call (a wide object, too large an answer, an org that refuses composites) is a
    /// query of its own that nothing was sent for yet.
    pub async fn query_many(&self, queries: &[(Select, bool)]) -> Result<Vec<Result<RestQuery>>> {
        let mut answers: Vec<Option<Result<RestQuery>>> = queries.iter().map(|_| None).collect();
        let mut packed = Vec::new();
        for (index, (select, all)) in queries.iter().enumerate() {
            match parts(self, select, *all) {
                Ok(None) => packed.push(index),
                Ok(Some(_)) => {}
                Err(error) => answers[index] = Some(Err(error)),
            }
        }
        let requests: Vec<SubRequest> =
            packed.iter().map(|&index| self.request(&queries[index].0, queries[index].1)).collect();
        for (&index, part) in packed.iter().zip(self.packed(&requests).await?) {
            let (select, all) = &queries[index];
            answers[index] = match part {
                // What cannot be read here may be readable by itself.
                Some(Ok(part)) => self.begun(select, *all, &part).map(Ok),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            };
        }
        let unsent = |(select, all): &(Select, bool)| Ok(self.query(select, *all));
        Ok(answers
            .into_iter()
            .zip(queries)
            .map(|(answer, query)| answer.unwrap_or_else(|| unsent(query)))
            .collect())
    }

    /// Counts rows as the org counts them now, five counts in one counted call; each has its own number or error,
    /// in the order asked.
    pub async fn count_many(&self, asks: &[CountAsk]) -> Result<Vec<Result<u64>>> {
        let counting = |ask: &CountAsk| Select::counting(&ask.object, ask.condition.as_deref());
        let requests: Vec<SubRequest> =
            asks.iter().map(|ask| self.request(&counting(ask), ask.all)).collect();
        let mut answers = Vec::with_capacity(asks.len());
        for (ask, part) in asks.iter().zip(self.packed(&requests).await?) {
            let read = |part: Part| {
                json::<Count>(part.body.get().as_bytes())
                    .map(|count| count.total_size)
                    .map_err(|flaw| flaw.of(format!("count of {}", ask.object)))
            };
            answers.push(match part.map(|part| part.and_then(read)) {
                Some(answer) => answer,
                None => self.count(&ask.object, ask.all, ask.condition.as_deref()).await,
            });
        }
        Ok(answers)
    }

    fn request(&self, select: &Select, all: bool) -> SubRequest {
        let path = query_path(self.base(), &select.to_soql(), all);
        SubRequest::query(path, format!("query of {}", select.object()))
    }

    /// The parts' answers; `None` for all if composites are not to be had here.
    async fn packed(&self, requests: &[SubRequest]) -> Result<Vec<Option<Result<Part>>>> {
        let none = || requests.iter().map(|_| None).collect();
        if self.composites_refused() {
            return Ok(none());
        }
        match send(self, requests, PARTS_LIMIT).await {
            Ok(parts) => Ok(parts.into_iter().map(Some).collect()),
            Err(error @ Error::TooLarge { .. }) => {
                tracing::info!(%error, "queries are sent one by one");
                Ok(none())
            }
            Err(error) if error.reaction() == Reaction::GiveUpObject => {
                self.composite_was_refused(&error);
                Ok(none())
            }
            Err(error) => Err(error),
        }
    }

    fn begun(&self, select: &Select, all: bool, part: &Part) -> Option<RestQuery> {
        match RestQuery::brought(self.clone(), select.clone(), all, part.body.get().as_bytes()) {
            Ok(query) => Some(query),
            Err(flaw) => {
                tracing::warn!(object = select.object(), ?flaw, "a packed query is sent by itself");
                None
            }
        }
    }
}
