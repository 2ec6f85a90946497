//! A figure as PNG.
//!
//! Every shape becomes an outline of straight edges, whose coverage of each pixel is exact (signed areas, summed along each
//! row: `ab_glyph_rasterizer`), and is laid over what is there. Nothing depends on the machine.

use ab_glyph_rasterizer::{Rasterizer, point};
use anyhow::{Context, Result, ensure};
use png::ColorType;
use ttf_parser::OutlineBuilder;

use crate::color::Rgb;
use crate::font;
use crate::surface::{Anchor, Area, Figure, Font, Mark, Point, Tile};
use picomlp_train::image::png::encode;

/// Pixels of a PNG for each unit of the figure: sharp on screens with 192 pixels to the inch, too.
pub(crate) const SCALE: u32 = 2;

/// Pixels at most: 120 MB, and as much again to encode them.
const MAX_PIXELS: usize = 40_000_000;

/// Draws a figure on white paper, with [`SCALE`] pixels to a unit.
///
/// # Errors
///
/// If it has too many pixels.
pub(crate) fn render(figure: &Figure) -> Result<Vec<u8>> {
    let [width, height] = [figure.width, figure.height].map(|side| side.saturating_mul(SCALE));
    let mut canvas = Canvas::new(width as usize, height as usize)?;
    figure.marks.iter().for_each(|mark| canvas.draw(mark));
    encode(canvas.rgb.as_flattened(), width, height, ColorType::Rgb)
}

struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<[u8; 3]>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Result<Self> {
        let pixels = width.saturating_mul(height);
        ensure!(
            pixels <= MAX_PIXELS,
            "a figure of {width}x{height} pixels is too large, expected at most {MAX_PIXELS}: \
             show less (--count), or write SVG"
        );
        let mut rgb = Vec::new();
        rgb.try_reserve_exact(pixels).context("no memory for the pixels of a figure")?;
        rgb.resize(pixels, [255; 3]);
        Ok(Self { width, height, rgb })
    }

    fn draw(&mut self, mark: &Mark) {
        let mut outline = Outline::default();
        match mark {
            Mark::Rect { area, fill } => {
                outline.rect(area);
                self.fill(&outline, *fill, 1.0);
            }
            Mark::Frame { area: Area { x, y, width, height }, stroke, pen } => {
                let (right, bottom) = (x + width, y + height);
                let corners = [(*x, *y), (right, *y), (right, bottom), (*x, bottom)];
                // The first side twice, so that the last corner is joined, too.
                let around: Vec<Point> = corners.iter().chain(&corners[..2]).copied().collect();
                outline.stroke(&around, *pen);
                self.fill(&outline, *stroke, 1.0);
            }
            Mark::Line { points, stroke, pen, dash } => {
                if *dash > 0.0 {
                    dashes(points, *dash).for_each(|(from, to)| outline.stroke(&[from, to], *pen));
                } else {
                    outline.stroke(points, *pen);
                }
                self.fill(&outline, *stroke, 1.0);
            }
            Mark::Circle { center, radius, fill, opacity } => {
                outline.circle(*center, *radius);
                self.fill(&outline, *fill, *opacity);
            }
            Mark::Text { at, font, text } => self.text(*at, *font, text),
            Mark::Image { area, tile } => self.image(area, tile),
        }
    }

    /// Lays a color over everything inside an outline.
    fn fill(&mut self, outline: &Outline, Rgb(red, green, blue): Rgb, opacity: f64) {
        let Some((left, top, width, height)) = outline.bounds((self.width, self.height)) else {
            return;
        };
        let mut coverage = Rasterizer::new(width, height);
        for &(from, to) in &outline.edges {
            // What is left of the field or above it still counts for what is right of it.
            let local = |(x, y): Point| {
                let clamp = |value: f64, start: usize, len: usize| {
                    (value * f64::from(SCALE) - start as f64).clamp(0.0, len as f64) as f32
                };
                point(clamp(x, left, width), clamp(y, top, height))
            };
            coverage.draw_line(local(from), local(to));
        }
        coverage.for_each_pixel_2d(|x, y, covered| {
            let share = opacity * f64::from(covered.min(1.0));
            let (x, y) = (left + x as usize, top + y as usize);
            // Sums of areas end a rounding error away from 0.
            if share > 1e-3 && x < self.width && y < self.height {
                let pixel = &mut self.rgb[y * self.width + x];
                for (below, above) in pixel.iter_mut().zip([red, green, blue]) {
                    let (from, to) = (f64::from(*below), f64::from(above));
                    *below = (from + share * (to - from)).round() as u8;
                }
            }
        });
    }

    fn text(&mut self, (x, y): Point, font: Font, text: &str) {
        let Some(face) = font::face(font.bold) else { return };
        let layout = font::layout(text, font.bold);
        let begin = match font.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -layout.width / 2.0,
            Anchor::End => -layout.width,
        };
        let unit = font.size / f64::from(face.units_per_em());
        for (glyph, distance) in layout.glyphs {
            let along = font.size * (begin + distance);
            let (origin, upwards) =
                if font.upwards { ((x, y - along), true) } else { ((x + along, y), false) };
            let mut pen = Pen { origin, unit, upwards, ..Pen::default() };
            // A glyph without an outline is a space.
            let _ = face.outline_glyph(glyph, &mut pen);
            self.fill(&pen.outline, font.color, 1.0);
        }
    }

    /// Gives each pixel of an area the color of the tile's pixel that its middle is in.
    fn image(&mut self, area: &Area, tile: &Tile) {
        let side = |start: f64, len: f64, most: usize| {
            let edge =
                |value: f64| (value * f64::from(SCALE)).round().clamp(0.0, most as f64) as usize;
            edge(start)..edge(start + len)
        };
        let (columns, rows) =
            (side(area.x, area.width, self.width), side(area.y, area.height, self.height));
        let (width, height) = (columns.len(), rows.len());
        for (down, y) in rows.enumerate() {
            let row = (2 * down + 1) * tile.rows() / (2 * height);
            for (across, x) in columns.clone().enumerate() {
                let column = (2 * across + 1) * tile.columns / (2 * width);
                let Rgb(red, green, blue) = tile.colors[row * tile.columns + column];
                self.rgb[y * self.width + x] = [red, green, blue];
            }
        }
    }
}

