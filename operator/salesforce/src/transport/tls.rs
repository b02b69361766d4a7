//! TLS by rustls and ring, trusting the platform's authorities and those that the user names.

use std::sync::Arc;

use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::error::{Error, Result};
use crate::options::ConnectOptions;

/// The HTTP client: https only unless allowed, HTTP/2 where offered, gzip, no cookies, and no redirects, as a
/// redirect would carry the token to wherever an answer says.
pub(super) fn http_client(options: &ConnectOptions) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls_config(options.ca_bundle_pem.as_deref())?)
        .https_only(!options.allow_http)
        .http2_adaptive_window(true)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(options.timeouts.connect)
        .user_agent(concat!("orgkeep/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::Options { detail: format!("the HTTP client cannot be made: {error}") })
}

/// An image without a platform's bundle is fine as long as only http or a named bundle is used, so an empty
/// store is an error of the first https call, not of the client.
fn tls_config(ca_bundle_pem: Option<&[u8]>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::debug!(%error, "a certificate authority of the platform was left out");
    }
    roots.add_parsable_certificates(native.certs);
    if let Some(pem) = ca_bundle_pem {
        let refuse = |detail: String| Error::Options {
            detail: format!("the CA bundle cannot be used: {detail}; expected PEM certificates"),
        };
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
            added += 1;
        }
        if added == 0 {
            return Err(refuse("it holds no certificate".to_owned()));
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Options { detail: format!("TLS cannot be set up: {error}") })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
