//! SOAP calls of sessions: `login`, which sign-in by user name and password still uses, `getUserInfo` and `logout`.
//!
//! Elements after the Partner WSDL; the words of the refusals as users of clients report them.

use http::StatusCode;

use super::apps::check_password;
use super::form::escape;
use super::identity::{display_name, is_sandbox};
use super::place::{Place, instance_url};
use super::sessions::Caller;
use crate::org::User;
use crate::server::{OrgState, State};
use crate::web::{Answer, Request};

/// The first version without `login` (Winter '26).
const WITHOUT_LOGIN: u32 = 65;

/// A SOAP call.
struct Call<'a> {
    state: &'a State,
    request: &'a Request,
    place: Place,
    /// `u` for the partner, `c` for the enterprise WSDL.
    api: &'a str,
    /// `62.0`
    version: &'a str,
    body: &'a str,
}

/// Why a call is refused: kind of fault, code and words.
struct Fault(&'static str, &'static str, String);

/// `POST /services/Soap/u/NN.0` and `/c/NN.0`; beside the answer, the org that it is of.
pub(crate) fn answer(
    state: &State,
    request: &Request,
    place: Place,
    api: &str,
    version: &str,
) -> (Option<usize>, Answer) {
    let body = String::from_utf8_lossy(&request.body);
    let call = Call { state, request, place, api, version, body: &body };
    let (org, told) = match operation(&body) {
        "login" => call.login(),
        "logout" => call.logout(),
        "getUserInfo" => call.user_info(),
        _ => {
            let message = "No operation available for request, please check the WSDL for the service.";
            (place.org(), Err(Fault("UnexpectedErrorFault", "UNKNOWN_EXCEPTION", message.to_owned())))
        }
    };
    let answer = match told {
        Ok(told) => envelope(StatusCode::OK, api, &told),
        Err(fault) => fault.answer(api),
    };
    (org, answer)
}

/// The name under which the log counts a call.
pub(crate) fn resource(request: &Request) -> &'static str {
    if operation(&String::from_utf8_lossy(&request.body)) == "login" { "SoapLogin" } else { "Soap" }
}

type Told = (Option<usize>, Result<String, Fault>);

impl Call<'_> {
    fn login(&self) -> Told {
        let refused = |code: &'static str, message: String| Err(Fault("UnexpectedErrorFault", code, message));
        let Some(number) = self.version.strip_suffix(".0").and_then(|number| number.parse::<u32>().ok())
        else {
            let message = "Invalid Api version specified on URL".to_owned();
            return (self.place.org(), refused("UNSUPPORTED_API_VERSION", message));
        };
        if number >= WITHOUT_LOGIN {
            let message = format!(
                "The SOAP Login operation is not available in the API version specified ({}). Refer to the \
                 documentation for supported versions.",
                self.version
            );
            return (self.place.org(), refused("INVALID_OPERATION", message));
        }
        let name = element(self.body, "username").map(unescape).unwrap_or_default();
        let password = element(self.body, "password").map(unescape).unwrap_or_default();
        let mut orgs = self.state.orgs.iter().filter(|org| self.place.has(org));
        let Some((org, user)) = orgs.find_map(|org| Some((org, check_password(org, &name, &password)?)))
        else {
            let message = "Invalid username, password, security token; or user locked out.".to_owned();
            return (self.place.org(), Err(Fault("LoginFault", "INVALID_LOGIN", message)));
        };
        let settings = &org.org.settings;
        if !settings.soap_login {
            let message = "SOAP API login() is disabled by default in this org. Contact the org administrator to \
                           enable SOAP API login().";
            return (Some(org.number), refused("INVALID_OPERATION", message.to_owned()));
        }
        if oldest(org).is_some_and(|oldest| number < oldest) {
            let message = "Invalid Api version specified on URL".to_owned();
            return (Some(org.number), refused("UNSUPPORTED_API_VERSION", message));
        }
        let Some(known) = org.users.get(user) else { return (Some(org.number), Err(no_session())) };
        if !known.may("ApiEnabled") {
            let message = "API is not enabled for this Organization or Partner".to_owned();
            return (Some(org.number), Err(Fault("LoginFault", "API_DISABLED_FOR_ORG", message)));
        }
        if !org.limits.sign_in(user) {
            let message = "login rate exceeded".to_owned();
            return (Some(org.number), Err(Fault("LoginFault", "REQUEST_LIMIT_EXCEEDED", message)));
        }
        let caller = Caller { org: org.number, user, app: None };
        let session = self.state.sessions.open(org, caller, None);
        let (base, id) = (instance_url(self.request, org), org.org.id());
        let (base, version, api) = (escape(&base), self.version, self.api);
        let short = id.get(..15).unwrap_or(id);
        let told = format!(
            "<loginResponse><result><metadataServerUrl>{base}/services/Soap/m/{version}/{short}</metadataServerUrl>\
             <passwordExpired>false</passwordExpired><sandbox>{sandbox}</sandbox>\
             <serverUrl>{base}/services/Soap/{api}/{version}/{short}</serverUrl><sessionId>{session}</sessionId>\
             <userId>{user_id}</userId><userInfo>{info}</userInfo></result></loginResponse>",
            sandbox = is_sandbox(settings),
            user_id = known.id.as_deref().unwrap_or_default(),
            info = user_info(org, &known),
        );
        (Some(org.number), Ok(told))
    }

    fn logout(&self) -> Told {
        let Some((caller, token)) = self.caller() else { return (self.place.org(), Err(no_session())) };
        self.state.sessions.revoke(&token);
        (Some(caller.org), Ok("<logoutResponse/>".to_owned()))
    }

    fn user_info(&self) -> Told {
        let known = self.caller().and_then(|(caller, _)| {
            let org = &self.state.orgs[caller.org];
            Some((org, org.users.get(caller.user)?))
        });
        let Some((org, user)) = known else { return (self.place.org(), Err(no_session())) };
        let info = user_info(org, &user);
        (Some(org.number), Ok(format!("<getUserInfoResponse><result>{info}</result></getUserInfoResponse>")))
    }

    /// Who calls, by the session in the header.
    fn caller(&self) -> Option<(Caller, String)> {
        let token = unescape(element(self.body, "sessionId")?.trim());
        Some((self.place.caller(self.state, &token)?, token))
    }
}