/// Closed curves of straight edges, in units of the figure.
#[derive(Default)]
struct Outline {
    edges: Vec<(Point, Point)>,
}

impl Outline {
    /// The pixels around it within a field: left, top, width and height, with room for the last edge.
    fn bounds(&self, (width, height): (usize, usize)) -> Option<(usize, usize, usize, usize)> {
        let range = |of: fn(&Point) -> f64, most: usize| {
            let values = self.edges.iter().map(|(from, _)| of(from) * f64::from(SCALE));
            let (low, high) = values
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                    (low.min(value), high.max(value))
                });
            let place = |value: f64| value.clamp(0.0, most as f64) as usize;
            let (low, high) = (place(low.floor()), place(high.ceil()));
            (low < high).then(|| (low, high - low + 1))
        };
        let ((left, width), (top, height)) = (range(|p| p.0, width)?, range(|p| p.1, height)?);
        Some((left, top, width, height))
    }

    /// A convex polygon; all turn the same way, so that those that overlap add up.
    fn polygon(&mut self, points: &[Point]) {
        let next = || points.iter().cycle().skip(1);
        let area: f64 = points.iter().zip(next()).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum();
        for (from, to) in points.iter().zip(next()) {
            self.edges.push(if area < 0.0 { (*from, *to) } else { (*to, *from) });
        }
    }

    fn rect(&mut self, &Area { x, y, width, height }: &Area) {
        let (right, bottom) = (x + width, y + height);
        self.polygon(&[(x, y), (right, y), (right, bottom), (x, bottom)]);
    }

    fn circle(&mut self, (x, y): Point, radius: f64) {
        const SIDES: usize = 32;
        // The cosine and sine of 1/32 of a turn, applied again and again.
        const STEP: (f64, f64) = (0.980_785_280_403_230_4, 0.195_090_322_016_128_27);
        let mut at = (radius, 0.0);
        let points = [(); SIDES].map(|()| {
            let point = (x + at.0, y + at.1);
            at = (STEP.0 * at.0 - STEP.1 * at.1, STEP.1 * at.0 + STEP.0 * at.1);
            point
        });
        self.polygon(&points);
    }

    /// A line of some width through points, with round joins and blunt ends.
    fn stroke(&mut self, points: &[Point], pen: f64) {
        // From a segment's middle line to its edge.
        let mut before: Option<Point> = None;
        for pair in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let (dx, dy) = (x1 - x0, y1 - y0);
            let length = (dx * dx + dy * dy).sqrt();
            if length == 0.0 {
                continue;
            }
            let (nx, ny) = (-dy * pen / (2.0 * length), dx * pen / (2.0 * length));
            self.polygon(&[
                (x0 + nx, y0 + ny),
                (x1 + nx, y1 + ny),
                (x1 - nx, y1 - ny),
                (x0 - nx, y0 - ny),
            ]);
            if let Some(before) = before {
                // The gap is on the outer side of the turn.
                let outer = if before.0 * ny - before.1 * nx > 0.0 { -1.0 } else { 1.0 };
                let [from, to] = [before, (nx, ny)].map(|(x, y)| (outer * x, outer * y));
                self.join((x0, y0), from, to, pen / 2.0);
            }
            before = Some((nx, ny));
        }
    }

    /// A wedge with its point at `at` between two radii.
    fn join(&mut self, at: Point, from: Point, to: Point, radius: f64) {
        let middle = |a: Point, b: Point| {
            let (x, y) = (a.0 + b.0, a.1 + b.1);
            let length = (x * x + y * y).sqrt();
            // Opposite radii, where the line turns back: any way round will do.
            if length < 1e-9 * radius {
                (-a.1, a.0)
            } else {
                (x * radius / length, y * radius / length)
            }
        };
        let half = middle(from, to);
        let arc = [from, middle(from, half), half, middle(half, to), to];
        let mut points = vec![at];
        points.extend(arc.map(|(x, y)| (at.0 + x, at.1 + y)));
        self.polygon(&points);
    }
}

