use picomlp::{InputMap, LossKind, Sequential};

use super::*;
use crate::classifier::Classifier;
use crate::data::{Dataset, Targets};
use crate::pool::Pool;

#[track_caller]
fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-7, "{got} is not {expected}");
}

/// Measures a network whose outputs are its inputs.
fn evaluate(inputs: Vec<f32>, width: usize, targets: Targets, loss: LossKind) -> Evaluation {
    let net = Sequential::mlp(&[width, width]).unwrap();
    let mut params = vec![0.0; width * width + width];
    (0..width).for_each(|i| params[i * width + i] = 1.0);
    let target_names = vec![String::new(); width];
    let data = Dataset {
        inputs: inputs.into(),
        rows: 1,
        cols: width,
        classes: if matches!(targets, Targets::Classes(_)) { width.max(2) } else { 0 },
        targets,
        target_names,
        ..Dataset::default()
    };
    let map = InputMap { scale: 1.0, shift: 0.0 };
    let classifier = Classifier::new(&net, &params, map, loss);
    classifier.evaluate(&Pool::new(Some(1)).unwrap(), &data, &data.all()).unwrap()
}

/// From precision_recall_fscore_support.
#[track_caller]
fn close_average(got: Average, [precision, recall, f1]: [f64; 3]) {
    close(got.precision, precision);
    close(got.recall, recall);
    close(got.f1, f1);
}

#[test]
fn classes_are_measured_as_scikit_learn_does() {
    let probabilities = [
        [0.7f32, 0.2, 0.1],
        [0.30, 0.41, 0.29],
        [0.5, 0.1, 0.4],
        [0.2, 0.61, 0.19],
        [0.62, 0.28, 0.1],
        [0.1, 0.2, 0.7],
        [0.2, 0.5, 0.3],
        [0.41, 0.34, 0.25],
        [0.82, 0.1, 0.08],
        [0.15, 0.45, 0.4],
    ];
    let logits = probabilities.as_flattened().iter().map(|p| p.ln()).collect();
    let classes = Targets::Classes(vec![0, 0, 0, 1, 1, 2, 2, 2, 0, 1]);
    let found = evaluate(logits, 3, classes, LossKind::CrossEntropy);
    assert_eq!(found.confusion, [[3, 1, 0], [1, 2, 0], [1, 1, 1]]);
    close_average(found.macro_average(), [0.7, 0.583_333_333_333, 0.579_365_079_365]);
    close_average(found.weighted_average(), [0.69, 0.6, 0.588_095_238_095]);
    close_average(found.micro_average(), [0.6; 3]);
    close(found.accuracy(), 0.6);
    close(found.balanced_accuracy(), 0.583_333_333_333);
    assert_eq!([1, 2, 3].map(|k| found.top_k(k)), [0.6, 0.9, 1.0]);
    close(found.calibration_error.unwrap(), 0.128);
    assert_eq!((found.auc, found.measure("macro_f1")), (None, found.macro_average().f1));

    let rare =
        evaluate(vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0], 3, vec![0, 1].into(), LossKind::CrossEntropy);
    let classes = rare.classes();
    assert_eq!(
        (classes[1].precision, classes[1].recall, classes[2].recall),
        (None, Some(0.0), None)
    );
    close(rare.macro_average().precision, 0.25);
}

#[test]
fn two_classes_of_one_output_are_measured_as_those_of_two() {
    let logits = [-2.0f32, -0.4, 0.3, 1.5, -0.1, 0.2, 3.0, 0.0];
    let labels = || Targets::Classes(vec![0, 0, 1, 1, 1, 0, 1, 0]);
    let one = evaluate(logits.to_vec(), 1, labels(), LossKind::BinaryCrossEntropy);
    let two = logits.iter().flat_map(|z| [0.0, *z]).collect();
    let two = evaluate(two, 2, labels(), LossKind::CrossEntropy);
    assert_eq!((&one.confusion, &one.ranks), (&two.confusion, &two.ranks));
    assert_eq!((one.auc, one.partial_auc), (two.auc, two.partial_auc));
    close(one.loss, two.loss);
    close(one.calibration_error.unwrap(), two.calibration_error.unwrap());
    assert_eq!((one.correct, one.guessing), (6, two.guessing));
}

