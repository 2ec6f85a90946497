//! The golden run on a bare RISC-V processor, and the stack that calls take there; `cargo xtask golden` builds it and runs it
//! in QEMU.
#![no_std]
#![no_main]

mod stack;

use picomlp_tests::golden_run;
use picomlp_tests::stack_run::{self, Memory};
use riscv::register::misa;
use riscv_rt::entry;
use semihosting::{print, println, process};

#[entry]
fn main() -> ! {
    print!("instructions {}, processor rv32", env!("TARGET"));
    let extensions = misa::try_read();
    for letter in 'a'..='z' {
        if extensions.is_ok_and(|misa| misa.has_extension(letter.to_ascii_uppercase())) {
            print!("{letter}");
        }
    }
    match golden_run::run() {
        Ok(golden) => println!("\n{golden}"),
        Err(error) => {
            println!("\n{error}");
            process::exit(1)
        }
    }
    let mut memory = Memory::new();
    let mut too_deep = false;
    let run = stack_run::run(&mut memory, stack::used_by, |name, bytes, ceiling| {
        println!("stack of {name}: {bytes} of {ceiling}");
        too_deep |= bytes > ceiling;
    });
    if let Err(name) = run {
        println!("{name} failed");
    }
    process::exit(i32::from(too_deep || run.is_err()))
}
