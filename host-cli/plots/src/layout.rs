//! Tests that figures can be read: texts lie within the figure and not on each other.

use picomlp::{InputMap, Layer, LossKind, Sequential};

use crate::surface::{Figure, Mark, text_areas};
use crate::*;
use picomlp_train::Shape;
use picomlp_train::data::{Dataset, Targets};
use picomlp_train::{History, Pool};

/// Checks all texts of a figure, and that each coordinate is a number.
#[track_caller]
pub(super) fn check(figure: &Figure) {
    let texts: Vec<_> = text_areas(&figure.marks).collect();
    for (at, (a, text)) in texts.iter().enumerate() {
        let (right, bottom) = (a.x + a.width, a.y + a.height);
        let inside = a.x >= 0.0
            && a.y >= 0.0
            && right <= f64::from(figure.width)
            && bottom <= f64::from(figure.height);
        assert!(inside, "`{text}` of {} is cut off: {a:?}", figure.title);
        for (b, other) in &texts[..at] {
            // Areas have the height of all letters, so those that touch are apart.
            let apart = a.x >= b.x + b.width
                || b.x >= right
                || a.y + 1.0 >= b.y + b.height
                || b.y + 1.0 >= bottom;
            assert!(apart, "`{text}` lies on `{other}` in {}: {a:?}, {b:?}", figure.title);
        }
    }
    for mark in &figure.marks {
        if let Mark::Line { points, .. } = mark {
            assert!(points.iter().all(|(x, y)| x.is_finite() && y.is_finite()), "{points:?}");
        }
    }
}

/// Samples of random pixels, their classes named.
fn set(names: &[String], shape: Shape, count: usize) -> Dataset {
    let pixels = picomlp_fixtures::values(3).take(count * shape.rows * shape.cols);
    Dataset {
        inputs: pixels.map(|value| (127.0 + 127.0 * value) as u8).collect::<Vec<_>>().into(),
        targets: Targets::Classes((0..count).map(|at| (at % names.len()) as u16).collect()),
        rows: shape.rows,
        cols: shape.cols,
        classes: names.len(),
        class_names: names.to_vec(),
        max: 255,
        ..Dataset::default()
    }
}

#[test]
fn figures_can_be_read_whatever_the_names_and_numbers_of_classes() {
    let pool = Pool::new(Some(1)).unwrap();
    let digits = (0..10).map(|digit| digit.to_string()).collect();
    let wide =
        ["WWWWWWWWWWWWWWWWWWWWWW", "a very long name of a class", "mmm", "語語語語語語語語語"];
    let many = |count: usize| (0..count).map(|class| format!("class number {class}")).collect();
    let names: [Vec<String>; 5] =
        [digits, wide.map(str::to_owned).to_vec(), many(13), many(40), many(256)];
    for (names, (rows, cols)) in names.iter().zip([(28, 28), (8, 8), (3, 20), (20, 3), (4, 4)]) {
        let shape = Shape { rows, cols };
        let data = set(names, shape, 600);
        let net = Sequential::mlp(&[rows * cols, names.len()]).unwrap();
        let params: Vec<f32> =
            picomlp_fixtures::values(5).take(net.params()).map(|value| 0.1 * value).collect();
        let subject = Subject {
            net: &net,
            params: &params,
            map: InputMap::PIXELS,
            loss: LossKind::default(),
            names: names.clone(),
            set: "test samples".to_owned(),
        };
        let predictions = subject.classifier().predict(&pool, &data).unwrap();
        check(&confusion(&subject, &predictions));
        check(&classes(&subject, &predictions.classes()));
        check(&mistakes(&subject, &predictions, &data, 30).unwrap());
        check(&rotation(&subject, &data, 7, 15).unwrap());
        check(&samples(&data, 10).unwrap());
        check(&weights(&subject, shape, 100).unwrap());
        check(&Pca::new(&pool, &data).unwrap().figure());
    }
}

#[test]
fn curves_can_be_read_whatever_the_losses() {
    let losses = [0.0, 5e-324, 1e-7, 0.3, 2.345_678_1, 2.345_678_2, 1e6, 1.7e308];
    for (at, first) in losses.into_iter().enumerate() {
        for second in &losses[at..] {
            for epochs in [1_u32, 2, 100, 100_000, u32::MAX] {
                let line = |epoch: u32, loss: f64| {
                    format!(
                        r#"{{"event":"epoch","epoch":{epoch},"train_loss":{loss:e},"val_accuracy":{}}}"#,
                        1.0 / (1.0 + loss)
                    )
                };
                let text = format!("{}\n{}", line(1, first), line(epochs, *second));
                check(&curves(&History::parse(&text).unwrap()));
            }
        }
    }
}
