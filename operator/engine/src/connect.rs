//! From a connection's spec to a client: secrets, options, and the checks that it is the right org.

use orgkeep_api::SalesforceConnectionSpec;
use orgkeep_api::common::SecretKeyRef;
use orgkeep_api::salesforce_connection::{Auth as AuthSpec, Environment as EnvironmentSpec};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::OrgFacts;
use orgkeep_salesforce::{Auth, Client, ConnectOptions, Environment};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::context::Context;
use crate::ending::Ending;
use crate::secrets::SecretSource;

/// Signs in, and makes sure that the org is the one that is meant.
pub(crate) async fn connect(
    spec: &SalesforceConnectionSpec,
    calls_in_flight: u32,
    workers: u32,
    org_id: Option<&str>,
    context: &Context,
) -> Result<Client, Ending> {
    let mut options = options(spec, calls_in_flight, context.secrets.as_ref())?;
    options.workers = workers;
    let client = tokio::select! {
        biased;
        () = context.cancel.cancelled() => return Err(Ending::stopped()),
        client = Client::connect(options) => client?,
    };
    tracing::info!(org = client.org().id, version = client.org().api_version, "signed in");
    check_org(spec.environment, org_id, &client.org())?;
    Ok(client)
}

/// The client's options; every secret that the spec names is read here.
fn options(
    spec: &SalesforceConnectionSpec,
    calls_in_flight: u32,
    secrets: &dyn SecretSource,
) -> Result<ConnectOptions, Ending> {
    if spec.is_local_simulator() {
        return Err(Ending::failed(
            Reason::InvalidObject,
            "loginUrl: simulator:… is for orgkeep run only; a cluster needs a URL",
        ));
    }
    let login_url = spec.login_url.as_deref().unwrap_or_else(|| spec.environment.login_host());
    let login_url = Url::parse(login_url).map_err(|error| {
        Ending::failed(Reason::InvalidObject, format!("loginUrl {login_url:?} is not a URL: {error}"))
    })?;
    let environment = match spec.environment {
        EnvironmentSpec::Production => Environment::Production,
        EnvironmentSpec::Sandbox => Environment::Sandbox,
    };
    let mut options = ConnectOptions::new(login_url, environment, auth(&spec.auth, secrets)?);
    options.api_version.clone_from(&spec.api_version);
    options.max_percent = u8::try_from(spec.api_usage.max_percent.clamp(1, 100)).unwrap_or(75);
    options.in_flight = calls_in_flight.max(1) as usize;
    options.allow_http = spec.insecure;
    if let Some(bundle) = &spec.ca_bundle_ref {
        options.ca_bundle_pem = Some(secrets.config(&bundle.name, &bundle.key)?);
    }
    Ok(options)
}

fn auth(spec: &AuthSpec, secrets: &dyn SecretSource) -> Result<Auth, Ending> {
    let read = |key: &SecretKeyRef| trimmed(secrets, key);
    if let Some(way) = &spec.jwt_bearer {
        return Ok(Auth::JwtBearer {
            client_id: way.client_id.clone(),
            username: way.username.clone(),
            private_key: read(&way.private_key_secret_ref)?,
        });
    }
    if let Some(way) = &spec.client_credentials {
        return Ok(Auth::ClientCredentials {
            client_id: way.client_id.clone(),
            client_secret: read(&way.client_secret_ref)?,
        });
    }
    if let Some(way) = &spec.refresh_token {
        return Ok(Auth::RefreshToken {
            client_id: way.client_id.clone(),
            client_secret: way.client_secret_ref.as_ref().map(read).transpose()?,
            refresh_token: read(&way.refresh_token_secret_ref)?,
        });
    }
    Err(Ending::failed(
        Reason::InvalidObject,
        "spec.auth names no way to sign in: give one of jwtBearer, clientCredentials and refreshToken",
    ))
}

/// A secret without the line end that `echo` and editors leave behind.
fn trimmed(secrets: &dyn SecretSource, key: &SecretKeyRef) -> Result<SecretString, Ending> {
    let value = secrets.secret(&key.name, &key.key)?;
    Ok(SecretString::from(value.expose_secret().trim()))
}

/// Whether the org is of the kind that the connection says, and the one that was there before.
fn check_org(environment: EnvironmentSpec, org_id: Option<&str>, org: &OrgFacts) -> Result<(), Ending> {
    if let Some(before) = org_id
        && before != org.id
    {
        return Err(Ending::failed(
            Reason::OrgChanged,
            format!("the org behind the connection is {} ({}), before it was {before}", org.id, org.name),
        ));
    }
    let says_sandbox = environment == EnvironmentSpec::Sandbox;
    if says_sandbox != org.sandbox {
        let is = if org.sandbox { "a sandbox" } else { "no sandbox" };
        return Err(Ending::failed(
            Reason::EnvironmentMismatch,
            format!("spec.environment is {environment:?}, and the org {} ({}) is {is}", org.id, org.name),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::InlineSecrets;

    fn spec(yaml: serde_json::Value) -> SalesforceConnectionSpec {
        serde_json::from_value(yaml).unwrap()
    }

    fn client_credentials(login_url: &str) -> SalesforceConnectionSpec {
        spec(serde_json::json!({
            "environment": "Production", "loginUrl": login_url,
            "auth": {"clientCredentials": {"clientId": "x", "clientSecretRef": {"name": "acme", "key": "secret"}}}
        }))
    }

    fn reason(result: Result<ConnectOptions, Ending>) -> Reason {
        match result.unwrap_err() {
            Ending::Failed { reason, .. } => reason,
            Ending::Stopped { .. } => Reason::Stopped,
        }
    }

    #[test]
    fn secrets_are_found_trimmed_or_named() {
        let mut secrets = InlineSecrets::default();
        let spec = client_credentials("https://acme.my.salesforce.com");
        assert_eq!(reason(options(&spec, 8, &secrets)), Reason::SecretNotFound);
        secrets.add_secret("acme", [("secret".to_owned(), SecretString::from("t0p\n"))]);
        let options = options(&spec, 3, &secrets).unwrap();
        assert_eq!((options.in_flight, options.max_percent, options.allow_http), (3, 75, false));
        let Auth::ClientCredentials { client_secret, .. } = options.auth else { panic!("another way") };
        assert_eq!(client_secret.expose_secret(), "t0p");
    }

    #[test]
    fn a_simulator_is_for_local_runs() {
        let spec = client_credentials("simulator:org");
        assert_eq!(reason(options(&spec, 8, &InlineSecrets::default())), Reason::InvalidObject);
    }

    #[test]
    fn another_org_is_told_from_the_wrong_kind_of_org() {
        let org = OrgFacts { id: "00D000000000001AAA".into(), sandbox: true, ..OrgFacts::default() };
        let check = |environment, before| match check_org(environment, before, &org) {
            Err(Ending::Failed { reason, .. }) => Some(reason),
            _ => None,
        };
        assert_eq!(check(EnvironmentSpec::Sandbox, None), None);
        assert_eq!(check(EnvironmentSpec::Sandbox, Some("00D000000000001AAA")), None);
        assert_eq!(check(EnvironmentSpec::Production, None), Some(Reason::EnvironmentMismatch));
        assert_eq!(check(EnvironmentSpec::Sandbox, Some("00D000000000002AAA")), Some(Reason::OrgChanged));
    }
}
