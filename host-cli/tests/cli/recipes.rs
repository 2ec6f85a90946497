//! `train --recipe`: what a recipe sets, what wins over it, and what is said of a wrong one.

use std::path::Path;

use picomlp_fixtures::sets::BARS_CLASSES;

use crate::util::{Place, bars_pixels, field, kaggle};

/// The names of the recipes, as `recipes` lists them.
fn names(place: &Place) -> Vec<String> {
    let listed = place.ok("recipes");
    let names = listed.split("\n\n").filter(|part| part.contains("\n  about "));
    names.map(|part| part.lines().next().unwrap().to_owned()).collect()
}

fn digits8x8() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("fixtures/data/digits8x8.csv.gz").display().to_string()
}

/// The command by which a run can be repeated.
fn repeat(place: &Place, flags: &str) -> String {
    let lines = place.json(&format!("train --max-steps 1 --json {flags}"));
    lines[0]["command"].as_str().unwrap().to_owned()
}

#[test]
fn recipes_lists_five_with_source_settings_and_what_was_published() {
    let place = Place::new();
    assert_eq!(
        names(&place),
        ["deep-relu", "rms-fullbatch", "digits8x8", "sigmoid-mse", "batchnorm-dropout"]
    );
    let listed = place.ok("recipes");
    for word in ["source", "data", "published", "settings"] {
        let fields = listed.lines().filter(|line| line.trim_start().starts_with(word)).count();
        assert!(fields >= 5, "{word}: {listed}");
    }
    place.fails("recipes deep", &["there is no recipe 'deep'; there are deep-relu, "]);
}

#[test]
fn every_recipe_trains_to_the_same_fingerprint_on_one_thread_and_on_two() {
    let place = Place::new();
    for name in names(&place) {
        let data = if name == "digits8x8" { digits8x8() } else { "synthetic".to_owned() };
        // Smaller sets and nets, since this is compiled without much optimisation; the full ones are `cargo xtask recipes`.
        let smaller = match name.as_str() {
            "digits8x8" => "",
            "batchnorm-dropout" => "--hidden 40,20 --batch-size 128",
            "sigmoid-mse" | "rms-fullbatch" => "--hidden 12 --test-split 0.1 --merge",
            _ => "--hidden 20,12 --val-split 0.1",
        };
        let prints: Vec<_> = ["1", "2"]
            .map(|threads| {
                let line = format!(
                    "train --recipe {name} --data {data} {smaller} --max-steps 5 --threads {threads} --json"
                );
                place.json(&line).pop().unwrap()["fingerprint"].clone()
            })
            .into();
        assert_eq!(prints[0], prints[1], "{name}");
    }
}

#[test]
fn flags_beside_a_recipe_win_and_replace_what_does_not_go_with_them() {
    let place = Place::new();
    let data = digits8x8();
    let plain = repeat(&place, &format!("--recipe digits8x8 --data {data}"));
    assert!(plain.contains(" --full-batch --optimizer sgd --lr 0.01 "), "{plain}");
    assert!(plain.contains(" --init xavier "), "{plain}");

    let all = "--hidden 5 --batch-size 7 --lr 0.5 --init he --val-split 0.5";
    let changed = repeat(&place, &format!("--recipe digits8x8 --data {data} {all}"));
    assert!(changed.contains(" --hidden 5 --epochs 501 --batch-size 7 "), "{changed}");
    assert!(changed.contains(" --lr 0.5 --seed 1 --val-split 0.5 --init he "), "{changed}");

    // A learning rate means something for its optimizer alone.
    let adam = repeat(&place, &format!("--recipe digits8x8 --data {data} --optimizer adam"));
    assert!(adam.contains(" --optimizer adam --lr 0.001 "), "{adam}");
    let line = "--recipe rms-fullbatch --data synthetic --merge --hidden 4 --optimizer momentum";
    let momentum = repeat(&place, line);
    assert!(momentum.contains(" --optimizer momentum --lr 0.01 "), "{momentum}");
    assert!(!momentum.contains("--alpha") && !momentum.contains("--epsilon"), "{momentum}");
    assert!(momentum.contains(" --weight-decay 0.000001"), "{momentum}");

    // What needs the full batch, or no validation, goes when these go.
    let line = "--recipe rms-fullbatch --data synthetic --merge --hidden 4";
    assert!(repeat(&place, line).contains(" --keep-lowest-loss"));
    for flag in ["--batch-size 64", "--val-split 0.1"] {
        let changed = repeat(&place, &format!("{line} {flag}"));
        assert!(changed.contains(flag) && !changed.contains("--keep-lowest-loss"), "{changed}");
    }
}

#[test]
fn a_recipe_is_the_run_that_its_flags_make() {
    let place = Place::new();
    let data = digits8x8();
    let recipe = format!("train --recipe digits8x8 --data {data} --max-steps 20 --json");
    let lines = place.json(&recipe);
    let command = lines[0]["command"].as_str().unwrap();
    assert!(!command.contains("--recipe"), "{command}");
    let words = command.strip_prefix("picomlp ").unwrap();
    let again = place.json(&format!("{words} --json"));
    assert_eq!(lines.last().unwrap()["fingerprint"], again.last().unwrap()["fingerprint"]);

    let copy = place.ok("recipes digits8x8");
    place.put("my.toml", copy.as_bytes());
    let mine = place.json(&recipe.replace("digits8x8 --data", "my.toml --data"));
    assert_eq!(lines.last().unwrap()["fingerprint"], mine.last().unwrap()["fingerprint"]);
}

