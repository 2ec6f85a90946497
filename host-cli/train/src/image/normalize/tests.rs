//! Scenes drawn by code, and what must come out of them.

use super::*;

/// The pixels alone.
fn normalize(image: &GrayImage, rows: usize, cols: usize) -> Result<Vec<u8>> {
    super::normalize(image, rows, cols).map(|(pixels, _)| pixels)
}

/// The strokes of a 5 as lines between points, in a box of 1x1; it has no symmetry.
const FIVE: [[(f32, f32); 2]; 6] = [
    [(0.85, 0.08), (0.2, 0.08)],
    [(0.2, 0.08), (0.15, 0.45)],
    [(0.15, 0.45), (0.6, 0.4)],
    [(0.6, 0.4), (0.85, 0.65)],
    [(0.85, 0.65), (0.6, 0.92)],
    [(0.6, 0.92), (0.1, 0.85)],
];

/// Pseudo-random numbers in [0, 1), the same in every run.
struct Random(u32);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 24) as f32
    }

    /// Mean 0, standard deviation 1, by the sum of twelve.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.next()).sum::<f32>() - 6.0
    }
}

/// Where a 5 lies in an image, and how thick its strokes are, all in pixels.
#[derive(Clone, Copy)]
struct Five {
    x: f32,
    y: f32,
    side: f32,
    pen: f32,
}

