//! SOAP calls of sessions: `login`, which sign-in by user name and password still uses, `getUserInfo` and `logout`.
//!
//! Elements after the Partner WSDL; the words of the refusals as users of clients report them.

use super::apps::check_password;
use super::form::escape;
use super::identity::{display_name, is_sandbox};
use super::place::{Place, instance_url};
use super::sessions::Caller;
use crate::org::User;
use crate::server::{OrgState, State};
use crate::soap::envelope::text_of;
use crate::soap::{Api, Envelope, Fault};
use crate::web::Request;

/// The first version without `login` (Winter '26).
const WITHOUT_LOGIN: u32 = 65;

/// A SOAP call.
struct Call<'a> {
    state: &'a State,
    request: &'a Request,
    place: Place,
    api: Api,
    /// `62.0`
    version: &'a str,
    envelope: &'a Envelope<'a>,
}

/// Answers the calls that are about sessions, beside the answer with the org that it is of; nothing for other calls.
pub(crate) fn answer(
    state: &State,
    request: &Request,
    place: Place,
    api: Api,
    version: &str,
    envelope: &Envelope<'_>,
) -> Option<Told> {
    let call = Call { state, request, place, api, version, envelope };
    match envelope.name() {
        "login" => Some(call.login()),
        "logout" => Some(call.logout()),
        "getUserInfo" => Some(call.user_info()),
        _ => None,
    }
}

/// The org, and the answer's element.
pub(crate) type Told = (Option<usize>, Result<String, Fault>);

impl Call<'_> {
    fn login(&self) -> Told {
        let refused = |code: &'static str, message: String| Err(Fault::new(code, message));
        let login_refused = |code: &'static str, message: &str| {
            Err(Fault { kind: "LoginFault", code, message: message.to_owned() })
        };
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
        let argument = |name: &str| text_of(self.envelope.operation(), name).unwrap_or_default();
        let (name, password) = (argument("username"), argument("password"));
        let mut orgs = self.state.orgs.iter().filter(|org| self.place.has(org));
        let Some((org, user)) = orgs.find_map(|org| Some((org, check_password(org, &name, &password)?)))
        else {
            let message = "Invalid username, password, security token; or user locked out.";
            return (self.place.org(), login_refused("INVALID_LOGIN", message));
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
        let Some(known) = org.users.get(user) else { return (Some(org.number), Err(Fault::session())) };
        if !known.may("ApiEnabled") {
            let message = "API is not enabled for this Organization or Partner";
            return (Some(org.number), login_refused("API_DISABLED_FOR_ORG", message));
        }
        if !org.limits.sign_in(user) {
            return (Some(org.number), login_refused("REQUEST_LIMIT_EXCEEDED", "login rate exceeded"));
        }
        let caller = Caller { org: org.number, user, app: None };
        let session = self.state.sessions.open(org, caller, None);
        let (base, id) = (instance_url(self.request, org), org.org.id());
        let (base, version, api) = (escape(&base), self.version, self.api.letter());
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
        let Some((caller, token)) = self.caller() else { return (self.place.org(), Err(Fault::session())) };
        self.state.sessions.revoke(&token);
        (Some(caller.org), Ok("<logoutResponse/>".to_owned()))
    }

    fn user_info(&self) -> Told {
        let known = self.caller().and_then(|(caller, _)| {
            let org = &self.state.orgs[caller.org];
            Some((org, org.users.get(caller.user)?))
        });
        let Some((org, user)) = known else { return (self.place.org(), Err(Fault::session())) };
        let info = user_info(org, &user);
        (Some(org.number), Ok(format!("<getUserInfoResponse><result>{info}</result></getUserInfoResponse>")))
    }

    /// Who calls, by the session in the header.
    fn caller(&self) -> Option<(Caller, String)> {
        let token = self.envelope.session()?;
        Some((self.place.caller(self.state, &token)?, token))
    }
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
