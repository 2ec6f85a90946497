//! Which classes are taken for which, and what that means for each class.

use crate::axes::Scale;
use crate::color::{BLUE, FAINT, GRID, PAPER, Rgb, VERMILION, blues, ink_on, oranges};
use crate::subject::Subject;
use crate::surface::{Anchor, Area, Figure, Font, MARGIN, Surface, TITLE_HEIGHT, Tile, shorten};
use picomlp_train::text::{grouped, percent};
use picomlp_train::{ClassMeasures, Predictions};

/// A bar of colors from `color(0)` below to `color(1)` above, with its name at the side.
pub(crate) fn color_bar(
    surface: &mut Surface,
    [x, y, height]: [f64; 3],
    color: impl Fn(f64) -> Rgb,
    labels: &[(f64, String)],
    name: &str,
) {
    const STEPS: u32 = 256;
    let steps = (0..STEPS).rev().map(|step| color((f64::from(step) + 0.5) / f64::from(STEPS)));
    let steps: Vec<Rgb> = steps.collect();
    let area = Area { x, y, width: 14.0, height };
    surface.image(area, Tile { columns: 1, colors: steps });
    surface.frame(area, FAINT, 0.5);
    for (share, label) in labels {
        let font = Font::new(11.5, Anchor::Start).color(FAINT);
        surface.text(x + 20.0, y + height * (1.0 - share) + 4.0, font, label);
    }
    let font = Font::new(11.5, Anchor::Middle).color(FAINT).upwards();
    surface.text(x - 7.0, y + height / 2.0, font, name);
}

/// Counts by true class (rows) and predicted class (columns).
pub fn confusion(subject: &Subject<'_>, predictions: &Predictions) -> Figure {
    let counts = &predictions.confusion;
    let classes = counts.len();
    let total: usize = counts.iter().flatten().sum();
    let cell = match classes {
        0..=12 => 50.0,
        13..=30 => 34.0,
        31..=60 => 18.0,
        _ => 9.0,
    };
    let shows_counts = classes <= 30;
    let name_size = f64::min(14.0, cell * 0.8);
    let names: Vec<String> = subject.names.iter().map(|name| shorten(name, 14)).collect();
    let font = Font::new(name_size, Anchor::Start);
    let widest = names.iter().map(|name| font.width(name)).fold(10.0, f64::max);
    let upwards = widest > cell + 2.0;
    let side = cell * classes as f64;
    let left = MARGIN + 26.0 + widest + 8.0;
    let top = TITLE_HEIGHT + 26.0 + if upwards { widest } else { 18.0 };

    let mut surface = Surface::default();
    let correct = predictions.correct();
    let accuracy = if total == 0 { 0.0 } else { correct as f64 / total as f64 };
    let subtitle = format!(
        "Accuracy {}: {} of {} {}",
        percent(accuracy),
        grouped(correct),
        grouped(total),
        subject.set
    );
    surface.title("Confusion matrix", &subtitle);
    let font = Font::new(13.0, Anchor::Middle);
    surface.text(left + side / 2.0, TITLE_HEIGHT + 14.0, font, "Predicted class");
    surface.text(MARGIN + 14.0, top + side / 2.0, font.upwards(), "True class");

    let share = |class: usize, count: usize| {
        let samples: usize = counts[class].iter().sum();
        if samples == 0 { 0.0 } else { count as f64 / samples as f64 }
    };
    let mistakes = (0..classes).flat_map(|class| {
        let row = counts[class].iter().enumerate();
        row.filter(move |(found, _)| *found != class).map(move |(_, count)| share(class, *count))
    });
    let worst = mistakes.fold(0.0, f64::max);
    // From a tint that one mistake shows by, to what is still told from black.
    let orange = |share: f64| oranges(0.06 + 0.8 * share);
    for (class, row) in counts.iter().enumerate() {
        let y = top + cell * class as f64;
        let middle = y + cell / 2.0;
        let font = Font::new(name_size, Anchor::End);
        surface.text(left - 8.0, middle + name_size * 0.36, font, &names[class]);
        let across = left + cell * (class as f64 + 0.5);
        if upwards {
            let font = Font::new(name_size, Anchor::Start).upwards();
            surface.text(across + name_size * 0.36, top - 8.0, font, &names[class]);
        } else {
            surface.text(across, top - 8.0, Font::new(name_size, Anchor::Middle), &names[class]);
        }
        for (found, &count) in row.iter().enumerate() {
            let x = left + cell * found as f64;
            let share = share(class, count);
            let ground = if count == 0 {
                PAPER
            } else if class == found {
                blues(share)
            } else {
                orange(share / worst)
            };
            surface.rect(x, y, cell, cell, ground);
            if shows_counts && count > 0 {
                let text = count.to_string();
                let unit = Font::new(1.0, Anchor::Middle).width(&text);
                let size = f64::min(13.0, (cell - 5.0) / unit);
                let font = Font::new(size, Anchor::Middle).color(ink_on(ground));
                surface.text(x + cell / 2.0, middle + size * 0.36, font, &text);
            }
        }
    }
    for line in 0..=classes {
        let at = cell * line as f64;
        surface.line((left + at, top), (left + at, top + side), GRID, 1.0);
        surface.line((left, top + at), (left + side, top + at), GRID, 1.0);
    }

    let bar = f64::max((side - 40.0) / 2.0, 90.0);
    let x = left + side + 46.0;
    let right = [(0.0, "0 %".to_owned()), (1.0, "100 %".to_owned())];
    color_bar(&mut surface, [x, top, bar], blues, &right, "recall");
    let wrong = [(0.0, "0 %".to_owned()), (1.0, format!("{:.1} %", 100.0 * worst))];
    let lower = top + bar + 40.0;
    if worst > 0.0 {
        color_bar(&mut surface, [x, lower, bar], orange, &wrong, "errors, of class");
    }
    let height = f64::max(top + side, lower + bar) + 24.0;
    surface.finish(x + 82.0, height, "Confusion matrix")
}

