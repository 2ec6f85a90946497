//! The monitor on a synthetic accelerometer: what it learns, what it says, and that a power cut changes nothing.

use picomlp::monitor::{Monitor, MonitorSettings, MonitorState, Observation, Phase, Threshold};
use picomlp::{Buffers, Optimizer};
use picomlp_fixtures::motion::NAMES;
use picomlp_tests::monitor_run::{FLASH, WALKING, fresh, run, trainer, window_of};

const SETTINGS: MonitorSettings = MonitorSettings::new();

/// The probability that an anomaly's score is above a normal one's.
fn auc(normal: &[f32], anomalies: &[f32]) -> f64 {
    let above = |a: &f32| normal.iter().filter(|n| *n < a).count();
    anomalies.iter().map(above).sum::<usize>() as f64 / (normal.len() * anomalies.len()) as f64
}

#[test]
fn a_monitor_that_has_seen_walking_tells_the_other_activities() {
    let mut monitor = Monitor::new(fresh().unwrap(), SETTINGS).unwrap();
    let mut index = 0;
    while monitor.state().phase() != Phase::Detect {
        monitor.observe(&window_of(WALKING, index, 1)).unwrap();
        index += 1;
    }
    assert!(index <= 2200, "{index} samples");
    let mut of = |activity| {
        let said: Vec<_> = (0..400)
            .map(|index| monitor.observe(&window_of(activity, index, 2)).unwrap())
            .collect();
        let anomalies = said.iter().filter(|said| matches!(said, Observation::Anomaly { .. }));
        (anomalies.count(), said.iter().map(|said| said.score()).collect::<Vec<_>>())
    };
    let (false_alarms, normal) = of(WALKING);
    assert!(false_alarms <= 2, "{false_alarms} of 400");
    for activity in [0, 2, 3] {
        let (alarms, scores) = of(activity);
        let auc = auc(&normal, &scores);
        println!("{}: AUC {auc:.4}, {alarms} of 400", NAMES[activity]);
        assert!(auc >= 0.98, "{}: AUC {auc}", NAMES[activity]);
    }
}

#[test]
fn a_monitor_that_is_cut_off_and_resumed_anywhere_says_the_same() {
    let mut steady = SETTINGS;
    steady.learn = 600;
    let mut drifting = steady;
    (drifting.drift, drifting.learn) = (Some(1e-4), 300);
    drifting.threshold = Threshold::Deviations(4.0);
    for settings in [steady, drifting] {
        let samples = |index: u64| window_of(if index % 97 > 90 { 3 } else { WALKING }, index, 5);
        let run = |cuts: &[u64]| {
            let mut monitor = Monitor::new(fresh().unwrap(), settings).unwrap();
            let mut said = vec![];
            for index in 0..1500 {
                if cuts.contains(&index) {
                    let words = monitor.state().to_words();
                    let steps = monitor.trainer().steps();
                    let (rest, _) = monitor.into_parts();
                    let (_, optimizer, Buffers { params, state, .. }) = rest.into_parts();
                    let mut again = trainer(params, state, steps).unwrap();
                    again.optimizer_mut().set_learning_rate(optimizer.learning_rate());
                    let remembered = MonitorState::from_words(&words).unwrap();
                    monitor = Monitor::resume(again, settings, remembered).unwrap();
                }
                said.push(monitor.observe(&samples(index)).unwrap());
            }
            (said, monitor.into_parts().0.into_parts().2.params.map(f32::to_bits))
        };
        let unbroken = run(&[]);
        assert!(unbroken.0.iter().any(|said| matches!(said, Observation::Normal { .. })));
        assert!(run(&[0, 1, 77, 299, 300, 301, 599, 600, 799, 812, 1200, 1499]) == unbroken);
    }
}

#[test]
fn a_sample_that_cannot_be_judged_changes_nothing() {
    let mut monitor = Monitor::new(fresh().unwrap(), SETTINGS).unwrap();
    monitor.observe(&window_of(WALKING, 0, 1)).unwrap();
    let before = *monitor.state();
    let params = monitor.trainer().params().to_vec();
    let mut broken = window_of(WALKING, 1, 1);
    broken[3] = f32::NAN;
    assert!(monitor.observe(&broken).is_err());
    assert!(monitor.observe(&broken[..4]).is_err());
    assert_eq!((*monitor.state(), monitor.trainer().params()), (before, &params[..]));
}

#[test]
fn a_monitor_that_loses_its_power_a_hundred_times_still_tells_the_other_activities() {
    let outcome = run(&mut [0; FLASH as usize], |monitor, x| monitor.observe(x)).unwrap();
    println!("{outcome:?}");
    assert_eq!(outcome.cuts, 100);
    assert!(outcome.alarms[WALKING] <= 2, "{outcome:?}");
    assert!([0, 2, 3].iter().all(|activity| outcome.alarms[*activity] >= 396), "{outcome:?}");
}
