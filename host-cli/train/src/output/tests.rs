use std::path::PathBuf;

use super::temporary::failing;
use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn plan<const N: usize>(paths: [&PathBuf; N]) -> Result<Outputs> {
    Outputs::plan(&Inputs::default(), paths)
}

#[test]
fn write_file_replaces_the_old_file_and_leaves_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    write_file(&path, b"old").unwrap();
    write_file(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["a.bin"]);
}

#[test]
fn a_plan_leaves_nothing_behind_and_keeps_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    plan([&path]).unwrap();
    assert!(names(folder.path()).is_empty());
    fs::write(&path, b"old").unwrap();
    plan([&path]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn a_path_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = plan([&folder.path().join("none/a.bin")]).unwrap_err();
    assert!(format!("{error:#}").contains("none/a.bin: there is no folder"), "{error:#}");
    let error = plan([&folder.path().to_owned()]).unwrap_err();
    assert!(format!("{error:#}").contains("it is a folder"), "{error:#}");
}

/// After every step that can fail, with every set of files that is there before.
#[test]
fn whatever_step_fails_the_old_files_are_there_and_no_other() {
    for described in [false, true] {
        for there in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
            let old: Vec<_> = [&a, &b]
                .into_iter()
                .enumerate()
                .filter(|(bit, _)| there >> bit & 1 == 1)
                .map(|(_, path)| path)
                .collect();
            let mut failures = 0;
            for steps in 0.. {
                [&a, &b].into_iter().for_each(|path| drop(fs::remove_file(path)));
                old.iter().for_each(|path| fs::write(path, b"old").unwrap());
                let outputs = plan([&a, &b]).unwrap();
                let outputs = if described { outputs.described() } else { outputs };
                let (result, failed) = failing::after(steps, || outputs.write(&[b"new", b"new"]));
                if result.is_ok() {
                    // The one step that may fail without harm is the second name of the old file.
                    assert!(!failed || described, "{steps}");
                    if !failed {
                        break;
                    }
                    continue;
                }
                failures += 1;
                let error = format!("{:#}", result.unwrap_err());
                assert!(
                    error.starts_with("cannot write ") && !error.contains(".picomlp"),
                    "{error}"
                );
                let is_old = |path: &&PathBuf| fs::read(path).is_ok_and(|bytes| bytes == b"old");
                let kept = old.iter().filter(|path| is_old(path)).count();
                // Files of their own are replaced one by one.
                if described || steps < 7 {
                    assert_eq!(
                        (kept, names(folder.path()).len()),
                        (old.len(), old.len()),
                        "{steps}"
                    );
                }
            }
            assert!(failures >= 8, "{failures} steps");
            assert_eq!(names(folder.path()), ["a", "b"]);
            assert!([a, b].iter().all(|path| fs::read(path).unwrap() == b"new"));
        }
    }
}

#[test]
fn temporary_files_of_ended_runs_are_removed_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let others =
        [".picomlp-", ".picomlp-12345", ".picomlp-1234567", ".picomlp-12345.", "picomlp-123456"];
    for name in others.into_iter().chain([".picomlp-a1B2c3"]) {
        fs::write(folder.path().join(name), b"").unwrap();
    }
    fs::create_dir(folder.path().join(".picomlp-folder")).unwrap();
    let of_a_live_run = Temporary::create(folder.path()).unwrap();
    plan([&folder.path().join("a")]).unwrap();
    let mut expected = others.to_vec();
    expected.push(".picomlp-folder");
    let left = names(folder.path());
    assert_eq!(left.len(), expected.len() + 1, "{left:?}");
    assert!(expected.iter().all(|name| left.iter().any(|left| left == name)), "{left:?}");
    drop(of_a_live_run);
    assert_eq!(names(folder.path()).len(), expected.len());
}
