//! Measures the stack that calls take and fails where one takes more than its constant promises.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp_firmware::console::{exit, fail, print, print_u32};
use picomlp_firmware::counter::Counter;
use picomlp_firmware::stack;
use picomlp_tests::stack_run::{self, Memory};

#[entry]
fn main() -> ! {
    static mut MEMORY: Memory = Memory::new();
    let (mut too_deep, mut counter) = (false, Counter::start());
    let run = stack_run::run(
        MEMORY,
        |call| {
            let (count, ()) = counter.count(&mut *call);
            print("measured ");
            print_u32(count);
            print(" instructions, ");
            stack::used_by(call).0
        },
        |name, bytes, ceiling| {
            print(name);
            print(": ");
            print_u32(bytes as u32);
            print(" of ");
            print_u32(ceiling as u32);
            print("\n");
            too_deep |= bytes > ceiling;
        },
    );
    if let Err(name) = run {
        print(name);
        fail(": failed");
    }
    if too_deep {
        fail("a call takes more stack than its ceiling");
    }
    print("every call takes at most what its constant says\n");
    exit(0)
}
