//! Text over semihosting, and the end of a program.

use semihosting::io::{Write, stdout};

/// Prints text; what cannot be printed is lost.
pub fn print(text: &str) {
    if let Ok(mut out) = stdout() {
        let _ = out.write_all(text.as_bytes());
    }
}

/// A number in decimal.
pub struct Decimal {
    digits: [u8; 10],
    first: usize,
}

impl Decimal {
    /// Writes a number out.
    #[must_use]
    pub fn new(number: u32) -> Self {
        let mut decimal = Self { digits: [0; 10], first: 10 };
        let mut rest = number;
        for (at, digit) in decimal.digits.iter_mut().enumerate().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            decimal.first = at;
            if rest == 0 {
                break;
            }
        }
        decimal
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        ascii(self.digits.get(self.first..).unwrap_or_default())
    }
}

/// Prints a number in decimal.
pub fn print_u32(number: u32) {
    print(Decimal::new(number).as_str());
}

/// Prints all 8 hexadecimal digits of a number, such as the bits of an `f32`.
pub fn print_hex(number: u32) {
    print(ascii(&core::array::from_fn::<u8, 8, _>(|i| hex_digit(number >> (28 - 4 * i)))));
}

/// Prints all 16 hexadecimal digits of a number, such as a fingerprint.
pub fn print_hex_u64(number: u64) {
    print_hex((number >> 32) as u32);
    print_hex(number as u32);
}

/// Prints bytes as hexadecimal digits: 64 of them a line, each line after `prefix`.
pub fn print_bytes(prefix: &str, bytes: &[u8]) {
    for line in bytes.chunks(64) {
        let mut digits = [0; 128];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(line) {
            *pair = [hex_digit(u32::from(byte >> 4)), hex_digit(u32::from(*byte))];
        }
        print(prefix);
        print(ascii(digits.get(..2 * line.len()).unwrap_or_default()));
        print("\n");
    }
}

fn hex_digit(number: u32) -> u8 {
    match (number & 15) as u8 {
        digit @ 0..=9 => b'0' + digit,
        digit => b'a' - 10 + digit,
    }
}

fn ascii(text: &[u8]) -> &str {
    core::str::from_utf8(text).unwrap_or_default()
}

/// Ends the program: 0 is success, anything else reaches the host as a failure.
pub fn exit(code: u8) -> ! {
    semihosting::process::exit(code.into())
}

/// Prints why, and ends the program with exit code 1.
pub fn fail(why: &str) -> ! {
    print(why);
    print("\n");
    exit(1)
}
