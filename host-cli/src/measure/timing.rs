//! Timing of whole runs, and percentiles of single calls.

use std::time::Instant;

/// The shortest of `rounds` runs, in seconds: other programs can only make a run longer.
pub fn best_of(rounds: usize, mut run: impl FnMut()) -> f64 {
    let times = (0..rounds).map(|_| {
        let began = Instant::now();
        run();
        began.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

/// The smallest value that at least `share` of all values do not exceed; NaN if there is none.
///
/// Sorts `values`.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_is_a_value_that_occurred() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        for (share, expected) in [(0.0, 1.0), (0.5, 2.0), (0.51, 3.0), (0.99, 4.0), (1.0, 4.0)] {
            assert_eq!(percentile(&mut values, share), expected, "{share}");
        }
        assert!(percentile(&mut [], 0.5).is_nan());
    }
}
