use super::*;
use crate::data::{Schema, Target};

#[test]
fn before_its_first_step_a_run_has_the_parameters_and_the_scales_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.csv");
    let row =
        |i: i32| format!("{},{},{}\n", i * i % 7 - 3, 100 * (i % 11), ["a", "b"][i as usize % 2]);
    std::fs::write(&file, (0..200).map(row).collect::<String>()).unwrap();
    for target in [Target::Last, Target::Inputs] {
        let schema = Schema { target, ..Schema::default() };
        let data = Dataset::open(&file, &schema).unwrap();
        let mut config = TrainConfig { epochs: 1, ..TrainConfig::mlp([8, 5]) };
        let base = Session::new(config.clone(), &data).unwrap().run(|_| ()).unwrap();
        let path = folder.path().join("base.pmlp");
        base.save(&path).unwrap();
        // Other samples, whose own scales are others.
        let some = data.subset(&(0..150).collect::<Vec<_>>());
        config.init_from = Some(path);
        let session = Session::new(config, &some).unwrap();
        let (setup, initial) = (&session.setup, session.initial().unwrap());
        let (_, params) = setup.in_own_units(&session.net, &initial).unwrap();
        let bits = |params: &[f32]| params.iter().map(|p| p.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&params), bits(&base.params));
    }
}
