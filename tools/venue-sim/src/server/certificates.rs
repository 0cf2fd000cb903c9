//! A root of its own, and certificates signed by it: clients that trust the root's file can connect, nobody else's.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// The root, and the two server configurations that clients can meet.
pub struct Certificates {
    /// The root certificate, for clients to trust.
    pub root_pem: String,
    /// A certificate that is valid.
    pub valid: Arc<ServerConfig>,
    /// One that ran out in 2021.
    pub expired: Arc<ServerConfig>,
}

/// Why no certificates could be made.
#[derive(Debug)]
pub enum CertificateError {
    /// A name that no certificate can have.
    Name(String, rcgen::Error),
    /// The library refused.
    Make(rcgen::Error),
    /// TLS refused them.
    Use(rustls::Error),
}

impl std::fmt::Display for CertificateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name, error) => write!(f, "certificate for `{name}`: {error}"),
            Self::Make(error) => write!(f, "certificate: {error}"),
            Self::Use(error) => write!(f, "TLS with a new certificate: {error}"),
        }
    }
}

impl std::error::Error for CertificateError {}

impl Certificates {
    /// New keys, a new root and server certificates for `names` (host names or addresses).
    /// Err: a name that is neither.
    pub fn make(names: &[String]) -> Result<Self, CertificateError> {
        let key = KeyPair::generate().map_err(CertificateError::Make)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "venue-sim root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let root = CertifiedIssuer::self_signed(params, key).map_err(CertificateError::Make)?;
        let config = |last_year: i32| {
            let mut params = CertificateParams::new(names)
                .map_err(|error| CertificateError::Name(names.join(", "), error))?;
            params.distinguished_name.push(DnType::CommonName, "venue-sim");
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(last_year, 1, 1);
            let key = KeyPair::generate().map_err(CertificateError::Make)?;
            let leaf = params.signed_by(&key, &root).map_err(CertificateError::Make)?;
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .and_then(|builder| {
                    builder.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key)
                })
                .map(Arc::new)
                .map_err(CertificateError::Use)
        };
        Ok(Self { root_pem: root.pem(), valid: config(2100)?, expired: config(2021)? })
    }
}
