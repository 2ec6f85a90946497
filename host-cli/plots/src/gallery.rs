//! Images side by side, with words under each: mistakes, samples, a rotation.

use anyhow::{Result, ensure};

use crate::color::{BLUE, FAINT, GRID, Rgb, VERMILION};
use crate::rotate::rotated;
use crate::subject::Subject;
use crate::surface::{Anchor, Area, Figure, Font, MARGIN, Surface, TITLE_HEIGHT, Tile, shorten};
use picomlp_train::Predictions;
use picomlp_train::data::{Dataset, Scale, Scaling, Values};
use picomlp_train::text::grouped;

/// Misclassified samples in a gallery, unless said otherwise.
pub const MISTAKES: usize = 40;
/// Samples of each class, unless said otherwise.
pub const SAMPLES: usize = 10;
/// Degrees from one image of a rotation to the next, unless said otherwise.
pub const STEP: u32 = 15;

/// The longer side of an image.
const TILE: f64 = 84.0;
/// From one image to the next.
const ACROSS: f64 = 116.0;
/// Below an image: its two lines, and room.
const BELOW: f64 = 50.0;
/// How the words below an image are written, and the length of their lines.
const CAPTION: Font = Font::new(12.5, Anchor::Middle);
const LINE: f64 = ACROSS - 6.0;

/// A sample as it is drawn.
enum Picture<'a> {
    /// Its pixels.
    Pixels(&'a [u8]),
    /// Its features from left to right, 0 below to 1 above.
    Line(Vec<f64>),
}

/// Draws the samples of a set: images as they are, features as a line, each in standard deviations from its mean, 3 at most.
struct Pictures<'a> {
    data: &'a Dataset,
    scaling: Scaling,
}

impl<'a> Pictures<'a> {
    fn new(data: &'a Dataset) -> Result<Self> {
        let scaling = match &data.inputs {
            Values::Bytes(_) => Scaling::default(),
            Values::Floats(values) => {
                Scaling::fit(values, data.pixels(), &data.all(), Scale::Standardize)?
            }
        };
        Ok(Self { data, scaling })
    }

    fn of(&self, sample: usize) -> Picture<'a> {
        match &self.data.inputs {
            Values::Bytes(_) => Picture::Pixels(self.data.image(sample)),
            Values::Floats(values) => {
                let mut row = values[sample * self.data.pixels()..][..self.data.pixels()].to_vec();
                self.scaling.apply(&mut row);
                let height = |x: &f32| (f64::from(x.clamp(-3.0, 3.0)) + 3.0) / 6.0;
                Picture::Line(row.iter().map(height).collect())
            }
        }
    }
}

/// A sample with two lines under it.
struct Captioned<'a> {
    picture: Picture<'a>,
    lines: [String; 2],
    colors: [Rgb; 2],
}

/// Width and height of a sample in a square of `side`.
fn fitted(data: &Dataset, side: f64) -> (f64, f64) {
    if data.images().is_empty() {
        return (side, 0.7 * side);
    }
    let longer = data.rows.max(data.cols) as f64;
    (side * data.cols as f64 / longer, side * data.rows as f64 / longer)
}

/// Draws a sample with a line around it, in the middle of `side`.
fn draw_sample(
    surface: &mut Surface,
    data: &Dataset,
    picture: &Picture<'_>,
    [x, y, side]: [f64; 3],
) {
    let (width, height) = fitted(data, side);
    let x = x + (side - width) / 2.0;
    match picture {
        Picture::Pixels(pixels) => {
            surface.image(Area { x, y, width, height }, Tile::digit(pixels, data.cols, data.max));
        }
        Picture::Line(line) => {
            let step = width / line.len() as f64;
            let place = |(at, value): (usize, &f64)| {
                (x + step * (at as f64 + 0.5), y + height * (1.0 - value))
            };
            let points: Vec<_> = line.iter().enumerate().map(place).collect();
            surface.polyline(&points, BLUE, 1.0, 0.0);
        }
    }
    let around = Area { x: x - 0.5, y: y - 0.5, width: width + 1.0, height: height + 1.0 };
    surface.frame(around, GRID, 1.0);
}

