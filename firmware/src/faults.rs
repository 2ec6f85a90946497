//! A panic or a hardware fault ends the program with exit code 1 instead of a silent loop.

use core::fmt::Write;
use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};

use crate::console::{exit, fail, print};

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        print(text);
        Ok(())
    }
}

/// Linked only into programs that can panic, and the formatting code with it.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Console, "{info}");
    exit(1)
}

#[allow(unsafe_code, reason = "a fault handler must be declared unsafe; this one only stops")]
#[exception]
unsafe fn HardFault(_frame: &ExceptionFrame) -> ! {
    fail("hard fault")
}
