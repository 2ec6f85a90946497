//! The golden run on a Cortex-M: prints what it ends in, for `cargo xtask golden` to compare.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp_firmware::console::{exit, fail};
use picomlp_firmware::{processor, stack};
use picomlp_tests::golden_run;
use semihosting::println;

#[entry]
fn main() -> ! {
    println!("instructions {}, processor {}", env!("TARGET"), processor::name());
    match golden_run::run() {
        Ok(golden) => println!("{golden}\nstack     {} bytes", stack::high_water_mark()),
        Err(_) => fail("the golden run's buffers do not fit"),
    }
    exit(0)
}
