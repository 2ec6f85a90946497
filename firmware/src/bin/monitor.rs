//! A monitor that learns walking from a synthetic accelerometer, loses its power a hundred times, and then tells the other
//! activities; and how many instructions each observation takes.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::monitor::Phase;
use picomlp_firmware::console::{exit, fail, print, print_hex_u64, print_u32};
use picomlp_firmware::counter::Counter;
use picomlp_tests::monitor_run::{self, FLASH, SHOWN};

#[entry]
fn main() -> ! {
    static mut MEMORY: [u8; FLASH as usize] = [0; FLASH as usize];
    let (mut counter, mut most) = (Counter::start(), [0; 3]);
    let outcome = monitor_run::run(MEMORY, |phase, observe| {
        let (count, ()) = counter.count(observe);
        if let Some(most) = most.get_mut(phase as usize) {
            *most = count.max(*most);
        }
    });
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(what) => {
            print(what);
            fail(": failed")
        }
    };
    let line = |what, number| {
        print(what);
        print(": ");
        print_u32(number);
        print("\n");
    };
    line("saves that lost their power", outcome.cuts);
    line("windows of walking until it watched", outcome.samples);
    line("windows shown of each activity", SHOWN as u32);
    for (name, alarms) in picomlp_fixtures::motion::NAMES.iter().zip(outcome.alarms) {
        print("anomalies while ");
        line(name, alarms);
    }
    for (phase, most) in [Phase::Learn, Phase::Calibrate, Phase::Detect].iter().zip(most) {
        line(
            match phase {
                Phase::Learn => "instructions to learn a window, at most",
                Phase::Calibrate => "instructions to calibrate on one, at most",
                Phase::Detect => "instructions to judge one, at most",
            },
            most,
        );
    }
    print("fingerprint of the scores: ");
    print_hex_u64(outcome.hash);
    print("\n");
    exit(0)
}
