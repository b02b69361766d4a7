//! The server's certificate: given, or made with an authority of its own.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::StartError;
use super::options::Tls;

/// What connections are accepted with.
pub(super) struct Prepared {
    pub(super) acceptor: TlsAcceptor,
    /// The own authority's certificate, PEM.
    pub(super) authority: Option<String>,
}

/// Reads or makes the certificate.
pub(super) fn prepare(tls: &Tls) -> Result<Prepared, StartError> {
    match tls {
        Tls::Files { certificate, key } => {
            let refused = |file: &Path, error: &dyn std::fmt::Display| {
                StartError::Tls(format!("{}: {error}", file.display()))
            };
            let chain = CertificateDer::pem_file_iter(certificate)
                .and_then(Iterator::collect)
                .map_err(|error| refused(certificate, &error))?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| refused(key, &error))?;
            Ok(Prepared { acceptor: acceptor(chain, key)?, authority: None })
        }
        Tls::SelfSigned { names, authority } => {
            let made = make(names).map_err(|error| StartError::Tls(error.to_string()))?;
            if let Some(file) = authority {
                std::fs::write(file, &made.authority)
                    .map_err(|source| StartError::File { file: file.clone(), source })?;
            }
            Ok(Prepared { acceptor: acceptor(made.chain, made.key)?, authority: Some(made.authority) })
        }
    }
}

struct Made {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authority: String,
}

fn make(names: &[String]) -> Result<Made, rcgen::Error> {
    let authority_key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Orgkeep simulator authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = params.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate()?;
    let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    hosts.extend_from_slice(names);
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, "Orgkeep simulator");
    let certificate = params.signed_by(&key, &issuer)?;
    let der = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok(Made { chain: vec![certificate.der().clone()], key: der.into(), authority })
}

fn acceptor(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<TlsAcceptor, StartError> {
    let refused = |error: rustls::Error| StartError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(refused)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
