//! The pages that show an org to a person: `/_simulator` in a browser. They are made here, from nothing but the
//! org; they have no scripts.

use std::fmt::Write as _;

use http::{Method, StatusCode};

use super::html::{bytes, counted, escape, number, page};
use super::{calls, find, page_records};
use crate::server::{OrgState, State};
use crate::store::World;
use crate::web::{Answer, ApiError, Request};

/// The page that a browser asks for, or what a form of a page does; nothing if it is not a browser's call.
pub(super) fn answer(state: &State, request: &Request, rest: &[&str]) -> Option<Result<Answer, ApiError>> {
    let wants_page = request.header("accept").is_some_and(|accept| accept.contains("text/html"));
    let form = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let get = request.method == Method::GET;
    if !(get && wants_page || request.method == Method::POST && form) {
        return None;
    }
    match rest {
        [] if get => Some(Ok(home(state))),
        ["orgs", id] if get => Some(find(state, id).map(|org| of_org(state, org))),
        ["orgs", id, "records", rest @ ..] => {
            Some(find(state, id).and_then(|org| page_records::answer(org, request, rest)))
        }
        _ => None,
    }
}

/// The address of an org's page.
pub(super) fn address(org: &OrgState) -> String {
    format!("/_simulator/orgs/{}", org.org.id())
}

fn home(state: &State) -> Answer {
    if let [org] = state.orgs.as_slice() {
        return of_org(state, org);
    }
    let mut body = "<h1>Orgs</h1>\n<p class=\"sub\">Each signs in at an address of its own.</p>\n".to_owned();
    body.push_str("<section style=\"margin-top:1.5rem\"><table><tr><th>Name<th>Id<th>Edition<th class=\"n\">Records<th class=\"n\">API calls today</tr>");
    for org in &state.orgs {
        let World { schema, database, .. } = org.now();
        let records: u64 =
            (0..schema.objects().len()).map(|object| database.table(object).count(false)).sum();
        let settings = &org.org.settings;
        let _ = write!(
            body,
            "<tr><td><a href=\"{}\">{}</a><td class=\"id\">{}<td>{} ({:?})<td class=\"n\">{}<td class=\"n\">{}</tr>",
            address(org),
            escape(&settings.name),
            org.org.id(),
            escape(&settings.edition),
            settings.r#type,
            number(records),
            number(org.limits.requests.told()),
        );
    }
    body.push_str("</table></section>\n");
    page(StatusCode::OK, "Orgs", &[], &body)
}

fn of_org(state: &State, org: &OrgState) -> Answer {
    let world = org.now();
    let settings = &org.org.settings;
    let mut body = format!(
        "<h1>{}</h1>\n<p class=\"sub\">{} · {:?} · <span class=\"id\">{}</span></p>\n",
        escape(&settings.name),
        escape(&settings.edition),
        settings.r#type,
        org.org.id(),
    );
    figures(state, org, &world, &mut body);
    body.push_str("<div class=\"columns\"><div>\n");
    objects(org, &world, &mut body);
    super::automations::section(org, &world, &mut body);
    body.push_str("</div><div>\n");
    resources(state, org, &mut body);
    jobs(org, &mut body);
    sessions(state, org, &mut body);
    body.push_str("</div></div>\n");
    let way = [(settings.name.clone(), address(org))];
    page(StatusCode::OK, &settings.name, &way, &body)
}

fn figures(state: &State, org: &OrgState, world: &World, body: &mut String) {
    let tables = (0..world.schema.objects().len()).map(|object| world.database.table(object));
    let (live, all) = tables.fold((0, 0), |(l, a), table| (l + table.count(false), a + table.count(true)));
    let allowed = org.org.settings.limits.daily_api_requests;
    let signed_in = state.sessions.count();
    let figure = |name: &str, value: u64, beside: &str| {
        format!("<div><dt>{name}</dt><dd>{} <small>{beside}</small></dd></div>", number(value))
    };
    body.push_str("<dl class=\"figures\">");
    body.push_str(&figure("Records", live, ""));
    body.push_str(&figure("In the recycle bin", all - live, ""));
    body.push_str(&figure("API calls today", org.limits.requests.told(), &format!("of {}", number(allowed))));
    body.push_str(&figure("Bulk jobs", org.jobs.count() as u64, ""));
    body.push_str(&figure("Sessions", signed_in as u64, ""));
    body.push_str("</dl>\n");
}

