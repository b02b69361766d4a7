//! What holds of a decision whatever was observed.

use super::*;
use orgkeep_api::snapshot::SnapshotStatus;
use orgkeep_core::run::Progress;
use proptest::prelude::*;

fn any_worker() -> impl Strategy<Value = WorkerState> {
    let reasons = prop::sample::select(vec![
        Reason::Stopped,
        Reason::AllowanceReached,
        Reason::WorkerLost,
        Reason::Succeeded,
        Reason::VaultUnreachable,
    ]);
    let phases = prop::sample::select(vec![Phase::Succeeded, Phase::PartiallySucceeded, Phase::Failed]);
    let time = (0_i64..7200).prop_map(|ago| Timestamp::from_second(at(NOW).as_second() - ago).ok());
    (0..8, reasons, phases, time, 0_usize..2).prop_map(|(kind, reason, phase, at, pods)| match kind {
        0 => WorkerState::Absent,
        1 => WorkerState::Suspended { pods },
        2 => WorkerState::Waiting { reason: Reason::Pending, message: "m".into(), since: at },
        3 => running_state(),
        4 => WorkerState::Finished { outcome: word(phase, reason), at },
        5 => WorkerState::Stopped { outcome: (pods > 0).then(|| word(Phase::InProgress, reason)), at },
        6 => WorkerState::OutOfMemory { message: "m".into(), at },
        _ => WorkerState::Lost { message: "m".into(), at },
    })
}

prop_compose! {
    fn any_observed()(
        worker in any_worker(),
        record in any_worker(),
        phase in prop::sample::select(vec![None, Some("Pending"), Some("InProgress"), Some("Finalizing")]),
        attempt in 0_i32..=9,
        uid in prop::sample::select(vec!["", "job-1"]),
        ago in 0_i64..7200,
        cancel in any::<bool>(),
        missing in any::<bool>(),
        past_deadline in any::<bool>(),
        records in 0_u64..9,
    ) -> Observed {
        let started = rfc3339(Timestamp::from_second(at(NOW).as_second() - ago).unwrap());
        let mut o = observed(Setup {
            spec: json!({"cancel": cancel}),
            phase,
            run: if attempt == 0 { None } else { run(attempt, uid, &started) },
            worker: if attempt == 0 { WorkerState::Absent } else { worker },
            record,
            ..Setup::default()
        });
        o.worker.past_deadline = past_deadline;
        o.progress = Some(Progress { records, objects_total: 3, updated_at: started, ..Progress::default() });
        if missing {
            o.references.vault = Found::Missing;
        }
        o
    }
}

/// What a pass at the same moment reads after the first one wrote its status.
fn then(o: &Observed, status: SnapshotStatus) -> Observed {
    let mut next = o.clone();
    if status.run.as_ref().map(|run| &run.job_name) != o.old().run.as_ref().map(|run| &run.job_name) {
        next.worker = Worker::default();
    }
    next.snapshot.status = Some(status);
    next
}

proptest! {
    #[test]
    fn a_second_decision_changes_nothing(o in any_observed()) {
        let first = decide(&o);
        let second = decide(&then(&o, first.status.clone()));
        prop_assert_eq!(&second.status, &first.status);
        prop_assert_eq!(status::news(Some(&first.status), &second.status), None);
    }

    #[test]
    fn an_end_is_an_end(o in any_observed(), later in any_observed()) {
        let first = decide(&o);
        let phase = first.status.phase.as_deref().and_then(Phase::from_word).unwrap();
        if phase.is_terminal() {
            let mut then = then(&later, first.status.clone());
            then.snapshot.spec = later.snapshot.spec.clone();
            let second = decide(&then);
            prop_assert_eq!(second.status, first.status);
            let only_cleans = matches!(second.act, Act::CleanUp { .. });
            prop_assert!(only_cleans);
        }
    }

    #[test]
    fn a_run_keeps_its_id_and_goes_forward(o in any_observed()) {
        let decision = decide(&o);
        if let (Some(old), Some(new)) = (o.old().run, decision.status.run) {
            prop_assert_eq!(old.id, new.id);
            prop_assert!(new.attempt == old.attempt || new.attempt == old.attempt + 1 && decision.act == Act::Start);
            prop_assert!(new.attempt <= MOST_ATTEMPTS);
        }
        // It is always known when to look again, or there is nothing left to see.
        let phase = decision.status.phase.as_deref().and_then(Phase::from_word).unwrap();
        prop_assert_eq!(decision.outcome == Outcome::Done, phase.is_terminal());
        let of = |type_| find(&decision.status.conditions, type_).is_some();
        prop_assert!(!(of(condition::RECONCILING) && of(condition::STALLED)));
    }
}