fn tiles(
    title: &str,
    subtitle: &str,
    columns: usize,
    data: &Dataset,
    tiles: &[Captioned<'_>],
) -> Figure {
    let columns = columns.min(tiles.len()).max(5);
    let (_, height) = fitted(data, TILE);
    let down = height + BELOW;
    let mut surface = Surface::default();
    surface.title(title, subtitle);
    for (at, tile) in tiles.iter().enumerate() {
        let x = MARGIN + ACROSS * (at % columns) as f64;
        let y = TITLE_HEIGHT + down * (at / columns) as f64;
        draw_sample(&mut surface, data, &tile.picture, [x + (ACROSS - TILE) / 2.0, y, TILE]);
        for ((line, text), color) in tile.lines.iter().enumerate().zip(tile.colors) {
            let font = CAPTION.color(color);
            surface.text(x + ACROSS / 2.0, y + height + 17.0 + 16.0 * line as f64, font, text);
        }
    }
    let rows = tiles.len().div_ceil(columns);
    let width = 2.0 * MARGIN + ACROSS * columns as f64;
    surface.finish(width, TITLE_HEIGHT + down * rows as f64 + 4.0, title)
}

/// A share of 1 for a label: no more than six characters.
fn share(value: f32) -> String {
    format!("{:.1} %", 100.0 * f64::from(value))
}

/// Samples whose class is predicted wrongly: `most` of those that the network is most certain of.
///
/// # Errors
///
/// If features cannot be scaled.
pub fn mistakes(
    subject: &Subject<'_>,
    predictions: &Predictions,
    data: &Dataset,
    most: usize,
) -> Result<Figure> {
    let (pictures, all) = (Pictures::new(data)?, predictions.mistakes(data));
    let shown = &all[..most.min(all.len())];
    let arrow = CAPTION.width(" → ");
    let name = |class: usize| CAPTION.fit(&subject.names[class], (LINE - arrow) / 2.0);
    let tile = |&sample: &usize| {
        let (found, label) = (predictions.predicted[sample], data.label(sample));
        Captioned {
            picture: pictures.of(sample),
            lines: [
                format!("{} → {}", name(label), name(found)),
                share(predictions.certainty(sample)),
            ],
            colors: [VERMILION, FAINT],
        }
    };
    let counts = format!("{} of {} {}", grouped(all.len()), grouped(data.len()), subject.set);
    let subtitle = match shown.len() {
        0 => format!("{counts}: every class is correct"),
        some if some < all.len() => {
            format!(
                "{counts}; the {some} most certain. True → predicted class, and its probability"
            )
        }
        _ => format!("{counts}. True → predicted class, and its probability"),
    };
    let shown: Vec<_> = shown.iter().map(tile).collect();
    Ok(tiles("Mistakes", &subtitle, 8, data, &shown))
}

/// One image in steps of `step` degrees, counter-clockwise, with what the network takes each for.
///
/// # Errors
///
/// If the samples do not fit the network.
pub fn rotation(subject: &Subject<'_>, data: &Dataset, sample: usize, step: u32) -> Result<Figure> {
    let angles: Vec<u32> = (0..360).step_by(step as usize).collect();
    let turn = |angle: &u32| rotated(data.image(sample), data.rows, data.cols, *angle);
    let images: Vec<Vec<u8>> = angles.iter().map(turn).collect();
    let probabilities = subject.classifier().probabilities(&images.concat().into())?;
    let label = data.label(sample);
    let name = LINE - CAPTION.width(": 100.0 %");
    let rows = probabilities.chunks_exact(subject.names.len());
    let shown = angles.iter().zip(&images).zip(rows).map(|((angle, pixels), row)| {
        let found = picomlp::argmax(row);
        Captioned {
            picture: Picture::Pixels(pixels),
            lines: [
                format!("{}: {}", CAPTION.fit(&subject.names[found], name), share(row[found])),
                format!("{angle}°"),
            ],
            colors: [if found == label { BLUE } else { VERMILION }, FAINT],
        }
    });
    let shown: Vec<_> = shown.collect();
    let subtitle = format!(
        "Sample {}, a {}: the predicted class and its probability; blue is correct, orange is wrong",
        grouped(sample),
        shorten(&subject.names[label], 20)
    );
    Ok(tiles("Rotation", &subtitle, 8, data, &shown))
}

/// The first `most` samples of each class, a row for each.
///
/// # Errors
///
/// If features cannot be scaled, or the targets are no classes.
pub fn samples(data: &Dataset, most: usize) -> Result<Figure> {
    const SIDE: f64 = 52.0;
    const STEP: f64 = 60.0;
    ensure!(data.classes > 0, "samples are shown by class, and the targets are no classes");
    let pictures = Pictures::new(data)?;
    let mut of_class = vec![Vec::new(); data.classes];
    for (sample, label) in data.labels().iter().enumerate() {
        of_class[usize::from(*label)].push(sample);
    }
    let names: Vec<String> =
        (0..data.classes).map(|class| shorten(&data.class_name(class), 16)).collect();
    let bold = Font::new(14.0, Anchor::End).bold();
    let widest = names.iter().map(|name| bold.width(name)).fold(20.0, f64::max);
    let most = most.min(of_class.iter().map(Vec::len).max().unwrap_or(0));
    let (left, right) = (MARGIN + widest + 14.0, 100.0);
    let (_, height) = fitted(data, SIDE);
    let down = (height + STEP - SIDE).max(22.0);
    let mut surface = Surface::default();
    let subtitle = format!(
        "{} samples of {}; right: the number of each class",
        grouped(data.len()),
        match data.inputs {
            Values::Bytes(_) => format!("{}×{} pixels", data.rows, data.cols),
            Values::Floats(_) => format!("{} features, from left to right", data.cols),
        }
    );
    surface.title("Samples of each class", &subtitle);
    for (class, (name, samples)) in names.iter().zip(&of_class).enumerate() {
        let y = TITLE_HEIGHT + down * class as f64;
        let base = y + height / 2.0 + 5.0;
        surface.text(left - 14.0, base, bold, name);
        for (place, &sample) in samples.iter().take(most).enumerate() {
            let x = left + STEP * place as f64;
            draw_sample(&mut surface, data, &pictures.of(sample), [x, y, SIDE]);
        }
        let font = Font::new(12.5, Anchor::End).color(FAINT);
        let x = left + STEP * most as f64 + right - MARGIN - 14.0;
        surface.text(x, base, font, &grouped(samples.len()));
    }
    let height = TITLE_HEIGHT + down * data.classes as f64 + 10.0;
    let width = left + STEP * most as f64 + right - 14.0;
    Ok(surface.finish(width, height, "Samples of each class"))
}
