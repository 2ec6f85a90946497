//! The least program: shows that start-up, console, counter and exit work on a board.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use picomlp_firmware::console::{exit, fail, print};
use picomlp_firmware::counter::Counter;
use picomlp_firmware::stack;

#[entry]
fn main() -> ! {
    let mut counter = Counter::start();
    let (count, _) = counter.count(|| (0..1000).for_each(|i| _ = black_box(i)));
    if !(2_000..40_000).contains(&count) {
        fail("a loop of 1000 rounds was counted wrongly");
    }
    if !(16..4096).contains(&stack::high_water_mark()) {
        fail("the stack's depth was measured wrongly");
    }
    print("hello\n");
    exit(0)
}
