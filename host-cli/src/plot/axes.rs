//! Two axes with round numbers, and the way from values to places between them.

use super::colour::{FAINT, GRID, INK};
use super::svg::{Anchor, Canvas, Font};

/// An axis from `min` to `max` with a mark every `step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) min: f64,
    pub(crate) max: f64,
    step: f64,
}

impl Scale {
    /// The round numbers around all of `values`, with about `marks` marks; 0 to 1 if there is none.
    pub(crate) fn around(values: impl IntoIterator<Item = f64>, marks: f64) -> Self {
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            (min, max) = (min.min(value), max.max(value));
        }
        if min > max {
            (min, max) = (0.0, 1.0);
        }
        if min == max {
            // A line in the middle, whatever its size.
            let room = if min == 0.0 { 1.0 } else { min.abs() / 2.0 };
            (min, max) = (min - room, max + room);
        }
        let step = round_step((max - min) / marks);
        Self { min: (min / step).floor() * step, max: (max / step).ceil() * step, step }
    }

    /// From `first` to `last` without room, marked at whole numbers.
    pub(crate) fn whole(first: f64, last: f64, marks: f64) -> Self {
        let last = last.max(first + 1.0);
        Self { min: first, max: last, step: round_step((last - first) / marks).max(1.0) }
    }

    /// The marks, ascending.
    pub(crate) fn marks(&self) -> Vec<f64> {
        let first = (self.min / self.step - 1e-9).ceil() as i64;
        let last = (self.max / self.step + 1e-9).floor() as i64;
        (first..=last).map(|mark| mark as f64 * self.step).collect()
    }

    /// A mark in as many decimals as the step needs.
    pub(crate) fn label(&self, mark: f64) -> String {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 9.0) as usize;
        // A step of 2.5 needs one more.
        let scaled = self.step * 10f64.powi(decimals as i32);
        let decimals = if (scaled - scaled.round()).abs() > 1e-6 { decimals + 1 } else { decimals };
        let mark = if mark == 0.0 { 0.0 } else { mark }; // no -0
        format!("{mark:.decimals$}").replace('-', "−")
    }

    /// The share of the way from `min` to `max`.
    fn share(&self, value: f64) -> f64 {
        (value - self.min) / (self.max - self.min)
    }
}

/// The least of 1, 2, 2.5, 5 and 10 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powi(step.log10().floor() as i32);
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
        let across = self.left + self.width * self.x.share(x);
        (across, self.top + self.height * (1.0 - self.y.share(y)))
    }

    /// Draws grid, marks and the names of both axes; `unit` stands after each mark of `y`.
    pub(crate) fn draw(&self, canvas: &mut Canvas, names: [&str; 2], unit: &str) {
        let small = Font::new(12.0, Anchor::Middle).colour(FAINT);
        let bottom = self.top + self.height;
        for mark in self.y.marks() {
            let (_, y) = self.place((self.x.min, mark));
            canvas.line((self.left, y), (self.left + self.width, y), GRID, 1.0);
            let font = Font { anchor: Anchor::End, ..small };
            canvas.text(self.left - 8.0, y + 4.3, font, &(self.y.label(mark) + unit));
        }
        for mark in self.x.marks() {
            let (x, _) = self.place((mark, self.y.min));
            canvas.line((x, bottom), (x, bottom + 5.0), INK, 1.0);
            canvas.text(x, bottom + 19.0, small, &self.x.label(mark));
        }
        canvas.line((self.left, bottom), (self.left + self.width, bottom), INK, 1.0);
        let middle = self.left + self.width / 2.0;
        canvas.text(middle, bottom + 40.0, Font::new(13.0, Anchor::Middle), names[0]);
        let font = Font { upwards: true, ..Font::new(13.0, Anchor::Middle) };
        canvas.text(self.left - 70.0, self.top + self.height / 2.0, font, names[1]);
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
}
