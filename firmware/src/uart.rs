//! The first serial port of Arm's MPS2 boards, polled.
//!
//! Arm DDI 0479 (Cortex-M System Design Kit), section 4.3, "APB UART". Another board's port takes the place of this file.

/// The registers of UART0: Arm application note 386, section 4.1.
const UART0: usize = 0x4000_4000;

const DATA: usize = 0x0;
const STATE: usize = 0x4;
const CONTROL: usize = 0x8;
const BAUD_DIVIDER: usize = 0x10;

/// Bits of [`STATE`].
const WRITE_FULL: u32 = 1;
const READ_FULL: u32 = 2;

/// Bits of [`CONTROL`].
const WRITE_ENABLE: u32 = 1;
const READ_ENABLE: u32 = 2;

/// 25 MHz through 217 are 115,207 baud.
const DIVIDER: u32 = 217;

/// The port, switched on.
pub struct Uart(());

impl Uart {
    /// Switches the port on: 115200 baud, 8 bits, no parity, one stop bit.
    #[must_use]
    pub fn start() -> Self {
        write(BAUD_DIVIDER, DIVIDER);
        write(CONTROL, WRITE_ENABLE | READ_ENABLE);
        Self(())
    }

    /// Waits for the next byte.
    pub fn read_byte(&mut self) -> u8 {
        while read(STATE) & READ_FULL == 0 {}
        read(DATA) as u8
    }

    /// Waits until all bytes are on their way.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            while read(STATE) & WRITE_FULL != 0 {}
            write(DATA, (*byte).into());
        }
    }
}

#[allow(unsafe_code, reason = "a register is a place in memory")]
fn read(register: usize) -> u32 {
    // SAFETY: a register of UART0, which the board has at this address; reading one harms no memory.
    unsafe { ((UART0 + register) as *const u32).read_volatile() }
}

#[allow(unsafe_code, reason = "a register is a place in memory")]
fn write(register: usize, value: u32) {
    // SAFETY: as for `read`; the port raises no interrupt, since none is enabled, and knows no DMA.
    unsafe { ((UART0 + register) as *mut u32).write_volatile(value) }
}