/// The parts of a line that a dashed pen draws.
fn dashes(points: &[Point], dash: f64) -> impl Iterator<Item = (Point, Point)> {
    let mut begun = 0.0;
    points.windows(2).flat_map(move |pair| {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let length = ((x1 - x0).powi(2) + (y1 - y0).powi(2)).sqrt();
        let (start, end) = (begun, begun + length);
        begun = end;
        let place = move |at: f64| {
            let share = if length > 0.0 { (at - start) / length } else { 0.0 };
            (x0 + share * (x1 - x0), y0 + share * (y1 - y0))
        };
        let first = (start / (2.0 * dash)).floor() as u32;
        let last = (end / (2.0 * dash)).floor() as u32;
        (first..=last).filter_map(move |dash_at| {
            let from = (2.0 * dash * f64::from(dash_at)).max(start);
            let to = (2.0 * dash * f64::from(dash_at) + dash).min(end);
            (from < to).then(|| (place(from), place(to)))
        })
    })
}

/// Draws a glyph's curves, which the font gives in its own units with `y` upwards.
#[derive(Default)]
struct Pen {
    origin: Point,
    unit: f64,
    upwards: bool,
    outline: Outline,
    /// The place of the pen, and where the contour began.
    at: Point,
    begun: Point,
}

impl Pen {
    fn place(&self, (x, y): Point) -> Point {
        let (x, y) = (self.unit * x, self.unit * y);
        if self.upwards {
            (self.origin.0 - y, self.origin.1 - x)
        } else {
            (self.origin.0 + x, self.origin.1 - y)
        }
    }

    fn edge(&mut self, to: Point) {
        self.outline.edges.push((self.place(self.at), self.place(to)));
        self.at = to;
    }

