//! Small objects, several at a time: their first pages, which are mostly all of them, come in one call to the org, and
//! their counts in another.
//!
//! What does not go smoothly here is left to the way that an object goes by itself.

use super::plan::{Door, PlannedObject};
use super::select::ends_the_run;
use super::shard::{self, Captured, Shard, Trouble, selection};
use super::{Work, prove, rest};
use crate::ending::Ending;

/// Objects that go together: as many queries as Salesforce takes in one composite call.
pub(super) const TOGETHER: usize = 5;

/// Objects of a plan as they are worked off: large ones one by one, small ones together.
pub(super) fn units<'a>(objects: &[&'a PlannedObject]) -> Vec<Vec<&'a PlannedObject>> {
    let (large, small): (Vec<_>, Vec<_>) =
        objects.iter().copied().partition(|object| object.door == Door::Bulk);
    let singles = large.into_iter().map(|object| vec![object]);
    singles.chain(small.chunks(TOGETHER).map(<[_]>::to_vec)).collect()
}

/// Reads the objects of a unit and leaves their records.
pub(super) async fn capture(work: &Work, unit: &[&PlannedObject]) -> Result<(), Ending> {
    let mut alone = Vec::new();
    if unit.len() > 1 {
        alone = tokio::select! {
            biased;
            () = work.context.cancel.cancelled() => return Err(Ending::stopped()),
            left = together(work, unit) => left?,
        };
    } else {
        alone.extend(unit);
    }
    for object in alone {
        shard::capture(work, object).await?;
    }
    Ok(())
}

/// Reads what can be read together; says what is left.
async fn together<'a>(work: &Work, unit: &[&'a PlannedObject]) -> Result<Vec<&'a PlannedObject>, Ending> {
    let (mut fresh, mut left) = (Vec::new(), Vec::new());
    for &object in unit {
        let name = object.schema.name.as_str();
        // One that was begun before goes on as its journal says.
        if !work.run.pages(name).await?.is_empty() {
            left.push(object);
        } else if !shard::was_done(work, name).await? {
            work.context.tracker.object_begins(name);
            fresh.push(object);
        }
    }
    let queries: Vec<_> = fresh.iter().map(|object| selection(&object.schema)).collect();
    let answers = match work.client.query_many(&queries).await {
        Ok(answers) => answers,
        Err(error) if ends_the_run(&error) => return Err(error.into()),
        Err(error) => {
            tracing::info!(%error, "small objects are read one by one");
            left.extend(fresh);
            return Ok(left);
        }
    };
    let mut read: Vec<(&PlannedObject, Captured)> = Vec::new();
    for (object, answer) in fresh.into_iter().zip(answers) {
        let query = match answer {
            Ok(query) => query,
            Err(error) if ends_the_run(&error) => return Err(error.into()),
            Err(_) => {
                left.push(object);
                continue;
            }
        };
        let key = work.run.data_key(&object.schema.name).await?;
        match rest::write(&Shard { work, object, key }, "together", query).await {
            Ok(captured) => read.push((object, captured)),
            Err(Trouble::Ends(ending)) => return Err(ending),
            Err(trouble) => {
                tracing::info!(object = object.schema.name, ?trouble, "read again by itself");
                left.push(object);
            }
        }
    }
    let schemas: Vec<_> = read.iter().map(|(object, _)| &object.schema).collect();
    let counts = prove::counted(work, &schemas).await?;
    for ((object, captured), counted) in read.into_iter().zip(counts) {
        shard::done(work, object, captured, counted).await?;
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use orgkeep_core::schema::ObjectSchema;

    #[test]
    fn small_objects_go_together() {
        let object = |name: &str, door| PlannedObject {
            schema: ObjectSchema {
                name: name.into(),
                label: String::new(),
                key_prefix: None,
                fields: Vec::new(),
            },
            estimate: 0,
            door,
            index: 0,
        };
        let all: Vec<PlannedObject> = [("Big", Door::Bulk), ("Huge", Door::Bulk)]
            .into_iter()
            .chain(["A", "B", "C", "D", "E", "F"].map(|name| (name, Door::Rest)))
            .map(|(name, door)| object(name, door))
            .collect();
        let names: Vec<Vec<&str>> = units(&all.iter().collect::<Vec<_>>())
            .iter()
            .map(|unit| unit.iter().map(|object| object.schema.name.as_str()).collect())
            .collect();
        assert_eq!(names, [vec!["Big"], vec!["Huge"], vec!["A", "B", "C", "D", "E"], vec!["F"]]);
    }
}
