//! `bench`: what it prints and what it refuses; how fast the machine is, no test can say.

use crate::util::{Place, field};

#[test]
fn bench_prints_every_figure() {
    let place = Place::with_data();
    let text = place.ok("bench --data data --hidden 6 --epochs 2 --batch-size 32");
    assert!(field(&text, "network").starts_with("64-6-4, 418 parameters"), "{text}");
    assert_eq!(field(&text, "settings"), "adam, batch 32, 2 epochs, one thread");
    assert_eq!(field(&text, "data"), "data: 200 training, 60 test samples");
    for (name, parts) in [
        ("machine", &[][..]),
        ("epoch", &["at best", "in the median"]),
        ("one image", &["µs (p50)", "µs (p99)", "20,000 calls", "batch 1"]),
        ("60 images", &["at batch 256"]),
        ("peak", &["GFLOP/s of one core", "multiply and add"]),
        ("vectors", &["; the build has"]),
        ("test accuracy", &["%"]),
        ("fingerprint", &[]),
    ] {
        let line = field(&text, name);
        assert!(!line.is_empty(), "{name}: {text}");
        assert!(parts.iter().all(|part| line.contains(part)), "{name}: {text}");
    }
    assert_eq!(text.matches(" samples/s, ").count(), 2, "{text}");
    assert_eq!(text.matches(" × the peak").count(), 2, "{text}");
    assert_eq!(place.names(), ["data"], "it writes no file");
}

#[test]
fn bench_json_is_one_object_with_finite_numbers() {
    let place = Place::with_data();
    let line = "bench --data data --hidden 6,5 --epochs 2 --optimizer sgd --json";
    let lines = place.json(line);
    let [result] = &lines[..] else { panic!("{lines:?}") };
    for (name, expected) in [
        ("event", "bench".into()),
        ("network", "64-6-5-4".into()),
        ("optimizer", "sgd".into()),
        ("data", "data".into()),
        ("parameters", (64 * 6 + 6 + 6 * 5 + 5 + 5 * 4 + 4).into()),
        ("batch_size", 64.into()),
        ("epochs", 2.into()),
        ("threads", 1.into()),
        ("train_samples", 200.into()),
        ("test_samples", 60.into()),
        ("latency_calls", 20_000.into()),
        ("infer_batch_size", 256.into()),
    ] {
        let expected: serde_json::Value = expected;
        assert_eq!(result[name], expected, "{name}: {result}");
    }
    for name in [
        "lanes",
        "mul_add_gflops",
        "best_epoch_seconds",
        "median_epoch_seconds",
        "train_samples_per_second",
        "train_gflops",
        "train_loss",
        "latency_p50_us",
        "latency_p99_us",
        "infer_seconds",
        "infer_samples_per_second",
        "infer_gflops",
    ] {
        assert!(result[name].as_f64().is_some_and(|value| value > 0.0), "{name}: {result}");
    }
    assert!(result["fma_gflops"].is_null() || result["fma_gflops"].as_f64() > Some(0.0));
    assert!(result["wider_vectors_unused"].is_boolean(), "{result}");
    assert!(result["target_features"].is_array() && result["cpu"].is_string(), "{result}");
    assert_eq!(result["vectors"], picomlp::kernels::vectors(), "{result}");
    assert_eq!(result["epoch_seconds"].as_array().unwrap().len(), 2, "{result}");
    assert!((0.0..=1.0).contains(&result["test_accuracy"].as_f64().unwrap()), "{result}");
    assert_eq!(place.json(line)[0]["fingerprint"], result["fingerprint"], "two runs differ");
}

#[test]
fn bench_measures_a_network_without_hidden_layers() {
    let place = Place::with_data();
    let text = place.ok("bench --data data --hidden '' --epochs 1 --batch-size 1000");
    assert_eq!(field(&text, "network"), "64-4, 260 parameters");
}

#[test]
fn bench_names_the_flag_and_the_value_that_it_refuses() {
    let place = Place::with_data();
    for (flag, value, expected) in [
        ("--hidden", "12,0", "invalid width '0'"),
        ("--hidden", "x", "invalid width 'x'"),
        ("--batch-size", "0", "0 is not in 1..=1000000"),
        ("--batch-size", "-2", "-2 is not in 1..=1000000"),
        ("--epochs", "0", "0 is not in 1.."),
        ("--optimizer", "foo", "adam, sgd"),
        ("--data", "''", "expected a folder, a file or `synthetic`"),
    ] {
        let shown = if value == "''" { "" } else { value };
        let line = format!("bench --data data {flag} {value}");
        let line = if flag == "--data" { format!("bench {flag} {value}") } else { line };
        place.misused(&line, &[&format!("'{shown}' for '{flag} "), expected]);
    }
    place.misused("bench extra", &["unexpected argument 'extra'"]);
    place.misused("bench --lr 1", &["unexpected argument '--lr'", "Usage: picomlp bench"]);
}

#[test]
fn bench_refuses_data_and_networks_that_it_cannot_measure() {
    let place = Place::with_data();
    for (line, parts) in [
        ("--data nowhere", &["nowhere"][..]),
        ("--data data --hidden 4000000000,4000000000", &["--hidden", "network is too large"]),
        ("--data data --hidden 40000000000000", &["--hidden", "no memory for parameters"]),
    ] {
        place.fails(&format!("bench {line}"), parts);
    }
}