    /// A curve in eight edges, at most a twentieth of a pixel away from it at the sizes of figures.
    fn curve(&mut self, place: impl Fn(f64) -> Point) {
        (1..=8).for_each(|step| self.edge(place(f64::from(step) / 8.0)));
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.at = (f64::from(x), f64::from(y));
        self.begun = self.at;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.edge((f64::from(x), f64::from(y)));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (a, b, c) = (self.at, (f64::from(x1), f64::from(y1)), (f64::from(x), f64::from(y)));
        self.curve(|t| {
            let at = |a, b, c| (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c;
            (at(a.0, b.0, c.0), at(a.1, b.1, c.1))
        });
    }

    fn curve_to(&mut self, _: f32, _: f32, _: f32, _: f32, x: f32, y: f32) {
        // TrueType has no cubic curves.
        self.line_to(x, y);
    }

    fn close(&mut self) {
        self.edge(self.begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::Surface;

    const BLACK: Rgb = Rgb(0, 0, 0);

    /// The gray levels of a figure of `side` units.
    fn drawn(side: usize, draw: impl FnOnce(&mut Surface)) -> impl Fn(usize, usize) -> u8 {
        let mut surface = Surface::default();
        draw(&mut surface);
        let figure = surface.finish(side as f64, side as f64, "");
        let mut canvas =
            Canvas::new(2 * figure.width as usize, 2 * figure.height as usize).unwrap();
        figure.marks.iter().for_each(|mark| canvas.draw(mark));
        move |x, y| canvas.rgb[y * canvas.width + x][0]
    }

    fn sum(side: usize, level: impl Fn(usize, usize) -> u8) -> f64 {
        let places = (0..2 * side).flat_map(|y| (0..2 * side).map(move |x| (x, y)));
        places.map(|(x, y)| 1.0 - f64::from(level(x, y)) / 255.0).sum()
    }

    #[test]
    fn edges_between_pixels_are_shared_by_what_they_cover() {
        let level = drawn(30, |surface| surface.rect(1.25, 2.0, 3.0, 1.5, BLACK));
        assert_eq!([1, 2, 3, 7, 8, 9].map(|x| level(x, 5)), [255, 128, 0, 0, 128, 255]);
        assert_eq!([3, 4, 6, 7].map(|y| level(5, y)), [255, 0, 0, 255]);
    }

    #[test]
    fn shapes_cover_their_area() {
        type Draw = fn(&mut Surface);
        const CIRCLE: f64 = core::f64::consts::PI * 81.0 * 4.0;
        let rows: [(&str, f64, Draw); 4] = [
            ("circle", CIRCLE, |s| s.circle((15.0, 15.0), 9.0, BLACK, 1.0)),
            ("half a circle", CIRCLE / 2.0, |s| s.circle((15.0, 15.0), 9.0, BLACK, 0.5)),
            ("line", 4.0 * 40.0, |s| s.line((3.0, 5.0), (19.0, 17.0), BLACK, 2.0)),
            ("dashes", 4.0 * 8.0, |s| s.polyline(&[(5.0, 4.0), (5.0, 20.0)], BLACK, 1.0, 4.0)),
        ];
        for (what, expected, draw) in rows {
            let sum = sum(30, drawn(30, draw));
            assert!((sum / expected - 1.0).abs() < 0.02, "{what}: {sum}, expected {expected}");
        }
    }

    #[test]
    fn a_line_that_turns_is_round_on_its_outer_side_and_nowhere_darker() {
        let level =
            drawn(30, |s| s.polyline(&[(5.0, 20.0), (15.0, 20.0), (15.0, 5.0)], BLACK, 6.0, 0.0));
        assert_eq!((level(30, 40), level(33, 43), level(35, 45)), (0, 0, 255));
        let straight =
            drawn(30, |s| s.polyline(&[(2.0, 9.7), (9.0, 9.7), (20.0, 9.7)], BLACK, 1.0, 0.0));
        assert!((5..39).all(|x| straight(x, 18) == straight(8, 18)), "the join shows");
    }

    #[test]
    fn text_is_drawn_where_its_area_is_level_and_upwards() {
        for font in [Font::new(13.0, Anchor::Middle), Font::new(13.0, Anchor::Middle).upwards()] {
            let level = drawn(60, |surface| surface.text(30.0, 30.0, font, "H H H"));
            let inked: Vec<(usize, usize)> = (0..120)
                .flat_map(|y| (0..120).map(move |x| (x, y)))
                .filter(|(x, y)| level(*x, *y) < 128)
                .collect();
            let range = |of: fn(&(usize, usize)) -> usize| {
                let (low, high) = (inked.iter().map(of).min(), inked.iter().map(of).max());
                (low.unwrap() / 2, high.unwrap() / 2)
            };
            let (along, across) = if font.upwards {
                (range(|p| p.1), range(|p| p.0))
            } else {
                (range(|p| p.0), range(|p| p.1))
            };
            assert!(along.0.abs_diff(12) <= 1 && along.1.abs_diff(47) <= 1, "{along:?}");
            assert!(across.0.abs_diff(20) <= 1 && across.1.abs_diff(29) <= 1, "{across:?}");
        }
    }

    #[test]
    fn what_leaves_the_figure_is_cut_off() {
        let level = drawn(30, |surface| {
            surface.circle((0.0, 0.0), 5.0, BLACK, 1.0);
            surface.rect(-1e9, 20.0, 1e12, 3.0, BLACK);
            surface.line((10.0, -50.0), (10.0, 500.0), BLACK, 2.0);
            surface.circle((-100.0, 900.0), 5.0, BLACK, 1.0);
        });
        assert_eq!(
            (level(0, 0), level(12, 0), level(0, 41), level(59, 41), level(20, 59)),
            (0, 255, 0, 0, 0)
        );
        let figure = Figure { title: String::new(), width: 4000, height: 4000, marks: vec![] };
        let error = render(&figure).unwrap_err().to_string();
        assert!(error.starts_with("a figure of 8000x8000 pixels is too large"), "{error}");
    }
}