/// A dead session, as SOAP says it.
fn no_session() -> Fault {
    let message = "Invalid Session ID found in SessionHeader: Illegal Session";
    Fault("UnexpectedErrorFault", "INVALID_SESSION_ID", message.to_owned())
}

impl Fault {
    fn answer(&self, api: &str) -> Answer {
        let Self(kind, code, message) = self;
        let message = escape(message);
        let fault = format!(
            "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring><detail>\
             <sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
             <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{kind}></detail></soapenv:Fault>"
        );
        envelope(StatusCode::INTERNAL_SERVER_ERROR, api, &fault)
    }
}

fn envelope(status: StatusCode, api: &str, content: &str) -> Answer {
    let wsdl = if api == "c" { "enterprise" } else { "partner" };
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:{wsdl}.soap.sforce.com" xmlns:sf="urn:fault.{wsdl}.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"#
    );
    Answer::bytes(status, "text/xml;charset=UTF-8", body)
}

/// The elements of `GetUserInfoResult`, in the WSDL's order.
fn user_info(org: &OrgState, user: &User) -> String {
    let settings = &org.org.settings;
    let nil = |name: &str| format!(r#"<{name} xsi:nil="true"/>"#);
    let text = |name: &str, value: &str| format!("<{name}>{}</{name}>", escape(value));
    let profiles = {
        let mut names: Vec<String> = org.users.all().iter().map(|user| user.profile.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let profile = profiles.iter().position(|name| *name == user.profile).unwrap_or_default();
    let profile = crate::value::Id::new(*b"00e", profile as u64 + 1).to_string();
    [
        text("accessibilityMode", "false"),
        text("chatterExternal", "false"),
        text("currencySymbol", "$"),
        text("orgAttachmentFileSizeLimit", "26214400"),
        text("orgDefaultCurrencyIsoCode", "USD"),
        text("orgDefaultCurrencyLocale", "en_US"),
        text("orgDisallowHtmlAttachments", "false"),
        text("orgHasPersonAccounts", "false"),
        text("organizationId", org.org.id()),
        text("organizationMultiCurrency", "false"),
        text("organizationName", &settings.name),
        text("profileId", &profile),
        nil("roleId"),
        text("sessionSecondsValid", &(settings.session_ms() / 1_000).to_string()),
        nil("userDefaultCurrencyIsoCode"),
        text("userEmail", &user.username),
        text("userFullName", &display_name(user)),
        text("userId", user.id.as_deref().unwrap_or_default()),
        text("userLanguage", "en_US"),
        text("userLocale", "en_US"),
        text("userName", &user.username),
        text("userTimeZone", "GMT"),
        text("userType", "Standard"),
        text("userUiSkin", "Theme3"),
    ]
    .concat()
}

fn oldest(org: &OrgState) -> Option<u32> {
    org.org.settings.api_versions.oldest.split('.').next()?.parse().ok()
}

/// The local name of the first element of the body; nothing if there is none.
fn operation(xml: &str) -> &str {
    let Some(body) = element(xml, "Body") else { return "" };
    let Some(at) = body.find('<') else { return "" };
    let tag = body[at + 1..].split([' ', '\t', '\r', '\n', '/', '>']).next().unwrap_or_default();
    tag.rsplit(':').next().unwrap_or_default()
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
        assert_eq!(operation(xml), "login");
        assert_eq!(element(xml, "username").map(unescape).as_deref(), Some("a&b"));
        assert_eq!(element(xml, "password"), Some(""));
        assert_eq!(element(xml, "nothing"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[<>/:a-z &;!\\[\\]é\"=-]{0,60}", name in "[a-z]{1,3}") {
            let _ = (operation(&text), element(&text, &name).map(unescape));
            let wrapped = format!("<x:Body><{name}>{}</{name}></x:Body>", escape(&text));
            proptest::prop_assert_eq!(operation(&wrapped), &name);
            if name != "x" {
                proptest::prop_assert_eq!(element(&wrapped, &name).map(unescape), Some(text));
            }
        }
    }
}
