//! SOAP `login`, which sign-in by user name and password still uses.

use std::time::Duration;

use http::StatusCode;

use super::flows::check_password;
use super::identity::{display_name, is_sandbox};
use super::sessions::Caller;
use crate::server::{OrgState, State};
use crate::web::{Answer, Request};

/// The first version without `login`.
const WITHOUT_LOGIN: u32 = 65;

/// `POST /services/Soap/u/NN.0` and `/c/NN.0`.
pub(crate) fn login(
    state: &State,
    request: &Request,
    at: Option<usize>,
    version: &str,
) -> (Option<usize>, Answer) {
    let body = String::from_utf8_lossy(&request.body);
    if element(&body, "login").is_none() {
        return (
            at,
            fault(
                "UNKNOWN_EXCEPTION",
                "No operation available for request, please check the WSDL for the service.",
            ),
        );
    }
    let number = version.split('.').next().and_then(|number| number.parse::<u32>().ok());
    if number.is_none_or(|number| number >= WITHOUT_LOGIN) {
        return (
            at,
            fault(
                "UNSUPPORTED_API_VERSION",
                "SOAP API login() is not available in this API version; use OAuth",
            ),
        );
    }
    let name = element(&body, "username").map(unescape).unwrap_or_default();
    let password = element(&body, "password").map(unescape).unwrap_or_default();
    let mut orgs = state.orgs.iter().filter(|org| at.is_none_or(|at| at == org.number));
    let found = orgs.find_map(|org| Some((org, check_password(org, &name, &password)?)));
    match found {
        Some((org, user)) => (Some(org.number), answer(state, request, org, user, version)),
        None => {
            (at, fault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out."))
        }
    }
}

fn answer(state: &State, request: &Request, org: &OrgState, user: usize, version: &str) -> Answer {
    let settings = &org.org.settings;
    let minutes = settings.session_minutes;
    let life = Duration::from_secs(minutes.saturating_mul(60));
    let session = state.sessions.open(Caller { org: org.number, user }, org.org.id(), life);
    let (base, id) = (&request.base, org.org.id());
    let user = &settings.users[user];
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><loginResponse><result><metadataServerUrl>{base}/services/Soap/m/{version}/{id}</metadataServerUrl><passwordExpired>false</passwordExpired><sandbox>{sandbox}</sandbox><serverUrl>{base}/services/Soap/u/{version}/{id}</serverUrl><sessionId>{session}</sessionId><userId>{user_id}</userId><userInfo><organizationId>{id}</organizationId><organizationName>{org_name}</organizationName><sessionSecondsValid>{seconds}</sessionSecondsValid><userEmail>{name}</userEmail><userFullName>{full}</userFullName><userId>{user_id}</userId><userLanguage>en_US</userLanguage><userLocale>en_US</userLocale><userName>{name}</userName><userTimeZone>GMT</userTimeZone><userType>Standard</userType></userInfo></result></loginResponse></soapenv:Body></soapenv:Envelope>"#,
        base = escape(base),
        sandbox = is_sandbox(org),
        user_id = user.id.as_deref().unwrap_or_default(),
        org_name = escape(&settings.name),
        seconds = minutes.saturating_mul(60),
        name = escape(&user.username),
        full = escape(&display_name(user)),
    );
    Answer::bytes(StatusCode::OK, "text/xml;charset=UTF-8", body)
}

fn fault(code: &str, message: &str) -> Answer {
    let message = escape(message);
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring><detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>{message}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"#
    );
    Answer::bytes(StatusCode::INTERNAL_SERVER_ERROR, "text/xml;charset=UTF-8", body)
}

/// The content of the first element with this local name, whatever its prefix.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>')?;
        let tag = rest[..end].split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        if tag.rsplit(':').next() == Some(name) && !rest.starts_with('/') {
            if rest[..end].ends_with('/') {
                return Some("");
            }
            let content = &rest[end + 1..];
            return content.find(&format!("</{tag}")).map(|close| &content[..close]);
        }
    }
    None
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescape(text: &str) -> String {
    let text = text.strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>")).unwrap_or(text);
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    text.replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_local_name() {
        let xml = "<e:Body><n1:login xmlns:n1='x'><n1:username>a&amp;b</n1:username><password/></n1:login></e:Body>";
        assert_eq!(element(xml, "username").map(unescape).as_deref(), Some("a&b"));
        assert_eq!(element(xml, "password"), Some(""));
        assert_eq!(element(xml, "nothing"), None);
    }
}
