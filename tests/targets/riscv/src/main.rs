//! The golden run on a bare RISC-V processor; `cargo xtask golden` builds it and runs it in QEMU.
#![no_std]
#![no_main]

use picomlp_tests::golden_run;
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
    process::exit(0)
}
