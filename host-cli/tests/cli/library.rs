//! The library writes what the command line writes.

use picomlp_train::config::{OptimizerKind, OptimizerSpec, TrainConfig};
use picomlp_train::data::{Dataset, HeldOut, Inputs, Schema, SplitSpec};
use picomlp_train::{Ending, Session, Stopped};

use crate::util::{Place, bars_pixels, kaggle};

#[test]
fn a_program_of_ten_lines_writes_the_bytes_of_the_command_line() {
    let place = Place::with_data();
    let (images, labels) = bars_pixels(120, 1);
    place.put("bars.csv", &kaggle(&images, Some(&labels), 64));
    let adamw = OptimizerSpec::new(OptimizerKind::AdamW);
    let split = SplitSpec { held_out: HeldOut::Last, stratified: true, ..SplitSpec::default() };
    let more = TrainConfig {
        optimizer: adamw,
        inputs: Inputs::Standardized,
        split,
        epochs: 3,
        seed: 7,
        ..TrainConfig::mlp([9, 5])
    };
    for (data, config, flags) in [
        ("data", TrainConfig::mlp([6]), "--hidden 6"),
        ("bars.csv", TrainConfig { epochs: 2, ..TrainConfig::mlp([]) }, "--hidden '' --epochs 2"),
        (
            "bars.csv",
            more,
            "--hidden 9,5 --optimizer adamw --inputs standardized --held-out last --stratified --epochs 3 --seed 7",
        ),
    ] {
        let (data, out) = (place.path(data), place.path("m.pmlp"));
        let line = format!("train --data {} --out {} {flags}", data.display(), out.display());
        place.ok(&line);
        let expected = place.read("m.pmlp");
        place.remove("m.pmlp");
        let data = Dataset::open(&data, &Schema::detect()).unwrap();
        let mut epochs = 0;
        let trained = Session::new(config, &data).unwrap().run(|_| epochs += 1).unwrap();
        trained.save(&out).unwrap();
        assert!(place.read("m.pmlp") == expected, "{line}");
        assert_eq!(epochs, trained.config.epochs);
    }
}

#[test]
fn a_run_that_diverges_hands_over_the_best_model_so_far() {
    let place = Place::with_data();
    let data = Dataset::open(place.path("data"), &Schema::detect()).unwrap();
    let optimizer = OptimizerSpec { learning_rate: Some(1e30), ..OptimizerSpec::default() };
    let config = TrainConfig { optimizer, ..TrainConfig::mlp([6]) };
    let error = Session::new(config, &data).unwrap().run(|_| {}).unwrap_err();
    let stopped = error.downcast::<Stopped>().unwrap();
    assert!(matches!(stopped.ending, Ending::Diverged { epoch: 1, .. }), "{stopped}");
    assert!(stopped.trained.is_none());
}
