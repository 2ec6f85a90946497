//! `verify` beside devices that are sound, wrong, garbled, cut and stalled: this test program, started again.

use std::io::{Read, Write, stdin, stdout};

use picomlp::{Error, Layer};
use picomlp_link::{
    Arithmetic, Decoder, Device, ErrorCode, Frame, FrameError, Info, Message, ModelDevice, Words,
    answer,
};
use picomlp_train::ModelFile;

use crate::util::{Place, Ran, field};

/// The variable that makes this program a device, and says of what kind.
const DEVICE: &str = "PICOMLP_TEST_DEVICE";

/// The answer that is tampered with, counted from 0: the hello's, then one for each image.
const TAMPERED: usize = 3;

/// Bytes of a frame's header.
const HEADER: usize = 16;

/// A device with the model `model.pmlp` and a fault.
struct Faulty<'a, D> {
    sound: D,
    kind: &'a str,
    logits: Vec<f32>,
    answers: usize,
}

impl<D: Device> Device for Faulty<'_, D> {
    fn info(&self) -> Info<'_> {
        let sound = self.sound.info();
        match self.kind {
            "other parameters" => Info { fingerprint: sound.fingerprint ^ 1, ..sound },
            "other architecture" => Info { architecture: 7, ..sound },
            "int8" => Info { arithmetic: Arithmetic::Int8, ..sound },
            _ => sound,
        }
    }

    fn classify(&mut self, pixels: &[u8]) -> Result<(u32, Words<'_>), Error> {
        let (mut class, logits) = self.sound.classify(pixels)?;
        self.logits = logits.iter().map(f32::from_bits).collect();
        match self.kind {
            "other logit" if self.answers >= TAMPERED => {
                self.logits[2] = f32::from_bits(self.logits[2].to_bits() ^ 1);
            }
            "other class" => class = (class + 1) % 4,
            "few logits" => _ = self.logits.pop(),
            "many logits" => self.logits.extend([0.0; 64]),
            _ => {}
        }
        Ok((class, Words::from_floats(&self.logits)))
    }

    fn features(&mut self) -> Option<Words<'_>> {
        self.logits = sensed(self.kind, self.answers)?;
        Some(Words::from_floats(&self.logits))
    }
}

/// What the sensor gives as its `answers`th answer.
fn sensed(kind: &str, answers: usize) -> Option<Vec<f32>> {
    let x = answers as f32 / 3.0;
    match kind {
        "sensor" => Some(vec![x, -x, 1e-9 * x]),
        "broken sensor" => Some(vec![x, if answers > 2 { f32::NAN } else { x }]),
        "growing sensor" => Some(vec![x; answers]),
        _ => None,
    }
}

/// Answers on standard output, until standard input ends or the fault strikes.
fn run_device(kind: &str) {
    let file = ModelFile::read("model.pmlp".as_ref()).unwrap();
    let model = file.model().unwrap();
    let inputs = model.net().inputs();
    let mut scratch = vec![0.0; model.net().infer_scratch(1) + inputs];
    let sound = ModelDevice { model, name: "a test", scratch: &mut scratch };
    let mut device = Faulty { sound, kind, logits: vec![], answers: 0 };
    let mut memory = vec![0; 4 * inputs];
    let mut decoder = Decoder::new(&mut memory);
    let mut hellos = 0;
    match kind {
        "noise" => stdout().write_all(b"boot\r\n\xb5PM\xb5PMD, ready\r\n\0\xff").unwrap(),
        "ends" => std::process::exit(3),
        _ => {}
    }
    for byte in stdin().lock().bytes() {
        let Some(mut came) = decoder.push(byte.unwrap()) else { continue };
        if matches!(came, Ok(Frame { kind: 1, .. })) {
            hellos += 1;
            if kind == "deaf at first" && hellos == 1 {
                continue;
            }
        }
        if kind == "hears badly" && device.answers == TAMPERED {
            came = Err(FrameError::HeaderCrc { expected: 0, got: 1 });
        }
        let mut reply = vec![];
        answer(&mut device, came, |piece| reply.extend_from_slice(piece));
        if kind == "no model" {
            reply.clear();
            let message = Message::Error { code: ErrorCode::NoModel, text: "erased" };
            Frame::write_pieces(1, &message, |piece| reply.extend_from_slice(piece));
        }
        if device.answers >= TAMPERED {
            tamper(kind, &mut reply);
        }
        stdout().write_all(&reply).unwrap();
        stdout().flush().unwrap();
        if kind == "silent" || kind.starts_with("stalled") && device.answers >= TAMPERED {
            // Without a reaction to the end of its input: it has to be killed.
            std::thread::sleep(core::time::Duration::from_secs(600));
        }
        if kind.starts_with("cut") && device.answers >= TAMPERED {
            std::process::exit(3);
        }
        device.answers += 1;
    }
}

