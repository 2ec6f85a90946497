//! A monitor that learns walking from a synthetic accelerometer, loses its power a hundred times, and then tells the other
//! activities; and how many instructions each observation takes. Its log, in lines that begin with
//! `log `, is for `picomlp replay`.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::monitor::Phase;
use picomlp_firmware::console::{exit, fail, print, print_hex_u64, print_u32};
use picomlp_firmware::counter::Counter;
use picomlp_firmware::monitor_log::MonitorLog;
use picomlp_tests::monitor_run::{self, FEATURES, FLASH, RATE, SHOWN};

#[entry]
fn main() -> ! {
    static mut MEMORY: [u8; FLASH as usize] = [0; FLASH as usize];
    let (mut counter, mut most) = (Counter::start(), [0; 3]);
    let mut begins = true;
    let write = |piece: &str| {
        print(if begins { "log " } else { "" });
        print(piece);
        begins = piece.ends_with('\n');
    };
    let mut log = MonitorLog::new(write, RATE, &monitor_run::settings(), FEATURES as u32);
    let outcome = monitor_run::run(MEMORY, |monitor, x| {
        let (phase, sample) = (monitor.state().phase(), monitor.state().samples());
        let (count, said) = counter.count(|| monitor.observe(x));
        if let Some(most) = most.get_mut(phase as usize) {
            *most = count.max(*most);
        }
        let said = said?;
        log.row(x, sample, said);
        Ok(said)
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
