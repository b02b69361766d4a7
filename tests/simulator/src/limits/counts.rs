//! `limits/recordCount`: how many records there are, as the org's statistics have it.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};

use crate::clock::Clock;
use crate::rest::Call;
use crate::store::World;
use crate::web::Answer;

/// The statistics: made now and then, and told until they are made again.
#[derive(Debug)]
pub(crate) struct Statistics {
    every_ms: i64,
    clock: Arc<Clock>,
    /// When they were made, and of what.
    made: Mutex<Option<(i64, World)>>,
}

impl Statistics {
    /// Statistics that are made again once they are so old; with 0 they are always right.
    pub(super) fn new(every_seconds: u64, clock: Arc<Clock>) -> Self {
        let every_ms = i64::try_from(every_seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Self { every_ms, clock, made: Mutex::default() }
    }

    /// What they are of; `now` is what the org is made of at this moment.
    fn of(&self, now: &World) -> World {
        let time = self.clock.now_ms();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((at, world)) if time - at < self.every_ms => world.clone(),
            _ => {
                *made = (self.every_ms > 0).then(|| (time, now.clone()));
                now.clone()
            }
        }
    }
}

/// The answer: objects that the call names, or all, with their records outside of the recycle bin.
pub(crate) fn record_count(call: &Call<'_>) -> Answer {
    let then = call.org.limits.statistics.of(&call.world);
    let asked: Option<Vec<&str>> =
        call.request.parameter("sObjects").map(|list| list.split(',').map(str::trim).collect());
    let objects = call.world.schema.objects().iter().enumerate();
    let counts: Vec<Json> = objects
        .filter(|(number, object)| {
            let named = |list: &Vec<&str>| list.iter().any(|name| name.eq_ignore_ascii_case(&object.name));
            call.view.sees_object(*number) && object.queryable && asked.as_ref().is_none_or(named)
        })
        .map(|(_, object)| {
            let number = then.schema.find(&object.name);
            let count = number.map_or(0, |number| then.database.table(number).count(false));
            json!({"count": count, "name": object.name})
        })
        .collect();
    Answer::ok(&json!({"sObjects": counts}))
}
