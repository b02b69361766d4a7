//! What the clients of AWS share: TLS by rustls with `ring`, the region, and errors told with their causes.

use aws_sdk_s3::config::{Region, SharedHttpClient};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use crate::pem;

/// An HTTP client for an endpoint; `http://` ones are spoken to in the clear. The error says what is wrong with the
/// CA bundle.
pub(crate) fn http_client(
    endpoint: Option<&str>,
    ca_bundle: Option<&[u8]>,
) -> Result<SharedHttpClient, String> {
    let builder = aws_smithy_http_client::Builder::new();
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        return Ok(builder.build_http());
    }
    // An image without certificates is fine where a bundle is named; the client would panic for want of them.
    let native = !rustls_native_certs::load_native_certs().certs.is_empty();
    let mut trust = TrustStore::empty().with_native_roots(native);
    if !native && ca_bundle.is_none() {
        tracing::warn!("this system has no certificates to trust: name a CA bundle, or install them");
    }
    if let Some(bundle) = ca_bundle {
        pem::check(bundle)?;
        trust = trust.with_pem_certificate(bundle);
    }
    let context = TlsContext::builder().with_trust_store(trust).build().map_err(|error| error.to_string())?;
    Ok(builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https())
}

/// The region given, or the environment's, or the first of AWS.
pub(crate) fn region(given: &str) -> Region {
    let environment =
        ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().filter_map(|name| std::env::var(name).ok());
    let found = std::iter::once(given.to_owned()).chain(environment).find(|region| !region.is_empty());
    Region::new(found.unwrap_or_else(|| "us-east-1".to_owned()))
}

/// An error and what caused it, each said once.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if said.last().is_none_or(|last| !last.contains(&text)) {
            said.push(text);
        }
        next = cause.source();
    }
    said.join(": ")
}
