//! Certificates of a CA bundle, checked before the HTTP client gets them (it panics on what it cannot read).

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Says what is wrong with a CA bundle.
pub(crate) fn check(bundle: &[u8]) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        let certificate = certificate.map_err(|error| format!("the CA bundle is not PEM: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("the CA bundle has an unusable certificate: {error}"))?;
    }
    if roots.is_empty() { Err("the CA bundle has no certificate".to_owned()) } else { Ok(()) }
}
