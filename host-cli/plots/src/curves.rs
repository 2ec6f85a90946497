//! Loss and accuracy over the epochs.

use crate::axes::{Panel, Scale};
use crate::color::{BLUE, FAINT, Rgb, VERMILION};
use crate::surface::{Anchor, Figure, Font, Surface, TITLE_HEIGHT};
use picomlp_train::History;
use picomlp_train::event::Epoch;

/// Epochs up to which each has a dot.
const DOTS: usize = 60;

const LEFT: f64 = 106.0;
/// From one panel to the next.
const GAP: f64 = 124.0;
const PANEL_WIDTH: f64 = 360.0;
const PANEL_HEIGHT: f64 = 260.0;

/// A measure of training and of validation.
#[derive(Clone, Copy)]
struct Measure {
    name: &'static str,
    unit: &'static str,
    /// From training, from validation.
    of: [fn(&Epoch) -> Option<f64>; 2],
}

const MEASURES: [Measure; 2] = [
    Measure { name: "loss", unit: "", of: [|e| e.train_loss, |e| e.val_loss] },
    Measure {
        name: "accuracy",
        unit: " %",
        of: [|e| e.train_accuracy.map(|a| 100.0 * a), |e| e.val_accuracy.map(|a| 100.0 * a)],
    },
];

const R2: Measure = Measure { name: "R²", unit: "", of: [|_| None, |e| e.val_r2] };

const SERIES: [(Rgb, &str); 2] = [(BLUE, "training"), (VERMILION, "validation")];

/// Draws both measures side by side.
pub fn curves(history: &History) -> Figure {
    let epochs = &history.epochs;
    let mut folds: Vec<Option<u32>> = epochs.iter().map(|epoch| epoch.fold).collect();
    folds.sort_unstable();
    folds.dedup();
    let first = epochs.iter().map(|epoch| epoch.epoch).min().unwrap_or(1);
    let last = epochs.iter().map(|epoch| epoch.epoch).max().unwrap_or(1);
    let x = Scale::whole(f64::from(first), f64::from(last), 10.0);

    let mut surface = Surface::default();
    let mut subtitle = format!("{} epochs", last - first + 1);
    if folds.len() > 1 {
        subtitle += &format!(", {} folds", folds.len());
    }
    if let Some(kept) = history.kept {
        subtitle += &format!("; the parameters of epoch {kept} were kept");
    }
    surface.title("Training", &subtitle);
    let top = TITLE_HEIGHT + 34.0;
    let are_values = epochs.iter().any(|epoch| epoch.val_r2.is_some());
    let measures = if are_values { [MEASURES[0], R2] } else { MEASURES };
    for (at, Measure { name, unit, of }) in measures.into_iter().enumerate() {
        let values = epochs.iter().flat_map(|epoch| of.map(|of| of(epoch))).flatten();
        let mut y = Scale::around(values, 5.0);
        // Below 0 and above 100 % there is nothing.
        if !are_values || at == 0 {
            y.min = y.min.max(0.0);
        }
        if unit == " %" {
            y.max = y.max.min(100.0);
        }
        let left = LEFT + (PANEL_WIDTH + GAP) * at as f64;
        let panel = Panel { left, top, width: PANEL_WIDTH, height: PANEL_HEIGHT, x, y };
        panel.draw(&mut surface, ["epoch", name], unit);
        if let Some(kept) =
            history.kept.map(f64::from).filter(|kept| (x.min..=x.max).contains(kept))
        {
            let ends = [panel.place((kept, y.min)), panel.place((kept, y.max))];
            surface.polyline(&ends, FAINT, 1.0, 4.0);
        }
        let mut legend = left;
        for ((color, series), of) in SERIES.into_iter().zip(of) {
            let mut drawn = false;
            for fold in &folds {
                let of_fold = epochs.iter().filter(|epoch| epoch.fold == *fold);
                let points: Vec<_> = of_fold
                    .filter_map(|epoch| Some(panel.place((f64::from(epoch.epoch), of(epoch)?))))
                    .collect();
                drawn |= !points.is_empty();
                if points.len() > 1 {
                    surface.polyline(&points, color, if folds.len() > 1 { 1.2 } else { 2.0 }, 0.0);
                }
                if points.len() <= DOTS && folds.len() == 1 {
                    points.iter().for_each(|point| surface.circle(*point, 3.0, color, 1.0));
                }
            }
            if drawn {
                surface.line((legend, top - 20.0), (legend + 22.0, top - 20.0), color, 2.0);
                let font = Font::new(13.0, Anchor::Start);
                surface.text(legend + 29.0, top - 15.5, font, series);
                legend += 120.0;
            }
        }
        if legend == left {
            let middle = (left + PANEL_WIDTH / 2.0, top + PANEL_HEIGHT / 2.0);
            let font = Font::new(13.0, Anchor::Middle).color(FAINT);
            surface.text(middle.0, middle.1, font, "not measured");
        }
    }
    let width = LEFT + 2.0 * PANEL_WIDTH + GAP + 30.0;
    surface.finish(width, top + PANEL_HEIGHT + 56.0, "Loss and accuracy over the epochs")
}