fn tamper(kind: &str, reply: &mut Vec<u8>) {
    match kind {
        "cut before" | "stalled before" => reply.clear(),
        "cut in the header" => reply.truncate(5),
        "cut in the payload" | "stalled in the payload" => reply.truncate(HEADER + 7),
        "garbled payload" => reply[HEADER + 6] ^= 0x10,
        "garbled checksum" => *reply.last_mut().unwrap() ^= 1,
        "garbled length" => reply[8] ^= 0x80,
        "garbled magic" => reply[1] ^= 1,
        "talks" => drop(reply.splice(0..0, *b"debug: 12\n")),
        "LF as CR LF" => {
            let as_text = reply.iter().flat_map(|byte| match byte {
                b'P' => vec![b'P', b'\r'], // as if one were a line end
                other => vec![*other],
            });
            *reply = as_text.collect();
        }
        "wrong sequence" => {
            // A sound frame of another number, as from a device that lost a request.
            let mut other = vec![];
            let logits = Words::from_integers(&[0; 4]);
            let message = Message::Result { class: 0, logits };
            Frame::write_pieces(999, &message, |piece| other.extend_from_slice(piece));
            *reply = other;
        }
        "wrong kind" => {
            let sequence = u16::from_le_bytes([reply[6], reply[7]]);
            reply.clear();
            Frame::write_pieces(sequence, &Message::Hello, |piece| reply.extend_from_slice(piece));
        }
        _ => {}
    }
}

/// Does nothing, unless this program was started as a device.
#[test]
fn device_in_a_process_of_its_own() {
    if let Ok(kind) = std::env::var(DEVICE) {
        run_device(&kind);
        std::process::exit(0); // without a word of the test harness
    }
}

/// The command that starts this program as a device.
fn device() -> String {
    // The harness prints something before it runs the test: this device boots with noise, as most do.
    let program = std::env::current_exe().unwrap();
    format!(
        "'{}' --exact verify::device_in_a_process_of_its_own --nocapture --test-threads 1",
        program.display()
    )
}

/// Runs `verify` on `model.pmlp` and `data` with a device of this kind.
fn verify(place: &Place, kind: &str, more: &str) -> Ran {
    let line = format!("verify model.pmlp --data data {more}");
    let mut command = place.command(&line);
    Ran::new(&line, command.arg("--device").arg(device()).env(DEVICE, kind).output().unwrap())
}

/// For a device of this kind, `verify` must fail, say all `parts`, and report nothing.
#[track_caller]
fn assert_fault(place: &Place, kind: &str, more: &str, parts: &[&str]) {
    let ran = verify(place, kind, more);
    ran.assert_failed(1, "picomlp: ", parts);
    assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1), "{kind}: {ran:?}");
}

#[test]
fn a_sound_device_agrees_in_every_bit() {
    let place = Place::with_model();
    for kind in ["sound", "noise"] {
        let ran = verify(&place, kind, "--limit 50");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
        assert_eq!(field(&ran.stdout, "device"), "a test, f32");
        let all = "50 of data: all equal bit for bit in logits and class";
        assert_eq!(field(&ran.stdout, "samples"), all);
        assert!(field(&ran.stdout, "speed").ends_with(" samples/s, there and back"), "{ran:?}");
    }
    let ran = verify(&place, "sound", "--limit 1000 --json");
    let line = &crate::util::json_lines(&ran.stdout)[0];
    assert_eq!((line["samples"].as_u64(), line["equal"].as_u64()), (Some(60), Some(60)), "{line}");
    assert!(line["first_difference"].is_null(), "{line}");
    let eval = &place.json("eval model.pmlp --data data --json")[0];
    for (own, of_eval) in [("accuracy", "test_accuracy"), ("fingerprint", "fingerprint")] {
        assert_eq!(line[own], eval[of_eval], "{line}");
    }
}

#[test]
fn a_device_with_a_model_of_features_is_sent_features() {
    let place = Place::new();
    place.put(
        "data",
        b"a,b,kind\n0.5,-3e5,x\n1.25,2e5,y\n0.75,-2e5,x\n1.5,1e5,y\n2.5,4e5,y\n0.1,-1e5,x\n",
    );
    place.ok("train --data data --epochs 40 --lr 0.01 --test-split 0");
    let ran = verify(&place, "sound", "");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert!(
        field(&ran.stdout, "samples").starts_with("6 of data: all equal bit for bit"),
        "{ran:?}"
    );
    let parts = ["in 6 of 6 samples", "sample 0: the logits are equal, but the class is not"];
    verify(&place, "other class", "").assert_failed(1, "picomlp: ", &parts);
}

