//! Locators: a row number that nobody can read or make up, and that belongs to one job.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::value::Id;

/// Makes locators with a key of this start.
#[derive(Debug)]
pub(crate) struct Locators(hmac::Key);

impl Locators {
    pub(crate) fn new() -> Self {
        let mut key = [0_u8; 32];
        // a locator that can be guessed harms nobody here
        let _ = SystemRandom::new().fill(&mut key);
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    /// The locator of a row of a job's results.
    pub(super) fn make(&self, job: Id, row: u64) -> String {
        let check = self.check(job, row);
        let hidden = row ^ self.mask(check);
        let mut bytes = check.to_vec();
        bytes.extend_from_slice(&hidden.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The row behind a locator of this job.
    pub(super) fn read(&self, job: Id, locator: &str) -> Option<u64> {
        let bytes = URL_SAFE_NO_PAD.decode(locator).ok()?;
        let (check, hidden) = bytes.split_first_chunk::<7>()?;
        let row = u64::from_be_bytes(hidden.try_into().ok()?) ^ self.mask(*check);
        (self.check(job, row) == *check).then_some(row)
    }

    fn check(&self, job: Id, row: u64) -> [u8; 7] {
        let tag = hmac::sign(&self.0, &[&job.to_bytes()[..], &row.to_be_bytes()].concat());
        let mut check = [0; 7];
        check.copy_from_slice(&tag.as_ref()[..7]);
        check
    }

    fn mask(&self, check: [u8; 7]) -> u64 {
        let mut mask = [0; 8];
        mask.copy_from_slice(&hmac::sign(&self.0, &check).as_ref()[..8]);
        u64::from_be_bytes(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locators_belong_to_their_job() {
        let (locators, job) = (Locators::new(), Id::new(*b"750", 1));
        let locator = locators.make(job, 100_000);
        assert_eq!(locators.read(job, &locator), Some(100_000));
        assert_eq!(locators.read(Id::new(*b"750", 2), &locator), None);
        assert_eq!(locators.read(job, "MTAwMDAw"), None);
        assert_eq!(locator, locators.make(job, 100_000));
    }
}