#[test]
fn log_every_prints_some_epochs_and_the_last() {
    let place = Place::with_data();
    let epochs = |flags: &str| -> Vec<u64> {
        let lines = place.json(&format!("train --data data --hidden 3 --json {flags}"));
        lines.iter().filter_map(|line| line["epoch"].as_u64()).collect()
    };
    assert_eq!(epochs("--epochs 7 --log-every 3"), [3, 6, 7]);
    assert_eq!(epochs("--epochs 2 --log-every 9"), [2]);
    assert_eq!(epochs("--epochs 2"), [1, 2]);
}

#[test]
fn a_recipe_of_ones_own_names_its_data_and_reads_kaggles_form() {
    let place = Place::new();
    let (images, labels) = bars_pixels(80, 1);
    place.put("train.csv", &kaggle(&images, Some(&labels), 64));
    place.put("test.csv", &kaggle(&images[..20 * 64], None, 64));
    let recipe = "[train]\ndata = \"train.csv\"\nhidden = 12\nlr = 0.01\nbatch-size = 8\nepochs = 30\nval-split = 0\ntest-split = 0\n";
    place.put("bars.toml", recipe.as_bytes());
    let text = place.ok("train --recipe bars.toml");
    assert_eq!(
        field(&text, "network"),
        format!("64-12-{BARS_CLASSES}, 832 parameters (3,328 bytes)")
    );
    place.ok("predict model.pmlp --data test.csv --submission out.csv --quiet");
    let answers = String::from_utf8(place.read("out.csv")).unwrap();
    let right: Vec<_> =
        (1..).zip(&labels[..20]).map(|(id, label)| format!("{id},{label}")).collect();
    assert_eq!(
        answers.lines().collect::<Vec<_>>(),
        [&["ImageId,Label".to_owned()], &right[..]].concat()
    );
}

#[test]
fn a_wrong_recipe_is_refused_by_its_file_and_line() {
    let place = Place::with_data();
    for (text, parts) in [
        (
            "[train]\nlr = 0\n",
            "my.toml:2: invalid value '0' for '--lr <RATE>': expected a finite number above 0",
        ),
        (
            "[train]\n\nbatch_size = 5\n",
            "my.toml:3: 'train' has no setting 'batch_size': expected one of its flags",
        ),
        ("[train]\nrecipe = 'deep-relu'\n", "my.toml:2: 'train' has no setting 'recipe'"),
        (
            "[train]\nfull-batch = 'yes'\n",
            "my.toml:2: 'full-batch' is 'yes', expected true or false",
        ),
        ("[train]\nlr = true\n", "my.toml:2: 'lr' is true or false, expected a value"),
        (
            "[train]\noptimizer = 'fast'\n",
            "my.toml:2: invalid value 'fast' for '--optimizer <OPTIMIZER>'",
        ),
        (
            "[train]\nfull-batch = true\nbatch-size = 5\n",
            "my.toml: the argument '--full-batch' cannot be used with",
        ),
        (
            "lr = 0.1\n",
            "my.toml:1: unknown field `lr`, expected one of `recipe`, `published`, `train`",
        ),
        ("[train]\nlr = = 1\n", "my.toml:2: "),
    ] {
        place.put("my.toml", text.as_bytes());
        place.fails("train --data data --recipe my.toml", &[parts]);
    }
    place.put("off.toml", b"[train]\nfull-batch = false\nbatch-size = 5\nhidden = 3\nepochs = 1\n");
    place.train("--recipe off.toml");
    place.fails("train --recipe no.toml", &["cannot read no.toml: No such file"]);
    place.fails(
        "train --recipe deep",
        &[
            "a recipe of your own is a file NAME.toml",
            "there is no recipe 'deep'; there are deep-relu,",
        ],
    );
}

#[test]
fn a_recipe_for_published_data_asks_for_it() {
    let place = Place::new();
    place.misused(
        "train --recipe deep-relu",
        &["recipe deep-relu is for a folder with MNIST's four IDX files: name it by '--data'"],
    );
}

#[test]
fn gradcheck_takes_the_network_of_a_recipe() {
    let place = Place::new();
    for name in names(&place) {
        let data = if name == "digits8x8" { digits8x8() } else { "synthetic".to_owned() };
        let line =
            format!("gradcheck --recipe {name} --data {data} --samples 6 --batch-size 3 --json");
        let narrower = match name.as_str() {
            "batchnorm-dropout" => " --hidden 30,20",
            "deep-relu" => " --hidden 30,30",
            _ => "",
        };
        let layers = place.json(&(line + narrower));
        assert!(layers.iter().all(|layer| layer["event"] == "gradcheck"), "{name}: {layers:?}");
        let kinds: Vec<_> = layers.iter().map(|layer| layer["layer"].as_str().unwrap()).collect();
        match name.as_str() {
            "batchnorm-dropout" => assert!(kinds.iter().any(|k| k.starts_with("batch-norm"))),
            "rms-fullbatch" => assert!(kinds.iter().any(|k| k.ends_with("no bias")), "{kinds:?}"),
            _ => {}
        }
    }
}