fn objects(org: &OrgState, world: &World, body: &mut String) {
    let row = |number_of: usize| {
        let object = world.schema.object(number_of);
        let table = world.database.table(number_of);
        let (live, all) = (table.count(false), table.count(true));
        let label = object.describe.get("labelPlural").and_then(serde_json::Value::as_str);
        let bin = if all > live { number(all - live) } else { String::new() };
        format!(
            "<tr><td><a href=\"{}/records/{name}\">{}</a><td class=\"soft\"><code>{name}</code><td class=\"n\">{}\
             <td class=\"n soft\">{bin}<td class=\"n soft\">{}</tr>",
            address(org),
            escape(label.unwrap_or(&object.name)),
            number(live),
            object.fields.len(),
            name = escape(&object.name),
        )
    };
    let head = "<tr><th>Object<th>API name<th class=\"n\">Records<th class=\"n\">In the bin<th class=\"n\">Fields</tr>";
    let numbers = 0..world.schema.objects().len();
    let (mut filled, empty): (Vec<usize>, Vec<usize>) =
        numbers.partition(|object| world.database.table(*object).count(true) > 0);
    filled.sort_by_key(|object| std::cmp::Reverse(world.database.table(*object).count(true)));
    let _ = write!(body, "<section><h2>Objects</h2><div class=\"scroll\"><table>{head}");
    for object in filled {
        body.push_str(&row(object));
    }
    body.push_str("</table></div>");
    if !empty.is_empty() {
        let summary = counted(empty.len() as u64, "object");
        let _ = write!(
            body,
            "<details><summary>{summary} without records</summary><div class=\"scroll\"><table>{head}"
        );
        for object in empty {
            body.push_str(&row(object));
        }
        body.push_str("</table></div></details>");
    }
    body.push_str("</section>\n");
}

fn resources(state: &State, org: &OrgState, body: &mut String) {
    let counts = calls::by_resource(&state.log, Some(org.org.id()));
    body.push_str("<section><h2>Calls by resource</h2>");
    if counts.is_empty() {
        body.push_str("<p class=\"soft\">Nobody has called yet.</p></section>\n");
        return;
    }
    let most = counts.values().map(|calls| calls.calls).max().unwrap_or(1);
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, calls)| std::cmp::Reverse(calls.calls));
    body.push_str("<table><tr><th>Resource<th>Calls<th class=\"n\">Refused<th class=\"n\">Sent</tr>");
    for (resource, calls) in sorted {
        let share = 100 * calls.calls / most;
        let errors = if calls.errors > 0 { number(calls.errors) } else { String::new() };
        let _ = write!(
            body,
            "<tr><td>{resource}<td class=\"share\"><i style=\"width:{share}%\"></i><span>{}</span>\
             <td class=\"n soft\">{errors}<td class=\"n\">{}</tr>",
            number(calls.calls),
            bytes(calls.sent),
        );
    }
    body.push_str("</table></section>\n");
}

fn jobs(org: &OrgState, body: &mut String) {
    let jobs = crate::bulk::infos(&org.jobs, &org.ingest_jobs);
    body.push_str("<section><h2>Bulk jobs</h2>");
    if jobs.is_empty() {
        body.push_str("<p class=\"soft\">None.</p></section>\n");
        return;
    }
    body.push_str("<table><tr><th>Id<th>Object<th>State<th class=\"n\">Rows</tr>");
    for job in jobs.iter().rev().take(20) {
        let text = |key: &str| escape(job[key].as_str().unwrap_or_default());
        let state = match job["state"].as_str() {
            Some("JobComplete") => "good",
            Some("Failed" | "Aborted") => "bad",
            _ => "",
        };
        let _ = write!(
            body,
            "<tr><td class=\"id\">{}<td>{}<td><span class=\"tag {state}\">{}</span><td class=\"n\">{}</tr>",
            text("id"),
            text("object"),
            text("state"),
            number(job["numberRecordsProcessed"].as_u64().unwrap_or_default()),
        );
    }
    body.push_str("</table></section>\n");
}

fn sessions(state: &State, org: &OrgState, body: &mut String) {
    let listed = state.sessions.to_json(&state.orgs);
    let of_org: Vec<_> =
        listed.as_array().into_iter().flatten().filter(|s| s["org"] == *org.org.id()).collect();
    body.push_str("<section><h2>Signed in</h2>");
    if of_org.is_empty() {
        body.push_str("<p class=\"soft\">Nobody.</p></section>\n");
        return;
    }
    body.push_str("<table><tr><th>User<th>App<th class=\"n\">Minutes left</tr>");
    for session in of_org.iter().rev().take(20) {
        let text = |key: &str| escape(session[key].as_str().unwrap_or("–"));
        let minutes = session["secondsLeft"].as_i64().unwrap_or_default().max(0) / 60;
        let _ = write!(body, "<tr><td>{}<td>{}<td class=\"n\">{minutes}</tr>", text("user"), text("app"));
    }
    body.push_str("</table></section>\n");
}