#[test]
fn labels_are_measured_as_scikit_learn_does() {
    let probabilities = [
        [0.9f32, 0.2, 0.4],
        [0.1, 0.8, 0.3],
        [0.6, 0.3, 0.2],
        [0.2, 0.6, 0.1],
        [0.7, 0.1, 0.2],
        [0.4, 0.9, 0.8],
    ];
    let logits = probabilities.as_flattened().iter().map(|p| (p / (1.0 - p)).ln()).collect();
    let truth = [1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1];
    let labels = Targets::Labels(truth.iter().map(|label| *label as f32).collect());
    let found = evaluate(logits, 3, labels, LossKind::BinaryCrossEntropy);
    close_average(found.macro_average(), [0.888_888_888_888, 0.722_222_222_222, 0.777_777_777_777]);
    close_average(found.weighted_average(), [0.875, 0.75, 0.791_666_666_666]);
    close_average(found.micro_average(), [0.857_142_857_142, 0.75, 0.8]);
    assert_eq!((found.accuracy(), found.labels[2].samples), (0.5, 2));
    close(found.auc.unwrap(), 0.962_962_962_962);
    close(found.partial_auc.unwrap(), 0.941_520_467_836);
    close(found.guessing, 2f64.ln());
}

#[test]
fn values_are_measured_as_scikit_learn_does() {
    let predicted = vec![2.5, 0.0, 2.0, 8.0];
    let targets = Targets::Values(vec![3.0, -0.5, 2.0, 7.0]);
    let found = evaluate(predicted, 1, targets, LossKind::MeanSquaredError).regression.unwrap();
    close(found.r2, 0.948_608_137_044);
    assert_eq!((found.mae, found.rmse), (0.5, 0.375_f64.sqrt()));
    let predicted = vec![0.0, 2.0, -1.0, 2.0, 8.0, -5.0];
    let targets = Targets::Values(vec![0.5, 1.0, -1.0, 1.0, 7.0, -6.0]);
    let found = evaluate(predicted, 2, targets, LossKind::MeanSquaredError);
    close(found.measure("r2"), 0.936_800_526_662);
    assert!(found.measure("accuracy").is_nan() && found.confusion.is_empty());
}

#[test]
fn quantiles_are_numpy_s() {
    let mut values = [4.0, 1.0, 3.0, 2.0];
    assert_eq!([0.0, 0.5, 1.0].map(|q| quantile(&mut values, q)), [1.0, 2.5, 4.0]);
    assert_eq!((quantile(&mut values, 0.875), quantile(&mut [7.0], 0.5)), (3.625, 7.0));
}

#[test]
fn areas_under_the_curve_are_those_of_scikit_learn() {
    let areas = |scores: &[f32], truth: &[u8]| {
        let truth = truth.iter().map(|&truth| truth == 1);
        roc_auc(&mut scores.iter().copied().zip(truth).collect::<Vec<_>>())
    };
    let [all, part] = areas(
        &[0.1, 0.4, 0.35, 0.8, 0.35, 0.7, 0.9, 0.05, 0.6, 0.4, 0.2, 0.3],
        &[0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0],
    )
    .unwrap();
    close(all, 0.885_714_285_714);
    close(part, 0.789_473_684_210);
    let scores: Vec<f32> = (0..20).rev().map(|score| score as f32).collect();
    let truth = [1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0];
    let [all, part] = areas(&scores, &truth).unwrap();
    close(all, 0.68);
    close(part, 0.578_947_368_421);
    assert_eq!(areas(&[1.0, 1.0], &[0, 1]).unwrap()[0], 0.5);
    assert_eq!(areas(&[1.0, 2.0], &[1, 1]), None);
}