#[test]
fn a_device_that_misses_the_first_hello_is_asked_again() {
    let ran = verify(&Place::with_model(), "deaf at first", "--limit 5");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
}

#[test]
fn the_first_difference_is_named_with_its_bits() {
    let place = Place::with_model();
    // The answers to samples 0 and 1 are sound.
    let ran = verify(&place, "other logit", "--limit 5");
    let parts = ["differs from model.pmlp in 3 of 5 samples; the first: sample 2, output 2: "];
    ran.assert_failed(1, "picomlp: ", &parts);
    assert_eq!(field(&ran.stdout, "samples"), "5 of data: 3 differ");

    let ran = verify(&place, "other logit", "--limit 5 --json");
    let first = &crate::util::json_lines(&ran.stdout)[0]["first_difference"];
    let bits = |name: &str| u32::from_str_radix(first[name].as_str().unwrap(), 16).unwrap();
    assert_eq!(bits("expected_bits") ^ bits("got_bits"), 1, "{first}");
    assert_eq!((first["sample"].as_u64(), first["output"].as_u64()), (Some(2), Some(2)), "{first}");
    assert!(ran.stderr.contains(first["got_bits"].as_str().unwrap()), "{ran:?}");

    let parts = ["in 5 of 5 samples", "sample 0: the logits are equal, but the class is not"];
    verify(&place, "other class", "--limit 5").assert_failed(1, "picomlp: ", &parts);
}

#[test]
fn a_device_with_another_model_is_told_before_any_image_is_sent() {
    let place = Place::with_model();
    for (kind, parts) in [
        ("other parameters", ["has other parameters", "that of model.pmlp is"]),
        ("other architecture", ["has another architecture: 64 inputs, 4 outputs", "0000000007"]),
        ("int8", ["computes in int8", "has no int8 parameters"]),
        ("no model", ["hello: the device refuses: it has no model", "(erased)"]),
    ] {
        assert_fault(&place, kind, "", &parts);
    }
}

#[test]
fn a_garbled_answer_is_named_by_what_is_wrong_with_it() {
    let place = Place::with_model();
    for (kind, part) in [
        ("garbled payload", "CRC mismatch in the payload of frame "),
        ("garbled checksum", "CRC mismatch in the payload of frame "),
        ("garbled length", "CRC mismatch in a frame's header"),
        ("garbled magic", "bad magic: expected b5 50 4d 44, got b5 51 4d 44"),
        ("talks", "bad magic: expected b5 50 4d 44, got 64 65 62 75"),
        ("LF as CR LF", "bad magic: expected b5 50 4d 44, got b5 50 0d 4d"),
        ("wrong sequence", "wrong sequence number: expected 4, got 999"),
        ("wrong kind", "expected a result, got a message of kind 1"),
    ] {
        assert_fault(&place, kind, "", &["sample 2: garbled answer: ", part]);
    }
    for (kind, part) in [
        ("few logits", "wrong length: expected 4 logits, got 3"),
        ("many logits", "wrong length: frame 2 has a payload of 276 bytes, expected at most 92"),
    ] {
        assert_fault(&place, kind, "", &["sample 0: garbled answer: ", part]);
    }
    let parts = ["sample 2: the device refuses: the request came garbled (header)"];
    assert_fault(&place, "hears badly", "", &parts);
}

#[test]
fn a_device_that_ends_is_told_from_one_that_stalls() {
    let place = Place::with_model();
    for (kind, parts) in [
        ("ends", ["hello: the device ended before it answered", "exit status: 3"]),
        ("cut before", ["sample 2: the device ended before it answered", "exit status: 3"]),
        ("cut in the header", ["sample 2: the device ended in the middle", "after 5 bytes"]),
        ("cut in the payload", ["sample 2: the device ended in the middle", "after 23 bytes"]),
    ] {
        assert_fault(&place, kind, "", &parts);
    }
    for (kind, part) in [
        ("stalled before", "sample 2: no answer within 2 s\n"),
        ("stalled in the payload", "no answer within 2 s: it stopped after 23 bytes of a frame"),
    ] {
        assert_fault(&place, kind, "--timeout 2", &[part]);
    }
}