impl Five {
    /// The share of the pixel that is covered by ink.
    fn covers(&self, x: u32, y: u32) -> f32 {
        let u = (x as f32 + 0.5 - self.x) / self.side;
        let v = (y as f32 + 0.5 - self.y) / self.side;
        let distance = FIVE.iter().map(|[(ax, ay), (bx, by)]| {
            let (dx, dy) = (bx - ax, by - ay);
            let t = (((u - ax) * dx + (v - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            (u - ax - t * dx).hypot(v - ay - t * dy)
        });
        let distance = self.side * distance.fold(f32::INFINITY, f32::min);
        ((self.pen + 1.0) / 2.0 - distance).clamp(0.0, self.pen.min(1.0))
    }

    /// Draws on `paper`, where `ink` is the share of light that full ink sends back.
    fn on(
        &self,
        width: u32,
        height: u32,
        ink: f32,
        mut paper: impl FnMut(u32, u32) -> f32,
    ) -> GrayImage {
        GrayImage::from_fn(width, height, |x, y| {
            let level = paper(x, y) * (1.0 - (1.0 - ink) * self.covers(x, y));
            level.round().clamp(0.0, 255.0) as u8
        })
    }
}

const USUAL: Five = Five { x: 40.0, y: 30.0, side: 120.0, pen: 14.0 };

/// A black 5 on white paper, in MNIST's form.
fn reference() -> Vec<u8> {
    normalize(&USUAL.on(200, 200, 0.0, |_, _| 255.0), 28, 28).unwrap()
}

fn inverted(image: &GrayImage) -> GrayImage {
    GrayImage::from_fn(image.width(), image.height(), |x, y| {
        255 - image.as_raw()[(y * image.width() + x) as usize]
    })
}

/// The mean of the absolute differences, in gray levels.
fn difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

/// Asserts that `pixels` are the reference, up to a mean of `tolerance` gray levels.
///
/// A shift by one pixel is allowed: places are whole pixels, and a center of mass may lie
/// half-way between two.
#[track_caller]
fn assert_is_five(pixels: &[u8], tolerance: f64) {
    let reference = reference();
    let difference = [27, 28, 29, 55, 56, 57, 83, 84, 85]
        .map(|shift| {
            // Two lines of blank pixels on both ends make room for the shift.
            let padded = [&[0; 56], pixels, &[0; 56]].concat();
            difference(&padded[shift..][..784], &reference)
        })
        .into_iter()
        .fold(f64::INFINITY, f64::min);
    let text = crate::image::terminal::show(pixels, 28, 28);
    assert!(difference <= tolerance, "the difference is {difference}:\n{text}");
}

fn message(image: &GrayImage) -> String {
    normalize(image, 28, 28).unwrap_err().to_string()
}

#[test]
fn normalize_gives_a_box_of_20_with_its_center_of_mass_in_the_center() {
    let pixels = reference();
    assert!(is_normalized(&pixels, 28, 28));
    assert_eq!((pixels.iter().max(), pixels[0]), (Some(&255), 0));
    // What the tolerances of the other tests must be small against.
    let mirrored: Vec<u8> = pixels.chunks(28).flat_map(|row| row.iter().rev()).copied().collect();
    assert!(difference(&mirrored, &pixels) > 30.0, "{}", difference(&mirrored, &pixels));
    // The reference must be a 5 and not a mirrored one: ink at its points, none off them.
    for (row, col, ink) in [(5, 10, true), (8, 8, true), (8, 18, false), (18, 21, true)] {
        let text = crate::image::terminal::show(&pixels, 28, 28);
        assert_eq!(pixels[row * 28 + col] > 100, ink, "row {row}, column {col}:\n{text}");
    }
}

#[test]
fn normalize_returns_a_image_in_mnists_form_unchanged_light_or_dark() {
    let pixels = reference();
    let image = GrayImage::from_raw(28, 28, pixels.clone()).unwrap();
    assert_eq!(normalize(&image, 28, 28).unwrap(), pixels);
    assert_eq!(normalize(&inverted(&image), 28, 28).unwrap(), pixels);
}

#[test]
fn normalize_restores_a_form_that_was_moved_within_a_larger_field() {
    let pixels = reference();
    let moved = GrayImage::from_fn(40, 34, |x, y| {
        let inside = (9..37).contains(&x) && (2..30).contains(&y);
        if inside { 255 - pixels[(y as usize - 2) * 28 + x as usize - 9] } else { 255 }
    });
    assert_is_five(&normalize(&moved, 28, 28).unwrap(), 3.0);
}

#[test]
fn normalize_does_not_depend_on_which_of_ink_and_paper_is_darker() {
    let image = USUAL.on(200, 200, 0.0, |_, _| 255.0);
    assert_is_five(&normalize(&inverted(&image), 28, 28).unwrap(), 0.1);
}

#[test]
fn normalize_does_not_depend_on_place_and_size() {
    for (x, y, side, width, height) in [
        (5.0, 100.0, 120.0, 500, 240),
        (150.0, 10.0, 60.0, 240, 400),
        (900.0, 1500.0, 400.0, 2000, 3000),
        (2.0, 2.0, 40.0, 44, 44),
        (100.0, 60.0, 30.0, 150, 150),
    ] {
        let five = Five { x, y, side, pen: side * USUAL.pen / USUAL.side };
        let image = five.on(width, height, 0.0, |_, _| 255.0);
        assert_is_five(&normalize(&image, 28, 28).unwrap(), 12.0);
    }
}

#[test]
fn normalize_reads_a_photo_with_uneven_light_noise_and_specks() {
    for seed in 0..5 {
        let mut random = Random(seed);
        let five = Five { x: 200.0, y: 420.0, side: 240.0, pen: 28.0 };
        let image = five.on(600, 800, 0.35, |x, y| {
            let (u, v) = (x as f32 / 300.0 - 1.0, y as f32 / 400.0 - 1.0);
            let speck = if random.next() < 0.001 { 90.0 } else { 0.0 };
            180.0 + 35.0 * u - 25.0 * v - 20.0 * (u * u + v * v) + 6.0 * random.normal() - speck
        });
        assert_is_five(&normalize(&image, 28, 28).unwrap(), 6.0);
    }
}

#[test]
fn normalize_ignores_a_blob_of_dirt_far_from_the_digit() {
    let image = USUAL.on(300, 300, 0.0, |x, y| {
        if (270..276).contains(&x) && (260..266).contains(&y) { 20.0 } else { 240.0 }
    });
    assert_is_five(&normalize(&image, 28, 28).unwrap(), 2.0);
}

#[test]
fn normalize_stretches_faint_pencil() {
    let image = USUAL.on(200, 200, 0.8, |_, _| 200.0);
    assert_is_five(&normalize(&image, 28, 28).unwrap(), 1.0);
}

#[test]
fn normalize_keeps_strokes_of_one_pixel_bright() {
    for (side, pen) in [(120.0, 1.0), (300.0, 1.5), (300.0, 4.0)] {
        let five = Five { x: 20.0, y: 30.0, side, pen };
        let pixels = normalize(&five.on(400, 360, 0.0, |_, _| 255.0), 28, 28).unwrap();
        let bright = pixels.iter().filter(|pixel| **pixel > 120).count();
        let text = crate::image::terminal::show(&pixels, 28, 28);
        assert!(bright >= 40, "{side} {pen}: {bright} bright pixels\n{text}");
        assert!(is_normalized(&pixels, 28, 28), "{side} {pen}:\n{text}");
    }
}

#[test]
fn normalize_reads_a_bold_digit_cut_out_without_a_margin() {
    let five = Five { x: 1.0, y: 2.0, side: 60.0, pen: 14.0 };
    let pixels = normalize(&five.on(59, 64, 0.0, |_, _| 255.0), 28, 28).unwrap();
    let bold = Five { x: 50.0, y: 50.0, ..five };
    let expected = normalize(&bold.on(160, 160, 0.0, |_, _| 255.0), 28, 28).unwrap();
    let difference = difference(&pixels, &expected);
    assert!(difference < 8.0, "{difference}");
}

#[test]
fn normalize_makes_images_of_any_shape() {
    let image = USUAL.on(200, 200, 0.0, |_, _| 255.0);
    for (rows, cols) in [(8, 8), (16, 16), (20, 40), (56, 28), (200, 200), (2, 3), (1, 1)] {
        let pixels = normalize(&image, rows, cols).unwrap();
        assert_eq!(pixels.len(), rows * cols);
        assert!(pixels.contains(&255), "{rows}x{cols}: {pixels:?}");
        if rows.min(cols) >= 8 {
            assert!(is_normalized(&pixels, rows, cols), "{rows}x{cols}");
        }
    }
    assert_eq!([28, 8, 56, 1, 2].map(|side| box_side(side, 100)), [20, 6, 40, 1, 1]);
}

#[test]
fn normalize_refuses_a_shape_without_pixels() {
    let image = USUAL.on(200, 200, 0.0, |_, _| 255.0);
    let error = normalize(&image, 0, 28).unwrap_err().to_string();
    assert_eq!(error, "cannot make an image of 0x28 pixels");
    assert!(message(&GrayImage::from_fn(0, 0, |_, _| 0)).starts_with("no ink found"));
}

#[test]
fn normalize_finds_no_ink_in_a_blank_image() {
    let mut random = Random(1);
    for (width, height) in [(1, 1), (2, 1), (1, 300), (3, 3), (28, 28), (700, 40)] {
        let level = |level: u8| GrayImage::from_fn(width, height, |_, _| level);
        let slope = GrayImage::from_fn(width, height, |x, y| {
            (200 - 80 * x / width - 60 * y / height) as u8
        });
        let noise = GrayImage::from_fn(width, height, |_, _| (200.0 + 3.0 * random.normal()) as u8);
        for image in [level(255), level(0), level(130), slope, noise] {
            let message = message(&image);
            assert!(message.starts_with("no ink found: "), "{width}x{height}: {message}");
        }
    }
}

#[test]
fn normalize_finds_no_ink_in_specks() {
    let specks =
        GrayImage::from_fn(200, 200, |x, y| if x % 40 == 7 && y % 40 == 11 { 0 } else { 255 });
    let expected = "no ink found: nothing but specks stands out from the paper";
    assert_eq!(message(&specks), expected);
}

#[test]
fn normalize_never_panics_on_tiny_and_odd_images() {
    let mut random = Random(3);
    let sizes = [(1, 1), (1, 2), (2, 2), (3, 2), (5, 5), (7, 1), (1, 2000), (2000, 3), (28, 28)];
    for (width, height) in sizes {
        for share in [0.02, 0.2, 0.5, 0.9] {
            let image = GrayImage::from_fn(width, height, |_, _| {
                if random.next() < share { (255.0 * random.next()) as u8 } else { 255 }
            });
            if let Ok(pixels) = normalize(&image, 28, 28) {
                assert_eq!(pixels.len(), 784);
                assert!(pixels.contains(&255), "{width}x{height} {share}");
            }
        }
    }
}

#[test]
fn solve_finds_the_surface_that_made_the_values() {
    let expected = [5.0, -1.0, 2.0, 0.5, -3.0, 0.25];
    let field = Field { width: 9, height: 7, values: vec![0.0; 63] };
    let mut normal = [[0.0; TERMS + 1]; TERMS];
    for (x, y) in (0..7).flat_map(|y| (0..9).map(move |x| (x, y))) {
        let terms = surface_terms(&field, x, y);
        let value: f64 = terms.iter().zip(expected).map(|(term, a)| term * a).sum();
        for (row, term) in normal.iter_mut().zip(terms) {
            row.iter_mut().zip(terms.into_iter().chain([value])).for_each(|(sum, factor)| {
                *sum += term * factor;
            });
        }
    }
    // The ridge is 1e-6 of the first diagonal element; the least eigenvalue is about 0.1 of it.
    for (got, expected) in solve(normal).iter().zip(expected) {
        assert!((got - expected).abs() < 1e-4, "{got} {expected}");
    }
}
