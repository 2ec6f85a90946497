//! Two axes with round numbers, and the way from values to places between them.

use crate::color::{FAINT, GRID, INK};
use crate::surface::{Anchor, Font, Surface};

/// An axis from `min` to `max` with a mark every `step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) min: f64,
    pub(crate) max: f64,
    step: f64,
}

/// Values closer to each other than this part of their size are shown as that far apart: labels need no more digits.
const LEAST_SPAN: f64 = 1e-5;

impl Scale {
    /// The round numbers around all of `values`, with about `marks` marks; 0 to 1 if there is none.
    ///
    /// Any finite values will do: `min` and `max` are finite, too, and no more than some marks lie between them.
    pub(crate) fn around(values: impl IntoIterator<Item = f64>, marks: f64) -> Self {
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            (min, max) = (min.min(value), max.max(value));
        }
        if min > max {
            (min, max) = (0.0, 1.0);
        }
        let size = min.abs().max(max.abs());
        // Halves, since the whole can be infinite.
        let span = max / 2.0 - min / 2.0;
        let room = if size < 1e-300 {
            1.0 // what lies closer to 0 is 0 on any axis
        } else if min == max {
            size / 2.0 // a line in the middle, whatever its size
        } else {
            (LEAST_SPAN * size / 2.0 - span).max(0.0)
        };
        let (min, max) = ((min - room).max(f64::MIN), (max + room).min(f64::MAX));
        let step = round_step((max / marks - min / marks).min(f64::MAX));
        let [below, above] = [(min / step).floor() * step, (max / step).ceil() * step];
        Self { min: below.max(f64::MIN), max: above.min(f64::MAX), step }
    }

    /// From `first` to `last` without room, marked at whole numbers; at most about `marks` of them.
    pub(crate) fn whole(first: f64, last: f64, marks: f64) -> Self {
        let last = last.max(first + 1.0);
        let step = round_step((last - first) / marks).max(1.0);
        // Not 2.5: it has no whole multiples.
        Self { min: first, max: last, step: if step == 2.5 { 5.0 } else { step } }
    }

    /// The marks, ascending.
    pub(crate) fn marks(&self) -> Vec<f64> {
        let first = (self.min / self.step - 1e-9).ceil() as i64;
        let last = (self.max / self.step + 1e-9).floor() as i64;
        (first..=last).map(|mark| mark as f64 * self.step).collect()
    }

    /// A mark in as many digits as the step needs; very large and very small ones with a power of ten.
    pub(crate) fn label(&self, mark: f64) -> String {
        let size = self.min.abs().max(self.max.abs());
        let power = libm::log10(size).floor();
        let (power, unit) = if (-4.0..9.0).contains(&power) {
            (String::new(), 1.0)
        } else {
            (format!("e{power}"), 10f64.powi(power as i32))
        };
        let (mark, step) = (mark / unit, self.step / unit);
        let decimals = (-libm::log10(step * (1.0 + 1e-9)).floor()).clamp(0.0, 9.0) as usize;
        // A step of 2.5 needs one more.
        let scaled = step * 10f64.powi(decimals as i32);
        let decimals = if (scaled - scaled.round()).abs() > 1e-6 { decimals + 1 } else { decimals };
        if mark == 0.0 && !power.is_empty() {
            return "0".to_owned();
        }
        let mark = if mark == 0.0 { 0.0 } else { mark }; // no -0
        format!("{mark:.decimals$}{power}").replace('-', "−")
    }

    /// The part of the way from `min` to `max`, from 0 to 1.
    fn fraction(&self, value: f64) -> f64 {
        (value / 2.0 - self.min / 2.0) / (self.max / 2.0 - self.min / 2.0)
    }
}

/// The least of 1, 2, 2.5, 5 and 10 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powi(libm::log10(step).floor() as i32);
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let round = factors.into_iter().map(|factor| factor * power);
    let mut enough = round.filter(|round| *round >= step * (1.0 - 1e-9));
    enough.next().unwrap_or(10.0 * power)
}

/// A field with an axis below and one to the left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
}

