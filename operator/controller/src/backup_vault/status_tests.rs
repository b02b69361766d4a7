use orgkeep_api::common::Condition;
use serde_json::json;

use super::*;
use crate::shared::conditions::find;
use crate::shared::testing::at;

fn recovery(encryption: serde_json::Value) -> Condition {
    let spec = json!({"volume": {"claimName": "c"}, "encryption": encryption});
    let mut set = ConditionSet::new(&[], Some(1), at("2026-05-01T12:00:00Z"));
    recovery_key(&mut set, &serde_json::from_value(spec).unwrap());
    find(&set.finish(), RECOVERY_KEY).unwrap().clone()
}

#[test]
fn who_can_open_the_vault_is_always_told() {
    let key = json!({"name": "key", "key": "key"});
    for (encryption, status, reason) in [
        (json!({"keySecretRef": key}), "False", Reason::NoRecoveryKey),
        (json!({"keySecretRef": key, "recipients": ["age1x"]}), "True", Reason::RecoveryKeyPresent),
        (json!({"disabled": true}), "True", Reason::EncryptionDisabled),
    ] {
        let found = recovery(encryption);
        assert_eq!((found.status.as_str(), found.reason.as_str()), (status, reason.as_str()));
    }
}

#[test]
fn configuration_stalls_and_the_rest_is_tried_again() {
    for (reason, type_) in [
        (Reason::BucketNotFound, STALLED),
        (Reason::WrongEncryptionKey, STALLED),
        (Reason::VaultReadOnly, STALLED),
        (Reason::VaultUnreachable, RECONCILING),
    ] {
        let mut set = ConditionSet::new(&[], Some(1), at("2026-05-01T12:00:00Z"));
        concluded(&mut set, &Word::new(Phase::Failed, reason, "m"));
        let conditions = set.finish();
        assert_eq!(find(&conditions, READY).unwrap().reason, reason.as_str());
        assert!(find(&conditions, type_).is_some(), "{reason}");
        assert_eq!(conditions.len(), 2, "{reason}");
    }
}
