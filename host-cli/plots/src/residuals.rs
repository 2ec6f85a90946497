//! Predicted values beside those that should have been predicted.

use anyhow::{Result, ensure};
use picomlp_train::data::{Dataset, Targets};
use picomlp_train::text::grouped;

use crate::axes::{Panel, Scale};
use crate::color::{BLUE, FAINT};
use crate::subject::Subject;
use crate::surface::{Figure, Surface, TITLE_HEIGHT, shorten};

/// Points of a panel at most: every Nth sample beyond.
const MOST_POINTS: usize = 2000;
/// Targets that are drawn at most.
const MOST_PANELS: usize = 3;
const LEFT: f64 = 106.0;
/// From one panel to the next, and the side of one.
const STEP: f64 = 420.0;
const SIDE: f64 = 300.0;

/// Draws the residuals (true minus predicted value) over the predicted values, a panel for each target.
///
/// # Errors
///
/// If the data does not fit the network, or its targets are classes.
pub fn residuals(subject: &Subject<'_>, data: &Dataset) -> Result<Figure> {
    let Targets::Values(targets) = &data.targets else {
        anyhow::bail!("residuals are those of predicted values, and the targets are classes");
    };
    let (width, samples) = (data.outputs(), data.len());
    let predicted = subject.classifier().logits(&data.inputs)?;
    ensure!(
        predicted.len() == targets.len(),
        "the network predicts {} values, and the data has {width}",
        subject.names.len()
    );
    let mut surface = Surface::default();
    let subtitle = format!(
        "{} {}: true minus predicted value over the predicted value; no pattern should be left",
        grouped(samples),
        subject.set
    );
    surface.title("Residuals", &subtitle);
    let top = TITLE_HEIGHT + 10.0;
    let shown = width.min(MOST_PANELS);
    for target in 0..shown {
        let point = |sample: usize| {
            let (y, t) = (predicted[sample * width + target], targets[sample * width + target]);
            (f64::from(y), f64::from(t) - f64::from(y))
        };
        let points: Vec<_> =
            (0..samples).step_by(samples.div_ceil(MOST_POINTS)).map(point).collect();
        let x = Scale::around(points.iter().map(|point| point.0), 5.0);
        let y = Scale::around(points.iter().map(|point| point.1).chain([0.0]), 5.0);
        let left = LEFT + STEP * target as f64;
        let panel = Panel { left, top, width: SIDE, height: SIDE, x, y };
        let name = shorten(&format!("{} (predicted)", subject.names[target]), 36);
        panel.draw(&mut surface, [&name, "residual"], "");
        let zero = [panel.place((x.min, 0.0)), panel.place((x.max, 0.0))];
        surface.polyline(&zero, FAINT, 1.0, 4.0);
        for point in points {
            surface.circle(panel.place(point), 2.5, BLUE, 0.5);
        }
    }
    let width = (LEFT + STEP * shown as f64 - STEP + SIDE + 40.0).max(760.0);
    Ok(surface.finish(width, top + SIDE + 56.0, "Residuals"))
}
