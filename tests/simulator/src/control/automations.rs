//! What fires in an org and how often it did, switches for a person, and the e-mails that were sent.

use std::fmt::Write as _;

use http::Method;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::html::{escape, number};
use super::wish::Wish;
use crate::automation::Kind;
use crate::metadata::Stamp;
use crate::server::OrgState;
use crate::store::World;
use crate::value::Id;
use crate::value::calendar::rest_datetime;
use crate::web::{Answer, ApiError};

/// What is to be switched.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Switch {
    kind: Kind,
    full_name: String,
    active: bool,
}

/// Answers below `automations` of an org.
pub(super) fn answer(wish: &Wish<'_>, rest: &[&str], method: &Method) -> Result<Answer, ApiError> {
    match (method, rest) {
        (&Method::GET, []) => Ok(Answer::ok(&listed(wish.org))),
        (&Method::POST, []) => {
            let switch: Switch = wish.body()?;
            let users = &wish.org.users;
            let by =
                users.get(wish.user).and_then(|user| Id::parse(user.id.as_deref()?)).unwrap_or(Id::LOWEST);
            let switched = wish.org.change_at(|world, at| {
                world.switch_automation(switch.kind, &switch.full_name, switch.active, Stamp { at, by })
            });
            switched.map_err(|error: crate::automation::AutomationError| {
                ApiError::bad("INVALID_FIELD", error.to_string())
            })?;
            Ok(Answer::ok(&listed(wish.org)))
        }
        (&Method::DELETE, ["counts"]) => {
            wish.org.firings.clear();
            Ok(Answer::ok(&listed(wish.org)))
        }
        _ => Err(ApiError::not_found()),
    }
}

fn listed(org: &OrgState) -> Json {
    let world = org.now();
    let automations = world.automations.all().map(|automation| {
        let told = org.firings.of(automation.kind, &automation.full_name);
        json!({
            "id": automation.id.to_string(),
            "kind": automation.kind,
            "object": automation.object,
            "fullName": automation.full_name,
            "active": automation.active,
            "namespace": automation.namespace,
            "lastModifiedDate": rest_datetime(automation.changed),
            "fired": told.fired,
            "refused": told.refused,
            "emails": told.emails,
        })
    });
    let automations: Vec<Json> = automations.collect();
    let (sent, mails) = org.firings.mails();
    json!({"automations": automations, "emailsSent": sent, "emails": mails})
}

/// The part of an org's page that shows them, if there are any.
pub(super) fn section(org: &OrgState, world: &World, body: &mut String) {
    if world.automations.is_empty() {
        return;
    }
    let (sent, _) = org.firings.mails();
    let _ = write!(
        body,
        "<section><h2>Automations</h2><div class=\"scroll\"><table><tr><th>Name<th>Kind<th>Object<th>Active\
         <th class=\"n\">Fired<th class=\"n\">Refused<th class=\"n\">E-mails</tr>"
    );
    for automation in world.automations.all() {
        let told = org.firings.of(automation.kind, &automation.full_name);
        let _ = write!(
            body,
            "<tr><td>{}<td class=\"soft\">{}<td class=\"soft\"><code>{}</code><td>{}<td class=\"n\">{}\
             <td class=\"n\">{}<td class=\"n\">{}</tr>",
            escape(&automation.full_name),
            automation.kind.name(),
            escape(&automation.object),
            if automation.active { "yes" } else { "no" },
            number(told.fired),
            number(told.refused),
            number(told.emails),
        );
    }
    let _ = writeln!(body, "</table></div><p class=\"sub\">{} e-mails sent.</p></section>", number(sent));
}
