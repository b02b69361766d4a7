//! Sealing: AES-256-GCM with keys derived by HKDF-SHA256, a random nonce in front.
//!
//! `derive(secret, salt, purpose)` is HKDF-SHA256 with `info = "orgkeep/1 " + purpose`, 32 bytes. A sealed value
//! is `nonce (12) ‖ ciphertext ‖ tag (16)`; the associated data binds it to what it belongs to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::{Result, VaultError};

/// 32 secret bytes, wiped when dropped.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| VaultError::internal("the system gives no random numbers"))?;
    Ok(bytes)
}

/// A key for one purpose.
pub(crate) fn derive(secret: &[u8], salt: &str, purpose: &str) -> Result<Secret> {
    let mut key = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, salt.as_bytes())
        .extract(secret)
        .expand(&[b"orgkeep/1 ", purpose.as_bytes()], HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut()))
        .map_err(|_| VaultError::internal("no key could be derived"))?;
    Ok(key)
}

fn cipher(key: &Secret) -> Result<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.as_ref())
        .map(LessSafeKey::new)
        .map_err(|_| VaultError::internal("not a key of AES-256"))
}

/// Seals a value; base64.
pub(crate) fn seal(key: &Secret, aad: &str, value: &[u8]) -> Result<String> {
    let nonce: [u8; NONCE_LEN] = random()?;
    let mut sealed = value.to_vec();
    cipher(key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad.as_bytes()), &mut sealed)
        .map_err(|_| VaultError::internal("a value could not be sealed"))?;
    Ok(BASE64.encode([nonce.as_slice(), &sealed].concat()))
}

/// Opens a sealed value; `None` if key, associated data or bytes are not those that it was sealed with.
pub(crate) fn open(key: &Secret, aad: &str, sealed: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let Ok(mut bytes) = BASE64.decode(sealed.trim()) else { return Ok(None) };
    if bytes.len() < NONCE_LEN {
        return Ok(None);
    }
    let mut rest = Zeroizing::new(bytes.split_off(NONCE_LEN));
    let Ok(nonce) = Nonce::try_assume_unique_for_key(&bytes) else { return Ok(None) };
    let opened = cipher(key)?.open_in_place(nonce, Aad::from(aad.as_bytes()), rest.as_mut_slice());
    Ok(opened.ok().map(|value| Zeroizing::new(value.to_vec())))
}

/// The same for what must be 32 bytes.
pub(crate) fn open_secret(key: &Secret, aad: &str, sealed: &str) -> Result<Option<Secret>> {
    Ok(open(key, aad, sealed)?
        .and_then(|value| <[u8; 32]>::try_from(value.as_slice()).ok())
        .map(Zeroizing::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_only_as_what_it_was() {
        let key = derive(&[7; 32], "v-1", "data keys").unwrap();
        let sealed = seal(&key, "here", b"value").unwrap();
        assert_eq!(open(&key, "here", &sealed).unwrap().unwrap().as_slice(), b"value");
        assert!(open(&key, "there", &sealed).unwrap().is_none());
        assert!(open(&derive(&[7; 32], "v-2", "data keys").unwrap(), "here", &sealed).unwrap().is_none());
        assert!(open(&derive(&[7; 32], "v-1", "values").unwrap(), "here", &sealed).unwrap().is_none());
        assert!(open(&key, "here", "AAAA").unwrap().is_none());
        assert!(open(&key, "here", "no base64").unwrap().is_none());
    }
}
