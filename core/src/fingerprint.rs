//! FNV-1a, 64 bits: the one number by which two machines compare a model.
//!
//! Fowler, Noll and Vo, "The FNV non-cryptographic hash algorithm", IETF RFC 9923.

/// Where [`fnv1a`] starts.
pub const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// Adds `bytes` to a hash that began as [`FNV_OFFSET`].
#[inline]
#[must_use]
pub fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The fingerprint of parameters: FNV-1a over their bytes as they stand in a blob, little-endian.
///
/// Written as 16 hexadecimal digits: `{:016x}`.
#[must_use]
pub fn fingerprint(params: &[f32]) -> u64 {
    params.iter().fold(FNV_OFFSET, |hash, value| fnv1a(hash, &value.to_le_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of RFC 9923, appendix C.
    #[test]
    fn fnv1a_gives_the_published_values() {
        assert_eq!(fnv1a(FNV_OFFSET, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(FNV_OFFSET, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(FNV_OFFSET, b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn fingerprint_tells_minus_zero_from_zero() {
        assert_ne!(fingerprint(&[0.0]), fingerprint(&[-0.0]));
    }
}
