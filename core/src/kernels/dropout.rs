//! Dropout: sets values to zero at random and scales the others, in place.

/// Each value becomes `+0.0` where the next of `draws` is below `threshold`, and `scale` times itself elsewhere.
///
/// A draw of 32 random bits is below `threshold` with probability `threshold/2³²`. Random numbers come one after the
/// other, so there is nothing to do at once and no scalar twin.
#[inline]
pub fn dropout(values: &mut [f32], mut draws: impl FnMut() -> u32, threshold: u32, scale: f32) {
    for value in values {
        *value = if draws() < threshold { 0.0 } else { *value * scale };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropout_zeroes_below_the_threshold_and_scales_the_rest() {
        let mut draws = [0, 9, 10, u32::MAX].into_iter();
        let mut values = [1.0, -1.0, -1.0, f32::NAN];
        dropout(&mut values, || draws.next().unwrap(), 10, 2.0);
        assert_eq!(values[..3], [0.0, 0.0, -2.0]);
        assert_eq!(values[1].to_bits(), 0);
        assert!(values[3].is_nan());
    }
}