/// Programs that are no device at all.
#[cfg(unix)]
#[test]
fn a_command_that_is_no_device_is_told_what_it_did() {
    let place = Place::with_model();
    let line = "verify model.pmlp --data data --timeout 1 --device";
    let fails = |device: &str, part: &str| {
        let mut command = place.command(line);
        let ran = Ran::new(device, command.arg(device).output().unwrap());
        ran.assert_failed(1, "picomlp: ", &[part]);
        assert_eq!(ran.stdout, "", "{ran:?}");
    };
    fails("true", "hello: the device ended before it answered (exit status: 0)");
    fails("sh -c 'kill -9 $$'", "signal: 9");
    fails("sleep 600", "hello: no answer within 1 s\n");
    // What it is sent comes back: a port that echoes.
    fails("cat", "hello: garbled answer: expected info, got a message of kind 1");
    fails("sh -c 'printf hello; exec sleep 600'", "5 bytes came, none of them a frame");
    fails("yes", " bytes came, none of them a frame");
    fails("no-such-program --x", "cannot start the device `no-such-program`: No such file");
    fails("'unfinished", "--device: 'unfinished: missing closing quote");
    fails("", "--device: expected a command or a port, got an empty string");
    fails("/dev/null", "hello: the device ended before it answered (the port was closed)");
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_that_stalls_is_not_left_running() {
    let place = Place::with_model();
    let device = "sh -c 'echo $$ > pid; exec sleep 600'";
    let line = "verify model.pmlp --data data --timeout 1 --device";
    let ran = Ran::new(line, place.command(line).arg(device).output().unwrap());
    ran.assert_failed(1, "picomlp: ", &["no answer"]);
    let pid = String::from_utf8(place.read("pid")).unwrap();
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "{pid} still runs");
}

#[test]
fn verify_refuses_models_data_and_flags_that_will_not_do() {
    let place = Place::with_model();
    place.put("bad.pmlp", b"no model");
    place.fails("verify bad.pmlp --device true", &["bad.pmlp: "]);
    place.fails("verify model.pmlp --device true", &["synthetic data has 10 classes"]);
    place.misused("verify model.pmlp", &["--device <COMMAND>"]);
    for timeout in ["0", "-1", "nan", "1e30", "ten"] {
        let line = format!("verify model.pmlp --device true --timeout={timeout}");
        place.misused(&line, &["--timeout"]);
    }
    place.misused("verify model.pmlp --device true --limit 0", &["--limit"]);
}

/// Runs `record` with a device of this kind.
fn record(place: &Place, kind: &str, more: &str) -> Ran {
    let line = format!("record {more} -o data.csv");
    Ran::new(&line, place.command(&line).arg(device()).env(DEVICE, kind).output().unwrap())
}

#[test]
fn a_sensor_s_features_are_recorded_label_by_label_and_trained_on() {
    let place = Place::with_model();
    let walking = record(&place, "sensor", "--label walking --samples 20 --names x,y,z");
    assert_eq!((walking.code, walking.stderr.as_str()), (0, ""), "{walking:?}");
    assert_eq!(walking.stdout, "20 samples of 3 features, walking, in data.csv\n");
    let more = "--label standing --samples 12 --names x,y,z";
    record(&place, "sensor", more).assert_failed(1, "picomlp: ", &["data.csv exists", "--append"]);
    assert_eq!(record(&place, "sensor", &format!("{more} --append")).code, 0);
    let text = std::fs::read_to_string(place.path("data.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (33, "x,y,z,label"));
    let third: Vec<&str> = lines[3].split(',').collect();
    let values = third[..3].iter().map(|value| value.parse::<f32>().unwrap().to_bits());
    assert!(values.eq(sensed("sensor", 3).unwrap().into_iter().map(f32::to_bits)), "{third:?}");
    assert_eq!((third[3], lines[21].rsplit(',').next()), ("walking", Some("standing")));
    place.ok("train --data data.csv --hidden 4 --epochs 2 --out sensor.pmlp");
}

#[test]
fn what_cannot_be_recorded_is_refused_and_nothing_written() {
    let place = Place::with_model();
    for (kind, more, parts) in [
        ("sound", "--label a", ["sample 0", "no sensor"]),
        ("broken sensor", "--label a", ["sample 2", "feature 1 is NaN"]),
        ("growing sensor", "--label a", ["sample 1", "expected 1 features as before, got 2"]),
        ("sensor", "--label a --names x,y", ["--names: expected 3 names", "got 2"]),
        ("ends", "--label a", ["hello", "ended"]),
    ] {
        record(&place, kind, more).assert_failed(1, "picomlp: ", &parts);
        assert!(!place.path("data.csv").exists(), "{kind}");
    }
    assert_eq!(record(&place, "sensor", "--label a,b").code, 2);
    place.put("data.csv", b"a,b,label\n1,2,x\n");
    let columns = ["expected the columns `f0,f1,f2,label` to add to", "got `a,b,label`"];
    record(&place, "sensor", "--label a --append").assert_failed(1, "picomlp: ", &columns);
}
