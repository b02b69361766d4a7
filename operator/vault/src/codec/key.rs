//! Ids as numbers that sort as their bytes do.

use orgkeep_core::id::SalesforceId;

/// The Id that virtual objects give to every row: `000000000000000`.
pub(crate) const NOBODY: u128 = {
    let mut key = [b'0'; 16];
    key[15] = 0;
    u128::from_be_bytes(key)
};

/// The first fifteen characters decide the order, the others follow from them. Empty for what has no Id is 0.
#[inline]
pub(crate) fn key_of(id: &[u8]) -> u128 {
    let mut key = [0_u8; 16];
    let many = id.len().min(15);
    key[..many].copy_from_slice(&id[..many]);
    u128::from_be_bytes(key)
}

/// The Id of a key; `None` for a key that was made of none.
pub(crate) fn id_of(key: u128) -> Option<SalesforceId> {
    SalesforceId::from_bytes(&key.to_be_bytes()[..15]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_ids_do_and_come_back() {
        let ids = ["001000000000001", "001000000000Abc", "001000000000abc", "00Q000000000000"]
            .map(|id| SalesforceId::parse(id).unwrap());
        assert!(ids.is_sorted());
        assert!(ids.map(|id| key_of(id.as_bytes())).is_sorted());
        assert_eq!(ids.map(|id| id_of(key_of(id.as_bytes())).unwrap()), ids);
        assert_eq!(key_of(b"000000000000000AAA"), NOBODY);
        assert_eq!(id_of(0), None);
    }
}