impl Panel {
    /// Where a value is drawn.
    pub(crate) fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = self.left + self.width * self.x.fraction(x);
        (across, self.top + self.height * (1.0 - self.y.fraction(y)))
    }

    /// Draws grid, marks and the names of both axes; `unit` stands after each mark of `y`.
    pub(crate) fn draw(&self, surface: &mut Surface, names: [&str; 2], unit: &str) {
        let small = Font::new(12.0, Anchor::Middle).color(FAINT);
        let bottom = self.top + self.height;
        let mut widest = 0.0;
        for mark in self.y.marks() {
            let (_, y) = self.place((self.x.min, mark));
            surface.line((self.left, y), (self.left + self.width, y), GRID, 1.0);
            let font = Font { anchor: Anchor::End, ..small };
            let label = self.y.label(mark) + unit;
            widest = f64::max(widest, font.width(&label));
            surface.text(self.left - 8.0, y + 4.3, font, &label);
        }
        let mut free = f64::NEG_INFINITY;
        for mark in self.x.marks() {
            let (x, _) = self.place((mark, self.y.min));
            surface.line((x, bottom), (x, bottom + 5.0), INK, 1.0);
            let label = self.x.label(mark);
            let half = small.width(&label) / 2.0;
            // Labels that would touch the one before are left out.
            if x - half > free {
                surface.text(x, bottom + 19.0, small, &label);
                free = x + half + 8.0;
            }
        }
        surface.line((self.left, bottom), (self.left + self.width, bottom), INK, 1.0);
        let middle = self.left + self.width / 2.0;
        surface.text(middle, bottom + 40.0, Font::new(13.0, Anchor::Middle), names[0]);
        let font = Font::new(13.0, Anchor::Middle).upwards();
        let x = f64::min(self.left - 70.0, self.left - widest - 16.0);
        surface.text(x, self.top + self.height / 2.0, font, names[1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_lie_around_the_values() {
        let scale = Scale::around([0.031, 0.42], 5.0);
        assert_eq!((scale.min, scale.label(scale.min).as_str()), (0.0, "0.0"));
        let labels =
            |scale: Scale| scale.marks().iter().map(|m| scale.label(*m)).collect::<Vec<_>>();
        assert_eq!(labels(scale), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(labels(Scale::around([0.96, 0.978], 5.0)).last().unwrap(), "0.980");
        assert_eq!(labels(Scale::around([-3.0, 3.0], 4.0)), ["−4", "−2", "0", "2", "4"]);
        assert_eq!(labels(Scale::whole(1.0, 10.0, 9.0)).len(), 10);
        assert_eq!(labels(Scale::whole(1.0, 1.0, 9.0)), ["1", "2"]);
    }

    #[test]
    fn an_axis_of_no_values_or_one_has_room() {
        assert_eq!(Scale::around([], 5.0).max, 1.0);
        for value in [0.0, 5.0, -1e-9, 1e12] {
            let scale = Scale::around([value, value], 5.0);
            assert!(scale.min < value && value < scale.max, "{scale:?}");
            assert!(scale.marks().len() < 20);
        }
    }

    #[test]
    fn an_axis_holds_any_finite_values_with_few_short_and_different_marks() {
        let special =
            [0.0, 5e-324, f64::MIN_POSITIVE, 1e-12, 0.1, 1.0, 97.5, 1e9, 1.7e308, f64::MAX];
        let mut seed = 1_u64;
        let mut value = || {
            // Knuth's MMIX generator, whose upper bits are the random ones.
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let high = seed >> 20;
            match high % 4 {
                0 => special[(high / 4) as usize % special.len()],
                1 => 2.345_678 + 1e-9 * (high % 1000) as f64,
                _ => Some(f64::from_bits(seed)).filter(|value| value.is_finite()).unwrap_or(1.0),
            }
        };
        for round in 0..20_000 {
            let values: Vec<f64> = (0..1 + round % 4).map(|_| value()).collect();
            let scale = Scale::around(values.iter().copied(), 5.0);
            let said = format!("{values:?}: {scale:?}");
            assert!(
                scale.min < scale.max && scale.min.is_finite() && scale.max.is_finite(),
                "{said}"
            );
            for value in values {
                assert!((-1e-9..=1.0 + 1e-9).contains(&scale.fraction(value)), "{value}, {said}");
            }
            let labels: Vec<String> = scale.marks().iter().map(|mark| scale.label(*mark)).collect();
            assert!((2..=9).contains(&labels.len()), "{labels:?}, {said}");
            assert!(labels.iter().all(|label| label.chars().count() <= 14), "{labels:?}, {said}");
            assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{labels:?}, {said}");
        }
    }

    #[test]
    fn very_large_and_small_marks_have_a_power_of_ten() {
        let labels = |values: [f64; 2]| {
            let scale = Scale::around(values, 4.0);
            scale.marks().iter().map(|mark| scale.label(*mark)).collect::<Vec<_>>()
        };
        assert_eq!(labels([0.0, 1.7e308]), ["0", "0.5e308", "1.0e308", "1.5e308"]);
        assert_eq!(labels([0.0, 3.9e-9]), ["0", "1e−9", "2e−9", "3e−9", "4e−9"]);
    }

    #[test]
    fn labels_of_large_epochs_do_not_touch() {
        let (x, y) = (Scale::whole(1.0, 4e9, 10.0), Scale::around([0.0, 1.0], 5.0));
        let panel = Panel { left: 98.0, top: 10.0, width: 360.0, height: 260.0, x, y };
        let mut surface = Surface::default();
        panel.draw(&mut surface, ["epoch", "loss"], "");
        crate::layout::check(&surface.finish(500.0, 330.0, ""));
    }
}
