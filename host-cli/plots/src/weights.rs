//! The weights of the first layer, those of each unit in the shape of the images that it sees.

use anyhow::{Context, Result, ensure};
use picomlp::{AnyLayer, Layer};

use crate::color::{FAINT, GRID, diverging};
use crate::confusion::color_bar;
use crate::subject::Subject;
use crate::surface::{Anchor, Area, Figure, Font, MARGIN, Surface, TITLE_HEIGHT, Tile};
use picomlp_train::Shape;
use picomlp_train::text::grouped;

/// Units whose weights are shown, unless said otherwise.
pub const TILES: usize = 100;

const TILE: f64 = 64.0;
const ACROSS: f64 = 74.0;
/// Below an image: its name, and room.
const BELOW: f64 = 24.0;

/// The share of weights that the scale ends at: a few strong ones would leave all others white.
const WITHIN: f64 = 0.995;

/// At most `most` units of the first dense layer.
///
/// # Errors
///
/// If there is no dense layer, or it does not see images of this shape.
pub fn weights(subject: &Subject<'_>, shape: Shape, most: usize) -> Result<Figure> {
    let layers = subject.net.layers();
    let is_dense = |layer: &AnyLayer| matches!(layer, AnyLayer::Dense(_));
    let first = layers.iter().position(is_dense).context("the network has no dense layer")?;
    let is_last = !layers[first + 1..].iter().any(is_dense);
    let begin: usize = layers[..first].iter().map(Layer::params).sum();
    let (inputs, units) = (layers[first].inputs(), layers[first].outputs());
    ensure!(
        inputs == shape.rows * shape.cols,
        "the first layer reads {inputs} values, expected images of {shape}"
    );
    let weights = &subject.params[begin..][..inputs * units];
    let end = quantile(weights);
    let shown = most.min(units);
    // A little wider than high.
    let columns = ((1.5 * shown as f64).sqrt().ceil() as usize).clamp(5, 16);

    let mut surface = Surface::default();
    let (title, what) = if is_last {
        ("Weights of each class", "classes")
    } else {
        ("Weights of the first hidden layer", "units")
    };
    let count = if shown < units {
        format!("The first {} of {} {what}", grouped(shown), grouped(units))
    } else {
        format!("{} {what}", grouped(units))
    };
    let subtitle = format!(
        "{count}, each an image of {}×{} weights; blue is negative, red is positive",
        shape.rows, shape.cols
    );
    surface.title(title, &subtitle);
    let longer = shape.rows.max(shape.cols) as f64;
    let width = TILE * shape.cols as f64 / longer;
    let height = TILE * shape.rows as f64 / longer;
    let down = height + BELOW;
    for unit in 0..shown {
        let x = MARGIN + ACROSS * (unit % columns) as f64;
        let y = TITLE_HEIGHT + down * (unit / columns) as f64;
        let of_unit = weights.iter().skip(unit).step_by(units);
        let colors = of_unit.map(|w| diverging(f64::from(*w) / end)).collect();
        let x = x + (TILE - width) / 2.0;
        surface.image(Area { x, y, width, height }, Tile { columns: shape.cols, colors });
        let around = Area { x: x - 0.5, y: y - 0.5, width: width + 1.0, height: height + 1.0 };
        surface.frame(around, GRID, 1.0);
        let name = if is_last { subject.names[unit].clone() } else { unit.to_string() };
        let font = Font::new(11.0, Anchor::Middle).color(FAINT);
        let name = font.fit(&name, ACROSS - 4.0);
        surface.text(x + width / 2.0, y + height + 14.0, font, &name);
    }
    let rows = shown.div_ceil(columns);
    let left = MARGIN + ACROSS * columns as f64 + 36.0;
    let tall = (down * rows as f64 - 26.0).clamp(110.0, 320.0);
    let marks = [-1.0, -0.5, 0.0, 0.5, 1.0].map(|mark: f64| {
        let sign = match mark {
            -1.0 => "≤ ",
            1.0 => "≥ ",
            _ => "",
        };
        (mark / 2.0 + 0.5, format!("{sign}{}", signed(mark * end)))
    });
    let bar = |share: f64| diverging(2.0 * share - 1.0);
    color_bar(&mut surface, [left, TITLE_HEIGHT + 4.0, tall], bar, &marks, "weight");
    let height = f64::max(TITLE_HEIGHT + down * rows as f64, TITLE_HEIGHT + tall + 20.0) + 8.0;
    Ok(surface.finish((left + 104.0).max(560.0), height, title))
}

/// A number to three digits, with the sign that is as wide as a plus.
fn signed(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let decimals = (2.0 - value.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{value:.decimals$}").replace('-', "−")
}

/// The size that [`WITHIN`] of all weights do not exceed; 1 if that is 0.
fn quantile(weights: &[f32]) -> f64 {
    let mut sizes: Vec<f32> = weights.iter().map(|w| w.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let at = (sizes.len() as f64 * WITHIN) as usize;
    match sizes.get(at).or(sizes.last()) {
        Some(&size) if size > 0.0 => f64::from(size),
        _ => 1.0,
    }
}