/// Precision and recall of each class or label.
pub fn classes(subject: &Subject<'_>, measures: &[ClassMeasures]) -> Figure {
    const BAR: f64 = 13.0;
    const STEP: f64 = 40.0;
    const LENGTH: f64 = 480.0;
    let names: Vec<String> = subject.names.iter().map(|name| shorten(name, 16)).collect();
    let font = Font::new(14.0, Anchor::End);
    let widest = names.iter().map(|name| font.width(name)).fold(20.0, f64::max);
    let left = MARGIN + widest + 10.0;
    let top = TITLE_HEIGHT + 34.0;
    let bottom = top + STEP * measures.len() as f64;
    let mut surface = Surface::default();
    surface.title(
        "Precision and recall of each class",
        "Precision: correct fraction of the predictions of a class. Recall: correctly predicted fraction of a class.",
    );
    for (x, color, name) in [(left, BLUE, "precision"), (left + 110.0, VERMILION, "recall")] {
        surface.rect(x, TITLE_HEIGHT + 4.0, 12.0, 12.0, color);
        let font = Font::new(13.0, Anchor::Start);
        surface.text(x + 18.0, TITLE_HEIGHT + 15.0, font, name);
    }
    let scale = Scale::around([0.0, 100.0], 5.0);
    for mark in scale.marks() {
        let x = left + LENGTH * mark / 100.0;
        surface.line((x, top - 4.0), (x, bottom), GRID, 1.0);
        let font = Font::new(12.0, Anchor::Middle).color(FAINT);
        surface.text(x, bottom + 18.0, font, &format!("{} %", scale.label(mark)));
    }
    for (class, name) in names.iter().enumerate().take(measures.len()) {
        let y = top + STEP * class as f64 + 4.0;
        surface.text(left - 10.0, y + BAR + 5.0, Font::new(14.0, Anchor::End), name);
        let ClassMeasures { precision, recall, .. } = measures[class];
        for (bar, (share, color)) in
            [(precision, BLUE), (recall, VERMILION)].into_iter().enumerate()
        {
            let y = y + (BAR + 2.0) * bar as f64;
            let font = Font::new(11.5, Anchor::Start).color(FAINT);
            let Some(share) = share else {
                let why = if bar == 0 { "never predicted" } else { "no sample" };
                surface.text(left + 6.0, y + BAR - 2.5, font, why);
                continue;
            };
            surface.rect(left, y, LENGTH * share, BAR, color);
            let font = Font { anchor: Anchor::End, ..font };
            surface.text(left + LENGTH + 64.0, y + BAR - 2.5, font, &percent(share));
        }
    }
    surface.line((left, top - 4.0), (left, bottom), FAINT, 1.0);
    surface.finish(
        (left + LENGTH + 90.0).max(700.0),
        bottom + 34.0,
        "Precision and recall of each class",
    )
}
